//! Roles and privileges (manual 5.7, 22).

use aegis_catalog::{Error, Result, sqlstate};
use squawk_parser::SyntaxKind as K;

use super::Lower;
use super::transaction::words;
use crate::parse::ast::*;
use crate::parse::tree::Node;
use crate::parse::utility::*;

/// Options that are on by their name and off with NO before it.
const FLAGS: [&str; 7] = ["superuser", "createdb", "createrole", "inherit", "login", "replication", "bypassrls"];

/// What GRANT … ON names: the node, its names in the library's tree, the kind of object.
const PRIVILEGE_OBJECTS: &[(K, K, ObjectKind)] = &[
    (K::PRIVILEGE_DEFAULT, K::RELATION_NAME_REF, ObjectKind::Table),
    (K::PRIVILEGE_TABLE, K::RELATION_NAME_REF, ObjectKind::Table),
    (K::PRIVILEGE_SEQUENCE, K::SEQUENCE_REF, ObjectKind::Sequence),
    (K::PRIVILEGE_DATABASE, K::DATABASE_REF, ObjectKind::Database),
    (K::PRIVILEGE_SCHEMA, K::SCHEMA_REF, ObjectKind::Schema),
    (K::PRIVILEGE_TYPE, K::TYPE_NAME_REF, ObjectKind::Type),
    (K::PRIVILEGE_DOMAIN, K::DOMAIN_REF, ObjectKind::Domain),
    (K::PRIVILEGE_LARGE_OBJECT, K::LITERAL, ObjectKind::Other("LARGE OBJECT")),
    (K::PRIVILEGE_LANGUAGE, K::LANGUAGE_REF, ObjectKind::Other("LANGUAGE")),
    (K::PRIVILEGE_TABLESPACE, K::TABLESPACE_REF, ObjectKind::Other("TABLESPACE")),
    (K::PRIVILEGE_FOREIGN_SERVER, K::SERVER_REF, ObjectKind::Other("FOREIGN SERVER")),
    (K::PRIVILEGE_FOREIGN_DATA_WRAPPER, K::FOREIGN_DATA_WRAPPER_REF, ObjectKind::Other("FOREIGN DATA WRAPPER")),
    (K::PRIVILEGE_PARAMETER, K::CONFIG_PARAMETER_REF, ObjectKind::Other("PARAMETER")),
    (K::PRIVILEGE_ALL_TABLES_IN_SCHEMA, K::SCHEMA_REF, ObjectKind::Other("ALL TABLES IN SCHEMA")),
    (K::PRIVILEGE_ALL_SEQUENCES_IN_SCHEMA, K::SCHEMA_REF, ObjectKind::Other("ALL SEQUENCES IN SCHEMA")),
    (K::PRIVILEGE_ALL_FUNCTIONS_IN_SCHEMA, K::SCHEMA_REF, ObjectKind::Other("ALL FUNCTIONS IN SCHEMA")),
    (K::PRIVILEGE_ALL_PROCEDURES_IN_SCHEMA, K::SCHEMA_REF, ObjectKind::Other("ALL PROCEDURES IN SCHEMA")),
    (K::PRIVILEGE_ALL_ROUTINES_IN_SCHEMA, K::SCHEMA_REF, ObjectKind::Other("ALL ROUTINES IN SCHEMA")),
    (K::FUNCTION_SIG_LIST, K::FUNCTION_SIG, ObjectKind::Function),
    (K::PROCEDURE_SIG_LIST, K::PROCEDURE_SIG, ObjectKind::Procedure),
    (K::ROUTINE_SIG_LIST, K::ROUTINE_SIG, ObjectKind::Other("ROUTINE")),
];

