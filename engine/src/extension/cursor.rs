//! Cursors of procedural languages: portals of the session, which SQL's FETCH and CLOSE know, too.

use std::sync::Arc;

use aegis_catalog::{Error, Result, Type, sqlstate};
use parking_lot::Mutex;

use super::caller::{Caller, Row, Value};
use super::fragment::{Fragment, Ran, RowsOf};
use crate::parse::utility::{FetchCount, FetchDirection};
use crate::session::portal::{Cursor, Keep, PortalState, Rows, Tag};
use crate::session::prepared::Prepared;
use crate::session::protocol::OutputColumn;
use crate::statement::{self, Outcome};

/// Which rows to fetch; None is all.
#[derive(Debug, Clone, Copy)]
pub enum Fetching {
    Forward(Option<i64>),
    Backward(Option<i64>),
    Absolute(i64),
    Relative(i64),
}

/// Names and types of columns, rows, and how many rows were passed.
pub type Fetched = (Vec<(String, Type)>, Vec<Row>, u64);

impl Caller<'_> {
    /// Opens a cursor of that name, or of one that is made up.
    pub async fn open_cursor(
        &mut self,
        name: Option<String>,
        fragment: &Fragment,
        values: &[Value],
        scroll: Option<bool>,
    ) -> Result<String> {
        let name = self.new_cursor_name(name)?;
        let ran = self.run(fragment, values).await?;
        self.insert_cursor(name, fragment.text(), ran, scroll)
    }

    /// As [`Self::open_cursor`], for a text that was made while it ran.
    pub async fn open_dynamic_cursor(
        &mut self,
        name: Option<String>,
        text: &Arc<str>,
        values: &[Value],
        scroll: Option<bool>,
    ) -> Result<String> {
        let name = self.new_cursor_name(name)?;
        let ran = self.execute(text, values).await?;
        self.insert_cursor(name, text, ran, scroll)
    }

    fn new_cursor_name(&mut self, name: Option<String>) -> Result<String> {
        let portals = &self.session().portals;
        match name {
            Some(name) if portals.contains_key(&name) => {
                Err(Error::new(sqlstate::DUPLICATE_CURSOR, format!("cursor \"{name}\" already in use")))
            }
            Some(name) => Ok(name),
            None => {
                let mut names = (1..).map(|number: u64| format!("<unnamed portal {number}>"));
                let free = names.find(|name| !portals.contains_key(name));
                free.ok_or_else(|| Error::internal("no name for a cursor"))
            }
        }
    }

    fn insert_cursor(&mut self, name: String, text: &Arc<str>, ran: Ran, scroll: Option<bool>) -> Result<String> {
        let Ran::Rows(RowsOf { columns, stream, .. }) = ran else {
            return Err(Error::new(sqlstate::INVALID_CURSOR_DEFINITION, "cannot open a command as cursor"));
        };
        let context = self.context()?;
        let session = self.session();
        session.require_new_portal(&name)?;
        let prepared = Arc::new(Prepared::new(&name, text, None, &[], &context)?);
        let mut portal = session.new_portal(prepared, Vec::new(), Vec::new());
        let column = |(name, ty): &(String, Type)| OutputColumn { name: name.clone(), ty: *ty, origin: None };
        portal.columns = Some(Arc::new(columns.iter().map(column).collect()));
        let keep = match scroll {
            Some(true) => Keep::All,
            Some(false) => Keep::Nothing,
            None => Keep::Some,
        };
        portal.state = PortalState::Running(Rows::new(stream.into_inner(), Tag::Counted("SELECT"), keep));
        let scroll = keep != Keep::Nothing;
        portal.cursor = Some(Cursor { sql: text.to_string(), binary: false, scroll, hold: false, position: None });
        session.insert_portal(&name, portal);
        Ok(name)
    }

    pub async fn fetch_cursor(&mut self, name: &str, fetching: Fetching, move_only: bool) -> Result<Fetched> {
        let rows = |count: Option<i64>| count.map_or(FetchCount::All, FetchCount::Rows);
        let (direction, count) = match fetching {
            Fetching::Forward(count) => (FetchDirection::Forward, rows(count)),
            Fetching::Backward(count) => (FetchDirection::Backward, rows(count)),
            Fetching::Absolute(count) => (FetchDirection::Absolute, FetchCount::Rows(count)),
            Fetching::Relative(count) => (FetchDirection::Relative, FetchCount::Rows(count)),
        };
        let session = self.session();
        let outcome = statement::cursor_fetch(session, name, direction, count, move_only).await?;
        let columns = session.portals.get(name).and_then(|portal| portal.columns.clone()).unwrap_or_default();
        let columns: Vec<_> = columns.iter().map(|column| (column.name.clone(), column.ty)).collect();
        match outcome {
            Outcome::Rows { rows, .. } => {
                let rows = RowsOf { columns: Arc::new(columns.clone()), command: "FETCH", stream: Mutex::new(rows) };
                let rows = rows.all(usize::MAX).await?;
                let count = rows.len() as u64;
                Ok((columns, rows, count))
            }
            Outcome::Tag(tag) => {
                let count = tag.rsplit(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0);
                Ok((columns, Vec::new(), count))
            }
            _ => Err(Error::internal("a fetch without rows")),
        }
    }

    pub fn close_cursor(&mut self, name: &str) -> Result<()> {
        let session = self.session();
        session
            .portals
            .remove(name)
            .map(drop)
            .ok_or_else(|| Error::new(sqlstate::UNDEFINED_CURSOR, format!("cursor \"{name}\" does not exist")))
    }
}
