//! `pg_operator`.

use std::borrow::Cow;

use super::tsv::Fields;
use crate::types::oid::Oid;

/// One operator with its operand types.
#[derive(Debug, Clone, PartialEq)]
pub struct OperatorRow {
    pub oid: Oid,
    pub name: Cow<'static, str>,
    pub schema: Oid,
    pub owner: Oid,
    /// b infix, l prefix.
    pub kind: char,
    pub can_merge: bool,
    pub can_hash: bool,
    /// 0 for a prefix operator.
    pub left: Oid,
    pub right: Oid,
    /// 0 if only a shell.
    pub result: Oid,
    pub commutator: Oid,
    pub negator: Oid,
    /// The function that computes it.
    pub function: Oid,
    pub restrict_selectivity: Oid,
    pub join_selectivity: Oid,
}

impl OperatorRow {
    pub(super) fn parse(fields: &mut Fields) -> Self {
        Self {
            oid: fields.oid(),
            name: fields.text(),
            schema: fields.oid(),
            owner: fields.oid(),
            kind: fields.character(),
            can_merge: fields.boolean(),
            can_hash: fields.boolean(),
            left: fields.oid(),
            right: fields.oid(),
            result: fields.oid(),
            commutator: fields.oid(),
            negator: fields.oid(),
            function: fields.oid(),
            restrict_selectivity: fields.oid(),
            join_selectivity: fields.oid(),
        }
    }
}

impl super::Fact for OperatorRow {
    fn oid(&self) -> Oid {
        self.oid
    }

    fn name(&self) -> &str {
        &self.name
    }
}
