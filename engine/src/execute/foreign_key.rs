//! Foreign keys: rows that refer must find their row; rows that are referred to take those that refer along, or stay.

use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::sync::Arc;

use aegis_catalog::image::Catalog;
use aegis_catalog::object::{Constraint, ConstraintKind, ReferentialAction, Relation};
use aegis_catalog::{Error, Oid, Result, Type, sqlstate};
use aegis_storage::lock::{Object, RowClaim, TableMode, Want};
use aegis_storage::transaction::{RowAddress, RowId, Transaction};
use aegis_storage::{Isolation, TableId};
use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt64Array};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::row::{RowConverter, Rows, SortField};

use super::change::storage_of;
use super::cross_type::referring;
use super::deferred::Keys;
use super::error::from_arrow;
use super::index_key;
use super::key::keys;
use super::referential_action;
use super::row_rules::key_text;
use super::spread::{arranged, attnums};
use super::statement::Execution;

/// Leaves checks that new rows find what they refer to. `changed` limits them to keys with a changed column.
pub fn check_later(
    table: &Relation,
    rows: &RecordBatch,
    changed: Option<&[i16]>,
    execution: &mut Execution<'_>,
) -> Result<()> {
    for constraint in table.constraints() {
        let ConstraintKind::ForeignKey { columns, .. } = &constraint.kind else { continue };
        if changed.is_some_and(|changed| !columns.iter().any(|column| changed.contains(column))) {
            continue;
        }
        let key = rows.project(&places(table, columns)).map_err(from_arrow)?;
        let key = some_value(&key)?;
        if key.num_rows() > 0 {
            execution.check_later(table, constraint, Keys::New(key));
        }
    }
    Ok(())
}

/// The keys that are not null in all their columns.
fn some_value(keys: &RecordBatch) -> Result<RecordBatch> {
    if keys.columns().iter().any(|column| column.null_count() == 0) {
        return Ok(keys.clone());
    }
    let kept = |row: usize| Some(!keys.columns().iter().all(|column| column.is_null(row)));
    let kept: BooleanArray = (0..keys.num_rows()).map(kept).collect();
    filter_record_batch(keys, &kept).map_err(from_arrow)
}

/// 23503 unless every key of new rows is there. `late`: a key that no row refers with any more does not count.
pub async fn check_new(
    table: &Arc<Relation>,
    constraint: &Constraint,
    key: &RecordBatch,
    late: bool,
    execution: &mut Execution<'_>,
) -> Result<()> {
    let ConstraintKind::ForeignKey { columns, referenced, referenced_columns, referenced_index, match_full, .. } =
        &constraint.kind
    else {
        return Ok(());
    };
    let catalog = execution.context.catalog.clone();
    let target = catalog.relation(*referenced).ok_or_else(|| Error::internal("a foreign key to nothing"))?;
    let nulls = |row: usize| key.columns().iter().filter(|column| column.is_null(row)).count();
    let mixed = (0..key.num_rows()).any(|row| nulls(row) > 0 && nulls(row) < columns.len());
    if *match_full && mixed {
        let detail = "MATCH FULL does not allow mixing of null and nonnull key values.";
        return Err(violation(table, constraint, execution).with_detail(detail));
    }
    let complete: BooleanArray = (0..key.num_rows()).map(|row| Some(nulls(row) == 0)).collect();
    let key = filter_record_batch(key, &complete).map_err(from_arrow)?;
    if key.num_rows() == 0 {
        return Ok(());
    }
    let own: Vec<Type> = types(table, columns, &catalog);
    let converted = convert(key.columns(), &own, &types(target, referenced_columns, &catalog))?;
    let mut missing = vec![true; key.num_rows()];
    for holder in holders(target, *referenced_index, referenced_columns, execution)? {
        if !missing.contains(&true) {
            break;
        }
        let ordered = index_order(&holder.table, holder.index, &holder.columns, &converted, execution)?;
        let found = lock_referenced(&holder.table, holder.index, &ordered, execution).await?;
        missing.iter_mut().zip(found).for_each(|(missing, found)| *missing &= !found);
    }
    if late && missing.contains(&true) {
        let holder = execution.transaction.of(table);
        let wanted = Wanted { columns, own_types: &own, types: &own, keys: &key, chosen: &missing };
        let still = rows_with(table, &wanted, holder)?;
        let still: HashSet<u32> = still.into_iter().flat_map(|rows| rows.old).collect();
        missing.iter_mut().zip(0u32..).for_each(|(missing, row)| *missing &= still.contains(&row));
    }
    if let Some(row) = missing.iter().position(|missing| *missing) {
        let text = key_text(table, columns, &key, row, &execution.context.format)?;
        let detail = format!("Key {text} is not present in table \"{}\".", target.name);
        return Err(violation(table, constraint, execution).with_detail(detail));
    }
    Ok(())
}

