//! One type as the catalog knows it: a built-in, one that a user created, or the row type of a relation; or the array over it.

use std::borrow::Cow;

use crate::facts::{self, TypeRow};
use crate::image::Catalog;
use crate::object::{Relation, RelationKind, UserType, UserTypeKind};
use crate::types::oid::{self, Oid};
use crate::types::type_info;

/// The part of `pg_type` that name resolution and type functions need.
#[derive(Debug, Clone, PartialEq)]
pub struct TypeEntry {
    pub oid: Oid,
    pub name: Cow<'static, str>,
    pub schema: Oid,
    /// b base, c composite, d domain, e enum, m multirange, p pseudo, r range.
    pub kind: char,
    pub category: char,
    pub preferred: bool,
    pub element: Oid,
    pub array: Oid,
    pub len: i16,
    pub collation: Oid,
    pub delimiter: char,
    /// Relation of a composite type, else 0.
    pub relation: Oid,
    /// Base type of a domain, else 0.
    pub base: Oid,
}

impl TypeEntry {
    pub(crate) fn builtin(oid: Oid) -> Option<Self> {
        facts::type_row(oid).map(Self::from_row)
    }

    pub(crate) fn builtin_named(name: &str) -> Option<Self> {
        facts::type_named(name).map(Self::from_row)
    }

    fn from_row(row: &TypeRow) -> Self {
        Self {
            oid: row.oid,
            name: row.name.clone(),
            schema: row.schema,
            kind: row.kind,
            category: row.category,
            preferred: row.preferred,
            element: row.element,
            array: row.array,
            len: row.len,
            collation: row.collation,
            delimiter: row.delimiter,
            relation: row.relation,
            base: row.base_type,
        }
    }

    /// An enum or domain, or the array over it, whichever `oid` is.
    pub(crate) fn of_user_type(ty: &UserType, oid: Oid, catalog: &Catalog) -> Self {
        let is_array = oid == ty.array_type;
        let base = ty.domain().and_then(|domain| catalog.type_entry(domain.base.oid));
        let entry = Self {
            oid,
            name: ty.name.clone().into(),
            schema: ty.schema,
            kind: ty.kind_code(),
            category: 'E',
            preferred: false,
            element: 0,
            array: ty.array_type,
            len: 4,
            collation: 0,
            delimiter: base.as_ref().map_or(',', |base| base.delimiter),
            relation: 0,
            base: 0,
        };
        if is_array {
            let name = array_type_name(&ty.name).into();
            let own = type_info(ty.oid).map_or(0, |info| info.collation);
            let collation = ty.domain().map_or(own, |domain| domain.collation);
            return Self { name, kind: 'b', category: 'A', element: ty.oid, array: 0, len: -1, collation, ..entry };
        }
        match &ty.kind {
            UserTypeKind::Enum(_) => entry,
            UserTypeKind::Base => match type_info(ty.oid) {
                Some(info) => Self { category: info.category, len: info.len, collation: info.collation, ..entry },
                None => entry,
            },
            UserTypeKind::Range(_) | UserTypeKind::Multirange(_) => Self { category: 'R', len: -1, ..entry },
            UserTypeKind::Domain(domain) => Self {
                category: base.as_ref().map_or('U', |base| base.category),
                len: base.as_ref().map_or(-1, |base| base.len),
                collation: domain.collation,
                base: domain.base.oid,
                ..entry
            },
        }
    }

    /// The row type of `relation` or the array over it, whichever `oid` is.
    pub(crate) fn of_relation(relation: &Relation, oid: Oid) -> Option<Self> {
        if oid == 0 || matches!(relation.kind, RelationKind::Index(_) | RelationKind::Sequence(_)) {
            return None;
        }
        let is_array = oid == relation.row_array_type;
        Some(Self {
            oid,
            name: if is_array { array_type_name(&relation.name).into() } else { relation.name.clone().into() },
            schema: relation.schema,
            kind: if is_array { 'b' } else { 'c' },
            category: if is_array { 'A' } else { 'C' },
            preferred: false,
            element: if is_array { relation.row_type } else { 0 },
            array: if is_array { 0 } else { relation.row_array_type },
            len: -1,
            collation: 0,
            delimiter: ',',
            relation: if is_array { 0 } else { relation.oid },
            base: 0,
        })
    }

    /// True for the true array types (`int4[]`), not for `point` and others that can be subscripted.
    pub fn is_array(&self) -> bool {
        self.category == 'A' && self.element != 0 && self.oid != oid::INT2VECTOR && self.oid != oid::OIDVECTOR
    }
}

/// `_name`, cut to the longest identifier.
pub(crate) fn array_type_name(name: &str) -> String {
    let mut array = format!("_{name}");
    let mut end = array.len().min(63);
    while !array.is_char_boundary(end) {
        end -= 1;
    }
    array.truncate(end);
    array
}
