//! Portals and cursors: a statement with its parameters, running or about to.

use std::sync::Arc;

use aegis_catalog::Result;
use arrow::array::RecordBatch;
use datafusion::scalar::ScalarValue;
use futures::StreamExt;
use futures::stream::BoxStream;

use super::prepared::Prepared;
use super::protocol::{Fetched, Format, OutputColumn};
use crate::statement::current_of::Position;
use crate::statement_statistics::Execution;

/// Result rows on their way.
pub type RowStream = BoxStream<'static, Result<RecordBatch>>;

/// A bound statement, and its rows once it runs.
pub struct Portal {
    pub prepared: Arc<Prepared>,
    pub parameters: Vec<ScalarValue>,
    pub columns: Option<Arc<Vec<OutputColumn>>>,
    pub formats: Vec<Format>,
    pub state: PortalState,
    /// Declared by SQL DECLARE.
    pub cursor: Option<Cursor>,
    /// Its execution, if somebody counts.
    pub counting: Option<Execution>,
    /// Savepoint depth at which it was made: ROLLBACK TO an outer one closes it.
    pub depth: usize,
    /// Lets others list the portal as long as it is there; None for the unnamed one.
    pub listed: Option<Arc<PortalName>>,
}

/// What `pg_cursors` shows of a portal.
#[derive(Debug)]
pub struct PortalName {
    pub name: String,
    pub statement: String,
    pub hold: bool,
    pub binary: bool,
    pub scroll: bool,
    /// µs since 1970-01-01 UTC.
    pub created: i64,
}

impl Portal {
    /// True for a cursor WITH HOLD whose transaction has committed.
    pub fn is_held(&self) -> bool {
        self.cursor.as_ref().is_some_and(|cursor| cursor.hold)
            && matches!(&self.state, PortalState::Running(rows) if rows.held)
    }
}

#[derive(Debug, Clone)]
pub struct Cursor {
    pub sql: String,
    pub binary: bool,
    pub scroll: bool,
    /// WITH HOLD: outlives its transaction.
    pub hold: bool,
    /// For WHERE CURRENT OF; None if its query is not that simple.
    pub position: Option<Position>,
}

pub enum PortalState {
    Ready,
    Running(Rows),
    /// Ran to its end; executing it again is 55000 unless it returned rows.
    Done,
}

/// Rows being handed out, with those already read kept if the cursor may scroll back.
pub struct Rows {
    stream: RowStream,
    /// Read from the stream, not yet handed out.
    pending: Option<RecordBatch>,
    history: Option<History>,
    /// Rows handed out so far.
    pub position: u64,
    /// `position` when the present Execute began: command tags count from there.
    counted_from: u64,
    exhausted: bool,
    /// Stands after the last row rather than on it.
    pub after_last: bool,
    /// All rows are in memory: the transaction may end.
    held: bool,
    tag: Tag,
}

/// Bytes of rows that a cursor keeps which was not declared SCROLL; beyond them it can't go back any more.
const KEPT_BYTES: usize = 16 << 20;

/// What a cursor keeps of the rows that it has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    Nothing,
    /// Up to [`KEPT_BYTES`].
    Some,
    All,
}

/// Rows a scrollable cursor has passed.
struct History {
    bytes_left: usize,
    batches: Vec<RecordBatch>,
    rows: u64,
}

/// What CommandComplete says at the end.
#[derive(Debug, Clone)]
pub enum Tag {
    /// `SELECT n`, `FETCH n`: the rows handed out.
    Counted(&'static str),
    Fixed(String),
}

impl Rows {
    pub fn new(stream: RowStream, tag: Tag, keep: Keep) -> Self {
        let history = |bytes_left| Some(History { bytes_left, batches: Vec::new(), rows: 0 });
        Self {
            stream,
            pending: None,
            history: match keep {
                Keep::Nothing => None,
                Keep::Some => history(KEPT_BYTES),
                Keep::All => history(usize::MAX),
            },
            position: 0,
            counted_from: 0,
            exhausted: false,
            after_last: false,
            held: false,
            tag,
        }
    }

