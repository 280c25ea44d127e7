//! Bound tree → DataFusion plan. Pure: reads no rows, runs nothing.
//!
//! Every column of a plan has a name of its own (a hint and a number), so that no two parts of a plan can mean each other's columns; output names
//! live beside the plan. Every cast is explicit. An expression's representation is its Arrow type: `numeric` is a Decimal128 where it comes from
//! a stored column and arithmetic on it stays exact, else the bytes of `aegis_catalog::types::numeric`.
//!
//! Lowering happens for each execution, so parameters are constants here; or once for many ([`LowerContext::deferred`]), and then they stay
//! placeholders of their types.

mod aggregate;
mod as_of;
mod as_of_tolerance;
mod build;
mod call;
mod cast;
mod compare;
mod cte;
mod dml;
mod domain;
mod expr;
pub mod free;
mod from;
pub mod inherit;
mod instant;
mod key;
mod last_rows;
mod late;
mod limit;
mod locking;
mod merge;
mod numeric;
mod query;
mod relation;
mod row;
mod sample;
mod select;
mod set_operation;
mod set_returning;
mod subquery;
mod subquery_any;
mod subquery_grouped;
mod subscript;
mod transform;
mod user_aggregate;
mod value;
mod values;
mod window;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use aegis_catalog::image::Catalog;
use aegis_catalog::object::Relation as CatalogRelation;
use aegis_catalog::{Error, Oid, Result, Type};
use arrow::datatypes::DataType;
use datafusion::logical_expr::{LogicalPlan, TableSource};
use datafusion::scalar::ScalarValue;

use crate::bind::tree::{Cte, CteId, OutputColumn, Query, RelId};
use crate::session::context::StatementContext;

pub use build::placeholder;
pub use compare::comparable_rows;
pub use dml::{
    ChangeColumns, Form, LoweredChange, lower_conflict_update, lower_constant, lower_constants, lower_delete,
    lower_insert, lower_over_row, lower_update,
};
pub use last_rows::LastRows;
pub use locking::{LockedTable, lock_key};
pub use merge::lower_merge;

/// What lowering needs besides the tree.
pub struct LowerContext<'a> {
    pub statement: Arc<StatementContext>,
    pub tables: &'a dyn Tables,
    /// Results of data-modifying CTEs, which ran before.
    pub changes: HashMap<CteId, Arc<dyn TableSource>>,
    /// Rows of sub-queries that lock them, by [`lock_key`]; they ran before too.
    pub locked: HashMap<RelId, Arc<dyn TableSource>>,
    /// CTEs of the enclosing statement, in order.
    pub outer_ctes: Vec<Cte>,
    /// Parameters have no values yet.
    pub deferred: bool,
}

impl<'a> LowerContext<'a> {
    /// For a statement no part of which ran before.
    pub fn new(statement: Arc<StatementContext>, tables: &'a dyn Tables) -> Self {
        let (changes, locked) = (HashMap::new(), HashMap::new());
        Self { statement, tables, changes, locked, outer_ctes: Vec::new(), deferred: false }
    }
}

/// Where the rows of relations come from.
pub trait Tables {
    /// The rows of a relation as this statement sees them: its live columns in order of `attnum`, then the system columns of
    /// [`crate::bind::tree::SYSTEM_COLUMNS`], then `aegis_storage::transaction::ADDRESS_COLUMN`.
    fn source(&self, relation: &Arc<CatalogRelation>) -> Result<Arc<dyn TableSource>>;

    /// The row of a relation that has these values (column number, value), if a unique key covers them and they are of its columns' types;
    /// columns as in [`Tables::source`].
    fn keyed(
        &self,
        relation: &Arc<CatalogRelation>,
        values: &[(i16, ScalarValue)],
    ) -> Result<Option<Arc<dyn TableSource>>>;

    /// The rows of a relation, of which only the last ones of series are needed; perhaps others too. None if there are no such.
    fn last_rows(&self, _: &Arc<CatalogRelation>, _: &LastRows) -> Result<Option<Arc<dyn TableSource>>> {
        Ok(None)
    }

    /// Makes a source whose rows are those of `plan`, run once however often it is read.
    fn shared(&self, plan: LogicalPlan) -> Result<Arc<dyn TableSource>>;
}

/// A plan and its visible output.
#[derive(Debug, Clone)]
pub struct LoweredQuery {
    /// Has exactly one column per entry of `columns`, in order; then the addresses of rows to lock.
    pub plan: LogicalPlan,
    pub columns: Vec<OutputColumn>,
    /// Tables whose rows are locked, one per address column (with its column of tables, where there are several).
    pub locked: Vec<LockedTable>,
}

