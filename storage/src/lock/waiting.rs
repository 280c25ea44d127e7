//! A request that could not be granted at once.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::Want;
use super::graph::{self, Edge};
use super::manager::LockManager;
use super::set::LockSet;
use super::shard::Shard;

/// A place in the queue for a lock. Dropping it leaves the queue.
#[derive(Debug)]
pub struct Waiting {
    set: Arc<LockSet>,
    want: Want,
    number: u64,
    granted: oneshot::Receiver<()>,
    claimed: bool,
    urgent: bool,
}

/// Sessions that wait for each other in a circle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deadlock {
    /// Who found it comes first.
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub pid: i32,
    pub want: Want,
    pub blocked_by: i32,
    /// The number of the transaction that is waited for.
    pub transaction: u64,
}

impl Waiting {
    pub(super) fn new(
        set: Arc<LockSet>,
        want: Want,
        number: u64,
        granted: oneshot::Receiver<()>,
        urgent: bool,
    ) -> Self {
        Self { set, want, number, granted, claimed: false, urgent }
    }

    /// Somebody in the queue waits for us on this very object, so that it is well to look for a deadlock at once.
    pub fn is_urgent(&self) -> bool {
        self.urgent
    }

    pub fn want(&self) -> Want {
        self.want
    }

    /// Resolves when the lock is held. May be polled, left and polled again.
    pub async fn granted(&mut self) {
        if self.claimed {
            return;
        }
        // The sender goes only by granting, or after us.
        let _ = (&mut self.granted).await;
        self.claim();
    }

    fn claim(&mut self) {
        self.claimed = true;
        self.set.note(self.want);
    }

    /// Is this wait part of a circle? A circle through somebody who only stands in the queue is opened by letting that one
    /// pass; then the answer is no.
    pub fn deadlock(&self) -> Option<Deadlock> {
        let manager = self.set.manager();
        let mut shards = manager.all_shards();
        loop {
            let mut edges = Vec::new();
            shards.iter().for_each(|shard| shard.edges(&mut edges));
            let found = graph::circle(&edges, self.set.owner().id)?;
            // PostgreSQL turns round the edge that is farthest from who looks.
            let passes = found.iter().rfind(|edge| edge.soft && !is_held_up(&edges, edge.request));
            if passes.is_some_and(|edge| let_pass(&mut shards, edge.request)) {
                continue;
            }
            return Some(self.describe(manager, &shards, &found));
        }
    }

    fn describe(
        &self,
        manager: &LockManager,
        shards: &[impl std::ops::Deref<Target = Shard>],
        found: &[Edge],
    ) -> Deadlock {
        let want_of = |request: u64| {
            let waiters = shards.iter().flat_map(|shard| &shard.queue);
            waiters.clone().find(|waiter| waiter.number == request).map_or(self.want, |waiter| waiter.want)
        };
        let step = |edge: &Edge| Step {
            pid: manager.pid_of(edge.from),
            want: want_of(edge.request),
            blocked_by: manager.pid_of(edge.to),
            transaction: manager.transaction_of(edge.to),
        };
        Deadlock { steps: found.iter().map(step).collect() }
    }
}

/// Does somebody hold what the request waits for?
fn is_held_up(edges: &[Edge], request: u64) -> bool {
    edges.iter().any(|edge| edge.request == request && !edge.soft)
}

fn let_pass(shards: &mut [impl std::ops::DerefMut<Target = Shard>], request: u64) -> bool {
    for shard in shards {
        if let Some(place) = shard.queue.iter().position(|waiter| waiter.number == request) {
            shard.grant(place);
            return true;
        }
    }
    false
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.claimed {
            return;
        }
        let mut shard = self.set.manager().shard(&self.want);
        match shard.queue.iter().position(|waiter| waiter.number == self.number) {
            Some(place) => {
                shard.queue.remove(place);
            }
            // Granted meanwhile, and nobody took it.
            None => shard.release(self.set.owner().id, &self.want),
        }
        // Who stood behind may be next.
        shard.promote();
    }
}
