//! Text output in the four interval styles (manual table 8.18).

use super::Interval;
use crate::types::IntervalStyle;
use crate::types::datetime::calendar::{MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND};
use crate::types::datetime::format::{two_digits, write_fraction};

/// An interval's fields; all of one group have the same sign.
#[derive(Clone, Copy)]
struct Fields {
    years: i64,
    months: i64,
    days: i64,
    hours: i64,
    minutes: i64,
    seconds: i64,
    micros: i64,
}

impl Fields {
    fn new(interval: Interval) -> Self {
        Self {
            years: i64::from(interval.months / 12),
            months: i64::from(interval.months % 12),
            days: i64::from(interval.days),
            hours: interval.micros / MICROS_PER_HOUR,
            minutes: interval.micros % MICROS_PER_HOUR / MICROS_PER_MINUTE,
            seconds: interval.micros % MICROS_PER_MINUTE / MICROS_PER_SECOND,
            micros: interval.micros % MICROS_PER_SECOND,
        }
    }

    fn has_time(&self) -> bool {
        self.hours != 0 || self.minutes != 0 || self.has_seconds()
    }

    fn has_seconds(&self) -> bool {
        self.seconds != 0 || self.micros != 0
    }

    fn time_is_negative(&self) -> bool {
        self.hours < 0 || self.minutes < 0 || self.seconds < 0 || self.micros < 0
    }

    fn negated(self) -> Self {
        Self {
            years: -self.years,
            months: -self.months,
            days: -self.days,
            hours: -self.hours,
            minutes: -self.minutes,
            seconds: -self.seconds,
            micros: -self.micros,
        }
    }
}

/// Appends the text output.
pub fn write(interval: Interval, style: IntervalStyle, out: &mut Vec<u8>) {
    let fields = Fields::new(interval);
    match style {
        IntervalStyle::Postgres => write_postgres(&fields, out),
        IntervalStyle::PostgresVerbose => write_verbose(&fields, out),
        IntervalStyle::SqlStandard => write_sql(fields, out),
        IntervalStyle::Iso8601 => write_iso(&fields, out),
    }
}

fn integer(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Seconds without their sign.
fn write_seconds(fields: &Fields, fill: bool, out: &mut Vec<u8>) {
    let seconds = fields.seconds.abs();
    if fill {
        two_digits(seconds as i32, out)
    } else {
        integer(seconds, out)
    }
    write_fraction(fields.micros.abs() as i32, out);
}

/// `hours:mm:ss` without a sign.
fn write_clock(fields: &Fields, fill_hours: bool, out: &mut Vec<u8>) {
    let hours = fields.hours.abs();
    if fill_hours && hours < 10 {
        out.push(b'0');
    }
    integer(hours, out);
    out.push(b':');
    two_digits(fields.minutes.abs() as i32, out);
    out.push(b':');
    write_seconds(fields, true, out);
}

fn write_postgres(fields: &Fields, out: &mut Vec<u8>) {
    let mut first = true;
    // A field after a negative one shows its plus.
    let mut after_negative = false;
    for (value, unit) in [(fields.years, "year"), (fields.months, "mon"), (fields.days, "day")] {
        if value == 0 {
            continue;
        }
        if !first {
            out.push(b' ');
        }
        if after_negative && value > 0 {
            out.push(b'+');
        }
        integer(value, out);
        out.push(b' ');
        out.extend_from_slice(unit.as_bytes());
        if value != 1 {
            out.push(b's');
        }
        after_negative = value < 0;
        first = false;
    }
    if first || fields.has_time() {
        if !first {
            out.push(b' ');
        }
        if fields.time_is_negative() {
            out.push(b'-');
        } else if after_negative {
            out.push(b'+');
        }
        write_clock(fields, true, out);
    }
}

fn write_verbose(fields: &Fields, out: &mut Vec<u8>) {
    out.push(b'@');
    let mut first = true;
    let mut ago = false;
    let units = [
        (fields.years, "year"),
        (fields.months, "mon"),
        (fields.days, "day"),
        (fields.hours, "hour"),
        (fields.minutes, "min"),
    ];
    for (value, unit) in units {
        if value == 0 {
            continue;
        }
        // The first field decides the direction, the others are relative to it.
        let shown = if first {
            ago = value < 0;
            value.abs()
        } else if ago {
            -value
        } else {
            value
        };
        out.push(b' ');
        integer(shown, out);
        out.push(b' ');
        out.extend_from_slice(unit.as_bytes());
        if shown != 1 {
            out.push(b's');
        }
        first = false;
    }
    if fields.has_seconds() {
        out.push(b' ');
        let negative = fields.seconds < 0 || fields.micros < 0;
        if first {
            ago = negative;
        } else if negative != ago {
            out.push(b'-');
        }
        write_seconds(fields, false, out);
        out.extend_from_slice(b" sec");
        if fields.seconds.abs() != 1 || fields.micros != 0 {
            out.push(b's');
        }
        first = false;
    }
    if first {
        out.extend_from_slice(b" 0");
    }
    if ago {
        out.extend_from_slice(b" ago");
    }
}

fn write_sql(fields: Fields, out: &mut Vec<u8>) {
    let all = [fields.years, fields.months, fields.days, fields.hours, fields.minutes, fields.seconds, fields.micros];
    let negative = all.iter().any(|&value| value < 0);
    let positive = all.iter().any(|&value| value > 0);
    let year_month = fields.years != 0 || fields.months != 0;
    let day_time = fields.days != 0 || fields.has_time();
    if !negative && !positive {
        out.push(b'0');
        return;
    }
    if (negative && positive) || (year_month && day_time) {
        // Not expressible in the standard's terms: every group with its sign.
        let sign = |negative: bool| if negative { b'-' } else { b'+' };
        out.push(sign(fields.years < 0 || fields.months < 0));
        integer(fields.years.abs(), out);
        out.push(b'-');
        integer(fields.months.abs(), out);
        out.push(b' ');
        out.push(sign(fields.days < 0));
        integer(fields.days.abs(), out);
        out.push(b' ');
        out.push(sign(fields.time_is_negative()));
        write_clock(&fields, false, out);
        return;
    }
    let fields = if negative {
        out.push(b'-');
        fields.negated()
    } else {
        fields
    };
    if year_month {
        integer(fields.years, out);
        out.push(b'-');
        integer(fields.months, out);
        return;
    }
    if fields.days != 0 {
        integer(fields.days, out);
        out.push(b' ');
    }
    write_clock(&fields, false, out);
}

fn write_iso(fields: &Fields, out: &mut Vec<u8>) {
    let before = out.len();
    out.push(b'P');
    let part = |value: i64, designator: u8, out: &mut Vec<u8>| {
        if value != 0 {
            integer(value, out);
            out.push(designator);
        }
    };
    part(fields.years, b'Y', out);
    part(fields.months, b'M', out);
    part(fields.days, b'D', out);
    if fields.has_time() {
        out.push(b'T');
        part(fields.hours, b'H', out);
        part(fields.minutes, b'M', out);
        if fields.has_seconds() {
            if fields.seconds < 0 || fields.micros < 0 {
                out.push(b'-');
            }
            write_seconds(fields, false, out);
            out.push(b'S');
        }
    }
    if out.len() == before + 1 {
        out.extend_from_slice(b"T0S");
    }
}
