//! The store: opens a data directory, begins transactions, flushes, closes.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, oneshot};

use crate::backup::{self, Report, Repository, Taken, take::Source};
use crate::commit::{self, Prepared};
use crate::compaction::{self, Compaction, Compactor, Pace};
use crate::file::DirectoryLock;
use crate::flush::{self, Files, Limits};
use crate::flusher::Flusher;
use crate::lock::LockManager;
use crate::log::{Entry, Log, NoLog};
use crate::pins::{Pinned, Shared};
use crate::read_set::{HeldReads, ReadSet};
use crate::recovery::{self, Layout, Opened};
use crate::rewrite::{Rewrite, Rewritten};
use crate::schema::TableId;
use crate::segment::{Segment, SegmentFolder};
use crate::staged::StagingArea;
use crate::transaction::{Isolation, KeptSnapshot, Snapshot};
use crate::version::{KEY_BYTES, OWN_UNITS, STAGED_UNITS, Table, Version};
use crate::wal::{self, LocalLog};
use crate::{Error, Result, Transaction};

pub use crate::compaction::Written;
pub use crate::config::Config;

#[derive(Debug)]
pub struct Store {
    config: Config,
    /// Changes take turns here. Never held across an await or while the disk works (except to reserve log space).
    sequencer: Mutex<Sequencer>,
    shared: Arc<Shared>,
    log: Arc<dyn Log>,
    closed: AtomicBool,
    locks: Arc<LockManager>,
    /// See [`crate::staged`].
    next_staged: AtomicU32,
    /// None for a store in memory.
    durable: Option<Durable>,
}

/// The newest state, including what is not durable yet.
#[derive(Debug)]
struct Sequencer {
    head: Arc<Version>,
    counters: HashMap<u64, i64>,
    held_reads: HeldTables,
}

/// What prepared serializable transactions have read, by a number for each.
#[derive(Debug, Default)]
struct HeldTables {
    last: u64,
    held: HashMap<u64, Vec<TableId>>,
}

impl HeldTables {
    fn hold(&mut self, tables: Vec<TableId>) -> u64 {
        self.last += 1;
        self.held.insert(self.last, tables);
        self.last
    }

    /// [`Error::ReadConflict`] if one of the tables is among them.
    fn check(&self, mut written: impl Iterator<Item = TableId>) -> Result<()> {
        match written.find(|table| self.held.values().any(|held| held.contains(table))) {
            Some(table) => Err(Error::ReadConflict { table }),
            None => Ok(()),
        }
    }
}

/// What a store with a data directory has besides.
#[derive(Debug)]
struct Durable {
    folder: SegmentFolder,
    files: Mutex<Files>,
    flusher: Flusher,
    compactor: Compactor,
    /// Why the last flush failed, if it did.
    flush_failure: RwLock<Option<String>>,
    /// A flush has ended.
    flushed: Notify,
    node: uuid::Uuid,
    /// Held while a backup is taken.
    backing_up: Mutex<()>,
    /// The log after these timestamps is needed by backups that are being made.
    held: Mutex<Vec<u64>>,
    /// Segments that commits have attached and that the log still names, by commit: their files are needed by a replay.
    attached: Mutex<Vec<(u64, Arc<Segment>)>>,
    _lock: Option<DirectoryLock>,
}

impl Durable {
    /// The log up to `released` will not be replayed any more.
    fn forget_attached(&self, released: u64, files: &Files) {
        let mut attached = self.attached.lock();
        let (done, rest) = std::mem::take(&mut *attached).into_iter().partition(|(ts, _)| *ts <= released);
        *attached = rest;
        drop(attached);
        let done: Vec<(u64, Arc<Segment>)> = done;
        for (_, segment) in done.iter().filter(|(_, s)| !files.segments.contains_key(&(s.table, s.unit))) {
            segment.retire();
        }
    }
}

/// Bytes of a segment whose file is freed as soon as no row of it lives.
const FREED_AT_ONCE_BYTES: u64 = 1 << 20;

/// Times that the keys of a large transaction are checked before its turn, against what others have committed meanwhile.
const CHECKS_AHEAD: usize = 2;

/// Where complete files of the log are copied to.
fn archive_of(config: &Config, node: uuid::Uuid) -> Option<Arc<dyn Repository>> {
    config.wal_archive.as_ref().map(|archive| archive.within(&node.to_string()))
}

