//! GRANT and REVOKE on objects (PostgreSQL's aclchk.c).

use aegis_catalog::acl::{self, AclItem, AclKind, Rights};
use aegis_catalog::fixed_oid::{PG_CLASS, PG_DATABASE, PG_NAMESPACE, PG_PROC, PG_TYPE};
use aegis_catalog::object::{ObjectAddress, Privileges, Relation, RelationKind};
use aegis_catalog::{Error, Oid, Result, sqlstate};

use crate::parse::ast::Ident;
use crate::parse::routine::RoutineName;
use crate::parse::utility::{Grant, ObjectKind, ObjectName};
use crate::privilege::{Owned, is_superuser};
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::statement::{Outcome, large_object, namespace, role, routine};

/// What is granted or revoked on an object and on its columns.
struct Wanted {
    rights: Rights,
    all: bool,
    /// Privilege and column.
    columns: Vec<(Rights, String)>,
}

pub fn grant(session: &mut Session, grant: &Grant, context: &StatementContext) -> Result<Outcome> {
    let tag = if grant.revoke { "REVOKE" } else { "GRANT" };
    session.writable(tag)?;
    let grantees = grantees(&grant.grantees, context)?;
    if grant.grant_option && !grant.revoke && grantees.contains(&0) {
        let message = "grant options can only be granted to roles";
        return Err(Error::new(sqlstate::INVALID_GRANT_OPERATION, message));
    }
    let mut targets = Vec::new();
    for object in grant.objects.iter().flatten() {
        match object.kind {
            large_object::KIND => targets.push(large_object::existing(session, object)?.owned()),
            _ => targets.extend(targets_of(object, context)?),
        }
    }
    for target in targets {
        let context = session.context()?;
        let wanted = wanted(grant, target.kind, &target)?;
        change(session, grant, &target, &wanted, &grantees, &context)?;
    }
    Outcome::tag(tag)
}

pub fn grantees(names: &[Ident], context: &StatementContext) -> Result<Vec<Oid>> {
    names
        .iter()
        .map(|name| match name.name.as_str() {
            "public" => Ok(0),
            name => role::existing(name, context).map(|role| role.oid),
        })
        .collect()
}

/// The privileges that the statement names, as far as the kind of object has them.
fn wanted(grant: &Grant, kind: AclKind, target: &Owned) -> Result<Wanted> {
    let mut wanted = Wanted { rights: 0, all: grant.privileges.is_empty(), columns: Vec::new() };
    if wanted.all {
        wanted.rights = kind.all();
    }
    for (name, columns) in &grant.privileges {
        let all = name == "all" || name == "all privileges";
        let right = match all {
            true if columns.is_empty() => kind.all(),
            true => AclKind::Column.all(),
            false => acl::right(&name.to_ascii_uppercase())
                .ok_or_else(|| Error::new(sqlstate::SYNTAX_ERROR, format!("unrecognized privilege type \"{name}\"")))?,
        };
        let invalid = |place: &str| {
            let name = name.to_ascii_uppercase();
            Err(Error::new(sqlstate::INVALID_GRANT_OPERATION, format!("invalid privilege type {name} for {place}")))
        };
        if !columns.is_empty() {
            if kind != AclKind::Table {
                let message = "column privileges are only valid for relations";
                return Err(Error::new(sqlstate::INVALID_GRANT_OPERATION, message));
            }
            if right & !AclKind::Column.all() != 0 {
                return invalid("column");
            }
            wanted.columns.extend(columns.iter().map(|column| (right, column.name.clone())));
            continue;
        }
        if right & !kind.all() != 0 {
            let allowed_on_sequence = kind == AclKind::Sequence && right & !AclKind::Table.all() == 0;
            if !allowed_on_sequence {
                let of_sequence =
                    kind == AclKind::Table && right & !(AclKind::Table.all() | AclKind::Sequence.all()) == 0;
                return invalid(if of_sequence { "table" } else { place_of(kind, target) });
            }
        }
        wanted.rights |= right & kind.all();
    }
    Ok(wanted)
}

fn place_of(kind: AclKind, target: &Owned) -> &'static str {
    match kind {
        AclKind::Table => "relation",
        AclKind::Function if target.word == "procedure" => "procedure",
        AclKind::Function => "function",
        AclKind::Sequence => "sequence",
        AclKind::Database => "database",
        AclKind::Schema => "schema",
        AclKind::Type => "type",
        AclKind::LargeObject => "large object",
        _ => "object",
    }
}

