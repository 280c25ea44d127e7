//! A disk in memory that remembers what was synced, so that a test can cut the power at any step and see what a real
//! disk might have kept; and that can fail or fill up on command.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{DirectoryLock, Disk, File};

/// A disk writes sectors whole; anything larger may be torn.
const SECTOR: usize = 512;

#[derive(Debug, Clone, Default)]
pub struct SimulatedDisk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    directories: BTreeSet<PathBuf>,
    names: BTreeMap<PathBuf, u64>,
    /// The names that survive a power cut for certain.
    durable_names: BTreeMap<PathBuf, u64>,
    files: HashMap<u64, Content>,
    next_file: u64,
    faults: Faults,
    /// Changing operations so far.
    operations: u64,
}

#[derive(Debug, Default, Clone)]
struct Content {
    live: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write { offset: usize, data: Vec<u8> },
    Length(usize),
}

/// What goes wrong. Operations are counted from 0 and are those that change something.
#[derive(Debug, Default, Clone)]
pub struct Faults {
    /// This operation fails once with an I/O error.
    pub fail_at: Option<u64>,
    /// From this operation on nothing succeeds: the power is gone.
    pub cut_at: Option<u64>,
    /// Bytes that fit.
    pub capacity: Option<u64>,
}

impl SimulatedDisk {
    pub fn set_faults(&self, faults: Faults) {
        self.0.lock().faults = faults;
    }

    pub fn operations(&self) -> u64 {
        self.0.lock().operations
    }

    /// Bytes in all files.
    pub fn used(&self) -> u64 {
        let state = self.0.lock();
        state.names.values().filter_map(|id| state.files.get(id)).map(|content| content.live.len() as u64).sum()
    }

    /// What a power cut leaves: everything synced, and by chance (from `seed`) parts of the rest.
    pub fn after_power_cut(&self, seed: u64) -> SimulatedDisk {
        let state = self.0.lock();
        let mut chance = Chance(seed.wrapping_mul(2).wrapping_add(1));
        let mut names = state.durable_names.clone();
        for (path, file) in &state.names {
            if state.durable_names.get(path) != Some(file) && chance.coin() {
                names.insert(path.clone(), *file);
            }
        }
        for path in state.durable_names.keys().filter(|path| !state.names.contains_key(*path)) {
            if chance.coin() {
                names.remove(path);
            }
        }
        let files = names.values().filter_map(|id| Some((*id, state.files.get(id)?.after_power_cut(&mut chance))));
        SimulatedDisk(Arc::new(Mutex::new(State {
            directories: state.directories.clone(),
            files: files.collect(),
            durable_names: names.clone(),
            names,
            next_file: state.next_file,
            ..State::default()
        })))
    }

    /// Changes the bytes of a file behind everybody's back.
    pub fn damage(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.0.lock();
        let Some(id) = state.names.get(path).copied() else { return };
        if let Some(content) = state.files.get_mut(&id) {
            change(&mut content.live);
            content.durable = content.live.clone();
        }
    }
}

impl State {
    fn operate(&mut self) -> Result<()> {
        let number = self.operations;
        self.operations += 1;
        if self.faults.fail_at == Some(number) || self.faults.cut_at.is_some_and(|cut| number >= cut) {
            return Err(Error::other("simulated I/O error"));
        }
        Ok(())
    }

    fn grow(&self, by: usize) -> Result<()> {
        let Some(capacity) = self.faults.capacity else { return Ok(()) };
        let used: usize = self.names.values().filter_map(|id| self.files.get(id)).map(|c| c.live.len()).sum();
        if (used + by) as u64 > capacity { Err(Error::from(ErrorKind::StorageFull)) } else { Ok(()) }
    }
}

impl Content {
    fn apply(bytes: &mut Vec<u8>, change: &Change) {
        match change {
            Change::Length(len) => bytes.resize(*len, 0),
            Change::Write { offset, data } => {
                if bytes.len() < offset + data.len() {
                    bytes.resize(offset + data.len(), 0);
                }
                bytes[*offset..offset + data.len()].copy_from_slice(data);
            }
        }
    }

    fn change(&mut self, change: Change) {
        Self::apply(&mut self.live, &change);
        self.pending.push(change);
    }

    fn sync(&mut self) {
        for change in std::mem::take(&mut self.pending) {
            Self::apply(&mut self.durable, &change);
        }
    }

    fn after_power_cut(&self, chance: &mut Chance) -> Content {
        let mut kept = self.durable.clone();
        for change in &self.pending {
            match change {
                Change::Length(_) if chance.coin() => Self::apply(&mut kept, change),
                Change::Length(_) => {}
                Change::Write { offset, data } => {
                    for (i, sector) in data.chunks(SECTOR).enumerate() {
                        if chance.coin() {
                            let data = sector.to_vec();
                            Self::apply(&mut kept, &Change::Write { offset: offset + i * SECTOR, data });
                        }
                    }
                }
            }
        }
        Content { live: kept.clone(), durable: kept, pending: Vec::new() }
    }
}

