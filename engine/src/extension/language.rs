//! Procedural languages (PostgreSQL manual, chapter 42 and "Writing a Procedural Language Handler"): who checks a body when its routine is
//! made, and who runs it.

use std::sync::Arc;

use aegis_catalog::object::Routine;
use aegis_catalog::{Result, Type};

use super::caller::{Caller, Future, Row};
use crate::bind::routine::Returns;
use crate::session::context::StatementContext;

/// A language that functions, procedures and DO may be written in; `pg_language` has a row of its name.
#[derive(Debug, Clone, Copy)]
pub struct Language {
    pub name: &'static str,
    /// What is wrong with the body of a routine; positions count from the body's start.
    pub validate: fn(&Arc<Routine>, &Arc<StatementContext>) -> Result<()>,
    /// Runs a routine: the rows that it returns, and the parameters that go out of a procedure.
    pub call: for<'a> fn(Caller<'a>, Invocation) -> Future<'a, Vec<Row>>,
    /// Runs the text of DO.
    pub inline: for<'a> fn(Caller<'a>, Arc<str>) -> Future<'a, ()>,
}

/// A call of a routine.
pub struct Invocation {
    pub routine: Arc<Routine>,
    pub arguments: Row,
    pub returns: Returns,
}

impl Invocation {
    /// The types of the arguments as they were given, which tells polymorphic ones.
    pub fn argument_types(&self) -> Vec<Type> {
        self.arguments.0.iter().map(super::Value::ty).collect()
    }
}
