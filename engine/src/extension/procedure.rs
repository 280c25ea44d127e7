//! CALL from procedural languages.

use aegis_catalog::fixed_oid::PG_PROC;
use aegis_catalog::object::ObjectAddress;
use aegis_catalog::{Error, Result, Type, sqlstate};

use super::caller::{Caller, Row, Value};
use super::fragment::Variables;
use crate::bind::inline::parameters_of;
use crate::bind::{BoundCall, routine as bodies, variables};
use crate::parse::ast::{ExprKind, Statement};
use crate::parse::utility::Utility;

/// A call of a procedure with the variables that it names.
pub struct BoundProcedure {
    call: BoundCall,
    pub slots: Vec<u64>,
    /// The name of the variable that stands for each parameter that goes out; None if something else stands there.
    pub outputs: Vec<Option<Vec<String>>>,
}

/// Names, types and values of the parameters that go out.
pub type Outputs = (Vec<(String, Type)>, Row);

impl Caller<'_> {
    pub fn bind_procedure(&mut self, text: &str, variables: &dyn Variables) -> Result<BoundProcedure> {
        let context = self.context()?;
        let mut parsed = crate::parse::parse(text)?;
        let statement = parsed.pop().map(|parsed| parsed.statement);
        let Some(Statement::Utility(utility)) = &statement else {
            return Err(Error::internal("a call that is none"));
        };
        let Utility::Call(written) = &**utility else { return Err(Error::internal("a call that is none")) };
        let (call, slots) =
            variables::bind_call_with_variables(&written.0, written.1, variables, &context).map_err(|error| {
                let mut error = error;
                if let Some(position) = error.fields_mut().position.take() {
                    error.fields_mut().internal = Some((position, text.to_owned()));
                }
                error
            })?;
        let modes = context.catalog.routine(call.function.oid).and_then(|routine| {
            let names = routine.row.arg_names.clone().unwrap_or_default();
            Some((routine.row.arg_modes.clone()?, names))
        });
        let (modes, names) = modes.unwrap_or_default();
        let mut outputs = Vec::new();
        for (position, mode) in modes.iter().enumerate() {
            if !matches!(mode, 'o' | 'b') {
                continue;
            }
            let named = names.get(position).and_then(|name| {
                let has =
                    |arg: &&crate::parse::ast::Argument| arg.name.as_ref().is_some_and(|known| known.name == *name);
                written.0.args.iter().find(has)
            });
            let argument = named.or_else(|| written.0.args.get(position).filter(|arg| arg.name.is_none()));
            outputs.push(match argument.map(|argument| &argument.value.kind) {
                Some(ExprKind::Column(name)) => Some(name.parts.iter().map(|part| part.name.clone()).collect()),
                _ => None,
            });
        }
        Ok(BoundProcedure { call, slots, outputs })
    }

    /// What goes out of the procedure; None if nothing does.
    pub async fn call_procedure(&mut self, bound: &BoundProcedure, values: &[Value]) -> Result<Option<Outputs>> {
        if !self.is_volatile() {
            let message = "CALL is not allowed in a non-volatile function";
            return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
        }
        self.session().see_own_changes(true)?;
        let context = self.context()?;
        let function = bound.call.function.clone();
        let owned = crate::privilege::Owned::of(ObjectAddress::new(PG_PROC, function.oid), &context.catalog);
        if let Some(owned) = owned {
            owned.require(aegis_catalog::acl::rights("X"), &context)?;
        }
        let parameters = values.iter().map(Value::to_scalar).collect::<Result<Vec<_>>>()?;
        let session = self.session();
        let mut arguments = Vec::new();
        for mut argument in parameters_of(&function, bound.call.inputs.clone(), bound.call.variadic, &context.catalog) {
            session.settle_expression(&mut argument, &parameters, &context).await?;
            arguments.push((session.value_of(&argument, &parameters, &context).await?, argument.ty));
        }
        let types: Vec<_> = arguments.iter().map(|(_, ty)| ty.oid).collect();
        let returns = bodies::returns_of(&function, Some(&types), &context)?;
        let rows = session.run_routine(&function, arguments, &returns).await?;
        if returns.is_void() {
            return Ok(None);
        }
        let row = match rows.into_iter().next() {
            Some(row) => row,
            None => crate::session::routine::nulls(&returns, &*session.catalog()?)?,
        };
        let typed: Vec<_> = row.into_iter().zip(returns.columns.iter().map(|(_, ty)| *ty)).collect();
        Ok(Some((returns.columns.clone(), Row::of_scalars(&typed)?)))
    }
}
