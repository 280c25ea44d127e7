//! The syntax tree that `parse` makes of SQL text: PostgreSQL's grammar with names unresolved. Plain data with byte spans;
//! knows nothing of the parser library, the catalog, or types.
//!
//! Identifiers are already folded to lower case unless they were quoted, and cut to 63 bytes.

/// Byte range in the statement's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    /// From where this begins to where `last` ends.
    pub fn to(self, last: Span) -> Span {
        Span { start: self.start, end: last.end.max(self.start) }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Ident {
    pub name: String,
    pub span: Span,
}

/// `a`, `a.b`, `a.b.c`: one to three parts, most significant first.
#[derive(Debug, Clone, PartialEq)]
pub struct Name {
    pub parts: Vec<Ident>,
    pub span: Span,
}

/// A type as written: `numeric(10, 2)[]`, `timestamp(3) with time zone`, `t.col%TYPE` is refused by the parser.
/// Grammar-level spellings are already PostgreSQL's internal names in `pg_catalog`: `int` is `pg_catalog.int4`, `char` is
/// `pg_catalog.bpchar` with modifier 1, `float(n)` is float4 or float8, `dec` numeric.
#[derive(Debug, Clone, PartialEq)]
pub struct TypeName {
    pub name: Name,
    /// Modifiers in parentheses; expressions since user types may take any constant.
    pub modifiers: Vec<Expr>,
    /// `interval day to second`: the field restriction as the typmod bits PostgreSQL uses (INTERVAL_MASK), None if absent.
    pub interval_fields: Option<i32>,
    /// Number of `[]`.
    pub array_dimensions: usize,
    pub setof: bool,
    pub span: Span,
}

// ---------------------------------------------------------------------------------------------- expressions

#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    Literal(Literal),
    /// `$1`, one-based.
    Parameter(u32),
    /// `a`, `t.a`, `s.t.a`.
    Column(Name),
    /// `*`, `t.*`: allowed in target lists, RETURNING, count(*), ROW(t.*).
    Star(Option<Name>),
    Unary {
        op: Operator,
        arg: Box<Expr>,
    },
    Binary {
        op: Operator,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// Conjunctions and disjunctions are flat so that long chains do not nest.
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    IsNull {
        arg: Box<Expr>,
        negated: bool,
    },
    /// `IS [NOT] TRUE | FALSE | UNKNOWN`.
    BooleanTest {
        arg: Box<Expr>,
        test: BooleanTest,
        negated: bool,
    },
    IsDistinctFrom {
        left: Box<Expr>,
        right: Box<Expr>,
        negated: bool,
    },
    /// `IS [NOT] [form] NORMALIZED`, `IS JSON …` and the like keep their name.
    IsOf {
        arg: Box<Expr>,
        what: String,
        negated: bool,
    },
    Between {
        arg: Box<Expr>,
        low: Box<Expr>,
        high: Box<Expr>,
        symmetric: bool,
        negated: bool,
    },
    InList {
        arg: Box<Expr>,
        list: Vec<Expr>,
        negated: bool,
    },
    /// `arg [NOT] IN (query)`; `arg` may be a row.
    InQuery {
        arg: Box<Expr>,
        query: Box<Query>,
        negated: bool,
    },
    /// LIKE, ILIKE, SIMILAR TO with optional ESCAPE.
    Like {
        kind: LikeKind,
        arg: Box<Expr>,
        pattern: Box<Expr>,
        escape: Option<Box<Expr>>,
        negated: bool,
    },
    /// `left op ANY (array)` or `left op ALL (array)`.
    QuantifiedArray {
        left: Box<Expr>,
        op: Operator,
        array: Box<Expr>,
        all: bool,
    },
    QuantifiedQuery {
        left: Box<Expr>,
        op: Operator,
        query: Box<Query>,
        all: bool,
    },
    Exists(Box<Query>),
    ScalarQuery(Box<Query>),
    ArrayQuery(Box<Query>),
    /// `ARRAY[…]`, nested for more dimensions.
    Array(Vec<Expr>),
    /// `ROW(…)` or `(a, b)`.
    Row {
        fields: Vec<Expr>,
        explicit: bool,
    },
    Cast {
        arg: Box<Expr>,
        ty: TypeName,
    },
    /// `type 'literal'`, e.g. `date '2024-01-01'`.
    TypedLiteral {
        ty: TypeName,
        value: String,
    },
    Collate {
        arg: Box<Expr>,
        collation: Name,
    },
    /// `CASE [operand] WHEN … THEN … ELSE … END`.
    Case {
        operand: Option<Box<Expr>>,
        branches: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    Coalesce(Vec<Expr>),
    Greatest(Vec<Expr>),
    Least(Vec<Expr>),
    NullIf(Box<Expr>, Box<Expr>),
    Call(Box<Call>),
    /// `CURRENT_DATE`, `CURRENT_USER`, `LOCALTIMESTAMP(3)` …; name in lower case.
    SqlValue {
        name: String,
        precision: Option<i32>,
    },
    /// `arg AT TIME ZONE zone`.
    AtTimeZone {
        arg: Box<Expr>,
        zone: Box<Expr>,
    },
    /// `(composite).field`; `(composite).*` is `FieldStar`.
    Field {
        arg: Box<Expr>,
        field: Ident,
    },
    FieldStar(Box<Expr>),
    /// `arg[i]`, `arg[lo:hi]`, chains of them in one node.
    Subscript {
        arg: Box<Expr>,
        subscripts: Vec<Subscript>,
    },
    /// `GROUPING(a, b)`.
    Grouping(Vec<Expr>),
    /// `DEFAULT` in VALUES and SET.
    Default,
    /// `CURRENT OF cursor`.
    CurrentOf(String),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    Null,
    Bool(bool),
    /// Unsigned digits as written (decimal, hex, octal, binary already decimal); the binder picks int4, int8 or numeric.
    Integer(String),
    /// Has a point or an exponent.
    Decimal(String),
    /// Unescaped value of '…', E'…', $$…$$, U&'…'.
    String(String),
    /// B'…' and X'…' (kept as bits).
    Bits(String),
    /// `INTERVAL '…' day to second(3)` (field bits as in [`TypeName::interval_fields`]).
    Interval {
        value: String,
        fields: Option<i32>,
        precision: Option<i32>,
    },
}

/// `+`, `OPERATOR(pg_catalog.~)`; schema as written.
#[derive(Debug, Clone, PartialEq)]
pub struct Operator {
    pub schema: Option<String>,
    pub name: String,
    pub span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BooleanTest {
    True,
    False,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LikeKind {
    Like,
    ILike,
    SimilarTo,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Subscript {
    Index(Expr),
    Slice { lower: Option<Expr>, upper: Option<Expr> },
}

/// A function, aggregate or window call. Special syntaxes (`EXTRACT(f FROM x)`, `SUBSTRING(a FROM b)`, `POSITION`, `TRIM`,
/// `OVERLAY`) are already plain calls of the function that PostgreSQL's grammar makes of them (`extract`, `substring`,
/// `position` with swapped arguments, `btrim`/`ltrim`/`rtrim`, `overlay`), with `special` set so that deparse can undo it.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub name: Name,
    pub args: Vec<Argument>,
    /// `count(*)`.
    pub star: bool,
    pub distinct: bool,
    /// VARIADIC before the last argument.
    pub variadic: bool,
    pub order_by: Vec<OrderBy>,
    pub within_group: Option<Vec<OrderBy>>,
    pub filter: Option<Expr>,
    pub over: Option<Over>,
    /// `IGNORE NULLS` (refused by the binder).
    pub ignore_nulls: bool,
    pub special: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Argument {
    /// `name => value`.
    pub name: Option<Ident>,
    pub value: Expr,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Over {
    Name(Ident),
    Window(WindowSpec),
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct WindowSpec {
    pub base: Option<Ident>,
    pub partition_by: Vec<Expr>,
    pub order_by: Vec<OrderBy>,
    pub frame: Option<Frame>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    pub unit: FrameUnit,
    pub start: FrameBound,
    /// `CURRENT ROW` when the short form was used.
    pub end: FrameBound,
    /// Written with BETWEEN rather than in the short form.
    pub between: bool,
    pub exclude: FrameExclude,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameUnit {
    Rows,
    Range,
    Groups,
}

#[derive(Debug, Clone, PartialEq)]
pub enum FrameBound {
    UnboundedPreceding,
    Preceding(Box<Expr>),
    CurrentRow,
    Following(Box<Expr>),
    UnboundedFollowing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameExclude {
    NoOthers,
    CurrentRow,
    Group,
    Ties,
}

#[derive(Debug, Clone, PartialEq)]
pub struct OrderBy {
    pub expr: Expr,
    /// `USING operator`.
    pub using: Option<Operator>,
    pub descending: bool,
    pub nulls_first: Option<bool>,
}

// ---------------------------------------------------------------------------------------------- queries

/// `[WITH …] body [ORDER BY …] [LIMIT …] [OFFSET …] [FOR UPDATE …]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    pub with: Option<With>,
    pub body: SetExpr,
    pub order_by: Vec<OrderBy>,
    pub limit: Option<Limit>,
    pub offset: Option<Expr>,
    pub locking: Vec<Locking>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Limit {
    /// `LIMIT expr`, `FETCH FIRST expr ROWS ONLY`.
    Rows(Expr),
    All,
    WithTies(Expr),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Locking {
    pub strength: LockStrength,
    pub of: Vec<Name>,
    pub wait: LockWait,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockStrength {
    Update,
    NoKeyUpdate,
    Share,
    KeyShare,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockWait {
    Block,
    NoWait,
    SkipLocked,
}

#[derive(Debug, Clone, PartialEq)]
pub struct With {
    pub recursive: bool,
    pub ctes: Vec<Cte>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Cte {
    pub name: Ident,
    pub columns: Vec<Ident>,
    pub materialized: Option<bool>,
    /// Query, or INSERT/UPDATE/DELETE … RETURNING.
    pub statement: Box<Statement>,
    pub search: Option<SearchClause>,
    pub cycle: Option<CycleClause>,
}

/// `SEARCH BREADTH FIRST BY columns SET sequence`.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchClause {
    pub breadth_first: bool,
    pub columns: Vec<Ident>,
    pub sequence: Ident,
}

/// `CYCLE columns SET mark TO value DEFAULT default USING path`.
#[derive(Debug, Clone, PartialEq)]
pub struct CycleClause {
    pub columns: Vec<Ident>,
    pub mark: Ident,
    pub value: Expr,
    pub default: Expr,
    pub path: Ident,
}

#[derive(Debug, Clone, PartialEq)]
pub enum SetExpr {
    Select(Box<Select>),
    Values(Vec<Vec<Expr>>),
    /// A parenthesised query with its own WITH, ORDER BY or LIMIT.
    Query(Box<Query>),
    Operation {
        op: SetOperator,
        all: bool,
        left: Box<SetExpr>,
        right: Box<SetExpr>,
        span: Span,
    },
    /// `TABLE name`.
    Table(Name),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetOperator {
    Union,
    Intersect,
    Except,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Select {
    pub distinct: Distinct,
    pub targets: Vec<Target>,
    /// `SELECT … INTO [TEMP] name` (a statement of its own after parsing: CREATE TABLE AS).
    pub from: Vec<TableExpr>,
    pub filter: Option<Expr>,
    pub group_by: Vec<GroupingElement>,
    pub group_distinct: bool,
    pub having: Option<Expr>,
    pub windows: Vec<(Ident, WindowSpec)>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Distinct {
    None,
    Distinct,
    On(Vec<Expr>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    pub expr: Expr,
    pub alias: Option<Ident>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum GroupingElement {
    Expr(Expr),
    /// `()`.
    Empty,
    Rollup(Vec<Expr>),
    Cube(Vec<Expr>),
    Sets(Vec<GroupingElement>),
}

/// An item of FROM. Row lists inside ROLLUP/CUBE and sets are `ExprKind::Row`.
#[derive(Debug, Clone, PartialEq)]
pub enum TableExpr {
    Table { name: Name, only: bool, alias: Option<TableAlias>, sample: Option<TableSample> },
    Subquery { query: Box<Query>, lateral: bool, alias: Option<TableAlias>, span: Span },
    Function(Box<TableFunction>),
    Join(Box<Join>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct TableAlias {
    pub name: Ident,
    pub columns: Vec<Ident>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TableSample {
    pub method: Name,
    pub args: Vec<Expr>,
    pub repeatable: Option<Expr>,
}

/// `f(x) [WITH ORDINALITY] [AS t(a, b)]`, or `ROWS FROM (f(x), g(y))` with several functions.
#[derive(Debug, Clone, PartialEq)]
pub struct TableFunction {
    pub functions: Vec<TableFunctionCall>,
    pub rows_from: bool,
    pub lateral: bool,
    pub ordinality: bool,
    pub alias: Option<TableAlias>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TableFunctionCall {
    /// A `Call`, or `SqlValue` (`FROM current_date`).
    pub call: Expr,
    /// `AS (a int, b text)`.
    pub column_definitions: Vec<(Ident, TypeName)>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    pub kind: JoinKind,
    /// ASOF, perhaps with MATCH_CONDITION.
    pub as_of: Option<Option<Expr>>,
    pub left: TableExpr,
    pub right: TableExpr,
    pub condition: JoinCondition,
    /// `(a JOIN b ON …) AS j`.
    pub alias: Option<TableAlias>,
    pub span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
    Cross,
}

#[derive(Debug, Clone, PartialEq)]
pub enum JoinCondition {
    None,
    On(Expr),
    Using { columns: Vec<Ident>, alias: Option<Ident> },
    Natural,
}

// ---------------------------------------------------------------------------------------------- statements

/// One statement and the text it was parsed from.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedStatement {
    pub statement: Statement,
    /// Byte range of this statement in the whole query string, without the semicolon. Spans inside `statement` are relative to
    /// the whole query string.
    pub span: Span,
    /// Highest `$n` used.
    pub parameter_count: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    Query(Box<Query>),
    Insert(Box<Insert>),
    Update(Box<Update>),
    Delete(Box<Delete>),
    Merge(Box<Merge>),
    Utility(Box<super::utility::Utility>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Insert {
    pub with: Option<With>,
    pub table: Name,
    pub alias: Option<Ident>,
    pub columns: Vec<AssignTarget>,
    pub overriding: Option<Overriding>,
    pub source: InsertSource,
    pub on_conflict: Option<OnConflict>,
    pub returning: Vec<Target>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overriding {
    System,
    User,
}

#[derive(Debug, Clone, PartialEq)]
pub enum InsertSource {
    DefaultValues,
    /// VALUES lists may hold `ExprKind::Default`.
    Query(Box<Query>),
}

/// `col`, `col.field`, `col[1]` on the left of SET or in INSERT's column list.
#[derive(Debug, Clone, PartialEq)]
pub struct AssignTarget {
    pub column: Ident,
    pub path: Vec<TargetStep>,
}

/// What of a column's value is assigned to.
#[derive(Debug, Clone, PartialEq)]
pub enum TargetStep {
    Field(Ident),
    /// All that stand side by side.
    Subscripts(Vec<Subscript>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct OnConflict {
    pub target: ConflictTarget,
    /// None is DO NOTHING.
    pub update: Option<ConflictUpdate>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ConflictTarget {
    Any,
    Constraint(Ident),
    /// Index expressions and the predicate of a partial index.
    Columns {
        keys: Vec<Expr>,
        predicate: Option<Expr>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub struct ConflictUpdate {
    pub set: Vec<Assignment>,
    pub filter: Option<Expr>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Assignment {
    One {
        target: AssignTarget,
        value: Expr,
    },
    /// `(a, b) = (1, 2)`, `(a, b) = (SELECT …)`, `(a, b) = ROW(…)`.
    Row {
        targets: Vec<AssignTarget>,
        value: Expr,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    pub with: Option<With>,
    pub table: Name,
    pub only: bool,
    pub alias: Option<TableAlias>,
    pub set: Vec<Assignment>,
    pub from: Vec<TableExpr>,
    pub filter: Option<Expr>,
    pub returning: Vec<Target>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Merge {
    pub with: Option<With>,
    pub table: Name,
    pub alias: Option<TableAlias>,
    pub source: TableExpr,
    pub condition: Expr,
    pub actions: Vec<MergeWhen>,
}

/// `WHEN [NOT] MATCHED [AND condition] THEN action`.
#[derive(Debug, Clone, PartialEq)]
pub struct MergeWhen {
    pub matched: bool,
    pub condition: Option<Expr>,
    pub action: MergeAction,
}

#[derive(Debug, Clone, PartialEq)]
pub enum MergeAction {
    Update(Vec<Assignment>),
    Insert(Box<MergeInsert>),
    Delete,
    Nothing,
}

#[derive(Debug, Clone, PartialEq)]
pub struct MergeInsert {
    pub columns: Vec<AssignTarget>,
    pub overriding: Option<Overriding>,
    /// None is DEFAULT VALUES.
    pub values: Option<Vec<Expr>>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Delete {
    pub with: Option<With>,
    pub table: Name,
    pub only: bool,
    pub alias: Option<TableAlias>,
    pub using: Vec<TableExpr>,
    pub filter: Option<Expr>,
    pub returning: Vec<Target>,
}
