//! What has happened to relations and in databases (PostgreSQL manual 28.2, "The Cumulative Statistics System"). Counting starts with the
//! server, or with a reset; nothing of it is kept over a restart. Counters are exact at once: no session keeps some back.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use aegis_catalog::{Catalog, Oid};
use dashmap::DashMap;

/// Counters of all databases. Those of relations hang on their databases' OIDs.
#[derive(Debug)]
pub struct Counters {
    relations: DashMap<(Oid, Oid), Arc<RelationCounters>>,
    databases: DashMap<Oid, Arc<DatabaseCounters>>,
    /// Relations at which those that were dropped are looked for.
    sweep_at: AtomicU64,
    /// µs since 1970-01-01 UTC.
    started: i64,
}

/// A counter that many threads add to.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed).cast_signed()
    }
}

/// Of a table or an index.
#[derive(Debug, Default)]
pub struct RelationCounters {
    database: Arc<DatabaseCounters>,
    /// Scans of a table as a whole, or by an index.
    pub scans: Counter,
    /// Rows that scans have read, or entries that an index has returned.
    pub returned: Counter,
    /// Rows fetched by an index.
    pub fetched: Counter,
    pub inserted: Counter,
    pub updated: Counter,
    pub deleted: Counter,
    pub vacuums: Counter,
    /// µs since 1970-01-01 UTC; 0 if there was none.
    vacuumed: AtomicI64,
    /// `inserted` at the last VACUUM.
    inserted_before: AtomicU64,
}

/// Of a database.
#[derive(Debug, Default)]
pub struct DatabaseCounters {
    pub commits: Counter,
    pub rollbacks: Counter,
    pub returned: Counter,
    pub fetched: Counter,
    pub inserted: Counter,
    pub updated: Counter,
    pub deleted: Counter,
    pub deadlocks: Counter,
    pub sessions: Counter,
    /// µs since 1970-01-01 UTC.
    since: i64,
}

/// Relations with counters before the first look for dropped ones.
const FIRST_SWEEP: u64 = 4096;

impl Counters {
    pub fn new(started: i64) -> Self {
        Self { relations: DashMap::new(), databases: DashMap::new(), sweep_at: AtomicU64::new(FIRST_SWEEP), started }
    }

    pub fn database(&self, database: Oid) -> Arc<DatabaseCounters> {
        if let Some(found) = self.databases.get(&database) {
            return Arc::clone(&found);
        }
        let new = || Arc::new(DatabaseCounters { since: self.started, ..Default::default() });
        Arc::clone(&self.databases.entry(database).or_insert_with(new))
    }

    /// Those of a relation of `catalog`, which is an image of the database.
    pub fn relation(&self, database: Oid, relation: Oid, catalog: &Catalog) -> Arc<RelationCounters> {
        if let Some(found) = self.relations.get(&(database, relation)) {
            return Arc::clone(&found);
        }
        self.sweep(database, catalog);
        let new = || Arc::new(RelationCounters { database: self.database(database), ..Default::default() });
        Arc::clone(&self.relations.entry((database, relation)).or_insert_with(new))
    }

    /// Those of a relation to which something has happened.
    pub fn known(&self, database: Oid, relation: Oid) -> Option<Arc<RelationCounters>> {
        self.relations.get(&(database, relation)).map(|found| Arc::clone(&found))
    }

    /// Forgets dropped relations of the database when there may be many. One that others have not committed yet begins anew.
    fn sweep(&self, database: Oid, catalog: &Catalog) {
        let count = self.relations.len() as u64;
        if count < self.sweep_at.load(Ordering::Relaxed) {
            return;
        }
        self.relations.retain(|(of, relation), _| *of != database || catalog.relation(*relation).is_some());
        self.sweep_at.store((self.relations.len() as u64 * 2).max(FIRST_SWEEP), Ordering::Relaxed);
    }

    /// `pg_stat_reset`: a database and its relations count from 0.
    pub fn reset_database(&self, database: Oid, now: i64) {
        self.databases.insert(database, Arc::new(DatabaseCounters { since: now, ..Default::default() }));
        self.relations.retain(|(of, _), _| *of != database);
    }

    /// `pg_stat_reset_single_table_counters`.
    pub fn reset_relation(&self, database: Oid, relation: Oid) {
        self.relations.remove(&(database, relation));
    }
}

impl RelationCounters {
    /// A scan has read rows.
    pub fn scanned(&self, rows: u64) {
        self.returned.add(rows);
        self.database.returned.add(rows);
    }

    /// An index was asked once and led to so many rows.
    pub fn looked_up(&self, rows: u64) {
        self.scans.add(1);
        self.scanned(rows);
        self.found(rows);
    }

    /// An index has led to rows.
    pub fn found(&self, rows: u64) {
        self.fetched.add(rows);
        self.database.fetched.add(rows);
    }

    pub fn rows_inserted(&self, rows: u64) {
        self.inserted.add(rows);
        self.database.inserted.add(rows);
    }

    pub fn rows_updated(&self, rows: u64) {
        self.updated.add(rows);
        self.database.updated.add(rows);
    }

    pub fn rows_deleted(&self, rows: u64) {
        self.deleted.add(rows);
        self.database.deleted.add(rows);
    }

    pub fn vacuumed(&self, now: i64) {
        self.vacuums.add(1);
        self.vacuumed.store(now, Ordering::Relaxed);
        self.inserted_before.store(self.inserted.get().cast_unsigned(), Ordering::Relaxed);
    }

    /// µs since 1970-01-01 UTC.
    pub fn last_vacuum(&self) -> Option<i64> {
        Some(self.vacuumed.load(Ordering::Relaxed)).filter(|at| *at != 0)
    }

    pub fn inserted_since_vacuum(&self) -> i64 {
        self.inserted.get() - self.inserted_before.load(Ordering::Relaxed).cast_signed()
    }
}

impl DatabaseCounters {
    /// µs since 1970-01-01 UTC.
    pub fn since(&self) -> i64 {
        self.since
    }
}
