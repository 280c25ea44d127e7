//! Domains (PostgreSQL manual, "CREATE DOMAIN", "ALTER DOMAIN").

use std::sync::Arc;

use aegis_catalog::fixed_oid::{PG_CLASS, PG_CONSTRAINT};
use aegis_catalog::object::{
    Column, Constraint, ConstraintKind, Dependency, DependencyKind, Domain, ObjectAddress, Relation, UserType,
    UserTypeKind,
};
use aegis_catalog::types::{Structure, TypeLookup};
use aegis_catalog::{Catalog, Error, Oid, Result, Type, sqlstate};

use super::{Outcome, namespace, rewrite, stored_text, user_type};
use crate::bind;
use crate::parse::ast::{Expr, Name};
use crate::parse::utility::{
    AlterDomainAction, ColumnConstraintKind, ConstraintTiming, CreateDomain, DomainConstraint,
};
use crate::session::Session;
use crate::session::context::StatementContext;

/// How deep domains may be over domains.
const MAX_DEPTH: usize = 64;

pub fn create(session: &mut Session, create: &CreateDomain, context: &StatementContext) -> Result<Outcome> {
    session.writable("CREATE DOMAIN")?;
    let place = namespace::place(session, &create.name, false, context)?;
    let base = bind::resolve_type(&create.ty, context)?;
    let entry = context.catalog.type_entry(base.oid).ok_or_else(|| Error::internal("a type without entry"))?;
    if !matches!(entry.kind, 'b' | 'c' | 'd' | 'e' | 'r' | 'm') {
        let message = format!("\"{}\" is not a valid base type for a domain", entry.name);
        return Err(Error::new(sqlstate::DATATYPE_MISMATCH, message).at(create.ty.span.start));
    }
    if depth(base, &context.catalog) > MAX_DEPTH {
        let message = format!("domains nest more than {MAX_DEPTH} deep");
        return Err(Error::new(sqlstate::STATEMENT_TOO_COMPLEX, message));
    }
    let collation = match &create.collation {
        Some(collation) => bind::resolve_collation(collation, base, context)?,
        None => entry.collation,
    };
    session.writable("CREATE DOMAIN")?.catalog.reject_type_name(place.schema, &place.name)?;
    let mut domain = Domain { base, collation, not_null: false, default: None, constraints: Vec::new() };
    let mut definition = Definition { name: &place.name, schema: place.schema, nullable: None, has_default: false };
    for constraint in &create.constraints {
        definition.add(&mut domain, constraint, context)?;
    }
    let owner = session.context()?.user_oid;
    let kind = UserTypeKind::Domain(domain);
    let ty = UserType { oid: 0, array_type: 0, schema: place.schema, name: place.name, owner, kind };
    let open = session.writable("CREATE DOMAIN")?;
    let ty = open.catalog.create_type(open.tables.permanent(), ty)?;
    record(session, &ty)?;
    Outcome::tag("CREATE DOMAIN")
}

/// Records what the default and the checks rest on.
fn record(session: &mut Session, ty: &UserType) -> Result<()> {
    let context = session.context()?;
    let Some(domain) = ty.domain() else { return Ok(()) };
    let mut edges = Vec::new();
    if let Some(text) = &domain.default {
        let parsed = crate::parse::parse_expression(text)?;
        let bound = bind::bind_domain_default(&ty.name, domain.base, &parsed, &context)?;
        let sequences = bind::named_by(&bound, &context.catalog).into_iter();
        let sequences = sequences.map(|sequence| ObjectAddress::new(PG_CLASS, sequence));
        let objects = bind::objects_of(&bound, &context.catalog).into_iter().chain(sequences);
        edges.extend(objects.map(|referenced| (ty.address(), referenced)));
    }
    for constraint in &domain.constraints {
        let ConstraintKind::Check { expression, .. } = &constraint.kind else { continue };
        let parsed = crate::parse::parse_expression(expression)?;
        let bound = bind::bind_domain_check(context.catalog.base_type(domain.base), &parsed, &context)?;
        let address = ObjectAddress::new(PG_CONSTRAINT, constraint.oid);
        edges.extend(bind::objects_of(&bound, &context.catalog).into_iter().map(|referenced| (address, referenced)));
    }
    let open = session.writable("ALTER DOMAIN")?;
    for (dependent, referenced) in edges.into_iter().filter(|(_, referenced)| *referenced != ty.address()) {
        let edge = Dependency { dependent, referenced, kind: DependencyKind::Normal };
        open.catalog.add_dependency(open.tables.permanent(), edge)?;
    }
    Ok(())
}

