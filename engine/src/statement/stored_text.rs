//! Expressions and queries as the catalog keeps them: SQL text in which every name is written so that it means the same under any search
//! path, and every value so that it reads the same under any setting.

use std::sync::Arc;

use aegis_catalog::definition::Printer;
use aegis_catalog::object::{Column, ConstraintKind, Relation, RelationKind, UserType, UserTypeKind};
use aegis_catalog::reg_names::CatalogNames;
use aegis_catalog::types::{FormatSettings, Names};
use aegis_catalog::{Error, Result, SearchPath};

use crate::bind;
use crate::bind::tree::{Expr, Query, RelId};
use crate::deparse::{self, Layout, Target};
use crate::session::Session;
use crate::session::context::StatementContext;

/// The row of the table that an expression is about.
pub const ROW: RelId = RelId(0);

/// An expression over the columns of a table.
pub fn expression(bound: &Expr, table: &Relation, context: &StatementContext) -> Result<String> {
    stored(context, |target| deparse::expression(bound, ROW, table, target))
}

/// An expression without columns: a default or check of a domain, too.
pub fn scalar(bound: &Expr, context: &StatementContext) -> Result<String> {
    stored(context, |target| deparse::free_expression(bound, target))
}

/// A view's query; `columns` are the view's.
pub fn query(bound: &Query, columns: &[Column], context: &StatementContext) -> Result<String> {
    let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    stored(context, |target| deparse::query(bound, &names, target))
}

/// Only what is always searched is named without its schema.
fn stored(context: &StatementContext, print: impl FnOnce(Target<'_>) -> Result<String>) -> Result<String> {
    let temporary = context.search_path.temporary_schema();
    let search_path = SearchPath::resolve(&context.catalog, &[], &context.user, temporary);
    let names = CatalogNames { catalog: context.catalog.clone(), search_path: search_path.clone() };
    let format = FormatSettings { names: Names(Some(Arc::new(names))), ..FormatSettings::default() };
    let printer = Printer { catalog: &context.catalog, search_path: &search_path };
    print(Target { printer, format: &format, layout: Layout::STORED })
}

/// Writes all expressions and queries of the database anew that name something differently since `before`: they mean what they meant.
pub fn follow_names(session: &mut Session, before: &StatementContext) -> Result<()> {
    let after = session.context()?;
    for ty in before.catalog.user_types() {
        let Some(now) = after.catalog.user_type(ty.oid) else { continue };
        let renamed = retold_domain(ty, now, before, &after)?;
        if renamed != **now {
            let open = session.writable("ALTER")?;
            open.catalog.replace_type(open.tables.permanent(), renamed)?;
        }
    }
    for relation in before.catalog.user_relations().filter(|relation| relation.window().is_none()) {
        let Some(now) = after.catalog.relation(relation.oid) else { continue };
        let renamed = retold(relation, now, before, &after)?;
        if renamed != **now {
            let open = session.writable("ALTER")?;
            open.catalog.replace_relation(open.tables.permanent(), renamed)?;
        }
    }
    let windowed = before.catalog.user_relations().filter(|relation| relation.windows().is_some());
    windowed.into_iter().try_for_each(|table| session.refresh_windows(table.oid))
}

/// Writes the expressions of a table anew, as they are understood now.
pub fn refresh(session: &mut Session, table: &Arc<Relation>) -> Result<Arc<Relation>> {
    let context = session.context()?;
    let mut all = vec![table.clone()];
    all.extend(context.catalog.indexes_of(table.oid).cloned());
    for relation in all {
        let changed = retold(&relation, &relation, &context, &context)?;
        if changed != *relation {
            let open = session.writable("ALTER TABLE")?;
            open.catalog.replace_relation(open.tables.permanent(), changed)?;
        }
    }
    let context = session.context()?;
    context.catalog.relation(table.oid).cloned().ok_or_else(|| Error::internal("the table went while it was altered"))
}

/// `now` with the texts of `relation`, which are understood under `before` and written under `after`.
fn retold(
    relation: &Arc<Relation>,
    now: &Arc<Relation>,
    before: &StatementContext,
    after: &StatementContext,
) -> Result<Relation> {
    let mut changed = Relation::clone(now);
    match (&relation.kind, &mut changed.kind) {
        (RelationKind::View(view), RelationKind::View(new)) => {
            let bound = bind::bind_view(view, before)?;
            new.query = query(&bound, &now.columns, after)?;
            new.search_path.clear();
        }
        (RelationKind::Table(_), RelationKind::Table(table)) => {
            if let (Some(old), Some(new)) = (relation.materialized(), &mut table.materialized) {
                let bound = bind::bind_view(&old.view, before)?;
                new.view.query = query(&bound, &now.columns, after)?;
            }
            let again = |text: &str| again(relation, text, before, after);
            for column in changed.columns.iter_mut().filter(|column| !column.dropped) {
                let old = relation.column(column.attnum).and_then(|column| column.default.as_deref());
                if let (Some(text), Some(_)) = (old, &column.default) {
                    column.default = Some(again(text)?);
                }
            }
            let old_keys = relation.partitioning().map(|old| old.keys.as_slice()).unwrap_or_default();
            let new_keys = table.partitioning.iter_mut().flat_map(|new| &mut new.keys);
            for (old, new) in old_keys.iter().zip(new_keys) {
                if let Some(text) = &old.expression {
                    new.expression = Some(again(text)?);
                }
            }
            for constraint in &mut table.constraints {
                let old = relation.constraints().iter().find(|old| old.oid == constraint.oid).map(|old| &old.kind);
                if let ConstraintKind::Check { expression, .. } = &mut constraint.kind
                    && let Some(ConstraintKind::Check { expression: old, .. }) = old
                {
                    *expression = again(old)?;
                }
            }
        }
        (RelationKind::Index(index), RelationKind::Index(new)) => {
            let table = before.catalog.relation(index.table);
            let Some(table) = table else { return Ok(changed) };
            let again = |text: &str| again(table, text, before, after);
            for (old, new) in index.keys.iter().zip(&mut new.keys) {
                if let Some(text) = &old.expression {
                    new.expression = Some(again(text)?);
                }
            }
            if let Some(text) = &index.predicate {
                new.predicate = Some(again(text)?);
            }
        }
        _ => {}
    }
    Ok(changed)
}

fn retold_domain(
    ty: &UserType,
    now: &UserType,
    before: &StatementContext,
    after: &StatementContext,
) -> Result<UserType> {
    let mut changed = now.clone();
    let (UserTypeKind::Domain(new), Some(old)) = (&mut changed.kind, ty.domain()) else { return Ok(changed) };
    if let (Some(text), Some(_)) = (&old.default, &new.default) {
        let parsed = crate::parse::parse_expression(text)?;
        new.default = Some(scalar(&bind::bind_domain_default(&ty.name, old.base, &parsed, before)?, after)?);
    }
    let base = before.catalog.base_type(old.base);
    for constraint in &mut new.constraints {
        let known = old.constraints.iter().find(|known| known.oid == constraint.oid).map(|known| &known.kind);
        if let ConstraintKind::Check { expression, .. } = &mut constraint.kind
            && let Some(ConstraintKind::Check { expression: text, .. }) = known
        {
            let parsed = crate::parse::parse_expression(text)?;
            *expression = scalar(&bind::bind_domain_check(base, &parsed, before)?, after)?;
        }
    }
    Ok(changed)
}

fn again(table: &Arc<Relation>, text: &str, before: &StatementContext, after: &StatementContext) -> Result<String> {
    let bound = bind::bind_stored(table, ROW, text, before)?;
    expression(&bound, table, after)
}
