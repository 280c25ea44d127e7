//! `pg_attrdef`: defaults and generation expressions, as SQL text.

use super::SystemContext;
use super::rows::{Rows, row};
use crate::Result;

pub(super) fn rows(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    for relation in context.user_relations("adrelid") {
        for column in relation.live_columns() {
            if let Some(default) = &column.default {
                rows.push(row![column.default_oid, relation.oid, column.attnum, default]);
            }
        }
    }
    Ok(())
}