/// 23503 if a row refers to one of the keys, and the key is still gone.
pub async fn check_gone(
    referring: &Arc<Relation>,
    constraint: &Constraint,
    rows: &RecordBatch,
    execution: &mut Execution<'_>,
) -> Result<()> {
    let ConstraintKind::ForeignKey { referenced, .. } = &constraint.kind else { return Ok(()) };
    let catalog = execution.context.catalog.clone();
    let Some(table) = catalog.relation(*referenced) else { return Ok(()) };
    look_anew(execution)?;
    let (constraint, referenced) = (constraint.clone(), table.clone());
    let key = OldKey { referring: referring.clone(), constraint, referenced, rows: rows.clone() };
    let gone = key.gone(execution)?;
    if let Some(orphans) = key.orphans(&gone, execution)? {
        return Err(still_referenced(&key, &orphans, execution));
    }
    refuse_unseen(&key, &gone, execution)
}

/// A table that holds rows which a foreign key refers to.
struct Holder {
    table: Arc<Relation>,
    index: Oid,
    columns: Vec<i16>,
}

/// The referenced table, or its partitions, with their own columns and index.
fn holders(target: &Arc<Relation>, index: Oid, columns: &[i16], execution: &Execution<'_>) -> Result<Vec<Holder>> {
    if target.partitioning().is_none() {
        return Ok(vec![Holder { table: target.clone(), index, columns: columns.to_vec() }]);
    }
    let context = &execution.context;
    let leaves = crate::partition::holders(target, &context.catalog, &context.format)?;
    leaves.into_iter().map(|leaf| holder(target, &leaf, index, columns, &context.catalog)).collect()
}

/// A partition of the referenced table.
fn holder(target: &Relation, leaf: &Arc<Relation>, index: Oid, columns: &[i16], catalog: &Catalog) -> Result<Holder> {
    let own = catalog.indexes_of(leaf.oid).find(|own| part_of(own, index, catalog)).map(|own| own.oid);
    let index = own.ok_or_else(|| Error::internal(format!("\"{}\" lacks the index of a key", leaf.name)))?;
    Ok(Holder { table: leaf.clone(), index, columns: attnums(columns, target, leaf) })
}

/// Is the index this one, or attached to it at some level?
fn part_of(own: &Arc<Relation>, index: Oid, catalog: &Catalog) -> bool {
    own.oid == index || catalog.partition_ancestors(own).iter().any(|above| above.oid == index)
}

/// READ COMMITTED: who refers to rows may have committed since the statement began.
fn look_anew(execution: &mut Execution<'_>) -> Result<()> {
    match execution.transaction.isolation() {
        Isolation::ReadCommitted => execution.transaction.refresh(),
        Isolation::RepeatableRead | Isolation::Serializable => Ok(()),
    }
}

