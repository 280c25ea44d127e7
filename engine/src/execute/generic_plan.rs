//! Generic plans: a prepared statement over one row, compiled once and run with whatever its parameters are (PostgreSQL manual,
//! "PREPARE", Notes). INSERT of VALUES, UPDATE and DELETE of the row that a unique key names, and SELECT of such a row or of none.
//!
//! [`GenericPlan::new`] is pure. What the parameters' values are, and what else may differ from one execution to the next (the time, the
//! time zone), comes in at [`GenericPlan::rows`]; the changes themselves are those of the general way (`change.rs`). Whatever has no
//! generic plan, and values that do not fit the key's type, take the general way too.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use aegis_catalog::object::{Relation, RelationKind};
use aegis_catalog::{Catalog, Error, Result, Type};
use aegis_storage::transaction::RowAddress;
use aegis_storage::{IndexSchema, TableSchema};
use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::datatypes::DataType;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{LogicalPlan, TableSource};
use datafusion::scalar::ScalarValue;
use tokio_util::sync::CancellationToken;

use super::change::ChangeRows;
use super::direct::{is_plain, is_quick};
use super::error::from_datafusion;
use super::point::{Given, equalities};
use super::program::Program;
use super::provider::{KeyedTable, key_batch, layout};
use super::scan::Source;
use super::statement::Execution;
use super::stream::RowStream;
use crate::bind::late;
use crate::bind::tree::{self, BoundStatement, Expr, ExprKind, From, RelId, Statement};
use crate::lower::inherit::is_spread;
use crate::lower::{self, ChangeColumns, LowerContext, Tables};
use crate::session::context::StatementContext;
use crate::session::tables::Tables as RowTables;

/// A statement that needs no planning any more.
pub struct GenericPlan {
    program: Program,
    /// Representations of the parameters: the client's, then one for each of `late`.
    parameters: Vec<DataType>,
    /// What is computed anew for each execution.
    late: Vec<Expr>,
    row: Option<KeyedRow>,
    /// What the rows consist of if they are those of a change.
    columns: Option<ChangeColumns>,
    /// It surely takes no more than microseconds.
    pub quick: bool,
}

/// The row that the statement reads.
struct KeyedRow {
    table: Arc<Relation>,
    storage: u64,
    /// The plan holds for this schema.
    schema: Arc<TableSchema>,
    index: IndexSchema,
    key: Vec<(i16, Given)>,
    /// Positions in the schema that are read.
    stored: Vec<usize>,
    /// The columns that the program uses: places among those read; None is the row's address.
    columns: Vec<Option<usize>>,
}

impl GenericPlan {
    /// None if the statement is of another kind.
    pub fn new(tree: &BoundStatement, context: &StatementContext, tables: &RowTables) -> Option<Self> {
        Self::compiled(tree, context, tables, false)
    }

    /// Of a query that reads nothing; it may take its time.
    pub fn of_expression(tree: &BoundStatement, context: &StatementContext, tables: &RowTables) -> Option<Self> {
        let Statement::Query(query) = &tree.statement else { return None };
        query.plain_select().filter(|select| select.from.is_none())?;
        Self::compiled(tree, context, tables, true)
    }

    fn compiled(
        tree: &BoundStatement,
        context: &StatementContext,
        tables: &RowTables,
        may_be_slow: bool,
    ) -> Option<Self> {
        let mut statement = tree.statement.clone();
        if !is_candidate(&statement, &context.catalog) {
            return None;
        }
        let client = u32::try_from(tree.parameters.len()).ok()?;
        let late = late::take_out(&mut statement, client)?;
        let types = tree.parameters.iter().map(|oid| Type::of(*oid)).chain(late.iter().map(|expr| expr.ty));
        let parameters: Vec<DataType> = types.map(|ty| context.catalog.arrow_type(ty)).collect();
        let read = read_row(&mut statement, tables);
        // Nothing of the session may be kept: what a kernel sees of it must not matter.
        let detached = StatementContext { cancel: CancellationToken::new(), ..context.clone() };
        let template = Template { table: read.as_ref().map(|(row, _)| row) };
        let context = LowerContext { deferred: true, ..LowerContext::new(Arc::new(detached), &template) };
        let (plan, columns) = lower(&statement, &context).ok()?;
        if !is_plain(&plan) {
            return None;
        }
        let quick = is_quick(&plan);
        if !quick && !may_be_slow {
            return None;
        }
        let program = Program::compile(&plan, &parameters).ok()?;
        let row = match (read, program.reads()) {
            (Some((row, sources)), true) => Some(row.reading(&program.used, &sources)?),
            (None, true) => return None,
            (_, false) => None,
        };
        Some(Self { program, parameters, late, row, columns, quick })
    }

