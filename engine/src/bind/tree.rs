//! The bound tree: a statement in PostgreSQL's terms with every name, type, operator, function, cast and parameter decided.
//! What `bind` makes and `lower` turns into a DataFusion plan.
//!
//! Columns are identified by ([`RelId`], position) alone. Not only FROM items have a `RelId`: the output of grouping, of window
//! functions and of set-returning functions of a SELECT has one each, so that every expression above them is plain column
//! references. A column whose `RelId` is not produced inside the query that mentions it is an outer (correlated) reference.
//!
//! A SELECT is evaluated in this order: `from` → `filter` → `grouping` → `having` → `windows` → `set_functions` → `targets` →
//! `distinct` → ORDER BY → OFFSET/LIMIT.

use std::sync::Arc;

use aegis_catalog::object::Relation;
use aegis_catalog::{Oid, Type};
use datafusion::scalar::ScalarValue;

use crate::collation::{Collation, Operation};
use crate::functions::Function;
use crate::parse::ast::{FrameExclude, FrameUnit, JoinKind, LockStrength, LockWait, SetOperator, Span};

/// Identity of a set of columns, unique within a statement (sub-queries and CTEs included).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelId(pub u32);

/// Identity of a CTE, unique within a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CteId(pub u32);

// ---------------------------------------------------------------------------------------------- expressions

#[derive(Debug, Clone)]
pub struct Expr {
    pub kind: ExprKind,
    pub ty: Type,
    /// Where it stands in the statement's text; what run-time errors point at.
    pub span: Span,
}

impl Expr {
    /// Without the keys that collations put around it: as it stands in the statement.
    pub fn written(&self) -> &Self {
        match &self.kind {
            ExprKind::Collated {
                arg, operation: Operation::Key | Operation::ReversibleKey | Operation::Text, ..
            } => arg.written(),
            _ => self,
        }
    }
}

