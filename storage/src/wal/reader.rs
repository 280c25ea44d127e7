//! Reads the log back after a start: which entries it holds, where it ends, and whether what is missing was never
//! promised (a torn tail: cut) or was (damage: refuse).

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};

use super::format::{ALIGN, FileHeader, HEADER, MIN_ROOM, RecordHeader, padding, parse_file_header};
use super::{segment_number, segment_path};
use crate::file::{Disk, read_all};
use crate::{Error, Result};

/// What a log holds and where to go on.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Segments in use, oldest first.
    pub segments: VecDeque<SegmentInfo>,
    /// For the next record.
    pub next_seq: u64,
    pub next_segment: u64,
    pub last_ts: u64,
    /// Files without records, to be deleted once the next segment exists (so that the highest number never shrinks).
    pub unused: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy)]
pub struct SegmentInfo {
    pub number: u64,
    /// The newest entry with a record in it, 0 if none.
    pub last_ts: u64,
    pub bytes: u64,
}

/// Walks the log in `dir`, handing each entry after `after_ts` to `apply`, and cuts a torn tail off. `known_segment` is
/// a segment that the manifest knows to have existed.
pub fn recover(
    disk: &dyn Disk,
    dir: &Path,
    after_ts: u64,
    known_segment: u64,
    mut apply: impl FnMut(u64, Bytes) -> Result<()>,
) -> Result<Recovered> {
    let mut numbers: Vec<u64> = disk.list(dir)?.iter().filter_map(|name| segment_number(name)).collect();
    numbers.sort_unstable();
    let newest = numbers.last().copied().unwrap_or(0);
    if newest < known_segment {
        return Err(Error::Corrupt(format!(
            "the log segment \"{}\" is missing; put back the files of \"{}\", or restore a backup or re-seed this node",
            segment_path(dir, known_segment).display(),
            dir.display()
        )));
    }
    let mut walk = Walk { dir, after_ts, out: Recovered { next_seq: 1, ..Recovered::default() }, entry: None };
    let mut end = None;
    for number in numbers {
        let path = segment_path(dir, number);
        let bytes = Bytes::from(read_all(disk.open(&path)?.as_ref()).map_err(Error::at(&path))?);
        match end {
            None => end = walk.segment(&path, number, &bytes, &mut apply)?,
            Some(broken) => {
                walk.must_hold_nothing(number, &bytes, broken)?;
                walk.out.unused.push(path);
            }
        }
    }
    walk.cut(disk, end)?;
    walk.out.next_segment = newest + 1;
    Ok(walk.out)
}

/// Where valid records end.
#[derive(Debug, Clone, Copy)]
struct End {
    segment: u64,
    offset: u64,
}

/// An entry of which not all pieces have been read.
#[derive(Debug)]
struct Partial {
    bytes: BytesMut,
    start: End,
    seq: u64,
}

struct Walk<'a> {
    dir: &'a Path,
    after_ts: u64,
    out: Recovered,
    entry: Option<Partial>,
}

