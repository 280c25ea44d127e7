//! CREATE AGGREGATE (PostgreSQL manual; DefineAggregate and AggregateCreate).

use std::collections::HashMap;

use aegis_catalog::acl;
use aegis_catalog::facts::{self, AggregateRow, FunctionRow};
use aegis_catalog::fixed_oid::INTERNAL_LANGUAGE;
use aegis_catalog::object::Routine;
use aegis_catalog::types::{self, oid};
use aegis_catalog::{Error, Oid, Result, sqlstate};

use super::create::store;
use super::parameters::{self, Parameters, undetermined};
use crate::bind;
use crate::bind::user_aggregate::{Support, binary_coercible, support};
use crate::functions::native_aggregate;
use crate::parse::ast::Name;
use crate::parse::definition::DefinitionItem;
use crate::parse::routine::{CreateAggregate, Parameter, ParameterMode};
use crate::privilege::Owned;
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::statement::{Outcome, namespace};

const TAG: &str = "CREATE AGGREGATE";

/// What a definition may say.
const ITEMS: [&str; 22] = [
    "sfunc",
    "stype",
    "sspace",
    "finalfunc",
    "finalfunc_extra",
    "finalfunc_modify",
    "combinefunc",
    "serialfunc",
    "deserialfunc",
    "initcond",
    "msfunc",
    "minvfunc",
    "mstype",
    "msspace",
    "mfinalfunc",
    "mfinalfunc_extra",
    "mfinalfunc_modify",
    "minitcond",
    "sortop",
    "parallel",
    "hypothetical",
    "basetype",
];

fn invalid(message: impl Into<String>) -> Error {
    Error::new(sqlstate::INVALID_FUNCTION_DEFINITION, message)
}

pub fn create(session: &mut Session, create: &CreateAggregate, context: &StatementContext) -> Result<Outcome> {
    let place = namespace::place(session, &create.name, false, context)?;
    let given = Given::of(session, create);
    let parameters = given.parameters(create, context)?;
    if create.ordered {
        return Err(Error::unsupported("ordered-set aggregates of users"));
    }
    let (aggregate, returns) = given.aggregate(&parameters, session, context)?;
    let (all_arg_types, arg_modes) = parameters.all.clone().unzip();
    let row = FunctionRow {
        schema: place.schema,
        owner: context.user_oid,
        language: INTERNAL_LANGUAGE,
        variadic: parameters.variadic,
        kind: 'a',
        strict: false,
        parallel: given.parallel()?,
        all_arg_types,
        arg_modes,
        arg_names: parameters.names.clone(),
        source: "aggregate_dummy".into(),
        ..FunctionRow::new(0, place.name, parameters.inputs.clone(), returns)
    };
    let routine = Routine { row, sql_body: None, library: None, settings: Vec::new(), aggregate: Some(aggregate) };
    let made = store(session, routine, create.or_replace, TAG, context)?;
    let open = session.writable(TAG)?;
    for edge in made.structural_dependencies() {
        open.catalog.add_dependency(open.tables.permanent(), edge)?;
    }
    Outcome::tag(TAG)
}

/// The definition by the names of its items; of several with one name the last counts.
struct Given<'a> {
    items: HashMap<&'a str, &'a DefinitionItem>,
}

/// A way of computing the aggregate, as far as it is looked up.
struct Way {
    state: Oid,
    transition: Support,
    finish: Option<Support>,
    finish_extra: bool,
    initial: Option<String>,
}

impl<'a> Given<'a> {
    fn of(session: &Session, create: &'a CreateAggregate) -> Self {
        let mut items = HashMap::new();
        for item in &create.definition {
            let name = match item.name.as_str() {
                "sfunc1" => "sfunc",
                "stype1" => "stype",
                "initcond1" => "initcond",
                name => name,
            };
            if ITEMS.contains(&name) {
                items.insert(name, item);
            } else {
                let message = format!("aggregate attribute \"{name}\" not recognized");
                session.backend.notice("WARNING", Error::new(sqlstate::SYNTAX_ERROR, message));
            }
        }
        Self { items }
    }

