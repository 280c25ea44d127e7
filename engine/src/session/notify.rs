//! LISTEN and NOTIFY (PostgreSQL manual, "NOTIFY"): messages between the sessions of a database. They leave when their transaction commits,
//! and arrive in the order of the commits, each session's in a queue of its own.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use aegis_catalog::{Error, Oid, Result, sqlstate};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// One message, as NotificationResponse carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Process id of the session that sent it.
    pub pid: i32,
    pub channel: String,
    pub payload: String,
}

/// Bytes that may wait for one session that does not take them. A commit that would add to more fails with 54000.
const MAX_WAITING_BYTES: usize = 16 << 20;
/// What a notification costs besides its texts.
const NOTIFICATION_BYTES: usize = 64;
/// `NOTIFY_PAYLOAD_MAX_LENGTH` and `NAMEDATALEN`.
const MAX_PAYLOAD: usize = 8000;
const MAX_CHANNEL: usize = 64;

impl Notification {
    fn bytes(&self) -> usize {
        NOTIFICATION_BYTES + self.channel.len() + self.payload.len()
    }
}

// ---------------------------------------------------------------------------------------------- one session's queue

/// What has arrived for a session and is not sent to its client yet.
#[derive(Debug, Default)]
pub struct Inbox {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    queue: VecDeque<Arc<Notification>>,
    bytes: usize,
}

impl Inbox {
    pub fn take(&self) -> VecDeque<Arc<Notification>> {
        let mut waiting = self.waiting.lock();
        waiting.bytes = 0;
        std::mem::take(&mut waiting.queue)
    }

    /// Resolves when something arrives that was not waited for yet.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }

    fn push(&self, notification: Arc<Notification>) {
        let mut waiting = self.waiting.lock();
        waiting.bytes += notification.bytes();
        waiting.queue.push_back(notification);
        drop(waiting);
        self.arrived.notify_one();
    }

    fn bytes(&self) -> usize {
        self.waiting.lock().bytes
    }
}

// ---------------------------------------------------------------------------------------------- who listens

/// The listeners of the server, by database and channel.
#[derive(Debug, Default)]
pub struct Channels {
    listeners: Mutex<HashMap<(Oid, String), Vec<Arc<Inbox>>>>,
}

impl Channels {
    /// Before a commit: 54000 if a listener has too much waiting.
    pub fn admit(&self, database: Oid, pending: &Pending) -> Result<()> {
        let listeners = self.listeners.lock();
        let full = pending.notifications.iter().any(|notification| {
            let inboxes = listeners.get(&(database, notification.channel.clone()));
            inboxes.into_iter().flatten().any(|inbox| inbox.bytes() >= MAX_WAITING_BYTES)
        });
        if full {
            let message = "too many notifications in the NOTIFY queue";
            return Err(Error::new(sqlstate::PROGRAM_LIMIT_EXCEEDED, message));
        }
        Ok(())
    }

    /// After the commit: listens and stops listening, then delivers.
    pub fn publish(&self, database: Oid, inbox: &Arc<Inbox>, pending: Pending) {
        let mut listeners = self.listeners.lock();
        for action in pending.actions {
            match action {
                Action::Listen(channel) => {
                    let inboxes = listeners.entry((database, channel)).or_default();
                    if !inboxes.iter().any(|other| Arc::ptr_eq(other, inbox)) {
                        inboxes.push(Arc::clone(inbox));
                    }
                }
                Action::Unlisten(channel) => {
                    if let Some(inboxes) = listeners.get_mut(&(database, channel)) {
                        inboxes.retain(|other| !Arc::ptr_eq(other, inbox));
                    }
                }
                Action::UnlistenAll => remove(&mut listeners, inbox),
            }
        }
        // Under the lock, so that all listeners see the commits in one order.
        for notification in pending.notifications {
            let notification = Arc::new(notification);
            for inbox in listeners.get(&(database, notification.channel.clone())).into_iter().flatten() {
                inbox.push(Arc::clone(&notification));
            }
        }
    }

    /// The session ends, or UNLISTEN * outside of a transaction.
    pub fn forget(&self, inbox: &Arc<Inbox>) {
        remove(&mut self.listeners.lock(), inbox);
    }

    /// What the session listens to, sorted.
    pub fn of(&self, inbox: &Arc<Inbox>) -> Vec<String> {
        let listeners = self.listeners.lock();
        let own = listeners.iter().filter(|(_, inboxes)| inboxes.iter().any(|other| Arc::ptr_eq(other, inbox)));
        let mut channels: Vec<String> = own.map(|((_, channel), _)| channel.clone()).collect();
        channels.sort();
        channels
    }

    /// How full the fullest queue is, 0 to 1.
    pub fn usage(&self) -> f64 {
        let listeners = self.listeners.lock();
        let fullest = listeners.values().flatten().map(|inbox| inbox.bytes()).max().unwrap_or(0);
        fullest as f64 / MAX_WAITING_BYTES as f64
    }
}

fn remove(listeners: &mut HashMap<(Oid, String), Vec<Arc<Inbox>>>, inbox: &Arc<Inbox>) {
    listeners.retain(|_, inboxes| {
        inboxes.retain(|other| !Arc::ptr_eq(other, inbox));
        !inboxes.is_empty()
    });
}

