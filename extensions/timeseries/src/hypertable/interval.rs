//! How long a window is: intervals and integers, in units of the column.

use aegis_engine::extension::{Error, Interval, Oid, Result, Value, oid};

use super::invalid;

pub const HOUR: i64 = 3_600_000_000;
pub const DAY: i64 = 24 * HOUR;
/// A month has 30 days, as TimescaleDB counts it.
const MONTH: i64 = 30 * DAY;

/// Length of a window of a timestamp when nobody says: seven days.
const WEEK: i64 = 7 * DAY;

/// A column that windows may be of, by its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeType {
    pub oid: Oid,
    pub name: &'static str,
    /// µs that one unit of the column stands for; None for integers, which stand for themselves.
    unit: Option<i64>,
    /// The longest window, and the one without a word.
    most: i64,
    default: i64,
}

const TYPES: &[TimeType] = &[
    TimeType { oid: oid::TIMESTAMPTZ, name: "timestamp with time zone", unit: Some(1), most: i64::MAX, default: WEEK },
    TimeType { oid: oid::TIMESTAMP, name: "timestamp without time zone", unit: Some(1), most: i64::MAX, default: WEEK },
    TimeType { oid: oid::DATE, name: "date", unit: Some(DAY), most: i64::MAX, default: 7 },
    TimeType { oid: oid::INT2, name: "smallint", unit: None, most: i16::MAX as i64, default: 10_000 },
    TimeType { oid: oid::INT4, name: "integer", unit: None, most: i32::MAX as i64, default: 100_000 },
    TimeType { oid: oid::INT8, name: "bigint", unit: None, most: i64::MAX, default: 1_000_000 },
];

impl TimeType {
    pub fn of(oid: Oid) -> Option<Self> {
        TYPES.iter().find(|ty| ty.oid == oid).copied()
    }

    /// The longest window.
    pub fn longest(self) -> i64 {
        self.most
    }

    /// A value, in SQL.
    pub fn literal(self, value: i64) -> String {
        self.from_units(&format!("'{value}'::bigint"))
    }

    /// The value of an expression in SQL that is its units.
    pub fn from_units(self, sql: &str) -> String {
        let timestamp = format!("_timescaledb_functions.to_timestamp({sql})");
        match self.oid {
            oid::TIMESTAMPTZ => timestamp,
            oid::TIMESTAMP => format!("({timestamp} AT TIME ZONE 'UTC')"),
            oid::DATE => format!("(_timescaledb_functions.bound({sql}, 'date'::regtype) AT TIME ZONE 'UTC')::date"),
            _ => format!("({sql})"),
        }
    }

    /// The units of an expression in SQL that is a value, as bigint.
    pub fn to_units(self, sql: &str) -> String {
        match self.oid {
            oid::TIMESTAMPTZ => format!("_timescaledb_functions.to_unix_microseconds({sql})"),
            oid::TIMESTAMP => format!("_timescaledb_functions.to_unix_microseconds(({sql}) AT TIME ZONE 'UTC')"),
            oid::DATE => format!("(({sql}) - date '1970-01-01')::bigint"),
            _ => format!("({sql})::bigint"),
        }
    }

    pub fn is_integer(self) -> bool {
        self.unit.is_none()
    }

    /// The length of a window in units of the column: of an interval, of µs or of units as an integer, or the default. 22023 for what makes none.
    pub fn length(self, value: &Value) -> Result<i64> {
        if value.is_null() {
            return Ok(self.default);
        }
        let wrong_type = || invalid(format!("invalid interval type for {} dimension", self.name));
        let micros_or_units = match value.ty().oid {
            oid::INTERVAL if !self.is_integer() => micros(value.get::<Interval>()?)?,
            oid::INT2 => i64::from(value.get::<i16>()?),
            oid::INT4 => i64::from(value.get::<i32>()?),
            oid::INT8 => value.get::<i64>()?,
            _ => return Err(wrong_type()),
        };
        let units = match self.unit {
            // Whole units, upwards.
            Some(unit) if unit > 1 && micros_or_units > 0 => (micros_or_units - 1) / unit + 1,
            _ => micros_or_units,
        };
        match units {
            1.. if units <= self.most => Ok(units),
            _ if self.is_integer() => Err(invalid(format!("invalid interval: must be between 1 and {}", self.most))),
            _ => Err(invalid(format!("invalid interval for {} dimension", self.name))),
        }
    }

    /// A length in units of the column in µs; of integers it stays what it is.
    pub fn micros(self, units: i64) -> i64 {
        units.saturating_mul(self.unit.unwrap_or(1))
    }

    /// A point of time in units of the column, for a bound that is µs since 1970 (or units, of an integer).
    pub fn units(self, value: i64) -> i64 {
        match self.unit {
            Some(unit) if !matches!(value, i64::MIN | i64::MAX) => value.div_euclid(unit),
            _ => value,
        }
    }
}

/// µs of an interval. 22008 if there are too many.
pub fn micros(interval: Interval) -> Result<i64> {
    let months = i64::from(interval.months).checked_mul(MONTH);
    let days = i64::from(interval.days).checked_mul(DAY);
    let sum = months.zip(days).and_then(|(months, days)| months.checked_add(days)?.checked_add(interval.micros));
    sum.ok_or_else(|| {
        Error::new(aegis_engine::extension::sqlstate::DATETIME_VALUE_OUT_OF_RANGE, "interval out of range")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_in_units_of_the_column() {
        let length = |oid, value: Value| TimeType::of(oid).unwrap().length(&value);
        let interval = |months, days, micros| Value::from(Interval { months, days, micros });
        assert_eq!(length(oid::TIMESTAMPTZ, interval(1, 1, 5)).unwrap(), 31 * DAY + 5);
        assert_eq!(length(oid::DATE, interval(0, 0, 1)).unwrap(), 1);
        assert_eq!(length(oid::DATE, interval(0, 7, 0)).unwrap(), 7);
        assert_eq!(length(oid::TIMESTAMP, Value::from(86_400_000_000_i64)).unwrap(), DAY);
        assert_eq!(length(oid::INT8, Value::from(None::<i64>)).unwrap(), 1_000_000);
        assert!(length(oid::INT4, interval(0, 1, 0)).is_err());
        assert!(length(oid::TIMESTAMPTZ, interval(0, -1, 0)).is_err());
        assert!(length(oid::TIMESTAMPTZ, Value::from("one day")).is_err());
    }
}
