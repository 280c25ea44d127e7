//! Large objects (PostgreSQL manual, chapter 35): values of up to 4 TB that are read and written in pieces. They are kept in pages of 2 kB, of which
//! those that were never written need not be there, in tables of the store (`aegis_catalog::large_object`), and change with the transaction.

mod descriptor;

use std::sync::Arc;

use aegis_catalog::acl::{AclKind, Rights, rights};
use aegis_catalog::fixed_oid::PG_LARGEOBJECT;
use aegis_catalog::large_object::{METADATA_KEY, PAGES_KEY, PAGES_OBJECT, metadata, pages};
use aegis_catalog::object::ObjectAddress;
use aegis_catalog::{Error, Oid, Result, sqlstate};
use aegis_storage::lock::Want;
use aegis_storage::transaction::RowAddress;
use aegis_storage::{IndexId, TableId};
use arrow::array::{ArrayRef, AsArray, BinaryViewArray, Int32Array, Int64Array, RecordBatch, UInt32Array, UInt64Array};
use arrow::datatypes::{Int32Type, Int64Type, UInt32Type};

pub use descriptor::{Descriptor, Descriptors};

use crate::execute;
use crate::execute::error::from_arrow;
use crate::privilege::Owned;
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::session::tables::Tables;

/// Bytes of a page (`LOBLKSIZE`).
const PAGE: i64 = 2048;

/// `MAX_LARGE_OBJECT_SIZE`.
pub const MAX_SIZE: i64 = i32::MAX as i64 * PAGE;

/// What is known of an object besides its pages.
#[derive(Debug, Clone, Copy)]
pub struct LargeObject {
    pub oid: Oid,
    pub owner: Oid,
    pub size: i64,
    address: RowAddress,
}

impl LargeObject {
    pub fn owned(&self) -> Owned {
        Owned {
            address: ObjectAddress::new(PG_LARGEOBJECT, self.oid),
            kind: AclKind::LargeObject,
            owner: self.owner,
            name: self.oid.to_string(),
            word: "large object",
        }
    }
}

/// The objects of a database as a transaction sees and changes them.
pub struct LargeObjects<'a> {
    tables: &'a mut Tables,
    database: Oid,
}

/// All objects and their owners.
pub fn all(tables: &Tables, database: Oid) -> Result<Vec<(Oid, Oid)>> {
    let mut found = Vec::new();
    for batch in tables.scan(metadata(database))?.read(Some(&[0, 1]), false)? {
        let (oids, owners) = (column::<UInt32Type>(&batch, 0)?, column::<UInt32Type>(&batch, 1)?);
        found.extend(oids.values().iter().copied().zip(owners.values().iter().copied()));
    }
    found.sort_unstable();
    Ok(found)
}

impl<'a> LargeObjects<'a> {
    pub fn new(tables: &'a mut Tables, database: Oid) -> Self {
        Self { tables, database }
    }

    /// All objects and their owners.
    pub fn owners(&self) -> Result<Vec<(Oid, Oid)>> {
        all(self.tables, self.database)
    }

    pub fn find(&self, oid: Oid) -> Result<Option<LargeObject>> {
        let key = batch(vec![("oid", Arc::new(UInt32Array::from(vec![oid])))])?;
        let table = metadata(self.database);
        let found = self.tables.lookup(table, METADATA_KEY, &key)?;
        let Some(address) = found.into_iter().flatten().next() else { return Ok(None) };
        let row = self.tables.fetch(table, &[address], &[1, 2])?;
        let (owner, size) = (column::<UInt32Type>(&row, 0)?.value(0), column::<Int64Type>(&row, 1)?.value(0));
        Ok(Some(LargeObject { oid, owner, size, address }))
    }

    /// 42704 if there is none.
    pub fn existing(&self, oid: Oid) -> Result<LargeObject> {
        self.find(oid)?
            .ok_or_else(|| Error::new(sqlstate::UNDEFINED_OBJECT, format!("large object {oid} does not exist")))
    }

