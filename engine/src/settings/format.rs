//! Settings that decide how values are read and printed.

use aegis_catalog::types::{DateOrder, DateStyle, FormatSettings, IntervalStyle, TimeZone};
use aegis_catalog::{Error, Result, sqlstate};

use super::Settings;

/// The value the type codecs obey. `now` is the transaction's start in µs since 1970-01-01 UTC.
pub fn format_settings(settings: &Settings, now: i64) -> FormatSettings {
    let date_style = settings.text("DateStyle");
    let (style, order) = parse_date_style(date_style).unwrap_or_default();
    FormatSettings {
        date_style: style.unwrap_or(DateStyle::Iso),
        date_order: order.unwrap_or(DateOrder::Mdy),
        interval_style: match settings.text("IntervalStyle") {
            "postgres_verbose" => IntervalStyle::PostgresVerbose,
            "sql_standard" => IntervalStyle::SqlStandard,
            "iso_8601" => IntervalStyle::Iso8601,
            _ => IntervalStyle::Postgres,
        },
        time_zone: parse_time_zone(settings.text("TimeZone")).unwrap_or(TimeZone::Named(chrono_tz::UTC)),
        extra_float_digits: settings.integer("extra_float_digits") as i32,
        bytea_hex: settings.text("bytea_output") != "escape",
        now,
        ..FormatSettings::default()
    }
}

/// The style and the order that the text names. None if it holds anything else.
fn parse_date_style(text: &str) -> Option<(Option<DateStyle>, Option<DateOrder>)> {
    let (mut style, mut order) = (None, None);
    for word in text.split(',').map(|w| w.trim().to_ascii_lowercase()) {
        match word.as_str() {
            "iso" => style = Some(DateStyle::Iso),
            "sql" => style = Some(DateStyle::Sql),
            w if w.starts_with("postgres") => style = Some(DateStyle::Postgres),
            "german" => {
                style = Some(DateStyle::German);
                order = order.or(Some(DateOrder::Dmy));
            }
            "ymd" => order = Some(DateOrder::Ymd),
            w if w == "dmy" || w.starts_with("euro") => order = Some(DateOrder::Dmy),
            w if w == "mdy" || w == "us" || w.starts_with("noneuro") => order = Some(DateOrder::Mdy),
            "default" => {}
            _ => return None,
        }
    }
    Some((style, order))
}

/// `ISO, MDY` and the like, what is not named as in `current`. 22023 for anything that is no date style.
pub(super) fn canonical_date_style(text: &str, current: &str) -> Result<String> {
    let (style, order) = parse_date_style(text).ok_or_else(|| {
        Error::new(sqlstate::INVALID_PARAMETER_VALUE, format!("invalid value for parameter \"DateStyle\": \"{text}\""))
    })?;
    let (current_style, current_order) = parse_date_style(current).unwrap_or_default();
    let style = match style.or(current_style).unwrap_or(DateStyle::Iso) {
        DateStyle::Iso => "ISO",
        DateStyle::Sql => "SQL",
        DateStyle::Postgres => "Postgres",
        DateStyle::German => "German",
    };
    let order = match order.or(current_order).unwrap_or(DateOrder::Mdy) {
        DateOrder::Mdy => "MDY",
        DateOrder::Dmy => "DMY",
        DateOrder::Ymd => "YMD",
    };
    Ok(format!("{style}, {order}"))
}

/// The zone's name as SHOW prints it: IANA names in their own spelling, fixed offsets as PostgreSQL's POSIX form.
pub(super) fn canonical_time_zone(text: &str) -> Option<String> {
    Some(match parse_time_zone(text)? {
        TimeZone::Named(zone) => zone.name().to_owned(),
        TimeZone::Fixed { name, .. } => name,
    })
}

/// An IANA name, hours east of UTC (`-8`, `5.5`), `local`/`default`, or a POSIX offset (`UTC+3`, `<+02>-02`: west is positive).
pub fn parse_time_zone(text: &str) -> Option<TimeZone> {
    let text = text.trim();
    if let Ok(hours) = text.parse::<f64>() {
        let seconds = (hours * 3600.0).round();
        return (seconds.abs() <= 604_800.0).then(|| fixed(seconds as i32));
    }
    if let Ok(zone) = chrono_tz::Tz::from_str_insensitive(text) {
        return Some(TimeZone::Named(zone));
    }
    match text.to_ascii_lowercase().as_str() {
        "local" | "default" => return Some(TimeZone::Named(chrono_tz::UTC)),
        "posixrules" => return None,
        _ => {}
    }
    posix_offset(text).map(|east_seconds| TimeZone::Fixed { east_seconds, name: text.to_owned() })
}

fn fixed(east_seconds: i32) -> TimeZone {
    let clock = |seconds: i32| {
        let (h, m, s) = (seconds.abs() / 3600, seconds.abs() / 60 % 60, seconds.abs() % 60);
        let sign = if seconds < 0 { '-' } else { '+' };
        match (m, s) {
            (0, 0) => format!("{sign}{h:02}"),
            (_, 0) => format!("{sign}{h:02}:{m:02}"),
            _ => format!("{sign}{h:02}:{m:02}:{s:02}"),
        }
    };
    TimeZone::Fixed { east_seconds, name: format!("<{}>{}", clock(east_seconds), clock(-east_seconds)) }
}

/// `NAME[+-]hh[:mm[:ss]]`, where the name has at least three letters or stands in angle brackets; west is positive.
fn posix_offset(text: &str) -> Option<i32> {
    let rest = match text.strip_prefix('<') {
        Some(bracketed) => bracketed.split_once('>')?.1,
        None => {
            let end = text.find(|c: char| !c.is_ascii_alphabetic())?;
            if end < 3 {
                return None;
            }
            text.get(end..)?
        }
    };
    let (sign, digits) = match rest.as_bytes().first()? {
        b'-' => (1, rest.get(1..)?),
        b'+' => (-1, rest.get(1..)?),
        b'0'..=b'9' => (-1, rest),
        _ => return None,
    };
    let mut parts = digits.split(':').map(|p| p.parse::<i32>().ok());
    let mut next = || parts.next().unwrap_or(Some(0));
    let (h, m, s) = (next()?, next()?, next()?);
    (h <= 24 && m < 60 && s < 60).then_some(sign * (h * 3600 + m * 60 + s))
}

/// The client encodings that text can be exchanged in without conversion.
pub(super) fn canonical_encoding(text: &str) -> Option<String> {
    let bare: String = text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    match bare.as_str() {
        "utf8" | "unicode" => Some("UTF8".to_owned()),
        "sqlascii" => Some("SQL_ASCII".to_owned()),
        _ => None,
    }
}

/// 0A000 for encodings that PostgreSQL converts and we do not, so that nobody mistakes them for unknown ones.
pub fn require_encoding(text: &str) -> Result<()> {
    const CONVERTED: &[&str] = &["latin", "win", "iso", "euc", "koi8", "sjis", "big5", "gb", "johab", "uhc", "mule"];
    let bare = text.to_ascii_lowercase();
    if CONVERTED.iter().any(|prefix| bare.starts_with(prefix)) {
        return Err(Error::unsupported(format!("client_encoding \"{text}\"")));
    }
    Ok(())
}
