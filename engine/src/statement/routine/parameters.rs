//! The parameters and result of a routine (PostgreSQL's interpret_function_parameter_list).

use aegis_catalog::types::{self, oid};
use aegis_catalog::{Error, Oid, Result, Type, sqlstate};

use crate::bind;
use crate::parse::ast::TypeName;
use crate::parse::routine::{CreateRoutine, Parameter, ParameterMode};
use crate::session::context::StatementContext;
use crate::statement::stored_text;

/// What `pg_proc` says of the parameters and the result.
#[derive(Debug, Default)]
pub struct Parameters {
    pub inputs: Vec<Oid>,
    /// All types and modes, if there are others than inputs.
    pub all: Option<(Vec<Oid>, Vec<char>)>,
    pub names: Option<Vec<String>>,
    pub defaults: Vec<String>,
    pub variadic: Oid,
    pub returns: Oid,
    pub returns_set: bool,
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(sqlstate::INVALID_FUNCTION_DEFINITION, message)
}

pub fn parameters(create: &CreateRoutine, context: &StatementContext) -> Result<Parameters> {
    let (mut out, outputs) = listed(&create.parameters, create.procedure, context)?;
    result(create, &outputs, &mut out, context)?;
    Ok(out)
}

/// The parameters without a result, and the types of those that are outputs.
pub fn listed(list: &[Parameter], procedure: bool, context: &StatementContext) -> Result<(Parameters, Vec<Oid>)> {
    let mut out = Parameters::default();
    let mut outputs = Vec::new();
    let mut types = Vec::new();
    for (position, parameter) in list.iter().enumerate() {
        let ty = parameter_type(&parameter.ty, procedure, context)?;
        types.push(ty);
        check_names(list, position)?;
        if parameter.mode.is_input() {
            if out.variadic != 0 {
                return Err(invalid("VARIADIC parameter must be the last input parameter"));
            }
            out.inputs.push(ty);
            if parameter.mode == ParameterMode::Variadic {
                out.variadic = variadic_element(ty, context)?;
            }
        }
        if !matches!(parameter.mode, ParameterMode::Default | ParameterMode::In | ParameterMode::Variadic) {
            if procedure && out.variadic != 0 {
                return Err(invalid("VARIADIC parameter must be the last parameter"));
            }
            outputs.push(ty);
        }
        match &parameter.default {
            Some(_) if !parameter.mode.is_input() => {
                return Err(invalid("only input parameters can have default values"));
            }
            Some(_) => out.defaults.push(default_text(parameter, ty, context)?),
            None if !out.defaults.is_empty() && parameter.mode.is_input() => {
                return Err(invalid("input parameters after one with a default value must also have defaults"));
            }
            None if !out.defaults.is_empty() && procedure => {
                return Err(invalid("procedure OUT parameters cannot appear after one with a default value"));
            }
            None => {}
        }
    }
    if outputs.is_empty() && !list.iter().any(|p| p.mode == ParameterMode::Variadic) {
        out.all = None;
    } else {
        let modes = list.iter().map(|parameter| parameter.mode.code()).collect();
        out.all = Some((types, modes));
    }
    if list.iter().any(|parameter| parameter.name.is_some()) {
        let name = |parameter: &Parameter| parameter.name.as_ref().map(|name| name.name.clone()).unwrap_or_default();
        out.names = Some(list.iter().map(name).collect());
    }
    Ok((out, outputs))
}

fn parameter_type(ty: &TypeName, procedure: bool, context: &StatementContext) -> Result<Oid> {
    if ty.setof {
        let kind = if procedure { "procedures" } else { "functions" };
        return Err(invalid(format!("{kind} cannot accept set arguments")));
    }
    Ok(bind::resolve_type(ty, context)?.oid)
}

/// 42P13 if an earlier parameter of the same side has the name.
fn check_names(list: &[Parameter], position: usize) -> Result<()> {
    let Some((parameter, earlier)) = list.get(..=position).and_then(<[_]>::split_last) else {
        return Ok(());
    };
    let Some(name) = &parameter.name else { return Ok(()) };
    let sides = |mode: ParameterMode| {
        let inout = mode == ParameterMode::InOut;
        (mode.is_input(), inout || !mode.is_input())
    };
    let own = sides(parameter.mode);
    let clash = |other: &&Parameter| {
        let theirs = sides(other.mode);
        other.name.as_ref().is_some_and(|other| other.name == name.name) && (own.0 && theirs.0 || own.1 && theirs.1)
    };
    match earlier.iter().find(clash) {
        Some(_) => Err(invalid(format!("parameter name \"{}\" used more than once", name.name))),
        None => Ok(()),
    }
}

