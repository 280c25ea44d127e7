//! Range and multirange types (manual 8.17).
//!
//! A range is represented by bytes whose order is PostgreSQL's: empty before all others, then by lower bound, then by upper bound.
//!
//! ```text
//! range      = 00                      empty
//!            | 01 lower upper
//! lower      = 00                      unbounded
//!            | 01 value (00 inclusive | 01 exclusive)
//! upper      = 01 value (00 exclusive | 01 inclusive)
//!            | 02                      unbounded
//! multirange = its ranges one after the other, in order, none empty, none adjacent to or overlapping another
//! ```
//!
//! A value is encoded so that bytes compare as values do, and so that its end can be found ([`Subtype`]). Only the display scale of
//! `numeric` bounds is in the way: [`comparison_key`] leaves it out.

mod binary;
mod operation;
mod subtype;
#[cfg(test)]
mod tests;
mod text;

use std::cmp::Ordering;

pub(crate) use binary::flag;
pub use binary::{from_binary, multirange_from_binary};
pub use operation::{
    adjacent, contains, intersect, merge, minus, normalize, overlaps, range_minus, range_union, union,
};
pub use subtype::{Elements, Subtype};
pub use text::{parse, parse_multirange, write_quoted};

use super::oid::{self, Oid};
use super::structure::{Structure, TypeLookup};
use super::table::type_info;
use crate::error::{Error, Result};
use crate::sqlstate;

/// A range type and what belongs to it (`pg_range`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RangeType {
    pub range: Oid,
    pub multirange: Oid,
    /// The type of the bounds.
    pub element: Oid,
    pub subtype: Subtype,
}

impl RangeType {
    const fn built_in(range: Oid, multirange: Oid, element: Oid, subtype: Subtype) -> Self {
        Self { range, multirange, element, subtype }
    }
}

/// The range types of PostgreSQL 15.
pub const RANGES: [RangeType; 6] = [
    RangeType::built_in(oid::INT4RANGE, oid::INT4MULTIRANGE, oid::INT4, Subtype::Int4),
    RangeType::built_in(oid::INT8RANGE, oid::INT8MULTIRANGE, oid::INT8, Subtype::Int8),
    RangeType::built_in(oid::NUMRANGE, oid::NUMMULTIRANGE, oid::NUMERIC, Subtype::Numeric),
    RangeType::built_in(oid::DATERANGE, oid::DATEMULTIRANGE, oid::DATE, Subtype::Date),
    RangeType::built_in(oid::TSRANGE, oid::TSMULTIRANGE, oid::TIMESTAMP, Subtype::Timestamp),
    RangeType::built_in(oid::TSTZRANGE, oid::TSTZMULTIRANGE, oid::TIMESTAMPTZ, Subtype::TimestampTz),
];

/// The range type with this OID.
pub fn range_type(ty: Oid, types: &dyn TypeLookup) -> Option<RangeType> {
    any_range_type(ty, types).filter(|row| row.range == ty)
}

/// The range type of a multirange type.
pub fn multirange_type(ty: Oid, types: &dyn TypeLookup) -> Option<RangeType> {
    any_range_type(ty, types).filter(|row| row.multirange == ty)
}

/// The range type that is, or is below, this range or multirange type.
pub fn any_range_type(ty: Oid, types: &dyn TypeLookup) -> Option<RangeType> {
    if type_info(ty).is_some() {
        return RANGES.iter().find(|row| row.range == ty || row.multirange == ty).copied();
    }
    match types.structure(ty)? {
        Structure::Range(range) => Some(range),
        _ => None,
    }
}

/// One end of a range that is not empty.
#[derive(Debug, Clone, Copy)]
pub struct Bound<'a> {
    /// The encoded value; None if there is no bound.
    pub value: Option<&'a [u8]>,
    pub inclusive: bool,
    pub is_lower: bool,
    subtype: Subtype,
}

impl<'a> Bound<'a> {
    pub fn lower(subtype: Subtype, value: Option<&'a [u8]>, inclusive: bool) -> Self {
        Self { value, inclusive: inclusive && value.is_some(), is_lower: true, subtype }
    }

