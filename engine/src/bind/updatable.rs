//! Changes through views (manual, "CREATE VIEW", Updatable Views; PostgreSQL's view_query_is_auto_updatable and rewriteTargetView): a
//! statement that names a view changes the one table under it.

use std::sync::Arc;

use aegis_catalog::object::{Column, Relation, RelationKind};
use aegis_catalog::{Error, Oid, Result, sqlstate};

use super::scope::{Item, ItemColumn, WholeRow};
use super::tree::{Distinct, Expr, ExprKind, From, Query, RelId, RowCheck, Select, SetExpr, Through, ThroughView};
use super::{Binder, RelSource, walk};
use crate::parse::ast::TableAlias;

/// What a statement changes: a table, by its own columns or by those of a view.
#[derive(Clone)]
pub(super) struct TargetTable {
    pub(super) table: Arc<Relation>,
    /// The columns as the statement names them, with the numbers and defaults of the table's; 0 is the number of a column that can't be
    /// changed. The table itself if it is named.
    pub(super) names: Arc<Relation>,
    view: Option<Arc<Relation>>,
}

/// A row of the target as the statement sees it.
pub(super) struct TargetRow {
    pub(super) rel: RelId,
    pub(super) item: Item,
    /// A view names its table with ONLY.
    pub(super) only: bool,
    /// What the views show of the table: the conditions that hold for their rows, innermost first.
    pub(super) conditions: Vec<Expr>,
    /// WITH CHECK OPTION, innermost first.
    pub(super) checks: Vec<(RowCheck, Expr)>,
    pub(super) through: Option<Box<Through>>,
}

/// How a statement changes rows, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Insert,
    Update,
    Delete,
}

impl TargetTable {
    pub(super) fn of_table(table: Arc<Relation>) -> Self {
        Self { names: table.clone(), table, view: None }
    }

    /// The column of a table's column as the statement names it, which may have a default of its own.
    pub(super) fn named<'c>(&'c self, column: &'c Column) -> &'c Column {
        self.names.live_columns().find(|named| named.attnum == column.attnum).unwrap_or(column)
    }
}

/// 0A000 for a column of a view that is no column of the table.
pub(super) fn check_changeable(names: &Relation, column: &Column, change: Change) -> Result<()> {
    if column.attnum != 0 {
        return Ok(());
    }
    let verb = if change == Change::Insert { "insert into" } else { "update" };
    let message = format!("cannot {verb} column \"{}\" of view \"{}\"", column.name, names.name);
    Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message)
        .with_detail("View columns that are not columns of their base relation are not updatable."))
}

/// A view taken apart down to its table.
struct Flattened {
    rel: RelId,
    table: Arc<Relation>,
    only: bool,
    /// Over the table.
    columns: Vec<Expr>,
    conditions: Vec<Expr>,
    checks: Vec<(RowCheck, Expr)>,
    /// Outermost last.
    views: Vec<ThroughView>,
    barrier: bool,
}

/// What keeps a view from being changed through; None if nothing does.
fn obstacle(query: &Query) -> Option<&'static str> {
    if !query.ctes.is_empty() {
        return Some("Views containing WITH are not automatically updatable.");
    }
    let select: &Select = match &query.body {
        SetExpr::Select(select) => select,
        SetExpr::Operation { .. } => {
            return Some("Views containing UNION, INTERSECT, or EXCEPT are not automatically updatable.");
        }
        SetExpr::Values(_) => return Some(NO_SINGLE_TABLE),
    };
    if select.distinct != Distinct::None {
        return Some("Views containing DISTINCT are not automatically updatable.");
    }
    if let Some(grouping) = &select.grouping {
        return Some(match grouping.written > 0 || grouping.sets.is_some() {
            true => "Views containing GROUP BY are not automatically updatable.",
            false if select.having.is_some() => "Views containing HAVING are not automatically updatable.",
            false => "Views that return aggregate functions are not automatically updatable.",
        });
    }
    if query.limit.is_some() || query.offset.is_some() {
        return Some("Views containing LIMIT or OFFSET are not automatically updatable.");
    }
    if select.windows.is_some() {
        return Some("Views that return window functions are not automatically updatable.");
    }
    if select.set_functions.is_some() {
        return Some("Views that return set-returning functions are not automatically updatable.");
    }
    match &select.from {
        Some(From::Table { sample: Some(_), .. }) => {
            Some("Views containing TABLESAMPLE are not automatically updatable.")
        }
        Some(From::Table { relation, .. })
            if matches!(relation.kind, RelationKind::Table(_)) && relation.materialized().is_none() =>
        {
            None
        }
        Some(From::Subquery { view: Some(_), .. }) => None,
        _ => Some(NO_SINGLE_TABLE),
    }
}

