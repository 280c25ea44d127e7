//! Advisory locks (PostgreSQL manual, "Advisory Locks"): named by numbers, held by a session or its transaction.

use std::sync::Arc;

use aegis_catalog::{Oid, Result};
use aegis_storage::lock::{LockSet, Object, TableMode, Want};
use tokio_util::sync::CancellationToken;

use super::context::AdvisoryKey;
use crate::execute::lock::{Patience, wait_blocking};

/// A request for one lock.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    pub database: Oid,
    pub key: AdvisoryKey,
    pub shared: bool,
}

impl Request {
    pub fn want(self) -> Want {
        let (key, parts) = match self.key {
            AdvisoryKey::Big(key) => (key.cast_unsigned(), 1),
            AdvisoryKey::Pair(a, b) => (u64::from(a.cast_unsigned()) << 32 | u64::from(b.cast_unsigned()), 2),
        };
        let mode = if self.shared { TableMode::Share } else { TableMode::Exclusive };
        Want::Object(Object::Advisory { database: self.database, key, parts }, mode)
    }
}

/// Takes the lock, waiting on this (query) thread; without patience answers false if it is taken.
pub fn acquire(
    locks: &Arc<LockSet>,
    request: Request,
    patience: Option<Patience>,
    cancel: &CancellationToken,
) -> Result<bool> {
    let Some(patience) = patience else { return Ok(locks.attempt(request.want())?) };
    if let Some(waiting) = locks.request(request.want())? {
        wait_blocking(waiting, patience, cancel)?;
    }
    Ok(true)
}
