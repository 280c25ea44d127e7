//! Room on the stack for work that recurses as deep as a statement nests.

/// Bytes that must be left when a level begins; more than any one level of ours or of DataFusion's planner takes.
const RED_ZONE: usize = 256 * 1024;

/// Bytes of a further piece of stack.
const SEGMENT: usize = 8 * 1024 * 1024;

/// Runs one level of a recursion whose depth the statement decides, on a further piece of stack when this one nears its end. How
/// deep it may go at all is the caller's to limit.
pub fn with_room<T>(work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(RED_ZONE, SEGMENT, work)
}
