//! Expectations taken from PostgreSQL 15.

use super::*;
use crate::types::{DateOrder, DateStyle, FormatSettings, Interval, IntervalStyle, TimeZone, interval};

fn settings(zone: &str) -> FormatSettings {
    FormatSettings {
        time_zone: TimeZone::by_name(zone).unwrap(),
        now: 1_700_000_000_000_000,
        ..FormatSettings::default()
    }
}

fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

fn timestamp(input: &str) -> i64 {
    timestamp::parse(input, -1, &settings("UTC")).unwrap()
}

fn shown(micros: i64) -> String {
    text(|out| format::write_timestamp(micros, &settings("UTC"), out))
}

fn span(input: &str) -> Interval {
    interval::parse(input, -1, &FormatSettings::default()).unwrap()
}

fn shown_span(value: Interval) -> String {
    text(|out| interval::write(value, IntervalStyle::Postgres, out))
}

#[test]
fn dates() {
    let parse = |input: &str, order: DateOrder| {
        let settings = FormatSettings { date_order: order, ..settings("UTC") };
        date::parse(input, &settings).map(|days| text(|out| format::write_date(days, &settings, out)))
    };
    for (input, expected) in [
        ("January 8, 1999", "1999-01-08"),
        ("1/8/1999", "1999-01-08"),
        ("01/02/03", "2003-01-02"),
        ("08-Jan-99", "1999-01-08"),
        ("19990108", "1999-01-08"),
        ("1999.008", "1999-01-08"),
        ("J2451187", "1999-01-08"),
        ("January 8, 99 BC", "0099-01-08 BC"),
        ("y2001m02d04", "2001-02-04"),
        ("4714-11-24 BC", "4714-11-24 BC"),
        ("5874897-12-31", "5874897-12-31"),
        ("epoch", "1970-01-01"),
        ("today", "2023-11-14"),
        ("-infinity", "-infinity"),
    ] {
        assert_eq!(parse(input, DateOrder::Mdy).unwrap(), expected, "{input}");
    }
    assert_eq!(parse("01/02/03", DateOrder::Dmy).unwrap(), "2003-02-01");
    assert_eq!(parse("01/02/03", DateOrder::Ymd).unwrap(), "2001-02-03");
    let message = |input: &str| parse(input, DateOrder::Mdy).unwrap_err().message().to_owned();
    assert_eq!(message("x"), "invalid input syntax for type date: \"x\"");
    assert_eq!(message("2000-02-30"), "date/time field value out of range: \"2000-02-30\"");
    assert_eq!(message("4714-11-23 BC"), "date out of range: \"4714-11-23 BC\"");
    let error = parse("13/13/2000", DateOrder::Mdy).unwrap_err();
    assert_eq!(error.fields().hint.as_deref(), Some("Perhaps you need a different \"datestyle\" setting."));
}

#[test]
fn timestamps() {
    for (input, expected) in [
        ("2000-01-01 24:00:00", "2000-01-02 00:00:00"),
        ("2000-01-01 23:59:59.9999999", "2000-01-02 00:00:00"),
        ("20000101T123456", "2000-01-01 12:34:56"),
        ("Sat Jan 01 12:34:56.789 2000", "2000-01-01 12:34:56.789"),
        ("2000-01-01 12:00 AM", "2000-01-01 00:00:00"),
        ("J2451545.25", "2000-01-01 06:00:00"),
        ("now", "2023-11-14 22:13:20"),
    ] {
        assert_eq!(shown(timestamp(input)), expected, "{input}");
    }
    let zoned = |input: &str, zone: &str| {
        let settings = settings(zone);
        timestamp::parse_tz(input, -1, &settings)
            .map(|micros| text(|out| format::write_timestamptz(micros, &settings, out)))
    };
    for (input, expected) in [
        ("2000-01-01 12:34:56 PST", "2000-01-01 21:34:56+01"),
        ("2000-07-01 12:34:56 America/New_York", "2000-07-01 18:34:56+02"),
        ("2012-01-01 12:34:56 MSK", "2012-01-01 09:34:56+01"),
        ("2000-01-01 12:34:56+05:30", "2000-01-01 08:04:56+01"),
        ("2000-01-01 12:34:56 UTC+3", "2000-01-01 16:34:56+01"),
        ("1850-01-01 00:00", "1850-01-01 00:00:00+00:53:28"),
    ] {
        assert_eq!(zoned(input, "Europe/Berlin").unwrap(), expected, "{input}");
    }
    let error = zoned("2000-01-01 12:34:56 Foo/Bar", "UTC").unwrap_err();
    assert_eq!(error.message(), "time zone \"foo/bar\" not recognized");
    let error = zoned("2000-01-01 12:34:56 +16", "UTC").unwrap_err();
    assert_eq!(error.message(), "time zone displacement out of range: \"2000-01-01 12:34:56 +16\"");
}

#[test]
fn styles() {
    let micros = timestamp("2000-01-02 03:04:05.678");
    let shown = |style: DateStyle, order: DateOrder, zone: &str| {
        let settings = FormatSettings { date_style: style, date_order: order, ..settings(zone) };
        text(|out| format::write_timestamptz(micros, &settings, out))
    };
    assert_eq!(shown(DateStyle::Sql, DateOrder::Mdy, "America/New_York"), "01/01/2000 22:04:05.678 EST");
    assert_eq!(shown(DateStyle::Sql, DateOrder::Dmy, "America/Sao_Paulo"), "02/01/2000 01:04:05.678 -02");
    assert_eq!(shown(DateStyle::Postgres, DateOrder::Mdy, "UTC"), "Sun Jan 02 03:04:05.678 2000 UTC");
    assert_eq!(shown(DateStyle::German, DateOrder::Mdy, "UTC"), "02.01.2000 03:04:05.678 UTC");
    assert_eq!(shown(DateStyle::Iso, DateOrder::Mdy, "Asia/Kathmandu"), "2000-01-02 08:49:05.678+05:45");
}

