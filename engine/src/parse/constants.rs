//! Constants of a statement as its parameters, so that statements which differ in nothing but their constants can share one plan.
//!
//! [`shape`] works on tokens alone and costs far less than parsing. [`parameterize`] decides for a parsed statement which of the
//! constants may become parameters: those of VALUES, SET and WHERE that stand for a value. A type's length, a column's number in ORDER
//! BY, a constant that names the result's column stay what they are.

use aegis_catalog::Oid;
use aegis_catalog::types::oid;

use super::ast::{Assignment, Expr, ExprKind, InsertSource, Literal, ParsedStatement, Query, SetExpr, Span, Statement};
use super::scan::{TokenKind, scan};

/// Longest text that is looked at, in bytes.
const MAX_TEXT: usize = 4 << 10;

/// Most constants of a statement.
const MAX_CONSTANTS: usize = 100;

/// Deepest nesting in which constants become parameters.
const MAX_DEPTH: usize = 50;

/// A query string without its constants.
#[derive(Debug, PartialEq)]
pub struct Shape {
    /// The text with a mark of its type in each constant's place.
    pub text: String,
    pub constants: Vec<Constant>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Constant {
    /// As the type's input function takes it.
    pub value: String,
    /// The type that a parameter in its place is declared to have; 0 if that follows from where it stands.
    pub ty: Oid,
    start: u32,
}

/// None for text that is long, has parameters, or is no SQL.
pub fn shape(text: &str) -> Option<Shape> {
    if text.len() > MAX_TEXT || text.contains('\0') {
        return None;
    }
    let (tokens, None) = scan(text) else { return None };
    let mut shape = Shape { text: String::with_capacity(text.len()), constants: Vec::new() };
    let mut copied = 0;
    for token in &tokens {
        let written = text.get(token.start as usize..token.end as usize)?;
        let (mark, value, ty) = match token.kind {
            TokenKind::Parameter => return None,
            TokenKind::Number => number(written)?,
            TokenKind::String => ("\0s", string(written)?, 0),
            _ => continue,
        };
        if shape.constants.len() == MAX_CONSTANTS {
            return None;
        }
        shape.text.push_str(text.get(copied..token.start as usize)?);
        shape.text.push_str(mark);
        shape.constants.push(Constant { value, ty, start: token.start });
        copied = token.end as usize;
    }
    shape.text.push_str(text.get(copied..)?);
    Some(shape)
}

/// Whether a text means the same whatever the settings are: it has no strings, which could be dates.
pub fn has_one_meaning(text: &str) -> bool {
    text.len() <= MAX_TEXT && scan(text).0.iter().all(|token| token.kind != TokenKind::String)
}

/// Mark, value and type of a number without a sign. None for those whose type depends on the sign before them.
fn number(written: &str) -> Option<(&'static str, String, Oid)> {
    if !written.bytes().all(|byte| byte.is_ascii_digit()) {
        let plain = written.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        return plain.then(|| ("\0n", written.to_owned(), oid::NUMERIC));
    }
    let value: i64 = written.parse().ok()?;
    match i32::try_from(value) {
        Ok(value) => Some(("\0i", value.to_string(), oid::INT4)),
        Err(_) if value == i64::from(i32::MAX) + 1 => None,
        Err(_) => Some(("\0l", value.to_string(), oid::INT8)),
    }
}

/// The value of a string in plain quotes on one line; None for any other spelling.
fn string(written: &str) -> Option<String> {
    let inner = written.strip_prefix('\'')?.strip_suffix('\'')?;
    if !inner.contains('\'') {
        return Some(inner.to_owned());
    }
    let value = inner.replace("''", "'");
    // A quote that is not doubled ends one line of a string that another continues.
    (value.matches('\'').count() * 2 == inner.matches('\'').count()).then_some(value)
}

/// What became of a statement's constants.
#[derive(Debug)]
pub struct Parameterized {
    pub statement: ParsedStatement,
    /// Places among the constants, in order of the parameters.
    pub parameters: Vec<usize>,
}

/// The statement with parameters for constants. None if it is of a kind that has none, or if a string stays in it: what a string means
/// as a date, say, depends on settings.
pub fn parameterize(parsed: &ParsedStatement, constants: &[Constant]) -> Option<Parameterized> {
    let mut result = Parameterized { statement: parsed.clone(), parameters: Vec::new() };
    let mut taking = Taking { constants, parameters: &mut result.parameters };
    match &mut result.statement.statement {
        Statement::Query(query) => taking.query(query),
        Statement::Insert(insert) => {
            if let InsertSource::Query(query) = &mut insert.source {
                taking.query(query);
            }
            if let Some(update) = insert.on_conflict.as_mut().and_then(|conflict| conflict.update.as_mut()) {
                taking.assignments(&mut update.set);
            }
        }
        Statement::Update(update) => {
            taking.assignments(&mut update.set);
            taking.all(&mut update.filter, 0);
        }
        Statement::Delete(delete) => taking.all(&mut delete.filter, 0),
        Statement::Merge(_) | Statement::Utility(_) => return None,
    }
    result.statement.parameter_count = u32::try_from(result.parameters.len()).ok()?;
    let stays = |(place, constant): (usize, &Constant)| constant.ty == 0 && !result.parameters.contains(&place);
    (!constants.iter().enumerate().any(stays)).then_some(result)
}

struct Taking<'a> {
    constants: &'a [Constant],
    parameters: &'a mut Vec<usize>,
}