fn depth(ty: Type, catalog: &Catalog) -> usize {
    match catalog.structure(ty.oid) {
        Some(Structure::Domain(base)) => depth(base, catalog) + 1,
        _ => 0,
    }
}

/// What is known of a domain while its clauses are read.
struct Definition<'a> {
    name: &'a str,
    schema: Oid,
    nullable: Option<bool>,
    has_default: bool,
}

impl Definition<'_> {
    fn add(&mut self, domain: &mut Domain, clause: &DomainConstraint, context: &StatementContext) -> Result<()> {
        let syntax = |message: &str| Err(Error::new(sqlstate::SYNTAX_ERROR, message));
        reject_timing(&clause.constraint.timing)?;
        match &clause.constraint.kind {
            ColumnConstraintKind::Default(..) if self.has_default => syntax("multiple default expressions"),
            ColumnConstraintKind::Default(expr, _) => {
                self.has_default = true;
                domain.default = default_text(self.name, domain.base, expr, context)?;
                Ok(())
            }
            ColumnConstraintKind::NotNull | ColumnConstraintKind::Null => {
                let nullable = clause.constraint.kind == ColumnConstraintKind::Null;
                if self.nullable.is_some_and(|before| before != nullable) {
                    return syntax("conflicting NULL/NOT NULL constraints");
                }
                self.nullable = Some(nullable);
                domain.not_null = !nullable;
                Ok(())
            }
            ColumnConstraintKind::Check(expr, _) => {
                let name = clause.constraint.name.as_ref().map(|name| name.name.as_str());
                let constraint = check(self.name, self.schema, domain, name, expr, context)?;
                domain.constraints.push(constraint);
                Ok(())
            }
            other => refuse(other),
        }
    }
}

fn refuse(kind: &ColumnConstraintKind) -> Result<()> {
    let message = match kind {
        ColumnConstraintKind::Unique { .. } => "unique constraints not possible for domains",
        ColumnConstraintKind::PrimaryKey { .. } => "primary key constraints not possible for domains",
        ColumnConstraintKind::References(_) => "foreign key constraints not possible for domains",
        _ => "generated columns and identity not possible for domains",
    };
    Err(Error::new(sqlstate::SYNTAX_ERROR, message))
}

fn reject_timing(timing: &ConstraintTiming) -> Result<()> {
    if timing.deferrable.is_none() && timing.initially_deferred.is_none() {
        return Ok(());
    }
    let message = "specifying constraint deferrability not supported for domains";
    Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message))
}

/// The text that is kept of a default; None for NULL.
fn default_text(name: &str, base: Type, expr: &Expr, context: &StatementContext) -> Result<Option<String>> {
    let bound = bind::bind_domain_default(name, base, expr, context)?;
    let is_null = matches!(&bound.kind, bind::tree::ExprKind::Constant(value) if value.is_null());
    if is_null { Ok(None) } else { stored_text::scalar(&bound, context).map(Some) }
}

fn check(
    domain: &str,
    schema: Oid,
    definition: &Domain,
    name: Option<&str>,
    expr: &Expr,
    context: &StatementContext,
) -> Result<Constraint> {
    let name = match name {
        Some(name) if definition.constraints.iter().any(|constraint| constraint.name == name) => {
            let message = format!("constraint \"{name}\" for domain \"{domain}\" already exists");
            return Err(Error::new(sqlstate::DUPLICATE_OBJECT, message));
        }
        Some(name) => name.to_owned(),
        None => generated_name(domain, schema, definition, &context.catalog),
    };
    let base = context.catalog.base_type(definition.base);
    let bound = bind::bind_domain_check(base, expr, context)?;
    let expression = stored_text::scalar(&bound, context)?;
    let kind = ConstraintKind::Check { expression, columns: Vec::new() };
    Ok(Constraint::new(name, kind))
}

