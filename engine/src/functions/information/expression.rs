//! Stored expressions and views as they are shown: bound again, and printed for the session's search path and settings.

use std::sync::Arc;

use aegis_catalog::Oid;
use aegis_catalog::definition::Printer;
use aegis_catalog::object::Relation;

use crate::bind;
use crate::bind::tree::RelId;
use crate::deparse::{self, Layout, Target};
use crate::functions::Call;

/// The row that an expression is about.
const ROW: RelId = RelId(0);

fn target<'a>(call: &'a Call<'_>, layout: Layout) -> Target<'a> {
    let context = call.context;
    let printer = Printer { catalog: &context.catalog, search_path: &context.search_path };
    Target { printer, format: &context.format, layout }
}

/// A stored expression over a table's columns. What no longer binds is shown as it is stored.
pub(super) fn show(call: &Call<'_>, table: &Arc<Relation>, text: &str, layout: Layout) -> String {
    let bound = bind::bind_stored(table, ROW, text, call.context);
    let shown = bound.and_then(|bound| deparse::expression(&bound, ROW, table, target(call, layout)));
    shown.unwrap_or_else(|_| text.to_owned())
}

/// As [`show`], for `pg_get_expr`: the relation may be an index, whose expressions are over its table, or none.
pub(super) fn show_of(call: &Call<'_>, text: &str, relation: Oid, layout: Layout) -> Option<String> {
    let catalog = &call.context.catalog;
    let Some(relation) = catalog.relation(relation) else {
        return (relation == 0).then(|| text.to_owned());
    };
    let table = relation.index().and_then(|index| catalog.relation(index.table)).unwrap_or(relation);
    Some(show(call, table, text, layout))
}

/// The query of a view; None if it is none.
pub(super) fn show_view(call: &Call<'_>, view: Oid, layout: Layout) -> Option<String> {
    let relation = call.context.catalog.relation(view)?;
    let definition = relation.view()?;
    let names: Vec<String> = relation.live_columns().map(|column| column.name.clone()).collect();
    let bound = bind::bind_view(definition, call.context);
    let shown = bound.and_then(|bound| deparse::query(&bound, &names, target(call, layout)));
    let text = shown.unwrap_or_else(|_| format!(" {}", definition.query.trim().trim_end_matches(';')));
    Some(text + ";")
}
