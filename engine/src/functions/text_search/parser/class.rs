//! Classes of characters, as the C library has them for Unicode.

/// A letter, or what counts as one: decimal digits that are not ASCII do.
pub fn is_alpha(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphabetic() } else { c.is_alphabetic() || is_decimal(c) }
}

pub fn is_alnum(c: char) -> bool {
    c.is_ascii_digit() || is_alpha(c)
}

/// A mark that belongs to the letter before it.
pub fn is_special(c: char) -> bool {
    !c.is_ascii() && unicode_normalization::char::is_combining_mark(c)
}

fn is_decimal(c: char) -> bool {
    let zero = ZEROS.partition_point(|&zero| zero <= u32::from(c)).checked_sub(1).and_then(|before| ZEROS.get(before));
    zero.is_some_and(|&zero| u32::from(c) < zero + 10)
}

/// The zeros of Unicode's decimal digits beyond ASCII; nine more digits follow each.
const ZEROS: &[u32] = &[
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0, 0xf20,
    0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0,
    0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x11066, 0x110f0, 0x11136, 0x111d0, 0x112f0,
    0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950, 0x11c50, 0x11d50, 0x11da0, 0x16a60, 0x16ac0,
    0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e950, 0x1fbf0,
];
