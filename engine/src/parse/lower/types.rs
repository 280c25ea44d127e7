//! Type names: the spellings of the SQL standard become PostgreSQL's internal names (manual 8; `gram.y`, SimpleTypename).

use aegis_catalog::{Error, Result, sqlstate};
use squawk_parser::SyntaxKind as K;

use super::names::Words;
use super::{Lower, literal};
use crate::parse::ast::{Expr, ExprKind, Ident, Literal, Name, Span, TypeName};
use crate::parse::tree::Node;

// Bits of an interval's field restriction: `1 << field` with the field numbers of PostgreSQL's datetime.h.
const MONTH: i32 = 1 << 1;
const YEAR: i32 = 1 << 2;
const DAY: i32 = 1 << 3;
const HOUR: i32 = 1 << 10;
const MINUTE: i32 = 1 << 11;
const SECOND: i32 = 1 << 12;

/// Is this the kind of a type node?
pub fn is_type(kind: K) -> bool {
    matches!(
        kind,
        K::ARRAY_TYPE
            | K::PATH_TYPE
            | K::PERCENT_TYPE
            | K::VARCHAR_TYPE
            | K::CHARACTER_TYPE
            | K::BIT_TYPE
            | K::BIT_VARYING_TYPE
            | K::DOUBLE_TYPE
            | K::TIME_TYPE
            | K::TIMESTAMP_TYPE
            | K::INTERVAL_TYPE
    )
}

/// Unqualified keywords that name a type by another name.
fn keyword_type(word: &str) -> Option<&'static str> {
    Some(match word {
        "int" | "integer" => "int4",
        "smallint" => "int2",
        "bigint" => "int8",
        "real" => "float4",
        "float" => "float8",
        "decimal" | "dec" | "numeric" => "numeric",
        "boolean" => "bool",
        _ => return None,
    })
}

pub fn catalog_name(name: &str, span: Span) -> Name {
    let part = |name: &str| Ident { name: name.into(), span };
    Name { parts: vec![part("pg_catalog"), part(name)], span }
}

