//! COMMENT ON (PostgreSQL manual).

use aegis_catalog::fixed_oid::{PG_AUTHID, PG_CONSTRAINT, PG_DATABASE, PG_NAMESPACE};
use aegis_catalog::object::{ObjectAddress, Relation, RelationKind};
use aegis_catalog::{Error, Result, sqlstate};

use super::{Outcome, descriptor, domain, large_object, namespace, user_type};
use crate::parse::ast::Name;
use crate::parse::routine::RoutineName;
use crate::parse::utility::{ObjectKind, ObjectName};
use crate::session::Session;
use crate::session::context::StatementContext;

pub fn run(
    session: &mut Session,
    object: &ObjectName,
    text: Option<&str>,
    context: &StatementContext,
) -> Result<Outcome> {
    let address = match object.kind {
        large_object::KIND => {
            let owned = large_object::existing(session, object)?.owned();
            owned.require_owner(context)?;
            owned.address
        }
        _ => address(object, context)?,
    };
    let whole = ObjectAddress { sub: 0, ..context.catalog.owner_of_part(address) };
    if let Some(owned) = crate::privilege::Owned::of(whole, &context.catalog) {
        owned.require_owner(context)?;
    }
    let open = session.writable("COMMENT")?;
    // An empty comment is none, as in PostgreSQL.
    open.catalog.set_comment(open.tables.permanent(), address, text.filter(|text| !text.is_empty()))?;
    Outcome::tag("COMMENT")
}

/// The object that something is said of.
pub(super) fn address(object: &ObjectName, context: &StatementContext) -> Result<ObjectAddress> {
    let written = namespace::written(&object.name);
    match object.kind {
        ObjectKind::Table
        | ObjectKind::MaterializedView
        | ObjectKind::View
        | ObjectKind::Index
        | ObjectKind::Sequence => {
            let relation = namespace::existing_anywhere(&object.name, context)?;
            require_kind(&relation, object.kind)?;
            Ok(relation.address())
        }
        ObjectKind::Column => {
            let Some((column, table)) = object.name.parts.split_last().filter(|(_, table)| !table.is_empty()) else {
                return Err(Error::new(sqlstate::SYNTAX_ERROR, "column name must be qualified"));
            };
            let name = Name { parts: table.to_vec(), span: object.name.span };
            let relation = namespace::existing_anywhere(&name, context)?;
            let found = relation.column_by_name(&column.name).ok_or_else(|| {
                let message = format!("column \"{}\" of relation \"{}\" does not exist", column.name, relation.name);
                Error::new(sqlstate::UNDEFINED_COLUMN, message)
            })?;
            Ok(ObjectAddress::column(relation.oid, found.attnum))
        }
        ObjectKind::Constraint => {
            let Some(table) = &object.on else {
                return Err(Error::internal("a constraint of nothing"));
            };
            if object.on_domain {
                let domain = domain::existing(table, context)?;
                let shown = context.format.names.type_name(domain.oid);
                let found = domain.constraints().iter().find(|constraint| constraint.name == written);
                let found = found.ok_or_else(|| {
                    let message = format!("constraint \"{written}\" for domain {shown} does not exist");
                    Error::new(sqlstate::UNDEFINED_OBJECT, message)
                })?;
                return Ok(ObjectAddress::new(PG_CONSTRAINT, found.oid));
            }
            let relation = namespace::existing_anywhere(table, context)?;
            let found =
                relation.constraints().iter().find(|constraint| constraint.name == written).ok_or_else(|| {
                    let message = format!("constraint \"{written}\" for table \"{}\" does not exist", relation.name);
                    Error::new(sqlstate::UNDEFINED_OBJECT, message)
                })?;
            Ok(ObjectAddress::new(PG_CONSTRAINT, found.oid))
        }
        ObjectKind::Type | ObjectKind::Domain => user_type::to_comment(&object.name, object.kind, context),
        ObjectKind::Schema => Ok(ObjectAddress::new(PG_NAMESPACE, namespace::schema_oid(&written, context)?)),
        ObjectKind::Database => {
            let found = context.catalog.database_by_name(&written).ok_or_else(|| {
                Error::new(sqlstate::UNDEFINED_DATABASE, format!("database \"{written}\" does not exist"))
            })?;
            Ok(ObjectAddress::new(PG_DATABASE, found.oid))
        }
        ObjectKind::Role => Ok(ObjectAddress::new(PG_AUTHID, super::role::existing(&written, context)?.oid)),
        kind if descriptor::class_of(kind).is_some() => {
            let class = descriptor::class_of(kind).map_or(0, |(class, _)| class);
            Ok(descriptor::existing(class, &object.name, context)?.address())
        }
        _ => match RoutineName::of_object(object) {
            Some(name) => Ok(super::routine::existing(&name, context)?.address()),
            None => Err(Error::unsupported("COMMENT or SECURITY LABEL ON this kind of object")),
        },
    }
}

fn require_kind(relation: &Relation, kind: ObjectKind) -> Result<()> {
    let (matches, what) = match kind {
        ObjectKind::Table => (relation.table().is_some() && relation.materialized().is_none(), "a table"),
        ObjectKind::MaterializedView => (relation.materialized().is_some(), "a materialized view"),
        ObjectKind::View => (matches!(relation.kind, RelationKind::View(_)), "a view"),
        ObjectKind::Index => (matches!(relation.kind, RelationKind::Index(_)), "an index"),
        _ => (matches!(relation.kind, RelationKind::Sequence(_)), "a sequence"),
    };
    if matches {
        return Ok(());
    }
    Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, format!("\"{}\" is not {what}", relation.name)))
}
