//! Table constraints.

use serde::{Deserialize, Serialize};

use crate::types::oid::Oid;

/// `pg_constraint`; not-null constraints are a flag of the column, as in PostgreSQL 15.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Constraint {
    pub oid: Oid,
    pub name: String,
    pub kind: ConstraintKind,
    pub deferrable: bool,
    pub initially_deferred: bool,
    pub validated: bool,
    /// CHECK that children do not inherit.
    #[serde(default)]
    pub no_inherit: bool,
    #[serde(default)]
    pub inheritance: Inheritance,
    /// The constraint of the parent that this one of a partition belongs to; 0 for none.
    #[serde(default)]
    pub parent: Oid,
}

/// Where a column or constraint comes from: `attislocal` and `attinhcount`, `conislocal` and `coninhcount`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inheritance {
    /// It is declared by the table itself.
    pub local: bool,
    /// Number of parents that have it.
    pub parents: i16,
}

impl Default for Inheritance {
    fn default() -> Self {
        Self { local: true, parents: 0 }
    }
}

impl Inheritance {
    /// From one parent alone.
    pub const INHERITED: Self = Self { local: false, parents: 1 };
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ConstraintKind {
    /// Index OID and key columns (attnums).
    PrimaryKey {
        index: Oid,
        columns: Vec<i16>,
    },
    Unique {
        index: Oid,
        columns: Vec<i16>,
        nulls_not_distinct: bool,
    },
    Check {
        expression: String,
        columns: Vec<i16>,
    },
    ForeignKey {
        columns: Vec<i16>,
        referenced: Oid,
        referenced_columns: Vec<i16>,
        /// Unique index of the referenced table that backs the key.
        referenced_index: Oid,
        on_update: ReferentialAction,
        on_delete: ReferentialAction,
        match_full: bool,
        /// The columns that ON DELETE SET NULL and SET DEFAULT set; empty for all.
        #[serde(default)]
        delete_columns: Vec<i16>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReferentialAction {
    NoAction,
    Restrict,
    Cascade,
    SetNull,
    SetDefault,
}

impl Constraint {
    /// A constraint that holds, checked at once; the catalog gives it its OID.
    pub fn new(name: impl Into<String>, kind: ConstraintKind) -> Self {
        Self {
            oid: 0,
            name: name.into(),
            kind,
            deferrable: false,
            initially_deferred: false,
            validated: true,
            no_inherit: false,
            inheritance: Inheritance::default(),
            parent: 0,
        }
    }

    /// `pg_constraint.contype`.
    pub fn kind_code(&self) -> char {
        match self.kind {
            ConstraintKind::PrimaryKey { .. } => 'p',
            ConstraintKind::Unique { .. } => 'u',
            ConstraintKind::Check { .. } => 'c',
            ConstraintKind::ForeignKey { .. } => 'f',
        }
    }

    /// The constrained columns (`conkey`).
    pub fn columns(&self) -> &[i16] {
        match &self.kind {
            ConstraintKind::PrimaryKey { columns, .. }
            | ConstraintKind::Unique { columns, .. }
            | ConstraintKind::Check { columns, .. }
            | ConstraintKind::ForeignKey { columns, .. } => columns,
        }
    }

    /// The index that enforces a key.
    pub fn key_index(&self) -> Option<Oid> {
        match self.kind {
            ConstraintKind::PrimaryKey { index, .. } | ConstraintKind::Unique { index, .. } => Some(index),
            ConstraintKind::ForeignKey { .. } | ConstraintKind::Check { .. } => None,
        }
    }

    /// The index that enforces a key, or the one a foreign key points at (`conindid`); 0 for none.
    pub fn index(&self) -> Oid {
        match self.kind {
            ConstraintKind::PrimaryKey { index, .. } | ConstraintKind::Unique { index, .. } => index,
            ConstraintKind::ForeignKey { referenced_index, .. } => referenced_index,
            ConstraintKind::Check { .. } => 0,
        }
    }
}

impl ReferentialAction {
    /// `pg_constraint.confupdtype` and `confdeltype`.
    pub fn code(self) -> char {
        match self {
            Self::NoAction => 'a',
            Self::Restrict => 'r',
            Self::Cascade => 'c',
            Self::SetNull => 'n',
            Self::SetDefault => 'd',
        }
    }
}