impl Lower<'_> {
    pub fn role_statement(&self, node: Node<'_>) -> Result<Option<Utility>> {
        Ok(Some(match node.kind() {
            K::CREATE_ROLE | K::CREATE_USER | K::CREATE_GROUP => Utility::CreateRole {
                name: self.role(self.need(node.child(K::ROLE), node)?)?,
                options: self.role_options(node)?,
                is_user: node.is(K::CREATE_USER),
                is_group: node.is(K::CREATE_GROUP),
            },
            K::ALTER_ROLE | K::ALTER_USER => self.alter_role(node)?,
            K::ALTER_GROUP => self.alter_group(node)?,
            K::GRANT | K::REVOKE => {
                let objects = match node.child(K::ON_PRIVILEGE_OBJECTS_CLAUSE) {
                    Some(clause) => Some(self.privilege_objects(self.need(clause.nodes().next(), clause)?)?),
                    None => None,
                };
                Utility::Grant(Box::new(self.grant(node, node.is(K::REVOKE), objects)?))
            }
            K::ALTER_DEFAULT_PRIVILEGES => self.default_privileges(node)?,
            K::REASSIGN => {
                let mut lists = node.children_of(K::ROLE_REF_LIST);
                let from = self.roles(self.need(lists.next(), node)?)?;
                let mut to = self.roles(self.need(lists.next(), node)?)?;
                match (to.pop(), to.first()) {
                    (Some(to), None) => Utility::ReassignOwned { from, to },
                    (_, Some(first)) => return Err(self.syntax_error(self.base() + first.span.end)),
                    _ => return Err(self.missing_in(node)),
                }
            }
            K::DROP_OWNED => Utility::DropOwned {
                roles: self.roles(self.need(node.child(K::ROLE_REF_LIST), node)?)?,
                cascade: node.has(K::CASCADE),
            },
            _ => return Ok(None),
        }))
    }

    fn role_options(&self, node: Node<'_>) -> Result<Vec<RoleOption>> {
        let Some(list) = node.child(K::ROLE_OPTION_LIST) else { return Ok(Vec::new()) };
        list.nodes().filter_map(|option| self.role_option(option).transpose()).collect()
    }

    fn role_option(&self, node: Node<'_>) -> Result<Option<RoleOption>> {
        let members = |node: Node<'_>| self.roles(self.need(node.child(K::ROLE_REF_LIST), node)?);
        Ok(Some(match node.kind() {
            K::ROLE_OPTION_GENERIC => {
                let option = self.ident(node)?;
                let (name, on) = match option.name.strip_prefix("no") {
                    Some(name) if FLAGS.contains(&name) => (name, false),
                    _ => (option.name.as_str(), true),
                };
                if !FLAGS.contains(&name) {
                    let message = format!("unrecognized role option \"{name}\"");
                    return Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(option.span.start));
                }
                RoleOption::Flag { name: name.into(), on }
            }
            K::ROLE_OPTION_INHERIT => RoleOption::Flag { name: "inherit".into(), on: true },
            K::ROLE_OPTION_PASSWORD | K::ROLE_OPTION_ENCRYPTED_PASSWORD => match node.child(K::LITERAL) {
                Some(password) => RoleOption::Password(Some(self.string(password)?)),
                None if node.has(K::NULL_KW) => RoleOption::Password(None),
                None => return Err(self.missing_in(node)),
            },
            K::ROLE_OPTION_CONNECTION_LIMIT => {
                let limit = self.need(node.nodes().next(), node)?;
                let limit_value = i32::try_from(self.signed_integer(limit)?);
                RoleOption::ConnectionLimit(limit_value.map_err(|_| self.syntax_error(limit.start()))?)
            }
            K::ROLE_OPTION_VALID_UNTIL => {
                RoleOption::ValidUntil(self.string(self.need(node.child(K::LITERAL), node)?)?)
            }
            K::ROLE_OPTION_IN_ROLE | K::ROLE_OPTION_IN_GROUP => RoleOption::InRole(members(node)?),
            K::ROLE_OPTION_ROLE | K::ROLE_OPTION_USER => RoleOption::Members(members(node)?),
            K::ROLE_OPTION_ADMIN => RoleOption::AdminMembers(members(node)?),
            // PostgreSQL takes and ignores it.
            K::ROLE_OPTION_SYSID => return Ok(None),
            _ => return Err(self.syntax_error(node.start())),
        }))
    }

    fn alter_role(&self, node: Node<'_>) -> Result<Utility> {
        let name = match node.child_in(&[K::ROLE_REF, K::ALL_KW]) {
            Some(all) if all.is(K::ALL_KW) => Ident { name: "all".into(), span: self.span(all) },
            Some(role) => self.role(role)?,
            None => return Err(self.missing_in(node)),
        };
        let database = match node.child(K::IN_DATABASE) {
            Some(clause) => Some(self.ident(self.need(clause.child(K::DATABASE_REF), clause)?)?),
            None => None,
        };
        let action = if let Some(set) = node.child(K::SET_CONFIG_PARAM) {
            let (name, value) = self.config_assignment(set)?;
            AlterRole::Set { database, name, value }
        } else if let Some(reset) = node.child(K::RESET_CONFIG_PARAM) {
            AlterRole::Reset { database, name: self.reset_target(reset)? }
        } else if database.is_some() || node.has(K::ALL_KW) {
            return Err(self.missing_in(node));
        } else {
            AlterRole::Options(self.role_options(node)?)
        };
        Ok(Utility::AlterRole { name, action })
    }

    /// `ALTER GROUP g ADD USER u` is `GRANT g TO u`.
    fn alter_group(&self, node: Node<'_>) -> Result<Utility> {
        let group = self.role(self.need(node.child(K::ROLE_REF), node)?)?;
        let change = self.need(node.child_in(&[K::ADD_USERS, K::DROP_USERS]), node)?;
        let grantees = self.roles(change)?;
        if grantees.is_empty() {
            return Err(self.missing_in(node));
        }
        Ok(Utility::Grant(Box::new(Grant {
            revoke: change.is(K::DROP_USERS),
            alters_group: true,
            privileges: Vec::new(),
            objects: None,
            roles: vec![group],
            grantees,
            grant_option: false,
            cascade: false,
        })))
    }

    fn default_privileges(&self, node: Node<'_>) -> Result<Utility> {
        let roles = match node.child(K::FOR_ROLES).and_then(|clause| clause.child(K::ROLE_REF_LIST)) {
            Some(list) => self.roles(list)?,
            None => Vec::new(),
        };
        let mut schemas = Vec::new();
        if let Some(clause) = node.child(K::IN_SCHEMAS) {
            for schema in clause.descendants().filter(|part| part.is(K::SCHEMA_REF)) {
                schemas.push(self.ident(schema)?);
            }
        }
        let action = node.child_in(&[K::GRANT_DEFAULT_PRIVILEGES, K::REVOKE_DEFAULT_PRIVILEGES]);
        let action = self.need(action, node)?;
        let mut after =
            action.nodes().skip_while(|part| !matches!(part.kind(), K::ALL_PRIVILEGES | K::REVOKE_COMMAND_LIST));
        let objects = self.need(after.nth(1), action)?;
        let objects = words(objects).to_ascii_lowercase();
        let grant = self.grant(action, action.is(K::REVOKE_DEFAULT_PRIVILEGES), Some(Vec::new()))?;
        Ok(Utility::AlterDefaultPrivileges(Box::new(DefaultGrant { roles, schemas, objects, grant })))
    }

    fn grant(&self, node: Node<'_>, revoke: bool, objects: Option<Vec<ObjectName>>) -> Result<Grant> {
        let grantees = self.roles(self.need(node.child(K::ROLE_REF_LIST), node)?)?;
        let what = self.need(node.child_in(&[K::ALL_PRIVILEGES, K::REVOKE_COMMAND_LIST]), node)?;
        let (mut privileges, mut roles) = (Vec::new(), Vec::new());
        for command in what.children_of(K::REVOKE_COMMAND) {
            let columns = self.column_list(command.child(K::COLUMN_REF_LIST))?;
            let name = command.children().filter(|part| !part.is(K::COLUMN_REF_LIST));
            match objects {
                Some(_) => {
                    let name = name.map(words).collect::<Vec<_>>().join(" ").to_ascii_lowercase();
                    privileges.push((name, columns));
                }
                None if columns.is_empty() => roles.push(self.role(command)?),
                None => return Err(self.missing_in(node)),
            }
        }
        if what.is(K::ALL_PRIVILEGES) {
            let columns = self.column_list(what.child(K::COLUMN_REF_LIST))?;
            if objects.is_none() {
                return Err(self.syntax_error(what.end()));
            }
            if !columns.is_empty() {
                privileges.push(("all".into(), columns));
            }
        } else if privileges.is_empty() && roles.is_empty() {
            return Err(self.missing_in(what));
        }
        let option = match revoke {
            true => node.has(K::GRANT_OPTION_FOR) || node.has(K::ADMIN_OPTION_FOR),
            false => self.grant_option(node)?,
        };
        Ok(Grant {
            alters_group: false,
            revoke,
            privileges,
            objects,
            roles,
            grantees,
            grant_option: option,
            cascade: node.has(K::CASCADE),
        })
    }

    /// WITH GRANT OPTION, WITH ADMIN OPTION.
    fn grant_option(&self, node: Node<'_>) -> Result<bool> {
        let Some(clause) = node.child(K::GRANT_WITH_CLAUSE) else { return Ok(false) };
        if clause.has(K::GRANT_OPTION) {
            return Ok(true);
        }
        match words(clause).as_str() {
            "WITH ADMIN OPTION" | "WITH ADMIN TRUE" => Ok(true),
            "WITH ADMIN FALSE" => Ok(false),
            other => Err(Error::unsupported(format!("GRANT {other}")).at(self.position(clause))),
        }
    }

    fn privilege_objects(&self, node: Node<'_>) -> Result<Vec<ObjectName>> {
        let list = node.child_in(&[K::FUNCTION_SIG_LIST, K::PROCEDURE_SIG_LIST, K::ROUTINE_SIG_LIST]).unwrap_or(node);
        let Some((_, name, kind)) = PRIVILEGE_OBJECTS.iter().find(|(objects, ..)| list.is(*objects)) else {
            let object = node.tokens().map(words).collect::<Vec<_>>().join(" ");
            return Err(Error::unsupported(format!("privileges on {object}")).at(self.position(node)));
        };
        let objects = list.children_of(*name).map(|name| self.object_name(name, *kind)).collect::<Result<Vec<_>>>()?;
        if objects.is_empty() { Err(self.missing_in(node)) } else { Ok(objects) }
    }
}
