//! Arrays: constructors, subscripts, `op ANY/ALL (array)`.

use aegis_catalog::types::array::MAX_DIMENSIONS;
use aegis_catalog::types::oid;
use aegis_catalog::{Error, Oid, Result, Type, sqlstate};

use super::Binder;
use super::coerce::Context;
use super::common_type::common_typmod;
use super::expr::boolean;
use super::operator::canonical;
use super::tree::{CallForm, Expr, ExprKind, Subscript};
use crate::parse::ast::{self, Span};

impl Binder<'_> {
    /// `ARRAY[…]`; `wanted` is the array type of a cast around it.
    pub(super) fn array(&mut self, elements: &[ast::Expr], wanted: Option<Type>, span: Span) -> Result<Expr> {
        let mut bound = Vec::with_capacity(elements.len());
        let mut nested = false;
        for element in elements {
            let element = match &element.kind {
                ast::ExprKind::Array(inner) => {
                    nested = true;
                    let inner = self.nested(|binder| binder.array(inner, wanted, element.span))?;
                    match wanted {
                        Some(wanted) => self.explicit_cast(inner, wanted, element.span)?,
                        None => inner,
                    }
                }
                _ => self.expr(element)?,
            };
            nested |= element.ty.oid != oid::INT2VECTOR
                && element.ty.oid != oid::OIDVECTOR
                && self.element_of(element.ty.oid).is_some()
                && !self.is_domain(element.ty.oid)
                && wanted.is_none_or(|wanted| wanted.oid == element.ty.oid);
            bound.push(element);
        }
        if let Some(wanted) = wanted {
            let element = self.element_of(wanted.oid).unwrap_or(wanted.oid);
            return self.array_of_wanted(bound, wanted, element, nested, span);
        }
        if bound.is_empty() {
            let message = "cannot determine type of empty array";
            return Err(Error::new(sqlstate::INDETERMINATE_DATATYPE, message)
                .with_hint("Explicitly cast to the desired type, for example ARRAY[]::integer[].")
                .at(span.start));
        }
        let (elements, element) = self.unify(bound, "ARRAY")?;
        let array = if nested { Some(element.oid) } else { self.array_of(element.oid) };
        let array = array.ok_or_else(|| {
            let message = format!("could not find array type for data type {}", self.oid_name(element.oid));
            Error::new(sqlstate::UNDEFINED_OBJECT, message).at(span.start)
        })?;
        let ty = Type::new(array, common_typmod(&elements));
        Ok(Expr { kind: ExprKind::Array { elements, nested }, ty, span })
    }

    fn array_of_wanted(
        &mut self,
        bound: Vec<Expr>,
        wanted: Type,
        element: Oid,
        nested: bool,
        span: Span,
    ) -> Result<Expr> {
        let target = Type::new(if nested { wanted.oid } else { element }, wanted.typmod);
        let mut elements = Vec::with_capacity(bound.len());
        for expr in bound {
            let (from, at) = (expr.ty.oid, expr.span);
            let coerced = self.coerce_to_target(expr, target, Context::Explicit, false)?;
            elements.push(coerced.ok_or_else(|| {
                let (from, to) = (self.oid_name(from), self.oid_name(target.oid));
                Error::new(sqlstate::CANNOT_COERCE, format!("cannot cast type {from} to {to}")).at(at.start)
            })?);
        }
        let typmod = if elements.is_empty() { -1 } else { common_typmod(&elements) };
        Ok(Expr { kind: ExprKind::Array { elements, nested }, ty: Type::new(wanted.oid, typmod), span })
    }

    pub(super) fn subscript(&mut self, arg: &ast::Expr, subscripts: &[ast::Subscript], span: Span) -> Result<Expr> {
        let arg = self.expr(arg)?;
        if subscripts.len() > MAX_DIMENSIONS {
            return Err(aegis_catalog::types::array::too_many_dimensions(subscripts.len()).at(span.start));
        }
        if arg.ty.oid == oid::JSONB {
            return self.json_subscript(arg, subscripts, span);
        }
        if let (oid::NAME, [ast::Subscript::Index(index)]) = (arg.ty.oid, subscripts) {
            return self.name_subscript(arg, index, span);
        }
        let element = self.element_of(arg.ty.oid).ok_or_else(|| {
            let message =
                format!("cannot subscript type {} because it does not support subscripting", self.oid_name(arg.ty.oid));
            Error::new(sqlstate::DATATYPE_MISMATCH, message).at(arg.span.start)
        })?;
        let is_slice = subscripts.iter().any(|subscript| matches!(subscript, ast::Subscript::Slice { .. }));
        let array = self.base_type(arg.ty);
        let ty = if is_slice { array } else { Type::new(element, array.typmod) };
        let subscripts = subscripts.iter().map(|subscript| self.bound_subscript(subscript)).collect::<Result<_>>()?;
        Ok(Expr { kind: ExprKind::Subscript { arg: Box::new(arg), subscripts }, ty, span })
    }

    pub(super) fn bound_subscript(&mut self, subscript: &ast::Subscript) -> Result<Subscript> {
        let mut index = |expr: &ast::Expr| -> Result<Expr> {
            let bound = self.expr(expr)?;
            self.coerce_to_target(bound, Type::of(oid::INT4), Context::Assignment, true)?.ok_or_else(|| {
                let message = "array subscript must have type integer";
                Error::new(sqlstate::DATATYPE_MISMATCH, message).at(expr.span.start)
            })
        };
        Ok(match subscript {
            ast::Subscript::Index(expr) => Subscript::Index(index(expr)?),
            ast::Subscript::Slice { lower, upper } => Subscript::Slice {
                lower: lower.as_ref().map(&mut index).transpose()?,
                upper: upper.as_ref().map(&mut index).transpose()?,
            },
        })
    }

    /// A character of a `name`, counted from 0.
    fn name_subscript(&mut self, name: Expr, index: &ast::Expr, span: Span) -> Result<Expr> {
        let Subscript::Index(index) = self.bound_subscript(&ast::Subscript::Index(index.clone()))? else {
            return Err(Error::internal("an index that became a slice"));
        };
        let one = self.literal(&ast::Literal::Integer("1".into()), false, span)?;
        let position = self.binary_named("+", index, one.clone(), span)?;
        let character = self.call_named("substr", vec![name, position, one], span)?;
        self.explicit_cast(character, Type::of(oid::CHAR), span)
    }

    /// `jsonb[key][index]` is a chain of `->`.
    fn json_subscript(&mut self, arg: Expr, subscripts: &[ast::Subscript], span: Span) -> Result<Expr> {
        let mut value = arg;
        for subscript in subscripts {
            let ast::Subscript::Index(key) = subscript else {
                let message = "jsonb subscript does not support slices";
                return Err(Error::new(sqlstate::DATATYPE_MISMATCH, message).at(span.start));
            };
            let key = self.expr(key)?;
            let key = self.resolve_unknown(key)?;
            value = self.binary_named("->", value, key, span)?;
            if let ExprKind::Call { form, .. } = &mut value.kind {
                *form = CallForm::Subscript;
            }
        }
        Ok(value)
    }

    pub(super) fn quantified_array(
        &mut self,
        left: &ast::Expr,
        op: &ast::Operator,
        array: &ast::Expr,
        all: bool,
        span: Span,
    ) -> Result<Expr> {
        let left = self.expr(left)?;
        let array = self.expr(array)?;
        let element = match array.ty.oid {
            oid::UNKNOWN => oid::UNKNOWN,
            ty => self.element_of(ty).ok_or_else(|| {
                let message = "op ANY/ALL (array) requires array on right side";
                Error::new(sqlstate::WRONG_OBJECT_TYPE, message).at(op.span.start)
            })?,
        };
        let actual = [left.ty.oid, element];
        let row = self.binary_operator(op, actual[0], actual[1])?;
        let mut declared = [row.left, row.right];
        let result = self.resolve_generic(&actual, &mut declared, row.result, op.span)?;
        if result != oid::BOOL {
            let message = "op ANY/ALL (array) requires operator to yield boolean";
            return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message).at(op.span.start));
        }
        let function = self.operator_function(row)?;
        let wanted = self.array_of(declared[1]).ok_or_else(|| {
            let message = format!("could not find array type for data type {}", self.oid_name(declared[1]));
            Error::new(sqlstate::UNDEFINED_OBJECT, message).at(op.span.start)
        })?;
        let left = Box::new(self.coerce(left, Type::of(declared[0]), Context::Implicit, true)?);
        let array = Box::new(self.coerce(array, Type::of(wanted), Context::Implicit, true)?);
        let operator = canonical(op).to_owned();
        // A list that is written out is what IN has.
        let negated = all && operator == "<>";
        if let ExprKind::Array { elements, nested: false } = &array.kind
            && !elements.is_empty()
            && (negated || (!all && operator == "="))
            && !elements.iter().any(|element| self.element_of(element.ty.oid).is_some())
        {
            let equal = match (negated, self.negator(row)) {
                (true, Some(negator)) => self.operator_function(negator)?,
                _ => function,
            };
            let kind = ExprKind::InList { equal, left, list: elements.clone(), negated };
            return Ok(boolean(kind, span));
        }
        Ok(boolean(ExprKind::QuantifiedArray { function, operator, left, array, all }, span))
    }
}
