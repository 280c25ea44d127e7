//! A disk as it is, on which every change is forgotten.

use std::io::Result;
use std::path::Path;
use std::sync::Arc;

use super::{DirectoryLock, Disk, File};

#[derive(Debug)]
pub struct ReadOnlyDisk(pub Arc<dyn Disk>);

#[derive(Debug)]
struct ReadOnlyFile(Arc<dyn File>);

/// A file that was never made.
#[derive(Debug)]
struct NoFile;

impl Disk for ReadOnlyDisk {
    fn create_dir_all(&self, _dir: &Path) -> Result<()> {
        Ok(())
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>> {
        self.0.list(dir)
    }

    fn open(&self, path: &Path) -> Result<Arc<dyn File>> {
        Ok(Arc::new(ReadOnlyFile(self.0.open(path)?)))
    }

    fn create(&self, _path: &Path) -> Result<Arc<dyn File>> {
        Ok(Arc::new(NoFile))
    }

    fn rename(&self, _from: &Path, _to: &Path) -> Result<()> {
        Ok(())
    }

    fn remove(&self, _path: &Path) -> Result<()> {
        Ok(())
    }

    fn sync_dir(&self, _dir: &Path) -> Result<()> {
        Ok(())
    }

    fn lock(&self, _data_dir: &Path) -> crate::Result<Option<DirectoryLock>> {
        Ok(None)
    }
}

impl File for ReadOnlyFile {
    fn len(&self) -> Result<u64> {
        self.0.len()
    }

    fn read_exact_at(&self, out: &mut [u8], offset: u64) -> Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn write_all_at(&self, _data: &[u8], _offset: u64) -> Result<()> {
        Ok(())
    }

    fn allocate(&self, _len: u64) -> Result<()> {
        Ok(())
    }

    fn set_len(&self, _len: u64) -> Result<()> {
        Ok(())
    }

    fn sync_data(&self) -> Result<()> {
        Ok(())
    }
}

impl File for NoFile {
    fn len(&self) -> Result<u64> {
        Ok(0)
    }

    fn read_exact_at(&self, _out: &mut [u8], _offset: u64) -> Result<()> {
        Err(std::io::ErrorKind::UnexpectedEof.into())
    }

    fn write_all_at(&self, _data: &[u8], _offset: u64) -> Result<()> {
        Ok(())
    }

    fn allocate(&self, _len: u64) -> Result<()> {
        Ok(())
    }

    fn set_len(&self, _len: u64) -> Result<()> {
        Ok(())
    }

    fn sync_data(&self) -> Result<()> {
        Ok(())
    }
}
