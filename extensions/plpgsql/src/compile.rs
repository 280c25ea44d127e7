//! Types of a body's variables, and what a routine takes and gives. A compiled routine is kept for its session.

use std::collections::HashMap;
use std::sync::Arc;

use aegis_engine::extension::{
    Caller, Error, Invocation, Oid, Result, Routine, StatementContext, Type, add_context, column_type, fields_of, oid,
    row_type, signature, sqlstate, type_named,
};

use crate::ast::{Body, DatumId, TypeName};
use crate::parse::{self, Given, Shape};

/// A body that can run.
pub struct Function {
    /// As the context of errors names it.
    pub name: String,
    pub body: Body,
    pub types: Vec<Type>,
    /// The variables that arguments are put into.
    pub inputs: Vec<DatumId>,
    /// The variables that go out.
    pub outputs: Vec<DatumId>,
    pub shape: Shape,
}

/// Routines kept in a session.
const MAX_KEPT: usize = 200;

#[derive(Default)]
struct Compiled(HashMap<(Oid, Vec<Oid>), (Arc<Routine>, Arc<Function>)>);

/// The routine of a call, compiled for the types of its arguments.
pub fn of_routine(caller: &mut Caller<'_>, call: &Invocation) -> Result<Arc<Function>> {
    let arguments = call.argument_types();
    let key = (call.routine.row.oid, arguments.iter().map(|ty| ty.oid).collect::<Vec<_>>());
    let kept: &mut Compiled = caller.state("plpgsql");
    if let Some((routine, function)) = kept.0.get(&key)
        && Arc::ptr_eq(routine, &call.routine)
    {
        return Ok(Arc::clone(function));
    }
    let context = caller.context()?;
    let outputs: Vec<Type> = call.returns.columns.iter().map(|(_, ty)| *ty).collect();
    let function = Arc::new(routine(&call.routine, &arguments, &outputs, &context, false)?);
    let kept: &mut Compiled = caller.state("plpgsql");
    if kept.0.len() >= MAX_KEPT {
        kept.0.clear();
    }
    kept.0.insert(key, (Arc::clone(&call.routine), Arc::clone(&function)));
    Ok(function)
}

/// The text of DO.
pub fn inline(text: &str, caller: &Caller<'_>) -> Result<Function> {
    let context = caller.context()?;
    let name = "inline_code_block";
    let check = caller.setting("check_function_bodies") == "on";
    let body = parse::parse(text, name, Vec::new(), Shape::Void, check)?;
    let types = types_of(&body, &[], &context)?;
    let name = name.to_owned();
    Ok(Function { name, body, types, inputs: Vec::new(), outputs: Vec::new(), shape: Shape::Void })
}

/// An error in a text that the client has not sent as a statement.
fn inside(mut error: Error, text: &str, name: &str) -> Error {
    let line = line_of(text, error.fields().position);
    if let Some(position) = error.fields_mut().position.take() {
        error.fields_mut().internal.get_or_insert((position, text.to_owned()));
    }
    add_context(&mut error, &format!("compilation of PL/pgSQL function \"{name}\" near line {line}"));
    error
}

fn line_of(text: &str, position: Option<u32>) -> usize {
    let before = position.and_then(|position| text.get(..position as usize)).unwrap_or_default();
    before.matches('\n').count() + 1
}

/// What CREATE FUNCTION checks.
pub fn validate(made: &Arc<Routine>, context: &Arc<StatementContext>) -> Result<()> {
    let types: Vec<Type> = made.row.arg_types.iter().map(|ty| Type::of(*ty)).collect();
    let row = &made.row;
    let is_output =
        |position: usize| matches!(row.arg_modes.as_ref().and_then(|modes| modes.get(position)), Some('o' | 'b' | 't'));
    let all = row.all_arg_types.iter().flatten().enumerate();
    let outputs: Vec<Type> = all.filter(|(position, _)| is_output(*position)).map(|(_, ty)| Type::of(*ty)).collect();
    routine(made, &types, &outputs, context, true).map(drop)
}

