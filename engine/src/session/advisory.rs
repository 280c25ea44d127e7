//! Advisory locks (PostgreSQL manual, "Advisory Locks"): named by numbers, held by a session or its transaction.

use std::collections::HashMap;
use std::time::Duration;

use aegis_catalog::{Oid, Result};
use parking_lot::{Condvar, Mutex};

use super::context::{AdvisoryKey, StatementContext};

/// All advisory locks of the server.
#[derive(Default)]
pub struct AdvisoryLocks {
    held: Mutex<HashMap<(Oid, AdvisoryKey), Vec<Holder>>>,
    released: Condvar,
}

/// One session's hold on one key; counts, since locks nest.
#[derive(Debug, Clone)]
struct Holder {
    pid: i32,
    shared: bool,
    transaction: bool,
    count: u32,
}

/// How often a waiter looks whether its statement was cancelled.
const CANCEL_POLL: Duration = Duration::from_millis(20);

/// A request for one lock.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    pub database: Oid,
    pub key: AdvisoryKey,
    pub shared: bool,
    /// Held until the end of the transaction rather than of the session.
    pub transaction: bool,
}

impl AdvisoryLocks {
    /// Takes the lock; without `wait` answers false if it is taken. Blocks the (query) thread, ends with 57014 when cancelled.
    pub fn acquire(&self, pid: i32, request: Request, wait: bool, context: &StatementContext) -> Result<bool> {
        let mut held = self.held.lock();
        loop {
            let holders = held.entry((request.database, request.key)).or_default();
            if holders.iter().all(|h| h.pid == pid || (h.shared && request.shared)) {
                let same = |h: &&mut Holder| {
                    h.pid == pid && h.shared == request.shared && h.transaction == request.transaction
                };
                match holders.iter_mut().find(same) {
                    Some(holder) => holder.count += 1,
                    None => {
                        holders.push(Holder { pid, shared: request.shared, transaction: request.transaction, count: 1 })
                    }
                }
                return Ok(true);
            }
            if !wait {
                return Ok(false);
            }
            context.check_cancelled()?;
            self.released.wait_for(&mut held, CANCEL_POLL);
        }
    }

    /// Gives one session-level hold back; false if there is none.
    pub fn release(&self, pid: i32, database: Oid, key: AdvisoryKey, shared: bool) -> bool {
        let mut held = self.held.lock();
        let Some(holders) = held.get_mut(&(database, key)) else { return false };
        let Some(holder) = holders.iter_mut().find(|h| h.pid == pid && h.shared == shared && !h.transaction) else {
            return false;
        };
        holder.count -= 1;
        holders.retain(|h| h.count > 0);
        if holders.is_empty() {
            held.remove(&(database, key));
        }
        self.released.notify_all();
        true
    }

    /// Drops all holds of a session: those of its transaction, or those of the session as well.
    pub fn release_all(&self, pid: i32, of_transaction: bool, of_session: bool) {
        let mut held = self.held.lock();
        for holders in held.values_mut() {
            holders.retain(|h| h.pid != pid || !(if h.transaction { of_transaction } else { of_session }));
        }
        held.retain(|_, holders| !holders.is_empty());
        self.released.notify_all();
    }

    /// (database, key, pid, shared) of every hold, for `pg_locks`.
    pub fn list(&self) -> Vec<(Oid, AdvisoryKey, i32, bool)> {
        let held = self.held.lock();
        held.iter().flat_map(|((db, key), hs)| hs.iter().map(|h| (*db, *key, h.pid, h.shared))).collect()
    }
}
