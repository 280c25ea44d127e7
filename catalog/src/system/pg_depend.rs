//! `pg_depend`: what can't live without what. System objects are in no row.

use super::SystemContext;
use super::rows::{Rows, row};
use crate::Result;

pub(super) fn rows(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    for edge in context.catalog.dependencies() {
        let (from, to) = (edge.dependent, edge.referenced);
        rows.push(row![from.class, from.object, from.sub, to.class, to.object, to.sub, edge.kind.code()]);
    }
    Ok(())
}