/// The segments of a version that the manifest does not name yet.
fn attached_of(version: &Version, files: &Files) -> Vec<(u64, Arc<Segment>)> {
    let all = version.tables.iter().flat_map(|(id, table)| table.segments.iter().map(move |view| (*id, &view.segment)));
    let new = all.filter(|(id, segment)| !files.segments.contains_key(&(*id, segment.unit)));
    new.map(|(_, segment)| (segment.meta.max_ts, segment.clone())).collect()
}

type Outcome = oneshot::Receiver<Result<(), String>>;

/// Says what to merge next.
type Choose<'a> = dyn Fn(&Files) -> Result<Option<(TableId, compaction::policy::Merge)>> + 'a;

impl Store {
    /// Opens or creates the data directory, takes its lock, recovers. Blocking.
    pub fn open(config: Config) -> Result<Arc<Store>> {
        config.disk.create_dir_all(&config.data_dir).map_err(Error::at(&config.data_dir))?;
        let lock = config.disk.lock(&config.data_dir)?;
        let Opened { files, version, counters, log, next_staged, node } = recovery::open(&config)?;
        let attached = attached_of(&version, &files);
        let head = Arc::new(version);
        let shared = Arc::new(Shared::new(head.clone()));
        let options = wal::Options {
            segment_bytes: config.wal_segment_bytes,
            batch_bytes: config.wal_batch_bytes,
            sync_delay: Duration::from_millis(config.wal_sync_delay_ms),
            archive: archive_of(&config, node),
        };
        let for_log = shared.clone();
        let on_failure = Box::new(move |reason: &str| for_log.stop(reason));
        let log = LocalLog::open(config.disk.clone(), Layout::new(&config.data_dir).wal, options, log, on_failure)?;
        let folder = files.folder.clone();
        let (flusher, pending) = Flusher::new();
        let (compactor, pending_compactor) = Compactor::new();
        let durable = Durable {
            folder,
            files: Mutex::new(files),
            flusher,
            compactor,
            flush_failure: RwLock::default(),
            flushed: Notify::new(),
            node,
            backing_up: Mutex::default(),
            held: Mutex::default(),
            attached: Mutex::new(attached),
            _lock: lock,
        };
        let store = Arc::new(Store {
            config,
            sequencer: Mutex::new(Sequencer { head, counters, held_reads: HeldTables::default() }),
            shared,
            log: Arc::new(log),
            closed: AtomicBool::new(false),
            locks: LockManager::new(),
            next_staged: AtomicU32::new(next_staged),
            durable: Some(durable),
        });
        if let Some(durable) = &store.durable {
            durable.flusher.start(Arc::downgrade(&store), pending)?;
            if store.config.compaction_background {
                durable.compactor.start(Arc::downgrade(&store), pending_compactor)?;
                durable.compactor.wake();
            }
        }
        store.flush_if_large(&store.sequencer.lock().head);
        Ok(store)
    }

    /// A store without files: nothing survives it, nothing is flushed. For temporary tables and tests.
    pub fn open_in_memory() -> Arc<Store> {
        let head = Arc::new(Version::default());
        Arc::new(Store {
            config: Config::default(),
            shared: Arc::new(Shared::new(head.clone())),
            sequencer: Mutex::new(Sequencer { head, counters: HashMap::new(), held_reads: HeldTables::default() }),
            log: Arc::new(NoLog),
            closed: AtomicBool::new(false),
            locks: LockManager::new(),
            next_staged: AtomicU32::new(STAGED_UNITS),
            durable: None,
        })
    }

    /// Locks between transactions. Taking them is up to who changes rows; the commit checks for conflicts all the same.
    pub fn locks(&self) -> &Arc<LockManager> {
        &self.locks
    }

