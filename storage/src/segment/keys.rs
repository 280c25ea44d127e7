//! The key file of a segment and an index: which rows may have a key, by its hash.
//!
//! ```text
//! header (64 bytes, little endian)          directory, per bucket: u32 end (entries up to here), u32 crc32 of entries
//!  0  "AEGISKEY"                            entries: u64 hash, u32 row; by bucket (the hash's top bits)
//!  8  u32 version of the file and of the key encoding
//! 12  u32 crc32 of the directory
//! 16  u32 entries    20  u32 log2 of the number of buckets
//! 24  u32 0, or 1: it ends with the header, and keys are found by the statistics of pages    28  zeros
//! ```
//!
//! Derived from the segment: a missing or damaged file is built anew, so it is not synced either.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Array, ArrayRef, ArrowNativeTypeOp, ArrowPrimitiveType, AsArray, BooleanArray, Scalar, UInt8Array};
use arrow::compute::kernels::cmp::{gt_eq, lt_eq};
use arrow::datatypes::{DataType, Int16Type, Int32Type, Int64Type};

use super::Segment;
use crate::file::{File, read_all};
use crate::index::KeyColumns;
use crate::index::key::ENCODING_VERSION;
use crate::schema::{IndexId, IndexSchema, TableSchema};
use crate::version::RowKeys;
use crate::{Error, Result};

const MAGIC: [u8; 8] = *b"AEGISKEY";
const VERSION: u32 = 1 << 16 | ENCODING_VERSION;
const HEADER: usize = 64;
const ENTRY: usize = 12;
const BUCKET_ENTRIES: usize = 64;
/// From this share of buckets on, and this many, the whole file is read instead of single buckets.
const WHOLE_READ_SHARE: usize = 4;
const WHOLE_READ_BUCKETS: usize = 16;

/// A scan uses an index if at most one row of so many can have the keys.
const FEW_OF: u64 = 16;

/// Key files that this process has begun to write.
static WRITTEN: AtomicU64 = AtomicU64::new(0);

/// How the rows of a key are found.
#[derive(Debug)]
pub enum KeyLookup {
    /// By its hash.
    File(KeyFile),
    /// See [`super::by_statistics`].
    Statistics,
}

#[derive(Debug)]
pub struct KeyFile {
    file: Arc<dyn File>,
    bits: u32,
    /// Per bucket: end in entries, crc.
    directory: Vec<(u32, u32)>,
}

/// Is this the file for keys with these hashes?
pub fn fits(stored: &[u8], index: &IndexSchema, hashes: &[Option<u64>]) -> bool {
    !index.unique && stored == encode_statistics() || stored == encode(hashes)
}

/// The bytes of a file that leaves the keys to the statistics of pages.
fn encode_statistics() -> Vec<u8> {
    let mut out = header(&[], 0, 0);
    out[24..28].copy_from_slice(&1u32.to_le_bytes());
    out
}

fn header(directory: &[u8], entries: usize, bits: u32) -> Vec<u8> {
    let mut out = vec![0; HEADER];
    out[..8].copy_from_slice(&MAGIC);
    out[8..12].copy_from_slice(&VERSION.to_le_bytes());
    out[12..16].copy_from_slice(&crc32fast::hash(directory).to_le_bytes());
    out[16..20].copy_from_slice(&(entries as u32).to_le_bytes());
    out[20..24].copy_from_slice(&bits.to_le_bytes());
    out
}

/// The file's bytes for keys with these hashes; None for keys that equal no other.
fn encode(hashes: &[Option<u64>]) -> Vec<u8> {
    let mut entries: Vec<(u64, u32)> =
        (0u32..).zip(hashes).filter_map(|(row, hash)| hash.map(|hash| (hash, row))).collect();
    entries.sort_unstable();
    let bits = (entries.len() / BUCKET_ENTRIES).max(1).next_power_of_two().ilog2();
    let mut body = Vec::with_capacity(entries.len() * ENTRY);
    let (mut directory, mut next) = (Vec::new(), 0);
    for bucket in 0..1u64 << bits {
        let start = body.len();
        while let Some((hash, row)) = entries.get(next).filter(|(hash, _)| bucket_of(*hash, bits) == bucket) {
            body.extend(hash.to_le_bytes());
            body.extend(row.to_le_bytes());
            next += 1;
        }
        directory.extend((next as u32).to_le_bytes());
        directory.extend(crc32fast::hash(&body[start..]).to_le_bytes());
    }
    let mut out = header(&directory, entries.len(), bits);
    out.extend(directory);
    out.extend(body);
    out
}