/// Which keys have a row in the table that is referred to; nobody takes these keys away before this transaction ends. Looks
/// at what is committed by now, as PostgreSQL's triggers do at READ COMMITTED.
async fn lock_referenced(
    target: &Relation,
    index: u32,
    keys: &RecordBatch,
    execution: &mut Execution<'_>,
) -> Result<Vec<bool>> {
    let storage = storage_of(target)?;
    let seen = execution.transaction.lookup(storage, index, keys).map_err(Error::from)?;
    if execution.is_temporary(target) {
        return Ok(seen.iter().map(Option::is_some).collect());
    }
    let hashes = execution.transaction.permanent_ref().key_hashes(storage, index, keys).map_err(Error::from)?;
    let hashes: HashSet<u64> = hashes.into_iter().flatten().collect();
    let fixed = execution.transaction.isolation().keeps_snapshot();
    loop {
        let (found, rows) = at_latest(storage, index, keys, execution)?;
        if fixed && seen.iter().zip(&found).any(|(seen, found)| seen.is_some() && !found) {
            let gone = seen.iter().flatten().copied();
            return Err(execution.overtaken(target, &UInt64Array::from_iter_values(gone)));
        }
        // Who locks a row waits for those who have locked its key; so the row first. A key that is ours is there to stay.
        let ours = hashes.iter().all(|hash| execution.locks().has(&reference(storage, index, *hash, false)));
        while let (false, Some(waiting)) = (ours, execution.locks().rows(storage, &rows, RowClaim::KEY_SHARE)?) {
            execution.wait(waiting).await?;
        }
        for hash in &hashes {
            if let Some(waiting) = execution.locks().request(reference(storage, index, *hash, false))? {
                execution.wait(waiting).await?;
            }
        }
        let (now, _) = at_latest(storage, index, keys, execution)?;
        if now == found {
            // What was committed after the snapshot does not count where the snapshot stays.
            return Ok(found.iter().zip(&seen).map(|(found, seen)| *found && (!fixed || seen.is_some())).collect());
        }
    }
}

/// The lock on a key that is referred to.
pub(super) fn reference(table: TableId, index: u32, hash: u64, exclusive: bool) -> Want {
    let mode = if exclusive { TableMode::AccessExclusive } else { TableMode::AccessShare };
    Want::Object(Object::Reference { table, index, hash }, mode)
}

/// Which keys have a row by now, and these rows.
pub(super) fn at_latest(
    table: TableId,
    index: u32,
    keys: &RecordBatch,
    execution: &Execution<'_>,
) -> Result<(Vec<bool>, Vec<RowId>)> {
    let own = execution.transaction.permanent_ref();
    let latest = own.at_latest();
    let view = latest.as_ref().unwrap_or(own);
    let found = view.lookup(table, index, keys)?;
    let addresses = UInt64Array::from_iter_values(found.iter().flatten().copied());
    let rows = view.row_ids(table, &addresses)?.unwrap_or_default();
    Ok((found.iter().map(Option::is_some).collect(), rows))
}

/// Values of the columns that are referred to, in the order of the index.
fn index_order(
    target: &Relation,
    index: u32,
    referenced_columns: &[i16],
    key: &[ArrayRef],
    execution: &Execution<'_>,
) -> Result<RecordBatch> {
    let schema = execution.transaction.table_schema(storage_of(target)?).map_err(Error::from)?;
    let index = schema.index(index).ok_or_else(|| Error::internal("a foreign key without its index"))?;
    if index_key::has_column(index) {
        let catalog = &execution.context.catalog;
        let definition = catalog.relation(index.id).and_then(|relation| relation.index());
        let definition = definition.ok_or_else(|| Error::internal("a foreign key without its index"))?;
        let place = |wanted: i16| referenced_columns.iter().position(|attnum| *attnum == wanted);
        let value = |attnum| key.get(place(attnum)?).cloned();
        return index_key::of_values(target, definition, value, catalog);
    }
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for id in &index.columns {
        let place = referenced_columns.iter().position(|attnum| i64::from(*attnum) == i64::from(*id));
        let column = place.and_then(|place| key.get(place));
        let column = column.ok_or_else(|| Error::internal("a foreign key does not match its index"))?;
        fields.push(arrow::datatypes::Field::new(format!("c{id}"), column.data_type().clone(), true));
        columns.push(column.clone());
    }
    RecordBatch::try_new(Arc::new(arrow::datatypes::Schema::new(fields)), columns).map_err(from_arrow)
}

/// Places of columns among the live ones.
pub fn places(table: &Relation, columns: &[i16]) -> Vec<usize> {
    columns.iter().filter_map(|attnum| table.live_columns().position(|column| column.attnum == *attnum)).collect()
}

/// Types of columns, without domains.
fn types(table: &Relation, columns: &[i16], catalog: &Catalog) -> Vec<Type> {
    columns.iter().filter_map(|attnum| table.column(*attnum)).map(|column| catalog.erased(column.ty)).collect()
}

