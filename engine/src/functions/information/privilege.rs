//! `has_*_privilege`, `acldefault`, `aclexplode`.
//!
//! Answers from the lists that GRANT and REVOKE write (`crate::privilege`).

use aegis_catalog::acl::{self, AclItem, AclKind};
use aegis_catalog::object::ObjectAddress;
use aegis_catalog::types::{object_id, oid};
use aegis_catalog::{Error, Oid, Result, fixed_oid, sqlstate};

use super::role::{is_member, is_superuser, named};
use crate::functions::array::List;
use crate::functions::kernel::kernel;
use crate::functions::signature::{Row, f};
use crate::functions::{Body, Call};
use crate::privilege::Owned;

/// One kind of object that has privileges.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    privileges: &'static [&'static str],
    /// Privileges of everyone.
    public: &'static [&'static str],
    /// OID of an object by name.
    find: fn(&Call<'_>, &str) -> Result<Oid>,
    /// The owner, and whether it belongs to the system; None if there is no such object.
    owner: fn(&Call<'_>, Oid) -> Option<(Oid, bool)>,
}

const KINDS: &[Kind] = &[
    Kind {
        name: "table",
        privileges: &["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "RULE"],
        public: &[],
        find: relation_named,
        owner: relation_owner,
    },
    Kind {
        name: "sequence",
        privileges: &["USAGE", "SELECT", "UPDATE"],
        public: &[],
        find: relation_named,
        owner: relation_owner,
    },
    Kind {
        name: "any_column",
        privileges: &["SELECT", "INSERT", "UPDATE", "REFERENCES"],
        public: &[],
        find: relation_named,
        owner: relation_owner,
    },
    Kind {
        name: "database",
        privileges: &["CREATE", "TEMPORARY", "TEMP", "CONNECT"],
        public: &["TEMPORARY", "TEMP", "CONNECT"],
        find: |call, name| {
            let found = call.context.catalog.database_by_name(name).map(|database| database.oid);
            found.ok_or_else(|| {
                Error::new(sqlstate::INVALID_CATALOG_NAME, format!("database \"{name}\" does not exist"))
            })
        },
        owner: |call, oid| call.context.catalog.database_by_oid(oid).map(|database| (database.owner, false)),
    },
    Kind {
        name: "schema",
        privileges: &["CREATE", "USAGE"],
        public: &[],
        find: |call, name| {
            let found = call.context.catalog.schema_by_name(name).map(|schema| schema.oid);
            found.ok_or_else(|| Error::new(sqlstate::INVALID_SCHEMA_NAME, format!("schema \"{name}\" does not exist")))
        },
        owner: |call, oid| {
            let schema = call.context.catalog.schema(oid)?;
            // USAGE of these is granted to everyone in a new database.
            Some((schema.owner, oid < fixed_oid::FIRST_NORMAL))
        },
    },
    Kind {
        name: "function",
        privileges: &["EXECUTE"],
        public: &["EXECUTE"],
        find: |call, name| object_id::parse_reg(oid::REGPROCEDURE, name, &call.context.format.names),
        owner: |call, oid| call.context.catalog.proc(oid).map(|proc| (proc.owner, true)),
    },
    Kind {
        name: "type",
        privileges: &["USAGE"],
        public: &["USAGE"],
        find: |call, name| object_id::parse_reg(oid::REGTYPE, name, &call.context.format.names),
        owner: |call, oid| call.context.catalog.type_entry(oid).map(|_| (fixed_oid::BOOTSTRAP_SUPERUSER, true)),
    },
    Kind {
        name: "language",
        privileges: &["USAGE"],
        public: &["USAGE"],
        find: |_, name| {
            let found = aegis_catalog::facts::language_named(name);
            let missing = || Error::new(sqlstate::UNDEFINED_OBJECT, format!("language \"{name}\" does not exist"));
            found.ok_or_else(missing)
        },
        owner: |_, oid| aegis_catalog::facts::language_name(oid).map(|_| (fixed_oid::BOOTSTRAP_SUPERUSER, true)),
    },
    Kind {
        name: "tablespace",
        privileges: &["CREATE"],
        public: &[],
        find: |_, name| match name {
            "pg_default" => Ok(fixed_oid::DEFAULT_TABLESPACE),
            "pg_global" => Ok(fixed_oid::GLOBAL_TABLESPACE),
            name => Err(Error::new(sqlstate::UNDEFINED_OBJECT, format!("tablespace \"{name}\" does not exist"))),
        },
        owner: |_, oid| {
            let known = [fixed_oid::DEFAULT_TABLESPACE, fixed_oid::GLOBAL_TABLESPACE].contains(&oid);
            known.then_some((fixed_oid::BOOTSTRAP_SUPERUSER, false))
        },
    },
    Kind {
        name: "foreign_data_wrapper",
        privileges: &["USAGE"],
        public: &[],
        find: |_, name| absent("foreign-data wrapper", name),
        owner: |_, _| None,
    },
    Kind {
        name: "server",
        privileges: &["USAGE"],
        public: &[],
        find: |_, name| absent("server", name),
        owner: |_, _| None,
    },
];

/// A kind of object of which there are none.
fn absent(kind: &str, name: &str) -> Result<Oid> {
    Err(Error::new(sqlstate::UNDEFINED_OBJECT, format!("{kind} \"{name}\" does not exist")))
}

fn relation_named(call: &Call<'_>, name: &str) -> Result<Oid> {
    object_id::parse_reg(oid::REGCLASS, name, &call.context.format.names)
}

fn relation_owner(call: &Call<'_>, oid: Oid) -> Option<(Oid, bool)> {
    call.context.catalog.relation(oid).map(|relation| (relation.owner, oid < fixed_oid::FIRST_NORMAL))
}

pub fn functions() -> Vec<Row> {
    let mut rows = Vec::new();
    for kind in KINDS {
        for (user, object) in
            [("name, ", "text"), ("name, ", "oid"), ("oid, ", "text"), ("oid, ", "oid"), ("", "text"), ("", "oid")]
        {
            rows.push(f(format!("has_{}_privilege({user}{object}, text)", kind.name), body(*kind, user, object)));
        }
    }
    rows.extend(columns());
    rows.extend([
        f(
            "has_parameter_privilege(text, text)",
            kernel!(|call; _parameter: &str, privileges: &str| on_parameter(call, call.context.user_oid, privileges)),
        ),
        f(
            "has_parameter_privilege(name, text, text)",
            kernel!(|call; user: &str, _parameter: &str, privileges: &str| {
                on_parameter(call, if user == "public" { 0 } else { named(call, user)? }, privileges)
            }),
        ),
        f(
            "has_parameter_privilege(oid, text, text)",
            kernel!(|call; user: u32, _parameter: &str, privileges: &str| on_parameter(call, user, privileges)),
        ),
    ]);
    rows.push(f(
        "makeaclitem(oid, oid, text, bool)",
        kernel!(|call; grantee: u32, grantor: u32, privileges: &str, grantable: bool| {
            let mut rights = 0;
            for name in privileges.split(',') {
                rights |= acl::right(&name.trim().to_ascii_uppercase()).ok_or_else(|| unrecognized(name))?;
            }
            let grantable = if grantable { rights } else { 0 };
            Ok::<_, Error>(acl::show(&AclItem { grantee, grantor, rights, grantable }, &call.context.catalog))
        }),
    ));
    rows.push(f(
        "acldefault(char, oid)",
        kernel!(|call; kind: &str, owner: u32| Ok::<_, Error>(List::from_iter(default_acl(call, kind, owner)?))),
    ));
    rows
}

fn body(kind: Kind, user: &str, object: &str) -> Body {
    let user = match user {
        "" => User::Current,
        "oid, " => User::Oid,
        _ => User::Name,
    };
    let by_name = object == "text";
    Body::Scalar(std::sync::Arc::new(move |call, args| {
        let inputs = crate::functions::kernel::Inputs::new(args)?;
        let shift = usize::from(user != User::Current);
        let user_name = (user == User::Name).then(|| inputs.reader::<&str>(0)).transpose()?;
        let user_oid = (user == User::Oid).then(|| inputs.reader::<u32>(0)).transpose()?;
        let object_name = by_name.then(|| inputs.reader::<&str>(shift)).transpose()?;
        let object_oid = (!by_name).then(|| inputs.reader::<u32>(shift)).transpose()?;
        let privilege = inputs.reader::<&str>(shift + 1)?;
        inputs.run(
            call.rows,
            false,
            |row| {
                user_name.as_ref().is_some_and(|reader| reader.skips(row))
                    || user_oid.as_ref().is_some_and(|reader| reader.skips(row))
                    || object_name.as_ref().is_some_and(|reader| reader.skips(row))
                    || object_oid.as_ref().is_some_and(|reader| reader.skips(row))
                    || privilege.skips(row)
            },
            |row| {
                let user = match (&user_name, &user_oid) {
                    (Some(name), _) if name.get(row) == "public" => 0,
                    (Some(name), _) => named(call, name.get(row))?,
                    (_, Some(oid)) => oid.get(row),
                    _ => call.context.user_oid,
                };
                let object = match (&object_name, &object_oid) {
                    (Some(name), _) => (kind.find)(call, name.get(row))?,
                    (_, Some(oid)) => oid.get(row),
                    _ => 0,
                };
                check(call, kind, user, object, privilege.get(row), None)
            },
        )
    }))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum User {
    Name,
    Oid,
    Current,
}

/// Nothing is granted on parameters: superusers may all.
fn on_parameter(call: &Call<'_>, user: Oid, privileges: &str) -> Result<bool> {
    for privilege in privileges.split(',') {
        let upper = privilege.trim().to_ascii_uppercase();
        if !["SET", "ALTER SYSTEM"].contains(&upper.strip_suffix(" WITH GRANT OPTION").unwrap_or(&upper)) {
            return Err(unrecognized(privilege));
        }
    }
    Ok(is_superuser(&call.context.catalog, user))
}

fn unrecognized(privilege: &str) -> Error {
    let message = format!("unrecognized privilege type: \"{}\"", privilege.trim());
    Error::new(sqlstate::INVALID_PARAMETER_VALUE, message)
}

/// True if the user has one of the listed privileges.
fn check(
    call: &Call<'_>,
    kind: Kind,
    user: Oid,
    object: Oid,
    privileges: &str,
    column: Option<i16>,
) -> Result<Option<bool>> {
    let mut wanted = Vec::new();
    for privilege in privileges.split(',') {
        let upper = privilege.trim().to_ascii_uppercase();
        let (name, grant_option) = match upper.strip_suffix(" WITH GRANT OPTION") {
            Some(name) => (name.trim().to_owned(), true),
            None => (upper, false),
        };
        if !kind.privileges.contains(&name.as_str()) {
            return Err(unrecognized(privilege));
        }
        wanted.push((name, grant_option));
    }
    let catalog = &call.context.catalog;
    let Some((owner, is_system)) = (kind.owner)(call, object) else { return Ok(None) };
    if is_superuser(catalog, user) {
        return Ok(Some(true));
    }
    if let Some(owned) = kind.class().and_then(|class| Owned::of(ObjectAddress::new(class, object), catalog)) {
        let (mut rights, mut options) = owned.rights_of(user, catalog);
        let columns = catalog.privileges(owned.address).map(|privileges| privileges.columns.as_slice());
        let concerned = |(attnum, _): &&(i16, Vec<AclItem>)| match kind.name {
            "any_column" => true,
            "column" => Some(*attnum) == column,
            _ => false,
        };
        for (_, acl) in columns.unwrap_or_default().iter().filter(concerned) {
            let (more, grantable) = acl::rights_of(acl, user, owned.owner, catalog);
            rights |= more;
            options |= grantable;
        }
        let has = |(name, grant_option): &(String, bool)| {
            let right = acl::right(name).unwrap_or(0);
            let held = if *grant_option { options } else { rights };
            held & right != 0
        };
        return Ok(Some(wanted.iter().any(has)));
    }
    if is_member(catalog, user, owner) {
        return Ok(Some(true));
    }
    Ok(Some(wanted.iter().any(|(name, grant_option)| {
        let by_system = is_system && matches!(name.as_str(), "SELECT" | "USAGE" | "EXECUTE");
        !grant_option && (kind.public.contains(&name.as_str()) || by_system)
    })))
}

impl Kind {
    /// The catalog of such objects, if users make them.
    fn class(&self) -> Option<Oid> {
        Some(match self.name {
            "table" | "sequence" | "any_column" | "column" => fixed_oid::PG_CLASS,
            "database" => fixed_oid::PG_DATABASE,
            "schema" => fixed_oid::PG_NAMESPACE,
            "function" => fixed_oid::PG_PROC,
            "type" => fixed_oid::PG_TYPE,
            _ => return None,
        })
    }
}

/// The number of a column by its name; 42703 if there is none.
fn column_named(call: &Call<'_>, table: Oid, name: &str) -> Result<i16> {
    let relation = call.context.catalog.relation(table);
    let column = relation.and_then(|relation| relation.column_by_name(name)).map(|column| column.attnum);
    column.ok_or_else(|| {
        let table = relation.map(|relation| relation.name.clone()).unwrap_or_default();
        let message = format!("column \"{name}\" of relation \"{table}\" does not exist");
        Error::new(sqlstate::UNDEFINED_COLUMN, message)
    })
}

trait ColumnName {
    fn number(self, call: &Call<'_>, table: Oid) -> Result<Option<i16>>;
}

impl ColumnName for &str {
    fn number(self, call: &Call<'_>, table: Oid) -> Result<Option<i16>> {
        if call.context.catalog.relation(table).is_none() {
            return Ok(None);
        }
        column_named(call, table, self).map(Some)
    }
}

impl ColumnName for i16 {
    fn number(self, _: &Call<'_>, _: Oid) -> Result<Option<i16>> {
        Ok(Some(self))
    }
}

/// The privilege on a column; null if there is no such column.
fn check_column(
    call: &Call<'_>,
    kind: Kind,
    user: Oid,
    table: Oid,
    column: impl ColumnName,
    privilege: &str,
) -> Result<Option<bool>> {
    let Some(number) = column.number(call, table)? else { return Ok(None) };
    let relation = call.context.catalog.relation(table);
    if relation.is_none_or(|relation| relation.column(number).is_none_or(|column| column.dropped)) {
        return Ok(None);
    }
    check(call, kind, user, table, privilege, Some(number))
}

fn columns() -> Vec<Row> {
    const COLUMN: &[&str] = &["SELECT", "INSERT", "UPDATE", "REFERENCES"];
    let kind = Kind { name: "column", privileges: COLUMN, public: &[], find: relation_named, owner: relation_owner };
    macro_rules! column {
        ($user:literal, $user_type:ty, $user_oid:expr; $table:literal, $table_type:ty, $table_oid:expr; $column:literal, $column_type:ty) => {
            f(
                concat!("has_column_privilege(", $user, ", ", $table, ", ", $column, ", text)"),
                Body::Scalar(std::sync::Arc::new(move |call, args| {
                    let inputs = crate::functions::kernel::Inputs::new(args)?;
                    let (user, table) = (inputs.reader::<$user_type>(0)?, inputs.reader::<$table_type>(1)?);
                    let (column, privilege) = (inputs.reader::<$column_type>(2)?, inputs.reader::<&str>(3)?);
                    inputs.run(
                        call.rows,
                        false,
                        |row| user.skips(row) || table.skips(row) || column.skips(row) || privilege.skips(row),
                        |row| {
                            check_column(
                                call,
                                kind,
                                $user_oid(call, user.get(row))?,
                                $table_oid(call, table.get(row))?,
                                column.get(row),
                                privilege.get(row),
                            )
                        },
                    )
                })),
            )
        };
    }
    macro_rules! own_column {
        ($table:literal, $table_type:ty, $table_oid:expr; $column:literal, $column_type:ty) => {
            f(
                concat!("has_column_privilege(", $table, ", ", $column, ", text)"),
                kernel!(|call; table: $table_type, column: $column_type, privilege: &str| {
                    check_column(call, COLUMN_KIND, call.context.user_oid, $table_oid(call, table)?, column, privilege)
                }),
            )
        };
    }
    const COLUMN_KIND: Kind =
        Kind { name: "column", privileges: COLUMN, public: &[], find: relation_named, owner: relation_owner };
    let as_is = |_: &Call<'_>, oid: u32| Ok::<_, Error>(oid);
    vec![
        column!("name", &str, named; "text", &str, relation_named; "text", &str),
        column!("name", &str, named; "text", &str, relation_named; "int2", i16),
        column!("name", &str, named; "oid", u32, as_is; "text", &str),
        column!("name", &str, named; "oid", u32, as_is; "int2", i16),
        column!("oid", u32, as_is; "text", &str, relation_named; "text", &str),
        column!("oid", u32, as_is; "text", &str, relation_named; "int2", i16),
        column!("oid", u32, as_is; "oid", u32, as_is; "text", &str),
        column!("oid", u32, as_is; "oid", u32, as_is; "int2", i16),
        own_column!("text", &str, relation_named; "text", &str),
        own_column!("text", &str, relation_named; "int2", i16),
        own_column!("oid", u32, (|_: &Call<'_>, oid: u32| Ok::<_, Error>(oid)); "text", &str),
        own_column!("oid", u32, (|_: &Call<'_>, oid: u32| Ok::<_, Error>(oid)); "int2", i16),
    ]
}

/// The privileges a new object of a kind (`acldefault`'s letters) has.
fn default_acl(call: &Call<'_>, kind: &str, owner: Oid) -> Result<Vec<String>> {
    let letter = kind.chars().next().and_then(AclKind::of_letter);
    let known = letter.ok_or_else(|| Error::internal(format!("unrecognized object type abbreviation: {kind}")))?;
    Ok(acl::show_all(&known.default_acl(owner), &call.context.catalog))
}

/// One privilege of an `aclitem`, as `aclexplode` lists it.
#[derive(Debug, PartialEq, Eq)]
pub struct Acl {
    pub grantor: Oid,
    pub grantee: Oid,
    pub privilege: &'static str,
    pub grantable: bool,
}

impl Acl {
    /// Takes `grantee=letters/grantor` apart.
    pub fn explode(call: &Call<'_>, item: &str) -> Result<Vec<Self>> {
        let malformed = || Error::new(sqlstate::INVALID_TEXT_REPRESENTATION, format!("malformed aclitem: {item}"));
        let (grantee, rest) = item.split_once('=').ok_or_else(malformed)?;
        let (letters, grantor) = rest.split_once('/').ok_or_else(malformed)?;
        let role = |name: &str| -> Result<Oid> {
            let name = name.trim_matches('"');
            if name.is_empty() { Ok(0) } else { name.parse().or_else(|_| named(call, name)) }
        };
        let (grantee, grantor) = (role(grantee)?, role(grantor)?);
        let mut privileges = Vec::new();
        let mut rest = letters.chars().peekable();
        while let Some(letter) = rest.next() {
            let (_, privilege) = acl::PRIVILEGES.iter().find(|(known, _)| *known == letter).ok_or_else(malformed)?;
            let grantable = rest.next_if_eq(&'*').is_some();
            privileges.push(Self { grantor, grantee, privilege, grantable });
        }
        Ok(privileges)
    }
}