    pub fn upper(subtype: Subtype, value: Option<&'a [u8]>, inclusive: bool) -> Self {
        Self { value, inclusive: inclusive && value.is_some(), is_lower: false, subtype }
    }

    /// The bound that begins where this one ends, or ends where it begins.
    fn complement(self) -> Self {
        Self { inclusive: !self.inclusive, is_lower: !self.is_lower, ..self }
    }

    /// `range_cmp_bound_values`: without regard to whether the values are included.
    fn compare_values(self, other: Self) -> Ordering {
        let infinite = |bound: Self| if bound.is_lower { Ordering::Less } else { Ordering::Greater };
        match (self.value, other.value) {
            (None, None) if self.is_lower == other.is_lower => Ordering::Equal,
            (None, _) => infinite(self),
            (_, None) => infinite(other).reverse(),
            (Some(left), Some(right)) => self.subtype.key(left).cmp(self.subtype.key(right)),
        }
    }

    /// `range_cmp_bounds`.
    pub fn compare(self, other: Self) -> Ordering {
        let values = self.compare_values(other);
        if values.is_ne() || self.value.is_none() {
            return values;
        }
        let excluded = |bound: Self| if bound.is_lower { Ordering::Greater } else { Ordering::Less };
        match (self.inclusive, other.inclusive) {
            (true, true) => Ordering::Equal,
            (false, false) if self.is_lower == other.is_lower => Ordering::Equal,
            (false, _) => excluded(self),
            (true, false) => excluded(other).reverse(),
        }
    }

    /// `bounds_adjacent` of an upper and a lower bound: nothing between them, nothing in both. Discrete ranges are canonical, so that the
    /// values are equal then.
    fn meets(self, lower: Self) -> bool {
        self.value.is_some()
            && lower.value.is_some()
            && self.compare_values(lower).is_eq()
            && self.inclusive != lower.inclusive
    }
}

/// A range that is not empty. A set of values is a slice of these in order: none for the empty range, one for any other range, several
/// for a multirange.
#[derive(Debug, Clone, Copy)]
pub struct Range<'a> {
    pub lower: Bound<'a>,
    pub upper: Bound<'a>,
}

impl<'a> Range<'a> {
    /// The range between two bounds; None if nothing is between them.
    pub fn between(lower: Bound<'a>, upper: Bound<'a>) -> Option<Self> {
        let nonempty = match lower.compare_values(upper) {
            Ordering::Less => true,
            Ordering::Equal => lower.inclusive && upper.inclusive,
            Ordering::Greater => false,
        };
        nonempty.then_some(Self { lower, upper })
    }

    /// The range of one value.
    pub fn of_value(subtype: Subtype, value: &'a [u8]) -> Self {
        Self { lower: Bound::lower(subtype, Some(value), true), upper: Bound::upper(subtype, Some(value), true) }
    }

    /// `range_cmp`.
    pub fn compare(&self, other: &Self) -> Ordering {
        self.lower.compare(other.lower).then_with(|| self.upper.compare(other.upper))
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.write_with(|value| value, out);
    }

    fn write_with<'v>(&'v self, part: impl Fn(&'v [u8]) -> &'v [u8], out: &mut Vec<u8>) {
        out.push(NOT_EMPTY);
        match self.lower.value {
            None => out.push(UNBOUNDED_LOWER),
            Some(value) => {
                out.push(BOUNDED);
                out.extend_from_slice(part(value));
                out.push(u8::from(!self.lower.inclusive));
            }
        }
        match self.upper.value {
            None => out.push(UNBOUNDED_UPPER),
            Some(value) => {
                out.push(BOUNDED);
                out.extend_from_slice(part(value));
                out.push(u8::from(self.upper.inclusive));
            }
        }
    }
}

const EMPTY: u8 = 0;
const NOT_EMPTY: u8 = 1;
const UNBOUNDED_LOWER: u8 = 0;
const BOUNDED: u8 = 1;
const UNBOUNDED_UPPER: u8 = 2;

/// The representation of a range: of at most one element.
pub fn encode_range(range: Option<&Range<'_>>) -> Vec<u8> {
    let mut out = Vec::new();
    match range {
        None => out.push(EMPTY),
        Some(range) => range.write(&mut out),
    }
    out
}

