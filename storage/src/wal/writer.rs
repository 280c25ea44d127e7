//! The log's writing side: one thread gathers what waits, writes it with one write, syncs once, and calls back in order.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::BoxFuture;
use parking_lot::{Condvar, Mutex};

use super::archive;
use super::format::{self, HEADER, MIN_ROOM, RecordHeader};
use super::reader::{Recovered, SegmentInfo};
use super::segment_path;
use crate::backup::Repository;
use crate::file::{Disk, File};
use crate::log::{Done, Entry, Log};
use crate::{Error, Result};

/// Payloads from here on are written where they lie instead of being copied into the batch's buffer.
const DIRECT_WRITE: usize = 256 << 10;
/// Blocks that are reserved but were never written change the file system's own records when they first are, which every
/// sync would have to wait for. So zeros are written this far ahead of small records.
const ZEROS_AHEAD: u64 = 1 << 20;

/// A disk that is nearly full gets smaller segments, as long as they are at least so large.
const LEAST_SEGMENT_BYTES: u64 = 1 << 20;

#[derive(Debug, Clone)]
pub struct Options {
    /// Of one segment, if the disk has room for it.
    pub segment_bytes: u64,
    /// Bytes that one write and sync take at most.
    pub batch_bytes: usize,
    /// How long an asynchronous entry may stay unsynced.
    pub sync_delay: Duration,
    /// Where complete segments are copied to before they may be released.
    pub archive: Option<Arc<dyn Repository>>,
}

/// The log of a node on its own disk. Any error of a write or sync is final: the kernel may have dropped the very pages
/// that it failed to write, so trying again could succeed without the data being there.
#[derive(Debug)]
pub struct LocalLog {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    archiver: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub disk: Arc<dyn Disk>,
    pub dir: PathBuf,
    options: Options,
    pub state: Mutex<State>,
    work: Condvar,
    pub archive_work: Condvar,
    pub archive_done: Condvar,
    /// Held while a segment is created, so that numbers have no gaps.
    allocating: Mutex<()>,
}

#[derive(Debug)]
pub(super) struct State {
    queue: VecDeque<Item>,
    /// Oldest first; the last is the tail.
    pub segments: VecDeque<SegmentInfo>,
    /// Segments before this one are written, synced and will not change.
    pub complete_before: u64,
    /// Segments up to this one are in the archive.
    pub archived: u64,
    tail: Tail,
    /// Reserved segments that follow the tail.
    spare: VecDeque<Tail>,
    next_segment: u64,
    next_seq: u64,
    last_ts: u64,
    failed: Option<String>,
    pub closed: bool,
}

/// A segment and the place in it for the next record.
#[derive(Debug, Clone)]
struct Tail {
    file: Arc<dyn File>,
    number: u64,
    offset: u64,
    size: u64,
}

enum Item {
    Record(Record),
    Barrier(Done),
    /// Ends the segment here.
    Switch {
        file: Arc<dyn File>,
        number: u64,
        offset: u64,
    },
}

/// A record with its place in the log.
struct Record {
    file: Arc<dyn File>,
    file_size: u64,
    offset: u64,
    header: RecordHeader,
    payload: Bytes,
    synchronous: bool,
    /// With the entry's last piece.
    done: Option<Done>,
}

impl std::fmt::Debug for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Item::Record(_) => "Record",
            Item::Barrier(_) => "Barrier",
            Item::Switch { .. } => "Switch",
        })
    }
}

impl Tail {
    fn room(&self) -> u64 {
        self.size.saturating_sub(self.offset)
    }
}

