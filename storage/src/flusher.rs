//! The thread that flushes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::{Error, Result, Store};

/// Pause after a flush that failed, for space to return.
const RETRY_AFTER: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub struct Flusher {
    requests: Sender<Request>,
    /// A flush was asked for and has not begun.
    wanted: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
enum Request {
    Flush(Option<oneshot::Sender<Result<()>>>),
    FreeDropped,
    Stop,
}

impl Flusher {
    pub fn start(&self, store: Weak<Store>, pending: PendingFlusher) -> Result<()> {
        let PendingFlusher { requests, wanted } = pending;
        let run = move || {
            while let Ok(request) = requests.recv() {
                let Some(store) = store.upgrade() else { break };
                let reply = match request {
                    Request::Flush(reply) => reply,
                    Request::FreeDropped => {
                        if let Err(error) = store.free_dropped() {
                            tracing::warn!(%error, "the files of a dropped table stay until the next flush");
                        }
                        continue;
                    }
                    Request::Stop => break,
                };
                wanted.store(false, Ordering::Release);
                let outcome = store.flush_blocking();
                if let (Err(error), None) = (&outcome, &reply) {
                    tracing::warn!(%error, "a flush failed and will be tried again");
                    std::thread::sleep(RETRY_AFTER);
                }
                store.after_flush(&outcome);
                (store.config().on_idle)();
                // Before the answer: who then drops the store may open the directory again at once.
                drop(store);
                if let Some(reply) = reply {
                    let _ = reply.send(outcome);
                }
            }
        };
        let thread = std::thread::Builder::new().name("aegis-flush".into()).spawn(run)?;
        *self.thread.lock() = Some(thread);
        Ok(())
    }

    /// The sending half, and what [`Flusher::start`] needs once the store exists.
    pub fn new() -> (Self, PendingFlusher) {
        let (requests, receiver) = mpsc::channel();
        let wanted = Arc::new(AtomicBool::new(false));
        let flusher = Self { requests, wanted: wanted.clone(), thread: Mutex::new(None) };
        (flusher, PendingFlusher { requests: receiver, wanted })
    }

    /// Asks for a flush without waiting.
    pub fn wake(&self) {
        if !self.wanted.swap(true, Ordering::AcqRel) {
            let _ = self.requests.send(Request::Flush(None));
        }
    }

    /// Asks to let the files of dropped tables go.
    pub fn free(&self) {
        let _ = self.requests.send(Request::FreeDropped);
    }

    pub async fn flush(&self) -> Result<()> {
        let stopped = || Error::Stopped("the store is closed".into());
        let (reply, done) = oneshot::channel();
        self.requests.send(Request::Flush(Some(reply))).map_err(|_| stopped())?;
        done.await.map_err(|_| stopped())?
    }

    pub fn stop(&self) {
        let _ = self.requests.send(Request::Stop);
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

#[derive(Debug)]
pub struct PendingFlusher {
    requests: Receiver<Request>,
    wanted: Arc<AtomicBool>,
}
