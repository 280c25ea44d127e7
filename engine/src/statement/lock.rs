//! LOCK TABLE (PostgreSQL manual, "LOCK").

use aegis_catalog::{Error, Result, sqlstate};

use super::{Outcome, namespace};
use crate::parse::ast::Name;
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::session::transaction::Block;

/// A transaction reads one version of storage, which nobody can take away from it: that is all ACCESS SHARE asks for. Stronger modes
/// keep others out, which nothing here does yet.
pub fn run(session: &Session, tables: &[Name], mode: &str, context: &StatementContext) -> Result<Outcome> {
    if session.transaction.as_ref().is_none_or(|open| open.block != Block::Explicit) {
        let message = "LOCK TABLE can only be used in transaction blocks";
        return Err(Error::new(sqlstate::NO_ACTIVE_SQL_TRANSACTION, message));
    }
    for name in tables {
        namespace::existing(name, context)?;
    }
    if !mode.eq_ignore_ascii_case("access share") {
        return Err(Error::unsupported(format!("LOCK TABLE IN {} MODE", mode.to_uppercase())));
    }
    Outcome::tag("LOCK TABLE")
}