impl LocalLog {
    /// Goes on after what was recovered, in a new segment. `on_failure` hears of the failure that stops the log.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        options: Options,
        recovered: Recovered,
        on_failure: Box<dyn Fn(&str) + Send>,
    ) -> Result<Self> {
        let Recovered { mut segments, next_seq, next_segment, last_ts, unused } = recovered;
        let created = create_segment(disk.as_ref(), &dir, next_segment, options.segment_bytes);
        let (tail, next_segment) = match (created, segments.back()) {
            (Ok(tail), _) => {
                for path in unused {
                    disk.remove(&path)?;
                }
                disk.sync_dir(&dir)?;
                segments.push_back(SegmentInfo { number: tail.number, last_ts: 0, bytes: tail.size });
                (tail, next_segment + 1)
            }
            // Reading needs no log; commits will try again, and fail as long as there is no space.
            (Err(Error::DiskFull(why)), Some(last)) => {
                tracing::warn!(why, "the disk is full");
                let file = disk.open(&segment_path(&dir, last.number))?;
                (Tail { file, number: last.number, offset: 0, size: 0 }, next_segment)
            }
            (Err(error), _) => return Err(error),
        };
        let state = State {
            queue: VecDeque::new(),
            complete_before: tail.number,
            archived: 0,
            segments,
            tail,
            spare: VecDeque::new(),
            next_segment,
            next_seq,
            last_ts,
            failed: None,
            closed: false,
        };
        let shared = Arc::new(Shared {
            disk,
            dir,
            options,
            state: Mutex::new(state),
            work: Condvar::new(),
            archive_work: Condvar::new(),
            archive_done: Condvar::new(),
            allocating: Mutex::new(()),
        });
        let writer = Writer { shared: shared.clone(), current: None, buffer: Vec::new(), buffer_at: 0, on_failure };
        let thread = std::thread::Builder::new().name("aegis-wal".into()).spawn(move || writer.run())?;
        let archiver = match shared.options.archive.clone() {
            None => None,
            Some(archive) => {
                let shared = shared.clone();
                let run = move || archive::run(&shared, archive.as_ref());
                Some(std::thread::Builder::new().name("aegis-archive".into()).spawn(run)?)
            }
        };
        Ok(Self { shared, thread: Mutex::new(Some(thread)), archiver: Mutex::new(archiver) })
    }
}

/// Reserves a segment of `size` bytes, or of fewer if the disk has no room for that.
fn create_segment(disk: &dyn Disk, dir: &std::path::Path, number: u64, size: u64) -> Result<Tail> {
    match create_segment_of(disk, dir, number, size) {
        Err(Error::DiskFull(_)) if size / 4 >= LEAST_SEGMENT_BYTES => create_segment(disk, dir, number, size / 4),
        done => done,
    }
}

fn create_segment_of(disk: &dyn Disk, dir: &std::path::Path, number: u64, size: u64) -> Result<Tail> {
    let path = segment_path(dir, number);
    let create = || {
        let file = disk.create(&path)?;
        file.allocate(size)?;
        file.write_all_at(&format::file_header(number), 0)?;
        file.sync_data()?;
        disk.sync_dir(dir)?;
        Ok(file)
    };
    match create() {
        Ok(file) => Ok(Tail { file, number, offset: HEADER, size }),
        Err(error) => {
            let _ = disk.remove(&path);
            Err(Error::at(&path)(error))
        }
    }
}

impl State {
    fn refusal(&self) -> Option<String> {
        self.failed.clone().or_else(|| self.closed.then(|| "the log is closed".to_owned()))
    }

    /// Bytes of payload that fit without another segment.
    fn capacity(&self) -> u64 {
        let of = |tail: &Tail| if tail.room() >= MIN_ROOM { format::piece(u64::MAX, tail.room()) } else { 0 };
        of(&self.tail) + self.spare.iter().map(of).sum::<u64>()
    }

    /// Ends the tail where it is, so that the next entry begins another segment. Returns its number if it has records.
    fn switch(&mut self) -> Option<u64> {
        let Tail { file, number, offset, size } = self.tail.clone();
        if offset == HEADER {
            return self.segments.iter().rev().map(|s| s.number).find(|n| *n < number);
        }
        if offset < size {
            self.tail.offset = size;
            self.queue.push_back(Item::Switch { file, number, offset });
        }
        Some(number)
    }

