//! Decoded footers (with page indexes) of segments, as many as fit in a limit.

use std::collections::HashMap;

use parking_lot::Mutex;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;

use crate::schema::TableId;

type Key = (TableId, u32);

#[derive(Debug)]
pub struct FooterCache {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<Key, Entry>,
    bytes: usize,
    /// Counts uses.
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    footer: ArrowReaderMetadata,
    bytes: usize,
    used: u64,
}

impl FooterCache {
    /// Holds about `limit` bytes; one footer at least.
    pub fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default() }
    }

    pub fn get(&self, key: Key) -> Option<ArrowReaderMetadata> {
        let mut state = self.state.lock();
        state.clock += 1;
        let now = state.clock;
        let entry = state.entries.get_mut(&key)?;
        entry.used = now;
        Some(entry.footer.clone())
    }

    pub fn insert(&self, key: Key, footer: ArrowReaderMetadata) {
        let bytes = footer.metadata().memory_size();
        let mut state = self.state.lock();
        state.clock += 1;
        let entry = Entry { footer, bytes, used: state.clock };
        state.bytes += bytes;
        if let Some(old) = state.entries.insert(key, entry) {
            state.bytes -= old.bytes;
        }
        while state.bytes > self.limit && state.entries.len() > 1 {
            let oldest = state.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| *key);
            let Some(entry) = oldest.and_then(|key| state.entries.remove(&key)) else { break };
            state.bytes -= entry.bytes;
        }
    }

    pub fn remove(&self, key: Key) {
        let mut state = self.state.lock();
        if let Some(entry) = state.entries.remove(&key) {
            state.bytes -= entry.bytes;
        }
    }
}
