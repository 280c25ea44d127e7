//! `pg_operator`: PostgreSQL's operators whose functions are implemented.

use super::SystemContext;
use super::rows::{Rows, row};
use crate::facts::{self, OperatorRow};
use crate::types::oid::Oid;
use crate::{Result, extension_facts};

pub(super) fn rows(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    for row in facts::operators().iter().filter(|row| exists(context, row)) {
        rows.push(row![
            row.oid,
            row.name.clone(),
            row.schema,
            row.owner,
            row.kind,
            row.can_merge,
            row.can_hash,
            row.left,
            row.right,
            row.result,
            existing(context, row.commutator),
            existing(context, row.negator),
            row.function,
            context.existing_function(row.restrict_selectivity),
            context.existing_function(row.join_selectivity),
        ]);
    }
    let catalog = context.catalog;
    for made in extension_facts::operators() {
        let (row, Some(ty)) = (&made.row, catalog.user_type(made.owner)) else { continue };
        rows.push(row![
            row.oid,
            row.name.clone(),
            ty.schema,
            ty.owner,
            row.kind,
            row.can_merge,
            row.can_hash,
            row.left,
            row.right,
            row.result,
            row.commutator,
            row.negator,
            made.function_in(catalog).unwrap_or(0),
            0_u32,
            0_u32,
        ]);
    }
    Ok(())
}

fn exists(context: &SystemContext<'_>, row: &OperatorRow) -> bool {
    context.catalog.proc(row.function).is_some()
}

/// The operator if it exists, else 0.
pub(super) fn existing(context: &SystemContext<'_>, operator: Oid) -> Oid {
    match facts::operator(operator) {
        Some(row) if exists(context, row) => operator,
        _ => 0,
    }
}