/// The representation of a multirange.
pub fn encode_multirange(ranges: &[Range<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    ranges.iter().for_each(|range| range.write(&mut out));
    out
}

/// Takes a range or a multirange apart. What our own encoders did not make ends early.
pub fn decode(subtype: Subtype, bytes: &[u8]) -> Vec<Range<'_>> {
    let mut ranges = Vec::new();
    let mut rest = bytes;
    while let Some((&NOT_EMPTY, tail)) = rest.split_first() {
        let Some((range, tail)) = decode_one(subtype, tail) else { break };
        ranges.push(range);
        rest = tail;
    }
    ranges
}

fn decode_one(subtype: Subtype, bytes: &[u8]) -> Option<(Range<'_>, &[u8])> {
    let (lower, lower_flag, rest) = decode_bound(subtype, bytes)?;
    let (upper, upper_flag, rest) = decode_bound(subtype, rest)?;
    let range =
        Range { lower: Bound::lower(subtype, lower, !lower_flag), upper: Bound::upper(subtype, upper, upper_flag) };
    Some((range, rest))
}

fn decode_bound(subtype: Subtype, bytes: &[u8]) -> Option<(Option<&[u8]>, bool, &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    if tag != BOUNDED {
        return Some((None, false, rest));
    }
    let (value, rest) = rest.split_at_checked(subtype.length(rest)?)?;
    let (&flag, rest) = rest.split_first()?;
    Some((Some(value), flag == 1, rest))
}

/// What equality, grouping and order use: the representation without the display scale of numbers.
pub fn comparison_key(subtype: Subtype, bytes: &[u8], out: &mut Vec<u8>) {
    let ranges = decode(subtype, bytes);
    if ranges.is_empty() {
        out.extend_from_slice(bytes);
    }
    ranges.iter().for_each(|range| range.write_with(|value| subtype.key(value), out));
}

/// A range of two values: discrete ones in canonical form `[lower, upper)` (`make_range`).
pub fn make_range(
    subtype: Subtype,
    lower: Option<&[u8]>,
    upper: Option<&[u8]>,
    lower_inclusive: bool,
    upper_inclusive: bool,
) -> Result<Vec<u8>> {
    let lower = Bound::lower(subtype, lower, lower_inclusive);
    let upper = Bound::upper(subtype, upper, upper_inclusive);
    if lower.compare_values(upper).is_gt() {
        let message = "range lower bound must be less than or equal to range upper bound";
        return Err(Error::new(sqlstate::DATA_EXCEPTION, message));
    }
    let Some(range) = Range::between(lower, upper) else { return Ok(encode_range(None)) };
    if !subtype.is_discrete() {
        return Ok(encode_range(Some(&range)));
    }
    let first = range.lower.value.filter(|_| !range.lower.inclusive).map(|value| subtype.next(value)).transpose()?;
    let end = range.upper.value.filter(|_| range.upper.inclusive).map(|value| subtype.next(value)).transpose()?;
    let first = first.as_ref().map_or(range.lower.value, |value| Some(&value[..]));
    let end = end.as_ref().map_or(range.upper.value, |value| Some(&value[..]));
    // An infinite date has no successor and stays as it is written.
    let first_inclusive = range.lower.inclusive || first != range.lower.value;
    let end_inclusive = range.upper.inclusive && end == range.upper.value;
    let canonical =
        Range::between(Bound::lower(subtype, first, first_inclusive), Bound::upper(subtype, end, end_inclusive));
    Ok(encode_range(canonical.as_ref()))
}

/// `[]`, `[)`, `(]`, `()`: whether lower and upper bound are included.
pub fn parse_flags(flags: &str) -> Result<(bool, bool)> {
    match flags {
        "[]" => Ok((true, true)),
        "[)" => Ok((true, false)),
        "(]" => Ok((false, true)),
        "()" => Ok((false, false)),
        _ => Err(Error::new(sqlstate::SYNTAX_ERROR, "invalid range bound flags")
            .with_hint("Valid values are \"[]\", \"[)\", \"(]\", and \"()\".")),
    }
}
