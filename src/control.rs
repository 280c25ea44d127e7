//! How commands on the same machine reach a running server: a socket in its data directory that only its own user may open. One line of
//! JSON asks, lines of JSON answer.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aegis_storage::Store;
use aegis_storage::backup::{Access, Progress, Taken};
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::{self, error::TrySendError};
use tracing::warn;

use crate::backup;

/// Longest request, a path and credentials included.
const LINE_BYTES: u64 = 64 << 10;

/// Emptied at each start, so that no socket is left of a server that was killed.
fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("tmp").join("control")
}

/// Answers until the runtime ends. Without the socket the server does all the rest.
pub fn listen(data_dir: &Path, store: &Arc<Store>) {
    let path = path(data_dir);
    let bound = UnixListener::bind(&path).and_then(|listener| {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    });
    let listener = match bound {
        Ok(listener) => listener,
        Err(error) => {
            warn!(%error, "no control socket in {}: `aegis backup` will not reach this server", path.display());
            return;
        }
    };
    let store = Arc::downgrade(store);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Some(store) = store.upgrade() else { break };
            tokio::spawn(async move {
                if let Err(error) = answer(stream, store).await {
                    warn!("control: {error:#}");
                }
            });
        }
    });
}

/// What a command asks of a server.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Request {
    /// `access` is how the command would reach the place itself.
    Backup { to: String, access: Access },
}

/// A line of the server's answer; the last is not [`Answer::Progress`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Progress(Progress),
    Done(String),
    Failed(String),
}

async fn answer(stream: UnixStream, store: Arc<Store>) -> Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    BufReader::new(tokio::io::AsyncReadExt::take(read, LINE_BYTES)).read_line(&mut line).await?;
    let answer = match serde_json::from_str(&line) {
        Ok(Request::Backup { to, access }) => match take_backup(store, to, access, &mut write).await? {
            Ok(done) => Answer::Done(done),
            Err(error) => Answer::Failed(format!("{error:#}")),
        },
        Err(error) => Answer::Failed(format!("this server does not understand the request: {error}")),
    };
    send(&mut write, &answer).await
}

async fn send(write: &mut OwnedWriteHalf, answer: &Answer) -> Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    Ok(write.write_all(&line).await?)
}

/// The inner result is for the command, the outer one says that the command is gone: the backup ends then, at its next step.
async fn take_backup(
    store: Arc<Store>,
    to: String,
    mut access: Access,
    write: &mut OwnedWriteHalf,
) -> Result<Result<String>> {
    if access.variables.is_empty() {
        access.variables = backup::variables();
    }
    let (sender, mut steps) = mpsc::channel(1);
    let taking = tokio::task::spawn_blocking(move || {
        let to = aegis_storage::backup::open(&to, &access)?;
        let mut report = |progress| match sender.try_send(progress) {
            Err(TrySendError::Closed(_)) => Err(aegis_storage::Error::Interrupted),
            Ok(()) | Err(TrySendError::Full(_)) => Ok(()),
        };
        store.backup(to.as_ref(), &mut report)
    });
    while let Some(progress) = steps.recv().await {
        send(write, &Answer::Progress(progress)).await?;
    }
    Ok(taking.await?.map(|taken| describe(&taken)).map_err(Into::into))
}

pub fn describe(taken: &Taken) -> String {
    format!(
        "backup {:016x}: {} segments copied ({} bytes), {} kept from before",
        taken.description.ts, taken.copied_segments, taken.copied_bytes, taken.kept_segments
    )
}

/// Asks the server of a data directory for a backup; None if none runs.
pub async fn backup(
    data_dir: &Path,
    to: &str,
    access: &Access,
    report: &mut dyn FnMut(Progress),
) -> Result<Option<String>> {
    let mut stream = match UnixStream::connect(path(data_dir)).await {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => return Ok(None),
        Err(error) => return Err(error).context("can't reach the server"),
    };
    let mut request = serde_json::to_vec(&Request::Backup { to: to.to_owned(), access: access.clone() })?;
    request.push(b'\n');
    stream.write_all(&request).await?;
    let mut lines = BufReader::new(stream).lines();
    while let Some(line) = lines.next_line().await? {
        match serde_json::from_str(&line).context("the server's answer")? {
            Answer::Progress(progress) => report(progress),
            Answer::Done(what) => return Ok(Some(what)),
            Answer::Failed(why) => bail!("{why}"),
        }
    }
    bail!("the server ended before the backup did")
}