    fn has(&self, name: &str) -> bool {
        self.items.contains_key(name)
    }

    fn text(&self, name: &str) -> Result<Option<String>> {
        self.items.get(name).map(|item| item.text()).transpose()
    }

    fn name(&self, name: &str) -> Result<Option<Name>> {
        self.items.get(name).map(|item| item.qualified_name()).transpose()
    }

    fn flag(&self, name: &str) -> Result<bool> {
        self.items.get(name).map_or(Ok(false), |item| item.boolean())
    }

    fn number(&self, name: &str) -> Result<i32> {
        self.items.get(name).map_or(Ok(0), |item| item.integer())
    }

    fn parallel(&self) -> Result<char> {
        match self.text("parallel")?.as_deref() {
            None | Some("unsafe") => Ok('u'),
            Some("safe") => Ok('s'),
            Some("restricted") => Ok('r'),
            Some(_) => {
                let message = "parameter \"parallel\" must be SAFE, RESTRICTED, or UNSAFE";
                Err(Error::new(sqlstate::SYNTAX_ERROR, message))
            }
        }
    }

    /// `finalfunc_modify`: whether the final function leaves the state as it is.
    fn modify(&self, name: &str) -> Result<char> {
        match self.text(name)?.as_deref() {
            None | Some("read_only") => Ok('r'),
            Some("shareable") => Ok('s'),
            Some("read_write") => Ok('w'),
            Some(_) => {
                let message = format!("parameter \"{name}\" must be READ_ONLY, SHAREABLE, or READ_WRITE");
                Err(Error::new(sqlstate::SYNTAX_ERROR, message))
            }
        }
    }

    /// 42P13 for items that need each other.
    fn check(&self) -> Result<()> {
        for (name, shown) in [("stype", "stype"), ("sfunc", "sfunc")] {
            if !self.has(name) {
                return Err(invalid(format!("aggregate {shown} must be specified")));
            }
        }
        if self.has("mstype") {
            for name in ["msfunc", "minvfunc"] {
                if !self.has(name) {
                    return Err(invalid(format!("aggregate {name} must be specified when mstype is specified")));
                }
            }
            return Ok(());
        }
        for name in ["msfunc", "minvfunc", "mfinalfunc", "msspace", "minitcond"] {
            if self.has(name) {
                return Err(invalid(format!("aggregate {name} must not be specified without mstype")));
            }
        }
        Ok(())
    }

    fn parameters(&self, create: &CreateAggregate, context: &StatementContext) -> Result<Parameters> {
        self.check()?;
        let list = match (&create.parameters, self.items.get("basetype")) {
            (None, None) => return Err(invalid("aggregate input type must be specified")),
            (Some(_), Some(_)) => {
                return Err(invalid("basetype is redundant with aggregate input type specification"));
            }
            (Some(list), None) => list.clone(),
            (None, Some(item)) if item.text()?.eq_ignore_ascii_case("any") => Vec::new(),
            (None, Some(item)) => {
                let (mode, span) = (ParameterMode::Default, item.span);
                vec![Parameter { mode, name: None, ty: item.type_name()?, default: None, span }]
            }
        };
        if list.iter().any(|parameter| parameter.ty.setof) {
            return Err(invalid("aggregates cannot accept set arguments"));
        }
        let (parameters, outputs) = parameters::listed(&list, false, context)?;
        if !outputs.is_empty() {
            return Err(invalid("aggregates cannot have output arguments"));
        }
        Ok(parameters)
    }

