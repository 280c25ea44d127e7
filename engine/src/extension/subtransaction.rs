//! Parts of a transaction that may be undone by themselves, and ends of whole transactions, from within code that runs in a session
//! (PostgreSQL manual, "Transaction Management" of PL/pgSQL).

use aegis_catalog::{Error, Result, sqlstate};

use super::caller::Caller;
use crate::session::Session;

/// An open part of a transaction; it ends with [`Caller::release`] or [`Caller::undo`].
#[must_use]
pub struct Subtransaction(());

/// No savepoint that a user makes has this name.
const NAME: &str = "";

impl Caller<'_> {
    pub fn begin_subtransaction(&mut self) -> Result<Subtransaction> {
        let session = self.session();
        let mark = session.backend.settings.lock().mark();
        let open = session.transaction.as_mut().ok_or_else(|| Error::internal("code runs outside a transaction"))?;
        open.savepoint(NAME, mark);
        let depth = open.savepoints.len();
        session.pending_notifications.lock().mark(depth);
        Ok(Subtransaction(()))
    }

    /// Keeps what was done.
    pub fn release(&mut self, _: Subtransaction) -> Result<()> {
        let session = self.session();
        match &mut session.transaction {
            Some(open) => open.release(NAME),
            None => Ok(()),
        }
    }

    /// Undoes what was done since it began.
    pub fn undo(&mut self, _: Subtransaction) -> Result<()> {
        let session = self.session();
        let Some(open) = &mut session.transaction else { return Ok(()) };
        let undone = open.rollback_to(NAME)?;
        open.release(NAME)?;
        session.follow_rollback(undone);
        session.refresh_identity()
    }

    /// COMMIT or ROLLBACK; what follows is a new transaction. 2D000 where that may not be.
    pub async fn end_transaction(&mut self, commit: bool) -> Result<()> {
        self.session().renew_transaction(commit).await
    }
}

impl Session {
    async fn renew_transaction(&mut self, commit: bool) -> Result<()> {
        let invalid = |message: &str| Err(Error::new(sqlstate::INVALID_TRANSACTION_TERMINATION, message));
        if !self.transactional {
            return invalid("invalid transaction termination");
        }
        if self.transaction.as_ref().is_some_and(|open| !open.savepoints.is_empty()) {
            let verb = if commit { "commit" } else { "roll back" };
            return invalid(&format!("cannot {verb} while a subtransaction is active"));
        }
        self.end_transaction(commit).await?;
        self.continue_in_new_transaction()
    }
}
