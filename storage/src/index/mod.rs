//! Unique keys: their encoding, the index over rows in memory, and the key file beside a segment.

pub mod key;
pub mod memory;

pub use key::KeyColumns;
pub use memory::KeyIndex;
