//! Copies log segments that are complete to an archive, from which a restore can go on after a backup.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::check::prefix;
use super::writer::Shared;
use super::{segment_name, segment_path};
use crate::backup::Repository;
use crate::file::{Disk, read_all};
use crate::{Error, Result};

/// Pause after a copy that failed.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The thread: copies each segment once the writer has gone on to the next, oldest first, until the log is closed.
pub fn run(shared: &Arc<Shared>, archive: &dyn Repository) {
    loop {
        let number = {
            let mut state = shared.state.lock();
            loop {
                let archived = state.archived;
                let next =
                    state.segments.iter().map(|s| s.number).find(|n| *n > archived && *n < state.complete_before);
                match next {
                    Some(number) => break number,
                    None if state.closed => return,
                    None => shared.archive_work.wait(&mut state),
                }
            }
        };
        match copy(shared.disk.as_ref(), &segment_path(&shared.dir, number), number, archive) {
            Ok(()) => {
                shared.state.lock().archived = number;
                shared.archive_done.notify_all();
            }
            Err(error) => {
                tracing::warn!(number, archive = archive.locate(""), %error, "a log segment could not be archived");
                let mut state = shared.state.lock();
                if state.closed {
                    return;
                }
                shared.archive_work.wait_for(&mut state, RETRY_AFTER);
            }
        }
    }
}

/// Does not touch a copy that holds as much.
fn copy(disk: &dyn Disk, from: &Path, number: u64, archive: &dyn Repository) -> Result<()> {
    let mut bytes = disk.open(from).and_then(|file| read_all(file.as_ref())).map_err(Error::at(from))?;
    let (end, _) = prefix(&bytes, number, u64::MAX);
    let name = segment_name(number);
    if archive.len(&name)?.is_some_and(|len| len >= end as u64) {
        return Ok(());
    }
    bytes.truncate(end);
    archive.put(&name, bytes.into())
}