fn bucket_of(hash: u64, bits: u32) -> u64 {
    hash.checked_shr(64 - bits).unwrap_or(0)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|b| u32::from_le_bytes(*b))
}

impl KeyLookup {
    /// None if the file is not a whole key file of this version.
    fn open(file: Arc<dyn File>) -> std::io::Result<Option<Self>> {
        let len = usize::try_from(file.len()?).unwrap_or(0);
        let mut header = [0; HEADER];
        if len < HEADER {
            return Ok(None);
        }
        file.read_exact_at(&mut header, 0)?;
        let field = |at| u32_at(&header, at).unwrap_or(0);
        let (crc, entries, bits) = (field(12), field(16) as usize, field(20));
        if header[..8] != MAGIC || field(8) != VERSION || bits > 32 {
            return Ok(None);
        }
        if field(24) == 1 {
            return Ok((len == HEADER).then_some(Self::Statistics));
        }
        let mut raw = vec![0; 8usize << bits];
        if len != HEADER + raw.len() + entries * ENTRY {
            return Ok(None);
        }
        file.read_exact_at(&mut raw, HEADER as u64)?;
        if crc32fast::hash(&raw) != crc {
            return Ok(None);
        }
        let directory = raw.as_chunks::<8>().0.iter();
        let directory = directory.map(|pair| (u32_at(pair, 0).unwrap_or(0), u32_at(pair, 4).unwrap_or(0))).collect();
        Ok(Some(Self::File(KeyFile { file, bits, directory })))
    }
}

impl KeyFile {
    /// How many entries are looked at for these hashes.
    fn entries(&self, hashes: impl Iterator<Item = u64>) -> u64 {
        let entries = |hash| {
            let bucket = bucket_of(hash, self.bits) as usize;
            let first = bucket.checked_sub(1).and_then(|before| self.directory.get(before)).map_or(0, |(end, _)| *end);
            u64::from(self.directory.get(bucket).map_or(0, |(end, _)| *end).saturating_sub(first))
        };
        hashes.map(entries).sum()
    }

    /// Calls `found` with (position among `wanted`, row) for each entry with a wanted hash. `kept` are the buckets that are in memory.
    /// False if the file is damaged.
    fn probe(
        &self,
        wanted: &[(usize, u64)],
        kept: &KeptBuckets<'_>,
        found: &mut impl FnMut(usize, u32),
    ) -> Result<bool> {
        let start = (HEADER + self.directory.len() * 8) as u64;
        let mut by_bucket: Vec<(u64, usize)> =
            wanted.iter().enumerate().map(|(i, (_, hash))| (bucket_of(*hash, self.bits), i)).collect();
        by_bucket.sort_unstable();
        let many = by_bucket.len() >= WHOLE_READ_BUCKETS;
        let whole = if many && by_bucket.len() * WHOLE_READ_SHARE >= self.directory.len() {
            let mut all = read_all(self.file.as_ref())?;
            Some(all.split_off(all.len().min(start as usize)))
        } else {
            None
        };
        for keys in by_bucket.chunk_by(|a, b| a.0 == b.0) {
            let bucket = keys[0].0 as usize;
            let Some((end, crc)) = self.directory.get(bucket) else { return Ok(false) };
            let first = bucket.checked_sub(1).map_or(0, |b| self.directory[b].0);
            let (from, to) = (first as usize * ENTRY, *end as usize * ENTRY);
            let known = if whole.is_none() { kept.get(bucket) } else { None };
            let mut read = Vec::new();
            let entries = match (&known, &whole) {
                (Some(known), _) => known.values(),
                (None, Some(all)) => all.get(from..to).unwrap_or_default(),
                (None, None) => {
                    read.resize(to.saturating_sub(from), 0);
                    self.file.read_exact_at(&mut read, start + from as u64)?;
                    &read
                }
            };
            if known.is_none() && crc32fast::hash(entries) != *crc {
                return Ok(false);
            }
            for (_, i) in keys {
                let (_, hash) = wanted[*i];
                for entry in entries.as_chunks::<ENTRY>().0 {
                    if entry[..8] == hash.to_le_bytes() {
                        found(*i, u32_at(entry, 8).unwrap_or(u32::MAX));
                    }
                }
            }
            if !read.is_empty() {
                kept.keep(bucket, read);
            }
        }
        Ok(true)
    }
}