const NO_SINGLE_TABLE: &str = "Views that do not select from a single table or view are not automatically updatable.";

impl Binder<'_> {
    /// The view as the target of a change.
    pub(super) fn target_view(&mut self, view: &Arc<Relation>, change: Change) -> Result<TargetTable> {
        let flattened = self.flatten(view, change)?;
        let table = flattened.table.clone();
        let columns = view.live_columns().zip(&flattened.columns).map(|(column, expr)| {
            match base_column(expr, flattened.rel, &table) {
                Some(base) if column.default.is_some() => Column {
                    name: column.name.clone(),
                    default: column.default.clone(),
                    identity: None,
                    ..base.clone()
                },
                Some(base) => Column { name: column.name.clone(), ..base.clone() },
                None => Column { attnum: 0, ..column.clone() },
            }
        });
        let columns: Vec<Column> = columns.collect();
        if change != Change::Delete && columns.iter().all(|column| column.attnum == 0) {
            let detail = "Views that have no updatable columns are not automatically updatable.";
            return Err(not_updatable(view, change, detail));
        }
        let names = Arc::new(Relation { columns, ..Relation::clone(view) });
        Ok(TargetTable { table, names, view: Some(view.clone()) })
    }

    /// A row of the target, old or new, with the columns that it brings in sight.
    pub(super) fn target_row(
        &mut self,
        target: &TargetTable,
        alias: Option<&TableAlias>,
        change: Change,
    ) -> Result<TargetRow> {
        let Some(view) = &target.view else {
            let rel = self.new_rel(RelSource::Table(target.table.clone()));
            let item = self.table_item(rel, &target.table, alias)?;
            let (conditions, checks) = (Vec::new(), Vec::new());
            return Ok(TargetRow { rel, item, only: false, conditions, checks, through: None });
        };
        let flattened = self.flatten(view, change)?;
        let depth = self.levels.len();
        if let Some(info) = self.rels.get_mut(&flattened.rel) {
            info.depth = depth;
        }
        let columns = view.live_columns().zip(flattened.columns);
        let columns = columns.map(|(column, expr)| ItemColumn { name: column.name.clone(), expr }).collect();
        let shown = alias.map_or(view.name.as_str(), |alias| &alias.name.name);
        let mut item = Item::new(Some(shown.to_owned()), columns);
        super::from::rename_columns(&mut item.columns, shown, alias)?;
        item.relation = alias.is_none().then(|| view.clone());
        item.whole_row = WholeRow::Row(aegis_catalog::Type::of(view.row_type));
        let mut views = flattened.views;
        views.reverse();
        let through = Some(Box::new(Through { views, barrier: flattened.barrier }));
        let (conditions, checks) = (flattened.conditions, flattened.checks);
        Ok(TargetRow { rel: flattened.rel, item, only: flattened.only, conditions, checks, through })
    }

    fn flatten(&mut self, view: &Arc<Relation>, change: Change) -> Result<Flattened> {
        let definition = view.view().ok_or_else(|| Error::internal("a view that is none"))?;
        let query = self.view_query(view.oid, definition)?;
        self.flatten_query(view, query, false, change)
    }

    /// `checked` says that a view around this one has WITH CASCADED CHECK OPTION.
    fn flatten_query(&self, view: &Arc<Relation>, query: Query, checked: bool, change: Change) -> Result<Flattened> {
        if let Some(detail) = obstacle(&query) {
            return Err(not_updatable(view, change, detail));
        }
        let definition = view.view().ok_or_else(|| Error::internal("a view that is none"))?;
        let cascades = checked || definition.check_option.as_deref() == Some("cascaded");
        let checks_own = cascades || definition.check_option.is_some();
        let SetExpr::Select(select) = query.body else {
            return Err(Error::internal("a view that was found to be a SELECT"));
        };
        let Select { from, filter, mut targets, .. } = *select;
        targets.truncate(view.live_columns().count());
        let mut flattened = match from {
            Some(From::Table { rel, relation, only, .. }) => {
                let (columns, conditions, checks, views) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
                Flattened { rel, table: relation, only, columns, conditions, checks, views, barrier: false }
            }
            Some(From::Subquery { rel, query, view: Some(inner), .. }) => {
                let inner = self.catalog.relation(inner).cloned();
                let inner = inner.ok_or_else(|| Error::internal("a view that is gone"))?;
                let flattened = self.flatten_query(&inner, *query, cascades, change)?;
                let replace = |expr: &mut Expr| replace_columns(expr, rel, &flattened.columns);
                targets.iter_mut().for_each(replace);
                let mut filter = filter;
                filter.iter_mut().for_each(|filter| replace_columns(filter, rel, &flattened.columns));
                return Ok(self.around(view, flattened, targets, filter, checks_own));
            }
            _ => return Err(Error::internal("a view over something else than a table")),
        };
        flattened = self.around(view, flattened, targets, filter, checks_own);
        Ok(flattened)
    }

    /// Adds a view to what is under it.
    fn around(
        &self,
        view: &Relation,
        mut inner: Flattened,
        columns: Vec<Expr>,
        filter: Option<Expr>,
        checked: bool,
    ) -> Flattened {
        let numbers = columns.iter().map(|expr| match expr.kind {
            ExprKind::Column { rel, column } if rel == inner.rel => {
                inner.table.columns.get(column).map(|column| column.attnum)
            }
            _ => None,
        });
        let columns_of_table = numbers.zip(1..).filter_map(|(base, own)| Some((base?, own))).collect();
        inner.views.push(ThroughView {
            view: view.oid,
            columns: columns_of_table,
            invoker: view.view().is_some_and(|view| view.has_option("security_invoker")),
            conditions: usize::from(filter.is_some()),
        });
        inner.barrier |= view.view().is_some_and(|view| view.has_option("security_barrier"));
        if let Some(filter) = filter {
            if checked {
                inner.checks.push((RowCheck::View(view.name.clone()), filter.clone()));
            }
            inner.conditions.push(filter);
        }
        inner.columns = columns;
        inner
    }
}