    fn log_archive(&self) -> Option<Arc<dyn Repository>> {
        archive_of(&self.config, self.node())
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The identity of this data directory; nil for a store in memory.
    pub fn node(&self) -> uuid::Uuid {
        self.durable.as_ref().map_or(uuid::Uuid::nil(), |d| d.node)
    }

    /// A transaction that reads the newest committed version.
    pub fn begin(self: &Arc<Self>, isolation: Isolation) -> Transaction {
        Transaction::new(self.clone(), isolation)
    }

    /// Resolves when a transaction begun afterwards sees every commit acknowledged before, on any node.
    pub async fn read_barrier(&self) -> Result<()> {
        self.log.read_barrier().await
    }

    /// What a transaction begun now would see.
    pub(crate) fn visible(&self) -> Arc<Version> {
        self.shared.visible()
    }

    /// Keeps what a transaction reads. The transaction must still be open.
    pub fn keep(&self, snapshot: &Snapshot) -> KeptSnapshot {
        KeptSnapshot(self.shared.pin_also(&snapshot.0))
    }

    pub(crate) fn pin(&self) -> Pinned {
        self.shared.pin()
    }

    /// Bytes of own rows from which a transaction writes them to disk; None without a disk.
    pub(crate) fn staging_limit(&self) -> Option<usize> {
        self.durable.as_ref().map(|_| self.config.stage_bytes)
    }

    pub(crate) fn staging_area(&self) -> Option<StagingArea> {
        let folder = self.durable.as_ref()?.folder.clone();
        Some(StagingArea { folder, row_group_rows: self.config.row_group_rows })
    }

    pub(crate) fn next_staged_unit(&self) -> Result<u32> {
        match self.next_staged.fetch_add(1, Ordering::Relaxed) {
            unit @ ..OWN_UNITS => Ok(unit),
            _ => Err(Error::Internal("the numbers of segments are used up".into())),
        }
    }

    /// Sees to it that files are on disk before the log names them, and to what else would keep others waiting in the commit's turn.
    fn before_attaching(&self, prepared: &mut [Prepared]) -> Result<()> {
        let Some(durable) = &self.durable else { return Ok(()) };
        if prepared.iter().all(|p| p.attached().next().is_none()) {
            return Ok(());
        }
        let folder = &durable.folder;
        folder.disk.sync_dir(&folder.dir).map_err(Error::at(&folder.dir))?;
        if let Some(archive) = self.log_archive() {
            prepared
                .iter()
                .flat_map(Prepared::attached)
                .try_for_each(|s| backup::archive_segment(s, archive.as_ref()))?;
        }
        for _ in 0..CHECKS_AHEAD {
            let version = self.visible();
            prepared.iter_mut().try_for_each(|p| p.check_ahead(&version))?;
        }
        Ok(())
    }

    /// Checks what a serializable transaction has read against the newest version, and holds it.
    pub(crate) fn check_and_hold_reads(
        self: &Arc<Self>,
        reads: &ReadSet,
        base: &Version,
        written: &[TableId],
    ) -> Result<HeldReads> {
        let mut sequencer = self.sequencer.lock();
        reads.validate(base, &sequencer.head)?;
        sequencer.held_reads.check(written.iter().copied())?;
        let tables = reads.tables();
        let number = sequencer.held_reads.hold(tables.clone());
        drop(sequencer);
        Ok(HeldReads::new(self.clone(), number, tables))
    }

    /// Holds what a transaction has read that a restart finds prepared.
    pub fn hold_reads(self: &Arc<Self>, tables: Vec<TableId>) -> HeldReads {
        let number = self.sequencer.lock().held_reads.hold(tables.clone());
        HeldReads::new(self.clone(), number, tables)
    }

    pub(crate) fn release_reads(&self, number: u64) {
        self.sequencer.lock().held_reads.held.remove(&number);
    }

    /// `read_set` is that of a serializable transaction.
    pub(crate) async fn commit(
        &self,
        mut prepared: Vec<Prepared>,
        base: Pinned,
        read_set: Option<ReadSet>,
        synchronous: bool,
    ) -> Result<u64> {
        self.before_attaching(&mut prepared)?;
        let payload = Bytes::from(commit::encode(&prepared)?);
        self.admit().await?;
        let drops = prepared.iter().any(Prepared::is_drop);
        let attaches = prepared.iter().any(|p| p.attached().next().is_some());
        let reads = read_set.as_ref().map(|reads| (reads, base.version().as_ref()));
        let (ts, durable) = self.sequence(prepared, reads, payload, synchronous)?;
        drop(base);
        wait(durable).await?;
        if let Some(durable) = &self.durable {
            // The sooner the manifest names a segment, the sooner its file can go with its table.
            if attaches || drops && !durable.attached.lock().is_empty() {
                durable.flusher.wake();
            }
            if drops {
                durable.flusher.free();
            }
        }
        Ok(ts)
    }

    /// See [`Files::free_dropped`].
    pub(crate) fn free_dropped(&self) -> Result<()> {
        let Some(durable) = &self.durable else { return Ok(()) };
        let mut files = durable.files.lock();
        self.check_running()?;
        let version = self.durable_version()?;
        files.free_dropped(&version).inspect_err(|error| {
            if !matches!(error, Error::DiskFull(_)) {
                self.shared.stop(&format!("noting a dropped table failed: {error}"));
            }
        })
    }

    /// Waits while memory is far beyond its limit, but not for ever. A flush that fails for want of disk space fails the
    /// commit too.
    async fn admit(&self) -> Result<()> {
        let Some(durable) = &self.durable else { return Ok(()) };
        let limit = Duration::from_millis(self.config.memtable_stall_ms);
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            let flushed = durable.flushed.notified();
            self.check_running()?;
            if self.sequencer.lock().head.memtable_bytes < self.config.memtable_stall_bytes {
                return Ok(());
            }
            if let Some(reason) = &*durable.flush_failure.read() {
                return Err(Error::DiskFull(reason.clone()));
            }
            durable.flusher.wake();
            if tokio::time::timeout_at(deadline, flushed).await.is_err() {
                return Err(Error::OutOfMemory(format!(
                    "rows in memory exceed {} bytes, and writing them to disk did not make room within {} s",
                    self.config.memtable_stall_bytes,
                    limit.as_secs_f32()
                )));
            }
        }
    }

