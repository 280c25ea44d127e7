//! Statements with everything around them: data-modifying CTEs, savepoints, results.

use std::collections::HashMap;
use std::sync::Arc;

use aegis_catalog::image::Catalog;
use aegis_catalog::{Error, Result};
use arrow::array::RecordBatch;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::TableSource;
use datafusion::scalar::ScalarValue;

use super::change::{self, ChangeRows};
use super::deferred::Check;
use super::error::from_datafusion;
use super::generic_plan::GenericPlan;
use super::point;
use super::provider::SnapshotTables;
use super::runtime::{QueryRuntime, RunOptions};
use super::select_locked;
use super::shared::LateTable;
use super::stream::RowStream;
use crate::bind::tree::{Cte, CteBody, CteId, Delete, Insert, Merge, Query, Statement, Update};
use crate::lower::free::{StatementPart, is_correlated, locking_in_statement};
use crate::lower::{self, LowerContext, LoweredChange, LoweredQuery};
use crate::session::context::StatementContext;
use crate::session::tables::{Mark, Tables};

/// What a statement runs with.
pub struct Execution<'a> {
    pub runtime: &'a QueryRuntime,
    pub options: RunOptions,
    pub context: Arc<StatementContext>,
    pub transaction: &'a mut Tables,
    pub parameters: &'a [ScalarValue],
    /// Checks to make at the end of the statement.
    pub checks: Vec<Arc<Check>>,
    /// More rows of the same statement follow.
    pub is_part: bool,
    /// What the CTE that is running sees: CTEs before it, and rows of those that change something.
    pub(super) surroundings: Surroundings,
    /// The statement met a row that has changed since its snapshot, and is to be undone and run again.
    pub again: bool,
}

impl<'a> Execution<'a> {
    pub fn new(
        runtime: &'a QueryRuntime,
        context: Arc<StatementContext>,
        transaction: &'a mut Tables,
        parameters: &'a [ScalarValue],
    ) -> Self {
        Self {
            runtime,
            options: runtime.default_options(),
            context,
            transaction,
            parameters,
            checks: Vec::new(),
            is_part: false,
            surroundings: Surroundings::default(),
            again: false,
        }
    }
}

/// The outcome of INSERT, UPDATE or DELETE.
#[derive(Debug, Default)]
pub struct ChangeResult {
    /// Rows inserted, updated or deleted: the number in the command tag.
    pub count: u64,
    /// Rows of RETURNING, in computed representation of the returning columns or as stored.
    pub returning: Vec<RecordBatch>,
}

/// Starts a query. The rows are those of the transaction as of now, whatever it does afterwards.
pub async fn run_query(query: &Query, plan: Option<&GenericPlan>, execution: &mut Execution<'_>) -> Result<RowStream> {
    if let Some(rows) = plan.map_or(Ok(None), |plan| plan.rows(execution))? {
        return Ok(RowStream::ready(vec![rows]));
    }
    if let Some(row) = point::read(query, execution)? {
        return Ok(row);
    }
    let part = select_locked::part(query, execution).await?;
    let query = part.as_ref().map_or(query, |part| &part.whole);
    loop {
        let (lowered, changes) = execution.lower(&query.ctes, StatementPart::Query(query), |context, parameters| {
            lower::lower_query(query, parameters, context)
        })?;
        let (savepoint, deferred) = (execution.transaction.mark(), execution.transaction.deferred.len());
        let outcome = async {
            execution.run_changes(changes).await?;
            execution.run_checks().await?;
            match lowered.locked.is_empty() {
                true => execution.start(lowered),
                false => select_locked::start(lowered, part.as_ref(), execution).await,
            }
        }
        .await;
        if outcome.is_err() {
            execution.undo(savepoint, deferred)?;
        }
        if outcome.is_ok() || !execution.runs_again()? {
            return outcome;
        }
    }
}