    /// 23505 if there is one already.
    pub fn create(&mut self, oid: Oid, owner: Oid) -> Result<()> {
        if self.find(oid)?.is_some() {
            return Err(duplicate(oid));
        }
        self.put(oid, owner, 0).map_err(|error| match error.code() {
            sqlstate::UNIQUE_VIOLATION => duplicate(oid),
            _ => error,
        })
    }

    fn put(&mut self, oid: Oid, owner: Oid, size: i64) -> Result<()> {
        let row = batch(vec![
            ("oid", Arc::new(UInt32Array::from(vec![oid]))),
            ("lomowner", Arc::new(UInt32Array::from(vec![owner]))),
            ("size", Arc::new(Int64Array::from(vec![size]))),
        ])?;
        self.tables.insert(metadata(self.database), &row)
    }

    pub fn set_owner(&mut self, object: &LargeObject, owner: Oid) -> Result<()> {
        self.delete_rows(metadata(self.database), &[object.address])?;
        self.put(object.oid, owner, object.size)
    }

    fn set_size(&mut self, object: &LargeObject, size: i64) -> Result<()> {
        if size == object.size {
            return Ok(());
        }
        self.delete_rows(metadata(self.database), &[object.address])?;
        self.put(object.oid, object.owner, size)
    }

    pub fn unlink(&mut self, object: &LargeObject) -> Result<()> {
        let of_pages = self.page_addresses(object.oid)?;
        self.delete_rows(pages(self.database), &of_pages)?;
        self.delete_rows(metadata(self.database), &[object.address])
    }

    /// At most `length` bytes from `offset` on. What was never written is zero.
    pub fn read(&self, object: &LargeObject, offset: i64, length: usize) -> Result<Vec<u8>> {
        let end = offset.saturating_add(i64::try_from(length).unwrap_or(i64::MAX)).min(object.size);
        let length = usize::try_from(end.saturating_sub(offset)).unwrap_or(0);
        let mut bytes = vec![0; length];
        for (page, data) in self.read_pages(object.oid, offset, length)? {
            copy_between(offset, &mut bytes, i64::from(page) * PAGE, &data);
        }
        Ok(bytes)
    }

    pub fn write(&mut self, object: &LargeObject, offset: i64, bytes: &[u8]) -> Result<()> {
        let end = offset.saturating_add(i64::try_from(bytes.len()).unwrap_or(i64::MAX));
        if bytes.is_empty() {
            return Ok(());
        }
        let mut changed = Vec::new();
        let mut old = self.read_pages(object.oid, offset, bytes.len())?.into_iter().peekable();
        for page in page_numbers(offset, bytes.len())? {
            let start = i64::from(page) * PAGE;
            let mut data = old.next_if(|(number, _)| *number == page).map(|(_, data)| data).unwrap_or_default();
            let filled = usize::try_from((end - start).min(PAGE)).unwrap_or(0);
            data.resize(data.len().max(filled), 0);
            copy_between(start, &mut data, offset, bytes);
            changed.push((page, data));
        }
        self.replace_pages(object.oid, changed)?;
        self.set_size(object, object.size.max(end))
    }

    /// Makes the object this long; new bytes are zero.
    pub fn truncate(&mut self, object: &LargeObject, length: i64) -> Result<()> {
        let last = i32::try_from(length / PAGE).map_err(|_| Error::internal("a page of a large object"))?;
        let addresses = self.page_addresses(object.oid)?;
        let numbers = match addresses.is_empty() {
            true => Vec::new(),
            false => {
                let rows = self.tables.fetch(pages(self.database), &addresses, &[1])?;
                column::<Int32Type>(&rows, 0)?.values().to_vec()
            }
        };
        let behind = addresses.iter().zip(&numbers).filter(|(_, number)| **number > last);
        let behind: Vec<RowAddress> = behind.map(|(address, _)| *address).collect();
        self.delete_rows(pages(self.database), &behind)?;
        let mut old = self.read_pages(object.oid, length / PAGE * PAGE, 1)?;
        let mut data = old.pop().map(|(_, data)| data).unwrap_or_default();
        data.resize(usize::try_from(length % PAGE).unwrap_or(0), 0);
        self.replace_pages(object.oid, vec![(last, data)])?;
        self.set_size(object, length)
    }

