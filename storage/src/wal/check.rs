//! Every byte of the log: records must be whole and follow each other, and behind the last one there must be nothing.

use std::path::Path;

use super::format::{FileHeader, HEADER, MIN_ROOM, RecordHeader, padding, parse_file_header};
use super::{segment_number, segment_path};
use crate::Result;
use crate::command::Command;
use crate::file::{Disk, read_all};

#[derive(Debug, Default)]
pub struct Seen {
    pub files: usize,
    pub entries: u64,
}

/// Tells `damaged` of each thing that is wrong. What segments hold already (up to `after_ts`) may be missing.
pub fn check(disk: &dyn Disk, dir: &Path, after_ts: u64, damaged: &mut dyn FnMut(&Path, String)) -> Result<Seen> {
    let mut numbers: Vec<u64> = disk.list(dir)?.iter().filter_map(|name| segment_number(name)).collect();
    numbers.sort_unstable();
    let mut walk = Walk { after_ts, seen: Seen::default(), before: None, entry: Vec::new(), damaged };
    for number in numbers {
        let path = segment_path(dir, number);
        let bytes = read_all(disk.open(&path)?.as_ref())?;
        walk.seen.files += 1;
        walk.file(&path, number, &bytes);
    }
    if !walk.entry.is_empty() {
        (walk.damaged)(dir, "the last entry of the log is not complete; a start cuts it off".into());
    }
    Ok(walk.seen)
}

struct Walk<'a> {
    after_ts: u64,
    seen: Seen,
    /// The sequence number of the record before.
    before: Option<u64>,
    /// Pieces of an entry.
    entry: Vec<u8>,
    damaged: &'a mut dyn FnMut(&Path, String),
}

impl Walk<'_> {
    fn file(&mut self, path: &Path, number: u64, bytes: &[u8]) {
        match parse_file_header(bytes) {
            FileHeader::Valid { segment } if segment == number => {}
            FileHeader::Valid { segment } => (self.damaged)(path, format!("it says that it is segment {segment:x}")),
            FileHeader::OtherVersion(version) => (self.damaged)(path, format!("it has format version {version}")),
            // A file that was being made when the power went.
            FileHeader::Damaged if bytes.iter().all(|b| *b == 0) => return,
            FileHeader::Damaged => (self.damaged)(path, "its header is damaged".into()),
        }
        let mut offset = HEADER as usize;
        while bytes.len() >= offset + MIN_ROOM as usize {
            let Some((header, payload)) = record(bytes, number, offset) else { break };
            self.record(path, offset, &header, payload);
            offset += header.size() as usize;
        }
        let rest = bytes.get(offset..).unwrap_or_default();
        if let Some(at) = rest.iter().position(|b| *b != 0) {
            let at = offset + at;
            let what =
                format!("the bytes from offset {at} on are neither a whole record nor empty: a torn tail or damage");
            (self.damaged)(path, what);
        }
    }

    fn record(&mut self, path: &Path, offset: usize, header: &RecordHeader, payload: &[u8]) {
        let needed = header.ts > self.after_ts;
        let follows = self.before.is_none_or(|seq| header.seq == seq + 1);
        if (self.before.is_none() || !follows) && needed && header.prev_ts > self.after_ts {
            (self.damaged)(path, format!("records are missing before offset {offset}"));
        }
        if !follows {
            self.entry.clear();
        }
        self.before = Some(header.seq);
        self.entry.extend_from_slice(payload);
        if header.more {
            return;
        }
        self.seen.entries += 1;
        let entry = std::mem::take(&mut self.entry);
        if needed && let Err(error) = Command::decode(&entry) {
            (self.damaged)(path, format!("the entry that ends at offset {offset} cannot be read: {error}"));
        }
    }
}

fn record(bytes: &[u8], number: u64, offset: usize) -> Option<(RecordHeader, &[u8])> {
    let header = RecordHeader::parse(bytes.get(offset..)?, number)?;
    let start = offset + HEADER as usize;
    let end = start.checked_add(header.payload_len as usize)?;
    let payload = bytes.get(start..end)?;
    let padding = padding(payload.len());
    let whole = bytes.get(end..end.checked_add(padding.len())?) == Some(padding);
    (whole && crc32fast::hash(payload) == header.payload_crc).then_some((header, payload))
}

/// Where the whole entries of a segment with timestamps up to `until_ts` end, and whether no record follows them. An
/// entry that goes on in the next segment counts if its timestamp does.
pub fn prefix(bytes: &[u8], number: u64, until_ts: u64) -> (usize, bool) {
    let mut offset = bytes.len().min(HEADER as usize);
    while let Some((header, _)) = record(bytes, number, offset) {
        if header.ts > until_ts {
            return (offset, false);
        }
        offset += header.size() as usize;
    }
    (offset, true)
}
