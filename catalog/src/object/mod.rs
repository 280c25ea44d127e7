//! Catalog objects: what `CREATE` makes. Each is one row of the system table of objects (`oid`, `class`, `database`,
//! `body`), and one value of this module in the in-memory [`crate::image`] of the catalog.
//!
//! SQL expressions inside objects (defaults, checks, view queries, index expressions) are kept as SQL text and are bound
//! when they are used.

mod comment;
mod constraint;
mod database;
mod dependency;
mod descriptor;
mod index;
mod partition;
pub(crate) mod privilege;
mod relation;
mod role;
mod routine;
mod schema;
mod sequence;
mod structure;
mod table;
mod user_type;
mod view;
mod window;

use std::sync::Arc;

pub use comment::Comment;
pub use constraint::{Constraint, ConstraintKind, Inheritance, ReferentialAction};
pub use database::Database;
pub use dependency::{Dependency, DependencyKind, ObjectAddress};
pub use descriptor::{
    Collation, Descriptor, DescriptorKind, Extension, Statistics, TextSearchConfiguration, TextSearchDictionary,
};
pub use index::{Index, IndexKey};
pub use partition::{Limit, PartitionBound, PartitionKey, Partitioning, Strategy};
pub use privilege::{DefaultPrivileges, Privileges};
pub use relation::{Column, ColumnHints, Identity, Persistence, Relation, RelationKind};
pub use role::Role;
pub use routine::Routine;
pub use schema::Schema;
pub use sequence::Sequence;
pub use table::{Materialized, Table};
pub use user_type::{Domain, Enum, EnumLabel, LabelPlace, Range, UserType, UserTypeKind};
pub use view::View;
pub use window::{Window, Windows};

use crate::types::oid::Oid;
use crate::{Error, Result, fixed_oid};

/// Anything that is one row of the system table of objects.
#[derive(Debug, Clone, PartialEq)]
pub enum Object {
    Database(Arc<Database>),
    Role(Arc<Role>),
    Schema(Arc<Schema>),
    Relation(Arc<Relation>),
    Type(Arc<UserType>),
    Routine(Arc<Routine>),
    Descriptor(Arc<Descriptor>),
    Privileges(Arc<Privileges>),
    DefaultPrivileges(Arc<DefaultPrivileges>),
}

impl Object {
    /// The catalog that shows it: `pg_database`, `pg_authid`, `pg_namespace`, `pg_class`, `pg_type`, `pg_proc`.
    pub fn class(&self) -> Oid {
        match self {
            Self::Database(_) => fixed_oid::PG_DATABASE,
            Self::Role(_) => fixed_oid::PG_AUTHID,
            Self::Schema(_) => fixed_oid::PG_NAMESPACE,
            Self::Relation(_) => fixed_oid::PG_CLASS,
            Self::Type(_) => fixed_oid::PG_TYPE,
            Self::Routine(_) => fixed_oid::PG_PROC,
            Self::Descriptor(descriptor) => descriptor.class(),
            Self::Privileges(privileges) => privileges.class | privilege::PRIVILEGES_OF,
            Self::DefaultPrivileges(_) => fixed_oid::PG_DEFAULT_ACL,
        }
    }

    pub fn oid(&self) -> Oid {
        match self {
            Self::Database(database) => database.oid,
            Self::Role(role) => role.oid,
            Self::Schema(schema) => schema.oid,
            Self::Relation(relation) => relation.oid,
            Self::Type(ty) => ty.oid,
            Self::Routine(routine) => routine.row.oid,
            Self::Descriptor(descriptor) => descriptor.oid,
            Self::Privileges(privileges) => privileges.object,
            Self::DefaultPrivileges(default) => default.oid,
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Self::Database(database) => &database.name,
            Self::Role(role) => &role.name,
            Self::Schema(schema) => &schema.name,
            Self::Relation(relation) => &relation.name,
            Self::Type(ty) => &ty.name,
            Self::Routine(routine) => &routine.row.name,
            Self::Descriptor(descriptor) => &descriptor.name,
            Self::Privileges(_) | Self::DefaultPrivileges(_) => "",
        }
    }

