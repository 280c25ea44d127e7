//! `pg_rewrite`: the rule behind each view; the action is the view's query as SQL text.

use super::SystemContext;
use super::rows::{Rows, row};
use crate::Result;

pub(super) fn rows(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    for relation in context.relations("ev_class") {
        if let Some(view) = relation.query() {
            rows.push(row![view.rule, "_RETURN", relation.oid, '1', 'O', true, "<>", &view.query]);
        }
    }
    Ok(())
}
