//! LISTEN, UNLISTEN, NOTIFY (PostgreSQL manual, "LISTEN", "NOTIFY"). All take effect when the transaction commits.

use aegis_catalog::Result;

use super::Outcome;
use crate::session::Session;

pub fn listen(session: &Session, channel: &str) -> Result<Outcome> {
    session.pending_notifications.lock().listen(channel);
    Outcome::tag("LISTEN")
}

pub fn unlisten(session: &Session, channel: Option<&str>) -> Result<Outcome> {
    session.pending_notifications.lock().unlisten(channel);
    Outcome::tag("UNLISTEN")
}

pub fn notify(session: &Session, channel: &str, payload: Option<&str>) -> Result<Outcome> {
    session.pending_notifications.lock().notify(session.backend.pid, channel, payload.unwrap_or(""))?;
    Outcome::tag("NOTIFY")
}
