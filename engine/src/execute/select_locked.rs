//! SELECT … FOR UPDATE, SHARE and so on: locks the rows of a result before it is handed out (PostgreSQL manual, "The Locking
//! Clause").

use std::borrow::Cow;
use std::sync::Arc;

use aegis_catalog::object::Relation;
use aegis_catalog::{Error, Result};
use aegis_storage::Isolation;
use aegis_storage::lock::{RowClaim, Want};
use arrow::array::{AsArray, BooleanArray, RecordBatch, UInt32Array, UInt64Array};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{UInt32Type, UInt64Type};
use datafusion::scalar::ScalarValue;

use super::change::storage_of;
use super::error::from_arrow;
use super::lock::not_available;
use super::spread;
use super::statement::Execution;
use super::stream::RowStream;
use crate::bind::tree::{Expr, Query};
use crate::lower::{LockedTable, LoweredQuery};
use crate::parse::ast::{LockStrength, LockWait};

/// A query with SKIP LOCKED whose LIMIT counts only the rows that could be locked.
pub struct Part {
    /// The query without it.
    pub whole: Query,
    skip: u64,
    limit: Option<u64>,
}

/// Does SKIP LOCKED decide which rows LIMIT and OFFSET count?
fn counts_locked(query: &Query) -> bool {
    let skips = query.locking.iter().any(|locking| locking.wait == LockWait::SkipLocked);
    skips && !query.with_ties && (query.limit.is_some() || query.offset.is_some())
}

/// The query whose rows are looked at until enough of them are locked.
pub fn without_limit(query: &Query) -> Cow<'_, Query> {
    match counts_locked(query) {
        true => Cow::Owned(Query { limit: None, offset: None, ..query.clone() }),
        false => Cow::Borrowed(query),
    }
}

/// The part that is wanted of a query with SKIP LOCKED; None for a query that counts its rows itself.
pub async fn part(query: &Query, execution: &Execution<'_>) -> Result<Option<Part>> {
    if !counts_locked(query) {
        return Ok(None);
    }
    let limit = count(query.limit.as_ref(), execution).await?;
    let skip = count(query.offset.as_ref(), execution).await?.unwrap_or(0);
    let whole = without_limit(query).into_owned();
    Ok(Some(Part { whole, skip, limit }))
}

async fn count(expr: Option<&Expr>, execution: &Execution<'_>) -> Result<Option<u64>> {
    let Some(expr) = expr else { return Ok(None) };
    match super::given::evaluate_with(expr, execution).await? {
        ScalarValue::Int64(Some(count)) => u64::try_from(count).map(Some).map_err(|_| {
            let code = aegis_catalog::sqlstate::INVALID_ROW_COUNT_IN_LIMIT_CLAUSE;
            Error::new(code, "LIMIT must not be negative")
        }),
        _ => Ok(None),
    }
}

/// Runs a query, locks the rows that it names, and hands out its visible columns.
pub async fn start(lowered: LoweredQuery, part: Option<&Part>, execution: &mut Execution<'_>) -> Result<RowStream> {
    let visible: Vec<usize> = (0..lowered.columns.len()).collect();
    let locked = lowered.locked.clone();
    let mut left = part.and_then(|part| part.limit).unwrap_or(u64::MAX);
    let mut skip = part.map_or(0, |part| part.skip);
    let mut rows = execution.start(lowered)?;
    let mut out = Vec::new();
    while left > 0 {
        let Some(batch) = rows.next().await.transpose()? else { break };
        let addresses = addresses(&batch, visible.len(), &locked)?;
        let mut kept = batch.project(&visible).map_err(from_arrow)?;
        if locked.iter().any(|locked| locked.wait == LockWait::SkipLocked) {
            let wanted = left.saturating_add(skip);
            let mask = lock_free_rows(&locked, &addresses, wanted, execution)?;
            kept = filter_record_batch(&kept, &mask).map_err(from_arrow)?;
        } else {
            for (locked, addresses) in locked.iter().zip(&addresses) {
                for (table, addresses) in addresses.shares(&locked.table, execution)? {
                    lock_rows(&table, locked, &addresses, execution).await?;
                }
            }
        }
        let skipped = skip.min(kept.num_rows() as u64);
        let taken = left.min(kept.num_rows() as u64 - skipped);
        (skip, left) = (skip - skipped, left - taken);
        out.push(kept.slice(skipped as usize, taken as usize));
    }
    Ok(RowStream::ready(out))
}

/// Rows to lock, and the tables that they are in where there are several.
struct Found {
    addresses: UInt64Array,
    sources: Option<UInt32Array>,
}

impl Found {
    fn slice(&self, row: usize) -> Self {
        let sources = self.sources.as_ref().map(|sources| sources.slice(row, 1));
        Self { addresses: self.addresses.slice(row, 1), sources }
    }