    /// Validates, gives the transaction its place, and makes it the head.
    fn sequence(
        &self,
        prepared: Vec<Prepared>,
        reads: Option<(&ReadSet, &Version)>,
        payload: Bytes,
        synchronous: bool,
    ) -> Result<(u64, Outcome)> {
        let mut sequencer = self.sequencer.lock();
        self.check_running()?;
        if let Some((reads, base)) = reads {
            reads.validate(base, &sequencer.head)?;
            sequencer.held_reads.check(prepared.iter().map(Prepared::table))?;
        }
        let changes = prepared.into_iter().map(|p| p.validate(&sequencer.head)).collect::<Result<Vec<_>>>()?;
        self.reserve(payload.len())?;
        let ts = self.next_ts(&sequencer);
        let attached: Vec<_> =
            changes.iter().flat_map(|c| c.attached.iter().map(|a| (c.table, a.segment.unit))).collect();
        let killed: Vec<_> = changes.iter().flat_map(|c| c.kills.keys().map(|unit| (c.table, *unit))).collect();
        let version = Arc::new(commit::apply(&sequencer.head, ts, changes, &self.shared.oldest())?);
        if let Some(durable) = self.durable.as_ref().filter(|_| !attached.is_empty()) {
            let tables = &version.tables;
            let view = |(id, unit)| tables.get(&id).and_then(|t: &Arc<Table>| t.segment(unit));
            let entered = attached.into_iter().filter_map(view).map(|view| (ts, view.segment.clone()));
            durable.attached.lock().extend(entered);
        }
        sequencer.head = version;
        self.flush_if_large(&sequencer.head);
        self.flush_if_emptied(&sequencer.head, &killed);
        Ok((ts, self.append(&sequencer, payload, synchronous)))
    }

    /// Log space. A full disk asks for a flush, after which the log needs less.
    fn reserve(&self, bytes: usize) -> Result<()> {
        self.log.reserve(bytes).inspect_err(|error| {
            if let (Error::DiskFull(_), Some(durable)) = (error, &self.durable) {
                durable.flusher.wake();
            }
        })
    }

    /// Sends the head's newest change to the log; when it is durable the head as of now becomes visible.
    fn append(&self, sequencer: &Sequencer, payload: Bytes, synchronous: bool) -> Outcome {
        let (done, outcome) = self.publish_when_done(sequencer);
        self.log.append(Entry { ts: sequencer.head.ts, payload, synchronous }, done);
        outcome
    }

