//! How commands on the same machine reach a running server: a socket in its data directory that only its own user may open. One line asks,
//! one line answers.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aegis_storage::Store;
use aegis_storage::backup::Taken;
use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tracing::warn;

/// Longest line, a path included.
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

async fn answer(stream: UnixStream, store: Arc<Store>) -> Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    BufReader::new(tokio::io::AsyncReadExt::take(read, LINE_BYTES)).read_line(&mut line).await?;
    let answer = match line.trim_end_matches('\n').split_once(' ') {
        Some(("backup", dest)) => {
            let dest = PathBuf::from(dest);
            match tokio::task::spawn_blocking(move || store.backup(&dest)).await? {
                Ok(taken) => format!("ok {}\n", describe(&taken)),
                Err(error) => format!("error {error}\n"),
            }
        }
        _ => "error unknown request\n".to_owned(),
    };
    write.write_all(answer.as_bytes()).await?;
    Ok(())
}

pub fn describe(taken: &Taken) -> String {
    format!(
        "backup {:016x}: {} segments copied ({} bytes), {} kept from before",
        taken.description.ts, taken.copied_segments, taken.copied_bytes, taken.kept_segments
    )
}

/// Asks the server of a data directory for a backup; None if none runs.
pub async fn backup(data_dir: &Path, dest: &Path) -> Result<Option<String>> {
    let dest = dest
        .to_str()
        .filter(|text| !text.contains('\n'))
        .context("the destination's name must be UTF-8 without newlines")?;
    let mut stream = match UnixStream::connect(path(data_dir)).await {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => return Ok(None),
        Err(error) => return Err(error).context("can't reach the server"),
    };
    stream.write_all(format!("backup {dest}\n").as_bytes()).await?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await?;
    match line.trim_end().split_once(' ') {
        Some(("ok", what)) => Ok(Some(what.to_owned())),
        Some(("error", why)) => bail!("{why}"),
        _ => bail!("the server ended before the backup did"),
    }
}
