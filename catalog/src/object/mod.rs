//! Catalog objects: what `CREATE` makes. Each is one row of the system table of objects (`oid`, `class`, `database`,
//! `body`), and one value of this module in the in-memory [`crate::image`] of the catalog.
//!
//! SQL expressions inside objects (defaults, checks, view queries, index expressions) are kept as SQL text and are bound
//! when they are used.

use serde::{Deserialize, Serialize};

use crate::types::{Type, oid::Oid};

/// A schema of one database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    pub oid: Oid,
    pub name: String,
    pub owner: Oid,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Database {
    pub oid: Oid,
    pub name: String,
    pub owner: Oid,
    /// Settings given by ALTER DATABASE … SET.
    pub settings: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Role {
    pub oid: Oid,
    pub name: String,
    pub superuser: bool,
    pub login: bool,
    pub create_db: bool,
    pub create_role: bool,
    pub inherit: bool,
    pub replication: bool,
    pub bypass_rls: bool,
    pub connection_limit: i32,
    /// SCRAM verifier in PostgreSQL's form `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`.
    pub password: Option<String>,
    pub valid_until: Option<i64>,
    pub member_of: Vec<Oid>,
    pub settings: Vec<(String, String)>,
}

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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Identity {
    Always,
    ByDefault,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Table of the store that holds the rows; changes on TRUNCATE and rewrite (`relfilenode`).
    pub storage: u64,
    pub constraints: Vec<Constraint>,
    pub options: Vec<(String, String)>,
}

/// `pg_constraint`; not-null constraints are a flag of the column, as in PostgreSQL 15.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Constraint {
    pub oid: Oid,
    pub name: String,
    pub kind: ConstraintKind,
    pub deferrable: bool,
    pub initially_deferred: bool,
    pub validated: bool,
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

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// The defining query as SQL text, and the search path it was written under.
    pub query: String,
    pub search_path: Vec<String>,
    pub check_option: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Index {
    pub table: Oid,
    pub method: String,
    pub keys: Vec<IndexKey>,
    /// Attnums of INCLUDE columns.
    pub include: Vec<i16>,
    pub unique: bool,
    pub primary: bool,
    pub nulls_not_distinct: bool,
    pub predicate: Option<String>,
    /// Index of the store that enforces or serves it, if there is one.
    pub storage: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IndexKey {
    /// 0 for an expression.
    pub attnum: i16,
    pub expression: Option<String>,
    pub descending: bool,
    pub nulls_first: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sequence {
    pub ty: Oid,
    pub start: i64,
    pub increment: i64,
    pub min: i64,
    pub max: i64,
    pub cache: i64,
    pub cycle: bool,
    /// Owning table and attnum (`OWNED BY`, serial, identity).
    pub owned_by: Option<(Oid, i16)>,
}

/// `pg_description`: one comment. `sub` is the column number or 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comment {
    pub class: Oid,
    pub object: Oid,
    pub sub: i32,
    pub text: String,
}

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
}
