//! Buckets of local time.

use aegis_engine::extension::calendar::{DAY, timestamp_out_of_range};
use aegis_engine::extension::{Result, ZoneSpecification};

/// Buckets that are no longer than this, and whose ends have one distance from UTC, see no change of it in between.
const STEADY: i64 = 7 * DAY;

/// A time zone by name, abbreviation or offset.
#[derive(Debug, Clone)]
pub struct Zone(ZoneSpecification);

impl Zone {
    /// 22023 if there is none.
    pub fn named(name: &str) -> Result<Self> {
        ZoneSpecification::parse(name).map(Self)
    }

    pub fn local(&self, time: i64) -> Result<i64> {
        self.0.utc_to_local(time).ok_or_else(timestamp_out_of_range)
    }

    /// The instant at which clocks show a local time: of two the one that is `east` of UTC, if one of them is.
    fn instant(&self, local: i64, east: i64) -> Result<i64> {
        let same = local.saturating_sub(east);
        if self.local(same).is_ok_and(|there| there == local) {
            return Ok(same);
        }
        self.0.local_to_utc(local).ok_or_else(timestamp_out_of_range)
    }

    /// The start of a time's bucket, and its end if all times between them are in it.
    pub fn bucket(&self, time: i64, of_local: impl Fn(i64) -> Result<(i64, i64)>) -> Result<(i64, Option<i64>)> {
        let local = self.local(time)?;
        let east = local - time;
        let (first, last) = of_local(local)?;
        let start = self.instant(first, east)?;
        let end = last.saturating_sub(east);
        let steady = first.saturating_sub(east) == start && end.saturating_sub(start) <= STEADY;
        let steady = steady && self.local(end).is_ok_and(|there| there == last);
        Ok((start, steady.then_some(end)))
    }

    /// The start of the bucket after the one at `start`.
    pub fn next(&self, start: i64, step: impl Fn(i64) -> Result<i64>) -> Result<i64> {
        let local = self.local(start)?;
        self.instant(step(local)?, local - start)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Buckets, Width};
    use super::*;

    const HOUR: i64 = 3_600_000_000;
    /// 2024-10-26 22:00 UTC, midnight in Berlin: that day has 25 hours.
    const MIDNIGHT: i64 = 1_729_980_000 * 1_000_000;

    fn berlin(width: i64) -> Buckets {
        Buckets::new(Width::Fixed(width)).in_zone(Zone::named("Europe/Berlin").unwrap())
    }

    #[test]
    fn a_day_of_25_hours_is_one_bucket() {
        let days = berlin(DAY);
        assert_eq!(days.of(MIDNIGHT + 25 * HOUR - 1).unwrap().start, MIDNIGHT);
        assert_eq!(days.of(MIDNIGHT + 25 * HOUR).unwrap().start, MIDNIGHT + 25 * HOUR);
        assert_eq!(days.next(MIDNIGHT).unwrap(), MIDNIGHT + 25 * HOUR);
    }

    #[test]
    fn an_hour_that_comes_twice_is_two_buckets() {
        let hours = berlin(HOUR);
        for hour in 0..5 {
            let start = MIDNIGHT + hour * HOUR;
            assert_eq!(hours.of(start + HOUR / 4).unwrap().start, start);
        }
    }

    #[test]
    fn times_before_an_end_are_in_the_bucket() {
        for width in [HOUR / 2, HOUR, 3 * HOUR, DAY, 7 * DAY] {
            let buckets = berlin(width);
            for time in (MIDNIGHT - 9 * DAY..MIDNIGHT + 9 * DAY).step_by(HOUR as usize / 5) {
                let bucket = buckets.of(time).unwrap();
                assert!(bucket.start <= time);
                if let Some(end) = bucket.end {
                    assert!(time < end);
                    assert_eq!(buckets.of(end - 1).unwrap().start, bucket.start, "{width} {time}");
                    assert_eq!(buckets.of(bucket.start).unwrap().start, bucket.start);
                }
            }
        }
    }
}