fn convert(arrays: &[ArrayRef], from: &[Type], to: &[Type]) -> Result<Vec<ArrayRef>> {
    arrays.iter().zip(from.iter().zip(to)).map(|(array, (from, to))| referring(array, *from, *to)).collect()
}

fn violation(table: &Relation, constraint: &Constraint, execution: &Execution<'_>) -> Error {
    let (name, schema) = (&constraint.name, execution.context.catalog.schema(table.schema));
    let message = format!("insert or update on table \"{}\" violates foreign key constraint \"{name}\"", table.name);
    Error::new(sqlstate::FOREIGN_KEY_VIOLATION, message)
        .with_constraint(name.clone())
        .with_table(schema.map(|schema| schema.name.clone()).unwrap_or_default(), table.name.clone())
}

/// The foreign key that one of a partition belongs to, with its table.
pub fn declared<'c>(
    table: &'c Arc<Relation>,
    constraint: &'c Constraint,
    catalog: &'c Catalog,
) -> (&'c Arc<Relation>, &'c Constraint) {
    let mut found = (table, constraint);
    while let Some(above) = catalog.constraint(found.1.parent) {
        found = above;
    }
    found
}

fn still_referenced(key: &OldKey, orphans: &Orphans, execution: &Execution<'_>) -> Error {
    let ConstraintKind::ForeignKey { referenced_columns, .. } = &key.constraint.kind else {
        return Error::internal("no foreign key");
    };
    // A partition's constraint is its parent's to speak of.
    let catalog = execution.context.catalog.clone();
    let declared = declared(&key.referring, &key.constraint, &catalog);
    let (table, name, referring) = (&key.referenced, &declared.1.name, &declared.0.name);
    let row = orphans.old.first().copied().unwrap_or(0) as usize;
    let message = format!(
        "update or delete on table \"{}\" violates foreign key constraint \"{name}\" on table \"{referring}\"",
        table.name
    );
    let mut error = violation(declared.0, declared.1, execution);
    error.fields_mut().message = message;
    match key_text(table, referenced_columns, &key.rows, row, &execution.context.format) {
        Ok(text) => error.with_detail(format!("Key {text} is still referenced from table \"{referring}\".")),
        Err(error) => error,
    }
}

/// The rows that are about to change, for each foreign key that refers to them.
#[derive(Default)]
pub struct OldKeys {
    keys: Vec<OldKey>,
}

impl OldKeys {
    /// Those that refer to this very table, and the others.
    pub fn of(self, table: Oid) -> (Self, Self) {
        let (own, others) = self.keys.into_iter().partition(|key| key.referenced.oid == table);
        (Self { keys: own }, Self { keys: others })
    }
}

pub(super) struct OldKey {
    pub referring: Arc<Relation>,
    pub constraint: Constraint,
    /// The table that it refers to; a row that changes may be in a partition of it.
    pub referenced: Arc<Relation>,
    /// Referenced columns of the rows as they were.
    rows: RecordBatch,
}

/// Remembers the keys of rows before they change. `changed` limits it to foreign keys over a changed column.
pub async fn old_keys(
    table: &Arc<Relation>,
    addresses: &UInt64Array,
    changed: Option<&[i16]>,
    execution: &Execution<'_>,
) -> Result<OldKeys> {
    let mut old = Vec::new();
    let catalog = &execution.context.catalog;
    let referenced = std::iter::once(table.clone()).chain(catalog.partition_ancestors(table));
    let referencing = referenced.flat_map(|referenced| {
        let keys = catalog.referencing(referenced.oid);
        keys.map(|(referring, constraint)| (referenced.clone(), referring, constraint)).collect::<Vec<_>>()
    });
    for (referenced, referring, constraint) in referencing {
        // What refers are rows of partitions, which have the constraint too.
        if referring.partitioning().is_some() {
            continue;
        }
        let ConstraintKind::ForeignKey { referenced_columns, referenced_index, .. } = &constraint.kind else {
            continue;
        };
        let Holder { index: referenced_index, columns: referenced_columns, .. } =
            holder(&referenced, table, *referenced_index, referenced_columns, catalog)?;
        if changed.is_some_and(|changed| !referenced_columns.iter().any(|column| changed.contains(column))) {
            continue;
        }
        let storage = storage_of(table)?;
        let schema = execution.transaction.table_schema(storage).map_err(Error::from)?;
        let columns: Vec<usize> = referenced_columns
            .iter()
            .filter_map(|attnum| schema.position(u32::try_from(*attnum).unwrap_or(0)))
            .collect();
        let addresses: Vec<RowAddress> = addresses.iter().flatten().collect();
        let rows = execution.transaction.fetch(storage, &addresses, &columns).map_err(Error::from)?;
        if !execution.is_temporary(table) {
            let ordered = index_order(table, referenced_index, &referenced_columns, rows.columns(), execution)?;
            let hashes = execution.transaction.permanent_ref().key_hashes(storage, referenced_index, &ordered)?;
            for hash in hashes.into_iter().flatten() {
                if let Some(waiting) = execution.locks().request(reference(storage, referenced_index, hash, true))? {
                    execution.wait(waiting).await?;
                }
            }
        }
        let (referring, constraint) = (referring.clone(), constraint.clone());
        old.push(OldKey { referring, constraint, referenced, rows });
    }
    Ok(OldKeys { keys: old })
}

