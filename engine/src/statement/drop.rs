//! DROP of relations and schemas, with RESTRICT and CASCADE over what depends on them (PostgreSQL manual, "Dependency Tracking").

use std::collections::BTreeSet;

use aegis_catalog::definition::Printer;
use aegis_catalog::dependency::{DropPlan, plan_drop};
use aegis_catalog::fixed_oid::{PG_ATTRDEF, PG_CLASS, PG_CONSTRAINT, PG_NAMESPACE};
use aegis_catalog::object::{ObjectAddress, Relation, RelationKind, UserType, UserTypeKind};
use aegis_catalog::{Error, Oid, Result, sqlstate};

use super::{Outcome, descriptor, namespace, table_storage, user_type};
use crate::parse::ast::Name;
use crate::parse::utility::{Drop, ObjectKind};
use crate::session::Session;
use crate::session::context::StatementContext;

pub fn run(session: &mut Session, drop: &Drop, context: &StatementContext) -> Result<Outcome> {
    let (tag, what) = match drop.kind {
        ObjectKind::Table => ("DROP TABLE", "table"),
        ObjectKind::View => ("DROP VIEW", "view"),
        ObjectKind::Index => ("DROP INDEX", "index"),
        ObjectKind::Sequence => ("DROP SEQUENCE", "sequence"),
        ObjectKind::Schema => ("DROP SCHEMA", "schema"),
        ObjectKind::MaterializedView => ("DROP MATERIALIZED VIEW", "materialized view"),
        ObjectKind::Type => ("DROP TYPE", "type"),
        ObjectKind::Domain => ("DROP DOMAIN", "type"),
        ObjectKind::Function | ObjectKind::Procedure => return Err(Error::unsupported("DROP FUNCTION")),
        kind => match descriptor::class_of(kind) {
            Some((_, "COLLATION")) => ("DROP COLLATION", "collation"),
            Some((_, "TEXT SEARCH CONFIGURATION")) => ("DROP TEXT SEARCH CONFIGURATION", "text search configuration"),
            Some((_, "TEXT SEARCH DICTIONARY")) => ("DROP TEXT SEARCH DICTIONARY", "text search dictionary"),
            Some((_, "STATISTICS")) => ("DROP STATISTICS", "statistics object"),
            Some(_) => ("DROP EXTENSION", "extension"),
            None => return Err(Error::unsupported("this kind of DROP")),
        },
    };
    session.writable(tag)?;
    let mut roots = Vec::new();
    for name in &drop.names {
        let found = match drop.kind {
            ObjectKind::Schema => schema(name, context),
            ObjectKind::Type | ObjectKind::Domain => user_type::to_drop(name, drop.kind, context),
            kind => match descriptor::class_of(kind) {
                Some((class, _)) => descriptor::owned(class, name, context).map(|found| found.address()),
                None => relation(name, drop.kind, what, context),
            },
        };
        match found {
            Ok(root) => roots.push(root),
            Err(error) if drop.if_exists && is_missing(&error) => {
                session.skip_notice(&format!("{}, skipping", error.message()));
            }
            Err(error) => return Err(error),
        }
    }
    if drop.concurrently
        && let Some(index) = roots.iter().find_map(|root| parted_index(root.object, context))
    {
        let message = format!("cannot drop partitioned index \"{index}\" concurrently");
        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
    }
    for root in &roots {
        let of_text_search = aegis_catalog::text_search::built_in_by_oid(root.object).is_some();
        if of_text_search || aegis_catalog::built_in_extension::built_in_by_oid(root.object).is_some() {
            if of_text_search && root.object >= FIRST_UNPINNED {
                return Err(Error::unsupported("DROP of a text search object of PostgreSQL's own"));
            }
            let printer = Printer { catalog: &context.catalog, search_path: &context.search_path };
            let shown = aegis_catalog::definition::describe(printer, *root);
            let message = format!("cannot drop {shown} because it is required by the database system");
            return Err(Error::new(sqlstate::DEPENDENT_OBJECTS_STILL_EXIST, message));
        }
        require_owner(*root, context)?;
        let relation = context.catalog.relation(root.object).filter(|_| root.class == PG_CLASS);
        if let Some(relation) = relation.filter(|relation| relation.table().is_some()) {
            session.writable(tag)?.tables.deferred.refuse(relation, tag)?;
        }
    }
    if !roots.is_empty() {
        let plan =
            plan_drop(Printer { catalog: &context.catalog, search_path: &context.search_path }, &roots, drop.cascade)?;
        announce(session, &plan);
        apply(session, &plan)?;
    }
    Outcome::tag(tag)
}

