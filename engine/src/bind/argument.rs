//! Which overloads of a function a call can mean, and the arguments as the function takes them: named, left out, variadic.

use aegis_catalog::facts::{self, FunctionRow};
use aegis_catalog::types::oid;
use aegis_catalog::{Error, Oid, Result};

use super::Binder;
use super::candidate::Candidate;
use super::tree::Expr;
use crate::functions::{self, Body, Function};

/// What the choice of an overload needs to know of a function.
pub(super) struct Signature {
    pub(super) oid: Oid,
    schema: Oid,
    /// Input types; the last one is the array of a variadic function.
    args: Vec<Oid>,
    /// Element type of the variadic argument, `any` for VARIADIC "any", 0 if not variadic.
    variadic: Oid,
    defaults: usize,
    names: Vec<String>,
    pub(super) returns: Oid,
    /// f function, p procedure, a aggregate, w window.
    pub(super) kind: char,
}

impl Signature {
    fn of_fact(row: &FunctionRow) -> Self {
        Self {
            oid: row.oid,
            schema: row.schema,
            args: row.arg_types.clone(),
            variadic: row.variadic,
            defaults: usize::try_from(row.default_count).unwrap_or(0),
            names: functions::input_names(row),
            returns: row.return_type,
            kind: row.kind,
        }
    }

    /// With its output parameters, for which CALL has arguments too.
    fn of_procedure(row: &FunctionRow) -> Self {
        let mut signature = Self::of_fact(row);
        if let (Some(types), 'p') = (&row.all_arg_types, row.kind) {
            signature.args.clone_from(types);
            signature.names = row.arg_names.clone().unwrap_or_default();
        }
        signature
    }

    fn of_function(function: &Function) -> Self {
        let kind = match function.body {
            Body::Aggregate(_) | Body::UserAggregate(_) => 'a',
            Body::Window(_) => 'w',
            _ => 'f',
        };
        let mut args = function.args.clone();
        let variadic = if function.variadic { args.last().copied().unwrap_or(0) } else { 0 };
        if let Some(last) = args.last_mut()
            && variadic != 0
        {
            *last = match variadic {
                oid::ANYELEMENT => oid::ANYARRAY,
                oid::ANYCOMPATIBLE => oid::ANYCOMPATIBLEARRAY,
                element => aegis_catalog::types::array_of(element).unwrap_or(oid::ANY),
            };
        }
        Self {
            oid: function.oid,
            schema: function.schema,
            args,
            variadic,
            defaults: function.defaults.len(),
            names: function.arg_names.clone(),
            returns: function.returns,
            kind,
        }
    }
}

/// How a call passes its arguments.
pub(super) struct CallShape<'c> {
    /// Names of the trailing named arguments; the ones before are positional.
    pub(super) names: &'c [&'c str],
    pub(super) count: usize,
    /// VARIADIC is written before the last argument.
    pub(super) variadic: bool,
    /// It stands in CALL: output arguments are written too.
    pub(super) procedure: bool,
}

/// An overload that takes the number (and names) of arguments of a call.
pub(super) struct Overload {
    pub(super) signature: Signature,
    /// Declared type of each argument, in the call's order.
    pub(super) args: Vec<Oid>,
    /// Parameter that each argument goes to.
    positions: Vec<usize>,
    /// Arguments from the variadic parameter on were matched to its element type.
    expanded: bool,
    /// How many of the last arguments are named.
    named: usize,
    /// Another one of its schema takes the same types.
    pub(super) ambiguous: bool,
}

impl Candidate for Overload {
    fn args(&self) -> &[Oid] {
        &self.args
    }
}

impl Overload {
    fn new(signature: Signature, call: &CallShape<'_>) -> Option<Self> {
        let parameters = signature.args.len();
        let named = call.names.len();
        if call.variadic {
            if signature.variadic == 0 || parameters != call.count || named > 0 {
                return None;
            }
            let args = signature.args.clone();
            return Some(Self {
                args,
                positions: (0..parameters).collect(),
                expanded: false,
                named,
                ambiguous: false,
                signature,
            });
        }
        if named > 0 {
            return Self::named(signature, call);
        }
        if signature.variadic != 0 && parameters <= call.count {
            let mut args = signature.args.clone();
            args.pop();
            args.resize(call.count, signature.variadic);
            return Some(Self {
                args,
                positions: (0..call.count).collect(),
                expanded: true,
                named,
                ambiguous: false,
                signature,
            });
        }
        if call.count > parameters || call.count + signature.defaults < parameters {
            return None;
        }
        let args = signature.args.get(..call.count)?.to_vec();
        Some(Self { args, positions: (0..call.count).collect(), expanded: false, named, ambiguous: false, signature })
    }

    /// `MatchNamedCall`.
    fn named(signature: Signature, call: &CallShape<'_>) -> Option<Self> {
        if signature.names.is_empty() || signature.variadic != 0 {
            return None;
        }
        let positional = call.count - call.names.len();
        let mut positions: Vec<usize> = (0..positional).collect();
        for name in call.names {
            let position = signature.names.iter().position(|parameter| parameter == name)?;
            if positions.contains(&position) {
                return None;
            }
            positions.push(position);
        }
        let named = call.names.len();
        let first_default = signature.args.len() - signature.defaults.min(signature.args.len());
        if (0..first_default).any(|parameter| !positions.contains(&parameter)) {
            return None;
        }
        let args = positions.iter().map(|&position| signature.args.get(position).copied()).collect::<Option<_>>()?;
        Some(Self { args, positions, expanded: false, named, ambiguous: false, signature })
    }

