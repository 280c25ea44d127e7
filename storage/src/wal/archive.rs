//! Copies log segments that are complete to an archive, from which a restore can go on after a backup.

use std::io::Result;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::check::prefix;
use super::segment_path;
use super::writer::Shared;
use crate::file::{Disk, RealDisk, read_all, write_atomic};

/// Pause after a copy that failed.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The thread: copies each segment once the writer has gone on to the next, oldest first, until the log is closed.
pub fn run(shared: &Arc<Shared>, archive: &Path) {
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
                tracing::warn!(number, archive = %archive.display(), %error, "a log segment could not be archived");
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
fn copy(disk: &dyn Disk, from: &Path, number: u64, archive: &Path) -> Result<()> {
    let bytes = read_all(disk.open(from)?.as_ref())?;
    let (end, _) = prefix(&bytes, number, u64::MAX);
    let to: PathBuf = segment_path(archive, number);
    if RealDisk.open(&to).and_then(|file| file.len()).is_ok_and(|len| len >= end as u64) {
        return Ok(());
    }
    RealDisk.create_dir_all(archive)?;
    write_atomic(&RealDisk, &to, &to.with_extension("tmp"), &bytes[..end])
}
