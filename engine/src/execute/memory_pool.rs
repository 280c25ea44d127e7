//! The memory that running queries share.

use std::fmt;

use datafusion::common::{DataFusionError, Result, human_readable_size};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use parking_lot::Mutex;

/// What operators that can spill may hold together, in hundredths of the pool: a merge of sorted runs needs a row and a key of each
/// batch that a sort holds just when the sorts around it have filled their shares.
const SPILLABLE_PERCENT: usize = 60;
/// The last part of the pool is for those who hold little, each up to this much: a merge of spilled runs takes whatever it gets, and
/// would leave nothing to a sort that has yet to spill.
const LAST_PERCENT: usize = 24;
const LITTLE_PERCENT: usize = 12;

/// Equal shares for the operators that can spill, first come first served for those that cannot. As DataFusion's
/// `FairSpillPool`, but the former never fill the pool together.
#[derive(Debug)]
pub struct SharedPool {
    size: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Operators that can spill.
    spillers: usize,
    /// Bytes that they hold.
    spillable: usize,
    /// Bytes that all others hold.
    fixed: usize,
}

impl SharedPool {
    pub fn new(size: usize) -> Self {
        Self { size, state: Mutex::default() }
    }

    /// Bytes that the consumer may still have if it asks for `additional`.
    fn available(&self, state: &State, reservation: &MemoryReservation, additional: usize) -> usize {
        let percent = |part: usize| self.size / 100 * part;
        let free_of_fixed = self.size.saturating_sub(state.fixed);
        if reservation.consumer().can_spill() {
            let share = free_of_fixed.min(percent(SPILLABLE_PERCENT)) / state.spillers.max(1);
            return share.saturating_sub(reservation.size());
        }
        let holds_little = reservation.size().saturating_add(additional) <= percent(LITTLE_PERCENT);
        let kept_back = if holds_little { 0 } else { percent(LAST_PERCENT) };
        free_of_fixed.saturating_sub(state.spillable).saturating_sub(kept_back)
    }
}

impl MemoryPool for SharedPool {
    fn name(&self) -> &str {
        "shared"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        if consumer.can_spill() {
            self.state.lock().spillers += 1;
        }
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        if consumer.can_spill() {
            let mut state = self.state.lock();
            state.spillers = state.spillers.saturating_sub(1);
        }
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        *self.state.lock().held_by(reservation) += additional;
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        let mut state = self.state.lock();
        let held = state.held_by(reservation);
        *held = held.saturating_sub(shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let mut state = self.state.lock();
        let available = self.available(&state, reservation, additional);
        if additional > available {
            return Err(DataFusionError::ResourcesExhausted(format!(
                "{} holds {} and needs {} more; {} of {} are left for it.",
                reservation.consumer().name(),
                human_readable_size(reservation.size()),
                human_readable_size(additional),
                human_readable_size(available),
                human_readable_size(self.size),
            )));
        }
        *state.held_by(reservation) += additional;
        Ok(())
    }

    fn reserved(&self) -> usize {
        let state = self.state.lock();
        state.spillable + state.fixed
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.size)
    }
}

impl State {
    fn held_by(&mut self, reservation: &MemoryReservation) -> &mut usize {
        if reservation.consumer().can_spill() { &mut self.spillable } else { &mut self.fixed }
    }
}

impl fmt::Display for SharedPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shared({})", human_readable_size(self.size))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn spillers_share_a_part_and_the_last_of_it_is_for_who_holds_little() {
        let pool: Arc<dyn MemoryPool> = Arc::new(SharedPool::new(400));
        let sort = |name: &str| MemoryConsumer::new(name).with_can_spill(true).register(&pool);
        let (first, second) = (sort("first"), sort("second"));
        assert!(first.try_grow(121).is_err());
        first.try_grow(120).unwrap();
        second.try_grow(120).unwrap();
        let merge = MemoryConsumer::new("merge").register(&pool);
        merge.try_grow(64).unwrap();
        let error = merge.try_grow(1).unwrap_err().to_string();
        assert!(
            error.contains("merge holds 64.0 B and needs 1.0 B more; 0.0 B of 400.0 B are left for it."),
            "{error}"
        );
        let cursors = [48, 48].map(|bytes| {
            let cursor = MemoryConsumer::new("cursor").register(&pool);
            cursor.try_grow(bytes).map(|()| cursor).unwrap()
        });
        drop(second);
        merge.try_grow(24).unwrap();
        assert_eq!(pool.reserved(), 120 + 64 + 96 + 24);
        drop((first, merge, cursors));
        assert_eq!(pool.reserved(), 0);
    }

    #[test]
    fn what_others_hold_is_no_share() {
        let pool: Arc<dyn MemoryPool> = Arc::new(SharedPool::new(400));
        let table = MemoryConsumer::new("hash table").register(&pool);
        table.try_grow(300).unwrap();
        let sort = MemoryConsumer::new("sort").with_can_spill(true).register(&pool);
        assert!(sort.try_grow(101).is_err());
        sort.try_grow(100).unwrap();
    }
}
