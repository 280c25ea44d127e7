//! The newest durable version, and which versions transactions read.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use crate::version::Version;

/// What the log's thread touches when an entry has become durable.
#[derive(Debug)]
pub struct Shared {
    /// What new transactions read.
    visible: RwLock<Arc<Version>>,
    /// Versions in use: how many transactions read each.
    pins: Mutex<BTreeMap<u64, (Arc<Version>, usize)>>,
    /// Why the store has stopped.
    pub stopped: watch::Sender<Option<String>>,
}

/// A version that somebody reads.
#[derive(Debug)]
pub struct Pinned {
    version: Arc<Version>,
    shared: Arc<Shared>,
}

impl Pinned {
    pub fn version(&self) -> &Arc<Version> {
        &self.version
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let mut pins = self.shared.pins.lock();
        if let Some((_, count)) = pins.get_mut(&self.version.seq) {
            *count -= 1;
            if *count == 0 {
                pins.remove(&self.version.seq);
            }
        }
    }
}

impl Shared {
    pub fn new(version: Arc<Version>) -> Self {
        Self { visible: RwLock::new(version), pins: Mutex::default(), stopped: watch::Sender::new(None) }
    }

    pub fn visible(&self) -> Arc<Version> {
        self.visible.read().clone()
    }

    pub fn pin(self: &Arc<Self>) -> Pinned {
        let mut pins = self.pins.lock();
        let version = self.visible();
        pins.entry(version.seq).or_insert_with(|| (version.clone(), 0)).1 += 1;
        Pinned { version, shared: self.clone() }
    }

    /// Pins a version that somebody has pinned already.
    pub fn pin_also(self: &Arc<Self>, version: &Arc<Version>) -> Pinned {
        self.pins.lock().entry(version.seq).or_insert_with(|| (version.clone(), 0)).1 += 1;
        Pinned { version: version.clone(), shared: self.clone() }
    }

    pub fn publish(&self, version: Arc<Version>) {
        let old = {
            let mut visible = self.visible.write();
            debug_assert!(visible.seq < version.seq);
            std::mem::replace(&mut *visible, version)
        };
        // Freeing it may take a while; not under the lock.
        drop(old);
    }

    pub fn stop(&self, reason: &str) {
        self.stopped.send_if_modified(|stopped| {
            let first = stopped.is_none();
            if first {
                tracing::error!(reason, "the store stops: after a failed write nothing more can be promised");
                *stopped = Some(reason.to_owned());
            }
            first
        });
    }

    /// The oldest version that anybody reads or may come to read.
    pub fn oldest(&self) -> Arc<Version> {
        let pins = self.pins.lock();
        pins.first_key_value().map_or_else(|| self.visible(), |(_, (version, _))| version.clone())
    }
}