/// `domain_check`, with a number if the schema has a constraint of that name.
fn generated_name(domain: &str, schema: Oid, definition: &Domain, catalog: &Catalog) -> String {
    const LONGEST: usize = 63;
    let in_schema = |name: &str| {
        let domains = catalog.user_types().filter(|ty| ty.schema == schema).flat_map(|ty| ty.constraints());
        let relations = catalog.user_relations().filter(|relation| relation.schema == schema);
        let mut all = domains.chain(relations.flat_map(|relation| relation.constraints()));
        all.any(|constraint| constraint.name == name)
    };
    let mut number = 0_u32;
    loop {
        let suffix = if number == 0 { "_check".to_owned() } else { format!("_check{number}") };
        let mut stem = domain.to_owned();
        while stem.len() + suffix.len() > LONGEST && stem.pop().is_some() {}
        let name = stem + &suffix;
        if !in_schema(&name) && !definition.constraints.iter().any(|constraint| constraint.name == name) {
            return name;
        }
        number += 1;
    }
}

pub async fn alter(
    session: &mut Session,
    name: &Name,
    action: &AlterDomainAction,
    context: &StatementContext,
) -> Result<Outcome> {
    session.writable("ALTER DOMAIN")?;
    let ty = existing(name, context)?;
    let mut changed = UserType::clone(&ty);
    let UserTypeKind::Domain(domain) = &mut changed.kind else { return Err(Error::internal("no domain")) };
    let named = |domain: &Domain, name: &str| domain.constraints.iter().position(|c| c.name == name);
    let missing = |constraint: &str| {
        let message = format!("constraint \"{constraint}\" of domain \"{}\" does not exist", ty.name);
        Error::new(sqlstate::UNDEFINED_OBJECT, message)
    };
    match action {
        AlterDomainAction::SetDefault(expr, _) => domain.default = default_text(&ty.name, domain.base, expr, context)?,
        AlterDomainAction::DropDefault => domain.default = None,
        AlterDomainAction::DropNotNull => domain.not_null = false,
        AlterDomainAction::SetNotNull => {
            if !domain.not_null {
                domain.not_null = true;
                refuse_nulls(session, &ty, context).await?;
            }
        }
        AlterDomainAction::AddConstraint(added) => {
            reject_timing(&added.constraint.timing)?;
            let ColumnConstraintKind::Check(expr, _) = &added.constraint.kind else {
                return match &added.constraint.kind {
                    kind @ (ColumnConstraintKind::Unique { .. }
                    | ColumnConstraintKind::PrimaryKey { .. }
                    | ColumnConstraintKind::References(_)) => refuse(kind).and_then(|()| Outcome::tag("ALTER DOMAIN")),
                    _ => Err(Error::new(sqlstate::SYNTAX_ERROR, "unrecognized constraint of a domain")),
                };
            };
            let name = added.constraint.name.as_ref().map(|name| name.name.as_str());
            let mut constraint = check(&ty.name, ty.schema, domain, name, expr, context)?;
            constraint.validated = !added.constraint.timing.not_valid;
            if constraint.validated {
                refuse_violations(session, &ty, &constraint, context).await?;
            }
            domain.constraints.push(constraint);
        }
        AlterDomainAction::DropConstraint { name, if_exists, .. } => match named(domain, &name.name) {
            Some(place) => drop(domain.constraints.remove(place)),
            None if *if_exists => {
                session.skip_notice(&format!("{}, skipping", missing(&name.name).message()));
                return Outcome::tag("ALTER DOMAIN");
            }
            None => return Err(missing(&name.name)),
        },
        AlterDomainAction::ValidateConstraint(name) => {
            let place = named(domain, &name.name).ok_or_else(|| missing(&name.name))?;
            if let Some(constraint) = domain.constraints.get_mut(place).filter(|constraint| !constraint.validated) {
                refuse_violations(session, &ty, constraint, context).await?;
                constraint.validated = true;
            }
        }
    }
    let open = session.writable("ALTER DOMAIN")?;
    let ty = open.catalog.replace_type(open.tables.permanent(), changed)?;
    record(session, &ty)?;
    Outcome::tag("ALTER DOMAIN")
}