/// Which of some keys a segment may have.
enum Within {
    All,
    None,
    These(BooleanArray),
}

/// Buckets of a key file among the decoded pieces that are kept in memory.
struct KeptBuckets<'a> {
    segment: &'a Segment,
    index: IndexId,
}

impl KeptBuckets<'_> {
    fn get(&self, bucket: usize) -> Option<UInt8Array> {
        self.segment.kept_bucket(self.index, bucket as u32)?.as_primitive_opt().cloned()
    }

    fn keep(&self, bucket: usize, entries: Vec<u8>) {
        self.segment.keep_bucket(self.index, bucket as u32, Arc::new(UInt8Array::from(entries)));
    }
}

impl Segment {
    /// For the keys at the given positions with the given hashes: rows of this segment whose keys have the same hash.
    pub fn candidates(
        &self,
        schema: &TableSchema,
        index: &IndexSchema,
        keys: &RowKeys,
        wanted: &[(usize, u64)],
    ) -> Result<Vec<(usize, u32)>> {
        let wanted: Vec<(usize, u64)> = match self.in_range(index, &keys.columns)? {
            Within::All => wanted.to_vec(),
            Within::None => Vec::new(),
            Within::These(inside) => wanted.iter().filter(|(at, _)| inside.value(*at)).copied().collect(),
        };
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(found) = self.probe(self.key_lookup(schema, index)?.as_ref(), schema, index, keys, &wanted)? {
            return Ok(found);
        }
        tracing::warn!(path = %self.key_path(index.id).display(), "a key file is damaged and is built anew");
        let built = self.build_keys(schema, index)?;
        let found = self.probe(built.as_ref(), schema, index, keys, &wanted)?;
        found.ok_or_else(|| Error::Corrupt(format!("\"{}\" cannot be read back", self.key_path(index.id).display())))
    }

    /// None if the key file is damaged.
    fn probe(
        &self,
        lookup: &KeyLookup,
        schema: &TableSchema,
        index: &IndexSchema,
        keys: &RowKeys,
        wanted: &[(usize, u64)],
    ) -> Result<Option<Vec<(usize, u32)>>> {
        let KeyLookup::File(file) = lookup else {
            return self.candidates_by_statistics(schema, index, keys, wanted).map(Some);
        };
        let kept = KeptBuckets { segment: self, index: index.id };
        let mut out = Vec::new();
        let whole = file.probe(wanted, &kept, &mut |i, row| out.push((wanted[i].0, row)))?;
        Ok(whole.then_some(out))
    }

    /// The rows that may have one of the keys, ascending; None if those would be so many that it is better to look at all, or if the
    /// statistics of pages say as much.
    pub fn rows_by_key(&self, schema: &TableSchema, index: &IndexSchema, keys: &RowKeys) -> Result<Option<Vec<u32>>> {
        let wanted: Vec<(usize, u64)> =
            keys.hashes.iter().enumerate().filter_map(|(at, hash)| Some((at, (*hash)?))).collect();
        let lookup = self.key_lookup(schema, index)?;
        let KeyLookup::File(file) = lookup.as_ref() else { return Ok(None) };
        let entries = file.entries(wanted.iter().map(|(_, hash)| *hash));
        if entries.saturating_mul(FEW_OF) > u64::from(self.meta.rows) {
            return Ok(None);
        }
        let found = self.candidates(schema, index, keys, &wanted)?;
        let mut rows: Vec<u32> = found.into_iter().map(|(_, row)| row).collect();
        rows.sort_unstable();
        rows.dedup();
        Ok(Some(rows))
    }

