-- Time zone abbreviations that input accepts.
SELECT abbrev, utc_offset, is_dst
FROM pg_timezone_abbrevs()