// ---------------------------------------------------------------------------------------------- a transaction's own

/// What the open transaction will do to the channels when it commits.
#[derive(Debug, Default)]
pub struct Pending {
    actions: Vec<Action>,
    notifications: Vec<Notification>,
    /// Lengths of both when each savepoint was set, outermost first.
    marks: Vec<(usize, usize)>,
}

#[derive(Debug)]
enum Action {
    Listen(String),
    Unlisten(String),
    UnlistenAll,
}

impl Pending {
    pub fn listen(&mut self, channel: &str) {
        self.actions.push(Action::Listen(channel.to_owned()));
    }

    /// None is all channels.
    pub fn unlisten(&mut self, channel: Option<&str>) {
        self.actions.push(channel.map_or(Action::UnlistenAll, |channel| Action::Unlisten(channel.to_owned())));
    }

    /// 22023 for a channel or payload that does not fit. Repetitions within a transaction count once.
    pub fn notify(&mut self, pid: i32, channel: &str, payload: &str) -> Result<()> {
        let invalid = |message: &str| Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
        if channel.is_empty() {
            return invalid("channel name cannot be empty");
        }
        if channel.len() >= MAX_CHANNEL {
            return invalid("channel name too long");
        }
        if payload.len() >= MAX_PAYLOAD {
            return invalid("payload string too long");
        }
        let notification = Notification { pid, channel: channel.to_owned(), payload: payload.to_owned() };
        if !self.notifications.contains(&notification) {
            self.notifications.push(notification);
        }
        Ok(())
    }

    /// SAVEPOINT: the transaction has `depth` of them now.
    pub fn mark(&mut self, depth: usize) {
        self.marks.truncate(depth.saturating_sub(1));
        self.marks.push((self.actions.len(), self.notifications.len()));
    }

    /// ROLLBACK TO the savepoint at this position.
    pub fn rollback_to(&mut self, position: usize) {
        if let Some(&(actions, notifications)) = self.marks.get(position) {
            self.actions.truncate(actions);
            self.notifications.truncate(notifications);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.actions.is_empty() && self.notifications.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payloads(inbox: &Inbox) -> Vec<String> {
        inbox.take().iter().map(|notification| notification.payload.clone()).collect()
    }

    #[test]
    fn delivery() {
        let channels = Channels::default();
        let (a, b) = (Arc::new(Inbox::default()), Arc::new(Inbox::default()));
        let mut pending = Pending::default();
        pending.listen("c");
        // As in PostgreSQL, a transaction that listens receives what it sends itself.
        pending.notify(1, "c", "own").unwrap();
        channels.publish(5, &a, pending);
        assert_eq!(payloads(&a), ["own"]);
        let mut pending = Pending::default();
        for payload in ["x", "y", "x"] {
            pending.notify(2, "c", payload).unwrap();
        }
        channels.publish(5, &b, pending);
        assert_eq!((payloads(&a), payloads(&b)), (vec!["x".to_owned(), "y".to_owned()], vec![]));
        let mut elsewhere = Pending::default();
        elsewhere.notify(2, "c", "other database").unwrap();
        channels.publish(6, &b, elsewhere);
        assert!(payloads(&a).is_empty());
        assert_eq!(channels.of(&a), ["c"]);
        channels.forget(&a);
        assert!(channels.of(&a).is_empty());
    }

    #[test]
    fn savepoints() {
        let (channels, inbox) = (Channels::default(), Arc::new(Inbox::default()));
        let mut pending = Pending::default();
        pending.listen("c");
        pending.notify(1, "c", "kept").unwrap();
        pending.mark(1);
        pending.notify(1, "c", "undone").unwrap();
        pending.unlisten(None);
        pending.rollback_to(0);
        channels.publish(5, &inbox, pending);
        assert_eq!(payloads(&inbox), ["kept"]);
    }

    #[test]
    fn a_full_queue_refuses() {
        let (channels, inbox) = (Channels::default(), Arc::new(Inbox::default()));
        let mut pending = Pending::default();
        pending.listen("c");
        channels.publish(5, &inbox, pending);
        let payload = "x".repeat(MAX_PAYLOAD - 1);
        loop {
            let mut pending = Pending::default();
            pending.notify(1, "c", &payload).unwrap();
            match channels.admit(5, &pending) {
                Ok(()) => channels.publish(5, &inbox, pending),
                Err(error) => break assert_eq!(error.code(), sqlstate::PROGRAM_LIMIT_EXCEEDED),
            }
        }
        assert!(channels.usage() >= 1.0);
        inbox.take();
        assert_eq!(channels.usage(), 0.0);
    }

    #[test]
    fn limits() {
        let mut pending = Pending::default();
        assert_eq!(pending.notify(1, "", "").unwrap_err().message(), "channel name cannot be empty");
        assert_eq!(pending.notify(1, &"x".repeat(64), "").unwrap_err().message(), "channel name too long");
        assert_eq!(pending.notify(1, "c", &"x".repeat(8000)).unwrap_err().message(), "payload string too long");
    }
}