    /// Gives an entry its place, cutting it where segments end.
    fn place(&mut self, entry: Entry, done: Done) -> Result<(), Done> {
        let (mut rest, mut done) = (entry.payload.clone(), Some(done));
        loop {
            if self.tail.room() < MIN_ROOM {
                match self.spare.pop_front() {
                    Some(next) => self.tail = next,
                    None => return done.map_or(Ok(()), Err),
                }
                self.segments.push_back(SegmentInfo { number: self.tail.number, last_ts: 0, bytes: self.tail.size });
            }
            let length = format::piece(rest.len() as u64, self.tail.room());
            let payload = rest.split_to(usize::try_from(length).unwrap_or(usize::MAX).min(rest.len()));
            let more = !rest.is_empty();
            let header = RecordHeader {
                payload_crc: 0,
                segment: self.tail.number,
                seq: self.next_seq,
                ts: entry.ts,
                prev_ts: self.last_ts,
                synced: 0,
                payload_len: payload.len() as u32,
                more,
            };
            self.queue.push_back(Item::Record(Record {
                file: self.tail.file.clone(),
                file_size: self.tail.size,
                offset: self.tail.offset,
                header,
                payload,
                synchronous: entry.synchronous,
                done: if more { None } else { done.take() },
            }));
            self.next_seq += 1;
            self.tail.offset += header.size();
            if let Some(info) = self.segments.back_mut() {
                info.last_ts = entry.ts;
            }
            if !more {
                self.last_ts = entry.ts;
                return Ok(());
            }
        }
    }
}

impl Log for LocalLog {
    fn reserve(&self, bytes: usize) -> Result<()> {
        loop {
            let enough = |state: &State| state.failed.is_some() || state.capacity() >= bytes.max(1) as u64;
            {
                let state = self.shared.state.lock();
                if let Some(reason) = &state.failed {
                    return Err(Error::Stopped(reason.clone()));
                }
                if enough(&state) {
                    return Ok(());
                }
            }
            self.shared.add_spare(enough)?;
        }
    }

    fn append(&self, entry: Entry, done: Done) {
        let refused = {
            let mut state = self.shared.state.lock();
            match state.refusal() {
                Some(reason) => Some((done, reason)),
                None => state.place(entry, done).err().map(|done| (done, "log space was not reserved".to_owned())),
            }
        };
        match refused {
            None => {
                self.shared.work.notify_one();
            }
            Some((done, reason)) => done(Err(reason)),
        }
    }

    fn barrier(&self, done: Done) {
        let refused = {
            let mut state = self.shared.state.lock();
            match state.refusal() {
                Some(reason) => Some((done, reason)),
                None => {
                    state.queue.push_back(Item::Barrier(done));
                    None
                }
            }
        };
        match refused {
            None => {
                self.shared.work.notify_one();
            }
            Some((done, reason)) => done(Err(reason)),
        }
    }

