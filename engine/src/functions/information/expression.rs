//! Stored expressions and views as they are shown: bound again, and printed for the session's search path and settings.

use std::sync::Arc;

use aegis_catalog::definition::{Printer, Subject};
use aegis_catalog::object::{Routine, UserType};
use aegis_catalog::{Error, Oid, Result, Type};

use crate::bind;
use crate::bind::routine as bodies;
use crate::bind::tree::{RelId, Statement};
use crate::deparse::{self, Layout, Target};
use crate::functions::Call;

/// The row that an expression is about.
const ROW: RelId = RelId(0);

fn target<'a>(call: &'a Call<'_>, layout: Layout) -> Target<'a> {
    let context = call.context;
    let printer = Printer { catalog: &context.catalog, search_path: &context.search_path };
    Target { printer, format: &context.format, layout }
}

/// A stored expression over a table's columns or a domain's value. What no longer binds is shown as it is stored.
pub(super) fn show(call: &Call<'_>, subject: Subject<'_>, text: &str, layout: Layout) -> String {
    let target = target(call, layout);
    let shown = match subject {
        Subject::Table(table) => bind::bind_stored(table, ROW, text, call.context)
            .and_then(|bound| deparse::expression(&bound, ROW, table, target)),
        Subject::Domain(domain) => {
            domain_check(domain, text, call).and_then(|bound| deparse::free_expression(&bound, target))
        }
    };
    shown.unwrap_or_else(|_| text.to_owned())
}

fn domain_check(domain: &UserType, text: &str, call: &Call<'_>) -> Result<bind::tree::Expr> {
    let base = call.context.catalog.base_type(Type::of(domain.oid));
    bind::bind_domain_check(base, &crate::parse::parse_expression(text)?, call.context)
}

/// As [`show`], for `pg_get_expr`: the relation may be an index, whose expressions are over its table, or none.
pub(super) fn show_of(call: &Call<'_>, text: &str, relation: Oid, layout: Layout) -> Option<String> {
    let catalog = &call.context.catalog;
    let Some(relation) = catalog.relation(relation) else {
        return (relation == 0).then(|| text.to_owned());
    };
    let table = relation.index().and_then(|index| catalog.relation(index.table)).unwrap_or(relation);
    Some(show(call, Subject::Table(table), text, layout))
}

/// The query of a view; None if it is none.
pub(super) fn show_view(call: &Call<'_>, view: Oid, layout: Layout) -> Option<String> {
    let relation = call.context.catalog.relation(view)?;
    let definition = relation.query()?;
    let names: Vec<String> = relation.live_columns().map(|column| column.name.clone()).collect();
    let bound = bind::bind_view(definition, call.context);
    let shown = bound.and_then(|bound| deparse::query(&bound, &names, target(call, layout)));
    let text = shown.unwrap_or_else(|_| format!(" {}", definition.query.trim().trim_end_matches(';')));
    Some(text + ";")
}

/// The body of a routine in the syntax of SQL; None if it has one as text.
pub(super) fn show_body(call: &Call<'_>, routine: &Arc<Routine>) -> Option<String> {
    let stored = routine.sql_body.as_deref()?;
    Some(bound_body(call, routine, stored.starts_with("RETURN ")).unwrap_or_else(|_| stored.to_owned()))
}

fn bound_body(call: &Call<'_>, routine: &Arc<Routine>, returns: bool) -> Result<String> {
    let (sql, statements) = bodies::statements_of(routine)?;
    let names = crate::functions::input_names(&routine.row);
    let mut numbers = bodies::Numbers::FIRST;
    let mut text = if returns { String::new() } else { "BEGIN ATOMIC\n".to_owned() };
    for parsed in &statements {
        let types = &routine.row.arg_types;
        let bound = bodies::bind_body_statement(&parsed.statement, &sql, routine, types, call.context, &mut numbers)?;
        let Statement::Query(query) = &bound.statement else {
            return Err(Error::internal("a body that can't be shown"));
        };
        let target = target(call, Layout::PLAIN);
        if returns {
            let expr = bind::targets_of(&bound).first().ok_or_else(|| Error::internal("RETURN of nothing"))?;
            return Ok(format!("RETURN {}", deparse::body_expression(expr, &routine.row.name, &names, target)?));
        }
        let shown = deparse::body_query(query, &routine.row.name, &names, target)?;
        text.push_str(&shown.replace('\n', "\n "));
        text.push_str(";\n");
    }
    text.push_str("END");
    Ok(text)
}
