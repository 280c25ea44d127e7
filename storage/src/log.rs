//! The order and the durability of changes: what the store asks of a log.

use std::fmt::Debug;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::Result;

/// One command in its place.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Greater than that of every earlier entry.
    pub ts: u64,
    pub payload: Bytes,
    /// Wait for the disk before it counts as done.
    pub synchronous: bool,
}

/// Runs when an entry is as durable as it asked to be, or the log has stopped (with the reason). The log calls these
/// in the order of the entries.
pub type Done = Box<dyn FnOnce(Result<(), String>) + Send>;

/// `append` and `reserve` are called by one thread at a time, in the order of timestamps.
pub trait Log: Debug + Send + Sync {
    /// Makes sure that a payload of this size can be appended. The only call that may find the disk full: after it,
    /// `append` has the space it needs.
    fn reserve(&self, bytes: usize) -> Result<()>;

    fn append(&self, entry: Entry, done: Done);

    /// Calls back when everything appended before is durable, synchronous or not.
    fn barrier(&self, done: Done);

    /// Resolves when reading this node's newest version is linearizable.
    fn read_barrier(&self) -> BoxFuture<'_, Result<()>>;

    /// Entries up to `ts` are in segments and may be forgotten.
    fn release(&self, ts: u64) -> Result<()>;

    /// Bytes that the log occupies on disk.
    fn bytes(&self) -> u64;

    /// A mark for the manifest: what recovery must at least find of this log.
    fn position(&self) -> u64 {
        0
    }

    /// Ends the newest segment and waits until it is in the archive, if there is one; false if that takes longer than
    /// `patience`.
    fn switch(&self, _patience: Duration) -> Result<bool> {
        Ok(true)
    }

    /// Writes and syncs what is queued, then stops. Later appends fail.
    fn close(&self);
}

/// The log of a store without durability: temporary tables, tests.
#[derive(Debug, Default)]
pub struct NoLog;

impl Log for NoLog {
    fn reserve(&self, _bytes: usize) -> Result<()> {
        Ok(())
    }

    fn append(&self, _entry: Entry, done: Done) {
        done(Ok(()));
    }

    fn barrier(&self, done: Done) {
        done(Ok(()));
    }

    fn read_barrier(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn release(&self, _ts: u64) -> Result<()> {
        Ok(())
    }

    fn bytes(&self) -> u64 {
        0
    }

    fn close(&self) {}
}
