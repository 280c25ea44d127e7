//! Access control lists: privileges as PostgreSQL keeps them (acl.h; manual, "Privileges").

use serde::{Deserialize, Serialize};

use crate::definition::quote_identifier;
use crate::image::Catalog;
use crate::types::oid::Oid;

/// A set of privileges, one bit each in the order of [`PRIVILEGES`].
pub type Rights = u32;

/// Letter and name of each privilege (`ACL_ALL_RIGHTS_STR`).
pub const PRIVILEGES: [(char, &str); 14] = [
    ('a', "INSERT"),
    ('r', "SELECT"),
    ('w', "UPDATE"),
    ('d', "DELETE"),
    ('D', "TRUNCATE"),
    ('x', "REFERENCES"),
    ('t', "TRIGGER"),
    ('X', "EXECUTE"),
    ('U', "USAGE"),
    ('C', "CREATE"),
    ('T', "TEMPORARY"),
    ('c', "CONNECT"),
    ('s', "SET"),
    ('A', "ALTER SYSTEM"),
];

/// Privileges that one role granted to another, or to all (`grantee` 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AclItem {
    pub grantee: Oid,
    pub grantor: Oid,
    pub rights: Rights,
    /// Those of them that the grantee may grant to others.
    pub grantable: Rights,
}

/// The kinds of objects that have privileges, by the letters of `acldefault`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AclKind {
    Column,
    Table,
    Sequence,
    Database,
    Function,
    Language,
    LargeObject,
    Schema,
    Parameter,
    Tablespace,
    ForeignDataWrapper,
    ForeignServer,
    Type,
}

impl AclKind {
    pub fn of_letter(letter: char) -> Option<Self> {
        Some(match letter {
            'c' => Self::Column,
            'r' => Self::Table,
            's' => Self::Sequence,
            'd' => Self::Database,
            'f' => Self::Function,
            'l' => Self::Language,
            'L' => Self::LargeObject,
            'n' => Self::Schema,
            'p' => Self::Parameter,
            't' => Self::Tablespace,
            'F' => Self::ForeignDataWrapper,
            'S' => Self::ForeignServer,
            'T' => Self::Type,
            _ => return None,
        })
    }

    /// All privileges there are on such an object.
    pub fn all(self) -> Rights {
        rights(match self {
            Self::Column => "arwx",
            Self::Table => "arwdDxt",
            Self::Sequence => "rwU",
            Self::Database => "CTc",
            Self::Function => "X",
            Self::Language | Self::ForeignDataWrapper | Self::ForeignServer | Self::Type => "U",
            Self::LargeObject => "rw",
            Self::Schema => "UC",
            Self::Parameter => "sA",
            Self::Tablespace => "C",
        })
    }

    /// What everyone may do with a new one.
    pub fn public(self) -> Rights {
        rights(match self {
            Self::Database => "Tc",
            Self::Function => "X",
            Self::Language | Self::Type => "U",
            _ => "",
        })
    }

    /// The list of a new object (`acldefault`).
    pub fn default_acl(self, owner: Oid) -> Vec<AclItem> {
        let public = AclItem { grantee: 0, grantor: owner, rights: self.public(), grantable: 0 };
        // Columns have nothing of their own.
        let all = if self == Self::Column { 0 } else { self.all() };
        let own = AclItem { grantee: owner, grantor: owner, rights: all, grantable: 0 };
        [public, own].into_iter().filter(|item| item.rights != 0).collect()
    }
}

/// The privileges of letters.
pub fn rights(letters: &str) -> Rights {
    letters
        .chars()
        .filter_map(|letter| PRIVILEGES.iter().position(|(known, _)| *known == letter))
        .fold(0, |all, bit| all | 1 << bit)
}

/// The privilege of that name, in upper case.
pub fn right(name: &str) -> Option<Rights> {
    let name = if name == "TEMP" { "TEMPORARY" } else { name };
    PRIVILEGES.iter().position(|(_, known)| *known == name).map(|bit| 1 << bit)
}

/// `grantee=rights/grantor`, as `aclitem` is shown.
pub fn show(item: &AclItem, catalog: &Catalog) -> String {
    let role = |oid: Oid| match catalog.role(oid) {
        Some(role) => quote_identifier(&role.name).into_owned(),
        None => oid.to_string(),
    };
    let mut text = if item.grantee == 0 { String::new() } else { role(item.grantee) };
    text.push('=');
    for (bit, (letter, _)) in PRIVILEGES.iter().enumerate() {
        if item.rights & 1 << bit != 0 {
            text.push(*letter);
            if item.grantable & 1 << bit != 0 {
                text.push('*');
            }
        }
    }
    text.push('/');
    text.push_str(&role(item.grantor));
    text
}

