//! One row of a family's list: a signature and a body, completed with what PostgreSQL's catalog says about the signature.

use std::borrow::Cow;
use std::sync::Arc;

use aegis_catalog::facts::{self, FunctionRow};
use aegis_catalog::fixed_oid::SQL_LANGUAGE;
use aegis_catalog::object::Routine;
use aegis_catalog::types::oid::{self, Oid};
use aegis_catalog::{Error, Result};

use super::{Body, Function, Volatility};
use crate::session::context::StatementContext;

/// A function as its family lists it.
pub struct Row {
    /// `name(type, …)` or `operator(type, …)`, types by internal name (`int4`, `text[]`). A function that PostgreSQL does not have is
    /// written `schema.name(type, …) -> type` or `… -> setof (column type, …)`.
    signature: Cow<'static, str>,
    body: Body,
    own: Option<Own>,
}

/// What PostgreSQL's catalog cannot tell of a function of our own.
#[derive(Debug, Clone, Copy)]
struct Own {
    oid: Oid,
    schema: Oid,
    volatility: Volatility,
    strict: bool,
}

/// A function that PostgreSQL has, by its signature.
pub fn f(signature: impl Into<Cow<'static, str>>, body: Body) -> Row {
    Row { signature: signature.into(), body, own: None }
}

/// Result columns of a function that PostgreSQL has and that returns records, and whether it is strict.
pub fn record_columns(signature: &str) -> Result<(Vec<(String, Oid)>, bool)> {
    let fact = Signature::parse(signature)?.fact()?;
    Ok((out_columns(fact), fact.strict))
}

/// A function that `pg_catalog` of PostgreSQL does not have; `oid` is fixed for ever.
pub fn own(oid: Oid, schema: Oid, signature: &'static str, volatility: Volatility, strict: bool, body: Body) -> Row {
    Row { signature: signature.into(), body, own: Some(Own { oid, schema, volatility, strict }) }
}

impl Row {
    /// The function with everything a caller may ask about it.
    pub fn resolve(self) -> Result<Function> {
        let signature = Signature::parse(&self.signature)?;
        match self.own {
            Some(own) => Ok(signature.own(own, self.body)),
            None => Ok(from_fact(signature.fact()?, self.body)),
        }
    }
}

/// A parsed signature.
struct Signature<'a> {
    text: &'a str,
    name: &'a str,
    args: Vec<Oid>,
    result: Vec<(String, Oid)>,
    returns_set: bool,
}

impl<'a> Signature<'a> {
    fn parse(text: &'a str) -> Result<Self> {
        let (call, result) = text.split_once(" -> ").unwrap_or((text, ""));
        let malformed = || Error::internal(format!("malformed signature: {text}"));
        let (name, args) = call.strip_suffix(')').and_then(|call| call.split_once('(')).ok_or_else(malformed)?;
        let args = list(args).map(type_oid).collect::<Result<_>>()?;
        let (returns_set, result) = match result.strip_prefix("setof ") {
            Some(result) => (true, result),
            None => (false, result),
        };
        let result = match result.strip_prefix('(').and_then(|columns| columns.strip_suffix(')')) {
            Some(columns) => list(columns)
                .map(|column| {
                    let (name, ty) = column.split_once(' ').ok_or_else(malformed)?;
                    Ok((name.to_owned(), type_oid(ty)?))
                })
                .collect::<Result<_>>()?,
            None => list(result).map(|ty| Ok((String::new(), type_oid(ty)?))).collect::<Result<_>>()?,
        };
        Ok(Self { text, name, args, result, returns_set })
    }

    /// The row of `pg_proc` that is meant.
    fn fact(&self) -> Result<&'static FunctionRow> {
        let missing = || Error::internal(format!("PostgreSQL has no such function: {}", self.text));
        if self.name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
            return facts::procs_named(self.name).iter().find(|fact| fact.arg_types == self.args).ok_or_else(missing);
        }
        let (left, right) = match self.args[..] {
            [right] => (0, right),
            [left, right] => (left, right),
            _ => return Err(missing()),
        };
        let operator = facts::operator_exact(self.name, left, right).ok_or_else(missing)?;
        facts::proc(operator.function).ok_or_else(missing)
    }

    fn own(self, own: Own, body: Body) -> Function {
        let returns = match &self.result[..] {
            [(_, only)] => *only,
            [] => oid::VOID,
            _ => oid::RECORD,
        };
        Function {
            oid: own.oid,
            schema: own.schema,
            name: self.name.to_owned(),
            args: self.args,
            variadic: false,
            defaults: Vec::new(),
            arg_names: Vec::new(),
            returns,
            returns_set: self.returns_set,
            out_columns: if self.result.len() > 1 { self.result } else { Vec::new() },
            strict: own.strict,
            volatility: own.volatility,
            body,
        }
    }
}