impl Taking<'_> {
    fn query(&mut self, query: &mut Query) {
        match &mut query.body {
            SetExpr::Select(select) => self.all(&mut select.filter, 0),
            SetExpr::Values(rows) => self.all(rows.iter_mut().flatten(), 0),
            _ => {}
        }
    }

    fn assignments(&mut self, set: &mut [Assignment]) {
        for Assignment::One { value, .. } | Assignment::Row { value, .. } in set {
            self.expr(value, 0);
        }
    }

    fn all<'e>(&mut self, exprs: impl IntoIterator<Item = &'e mut Expr>, depth: usize) {
        exprs.into_iter().for_each(|expr| self.expr(expr, depth));
    }

    /// Goes through operators; what functions, casts and sub-queries make of a constant is theirs.
    fn expr(&mut self, expr: &mut Expr, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        let depth = depth + 1;
        match &mut expr.kind {
            ExprKind::Literal(Literal::Integer(_) | Literal::Decimal(_) | Literal::String(_)) => {
                let number = u32::try_from(self.parameters.len() + 1);
                if let (Some(place), Ok(number)) = (self.constant(expr.span), number) {
                    self.parameters.push(place);
                    expr.kind = ExprKind::Parameter(number);
                }
            }
            ExprKind::Unary { arg, .. } | ExprKind::Not(arg) | ExprKind::IsNull { arg, .. } => self.expr(arg, depth),
            ExprKind::Binary { left, right, .. } => {
                self.expr(left, depth);
                self.expr(right, depth);
            }
            ExprKind::And(terms) | ExprKind::Or(terms) => self.all(terms, depth),
            ExprKind::Between { arg, low, high, .. } => {
                for part in [arg, low, high] {
                    self.expr(part, depth);
                }
            }
            ExprKind::InList { arg, list, .. } => {
                self.expr(arg, depth);
                self.all(list, depth);
            }
            ExprKind::Row { fields, .. } => self.all(fields, depth),
            _ => {}
        }
    }

    /// The constant that is written there and was not taken yet.
    fn constant(&self, span: Span) -> Option<usize> {
        let place = self.constants.binary_search_by_key(&span.start, |constant| constant.start).ok()?;
        (!self.parameters.contains(&place)).then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    fn taken(sql: &str) -> Option<Vec<String>> {
        let shape = shape(sql)?;
        let parsed = parse(sql).unwrap().pop().unwrap();
        let result = parameterize(&parsed, &shape.constants)?;
        Some(result.parameters.iter().map(|place| shape.constants[*place].value.clone()).collect())
    }

    #[test]
    fn statements_that_differ_in_constants_have_one_shape() {
        let shape = |sql: &str| shape(sql).map(|shape| shape.text);
        assert_eq!(shape("UPDATE t SET a = a + 1 WHERE id = 7"), shape("UPDATE t SET a = a + 250 WHERE id = 9"));
        assert_eq!(shape("SELECT 'it''s'"), shape("SELECT ''"));
        // Types differ.
        assert_ne!(shape("SELECT 1"), shape("SELECT 1.0"));
        assert_ne!(shape("SELECT 1"), shape("SELECT 3000000000"));
        assert_ne!(shape("SELECT 1"), shape("SELECT '1'"));
        // An alias, a name or a number within a name is no constant.
        assert_ne!(shape("SELECT a1 FROM t"), shape("SELECT a2 FROM t"));
        for other in ["SELECT $1", "SELECT E'a'", "SELECT 'a'\n'b'", "SELECT 2147483648", "SELECT 'a", "SELECT 1e5"] {
            assert_eq!(shape(other), None, "{other}");
        }
    }

    #[test]
    fn constants_that_stand_for_values_become_parameters() {
        let some = |values: &[&str]| Some(values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>());
        assert_eq!(taken("UPDATE t SET a = a + -5, b = 'x''y' WHERE id = 7"), some(&["5", "x'y", "7"]));
        assert_eq!(taken("INSERT INTO t VALUES (1, 'a', 2.5), (DEFAULT, NULL, 3)"), some(&["1", "a", "2.5", "3"]));
        assert_eq!(taken("DELETE FROM t WHERE a IN (1, 2) AND b BETWEEN 3 AND 4"), some(&["1", "2", "3", "4"]));
        assert_eq!(taken("SELECT 1, a FROM t WHERE id = 2 ORDER BY 1 LIMIT 5"), some(&["2"]));
        assert_eq!(taken("SELECT a FROM t WHERE b = 2::numeric(5, 2)"), some(&[]));
        // Strings that stay would be read with the settings of then.
        assert_eq!(taken("SELECT a FROM t WHERE b = '2024-01-01'::date"), None);
        assert_eq!(taken("SELECT 'a' FROM t WHERE id = 1"), None);
        assert_eq!(taken("BEGIN"), None);
    }
}
