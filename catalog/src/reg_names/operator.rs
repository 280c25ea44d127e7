//! `regoper` and `regoperator`. All operators are in `pg_catalog`.

use super::{CatalogNames, split_signature};
use crate::definition::type_name;
use crate::facts::{self, OperatorRow};
use crate::types::oid::Oid;
use crate::{Error, Result, sqlstate};

/// The symbol alone if it is the only operator of it, else with its schema.
pub(super) fn name(oid: Oid) -> Option<String> {
    let operator = facts::operator(oid)?;
    let is_only = facts::operators_named(&operator.name).len() == 1;
    Some(if is_only { operator.name.to_string() } else { format!("pg_catalog.{}", operator.name) })
}

impl CatalogNames {
    pub(super) fn operator_signature(&self, oid: Oid) -> Option<String> {
        let operator = facts::operator(oid)?;
        let operand = |ty: Oid| match ty {
            0 => "NONE".to_owned(),
            ty => type_name(self.printer(), ty),
        };
        Some(format!("{}({},{})", operator.name, operand(operator.left), operand(operator.right)))
    }

    pub(super) fn operator_oid(&self, text: &str) -> Result<Oid> {
        match self.operators(text)? {
            [] => Err(undefined(text)),
            [only] => Ok(only.oid),
            _ => Err(Error::new(sqlstate::AMBIGUOUS_FUNCTION, format!("more than one operator named {text}"))),
        }
    }

    pub(super) fn operator_signature_oid(&self, text: &str) -> Result<Oid> {
        let (name, operands) = split_signature(text)?;
        let operands: Vec<Oid> = operands.iter().map(|operand| self.operand(operand)).collect::<Result<_>>()?;
        let [left, right] = operands.as_slice() else {
            let (message, hint) = match operands.len() {
                0 | 1 => ("missing argument", "Use NONE to denote the missing argument of a unary operator."),
                _ => ("too many arguments", "Provide two argument types for operator."),
            };
            return Err(Error::new(sqlstate::UNDEFINED_PARAMETER, message).with_hint(hint));
        };
        let found = self.operators(name)?.iter().find(|row| row.left == *left && row.right == *right);
        found.map(|operator| operator.oid).ok_or_else(|| undefined(text))
    }

    fn operand(&self, text: &str) -> Result<Oid> {
        if text.eq_ignore_ascii_case("none") { Ok(0) } else { self.type_oid(text) }
    }

    /// Operators of that symbol; `schema.symbol` names the schema.
    fn operators(&self, text: &str) -> Result<&'static [OperatorRow]> {
        let symbol_at = text.find(|c: char| "+-*/<>=~!@#%^&|`?".contains(c)).unwrap_or(text.len());
        let (schema, symbol) = text.split_at(symbol_at);
        let is_catalog = match schema.strip_suffix('.') {
            Some(schema) => self.schema_oid(schema)? == crate::fixed_oid::PG_CATALOG_SCHEMA,
            None => schema.is_empty(),
        };
        Ok(if is_catalog { facts::operators_named(symbol) } else { &[] })
    }
}

fn undefined(text: &str) -> Error {
    Error::new(sqlstate::UNDEFINED_FUNCTION, format!("operator does not exist: {text}"))
}
