//! What can not live without what.

use serde::{Deserialize, Serialize};

use crate::types::oid::Oid;

/// `pg_depend`: `dependent` can't live without `referenced`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Dependency {
    pub dependent: ObjectAddress,
    pub referenced: ObjectAddress,
    pub kind: DependencyKind,
}

/// (catalog relation OID, object OID, column number or 0), as in `pg_depend`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectAddress {
    pub class: Oid,
    pub object: Oid,
    pub sub: i32,
}

/// `pg_depend.deptype`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DependencyKind {
    Normal,
    Auto,
    Internal,
    /// Of what a partition has from its parent, on the parent's.
    PartitionPrimary,
    /// The same, on the partition.
    PartitionSecondary,
    /// A member of an extension.
    Extension,
}

impl ObjectAddress {
    pub const fn new(class: Oid, object: Oid) -> Self {
        Self { class, object, sub: 0 }
    }

    /// A column of a relation.
    pub const fn column(relation: Oid, attnum: i16) -> Self {
        Self { class: crate::fixed_oid::PG_CLASS, object: relation, sub: attnum as i32 }
    }
}

impl DependencyKind {
    /// `pg_depend.deptype`.
    pub fn code(self) -> char {
        match self {
            Self::Normal => 'n',
            Self::Auto => 'a',
            Self::Internal => 'i',
            Self::PartitionPrimary => 'P',
            Self::PartitionSecondary => 'S',
            Self::Extension => 'e',
        }
    }

    pub(crate) fn from_code(code: &str) -> Option<Self> {
        match code {
            "n" => Some(Self::Normal),
            "a" => Some(Self::Auto),
            "i" => Some(Self::Internal),
            "P" => Some(Self::PartitionPrimary),
            "S" => Some(Self::PartitionSecondary),
            "e" => Some(Self::Extension),
            _ => None,
        }
    }
}
