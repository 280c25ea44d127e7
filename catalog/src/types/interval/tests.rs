use super::*;
use crate::types::type_name::interval_field::{FULL_PRECISION, FULL_RANGE, MINUTE, MONTH, SECOND, YEAR};
use crate::types::{FormatSettings, IntervalStyle};

fn interval(text: &str) -> Interval {
    parse(text, -1, &FormatSettings::default()).unwrap()
}

fn shown(interval: Interval, style: IntervalStyle) -> String {
    let mut out = Vec::new();
    write(interval, style, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn input_styles() {
    for (text, expected) in [
        ("1 year 2 months 3 days 04:05:06", "1 year 2 mons 3 days 04:05:06"),
        ("@ 1 minute ago", "-00:01:00"),
        ("1-2", "1 year 2 mons"),
        ("P1Y2M3DT4H5M6S", "1 year 2 mons 3 days 04:05:06"),
        ("P0001-02-03T04:05:06", "1 year 2 mons 3 days 04:05:06"),
        ("1.5 months", "1 mon 15 days"),
        ("1.5 years", "1 year 6 mons"),
        ("-1 day +02:03", "-1 days +02:03:00"),
        ("3 4:05", "3 days 04:05:00"),
        ("1.5", "00:00:01.5"),
    ] {
        assert_eq!(shown(interval(text), IntervalStyle::Postgres), expected, "{text}");
    }
}

#[test]
fn output_styles() {
    let mixed = interval("-1 year 2 months -3 days 4:05:06.7");
    assert_eq!(shown(mixed, IntervalStyle::Postgres), "-10 mons -3 days +04:05:06.7");
    assert_eq!(shown(mixed, IntervalStyle::PostgresVerbose), "@ 10 mons 3 days -4 hours -5 mins -6.7 secs ago");
    assert_eq!(shown(mixed, IntervalStyle::SqlStandard), "-0-10 -3 +4:05:06.7");
    assert_eq!(shown(mixed, IntervalStyle::Iso8601), "P-10M-3DT4H5M6.7S");
    assert_eq!(shown(Interval::ZERO, IntervalStyle::Iso8601), "PT0S");
    assert_eq!(shown(Interval::ZERO, IntervalStyle::PostgresVerbose), "@ 0");
}

#[test]
fn modifiers() {
    let settings = FormatSettings::default();
    let restricted = |text: &str, range: i32, precision: i32| {
        shown(parse(text, (range << 16) | precision, &settings).unwrap(), IntervalStyle::Postgres)
    };
    assert_eq!(restricted("1", YEAR, FULL_PRECISION), "1 year");
    assert_eq!(restricted("1-6", YEAR | MONTH, FULL_PRECISION), "1 year 6 mons");
    assert_eq!(restricted("1:02", MINUTE | SECOND, FULL_PRECISION), "00:01:02");
    assert_eq!(restricted("1.23456", FULL_RANGE, 2), "00:00:01.23");
}

#[test]
fn errors() {
    let settings = FormatSettings::default();
    let message = |text: &str| parse(text, -1, &settings).unwrap_err().message().to_owned();
    assert_eq!(message("x"), "invalid input syntax for type interval: \"x\"");
    assert_eq!(message("1 day 1 day"), "invalid input syntax for type interval: \"1 day 1 day\"");
    assert_eq!(message("99999999999 years"), "interval field value out of range: \"99999999999 years\"");
}