    /// Which keys may have a first column within this segment's range.
    fn in_range(&self, index: &IndexSchema, keys: &KeyColumns) -> Result<Within> {
        let exact = index.ignored_suffix.first().is_none_or(|n| *n == 0) && !index.nulls_not_distinct;
        let (Some(column), Some(first)) = (index.columns.first(), keys.values().first()) else {
            return Ok(Within::All);
        };
        let is_float = matches!(first.data_type(), DataType::Float16 | DataType::Float32 | DataType::Float64);
        let Some((min, max)) = self.range(*column)?.filter(|_| exact && !is_float) else { return Ok(Within::All) };
        if first.len() == 1
            && let Some(inside) = is_between(first, &min, &max)
        {
            return Ok(if inside { Within::All } else { Within::None });
        }
        let (Ok(above), Ok(below)) = (gt_eq(first, &Scalar::new(min)), lt_eq(first, &Scalar::new(max))) else {
            return Ok(Within::All);
        };
        Ok(Within::These(arrow::compute::and(&above, &below)?))
    }

    pub fn key_path(&self, index: IndexId) -> PathBuf {
        self.path.with_extension(format!("{index}.keys"))
    }

    /// Bytes of the key file of an index; 0 if it was not made yet.
    pub fn key_bytes(&self, index: IndexId) -> u64 {
        self.disk.open(&self.key_path(index)).and_then(|file| file.len()).unwrap_or(0)
    }

    fn key_lookup(&self, schema: &TableSchema, index: &IndexSchema) -> Result<Arc<KeyLookup>> {
        if let Some(lookup) = self.keys.lock().get(&index.id) {
            return Ok(lookup.clone());
        }
        let opened = match self.disk.open(&self.key_path(index.id)) {
            Ok(file) => KeyLookup::open(file)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        match opened {
            Some(lookup) => {
                let lookup = Arc::new(lookup);
                self.keys.lock().insert(index.id, lookup.clone());
                Ok(lookup)
            }
            None => self.build_keys(schema, index),
        }
    }

    /// Writes the key file from the segment's rows: for an index younger than the segment.
    fn build_keys(&self, schema: &TableSchema, index: &IndexSchema) -> Result<Arc<KeyLookup>> {
        self.write_keys(schema, index, &self.key_hashes(schema, index)?)
    }

    /// The hash of each row's key.
    pub fn key_hashes(&self, schema: &TableSchema, index: &IndexSchema) -> Result<Vec<Option<u64>>> {
        let columns = schema.key_columns(index)?;
        let mut hashes = Vec::with_capacity(self.meta.rows as usize);
        for batch in self.read(None, &columns)? {
            hashes.extend(KeyColumns::new(index, batch.columns().to_vec())?.hashes(batch.num_rows()));
        }
        Ok(hashes)
    }

    /// Writes the key file for all rows' keys, which have these hashes.
    pub fn write_keys(
        &self,
        schema: &TableSchema,
        index: &IndexSchema,
        hashes: &[Option<u64>],
    ) -> Result<Arc<KeyLookup>> {
        let path = self.key_path(index.id);
        let bytes = if self.statistics_suffice(schema, index, hashes)? { encode_statistics() } else { encode(hashes) };
        // Two readers may find that it is missing at the same time.
        let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let tmp = self.path.with_extension(format!("{}.{number}.tmp", index.id));
        let write = || {
            let file = self.disk.create(&tmp)?;
            file.write_all_at(&bytes, 0)?;
            self.disk.rename(&tmp, &path)
        };
        write().map_err(Error::at(&path))?;
        let damaged = || Error::Corrupt(format!("\"{}\" cannot be read back", path.display()));
        let lookup = Arc::new(KeyLookup::open(self.disk.open(&path)?)?.ok_or_else(damaged)?);
        self.keys.lock().insert(index.id, lookup.clone());
        Ok(lookup)
    }
}

/// Whether a value lies between two others, for the types of most keys, without a kernel.
fn is_between(value: &ArrayRef, min: &ArrayRef, max: &ArrayRef) -> Option<bool> {
    fn of<T: ArrowPrimitiveType>(value: &ArrayRef, min: &ArrayRef, max: &ArrayRef) -> Option<bool> {
        let one = |array: &ArrayRef| array.as_primitive_opt::<T>()?.iter().next().flatten();
        let (value, min, max) = (one(value)?, one(min)?, one(max)?);
        Some(value.is_ge(min) && value.is_le(max))
    }
    match value.data_type() {
        DataType::Int16 => of::<Int16Type>(value, min, max),
        DataType::Int32 => of::<Int32Type>(value, min, max),
        DataType::Int64 => of::<Int64Type>(value, min, max),
        _ => None,
    }
}
