//! Tables whose rows are kept by windows of one column ([`Windows`]): which windows a transaction changes, and a view for each window
//! that has had rows, by which it can be named, measured and dropped. TimescaleDB calls such tables hypertables and the windows chunks.

mod touched;

use std::sync::Arc;

use aegis_catalog::fixed_oid::{PG_CLASS, PG_EXTENSION};
use aegis_catalog::object::{Column, ObjectAddress, Relation, RelationKind, View, Window, Windows};
use aegis_catalog::types::{FormatSettings, format_type, oid, text_of};
use aegis_catalog::{Catalog, Error, Oid, Result, sqlstate};
use aegis_storage::lock::TableMode;
use arrow::array::{ArrayRef, Int64Array};
use arrow::compute::cast;

use crate::bind;
use crate::extension::Caller;
use crate::parse::ast::Statement;
use crate::session::context::StatementContext;
use crate::session::{Session, clock};
use crate::statement::{drop, namespace, stored_text};

pub use touched::{Grains, Touched};

/// Grains with new rows, by their first values, that no window of the table holds.
fn without_window<'a>(table: Oid, grains: &'a Grains, catalog: &'a Catalog) -> impl Iterator<Item = i64> + 'a {
    let new = grains.numbers.iter().filter(|(_, new)| **new).map(|(number, _)| grains.range(*number).0);
    new.filter(move |value| !catalog.windows_around(table, *value).0.is_some_and(|window| window.holds(*value)))
}

impl Session {
    /// What a commit does about windows while it may still fail: makes those that are missing, which holds off who makes others of the same
    /// table until the transaction ends, and tells who watches.
    pub(crate) async fn settle_windows(&mut self) -> Result<()> {
        self.make_windows(false).await?;
        self.tell_watchers().await
    }

    /// After a statement: makes windows of tables that nobody else knows yet.
    pub(crate) async fn make_own_windows(&mut self) -> Result<()> {
        self.make_windows(true).await
    }

    async fn make_windows(&mut self, own: bool) -> Result<()> {
        for table in self.tables_without_window(own)? {
            let context = self.context()?;
            let lock = std::iter::once((table, TableMode::ShareUpdateExclusive));
            self.lock_relations(lock, false, &context).await?;
            // Others may have made them, also where the transaction's snapshot does not show it.
            let committed = self.shared.catalog.current(context.database_oid)?;
            let missing: Vec<i64> = match self.grains(table) {
                Some(grains) => without_window(table, grains, &committed).collect(),
                None => continue,
            };
            let catalog = self.catalog()?;
            let last = catalog.windows_of(table).filter_map(|view| Some(view.window()?.number)).max();
            let mut number = last.unwrap_or_default();
            for value in missing {
                if self.make_window(table, value, number + 1)? {
                    number += 1;
                }
            }
        }
        Ok(())
    }

    /// The grains of a table that the transaction has changed.
    fn grains(&self, table: Oid) -> Option<&Grains> {
        self.transaction.as_ref()?.tables.touched.of_table(table)
    }

    /// The tables of `touched` that have new rows in no window; with `own` only those that nobody else knows yet.
    fn tables_without_window(&self, own: bool) -> Result<Vec<Oid>> {
        let Some(open) = self.transaction.as_ref().filter(|open| !open.tables.touched.is_empty()) else {
            return Ok(Vec::new());
        };
        let catalog = self.catalog()?;
        let committed = self.shared.catalog.current(self.backend.database_oid)?;
        let is_known = |table| committed.relation(table).is_some_and(|table| table.windows().is_some());
        let lacks = |(table, grains): &(Oid, &Grains)| {
            !(own && is_known(*table)) && without_window(*table, grains, &catalog).next().is_some()
        };
        Ok(open.tables.touched.tables().filter(lacks).map(|(table, _)| table).collect())
    }

    /// Tells extensions which rows of watched tables the transaction has changed, while it can still write.
    async fn tell_watchers(&mut self) -> Result<()> {
        for (table, ranges) in self.watched_ranges()? {
            let context = self.context()?;
            for extension in context.extensions.all() {
                let installed = context.catalog.descriptor_by_name(PG_EXTENSION, 0, extension.name);
                if let (Some(committing), Some(installed)) = (extension.committing, installed) {
                    committing(Caller::new(self, true, installed.owner), table, ranges.clone()).await?;
                }
            }
        }
        Ok(())
    }

    /// Of tables that are watched, the ranges with changed rows that somebody watches.
    fn watched_ranges(&self) -> Result<Vec<(Oid, Vec<(i64, i64)>)>> {
        let Some(open) = self.transaction.as_ref().filter(|open| !open.tables.touched.is_empty()) else {
            return Ok(Vec::new());
        };
        // Who begins to watch waits for writers, and is then seen by those that come.
        let catalogs = [self.shared.catalog.current(self.backend.database_oid)?, self.catalog()?];
        let ranges = open.tables.touched.tables().filter_map(|(table, grains)| {
            let watched = catalogs.iter().filter_map(|catalog| catalog.relation(table)?.windows()?.watched).max()?;
            Some((table, grains.ranges(watched)))
        });
        Ok(ranges.filter(|(_, ranges)| !ranges.is_empty()).collect())
    }

