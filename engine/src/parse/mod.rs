//! SQL text to syntax tree. The only module that knows the parser library.
//!
//! The text is scanned for PostgreSQL's lexical errors and for its nesting depth (`scan`, `guard`), parsed by the library
//! (`tree`), and lowered to the plain data of `ast` and `utility` (`lower`).

mod as_of;
pub mod ast;
pub mod constants;
pub mod definition;
mod guard;
mod lower;
pub mod normalize;
pub mod routine;
mod scan;
#[cfg(test)]
mod tests;
mod tree;
pub mod utility;

use std::panic::{AssertUnwindSafe, catch_unwind};

use aegis_catalog::{Error, Result, sqlstate};

use as_of::AsOfWords;
use ast::{Expr, ExprKind, ParsedStatement, Query, SetExpr, Statement, TypeName};
use lower::Lower;
use tree::{Node, Tree};

/// All statements of a query string; empty ones are left out.
pub fn parse(sql: &str) -> Result<Vec<ParsedStatement>> {
    with_tree(sql, 0, |lower, root| lower.statements(root))
}

/// One query, such as the stored text of a view.
pub fn parse_query(sql: &str) -> Result<Query> {
    match <[ParsedStatement; 1]>::try_from(parse(sql)?) {
        Ok([ParsedStatement { statement: Statement::Query(query), .. }]) => Ok(*query),
        _ => Err(Error::new(sqlstate::SYNTAX_ERROR, "expected one query")),
    }
}

/// One expression, such as the stored text of a column's default.
pub fn parse_expression(sql: &str) -> Result<Expr> {
    let prefix = "SELECT ";
    with_tree(&format!("{prefix}{sql}"), prefix.len() as u32, lone_expression)
}

/// One type as written in SQL, `numeric(10, 2)[]`.
pub fn parse_type_name(sql: &str) -> Result<TypeName> {
    let prefix = "SELECT NULL::";
    let expr = with_tree(&format!("{prefix}{sql}"), prefix.len() as u32, lone_expression)?;
    match expr.kind {
        ExprKind::Cast { ty, arg } if matches!(arg.kind, ExprKind::Literal(_)) => Ok(ty),
        _ => Err(Error::new(sqlstate::SYNTAX_ERROR, format!("invalid type name \"{sql}\""))),
    }
}

/// The expression of `SELECT expr`, provided that there is nothing else.
fn lone_expression(lower: &Lower<'_>, root: Node<'_>) -> Result<Expr> {
    let mut statements = lower.statements(root)?;
    let invalid = || Error::new(sqlstate::SYNTAX_ERROR, "expected one expression");
    let (Some(ParsedStatement { statement: Statement::Query(query), .. }), true) =
        (statements.pop(), statements.is_empty())
    else {
        return Err(invalid());
    };
    let Query { with: None, body: SetExpr::Select(mut select), order_by, limit: None, offset: None, .. } = *query
    else {
        return Err(invalid());
    };
    let bare = select.from.is_empty() && select.filter.is_none() && select.group_by.is_empty() && order_by.is_empty();
    match select.targets.pop() {
        Some(target) if bare && target.alias.is_none() && select.targets.is_empty() => Ok(target.expr),
        _ => Err(invalid()),
    }
}

/// Scans, guards and parses `text`, then lets `lower` work on its tree, on a stack that is big enough for its depth.
/// Positions count from `base`.
fn with_tree<T: Send>(
    text: &str,
    base: u32,
    lower: impl FnOnce(&Lower<'_>, Node<'_>) -> Result<T> + Send,
) -> Result<T> {
    guard::check_size(text)?;
    let (tokens, unscannable) = scan::scan(text);
    let unscannable = unscannable.map(|error| rebase(error, base));
    let depth = guard::check_nesting(&tokens, text)?;
    guard::with_stack(depth, || {
        // The library asserts in places. Should input ever reach one of those, it costs one statement.
        let (masked, as_of) = AsOfWords::take(text, &tokens).unzip();
        let (tree, failure) = catch_unwind(AssertUnwindSafe(|| Tree::parse(text, masked.as_deref())))
            .map_err(|_| Error::internal("the parser gave up on this statement"))?;
        let lowering = Lower::new(text, &tokens, base, failure, as_of);
        let lowered = match tree.root() {
            Some(root) => lower(&lowering, root),
            None => Err(lowering.syntax_error(0)),
        };
        // The first place that is wrong counts, whoever finds it.
        let lowered_error = lowered.as_ref().err().filter(|error| lowering.precedes_failure(error)).cloned();
        let errors = [lowered_error.or_else(|| lowering.failure()), unscannable];
        match errors.into_iter().flatten().min_by_key(|error| error.fields().position.unwrap_or(u32::MAX)) {
            Some(error) => Err(error),
            None => lowered,
        }
    })
}

fn rebase(mut error: Error, base: u32) -> Error {
    let position = &mut error.fields_mut().position;
    *position = position.map(|position| position.saturating_sub(base));
    error
}
