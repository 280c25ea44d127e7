//! `pg_type`, the built-in types without row types.

use std::borrow::Cow;

use super::tsv::Fields;
use crate::types::oid::Oid;

#[derive(Debug, Clone, PartialEq)]
pub struct TypeRow {
    pub oid: Oid,
    pub name: Cow<'static, str>,
    pub schema: Oid,
    pub owner: Oid,
    pub len: i16,
    pub by_value: bool,
    /// b base, p pseudo, r range, m multirange, d domain, e enum, c composite.
    pub kind: char,
    pub category: char,
    pub preferred: bool,
    pub defined: bool,
    pub delimiter: char,
    pub relation: Oid,
    pub subscript: Oid,
    pub element: Oid,
    pub array: Oid,
    pub input: Oid,
    pub output: Oid,
    pub receive: Oid,
    pub send: Oid,
    pub modifier_in: Oid,
    pub modifier_out: Oid,
    pub analyze: Oid,
    pub align: char,
    pub storage: char,
    pub not_null: bool,
    pub base_type: Oid,
    pub typmod: i32,
    pub dimensions: i32,
    pub collation: Oid,
}

impl TypeRow {
    pub(super) fn parse(fields: &mut Fields) -> Self {
        Self {
            oid: fields.oid(),
            name: fields.text(),
            schema: fields.oid(),
            owner: fields.oid(),
            len: fields.parse(),
            by_value: fields.boolean(),
            kind: fields.character(),
            category: fields.character(),
            preferred: fields.boolean(),
            defined: fields.boolean(),
            delimiter: fields.character(),
            relation: fields.oid(),
            subscript: fields.oid(),
            element: fields.oid(),
            array: fields.oid(),
            input: fields.oid(),
            output: fields.oid(),
            receive: fields.oid(),
            send: fields.oid(),
            modifier_in: fields.oid(),
            modifier_out: fields.oid(),
            analyze: fields.oid(),
            align: fields.character(),
            storage: fields.character(),
            not_null: fields.boolean(),
            base_type: fields.oid(),
            typmod: fields.parse(),
            dimensions: fields.parse(),
            collation: fields.oid(),
        }
    }
}

impl super::Fact for TypeRow {
    fn oid(&self) -> Oid {
        self.oid
    }

    fn name(&self) -> &str {
        &self.name
    }
}