    /// Makes the window of a value; false if there is one.
    fn make_window(&mut self, table: Oid, value: i64, number: u32) -> Result<bool> {
        let context = self.context()?;
        // Dropped by this transaction after its rows were written.
        let Some(table) = context.catalog.relation(table).cloned() else { return Ok(false) };
        let Some(windows) = table.windows() else { return Ok(false) };
        let (before, behind) = context.catalog.windows_around(table.oid, value);
        if before.is_some_and(|window| window.holds(value)) {
            return Ok(false);
        }
        let (from, until) = windows.window_of(value, before, behind);
        let window = Window { table: table.oid, from, until, number, created: clock::now() };
        let name = format!("{}_{number}_chunk", windows.prefix);
        let view = view_of(&table, windows, window, &context)?;
        let relation = Relation {
            oid: 0,
            schema: windows.schema,
            name,
            owner: table.owner,
            persistence: table.persistence,
            row_type: 0,
            row_array_type: 0,
            columns: columns_of(&table),
            kind: RelationKind::View(view),
        };
        let open = self.writable("INSERT")?;
        open.catalog.create_relation(open.tables.permanent(), relation)?;
        Ok(true)
    }

    /// The table has other columns now: so have the views of its windows.
    pub(crate) fn refresh_windows(&mut self, table: Oid) -> Result<()> {
        let context = self.context()?;
        let Some(table) = context.catalog.relation(table).cloned() else { return Ok(()) };
        let Some(windows) = table.windows() else { return Ok(()) };
        for old in context.catalog.windows_of(table.oid) {
            let Some(view) = old.view() else { continue };
            let Some(window) = view.window.clone() else { continue };
            let new = View { rule: view.rule, ..view_of(&table, windows, window, &context)? };
            let columns = columns_of(&table);
            let new = Relation { columns, kind: RelationKind::View(new), ..Relation::clone(old) };
            if new != **old {
                let open = self.writable("ALTER TABLE")?;
                open.catalog.replace_relation(open.tables.permanent(), new)?;
            }
        }
        Ok(())
    }

    /// Makes a table one of windows, or changes how they are.
    pub(crate) fn set_windows(&mut self, table: Oid, windows: Windows) -> Result<()> {
        let catalog = self.catalog()?;
        let found = catalog.relation(table);
        let found =
            found.ok_or_else(|| Error::new(sqlstate::UNDEFINED_TABLE, format!("relation {table} does not exist")))?;
        let mut changed = Relation::clone(found);
        let RelationKind::Table(kind) = &mut changed.kind else {
            return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, format!("\"{}\" is not a table", changed.name)));
        };
        kind.windows = Some(windows);
        let format = self.format_settings();
        let open = self.writable("ALTER TABLE")?;
        let changed = open.catalog.replace_relation(open.tables.permanent(), changed)?;
        crate::statement::table_storage::update(open, &changed, None, &format)
    }

    /// Notes the windows of all rows of a table as new.
    pub(crate) fn note_windows(&mut self, table: Oid) -> Result<()> {
        let catalog = self.catalog()?;
        let open = self.writable("ALTER TABLE")?;
        let Some(storage) = catalog.relation(table).and_then(|table| table.table()?.rows()) else { return Ok(()) };
        open.tables.note_all(storage)
    }

    /// Windows are no more, and what rests on their views; the rows stay.
    pub(crate) fn drop_windows(&mut self, views: impl Iterator<Item = Oid>) -> Result<()> {
        let roots: Vec<_> = views.map(|view| ObjectAddress::new(PG_CLASS, view)).collect();
        if roots.is_empty() { Ok(()) } else { drop::cascade(self, &roots) }
    }
}

/// Columns of a window's view.
fn columns_of(table: &Relation) -> Vec<Column> {
    let numbered = table.live_columns().zip(1..);
    numbered
        .map(|(column, number)| Column { collation: column.collation, ..Column::new(&column.name, number, column.ty) })
        .collect()
}

/// `SELECT * FROM table WHERE from <= column AND column < until`, as views are kept.
fn view_of(table: &Relation, windows: &Windows, window: Window, context: &StatementContext) -> Result<View> {
    let column =
        table.column(windows.column).ok_or_else(|| Error::internal("a table of windows without their column"))?;
    let name = namespace::quoted(None, &column.name);
    let mut conditions = Vec::new();
    for (value, operator) in [(window.from, ">="), (window.until, "<")] {
        if !matches!(value, i64::MIN | i64::MAX) {
            conditions.push(format!("{name} {operator} {}", literal(value, column, &context.catalog)?));
        }
    }
    let schema = context.catalog.schema(table.schema).map(|schema| schema.name.as_str());
    let conditions = if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") };
    let sql = format!("SELECT * FROM {} WHERE {conditions}", namespace::quoted(schema, &table.name));
    let parsed = Statement::Query(Box::new(crate::parse::parse_query(&sql)?));
    let bound = bind::bind(&parsed, &sql, &[], context)?;
    let bind::tree::Statement::Query(query) = &bound.statement else {
        return Err(Error::internal("the query of a window is none"));
    };
    let query = stored_text::query(query, &columns_of(table), context)?;
    Ok(View { query, search_path: Vec::new(), check_option: None, rule: 0, options: Vec::new(), window: Some(window) })
}

/// A value of the column in SQL.
fn literal(value: i64, column: &Column, catalog: &Catalog) -> Result<String> {
    // A bound may be beyond what the column can hold.
    if matches!(column.ty.oid, oid::INT2 | oid::INT4 | oid::INT8) {
        return Ok(format!("'{value}'::bigint"));
    }
    let wide: ArrayRef = Arc::new(Int64Array::from(vec![value]));
    let narrow = cast(&wide, &catalog.arrow_type(column.ty)).map_err(|error| Error::internal(error.to_string()))?;
    let text = text_of(column.ty, &narrow, 0, &FormatSettings::default())?;
    Ok(format!("'{text}'::{}", format_type(column.ty)))
}
