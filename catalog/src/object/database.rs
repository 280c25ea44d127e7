//! Databases of the server.

use serde::{Deserialize, Serialize};

use crate::types::oid::Oid;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Database {
    pub oid: Oid,
    pub name: String,
    pub owner: Oid,
    /// Settings given by ALTER DATABASE … SET.
    pub settings: Vec<(String, String)>,
    #[serde(default)]
    pub is_template: bool,
    #[serde(default = "yes")]
    pub allow_connections: bool,
    /// -1 for no limit.
    #[serde(default = "unlimited")]
    pub connection_limit: i32,
}

fn yes() -> bool {
    true
}

fn unlimited() -> i32 {
    -1
}

impl Database {
    /// An ordinary database without settings of its own.
    pub fn new(oid: Oid, name: impl Into<String>, owner: Oid) -> Self {
        Self {
            oid,
            name: name.into(),
            owner,
            settings: Vec::new(),
            is_template: false,
            allow_connections: true,
            connection_limit: -1,
        }
    }
}
