//! Operators (PostgreSQL's parse_oper.c; manual chapter 10, "Operators").

use std::sync::Arc;

use aegis_catalog::extension_facts;
use aegis_catalog::facts::{self, OperatorRow};
use aegis_catalog::types::oid;
use aegis_catalog::{Error, Oid, Result, Type, sqlstate};

use super::Binder;
use super::candidate::Candidate;
use super::coerce::Context;
use super::tree::{CallForm, Expr, ExprKind};
use crate::functions::Function;
use crate::parse::ast::{self, Span};

/// An operator with its operand types; a prefix operator has only the right one.
struct OperatorCandidate {
    row: &'static OperatorRow,
    operands: Vec<Oid>,
}

impl Candidate for OperatorCandidate {
    fn args(&self) -> &[Oid] {
        &self.operands
    }
}

/// A chosen operator with its operands converted.
pub(super) struct Applied {
    pub(super) function: Arc<Function>,
    pub(super) left: Expr,
    pub(super) right: Expr,
    pub(super) result: Oid,
}

impl Binder<'_> {
    /// `left op right`.
    pub(super) fn binary(&mut self, op: &ast::Operator, left: Expr, right: Expr, span: Span) -> Result<Expr> {
        let applied = self.apply_binary(op, left, right)?;
        let args = vec![applied.left, applied.right];
        let form = CallForm::Operator(canonical(op).to_owned());
        let kind = ExprKind::Call { function: applied.function, args, form, variadic: false };
        Ok(Expr { kind, ty: Type::of(applied.result), span })
    }

    /// As [`binary`](Self::binary), for an operator that the binder itself names.
    pub(super) fn binary_named(&mut self, name: &str, left: Expr, right: Expr, span: Span) -> Result<Expr> {
        self.binary(&operator(name, span), left, right, span)
    }

    /// Chooses the operator and converts the operands.
    pub(super) fn apply_binary(&mut self, op: &ast::Operator, left: Expr, right: Expr) -> Result<Applied> {
        let actual = [left.ty.oid, right.ty.oid];
        let row = self.binary_operator(op, actual[0], actual[1])?;
        let mut declared = [row.left, row.right];
        let result = self.resolve_generic(&actual, &mut declared, row.result, op.span)?;
        let left = self.coerce(left, Type::of(declared[0]), Context::Implicit, true)?;
        let right = self.coerce(right, Type::of(declared[1]), Context::Implicit, true)?;
        let function = self.operator_function(row)?;
        Ok(Applied { function, left, right, result })
    }

    pub(super) fn prefix(&mut self, op: &ast::Operator, arg: Expr, span: Span) -> Result<Expr> {
        let actual = arg.ty.oid;
        let row = self.prefix_operator(op, actual)?;
        let mut declared = [row.right];
        let result = self.resolve_generic(&[actual], &mut declared, row.result, op.span)?;
        let arg = self.coerce(arg, Type::of(declared[0]), Context::Implicit, true)?;
        let function = self.operator_function(row)?;
        let form = CallForm::Operator(canonical(op).to_owned());
        let kind = ExprKind::Call { function, args: vec![arg], form, variadic: false };
        Ok(Expr { kind, ty: Type::of(result), span })
    }

    pub(super) fn binary_operator(&self, op: &ast::Operator, left: Oid, right: Oid) -> Result<&'static OperatorRow> {
        let name = canonical(op);
        let (left, right) = (self.base(left), self.base(right));
        if self.is_searched(op) {
            let exact = match (left, right) {
                (oid::UNKNOWN, right) => (right, right),
                (left, oid::UNKNOWN) => (left, left),
                both => both,
            };
            if let Some(row) = facts::operator_exact(name, exact.0, exact.1) {
                return Ok(row);
            }
        }
        if self.may_be_of_extension(op) {
            let exact = match (left, right) {
                (oid::UNKNOWN, right) => (right, right),
                (left, oid::UNKNOWN) => (left, left),
                both => both,
            };
            let mut rows = self.extension_operators(op);
            if let Some(row) = rows.find(|row| (row.left, row.right) == exact) {
                return Ok(row);
            }
        }
        self.choose_operator(op, &[left, right], |row| (row.kind == 'b').then(|| vec![row.left, row.right]))
    }

    fn prefix_operator(&self, op: &ast::Operator, arg: Oid) -> Result<&'static OperatorRow> {
        let arg = self.base(arg);
        if self.is_searched(op)
            && let Some(row) = facts::operator_exact(canonical(op), 0, arg)
        {
            return Ok(row);
        }
        self.choose_operator(op, &[arg], |row| (row.kind == 'l').then(|| vec![row.right]))
    }

    fn choose_operator(
        &self,
        op: &ast::Operator,
        actual: &[Oid],
        operands: impl Fn(&OperatorRow) -> Option<Vec<Oid>>,
    ) -> Result<&'static OperatorRow> {
        let rows = if self.is_searched(op) { facts::operators_named(canonical(op)) } else { &[] };
        let of_extensions = self.may_be_of_extension(op).then(|| self.extension_operators(op)).into_iter().flatten();
        let candidates: Vec<_> = rows
            .iter()
            .chain(of_extensions)
            .filter_map(|row| Some(OperatorCandidate { row, operands: operands(row)? }))
            .collect();
        let mut fitting = self.matching(actual, candidates);
        match fitting.len() {
            0 => {
                let message = format!("operator does not exist: {}", self.operator_signature(op, actual));
                let hint = if actual.len() == 1 {
                    "No operator matches the given name and argument type. You might need to add an explicit type cast."
                } else {
                    "No operator matches the given name and argument types. You might need to add explicit type casts."
                };
                Err(Error::new(sqlstate::UNDEFINED_FUNCTION, message).with_hint(hint).at(op.span.start))
            }
            1 => fitting.pop().map(|only| only.row).ok_or_else(|| Error::internal("no operator")),
            _ => self.best_candidate(actual, fitting).map(|best| best.row).ok_or_else(|| {
                let message = format!("operator is not unique: {}", self.operator_signature(op, actual));
                let hint = "Could not choose a best candidate operator. You might need to add explicit type casts.";
                Error::new(sqlstate::AMBIGUOUS_FUNCTION, message).with_hint(hint).at(op.span.start)
            }),
        }
    }

    /// Is the operator looked for outside of `pg_catalog`?
    fn may_be_of_extension(&self, op: &ast::Operator) -> bool {
        op.schema.as_deref() != Some("pg_catalog")
    }

    /// Operators that extensions bring: in the schema that is written, or in any, so that stored expressions mean the same whatever the path is.
    fn extension_operators<'o>(&'o self, op: &'o ast::Operator) -> impl Iterator<Item = &'static OperatorRow> + 'o {
        let is_found = move |owner: Oid| {
            let schema = self.catalog.user_type(owner).map(|ty| ty.schema);
            match &op.schema {
                Some(written) => {
                    schema.and_then(|schema| self.catalog.schema(schema)).is_some_and(|of| of.name == *written)
                }
                None => schema.is_some(),
            }
        };
        let rows = self.catalog.extension_operators(canonical(op));
        rows.filter(move |of| is_found(of.owner)).map(|of| &of.row)
    }

    /// The operator that is true where this one is false.
    pub(super) fn negator(&self, row: &OperatorRow) -> Option<&'static OperatorRow> {
        facts::operator(row.negator).or_else(|| extension_facts::operator(row.negator).map(|of| &of.row))
    }

    /// The function behind an operator.
    pub(super) fn operator_function(&self, row: &OperatorRow) -> Result<Arc<Function>> {
        let Some(of) = extension_facts::operator(row.oid) else { return self.function(row.function) };
        let found = of.function_in(&self.catalog);
        self.function(found.ok_or_else(|| Error::internal(format!("an extension without {}", of.function)))?)
    }

    fn is_searched(&self, op: &ast::Operator) -> bool {
        op.schema.as_deref().is_none_or(|schema| schema == "pg_catalog")
    }

    fn operator_signature(&self, op: &ast::Operator, operands: &[Oid]) -> String {
        let schema = op.schema.as_ref().map(|schema| format!("{schema}.")).unwrap_or_default();
        let name = canonical(op);
        match operands {
            [right] => format!("{schema}{name} {}", self.oid_name(*right)),
            [left, right] => format!("{} {schema}{name} {}", self.oid_name(*left), self.oid_name(*right)),
            _ => format!("{schema}{name}"),
        }
    }

    /// The type's equality function; 42883 if it has none.
    pub(super) fn equality(&self, ty: Oid, span: Span) -> Result<Arc<Function>> {
        match self.binary_operator(&operator("=", span), ty, ty) {
            Ok(row) => self.operator_function(row),
            Err(_) => {
                let message = format!("could not identify an equality operator for type {}", self.oid_name(ty));
                Err(Error::new(sqlstate::UNDEFINED_FUNCTION, message).at(span.start))
            }
        }
    }

    /// The type's `<` function; 42883 if it has no order.
    pub(super) fn ordering(&self, ty: Oid, span: Span) -> Result<Arc<Function>> {
        match self.binary_operator(&operator("<", span), ty, ty) {
            Ok(row) => self.operator_function(row),
            Err(_) => {
                let message = format!("could not identify an ordering operator for type {}", self.oid_name(ty));
                Err(Error::new(sqlstate::UNDEFINED_FUNCTION, message)
                    .with_hint("Use an explicit ordering operator or modify the query.")
                    .at(span.start))
            }
        }
    }
}

/// `!=` is only a spelling of `<>`.
pub(super) fn canonical(op: &ast::Operator) -> &str {
    if op.name == "!=" { "<>" } else { &op.name }
}

pub(super) fn operator(name: &str, span: Span) -> ast::Operator {
    ast::Operator { schema: None, name: name.into(), span }
}
