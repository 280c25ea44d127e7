//! CREATE FUNCTION and CREATE PROCEDURE.

use std::sync::Arc;

use aegis_catalog::facts::{self, AggregateRow, FunctionRow};
use aegis_catalog::fixed_oid::{C_LANGUAGE, SQL_LANGUAGE};
use aegis_catalog::object::{Dependency, DependencyKind, ObjectAddress, Routine};
use aegis_catalog::types::{self, oid};
use aegis_catalog::{Error, Oid, Result, sqlstate};

use super::find::{signature, signature_of};
use super::options::{self, Given};
use super::parameters::{self, Parameters};
use crate::bind::{self, routine as bodies};
use crate::parse::ast::{Span, Statement};
use crate::parse::routine::{CreateRoutine, RoutineOption, SqlBody};
use crate::parse::utility::Utility;
use crate::privilege::Owned;
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::statement::{Outcome, namespace, privilege};

fn invalid(message: impl Into<String>) -> Error {
    Error::new(sqlstate::INVALID_FUNCTION_DEFINITION, message)
}

pub fn create(session: &mut Session, create: &CreateRoutine, context: &StatementContext) -> Result<Outcome> {
    let tag = if create.procedure { "CREATE PROCEDURE" } else { "CREATE FUNCTION" };
    let routine = routine(create, session, context)?;
    let made = store(session, routine, create.or_replace, tag, context)?;
    // It may call itself.
    let checked = session.backend.settings.lock().bool("check_function_bodies") || made.sql_body.is_some();
    let checked = checked && made.library.is_none();
    let read = match checked {
        true if made.row.language == SQL_LANGUAGE => check_body(&made, &*session.context()?)?,
        true => {
            validate(&made, create, session)?;
            Vec::new()
        }
        false => Vec::new(),
    };
    let open = session.writable(tag)?;
    let structural = made.structural_dependencies().into_iter();
    let kind = DependencyKind::Normal;
    let read = read.into_iter().map(|referenced| Dependency { dependent: made.address(), referenced, kind });
    for edge in structural.chain(read).filter(|edge| edge.referenced != made.address()) {
        open.catalog.add_dependency(open.tables.permanent(), edge)?;
    }
    Outcome::tag(tag)
}

/// Puts a routine into the catalog, in the place of the one with its name and arguments if OR REPLACE says so.
pub fn store(
    session: &mut Session,
    routine: Routine,
    or_replace: bool,
    tag: &str,
    context: &StatementContext,
) -> Result<Arc<Routine>> {
    let same =
        |other: &&Arc<Routine>| other.row.schema == routine.row.schema && other.row.arg_types == routine.row.arg_types;
    let old = context.catalog.routines_named(&routine.row.name).find(same).cloned();
    let open = session.writable(tag)?;
    let made = match &old {
        Some(old) if or_replace => {
            check_replacement(old, &routine, context)?;
            open.catalog.remove_dependencies(open.tables.permanent(), old.address())?;
            let row = FunctionRow { oid: old.row.oid, owner: old.row.owner, ..routine.row };
            let aggregate = routine.aggregate.map(|aggregate| AggregateRow { function: row.oid, ..aggregate });
            open.catalog.replace_routine(open.tables.permanent(), Routine { row, aggregate, ..routine })?
        }
        Some(_) => {
            let message = format!("function \"{}\" already exists with same argument types", routine.row.name);
            return Err(Error::new(sqlstate::DUPLICATE_FUNCTION, message));
        }
        None => open.catalog.create_routine(open.tables.permanent(), routine)?,
    };
    if old.is_none()
        && let Some(owned) = Owned::of(made.address(), &*session.catalog()?)
    {
        privilege::apply_default(session, &owned, made.row.schema)?;
    }
    Ok(made)
}