    fn page_addresses(&self, oid: Oid) -> Result<Vec<RowAddress>> {
        let key = batch(vec![("loid", Arc::new(UInt32Array::from(vec![oid])))])?;
        let found = self.tables.lookup_all(pages(self.database), PAGES_OBJECT, &key)?;
        let found = found.ok_or_else(|| Error::internal("the index of large objects is new"))?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Where the pages of some bytes are, as far as they are there.
    fn addresses_of(&self, oid: Oid, numbers: &[i32]) -> Result<Vec<(i32, RowAddress)>> {
        let key = batch(vec![
            ("loid", Arc::new(UInt32Array::from(vec![oid; numbers.len()]))),
            ("pageno", Arc::new(Int32Array::from(numbers.to_vec()))),
        ])?;
        let found = self.tables.lookup(pages(self.database), PAGES_KEY, &key)?;
        Ok(numbers.iter().zip(found).filter_map(|(number, address)| Some((*number, address?))).collect())
    }

    /// The pages that these bytes are in, in order, as far as they are there.
    fn read_pages(&self, oid: Oid, offset: i64, length: usize) -> Result<Vec<(i32, Vec<u8>)>> {
        if length == 0 {
            return Ok(Vec::new());
        }
        let numbers: Vec<i32> = page_numbers(offset, length)?.collect();
        let found = self.addresses_of(oid, &numbers)?;
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let addresses: Vec<RowAddress> = found.iter().map(|(_, address)| *address).collect();
        let rows = self.tables.fetch(pages(self.database), &addresses, &[2])?;
        let data = rows.column(0).as_binary_view_opt().ok_or_else(damaged)?;
        Ok(found
            .iter()
            .zip(data.iter())
            .map(|((number, _), data)| (*number, data.unwrap_or_default().to_vec()))
            .collect())
    }

    fn replace_pages(&mut self, oid: Oid, changed: Vec<(i32, Vec<u8>)>) -> Result<()> {
        let (numbers, data): (Vec<i32>, Vec<Vec<u8>>) = changed.into_iter().unzip();
        let old: Vec<RowAddress> = self.addresses_of(oid, &numbers)?.into_iter().map(|(_, address)| address).collect();
        self.delete_rows(pages(self.database), &old)?;
        let rows = batch(vec![
            ("loid", Arc::new(UInt32Array::from(vec![oid; numbers.len()]))),
            ("pageno", Arc::new(Int32Array::from(numbers))),
            ("data", Arc::new(BinaryViewArray::from_iter_values(data))),
        ])?;
        self.tables.insert(pages(self.database), &rows)
    }

    fn delete_rows(&mut self, table: TableId, addresses: &[RowAddress]) -> Result<()> {
        if addresses.is_empty() {
            return Ok(());
        }
        self.tables.delete(table, &UInt64Array::from(addresses.to_vec())).map(drop)
    }
}

/// The pages of some bytes.
fn page_numbers(offset: i64, length: usize) -> Result<std::ops::RangeInclusive<i32>> {
    let last = offset.saturating_add(i64::try_from(length).unwrap_or(i64::MAX)).saturating_sub(1);
    let number = |at: i64| i32::try_from(at / PAGE).map_err(|_| Error::internal("a page of a large object"));
    Ok(number(offset)?..=number(last)?)
}

/// Copies the bytes that two pieces of an object have in common, by where they start in it.
fn copy_between(to_start: i64, to: &mut [u8], from_start: i64, from: &[u8]) {
    let end = |start: i64, bytes: &[u8]| start.saturating_add(i64::try_from(bytes.len()).unwrap_or(i64::MAX));
    let (start, end) = (to_start.max(from_start), end(to_start, to).min(end(from_start, from)));
    let within = |base: i64, at: i64| usize::try_from(at.saturating_sub(base)).unwrap_or(usize::MAX);
    let target = to.get_mut(within(to_start, start)..within(to_start, end.max(start)));
    let source = from.get(within(from_start, start)..within(from_start, end.max(start)));
    if let (Some(target), Some(source)) = (target, source) {
        target.copy_from_slice(source);
    }
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
        .map_err(from_arrow)
}

fn column<T: arrow::datatypes::ArrowPrimitiveType>(
    batch: &RecordBatch,
    position: usize,
) -> Result<&arrow::array::PrimitiveArray<T>> {
    batch.column(position).as_primitive_opt::<T>().ok_or_else(damaged)
}

fn damaged() -> Error {
    Error::new(sqlstate::DATA_CORRUPTED, "a table of large objects has columns of another type")
}

fn duplicate(oid: Oid) -> Error {
    let index = "pg_largeobject_metadata_oid_index";
    Error::new(sqlstate::UNIQUE_VIOLATION, format!("duplicate key value violates unique constraint \"{index}\""))
        .with_detail(format!("Key (oid)=({oid}) already exists."))
        .with_constraint(index)
}

/// The one lock of an object that who changes it takes.
fn lock_of(database: Oid, oid: Oid) -> Want {
    const INDEX: IndexId = METADATA_KEY;
    Want::Key(metadata(database), INDEX, u64::from(oid))
}

impl Session {
    pub(crate) fn large_objects(&mut self) -> Result<LargeObjects<'_>> {
        let database = self.backend.database_oid;
        let open = self.transaction.as_mut().ok_or_else(|| Error::internal("large objects outside a transaction"))?;
        Ok(LargeObjects::new(&mut open.tables, database))
    }

