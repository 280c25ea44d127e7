//! Who may do what: ownership and privileges, asked in one place (PostgreSQL's aclchk.c).

use aegis_catalog::acl::{self, AclItem, AclKind, Rights};
use aegis_catalog::fixed_oid::{
    FIRST_NORMAL, INFORMATION_SCHEMA, PG_CATALOG_SCHEMA, PG_CLASS, PG_DATABASE, PG_NAMESPACE, PG_PROC, PG_TYPE,
    PUBLIC_SCHEMA,
};
use aegis_catalog::object::{ObjectAddress, Relation, RelationKind};
use aegis_catalog::{Catalog, Error, Oid, Result, sqlstate};

use crate::session::context::StatementContext;

/// An object with an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    pub address: ObjectAddress,
    pub kind: AclKind,
    pub owner: Oid,
    pub name: String,
    /// What messages call it.
    pub word: &'static str,
}

impl Owned {
    pub fn relation(relation: &Relation) -> Self {
        let kind = match relation.kind {
            RelationKind::Sequence(_) => AclKind::Sequence,
            _ => AclKind::Table,
        };
        Self {
            address: relation.address(),
            kind,
            owner: relation.owner,
            name: relation.name.clone(),
            word: relation.kind_name(),
        }
    }

    /// Any object by its address; None if it has no owner of its own.
    pub fn of(address: ObjectAddress, catalog: &Catalog) -> Option<Self> {
        let oid = address.object;
        Some(match address.class {
            PG_CLASS => Self::relation(catalog.relation(oid)?),
            PG_NAMESPACE => {
                let schema = catalog.schema(oid)?;
                Self { address, kind: AclKind::Schema, owner: schema.owner, name: schema.name.clone(), word: "schema" }
            }
            PG_DATABASE => {
                let database = catalog.database_by_oid(oid)?;
                let name = database.name.clone();
                Self { address, kind: AclKind::Database, owner: database.owner, name, word: "database" }
            }
            PG_PROC => {
                let row = catalog.proc(oid)?;
                let word = if row.kind == 'p' { "procedure" } else { "function" };
                Self { address, kind: AclKind::Function, owner: row.owner, name: row.name.to_string(), word }
            }
            PG_TYPE => {
                let entry = catalog.type_entry(oid)?;
                let owner = catalog.user_type(oid).map_or(aegis_catalog::fixed_oid::BOOTSTRAP_SUPERUSER, |ty| ty.owner);
                Self { address, kind: AclKind::Type, owner, name: entry.name.to_string(), word: "type" }
            }
            _ => return None,
        })
    }

    /// Its list, the default one if none is stored.
    pub fn acl(&self, catalog: &Catalog) -> Vec<AclItem> {
        let stored = catalog.privileges(self.address).and_then(|privileges| privileges.acl.clone());
        stored.unwrap_or_else(|| initial_acl(self, catalog))
    }

    /// Rights and grant options of a role.
    pub fn rights_of(&self, role: Oid, catalog: &Catalog) -> (Rights, Rights) {
        if is_superuser(catalog, role) {
            return (Rights::MAX, Rights::MAX);
        }
        let (mut rights, options) = acl::rights_of(&self.acl(catalog), role, self.owner, catalog);
        let belongs = |name: &str| {
            let predefined = catalog.role_by_name(name);
            predefined.is_some_and(|predefined| acl::has_privileges_of(catalog, role, predefined.oid))
        };
        if matches!(self.kind, AclKind::Table | AclKind::Sequence | AclKind::Schema) {
            let (read, write) = if self.kind == AclKind::Schema { ("U", "U") } else { ("r", "awd") };
            if belongs("pg_read_all_data") {
                rights |= acl::rights(read);
            }
            if belongs("pg_write_all_data") {
                rights |= acl::rights(write);
            }
        }
        (rights, options)
    }

    /// 42501 unless the role owns it.
    pub fn require_owner(&self, context: &StatementContext) -> Result<()> {
        if owns(&context.catalog, context.user_oid, self.owner) {
            return Ok(());
        }
        // A materialized view and an index are named as what they are.
        let message = format!("must be owner of {} {}", self.word, self.name);
        Err(Error::new(sqlstate::INSUFFICIENT_PRIVILEGE, message))
    }

    /// 42501 unless the user has one of these rights.
    pub fn require(&self, wanted: Rights, context: &StatementContext) -> Result<()> {
        self.require_for(context.user_oid, wanted, &context.catalog)
    }

    pub fn require_for(&self, role: Oid, wanted: Rights, catalog: &Catalog) -> Result<()> {
        if self.rights_of(role, catalog).0 & wanted != 0 { Ok(()) } else { Err(self.denied()) }
    }

    pub fn denied(&self) -> Error {
        let message = format!("permission denied for {} {}", self.word, self.name);
        Error::new(sqlstate::INSUFFICIENT_PRIVILEGE, message)
    }
}

/// What initdb and a new object's kind give.
fn initial_acl(object: &Owned, _: &Catalog) -> Vec<AclItem> {
    let mut acl = object.kind.default_acl(object.owner);
    let oid = object.address.object;
    let public = |rights| AclItem { grantee: 0, grantor: object.owner, rights, grantable: 0 };
    match object.address.class {
        PG_NAMESPACE if [PG_CATALOG_SCHEMA, INFORMATION_SCHEMA, PUBLIC_SCHEMA].contains(&oid) => {
            acl.push(public(acl::rights("U")));
        }
        PG_CLASS if oid < FIRST_NORMAL => acl.push(public(acl::rights("r"))),
        _ => {}
    }
    acl
}

pub fn is_superuser(catalog: &Catalog, role: Oid) -> bool {
    catalog.role(role).is_some_and(|role| role.superuser)
}

/// Is the role the owner, or does it have the owner's privileges?
pub fn owns(catalog: &Catalog, role: Oid, owner: Oid) -> bool {
    acl::has_privileges_of(catalog, role, owner)
}

/// 42501 unless the user owns the relation.
pub fn require_owner(relation: &Relation, context: &StatementContext) -> Result<()> {
    // Of an index, the table's owner is asked.
    Owned::relation(relation).require_owner(context)
}

/// 42501 unless the user may make objects in the schema.
pub fn require_create(schema: Oid, context: &StatementContext) -> Result<()> {
    match Owned::of(ObjectAddress::new(PG_NAMESPACE, schema), &context.catalog) {
        Some(schema) if !schema.name.starts_with("pg_temp") => schema.require(acl::rights("C"), context),
        _ => Ok(()),
    }
}

/// 42501 unless the user may look into the schema.
pub fn require_usage(schema: Oid, context: &StatementContext) -> Result<()> {
    match Owned::of(ObjectAddress::new(PG_NAMESPACE, schema), &context.catalog) {
        Some(schema) if !schema.name.starts_with("pg_temp") => schema.require(acl::rights("U"), context),
        _ => Ok(()),
    }
}