/// Lowers a query. `parameters` are the values of `$1`, `$2`, … in the representation of their types.
pub fn lower_query(query: &Query, parameters: &[ScalarValue], context: &LowerContext<'_>) -> Result<LoweredQuery> {
    let mut lowerer = Lowerer::new(context, parameters);
    lowerer.define_ctes(&context.outer_ctes)?;
    let locked = lowerer.lock(query)?;
    if !context.deferred && locked.is_empty() {
        lowerer.mentioned = Some(free::mentioned(query, &context.outer_ctes));
    }
    let output = lowerer.query(query, None)?;
    let columns: usize = locked.iter().map(|table| 1 + usize::from(table.spread)).sum();
    let addresses = output.columns.len().saturating_sub(columns);
    let addresses = output.columns.iter().skip(addresses);
    let kept = output.columns.iter().take(query.columns.len()).chain(addresses).cloned().collect::<Vec<_>>();
    let plan = build::select_columns(output.plan, &kept)?;
    Ok(LoweredQuery { plan, columns: query.columns.clone(), locked })
}

/// State of lowering one statement.
pub(crate) struct Lowerer<'a> {
    context: &'a LowerContext<'a>,
    parameters: &'a [ScalarValue],
    /// Number of the next column or table.
    next: u32,
    ctes: HashMap<CteId, cte::Definition>,
    /// The domains of the enclosing correlated queries, innermost last.
    domains: Vec<LogicalPlan>,
    /// Values that WHERE demands of columns.
    demanded: HashMap<ColumnRef, ScalarValue>,
    /// Values that it compares columns with otherwise.
    compared: Vec<inherit::Compared>,
    /// Relations of which some rows are enough.
    reduced: HashMap<RelId, LastRows>,
    /// Relations of the statement's own FROM whose rows are locked.
    locked: Vec<locking::Place>,
    /// The same of its sub-queries.
    locked_within: HashMap<RelId, Vec<locking::Place>>,
    /// The columns that the statement mentions, if nothing but these is needed of its tables.
    mentioned: Option<HashSet<ColumnRef>>,
    /// Values of the operands of the enclosing CASE expressions.
    case_operands: Vec<value::Value>,
    /// Values of the domains whose checks are being lowered.
    domain_values: Vec<value::Value>,
    depth: usize,
}

/// Deepest nesting of expressions and queries.
const MAX_DEPTH: usize = 4_000;

impl<'a> Lowerer<'a> {
    pub fn new(context: &'a LowerContext<'a>, parameters: &'a [ScalarValue]) -> Self {
        Self {
            context,
            parameters,
            next: 0,
            ctes: HashMap::new(),
            domains: Vec::new(),
            demanded: HashMap::new(),
            compared: Vec::new(),
            reduced: HashMap::new(),
            locked: Vec::new(),
            locked_within: HashMap::new(),
            mentioned: None,
            case_operands: Vec::new(),
            domain_values: Vec::new(),
            depth: 0,
        }
    }

    /// A name that nothing else in the statement has.
    pub fn name(&mut self, hint: &str) -> String {
        self.next += 1;
        format!("{hint}_{}", self.next)
    }

    pub fn binding(&mut self, hint: &str, data_type: DataType) -> relation::Binding {
        relation::Binding::named(self.name(hint), data_type)
    }

    pub fn statement(&self) -> &Arc<StatementContext> {
        &self.context.statement
    }

    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.context.statement.catalog
    }

    /// The representation of computed values of any type.
    pub fn representation(&self, ty: Type) -> DataType {
        self.catalog().arrow_type(ty)
    }

    /// Null of any type.
    pub fn null(&self, ty: Type) -> Result<value::Value> {
        let data_type = self.representation(ty);
        Ok(value::Value::new(build::null(&data_type)?, ty, data_type))
    }

    /// The type of an array's elements.
    pub fn element_of(&self, array: Type) -> Option<Type> {
        self.catalog().element_of(array.oid).map(|element| self.catalog().erased(Type::new(element, array.typmod)))
    }

    /// Runs `lower` one level deeper; 54001 beyond the limit.
    pub fn deeper<T>(&mut self, lower: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= MAX_DEPTH {
            let message = "stack depth limit exceeded";
            return Err(Error::new(aegis_catalog::sqlstate::STATEMENT_TOO_COMPLEX, message));
        }
        self.depth += 1;
        let result = crate::stack::with_room(|| lower(self));
        self.depth -= 1;
        result
    }
}

/// A column of the bound tree.
pub(crate) type ColumnRef = (RelId, usize);

/// OIDs of relations whose functions or rows lowering treats by name.
pub(crate) fn is_numeric(oid: Oid) -> bool {
    oid == aegis_catalog::types::oid::NUMERIC
}
