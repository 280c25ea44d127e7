//! `pg_proc`: the functions that the engine implements, and the input and output functions behind the types.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::rows::{Cell, Rows, row};
use super::{SystemContext, pg_type};
use crate::Result;
use crate::facts::{self, FunctionRow};
use crate::fixed_oid::INTERNAL_LANGUAGE;
use crate::image::Catalog;
use crate::object::Routine;
use crate::types::oid::Oid;

pub(super) fn rows(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    let builtins = context.catalog.builtins();
    let names = context.texts("proname");
    let oids = context.oids("oid");
    let wanted = |row: &FunctionRow| {
        names.is_none_or(|names| names.iter().any(|name| *name == row.name))
            && oids.is_none_or(|oids| oids.contains(&row.oid))
    };
    for row in builtins.functions().iter().filter(|row| wanted(row)) {
        push(context, row, rows);
    }
    for routine in context.catalog.routines().filter(|routine| wanted(&routine.row)) {
        push_with(context, &routine.row, Some(routine), rows);
    }
    let behind_types = BEHIND_TYPES.iter().filter(|&&oid| !builtins.contains(oid));
    for row in behind_types.filter_map(|&oid| facts::proc(oid)).filter(|row| wanted(row)) {
        push(context, row, rows);
    }
    Ok(())
}

/// The input and output functions of types. They are in `pg_proc`, since clients tell types apart by them, also where
/// SQL can't call them.
static BEHIND_TYPES: LazyLock<BTreeSet<Oid>> =
    LazyLock::new(|| pg_type::io_functions().filter(|&oid| facts::proc(oid).is_some()).collect());

/// An input or output function of a type.
pub fn function_behind_type(oid: Oid) -> Option<&'static FunctionRow> {
    BEHIND_TYPES.get(&oid).and_then(|&oid| facts::proc(oid))
}

/// The rows of `pg_proc` with that name.
pub fn functions_shown(catalog: &Catalog, name: &str) -> Vec<FunctionRow> {
    let builtins = catalog.builtins();
    let behind_types =
        facts::procs_named(name).iter().filter(|row| BEHIND_TYPES.contains(&row.oid) && !builtins.contains(row.oid));
    let builtin = builtins.named(name).iter().map(|row| FunctionRow::clone(row));
    let made = catalog.routines_named(name).map(|routine| routine.row.clone());
    builtin.chain(behind_types.cloned()).chain(made).collect()
}

/// What PostgreSQL loads from a shared library is built in here.
const C_LANGUAGE: Oid = 13;

fn push(context: &SystemContext<'_>, row: &FunctionRow, rows: &mut Rows<'_>) {
    push_with(context, row, None, rows);
}

fn push_with(context: &SystemContext<'_>, row: &FunctionRow, routine: Option<&Routine>, rows: &mut Rows<'_>) {
    let sql_body = routine.and_then(|routine| routine.sql_body.clone());
    let settings = routine
        .filter(|routine| !routine.settings.is_empty())
        .map(|routine| routine.settings.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>());
    rows.push(row![
        row.oid,
        row.name.clone(),
        row.schema,
        row.owner,
        if row.language == C_LANGUAGE && routine.is_none() { INTERNAL_LANGUAGE } else { row.language },
        row.cost,
        row.rows,
        row.variadic,
        context.existing_function(row.support),
        row.kind,
        row.security_definer,
        row.leakproof,
        row.strict,
        row.returns_set,
        row.volatility,
        row.parallel,
        i16::try_from(row.arg_types.len()).unwrap_or(i16::MAX),
        row.default_count,
        row.return_type,
        row.arg_types.as_slice(),
        row.all_arg_types.as_deref(),
        row.arg_modes.as_ref().map(|modes| modes.iter().map(char::to_string).collect::<Vec<_>>()),
        row.arg_names.clone(),
        row.arg_defaults.clone(),
        Cell::Null,
        row.source.clone(),
        routine.and_then(|routine| routine.library.clone()),
        sql_body,
        settings,
        context.catalog.shown_acl(crate::fixed_oid::PG_PROC, row.oid),
    ]);
}