type Boxed<'f> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'f>>;

/// Does what each foreign key demands after rows of `table` changed (`new_rows`) or went.
pub fn referenced_changed<'f>(
    table: &'f Arc<Relation>,
    old: OldKeys,
    new_rows: Option<&'f RecordBatch>,
    execution: &'f mut Execution<'_>,
) -> Boxed<'f> {
    Box::pin(async move {
        if !old.keys.is_empty() {
            look_anew(execution)?;
        }
        for key in old.keys {
            let gone = key.gone(execution)?;
            if gone.contains(&true) {
                let new_rows = new_rows.map(|rows| arranged(rows, table, &key.referenced)).transpose()?;
                follow(&key, &gone, new_rows.as_ref(), execution).await?;
            }
        }
        Ok(())
    })
}

async fn follow(
    key: &OldKey,
    gone: &[bool],
    new_rows: Option<&RecordBatch>,
    execution: &mut Execution<'_>,
) -> Result<()> {
    let ConstraintKind::ForeignKey { on_update, on_delete, .. } = &key.constraint.kind else { return Ok(()) };
    let action = if new_rows.is_some() { *on_update } else { *on_delete };
    if action == ReferentialAction::NoAction {
        let gone: BooleanArray = gone.iter().copied().map(Some).collect();
        let rows = filter_record_batch(&key.rows, &gone).map_err(from_arrow)?;
        execution.check_later(&key.referring, &key.constraint, Keys::Gone(rows));
        return Ok(());
    }
    if let Some(orphans) = key.orphans(gone, execution)? {
        if action == ReferentialAction::Restrict {
            return Err(still_referenced(key, &orphans, execution));
        }
        referential_action::run(&key.referenced, key, action, orphans, new_rows, execution).await?;
    }
    refuse_unseen(key, gone, execution)
}

/// REPEATABLE READ: rows that refer to a key that is gone, but which the snapshot does not show, cannot be taken along. 40001.
fn refuse_unseen(key: &OldKey, gone: &[bool], execution: &mut Execution<'_>) -> Result<()> {
    let fixed = execution.transaction.isolation().keeps_snapshot();
    let Some(latest) = execution.transaction.of(&key.referring).at_latest().filter(|_| fixed) else { return Ok(()) };
    match key.orphans_in(gone, &latest, &execution.context.catalog)? {
        Some(_) => Err(execution.overtaken(&key.referring, &UInt64Array::from(Vec::<u64>::new()))),
        None => Ok(()),
    }
}

/// Rows that refer to keys that are gone, and for each the old row it refers to.
pub(super) struct Orphans {
    pub addresses: Vec<RowAddress>,
    pub rows: RecordBatch,
    pub old: Vec<u32>,
}

