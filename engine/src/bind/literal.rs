//! Literals (PostgreSQL's make_const).

use aegis_catalog::types::{self, oid};
use aegis_catalog::{Error, Result, Type};
use datafusion::scalar::ScalarValue;

use super::Binder;
use super::tree::{Expr, ExprKind};
use crate::parse::ast::{Literal, Span};

impl Binder<'_> {
    pub(super) fn literal(&mut self, literal: &Literal, negative: bool, span: Span) -> Result<Expr> {
        let constant = |value, ty| Ok(Expr { kind: ExprKind::Constant(value), ty: Type::of(ty), span });
        match literal {
            Literal::Null => constant(ScalarValue::Utf8View(None), oid::UNKNOWN),
            Literal::Bool(value) => constant(ScalarValue::Boolean(Some(*value)), oid::BOOL),
            Literal::Integer(digits) => {
                let text = signed(digits, negative);
                if let Ok(value) = text.parse() {
                    return constant(ScalarValue::Int32(Some(value)), oid::INT4);
                }
                match text.parse() {
                    Ok(value) => constant(ScalarValue::Int64(Some(value)), oid::INT8),
                    Err(_) => self.typed(&text, oid::NUMERIC, span),
                }
            }
            Literal::Decimal(digits) => self.typed(&signed(digits, negative), oid::NUMERIC, span),
            Literal::String(text) => constant(ScalarValue::Utf8View(Some(text.clone())), oid::UNKNOWN),
            Literal::Bits(bits) => self.typed(bits, oid::BIT, span),
            Literal::Interval { value, fields, precision } => {
                let full = types::type_name::interval_field::FULL_RANGE;
                let modifiers = match (fields, precision) {
                    (None, None) => Vec::new(),
                    (Some(fields), None) => vec![*fields],
                    (fields, Some(precision)) => vec![fields.unwrap_or(full), *precision],
                };
                let typmod = types::typmod_from_modifiers(oid::INTERVAL, &modifiers)?;
                let text = Expr {
                    kind: ExprKind::Constant(ScalarValue::Utf8View(Some(value.clone()))),
                    ty: Type::of(oid::UNKNOWN),
                    span: self.quote_after(span.start, span),
                };
                self.explicit_cast(text, Type::new(oid::INTERVAL, typmod), span)
            }
        }
    }

    fn typed(&self, text: &str, ty: aegis_catalog::Oid, span: Span) -> Result<Expr> {
        let ty = Type::of(ty);
        let array = types::parse_scalar(ty, text, &self.context.format).map_err(|error| error.at(span.start))?;
        let value = ScalarValue::try_from_array(&array, 0).map_err(|error| Error::internal(error.to_string()))?;
        Ok(Expr { kind: ExprKind::Constant(value), ty, span })
    }
}

fn signed(digits: &str, negative: bool) -> String {
    if negative { format!("-{digits}") } else { digits.to_owned() }
}
