//! How the memory limit of the server is shared out.

const MIB: usize = 1 << 20;

/// Parts of the limit; together with what connections, plans and caches need they stay under it.
#[derive(Debug, PartialEq)]
pub struct Budget {
    /// Working memory of all running queries together; who wants more spills or fails with 53200.
    pub queries: usize,
    /// Rows in memory that start a flush.
    pub memtable: usize,
    /// Rows in memory at which commits wait for the flush.
    pub memtable_stall: usize,
    /// Decoded footers of segments.
    pub footers: usize,
    /// Decoded pieces of segments.
    pub pieces: usize,
    /// New rows of one transaction in memory.
    pub transaction: usize,
    /// New rows from which a transaction writes them to disk.
    pub stage: usize,
    /// Rows of a row group: what writes segments holds two of them.
    pub row_group_rows: usize,
    /// Rows that segments are merged up to: their new places and the hashes of their keys are in memory while they are merged.
    pub merge_rows: u64,
}

/// The program itself (a third of this are pages of its code), what its libraries keep, and what operators that spill hold beside what
/// they claim, however little that is: batches on their way between threads, pages that are being decoded.
const PROGRAM: usize = 128 * MIB;
/// Least memory for queries, however low the limit.
const LEAST_QUERIES: usize = 16 * MIB;

impl Budget {
    /// Two fifths for queries, whose operators hold somewhat more than they claim; the caps are what more memory would no longer make faster.
    pub fn of(limit: usize) -> Self {
        let rows = limit.saturating_sub(PROGRAM);
        Self {
            queries: (rows / 5 * 2).max(LEAST_QUERIES),
            memtable: (limit / 16).clamp(4 * MIB, 64 * MIB),
            memtable_stall: (limit / 8).clamp(8 * MIB, 512 * MIB),
            footers: (limit / 32).clamp(4 * MIB, 64 * MIB),
            pieces: (rows / 8).max(4 * MIB),
            transaction: (limit / 3).clamp(16 * MIB, 2048 * MIB),
            stage: (limit / 32).clamp(4 * MIB, 64 * MIB),
            row_group_rows: (limit / (8 << 10)).clamp(16_384, 131_072),
            merge_rows: (limit as u64 / 512).clamp(1 << 19, 4 << 20),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_laptop_and_a_small_container() {
        let laptop = Budget::of(8192 * MIB);
        assert_eq!((laptop.memtable, laptop.memtable_stall), (64 * MIB, 512 * MIB));
        let container = Budget::of(256 * MIB);
        assert_eq!((container.queries / MIB, container.pieces / MIB), (51, 16));
        assert_eq!((container.memtable, container.memtable_stall), (16 * MIB, 32 * MIB));
        assert_eq!((laptop.row_group_rows, container.row_group_rows), (131_072, 32_768));
        assert_eq!((laptop.merge_rows, container.merge_rows), (4 << 20, 1 << 19));
    }
}