/// The objects that a name in ON means.
fn targets_of(object: &ObjectName, context: &StatementContext) -> Result<Vec<Owned>> {
    let catalog = &context.catalog;
    let written = namespace::written(&object.name);
    let of = |address: ObjectAddress| {
        Owned::of(address, catalog).ok_or_else(|| Error::internal(format!("no owner of {address:?}")))
    };
    let in_schema = |wanted: &dyn Fn(&Relation) -> bool| -> Result<Vec<Owned>> {
        let schema = namespace::schema_oid(&written, context)?;
        let relations = catalog.user_relations().filter(|relation| relation.schema == schema && wanted(relation));
        Ok(relations.map(|relation| Owned::relation(relation)).collect())
    };
    let routines = |wanted: &[char]| -> Result<Vec<Owned>> {
        let schema = namespace::schema_oid(&written, context)?;
        let all =
            catalog.routines().filter(|routine| routine.row.schema == schema && wanted.contains(&routine.row.kind));
        all.map(|routine| of(routine.address())).collect()
    };
    Ok(match object.kind {
        ObjectKind::Table | ObjectKind::Sequence => {
            let relation = namespace::existing_anywhere(&object.name, context)?;
            let sequence = matches!(relation.kind, RelationKind::Sequence(_));
            if object.kind == ObjectKind::Sequence && !sequence {
                let message = format!("\"{}\" is not a sequence", relation.name);
                return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message));
            }
            if matches!(relation.kind, RelationKind::Index(_)) {
                let message = format!("\"{}\" is an index", relation.name);
                return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message));
            }
            vec![Owned::relation(&relation)]
        }
        ObjectKind::Schema => vec![of(ObjectAddress::new(PG_NAMESPACE, namespace::schema_oid(&written, context)?))?],
        ObjectKind::Database => {
            let database = catalog.database_by_name(&written).ok_or_else(|| {
                Error::new(sqlstate::UNDEFINED_DATABASE, format!("database \"{written}\" does not exist"))
            })?;
            vec![of(ObjectAddress::new(PG_DATABASE, database.oid))?]
        }
        ObjectKind::Type | ObjectKind::Domain => {
            let (schema, name) = namespace::split(&object.name, context)?;
            let found = catalog.type_by_name(schema, name, &context.search_path);
            let missing = || Error::new(sqlstate::UNDEFINED_OBJECT, format!("type \"{written}\" does not exist"));
            vec![of(ObjectAddress::new(PG_TYPE, found.ok_or_else(missing)?.oid))?]
        }
        ObjectKind::Other("ALL TABLES IN SCHEMA") => {
            in_schema(&|relation| matches!(relation.kind, RelationKind::Table(_) | RelationKind::View(_)))?
        }
        ObjectKind::Other("ALL SEQUENCES IN SCHEMA") => {
            in_schema(&|relation| matches!(relation.kind, RelationKind::Sequence(_)))?
        }
        ObjectKind::Other("ALL FUNCTIONS IN SCHEMA") => routines(&['f', 'a', 'w'])?,
        ObjectKind::Other("ALL PROCEDURES IN SCHEMA") => routines(&['p'])?,
        ObjectKind::Other("ALL ROUTINES IN SCHEMA") => routines(&['f', 'a', 'w', 'p'])?,
        ObjectKind::Other(what) if RoutineName::of_object(object).is_none() => {
            return Err(Error::unsupported(format!("privileges on {what}")));
        }
        _ => match RoutineName::of_object(object) {
            Some(name) => vec![of(ObjectAddress::new(PG_PROC, routine::row(&name, context)?.oid))?],
            None => return Err(Error::unsupported("privileges on this kind of object")),
        },
    })
}

/// Changes the list of one object, and those of its columns.
fn change(
    session: &mut Session,
    grant: &Grant,
    target: &Owned,
    wanted: &Wanted,
    grantees: &[Oid],
    context: &StatementContext,
) -> Result<()> {
    let catalog = &context.catalog;
    let mut privileges = match catalog.privileges(target.address) {
        Some(privileges) => Privileges::clone(privileges),
        None => Privileges::new(target.address),
    };
    if wanted.rights != 0 {
        let mut acl = target.acl(catalog);
        let granted = allowed(session, grant, target, &acl, wanted.rights, wanted.all, None, context)?;
        if let Some((grantor, rights)) = granted {
            merge(&mut acl, grant, grantees, grantor, rights, target.owner)?;
            let default = target.kind.default_acl(target.owner);
            privileges.acl = (acl != default || privileges.acl.is_some()).then_some(acl);
        }
        if grant.revoke && target.address.class == PG_CLASS {
            // What is revoked on the table is revoked on its columns too.
            let rights = wanted.rights & AclKind::Column.all();
            let grantor = granted.map_or(target.owner, |(grantor, _)| grantor);
            for (_, acl) in &mut privileges.columns {
                merge(acl, grant, grantees, grantor, rights, target.owner)?;
            }
        }
    }
    for (rights, name) in &wanted.columns {
        let relation = catalog.relation(target.address.object).ok_or_else(|| Error::internal("no relation"))?;
        let column = relation.column_by_name(name).ok_or_else(|| {
            let message = format!("column \"{name}\" of relation \"{}\" does not exist", relation.name);
            Error::new(sqlstate::UNDEFINED_COLUMN, message)
        })?;
        let mut acl = privileges.column(column.attnum).unwrap_or_default().to_vec();
        let all: Vec<AclItem> = target.acl(catalog).into_iter().chain(acl.iter().copied()).collect();
        let granted = allowed(session, grant, target, &all, *rights, false, Some(name), context)?;
        let Some((grantor, rights)) = granted else { continue };
        merge(&mut acl, grant, grantees, grantor, rights, target.owner)?;
        privileges.columns.retain(|(attnum, _)| *attnum != column.attnum);
        privileges.columns.push((column.attnum, acl));
    }
    privileges.columns.retain(|(_, acl)| !acl.is_empty());
    privileges.columns.sort_by_key(|(attnum, _)| *attnum);
    let open = session.writable("GRANT")?;
    open.catalog.set_privileges(open.tables.permanent(), privileges)
}

