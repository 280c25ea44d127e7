//! DROP of what there never is, since nothing can create it yet: the object does not exist, and IF EXISTS skips it, with PostgreSQL's words.

use aegis_catalog::{Error, Result, sqlstate};

use super::{Outcome, namespace};
use crate::parse::utility::DropAbsent;
use crate::session::Session;
use crate::session::context::StatementContext;

pub fn run(session: &mut Session, drop: &DropAbsent, context: &StatementContext) -> Result<Outcome> {
    let tag = format!("DROP {}", drop.kind.to_uppercase());
    session.writable(&tag)?;
    for name in &drop.names {
        match missing(drop, &namespace::written(name), context) {
            error if drop.if_exists && is_missing(&error) => {
                session.skip_notice(&format!("{}, skipping", error.message()));
            }
            error => return Err(error),
        }
    }
    Outcome::tag(tag)
}

fn is_missing(error: &Error) -> bool {
    [sqlstate::UNDEFINED_TABLE, sqlstate::UNDEFINED_OBJECT, sqlstate::INVALID_SCHEMA_NAME].contains(&error.code())
}

fn missing(drop: &DropAbsent, name: &str, context: &StatementContext) -> Error {
    let kind = drop.kind;
    let Some(table) = &drop.on else {
        let schema = match name.rsplit_once('.') {
            Some((schema, _)) => namespace::schema_oid(schema, context).map(drop_value),
            None => Ok(()),
        };
        let message = format!("{kind} \"{name}\" does not exist");
        return schema.err().unwrap_or_else(|| Error::new(sqlstate::UNDEFINED_OBJECT, message));
    };
    let relation = namespace::split(table, context).and_then(|(schema, _)| {
        schema.map_or(Ok(0), |schema| namespace::schema_oid(schema, context))?;
        namespace::existing(table, context)
    });
    match relation {
        Ok(relation) => {
            let on = if kind == "rule" { "relation" } else { "table" };
            let message = format!("{kind} \"{name}\" for {on} \"{}\" does not exist", relation.name);
            Error::new(sqlstate::UNDEFINED_OBJECT, message)
        }
        Err(error) => error.without_position(),
    }
}

fn drop_value<T>(_: T) {}
