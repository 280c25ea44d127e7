//! Counters of one statement, several of them, so that sessions seldom wait for each other.

use std::time::Duration;

use parking_lot::Mutex;

/// Sets of counters per entry.
const SHARDS: usize = 4;

/// Executions with their times, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counters {
    pub calls: u64,
    pub rows: u64,
    pub total: f64,
    pub min: f64,
    pub max: f64,
    pub mean: f64,
    /// Sum of the squares of the differences from the mean (Welford's method).
    squares: f64,
}

impl Counters {
    /// Of the population.
    pub fn deviation(&self) -> f64 {
        if self.calls > 1 { (self.squares / self.calls as f64).sqrt() } else { 0.0 }
    }

    fn add(&mut self, milliseconds: f64, rows: u64) {
        self.merge(&Self {
            calls: 1,
            rows,
            total: milliseconds,
            min: milliseconds,
            max: milliseconds,
            mean: milliseconds,
            squares: 0.0,
        });
    }

    /// Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances".
    fn merge(&mut self, other: &Self) {
        if other.calls == 0 {
            return;
        }
        if self.calls == 0 {
            *self = *other;
            return;
        }
        let (mine, others) = (self.calls as f64, other.calls as f64);
        let difference = other.mean - self.mean;
        self.squares += other.squares + difference * difference * mine * others / (mine + others);
        self.mean += difference * others / (mine + others);
        self.total += other.total;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.calls += other.calls;
        self.rows += other.rows;
    }
}

/// On a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard(Mutex<Counters>);

#[derive(Debug, Default)]
pub(super) struct Shards([Shard; SHARDS]);

impl Shards {
    /// Counts an execution in the shard of a session.
    pub fn add(&self, session: usize, elapsed: Duration, rows: u64) {
        let Some(shard) = self.0.get(session % SHARDS) else { return };
        shard.0.lock().add(elapsed.as_secs_f64() * 1000.0, rows);
    }

    pub fn sum(&self) -> Counters {
        let mut sum = Counters::default();
        self.0.iter().for_each(|shard| sum.merge(&shard.0.lock()));
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_add_up() {
        let shards = Shards::default();
        for (session, milliseconds) in [(1, 2), (2, 4), (3, 4), (4, 4), (5, 5), (6, 5), (7, 7), (8, 9)] {
            shards.add(session, Duration::from_millis(milliseconds), 2);
        }
        let sum = shards.sum();
        assert_eq!((sum.calls, sum.rows, sum.min, sum.max), (8, 16, 2.0, 9.0));
        assert!(
            (sum.mean - 5.0).abs() < 1e-9 && (sum.deviation() - 2.0).abs() < 1e-9 && (sum.total - 40.0).abs() < 1e-9
        );
    }
}