/// In whose name the user grants, and which of the privileges it may (`select_best_grantor`). 42501 for who has no privilege at all.
#[allow(clippy::too_many_arguments)]
fn allowed(
    session: &Session,
    grant: &Grant,
    target: &Owned,
    acl: &[AclItem],
    wanted: Rights,
    all: bool,
    column: Option<&str>,
    context: &StatementContext,
) -> Result<Option<(Oid, Rights)>> {
    let catalog = &context.catalog;
    let user = context.user_oid;
    if is_superuser(catalog, user) || crate::privilege::owns(catalog, user, target.owner) {
        return Ok(Some((target.owner, wanted)));
    }
    let options = |role: Oid| {
        let items = acl.iter().filter(|item| item.grantee == role);
        items.fold(0, |all, item| all | item.grantable) & wanted
    };
    // The role of the user's that may grant most.
    let roles = acl::roles_of(catalog, user, true);
    let best = roles.into_iter().max_by_key(|role| (options(*role).count_ones(), *role == user)).unwrap_or(user);
    let available = options(best);
    let place = match column {
        Some(column) => format!("column {column} of relation {}", target.name),
        None => format!("{} {}", target.word, target.name),
    };
    if available == 0 {
        let (rights, _) = acl::rights_of(acl, user, target.owner, catalog);
        if rights == 0 {
            let message = match column {
                Some(column) => format!("permission denied for column \"{column}\" of relation \"{}\"", target.name),
                None => format!("permission denied for {place}"),
            };
            return Err(Error::new(sqlstate::INSUFFICIENT_PRIVILEGE, message));
        }
    }
    let shown = match column {
        Some(column) => format!("column \"{column}\" of relation \"{}\"", target.name),
        None => format!("\"{}\"", target.name),
    };
    let warning = match (grant.revoke, available == 0) {
        (false, true) => Some((sqlstate::WARNING_PRIVILEGE_NOT_GRANTED, "no privileges were granted for")),
        (false, false) if available != wanted && !all => {
            Some((sqlstate::WARNING_PRIVILEGE_NOT_GRANTED, "not all privileges were granted for"))
        }
        (true, true) => Some((sqlstate::WARNING_PRIVILEGE_NOT_REVOKED, "no privileges could be revoked for")),
        (true, false) if available != wanted && !all => {
            Some((sqlstate::WARNING_PRIVILEGE_NOT_REVOKED, "not all privileges could be revoked for"))
        }
        _ => None,
    };
    if let Some((code, message)) = warning {
        session.warn(code, &format!("{message} {shown}"));
    }
    Ok((available != 0).then_some((best, available)))
}

/// `merge_acl_with_grant`. 2BP01 if others were granted what is revoked.
pub fn merge(
    acl: &mut Vec<AclItem>,
    grant: &Grant,
    grantees: &[Oid],
    grantor: Oid,
    rights: Rights,
    owner: Oid,
) -> Result<()> {
    for &grantee in grantees {
        // An owner needs no options, and the list says so of nobody else.
        let grantable = if grant.grant_option || grant.revoke { rights } else { 0 };
        let item = AclItem { grantee, grantor, rights, grantable };
        if !grant.revoke {
            if grant.grant_option && grantee != owner && circular(acl, grantee, grantor, owner) {
                let message = "grant options cannot be granted back to your own grantor";
                return Err(Error::new(sqlstate::INVALID_GRANT_OPERATION, message));
            }
            acl::grant(acl, item);
            continue;
        }
        let taken = if grant.grant_option { AclItem { rights: 0, ..item } } else { item };
        if !acl::revoke(acl, taken, owner, grant.cascade) {
            return Err(Error::new(sqlstate::DEPENDENT_OBJECTS_STILL_EXIST, "dependent privileges exist")
                .with_hint("Use CASCADE to revoke them too."));
        }
    }
    Ok(())
}

/// Would the grantee's option rest on itself?
fn circular(acl: &[AclItem], grantee: Oid, grantor: Oid, owner: Oid) -> bool {
    let mut current = grantor;
    for _ in 0..acl.len() + 1 {
        if current == owner {
            return false;
        }
        if current == grantee {
            return true;
        }
        let Some(item) = acl.iter().find(|item| item.grantee == current && item.grantable != 0) else { return false };
        current = item.grantor;
    }
    false
}