/// INSERT, UPDATE or DELETE.
#[derive(Clone, Copy)]
pub enum Change<'a> {
    Insert(&'a Insert),
    Update(&'a Update),
    Delete(&'a Delete),
    Merge(&'a Merge),
}

/// Makes a change. With a generic plan it is not planned anew.
pub async fn run_change(
    change: Change<'_>,
    plan: Option<&GenericPlan>,
    execution: &mut Execution<'_>,
) -> Result<ChangeResult> {
    loop {
        let outcome = match plan.map_or(Ok(None), |plan| plan.change(execution))? {
            Some(rows) => execution.atomically(Vec::new(), Step::Change(change, StepRows::Computed(rows))).await,
            None => {
                let (lowered, pending) = execution
                    .lower(change.ctes(), change.part(), |context, parameters| change.lower(parameters, context))?;
                execution.atomically(pending, Step::Change(change, StepRows::Planned(lowered))).await
            }
        };
        if outcome.is_ok() || !execution.runs_again()? {
            return outcome;
        }
    }
}

impl<'a> Change<'a> {
    /// The command in its tag, which the number of rows follows.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Insert(_) => "INSERT 0",
            Self::Update(_) => "UPDATE",
            Self::Delete(_) => "DELETE",
            Self::Merge(_) => "MERGE",
        }
    }

    /// As EXPLAIN shows it.
    pub(super) fn verb_and_table(self) -> (&'static str, &'a Arc<aegis_catalog::object::Relation>) {
        match self {
            Self::Insert(insert) => ("Insert", &insert.table),
            Self::Update(update) => ("Update", &update.table),
            Self::Delete(delete) => ("Delete", &delete.table),
            Self::Merge(merge) => ("Merge", &merge.table),
        }
    }

    pub(super) fn of(statement: &'a Statement) -> Result<Self> {
        match statement {
            Statement::Insert(insert) => Ok(Self::Insert(insert)),
            Statement::Update(update) => Ok(Self::Update(update)),
            Statement::Delete(delete) => Ok(Self::Delete(delete)),
            Statement::Merge(merge) => Ok(Self::Merge(merge)),
            Statement::Query(_) => Err(Error::internal("a query is no change")),
        }
    }

    pub(super) fn ctes(self) -> &'a [Cte] {
        match self {
            Self::Insert(insert) => &insert.ctes,
            Self::Update(update) => &update.ctes,
            Self::Delete(delete) => &delete.ctes,
            Self::Merge(merge) => &merge.ctes,
        }
    }

    pub(super) fn part(self) -> StatementPart<'a> {
        match self {
            Self::Insert(insert) => StatementPart::Insert(insert),
            Self::Update(update) => StatementPart::Update(update),
            Self::Delete(delete) => StatementPart::Delete(delete),
            Self::Merge(merge) => StatementPart::Merge(merge),
        }
    }

    pub(super) fn lower(self, parameters: &[ScalarValue], context: &LowerContext<'_>) -> Result<LoweredChange> {
        match self {
            Self::Insert(insert) => lower::lower_insert(insert, parameters, context),
            Self::Update(update) => lower::lower_update(update, parameters, context),
            Self::Delete(delete) => lower::lower_delete(delete, parameters, context),
            Self::Merge(merge) => lower::lower_merge(merge, parameters, context),
        }
    }
}

/// What is planned and not yet done.
pub(super) enum Step<'a> {
    Change(Change<'a>, StepRows),
    /// A query that locks its rows.
    Lock(Box<Query>, LoweredQuery),
}

/// The rows of a change.
pub(super) enum StepRows {
    Planned(LoweredChange),
    Computed(ChangeRows),
}

/// CTEs before a data-modifying one.
#[derive(Clone, Default)]
pub(super) struct Surroundings {
    pub ctes: Vec<Cte>,
    pub changes: HashMap<CteId, Arc<dyn TableSource>>,
}

/// A data-modifying CTE, or a sub-query that locks, and where its rows go.
pub(super) struct PendingChange<'a> {
    step: Step<'a>,
    /// The CTE that it is.
    cte: Option<CteId>,
    surroundings: Surroundings,
    rows: Arc<LateTable>,
}

