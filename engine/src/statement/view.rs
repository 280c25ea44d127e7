//! CREATE VIEW (PostgreSQL manual): the query is kept as text and bound when the view is used.

use std::sync::Arc;

use aegis_catalog::fixed_oid::PG_REWRITE;
use aegis_catalog::object::{Column, Dependency, DependencyKind, ObjectAddress, Relation, RelationKind, View};
use aegis_catalog::types::format_type;
use aegis_catalog::{Error, Result, sqlstate};

use super::{Outcome, namespace, storage_parameter, stored_text};
use crate::bind;
use crate::parse::ast::Statement;
use crate::parse::utility::CreateView;
use crate::session::Session;
use crate::session::context::StatementContext;

pub fn create(session: &mut Session, create: &CreateView, sql: &str, context: &StatementContext) -> Result<Outcome> {
    let (options, foreign) = storage_parameter::split(&create.options, context)?;
    if foreign.is_some() {
        return Err(Error::unsupported("CREATE VIEW with parameters of an extension")
            .with_hint("Use CREATE MATERIALIZED VIEW."));
    }
    let mut given = ViewOptions::of(&options)?;
    if let Some(check_option) = &create.check_option {
        given.check_option = Some(check_option.to_ascii_lowercase());
    }
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
    let ViewOptions { check_option, options } = given;
    let view = View { query, search_path: Vec::new(), check_option, rule: 0, options, window: None };
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
    require_updatable(&relation, &*session.context()?)?;
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

/// Options of a view.
#[derive(Debug, Default)]
pub struct ViewOptions {
    pub check_option: Option<String>,
    /// The boolean ones.
    pub options: Vec<(String, String)>,
}

impl ViewOptions {
    pub fn of(written: &[(String, String)]) -> Result<Self> {
        let mut given = Self::default();
        for (name, value) in written {
            let invalid = |message: String| Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
            match name.as_str() {
                "security_barrier" | "security_invoker" if crate::settings::parse_bool(value).is_some() => {
                    given.options.push((name.clone(), value.clone()));
                }
                "security_barrier" | "security_invoker" => {
                    return invalid(format!("invalid value for boolean option \"{name}\": {value}"));
                }
                "check_option" if matches!(value.as_str(), "local" | "cascaded") => {
                    given.check_option = Some(value.clone());
                }
                "check_option" => {
                    return Err(Error::new(
                        sqlstate::INVALID_PARAMETER_VALUE,
                        format!("invalid value for enum option \"check_option\": {value}"),
                    )
                    .with_detail("Valid values are \"local\" and \"cascaded\"."));
                }
                _ => return invalid(format!("unrecognized parameter \"{name}\"")),
            }
        }
        Ok(given)
    }
}

/// ALTER VIEW … SET and RESET.
pub fn set_options(
    session: &mut Session,
    view: &Arc<Relation>,
    set: &[(String, String)],
    reset: &[String],
) -> Result<()> {
    let given = ViewOptions::of(set)?;
    let mut changed = Relation::clone(view);
    if let RelationKind::View(definition) = &mut changed.kind {
        let is_gone = |name: &str| reset.iter().chain(set.iter().map(|(name, _)| name)).any(|gone| gone == name);
        definition.options.retain(|(name, _)| !is_gone(name));
        definition.options.extend(given.options);
        if is_gone("check_option") {
            definition.check_option = given.check_option;
        }
    }
    let open = session.writable("ALTER VIEW")?;
    let changed = open.catalog.replace_relation(open.tables.permanent(), changed)?;
    require_updatable(&changed, &*session.context()?)
}

/// 0A000 for a check option of a view that nothing can be changed through.
pub fn require_updatable(view: &Arc<Relation>, context: &StatementContext) -> Result<()> {
    let checked = view.view().is_some_and(|view| view.check_option.is_some());
    if !checked {
        return Ok(());
    }
    match bind::updatable::updatable(view, context) {
        Some((_, columns)) if !columns.is_empty() => Ok(()),
        _ => {
            let message = "WITH CHECK OPTION is supported only on automatically updatable views";
            Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message))
        }
    }
}

/// The view's columns: those of the query, renamed by the column list. 42701 for repeated names.
fn columns(create: &CreateView, bound: &bind::tree::BoundStatement, context: &StatementContext) -> Result<Vec<Column>> {
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
        column.collation = bind::collation_of(bound, i, source, context, || {
            format!("could not determine which collation to use for view column \"{name}\"")
        })?;
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
