//! Cursors: DECLARE, FETCH, MOVE, CLOSE (PostgreSQL manual, "DECLARE", "FETCH").

use std::sync::Arc;

use aegis_catalog::{Error, Result, sqlstate};
use arrow::array::{RecordBatch, UInt64Array};
use arrow::compute::{concat_batches, take_record_batch};
use futures::StreamExt;

use super::{Outcome, current_of};
use crate::bind::tree::{self, Distinct, From, SetExpr};
use crate::parse::ast::{ParsedStatement, Query, SetOperator, Statement};
use crate::parse::utility::{FetchCount, FetchDirection};
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::session::portal::{Cursor, Keep, PortalState, Rows, Tag};
use crate::session::prepared::{Plan, Prepared};
use crate::session::protocol::{Fetched, Format};
use crate::session::transaction::Block;

/// What DECLARE says of a cursor.
pub struct Options {
    pub binary: bool,
    /// SCROLL or NO SCROLL.
    pub scroll: Option<bool>,
    pub hold: bool,
}

pub async fn declare(
    session: &mut Session,
    name: &str,
    options: Options,
    query: &Query,
    sql: &str,
    context: &StatementContext,
) -> Result<Outcome> {
    let in_block = session.transaction.as_ref().is_some_and(|open| open.block == Block::Explicit);
    if !in_block && !options.hold {
        return Err(Error::new(
            sqlstate::NO_ACTIVE_SQL_TRANSACTION,
            "DECLARE CURSOR can only be used in transaction blocks",
        ));
    }
    session.require_new_portal(name)?;
    let parsed =
        ParsedStatement { span: query.span, statement: Statement::Query(Box::new(query.clone())), parameter_count: 0 };
    let (types, values) = std::mem::take(&mut session.utility_parameters);
    let prepared = Arc::new(Prepared::new(name, &Arc::from(sql), Some(Arc::new(parsed)), &types, context)?);
    let plan = prepared.plan(context)?;
    let (plan, position) = match current_of::positioned(&plan.tree).filter(|_| !plan.calls) {
        Some((tree, position)) => (Arc::new(Plan::new(tree, context)?), Some(position)),
        None => (plan, None),
    };
    let Outcome::Rows { rows, .. } = session.run_plan(&plan, values, &Arc::new(context.clone())).await? else {
        return Err(Error::internal("a cursor's query returned no rows"));
    };
    let format = if options.binary { vec![Format::Binary] } else { Vec::new() };
    let mut portal = session.new_portal(prepared, Vec::new(), format);
    let keep = match options.scroll {
        Some(true) => Keep::All,
        Some(false) => Keep::Nothing,
        None if scrolls_by_itself(&plan.tree.statement) => Keep::Some,
        None => Keep::Nothing,
    };
    let scroll = keep != Keep::Nothing;
    portal.state = PortalState::Running(Rows::new(rows, Tag::Counted("SELECT"), keep));
    portal.cursor = Some(Cursor { sql: sql.to_owned(), binary: options.binary, scroll, hold: options.hold, position });
    session.insert_portal(name, portal);
    Outcome::tag("DECLARE CURSOR")
}

/// Whether a cursor declared neither SCROLL nor NO SCROLL may go back: if PostgreSQL's plan of such a query could
/// (`ExecSupportsBackwardScan`).
fn scrolls_by_itself(statement: &tree::Statement) -> bool {
    let tree::Statement::Query(query) = statement else { return false };
    query_scrolls(query)
}

fn query_scrolls(query: &tree::Query) -> bool {
    if !query.locking.is_empty() {
        return false;
    }
    match &query.body {
        SetExpr::Values(_) => true,
        SetExpr::Select(select) => {
            let sorted = !query.order_by.is_empty();
            let plain = select.grouping.is_none() && select.windows.is_none() && select.distinct == Distinct::None;
            select.set_functions.is_none() && plain && (sorted || select.from.as_ref().is_none_or(from_scrolls))
        }
        SetExpr::Operation { .. } if !query.order_by.is_empty() => true,
        SetExpr::Operation { op, all, legs } => *op == SetOperator::Union && *all && legs.iter().all(query_scrolls),
    }
}

