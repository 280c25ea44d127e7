//! FROM items: tables, views, CTEs, sub-queries (PostgreSQL's parse_clause.c, transformFromClause).

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use aegis_catalog::fixed_oid::{PG_EXTENSION, PG_SECLABELS};
use aegis_catalog::name::SearchPath;
use aegis_catalog::object::{Relation, RelationKind, View};
use aegis_catalog::types::oid;
use aegis_catalog::{Error, Oid, Result, Type, sqlstate};

use super::scope::{Clause, CteEntry, Item, ItemColumn, Level, WholeRow};
use super::tree::{Alias, Expr, ExprKind, From, JoinForm, OutputColumn, Query, RelId};
use super::{Binder, RelSource};
use crate::parse::ast::{self, JoinKind, Name, Span, TableAlias, TableExpr};

/// Nesting of views in views.
const MAX_VIEWS: usize = 100;

impl Binder<'_> {
    /// The FROM list; its items are in sight afterwards.
    pub(super) fn from_list(&mut self, list: &[TableExpr]) -> Result<Option<From>> {
        let mut from = None;
        for table in list {
            let (right, mut items) = self.table_expr(table)?;
            check_aliases(&self.level().items, &items)?;
            for item in &mut items {
                item.lateral_only = true;
                item.lateral_ok = true;
            }
            self.level().items.append(&mut items);
            from = Some(match from {
                None => right,
                Some(left) => From::Join {
                    kind: JoinKind::Cross,
                    left: Box::new(left),
                    right: Box::new(right),
                    condition: None,
                    form: Box::new(JoinForm { listed: true, ..JoinForm::default() }),
                },
            });
        }
        for item in &mut self.level().items {
            item.lateral_only = false;
            item.lateral_ok = true;
        }
        Ok(from)
    }

    /// One FROM item and the names it brings.
    pub(super) fn table_expr(&mut self, table: &TableExpr) -> Result<(From, Vec<Item>)> {
        self.nested(|binder| match table {
            TableExpr::Table { name, only, alias, sample } => {
                let (mut from, items) = binder.named_table(name, *only, alias.as_ref())?;
                if let Some(sample) = sample {
                    binder.sampled(&mut from, sample, name.span)?;
                }
                Ok((from, items))
            }
            TableExpr::Subquery { query, lateral, alias, span } => {
                binder.from_subquery(query, *lateral, alias.as_ref(), *span)
            }
            TableExpr::Function(function) => binder.function_scan(function),
            TableExpr::Join(join) => binder.join(join),
        })
    }

    fn named_table(&mut self, name: &Name, only: bool, alias: Option<&TableAlias>) -> Result<(From, Vec<Item>)> {
        if let [table] = name.parts.as_slice()
            && let Some(entry) = self.cte_named(&table.name)
        {
            return self.cte_scan(entry, name, alias);
        }
        let relation = self.relation_named(name)?;
        let (from, item) = self.relation_scan(&relation, only, alias, name.span)?;
        Ok((from, vec![item]))
    }

    fn cte_named(&self, name: &str) -> Option<CteEntry> {
        for level in self.levels.iter().rev() {
            if let Some(entry) = level.ctes.iter().rev().find(|entry| entry.name == name) {
                return Some(entry.clone());
            }
            if level.barrier {
                return None;
            }
        }
        None
    }

    fn cte_scan(&mut self, entry: CteEntry, name: &Name, alias: Option<&TableAlias>) -> Result<(From, Vec<Item>)> {
        let Some(columns) = entry.columns else {
            let message = format!(
                "recursive reference to query \"{}\" must not appear within its non-recursive term",
                entry.name
            );
            return Err(Error::new(sqlstate::INVALID_RECURSION, message).at(name.span.start));
        };
        if columns.is_empty() {
            let message = format!("WITH query \"{}\" does not have a RETURNING clause", entry.name);
            return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message).at(name.span.start));
        }
        self.count_reference(entry.id);
        let rel = self.new_rel(RelSource::Output(columns.clone()));
        let shown = alias.map_or(entry.name.as_str(), |alias| &alias.name.name);
        let item = self.output_item(rel, &columns, shown, alias)?;
        Ok((From::Cte { rel, cte: entry.id, columns, alias: alias.map(alias_of) }, vec![item]))
    }

    /// The relation of that name; 42P01 if there is none.
    pub(super) fn relation_named(&mut self, name: &Name) -> Result<Arc<Relation>> {
        let Some((schema, table)) = self.relation_parts(&name.parts)? else {
            let message = "improper relation name (too many dotted names)";
            return Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(name.span.start));
        };
        if let Some(schema) = schema {
            let schema = self.catalog.resolve_schema(schema, &self.search_path);
            super::access::check_schema(schema, self.context)?;
        }
        let found = self.catalog.resolve_relation(schema, &table.name, &self.search_path)?;
        let Some(relation) = found else {
            let shown = match schema {
                Some(schema) => format!("{schema}.{}", table.name),
                None => table.name.clone(),
            };
            let message = format!("relation \"{shown}\" does not exist");
            return Err(Error::new(sqlstate::UNDEFINED_TABLE, message).at(name.span.start));
        };
        self.relations.insert(relation.oid);
        Ok(relation)
    }

    fn relation_scan(
        &mut self,
        relation: &Arc<Relation>,
        only: bool,
        alias: Option<&TableAlias>,
        span: Span,
    ) -> Result<(From, Item)> {
        match &relation.kind {
            RelationKind::View(_) => self.view_scan(relation, alias, span),
            RelationKind::Composite => {
                let message = format!("\"{}\" is a composite type", relation.name);
                Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message).at(span.start))
            }
            RelationKind::Index(_) => {
                let message = format!("cannot open relation \"{}\"", relation.name);
                Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message)
                    .with_detail("This operation is not supported for indexes.")
                    .at(span.start))
            }
            RelationKind::Table(_) | RelationKind::Sequence(_) | RelationKind::System => {
                let rel = self.new_rel(RelSource::Table(relation.clone()));
                let item = self.table_item(rel, relation, alias)?;
                Ok((
                    From::Table { rel, relation: relation.clone(), only, alias: alias.map(alias_of), sample: None },
                    item,
                ))
            }
        }
    }

    /// The names that a stored table brings.
    pub(super) fn table_item(
        &mut self,
        rel: RelId,
        relation: &Arc<Relation>,
        alias: Option<&TableAlias>,
    ) -> Result<Item> {
        self.collated |= super::collation::is_collated(relation);
        let columns = relation.columns.iter().enumerate().filter(|(_, column)| !column.dropped);
        let columns = columns
            .map(|(position, column)| ItemColumn {
                name: column.name.clone(),
                expr: column_expr(rel, position, column.ty),
            })
            .collect();
        let shown = alias.map_or(relation.name.as_str(), |alias| &alias.name.name);
        let mut item = Item::new(Some(shown.to_owned()), columns);
        rename_columns(&mut item.columns, shown, alias)?;
        item.relation = alias.is_none().then(|| relation.clone());
        item.table = Some((rel, relation.clone()));
        if relation.row_type != 0 {
            item.whole_row = WholeRow::Row(Type::of(relation.row_type));
        }
        Ok(item)
    }

    /// A view is its query as a sub-query, bound under the search path it was written under.
    fn view_scan(&mut self, relation: &Arc<Relation>, alias: Option<&TableAlias>, span: Span) -> Result<(From, Item)> {
        let view = relation.view().ok_or_else(|| Error::internal("a view that is none"))?;
        if self.views.contains(&relation.oid) || self.views.len() >= MAX_VIEWS {
            let message = format!("infinite recursion detected in rules for relation \"{}\"", relation.name);
            return Err(Error::new(sqlstate::INVALID_OBJECT_DEFINITION, message).at(span.start));
        }
        let query = self.view_query(relation.oid, view).map_err(|mut error| {
            error.fields_mut().position = Some(span.start);
            error
        })?;
        let columns: Vec<_> = relation
            .live_columns()
            .zip(&query.columns)
            .map(|(column, output)| OutputColumn {
                name: column.name.clone(),
                ty: output.ty,
                origin: Some((relation.oid, column.attnum)),
            })
            .collect();
        let rel = self.new_rel(RelSource::Output(columns.clone()));
        let shown = alias.map_or(relation.name.as_str(), |alias| &alias.name.name);
        let mut item = self.output_item(rel, &columns, shown, alias)?;
        item.relation = alias.is_none().then(|| relation.clone());
        item.whole_row = WholeRow::Row(Type::of(relation.row_type));
        self.note_shapes(rel, &query);
        let view = Some(relation.oid);
        let alias = alias.map(alias_of);
        Ok((From::Subquery { rel, query: Box::new(query), lateral: false, view, alias }, item))
    }

    /// The query of a view, which sees nothing of the statement around it.
    pub(super) fn view_query(&mut self, oid: Oid, view: &View) -> Result<Query> {
        let parsed = crate::parse::parse_query(&self.written_query(oid, view))?;
        let path = self.path_of(view);
        let outer_path = std::mem::replace(&mut self.search_path, path);
        self.views.push(oid);
        let mut barrier = Level::new(Clause::From);
        barrier.barrier = true;
        self.levels.push(barrier);
        let query = self.query(&parsed, true);
        self.levels.pop();
        self.views.pop();
        self.search_path = outer_path;
        query
    }

    /// A view's query as it was written; `pg_seclabels` has the labels of the database's extensions too.
    fn written_query<'v>(&self, oid: Oid, view: &'v View) -> Cow<'v, str> {
        let mut text = Cow::Borrowed(view.query.as_str());
        if oid != PG_SECLABELS {
            return text;
        }
        for extension in self.context.extensions.all() {
            let shown = extension.labels.and_then(|labels| {
                self.catalog.descriptor_by_name(PG_EXTENSION, 0, extension.name)?;
                let schema = self.catalog.schema_by_name(labels.shown.0)?;
                self.catalog.relation_by_name(schema.oid, labels.shown.1).map(|_| labels.shown)
            });
            if let Some((schema, name)) = shown {
                let _ = write!(text.to_mut(), " UNION ALL SELECT * FROM {schema}.{name}");
            }
        }
        text
    }

    /// The search path that a view's query is written for.
    pub(super) fn path_of(&self, view: &View) -> SearchPath {
        let temporary = self.search_path.temporary_schema();
        SearchPath::resolve(&self.catalog, &view.search_path, &self.context.user, temporary)
    }

    pub(super) fn from_subquery(
        &mut self,
        query: &ast::Query,
        lateral: bool,
        alias: Option<&TableAlias>,
        span: Span,
    ) -> Result<(From, Vec<Item>)> {
        let Some(alias) = alias else {
            let (what, example) = match query.body {
                ast::SetExpr::Values(_) => ("VALUES in FROM must have an alias", "FROM (VALUES ...) [AS] foo"),
                _ => ("subquery in FROM must have an alias", "FROM (SELECT ...) [AS] foo"),
            };
            return Err(Error::new(sqlstate::SYNTAX_ERROR, what)
                .with_hint(format!("For example, {example}."))
                .at(span.start));
        };
        let query =
            self.lateral(lateral, |binder| binder.in_clause(Clause::From, |binder| binder.query(query, true)))?;
        let columns = query.columns.clone();
        let rel = self.new_rel(RelSource::Output(columns.clone()));
        self.note_shapes(rel, &query);
        let item = self.output_item(rel, &columns, &alias.name.name, Some(alias))?;
        let alias = Some(alias_of(alias));
        Ok((From::Subquery { rel, query: Box::new(query), lateral, view: None, alias }, vec![item]))
    }

    /// Runs `work` with the items to the left in sight if `lateral`.
    pub(super) fn lateral<T>(&mut self, lateral: bool, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let outer = std::mem::replace(&mut self.level().lateral_active, lateral);
        let result = work(self);
        self.level().lateral_active = outer;
        result
    }

    /// Remembers the fields of anonymous records among a query's outputs.
    pub(super) fn note_shapes(&mut self, rel: RelId, query: &Query) {
        let super::tree::SetExpr::Select(select) = &query.body else { return };
        for (position, target) in select.targets.iter().take(query.columns.len()).enumerate() {
            if target.ty.oid == oid::RECORD
                && let Some(fields) = self.fields_of(target)
            {
                self.shapes.insert((rel, position), fields);
            }
        }
    }

    /// The names that a sub-query, CTE or view brings.
    pub(super) fn output_item(
        &self,
        rel: RelId,
        columns: &[OutputColumn],
        shown: &str,
        alias: Option<&TableAlias>,
    ) -> Result<Item> {
        let columns = columns.iter().enumerate();
        let mut columns = columns
            .map(|(position, column)| ItemColumn {
                name: column.name.clone(),
                expr: column_expr(rel, position, column.ty),
            })
            .collect::<Vec<_>>();
        rename_columns(&mut columns, shown, alias)?;
        Ok(Item::new(Some(shown.to_owned()), columns))
    }
}