    /// How it is computed, and the type of its result.
    fn aggregate(
        &self,
        parameters: &Parameters,
        session: &Session,
        context: &StatementContext,
    ) -> Result<(AggregateRow, Oid)> {
        let inputs = &parameters.inputs;
        let plain = self.way("", parameters, session, context)?;
        let moving = if self.has("mstype") { Some(self.way("m", parameters, session, context)?) } else { None };
        let inverse = match &moving {
            Some(way) => Some(self.inverse(way, parameters, context)?),
            None => None,
        };
        let result = plain.finish.as_ref().map_or(plain.state, |finish| finish.returns);
        let combine = self.combine(plain.state, context)?;
        if self.has("serialfunc") || self.has("deserialfunc") {
            let message =
                "serialization functions may be specified only when the aggregate transition data type is internal";
            return Err(invalid(message));
        }
        if let Some(detail) = undetermined(result, inputs) {
            return Err(invalid("cannot determine result data type").with_detail(detail));
        }
        if let Some(way) = &moving {
            let moved = way.finish.as_ref().map_or(way.state, |finish| finish.returns);
            if moved != result {
                let name = |ty| context.format.names.type_name(ty);
                let message = format!(
                    "moving-aggregate implementation returns type {}, but plain implementation returns type {}",
                    name(moved),
                    name(result)
                );
                return Err(invalid(message));
            }
        }
        let oid_of = |support: Option<&Support>| support.map_or(0, |support| support.oid);
        let row = AggregateRow {
            function: 0,
            kind: 'n',
            direct_args: 0,
            transition: plain.transition.oid,
            finish: oid_of(plain.finish.as_ref()),
            combine: oid_of(combine.as_ref()),
            serialize: 0,
            deserialize: 0,
            moving_transition: oid_of(moving.as_ref().map(|way| &way.transition)),
            moving_inverse: oid_of(inverse.as_ref()),
            moving_finish: oid_of(moving.as_ref().and_then(|way| way.finish.as_ref())),
            finish_extra: plain.finish_extra,
            moving_finish_extra: moving.as_ref().is_some_and(|way| way.finish_extra),
            finish_modify: self.modify("finalfunc_modify")?,
            moving_finish_modify: self.modify("mfinalfunc_modify")?,
            sort_operator: self.sort_operator(inputs, context)?,
            transition_type: plain.state,
            transition_space: self.number("sspace")?,
            moving_transition_type: moving.as_ref().map_or(0, |way| way.state),
            moving_transition_space: self.number("msspace")?,
            initial: plain.initial.map(Into::into),
            moving_initial: moving.and_then(|way| way.initial).map(Into::into),
        };
        Ok((row, result))
    }

    /// The type of the state.
    fn state(&self, item: &str, session: &Session, context: &StatementContext) -> Result<Oid> {
        let Some(given) = self.items.get(item) else { return Err(invalid("aggregate stype must be specified")) };
        let ty = bind::resolve_type(&given.type_name()?, context)?.oid;
        if ty == oid::INTERNAL && session.superuser {
            return Ok(ty);
        }
        let pseudo = types::type_info(ty).is_some_and(|info| info.kind == 'p') && !bind::is_polymorphic(ty);
        if pseudo {
            let name = context.format.names.type_name(ty);
            return Err(invalid(format!("aggregate transition data type cannot be {name}")));
        }
        Ok(ty)
    }