    /// Parameter and name of each argument that is written; None if they are all there, in order.
    pub(super) fn written(&self) -> Option<Vec<(usize, Option<String>)>> {
        let count = self.positions.len();
        if self.named == 0 && (self.expanded || count >= self.signature.args.len()) {
            return None;
        }
        let first_named = count - self.named.min(count);
        let name = |place: usize, position: usize| {
            (place >= first_named).then(|| self.signature.names.get(position).cloned()).flatten()
        };
        let places = self.positions.iter().enumerate();
        Some(places.map(|(place, &position)| (position, name(place, position))).collect())
    }

    /// A variadic function of "any" gets its arguments as they are.
    pub(super) fn is_expanded(&self) -> bool {
        self.expanded
    }
}

impl Binder<'_> {
    /// Overloads of a name that a call of this shape can mean.
    pub(super) fn overloads(&self, schema: Option<&str>, name: &str, call: &CallShape<'_>) -> Vec<Overload> {
        let mut overloads: Vec<Overload> = Vec::new();
        let mut add = |signature: Signature| {
            let Some(overload) = Overload::new(signature, call) else { return };
            // Two overloads that take the same types: the schema that is searched first wins, then the one that needs no variadic expansion.
            match overloads.iter_mut().find(|other| other.args == overload.args) {
                Some(other) if other.signature.schema != overload.signature.schema => {}
                Some(other) if other.expanded && !overload.expanded => *other = overload,
                Some(other) if other.expanded == overload.expanded => other.ambiguous = true,
                Some(_) => {}
                None => overloads.push(overload),
            }
        };
        if schema.is_none_or(|schema| schema == "pg_catalog") {
            facts::procs_named(name).iter().map(Signature::of_fact).for_each(&mut add);
        }
        for routine in self.routines_in_sight(schema, name) {
            let signature =
                if call.procedure { Signature::of_procedure(&routine.row) } else { Signature::of_fact(&routine.row) };
            add(signature);
        }
        let schema_oid = schema.map(|schema| self.catalog.resolve_schema(schema, &self.search_path));
        for function in functions::registry().named(name) {
            let in_sight = match schema_oid {
                Some(schema) => schema == Some(function.schema),
                None => self.search_path.schemas().contains(&function.schema),
            };
            if in_sight && facts::proc(function.oid).is_none() {
                add(Signature::of_function(function));
            }
        }
        overloads
    }

    /// The overloads that users made, in the order of the search path.
    fn routines_in_sight(
        &self,
        schema: Option<&str>,
        name: &str,
    ) -> Vec<std::sync::Arc<aegis_catalog::object::Routine>> {
        let all = || self.catalog.routines_named(name);
        match schema {
            Some(schema) => {
                let schema = self.catalog.resolve_schema(schema, &self.search_path);
                all().filter(|routine| Some(routine.row.schema) == schema).cloned().collect()
            }
            None => {
                let schemas = self.search_path.function_schemas();
                schemas.flat_map(|schema| all().filter(move |routine| routine.row.schema == schema)).cloned().collect()
            }
        }
    }

    /// The defaults of the parameters that a call leaves out, by position.
    pub(super) fn defaults_of(&mut self, overload: &Overload, function: &Function) -> Result<Vec<(usize, Expr)>> {
        let parameters = overload.signature.args.len();
        if overload.expanded || overload.positions.len() >= parameters {
            return Ok(Vec::new());
        }
        let first_default = parameters - function.defaults.len().min(parameters);
        let left_out = (0..parameters).filter(|position| !overload.positions.contains(position));
        let default = |position: usize| {
            let text = position.checked_sub(first_default).and_then(|i| function.defaults.get(i));
            let text = text.ok_or_else(|| Error::internal("argument without a default"))?;
            let parsed = crate::parse::parse_expression(text)?;
            Ok((position, self.expr(&parsed)?))
        };
        left_out.map(default).collect()
    }

    /// The arguments in the order of the parameters, with the defaults between them.
    pub(super) fn arrange(
        &self,
        overload: &Overload,
        args: Vec<Expr>,
        defaults: Vec<(usize, Expr)>,
    ) -> Result<Vec<Expr>> {
        if overload.expanded {
            return Ok(args);
        }
        let mut slots: Vec<(usize, Expr)> = overload.positions.iter().copied().zip(args).chain(defaults).collect();
        slots.sort_by_key(|(position, _)| *position);
        match slots.len() == overload.signature.args.len() {
            true => Ok(slots.into_iter().map(|(_, arg)| arg).collect()),
            false => Err(Error::internal("argument without a default")),
        }
    }

    /// What a parameter is declared as.
    pub(super) fn parameter_type(&self, overload: &Overload, position: usize) -> Oid {
        overload.signature.args.get(position).copied().unwrap_or_default()
    }
}
