//! `regproc` and `regprocedure`.

use super::{CatalogNames, split_signature};
use crate::definition::{quote_identifier, type_name};
use crate::facts::FunctionRow;
use crate::system::functions_shown;
use crate::types::oid::Oid;
use crate::{Error, Result, sqlstate};

impl CatalogNames {
    /// The name alone if it is the only function of that name, else with its schema.
    pub(super) fn function_name(&self, oid: Oid) -> Option<String> {
        let function = self.shown(oid)?;
        let name = quote_identifier(&function.name);
        let candidates = functions_shown(&self.catalog, &function.name);
        let is_found = candidates.len() == 1 && self.search_path.schemas().contains(&function.schema);
        Some(if is_found { name.into_owned() } else { self.with_schema(function.schema, &name) })
    }

    pub(super) fn procedure_name(&self, oid: Oid) -> Option<String> {
        let function = self.shown(oid)?;
        let name = quote_identifier(&function.name);
        let is_found = self.search_path.schemas().contains(&function.schema);
        let name = if is_found { name.into_owned() } else { self.with_schema(function.schema, &name) };
        let arguments = function.arg_types.iter().map(|&ty| type_name(self.printer(), ty));
        Some(format!("{name}({})", arguments.collect::<Vec<_>>().join(",")))
    }

    fn shown(&self, oid: Oid) -> Option<FunctionRow> {
        match self.catalog.proc(oid) {
            Some(function) => Some(function.clone()),
            None => crate::system::function_behind_type(oid).cloned(),
        }
    }

    fn with_schema(&self, schema: Oid, quoted_name: &str) -> String {
        match self.catalog.schema(schema) {
            Some(schema) => format!("{}.{quoted_name}", quote_identifier(&schema.name)),
            None => quoted_name.to_owned(),
        }
    }

    pub(super) fn function_oid(&self, text: &str) -> Result<Oid> {
        let candidates = self.candidates(text)?;
        match candidates.as_slice() {
            [] => Err(undefined(text)),
            [only] => Ok(only.oid),
            _ => Err(Error::new(sqlstate::AMBIGUOUS_FUNCTION, format!("more than one function named \"{text}\""))),
        }
    }

    pub(super) fn procedure_oid(&self, text: &str) -> Result<Oid> {
        let (name, arguments) = split_signature(text)?;
        let arguments: Vec<Oid> = arguments.iter().map(|argument| self.type_oid(argument)).collect::<Result<_>>()?;
        let candidates = self.candidates(name)?;
        let found = candidates.iter().find(|function| function.arg_types == arguments);
        found.map(|function| function.oid).ok_or_else(|| undefined(text))
    }

    /// Functions of that, perhaps qualified, name.
    fn candidates(&self, text: &str) -> Result<Vec<FunctionRow>> {
        let (schema, name) = self.schema_and_name(text)?;
        let schema = schema.map(|schema| self.schema_oid(&schema)).transpose()?;
        let mut functions = functions_shown(&self.catalog, &name);
        functions.retain(|function| match schema {
            Some(schema) => function.schema == schema,
            None => self.search_path.function_schemas().any(|schema| schema == function.schema),
        });
        Ok(functions)
    }
}

fn undefined(text: &str) -> Error {
    Error::new(sqlstate::UNDEFINED_FUNCTION, format!("function \"{text}\" does not exist"))
}
