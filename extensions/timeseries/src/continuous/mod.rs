//! Continuous aggregates: the result of a query that groups by `time_bucket`, kept in a hypertable of its own and brought up to date by ranges
//! of time. Which ranges are out of date is noted with every commit that changes rows of the source.
//!
//! Each has four relations: the view that users see; `_direct_view_n`, its query; `_materialized_hypertable_n`, its rows; and the source,
//! which is a hypertable, or the rows of another continuous aggregate.

mod create;
mod parameters;
mod ranges;
mod refresh;

use aegis_engine::extension::{
    Caller, Catalog, Committing, Error, Oid, Parameters, Relation, Result, Row, Symbols, quote_identifier, row, session,
};

use crate::hypertable::{TimeType, qualified, time_of};
use crate::labels;
pub use create::of_label;
pub use parameters::{boolean, unknown};
use ranges::Range;
pub use refresh::window as refresh_window;

pub fn symbols() -> Symbols {
    vec![("ts_continuous_agg_refresh", session!(refresh::refresh))]
}

pub const PARAMETERS: Parameters = Parameters {
    namespaces: &["timescaledb", "tsdb", "aegis"],
    bare: &["ttl"],
    relation: |caller, relation, written, created| Box::pin(parameters::apply(caller, relation, written, created)),
    materialized_view: |caller, view, written| Box::pin(create::create(caller, view, written)),
};

/// Notes what a commit has changed as out of date in all aggregates over the table.
pub const COMMITTING: Committing = |caller, table, changed| Box::pin(note(caller, table, changed));

async fn note(mut caller: Caller<'_>, table: Oid, changed: Vec<Range>) -> Result<()> {
    // The rows of a dump are those that the aggregates in it were made of.
    if labels::is_restoring(&caller) {
        return Ok(());
    }
    for (from, until) in changed {
        const SQL: &str = "INSERT INTO _timescaledb_catalog.invalidation (aggregate, lo, hi)
            SELECT id, $2, $3 FROM _timescaledb_catalog.continuous_agg WHERE source = $1";
        caller.query_as_owner(SQL, row![table, from, until]).await?;
    }
    Ok(())
}

/// A continuous aggregate, as the extension's catalog has it.
#[derive(Debug, Clone)]
pub struct Aggregate {
    pub id: i32,
    pub view: Oid,
    pub direct: Oid,
    pub materialization: Oid,
    pub source: Oid,
    /// The column of the bucket in the materialization.
    pub bucket: String,
    /// The start of the bucket of `$1`, and of the bucket behind the one that starts at `$1`, in SQL.
    pub floor: String,
    pub next: String,
    pub width: String,
    pub real_time: bool,
}

const COLUMNS: &str = "id, view, direct, materialization, source, bucket::text, floor, next, width, real_time";

impl Aggregate {
    fn of(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            view: row.get(1)?,
            direct: row.get(2)?,
            materialization: row.get(3)?,
            source: row.get(4)?,
            bucket: row.get::<&str>(5)?.to_owned(),
            floor: row.get::<&str>(6)?.to_owned(),
            next: row.get::<&str>(7)?.to_owned(),
            width: row.get::<&str>(8)?.to_owned(),
            real_time: row.get(9)?,
        })
    }

    /// The aggregate that users see as this view.
    pub async fn of_view(caller: &mut Caller<'_>, view: Oid) -> Result<Option<Self>> {
        let sql = format!("SELECT {COLUMNS} FROM _timescaledb_catalog.continuous_agg WHERE view = $1");
        let rows = caller.query_as_owner(&sql, row![view]).await?;
        rows.first().map(Self::of).transpose()
    }

    /// The hypertable that a name means: itself, or the rows of a continuous aggregate.
    pub async fn table_of(caller: &mut Caller<'_>, relation: Oid) -> Result<Oid> {
        Ok(Self::of_view(caller, relation).await?.map_or(relation, |aggregate| aggregate.materialization))
    }

    async fn of_source(caller: &mut Caller<'_>, source: Oid) -> Result<Vec<Self>> {
        let sql = format!("SELECT {COLUMNS} FROM _timescaledb_catalog.continuous_agg WHERE source = $1");
        caller.query_as_owner(&sql, row![source]).await?.iter().map(Self::of).collect()
    }

    /// The type of the bucket.
    fn time(&self, caller: &Caller<'_>) -> Result<TimeType> {
        let catalog = caller.catalog()?;
        time_of(self.part(&catalog, self.materialization)?)
    }

    /// One of its relations.
    fn part<'c>(&self, catalog: &'c Catalog, relation: Oid) -> Result<&'c Relation> {
        let found = catalog.relation(relation).map(AsRef::as_ref);
        found.ok_or_else(|| Error::internal("an aggregate without its relations"))
    }

    /// The bucket's column in the rows and in the direct view, where it may have another name, as SQL writes them.
    fn bucket_columns(&self, rows: &Relation, direct: &Relation) -> (String, String) {
        let position = rows.live_columns().position(|column| column.name == self.bucket).unwrap_or_default();
        let fresh = direct.live_columns().nth(position).map_or(self.bucket.as_str(), |column| column.name.as_str());
        (quote_identifier(&self.bucket).into_owned(), quote_identifier(fresh).into_owned())
    }

    /// What of it is out of date.
    async fn invalid(&self, caller: &mut Caller<'_>) -> Result<Vec<Range>> {
        const SQL: &str = "SELECT lo, hi FROM _timescaledb_catalog.invalidation WHERE aggregate = $1";
        let rows = caller.query_as_owner(SQL, row![self.id]).await?;
        let ranges = rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<_>>()?;
        Ok(ranges::merged(ranges))
    }

    async fn set_invalid(&self, caller: &mut Caller<'_>, ranges: &[Range]) -> Result<()> {
        const CLEAR: &str = "DELETE FROM _timescaledb_catalog.invalidation WHERE aggregate = $1";
        caller.query_as_owner(CLEAR, row![self.id]).await?;
        for (from, until) in ranges {
            const NOTE: &str = "INSERT INTO _timescaledb_catalog.invalidation (aggregate, lo, hi) VALUES ($1, $2, $3)";
            caller.query_as_owner(NOTE, row![self.id, *from, *until]).await?;
        }
        Ok(())
    }

    /// The query of the view that users see, whose columns have these names.
    fn text(&self, caller: &Caller<'_>, names: &[String]) -> Result<String> {
        let catalog = caller.catalog()?;
        let list = |relation: &Relation| {
            let columns = relation.live_columns().zip(names);
            let columns = columns
                .map(|(column, name)| format!("{} AS {}", quote_identifier(&column.name), quote_identifier(name)));
            columns.collect::<Vec<_>>().join(", ")
        };
        let (rows, direct) = (self.part(&catalog, self.materialization)?, self.part(&catalog, self.direct)?);
        let kept = format!("SELECT {} FROM {}", list(rows), qualified(&catalog, rows));
        if !self.real_time {
            return Ok(kept);
        }
        let mark = self
            .time(caller)?
            .from_units(&format!("(SELECT watermark FROM _timescaledb_catalog.continuous_agg WHERE id = {})", self.id));
        let (bucket, fresh) = self.bucket_columns(rows, direct);
        Ok(format!(
            "{kept} WHERE {bucket} < {mark} UNION ALL SELECT {} FROM {} WHERE {fresh} >= {mark}",
            list(direct),
            qualified(&catalog, direct)
        ))
    }
}