    /// What must be unique in its schema, among the objects of its class.
    pub(crate) fn unique_name(&self) -> String {
        match self {
            Self::Routine(routine) => routine.signature(),
            Self::Privileges(privileges) => privileges.object.to_string(),
            Self::DefaultPrivileges(default) => format!("{} {} {}", default.role, default.schema, default.kind),
            other => other.name().to_owned(),
        }
    }

    /// Schema whose names it must not repeat; 0 if its name is unique in the database or the server.
    pub fn schema(&self) -> Oid {
        match self {
            Self::Relation(relation) => relation.schema,
            Self::Type(ty) => ty.schema,
            Self::Routine(routine) => routine.row.schema,
            Self::Descriptor(descriptor) => descriptor.name_space(),
            Self::Database(_) | Self::Role(_) | Self::Schema(_) | Self::Privileges(_) | Self::DefaultPrivileges(_) => 0,
        }
    }

    /// True for what all databases share.
    pub fn is_shared(&self) -> bool {
        match self {
            Self::Privileges(privileges) => privileges.class == fixed_oid::PG_DATABASE,
            object => matches!(object, Self::Database(_) | Self::Role(_)),
        }
    }

    pub fn address(&self) -> ObjectAddress {
        ObjectAddress::new(self.class(), self.oid())
    }

    /// The row's `body`.
    pub(crate) fn to_body(&self) -> Result<String> {
        let body = match self {
            Self::Database(database) => serde_json::to_string(&**database),
            Self::Role(role) => serde_json::to_string(&**role),
            Self::Schema(schema) => serde_json::to_string(&**schema),
            Self::Relation(relation) => serde_json::to_string(&**relation),
            Self::Type(ty) => serde_json::to_string(&**ty),
            Self::Routine(routine) => serde_json::to_string(&**routine),
            Self::Descriptor(descriptor) => serde_json::to_string(&**descriptor),
            Self::Privileges(privileges) => serde_json::to_string(&**privileges),
            Self::DefaultPrivileges(default) => serde_json::to_string(&**default),
        };
        body.map_err(|error| Error::internal(format!("catalog object does not serialize: {error}")))
    }

    /// Reads a row of class `class` back.
    pub(crate) fn from_body(class: Oid, body: &str) -> Result<Self> {
        let object = match class {
            fixed_oid::PG_DATABASE => serde_json::from_str(body).map(|database| Self::Database(Arc::new(database))),
            fixed_oid::PG_AUTHID => serde_json::from_str(body).map(|role| Self::Role(Arc::new(role))),
            fixed_oid::PG_NAMESPACE => serde_json::from_str(body).map(|schema| Self::Schema(Arc::new(schema))),
            fixed_oid::PG_CLASS => serde_json::from_str(body).map(|relation| Self::Relation(Arc::new(relation))),
            fixed_oid::PG_TYPE => serde_json::from_str(body).map(|ty| Self::Type(Arc::new(ty))),
            fixed_oid::PG_PROC => serde_json::from_str(body).map(|routine| Self::Routine(Arc::new(routine))),
            fixed_oid::PG_COLLATION
            | fixed_oid::PG_EXTENSION
            | fixed_oid::PG_STATISTIC_EXT
            | fixed_oid::PG_TS_CONFIG
            | fixed_oid::PG_TS_DICT => {
                serde_json::from_str(body).map(|descriptor| Self::Descriptor(Arc::new(descriptor)))
            }
            fixed_oid::PG_DEFAULT_ACL => {
                serde_json::from_str(body).map(|default| Self::DefaultPrivileges(Arc::new(default)))
            }
            class if class & privilege::PRIVILEGES_OF != 0 => {
                serde_json::from_str(body).map(|privileges| Self::Privileges(Arc::new(privileges)))
            }
            class => return Err(Error::internal(format!("unknown class {class} of a catalog object"))),
        };
        object.map_err(|error| Error::internal(format!("damaged catalog object of class {class}: {error}")))
    }
}