impl OldKey {
    /// Which of the old keys no row has any more.
    fn gone(&self, execution: &Execution<'_>) -> Result<Vec<bool>> {
        let ConstraintKind::ForeignKey { referenced_columns, referenced_index, .. } = &self.constraint.kind else {
            return Ok(Vec::new());
        };
        let complete = |row: usize| !self.rows.columns().iter().any(|column| column.is_null(row));
        let mut gone: Vec<bool> = (0..self.rows.num_rows()).map(complete).collect();
        for holder in holders(&self.referenced, *referenced_index, referenced_columns, execution)? {
            let ordered = index_order(&holder.table, holder.index, &holder.columns, self.rows.columns(), execution)?;
            let storage = storage_of(&holder.table)?;
            let still = execution.transaction.lookup(storage, holder.index, &ordered).map_err(Error::from)?;
            gone.iter_mut().zip(still).for_each(|(gone, found)| *gone &= found.is_none());
        }
        Ok(gone)
    }

    fn orphans(&self, gone: &[bool], execution: &Execution<'_>) -> Result<Option<Orphans>> {
        self.orphans_in(gone, execution.transaction.of(&self.referring), &execution.context.catalog)
    }

    fn orphans_in(&self, gone: &[bool], view: &Transaction, catalog: &Catalog) -> Result<Option<Orphans>> {
        let ConstraintKind::ForeignKey { columns, referenced_columns, .. } = &self.constraint.kind else {
            return Ok(None);
        };
        let types = types(&self.referenced, referenced_columns, catalog);
        let own_types = self::types(&self.referring, columns, catalog);
        let wanted = Wanted { columns, own_types: &own_types, types: &types, keys: &self.rows, chosen: gone };
        rows_with(&self.referring, &wanted, view)
    }
}

/// Rows that are looked for: those whose columns equal one of the chosen keys, which are of these types.
struct Wanted<'a> {
    columns: &'a [i16],
    own_types: &'a [Type],
    types: &'a [Type],
    keys: &'a RecordBatch,
    chosen: &'a [bool],
}

fn rows_with(table: &Arc<Relation>, wanted: &Wanted<'_>, view: &Transaction) -> Result<Option<Orphans>> {
    if !wanted.chosen.contains(&true) {
        return Ok(None);
    }
    let storage = storage_of(table)?;
    let scan = view.scan(storage).map_err(Error::from)?;
    let schema = &scan.table_schema;
    let places = |attnums: &mut dyn Iterator<Item = i16>| -> Vec<usize> {
        attnums.filter_map(|attnum| schema.position(u32::try_from(attnum).unwrap_or(0))).collect()
    };
    let key_places = places(&mut wanted.columns.iter().copied());
    let live_places = places(&mut table.live_columns().map(|column| column.attnum));
    let equality = |arrays: &[ArrayRef]| -> Result<Vec<ArrayRef>> {
        arrays.iter().zip(wanted.types).map(|(array, ty)| keys(*ty, array)).collect()
    };
    let looked_for = equality(wanted.keys.columns())?;
    let fields = looked_for.iter().map(|array| SortField::new(array.data_type().clone())).collect();
    let converter = RowConverter::new(fields).map_err(from_arrow)?;
    let rows: Rows = converter.convert_columns(&looked_for).map_err(from_arrow)?;
    let chosen = (0u32..).zip(wanted.chosen).filter(|(_, chosen)| **chosen);
    let looked_for: HashMap<Vec<u8>, u32> =
        chosen.map(|(row, _)| (rows.row(row as usize).data().to_vec(), row)).collect();
    let (mut addresses, mut sources) = (Vec::new(), Vec::new());
    for batch in scan.read(Some(&key_places), true).map_err(Error::from)? {
        let (here, address) = batch.columns().split_at(key_places.len());
        let here = equality(&convert(here, wanted.own_types, wanted.types)?)?;
        let rows = converter.convert_columns(&here).map_err(from_arrow)?;
        let address = address.first().and_then(|column| column.as_any().downcast_ref::<UInt64Array>());
        let Some(address) = address else { return Err(Error::internal("a scan without addresses")) };
        for row in 0..batch.num_rows() {
            if here.iter().any(|array| array.is_null(row)) {
                continue;
            }
            if let Some(source) = looked_for.get(rows.row(row).data()) {
                addresses.push(address.value(row));
                sources.push(*source);
            }
        }
    }
    if addresses.is_empty() {
        return Ok(None);
    }
    let rows = view.fetch(storage, &addresses, &live_places).map_err(Error::from)?;
    let rows = concat_batches(&rows.schema(), [&rows]).map_err(from_arrow)?;
    Ok(Some(Orphans { addresses, rows, old: sources }))
}
