//! Checks that wait: for the end of their statement, or of the transaction if their constraint is deferred (PostgreSQL manual,
//! "SET CONSTRAINTS"). A check says which keys to look at, not what was found: it holds or fails by what the rows are when it is made.

use std::collections::BTreeMap;
use std::sync::Arc;

use aegis_catalog::object::{Constraint, ConstraintKind, Relation};
use aegis_catalog::{Error, Oid, Result, sqlstate};
use aegis_storage::lock::{RowClaim, Want};
use arrow::array::{BooleanArray, RecordBatch, UInt64Array};
use arrow::compute::filter_record_batch;

use super::change::storage_of;
use super::error::from_arrow;
use super::foreign_key;
use super::row_rules::{duplicate_key, key_text};
use super::statement::Execution;

#[derive(Debug, Clone)]
pub struct Check {
    /// The table whose constraint it is.
    pub table: Oid,
    pub constraint: Oid,
    pub keys: Keys,
}

#[derive(Debug, Clone)]
pub enum Keys {
    /// New rows have these values in the columns of the key (in the order of its index) or foreign key.
    New(RecordBatch),
    /// Rows with these values in the columns that a foreign key refers to are gone.
    Gone(RecordBatch),
}

/// What a transaction has deferred.
#[derive(Debug, Clone, Default)]
pub struct Deferred {
    /// SET CONSTRAINTS ALL, and those named since.
    all: Option<bool>,
    named: BTreeMap<Oid, bool>,
    waiting: Vec<Arc<Check>>,
    /// Checks that failed in the course of a statement that comes in parts (COPY), and may hold at its end.
    doubtful: Vec<Arc<Check>>,
}

impl Deferred {
    fn is_deferred(&self, constraint: &Constraint) -> bool {
        let default = self.all.unwrap_or(constraint.initially_deferred);
        constraint.deferrable && self.named.get(&constraint.oid).copied().unwrap_or(default)
    }

    /// SET CONSTRAINTS; None for all.
    pub fn set(&mut self, constraints: Option<&[Oid]>, deferred: bool) {
        match constraints {
            Some(constraints) => self.named.extend(constraints.iter().map(|oid| (*oid, deferred))),
            None => {
                self.all = Some(deferred);
                self.named.clear();
            }
        }
    }

    /// How many checks wait, to go back to.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub fn truncate(&mut self, len: usize) {
        self.waiting.truncate(len);
    }

    /// 55006 if a check waits that looks at the table, which the command would change.
    pub fn refuse(&self, table: &Relation, command: &str) -> Result<()> {
        if self.waiting.iter().all(|check| check.table != table.oid) {
            return Ok(());
        }
        let message = format!("cannot {command} \"{}\" because it has pending trigger events", table.name);
        Err(Error::new(sqlstate::OBJECT_IN_USE, message))
    }
}

impl Execution<'_> {
    /// Leaves a check for the end of the statement, or of the transaction.
    pub fn check_later(&mut self, table: &Relation, constraint: &Constraint, keys: Keys) {
        let check = Arc::new(Check { table: table.oid, constraint: constraint.oid, keys });
        match self.transaction.deferred.is_deferred(constraint) {
            true => self.transaction.deferred.waiting.push(check),
            false => self.checks.push(check),
        }
    }

    /// The end of a statement.
    pub async fn run_checks(&mut self) -> Result<()> {
        for check in std::mem::take(&mut self.checks) {
            check.run(false, self).await?;
        }
        Ok(())
    }

    /// The end of a part of a statement, for which not everything is there yet.
    pub async fn run_checks_of_part(&mut self) -> Result<()> {
        for check in std::mem::take(&mut self.checks) {
            match check.run(false, self).await {
                Err(error) if error.code() == sqlstate::FOREIGN_KEY_VIOLATION => {
                    self.transaction.deferred.doubtful.push(check);
                }
                outcome => outcome?,
            }
        }
        Ok(())
    }

    /// The end of a statement that came in parts.
    pub async fn run_doubtful_checks(&mut self) -> Result<()> {
        self.checks = std::mem::take(&mut self.transaction.deferred.doubtful);
        self.run_checks().await
    }

    /// Makes the checks that wait though their constraints are not deferred any more; with `all` those that are too.
    pub async fn run_deferred(&mut self, all: bool) -> Result<()> {
        for check in std::mem::take(&mut self.transaction.deferred.waiting) {
            let catalog = self.context.catalog.clone();
            let constraint = catalog.constraint(check.constraint).map(|(_, constraint)| constraint);
            match constraint.filter(|constraint| !all && self.transaction.deferred.is_deferred(constraint)) {
                Some(_) => self.transaction.deferred.waiting.push(check),
                None => check.run(true, self).await?,
            }
        }
        Ok(())
    }
}

