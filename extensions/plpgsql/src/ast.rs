//! A body as it is written, with every name of a variable resolved to a datum (PostgreSQL's plpgsql.h).

use std::sync::Arc;

use aegis_engine::extension::Form;
use parking_lot::Mutex;

use crate::fragment::Kept;

/// A parsed body.
#[derive(Debug)]
pub struct Body {
    pub block: Block,
    pub datums: Vec<Datum>,
}

/// Number of a variable.
pub type DatumId = usize;

#[derive(Debug)]
pub struct Datum {
    pub name: String,
    pub line: u32,
    pub ty: TypeName,
    pub constant: bool,
    pub not_null: bool,
    pub default: Option<Expr>,
    pub cursor: Option<Arc<Cursor>>,
}

/// A type as declared.
#[derive(Debug, Clone, PartialEq)]
pub enum TypeName {
    /// As SQL writes it, and where.
    Sql(String, u32),
    /// `variable%TYPE`
    OfVariable(DatumId),
    /// `table.column%TYPE`
    OfColumn(Vec<String>, u32),
    /// `table%ROWTYPE`
    RowOf(Vec<String>, u32),
    Record,
    /// What a call gives: of the parameter at this place among all, from 0.
    Parameter(usize),
    Integer,
    Text,
    Boolean,
    Refcursor,
    /// Of the place that a value is put into first.
    Any,
}

/// A bound cursor.
#[derive(Debug)]
pub struct Cursor {
    pub scroll: Option<bool>,
    pub arguments: Vec<(String, DatumId)>,
    pub query: Expr,
}

/// An SQL text with the names that it may use.
#[derive(Debug)]
pub struct Expr {
    pub text: Arc<str>,
    pub form: Form,
    pub scope: Scope,
    /// What was worked out for it.
    pub kept: Mutex<Kept>,
}

impl Expr {
    /// Without the variable that it is assigned to.
    pub fn value_text(&self) -> &str {
        match self.form {
            Form::Assignment(offset) => self.text.get(offset..).unwrap_or_default(),
            _ => &self.text,
        }
    }
}

/// Names in sight, innermost first.
#[derive(Debug, Clone, Default)]
pub struct Scope(pub Option<Arc<Name>>);

#[derive(Debug)]
pub struct Name {
    pub outer: Scope,
    pub meaning: Meaning,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Meaning {
    /// A block, or with `is_loop` a loop.
    Label { name: Option<String>, is_loop: bool },
    /// A variable, and whether its fields may be named.
    Variable { name: String, datum: DatumId, is_record: bool },
}

/// Where a value goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    pub datum: DatumId,
    /// A field of a record.
    pub field: Option<String>,
    /// `[1].f …` behind it.
    pub rest: String,
}

/// Where a row goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    Record(DatumId),
    List(Vec<Place>),
}

#[derive(Debug)]
pub struct Block {
    pub label: Option<String>,
    /// Variables to start.
    pub declared: Vec<DatumId>,
    pub body: Vec<Statement>,
    pub exceptions: Option<Exceptions>,
}

#[derive(Debug)]
pub struct Exceptions {
    pub sqlstate: DatumId,
    pub sqlerrm: DatumId,
    pub handlers: Vec<Handler>,
}

#[derive(Debug)]
pub struct Handler {
    pub conditions: Vec<Condition>,
    pub body: Vec<Statement>,
}

/// What a handler catches.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    Others,
    State([u8; 5]),
}

#[derive(Debug)]
pub struct Statement {
    pub line: u32,
    pub kind: Kind,
}

#[derive(Debug)]
pub enum Kind {
    Block(Block),
    Assign { place: Place, value: Expr },
    If { branches: Vec<(Expr, Vec<Statement>)>, otherwise: Option<Vec<Statement>> },
    Case { operand: Option<(Expr, DatumId)>, branches: Vec<(Expr, Vec<Statement>)>, otherwise: Option<Vec<Statement>> },
    Loop { label: Option<String>, body: Vec<Statement> },
    While { label: Option<String>, condition: Expr, body: Vec<Statement> },
    ForInteger(Box<ForInteger>),
    ForRows { label: Option<String>, target: Target, rows: Rows, body: Vec<Statement> },
    ForEach { label: Option<String>, target: Target, slice: u32, array: Expr, body: Vec<Statement> },
    Exit { leave: bool, label: Option<String>, when: Option<Expr> },
    Return(Option<Expr>),
    ReturnNext(Option<Expr>),
    ReturnQuery(Rows),
    Raise(Box<Raise>),
    Assert { condition: Expr, message: Option<Expr> },
    Sql { statement: Expr, into: Option<IntoTarget> },
    Perform(Expr),
    Call { statement: Expr },
    Execute { text: Expr, using: Vec<Expr>, into: Option<IntoTarget> },
    GetDiagnostics { stacked: bool, items: Vec<(Place, Diagnostic)> },
    Open { cursor: Place, rows: Opened, scroll: Option<bool> },
    Fetch { cursor: DatumId, into: Option<Target>, move_only: bool, direction: Direction },
    Close { cursor: DatumId },
    Transaction { commit: bool, chain: bool },
    Null,
}

