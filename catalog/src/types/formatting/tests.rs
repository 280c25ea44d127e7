use super::*;
use crate::types::datetime::format::{write_date, write_timestamptz};
use crate::types::datetime::timestamp;
use crate::types::{FormatSettings, Numeric, TimeZone, interval};

fn moment(text: &str) -> i64 {
    timestamp::parse(text, -1, &FormatSettings::default()).unwrap()
}

#[test]
fn timestamps() {
    let shown = |template: &str| timestamp_to_char(moment("2024-03-05 14:07:09.123456"), template).unwrap().unwrap();
    assert_eq!(shown("YYYY-MM-DD HH24:MI:SS.US MS FF1 FF3 FF6"), "2024-03-05 14:07:09.123456 123 1 123 123456");
    assert_eq!(shown("HH HH12 AM a.m."), "02 02 PM p.m.");
    assert_eq!(shown("Month|MONTH|FMMonth|Mon|mon"), "March    |MARCH    |March|Mar|mar");
    assert_eq!(shown("Day|Dy|D|ID|DD|DDD|IDDD|WW|IW|W|Q|J|CC"), "Tuesday  |Tue|3|2|05|065|065|10|10|1|1|2460375|21");
    assert_eq!(shown("Y,YYY YYY YY Y IYYY RM rm"), "2,024 024 24 4 2024 III  iii ");
    assert_eq!(shown("SSSS BC ad B.C. DDth ddTH \"text\""), "50829 AD ad A.D. 05th 05TH text");
    let zone = TimeZone::by_name("Asia/Kathmandu").unwrap();
    assert_eq!(timestamptz_to_char(0, "HH24 OF TZH:TZM", &zone).unwrap().unwrap(), "05 +05:30 +05:30");
    let span = interval::parse("1 day 30 hours 5 minutes", -1, &FormatSettings::default()).unwrap();
    assert_eq!(interval_to_char(span, "DD HH24:MI").unwrap().unwrap(), "01 30:05");
    assert!(interval_to_char(span, "Month").is_err());
}

#[test]
fn numbers() {
    let shown = |value: &str, template: &str| numeric_to_char(&Numeric::parse(value).unwrap(), template).unwrap();
    for (value, template, expected) in [
        ("-5", "999", "  -5"),
        ("5", "999", "   5"),
        ("-5", "FM999", "-5"),
        ("485", "9 9 9", " 4 8 5"),
        ("1485", "9,999", " 1,485"),
        ("148.5", "FM999.990", "148.500"),
        ("-485", "999S", "485-"),
        ("485", "FM999MI", "485"),
        ("-485", "999PR", "<485>"),
        ("485", "L999", "  485"),
        ("485", "RN", "        CDLXXXV"),
        ("482", "999th", " 482nd"),
        ("12.4", "99V999", " 12400"),
        ("0.0004859", "9.99EEEE", " 4.86e-04"),
        ("1234567", "999", " ###"),
        ("0.1", "9.9", "  .1"),
        ("12", "0999", " 0012"),
        ("-123", "999D99G", "-123.00,"),
    ] {
        assert_eq!(shown(value, template), expected, "{value} {template}");
    }
    assert_eq!(float8_to_char(12.5, "99.99").unwrap(), " 12.50");
    for (text, template, expected) in [
        ("-34,338,492", "99G999G999", "-34338492"),
        ("<564646.654564>", "999999.999999PR", "-564646.654564"),
        ("5.01-", "FM9.999999MI", "-5.01"),
        ("$1,234.56", "L99,999.99", "1234.56"),
    ] {
        assert_eq!(to_number(text, template).unwrap().unwrap().to_string(), expected);
    }
}

#[test]
fn input() {
    let settings = FormatSettings::default();
    let at = |text: &str, template: &str| {
        let mut out = Vec::new();
        write_timestamptz(to_timestamp(text, template, &TimeZone::UTC).unwrap(), &settings, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(at("05 Dec 2000", "DD Mon YYYY"), "2000-12-05 00:00:00+00");
    assert_eq!(at("2011$03!18 23_38_15", "YYYY-MM-DD HH24:MI:SS"), "2011-03-18 23:38:15+00");
    assert_eq!(at("2011-12-18 11:38 -05:20", "YYYY-MM-DD HH12:MI TZH:TZM"), "2011-12-18 16:58:00+00");
    assert_eq!(at("2005527", "IYYYIWID"), "2006-01-01 00:00:00+00");
    let mut out = Vec::new();
    write_date(to_date("44-02-01 BC", "YYYY-MM-DD BC").unwrap(), &settings, &mut out);
    assert_eq!(out, b"0044-02-01 BC");
    let error = to_date("2016-02-30", "YYYY-MM-DD").unwrap_err();
    assert_eq!(error.message(), "date/time field value out of range: \"2016-02-30\"");
    let error = to_date("19971", "YYYYMMDD").unwrap_err();
    assert_eq!(error.code(), crate::sqlstate::INVALID_DATETIME_FORMAT);
}