fn from_scrolls(from: &From) -> bool {
    match from {
        From::Join { .. } => false,
        From::Subquery { query, .. } => query_scrolls(query),
        From::Table { .. } | From::Function { .. } | From::Cte { .. } => true,
    }
}

pub async fn fetch(
    session: &mut Session,
    name: &str,
    direction: FetchDirection,
    count: FetchCount,
    move_only: bool,
) -> Result<Outcome> {
    start(session, name).await?;
    let portal = session.portals.get_mut(name).ok_or_else(|| undefined(name))?;
    let PortalState::Running(rows) = &mut portal.state else {
        return Err(Error::new(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, format!("portal \"{name}\" cannot be run")));
    };
    let moved = match plan(direction, count) {
        Motion::Forward(limit) => forward(rows, limit).await,
        Motion::Backward(limit) => backward(rows, limit).await,
        Motion::To(target) => one_at(rows, target).await,
    };
    // A cursor that failed is over.
    let batches = moved.inspect_err(|_| portal.state = PortalState::Done)?;
    let batches = match portal.cursor.as_mut().and_then(|cursor| cursor.position.as_mut()) {
        Some(position) => position.shown(batches)?,
        None => batches,
    };
    let total: usize = batches.iter().map(RecordBatch::num_rows).sum();
    if move_only {
        return Outcome::tag(format!("MOVE {total}"));
    }
    let formats = portal.formats.clone();
    if let Some(unnamed) = session.portals.get_mut("") {
        // FETCH from a BINARY cursor sends binary whatever the portal of FETCH says.
        if unnamed.formats.is_empty() {
            unnamed.formats = formats;
        }
    }
    let rows = futures::stream::iter(batches.into_iter().map(Ok)).boxed();
    Ok(Outcome::Rows { rows, tag: Tag::Fixed(format!("FETCH {total}")) })
}

/// A portal that a client has bound and not executed yet may be fetched from, too.
async fn start(session: &mut Session, name: &str) -> Result<()> {
    let portal = session.portals.get(name).ok_or_else(|| undefined(name))?;
    if matches!(portal.state, PortalState::Ready) && portal.columns.is_some() {
        let context = session.context()?;
        Box::pin(session.run_portal(name, &context)).await?;
    }
    Ok(())
}

/// A FETCH in terms of where it goes.
enum Motion {
    /// That many rows on, None is all.
    Forward(Option<u64>),
    Backward(Option<u64>),
    To(Target),
}

/// The one row that ABSOLUTE, RELATIVE, FIRST, LAST and zero counts fetch.
enum Target {
    /// From the start, one-based; 0 is before the first.
    FromStart(u64),
    /// From the end, 1 is the last row.
    FromEnd(u64),
    Relative(i64),
}

fn plan(direction: FetchDirection, count: FetchCount) -> Motion {
    match (direction, count) {
        (FetchDirection::Forward, FetchCount::All) => Motion::Forward(None),
        (FetchDirection::Backward, FetchCount::All) => Motion::Backward(None),
        (FetchDirection::Forward | FetchDirection::Backward, FetchCount::Rows(0)) => Motion::To(Target::Relative(0)),
        (FetchDirection::Forward, FetchCount::Rows(n)) if n > 0 => Motion::Forward(Some(n.unsigned_abs())),
        (FetchDirection::Forward, FetchCount::Rows(n)) => Motion::Backward(Some(n.unsigned_abs())),
        (FetchDirection::Backward, FetchCount::Rows(n)) if n > 0 => Motion::Backward(Some(n.unsigned_abs())),
        (FetchDirection::Backward, FetchCount::Rows(n)) => Motion::Forward(Some(n.unsigned_abs())),
        (FetchDirection::Absolute, FetchCount::Rows(n)) if n < 0 => Motion::To(Target::FromEnd(n.unsigned_abs())),
        (FetchDirection::Absolute, FetchCount::Rows(n)) => Motion::To(Target::FromStart(n.unsigned_abs())),
        (FetchDirection::Absolute, FetchCount::All) => Motion::Forward(None),
        (FetchDirection::Relative, FetchCount::Rows(n)) => Motion::To(Target::Relative(n)),
        (FetchDirection::Relative, FetchCount::All) => Motion::Forward(None),
    }
}

