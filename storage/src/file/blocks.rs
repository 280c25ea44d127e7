//! Checksums of the blocks of a file: made while it is written, verified when a block is first read after it was opened.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::File;

/// Small enough that a read of one row costs little more, large enough that the sums are few.
const BLOCK_BYTES: u64 = 32 << 10;

/// Makes the sums.
#[derive(Debug, Default)]
pub struct BlockSums {
    whole: crc32fast::Hasher,
    sums: Vec<u32>,
    block: crc32fast::Hasher,
    /// Bytes of the block so far.
    filled: u64,
}

impl BlockSums {
    pub fn update(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            let room = usize::try_from(BLOCK_BYTES - self.filled).unwrap_or(usize::MAX);
            let (now, later) = data.split_at(room.min(data.len()));
            self.block.update(now);
            self.filled += now.len() as u64;
            if self.filled == BLOCK_BYTES {
                self.end_block();
            }
            data = later;
        }
    }

    fn end_block(&mut self) {
        let block = std::mem::take(&mut self.block);
        self.whole.combine(&block);
        self.sums.push(block.finalize());
        self.filled = 0;
    }

    /// The crc32 of all, and of each block.
    pub fn finish(mut self) -> (u32, Vec<u32>) {
        if self.filled > 0 {
            self.end_block();
        }
        (self.whole.finalize(), self.sums)
    }
}

/// A file that never changes, with the sums of its blocks.
#[derive(Debug, Clone)]
pub struct CheckedFile {
    file: Arc<dyn File>,
    len: u64,
    /// None if they are not known.
    checks: Option<Arc<Checks>>,
}

#[derive(Debug)]
struct Checks {
    sums: Vec<u32>,
    /// One bit per block: it was right once.
    verified: Vec<AtomicU64>,
}

impl CheckedFile {
    pub fn new(file: Arc<dyn File>, len: u64, sums: &[u32]) -> Self {
        let checks = (sums.len() as u64 == len.div_ceil(BLOCK_BYTES)).then(|| {
            let verified = (0..sums.len().div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
            Arc::new(Checks { sums: sums.to_vec(), verified })
        });
        Self { file, len, checks }
    }

    /// The file as it is.
    pub fn unchecked(&self) -> &dyn File {
        self.file.as_ref()
    }

    pub fn len(&self) -> u64 {
        self.len
    }

    /// [`io::ErrorKind::InvalidData`] if a block is not what was written.
    pub fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset.saturating_add(out.len() as u64);
        let Some(checks) = self.checks.as_ref().filter(|_| !out.is_empty() && end <= self.len) else {
            return self.file.read_exact_at(out, offset);
        };
        let blocks = offset / BLOCK_BYTES..end.div_ceil(BLOCK_BYTES);
        if blocks.clone().all(|block| checks.is_verified(block)) {
            return self.file.read_exact_at(out, offset);
        }
        let start = blocks.start * BLOCK_BYTES;
        let length = (blocks.end * BLOCK_BYTES).min(self.len) - start;
        let mut bytes = vec![0; usize::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?];
        self.file.read_exact_at(&mut bytes, start)?;
        for (block, data) in blocks.zip(bytes.chunks(BLOCK_BYTES as usize)) {
            checks.verify(block, data)?;
        }
        let from = (offset - start) as usize;
        out.copy_from_slice(&bytes[from..from + out.len()]);
        Ok(())
    }
}

impl Checks {
    fn bit(&self, block: u64) -> Option<(&AtomicU64, u64)> {
        Some((self.verified.get(usize::try_from(block / 64).ok()?)?, 1 << (block % 64)))
    }

    fn is_verified(&self, block: u64) -> bool {
        self.bit(block).is_some_and(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0)
    }

    fn verify(&self, block: u64, data: &[u8]) -> io::Result<()> {
        let sum = usize::try_from(block).ok().and_then(|block| self.sums.get(block));
        if self.is_verified(block) || sum.is_none() {
            return Ok(());
        }
        if sum != Some(&crc32fast::hash(data)) {
            let what = format!("the checksum of the block at {} is wrong", block * BLOCK_BYTES);
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        if let Some((word, bit)) = self.bit(block) {
            word.fetch_or(bit, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Sums as text in the manifest: eight hexadecimal digits each.
pub mod hex {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(sums: &[u32], serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(sums.len() * 8);
        sums.iter().for_each(|sum| text.push_str(&format!("{sum:08x}")));
        serializer.serialize_str(&text)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u32>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let sum = |digits: &[u8]| std::str::from_utf8(digits).ok().and_then(|d| u32::from_str_radix(d, 16).ok());
        let sums: Option<Vec<u32>> = text.as_bytes().chunks(8).map(sum).collect();
        sums.ok_or_else(|| serde::de::Error::custom("sums of blocks are no hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::{Disk, RealDisk};

    #[test]
    fn a_changed_byte_is_found_wherever_it_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let bytes: Vec<u8> = (0..150_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 7) as u8).collect();
        let mut sums = BlockSums::default();
        bytes.chunks(7001).for_each(|part| sums.update(part));
        let (whole, sums) = sums.finish();
        assert_eq!((whole, sums.len()), (crc32fast::hash(&bytes), 5));
        let file = RealDisk.create(&path).unwrap();
        file.write_all_at(&bytes, 0).unwrap();
        let open = || CheckedFile::new(RealDisk.open(&path).unwrap(), bytes.len() as u64, &sums);
        let checked = open();
        for (offset, length) in [(0, 10), (32_700, 200), (40_000, 110_000), (149_999, 1), (0, 150_000)] {
            let mut out = vec![0; length];
            checked.read_exact_at(&mut out, offset as u64).unwrap();
            assert_eq!(out, bytes[offset..offset + length]);
        }
        file.write_all_at(&[bytes[70_000] ^ 4], 70_000).unwrap();
        let mut out = [0; 100];
        assert!(open().read_exact_at(&mut out, 1000).is_ok());
        for offset in [65_536, 69_950, 98_200] {
            assert_eq!(open().read_exact_at(&mut out, offset).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }
}