pub(super) fn column_expr(rel: RelId, column: usize, ty: Type) -> Expr {
    Expr { kind: ExprKind::Column { rel, column }, ty, span: Span::default() }
}

pub(super) fn alias_of(alias: &TableAlias) -> Alias {
    let columns = alias.columns.iter().map(|column| column.name.clone()).collect();
    Alias { name: alias.name.name.clone(), columns }
}

/// Applies the column names of an alias.
pub(super) fn rename_columns(columns: &mut [ItemColumn], shown: &str, alias: Option<&TableAlias>) -> Result<()> {
    let Some(alias) = alias else { return Ok(()) };
    if alias.columns.len() > columns.len() {
        let message = format!(
            "table \"{shown}\" has {} columns available but {} columns specified",
            columns.len(),
            alias.columns.len()
        );
        return Err(Error::new(sqlstate::INVALID_COLUMN_REFERENCE, message));
    }
    for (column, name) in columns.iter_mut().zip(&alias.columns) {
        column.name.clone_from(&name.name);
    }
    Ok(())
}

/// 42712 if a name stands for two items, unless they are unaliased tables of different schemas.
pub(super) fn check_aliases(left: &[Item], right: &[Item]) -> Result<()> {
    for new in right.iter().filter(|item| item.relation_visible) {
        let Some(name) = &new.name else { continue };
        let clash = left.iter().any(|old| {
            old.relation_visible
                && old.name.as_ref() == Some(name)
                && match (&old.relation, &new.relation) {
                    (Some(old), Some(new)) => old.oid == new.oid,
                    _ => true,
                }
        });
        if clash {
            let message = format!("table name \"{name}\" specified more than once");
            return Err(Error::new(sqlstate::DUPLICATE_ALIAS, message));
        }
    }
    Ok(())
}
