//! Values that become values of a domain: the check is an operator that passes them on.

use std::sync::Arc;

use aegis_catalog::object::{ConstraintKind, Domain};
use aegis_catalog::types::{Structure, TypeLookup};
use aegis_catalog::{Error, Oid, Result, Type};
use datafusion::logical_expr::ColumnarValue;

use super::Lowerer;
use super::build::one_row;
use super::relation::{Binding, Relation};
use super::value::{Value, apply};
use crate::bind;
use crate::execute::domain::{DomainCheck, Verification};
use crate::execute::lambda::Lambda;
use crate::execute::operator::{ScalarOperator, arrays};

impl Lowerer<'_> {
    /// The value, once it meets the constraints of the domains in `ty`.
    pub fn verify(&mut self, arg: Value, ty: Type) -> Result<Value> {
        let arg = arg.into_computed()?;
        let Some(verification) = self.verification(ty.oid)? else { return Ok(arg) };
        let verification = Arc::new(verification);
        let identity = format!("{}:{}:{}", ty.oid, arg.data_type, self.catalog().version());
        let operator = ScalarOperator::new("verify", identity, arg.data_type.clone(), move |args, rows| {
            let arrays = arrays(args, rows)?;
            let array = arrays.first().ok_or_else(|| Error::internal("nothing to verify"))?;
            verification.run(array)?;
            Ok(ColumnarValue::Array(array.clone()))
        });
        let expr = match apply(operator, vec![arg.expr])? {
            // Other conditions may keep a value away that does not pass.
            datafusion::logical_expr::Expr::ScalarFunction(call) => super::call::repin(call),
            expr => expr,
        };
        Ok(Value { expr, ..arg })
    }

    /// What is to be checked in values of a type; None if nothing is.
    fn verification(&mut self, ty: Oid) -> Result<Option<Verification>> {
        Ok(match self.catalog().structure(ty) {
            Some(Structure::Domain(_)) => self.domain_verification(ty)?,
            Some(Structure::Array(element)) => {
                self.verification(element)?.map(|element| Verification::Elements(Box::new(element)))
            }
            Some(Structure::Composite(fields)) => {
                let mut parts = Vec::new();
                for (index, (_, field)) in fields.iter().enumerate() {
                    if let Some(part) = self.verification(field.oid)? {
                        parts.push((index, part));
                    }
                }
                (!parts.is_empty()).then_some(Verification::Fields(parts))
            }
            Some(Structure::Enum(_) | Structure::Range(_)) | None => None,
        })
    }

    /// The constraints of a domain and of those that it is over, and what its base type asks for.
    fn domain_verification(&mut self, ty: Oid) -> Result<Option<Verification>> {
        let mut chain: Vec<Domain> = Vec::new();
        let mut base = Type::of(ty);
        while let Some(domain) = self.catalog().user_type(base.oid).and_then(|ty| ty.domain()) {
            base = domain.base;
            chain.push(domain.clone());
        }
        let mut checks = Vec::new();
        // Those of the base first, each domain's by name.
        for domain in chain.iter().rev() {
            let mut constraints: Vec<_> = domain.constraints.iter().collect();
            constraints.sort_by(|a, b| a.name.cmp(&b.name));
            for constraint in constraints {
                if let ConstraintKind::Check { expression, .. } = &constraint.kind {
                    checks.push((constraint.name.clone(), self.domain_lambda(expression, base)?));
                }
            }
        }
        let inner = self.verification(base.oid)?.map(Box::new);
        let not_null = chain.iter().any(|domain| domain.not_null);
        if checks.is_empty() && !not_null {
            return Ok(inner.map(|inner| *inner));
        }
        let name = self.statement().format.names.type_name(ty);
        let place = self.catalog().user_type(ty).map(|domain| {
            let schema = self.catalog().schema(domain.schema).map(|schema| schema.name.clone());
            (schema.unwrap_or_default(), domain.name.clone())
        });
        let place = place.unwrap_or_default();
        Ok(Some(Verification::Domain(DomainCheck { name, place, not_null, checks }, inner)))
    }

    /// A check as something to apply to columns of the base type.
    fn domain_lambda(&mut self, expression: &str, base: Type) -> Result<Lambda> {
        let statement = self.statement().clone();
        let parsed = crate::parse::parse_expression(expression)?;
        let mut bound = bind::bind_domain_check(base, &parsed, &statement)?;
        bind::inline::expression(&mut bound, &statement)?;
        let base = self.catalog().erased(base);
        let data_type = self.representation(base);
        let value = Binding::named("value", data_type.clone());
        self.domain_values.push(Value::new(value.expr(), base, data_type.clone()));
        let body = self.domain_condition(&bound);
        self.domain_values.pop();
        Lambda::new(vec![("value".into(), data_type)], &body?)
    }

    fn domain_condition(&mut self, bound: &bind::tree::Expr) -> Result<datafusion::logical_expr::Expr> {
        let mut nothing = Relation::new(one_row());
        self.condition(bound, &mut nothing)
    }
}