pub fn show_all(acl: &[AclItem], catalog: &Catalog) -> Vec<String> {
    acl.iter().map(|item| show(item, catalog)).collect()
}

/// Adds privileges; the grantee's item from this grantor, or a new one at the end.
pub fn grant(acl: &mut Vec<AclItem>, given: AclItem) {
    let same = |item: &&mut AclItem| item.grantee == given.grantee && item.grantor == given.grantor;
    match acl.iter_mut().find(same) {
        Some(item) => {
            item.rights |= given.rights;
            item.grantable |= given.grantable;
        }
        None => acl.push(given),
    }
}

/// Takes privileges away, and with them what was granted by them. False if something was and `cascade` does not allow it.
pub fn revoke(acl: &mut Vec<AclItem>, taken: AclItem, owner: Oid, cascade: bool) -> bool {
    let mut lost = 0;
    for item in acl.iter_mut().filter(|item| item.grantee == taken.grantee && item.grantor == taken.grantor) {
        lost |= item.grantable & taken.grantable;
        item.rights &= !taken.rights;
        item.grantable &= !taken.grantable;
    }
    acl.retain(|item| item.rights != 0);
    // The owner's options never end.
    if lost == 0 || taken.grantee == owner {
        return true;
    }
    let still = acl.iter().filter(|item| item.grantee == taken.grantee).fold(0, |all, item| all | item.grantable);
    let lost = lost & !still;
    let dependent: Vec<AclItem> =
        acl.iter().filter(|item| item.grantor == taken.grantee && item.rights & lost != 0).copied().collect();
    if !dependent.is_empty() && !cascade {
        return false;
    }
    for item in dependent {
        let taken = AclItem { rights: item.rights & lost, grantable: item.rights & lost, ..item };
        revoke(acl, taken, owner, true);
    }
    true
}

/// The privileges that a role has by a list, itself or through the roles it belongs to and inherits from (`aclmask`).
pub fn rights_of(acl: &[AclItem], role: Oid, owner: Oid, catalog: &Catalog) -> (Rights, Rights) {
    let owns = has_privileges_of(catalog, role, owner);
    let mut found: (Rights, Rights) = (0, if owns { Rights::MAX } else { 0 });
    for item in acl {
        if item.grantee == 0 || has_privileges_of(catalog, role, item.grantee) {
            found.0 |= item.rights;
            found.1 |= item.grantable;
        }
    }
    found
}

/// Every role that a role belongs to, itself first; with `inherited` only those whose privileges it has without SET ROLE.
pub fn roles_of(catalog: &Catalog, role: Oid, inherited: bool) -> Vec<Oid> {
    let mut seen = vec![role];
    let mut next = 0;
    while let Some(&current) = seen.get(next) {
        next += 1;
        let Some(entry) = catalog.role(current) else { continue };
        if inherited && !entry.inherit {
            continue;
        }
        for &parent in &entry.member_of {
            if !seen.contains(&parent) {
                seen.push(parent);
            }
        }
        // The owner of the database is a member of this one, always.
        let owner = catalog.database().map(|database| database.owner);
        let of_owner = crate::fixed_oid::PG_DATABASE_OWNER;
        if owner == Some(current) && !seen.contains(&of_owner) {
            seen.push(of_owner);
        }
    }
    seen
}

/// `has_privs_of_role`.
pub fn has_privileges_of(catalog: &Catalog, member: Oid, role: Oid) -> bool {
    member == role
        || catalog.role(member).is_some_and(|member| member.superuser)
        || roles_of(catalog, member, true).contains(&role)
}

/// `is_member_of_role`.
pub fn is_member_of(catalog: &Catalog, member: Oid, role: Oid) -> bool {
    member == role
        || catalog.role(member).is_some_and(|member| member.superuser)
        || roles_of(catalog, member, false).contains(&role)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revoking_an_option_takes_what_was_granted_by_it() {
        let select = rights("r");
        let mut acl = AclKind::Table.default_acl(10);
        grant(&mut acl, AclItem { grantee: 20, grantor: 10, rights: select, grantable: select });
        grant(&mut acl, AclItem { grantee: 30, grantor: 20, rights: select, grantable: 0 });
        let taken = AclItem { grantee: 20, grantor: 10, rights: select, grantable: select };
        assert!(!revoke(&mut acl.clone(), taken, 10, false));
        assert!(revoke(&mut acl, taken, 10, true));
        assert_eq!(acl, AclKind::Table.default_acl(10));
    }

    #[test]
    fn letters_are_rights() {
        assert_eq!(rights("ar"), 3);
        assert_eq!(right("TEMP"), right("TEMPORARY"));
        assert_eq!(right("NOTHING"), None);
    }
}
