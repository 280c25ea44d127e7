//! The bytes of the log; pure encoding and decoding.
//!
//! A segment file is a header and records, each beginning at a multiple of 64 bytes; all integers little endian.
//!
//! ```text
//! file header (64 bytes)            record header (64 bytes), then the payload, then zeros and 0xAE up to 64
//!  0  "AEGISWAL"                     0  u32 crc32 of bytes 4..64
//!  8  u32 format version             4  u32 crc32 of the payload
//! 12  u32 crc32 of 0..12, 16..64     8  u64 segment number
//! 16  u64 segment number            16  u64 sequence number, +1 per record across segments
//! 24  zeros                         24  u64 ts: commit timestamp of the entry
//!                                   32  u64 timestamp of the entry before, 0 if none
//!                                   40  u64 synced: this segment was on disk up to here when the record was written
//!                                   48  u32 payload length
//!                                   52  u8  1 the entry ends here, 2 more of it follows in the next record
//!                                   53  zeros
//! ```
//!
//! Each record ends in a byte that is not zero, so that the end of the log can be seen in a file of zeros, and nothing
//! that lands behind it touches a record.
//!
//! An entry that does not fit in the rest of a segment is cut in pieces, so that segments are always full: less than
//! [`MIN_ROOM`] is left. The segment number in each record keeps bytes of another file from being taken for records.

pub const ALIGN: u64 = 64;
pub const HEADER: u64 = 64;
/// A header and the smallest useful payload.
pub const MIN_ROOM: u64 = HEADER + ALIGN;

const MAGIC: [u8; 8] = *b"AEGISWAL";
const VERSION: u32 = 2;

/// What follows a payload: as many bytes from the end of this as reach the next multiple of 64, at least one.
const PADDING: [u8; ALIGN as usize] = {
    let mut padding = [0; ALIGN as usize];
    padding[ALIGN as usize - 1] = 0xAE;
    padding
};

const LAST: u8 = 1;
const MORE: u8 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHeader {
    pub payload_crc: u32,
    pub segment: u64,
    pub seq: u64,
    pub ts: u64,
    pub prev_ts: u64,
    pub synced: u64,
    pub payload_len: u32,
    /// More of the entry follows in the next record.
    pub more: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub enum FileHeader {
    Valid {
        segment: u64,
    },
    /// By a newer or older program.
    OtherVersion(u32),
    Damaged,
}

pub fn file_header(segment: u64) -> [u8; HEADER as usize] {
    let mut out = [0; HEADER as usize];
    out[..8].copy_from_slice(&MAGIC);
    out[8..12].copy_from_slice(&VERSION.to_le_bytes());
    out[16..24].copy_from_slice(&segment.to_le_bytes());
    let crc = file_header_crc(&out);
    out[12..16].copy_from_slice(&crc.to_le_bytes());
    out
}

fn file_header_crc(header: &[u8; HEADER as usize]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[..12]);
    hasher.update(&header[16..]);
    hasher.finalize()
}

pub fn parse_file_header(bytes: &[u8]) -> FileHeader {
    let Some(header) = bytes.first_chunk::<{ HEADER as usize }>() else { return FileHeader::Damaged };
    if header[..8] != MAGIC || u32_at(header, 12) != file_header_crc(header) {
        return FileHeader::Damaged;
    }
    match u32_at(header, 8) {
        VERSION => FileHeader::Valid { segment: u64_at(header, 16) },
        other => FileHeader::OtherVersion(other),
    }
}