    /// The functions of plain (`prefix` empty) or moving (`m`) computation.
    fn way(&self, prefix: &str, parameters: &Parameters, session: &Session, context: &StatementContext) -> Result<Way> {
        let item = |name: &str| format!("{prefix}{name}");
        let inputs = &parameters.inputs;
        let state = self.state(&item("stype"), session, context)?;
        let initial = self.text(&item("initcond"))?;
        if let Some(text) = initial.as_deref().filter(|_| !bind::is_polymorphic(state)) {
            types::parse_scalar(aegis_catalog::Type::of(state), text, &context.format)?;
        }
        if let Some(detail) = undetermined(state, inputs) {
            return Err(invalid("cannot determine transition data type").with_detail(detail));
        }
        let transition = self.function(&item("sfunc"), &over(state, inputs), parameters.variadic != 0, context)?;
        let transition = transition.ok_or_else(|| invalid("aggregate sfunc must be specified"))?;
        if state == oid::INTERNAL && native_aggregate(transition.oid, context).is_none() {
            return Err(Error::unsupported("aggregates with a state of type internal"));
        }
        let kind = if prefix.is_empty() { "transition" } else { "moving-aggregate transition" };
        returns(&self.shown(&item("sfunc"))?, kind, &transition, state, context)?;
        if transition.strict && initial.is_none() {
            let fits = inputs.first().is_some_and(|&first| binary_coercible(first, state, context));
            if !fits {
                return Err(invalid(
                    "must not omit initial value when transition function is strict and transition type is not compatible with input type",
                ));
            }
        }
        let finish_extra = self.flag(&item("finalfunc_extra"))?;
        let over_state = if finish_extra { over(state, inputs) } else { vec![state] };
        let variadic = finish_extra && parameters.variadic != 0;
        let finish = self.function(&item("finalfunc"), &over_state, variadic, context)?;
        if finish_extra && finish.as_ref().is_some_and(|finish| finish.strict) {
            return Err(invalid("final function with extra arguments must not be declared STRICT"));
        }
        Ok(Way { state, transition, finish, finish_extra, initial })
    }

    fn inverse(&self, way: &Way, parameters: &Parameters, context: &StatementContext) -> Result<Support> {
        let types = over(way.state, &parameters.inputs);
        let inverse = self.function("minvfunc", &types, parameters.variadic != 0, context)?;
        let inverse =
            inverse.ok_or_else(|| invalid("aggregate minvfunc must be specified when mstype is specified"))?;
        returns(&self.shown("minvfunc")?, "inverse transition", &inverse, way.state, context)?;
        if inverse.strict != way.transition.strict {
            return Err(invalid("strictness of aggregate's forward and inverse transition functions must match"));
        }
        Ok(inverse)
    }

    fn combine(&self, state: Oid, context: &StatementContext) -> Result<Option<Support>> {
        let combine = self.function("combinefunc", &[state, state], false, context)?;
        if let Some(combine) = &combine {
            returns(&self.shown("combinefunc")?, "combine", combine, state, context)?;
        }
        Ok(combine)
    }

    fn function(
        &self,
        item: &str,
        types: &[Oid],
        variadic: bool,
        context: &StatementContext,
    ) -> Result<Option<Support>> {
        let Some(name) = self.name(item)? else { return Ok(None) };
        let found = support(&name, types, variadic, context)?;
        if let Some(owned) = context.catalog.routine(found.oid).and_then(|of| Owned::of(of.address(), &context.catalog))
        {
            owned.require(acl::rights("X"), context)?;
        }
        Ok(Some(found))
    }

    fn shown(&self, item: &str) -> Result<String> {
        let name = self.name(item)?;
        Ok(name.map(|name| namespace::written(&name)).unwrap_or_default())
    }

    fn sort_operator(&self, inputs: &[Oid], context: &StatementContext) -> Result<Oid> {
        let Some(item) = self.items.get("sortop") else { return Ok(0) };
        let [input] = inputs else {
            return Err(invalid("sort operator can only be specified for single-argument aggregates"));
        };
        let name = item.text()?;
        let found = facts::operator_exact(&name, *input, *input);
        found.map(|row| row.oid).ok_or_else(|| {
            let ty = context.format.names.type_name(*input);
            Error::new(sqlstate::UNDEFINED_FUNCTION, format!("operator does not exist: {ty} {name} {ty}"))
        })
    }
}

/// A state and the arguments.
fn over(state: Oid, inputs: &[Oid]) -> Vec<Oid> {
    std::iter::once(state).chain(inputs.iter().copied()).collect()
}

/// 42804 if a function does not return a state.
fn returns(name: &str, kind: &str, support: &Support, state: Oid, context: &StatementContext) -> Result<()> {
    if support.returns == state {
        return Ok(());
    }
    let state = context.format.names.type_name(state);
    let message = format!("return type of {kind} function {name} is not {state}");
    Err(Error::new(sqlstate::DATATYPE_MISMATCH, message))
}