fn variadic_element(ty: Oid, context: &StatementContext) -> Result<Oid> {
    let element = match ty {
        oid::ANYARRAY => oid::ANYELEMENT,
        oid::ANYCOMPATIBLEARRAY => oid::ANYCOMPATIBLE,
        oid::ANY => oid::ANY,
        ty => match types::element_of(ty) {
            Some(element) => element,
            None => context.catalog.type_entry(ty).map_or(0, |entry| entry.element),
        },
    };
    if element == 0 { Err(invalid("VARIADIC parameter must be an array")) } else { Ok(element) }
}

fn default_text(parameter: &Parameter, ty: Oid, context: &StatementContext) -> Result<String> {
    let Some(default) = &parameter.default else { return Ok(String::new()) };
    let bound = bind::bind_scalar(default, Some(Type::of(ty)), context)?;
    stored_text::scalar(&bound, context)
}

/// The declared result, or the one that output parameters imply.
fn result(create: &CreateRoutine, outputs: &[Oid], out: &mut Parameters, context: &StatementContext) -> Result<()> {
    let implied = match outputs {
        [] => None,
        [only] if !create.procedure => Some(*only),
        _ => Some(oid::RECORD),
    };
    out.returns_set = create.parameters.iter().any(|parameter| parameter.mode == ParameterMode::Table);
    out.returns = match (&create.returns, implied) {
        (None, Some(implied)) => implied,
        (None, None) if create.procedure => oid::VOID,
        (None, None) => return Err(invalid("function result type must be specified")),
        (Some(ty), implied) => {
            out.returns_set |= ty.setof;
            let declared = bind::resolve_type(&TypeName { setof: false, ..ty.clone() }, context)?.oid;
            if let Some(implied) = implied.filter(|implied| *implied != declared) {
                let printer =
                    aegis_catalog::definition::Printer { catalog: &context.catalog, search_path: &context.search_path };
                let name = aegis_catalog::definition::type_name(printer, implied);
                return Err(invalid(format!("function result type must be {name} because of OUT parameters")));
            }
            declared
        }
    };
    check_polymorphic(out)
}

/// 42P13 if nothing tells what a polymorphic result is.
fn check_polymorphic(out: &Parameters) -> Result<()> {
    let outputs = out.all.iter().flat_map(|(types, modes)| {
        types.iter().zip(modes).filter(|(_, mode)| matches!(mode, 'o' | 'b' | 't')).map(|(ty, _)| *ty)
    });
    match outputs.chain([out.returns]).find_map(|ty| undetermined(ty, &out.inputs)) {
        Some(detail) => Err(invalid("cannot determine result data type").with_detail(detail)),
        None => Ok(()),
    }
}

/// Why inputs of these types do not tell what a polymorphic type is (`check_valid_polymorphic_signature`).
pub fn undetermined(ty: Oid, inputs: &[Oid]) -> Option<String> {
    const ANY: &str = "A result of type {} requires at least one input of type anyelement, anyarray, anynonarray, anyenum, anyrange, or anymultirange.";
    const COMPATIBLE: &str = "A result of type {} requires at least one input of type anycompatible, anycompatiblearray, anycompatiblenonarray, anycompatiblerange, or anycompatiblemultirange.";
    const RANGE: &str = "A result of type {} requires at least one input of type anyrange or anymultirange.";
    const COMPATIBLE_RANGE: &str =
        "A result of type {} requires at least one input of type anycompatiblerange or anycompatiblemultirange.";
    let has = |wanted: &[Oid]| inputs.iter().any(|input| wanted.contains(input));
    let (fits, detail) = match ty {
        oid::ANYRANGE | oid::ANYMULTIRANGE => (has(&[oid::ANYRANGE, oid::ANYMULTIRANGE]), RANGE),
        oid::ANYCOMPATIBLERANGE | oid::ANYCOMPATIBLEMULTIRANGE => {
            (has(&[oid::ANYCOMPATIBLERANGE, oid::ANYCOMPATIBLEMULTIRANGE]), COMPATIBLE_RANGE)
        }
        ty if bind::is_any_family(ty) => (inputs.iter().any(|&input| bind::is_any_family(input)), ANY),
        ty if bind::is_polymorphic(ty) => {
            let compatible = |&input: &Oid| bind::is_polymorphic(input) && !bind::is_any_family(input);
            (inputs.iter().any(compatible), COMPATIBLE)
        }
        _ => return None,
    };
    (!fits).then(|| detail.replace("{}", &types::format_type(Type::of(ty))))
}
