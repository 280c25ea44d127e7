//! Words in dates and times, and in intervals (PostgreSQL manual, appendix B.1 and table 8.13).

/// What a word in a date or time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    Month(i32),
    DayOfWeek,
    Special(Special),
    Meridiem(Meridiem),
    Era {
        bc: bool,
    },
    /// `dst` after a zone adds an hour to it.
    DaylightModifier,
    /// A unit in front of its number (`J2451187`, `y2001m02d04`).
    Prefix(Prefix),
    /// `t` between date and time.
    TimeMarker,
    Ignored,
}

/// Words that stand for a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Special {
    Now,
    Today,
    Tomorrow,
    Yesterday,
    Midnight,
    Epoch,
    Infinity,
    NegInfinity,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meridiem {
    Am,
    Pm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prefix {
    Julian,
    /// `t` before a run-together time.
    Time,
    Year,
    /// Or a minute, once month and hour are known.
    Month,
    Day,
    Hour,
    Minute,
    Second,
    /// Units that no input accepts a number after.
    Other,
}

/// Looks up a lower-case word.
pub(super) fn token(word: &str) -> Option<Token> {
    use Token::{DayOfWeek, DaylightModifier, Era, Ignored, Month, Prefix as Before, Special as Moment, TimeMarker};
    Some(match word {
        "jan" | "january" => Month(1),
        "feb" | "february" => Month(2),
        "mar" | "march" => Month(3),
        "apr" | "april" => Month(4),
        "may" => Month(5),
        "jun" | "june" => Month(6),
        "jul" | "july" => Month(7),
        "aug" | "august" => Month(8),
        "sep" | "sept" | "september" => Month(9),
        "oct" | "october" => Month(10),
        "nov" | "november" => Month(11),
        "dec" | "december" => Month(12),
        "sun" | "sunday" | "mon" | "monday" | "tue" | "tues" | "tuesday" | "wed" | "weds" | "wednesday" | "thu"
        | "thur" | "thurs" | "thursday" | "fri" | "friday" | "sat" | "saturday" => DayOfWeek,
        "now" => Moment(Special::Now),
        "today" => Moment(Special::Today),
        "tomorrow" => Moment(Special::Tomorrow),
        "yesterday" => Moment(Special::Yesterday),
        "allballs" => Moment(Special::Midnight),
        "epoch" => Moment(Special::Epoch),
        "infinity" => Moment(Special::Infinity),
        "-infinity" => Moment(Special::NegInfinity),
        "am" => Token::Meridiem(Meridiem::Am),
        "pm" => Token::Meridiem(Meridiem::Pm),
        "ad" => Era { bc: false },
        "bc" => Era { bc: true },
        "dst" => DaylightModifier,
        "j" | "jd" | "julian" => Before(Prefix::Julian),
        "y" => Before(Prefix::Year),
        "m" => Before(Prefix::Month),
        "d" => Before(Prefix::Day),
        "h" => Before(Prefix::Hour),
        "mm" => Before(Prefix::Minute),
        "s" => Before(Prefix::Second),
        "dow" | "doy" | "isodow" | "isoyear" => Before(Prefix::Other),
        "t" => TimeMarker,
        "at" | "on" => Ignored,
        _ => return None,
    })
}

/// Units of interval input, of `extract`, `date_part` and `date_trunc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Decade,
    Century,
    Millennium,
    Timezone,
    TimezoneHour,
    TimezoneMinute,
}

/// Words longer than this are compared by their start only.
const WORD_LENGTH: usize = 10;

/// Looks up an interval unit, lower case.
pub fn unit(word: &str) -> Option<Unit> {
    let word = word.get(..WORD_LENGTH).unwrap_or(word);
    Some(match word {
        "microsecon" | "us" | "usec" | "usecs" | "usecond" | "useconds" => Unit::Microsecond,
        "millisecon" | "ms" | "msec" | "msecs" | "msecond" | "mseconds" => Unit::Millisecond,
        "s" | "sec" | "secs" | "second" | "seconds" => Unit::Second,
        "m" | "min" | "mins" | "minute" | "minutes" => Unit::Minute,
        "h" | "hr" | "hrs" | "hour" | "hours" => Unit::Hour,
        "d" | "day" | "days" => Unit::Day,
        "w" | "week" | "weeks" => Unit::Week,
        "mon" | "mons" | "month" | "months" => Unit::Month,
        "qtr" | "quarter" => Unit::Quarter,
        "y" | "yr" | "yrs" | "year" | "years" => Unit::Year,
        "dec" | "decs" | "decade" | "decades" => Unit::Decade,
        "c" | "cent" | "century" | "centuries" => Unit::Century,
        "mil" | "mils" | "millennium" | "millennia" => Unit::Millennium,
        "timezone" => Unit::Timezone,
        "timezone_h" => Unit::TimezoneHour,
        "timezone_m" => Unit::TimezoneMinute,
        _ => return None,
    })
}