impl Lower<'_> {
    /// The type among the children of `parent`.
    pub fn type_in(&self, parent: Node<'_>) -> Result<TypeName> {
        let node = parent.nodes().find(|node| is_type(node.kind()));
        self.type_name(self.need(node, parent)?)
    }

    pub fn type_name(&self, node: Node<'_>) -> Result<TypeName> {
        let span = self.span(node);
        let mut ty = self.element_type(node)?;
        ty.setof |= node.has(K::SETOF_KW);
        ty.span = span;
        Ok(ty)
    }

    fn element_type(&self, node: Node<'_>) -> Result<TypeName> {
        let span = self.span(node);
        match node.kind() {
            K::ARRAY_TYPE => {
                let mut ty = self.type_in(node)?;
                let mut bounds = 0;
                for bound in node.children_of(K::ARRAY_BOUND) {
                    bounds += 1;
                    match bound.nodes().next() {
                        Some(size) if !size.has(K::INT_NUMBER) => return Err(self.syntax_error(size.start())),
                        _ => {}
                    }
                }
                ty.array_dimensions += bounds.max(usize::from(node.has(K::ARRAY_KW)));
                Ok(ty)
            }
            K::PATH_TYPE => self.named_type(node, span),
            K::PERCENT_TYPE => Err(Error::unsupported("%TYPE").at(span.start)),
            K::VARCHAR_TYPE => Ok(internal("varchar", self.length(node)?, span)),
            K::CHARACTER_TYPE => Ok(internal("bpchar", or_one(self.length(node)?, span), span)),
            K::BIT_TYPE => Ok(internal("bit", or_one(self.modifiers(node)?, span), span)),
            K::BIT_VARYING_TYPE => Ok(internal("varbit", self.modifiers(node)?, span)),
            K::DOUBLE_TYPE => Ok(internal("float8", Vec::new(), span)),
            K::TIME_TYPE => self.time_type(node, "time", "timetz", span),
            K::TIMESTAMP_TYPE => self.time_type(node, "timestamp", "timestamptz", span),
            K::INTERVAL_TYPE => {
                let mut ty = internal("interval", self.precision(node)?, span);
                if let Some(qualifier) = node.nodes().find(|part| is_interval_qualifier(part.kind())) {
                    self.restrict_interval(&mut ty, qualifier)?;
                }
                Ok(ty)
            }
            _ => Err(self.syntax_error(node.start())),
        }
    }

    fn named_type(&self, node: Node<'_>, span: Span) -> Result<TypeName> {
        // Spellings of the standard and the types of SQL/JSON are column-name keywords.
        let first = node.descendants().find(|part| part.is_token() && !part.is(K::SETOF_KW));
        let token = self.need(first, node)?;
        let builtin =
            keyword_type(&token.text().to_ascii_lowercase()).is_some() || token.text().eq_ignore_ascii_case("json");
        let name = self.object_of(node, if builtin { Words::Column } else { Words::Function })?;
        let modifiers = self.modifiers(node)?;
        let keyword = match name.parts.as_slice() {
            [only] if !token.is(K::IDENT) => keyword_type(&only.name),
            _ => None,
        };
        match keyword {
            None => Ok(TypeName { modifiers, ..plain(name, span) }),
            Some("float8") if !modifiers.is_empty() => self.float_type(&modifiers, span),
            Some("numeric") => Ok(internal("numeric", modifiers, span)),
            Some(internal_name) => match node.child(K::ARG_LIST) {
                // `int(4)` is no type; `float` has a rule of its own.
                Some(list) => Err(self.syntax_error(list.start())),
                None => Ok(internal(internal_name, modifiers, span)),
            },
        }
    }

    /// `float(p)`: the precision counts bits.
    fn float_type(&self, modifiers: &[Expr], span: Span) -> Result<TypeName> {
        let bits = match modifiers {
            [Expr { kind: ExprKind::Literal(Literal::Integer(digits)), .. }] => {
                digits.parse::<u32>().unwrap_or(u32::MAX)
            }
            _ => {
                return Err(Error::new(sqlstate::SYNTAX_ERROR, "syntax error in the precision of float").at(span.start));
            }
        };
        let fail = |message: &str| Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message).at(span.start));
        match bits {
            0 => fail("precision for type float must be at least 1 bit"),
            1..=24 => Ok(internal("float4", Vec::new(), span)),
            25..=53 => Ok(internal("float8", Vec::new(), span)),
            _ => fail("precision for type float must be less than 54 bits"),
        }
    }

    fn time_type(&self, node: Node<'_>, without: &str, with: &str, span: Span) -> Result<TypeName> {
        let name = if node.has(K::WITH_TIMEZONE) { with } else { without };
        Ok(internal(name, self.precision(node)?, span))
    }

    /// `(3)` of a time, timestamp or interval.
    fn precision(&self, node: Node<'_>) -> Result<Vec<Expr>> {
        match node.child(K::LITERAL) {
            Some(precision) => Ok(vec![self.expr(precision)?]),
            None if node.has(K::L_PAREN) => Err(self.syntax_error(node.end().saturating_sub(1))),
            None => Ok(Vec::new()),
        }
    }

    fn modifiers(&self, node: Node<'_>) -> Result<Vec<Expr>> {
        let Some(list) = node.child(K::ARG_LIST) else { return Ok(Vec::new()) };
        let modifiers = list
            .children_of(K::ARG)
            .map(|arg| match arg.nodes().next() {
                Some(expr) if super::expr::is_expr(expr.kind()) => self.expr(expr),
                _ => Err(self.syntax_error(arg.start())),
            })
            .collect::<Result<Vec<_>>>()?;
        if modifiers.is_empty() {
            return Err(self.syntax_error(list.start() + 1));
        }
        Ok(modifiers)
    }

    /// The length of a character type, an integer constant.
    fn length(&self, node: Node<'_>) -> Result<Vec<Expr>> {
        let modifiers = self.modifiers(node)?;
        let is_integer = |length: &&Expr| matches!(length.kind, ExprKind::Literal(Literal::Integer(_)));
        match modifiers.iter().find(|length| !is_integer(length)).or_else(|| modifiers.get(1)) {
            Some(wrong) => Err(self.syntax_error(self.base() + wrong.span.start)),
            None => Ok(modifiers),
        }
    }

    /// `day to second(3)` after an interval type or literal.
    pub fn restrict_interval(&self, ty: &mut TypeName, qualifier: Node<'_>) -> Result<()> {
        let mut fields = 0;
        for token in qualifier.tokens() {
            fields |= field_bit(token.kind());
        }
        // `day to second` covers what lies between as well.
        if qualifier.has(K::TO_KW) {
            let order = [YEAR, MONTH, DAY, HOUR, MINUTE, SECOND];
            let from = order.iter().position(|&field| fields & field != 0).unwrap_or(0);
            let to = order.iter().rposition(|&field| fields & field != 0).unwrap_or(0);
            fields = order.iter().take(to + 1).skip(from).sum();
        }
        ty.interval_fields = Some(fields);
        if let Some(precision) = qualifier.child(K::LITERAL) {
            ty.modifiers = vec![self.expr(precision)?];
        }
        Ok(())
    }
}

/// `char` is `char(1)`, `bit` is `bit(1)`.
fn or_one(modifiers: Vec<Expr>, span: Span) -> Vec<Expr> {
    if modifiers.is_empty() { vec![literal::integer(1, span)] } else { modifiers }
}

fn field_bit(kind: K) -> i32 {
    match kind {
        K::YEAR_KW => YEAR,
        K::MONTH_KW => MONTH,
        K::DAY_KW => DAY,
        K::HOUR_KW => HOUR,
        K::MINUTE_KW => MINUTE,
        K::SECOND_KW => SECOND,
        _ => 0,
    }
}

pub fn is_interval_qualifier(kind: K) -> bool {
    matches!(
        kind,
        K::INTERVAL_YEAR
            | K::INTERVAL_MONTH
            | K::INTERVAL_DAY
            | K::INTERVAL_HOUR
            | K::INTERVAL_MINUTE
            | K::INTERVAL_SECOND
    )
}

fn plain(name: Name, span: Span) -> TypeName {
    TypeName { name, modifiers: Vec::new(), interval_fields: None, array_dimensions: 0, setof: false, span }
}

/// A type of `pg_catalog`.
pub fn internal(name: &str, modifiers: Vec<Expr>, span: Span) -> TypeName {
    TypeName { modifiers, ..plain(catalog_name(name, span), span) }
}
