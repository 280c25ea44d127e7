//! Windows: ranges of one column that a table's rows are kept by, as time series have them (TimescaleDB's chunks).

use serde::{Deserialize, Serialize};

use super::{Relation, View};
use crate::types::oid::Oid;

/// Makes a table one of windows: a window is noted for every row that a transaction commits.
///
/// Values are in units of the column: µs since 1970 of a timestamp, days since 1970 of a date, an integer's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows {
    pub column: i16,
    /// How long a new window is.
    pub interval: i64,
    /// Whatever `interval` was since there are rows, windows begin and end at multiples of this.
    pub grain: i64,
    /// Columns that the rows of a window are sorted by before the time.
    pub order: Vec<i16>,
    /// Changes of rows before this time are told to the extension that watches.
    #[serde(default)]
    pub watched: Option<i64>,
    /// Where the views of the windows are, and how their names begin.
    pub schema: Oid,
    pub prefix: String,
}

/// What makes a view one of a window's rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    pub table: Oid,
    /// First value; `i64::MIN` for no bound.
    pub from: i64,
    /// First value behind it; `i64::MAX` for no bound.
    pub until: i64,
    /// Counted from 1 in its table.
    pub number: u32,
    /// µs since 1970-01-01 UTC.
    pub created: i64,
}

impl Windows {
    /// The window that a new `value` makes: `interval` long and counted from 0, cut where it would reach into those before and behind it.
    pub fn window_of(&self, value: i64, before: Option<&Window>, behind: Option<&Window>) -> (i64, i64) {
        let number = value.div_euclid(self.interval);
        let from = number.checked_mul(self.interval).unwrap_or(i64::MIN);
        let until = number.checked_add(1).and_then(|next| next.checked_mul(self.interval)).unwrap_or(i64::MAX);
        let from = before.map_or(from, |before| from.max(before.until));
        (from, behind.map_or(until, |behind| until.min(behind.from)))
    }
}

impl Window {
    pub fn holds(&self, value: i64) -> bool {
        self.from <= value && (value < self.until || self.until == i64::MAX)
    }
}

impl Relation {
    /// What makes it a table of windows.
    pub fn windows(&self) -> Option<&Windows> {
        self.table().and_then(|table| table.windows.as_ref())
    }

    /// What makes it the view of a window.
    pub fn window(&self) -> Option<&Window> {
        self.view().and_then(|view: &View| view.window.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_counted_from_zero_and_cut_by_their_neighbours() {
        let prefix = "w".to_owned();
        let windows = Windows { column: 1, interval: 10, grain: 10, order: vec![], watched: None, schema: 1, prefix };
        let window = |from, until| Window { table: 1, from, until, number: 1, created: 0 };
        assert_eq!(windows.window_of(-1, None, None), (-10, 0));
        assert_eq!(windows.window_of(25, Some(&window(0, 24)), Some(&window(28, 30))), (24, 28));
        assert_eq!(windows.window_of(i64::MIN, None, None).0, i64::MIN);
        let (from, until) = windows.window_of(i64::MAX, None, None);
        assert_eq!((from, until), (i64::MAX / 10 * 10, i64::MAX));
        assert!(window(from, until).holds(i64::MAX));
    }
}