async fn forward(rows: &mut Rows, limit: Option<u64>) -> Result<Vec<RecordBatch>> {
    let mut batches = Vec::new();
    let mut left = limit.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    loop {
        match rows.fetch(left).await? {
            Fetched::Batch(batch) => {
                left = left.map(|n| n - batch.num_rows());
                batches.push(batch);
            }
            Fetched::Suspended => return Ok(batches),
            Fetched::Complete(_) => {
                // Past the last row: FETCH BACKWARD starts with the last one from here.
                rows.after_last = true;
                return Ok(batches);
            }
        }
    }
}

/// Rows before the current one, nearest first.
async fn backward(rows: &mut Rows, limit: Option<u64>) -> Result<Vec<RecordBatch>> {
    require_scroll(rows)?;
    // The current row is `position`, unless the cursor stands after the last row.
    let end = if rows.after_last { rows.position } else { rows.position.saturating_sub(1) };
    let start = limit.map_or(0, |n| end.saturating_sub(n));
    let reached_start = limit.is_none_or(|n| n > end);
    rows.seek(start).await?;
    let batches = forward(rows, Some(end - start)).await?;
    rows.seek(if reached_start { 0 } else { start + 1 }).await?;
    let Some(first) = batches.first() else { return Ok(batches) };
    let all = concat_batches(&first.schema(), &batches).map_err(|e| Error::internal(e.to_string()))?;
    let order = UInt64Array::from_iter_values((0..all.num_rows() as u64).rev());
    take_record_batch(&all, &order).map(|batch| vec![batch]).map_err(|e| Error::internal(e.to_string()))
}

async fn one_at(rows: &mut Rows, target: Target) -> Result<Vec<RecordBatch>> {
    let position = match target {
        Target::Relative(1) if !rows.can_scroll() => return forward(rows, Some(1)).await,
        Target::FromStart(n) if !rows.can_scroll() && n > rows.position => {
            forward(rows, Some(n - 1 - rows.position)).await?;
            return forward(rows, Some(1)).await;
        }
        Target::FromStart(n) => n,
        Target::FromEnd(n) => {
            require_scroll(rows)?;
            rows.seek(u64::MAX).await?;
            (rows.position + 1).saturating_sub(n)
        }
        Target::Relative(n) => {
            let current = rows.position + u64::from(rows.after_last);
            current.saturating_add_signed(n)
        }
    };
    require_scroll(rows)?;
    if position == 0 {
        rows.seek(0).await?;
        return Ok(Vec::new());
    }
    rows.seek(position - 1).await?;
    forward(rows, Some(1)).await
}

fn require_scroll(rows: &Rows) -> Result<()> {
    if rows.can_scroll() {
        return Ok(());
    }
    Err(Error::new(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, "cursor can only scan forward")
        .with_hint("Declare it with SCROLL option to enable backward scan."))
}

pub fn close(session: &mut Session, name: Option<&str>) -> Result<Outcome> {
    let Some(name) = name else {
        session.portals.retain(|_, portal| portal.cursor.is_none());
        return Outcome::tag("CLOSE CURSOR ALL");
    };
    session.portals.remove(name).ok_or_else(|| undefined(name))?;
    Outcome::tag("CLOSE CURSOR")
}

fn undefined(name: &str) -> Error {
    Error::new(sqlstate::UNDEFINED_CURSOR, format!("cursor \"{name}\" does not exist"))
}
