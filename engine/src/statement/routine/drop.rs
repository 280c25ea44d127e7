//! DROP FUNCTION, PROCEDURE, ROUTINE and AGGREGATE.

use aegis_catalog::definition::Printer;
use aegis_catalog::dependency::plan_drop;
use aegis_catalog::{Error, Result, sqlstate};

use super::find;
use crate::parse::routine::{DropRoutine, RoutineKind, RoutineName};
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::statement::{Outcome, drop, namespace};

pub fn drop(session: &mut Session, statement: &DropRoutine, context: &StatementContext) -> Result<Outcome> {
    let kind = statement.routines.first().map_or(RoutineKind::Function, |routine| routine.kind);
    let tag = match kind {
        RoutineKind::Function => "DROP FUNCTION",
        RoutineKind::Procedure => "DROP PROCEDURE",
        RoutineKind::Routine => "DROP ROUTINE",
        RoutineKind::Aggregate => "DROP AGGREGATE",
    };
    session.writable(tag)?;
    let mut roots = Vec::new();
    for name in &statement.routines {
        match find::row(name, context) {
            Ok(row) if name.kind == RoutineKind::Function && row.kind == 'a' => {
                let message = format!("\"{}\" is an aggregate function", namespace::written(&name.name));
                return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message)
                    .with_hint("Use DROP AGGREGATE to drop aggregate functions."));
            }
            Ok(row) => match context.catalog.routine(row.oid) {
                Some(routine) => {
                    require_owner(routine, context)?;
                    roots.push(routine.address());
                }
                None => {
                    let shown = find::signature(&row, context);
                    let message = format!("cannot drop function {shown} because it is required by the database system");
                    return Err(Error::new(sqlstate::DEPENDENT_OBJECTS_STILL_EXIST, message));
                }
            },
            Err(error) if statement.if_exists && is_missing(&error) => {
                session.skip_notice(&missing(name, &error));
            }
            Err(error) => return Err(error),
        }
    }
    if !roots.is_empty() {
        let printer = Printer { catalog: &context.catalog, search_path: &context.search_path };
        let plan = plan_drop(printer, &roots, statement.cascade)?;
        drop::announce(session, &plan);
        drop::apply(session, &plan)?;
    }
    Outcome::tag(tag)
}

fn require_owner(routine: &aegis_catalog::object::Routine, context: &StatementContext) -> Result<()> {
    match crate::privilege::Owned::of(routine.address(), &context.catalog) {
        Some(owned) => owned.require_owner(context),
        None => Ok(()),
    }
}

fn is_missing(error: &Error) -> bool {
    [sqlstate::UNDEFINED_FUNCTION, sqlstate::UNDEFINED_OBJECT, sqlstate::INVALID_SCHEMA_NAME].contains(&error.code())
}

/// What the NOTICE of IF EXISTS says (`does_not_exist_skipping`).
fn missing(name: &RoutineName, error: &Error) -> String {
    if error.code() != sqlstate::UNDEFINED_FUNCTION {
        return format!("{}, skipping", error.message());
    }
    let what = match name.kind {
        RoutineKind::Function => "function",
        RoutineKind::Procedure => "procedure",
        RoutineKind::Routine => "routine",
        RoutineKind::Aggregate => "aggregate",
    };
    let types = name.args.iter().flatten().filter(|(mode, _)| mode.is_input());
    let types: Vec<String> =
        types.map(|(_, ty)| format!("{}{}", namespace::written(&ty.name), "[]".repeat(ty.array_dimensions))).collect();
    format!("{what} {}({}) does not exist, skipping", namespace::written(&name.name), types.join(","))
}
