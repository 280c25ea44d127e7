//! The thread that compacts, no faster than it may.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::{Error, Result, Store};

/// Pause after a compaction that failed.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// Longest pause between two looks at whether to stop.
const NAP: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub struct Compactor {
    wake: SyncSender<()>,
    stop: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
pub struct PendingCompactor {
    woken: Receiver<()>,
    stop: Arc<AtomicBool>,
}

impl Compactor {
    pub fn new() -> (Self, PendingCompactor) {
        let (wake, woken) = mpsc::sync_channel(1);
        let stop = Arc::new(AtomicBool::new(false));
        (Self { wake, stop: stop.clone(), thread: Mutex::new(None) }, PendingCompactor { woken, stop })
    }

    pub fn start(&self, store: Weak<Store>, pending: PendingCompactor) -> Result<()> {
        let PendingCompactor { woken, stop } = pending;
        let run = move || {
            while woken.recv().is_ok() && !stop.load(Ordering::Acquire) {
                while let Some(store) = store.upgrade() {
                    match store.compact_once() {
                        Ok(true) => {}
                        Ok(false) | Err(Error::Stopped(_)) => {
                            (store.config().on_idle)();
                            break;
                        }
                        Err(error) => {
                            tracing::warn!(%error, "a compaction failed and will be tried again");
                            drop(store);
                            nap(RETRY_AFTER, &stop);
                            break;
                        }
                    }
                }
            }
        };
        let thread = std::thread::Builder::new().name("aegis-compact".into()).spawn(run)?;
        *self.thread.lock() = Some(thread);
        Ok(())
    }

    /// There may be something to do.
    pub fn wake(&self) {
        // If the channel is full it will look again anyway.
        let _ = self.wake.try_send(());
    }

    /// Set when the thread is to end.
    pub fn stopping(&self) -> &AtomicBool {
        &self.stop
    }

    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.wake();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread.filter(|t| t.thread().id() != std::thread::current().id()) {
            let _ = thread.join();
        }
    }
}

/// Keeps to a number of bytes per second.
#[derive(Debug)]
pub struct Pace {
    started: Instant,
    bytes: u64,
    /// 0 for no limit.
    per_second: u64,
}

impl Pace {
    pub fn new(per_second: u64) -> Self {
        Self { started: Instant::now(), bytes: 0, per_second }
    }

    /// Counts work that was done, and waits until it was its time.
    pub fn done(&mut self, bytes: u64, stop: &AtomicBool) -> Result<()> {
        self.bytes += bytes;
        if let Some(millis) = (self.bytes * 1000).checked_div(self.per_second) {
            nap(Duration::from_millis(millis).saturating_sub(self.started.elapsed()), stop);
        }
        match stop.load(Ordering::Acquire) {
            true => Err(Error::Stopped("it is being closed".into())),
            false => Ok(()),
        }
    }
}

fn nap(time: Duration, stop: &AtomicBool) {
    let until = Instant::now() + time;
    while !stop.load(Ordering::Acquire) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        std::thread::sleep(left.min(NAP));
    }
}