impl RecordHeader {
    pub fn encode(&self) -> [u8; HEADER as usize] {
        let mut out = [0; HEADER as usize];
        out[4..8].copy_from_slice(&self.payload_crc.to_le_bytes());
        out[8..16].copy_from_slice(&self.segment.to_le_bytes());
        out[16..24].copy_from_slice(&self.seq.to_le_bytes());
        out[24..32].copy_from_slice(&self.ts.to_le_bytes());
        out[32..40].copy_from_slice(&self.prev_ts.to_le_bytes());
        out[40..48].copy_from_slice(&self.synced.to_le_bytes());
        out[48..52].copy_from_slice(&self.payload_len.to_le_bytes());
        out[52] = if self.more { MORE } else { LAST };
        let crc = crc32fast::hash(&out[4..]);
        out[..4].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// None if the bytes are not a record header of this segment.
    pub fn parse(bytes: &[u8], segment: u64) -> Option<Self> {
        let header = bytes.first_chunk::<{ HEADER as usize }>()?;
        if u64_at(header, 8) != segment || u32_at(header, 0) != crc32fast::hash(&header[4..]) {
            return None;
        }
        let more = match header[52] {
            LAST => false,
            MORE => true,
            _ => return None,
        };
        Some(Self {
            payload_crc: u32_at(header, 4),
            segment,
            seq: u64_at(header, 16),
            ts: u64_at(header, 24),
            prev_ts: u64_at(header, 32),
            synced: u64_at(header, 40),
            payload_len: u32_at(header, 48),
            more,
        })
    }

    /// Bytes of the record with its padding.
    pub fn size(&self) -> u64 {
        record_size(u64::from(self.payload_len))
    }
}

pub fn record_size(payload_len: u64) -> u64 {
    HEADER + (payload_len + 1).next_multiple_of(ALIGN)
}

/// The bytes behind a payload of this length.
pub fn padding(payload_len: usize) -> &'static [u8] {
    &PADDING[payload_len % ALIGN as usize..]
}

/// The part of a payload of `rest` bytes that goes into a segment with `room` bytes left.
pub fn piece(rest: u64, room: u64) -> u64 {
    let fits = (room.saturating_sub(HEADER) / ALIGN * ALIGN).saturating_sub(1);
    rest.min(fits).min(u64::from(u32::MAX) / ALIGN * ALIGN - 1)
}

fn u32_at(bytes: &[u8; HEADER as usize], at: usize) -> u32 {
    let mut out = [0; 4];
    out.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(out)
}

fn u64_at(bytes: &[u8; HEADER as usize], at: usize) -> u64 {
    let mut out = [0; 8];
    out.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_survive_and_any_flipped_bit_is_noticed() {
        let header = RecordHeader {
            payload_crc: 7,
            segment: 3,
            seq: 9,
            ts: u64::MAX,
            prev_ts: 5,
            synced: 64,
            payload_len: 100,
            more: true,
        };
        let bytes = header.encode();
        assert_eq!(RecordHeader::parse(&bytes, 3), Some(header));
        assert_eq!(RecordHeader::parse(&bytes, 4), None);
        assert_eq!(header.size(), 64 + 128);
        let file = file_header(12);
        assert_eq!(parse_file_header(&file), FileHeader::Valid { segment: 12 });
        for bit in 0..HEADER as usize * 8 {
            let flip = |mut bytes: [u8; 64]| {
                bytes[bit / 8] ^= 1 << (bit % 8);
                bytes
            };
            assert_eq!(RecordHeader::parse(&flip(bytes), 3), None, "bit {bit}");
            assert_eq!(parse_file_header(&flip(file)), FileHeader::Damaged, "bit {bit}");
        }
    }

    #[test]
    fn pieces_fill_a_segment() {
        assert_eq!(piece(1000, 10_000), 1000);
        assert_eq!(piece(1000, 64 + 640), 639);
        assert_eq!(piece(1000, 64 + 650), 639);
        assert_eq!(piece(10, MIN_ROOM), 10);
        assert!(MIN_ROOM - record_size(piece(10, MIN_ROOM)) < MIN_ROOM);
        for length in [0, 1, 62, 63, 64, 65, 1000] {
            let whole = HEADER + length + padding(length as usize).len() as u64;
            assert_eq!((whole, padding(length as usize).last()), (record_size(length), Some(&0xAE)));
        }
    }
}