fn parted_index(oid: Oid, context: &StatementContext) -> Option<&str> {
    let relation = context.catalog.relation(oid)?;
    relation.index().filter(|index| index.partitioned).map(|_| relation.name.as_str())
}

/// Who owns an object, or its schema, may drop it.
fn require_owner(root: ObjectAddress, context: &StatementContext) -> Result<()> {
    let catalog = &context.catalog;
    let schema = catalog.relation(root.object).filter(|_| root.class == PG_CLASS).map(|relation| relation.schema);
    let of_schema = schema.and_then(|schema| catalog.schema(schema)).map(|schema| schema.owner);
    if of_schema.is_some_and(|owner| crate::privilege::owns(catalog, context.user_oid, owner)) {
        return Ok(());
    }
    match crate::privilege::Owned::of(root, catalog) {
        Some(owned) => owned.require_owner(context),
        None => Ok(()),
    }
}

fn is_missing(error: &Error) -> bool {
    [sqlstate::UNDEFINED_TABLE, sqlstate::UNDEFINED_OBJECT, sqlstate::INVALID_SCHEMA_NAME].contains(&error.code())
}

fn schema(name: &Name, context: &StatementContext) -> Result<ObjectAddress> {
    let oid = namespace::schema_oid(&namespace::written(name), context)?;
    let Some(schema) = context.catalog.schema(oid) else { return Err(Error::internal("a schema without entry")) };
    if oid < FIRST_USER_OID && schema.name != "public" {
        let message = format!("cannot drop schema {} because it is required by the database system", schema.name);
        return Err(Error::new(sqlstate::DEPENDENT_OBJECTS_STILL_EXIST, message));
    }
    Ok(ObjectAddress::new(PG_NAMESPACE, oid))
}

/// PostgreSQL lets go of what has this OID or a greater one.
const FIRST_UNPINNED: u32 = 12_000;

/// First OID that users' objects get.
const FIRST_USER_OID: u32 = 16_384;

fn relation(name: &Name, kind: ObjectKind, what: &str, context: &StatementContext) -> Result<ObjectAddress> {
    let Some(found) = namespace::find(name, context)? else {
        let (schema, bare) = namespace::split(name, context)?;
        if let Some(schema) = schema {
            namespace::schema_oid(schema, context)?;
        }
        let shown = if schema.is_some() { namespace::written(name) } else { bare.to_owned() };
        let code = if kind == ObjectKind::Index { sqlstate::UNDEFINED_OBJECT } else { sqlstate::UNDEFINED_TABLE };
        return Err(Error::new(code, format!("{what} \"{shown}\" does not exist")));
    };
    namespace::reject_system(&found)?;
    if kind == ObjectKind::View && found.view().is_some_and(aegis_catalog::object::View::is_of_extension) {
        let message = format!("cannot drop materialized view \"{}\" with DROP VIEW", found.name);
        return Err(
            Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message).with_hint("Use DROP MATERIALIZED VIEW to remove it.")
        );
    }
    let matches = match (&found.kind, kind) {
        (RelationKind::Table(_), ObjectKind::Table) => found.materialized().is_none(),
        (RelationKind::Table(_), ObjectKind::MaterializedView) => found.materialized().is_some(),
        (RelationKind::View(view), ObjectKind::View | ObjectKind::MaterializedView) => {
            view.is_of_extension() == (kind == ObjectKind::MaterializedView)
        }
        (RelationKind::Index(_), ObjectKind::Index) | (RelationKind::Sequence(_), ObjectKind::Sequence) => true,
        _ => false,
    };
    if !matches {
        let article = if what.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        let message = format!("\"{}\" is not {article} {what}", found.name);
        let right = match found.kind {
            RelationKind::Composite => "type",
            _ => found.kind_name(),
        };
        let article = if right.starts_with('i') { "an" } else { "a" };
        return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message)
            .with_hint(format!("Use DROP {} to remove {article} {right}.", right.to_uppercase())));
    }
    Ok(found.address())
}

/// What goes because of CASCADE, as PostgreSQL tells it.
pub fn announce(session: &Session, plan: &DropPlan) {
    if let Some((message, detail)) = plan.notice() {
        let notice = Error::new(sqlstate::SUCCESSFUL_COMPLETION, message);
        session.backend.notice(
            "NOTICE",
            match detail {
                Some(detail) => notice.with_detail(detail),
                None => notice,
            },
        );
    }
}