fn routine(create: &CreateRoutine, session: &mut Session, context: &StatementContext) -> Result<Routine> {
    let place = namespace::place(session, &create.name, false, context)?;
    let parameters = parameters::parameters(create, context)?;
    let mut row = row_of(create, place.schema, place.name, &parameters, context);
    let given = options::apply(&create.options, create.procedure, &mut row)?;
    if row.leakproof && !session.superuser {
        return Err(not_superuser());
    }
    let library = library(&given, context)?;
    let (source, sql_body) = match &library {
        Some((_, symbol)) => (symbol.clone(), None),
        None => {
            let (language, source, sql_body) = body(create, &given, context)?;
            row.language = language;
            (source, sql_body)
        }
    };
    row.source = source.into();
    if library.is_some() {
        row.language = C_LANGUAGE;
        if !given.cost {
            row.cost = 1.0;
        }
        if !session.superuser {
            return Err(Error::new(sqlstate::INSUFFICIENT_PRIVILEGE, "permission denied for language c"));
        }
    }
    let library = library.map(|(library, _)| library);
    if given.window {
        let old = context.catalog.routines_named(&row.name);
        let old = old.into_iter().find(|old| old.row.schema == row.schema && old.row.arg_types == row.arg_types);
        if let Some(old) = old.filter(|_| create.or_replace) {
            return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, "cannot change routine kind").with_detail(format!(
                "\"{}\" is a {}.",
                old.row.name,
                old.kind_name()
            )));
        }
        return Err(Error::unsupported("window functions in SQL"));
    }
    if library.is_none() && row.language == SQL_LANGUAGE {
        check_types(&row, &parameters, context)?;
    }
    if sql_body.is_some() && row.arg_types.iter().any(|&ty| bind::is_polymorphic(ty)) {
        return Err(invalid("SQL function with unquoted function body cannot have polymorphic arguments"));
    }
    let mut settings = Vec::new();
    options::merge_settings(&mut settings, &given)?;
    Ok(Routine { row, sql_body, library, settings, aggregate: None })
}

/// 42501 for who may not say that a function leaks nothing.
pub fn not_superuser() -> Error {
    Error::new(sqlstate::INSUFFICIENT_PRIVILEGE, "only superuser can define a leakproof function")
}

fn row_of(
    create: &CreateRoutine,
    schema: Oid,
    name: String,
    parameters: &Parameters,
    context: &StatementContext,
) -> FunctionRow {
    let (all_arg_types, arg_modes) = parameters.all.clone().unzip();
    FunctionRow {
        schema,
        owner: context.user_oid,
        language: SQL_LANGUAGE,
        cost: 100.0,
        rows: 0.0,
        variadic: parameters.variadic,
        kind: if create.procedure { 'p' } else { 'f' },
        strict: false,
        returns_set: parameters.returns_set,
        volatility: 'v',
        parallel: 'u',
        default_count: i16::try_from(parameters.defaults.len()).unwrap_or(i16::MAX),
        all_arg_types,
        arg_modes,
        arg_names: parameters.names.clone(),
        arg_defaults: (!parameters.defaults.is_empty()).then(|| parameters.defaults.join(", ")),
        ..FunctionRow::new(0, name, parameters.inputs.clone(), parameters.returns)
    }
}

/// Library and symbol of a function in C, if it is one that is built in.
fn library(given: &Given, context: &StatementContext) -> Result<Option<(String, String)>> {
    if given.language.as_deref().is_none_or(|language| !language.eq_ignore_ascii_case("c")) {
        return Ok(None);
    }
    match &given.body {
        Some((library, Some(symbol))) if context.extensions.code(library, symbol).is_some() => {
            Ok(Some((library.clone(), symbol.clone())))
        }
        _ => Err(Error::unsupported("LANGUAGE c")),
    }
}

