//! Files for what queries cannot keep in memory.
//!
//! They have no name, so that nothing of them is left when the process is killed. They are read on the thread that asks, in small pieces:
//! what was just written is mostly still in the system's cache. DataFusion's own files are read by threads for blocking work, as many at
//! a time as there are runs to merge, and what each of them kept of its memory was more than the runs were allowed.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use datafusion::error::Result;
use datafusion::execution::spill_file::{SpillFile, SpillWriter, TempFileFactory};
use futures::{Stream, stream};

/// Bytes that are read at once.
const READ_SIZE: usize = 64 << 10;

/// Makes files in a folder.
pub struct SpillFolder(pub PathBuf);

impl TempFileFactory for SpillFolder {
    fn create_temp_file(&self, _: &str) -> Result<Arc<dyn SpillFile>> {
        Ok(Arc::new(Spilled { file: Arc::new(tempfile::tempfile_in(&self.0)?), written: Arc::default() }))
    }
}

/// A file that is gone with its last owner.
struct Spilled {
    file: Arc<File>,
    /// Bytes.
    written: Arc<AtomicU64>,
}

impl SpillFile for Spilled {
    fn size(&self) -> Option<u64> {
        Some(self.written.load(Ordering::Relaxed))
    }

    fn read_stream(&self) -> Result<Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>> {
        let pieces = stream::try_unfold((Arc::clone(&self.file), 0), |(file, at)| async move {
            let piece = read(&file, at)?;
            let next = at + piece.len() as u64;
            Ok((!piece.is_empty()).then_some((piece, (file, next))))
        });
        Ok(Box::pin(pieces))
    }

    fn open_writer(&self) -> Result<Box<dyn SpillWriter>> {
        Ok(Box::new(Appender { file: Arc::clone(&self.file), written: Arc::clone(&self.written) }))
    }
}

/// What a file holds from an offset on, [`READ_SIZE`] at most; nothing at its end.
fn read(file: &File, at: u64) -> io::Result<Bytes> {
    let mut piece = BytesMut::zeroed(READ_SIZE);
    loop {
        match file.read_at(&mut piece, at) {
            Ok(count) => {
                piece.truncate(count);
                return Ok(piece.freeze());
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

struct Appender {
    file: Arc<File>,
    written: Arc<AtomicU64>,
}

impl Write for Appender {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = (&*self.file).write(bytes)?;
        self.written.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SpillWriter for Appender {
    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;

    use super::*;

    #[tokio::test]
    async fn what_was_written_is_read_and_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = SpillFolder(folder.path().to_owned()).create_temp_file("").unwrap();
        let bytes: Vec<u8> = (0..3 * READ_SIZE + 5).map(|at| at as u8).collect();
        let mut writer = file.open_writer().unwrap();
        for part in bytes.chunks(1000) {
            writer.write_all(part).unwrap();
        }
        assert_eq!(file.size(), Some(bytes.len() as u64));
        for _ in 0..2 {
            let pieces: Vec<Bytes> = file.read_stream().unwrap().try_collect().await.unwrap();
            assert_eq!(pieces.len(), 4);
            assert_eq!(pieces.concat(), bytes);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
