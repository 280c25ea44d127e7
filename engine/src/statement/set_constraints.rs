//! SET CONSTRAINTS (PostgreSQL manual). No constraint is deferrable, so there is none to switch.

use aegis_catalog::{Error, Result, sqlstate};

use super::{Outcome, namespace};
use crate::parse::ast::Name;
use crate::session::context::StatementContext;

pub fn run(names: &[Name], context: &StatementContext) -> Result<Outcome> {
    if let Some(name) = names.first() {
        let (_, bare) = namespace::split(name, context)?;
        let mut relations = context.catalog.user_relations();
        let exists = relations.any(|relation| relation.constraints().iter().any(|c| c.name == bare));
        return Err(match exists {
            true => Error::new(sqlstate::WRONG_OBJECT_TYPE, format!("constraint \"{bare}\" is not deferrable")),
            false => Error::new(sqlstate::UNDEFINED_OBJECT, format!("constraint \"{bare}\" does not exist")),
        });
    }
    Outcome::tag("SET CONSTRAINTS")
}