/// The body of AS, and the one in the syntax of SQL.
fn body(create: &CreateRoutine, given: &Given, context: &StatementContext) -> Result<(Oid, String, Option<String>)> {
    let language = match (&given.language, &create.body) {
        (Some(language), _) => language.to_lowercase(),
        (None, Some(_)) => "sql".to_owned(),
        (None, None) => return Err(invalid("no language specified")),
    };
    let Some(oid) = facts::language_named(&language) else {
        let error = Error::new(sqlstate::UNDEFINED_OBJECT, format!("language \"{language}\" does not exist"));
        return Err(error);
    };
    if oid != SQL_LANGUAGE && context.extensions.language(&language).is_none() {
        return Err(Error::unsupported(format!("LANGUAGE {language}")));
    }
    if oid != SQL_LANGUAGE && create.body.is_some() {
        return Err(invalid("inline SQL function body only valid for language SQL"));
    }
    match (&given.body, &create.body) {
        (Some(_), Some(_)) => Err(invalid("duplicate function body specified")),
        (None, None) => Err(invalid("no function body specified")),
        (Some((body, None)), None) => Ok((oid, body.clone(), None)),
        (Some((_, Some(_))), None) => Err(invalid(format!("only one AS item needed for language \"{language}\""))),
        (None, Some(SqlBody::Return(expr))) => Ok((oid, String::new(), Some(format!("RETURN {expr}")))),
        (None, Some(SqlBody::Atomic(statements))) => {
            let lines: String = statements.iter().map(|statement| format!(" {statement};\n")).collect();
            Ok((oid, String::new(), Some(format!("BEGIN ATOMIC\n{lines}END"))))
        }
    }
}

/// 42P13 for pseudo-types that SQL knows no values of.
fn check_types(row: &FunctionRow, parameters: &Parameters, context: &StatementContext) -> Result<()> {
    let is_pseudo = |ty: Oid| types::type_info(ty).is_some_and(|info| info.kind == 'p') && !bind::is_polymorphic(ty);
    let name = |ty: Oid| {
        let printer =
            aegis_catalog::definition::Printer { catalog: &context.catalog, search_path: &context.search_path };
        aegis_catalog::definition::type_name(printer, ty)
    };
    if is_pseudo(row.return_type) && !matches!(row.return_type, oid::VOID | oid::RECORD) {
        return Err(invalid(format!("SQL functions cannot return type {}", name(row.return_type))));
    }
    let all = parameters.all.as_ref().map_or(&parameters.inputs, |(types, _)| types);
    match parameters.inputs.iter().chain(all).find(|&&ty| is_pseudo(ty)) {
        Some(&ty) => Err(invalid(format!("SQL functions cannot have arguments of type {}", name(ty)))),
        None => Ok(()),
    }
}

/// Binds the body as far as its types are known. What it reads, if it is kept bound.
fn check_body(routine: &Routine, context: &StatementContext) -> Result<Vec<ObjectAddress>> {
    let (sql, statements) = bodies::statements_of(routine).map_err(Error::without_position)?;
    let mut read = Vec::new();
    let mut numbers = bodies::Numbers::FIRST;
    let mut last = None;
    if !bodies::has_concrete_arguments(routine) {
        return Ok(read);
    }
    for parsed in &statements {
        last = match &parsed.statement {
            Statement::Utility(utility) => {
                if let Utility::Call(call) = &**utility {
                    let types = &routine.row.arg_types;
                    bind::bind_call_within(&call.0, call.1, routine, types, context)
                        .map_err(Error::without_position)?;
                }
                if routine.sql_body.is_some() {
                    let message = "utility statements are not yet supported in unquoted SQL function body";
                    return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
                }
                None
            }
            statement => {
                let types = &routine.row.arg_types;
                let bound = bodies::bind_body_statement(statement, &sql, routine, types, context, &mut numbers);
                let bound = bound.map_err(Error::without_position)?;
                if routine.sql_body.is_some() {
                    read.extend(bind::read_by(&bound.statement, &context.catalog));
                }
                Some(bound)
            }
        };
    }
    let function = crate::functions::of_routine(&Arc::new(routine.clone()), context)?;
    let returns = bodies::returns_of(&function, None, context)?;
    if routine.row.kind == 'p' && returns.is_void() {
        return Ok(read);
    }
    bodies::as_declared(last.as_mut(), &returns, context, &mut numbers)?;
    Ok(read)
}

