//! Which rows of a segment may have a key.

use crate::Result;
use crate::schema::{IndexSchema, TableSchema};
use crate::version::RowKeys;

use super::Segment;

impl Segment {
    /// For the keys at the given positions with the given hashes: rows of this segment whose keys have the same hash.
    pub fn candidates(
        &self,
        _schema: &TableSchema,
        _index: &IndexSchema,
        _keys: &RowKeys,
        _wanted: &[(usize, u64)],
    ) -> Result<Vec<(usize, u32)>> {
        Ok(Vec::new())
    }
}
