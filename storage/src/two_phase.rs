//! Transactions that are prepared now and committed later, perhaps after a restart: their changes and locks as bytes.

use arrow::array::UInt64Array;
use roaring::RoaringBitmap;

use crate::command::{Change, ChangeKind, Command, RangeDelete};
use crate::commit::{self, Prepared};
use crate::memtable::{RowId, adapt};
use crate::overlay::subtract;
use crate::schema::TableId;
use crate::transaction::{RowAddress, Transaction};
use crate::version::{Shape, address};
use crate::{Error, Result};

impl Transaction {
    /// All changes, as the log would carry them. [`Error::Conflict`] if they could not be committed now.
    pub fn encode_changes(&self) -> Result<Vec<u8>> {
        let mut prepared = Vec::new();
        for (id, overlay) in self.overlays() {
            let mut overlay = overlay.clone();
            if !overlay.staged.is_empty() {
                overlay.unstage(self.shape(*id)?, self.store().config().transaction_bytes)?;
            }
            prepared.extend(Prepared::new(*id, self.base_version(), overlay)?);
        }
        commit::encode(&prepared)
    }

    /// Makes the changes that another transaction has encoded. The rows it deletes must still be there, which its locks see
    /// to.
    pub fn apply_changes(&mut self, bytes: &[u8]) -> Result<()> {
        let Command::Transaction(changes) = Command::decode(bytes)? else {
            return Err(Error::Corrupt("a prepared transaction holds something else".into()));
        };
        changes.into_iter().try_for_each(|change| self.apply_change(change))
    }

    fn apply_change(&mut self, Change { table, kind }: Change) -> Result<()> {
        match kind {
            ChangeKind::Create(schema) => self.create_table(table, schema),
            ChangeKind::Alter(schema) => self.alter_table(table, schema),
            ChangeKind::Drop => self.drop_table(table),
            ChangeKind::Delete(rows) => {
                let addresses = UInt64Array::from(self.addresses_of(table, &rows)?);
                match self.delete(table, &addresses)? == rows.len() {
                    true => Ok(()),
                    false => Err(Error::Conflict { table }),
                }
            }
            ChangeKind::DeleteRange(RangeDelete { range, ts, rows: wanted }) => {
                let version = self.base_version().clone();
                let mut rows = range.live_rows_until(&version, version.table(table)?, ts)?;
                if let Some((_, overlay)) = self.overlays().find(|(id, _)| **id == table) {
                    subtract(&mut rows, &overlay.deleted);
                }
                match self.delete_rows_of(table, range, ts, rows) == wanted {
                    true => Ok(()),
                    false => Err(Error::Conflict { table }),
                }
            }
            ChangeKind::Insert { columns, rows } => {
                let shape = Shape::new(self.table_schema(table)?.as_ref().clone());
                rows.iter().try_for_each(|batch| self.insert(table, &adapt(batch, &columns, &shape)?))
            }
            ChangeKind::Attach(_) => Err(Error::Corrupt("a prepared transaction names a file".into())),
        }
    }

    /// Where rows are that are named by their identities. [`Error::Conflict`] if one is gone.
    fn addresses_of(&self, id: TableId, rows: &[RowId]) -> Result<Vec<RowAddress>> {
        let table = self.base_version().table(id)?;
        let mut found = Vec::with_capacity(rows.len());
        let mut stored: Vec<RowId> = Vec::new();
        for row in rows {
            match table.find_in_memory(*row) {
                Some(address) => found.push(address),
                None => stored.push(*row),
            }
        }
        stored.sort_unstable();
        for view in table.segments.iter().filter(|_| !stored.is_empty()) {
            let meta = &view.segment.meta;
            if !stored.iter().any(|row| (meta.min_ts..=meta.max_ts).contains(&row.ts)) {
                continue;
            }
            let ids = view.segment.row_ids(None)?.into_iter().zip(0u32..);
            let wanted = ids.filter(|(id, row)| stored.binary_search(id).is_ok() && view.is_live(*row));
            found.extend(wanted.map(|(_, row)| address(view.segment.unit, row)));
        }
        match found.len() == rows.len() {
            true => Ok(found),
            false => Err(Error::Conflict { table: id }),
        }
    }
}

/// Bytes of a set of row numbers.
pub(crate) fn encode_rows(rows: &RoaringBitmap) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(rows.serialized_size());
    // Writing to memory cannot fail.
    let _ = rows.serialize_into(&mut bytes);
    bytes
}

pub(crate) fn decode_rows(bytes: &[u8]) -> Result<RoaringBitmap> {
    RoaringBitmap::deserialize_from(bytes).map_err(|e| Error::Corrupt(format!("a prepared transaction's locks: {e}")))
}
