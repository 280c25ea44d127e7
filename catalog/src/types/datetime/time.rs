//! `time` (microseconds since midnight, 24:00:00 included) and `timetz` (that, and seconds west of UTC).

use super::calendar::{MICROS_PER_DAY, MICROS_PER_SECOND};
use super::parse::time_of_day;
use super::{round_micros, time_out_of_range};
use crate::error::{Error, Result};
use crate::sqlstate;
use crate::types::FormatSettings;
use crate::types::binary::Reader;

/// Largest displacement of a `timetz`: a little under 16 hours.
const MAX_WEST_SECONDS: i32 = 57_599;

/// A `time with time zone`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeTz {
    /// Microseconds since local midnight.
    pub time: i64,
    /// Seconds west of UTC.
    pub west_seconds: i32,
}

impl TimeTz {
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (time, west) = bytes.split_first_chunk::<8>()?;
        Some(Self { time: i64::from_be_bytes(*time), west_seconds: i32::from_be_bytes(*west.first_chunk::<4>()?) })
    }

    /// The representation, which is also the binary format.
    pub fn to_bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&self.time.to_be_bytes());
        bytes[8..].copy_from_slice(&self.west_seconds.to_be_bytes());
        bytes
    }

    /// What values are ordered by: the moment in UTC, then the zone.
    pub fn sort_key(self) -> (i64, i32) {
        (self.time + i64::from(self.west_seconds) * MICROS_PER_SECOND, self.west_seconds)
    }
}

/// Text input of `time`.
pub fn parse(input: &str, typmod: i32, settings: &FormatSettings) -> Result<i64> {
    let (time, _) = time_of_day(input, settings).map_err(|refusal| refusal.error("time", input))?;
    Ok(apply_typmod(time, typmod))
}

/// Text input of `timetz`.
pub fn parse_tz(input: &str, typmod: i32, settings: &FormatSettings) -> Result<TimeTz> {
    let (time, east) = time_of_day(input, settings).map_err(|refusal| refusal.error("time with time zone", input))?;
    Ok(TimeTz { time: apply_typmod(time, typmod), west_seconds: -east })
}

/// Rounds to the type modifier's precision.
pub fn apply_typmod(time: i64, typmod: i32) -> i64 {
    round_micros(time, typmod).unwrap_or(time)
}

/// Binary input of `time`.
pub fn from_binary(time: i64, typmod: i32) -> Result<i64> {
    if !(0..=MICROS_PER_DAY).contains(&time) {
        return Err(time_out_of_range());
    }
    Ok(apply_typmod(time, typmod))
}

/// Binary input of `timetz`.
pub fn tz_from_binary(reader: &mut Reader<'_>, typmod: i32) -> Result<TimeTz> {
    let time = from_binary(reader.i64()?, typmod)?;
    let west_seconds = reader.i32()?;
    if !(-MAX_WEST_SECONDS..=MAX_WEST_SECONDS).contains(&west_seconds) {
        return Err(Error::new(sqlstate::INVALID_TIME_ZONE_DISPLACEMENT_VALUE, "time zone displacement out of range"));
    }
    Ok(TimeTz { time, west_seconds })
}
