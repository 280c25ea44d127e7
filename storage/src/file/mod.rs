//! The disk behind an interface, so that tests can make it fail, tear writes and forget what was not synced.
//! Everything the store does to files goes through [`Disk`] and [`File`], except the data directory's lock.

pub(crate) mod blocks;
pub(crate) mod read_only;
pub mod simulated;

use std::fmt::Debug;
use std::fs;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use blocks::{BlockSums, CheckedFile};

pub trait Disk: Debug + Send + Sync + 'static {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;
    /// Names of the files in a directory, sorted.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Creates the file, or empties it if it exists.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// A file, or a folder with what is in it (what a killed process left of a query that spilled).
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes creations, renames and removals in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Keeps other processes out of a data directory for as long as the value lives; None if there can be none.
    fn lock(&self, data_dir: &Path) -> crate::Result<Option<DirectoryLock>>;
}

#[allow(clippy::len_without_is_empty, reason = "a length in bytes, not a collection")]
pub trait File: Debug + Send + Sync + 'static {
    fn len(&self) -> io::Result<u64>;
    fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()>;
    fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()>;
    /// Reserves disk blocks up to `len`, so that later writes below it cannot run out of space.
    fn allocate(&self, len: u64) -> io::Result<()>;
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// fdatasync.
    fn sync_data(&self) -> io::Result<()>;
}

/// The operating system's file system.
#[derive(Debug, Default, Clone, Copy)]
pub struct RealDisk;

#[derive(Debug)]
struct RealFile(fs::File);

impl Disk for RealDisk {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let file = fs::OpenOptions::new().read(true).write(true).open(path)?;
        Ok(Arc::new(RealFile(file)))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        Ok(Arc::new(RealFile(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fs::File::open(dir)?.sync_all()
    }

    fn lock(&self, data_dir: &Path) -> crate::Result<Option<DirectoryLock>> {
        DirectoryLock::acquire(data_dir).map(Some)
    }
}

impl File for RealFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(&self.0, out, offset)
    }

    fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(&self.0, data, offset)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let len = libc::off_t::try_from(len).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        // SAFETY: the descriptor is open for the whole call.
        let code = unsafe { libc::posix_fallocate(self.0.as_raw_fd(), 0, len) };
        if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// Reads a whole file.
pub(crate) fn read_all(file: &dyn File) -> io::Result<Vec<u8>> {
    let len = usize::try_from(file.len()?).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    let mut bytes = vec![0; len];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// Writes a small file so that it is either there whole or not at all.
pub(crate) fn write_atomic(disk: &dyn Disk, path: &Path, tmp: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = disk.create(tmp)?;
    file.write_all_at(bytes, 0)?;
    file.sync_data()?;
    disk.rename(tmp, path)?;
    disk.sync_dir(path.parent().unwrap_or(Path::new(".")))
}

/// Appends to a file as `std::io::Write`, gathering small writes.
#[derive(Debug)]
pub(crate) struct FileWriter {
    file: Arc<dyn File>,
    offset: u64,
    buffer: Vec<u8>,
    sums: BlockSums,
}

impl FileWriter {
    const BUFFER: usize = 1 << 20;

    pub fn new(file: Arc<dyn File>) -> Self {
        Self { file, offset: 0, buffer: Vec::new(), sums: BlockSums::default() }
    }

    /// The crc32 of what was flushed, and of its blocks.
    pub fn sums(&mut self) -> (u32, Vec<u32>) {
        std::mem::take(&mut self.sums).finish()
    }
}

impl io::Write for FileWriter {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(data);
        if self.buffer.len() >= Self::BUFFER {
            self.flush()?;
        }
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all_at(&self.buffer, self.offset)?;
        self.sums.update(&self.buffer);
        self.offset += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

/// A [`File`] as the Parquet reader wants it.
#[derive(Debug, Clone)]
pub(crate) struct ParquetSource(pub CheckedFile);

impl parquet::file::reader::Length for ParquetSource {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl parquet::file::reader::ChunkReader for ParquetSource {
    type T = SourceRead;

    fn get_read(&self, start: u64) -> parquet::errors::Result<SourceRead> {
        Ok(SourceRead { source: self.clone(), offset: start })
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let mut bytes = vec![0; length];
        self.0.read_exact_at(&mut bytes, start)?;
        Ok(bytes.into())
    }
}

#[derive(Debug)]
pub(crate) struct SourceRead {
    source: ParquetSource,
    offset: u64,
}

impl Read for SourceRead {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = self.source.0.len().saturating_sub(self.offset);
        let n = out.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.source.0.read_exact_at(&mut out[..n], self.offset)?;
        self.offset += n as u64;
        Ok(n)
    }
}

/// Exclusive use of a data directory, held as long as this value lives (flock).
#[derive(Debug)]
pub struct DirectoryLock {
    _file: fs::File,
}

/// How often the lock is tried, and how long to wait in between, before somebody else is said to hold it.
const LOCK_ATTEMPTS: u32 = 10;
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

impl DirectoryLock {
    pub fn acquire(data_dir: &Path) -> crate::Result<Self> {
        use std::io::Write;
        let path: PathBuf = data_dir.join("lock");
        let mut file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        // SAFETY: the descriptor is open for the whole call.
        let try_lock = || unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0;
        // A child of the last holder may have its descriptor for the moment between fork and exec.
        let mut attempts = 1..=LOCK_ATTEMPTS;
        if !attempts.any(|attempt| {
            let locked = try_lock();
            if !locked && attempt < LOCK_ATTEMPTS {
                std::thread::sleep(LOCK_PAUSE);
            }
            locked
        }) {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            return Err(crate::Error::Locked { data_dir: data_dir.to_path_buf(), holder: holder.trim().parse().ok() });
        }
        file.set_len(0)?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self { _file: file })
    }
}