/// The items of a comma-separated list; none for the empty text.
fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn type_oid(name: &str) -> Result<Oid> {
    let found = match name.strip_suffix("[]") {
        Some(element) => facts::type_named(element).map(|row| row.array).filter(|&array| array != 0),
        None => facts::type_named(name).map(|row| row.oid),
    };
    found.ok_or_else(|| Error::internal(format!("no such type in a signature: {name}")))
}

/// The function that a user made.
pub fn of_routine(routine: &Arc<Routine>, context: &StatementContext) -> Result<Function> {
    let body = match (&routine.aggregate, &routine.library) {
        (Some(aggregate), _) => match native_aggregate(aggregate.transition, context) {
            Some(body) => body.clone(),
            None => Body::UserAggregate(routine.clone()),
        },
        (None, Some(library)) => {
            let code = context.extensions.code(library, &routine.row.source).cloned();
            code.ok_or_else(|| Error::internal(format!("{library} has no {}", routine.row.source)))?
        }
        (None, None) if routine.is_range_constructor() => super::range::constructor(&routine.row.source)
            .ok_or_else(|| Error::internal(format!("no constructor {}", routine.row.source)))?,
        (None, None) if routine.row.language == SQL_LANGUAGE => Body::Sql(routine.clone()),
        (None, None) => Body::Language(routine.clone()),
    };
    Ok(from_fact(&routine.row, body))
}

/// The aggregate that the symbol of a transition function in C stands for as a whole.
pub fn native_aggregate(transition: Oid, context: &StatementContext) -> Option<&Body> {
    let routine = context.catalog.routine(transition)?;
    let body = context.extensions.code(routine.library.as_deref()?, &routine.row.source)?;
    matches!(body, Body::Aggregate(_)).then_some(body)
}

fn from_fact(fact: &FunctionRow, body: Body) -> Function {
    let mut args = fact.arg_types.clone();
    let variadic = fact.variadic != 0;
    if variadic && let Some(last) = args.last_mut() {
        *last = fact.variadic;
    }
    let defaults = fact.arg_defaults.as_deref().map(split_defaults).unwrap_or_default();
    Function {
        oid: fact.oid,
        schema: fact.schema,
        name: fact.name.to_string(),
        args,
        variadic,
        defaults,
        arg_names: input_names(fact),
        returns: fact.return_type,
        returns_set: fact.returns_set,
        out_columns: out_columns(fact),
        strict: fact.strict,
        volatility: match fact.volatility {
            'i' => Volatility::Immutable,
            's' => Volatility::Stable,
            _ => Volatility::Volatile,
        },
        body,
    }
}

/// Names of the input parameters; empty if they have none.
pub fn input_names(fact: &FunctionRow) -> Vec<String> {
    match (&fact.arg_names, &fact.arg_modes) {
        (None, _) => Vec::new(),
        (Some(names), None) => names.clone(),
        (Some(names), Some(modes)) => names
            .iter()
            .zip(modes)
            .filter(|(_, mode)| matches!(mode, 'i' | 'b' | 'v'))
            .map(|(name, _)| name.clone())
            .collect(),
    }
}

fn out_columns(fact: &FunctionRow) -> Vec<(String, Oid)> {
    let (Some(types), Some(modes)) = (&fact.all_arg_types, &fact.arg_modes) else { return Vec::new() };
    let no_names = Vec::new();
    let names = fact.arg_names.as_ref().unwrap_or(&no_names);
    let columns: Vec<_> = (0..types.len())
        .filter(|&position| matches!(modes.get(position), Some('o' | 'b' | 't')))
        .map(|position| (names.get(position).cloned().unwrap_or_default(), types[position]))
        .collect();
    columns
}

/// Splits the defaults' SQL text at its top-level commas.
pub fn split_defaults(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut quoted, mut depth) = (false, 0);
    for character in text.chars() {
        match character {
            '\'' => quoted = !quoted,
            '(' | '[' if !quoted => depth += 1,
            ')' | ']' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(character);
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).collect()
}
