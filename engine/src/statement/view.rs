//! CREATE VIEW (PostgreSQL manual): the query is kept as text and bound when the view is used.

use std::sync::Arc;

use aegis_catalog::fixed_oid::PG_REWRITE;
use aegis_catalog::object::{Column, Dependency, DependencyKind, ObjectAddress, Relation, RelationKind, View};
use aegis_catalog::types::format_type;
use aegis_catalog::{Error, Result, sqlstate};

use super::{Outcome, namespace, stored_text};
use crate::bind;
use crate::parse::ast::Statement;
use crate::parse::utility::CreateView;
use crate::session::Session;
use crate::session::context::StatementContext;

pub fn create(session: &mut Session, create: &CreateView, sql: &str, context: &StatementContext) -> Result<Outcome> {
    if create.recursive {
        return Err(Error::unsupported("CREATE RECURSIVE VIEW"));
    }
    if create.check_option.is_some() {
        return Err(Error::unsupported("WITH CHECK OPTION"));
    }
    refuse_options(&create.options)?;
    let bound = bind::bind(&Statement::Query(create.query.clone()), sql, &[], context)?;
    if !bound.parameters.is_empty() {
        return Err(Error::new(sqlstate::UNDEFINED_PARAMETER, "there is no parameter $1"));
    }
    let columns = columns(create, &bound, context)?;
    let temporary = create.temporary || uses_temporary(&bound, context);
    if temporary && !create.temporary {
        let name = create.name.parts.last().map(|name| name.name.as_str()).unwrap_or_default();
        session.skip_notice(&format!("view \"{name}\" will be a temporary view"));
    }
    let place = namespace::place(session, &create.name, temporary, context)?;
    let bind::tree::Statement::Query(query) = &bound.statement else {
        return Err(Error::internal("a view of something that is no query"));
    };
    let query = stored_text::query(query, &columns, context)?;
    let view = View { query, search_path: Vec::new(), check_option: None, rule: 0 };
    let owner = context.user_oid;
    let open = session.writable("CREATE VIEW")?;
    let old = open.catalog.catalog().relation_by_name(place.schema, &place.name).cloned();
    let relation = match old {
        Some(old) if create.or_replace => {
            let kept = replaceable(&old, &columns)?;
            open.catalog.remove_dependencies(open.tables.permanent(), ObjectAddress::new(PG_REWRITE, kept.rule))?;
            let view = View { rule: kept.rule, ..view };
            let new = Relation { columns, kind: RelationKind::View(view), ..Relation::clone(&old) };
            open.catalog.replace_relation(open.tables.permanent(), new)?
        }
        _ => {
            let relation = place.relation(owner, columns, RelationKind::View(view));
            open.catalog.create_relation(open.tables.permanent(), relation)?
        }
    };
    super::privilege::apply_default(session, &crate::privilege::Owned::relation(&relation), relation.schema)?;
    record_reads(session, "CREATE VIEW", &relation, &bound)?;
    Outcome::tag("CREATE VIEW")
}

/// Records what the query of a view, materialized or not, reads.
pub fn record_reads(
    session: &mut Session,
    command: &str,
    view: &Relation,
    bound: &bind::tree::BoundStatement,
) -> Result<()> {
    let dependent = ObjectAddress::new(PG_REWRITE, view.query().map_or(0, |view| view.rule));
    let open = session.writable(command)?;
    let catalog = open.catalog.catalog();
    for referenced in bind::read_by(&bound.statement, &catalog) {
        let edge = Dependency { dependent, referenced, kind: DependencyKind::Normal };
        open.catalog.add_dependency(open.tables.permanent(), edge)?;
    }
    Ok(())
}

/// Options say whose rights a view uses and what its rows may show: none may be taken without being obeyed.
fn refuse_options(options: &[(String, String)]) -> Result<()> {
    for (name, value) in options {
        let invalid = |message: String| Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
        match name.as_str() {
            "security_barrier" | "security_invoker" => match crate::settings::parse_bool(value) {
                Some(false) => {}
                Some(true) => return Err(Error::unsupported(format!("the view option {name}"))),
                None => return invalid(format!("invalid value for boolean option \"{name}\": {value}")),
            },
            "check_option" if matches!(value.as_str(), "local" | "cascaded") => {
                return Err(Error::unsupported("WITH CHECK OPTION"));
            }
            "check_option" => return invalid("invalid value for enum option \"check_option\": ".to_owned() + value),
            _ => return invalid(format!("unrecognized parameter \"{name}\"")),
        }
    }
    Ok(())
}

/// The view's columns: those of the query, renamed by the column list. 42701 for repeated names.
fn columns(create: &CreateView, bound: &bind::tree::BoundStatement, context: &StatementContext) -> Result<Vec<Column>> {
    let targets = bind::targets_of(bound);
    let output = bound.columns.as_deref().unwrap_or_default();
    if create.columns.len() > output.len() {
        let message = "CREATE VIEW specifies more column names than columns";
        return Err(Error::new(sqlstate::SYNTAX_ERROR, message));
    }
    let mut columns: Vec<Column> = Vec::with_capacity(output.len());
    for (i, (source, attnum)) in output.iter().zip(1..).enumerate() {
        let name = create.columns.get(i).map_or(&source.name, |ident| &ident.name);
        if columns.iter().any(|column| column.name == *name) {
            let message = format!("column \"{name}\" specified more than once");
            return Err(Error::new(sqlstate::DUPLICATE_COLUMN, message));
        }
        if aegis_catalog::types::type_info(source.ty.oid).is_some_and(|info| info.kind == 'p') {
            let message = format!("column \"{name}\" has pseudo-type {}", format_type(source.ty));
            return Err(Error::new(sqlstate::INVALID_TABLE_DEFINITION, message));
        }
        let mut column = Column::new(name, attnum, source.ty);
        column.collation = bind::collation_of(targets.get(i), source, context);
        columns.push(column);
    }
    Ok(columns)
}

/// A view over temporary tables is temporary too.
fn uses_temporary(bound: &bind::tree::BoundStatement, context: &StatementContext) -> bool {
    let used = bound.relations.iter().filter_map(|&oid| context.catalog.relation(oid));
    used.into_iter().any(|relation| relation.is_temporary())
}

/// OR REPLACE may only add columns at the end. 42P16 otherwise.
fn replaceable<'a>(old: &'a Arc<Relation>, columns: &[Column]) -> Result<&'a View> {
    let refuse = |message: String| Err(Error::new(sqlstate::INVALID_TABLE_DEFINITION, message));
    let RelationKind::View(view) = &old.kind else {
        return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, format!("\"{}\" is not a view", old.name)));
    };
    if columns.len() < old.columns.len() {
        return refuse("cannot drop columns from view".to_owned());
    }
    for (before, after) in old.columns.iter().zip(columns) {
        if before.name != after.name {
            return refuse(format!("cannot change name of view column \"{}\" to \"{}\"", before.name, after.name));
        }
        if before.ty != after.ty {
            return refuse(format!(
                "cannot change data type of view column \"{}\" from {} to {}",
                before.name,
                format_type(before.ty),
                format_type(after.ty)
            ));
        }
    }
    Ok(view)
}
