//! The threads that serve connections. Each polls sockets of its own, so that a statement goes from its bytes to its answer without a
//! change of threads, and a connection stays on one for its life. What takes long runs on the query threads, or makes room on its own
//! thread first (`tokio::task::block_in_place`).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Handle, Runtime};

/// Stack of a thread that serves connections: passes over the tree of a deeply nested statement run there.
const STACK_BYTES: usize = 16 << 20;

pub struct Threads(Vec<Thread>);

struct Thread {
    /// None only while it is dropped.
    runtime: Option<Runtime>,
    connections: Arc<AtomicUsize>,
}

/// Held by a connection that counts on a thread.
pub struct Seat(Arc<AtomicUsize>);

impl Threads {
    /// `on_idle` is called by a thread that has nothing to do.
    pub fn start(count: usize, on_idle: fn()) -> io::Result<Self> {
        let thread = || {
            let runtime = Builder::new_multi_thread()
                .worker_threads(1)
                .thread_name("aegis-connection")
                .thread_stack_size(STACK_BYTES)
                .on_thread_park(on_idle)
                .enable_all()
                .build()?;
            Ok(Thread { runtime: Some(runtime), connections: Arc::default() })
        };
        (0..count.max(1)).map(|_| thread()).collect::<io::Result<_>>().map(Self)
    }

    /// A place on the thread with the fewest connections.
    pub fn seat(&self) -> Option<(Handle, Seat)> {
        let thread = self.0.iter().min_by_key(|thread| thread.connections.load(Ordering::Relaxed))?;
        thread.connections.fetch_add(1, Ordering::Relaxed);
        Some((thread.runtime.as_ref()?.handle().clone(), Seat(thread.connections.clone())))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // A runtime must not wait for its threads where another's tasks run.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_spread_evenly() {
        let threads = Threads::start(2, || {}).unwrap();
        let load = |threads: &Threads| -> Vec<usize> {
            threads.0.iter().map(|thread| thread.connections.load(Ordering::Relaxed)).collect()
        };
        let mut seats: Vec<_> = (0..4).filter_map(|_| threads.seat()).collect();
        assert_eq!(load(&threads), [2, 2]);
        seats.remove(0);
        seats.remove(1);
        assert_eq!(load(&threads), [0, 2]);
        seats.extend(threads.seat());
        assert_eq!(load(&threads), [1, 2]);
    }
}
