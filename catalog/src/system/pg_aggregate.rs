//! `pg_aggregate`: PostgreSQL's aggregates that are implemented, and those of users. The transition functions of the former mostly are
//! not functions of their own here, and are shown as none.

use super::rows::{Rows, row};
use super::{SystemContext, pg_operator};
use crate::Result;
use crate::facts;

pub(super) fn rows(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    let built_in = facts::aggregates().iter().filter(|row| context.catalog.proc(row.function).is_some());
    let made = context.catalog.routines().filter_map(|routine| routine.aggregate.as_ref());
    for row in built_in.chain(made) {
        rows.push(row![
            row.function,
            row.kind,
            row.direct_args,
            context.existing_function(row.transition),
            context.existing_function(row.finish),
            context.existing_function(row.combine),
            context.existing_function(row.serialize),
            context.existing_function(row.deserialize),
            context.existing_function(row.moving_transition),
            context.existing_function(row.moving_inverse),
            context.existing_function(row.moving_finish),
            row.finish_extra,
            row.moving_finish_extra,
            row.finish_modify,
            row.moving_finish_modify,
            pg_operator::existing(context, row.sort_operator),
            row.transition_type,
            row.transition_space,
            row.moving_transition_type,
            row.moving_transition_space,
            row.initial.clone(),
            row.moving_initial.clone(),
        ]);
    }
    Ok(())
}