    /// The statement's rows with the execution's parameters. None if they must take the general way.
    pub fn rows(&self, execution: &Execution<'_>) -> Result<Option<RecordBatch>> {
        let Some(parameters) = self.values(execution) else { return Ok(None) };
        let given = match &self.row {
            None => (Vec::new(), 0),
            Some(row) => match row.read(&parameters, execution)? {
                Some(read) => read,
                None => return Ok(None),
            },
        };
        self.program.run(&parameters, given).map(Some).map_err(from_datafusion)
    }

    /// As [`GenericPlan::rows`], of a change.
    pub fn change(&self, execution: &Execution<'_>) -> Result<Option<ChangeRows>> {
        let Some(columns) = &self.columns else { return Ok(None) };
        let rows = self.rows(execution)?;
        Ok(rows.map(|rows| ChangeRows { columns: columns.clone(), rows: RowStream::ready(vec![rows]) }))
    }

    /// Values of all parameters in their representations.
    fn values<'v>(&self, execution: &Execution<'v>) -> Option<Cow<'v, [ScalarValue]>> {
        let given = execution.parameters;
        let fits = |(value, data_type): (&ScalarValue, &DataType)| value.data_type() == *data_type;
        if given.len() == self.parameters.len() && given.iter().zip(&self.parameters).all(fits) {
            return Some(Cow::Borrowed(given));
        }
        let mut values = Vec::with_capacity(self.parameters.len());
        values.extend_from_slice(execution.parameters);
        for expr in &self.late {
            let tables = execution.tables();
            let context = LowerContext::new(execution.context.clone(), &tables);
            // An error shows only if the value is needed, which the general way finds out.
            values.push(lower::lower_constant(expr, execution.parameters, &context).ok()??);
        }
        for (value, data_type) in values.iter_mut().zip(&self.parameters) {
            if value.data_type() != *data_type {
                *value = value.is_null().then(|| ScalarValue::try_from(data_type).ok()).flatten()?;
            }
        }
        (values.len() == self.parameters.len()).then_some(Cow::Owned(values))
    }
}

impl KeyedRow {
    /// As the columns of the table's scans at `used` demand. None if that takes more than the store has.
    fn reading(mut self, used: &[usize], sources: &[Source]) -> Option<Self> {
        for place in used {
            self.columns.push(match sources.get(*place)? {
                Source::Stored(position) => {
                    self.stored.push(*position);
                    Some(self.stored.len() - 1)
                }
                Source::Address => None,
                Source::TableOid(_) | Source::TupleId | Source::Constant(_) => return None,
            });
        }
        Some(self)
    }

    /// The columns of the row, if there is one. None if the values cannot be looked up.
    fn read(&self, parameters: &[ScalarValue], execution: &Execution<'_>) -> Result<Option<(Vec<ArrayRef>, usize)>> {
        let rows = &execution.transaction;
        let schema = rows.table_schema(self.storage).map_err(Error::from)?;
        if !Arc::ptr_eq(&schema, &self.schema) && schema != self.schema {
            return Ok(None);
        }
        let values = self.key.iter().map(|(column, given)| Some((*column, given.value(parameters)?.clone())));
        let Some(values) = values.collect::<Option<Vec<_>>>() else { return Ok(None) };
        let Some(key) = key_batch(&self.schema, &self.index, &self.table, &values)? else { return Ok(None) };
        let found = rows.lookup(self.storage, self.index.id, &key).map_err(Error::from)?;
        let addresses: Vec<RowAddress> = found.into_iter().flatten().collect();
        let stored = rows.fetch(self.storage, &addresses, &self.stored).map_err(Error::from)?;
        let count = addresses.len();
        execution.context.services.counters(self.index.id).looked_up(count as u64);
        let address: ArrayRef = Arc::new(UInt64Array::from(addresses));
        let columns = self.columns.iter().map(|place| match place {
            Some(place) => stored.columns().get(*place).cloned(),
            None => Some(Arc::clone(&address)),
        });
        let columns = columns.collect::<Option<Vec<_>>>();
        let columns = columns.ok_or_else(|| Error::internal("a row was read with too few columns"))?;
        Ok(Some((columns, count)))
    }
}

/// Statements that may have a generic plan, by their clauses.
pub fn is_candidate(statement: &Statement, catalog: &Catalog) -> bool {
    let is_stored = |table: &Relation| matches!(table.kind, RelationKind::Table(_)) && !is_spread(table, catalog);
    let from = |select: &tree::Select| match &select.from {
        None => true,
        Some(From::Table { relation, sample: None, .. }) => is_stored(relation) && select.filter.is_some(),
        Some(_) => false,
    };
    match statement {
        Statement::Query(query) => query.plain_select().is_some_and(from),
        Statement::Insert(insert) => {
            let source = &insert.source;
            let plain = match &source.body {
                tree::SetExpr::Values(_) => {
                    source.order_by.is_empty() && source.limit.is_none() && source.offset.is_none()
                }
                _ => source.plain_select().is_some_and(|select| select.from.is_none()),
            };
            insert.ctes.is_empty() && source.ctes.is_empty() && plain && insert.table.table().is_some()
        }
        Statement::Update(update) => {
            update.ctes.is_empty() && update.from.is_none() && update.filter.is_some() && is_stored(&update.table)
        }
        Statement::Merge(_) => false,
        Statement::Delete(delete) => {
            delete.ctes.is_empty() && delete.using.is_none() && delete.filter.is_some() && is_stored(&delete.table)
        }
    }
}

