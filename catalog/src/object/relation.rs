//! Relations: what has a name in a schema and columns or rows.

use serde::{Deserialize, Serialize};

use super::{
    Constraint, Index, Inheritance, Materialized, ObjectAddress, PartitionBound, Partitioning, Sequence, Table, View,
};
use crate::fixed_oid;
use crate::types::{Type, oid::Oid};

/// Anything that has a name in a schema and columns or rows: `pg_class`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Relation {
    pub oid: Oid,
    pub schema: Oid,
    pub name: String,
    pub owner: Oid,
    pub persistence: Persistence,
    /// Composite type of the row and its array type; 0 for indexes and sequences.
    pub row_type: Oid,
    pub row_array_type: Oid,
    /// In order of `attnum`, dropped columns included (they keep their number).
    pub columns: Vec<Column>,
    pub kind: RelationKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Persistence {
    Permanent,
    Unlogged,
    /// Lives in the session's temporary schema and never reaches the log.
    Temporary,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum RelationKind {
    Table(Table),
    View(View),
    Index(Index),
    Sequence(Sequence),
    /// A composite type: columns and no rows.
    Composite,
    /// A relation of `pg_catalog` that is computed from the catalog's image (`system`).
    System,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    /// One-based, never reused.
    pub attnum: i16,
    pub ty: Type,
    pub collation: Oid,
    pub not_null: bool,
    /// SQL text of the default or of the generation expression.
    pub default: Option<String>,
    pub generated: bool,
    pub identity: Option<Identity>,
    pub dropped: bool,
    /// OID of the row in `pg_attrdef`; 0 without a default. Assigned when the relation is written.
    #[serde(default)]
    pub default_oid: Oid,
    #[serde(default)]
    pub inheritance: Inheritance,
    #[serde(default)]
    pub hints: ColumnHints,
}

/// What is kept about a column's statistics and storage, and shown in `pg_attribute`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ColumnHints {
    /// `attstattarget`; None for the default.
    pub statistics: Option<i32>,
    /// `attstorage`; None for the type's.
    pub storage: Option<char>,
    /// `attcompression`; None for the default.
    pub compression: Option<char>,
    /// `attoptions`.
    pub options: Vec<(String, String)>,
}

impl ColumnHints {
    /// The options that a column may have (manual, "ALTER TABLE").
    pub const OPTIONS: [&str; 2] = ["n_distinct", "n_distinct_inherited"];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Identity {
    Always,
    ByDefault,
}

impl Relation {
    /// Columns that are there, in order of `attnum`.
    pub fn live_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| !column.dropped)
    }

    /// A column by number, dropped ones included.
    pub fn column(&self, attnum: i16) -> Option<&Column> {
        self.columns.iter().find(|column| column.attnum == attnum)
    }

    pub fn column_by_name(&self, name: &str) -> Option<&Column> {
        self.live_columns().find(|column| column.name == name)
    }

    pub fn table(&self) -> Option<&Table> {
        if let RelationKind::Table(table) = &self.kind { Some(table) } else { None }
    }

    pub fn index(&self) -> Option<&Index> {
        if let RelationKind::Index(index) = &self.kind { Some(index) } else { None }
    }

    pub fn view(&self) -> Option<&View> {
        if let RelationKind::View(view) = &self.kind { Some(view) } else { None }
    }

    /// What makes it a materialized view.
    pub fn materialized(&self) -> Option<&Materialized> {
        self.table().and_then(|table| table.materialized.as_ref())
    }

    /// What makes it a partitioned table.
    pub fn partitioning(&self) -> Option<&Partitioning> {
        self.table().and_then(|table| table.partitioning.as_ref())
    }

    /// What makes it a partition.
    pub fn partition_bound(&self) -> Option<&PartitionBound> {
        self.table().and_then(|table| table.bound.as_ref())
    }

    /// The tables that it inherits from, or whose partition it is.
    pub fn parents(&self) -> &[Oid] {
        self.table().map(|table| table.parents.as_slice()).unwrap_or_default()
    }

    /// The query of a view, materialized or not.
    pub fn query(&self) -> Option<&View> {
        self.view().or_else(|| self.materialized().map(|materialized| &materialized.view))
    }

    pub fn sequence(&self) -> Option<&Sequence> {
        if let RelationKind::Sequence(sequence) = &self.kind { Some(sequence) } else { None }
    }

    /// Is it a partition: of a table, or as an index of an index?
    pub fn is_partition(&self) -> bool {
        self.partition_bound().is_some() || self.index().is_some_and(|index| index.parent != 0)
    }

    /// What it inherits from, in order: tables, or the index that it is a part of.
    pub fn inherited_from(&self) -> impl Iterator<Item = Oid> + '_ {
        let index = self.index().map(|index| index.parent).filter(|&parent| parent != 0);
        self.parents().iter().copied().chain(index)
    }

    /// Constraints, if it is a table.
    pub fn constraints(&self) -> &[Constraint] {
        self.table().map(|table| table.constraints.as_slice()).unwrap_or_default()
    }

    pub fn is_temporary(&self) -> bool {
        self.persistence == Persistence::Temporary
    }

    pub fn address(&self) -> ObjectAddress {
        ObjectAddress { class: fixed_oid::PG_CLASS, object: self.oid, sub: 0 }
    }

    /// `pg_class.relkind`.
    pub fn kind_code(&self) -> char {
        match self.kind {
            RelationKind::Table(Table { materialized: Some(_), .. }) => 'm',
            RelationKind::Table(Table { partitioning: Some(_), .. }) => 'p',
            RelationKind::Table(_) | RelationKind::System => 'r',
            RelationKind::View(_) => 'v',
            RelationKind::Index(Index { partitioned: true, .. }) => 'I',
            RelationKind::Index(_) => 'i',
            RelationKind::Sequence(_) => 'S',
            RelationKind::Composite => 'c',
        }
    }

    /// What messages call it: table, view, index, sequence, composite type.
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            RelationKind::Table(Table { materialized: Some(_), .. }) => "materialized view",
            RelationKind::Table(_) | RelationKind::System => "table",
            RelationKind::View(_) => "view",
            RelationKind::Index(_) => "index",
            RelationKind::Sequence(_) => "sequence",
            RelationKind::Composite => "composite type",
        }
    }
}

impl Persistence {
    /// `pg_class.relpersistence`.
    pub fn code(self) -> char {
        match self {
            Self::Permanent => 'p',
            Self::Unlogged => 'u',
            Self::Temporary => 't',
        }
    }
}

impl Column {
    /// A nullable column without default.
    pub fn new(name: impl Into<String>, attnum: i16, ty: Type) -> Self {
        let collation = crate::facts::type_row(ty.oid).map(|row| row.collation).unwrap_or_default();
        Self {
            name: name.into(),
            attnum,
            ty,
            collation,
            not_null: false,
            default: None,
            generated: false,
            identity: None,
            dropped: false,
            default_oid: 0,
            inheritance: Inheritance::default(),
            hints: ColumnHints::default(),
        }
    }
}
