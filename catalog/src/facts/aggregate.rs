//! `pg_aggregate`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::tsv::Fields;
use crate::types::oid::Oid;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AggregateRow {
    /// The `pg_proc` row it belongs to.
    pub function: Oid,
    /// n normal, o ordered-set, h hypothetical-set.
    pub kind: char,
    /// Arguments before WITHIN GROUP.
    pub direct_args: i16,
    pub transition: Oid,
    pub finish: Oid,
    pub combine: Oid,
    pub serialize: Oid,
    pub deserialize: Oid,
    pub moving_transition: Oid,
    pub moving_inverse: Oid,
    pub moving_finish: Oid,
    pub finish_extra: bool,
    pub moving_finish_extra: bool,
    pub finish_modify: char,
    pub moving_finish_modify: char,
    /// Operator that min and max sort by.
    pub sort_operator: Oid,
    pub transition_type: Oid,
    pub transition_space: i32,
    pub moving_transition_type: Oid,
    pub moving_transition_space: i32,
    pub initial: Option<Cow<'static, str>>,
    pub moving_initial: Option<Cow<'static, str>>,
}

impl AggregateRow {
    pub(super) fn parse(fields: &mut Fields) -> Self {
        Self {
            function: fields.oid(),
            kind: fields.character(),
            direct_args: fields.parse(),
            transition: fields.oid(),
            finish: fields.oid(),
            combine: fields.oid(),
            serialize: fields.oid(),
            deserialize: fields.oid(),
            moving_transition: fields.oid(),
            moving_inverse: fields.oid(),
            moving_finish: fields.oid(),
            finish_extra: fields.boolean(),
            moving_finish_extra: fields.boolean(),
            finish_modify: fields.character(),
            moving_finish_modify: fields.character(),
            sort_operator: fields.oid(),
            transition_type: fields.oid(),
            transition_space: fields.parse(),
            moving_transition_type: fields.oid(),
            moving_transition_space: fields.parse(),
            initial: fields.optional(),
            moving_initial: fields.optional(),
        }
    }
}

impl AggregateRow {
    /// The functions that it is computed by.
    pub fn functions(&self) -> impl Iterator<Item = Oid> {
        let plain = [self.transition, self.finish, self.combine, self.serialize, self.deserialize];
        let moving = [self.moving_transition, self.moving_inverse, self.moving_finish];
        plain.into_iter().chain(moving).filter(|&oid| oid != 0)
    }
}

impl super::Fact for AggregateRow {
    fn oid(&self) -> Oid {
        self.function
    }

    fn name(&self) -> &str {
        ""
    }
}