/// A small deterministic generator (xorshift).
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    fn coin(&mut self) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 32 & 1 == 1
    }
}

fn not_found(path: &Path) -> Error {
    Error::new(ErrorKind::NotFound, format!("no file {}", path.display()))
}

impl Disk for SimulatedDisk {
    fn create_dir_all(&self, dir: &Path) -> Result<()> {
        let mut state = self.0.lock();
        state.directories.extend(dir.ancestors().map(Path::to_path_buf));
        Ok(())
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>> {
        let state = self.0.lock();
        let inside = state.names.keys().filter(|p| p.parent() == Some(dir)).filter_map(|p| p.file_name());
        Ok(inside.map(|n| n.to_string_lossy().into_owned()).collect())
    }

    fn open(&self, path: &Path) -> Result<Arc<dyn File>> {
        let state = self.0.lock();
        let id = state.names.get(path).ok_or_else(|| not_found(path))?;
        Ok(Arc::new(SimulatedFile { disk: self.clone(), id: *id }))
    }

    fn create(&self, path: &Path) -> Result<Arc<dyn File>> {
        let mut state = self.0.lock();
        state.operate()?;
        let id = match state.names.get(path).copied() {
            Some(id) => {
                if let Some(content) = state.files.get_mut(&id) {
                    content.change(Change::Length(0));
                }
                id
            }
            None => {
                let id = state.next_file;
                state.next_file += 1;
                state.files.insert(id, Content::default());
                state.names.insert(path.to_path_buf(), id);
                id
            }
        };
        Ok(Arc::new(SimulatedFile { disk: self.clone(), id }))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let mut state = self.0.lock();
        state.operate()?;
        let id = state.names.remove(from).ok_or_else(|| not_found(from))?;
        state.names.insert(to.to_path_buf(), id);
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<()> {
        let mut state = self.0.lock();
        state.operate()?;
        state.names.remove(path).map(|_| ()).ok_or_else(|| not_found(path))
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        let mut state = self.0.lock();
        state.operate()?;
        state.durable_names.retain(|path, _| path.parent() != Some(dir));
        let inside: Vec<_> =
            state.names.iter().filter(|(p, _)| p.parent() == Some(dir)).map(|(p, id)| (p.clone(), *id)).collect();
        state.durable_names.extend(inside);
        Ok(())
    }

    fn lock(&self, _data_dir: &Path) -> crate::Result<Option<DirectoryLock>> {
        Ok(None)
    }
}

#[derive(Debug)]
struct SimulatedFile {
    disk: SimulatedDisk,
    id: u64,
}

impl SimulatedFile {
    fn with<T>(&self, change: bool, work: impl FnOnce(&mut State, &mut Content) -> Result<T>) -> Result<T> {
        let mut state = self.disk.0.lock();
        if change {
            state.operate()?;
        }
        let mut content = state.files.remove(&self.id).unwrap_or_default();
        let outcome = work(&mut state, &mut content);
        state.files.insert(self.id, content);
        outcome
    }
}

impl File for SimulatedFile {
    fn len(&self) -> Result<u64> {
        self.with(false, |_, content| Ok(content.live.len() as u64))
    }

    fn read_exact_at(&self, out: &mut [u8], offset: u64) -> Result<()> {
        self.with(false, |_, content| {
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            let bytes = content.live.get(start..).and_then(|rest| rest.get(..out.len()));
            out.copy_from_slice(bytes.ok_or_else(|| Error::from(ErrorKind::UnexpectedEof))?);
            Ok(())
        })
    }

    fn write_all_at(&self, data: &[u8], offset: u64) -> Result<()> {
        self.with(true, |state, content| {
            let offset = usize::try_from(offset).unwrap_or(usize::MAX);
            let growth = (offset + data.len()).saturating_sub(content.live.len());
            if growth > 0 {
                state.grow(growth + content.live.len())?;
            }
            content.change(Change::Write { offset, data: data.to_vec() });
            Ok(())
        })
    }

    fn allocate(&self, len: u64) -> Result<()> {
        self.with(true, |state, content| {
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            if len > content.live.len() {
                state.grow(len)?;
                content.change(Change::Length(len));
            }
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.with(true, |state, content| {
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            if len > content.live.len() {
                state.grow(len)?;
            }
            content.change(Change::Length(len));
            Ok(())
        })
    }

    fn sync_data(&self) -> Result<()> {
        self.with(true, |_, content| {
            content.sync();
            Ok(())
        })
    }
}
