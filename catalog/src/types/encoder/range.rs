//! Both formats of ranges and multiranges: the bounds of all rows become columns, which have encoders of their own.

use arrow::array::{Array, ArrayRef, BinaryViewArray};

use super::super::range::{self, RangeType, flag};
use super::super::{FormatSettings, Names, Type};
use super::{BinaryEncoder, TextEncoder};
use crate::error::Result;

/// The ranges of a column, and encoders (`E`) of their bounds.
pub(super) struct RangeColumn<E> {
    /// Where each row's ranges begin among all.
    starts: Vec<usize>,
    flags: Vec<u8>,
    lowers: E,
    uppers: E,
    multirange: bool,
}

impl<E> RangeColumn<E> {
    fn new(
        ty: &RangeType,
        multirange: bool,
        array: &BinaryViewArray,
        encoder: impl Fn(Type, &ArrayRef) -> Result<E>,
    ) -> Result<Self> {
        let (mut starts, mut ranges) = (vec![0], Vec::new());
        for row in 0..array.len() {
            if array.is_valid(row) {
                ranges.extend(range::decode(ty.subtype, array.value(row)));
            }
            starts.push(ranges.len());
        }
        let flags = ranges.iter().map(|range| {
            let set = |condition: bool, flag: u8| if condition { flag } else { 0 };
            set(range.lower.inclusive, flag::LOWER_INCLUSIVE)
                | set(range.upper.inclusive, flag::UPPER_INCLUSIVE)
                | set(range.lower.value.is_none(), flag::LOWER_INFINITE)
                | set(range.upper.value.is_none(), flag::UPPER_INFINITE)
        });
        let element = Type::of(ty.element);
        Ok(Self {
            flags: flags.collect(),
            lowers: encoder(element, &ty.subtype.column(ranges.iter().map(|range| range.lower.value)))?,
            uppers: encoder(element, &ty.subtype.column(ranges.iter().map(|range| range.upper.value)))?,
            starts,
            multirange,
        })
    }

    /// The ranges of a row.
    fn ranges(&self, row: usize) -> std::ops::Range<usize> {
        let at = |row: usize| self.starts.get(row).copied().unwrap_or_default();
        at(row)..at(row + 1)
    }

    fn has(&self, range: usize, flag: u8) -> bool {
        self.flags.get(range).is_some_and(|flags| flags & flag != 0)
    }
}

impl RangeColumn<TextEncoder> {
    pub(super) fn text(ty: &RangeType, of: Type, array: &BinaryViewArray, settings: &FormatSettings) -> Result<Self> {
        Self::new(ty, ty.multirange == of.oid, array, |ty, array| TextEncoder::new(ty, array, settings))
    }

    pub(super) fn write(&self, row: usize, out: &mut Vec<u8>) {
        let ranges = self.ranges(row);
        if self.multirange {
            out.push(b'{');
            for (position, range) in ranges.enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                self.write_range(range, out);
            }
            out.push(b'}');
        } else if ranges.is_empty() {
            out.extend_from_slice(b"empty");
        } else {
            self.write_range(ranges.start, out);
        }
    }

    fn write_range(&self, range: usize, out: &mut Vec<u8>) {
        let bound = |encoder: &TextEncoder, infinite: u8, out: &mut Vec<u8>| {
            if !self.has(range, infinite) {
                let mut text = Vec::new();
                encoder.encode(range, &mut text);
                range::write_quoted(&text, out);
            }
        };
        out.push(if self.has(range, flag::LOWER_INCLUSIVE) { b'[' } else { b'(' });
        bound(&self.lowers, flag::LOWER_INFINITE, out);
        out.push(b',');
        bound(&self.uppers, flag::UPPER_INFINITE, out);
        out.push(if self.has(range, flag::UPPER_INCLUSIVE) { b']' } else { b')' });
    }
}

impl RangeColumn<BinaryEncoder> {
    pub(super) fn binary(ty: &RangeType, of: Type, array: &BinaryViewArray, names: &Names) -> Result<Self> {
        Self::new(ty, ty.multirange == of.oid, array, |ty, array| BinaryEncoder::new(ty, array, names))
    }

    pub(super) fn write(&self, row: usize, out: &mut Vec<u8>) {
        let ranges = self.ranges(row);
        if self.multirange {
            out.extend_from_slice(&(ranges.len() as u32).to_be_bytes());
            for range in ranges {
                let mut bytes = Vec::new();
                self.write_range(range, &mut bytes);
                out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
                out.extend_from_slice(&bytes);
            }
        } else if ranges.is_empty() {
            out.push(flag::EMPTY);
        } else {
            self.write_range(ranges.start, out);
        }
    }

    fn write_range(&self, range: usize, out: &mut Vec<u8>) {
        out.push(self.flags.get(range).copied().unwrap_or_default());
        if !self.has(range, flag::LOWER_INFINITE) {
            self.lowers.encode_sized(range, out);
        }
        if !self.has(range, flag::UPPER_INFINITE) {
            self.uppers.encode_sized(range, out);
        }
    }
}