/// ON COMMIT DROP: what rests on the table goes with it, silently.
pub fn drop_at_commit(session: &mut Session, table: &Relation) -> Result<()> {
    drop_all(session, &[table.address()])
}

/// Every object of the session's temporary schema.
pub fn drop_temporary(session: &mut Session) -> Result<()> {
    let context = session.context()?;
    let temporary = context.catalog.user_relations().filter(|relation| relation.is_temporary());
    // Indexes and owned sequences go with their tables.
    let whole = temporary.filter(|relation| match &relation.kind {
        RelationKind::Index(_) => false,
        RelationKind::Sequence(sequence) => sequence.owned_by.is_none(),
        _ => true,
    });
    let roots: Vec<_> = whole.map(|relation| relation.address()).collect();
    drop_all(session, &roots)
}

/// Objects, with all that rests on them.
pub fn cascade(session: &mut Session, roots: &[ObjectAddress]) -> Result<()> {
    let context = session.context()?;
    let plan = plan_drop(Printer { catalog: &context.catalog, search_path: &context.search_path }, roots, true)?;
    apply(session, &plan)
}

fn drop_all(session: &mut Session, roots: &[ObjectAddress]) -> Result<()> {
    let context = session.context()?;
    let plan = plan_drop(Printer { catalog: &context.catalog, search_path: &context.search_path }, roots, true)?;
    // Temporary objects change in read-only transactions too.
    let Some(open) = &mut session.transaction else { return Ok(()) };
    let read_only = std::mem::replace(&mut open.read_only, false);
    let applied = apply(session, &plan);
    if let Some(open) = &mut session.transaction {
        open.read_only = read_only;
    }
    applied
}

/// Carries a plan out: whole objects with their rows, then parts of tables that stay.
pub fn apply(session: &mut Session, plan: &DropPlan) -> Result<()> {
    let format = session.format_settings();
    let open = session.writable("DROP")?;
    // Tables that stay, but whose storage must follow.
    let mut changed = BTreeSet::new();
    for &address in &plan.objects {
        let relation = (address.class == PG_CLASS).then(|| open.catalog.catalog().relation(address.object).cloned());
        if let Some(relation) = relation.flatten() {
            match &relation.kind {
                RelationKind::Table(table) => {
                    table.rows().map_or(Ok(()), |rows| open.tables.of_mut(&relation).drop_table(rows))?;
                }
                RelationKind::Index(index) => drop(changed.insert(index.table)),
                _ => {}
            }
        }
        open.catalog.drop_object(open.tables.permanent(), address)?;
    }
    for &part in &plan.parts {
        let catalog = open.catalog.catalog();
        if let Some((domain, constraint)) =
            catalog.domain_constraint(part.object).filter(|_| part.class == PG_CONSTRAINT)
        {
            let changed = without_constraint(domain, constraint.oid);
            open.catalog.replace_type(open.tables.permanent(), changed)?;
            continue;
        }
        let Some(relation) = catalog.relation(catalog.owner_of_part(part).object) else { continue };
        changed.insert(relation.oid);
        open.catalog.replace_relation(open.tables.permanent(), without_part(relation, part))?;
        if part.class == PG_CLASS {
            open.catalog.set_comment(open.tables.permanent(), part, None)?;
        }
    }
    for oid in changed {
        if let Some(table) = open.catalog.catalog().relation(oid) {
            table_storage::update(open, table, None, &format)?;
        }
    }
    Ok(())
}

/// The domain without one of its checks.
fn without_constraint(domain: &UserType, constraint: Oid) -> UserType {
    let mut changed = domain.clone();
    if let UserTypeKind::Domain(domain) = &mut changed.kind {
        domain.constraints.retain(|found| found.oid != constraint);
    }
    changed
}

/// The relation without one column, constraint or default.
fn without_part(relation: &Relation, part: ObjectAddress) -> Relation {
    let mut changed = relation.clone();
    match part.class {
        PG_CLASS => {
            for column in changed.columns.iter_mut().filter(|column| i32::from(column.attnum) == part.sub) {
                column.dropped = true;
                column.name = format!("........pg.dropped.{}........", column.attnum);
                column.default = None;
                column.not_null = false;
                column.identity = None;
                column.generated = false;
            }
        }
        PG_CONSTRAINT => {
            if let RelationKind::Table(table) = &mut changed.kind {
                table.constraints.retain(|constraint| constraint.oid != part.object);
            }
        }
        PG_ATTRDEF => {
            for column in changed.columns.iter_mut().filter(|column| column.default_oid == part.object) {
                column.default = None;
                column.generated = false;
            }
        }
        _ => {}
    }
    changed
}
