//! Transaction control (PostgreSQL manual, "BEGIN", "COMMIT", "SAVEPOINT", "SET TRANSACTION").

use aegis_catalog::{Error, Result, sqlstate};

use super::Outcome;
use crate::session::Session;
use crate::session::transaction::{Block, isolation};

pub fn begin(
    session: &mut Session,
    tag: &str,
    level: Option<&str>,
    read_only: Option<bool>,
    deferrable: Option<bool>,
) -> Result<Outcome> {
    match &mut session.transaction {
        Some(open) if open.block == Block::Explicit => {
            session.warn(sqlstate::ACTIVE_SQL_TRANSACTION, "there is already a transaction in progress");
        }
        // Statements before BEGIN in one query string belong to the block, as in PostgreSQL.
        Some(open) => open.block = Block::Explicit,
        None => session.transaction = Some(session.begin(Block::Explicit)?),
    }
    characteristics(session, false, level, read_only, None)?;
    defer(session, false, deferrable)?;
    Outcome::tag(tag)
}

/// DEFERRABLE: a read-only transaction is serializable at its snapshot, whatever others do, so that there is nothing to wait for.
pub fn defer(session: &Session, of_session: bool, deferrable: Option<bool>) -> Result<()> {
    let Some(deferrable) = deferrable else { return Ok(()) };
    let value = if deferrable { "on" } else { "off" };
    let mut settings = session.backend.settings.lock();
    if of_session {
        return settings.set("default_transaction_deferrable", Some(&[value.to_owned()]), false, session.superuser);
    }
    settings.set_fact("transaction_deferrable", value);
    Ok(())
}

pub async fn commit(session: &mut Session, chain: bool) -> Result<Outcome> {
    let explicit = session.transaction.as_ref().is_some_and(|open| open.block == Block::Explicit);
    if !explicit {
        require_block_to_chain(chain, "COMMIT")?;
        session.warn(sqlstate::NO_ACTIVE_SQL_TRANSACTION, "there is no transaction in progress");
        session.end_transaction(true).await?;
        return Outcome::tag("COMMIT");
    }
    let failed = session.transaction.as_ref().is_some_and(|open| open.failed);
    let before = Characteristics::of(session);
    session.end_transaction(!failed).await?;
    if chain {
        chain_on(session, before)?;
    }
    Outcome::tag(if failed { "ROLLBACK" } else { "COMMIT" })
}

pub async fn rollback(session: &mut Session, chain: bool) -> Result<Outcome> {
    let before = Characteristics::of(session);
    if session.transaction.as_ref().is_none_or(|open| open.block == Block::Implicit) {
        require_block_to_chain(chain, "ROLLBACK")?;
        session.warn(sqlstate::NO_ACTIVE_SQL_TRANSACTION, "there is no transaction in progress");
    }
    session.end_transaction(false).await?;
    if chain {
        chain_on(session, before)?;
    }
    Outcome::tag("ROLLBACK")
}

/// PREPARE TRANSACTION: in a failed block, or outside of one, what COMMIT would do there.
pub async fn prepare(session: &mut Session, gid: &str) -> Result<Outcome> {
    let block = session.transaction.as_ref().filter(|open| open.block == Block::Explicit);
    let Some(failed) = block.map(|open| open.failed) else {
        session.warn(sqlstate::NO_ACTIVE_SQL_TRANSACTION, "there is no transaction in progress");
        return Outcome::tag("ROLLBACK");
    };
    if failed {
        session.end_transaction(false).await?;
        return Outcome::tag("ROLLBACK");
    }
    match session.prepare_transaction(gid).await {
        Ok(()) => Outcome::tag("PREPARE TRANSACTION"),
        Err(error) => {
            // What cannot be prepared is rolled back.
            session.end_transaction(false).await?;
            Err(error)
        }
    }
}

pub async fn finish_prepared(session: &mut Session, gid: &str, commit: bool) -> Result<Outcome> {
    let tag = if commit { "COMMIT PREPARED" } else { "ROLLBACK PREPARED" };
    session.require_no_block(tag)?;
    session.finish_prepared(gid, commit).await?;
    Outcome::tag(tag)
}

fn require_block_to_chain(chain: bool, verb: &str) -> Result<()> {
    if chain {
        return Err(Error::new(
            sqlstate::NO_ACTIVE_SQL_TRANSACTION,
            format!("{verb} AND CHAIN can only be used in transaction blocks"),
        ));
    }
    Ok(())
}

/// What AND CHAIN hands on.
struct Characteristics {
    isolation: aegis_storage::Isolation,
    read_only: bool,
    /// As SHOW shows them, in the order of [`SHOWN`].
    shown: [String; 3],
}

const SHOWN: [&str; 3] = ["transaction_isolation", "transaction_read_only", "transaction_deferrable"];

impl Characteristics {
    fn of(session: &Session) -> Option<Self> {
        let open = session.transaction.as_ref()?;
        let settings = session.backend.settings.lock();
        let shown = SHOWN.map(|name| settings.text(name).to_owned());
        Some(Self { isolation: open.isolation, read_only: open.read_only, shown })
    }
}

/// AND CHAIN: a new block like the one before.
fn chain_on(session: &mut Session, before: Option<Characteristics>) -> Result<()> {
    let mut open = session.begin(Block::Explicit)?;
    if let Some(before) = before {
        open = open.with_isolation(before.isolation, session.temporary_store.as_ref());
        open.read_only = before.read_only;
        let mut settings = session.backend.settings.lock();
        SHOWN.iter().zip(&before.shown).for_each(|(name, value)| settings.set_fact(name, value));
    }
    session.transaction = Some(open);
    Ok(())
}

