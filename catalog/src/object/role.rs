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
            settings: Vec::new(),
        }
    }
}