    /// Waits for whoever changes the object, and keeps others from it until the transaction ends.
    pub(crate) async fn lock_large_object(&mut self, oid: Oid) -> Result<()> {
        let context = self.context()?;
        let database = self.backend.database_oid;
        let Some(open) = &mut self.transaction else { return Ok(()) };
        if let Some(waiting) = open.tables.locks().request(lock_of(database, oid))? {
            execute::lock::wait(waiting, open.tables.patience, &context.cancel).await?;
            self.see_own_changes(true)?;
        }
        Ok(())
    }
}

/// 42501 unless the user may do that with the object; with `lo_compat_privileges` everybody may.
pub fn require(object: &LargeObject, wanted: &str, context: &StatementContext) -> Result<()> {
    let wanted: Rights = rights(wanted);
    if context.services.setting("lo_compat_privileges").is_some_and(|on| on == "on") {
        return Ok(());
    }
    object.owned().require(wanted, context)
}

#[cfg(test)]
mod tests {
    use super::copy_between;

    #[test]
    fn pieces_that_overlap_are_copied_where_they_do() {
        let piece = |start, from: &[u8]| {
            let mut to = [0; 4];
            copy_between(10, &mut to, start, from);
            to
        };
        assert_eq!(piece(8, &[1, 2, 3, 4]), [3, 4, 0, 0]);
        assert_eq!(piece(12, &[1, 2, 3, 4]), [0, 0, 1, 2]);
        assert_eq!(piece(9, &[1, 2, 3, 4, 5, 6]), [2, 3, 4, 5]);
        assert_eq!(piece(11, &[1]), [0, 1, 0, 0]);
        assert_eq!(piece(4, &[1, 2]), [0; 4]);
        assert_eq!(piece(20, &[1, 2]), [0; 4]);
    }
}
