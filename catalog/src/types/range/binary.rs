//! Binary input (`range_recv`, `multirange_recv`); output is the encoder's.

use super::{RangeType, decode, encode_multirange, encode_range, make_range, normalize};
use crate::error::Result;
use crate::types::binary::Reader;

/// Bits of the flags byte.
pub(crate) mod flag {
    pub const EMPTY: u8 = 0x01;
    pub const LOWER_INCLUSIVE: u8 = 0x02;
    pub const UPPER_INCLUSIVE: u8 = 0x04;
    pub const LOWER_INFINITE: u8 = 0x08;
    pub const UPPER_INFINITE: u8 = 0x10;
}

/// Flags, then each bound there is with its length.
pub fn from_binary(ty: &RangeType, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut reader = Reader::new(bytes);
    let flags = reader.u8()?;
    let has = |flag: u8| flags & flag != 0;
    let mut bound = |missing: u8| -> Result<Option<Vec<u8>>> {
        if has(flag::EMPTY) || has(missing) {
            return Ok(None);
        }
        let length = reader.u32()? as usize;
        ty.subtype.receive(reader.take(length)?).map(Some)
    };
    let (lower, upper) = (bound(flag::LOWER_INFINITE)?, bound(flag::UPPER_INFINITE)?);
    reader.finish()?;
    if has(flag::EMPTY) {
        return Ok(encode_range(None));
    }
    make_range(ty.subtype, lower.as_deref(), upper.as_deref(), has(flag::LOWER_INCLUSIVE), has(flag::UPPER_INCLUSIVE))
}

/// The number of ranges, then each with its length.
pub fn multirange_from_binary(ty: &RangeType, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut reader = Reader::new(bytes);
    let count = reader.u32()?;
    let mut ranges = Vec::new();
    for _ in 0..count {
        let length = reader.u32()? as usize;
        ranges.push(from_binary(ty, reader.take(length)?)?);
    }
    reader.finish()?;
    let ranges = ranges.iter().flat_map(|range| decode(ty.subtype, range)).collect();
    Ok(encode_multirange(&normalize(ranges)))
}
