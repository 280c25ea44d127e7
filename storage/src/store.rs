//! The store: opens a data directory, begins transactions, flushes, closes.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, oneshot, watch};

use crate::commit::{self, Prepared};
use crate::log::{Entry, Log, NoLog};
use crate::transaction::Isolation;
use crate::version::Version;
use crate::{Error, Result, Transaction};

/// Limits and places of one store. Every field has the default that the configuration reference shows.
#[derive(Debug, Clone)]
pub struct Config {
    pub data_dir: PathBuf,
    /// Bytes of rows in memory that start a flush. Default 64 MiB.
    pub memtable_bytes: usize,
    /// Bytes of rows in memory at which commits wait for the flush. Default 512 MiB.
    pub memtable_stall_bytes: usize,
    /// Size of one file of the log, reserved when it is created. Default 64 MiB.
    pub wal_segment_bytes: u64,
    /// Bytes of log that one write and sync take at most. Default 16 MiB.
    pub wal_batch_bytes: usize,
    /// Bytes of log on disk that start a flush, whatever is in memory. Default 512 MiB.
    pub wal_flush_bytes: u64,
    /// Milliseconds that an asynchronous commit may stay unsynced. Default 200.
    pub wal_sync_delay_ms: u64,
    /// Rows of a Parquet row group. Default 131,072.
    pub row_group_rows: usize,
    /// Rows that merging segments may bring into one file. Default 8,388,608.
    pub segment_rows: u32,
    /// Milliseconds since 1970, for commit timestamps. Only its order of magnitude matters to correctness.
    pub now_millis: fn() -> u64,
}

impl Config {
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self { data_dir: data_dir.into(), ..Self::default() }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("aegis-data"),
            memtable_bytes: 64 << 20,
            memtable_stall_bytes: 512 << 20,
            wal_segment_bytes: 64 << 20,
            wal_batch_bytes: 16 << 20,
            wal_flush_bytes: 512 << 20,
            wal_sync_delay_ms: 200,
            row_group_rows: 131_072,
            segment_rows: 8 << 20,
            now_millis: system_millis,
        }
    }
}

fn system_millis() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

#[derive(Debug)]
pub struct Store {
    config: Config,
    /// Changes take turns here. Never held across an await or while the disk works (except to reserve log space).
    sequencer: Mutex<Sequencer>,
    shared: Arc<Shared>,
    log: Arc<dyn Log>,
}

/// The newest state, including what is not durable yet.
#[derive(Debug)]
struct Sequencer {
    head: Arc<Version>,
    counters: HashMap<u64, i64>,
}

/// What the log's thread touches when an entry has become durable.
#[derive(Debug)]
struct Shared {
    /// The newest durable version: what new transactions read.
    visible: RwLock<Arc<Version>>,
    pins: Mutex<Pins>,
    /// Why the store has stopped.
    stopped: watch::Sender<Option<String>>,
    /// Memory was freed.
    flushed: Notify,
}

/// Versions in use: how many transactions read each.
type Pins = BTreeMap<u64, (Arc<Version>, usize)>;

/// A version that somebody reads.
#[derive(Debug)]
pub(crate) struct Pinned {
    version: Arc<Version>,
    shared: Arc<Shared>,
}

impl Pinned {
    pub fn version(&self) -> &Arc<Version> {
        &self.version
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let mut pins = self.shared.pins.lock();
        if let Some((_, count)) = pins.get_mut(&self.version.seq) {
            *count -= 1;
            if *count == 0 {
                pins.remove(&self.version.seq);
            }
        }
    }
}

impl Shared {
    fn new(version: Arc<Version>) -> Self {
        Self {
            visible: RwLock::new(version),
            pins: Mutex::default(),
            stopped: watch::Sender::new(None),
            flushed: Notify::new(),
        }
    }

