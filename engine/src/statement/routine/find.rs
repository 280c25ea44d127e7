//! Routines by the names that statements give them (PostgreSQL's LookupFuncWithArgs).

use std::sync::Arc;

use aegis_catalog::definition::{Printer, type_name};
use aegis_catalog::facts::FunctionRow;
use aegis_catalog::object::Routine;
use aegis_catalog::{Error, Oid, Result, sqlstate};

use crate::bind;
use crate::parse::ast::TypeName;
use crate::parse::routine::{ParameterMode, RoutineKind, RoutineName};
use crate::session::context::StatementContext;
use crate::statement::namespace;

fn word(kind: RoutineKind) -> &'static str {
    match kind {
        RoutineKind::Function => "function",
        RoutineKind::Procedure => "procedure",
        RoutineKind::Routine => "routine",
        RoutineKind::Aggregate => "aggregate",
    }
}

/// `name(type, type)` as messages print it.
pub fn signature(row: &FunctionRow, context: &StatementContext) -> String {
    signature_of(&row.name, &row.arg_types, context)
}

pub fn signature_of(name: &str, types: &[Oid], context: &StatementContext) -> String {
    let printer = Printer { catalog: &context.catalog, search_path: &context.search_path };
    let types: Vec<String> = types.iter().map(|&ty| type_name(printer, ty)).collect();
    format!("{name}({})", types.join(", "))
}

fn fits(kind: RoutineKind, row: &FunctionRow) -> bool {
    match kind {
        RoutineKind::Function => matches!(row.kind, 'f' | 'w'),
        RoutineKind::Procedure => row.kind == 'p',
        RoutineKind::Aggregate => row.kind == 'a',
        RoutineKind::Routine => true,
    }
}

/// The routine of a user that a name means; 42501 for those of the system.
pub fn existing(name: &RoutineName, context: &StatementContext) -> Result<Arc<Routine>> {
    let row = row(name, context)?;
    context.catalog.routine(row.oid).cloned().ok_or_else(|| {
        let message = format!(
            "cannot change function {} because it is required by the database system",
            signature(&row, context)
        );
        Error::new(sqlstate::DEPENDENT_OBJECTS_STILL_EXIST, message)
    })
}

/// The row of `pg_proc` that a name means.
pub fn row(name: &RoutineName, context: &StatementContext) -> Result<FunctionRow> {
    let (schema, bare) = namespace::split(&name.name, context)?;
    if let Some(schema) = schema {
        namespace::schema_oid(schema, context)?;
    }
    let written = namespace::written(&name.name);
    let what = word(name.kind);
    let candidates = candidates(schema, bare, context);
    let Some(args) = &name.args else {
        let right: Vec<_> = candidates.iter().filter(|row| fits(name.kind, row)).collect();
        return match right.as_slice() {
            [] => {
                let article = if what == "aggregate" { "an" } else { "a" };
                let message = format!("could not find {article} {what} named \"{written}\"");
                Err(Error::new(sqlstate::UNDEFINED_FUNCTION, message))
            }
            [only] => checked(only, name.kind, context),
            _ => Err(Error::new(sqlstate::AMBIGUOUS_FUNCTION, format!("{what} name \"{written}\" is not unique"))
                .with_hint(format!("Specify the argument list to select the {what} unambiguously."))),
        };
    };
    let types = |inputs: bool| -> Result<Vec<Oid>> {
        let wanted = args.iter().filter(|(mode, _)| !inputs || mode.is_input());
        wanted.map(|(_, ty)| type_of(ty, context)).collect()
    };
    let (inputs, all) = (types(true)?, types(false)?);
    let moded = args.iter().any(|(mode, _)| *mode != ParameterMode::Default);
    let whole = |row: &FunctionRow| row.kind == 'p' && *row.all_arg_types.as_ref().unwrap_or(&row.arg_types) == all;
    let same = |row: &&FunctionRow| match moded && name.kind == RoutineKind::Procedure {
        true => whole(row),
        false => row.arg_types == inputs || whole(row),
    };
    if matches!(name.kind, RoutineKind::Procedure | RoutineKind::Routine) {
        let first = candidates.iter().find(same).map(|row| row.schema);
        if candidates.iter().filter(same).filter(|row| Some(row.schema) == first).count() > 1 {
            let message = format!("{what} name \"{written}\" is not unique");
            return Err(Error::new(sqlstate::AMBIGUOUS_FUNCTION, message));
        }
    }
    let found = candidates.iter().filter(same).find(|row| fits(name.kind, row));
    match found.or_else(|| candidates.iter().find(same)) {
        Some(row) => checked(row, name.kind, context),
        None => {
            let message = format!("{what} {} does not exist", signature_of(&written, &inputs, context));
            Err(Error::new(sqlstate::UNDEFINED_FUNCTION, message))
        }
    }
}

fn type_of(ty: &TypeName, context: &StatementContext) -> Result<Oid> {
    Ok(bind::resolve_type(&TypeName { setof: false, ..ty.clone() }, context)?.oid)
}

/// 42809 if it is of another kind than the statement says.
fn checked(row: &FunctionRow, kind: RoutineKind, context: &StatementContext) -> Result<FunctionRow> {
    if fits(kind, row) {
        return Ok(row.clone());
    }
    let shown = signature(row, context);
    let message = match kind {
        RoutineKind::Aggregate => format!("function {shown} is not an aggregate"),
        kind => format!("{shown} is not a {}", word(kind)),
    };
    Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message))
}

fn candidates(schema: Option<&str>, name: &str, context: &StatementContext) -> Vec<FunctionRow> {
    let mut rows = aegis_catalog::system::functions_shown(&context.catalog, name);
    let path: Vec<Oid> = context.search_path.function_schemas().collect();
    match schema {
        Some(schema) => {
            let schema = context.catalog.resolve_schema(schema, &context.search_path);
            rows.retain(|row| Some(row.schema) == schema);
        }
        None => {
            rows.retain(|row| path.contains(&row.schema));
            rows.sort_by_key(|row| path.iter().position(|schema| *schema == row.schema));
        }
    }
    rows
}