    fn read_barrier(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn release(&self, ts: u64) -> Result<()> {
        let mut unneeded = Vec::new();
        {
            let mut state = self.shared.state.lock();
            let archived = if self.shared.options.archive.is_some() { state.archived } else { u64::MAX };
            let unneeded_by_all = |s: &SegmentInfo| s.last_ts <= ts && s.number <= archived;
            while state.segments.len() > 1 && state.segments.front().is_some_and(unneeded_by_all) {
                unneeded.extend(state.segments.pop_front());
            }
        }
        for segment in unneeded {
            self.shared.disk.remove(&segment_path(&self.shared.dir, segment.number))?;
        }
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.shared.state.lock().segments.iter().map(|s| s.bytes).sum()
    }

    fn position(&self) -> u64 {
        self.shared.state.lock().tail.number
    }

    fn close(&self) {
        let archives = self.shared.options.archive.is_some();
        {
            let mut state = self.shared.state.lock();
            if archives && !state.closed && state.failed.is_none() {
                state.switch();
            }
            state.closed = true;
        }
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
        self.shared.archive_work.notify_all();
        if let Some(archiver) = self.archiver.lock().take() {
            let _ = archiver.join();
        }
    }

    fn switch(&self, patience: Duration) -> Result<bool> {
        let deadline = Instant::now() + patience;
        let mut state = self.shared.state.lock();
        if let Some(reason) = state.refusal() {
            return Err(Error::Stopped(reason));
        }
        let ended = state.switch();
        self.shared.work.notify_one();
        while self.shared.options.archive.is_some() && ended.is_some_and(|number| state.archived < number) {
            if self.shared.archive_done.wait_until(&mut state, deadline).timed_out() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Drop for LocalLog {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    /// Reserves the next segment, unless `enough` says that there is space already.
    fn add_spare(&self, enough: impl Fn(&State) -> bool) -> Result<()> {
        let _one_at_a_time = self.allocating.lock();
        let number = {
            let state = self.state.lock();
            if enough(&state) {
                return Ok(());
            }
            state.next_segment
        };
        let tail = create_segment(self.disk.as_ref(), &self.dir, number, self.options.segment_bytes)?;
        let mut state = self.state.lock();
        state.next_segment = number + 1;
        state.spare.push_back(tail);
        Ok(())
    }
}

/// The thread's own state.
struct Writer {
    shared: Arc<Shared>,
    current: Option<Current>,
    buffer: Vec<u8>,
    /// Where the buffer's first byte goes.
    buffer_at: u64,
    on_failure: Box<dyn Fn(&str) + Send>,
}

/// The segment being written.
struct Current {
    file: Arc<dyn File>,
    number: u64,
    written: u64,
    synced: u64,
    /// Blocks up to here were written.
    zeroed: u64,
    size: u64,
}

impl Writer {
    fn run(mut self) {
        while let Some(batch) = self.next_batch() {
            if let Err(error) = self.write(&batch) {
                self.fail(&format!("writing the log in \"{}\" failed: {error}", self.shared.dir.display()));
            }
            let reason = self.shared.state.lock().failed.clone();
            complete(batch, reason);
            self.prepare_spare();
        }
    }

    fn dirty(&self) -> bool {
        self.current.as_ref().is_some_and(|c| c.synced < c.written)
    }

    /// Waits for work. An empty batch means that it is time to sync; None that the log is closed.
    fn next_batch(&self) -> Option<Vec<Item>> {
        let mut state = self.shared.state.lock();
        let dirty = self.dirty() && state.failed.is_none();
        while state.queue.is_empty() {
            if state.closed {
                return dirty.then(Vec::new);
            }
            if dirty {
                if self.shared.work.wait_for(&mut state, self.shared.options.sync_delay).timed_out() {
                    break;
                }
            } else {
                self.shared.work.wait(&mut state);
            }
        }
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while bytes < self.shared.options.batch_bytes {
            let Some(item) = state.queue.pop_front() else { break };
            if let Item::Record(record) = &item {
                bytes += record.payload.len() + HEADER as usize;
            }
            batch.push(item);
        }
        Some(batch)
    }

    fn write(&mut self, batch: &[Item]) -> std::io::Result<()> {
        if self.shared.state.lock().failed.is_some() {
            return Ok(());
        }
        let (mut sync, mut bytes) = (batch.is_empty(), 0);
        for item in batch {
            match item {
                Item::Barrier(_) => sync = true,
                Item::Switch { file, number, offset } => {
                    self.write_buffer()?;
                    self.sync()?;
                    file.set_len(*offset)?;
                    file.sync_data()?;
                    self.current = None;
                    self.complete(number + 1);
                }
                Item::Record(record) => {
                    sync |= record.synchronous;
                    bytes += record.header.size();
                    self.push(record)?;
                }
            }
        }
        self.write_buffer()?;
        self.write_zeros_ahead(bytes < ZEROS_AHEAD)?;
        if sync { self.sync() } else { Ok(()) }
    }

    /// Puts a record into the buffer; a large one is written at once.
    fn push(&mut self, record: &Record) -> std::io::Result<()> {
        if self.current.as_ref().is_none_or(|c| c.number != record.header.segment) {
            self.write_buffer()?;
            self.sync()?;
            let (file, number, size) = (record.file.clone(), record.header.segment, record.file_size);
            self.complete(number);
            self.current = Some(Current { file, number, written: HEADER, synced: HEADER, zeroed: HEADER, size });
        }
        let Some(current) = &mut self.current else { return Ok(()) };
        let payload = &record.payload;
        let header = RecordHeader { synced: current.synced, payload_crc: crc32fast::hash(payload), ..record.header };
        current.written = record.offset + header.size();
        if self.buffer.is_empty() {
            self.buffer_at = record.offset;
        }
        self.buffer.extend_from_slice(&header.encode());
        let padding = format::padding(payload.len());
        if payload.len() < DIRECT_WRITE {
            self.buffer.extend_from_slice(payload);
            self.buffer.extend_from_slice(padding);
            return Ok(());
        }
        self.write_buffer()?;
        let start = record.offset + HEADER;
        record.file.write_all_at(payload, start)?;
        self.buffer_at = start + payload.len() as u64;
        self.buffer.extend_from_slice(padding);
        Ok(())
    }

    /// The segments before `number` are for the archive.
    fn complete(&self, number: u64) {
        self.shared.state.lock().complete_before = number;
        self.shared.archive_work.notify_all();
    }

    /// See [`ZEROS_AHEAD`]. Records of a batch larger than that write their blocks only once.
    fn write_zeros_ahead(&mut self, small: bool) -> std::io::Result<()> {
        let Some(current) = self.current.as_mut().filter(|c| c.written > c.zeroed) else { return Ok(()) };
        current.zeroed = current.written;
        let ahead = ZEROS_AHEAD.min(current.size.saturating_sub(current.written));
        if small && ahead > 0 {
            current.file.write_all_at(&vec![0; ahead as usize], current.written)?;
            current.zeroed += ahead;
        }
        Ok(())
    }

    fn write_buffer(&mut self) -> std::io::Result<()> {
        if let (Some(current), false) = (&self.current, self.buffer.is_empty()) {
            current.file.write_all_at(&self.buffer, self.buffer_at)?;
        }
        self.buffer.clear();
        Ok(())
    }

    fn sync(&mut self) -> std::io::Result<()> {
        if let Some(current) = self.current.as_mut().filter(|c| c.synced < c.written) {
            current.file.sync_data()?;
            current.synced = current.written;
        }
        Ok(())
    }

    fn fail(&self, reason: &str) {
        self.shared.state.lock().failed.get_or_insert_with(|| reason.to_owned());
        (self.on_failure)(reason);
    }

    /// Has the next segment ready before the tail is full, so that no commit waits for it.
    fn prepare_spare(&self) {
        let enough = |state: &State| {
            state.failed.is_some()
                || state.closed
                || !state.spare.is_empty()
                || state.tail.room() >= state.tail.size / 2
        };
        if enough(&self.shared.state.lock()) {
            return;
        }
        if let Err(error) = self.shared.add_spare(enough) {
            tracing::warn!(%error, "could not reserve the next log segment; commits will try again");
        }
    }
}

fn complete(batch: Vec<Item>, failed: Option<String>) {
    for item in batch {
        let done = match item {
            Item::Record(record) => record.done,
            Item::Barrier(done) => Some(done),
            Item::Switch { .. } => None,
        };
        if let Some(done) = done {
            done(failed.clone().map_or(Ok(()), Err));
        }
    }
}