    fn publish(&self, version: Arc<Version>) {
        let old = {
            let mut visible = self.visible.write();
            debug_assert!(visible.seq < version.seq);
            std::mem::replace(&mut *visible, version)
        };
        drop(old);
    }

    fn stop(&self, reason: &str) {
        self.stopped.send_if_modified(|stopped| {
            let first = stopped.is_none();
            if first {
                tracing::error!(reason, "the store stops: after a failed write nothing more can be promised");
                *stopped = Some(reason.to_owned());
            }
            first
        });
    }

    /// The oldest version that anybody reads or may come to read.
    fn oldest(&self) -> Arc<Version> {
        let pins = self.pins.lock();
        pins.first_key_value().map_or_else(|| self.visible.read().clone(), |(_, (version, _))| version.clone())
    }
}

impl Store {
    /// Opens or creates the data directory, takes its lock, recovers. Blocking.
    pub fn open(_config: Config) -> Result<Arc<Store>> {
        Err(Error::Internal("opening a data directory is not there yet".into()))
    }

    /// A store without files: nothing survives it, nothing is flushed. For temporary tables and tests.
    pub fn open_in_memory() -> Arc<Store> {
        Self::with_log(Config::default(), Arc::new(NoLog), Version::default(), HashMap::new())
    }

    fn with_log(config: Config, log: Arc<dyn Log>, version: Version, counters: HashMap<u64, i64>) -> Arc<Store> {
        let head = Arc::new(version);
        let shared = Arc::new(Shared::new(head.clone()));
        Arc::new(Store { config, sequencer: Mutex::new(Sequencer { head, counters }), shared, log })
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// A transaction that reads the newest committed version.
    pub fn begin(self: &Arc<Self>, isolation: Isolation) -> Transaction {
        Transaction::new(self.clone(), isolation)
    }

    /// Resolves when a transaction begun afterwards sees every commit acknowledged before, on any node.
    pub async fn read_barrier(&self) -> Result<()> {
        self.log.read_barrier().await
    }

    pub(crate) fn pin(&self) -> Pinned {
        let mut pins = self.shared.pins.lock();
        let version = self.shared.visible.read().clone();
        pins.entry(version.seq).or_insert_with(|| (version.clone(), 0)).1 += 1;
        Pinned { version, shared: self.shared.clone() }
    }

    pub(crate) async fn commit(&self, prepared: Vec<Prepared>, base: Pinned, synchronous: bool) -> Result<u64> {
        let payload = Bytes::from(commit::encode(&prepared)?);
        self.admit().await?;
        let (ts, durable) = self.sequence(prepared, payload, synchronous)?;
        drop(base);
        self.wait(durable).await.map(|()| ts)
    }

    /// Waits while memory is far beyond its limit.
    async fn admit(&self) -> Result<()> {
        loop {
            let freed = self.shared.flushed.notified();
            self.check_running()?;
            if self.sequencer.lock().head.memtable_bytes < self.config.memtable_stall_bytes || !self.flushes() {
                return Ok(());
            }
            freed.await;
        }
    }

    fn flushes(&self) -> bool {
        false
    }

    /// Validates, gives the transaction its place, and makes it the head.
    fn sequence(
        &self,
        prepared: Vec<Prepared>,
        payload: Bytes,
        synchronous: bool,
    ) -> Result<(u64, oneshot::Receiver<Result<(), String>>)> {
        let mut sequencer = self.sequencer.lock();
        self.check_running()?;
        let changes = prepared.into_iter().map(|p| p.validate(&sequencer.head)).collect::<Result<Vec<_>>>()?;
        self.log.reserve(payload.len())?;
        let ts = self.next_ts(&sequencer);
        let version = Arc::new(commit::apply(&sequencer.head, ts, changes, &self.shared.oldest())?);
        sequencer.head = version;
        Ok((ts, self.append(&sequencer, payload, synchronous)))
    }

    /// Sends the head's newest change to the log; when it is durable the head as of now becomes visible.
    fn append(
        &self,
        sequencer: &Sequencer,
        payload: Bytes,
        synchronous: bool,
    ) -> oneshot::Receiver<Result<(), String>> {
        let (sender, receiver) = oneshot::channel();
        let (shared, version) = (self.shared.clone(), sequencer.head.clone());
        let entry = Entry { ts: version.ts, payload, synchronous };
        self.log.append(
            entry,
            Box::new(move |outcome| {
                match &outcome {
                    Ok(()) => shared.publish(version),
                    Err(reason) => shared.stop(reason),
                }
                let _ = sender.send(outcome);
            }),
        );
        receiver
    }

    async fn wait(&self, durable: oneshot::Receiver<Result<(), String>>) -> Result<()> {
        match durable.await {
            Ok(outcome) => outcome.map_err(Error::Stopped),
            Err(_) => Err(Error::Stopped("the log has closed".into())),
        }
    }

    /// 48 bits of milliseconds, 16 of counter; always beyond the last.
    fn next_ts(&self, sequencer: &Sequencer) -> u64 {
        ((self.config.now_millis)() << 16).max(sequencer.head.ts + 1)
    }

    fn check_running(&self) -> Result<()> {
        match &*self.shared.stopped.borrow() {
            Some(reason) => Err(Error::Stopped(reason.clone())),
            None => Ok(()),
        }
    }

    /// Why the store has stopped, if it has: an I/O failure after which nothing more can be promised. The process
    /// should exit and recover.
    pub fn stopped(&self) -> Option<String> {
        self.shared.stopped.borrow().clone()
    }

    /// Resolves with the reason when the store stops.
    pub async fn wait_stopped(&self) -> String {
        let mut stopped = self.shared.stopped.subscribe();
        match stopped.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            Err(_) => std::future::pending().await,
        }
    }

