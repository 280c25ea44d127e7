//! What `pg_language` names (PostgreSQL manual, chapter 42 and "Writing a Procedural Language Handler"): validators, which a user may call, and handlers,
//! which nobody calls by name.

use aegis_catalog::{Error, Oid, Result, sqlstate};

use crate::extension::{Caller, Row};
use crate::functions::kernel::{kernel, volatile};
use crate::functions::signature::{Row as Listed, f};
use crate::session;

pub fn functions() -> Vec<Listed> {
    vec![
        f("plpgsql_call_handler()", volatile!(|| no_call("PL/pgSQL functions cannot return type language_handler"))),
        f("plpgsql_inline_handler(internal)", kernel!(|_text: &str| no_call("cannot accept a value of type internal"))),
        f("plpgsql_validator(oid)", session!(validate)),
    ]
}

fn no_call(message: &str) -> Result<String> {
    Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message))
}

async fn validate(caller: Caller<'_>, arguments: Row) -> Result<Vec<Row>> {
    let wanted: Oid = arguments.get(0)?;
    let context = caller.context()?;
    let Some(routine) = context.catalog.routine(wanted) else {
        let message = format!("function with OID {wanted} does not exist");
        return Err(Error::new(sqlstate::UNDEFINED_FUNCTION, message));
    };
    let language = crate::session::routine::language_of(routine, &context.extensions)?;
    (language.validate)(routine, &context)?;
    Ok(Vec::new())
}
