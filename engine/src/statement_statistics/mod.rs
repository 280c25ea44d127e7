//! How often each statement ran, for how long and with how many rows: what the extension `pg_stat_statements` shows (PostgreSQL manual F.32).
//!
//! Counted are the statements of clients, in all databases, as long as the extension is in one of them; until then a statement costs two loads.
//! A prepared statement finds its entry once; each execution then adds to counters that few others share.

mod counters;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aegis_catalog::fixed_oid::PG_EXTENSION;
use aegis_catalog::{CatalogStore, Oid};
use parking_lot::{Mutex, RwLock};

pub use counters::Counters;
use counters::Shards;

use crate::parse::ast::Statement;
use crate::parse::normalize::normalize;
use crate::session::clock;
use crate::session::context::StatementContext;
use crate::session::prepared::Prepared;

/// Name of the extension that shows all this.
pub const EXTENSION: &str = "pg_stat_statements";

/// Most entries: the setting `pg_stat_statements.max`.
const MAX_ENTRIES: usize = 5000;

/// Least entries that make room for new ones, and the share of all: those that were used least.
const DROPPED_AT_LEAST: usize = 10;
const DROPPED_PERCENT: usize = 5;

/// How much of its use an entry keeps when others make room.
const USE_KEPT: f64 = 0.99;

/// Longest text of an entry, in bytes.
const MAX_TEXT: usize = 64 << 10;

/// What tells entries apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    pub user: Oid,
    pub database: Oid,
    pub query: i64,
}

/// One statement of one user in one database.
#[derive(Debug)]
pub struct Entry {
    pub key: Key,
    pub text: Arc<str>,
    /// It is no longer among the entries.
    gone: AtomicBool,
    shards: Shards,
    used: Mutex<Use>,
}

/// How much an entry was used, the more lately the more it counts.
#[derive(Debug, Default)]
struct Use {
    weight: f64,
    calls: u64,
}

#[derive(Default)]
pub struct StatementStatistics {
    /// The version of the catalog for which `on` was found out.
    seen: AtomicU64,
    on: AtomicBool,
    entries: RwLock<HashMap<Key, Arc<Entry>>>,
    /// How often entries were dropped to make room.
    deallocations: AtomicU64,
    /// µs since 1970-01-01 UTC; 0 for never.
    reset_at: AtomicI64,
}

/// One execution, which is counted when this goes.
pub struct Execution {
    /// None if it failed.
    entry: Option<Arc<Entry>>,
    shard: usize,
    elapsed: Duration,
    rows: u64,
}

impl Execution {
    pub fn new(entry: Arc<Entry>, session: i32, elapsed: Duration) -> Self {
        Self { entry: Some(entry), shard: session.unsigned_abs() as usize, elapsed, rows: 0 }
    }

    /// It went on for that long and gave that many rows.
    pub fn add(&mut self, since: Instant, rows: u64) {
        self.elapsed += since.elapsed();
        self.rows += rows;
    }

    /// It ended with an error.
    pub fn fail(&mut self) {
        self.entry = None;
    }

    /// It has ended with a command tag, at once or after its rows: those of EXPLAIN or SHOW are none of a table.
    pub fn end(mut self, tag: &str) {
        match rows_of(tag) {
            None => self.rows = 0,
            Some(rows) => self.rows = self.rows.max(rows),
        }
    }
}

impl Drop for Execution {
    fn drop(&mut self) {
        if let Some(entry) = &self.entry {
            entry.shards.add(self.shard, self.elapsed, self.rows);
        }
    }
}

/// The rows that a command tag tells of; None if it tells of none.
fn rows_of(tag: &str) -> Option<u64> {
    match tag.split_once(' ')? {
        ("INSERT" | "UPDATE" | "DELETE" | "MERGE" | "SELECT" | "COPY" | "FETCH", rest) => {
            rest.rsplit(' ').next()?.parse().ok()
        }
        _ => None,
    }
}

impl Entry {
    pub fn counters(&self) -> Counters {
        self.shards.sum()
    }

    fn is_of(&self, context: &StatementContext) -> bool {
        self.key.user == context.user_oid && !self.gone.load(Ordering::Relaxed)
    }

    /// Its use since it was last asked for, after which it counts for less.
    fn weigh(&self) -> f64 {
        let calls = self.counters().calls;
        let mut used = self.used.lock();
        used.weight = (used.weight + calls.saturating_sub(used.calls) as f64) * USE_KEPT;
        used.calls = calls;
        used.weight
    }
}

impl StatementStatistics {
    /// Is the extension in any database?
    pub fn is_on(&self, catalog: &CatalogStore) -> bool {
        let version = catalog.newest_version();
        if self.seen.load(Ordering::Relaxed) != version {
            let on = catalog.any(|image| image.descriptor_by_name(PG_EXTENSION, 0, EXTENSION).is_some());
            self.on.store(on, Ordering::Relaxed);
            self.seen.store(version, Ordering::Relaxed);
        }
        self.on.load(Ordering::Relaxed)
    }