    /// A small durable number outside transactions, such as how far a sequence has been handed out. None if it was
    /// never set.
    pub fn counter(&self, id: u64) -> Option<i64> {
        self.sequencer.lock().counters.get(&id).copied()
    }

    /// Remembers `value` durably before it returns. To hand out numbers that never repeat, reserve a range first and
    /// hand it out afterwards.
    pub async fn counter_reserve(&self, id: u64, value: i64) -> Result<()> {
        self.set_counter(id, Some(value)).await
    }

    pub async fn counter_remove(&self, id: u64) -> Result<()> {
        self.set_counter(id, None).await
    }

    async fn set_counter(&self, id: u64, value: Option<i64>) -> Result<()> {
        let payload = Bytes::from(crate::command::Command::Counter { id, value }.encode()?);
        let durable = {
            let mut sequencer = self.sequencer.lock();
            self.check_running()?;
            self.log.reserve(payload.len())?;
            match value {
                Some(value) => sequencer.counters.insert(id, value),
                None => sequencer.counters.remove(&id),
            };
            let ts = self.next_ts(&sequencer);
            let head = &sequencer.head;
            sequencer.head = Arc::new(Version { seq: head.seq + 1, ts, ..head.as_ref().clone() });
            self.append(&sequencer, payload, true)
        };
        self.wait(durable).await
    }

    /// Writes everything in memory to segments; afterwards recovery has nothing to replay.
    pub async fn flush(&self) -> Result<()> {
        Ok(())
    }

    /// Stops background work after a last flush and waits for it.
    pub async fn close(&self) -> Result<()> {
        self.flush().await?;
        self.log.close();
        Ok(())
    }

    /// Bytes on disk of a table's segments plus its rows in memory.
    pub fn table_bytes(&self, table: crate::TableId) -> u64 {
        let version = self.shared.visible.read().clone();
        let Some(table) = version.tables.get(&table) else { return 0 };
        let segments: u64 = table.segments.iter().map(|s| s.segment.meta.bytes).sum();
        segments + table.memtable_bytes() as u64
    }
}
