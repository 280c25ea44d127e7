//! The one error that SQL users see: a SQLSTATE with PostgreSQL's message fields.
//!
//! Every layer above storage returns [`Error`]; `wire` writes its fields out unchanged. Fields and their
//! meaning: PostgreSQL manual, "Error and Notice Message Fields".

use std::fmt;

use crate::sqlstate::{self, SqlState};

/// Result of anything that a SQL statement can make fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One error or notice, boxed so that `Result<T>` stays one pointer wide.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<Fields>);

/// What a client is told about one error or notice.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields {
    pub code: SqlState,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    /// Byte offset into the statement's text, zero-based. The session turns it into PostgreSQL's one-based
    /// character position, since only it knows the text.
    pub position: Option<u32>,
    /// Byte offset into a statement that the server itself has made, and its text.
    pub internal: Option<(u32, String)>,
    /// Call stack of the error ("PL/pgSQL function …", "COPY t, line 3").
    pub context: Option<String>,
    /// Which of a statement's new rows has raised it, from zero: COPY knows its line. Nobody else is told.
    pub row: Option<usize>,
    pub schema: Option<String>,
    pub table: Option<String>,
    pub column: Option<String>,
    pub datatype: Option<String>,
    pub constraint: Option<String>,
    /// The function of PostgreSQL's that reports it, for the few errors that drivers tell apart by it.
    pub routine: Option<&'static str>,
}

impl Error {
    /// An error with a SQLSTATE and a primary message in PostgreSQL's wording.
    pub fn new(code: SqlState, message: impl Into<String>) -> Self {
        Self(Box::new(Fields { code, message: message.into(), ..Fields::default() }))
    }

    /// `0A000`: a feature that PostgreSQL has and Aegis does not, by name.
    pub fn unsupported(feature: impl fmt::Display) -> Self {
        Self::new(sqlstate::FEATURE_NOT_SUPPORTED, format!("{feature} is not supported"))
    }

    /// `XX000`: an invariant of ours does not hold. Never the user's fault.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(sqlstate::INTERNAL_ERROR, message)
    }

    pub fn fields(&self) -> &Fields {
        &self.0
    }

    pub fn fields_mut(&mut self) -> &mut Fields {
        &mut self.0
    }

    pub fn code(&self) -> SqlState {
        self.0.code
    }

    pub fn message(&self) -> &str {
        &self.0.message
    }

    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Sets the position unless a deeper layer already did.
    pub fn at(mut self, byte_offset: u32) -> Self {
        self.0.position.get_or_insert(byte_offset);
        self
    }

    /// For statements whose errors PostgreSQL gives no position, and for code whose text is not the client's.
    pub fn without_position(mut self) -> Self {
        self.0.position = None;
        self
    }

    pub fn with_context(mut self, context: impl Into<String>) -> Self {
        self.0.context = Some(context.into());
        self
    }

    pub fn with_row(mut self, row: usize) -> Self {
        self.0.row = Some(row);
        self
    }

    pub fn with_table(mut self, schema: impl Into<String>, table: impl Into<String>) -> Self {
        self.0.schema = Some(schema.into());
        self.0.table = Some(table.into());
        self
    }

    pub fn with_datatype(mut self, schema: impl Into<String>, datatype: impl Into<String>) -> Self {
        self.0.schema = Some(schema.into());
        self.0.datatype = Some(datatype.into());
        self
    }

    pub fn with_column(mut self, column: impl Into<String>) -> Self {
        self.0.column = Some(column.into());
        self
    }

    pub fn with_routine(mut self, routine: &'static str) -> Self {
        self.0.routine = Some(routine);
        self
    }

    pub fn with_constraint(mut self, constraint: impl Into<String>) -> Self {
        self.0.constraint = Some(constraint.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.message)
    }
}

impl std::error::Error for Error {}