/// The table's column that a view's column is.
fn base_column<'t>(expr: &Expr, rel: RelId, table: &'t Relation) -> Option<&'t Column> {
    match expr.kind {
        ExprKind::Column { rel: of, column } if of == rel => table.columns.get(column).filter(|column| !column.dropped),
        _ => None,
    }
}

fn replace_columns(expr: &mut Expr, rel: RelId, columns: &[Expr]) {
    if let ExprKind::Column { rel: of, column } = expr.kind
        && of == rel
    {
        if let Some(inner) = columns.get(column) {
            *expr = Expr { span: expr.span, ..inner.clone() };
        }
        return;
    }
    walk::children(expr, &mut |child| replace_columns(child, rel, columns));
}

fn not_updatable(view: &Relation, change: Change, detail: &str) -> Error {
    let (verb, gerund, event) = match change {
        Change::Insert => ("insert into", "inserting into the view", "INSERT"),
        Change::Update => ("update", "updating the view", "UPDATE"),
        Change::Delete => ("delete from", "deleting from the view", "DELETE"),
    };
    let message = format!("cannot {verb} view \"{}\"", view.name);
    let hint = format!(
        "To enable {gerund}, provide an INSTEAD OF {event} trigger or an unconditional ON {event} DO INSTEAD rule."
    );
    Error::new(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, message).with_detail(detail).with_hint(hint)
}

/// Which changes a view takes, as bits of `pg_relation_is_updatable`, and which of its columns.
pub fn updatable(view: &Arc<Relation>, context: &crate::session::context::StatementContext) -> Option<(i32, Vec<i16>)> {
    let mut binder = Binder::new("", context, super::parameter::Parameters::none());
    let flattened = binder.flatten(view, Change::Delete).ok()?;
    let columns = view.live_columns().zip(&flattened.columns);
    let columns: Vec<i16> = columns
        .filter(|(_, expr)| base_column(expr, flattened.rel, &flattened.table).is_some())
        .map(|(column, _)| column.attnum)
        .collect();
    const DELETE: i32 = 1 << 4;
    const INSERT_AND_UPDATE: i32 = 1 << 3 | 1 << 2;
    Some((if columns.is_empty() { DELETE } else { DELETE | INSERT_AND_UPDATE }, columns))
}

/// The role in whose name what is under a view is used; `user` runs the statement.
pub fn role_under(view: &Relation, user: Oid) -> Oid {
    match view.view().is_some_and(|view| view.has_option("security_invoker")) {
        true => user,
        false => view.owner,
    }
}