/// Two expressions are equal if they compute the same, wherever they stand: GROUP BY, ORDER BY and DISTINCT match by this.
impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.ty == other.ty && self.kind == other.kind
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// A value in the Arrow representation of `ty` (numeric always in its BinaryView form).
    Constant(ScalarValue),
    /// `$n`, one-based; `ty` is its inferred type.
    Parameter(u32),
    Column {
        rel: RelId,
        column: usize,
    },
    /// A scalar function, or the function behind an operator.
    Call {
        function: Arc<Function>,
        args: Vec<Expr>,
        form: CallForm,
        variadic: bool,
    },
    Cast {
        arg: Box<Expr>,
        method: CastMethod,
        implicit: bool,
    },
    /// What the collation of `arg` is meant to be. [`ExprKind::Collated`] is what follows from it.
    Collate {
        arg: Box<Expr>,
        collation: Oid,
    },
    /// What a locale makes of a text: written into a tree where its comparisons need a key instead of the text itself.
    Collated {
        arg: Box<Expr>,
        operation: Operation,
        collation: Arc<Collation>,
    },
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    IsNull {
        arg: Box<Expr>,
        negated: bool,
    },
    /// `IS [NOT] TRUE | FALSE | UNKNOWN`: true if `arg` is (not) `value`; None is UNKNOWN.
    IsBoolean {
        arg: Box<Expr>,
        value: Option<bool>,
        negated: bool,
    },
    /// `equal` is the equality function of the type.
    IsDistinct {
        equal: Arc<Function>,
        left: Box<Expr>,
        right: Box<Expr>,
        negated: bool,
    },
    /// Searched CASE; the form with an operand is bound to `operand = value` conditions over [`ExprKind::CaseOperand`].
    Case {
        operand: Option<Box<Expr>>,
        branches: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    /// The value of the innermost enclosing CASE's operand.
    CaseOperand,
    /// `VALUE` in a check of a domain.
    DomainValue,
    Coalesce(Vec<Expr>),
    /// GREATEST or LEAST; `less` is the type's `<` function.
    Extreme {
        args: Vec<Expr>,
        greatest: bool,
        less: Arc<Function>,
    },
    NullIf {
        equal: Arc<Function>,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `ARRAY[…]`; elements are values, or arrays when `nested`.
    Array {
        elements: Vec<Expr>,
        nested: bool,
    },
    Row(Vec<Expr>),
    /// The row of a sub-query, CTE or function named as a whole; its fields have the names of the columns.
    NamedRow {
        names: Arc<[String]>,
        fields: Vec<Expr>,
    },
    /// The row of an item that an outer join may leave out: null where it did. `present` is a column of
    /// [`JoinForm::present`].
    NullExtended {
        row: Box<Expr>,
        present: Box<Expr>,
    },
    /// Row comparison `(a, b) op (c, d)`, PostgreSQL's lexicographic rule; one operator function per column pair (for `<` etc. the
    /// strict operator; `equal` decides whether to go on to the next pair).
    RowCompare {
        op: RowOperator,
        equal: Vec<Arc<Function>>,
        less: Vec<Arc<Function>>,
        left: Vec<Expr>,
        right: Vec<Expr>,
    },
    Field {
        arg: Box<Expr>,
        index: usize,
    },
    Subscript {
        arg: Box<Expr>,
        subscripts: Vec<Subscript>,
    },
    /// The row `arg` with another value in one field; a null row has only null fields.
    FieldStore {
        arg: Box<Expr>,
        index: usize,
        value: Box<Expr>,
    },
    /// The array `arg` with another element, or with the elements of `value` in a slice.
    SubscriptStore {
        arg: Box<Expr>,
        subscripts: Vec<Subscript>,
        value: Box<Expr>,
    },
    /// `left op ANY/ALL (array)`: `function` compares `left` with one element.
    QuantifiedArray {
        function: Arc<Function>,
        operator: String,
        left: Box<Expr>,
        array: Box<Expr>,
        all: bool,
    },
    /// `left IN (e1, e2, …)`, `left = ANY (ARRAY[e1, e2, …])`: the elements have one type.
    InList {
        equal: Arc<Function>,
        left: Box<Expr>,
        list: Vec<Expr>,
        negated: bool,
    },
    Subquery(Box<Subquery>),
    /// `GROUPING(…)`: positions in the grouping keys; int4.
    Grouping {
        rel: RelId,
        keys: Vec<usize>,
    },
    /// `nextval` etc. are calls; this is the DEFAULT marker replaced before lowering, never seen there.
    Default,
}

/// How a call is written.
#[derive(Debug, Clone)]
pub enum CallForm {
    Function,
    /// A call that leaves out arguments or names them: parameter and name of each argument that is written.
    Arguments(Vec<(usize, Option<String>)>),
    /// Infix or prefix, by the operator's name.
    Operator(String),
    /// The function's own syntax: `EXTRACT(f FROM x)`, `x AT TIME ZONE z` …
    Syntax,
    /// `left[right]`.
    Subscript,
    /// A word for it: `CURRENT_TIMESTAMP(3)`, `SESSION_USER`. The cast that may stand around it belongs to it.
    Keyword(String),
}

/// Calls of one function compute the same, however they are written.
impl PartialEq for CallForm {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowOperator {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

/// How a cast works (`pg_cast.castmethod`, manual section on `CREATE CAST`).
#[derive(Debug, Clone, PartialEq)]
pub enum CastMethod {
    /// Same representation: only the type's name changes.
    Relabel,
    Function(Arc<Function>),
    /// Text output of one type, text input of the other.
    InputOutput,
    /// Element by element.
    Array(Box<CastMethod>),
    /// Field by field.
    Row(Vec<CastMethod>),
    /// The same value, which must meet the constraints of the domain that this type is, or of those that are parts of it.
    Verify(Type),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Subscript {
    Index(Expr),
    Slice { lower: Option<Expr>, upper: Option<Expr> },
}

#[derive(Debug, Clone, PartialEq)]
pub struct Subquery {
    pub kind: SubqueryKind,
    pub query: Query,
}

#[derive(Debug, Clone, PartialEq)]
pub enum SubqueryKind {
    Exists,
    /// One column; null if no row, 21000 if several.
    Scalar,
    /// Several columns as a row (`(a, b) = (SELECT …)`); type record.
    Row,
    /// `left op ANY (query)`, `IN`; the comparison is an expression over the sub-query's columns, which it names as
    /// `Column { rel: output, … }`.
    Any {
        output: RelId,
        condition: Box<Expr>,
    },
    /// `left op ALL (query)`, `NOT IN` as `<> ALL`.
    All {
        output: RelId,
        condition: Box<Expr>,
    },
    /// `ARRAY(SELECT …)`.
    Array,
}

/// A use of an aggregate in a SELECT with grouping.
#[derive(Debug, Clone, PartialEq)]
pub struct AggregateCall {
    pub function: Arc<Function>,
    /// Direct arguments of ordered-set aggregates come first.
    pub args: Vec<Expr>,
    pub direct_args: usize,
    pub distinct: bool,
    pub order_by: Vec<OrderKey>,
    pub within_group: bool,
    pub filter: Option<Expr>,
    pub ty: Type,
}

#[derive(Debug, Clone, PartialEq)]
pub struct WindowCall {
    pub function: Arc<Function>,
    /// The window of the WINDOW clause that OVER names.
    pub window: Option<String>,
    /// What the window's definition begins with: another one's name, and whether an order of its own follows.
    pub base: Option<(String, bool)>,
    pub args: Vec<Expr>,
    pub filter: Option<Expr>,
    pub partition_by: Vec<Expr>,
    pub order_by: Vec<OrderKey>,
    pub frame: Frame,
    pub ty: Type,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    pub unit: FrameUnit,
    pub start: FrameBound,
    pub end: FrameBound,
    pub exclude: FrameExclude,
    pub form: FrameForm,
}

/// How much of a frame is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameForm {
    /// Nothing: the default.
    Absent,
    /// Its start.
    Start,
    Between,
}

#[derive(Debug, Clone, PartialEq)]
pub enum FrameBound {
    UnboundedPreceding,
    Preceding(Expr),
    CurrentRow,
    Following(Expr),
    UnboundedFollowing,
}

#[derive(Debug, Clone, PartialEq)]
pub struct OrderKey {
    pub expr: Expr,
    pub descending: bool,
    pub nulls_first: bool,
}

/// A call of a set-returning function.
#[derive(Debug, Clone, PartialEq)]
pub struct SetCall {
    pub function: Arc<Function>,
    pub args: Vec<Expr>,
    pub variadic: bool,
    /// Columns of a result row (one for a scalar-returning function).
    pub columns: Vec<OutputColumn>,
}

// ---------------------------------------------------------------------------------------------- queries

#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    pub ctes: Vec<Cte>,
    pub body: SetExpr,
    /// Refers to positions of the body's output, which may have hidden columns after the visible ones.
    pub order_by: Vec<SortKey>,
    /// int8 expressions; null means none.
    pub limit: Option<Expr>,
    pub with_ties: bool,
    pub offset: Option<Expr>,
    /// Visible output. The body may produce more (sort keys, DISTINCT ON keys); they follow these.
    pub columns: Vec<OutputColumn>,
    pub locking: Vec<Locking>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct OutputColumn {
    pub name: String,
    pub ty: Type,
    /// Table and attnum when the column is a plain table column (RowDescription sends them).
    pub origin: Option<(Oid, i16)>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct SortKey {
    pub position: usize,
    /// The locale whose order this is; none for that of the type.
    pub collation: Option<Arc<Collation>>,
    pub descending: bool,
    pub nulls_first: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Locking {
    pub rels: Vec<RelId>,
    pub strength: LockStrength,
    pub wait: LockWait,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Cte {
    pub id: CteId,
    pub name: String,
    pub columns: Vec<OutputColumn>,
    /// Has a column list.
    pub renamed: bool,
    pub body: CteBody,
    /// How often it is referred to; a CTE used once (or NOT MATERIALIZED) without side effects may be inlined.
    pub references: usize,
    pub materialized: Option<bool>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum CteBody {
    Query(Query),
    /// `seed UNION [ALL] step`; `step` refers to the CTE itself by `From::Cte`.
    Recursive {
        seed: Query,
        step: Query,
        all: bool,
    },
    /// INSERT/UPDATE/DELETE … RETURNING.
    Change(Box<Statement>),
    /// Rows that whoever runs the statement hands in (COPY FROM).
    Given,
}

#[derive(Debug, Clone, PartialEq)]
pub enum SetExpr {
    Select(Box<Select>),
    /// Rows of equal width whose columns have equal types.
    Values(Vec<Vec<Expr>>),
    /// Two sides, or as many as UNION ALL puts one behind the other. All have the result's types already.
    Operation {
        op: SetOperator,
        all: bool,
        legs: Vec<Query>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub struct Select {
    /// None is one row without columns. Several items are cross joins (lateral references may look left).
    pub from: Option<From>,
    pub filter: Option<Expr>,
    pub grouping: Option<Grouping>,
    pub having: Option<Expr>,
    pub windows: Option<Windows>,
    pub set_functions: Option<SetFunctions>,
    /// Visible targets, then hidden ones that only ORDER BY or DISTINCT ON use.
    pub targets: Vec<Expr>,
    pub distinct: Distinct,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Distinct {
    None,
    /// Over the visible targets.
    All,
    /// Positions of targets; the first row of each group in ORDER BY's order stays.
    On(Vec<usize>),
}

/// Output columns of `rel`: the keys in order, then the aggregates in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Grouping {
    pub rel: RelId,
    pub keys: Vec<Expr>,
    /// Sets of key positions; None is one set of all keys. An empty `keys` without sets is one group even of no rows.
    pub sets: Option<Vec<Vec<usize>>>,
    pub aggregates: Vec<AggregateCall>,
    /// What `sets` were written as; empty without sets.
    pub elements: Vec<GroupingElement>,
    /// GROUP BY DISTINCT.
    pub distinct: bool,
    /// Keys of the GROUP BY clause; those behind them depend on them.
    pub written: usize,
}

/// An element of GROUP BY, over the positions of the keys.
#[derive(Debug, Clone, PartialEq)]
pub enum GroupingElement {
    Keys(Vec<usize>),
    Rollup(Vec<Vec<usize>>),
    Cube(Vec<Vec<usize>>),
    Sets(Vec<GroupingElement>),
}

/// Output columns of `rel`: one per call.
#[derive(Debug, Clone, PartialEq)]
pub struct Windows {
    pub rel: RelId,
    pub calls: Vec<WindowCall>,
}

/// Set-returning functions of the target list, run in lock step, the shorter ones padded with nulls. Output columns of `rel`: one per
/// call (a record for functions with several columns). Arguments of a call may use results of earlier calls (nesting: `level`).
#[derive(Debug, Clone, PartialEq)]
pub struct SetFunctions {
    pub rel: RelId,
    /// Calls of one level run in lock step; a level starts after the one before it.
    pub calls: Vec<(usize, SetCall)>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum From {
    /// A stored table or a computed system relation (`RelationKind::System`). Columns of `rel`: all attributes by position in
    /// `relation.columns` (dropped ones included, never referred to); system columns follow at `SYSTEM_COLUMNS`.
    Table {
        rel: RelId,
        relation: Arc<Relation>,
        /// Without what inherits from it.
        only: bool,
        alias: Option<Alias>,
        sample: Option<Box<Sample>>,
    },
    /// Also views (`view` is the view's OID) and VALUES. Without alias and view it is the binder's own work.
    Subquery {
        rel: RelId,
        query: Box<Query>,
        lateral: bool,
        view: Option<Oid>,
        alias: Option<Alias>,
    },
    /// Columns of `rel`: those of each call in turn, then the ordinality (int8).
    Function {
        rel: RelId,
        calls: Vec<SetCall>,
        ordinality: bool,
        lateral: bool,
        alias: Alias,
    },
    Cte {
        rel: RelId,
        cte: CteId,
        columns: Vec<OutputColumn>,
        alias: Option<Alias>,
    },
    /// `condition` None is TRUE. A lateral right side may refer to the left.
    Join {
        kind: JoinKind,
        left: Box<From>,
        right: Box<From>,
        condition: Option<Expr>,
        form: Box<JoinForm>,
    },
}

/// TABLESAMPLE.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub method: SampleMethod,
    /// float4.
    pub percentage: Expr,
    /// REPEATABLE; float8.
    pub seed: Option<Expr>,
}

impl Sample {
    pub fn exprs_mut(&mut self) -> impl Iterator<Item = &mut Expr> {
        std::iter::once(&mut self.percentage).chain(&mut self.seed)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleMethod {
    Bernoulli,
    System,
}

/// The name of a FROM item and of its first columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Alias {
    pub name: String,
    pub columns: Vec<String>,
}

/// What of a join's writing the rest of the tree does not tell.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JoinForm {
    /// Items of a FROM list.
    pub listed: bool,
    pub using: Vec<MergedColumn>,
    pub using_alias: Option<String>,
    /// `(a JOIN b …) AS alias`.
    pub alias: Option<Alias>,
    /// What the columns of a join with an alias stand for.
    pub columns: Vec<(String, Expr)>,
    pub present: Presence,
    /// ASOF: to each row on the left the nearest one on the right, by the condition's first `<`, `<=`, `>` or `>=`.
    pub as_of: Option<AsOf>,
}

/// How an ASOF join is written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AsOf {
    /// MATCH_CONDITION beside USING.
    pub matching: Option<Expr>,
}

/// For a side of an outer join that may be left out: the relation whose one column is true in its rows, if it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Presence {
    pub left: Option<RelId>,
    pub right: Option<RelId>,
}

/// A column of USING or NATURAL.
#[derive(Debug, Clone, PartialEq)]
pub struct MergedColumn {
    pub name: String,
    pub left: Expr,
    pub right: Expr,
    pub merged: Expr,
}

/// Column positions of the system columns of a table, counted from `relation.columns.len()`.
pub const SYSTEM_COLUMNS: [(&str, Oid); 6] = [
    ("tableoid", aegis_catalog::types::oid::OID),
    ("ctid", aegis_catalog::types::oid::TID),
    ("xmin", aegis_catalog::types::oid::XID),
    ("cmin", aegis_catalog::types::oid::CID),
    ("xmax", aegis_catalog::types::oid::XID),
    ("cmax", aegis_catalog::types::oid::CID),
];

// ---------------------------------------------------------------------------------------------- statements

/// A bound statement with what a client may ask about it before it runs.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundStatement {
    pub statement: Statement,
    /// Type OID of `$1`, `$2`, …
    pub parameters: Vec<Oid>,
    /// Columns of the result rows; None if the statement returns none.
    pub columns: Option<Vec<OutputColumn>>,
    /// Relations whose change makes this tree stale.
    pub relations: Vec<Oid>,
    /// Those of them whose rows are read or changed; the others are only named by constants.
    pub read: Vec<Oid>,
    /// Functions made by users that are called.
    pub routines: Vec<Oid>,
    /// Collation of each column of the result, 0 where it can't be told; empty if all have those of their types.
    pub collations: Vec<Oid>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    Query(Query),
    Insert(Insert),
    Update(Update),
    Delete(Delete),
    Merge(Merge),
}

/// MERGE: each row of the source with the rows of the target that match it, or none, takes the first action that is for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Merge {
    pub ctes: Vec<Cte>,
    pub table: Arc<Relation>,
    /// The old row.
    pub rel: RelId,
    pub source: From,
    pub condition: Expr,
    pub actions: Vec<MergeAction>,
    /// The new row, for `row_rules`.
    pub new_rel: RelId,
    pub row_rules: RowRules,
    /// Its one column is the number of a row's action.
    pub action_rel: RelId,
}

#[derive(Debug, Clone, PartialEq)]
pub struct MergeAction {
    pub matched: bool,
    pub condition: Option<Expr>,
    pub kind: MergeKind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum MergeKind {
    /// New values over `rel` and the source.
    Update(Vec<(i16, Expr)>),
    /// One value per live column, over the source.
    Insert(Vec<(i16, Expr)>),
    Delete,
    Nothing,
}

impl Merge {
    /// Every expression of the conditions and actions.
    pub fn exprs(&self) -> impl Iterator<Item = &Expr> {
        let actions = self.actions.iter().flat_map(|action| action.condition.iter().chain(action.values()));
        std::iter::once(&self.condition).chain(actions)
    }
}

impl MergeAction {
    fn values(&self) -> impl Iterator<Item = &Expr> {
        let values: &[(i16, Expr)] = match &self.kind {
            MergeKind::Update(values) | MergeKind::Insert(values) => values,
            MergeKind::Delete | MergeKind::Nothing => &[],
        };
        values.iter().map(|(_, value)| value)
    }

    pub fn exprs_mut(&mut self) -> impl Iterator<Item = &mut Expr> {
        let values: &mut [(i16, Expr)] = match &mut self.kind {
            MergeKind::Update(values) | MergeKind::Insert(values) => values,
            MergeKind::Delete | MergeKind::Nothing => &mut [],
        };
        self.condition.iter_mut().chain(values.iter_mut().map(|(_, value)| value))
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Insert {
    pub ctes: Vec<Cte>,
    pub table: Arc<Relation>,
    /// The new row, for checks, generated columns and RETURNING: columns as in `From::Table`.
    pub rel: RelId,
    pub source: Query,
    pub source_rel: RelId,
    /// One per live column of the table, over `source_rel`: the inserted value, the default, or null; assignment casts done.
    /// (attnum, value).
    pub values: Vec<(i16, Expr)>,
    pub row_rules: RowRules,
    pub on_conflict: Option<OnConflict>,
    pub returning: Option<Returning>,
    pub through: Option<Box<Through>>,
}

/// What every new row of a table must pass, as expressions over the statement's `rel`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RowRules {
    /// Stored generated columns, computed after all others.
    pub generated: Vec<(i16, Expr)>,
    /// Conditions that must hold.
    pub checks: Vec<(RowCheck, Expr)>,
}

/// Whose condition it is that a new row must meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowCheck {
    /// A constraint's; null passes.
    Constraint(String),
    /// A view's, by WITH CHECK OPTION; null fails.
    View(String),
}

/// The views through which a statement changes a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Through {
    /// The one that the statement names first.
    pub views: Vec<ThroughView>,
    /// One of them is a security barrier.
    pub barrier: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ThroughView {
    pub view: Oid,
    /// Columns of the table and what numbers they have in the view.
    pub columns: Vec<(i16, i16)>,
    /// What is under it is used in the name of who uses it (`security_invoker`).
    pub invoker: bool,
    /// How many conditions of the statement's are its own. They come first, those of the innermost view before all others.
    pub conditions: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub struct OnConflict {
    /// Unique indexes that arbitrate (OIDs); empty means any.
    pub arbiters: Vec<Oid>,
    pub update: Option<ConflictUpdate>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ConflictUpdate {
    /// The existing row; `excluded` is the row proposed for insertion.
    pub existing: RelId,
    pub excluded: RelId,
    pub set: Vec<(i16, Expr)>,
    pub filter: Option<Expr>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Returning {
    pub targets: Vec<Expr>,
    pub columns: Vec<OutputColumn>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    pub ctes: Vec<Cte>,
    pub table: Arc<Relation>,
    /// Without what inherits from it.
    pub only: bool,
    /// The old row.
    pub rel: RelId,
    pub from: Option<From>,
    pub filter: Option<Expr>,
    /// New values over `rel` and `from`.
    pub set: Vec<(i16, Expr)>,
    /// The new row, for `row_rules` and RETURNING (which may also use `from`).
    pub new_rel: RelId,
    pub row_rules: RowRules,
    pub returning: Option<Returning>,
    pub through: Option<Box<Through>>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Delete {
    pub ctes: Vec<Cte>,
    pub table: Arc<Relation>,
    /// Without what inherits from it.
    pub only: bool,
    pub rel: RelId,
    pub using: Option<From>,
    pub filter: Option<Expr>,
    pub returning: Option<Returning>,
    pub through: Option<Box<Through>>,
}