/// The open block, or 25P01 with PostgreSQL's words for the command.
fn block<'a>(session: &'a mut Session, command: &str) -> Result<&'a mut crate::session::transaction::OpenTransaction> {
    match &mut session.transaction {
        Some(open) if open.block == Block::Explicit => Ok(open),
        _ => Err(Error::new(
            sqlstate::NO_ACTIVE_SQL_TRANSACTION,
            format!("{command} can only be used in transaction blocks"),
        )),
    }
}

pub fn savepoint(session: &mut Session, name: &str) -> Result<Outcome> {
    let mark = session.backend.settings.lock().mark();
    let open = block(session, "SAVEPOINT")?;
    open.savepoint(name, mark);
    let depth = open.savepoints.len();
    session.pending_notifications.lock().mark(depth);
    Outcome::tag("SAVEPOINT")
}

pub fn release(session: &mut Session, name: &str) -> Result<Outcome> {
    block(session, "RELEASE SAVEPOINT")?.release(name)?;
    session.show_read_only();
    Outcome::tag("RELEASE")
}

pub fn rollback_to(session: &mut Session, name: &str) -> Result<Outcome> {
    let undone = block(session, "ROLLBACK TO SAVEPOINT")?.rollback_to(name)?;
    session.follow_rollback(undone);
    Outcome::tag("ROLLBACK")
}

/// SET TRANSACTION, BEGIN's modes, and SET SESSION CHARACTERISTICS (`of_session`).
pub fn characteristics(
    session: &mut Session,
    of_session: bool,
    level: Option<&str>,
    read_only: Option<bool>,
    snapshot: Option<&str>,
) -> Result<Outcome> {
    if let Some(id) = snapshot {
        import_snapshot(session, id)?;
        return Outcome::tag("SET");
    }
    let level = level.map(str::to_ascii_lowercase);
    if let Some(level) = &level {
        isolation(level)?;
    }
    if of_session {
        let mut settings = session.backend.settings.lock();
        if let Some(level) = level {
            settings.set("default_transaction_isolation", Some(&[level]), false, session.superuser)?;
        }
        if let Some(flag) = read_only {
            let value = [if flag { "on" } else { "off" }.to_owned()];
            settings.set("default_transaction_read_only", Some(&value), false, session.superuser)?;
        }
        return Outcome::tag("SET");
    }
    let explicit = session.transaction.as_ref().is_some_and(|open| open.block == Block::Explicit);
    if !explicit && (level.is_some() || read_only.is_some()) {
        session.warn(sqlstate::NO_ACTIVE_SQL_TRANSACTION, "SET TRANSACTION can only be used in transaction blocks");
    }
    if let Some(mut open) = session.transaction.take() {
        if let Some(level) = &level {
            let wanted = isolation(level)?;
            if !open.savepoints.is_empty() && wanted != open.isolation {
                session.transaction = Some(open);
                let message = "SET TRANSACTION ISOLATION LEVEL must not be called in a subtransaction";
                return Err(Error::new(sqlstate::ACTIVE_SQL_TRANSACTION, message));
            }
            if open.used && wanted != open.isolation {
                session.transaction = Some(open);
                return Err(Error::new(
                    sqlstate::ACTIVE_SQL_TRANSACTION,
                    "SET TRANSACTION ISOLATION LEVEL must be called before any query",
                ));
            }
            if !open.used {
                open = open.with_isolation(wanted, session.temporary_store.as_ref());
            }
            session.backend.settings.lock().set_fact("transaction_isolation", level);
        }
        if let Some(flag) = read_only {
            if !open.savepoints.is_empty() && open.read_only && !flag {
                session.transaction = Some(open);
                let message = "cannot set transaction read-write mode inside a read-only transaction";
                return Err(Error::new(sqlstate::ACTIVE_SQL_TRANSACTION, message));
            }
            if open.used && open.read_only && !flag {
                session.transaction = Some(open);
                return Err(Error::new(
                    sqlstate::ACTIVE_SQL_TRANSACTION,
                    "transaction read-write mode must be set before any query",
                ));
            }
            open.read_only = flag;
            session.backend.settings.lock().set_fact("transaction_read_only", if flag { "on" } else { "off" });
        }
        session.transaction = Some(open);
    }
    Outcome::tag("SET")
}

/// SET TRANSACTION SNAPSHOT: reads what another transaction has exported.
fn import_snapshot(session: &mut Session, id: &str) -> Result<()> {
    let (shared, database) = (std::sync::Arc::clone(&session.shared), session.backend.database_oid);
    if session.transaction.as_ref().is_none_or(|open| open.block != Block::Explicit) {
        session.warn(sqlstate::NO_ACTIVE_SQL_TRANSACTION, "SET TRANSACTION can only be used in transaction blocks");
    }
    let open = session.transaction.as_mut().ok_or_else(|| Error::internal("a statement without a transaction"))?;
    if open.used || !open.savepoints.is_empty() {
        let message = "SET TRANSACTION SNAPSHOT must be called before any query";
        return Err(Error::new(sqlstate::ACTIVE_SQL_TRANSACTION, message));
    }
    if !open.isolation.keeps_snapshot() {
        let message = "a snapshot-importing transaction must have isolation level SERIALIZABLE or REPEATABLE READ";
        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
    }
    let exported = shared.snapshots.get(id)?;
    if exported.database != database {
        let message = "cannot import a snapshot from a different database";
        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
    }
    open.tables.adopt(&exported.snapshot);
    open.catalog.adopt(exported.catalog);
    open.used = true;
    Ok(())
}