    /// The next rows, at most `max_rows` of them.
    pub async fn fetch(&mut self, max_rows: Option<usize>) -> Result<Fetched> {
        if max_rows == Some(0) {
            return Ok(Fetched::Suspended);
        }
        match self.next_batch(max_rows).await? {
            Some(batch) => Ok(Fetched::Batch(batch)),
            None => Ok(Fetched::Complete(self.tag())),
        }
    }

    /// Execute goes on with the portal: its tag counts the rows from here.
    pub fn resume(&mut self) {
        self.counted_from = self.position;
    }

    pub fn tag(&self) -> String {
        match &self.tag {
            Tag::Counted(verb) => format!("{verb} {}", self.position.saturating_sub(self.counted_from)),
            Tag::Fixed(tag) => tag.clone(),
        }
    }

    async fn next_batch(&mut self, max_rows: Option<usize>) -> Result<Option<RecordBatch>> {
        let batch = loop {
            match self.pending.take() {
                Some(batch) if batch.num_rows() > 0 => break batch,
                Some(_) => {}
                None if self.exhausted => return Ok(None),
                None => match self.stream.next().await {
                    Some(batch) => {
                        let batch = batch?;
                        self.pending = Some(if self.held { batch } else { self.remember(batch) });
                    }
                    None => self.exhausted = true,
                },
            }
        };
        let take = max_rows.unwrap_or(usize::MAX).min(batch.num_rows());
        if take < batch.num_rows() {
            self.pending = Some(batch.slice(take, batch.num_rows() - take));
        }
        self.position += take as u64;
        Ok(Some(batch.slice(0, take)))
    }

    fn remember(&mut self, batch: RecordBatch) -> RecordBatch {
        if let Some(history) = &mut self.history {
            history.rows += batch.num_rows() as u64;
            history.batches.push(batch.clone());
            match history.bytes_left.checked_sub(batch.get_array_memory_size()) {
                Some(left) => history.bytes_left = left,
                None => self.history = None,
            }
        }
        batch
    }

    pub fn can_scroll(&self) -> bool {
        self.history.is_some()
    }

    /// Reads everything into memory, so that the rows no longer depend on the transaction.
    pub async fn materialize(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.held, true) {
            return Ok(());
        }
        let mut batches: Vec<RecordBatch> = self.pending.take().into_iter().collect();
        while !self.exhausted {
            match self.stream.next().await {
                Some(batch) => batches.push(self.remember(batch?)),
                None => break,
            }
        }
        self.stream = futures::stream::iter(batches.into_iter().map(Ok)).boxed();
        Ok(())
    }

    /// Moves to just after row `position` (0 is before the first) without handing rows out. Returns the position reached, which is one past
    /// the last row if there are fewer. Only with history.
    pub async fn seek(&mut self, position: u64) -> Result<u64> {
        self.after_last = false;
        let known = self.history.as_ref().map_or(0, |h| h.rows);
        if position > known {
            while self.history.as_ref().is_some_and(|h| h.rows < position) && !self.exhausted {
                match self.stream.next().await {
                    Some(batch) if self.held => drop(batch?),
                    Some(batch) => drop(self.remember(batch?)),
                    None => self.exhausted = true,
                }
            }
        }
        let rows = self.history.as_ref().map_or(0, |h| h.rows);
        self.position = position.min(rows);
        self.pending = self.ahead()?;
        Ok(position.min(rows + 1))
    }

    /// The rows after `position` that were read already.
    fn ahead(&self) -> Result<Option<RecordBatch>> {
        let Some(history) = &self.history else { return Ok(None) };
        let mut skip = usize::try_from(self.position).unwrap_or(usize::MAX);
        let mut rest = Vec::new();
        for batch in &history.batches {
            if skip < batch.num_rows() {
                rest.push(batch.slice(skip, batch.num_rows() - skip));
                skip = 0;
            } else {
                skip -= batch.num_rows();
            }
        }
        let Some(first) = rest.first() else { return Ok(None) };
        arrow::compute::concat_batches(&first.schema(), &rest)
            .map(Some)
            .map_err(|e| aegis_catalog::Error::internal(e.to_string()))
    }
}