/// As the language's validator says; where the body is wrong is told as a place in the statement.
fn validate(routine: &Arc<Routine>, create: &CreateRoutine, session: &Session) -> Result<()> {
    let context = session.context()?;
    let language = crate::session::routine::language_of(routine, &context.extensions)?;
    let checked = (language.validate)(routine, &context);
    let written = create.options.iter().find(|(option, _)| matches!(option, RoutineOption::As(..)));
    checked.map_err(|error| match written {
        Some((_, span)) => in_body(error, *span, &context.services.query(), &routine.row.source),
        None => error,
    })
}

/// A position in a body as one in the statement that makes it, if the body is there as it is.
pub fn in_body(mut error: Error, clause: Span, sql: &str, body: &str) -> Error {
    let fields = error.fields_mut();
    let Some(position) = fields.position else { return error };
    match sql.get(clause.start as usize..).and_then(|rest| rest.find(body)) {
        Some(offset) => fields.position = Some(clause.start + offset as u32 + position),
        None => {
            fields.position = None;
            fields.internal = Some((position, body.to_owned()));
        }
    }
    error
}

/// OR REPLACE keeps what calls rely on.
fn check_replacement(old: &Routine, new: &Routine, context: &StatementContext) -> Result<()> {
    let (before, after) = (&old.row, &new.row);
    if before.kind != after.kind {
        let message = "cannot change routine kind";
        return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message).with_detail(format!(
            "\"{}\" is a {}.",
            before.name,
            old.kind_name()
        )));
    }
    let hint = || {
        let command = if before.kind == 'p' { "DROP PROCEDURE" } else { "DROP FUNCTION" };
        format!("Use {command} {} first.", signature(before, context).replace(", ", ","))
    };
    if before.return_type != after.return_type || before.returns_set != after.returns_set {
        let message = match before.kind {
            'p' => "cannot change whether a procedure has output parameters",
            _ => "cannot change return type of existing function",
        };
        return Err(invalid(message).with_hint(hint()));
    }
    if before.return_type == oid::RECORD && outputs(before) != outputs(after) {
        return Err(invalid("cannot change return type of existing function")
            .with_detail("Row type defined by OUT parameters is different.")
            .with_hint(hint()));
    }
    let (old_names, new_names) = (crate::functions::input_names(before), crate::functions::input_names(after));
    for (position, name) in old_names.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
        if new_names.get(position) != Some(name) {
            return Err(invalid(format!("cannot change name of input parameter \"{name}\"")).with_hint(hint()));
        }
    }
    if before.default_count > after.default_count {
        return Err(invalid("cannot remove parameter defaults from existing function").with_hint(hint()));
    }
    Ok(())
}

fn outputs(row: &FunctionRow) -> Vec<(String, Oid)> {
    let (Some(types), Some(modes)) = (&row.all_arg_types, &row.arg_modes) else { return Vec::new() };
    let names = row.arg_names.clone().unwrap_or_else(|| vec![String::new(); types.len()]);
    let all = types.iter().zip(modes).zip(names);
    all.filter(|((_, mode), _)| matches!(mode, 'o' | 'b' | 't')).map(|((ty, _), name)| (name, *ty)).collect()
}

/// 42723 if a routine of that name and arguments is in the schema.
pub fn reject_duplicate(row: &FunctionRow, name: &str, schema: Oid, context: &StatementContext) -> Result<()> {
    let mut named = context.catalog.routines_named(name);
    if !named.any(|other| other.row.schema == schema && other.row.arg_types == row.arg_types) {
        return Ok(());
    }
    let schema = context.catalog.schema(schema).map(|schema| schema.name.clone()).unwrap_or_default();
    let message =
        format!("function {} already exists in schema \"{schema}\"", signature_of(name, &row.arg_types, context));
    Err(Error::new(sqlstate::DUPLICATE_FUNCTION, message))
}
