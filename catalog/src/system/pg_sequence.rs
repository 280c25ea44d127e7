//! `pg_sequence`: the parameters of sequences.

use super::SystemContext;
use super::rows::{Rows, row};
use crate::Result;

pub(super) fn rows(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    for relation in context.user_relations("seqrelid") {
        if let Some(sequence) = relation.sequence() {
            rows.push(row![
                relation.oid,
                sequence.ty,
                sequence.start,
                sequence.increment,
                sequence.max,
                sequence.min,
                sequence.cache,
                sequence.cycle,
            ]);
        }
    }
    Ok(())
}