fn routine(
    made: &Routine,
    arguments: &[Type],
    outputs: &[Type],
    context: &StatementContext,
    check: bool,
) -> Result<Function> {
    let row = &made.row;
    let all = row.all_arg_types.as_ref().unwrap_or(&row.arg_types);
    let (mut inputs_left, mut outputs_left) = (arguments.iter(), outputs.iter());
    let (mut given, mut types, mut inputs, mut outs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (position, declared) in all.iter().enumerate() {
        let mode = row.arg_modes.as_ref().and_then(|modes| modes.get(position)).copied().unwrap_or('i');
        let mut ty = Type::of(*declared);
        if matches!(mode, 'o' | 'b' | 't') {
            outs.push(position);
            ty = outputs_left.next().copied().unwrap_or(ty);
        }
        if matches!(mode, 'i' | 'b' | 'v') {
            inputs.push(position);
            ty = inputs_left.next().copied().unwrap_or(ty);
        }
        let mut names = vec![format!("${}", position + 1)];
        let name = row.arg_names.as_ref().and_then(|names| names.get(position)).filter(|name| !name.is_empty());
        names.extend(name.cloned());
        let is_record = ty.oid == oid::RECORD || fields_of(ty, &context.catalog).is_some();
        given.push(Given { names, ty: TypeName::Parameter(position), is_record, constant: false });
        types.push(ty);
    }
    let shape = match (row.kind, row.returns_set, outs.is_empty()) {
        ('p', _, _) => Shape::Procedure,
        (_, true, true) => Shape::Set,
        (_, true, false) => Shape::SetOfOutputs,
        (_, false, false) => Shape::Outputs,
        (_, false, true) if row.return_type == oid::VOID => Shape::Void,
        (_, false, true) if row.return_type == oid::TRIGGER => Shape::Trigger,
        _ => Shape::Value,
    };
    if matches!(row.return_type, oid::TRIGGER | oid::EVENT_TRIGGER) {
        return Err(Error::unsupported("RETURNS trigger in PL/pgSQL"));
    }
    let located = |error: Error| match check && error.fields().position.is_some() {
        true => error,
        false => inside(error, &row.source, &row.name),
    };
    let body = parse::parse(&row.source, &row.name, given, shape, check).map_err(located)?;
    let types = types_of(&body, &types, context).map_err(located)?;
    Ok(Function { name: signature(made, context), body, types, inputs, outputs: outs, shape })
}

fn types_of(body: &Body, parameters: &[Type], context: &StatementContext) -> Result<Vec<Type>> {
    let mut types: Vec<Type> = Vec::with_capacity(body.datums.len());
    for datum in &body.datums {
        let at = |position: &u32| {
            let position = *position;
            move |error: Error| error.without_position().at(position)
        };
        let ty = match &datum.ty {
            TypeName::Sql(text, position) => {
                let ty = type_named(text, context).map_err(at(position))?;
                let entry = context.catalog.type_entry(ty.oid);
                let pseudo = entry.is_some_and(|entry| entry.kind == 'p') && ty.oid != oid::RECORD;
                if pseudo {
                    let message = format!("variable \"{}\" has pseudo-type {text}", datum.name);
                    return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
                }
                ty
            }
            TypeName::OfVariable(other) => types.get(*other).copied().unwrap_or(Type::of(oid::TEXT)),
            TypeName::OfColumn(parts, position) => column_type(parts, context).map_err(at(position))?,
            TypeName::RowOf(parts, position) => row_type(parts, context).map_err(at(position))?,
            TypeName::Record => Type::of(oid::RECORD),
            TypeName::Parameter(position) => parameters.get(*position).copied().unwrap_or(Type::of(oid::TEXT)),
            TypeName::Integer => Type::of(oid::INT4),
            TypeName::Text | TypeName::Any => Type::of(oid::TEXT),
            TypeName::Boolean => Type::of(oid::BOOL),
            TypeName::Refcursor => Type::of(oid::REFCURSOR),
        };
        types.push(ty);
    }
    Ok(types)
}