impl Execution<'_> {
    /// A context for lowering over the transaction as it is now.
    pub fn tables(&self) -> SnapshotTables<'_> {
        SnapshotTables { transaction: self.transaction, context: self.context.clone() }
    }

    /// Starts a lowered query.
    pub fn start(&self, lowered: LoweredQuery) -> Result<RowStream> {
        RowStream::start(self.runtime, lowered.plan, self.options, self.context.cancel.clone())
    }

    /// Lowers a statement and its data-modifying CTEs, all over the same snapshot.
    pub(super) fn lower<'a, T>(
        &self,
        ctes: &'a [Cte],
        part: StatementPart<'_>,
        statement: impl FnOnce(&LowerContext<'_>, &[ScalarValue]) -> Result<T>,
    ) -> Result<(T, Vec<PendingChange<'a>>)> {
        let tables = self.tables();
        let mut context = LowerContext::new(self.context.clone(), &tables);
        let mut pending = Vec::new();
        for cte in ctes {
            self.lower_locks(StatementPart::Cte(cte), &mut context, &mut pending)?;
            if let CteBody::Change(change) = &cte.body {
                let rows = late_table(cte, &self.context.catalog);
                let step = lower_change(change, &context, self.parameters)?;
                let (ctes, changes) = (context.outer_ctes.clone(), context.changes.clone());
                let surroundings = Surroundings { ctes, changes };
                pending.push(PendingChange { step, cte: Some(cte.id), surroundings, rows: rows.clone() });
                let source: Arc<dyn TableSource> = provider_as_source(rows);
                context.changes.insert(cte.id, source);
            }
            context.outer_ctes.push(cte.clone());
        }
        self.lower_locks(part, &mut context, &mut pending)?;
        context.outer_ctes.clear();
        Ok((statement(&context, self.parameters)?, pending))
    }

    /// Sub-queries that lock rows run before the statement, which then reads what they have found.
    fn lower_locks(
        &self,
        part: StatementPart<'_>,
        context: &mut LowerContext<'_>,
        pending: &mut Vec<PendingChange<'_>>,
    ) -> Result<()> {
        for query in locking_in_statement(part) {
            if is_correlated(&query) {
                return Err(Error::unsupported("FOR UPDATE in a correlated sub-query"));
            }
            let lowered = {
                let query = select_locked::without_limit(&query);
                lower::lower_query(&query, self.parameters, context)?
            };
            let columns = lowered.plan.schema().fields().iter().take(lowered.columns.len());
            let columns = columns.enumerate().map(|(at, field)| (format!("column_{at}"), field.data_type().clone()));
            let rows = Arc::new(LateTable::new(columns));
            if let Some(key) = lower::lock_key(&query) {
                context.locked.insert(key, provider_as_source(rows.clone()));
            }
            let surroundings = Surroundings::default();
            pending.push(PendingChange { step: Step::Lock(Box::new(query), lowered), cte: None, surroundings, rows });
        }
        Ok(())
    }

    /// Runs the changes of CTEs and then a change; all or nothing.
    pub(super) async fn atomically(&mut self, changes: Vec<PendingChange<'_>>, step: Step<'_>) -> Result<ChangeResult> {
        let (savepoint, deferred) = (self.transaction.mark(), self.transaction.deferred.len());
        let outcome = async {
            self.run_changes(changes).await?;
            let result = self.run_step(step).await?;
            match self.is_part {
                true => self.run_checks_of_part().await?,
                false => self.run_checks().await?,
            }
            Ok(result)
        }
        .await;
        if outcome.is_err() {
            self.undo(savepoint, deferred)?;
        }
        outcome
    }

    /// Undoes a statement, and forgets the checks that it left.
    fn undo(&mut self, savepoint: Mark, deferred: usize) -> Result<()> {
        self.checks.clear();
        self.transaction.deferred.truncate(deferred);
        self.transaction.rollback_to(savepoint)
    }

    async fn run_changes(&mut self, changes: Vec<PendingChange<'_>>) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let savepoint = self.transaction.mark();
        let mut done = Surroundings::default();
        for PendingChange { step, cte, surroundings, rows } in changes {
            self.surroundings = surroundings;
            let outcome = self.run_step(step).await;
            if let Some(cte) = cte {
                let source: Arc<dyn TableSource> = provider_as_source(rows.clone());
                done.changes.insert(cte, source);
            }
            match outcome.and_then(|result| rows.fill(result.returning).map_err(from_datafusion)) {
                Ok(()) => {}
                Err(error) => {
                    self.transaction.rollback_to(savepoint)?;
                    return Err(error);
                }
            }
        }
        self.surroundings = done;
        Ok(())
    }

    async fn run_step(&mut self, step: Step<'_>) -> Result<ChangeResult> {
        match step {
            Step::Change(change, rows) => {
                let rows = match rows {
                    StepRows::Planned(lowered) => ChangeRows::start(lowered, self)?,
                    StepRows::Computed(rows) => rows,
                };
                match change {
                    Change::Insert(insert) => change::insert(insert, rows, self).await,
                    Change::Update(update) => change::update(update, rows, self).await,
                    Change::Delete(delete) => change::delete(delete, rows, self).await,
                    Change::Merge(merge) => super::merge::merge(merge, rows, self).await,
                }
            }
            Step::Lock(query, lowered) => {
                let part = select_locked::part(&query, self).await?;
                let rows = select_locked::start(lowered, part.as_ref(), self).await?.collect().await?;
                Ok(ChangeResult { count: 0, returning: rows })
            }
        }
    }
}

fn late_table(cte: &Cte, catalog: &Catalog) -> Arc<LateTable> {
    let columns = cte.columns.iter().enumerate();
    Arc::new(LateTable::new(columns.map(|(index, column)| (format!("column_{index}"), catalog.arrow_type(column.ty)))))
}

/// The rows that a CTE's change returns are in computed representation, since its readers were planned for that.
fn lower_change<'a>(
    statement: &'a Statement,
    context: &LowerContext<'_>,
    parameters: &[ScalarValue],
) -> Result<Step<'a>> {
    let change = Change::of(statement)?;
    if change.ctes().iter().any(|cte: &Cte| matches!(cte.body, CteBody::Change(_))) {
        return Err(Error::unsupported("a data-modifying WITH inside of another"));
    }
    let lowered = change.lower(parameters, context)?.computed_returning()?;
    Ok(Step::Change(change, StepRows::Planned(lowered)))
}
