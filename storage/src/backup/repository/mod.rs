//! Where backups and archived log segments are kept: a folder, or a bucket of an object store. Backups know no more of it than [`Repository`].

mod folder;
mod object_store;

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use folder::Folder;
pub use object_store::Bucket;

use crate::file::File;
use crate::{Error, Result};

/// Bytes that are sent or received at a time; an object store takes larger files in such parts.
pub const PART_BYTES: u64 = 8 << 20;
/// Parts on their way to or from an object store at once: with [`PART_BYTES`], the memory that a backup takes.
pub const PARTS_IN_FLIGHT: usize = 4;
/// How long a request that an object store does not answer, or answers with a failure of its own, is tried again by default.
pub const RETRY_FOR: Duration = Duration::from_secs(30);

/// Files by name, `/` between folders. What was put is durable and whole when the call returns: until then nobody sees it.
pub trait Repository: Debug + Send + Sync + 'static {
    /// A file of it (or with an empty name itself) as a message should name it.
    fn locate(&self, name: &str) -> String;
    /// The files directly in a folder with their lengths; none if there is no such folder.
    fn list(&self, folder: &str) -> Result<BTreeMap<String, u64>>;
    /// The folders directly in it.
    fn folders(&self) -> Result<Vec<String>>;
    /// The length of a file; None if it is not there.
    fn len(&self, name: &str) -> Result<Option<u64>>;
    /// Replaces what has that name.
    fn put(&self, name: &str, bytes: Bytes) -> Result<()>;
    /// Copies a file of any length. False, and nothing is put, unless what was read has that checksum. `sent` hears of bytes as they go; its
    /// error ends the copy.
    fn put_file(&self, name: &str, file: &dyn File, crc: u32, sent: &mut dyn FnMut(u64) -> Result<()>) -> Result<bool>;
    /// Hands over the pieces of a file in order; false if it is not there.
    fn read(&self, name: &str, piece: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<bool>;
    /// A folder of it.
    fn within(&self, folder: &str) -> Arc<dyn Repository>;

    /// A whole file that is known to be small; None if it is not there.
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        let found = self.read(name, &mut |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(found.then_some(bytes))
    }
}

/// How to reach an object store.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Access {
    /// The `AWS_…` variables of whoever wants it: credentials, region, endpoint.
    pub variables: BTreeMap<String, String>,
    /// How long a request is tried again.
    pub retry: Duration,
}

impl Default for Access {
    fn default() -> Self {
        Self { variables: BTreeMap::new(), retry: RETRY_FOR }
    }
}

/// Without the secrets.
impl Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("variables", &self.variables.keys()).field("retry", &self.retry).finish()
    }
}

/// What stands before a bucket's name.
const BUCKET_SCHEME: &str = "s3://";

/// Is it an object store's, rather than a folder's name?
pub fn is_remote(place: &str) -> bool {
    place.contains("://")
}

/// `s3://bucket/prefix` or a folder.
pub fn open(place: &str, access: &Access) -> Result<Arc<dyn Repository>> {
    if let Some(rest) = place.strip_prefix(BUCKET_SCHEME) {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        return Ok(Arc::new(Bucket::open(bucket, prefix, access)?));
    }
    if is_remote(place) {
        let what = format!("\"{place}\" is neither a folder nor {BUCKET_SCHEME}BUCKET/PREFIX");
        return Err(Error::Io(std::io::Error::new(std::io::ErrorKind::InvalidInput, what)));
    }
    Ok(Arc::new(Folder::new(Path::new(place))))
}

/// `folder/name`, either of which may be empty.
fn join(folder: &str, name: &str) -> String {
    match (folder, name) {
        ("", only) | (only, "") => only.to_owned(),
        (folder, name) => format!("{folder}/{name}"),
    }
}
