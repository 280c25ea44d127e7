//! Keys of partitioned tables as expressions.

use std::sync::Arc;

use aegis_catalog::object::{PartitionKey, Relation};
use aegis_catalog::{Error, Result};

use super::tree::{Expr, ExprKind, RelId};
use super::walk;
use crate::session::context::StatementContext;

/// A key of the partitioned table `level` over the row `rel` of `table`, which has the same columns by name.
pub fn partition_key(
    table: &Relation,
    rel: RelId,
    level: &Arc<Relation>,
    key: &PartitionKey,
    context: &StatementContext,
) -> Result<Expr> {
    let mut expr = match &key.expression {
        Some(text) => super::bind_stored(level, rel, text, context)?,
        None => super::column_of(level, rel, key.attnum)
            .ok_or_else(|| Error::internal("a partition key over a column that is not there"))?,
    };
    if level.oid != table.oid {
        rename(&mut expr, rel, level, table)?;
    }
    Ok(expr)
}

/// Columns of one table become those of the same name of another.
pub fn rename(expr: &mut Expr, rel: RelId, from: &Relation, to: &Relation) -> Result<()> {
    if let ExprKind::Column { rel: of, column } = &mut expr.kind
        && *of == rel
    {
        let name = from.columns.get(*column).map(|column| &column.name);
        let place = to.columns.iter().position(|column| !column.dropped && Some(&column.name) == name);
        *column = place.ok_or_else(|| Error::internal("a partition lacks a column of its parent"))?;
    }
    let mut outcome = Ok(());
    walk::children(expr, &mut |child| {
        if outcome.is_ok() {
            outcome = rename(child, rel, from, to);
        }
    });
    outcome
}
