//! Backups in a folder of the file system.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::{PART_BYTES, Repository};
use crate::file::{Disk, File, RealDisk, write_atomic};
use crate::{Error, Result};

/// What a file is called while it is being written.
const UNFINISHED: &str = ".tmp";

#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_path_buf() }
    }

    fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.root.clone() } else { self.root.join(name) }
    }

    /// Where a file goes and what it is called until it is whole. Makes its folder, durably.
    fn place(&self, name: &str) -> Result<(PathBuf, PathBuf)> {
        let path = self.path(name);
        let folder = path.parent().unwrap_or(&self.root);
        if !folder.is_dir() {
            RealDisk.create_dir_all(folder).map_err(Error::at(folder))?;
            for made in folder.ancestors().skip(1).take_while(|above| above.starts_with(&self.root)) {
                RealDisk.sync_dir(made).map_err(Error::at(made))?;
            }
        }
        let mut unfinished = path.clone().into_os_string();
        unfinished.push(UNFINISHED);
        Ok((path, PathBuf::from(unfinished)))
    }

    /// Names of what is directly in a folder, with what the file system says of each.
    fn entries(&self, folder: &str) -> Result<Vec<(String, fs::Metadata)>> {
        let dir = self.path(folder);
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::at(&dir)(error)),
        };
        let read = entries.map(|entry| {
            let entry = entry?;
            Ok((entry.file_name().to_string_lossy().into_owned(), fs::metadata(entry.path())?))
        });
        read.collect::<std::io::Result<_>>().map_err(Error::at(&dir))
    }
}

impl Repository for Folder {
    fn locate(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn list(&self, folder: &str) -> Result<BTreeMap<String, u64>> {
        let files =
            self.entries(folder)?.into_iter().filter(|(name, meta)| meta.is_file() && !name.ends_with(UNFINISHED));
        Ok(files.map(|(name, meta)| (name, meta.len())).collect())
    }

    fn folders(&self) -> Result<Vec<String>> {
        Ok(self.entries("")?.into_iter().filter(|(_, meta)| meta.is_dir()).map(|(name, _)| name).collect())
    }

    fn len(&self, name: &str) -> Result<Option<u64>> {
        let path = self.path(name);
        match fs::metadata(&path) {
            Ok(meta) => Ok(Some(meta.len())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::at(&path)(error)),
        }
    }

    fn put(&self, name: &str, bytes: Bytes) -> Result<()> {
        let (path, unfinished) = self.place(name)?;
        write_atomic(&RealDisk, &path, &unfinished, &bytes).map_err(Error::at(&path))
    }

    fn put_file(&self, name: &str, file: &dyn File, crc: u32, sent: &mut dyn FnMut(u64) -> Result<()>) -> Result<bool> {
        let (path, unfinished) = self.place(name)?;
        let mut copy = || -> Result<bool> {
            let at = Error::at(&path);
            let (out, mut hasher) = (RealDisk.create(&unfinished).map_err(&at)?, crc32fast::Hasher::new());
            for piece in pieces(file.len()?) {
                let bytes = read_piece(file, &piece)?;
                hasher.update(&bytes);
                out.write_all_at(&bytes, piece.start).map_err(&at)?;
                sent(bytes.len() as u64)?;
            }
            if hasher.finalize() != crc {
                return Ok(false);
            }
            out.sync_data().map_err(&at)?;
            RealDisk.rename(&unfinished, &path).map_err(&at)?;
            RealDisk.sync_dir(path.parent().unwrap_or(&self.root)).map_err(&at)?;
            Ok(true)
        };
        let copied = copy();
        if !matches!(copied, Ok(true)) {
            let _ = RealDisk.remove(&unfinished);
        }
        copied
    }

    fn read(&self, name: &str, piece: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<bool> {
        let path = self.path(name);
        let mut file = match fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(Error::at(&path)(error)),
        };
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            let read = file.by_ref().take(PART_BYTES).read_to_end(&mut buffer).map_err(Error::at(&path))?;
            if read == 0 {
                return Ok(true);
            }
            piece(&buffer)?;
        }
    }

    fn within(&self, folder: &str) -> Arc<dyn Repository> {
        Arc::new(Self { root: self.path(folder) })
    }
}

/// The parts of a file that is sent or received in several.
pub(super) fn pieces(len: u64) -> impl Iterator<Item = std::ops::Range<u64>> {
    (0..len.div_ceil(PART_BYTES)).map(move |n| n * PART_BYTES..((n + 1) * PART_BYTES).min(len))
}

pub(super) fn read_piece(file: &dyn File, piece: &std::ops::Range<u64>) -> Result<Vec<u8>> {
    let len = usize::try_from(piece.end - piece.start).unwrap_or_default();
    let mut bytes = vec![0; len];
    file.read_exact_at(&mut bytes, piece.start)?;
    Ok(bytes)
}
