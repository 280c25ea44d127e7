//! Hands out OIDs: counted in memory, reserved in the store a block ahead, so that none comes twice after a crash.

use std::sync::Arc;

use aegis_storage::{Store, block_on};
use parking_lot::Mutex;

use crate::fixed_oid::FIRST_NORMAL;
use crate::types::oid::Oid;
use crate::{Error, Result, sqlstate};

/// The store's counter that holds the first OID not reserved yet. Sequences use their OIDs, which are far above.
const COUNTER: u64 = 1;
/// OIDs reserved at once; at most so many are lost at a crash.
const BLOCK: i64 = 8192;

#[derive(Debug)]
pub(crate) struct OidAllocator {
    store: Arc<Store>,
    range: Mutex<Range>,
}

#[derive(Debug)]
struct Range {
    next: i64,
    /// First OID that is not reserved.
    end: i64,
}

impl OidAllocator {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        let first = store.counter(COUNTER).unwrap_or_default().max(i64::from(FIRST_NORMAL));
        Self { store, range: Mutex::new(Range { next: first, end: first }) }
    }

    /// The next OID. Once in a block the calling thread waits for the log.
    pub(crate) fn allocate(&self) -> Result<Oid> {
        let mut range = self.range.lock();
        if range.next == range.end {
            let end = range.end + BLOCK;
            block_on(self.store.counter_reserve(COUNTER, end))?;
            range.end = end;
        }
        let oid = Oid::try_from(range.next)
            .map_err(|_| Error::new(sqlstate::PROGRAM_LIMIT_EXCEEDED, "all object identifiers have been used"))?;
        range.next += 1;
        Ok(oid)
    }

    /// Keeps at least half a block in reserve.
    pub(crate) async fn reserve_ahead(&self) -> Result<()> {
        let end = {
            let range = self.range.lock();
            if range.end - range.next > BLOCK / 2 {
                return Ok(());
            }
            range.end + BLOCK
        };
        self.store.counter_reserve(COUNTER, end).await?;
        let mut range = self.range.lock();
        range.end = range.end.max(end);
        Ok(())
    }
}