fn lower(statement: &Statement, context: &LowerContext<'_>) -> Result<(LogicalPlan, Option<ChangeColumns>)> {
    let change = match statement {
        Statement::Query(query) => return Ok((lower::lower_query(query, &[], context)?.plan, None)),
        Statement::Insert(insert) => lower::lower_insert(insert, &[], context)?,
        Statement::Update(update) => lower::lower_update(update, &[], context)?,
        Statement::Delete(delete) => lower::lower_delete(delete, &[], context)?,
        Statement::Merge(merge) => lower::lower_merge(merge, &[], context)?,
    };
    Ok((change.plan, Some(change.columns)))
}

/// The row that a statement's condition names by a unique key, and what the columns of its table's scans are made from. What the key says
/// is taken out of the condition.
fn read_row(statement: &mut Statement, tables: &RowTables) -> Option<(KeyedRow, Vec<Source>)> {
    let (relation, rel, filter): (&Arc<Relation>, RelId, &mut Option<Expr>) = match statement {
        Statement::Query(query) => {
            let tree::SetExpr::Select(select) = &mut query.body else { return None };
            let Some(From::Table { relation, rel, .. }) = &select.from else { return None };
            (relation, *rel, &mut select.filter)
        }
        Statement::Insert(_) | Statement::Merge(_) => return None,
        Statement::Update(update) => (&update.table, update.rel, &mut update.filter),
        Statement::Delete(delete) => (&delete.table, delete.rel, &mut delete.filter),
    };
    let storage = relation.table()?.storage;
    let schema = tables.table_schema(storage).ok()?;
    let (_, sources) = layout(relation, &schema).ok()?;
    let mut fixed: HashMap<i16, (usize, Given)> = HashMap::new();
    for (place, equality) in equalities(filter.as_ref()?, rel, relation).enumerate() {
        if let Some((column, given)) = equality {
            fixed.entry(column).or_insert((place, given));
        }
    }
    let column = |id: &u32| i16::try_from(*id).ok();
    let covered = |index: &&IndexSchema| {
        index.columns.iter().all(|id| column(id).is_some_and(|column| fixed.contains_key(&column)))
    };
    let index = schema.indexes.iter().filter(|index| index.is_immediate()).find(covered)?.clone();
    let (mut key, mut said) = (Vec::new(), Vec::new());
    for id in &index.columns {
        let (column, (place, given)) = fixed.remove_entry(&column(id)?)?;
        key.push((column, given));
        said.push(place);
    }
    *filter = without(filter.take()?, &said);
    let table = Arc::clone(relation);
    Some((KeyedRow { table, storage, schema, index, key, stored: Vec::new(), columns: Vec::new() }, sources))
}

/// A condition without those of its conjuncts.
fn without(condition: Expr, conjuncts: &[usize]) -> Option<Expr> {
    let (ty, span) = (condition.ty, condition.span);
    let all = match condition.kind {
        ExprKind::And(all) => all,
        kind => vec![Expr { kind, ty, span }],
    };
    let rest = all.into_iter().enumerate().filter(|(place, _)| !conjuncts.contains(place));
    let rest: Vec<Expr> = rest.map(|(_, conjunct)| conjunct).collect();
    (!rest.is_empty()).then_some(Expr { kind: ExprKind::And(rest), ty, span })
}

/// Tables as they are while nothing has been read: the one whose row is read.
struct Template<'a> {
    table: Option<&'a KeyedRow>,
}

impl Tables for Template<'_> {
    fn source(&self, relation: &Arc<Relation>) -> Result<Arc<dyn TableSource>> {
        let row = self.table.filter(|row| row.table.oid == relation.oid);
        let row = row.ok_or_else(|| Error::internal("a generic plan reads one row"))?;
        let (schema, _) = layout(relation, &row.schema)?;
        Ok(provider_as_source(Arc::new(KeyedTable::new(RecordBatch::new_empty(schema)))))
    }

    fn keyed(&self, _: &Arc<Relation>, _: &[(i16, ScalarValue)]) -> Result<Option<Arc<dyn TableSource>>> {
        Ok(None)
    }

    fn shared(&self, _: LogicalPlan) -> Result<Arc<dyn TableSource>> {
        Err(Error::internal("a generic plan shares nothing"))
    }
}