    /// The entry that a statement's executions are counted in. None for what is counted as another statement, or is none.
    pub fn entry(&self, prepared: &Prepared, utilities: bool, context: &StatementContext) -> Option<Arc<Entry>> {
        let parsed = prepared.statement.as_ref()?;
        let is_utility = matches!(parsed.statement, Statement::Utility(_));
        if is_utility && !utilities {
            return None;
        }
        let mut counted = prepared.counted.lock();
        if let Some(entry) = counted.as_ref().filter(|entry| entry.is_of(context)) {
            return Some(Arc::clone(entry));
        }
        let text =
            prepared.sql.get(parsed.span.start as usize..parsed.span.end as usize).unwrap_or(&prepared.sql).trim();
        let mut hasher = DefaultHasher::new();
        let text = if is_utility {
            hasher.write(text.as_bytes());
            text.to_owned()
        } else {
            let normalized = normalize(text, parsed.parameter_count);
            hasher.write_u64(normalized.fingerprint);
            // The same names may mean other relations elsewhere.
            prepared.plan(context).ok()?.needs.iter().for_each(|(relation, _)| hasher.write_u32(relation));
            normalized.text
        };
        let key = Key { user: context.user_oid, database: context.database_oid, query: hasher.finish().cast_signed() };
        let entry = self.find_or_make(key, text);
        *counted = Some(Arc::clone(&entry));
        Some(entry)
    }

    fn find_or_make(&self, key: Key, mut text: String) -> Arc<Entry> {
        if let Some(entry) = self.entries.read().get(&key) {
            return Arc::clone(entry);
        }
        let mut end = text.len().min(MAX_TEXT);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        let mut entries = self.entries.write();
        if entries.len() >= MAX_ENTRIES && !entries.contains_key(&key) {
            self.make_room(&mut entries);
        }
        Arc::clone(entries.entry(key).or_insert_with(|| {
            Arc::new(Entry {
                key,
                text: text.into(),
                gone: AtomicBool::new(false),
                shards: Shards::default(),
                used: Mutex::default(),
            })
        }))
    }

    fn make_room(&self, entries: &mut HashMap<Key, Arc<Entry>>) {
        let mut weights: Vec<(f64, Key)> = entries.iter().map(|(key, entry)| (entry.weigh(), *key)).collect();
        weights.sort_by(|a, b| a.0.total_cmp(&b.0));
        let count = DROPPED_AT_LEAST.max(entries.len() * DROPPED_PERCENT / 100);
        for (_, key) in weights.iter().take(count) {
            forget(entries, *key);
        }
        self.deallocations.fetch_add(1, Ordering::Relaxed);
    }

    pub fn all(&self) -> Vec<Arc<Entry>> {
        self.entries.read().values().cloned().collect()
    }

    /// Forgets the entries of a user, a database, a query: 0 for any.
    pub fn reset(&self, user: Oid, database: Oid, query: i64) {
        let mut entries = self.entries.write();
        let is_meant = |key: &Key| {
            (user == 0 || key.user == user)
                && (database == 0 || key.database == database)
                && (query == 0 || key.query == query)
        };
        let meant: Vec<Key> = entries.keys().copied().filter(is_meant).collect();
        meant.into_iter().for_each(|key| forget(&mut entries, key));
        if (user, database, query) == (0, 0, 0) {
            self.deallocations.store(0, Ordering::Relaxed);
            self.reset_at.store(clock::now(), Ordering::Relaxed);
        }
    }

    /// How often room was made, and when all was forgotten, or the server started (µs since 1970-01-01 UTC).
    pub fn history(&self, started: i64) -> (u64, i64) {
        let reset = self.reset_at.load(Ordering::Relaxed);
        (self.deallocations.load(Ordering::Relaxed), if reset == 0 { started } else { reset })
    }
}

fn forget(entries: &mut HashMap<Key, Arc<Entry>>, key: Key) {
    if let Some(entry) = entries.remove(&key) {
        entry.gone.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(query: i64) -> Key {
        Key { user: 10, database: 5, query }
    }

    #[test]
    fn the_least_used_make_room() {
        let statistics = StatementStatistics::default();
        for query in 0..MAX_ENTRIES as i64 {
            let entry = statistics.find_or_make(key(query), format!("SELECT {query}"));
            if query >= 1000 {
                Execution::new(entry, 1, Duration::from_millis(1)).end("SELECT 1");
            }
        }
        let kept = statistics.find_or_make(key(4000), String::new());
        statistics.find_or_make(key(-1), "SELECT $1".into());
        assert_eq!(statistics.all().len(), MAX_ENTRIES - 250 + 1);
        assert_eq!(statistics.history(7), (1, 7));
        assert!(!kept.gone.load(Ordering::Relaxed));
        statistics.reset(0, 0, 4000);
        assert!(kept.gone.load(Ordering::Relaxed));
    }

    #[test]
    fn rows_are_told_by_the_tag() {
        assert_eq!(
            ["INSERT 0 3", "SELECT 5", "COPY 7", "CREATE TABLE", "BEGIN"].map(rows_of),
            [Some(3), Some(5), Some(7), None, None]
        );
    }
}
