//! Locks between transactions: tables, rows, unique keys, and numbers that applications choose.
//!
//! A [`LockSet`] is what one transaction (or session) holds; it gives everything back when it is dropped. A request is
//! granted at once or yields a [`Waiting`], a place in a fair queue that the caller awaits with whatever limits it has:
//! dropping it leaves the queue. Nothing here knows time, SQL or messages.
//!
//! The modes and what they exclude are PostgreSQL's (manual, "Explicit Locking").

mod graph;
mod manager;
mod mode;
mod set;
mod shard;
#[cfg(test)]
mod tests;
mod waiting;

pub use manager::{LockManager, LockStatus, LockedObject, Owner};
pub use mode::{RowClaim, TableMode};
pub use set::{LockSet, Mark};
pub use waiting::{Deadlock, Step, Waiting};

use serde::{Deserialize, Serialize};

use crate::memtable::RowId;
use crate::schema::{IndexId, TableId};

/// What table modes apply to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Object {
    /// A relation of a database; the numbers mean nothing here.
    Table { database: u32, relation: u32 },
    /// `parts` tells how the key was given: 1 for one number, 2 for two.
    Advisory { database: u32, key: u64, parts: u8 },
    /// A key, by its hash, that rows elsewhere refer to: shared by those who insert such rows, exclusive for who takes it
    /// away. It outlasts the versions of the row that has the key.
    Reference { table: TableId, index: IndexId, hash: u64 },
}

impl Object {
    /// Part of a transaction's data rather than of what `pg_locks` lists by itself.
    pub fn is_data(&self) -> bool {
        matches!(self, Object::Reference { .. })
    }
}

/// One lock that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Want {
    Object(Object, TableMode),
    Row(TableId, RowId, RowClaim),
    /// The right to insert a key, by its hash.
    Key(TableId, IndexId, u64),
}