impl Check {
    /// A constraint that is gone holds. `late`: the rows that the check is about may have changed since.
    async fn run(&self, late: bool, execution: &mut Execution<'_>) -> Result<()> {
        let catalog = execution.context.catalog.clone();
        let Some(table) = catalog.relation(self.table) else { return Ok(()) };
        let found = table.constraints().iter().find(|constraint| constraint.oid == self.constraint);
        let Some(constraint) = found else { return Ok(()) };
        match (&constraint.kind, &self.keys) {
            (ConstraintKind::ForeignKey { .. }, Keys::New(keys)) => {
                foreign_key::check_new(table, constraint, keys, late, execution).await
            }
            (ConstraintKind::ForeignKey { .. }, Keys::Gone(keys)) => {
                foreign_key::check_gone(table, constraint, keys, execution).await
            }
            (_, Keys::New(keys)) => match constraint.key_index() {
                Some(index) => check_unique(table, index, keys, execution).await,
                None => Ok(()),
            },
            (_, Keys::Gone(_)) => Ok(()),
        }
    }
}

/// Leaves checks of the deferrable keys of new rows (in the order of the store), as far as they are in doubt: somebody else has the right
/// to the key, or there is a row with it. `changed` limits them to keys with a changed column.
pub fn check_keys_later(
    table: &Relation,
    stored: &RecordBatch,
    changed: Option<&[i16]>,
    execution: &mut Execution<'_>,
) -> Result<()> {
    for constraint in table.constraints().iter().filter(|constraint| constraint.deferrable) {
        let Some(index) = constraint.key_index() else { continue };
        if changed.is_some_and(|changed| !constraint.columns().iter().any(|column| changed.contains(column))) {
            continue;
        }
        let schema = execution.transaction.table_schema(storage_of(table)?).map_err(Error::from)?;
        let index = schema.index(index).ok_or_else(|| Error::internal("a key without its index"))?;
        let keys = stored.project(&schema.key_positions(index)?).map_err(from_arrow)?;
        let doubtful = doubtful(table, index.id, &keys, execution)?;
        if doubtful.true_count() > 0 {
            let keys = filter_record_batch(&keys, &doubtful).map_err(from_arrow)?;
            execution.check_later(table, constraint, Keys::New(keys));
        }
    }
    Ok(())
}

/// Which keys may be those of several rows. For the others this transaction has the right to the key from now on: who comes later waits
/// for it, when its own check is due.
fn doubtful(table: &Relation, index: Oid, keys: &RecordBatch, execution: &Execution<'_>) -> Result<BooleanArray> {
    let (storage, locks) = (storage_of(table)?, execution.locks());
    let holder = execution.transaction.of(table);
    let hashes = holder.key_hashes(storage, index, keys)?;
    let mut doubtful = Vec::with_capacity(hashes.len());
    for hash in hashes {
        doubtful.push(match hash {
            Some(hash) if !execution.is_temporary(table) => !locks.attempt(Want::Key(storage, index, hash))?,
            _ => false,
        });
    }
    let latest = holder.at_latest();
    let found = latest.as_ref().unwrap_or(holder).lookup_all(storage, index, keys)?;
    let found = found.ok_or_else(unknown)?;
    Ok(doubtful.into_iter().zip(found).map(|(doubtful, rows)| Some(doubtful || rows.len() > 1)).collect())
}

fn unknown() -> Error {
    Error::internal("a key whose index does not know all rows")
}

/// 23505 if two rows have one of the keys. Waits for others who insert such a row, or delete one.
async fn check_unique(
    table: &Arc<Relation>,
    index: Oid,
    keys: &RecordBatch,
    execution: &mut Execution<'_>,
) -> Result<()> {
    let (storage, private, locks) = (storage_of(table)?, execution.is_temporary(table), execution.locks());
    let hashes = execution.transaction.of(table).key_hashes(storage, index, keys)?;
    let hashes = [(index, hashes.into_iter().flatten().collect::<Vec<u64>>())];
    loop {
        let mark = locks.mark();
        if !private {
            execution.lock_keys(storage, &hashes).await?;
        }
        let (row, others) = {
            let holder = execution.transaction.of(table);
            let latest = holder.at_latest();
            let view = latest.as_ref().unwrap_or(holder);
            let found = view.lookup_all(storage, index, keys)?;
            let found = found.ok_or_else(unknown)?;
            let twice = found.into_iter().enumerate().find(|(_, rows)| rows.len() > 1);
            let Some((row, rows)) = twice else { return Ok(()) };
            let others = match private {
                true => Vec::new(),
                false => view.row_ids(storage, &UInt64Array::from(rows))?.unwrap_or_default(),
            };
            (row, others)
        };
        match locks.rows(storage, &others, RowClaim::LOOK)? {
            Some(waiting) => {
                // Who deletes the row may want to insert its key again.
                locks.release_to(mark);
                execution.wait(waiting).await?;
                locks.release_to(mark);
            }
            None => {
                let columns = super::change::key_columns(table, index, execution);
                let text = key_text(table, &columns, keys, row, &execution.context.format)?;
                return Err(duplicate_key(table, index, Some(text), &execution.context));
            }
        }
    }
}
