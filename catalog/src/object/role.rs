//! Roles: users and groups, shared by all databases.

use serde::{Deserialize, Serialize};

use crate::types::oid::Oid;

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
    /// Those of `member_of` that it may grant to others (ADMIN OPTION).
    #[serde(default)]
    pub admin_of: Vec<Oid>,
    /// Who made it a member of which role; the bootstrap superuser unless said otherwise.
    #[serde(default)]
    pub granted_by: Vec<(Oid, Oid)>,
    /// Settings in one database alone (ALTER ROLE … IN DATABASE): database, name, value.
    #[serde(default)]
    pub database_settings: Vec<(Oid, String, String)>,
    pub settings: Vec<(String, String)>,
}

impl Role {
    /// What `CREATE ROLE name` makes.
    pub fn new(oid: Oid, name: impl Into<String>) -> Self {
        Self {
            oid,
            name: name.into(),
            superuser: false,
            login: false,
            create_db: false,
            create_role: false,
            inherit: true,
            replication: false,
            bypass_rls: false,
            connection_limit: -1,
            password: None,
            valid_until: None,
            member_of: Vec::new(),
            admin_of: Vec::new(),
            granted_by: Vec::new(),
            database_settings: Vec::new(),
            settings: Vec::new(),
        }
    }
}
