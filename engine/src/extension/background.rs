//! Work of extensions that nobody asks for by a statement: at intervals each database that has the extension is asked what is due, and it is
//! run in a session of its own, as the role that it belongs to (PostgreSQL manual, chapter 48, "Background Worker Processes").

use std::sync::Arc;
use std::time::Duration;

use aegis_catalog::fixed_oid::PG_EXTENSION;
use aegis_catalog::types::text_of;
use aegis_catalog::{Error, Result};
use bytes::Bytes;
use tokio::task::JoinHandle;

use crate::engine::{Engine, SUPERUSER};
use crate::session::protocol::{ConnectRequest, Fetched, Format, Response};
use crate::session::{Session, clock};

/// Statements that find work, do it and note how it went.
#[derive(Debug, Clone, Copy)]
pub struct Background {
    /// What `application_name` of its sessions is.
    pub name: &'static str,
    pub every: Duration,
    /// Number and role of each piece of work that is due.
    pub due: &'static str,
    /// Does the piece of work `$1`.
    pub run: &'static str,
    /// `$1` began at `$2` (seconds since 1970) and ended; `$3` and `$4` are SQLSTATE and message if it failed.
    pub done: &'static str,
    /// What the role named `$1` has to do becomes the role's named `$2`.
    pub reassign: &'static str,
}

/// The tasks of all extensions; they end when this is dropped.
pub struct Workers(Vec<JoinHandle<()>>);

impl Drop for Workers {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl Engine {
    /// Starts what extensions do in the background.
    pub fn start_background(self: &Arc<Self>) -> Workers {
        let found = self.shared.extensions.all().filter_map(|extension| Some((extension.name, extension.background?)));
        let work = found.map(|(name, background)| tokio::spawn(work(Arc::clone(self), name, background)));
        Workers(work.collect())
    }
}

async fn work(engine: Arc<Engine>, extension: &'static str, background: Background) {
    loop {
        tokio::time::sleep(background.every).await;
        let databases: Vec<String> = match engine.shared.catalog.database("postgres") {
            Ok(catalog) => catalog.databases().map(|database| database.name.to_string()).collect(),
            Err(_) => continue,
        };
        for database in databases {
            let has = |name: &str| {
                let catalog = engine.shared.catalog.database(name).ok();
                catalog.is_some_and(|catalog| catalog.descriptor_by_name(PG_EXTENSION, 0, extension).is_some())
            };
            if has(&database)
                && let Err(error) = round(&engine, &database, &background).await
            {
                tracing::warn!(%database, extension, "background work: {error}");
            }
        }
    }
}

/// Does all that is due in a database, one piece after the other.
async fn round(engine: &Arc<Engine>, database: &str, background: &Background) -> Result<()> {
    for work in one(engine, SUPERUSER, database, background, background.due, &[]).await? {
        let [Some(number), Some(role)] = work.as_slice() else {
            return Err(Error::internal("work without a number and a role"));
        };
        let started = clock::now();
        let number: i64 = number.parse().map_err(|_| Error::internal("work whose number is none"))?;
        // CALL takes no parameters.
        let run = background.run.replace("$1", &number.to_string());
        let failed = one(engine, role, database, background, &run, &[]).await.err();
        if let Some(error) = &failed {
            tracing::warn!(database, number, "{}: {error}", background.name);
        }
        let code = failed.as_ref().map(|error| error.code().to_string());
        let message = failed.as_ref().map(|error| error.message().to_owned());
        let seconds = format!("{}.{:06}", started.div_euclid(1_000_000), started.rem_euclid(1_000_000));
        let parameters = [Some(number.to_string()), Some(seconds), code, message];
        one(engine, SUPERUSER, database, background, background.done, &parameters).await?;
    }
    Ok(())
}

/// The rows of one statement in a session of its own, as text.
async fn one(
    engine: &Arc<Engine>,
    user: &str,
    database: &str,
    background: &Background,
    sql: &str,
    parameters: &[Option<String>],
) -> Result<Vec<Vec<Option<String>>>> {
    let mut session = engine.connect(ConnectRequest {
        user: user.to_owned(),
        database: Some(database.to_owned()),
        settings: vec![("application_name".to_owned(), background.name.to_owned())],
        ..ConnectRequest::default()
    })?;
    let rows = rows_of(&mut session, sql, parameters).await;
    session.close().await;
    rows
}

async fn rows_of(session: &mut Session, sql: &str, parameters: &[Option<String>]) -> Result<Vec<Vec<Option<String>>>> {
    session.prepare("", sql, &[]).await?;
    let parameters: Vec<_> = parameters.iter().map(|value| value.clone().map(Bytes::from)).collect();
    session.bind("", "", &parameters, &[], &[Format::Text]).await?;
    let mut rows = Vec::new();
    if let Response::Rows { columns, .. } = session.execute("").await? {
        let settings = session.format_settings();
        while let Fetched::Batch(batch) = session.fetch("", None).await? {
            for row in 0..batch.num_rows() {
                let values = columns.iter().zip(batch.columns()).map(|(column, values)| {
                    (!values.is_null(row)).then(|| text_of(column.ty, values, row, &settings)).transpose()
                });
                rows.push(values.collect::<Result<_>>()?);
            }
        }
    }
    session.sync().await?;
    Ok(rows)
}