#[test]
fn times() {
    let settings = settings("America/New_York");
    let parse = |input: &str| time::parse(input, -1, &settings).map(|time| text(|out| format::write_time(time, out)));
    assert_eq!(parse("040506.789").unwrap(), "04:05:06.789");
    assert_eq!(parse("4:05 pm").unwrap(), "16:05:00");
    assert_eq!(parse("24:00").unwrap(), "24:00:00");
    assert!(parse("24:00:01").is_err() && parse("2000-01-01").is_err());
    let zoned = |input: &str| text(|out| format::write_timetz(time::parse_tz(input, -1, &settings).unwrap(), out));
    assert_eq!(zoned("2003-07-12 04:05:06 America/New_York"), "04:05:06-04");
    assert_eq!(zoned("04:05:06+05:30"), "04:05:06+05:30");
    assert_eq!(zoned("04:05:06"), "04:05:06-05");
}

#[test]
fn arithmetic_in_zones() {
    let plus =
        |input: &str, step: &str| shown(arithmetic::timestamp_plus_interval(timestamp(input), span(step)).unwrap());
    assert_eq!(plus("2024-01-31", "1 month"), "2024-02-29 00:00:00");
    assert_eq!(plus("2024-02-29", "-1 year 1 day"), "2023-03-01 00:00:00");
    let zone = TimeZone::by_name("America/New_York").unwrap();
    let start = timestamp("2024-03-09 17:00");
    let day = arithmetic::timestamptz_plus_interval(start, span("1 day"), &zone).unwrap();
    assert_eq!(shown(day), "2024-03-10 16:00:00");
    let hours = arithmetic::timestamptz_plus_interval(start, span("24 hours"), &zone).unwrap();
    assert_eq!(shown(hours), "2024-03-10 17:00:00");
    let age = arithmetic::timestamp_age(timestamp("2001-04-10"), timestamp("1957-06-13")).unwrap();
    assert_eq!(shown_span(age), "43 years 9 mons 27 days");
    let bin = truncate::date_bin(span("15 minutes"), timestamp("2020-02-11 15:44:17"), timestamp("2001-01-01"));
    assert_eq!(shown(bin.unwrap()), "2020-02-11 15:30:00");
    assert_eq!(shown(truncate::date_trunc("week", timestamp("2024-01-03 10:00")).unwrap()), "2024-01-01 00:00:00");
    let day = truncate::date_trunc_tz("day", timestamp("2024-03-10 12:00"), &zone).unwrap();
    assert_eq!(shown(day), "2024-03-10 05:00:00");
    let error = truncate::date_trunc("foo", 0).unwrap_err();
    assert_eq!(error.message(), "unit \"foo\" not recognized for type timestamp without time zone");
}

#[test]
fn extraction() {
    let of = |field: &str| {
        extract::extract_timestamp(field, timestamp("2000-01-01 12:00:00.5")).unwrap().unwrap().to_string()
    };
    assert_eq!(of("epoch"), "946728000.500000");
    assert_eq!(of("millisecond"), "500.000");
    assert_eq!(of("century"), "20");
    assert_eq!(of("isoyear"), "1999");
    let julian = extract::extract_timestamp("julian", timestamp("2000-01-01 12:00:01")).unwrap().unwrap();
    assert_eq!(julian.to_string(), "2451545.50001157407407407407");
    assert_eq!(extract::extract_timestamp("hour", i64::MAX).unwrap(), None);
    assert_eq!(extract::extract_timestamp("year", i64::MIN).unwrap().unwrap().to_string(), "-Infinity");
    assert_eq!(
        extract::extract_interval("epoch", span("1 year 1 mon 1 day 1.5 s")).unwrap().to_string(),
        "34236001.500000"
    );
    let error = extract::extract_date("hour", 0).unwrap_err();
    assert_eq!(error.message(), "unit \"hour\" not supported for type date");
}

#[test]
fn usual_forms_of_zones_mean_what_unusual_ones_do() {
    let settings = crate::types::FormatSettings::default();
    let tz = |text: &str| super::timestamp::parse_tz(text, -1, &settings).ok();
    for (usual, unusual) in [
        ("2013-01-01T10:00:00Z", "2013-01-01 10:00:00 UTC"),
        ("2013-01-01 10:00:00.5z", "2013-01-01 10:00:00.5 UTC"),
        ("2013-01-01 10:00:00+02", "2013-01-01 10:00:00 +02"),
        ("2013-01-01 10:00:00-05:30", "2013-01-01 10:00:00 -05:30"),
        ("2013-12-31 23:59:59.999999+14:59", "2013-12-31 23:59:59.999999 +14:59"),
    ] {
        assert!(tz(usual).is_some() && tz(usual) == tz(unusual), "{usual}");
        let plain = |text: &str| super::timestamp::parse(text, -1, &settings).ok();
        assert!(plain(usual).is_some() && plain(usual) == plain(unusual), "{usual}");
    }
    for wrong in ["2013-01-01 10:00:00+77", "2013-01-01 10:00:00+02:99", "2013-01-01 10:00:00+"] {
        assert_eq!(tz(wrong).is_none(), tz(&wrong.replace('+', " +")).is_none(), "{wrong}");
    }
}