#[derive(Debug)]
pub struct IntoTarget {
    pub target: Target,
    pub strict: bool,
}

#[derive(Debug)]
pub struct ForInteger {
    pub label: Option<String>,
    pub variable: DatumId,
    pub reverse: bool,
    pub from: Expr,
    pub to: Expr,
    pub by: Option<Expr>,
    pub body: Vec<Statement>,
}

/// Where rows come from.
#[derive(Debug)]
pub enum Rows {
    Query(Expr),
    Execute { text: Expr, using: Vec<Expr> },
    Cursor { datum: DatumId, arguments: Option<Expr> },
}

#[derive(Debug)]
pub enum Opened {
    /// A bound cursor's query.
    Bound(Option<Expr>),
    Rows(Rows),
}

#[derive(Debug)]
pub struct Direction {
    pub toward: Toward,
    /// None is ALL.
    pub count: Option<Expr>,
    /// How many if no expression says it.
    pub fixed: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toward {
    Forward,
    Backward,
    Absolute,
    Relative,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Debug,
    Log,
    Info,
    Notice,
    Warning,
    Exception,
}

#[derive(Debug)]
pub struct Raise {
    /// None re-raises what a handler has caught.
    pub level: Level,
    pub again: bool,
    pub condition: Option<String>,
    pub message: Option<String>,
    pub parameters: Vec<Expr>,
    pub options: Vec<(RaiseOption, Expr)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RaiseOption {
    Errcode,
    Message,
    Detail,
    Hint,
    Column,
    Constraint,
    Datatype,
    Table,
    Schema,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Diagnostic {
    RowCount,
    Context,
    ErrorContext,
    ErrorDetail,
    ErrorHint,
    ReturnedSqlstate,
    ColumnName,
    ConstraintName,
    DatatypeName,
    MessageText,
    TableName,
    SchemaName,
}

impl Scope {
    pub fn with(&self, meaning: Meaning) -> Self {
        Self(Some(Arc::new(Name { outer: self.clone(), meaning })))
    }

    fn items(&self) -> impl Iterator<Item = &Meaning> {
        let mut next = self.0.as_deref();
        std::iter::from_fn(move || {
            let name = next?;
            next = name.outer.0.as_deref();
            Some(&name.meaning)
        })
    }

    /// The variable that a name's parts mean, and how many of them it takes (`plpgsql_ns_lookup`).
    pub fn lookup(&self, parts: &[&str]) -> Option<(DatumId, usize)> {
        let (first, second) = (parts.first()?, parts.get(1));
        let mut level: Vec<(&str, DatumId, bool)> = Vec::new();
        for item in self.items() {
            match item {
                Meaning::Variable { name, datum, is_record } => {
                    if name == first && (second.is_none() || *is_record) {
                        return Some((*datum, 1));
                    }
                    level.push((name, *datum, *is_record));
                }
                Meaning::Label { name, .. } => {
                    if let (Some(second), true) = (second, name.as_deref() == Some(*first)) {
                        let third = parts.get(2).is_some();
                        let found = level.iter().find(|(name, _, record)| name == second && (!third || *record));
                        if let Some((_, datum, _)) = found {
                            return Some((*datum, 2));
                        }
                    }
                    level.clear();
                }
            }
        }
        None
    }

    /// Is the name declared in the innermost block?
    pub fn declares(&self, wanted: &str) -> bool {
        let here = self.items().take_while(|item| !matches!(item, Meaning::Label { .. }));
        here.into_iter().any(|item| matches!(item, Meaning::Variable { name, .. } if name == wanted))
    }

    /// The block or loop of that label: whether it is a loop.
    pub fn label(&self, wanted: &str) -> Option<bool> {
        self.items().find_map(|item| match item {
            Meaning::Label { name, is_loop } if name.as_deref() == Some(wanted) => Some(*is_loop),
            _ => None,
        })
    }

    /// Is there a loop around?
    pub fn in_loop(&self) -> bool {
        self.items().any(|item| matches!(item, Meaning::Label { is_loop: true, .. }))
    }
}