impl Walk<'_> {
    /// Reads one segment. Returns where the log ends if it ends here.
    fn segment(
        &mut self,
        path: &Path,
        number: u64,
        bytes: &Bytes,
        apply: &mut impl FnMut(u64, Bytes) -> Result<()>,
    ) -> Result<Option<End>> {
        match parse_file_header(bytes) {
            FileHeader::Valid { segment } if segment == number => {}
            FileHeader::OtherVersion(version) => {
                return Err(Error::Corrupt(format!(
                    "log segment \"{}\" has format version {version}; open it with the program that wrote it",
                    path.display()
                )));
            }
            _ => {
                // A file's header is on disk before its first record is written.
                let end = End { segment: number, offset: 0 };
                self.must_hold_nothing(number, bytes, end)?;
                return Ok(Some(end));
            }
        }
        self.out.segments.push_back(SegmentInfo { number, last_ts: 0, bytes: bytes.len() as u64 });
        let mut offset = HEADER;
        while bytes.len() as u64 >= offset + MIN_ROOM {
            let Some((header, payload)) = self.record(bytes, number, offset) else {
                let end = End { segment: number, offset };
                self.must_not_skip(path, bytes, end)?;
                self.must_be_unsynced(path, bytes, end)?;
                return Ok(Some(end));
            };
            self.take(path, offset, header, payload, apply)?;
            offset += header.size();
        }
        Ok(None)
    }

    /// The record at an offset, if a valid one with the expected sequence number is there.
    fn record(&self, bytes: &Bytes, number: u64, offset: u64) -> Option<(RecordHeader, Bytes)> {
        let at = usize::try_from(offset).ok()?;
        let header = RecordHeader::parse(bytes.get(at..)?, number)?;
        let start = at + HEADER as usize;
        let end = start.checked_add(header.payload_len as usize)?;
        let payload = bytes.get(start..end)?;
        let padding = padding(payload.len());
        let ended = bytes.get(end..end.checked_add(padding.len())?) == Some(padding);
        (ended && self.is_next(&header, offset) && crc32fast::hash(payload) == header.payload_crc)
            .then(|| (header, bytes.slice(start..end)))
    }

    fn is_next(&self, header: &RecordHeader, offset: u64) -> bool {
        self.is_first(offset) || header.seq == self.out.next_seq || self.skips_released(header)
    }

    /// Released segments are deleted without waiting for the directory, so a power cut may bring any of them back. The
    /// gaps between do not matter: what was in them is in segments.
    fn skips_released(&self, header: &RecordHeader) -> bool {
        header.seq > self.out.next_seq && header.prev_ts <= self.after_ts
    }

    /// The oldest record there is may have any number.
    fn is_first(&self, offset: u64) -> bool {
        self.out.segments.len() == 1 && offset == HEADER
    }

    fn take(
        &mut self,
        path: &Path,
        offset: u64,
        header: RecordHeader,
        payload: Bytes,
        apply: &mut impl FnMut(u64, Bytes) -> Result<()>,
    ) -> Result<()> {
        if header.seq != self.out.next_seq {
            self.entry = None;
        }
        self.out.next_seq = header.seq + 1;
        if let Some(info) = self.out.segments.back_mut() {
            info.last_ts = header.ts;
        }
        if header.more || self.entry.is_some() {
            let start = End { segment: header.segment, offset };
            let partial = self.entry.get_or_insert_with(|| Partial { bytes: BytesMut::new(), start, seq: header.seq });
            partial.bytes.extend_from_slice(&payload);
        }
        if header.more {
            return Ok(());
        }
        let payload = self.entry.take().map_or(payload, |partial| partial.bytes.freeze());
        if header.ts > self.after_ts {
            if self.out.last_ts == 0 && header.prev_ts > self.after_ts {
                return Err(Error::Corrupt(format!(
                    "the log begins after commit {} in \"{}\" at offset {offset}, but segments hold only the commits up \
                     to {}; put the missing log segments back, or restore a backup or re-seed this node",
                    header.prev_ts,
                    path.display(),
                    self.after_ts
                )));
            }
            apply(header.ts, payload)?;
        }
        self.out.last_ts = header.ts;
        Ok(())
    }

    /// A whole record with a higher number than expected: those between are missing.
    fn must_not_skip(&self, path: &Path, bytes: &Bytes, end: End) -> Result<()> {
        let header = usize::try_from(end.offset).ok().and_then(|at| RecordHeader::parse(bytes.get(at..)?, end.segment));
        match header {
            Some(header) if header.seq > self.out.next_seq && !self.is_next(&header, end.offset) => {
                Err(Error::Corrupt(format!(
                    "log records {} to {} are missing before \"{}\"; put the missing log segments back, or restore a \
                     backup or re-seed this node",
                    self.out.next_seq,
                    header.seq - 1,
                    path.display()
                )))
            }
            _ => Ok(()),
        }
    }

    /// Damage is fine where nobody was told that the bytes were safe: no later record may say that they were synced.
    fn must_be_unsynced(&self, path: &Path, bytes: &Bytes, end: End) -> Result<()> {
        if headers(bytes, end.segment, end.offset).any(|h| h.synced > end.offset) {
            return Err(damaged(path, end.offset));
        }
        Ok(())
    }

    /// A segment is begun only when the one before is full and synced, so a record in it means damage before.
    fn must_hold_nothing(&self, number: u64, bytes: &Bytes, end: End) -> Result<()> {
        if headers(bytes, number, HEADER).next().is_some() {
            return Err(damaged(&segment_path(self.dir, end.segment), end.offset));
        }
        Ok(())
    }

    /// Ends the log at the last whole entry.
    fn cut(&mut self, disk: &dyn Disk, end: Option<End>) -> Result<()> {
        let incomplete = self.entry.take();
        let Some(at) = incomplete.as_ref().map(|partial| partial.start).or(end) else { return Ok(()) };
        if let Some(partial) = &incomplete {
            self.out.next_seq = partial.seq;
        }
        let path = segment_path(self.dir, at.segment);
        let file = disk.open(&path)?;
        let offset = usize::try_from(at.offset).unwrap_or(usize::MAX);
        let leftover = read_all(file.as_ref())?.get(offset..).is_some_and(|rest| rest.iter().any(|b| *b != 0));
        if leftover || incomplete.is_some() {
            tracing::warn!(
                file = %path.display(),
                offset = at.offset,
                "the log was truncated at its last whole entry; what followed had not been acknowledged"
            );
        }
        let last_ts = self.out.last_ts;
        while let Some(info) = self.out.segments.back_mut().filter(|s| s.number >= at.segment) {
            if info.number == at.segment && at.offset > HEADER {
                info.bytes = at.offset;
                info.last_ts = info.last_ts.min(last_ts);
                file.set_len(at.offset)?;
                file.sync_data()?;
                break;
            }
            // Emptied before an earlier file is cut: a crash in between must not leave records after a gap.
            let later = segment_path(self.dir, info.number);
            let file = disk.open(&later)?;
            file.set_len(HEADER)?;
            file.sync_data()?;
            self.out.unused.push(later);
            self.out.segments.pop_back();
        }
        if at.offset < HEADER {
            self.out.unused.push(path);
        }
        Ok(())
    }
}

/// Whatever parses as a record header from an offset on.
fn headers(bytes: &Bytes, segment: u64, from: u64) -> impl Iterator<Item = RecordHeader> {
    let from = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
    bytes[from..].chunks(ALIGN as usize).filter_map(move |chunk| RecordHeader::parse(chunk, segment))
}

fn damaged(path: &Path, offset: u64) -> Error {
    Error::Corrupt(format!(
        "the log is damaged in \"{}\" at offset {offset}, before its end: commits that were acknowledged would be lost. \
         Restore the file or the data directory from a backup, or re-seed this node from a replica",
        path.display()
    ))
}
