//! Columns of computed relations that an image has shown: they are computed once, until the image changes. Tools ask for the same ones
//! again and again, and with ten thousand tables computing them takes longer than all else.

use std::collections::HashMap;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema};
use parking_lot::Mutex;

use crate::object::Relation;
use crate::types::built_in;
use crate::types::oid::Oid;
use crate::{Error, Result};

/// Rows up to which a relation is kept.
const MOST_ROWS: usize = 1 << 19;

/// What one image has shown. A copy has shown nothing yet: it is made to be changed.
#[derive(Debug, Default)]
pub struct Shown(Mutex<HashMap<Oid, Columns>>);

/// Some columns of a relation, by position.
#[derive(Debug)]
pub(super) struct Columns {
    pub count: usize,
    pub arrays: HashMap<usize, ArrayRef>,
}

impl Clone for Shown {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Shown {
    /// All rows with the columns at `wanted`, if these are known.
    pub(super) fn rows(&self, relation: &Relation, wanted: &[usize]) -> Result<Option<RecordBatch>> {
        let known = self.0.lock();
        let known = known.get(&relation.oid).filter(|known| wanted.iter().all(|at| known.arrays.contains_key(at)));
        known.map(|known| known.rows(relation, wanted)).transpose()
    }

    pub(super) fn keep(&self, relation: &Relation, columns: &Columns) {
        if columns.count > MOST_ROWS {
            return;
        }
        let mut known = self.0.lock();
        let known = known.entry(relation.oid).or_insert(Columns { count: columns.count, arrays: HashMap::new() });
        known.arrays.extend(columns.arrays.iter().map(|(at, array)| (*at, array.clone())));
    }
}

impl Columns {
    pub(super) fn rows(&self, relation: &Relation, wanted: &[usize]) -> Result<RecordBatch> {
        let missing = || Error::internal(format!("a column of {} was not computed", relation.name));
        let column = |at: &usize| {
            let column = relation.columns.get(*at).ok_or_else(missing)?;
            let array = self.arrays.get(at).ok_or_else(missing)?;
            Ok((Field::new(&column.name, built_in(column.ty), !column.not_null), array.clone()))
        };
        let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) =
            wanted.iter().map(column).collect::<Result<Vec<_>>>()?.into_iter().unzip();
        let options = RecordBatchOptions::new().with_row_count(Some(self.count));
        RecordBatch::try_new_with_options(std::sync::Arc::new(Schema::new(fields)), arrays, &options)
            .map_err(|error| Error::internal(format!("rows of a system relation: {error}")))
    }
}
