//! COPY's binary format: header, tuples, trailer.

use aegis_catalog::Result;

use super::line::bad;

pub const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";

/// Signature, no flags, no header extension.
pub const HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// A field count of -1.
pub const TRAILER: [u8; 2] = [0xFF; 2];

/// Length of the header; None if it is not all there.
pub fn header(data: &[u8], last: bool) -> Result<Option<usize>> {
    let Some((signature, rest)) = data.split_at_checked(SIGNATURE.len()) else {
        let matches = SIGNATURE.starts_with(data);
        return if last || !matches { Err(bad("COPY file signature not recognized")) } else { Ok(None) };
    };
    if signature != SIGNATURE {
        return Err(bad("COPY file signature not recognized"));
    }
    let Some(flags) = word(rest, 0) else { return incomplete(last, "invalid COPY file header (missing flags)") };
    if flags & (1 << 16) != 0 {
        return Err(bad("invalid COPY file header (WITH OIDS)"));
    }
    if flags >> 16 != 0 {
        return Err(bad("unrecognized critical flags in COPY file header"));
    }
    let Some(length) = word(rest, 4) else { return incomplete(last, "invalid COPY file header (missing length)") };
    let Some(length) = i32::try_from(length).ok().and_then(|length| usize::try_from(length).ok()) else {
        return Err(bad("invalid COPY file header (wrong length)"));
    };
    if rest.len() < 8 + length {
        return incomplete(last, "invalid COPY file header (wrong length)");
    }
    Ok(Some(SIGNATURE.len() + 8 + length))
}

fn incomplete<T>(last: bool, message: &str) -> Result<Option<T>> {
    if last { Err(bad(message)) } else { Ok(None) }
}

pub enum Tuple {
    Incomplete,
    /// The whole tuple, its field count included.
    Row {
        length: usize,
    },
    Trailer,
}

/// What `data` starts with.
pub fn tuple(data: &[u8], columns: usize, last: bool) -> Result<Tuple> {
    let [a, b, ..] = *data else {
        // A missing trailer is forgiven, half a count is not.
        return if last && !data.is_empty() { Err(bad("unexpected EOF in COPY data")) } else { Ok(Tuple::Incomplete) };
    };
    let count = i16::from_be_bytes([a, b]);
    if count == -1 {
        return Ok(Tuple::Trailer);
    }
    if usize::try_from(count) != Ok(columns) {
        return Err(bad(format!("row field count is {count}, expected {columns}")));
    }
    let mut length = 2;
    for _ in 0..columns {
        let Some(size) = word(data, length) else { return end_of_tuple(last) };
        length += 4;
        match i32::from_be_bytes(size.to_be_bytes()) {
            -1 => {}
            size if size < 0 => return Err(bad("invalid field size")),
            size => length += size as usize,
        }
    }
    if data.len() < length { end_of_tuple(last) } else { Ok(Tuple::Row { length }) }
}

fn end_of_tuple(last: bool) -> Result<Tuple> {
    if last { Err(bad("unexpected EOF in COPY data")) } else { Ok(Tuple::Incomplete) }
}

/// Takes the next field of a checked tuple; None is null.
pub fn field<'a>(tuple: &mut &'a [u8]) -> Option<&'a [u8]> {
    let size = word(tuple, 0)?;
    let rest = tuple.get(4..).unwrap_or_default();
    if size == u32::MAX {
        *tuple = rest;
        return None;
    }
    let (value, rest) = rest.split_at_checked(size as usize)?;
    *tuple = rest;
    Some(value)
}

fn word(data: &[u8], at: usize) -> Option<u32> {
    data.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes)
}
