//! The first contents of a new data directory: what `initdb` of PostgreSQL 15 makes.

use std::sync::Arc;

use aegis_storage::Transaction;

use crate::fixed_oid::{
    BOOTSTRAP_SUPERUSER, PG_DATABASE, PG_DATABASE_OWNER, PG_NAMESPACE, POSTGRES_DATABASE, PUBLIC_SCHEMA,
    TEMPLATE0_DATABASE, TEMPLATE1_DATABASE,
};
use crate::object::{Database, Object, ObjectAddress, Role, Schema};
use crate::types::oid::Oid;
use crate::{Result, system_tables};

/// Predefined roles (PostgreSQL manual, "Predefined Roles").
const PREDEFINED_ROLES: &[(Oid, &str, &[Oid])] = &[
    (PG_DATABASE_OWNER, "pg_database_owner", &[]),
    (6181, "pg_read_all_data", &[]),
    (6182, "pg_write_all_data", &[]),
    (3373, "pg_monitor", &[3374, 3375, 3377]),
    (3374, "pg_read_all_settings", &[]),
    (3375, "pg_read_all_stats", &[]),
    (3377, "pg_stat_scan_tables", &[]),
    (4569, "pg_read_server_files", &[]),
    (4570, "pg_write_server_files", &[]),
    (4571, "pg_execute_server_program", &[]),
    (4200, "pg_signal_backend", &[]),
    (4544, "pg_checkpoint", &[]),
];

const DATABASES: &[(Oid, &str, &str)] = &[
    (POSTGRES_DATABASE, "postgres", "default administrative connection database"),
    (TEMPLATE1_DATABASE, "template1", "default template for new databases"),
    (TEMPLATE0_DATABASE, "template0", "unmodifiable empty database"),
];

pub(crate) fn write(transaction: &mut Transaction) -> Result<()> {
    let superuser = Role {
        superuser: true,
        login: true,
        create_db: true,
        create_role: true,
        replication: true,
        bypass_rls: true,
        ..Role::new(BOOTSTRAP_SUPERUSER, "postgres")
    };
    let predefined = PREDEFINED_ROLES
        .iter()
        .map(|&(oid, name, member_of)| Role { member_of: member_of.to_vec(), ..Role::new(oid, name) });
    for role in std::iter::once(superuser).chain(predefined) {
        system_tables::insert_object(transaction, 0, &Object::Role(Arc::new(role)))?;
    }
    for &(oid, name, comment) in DATABASES {
        let database = Database {
            is_template: oid != POSTGRES_DATABASE,
            allow_connections: oid != TEMPLATE0_DATABASE,
            ..Database::new(oid, name, BOOTSTRAP_SUPERUSER)
        };
        system_tables::insert_object(transaction, 0, &Object::Database(Arc::new(database)))?;
        system_tables::write_comment(transaction, 0, ObjectAddress::new(PG_DATABASE, oid), Some(comment))?;
        system_tables::insert_object(transaction, oid, &Object::Schema(Arc::new(public_schema())))?;
        let public = ObjectAddress::new(PG_NAMESPACE, PUBLIC_SCHEMA);
        system_tables::write_comment(transaction, oid, public, Some("standard public schema"))?;
    }
    Ok(())
}

fn public_schema() -> Schema {
    Schema { oid: PUBLIC_SCHEMA, name: "public".to_owned(), owner: PG_DATABASE_OWNER }
}