    fn publish_when_done(&self, sequencer: &Sequencer) -> (crate::log::Done, Outcome) {
        let (sender, outcome) = oneshot::channel();
        let (shared, version) = (self.shared.clone(), sequencer.head.clone());
        let done = Box::new(move |result: Result<(), String>| {
            match &result {
                Ok(()) => shared.publish(version),
                Err(reason) => shared.stop(reason),
            }
            let _ = sender.send(result);
        });
        (done, outcome)
    }

    /// 48 bits of milliseconds, 16 of counter; always beyond the last.
    fn next_ts(&self, sequencer: &Sequencer) -> u64 {
        ((self.config.now_millis)() << 16).max(sequencer.head.ts + 1)
    }

    fn check_running(&self) -> Result<()> {
        if let Some(reason) = &*self.shared.stopped.borrow() {
            return Err(Error::Stopped(reason.clone()));
        }
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::Stopped("it was closed".into()));
        }
        Ok(())
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
            self.reserve(payload.len())?;
            match value {
                Some(value) => sequencer.counters.insert(id, value),
                None => sequencer.counters.remove(&id),
            };
            let ts = self.next_ts(&sequencer);
            let head = &sequencer.head;
            sequencer.head = Arc::new(Version { seq: head.seq + 1, ts, ..head.as_ref().clone() });
            self.append(&sequencer, payload, true)
        };
        wait(durable).await
    }

    /// Writes everything in memory to segments; afterwards recovery has nothing to replay.
    pub async fn flush(&self) -> Result<()> {
        match &self.durable {
            None => Ok(()),
            Some(durable) => durable.flusher.flush().await,
        }
    }

    fn flush_if_large(&self, head: &Version) {
        if let Some(durable) = &self.durable {
            let large = head.memtable_bytes >= self.config.memtable_bytes;
            // A flush leaves up to two segments, so that less would never be reached.
            let log_limit = self.config.wal_flush_bytes.max(3 * self.config.wal_segment_bytes);
            if large || self.log.bytes() >= log_limit {
                durable.flusher.wake();
            }
        }
    }

    /// A segment without a row that lives is a file to be freed: a flush notes it, and the merge that follows finds nothing to write. Small
    /// ones wait for the next flush, unless windows of time are let go of: a few rows that are changed all the time would have everything
    /// flushed every time.
    fn flush_if_emptied(&self, head: &Version, killed: &[(TableId, u32)]) {
        let is_empty = |(id, unit): &(TableId, u32)| {
            let Some(table) = head.tables.get(id) else { return false };
            let at_once = |bytes: u64| bytes >= FREED_AT_ONCE_BYTES || table.shape.schema.windows.is_some();
            table.segment(*unit).is_some_and(|view| view.live_rows() == 0 && at_once(view.segment.meta.bytes))
        };
        if let Some(durable) = self.durable.as_ref().filter(|_| killed.iter().any(is_empty)) {
            durable.flusher.wake();
        }
    }

    pub(crate) fn after_flush(&self, outcome: &Result<()>) {
        let Some(durable) = &self.durable else { return };
        *durable.flush_failure.write() = outcome.as_ref().err().map(|e| e.to_string());
        durable.flushed.notify_waiters();
        if outcome.is_ok() {
            durable.compactor.wake();
        }
        if outcome.is_err() && self.check_running().is_ok() {
            self.flush_if_large(&self.sequencer.lock().head);
        }
    }

    /// See [`crate::flush`].
    pub(crate) fn flush_blocking(&self) -> Result<()> {
        let Some(durable) = &self.durable else { return Ok(()) };
        let mut files = durable.files.lock();
        let limits = Limits {
            row_group_rows: self.config.row_group_rows,
            merge_rows: self.config.merge_rows,
            merge_bytes: self.config.merge_bytes,
        };
        let (frozen, rewrites, counters, durably) = {
            let mut sequencer = self.sequencer.lock();
            self.check_running()?;
            let (frozen, rewrites) = flush::freeze(&sequencer.head, limits, &files.busy)?;
            if rewrites.is_empty() && frozen.ts == files.state.flushed_ts {
                return Ok(());
            }
            sequencer.head = Arc::new(frozen);
            let counters = sequencer.counters.iter().map(|(id, value)| (*id, *value)).collect();
            (sequencer.head.clone(), rewrites, counters, self.publish_in_order(&sequencer))
        };
        let log_position = self.log.position();
        durably.blocking_recv().map_err(|_| log_closed())?.map_err(Error::Stopped)?;
        let units: Vec<_> = rewrites.iter().map(Rewrite::output).collect();
        let rewritten = rewrites.iter().map(|r| r.run(&files.folder, |_| Ok(())));
        let rewritten = rewritten.collect::<Result<Vec<_>>>();
        let noted = rewritten.and_then(|rewritten| {
            let unnamed = files.note(&frozen, counters, log_position, &rewritten).inspect_err(|error| {
                if !matches!(error, Error::DiskFull(_)) {
                    self.shared.stop(&format!("noting a flush failed: {error}"));
                }
            })?;
            Ok((rewritten, unnamed))
        });
        let (rewritten, unnamed) = match noted {
            Ok(done) => done,
            Err(error) => {
                if self.stopped().is_none() {
                    files.discard(&units);
                }
                return Err(error);
            }
        };
        self.swap(&rewritten)?;
        for segment in unnamed {
            segment.retire();
        }
        let held = durable.held.lock().iter().min().copied();
        let released = frozen.ts.min(held.unwrap_or(u64::MAX));
        self.log.release(released)?;
        durable.forget_attached(released, &files);
        Ok(())
    }

    /// Takes a backup while the store goes on; one at a time. See [`crate::backup`]. Blocking.
    pub fn backup<'a>(&self, to: &'a dyn Repository, report: &'a mut Report<'a>) -> Result<Taken> {
        let Some(durable) = &self.durable else { return Err(Error::Internal("a store in memory has no files".into())) };
        let _one_at_a_time = durable.backing_up.lock();
        self.check_running()?;
        let layout = Layout::new(&self.config.data_dir);
        let (flushed_ts, source) = {
            let files = durable.files.lock();
            durable.held.lock().push(files.state.flushed_ts);
            let deletes = Source::read_deletes(&files.folder, &files.state);
            let source = deletes.map(|deletes| Source {
                node: durable.node,
                folder: files.folder.clone(),
                wal: layout.wal,
                scratch: layout.tmp.join("backup"),
                state: files.state.clone(),
                segments: files.segments.clone(),
                deletes,
            });
            (files.state.flushed_ts, source)
        };
        let last = || {
            let ts = self.durable_version()?.ts;
            let attached = durable.attached.lock();
            let needed = attached.iter().filter(|(at, _)| (flushed_ts + 1..=ts).contains(at));
            Ok((ts, needed.map(|(_, segment)| segment.clone()).collect()))
        };
        let taken = source.and_then(|source| backup::take(&source, to, report, last));
        let mut held = durable.held.lock();
        if let Some(at) = held.iter().position(|ts| *ts == flushed_ts) {
            held.swap_remove(at);
        }
        taken
    }

    /// A version of which every commit is on disk, asynchronous ones too.
    fn durable_version(&self) -> Result<Arc<Version>> {
        let version = self.shared.visible();
        let (sender, outcome) = oneshot::channel();
        self.log.barrier(Box::new(move |result| drop(sender.send(result))));
        outcome.blocking_recv().map_err(|_| log_closed())?.map_err(Error::Stopped)?;
        Ok(version)
    }

    /// Ends the log's newest file and waits until it is archived, if there is an archive; false if that takes longer
    /// than `patience`. Blocking.
    pub fn switch_log(&self, patience: Duration) -> Result<bool> {
        self.log.switch(patience)
    }

    /// Puts new segments in the place of what they were made from.
    fn swap(&self, rewritten: &[Rewritten]) -> Result<()> {
        let oldest = self.shared.oldest().seq;
        let published = {
            let mut sequencer = self.sequencer.lock();
            let mut next = Version { seq: sequencer.head.seq + 1, ..sequencer.head.as_ref().clone() };
            for done in rewritten {
                if let Some(table) = next.tables.get_mut(&done.table) {
                    let table = Arc::make_mut(table);
                    let before = table.memtable_bytes();
                    table.forget_moved(oldest);
                    done.swap_into(table, next.seq)?;
                    next.memtable_bytes = (next.memtable_bytes + table.memtable_bytes()).saturating_sub(before);
                }
            }
            sequencer.head = Arc::new(next);
            self.publish_in_order(&sequencer)
        };
        published.blocking_recv().map_err(|_| log_closed())?.map_err(Error::Stopped)
    }

    /// Merges segments as long as that is worthwhile. Blocking.
    pub fn compact(&self) -> Result<()> {
        while self.compact_once()? {}
        Ok(())
    }

    /// See [`crate::compaction`]. False if there was nothing to do.
    pub(crate) fn compact_once(&self) -> Result<bool> {
        let Some(durable) = &self.durable else { return Ok(false) };
        let mut pace = Pace::new(self.config.compaction_bytes_per_second);
        let settings = compaction::settings(&self.config);
        let choose = |files: &Files| compaction::choose(files, &settings, None);
        self.compact_chosen(&choose, &mut |bytes| pace.done(bytes, durable.compactor.stopping()))
    }

    fn compact_chosen(&self, choose: &Choose<'_>, pace: &mut dyn FnMut(u64) -> Result<()>) -> Result<bool> {
        match self.write_compaction(choose, pace)? {
            Some(written) => self.finish_compaction(written).map(|()| true),
            None => Ok(false),
        }
    }

    /// Writes what is in memory, then rewrites the segments of some tables (None: of all) that hold dead rows, and merges small ones, at once
    /// and without a limit to its pace. `stop` is asked now and then. Blocking.
    pub fn vacuum(&self, tables: Option<&[crate::TableId]>, stop: &(dyn Fn() -> bool + Sync)) -> Result<()> {
        let Some(durable) = &self.durable else { return Ok(()) };
        let settings = compaction::policy::Settings { dead_percent: 1, ..compaction::settings(&self.config) };
        let choose = |files: &Files| compaction::choose(files, &settings, tables);
        self.compact_at_once(durable, &choose, stop)
    }

    /// Writes what is in memory, and makes one segment of those that hold values of a range, as far as sizes allow. Blocking.
    pub fn compact_range(
        &self,
        table: TableId,
        range: compaction::range::ColumnRange,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<()> {
        let Some(durable) = &self.durable else { return Ok(()) };
        let settings = compaction::settings(&self.config);
        let choose =
            |files: &Files| Ok(compaction::range::choose(files, table, range, &settings)?.map(|merge| (table, merge)));
        self.compact_at_once(durable, &choose, stop)
    }

    fn compact_at_once(&self, durable: &Durable, choose: &Choose<'_>, stop: &(dyn Fn() -> bool + Sync)) -> Result<()> {
        let mut pace = |_| match stop() || durable.compactor.stopping().load(Ordering::Acquire) {
            true => Err(Error::Interrupted),
            false => Ok(()),
        };
        crate::block_on(self.flush())?;
        while self.compact_chosen(choose, &mut pace)? {}
        Ok(())
    }

    /// The first half of [`Store::compact`], for tests of what happens in between.
    #[doc(hidden)]
    pub fn begin_compaction(&self) -> Result<Option<Written>> {
        let settings = compaction::settings(&self.config);
        self.write_compaction(&|files| compaction::choose(files, &settings, None), &mut |_| Ok(()))
    }

    fn write_compaction(
        &self,
        choose: &Choose<'_>,
        pace: &mut dyn FnMut(u64) -> Result<()>,
    ) -> Result<Option<Written>> {
        let Some(durable) = &self.durable else { return Ok(None) };
        let (compaction, folder) = {
            let mut files = durable.files.lock();
            self.check_running()?;
            let Some((table, merge)) = choose(&files)? else { return Ok(None) };
            let Some(unit) = self.take_unit(table)? else { return Ok(None) };
            tracing::debug!(table, ?merge, unit, "compacting");
            let compaction = Compaction::begin(&mut files, table, &merge, unit, self.config.row_group_rows)?;
            (compaction, files.folder.clone())
        };
        let work = |rows: usize| pace(rows as u64 * compaction.bytes_per_row);
        match compaction.rewrite.run(&folder, work) {
            Ok(rewritten) => Ok(Some(Written(compaction, rewritten))),
            Err(error) => {
                let mut files = durable.files.lock();
                compaction.release(&mut files);
                files.discard(&[compaction.rewrite.output()]);
                Err(error)
            }
        }
    }

    #[doc(hidden)]
    pub fn finish_compaction(&self, written: Written) -> Result<()> {
        let Some(durable) = &self.durable else { return Ok(()) };
        let Written(compaction, rewritten) = written;
        let mut files = durable.files.lock();
        compaction.release(&mut files);
        match self.check_running().and_then(|()| compaction.note(&mut files, &rewritten)) {
            Ok(true) => return self.swap(&[rewritten]),
            Ok(false) => {}
            Err(Error::DiskFull(why)) => {
                files.discard(&[compaction.rewrite.output()]);
                return Err(Error::DiskFull(why));
            }
            Err(error) => {
                self.shared.stop(&format!("noting a compaction failed: {error}"));
                return Err(error);
            }
        }
        if let Some(segment) = rewritten.segment {
            segment.retire();
        }
        Ok(())
    }

    /// A number for a new segment of a table; None if the table is gone.
    fn take_unit(&self, table: crate::TableId) -> Result<Option<u32>> {
        let mut sequencer = self.sequencer.lock();
        let mut next = Version { seq: sequencer.head.seq + 1, ..sequencer.head.as_ref().clone() };
        let Some(table) = next.tables.get_mut(&table) else { return Ok(None) };
        let unit = Arc::make_mut(table).take_unit()?;
        sequencer.head = Arc::new(next);
        Ok(Some(unit))
    }

    /// Makes the head visible, without a change in the log, once everything before it is durable.
    fn publish_in_order(&self, sequencer: &Sequencer) -> Outcome {
        let (done, outcome) = self.publish_when_done(sequencer);
        self.log.barrier(done);
        outcome
    }

    /// Refuses further commits, flushes, and stops background work. Reading goes on.
    pub async fn close(&self) -> Result<()> {
        if let Some(durable) = &self.durable {
            durable.compactor.stop();
        }
        let flushed = match self.stopped() {
            Some(reason) => Err(Error::Stopped(reason)),
            None => self.flush().await,
        };
        self.closed.store(true, Ordering::Release);
        if let Some(durable) = &self.durable {
            durable.flusher.stop();
        }
        self.log.close();
        flushed
    }

    /// Bytes on disk of a table's segments plus its rows in memory.
    pub fn table_bytes(&self, table: crate::TableId) -> u64 {
        let version = self.shared.visible();
        let Some(table) = version.tables.get(&table) else { return 0 };
        let segments: u64 = table.segments.iter().map(|s| s.segment.meta.bytes).sum();
        segments + table.memtable_bytes() as u64
    }

    /// Live rows of a table, and dead ones that its segments and chunks still hold.
    pub fn row_counts(&self, table: crate::TableId) -> (u64, u64) {
        let version = self.shared.visible();
        let Some(table) = version.tables.get(&table) else { return (0, 0) };
        let segments: u64 = table.segments.iter().map(|view| u64::from(view.segment.meta.rows)).sum();
        let chunks: u64 = table.chunks.iter().map(|chunk| u64::from(chunk.rows)).sum();
        (table.live_rows, (segments + chunks).saturating_sub(table.live_rows))
    }

    /// Bytes that the keys of an index take: in memory, and in the key files that there are.
    pub fn index_bytes(&self, table: crate::TableId, index: crate::IndexId) -> u64 {
        let version = self.shared.visible();
        let Some(table) = version.tables.get(&table).filter(|table| table.shape.schema.index(index).is_some()) else {
            return 0;
        };
        let in_memory: u64 = table.chunks.iter().map(|chunk| u64::from(chunk.rows) * KEY_BYTES as u64).sum();
        in_memory + table.segments.iter().map(|view| view.segment.key_bytes(index)).sum::<u64>()
    }

    /// Bytes that the log occupies.
    pub fn log_bytes(&self) -> u64 {
        self.log.bytes()
    }

    /// Bytes of rows that are not in segments yet.
    pub fn memtable_bytes(&self) -> usize {
        self.shared.visible().memtable_bytes
    }
}

async fn wait(durable: Outcome) -> Result<()> {
    match durable.await {
        Ok(outcome) => outcome.map_err(Error::Stopped),
        Err(_) => Err(log_closed()),
    }
}

fn log_closed() -> Error {
    Error::Stopped("the log has closed".into())
}
