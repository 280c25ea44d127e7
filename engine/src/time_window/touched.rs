//! Which windows a transaction has changed rows of.

use std::collections::BTreeMap;

use aegis_catalog::{Error, Oid, Result, sqlstate};
use aegis_storage::Windows;
use arrow::array::{ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};

/// Grains that one transaction may change: each is some bytes until it ends.
const MAX_GRAINS: usize = 1 << 20;

/// Of each table with windows the grains (see [`Windows`]) that hold changed rows, by their number from 0, and whether there are new ones.
#[derive(Debug, Clone, Default)]
pub struct Touched(BTreeMap<Oid, Grains>);

#[derive(Debug, Clone)]
pub struct Grains {
    pub grain: i64,
    /// Number → has it new rows?
    pub numbers: BTreeMap<i64, bool>,
    /// All rows went at once.
    emptied: bool,
}

impl Grains {
    /// The first value of a grain, and the first behind it.
    pub fn range(&self, number: i64) -> (i64, i64) {
        let from = number.checked_mul(self.grain).unwrap_or(i64::MIN);
        let until = number.checked_add(1).and_then(|next| next.checked_mul(self.grain)).unwrap_or(i64::MAX);
        (from, until)
    }

    /// Ranges that hold changed rows and begin before `until`, as few as there are.
    pub fn ranges(&self, until: i64) -> Vec<(i64, i64)> {
        if self.emptied {
            return vec![(i64::MIN, i64::MAX)];
        }
        let mut ranges: Vec<(i64, i64)> = Vec::new();
        for (from, end) in self.numbers.keys().map(|number| self.range(*number)).take_while(|(from, _)| *from < until) {
            match ranges.last_mut().filter(|last| last.1 == from) {
                Some(last) => last.1 = end,
                None => ranges.push((from, end)),
            }
        }
        ranges
    }
}

impl Touched {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn tables(&self) -> impl Iterator<Item = (Oid, &Grains)> {
        self.0.iter().map(|(table, grains)| (*table, grains))
    }

    fn of(&mut self, table: Oid, grain: i64) -> &mut Grains {
        self.0.entry(table).or_insert_with(|| Grains { grain, numbers: BTreeMap::new(), emptied: false })
    }

    /// The table lost all rows.
    pub fn note_emptied(&mut self, table: Oid, grain: i64) {
        self.of(table, grain).emptied = true;
    }

    pub fn of_table(&self, table: Oid) -> Option<&Grains> {
        self.0.get(&table)
    }

    /// Rows with these values in the column came (`new`) or went. 22008 for a value before all windows, 54000 for too many windows.
    pub fn note(&mut self, windows: &Windows, values: &ArrayRef, new: bool) -> Result<()> {
        let values = cast(values, &DataType::Int64).map_err(|error| Error::internal(error.to_string()))?;
        let grains = self.of(windows.owner, windows.grain);
        let mut last = None;
        for value in values.as_primitive::<Int64Type>().iter().flatten() {
            if value == i64::MIN {
                return Err(Error::new(sqlstate::DATETIME_FIELD_OVERFLOW, "timestamp out of range"));
            }
            let number = value.div_euclid(grains.grain);
            if last != Some(number) {
                last = Some(number);
                *grains.numbers.entry(number).or_default() |= new;
            }
        }
        if grains.numbers.len() > MAX_GRAINS {
            let message = format!("a transaction cannot change more than {MAX_GRAINS} time windows of a table");
            return Err(Error::new(sqlstate::PROGRAM_LIMIT_EXCEEDED, message)
                .with_hint("Commit more often, or make the windows longer."));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Date32Array, TimestampMicrosecondArray};

    use super::*;

    #[test]
    fn grains_are_counted_from_the_epoch_and_note_new_rows() {
        let windows = Windows { owner: 7, column: 1, grain: 10, order: vec![] };
        let mut touched = Touched::default();
        let times: ArrayRef =
            Arc::new(TimestampMicrosecondArray::from(vec![Some(-1), Some(3), None, Some(9), Some(25)]));
        touched.note(&windows, &times, false).unwrap();
        let days: ArrayRef = Arc::new(Date32Array::from(vec![4]));
        touched.note(&windows, &days, true).unwrap();
        let (table, grains) = touched.tables().next().unwrap();
        assert_eq!((table, &grains.numbers), (7, &BTreeMap::from([(-1, false), (0, true), (2, false)])));
        assert_eq!(grains.range(-1), (-10, 0));
        assert_eq!(grains.ranges(25), [(-10, 10), (20, 30)]);
        assert_eq!(grains.ranges(0), [(-10, 0)]);
        let before: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![i64::MIN]));
        assert_eq!(touched.note(&windows, &before, true).unwrap_err().code(), sqlstate::DATETIME_FIELD_OVERFLOW);
    }
}
