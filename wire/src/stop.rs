//! Why handling a message ended early.

use aegis_engine::catalog::{Error, sqlstate};

#[derive(Debug)]
pub enum Stop {
    /// The session reports that the statement failed; the connection goes on.
    Failed(Error),
    /// The wire itself found fault with the message; the session must be told.
    Rejected(Error),
    /// The connection ends with this error as its last message.
    Fatal(Error),
    /// The client left or said Terminate; there is nobody to talk to.
    Gone,
}

impl From<Error> for Stop {
    /// Errors that mean the end of the session are fatal by their code.
    fn from(error: Error) -> Self {
        match error.code() {
            sqlstate::ADMIN_SHUTDOWN
            | sqlstate::CRASH_SHUTDOWN
            | sqlstate::DATABASE_DROPPED
            | sqlstate::IDLE_SESSION_TIMEOUT
            | sqlstate::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => Stop::Fatal(error),
            _ => Stop::Failed(error),
        }
    }
}