    /// By table.
    fn shares(&self, table: &Arc<Relation>, execution: &Execution<'_>) -> Result<Vec<(Arc<Relation>, UInt64Array)>> {
        let Some(sources) = &self.sources else { return Ok(vec![(table.clone(), self.addresses.clone())]) };
        let present: BooleanArray = self.addresses.iter().map(|address| Some(address.is_some())).collect();
        let sources = arrow::compute::filter(sources, &present).map_err(from_arrow)?;
        let addresses = arrow::compute::filter(&self.addresses, &present).map_err(from_arrow)?;
        let addresses = addresses.as_primitive::<UInt64Type>();
        let shares = spread::shares(sources.as_primitive::<UInt32Type>(), execution)?.into_iter();
        shares.map(|share| Ok((share.table, spread::take_addresses(addresses, &share.places)?))).collect()
    }
}

fn addresses(batch: &RecordBatch, from: usize, locked: &[LockedTable]) -> Result<Vec<Found>> {
    let mut columns = batch.columns().iter().skip(from);
    let missing = || Error::internal("a lock without addresses");
    let mut found = Vec::with_capacity(locked.len());
    for table in locked {
        let addresses = columns.next().and_then(|column| column.as_primitive_opt::<UInt64Type>().cloned());
        let sources = match table.spread {
            true => {
                let column = columns.next().and_then(|column| column.as_primitive_opt::<UInt32Type>().cloned());
                Some(column.ok_or_else(missing)?)
            }
            false => None,
        };
        found.push(Found { addresses: addresses.ok_or_else(missing)?, sources });
    }
    Ok(found)
}

fn claim(strength: LockStrength) -> RowClaim {
    match strength {
        LockStrength::KeyShare => RowClaim::KEY_SHARE,
        LockStrength::Share => RowClaim::SHARE,
        LockStrength::NoKeyUpdate => RowClaim::NO_KEY_UPDATE,
        LockStrength::Update => RowClaim::UPDATE,
    }
}

async fn lock_rows(
    table: &Arc<Relation>,
    locked: &LockedTable,
    addresses: &UInt64Array,
    execution: &mut Execution<'_>,
) -> Result<()> {
    let claim = claim(locked.strength);
    if locked.wait == LockWait::NoWait && !execution.is_temporary(table) {
        let storage = storage_of(table)?;
        let Some(rows) = execution.transaction.permanent_ref().row_ids(storage, addresses)? else {
            return Err(execution.overtaken(table, addresses));
        };
        if execution.locks().rows(storage, &rows, claim)?.is_some() {
            return Err(not_available(table));
        }
    }
    match claim {
        RowClaim::KEY_SHARE => execution.lock_keys_of_rows(table, addresses).await,
        claim => execution.lock_rows(table, addresses, claim).await,
    }
}

/// SKIP LOCKED: true for the rows that are locked now, the first `wanted` of them. A row that has changed since the snapshot
/// was locked by another then, and is left out; at REPEATABLE READ that is 40001.
fn lock_free_rows(
    locked: &[LockedTable],
    addresses: &[Found],
    wanted: u64,
    execution: &mut Execution<'_>,
) -> Result<BooleanArray> {
    let rows = addresses.first().map_or(0, |found| arrow::array::Array::len(&found.addresses));
    let mut taken = 0;
    let mut mask = Vec::with_capacity(rows);
    for row in 0..rows {
        let mut free = taken < wanted;
        for (locked, addresses) in locked.iter().zip(addresses) {
            for (table, address) in addresses.slice(row).shares(&locked.table, execution)? {
                free = free && lock_if_free(&table, locked, &address, execution)?;
            }
        }
        taken += u64::from(free);
        mask.push(free);
    }
    Ok(BooleanArray::from(mask))
}

fn lock_if_free(
    table: &Arc<Relation>,
    locked: &LockedTable,
    address: &UInt64Array,
    execution: &mut Execution<'_>,
) -> Result<bool> {
    if execution.is_temporary(table) {
        return Ok(true);
    }
    let (storage, locks) = (storage_of(table)?, execution.locks());
    if let Some(rows) = execution.transaction.permanent_ref().row_ids(storage, address)? {
        let mark = locks.mark();
        for row in &rows {
            let want = Want::Row(storage, *row, claim(locked.strength));
            if !locks.attempt(want)? {
                match locked.wait {
                    LockWait::NoWait => return Err(not_available(table)),
                    _ => return Ok(false),
                }
            }
        }
        if !execution.transaction.permanent_ref().is_outdated(storage, address) {
            return Ok(true);
        }
        locks.release_to(mark);
    }
    match execution.transaction.isolation() {
        Isolation::ReadCommitted => Ok(false),
        Isolation::RepeatableRead | Isolation::Serializable => Err(execution.overtaken(table, address)),
    }
}
