//! Privileges: what GRANT, REVOKE and ALTER DEFAULT PRIVILEGES record.

use serde::{Deserialize, Serialize};

use super::ObjectAddress;
use crate::acl::AclItem;
use crate::types::oid::Oid;

/// The access privileges of one object and its columns, where they differ from the default of its kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Privileges {
    pub class: Oid,
    pub object: Oid,
    /// None for the default.
    pub acl: Option<Vec<AclItem>>,
    /// By column number.
    pub columns: Vec<(i16, Vec<AclItem>)>,
}

/// `pg_default_acl`: what objects that a role makes get.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DefaultPrivileges {
    pub oid: Oid,
    pub role: Oid,
    /// 0 for all schemas.
    pub schema: Oid,
    /// r, S, f, T or n.
    pub kind: char,
    pub acl: Vec<AclItem>,
}

/// Rows of the system table of objects need a class of their own: the class of what the privileges are on, and this bit.
pub(crate) const PRIVILEGES_OF: Oid = 1 << 30;

impl Privileges {
    pub fn new(on: ObjectAddress) -> Self {
        Self { class: on.class, object: on.object, acl: None, columns: Vec::new() }
    }

    pub fn column(&self, attnum: i16) -> Option<&[AclItem]> {
        self.columns.iter().find(|(other, _)| *other == attnum).map(|(_, acl)| acl.as_slice())
    }

    pub fn is_default(&self) -> bool {
        self.acl.is_none() && self.columns.is_empty()
    }
}
