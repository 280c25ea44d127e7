//! ALTER FUNCTION, PROCEDURE, ROUTINE and AGGREGATE.

use aegis_catalog::Result;
use aegis_catalog::facts::FunctionRow;
use aegis_catalog::object::Routine;

use super::create::reject_duplicate;
use super::{find, options};
use crate::parse::routine::{AlterRoutine, AlterRoutineAction, RoutineKind};
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::statement::{Outcome, namespace, role, stored_text};

pub fn alter(session: &mut Session, alter: &AlterRoutine, context: &StatementContext) -> Result<Outcome> {
    let tag = match alter.routine.kind {
        RoutineKind::Function => "ALTER FUNCTION",
        RoutineKind::Procedure => "ALTER PROCEDURE",
        RoutineKind::Routine => "ALTER ROUTINE",
        RoutineKind::Aggregate => "ALTER AGGREGATE",
    };
    session.writable(tag)?;
    let old = find::existing(&alter.routine, context)?;
    if let Some(owned) = crate::privilege::Owned::of(old.address(), &context.catalog) {
        owned.require_owner(context)?;
    }
    let mut changed = Routine::clone(&old);
    let mut renames = false;
    match &alter.action {
        AlterRoutineAction::Rename(to) => {
            reject_duplicate(&old.row, &to.name, old.row.schema, context)?;
            changed.row.name = to.name.clone().into();
            renames = true;
        }
        AlterRoutineAction::Schema(schema) => {
            let schema = namespace::schema_oid(&schema.name, context)?;
            if schema != old.row.schema {
                reject_duplicate(&old.row, &old.row.name, schema, context)?;
            }
            changed.row.schema = schema;
            renames = true;
        }
        AlterRoutineAction::Owner(owner) => changed.row.owner = role::existing(&owner.name, context)?.oid,
        AlterRoutineAction::Options(given) => {
            let mut row = FunctionRow { rows: old.row.rows, ..old.row.clone() };
            let given = options::apply(given, old.row.kind == 'p', &mut row)?;
            if row.leakproof && !old.row.leakproof && !session.superuser {
                return Err(super::create::not_superuser());
            }
            options::merge_settings(&mut changed.settings, &given)?;
            changed.row = row;
        }
    }
    let open = session.writable(tag)?;
    open.catalog.replace_routine(open.tables.permanent(), changed)?;
    if renames {
        stored_text::follow_names(session, context)?;
    }
    Outcome::tag(tag)
}