/// RENAME CONSTRAINT.
pub fn rename_constraint(
    session: &mut Session,
    name: &Name,
    constraint: &str,
    to: &str,
    context: &StatementContext,
) -> Result<()> {
    let ty = existing(name, context)?;
    let shown = context.format.names.type_name(ty.oid);
    if !ty.constraints().iter().any(|found| found.name == constraint) {
        let message = format!("constraint \"{constraint}\" for domain {shown} does not exist");
        return Err(Error::new(sqlstate::UNDEFINED_OBJECT, message));
    }
    if ty.constraints().iter().any(|found| found.name == to) {
        let message = format!("constraint \"{to}\" for domain {shown} already exists");
        return Err(Error::new(sqlstate::DUPLICATE_OBJECT, message));
    }
    let mut changed = UserType::clone(&ty);
    if let UserTypeKind::Domain(domain) = &mut changed.kind {
        let found = domain.constraints.iter_mut().filter(|found| found.name == constraint);
        found.for_each(|found| to.clone_into(&mut found.name));
    }
    let open = session.writable("ALTER DOMAIN")?;
    open.catalog.replace_type(open.tables.permanent(), changed).map(drop)
}

/// The domain that a name means. 42704 if there is none, 42809 for another type.
pub fn existing(name: &Name, context: &StatementContext) -> Result<Arc<UserType>> {
    let entry = user_type::existing(name, context)?;
    match context.catalog.user_type(entry.oid) {
        Some(ty) if ty.domain().is_some() => Ok(ty.clone()),
        _ => {
            let message = format!("{} is not a domain", context.format.names.type_name(entry.oid));
            Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message))
        }
    }
}

/// The columns of tables whose values are of the domain. 0A000 if values of other types hold values of it.
fn users(ty: &UserType, context: &StatementContext) -> Result<Vec<(Arc<Relation>, Column)>> {
    let catalog = &context.catalog;
    let mut found = Vec::new();
    for table in catalog.user_relations().filter(|relation| relation.table().is_some()) {
        for column in table.live_columns() {
            match place_in(column.ty.oid, ty.oid, catalog) {
                Place::Absent => {}
                Place::Whole => found.push((table.clone(), column.clone())),
                Place::Part => {
                    let message = format!(
                        "cannot alter type \"{}\" because column \"{}.{}\" uses it",
                        ty.name, table.name, column.name
                    );
                    return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
                }
            }
        }
    }
    Ok(found)
}

/// Where a domain is in another type.
#[derive(PartialEq)]
enum Place {
    Absent,
    /// The type is the domain, or a domain over it.
    Whole,
    Part,
}

fn place_in(ty: Oid, domain: Oid, catalog: &Catalog) -> Place {
    if ty == domain {
        return Place::Whole;
    }
    let is_part = |ty: Oid| place_in(ty, domain, catalog) != Place::Absent;
    match catalog.structure(ty) {
        Some(Structure::Domain(base)) => place_in(base.oid, domain, catalog),
        Some(Structure::Array(element)) if is_part(element) => Place::Part,
        Some(Structure::Composite(fields)) if fields.iter().any(|(_, field)| is_part(field.oid)) => Place::Part,
        _ => Place::Absent,
    }
}

/// 23502 if a column of the domain has nulls.
async fn refuse_nulls(session: &mut Session, ty: &UserType, context: &StatementContext) -> Result<()> {
    for (table, column) in users(ty, context)? {
        if rewrite::any_null(session, &table, column.attnum).await? {
            let message = format!("column \"{}\" of table \"{}\" contains null values", column.name, table.name);
            return Err(Error::new(sqlstate::NOT_NULL_VIOLATION, message));
        }
    }
    Ok(())
}

/// 23514 if a column of the domain has values that break the constraint.
async fn refuse_violations(
    session: &mut Session,
    ty: &UserType,
    constraint: &Constraint,
    context: &StatementContext,
) -> Result<()> {
    let ConstraintKind::Check { expression, .. } = &constraint.kind else { return Ok(()) };
    let Some(domain) = ty.domain() else { return Ok(()) };
    for (table, column) in users(ty, context)? {
        let parsed = crate::parse::parse_expression(expression)?;
        let check = bind::bind_domain_check(context.catalog.base_type(domain.base), &parsed, context)?;
        if rewrite::any_violation(session, &table, column.attnum, check).await? {
            let message = format!(
                "column \"{}\" of table \"{}\" contains values that violate the new constraint",
                column.name, table.name
            );
            return Err(Error::new(sqlstate::CHECK_VIOLATION, message));
        }
    }
    Ok(())
}
