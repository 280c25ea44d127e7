//! Set operations. Every set is a slice of ranges in order, none adjacent to or overlapping another: a range has at most one, a
//! multirange any number. (`rangetypes.c` and `multirangetypes.c` of PostgreSQL.)

use std::cmp::Ordering;

use super::{Bound, Range};
use crate::error::{Error, Result};
use crate::sqlstate;

fn smaller<'a>(left: Bound<'a>, right: Bound<'a>) -> Bound<'a> {
    if left.compare(right).is_le() { left } else { right }
}

fn greater<'a>(left: Bound<'a>, right: Bound<'a>) -> Bound<'a> {
    if left.compare(right).is_ge() { left } else { right }
}

fn range_overlaps(left: &Range<'_>, right: &Range<'_>) -> bool {
    left.lower.compare(right.upper).is_le() && right.lower.compare(left.upper).is_le()
}

fn range_contains(outer: &Range<'_>, inner: &Range<'_>) -> bool {
    outer.lower.compare(inner.lower).is_le() && outer.upper.compare(inner.upper).is_ge()
}

/// Whether some value is in both.
pub fn overlaps(left: &[Range<'_>], right: &[Range<'_>]) -> bool {
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        if range_overlaps(a, b) {
            return true;
        }
        if a.upper.compare(b.upper).is_lt() {
            left.next()
        } else {
            right.next()
        };
    }
    false
}

/// Whether every range of `inner` lies within one of `outer`.
pub fn contains(outer: &[Range<'_>], inner: &[Range<'_>]) -> bool {
    inner.iter().all(|part| {
        let at = outer.partition_point(|range| range.upper.compare(part.upper).is_lt());
        outer.get(at).is_some_and(|range| range_contains(range, part))
    })
}

/// Whether one set begins exactly where the other ends.
pub fn adjacent(left: &[Range<'_>], right: &[Range<'_>]) -> bool {
    let follows = |first: &[Range<'_>], second: &[Range<'_>]| match (first.last(), second.first()) {
        (Some(first), Some(second)) => first.upper.meets(second.lower),
        _ => false,
    };
    follows(left, right) || follows(right, left)
}

/// Sorts ranges and joins those that overlap or are adjacent (`multirange_canonicalize`).
pub fn normalize(mut ranges: Vec<Range<'_>>) -> Vec<Range<'_>> {
    ranges.sort_by(Range::compare);
    let mut joined: Vec<Range<'_>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range_overlaps(last, &range) || last.upper.meets(range.lower) => {
                last.upper = greater(last.upper, range.upper);
            }
            _ => joined.push(range),
        }
    }
    joined
}

pub fn union<'a>(left: &[Range<'a>], right: &[Range<'a>]) -> Vec<Range<'a>> {
    normalize(left.iter().chain(right).copied().collect())
}

/// The smallest range that includes both.
pub fn merge<'a>(left: &[Range<'a>], right: &[Range<'a>]) -> Option<Range<'a>> {
    let mut all = left.iter().chain(right);
    let first = *all.next()?;
    Some(all.fold(first, |merged, range| Range {
        lower: smaller(merged.lower, range.lower),
        upper: greater(merged.upper, range.upper),
    }))
}

pub fn intersect<'a>(left: &[Range<'a>], right: &[Range<'a>]) -> Vec<Range<'a>> {
    let mut common = Vec::new();
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        if range_overlaps(a, b) {
            common.push(Range { lower: greater(a.lower, b.lower), upper: smaller(a.upper, b.upper) });
        }
        match a.upper.compare(b.upper) {
            Ordering::Less => left.next(),
            _ => right.next(),
        };
    }
    common
}

pub fn minus<'a>(left: &[Range<'a>], right: &[Range<'a>]) -> Vec<Range<'a>> {
    let mut rest = Vec::new();
    for range in left {
        let mut lower = Some(range.lower);
        for taken in right.iter().filter(|taken| range_overlaps(range, taken)) {
            let Some(start) = lower else { break };
            if start.compare(taken.lower).is_lt() {
                rest.extend(Range::between(start, taken.lower.complement()));
            }
            lower = taken.upper.compare(range.upper).is_lt().then(|| taken.upper.complement());
        }
        if let Some(lower) = lower {
            rest.extend(Range::between(lower, range.upper));
        }
    }
    rest
}

/// The union of two ranges, which must be one range.
pub fn range_union<'a>(left: &[Range<'a>], right: &[Range<'a>]) -> Result<Option<Range<'a>>> {
    let joined = union(left, right);
    if joined.len() > 1 {
        return Err(Error::new(sqlstate::DATA_EXCEPTION, "result of range union would not be contiguous"));
    }
    Ok(joined.first().copied())
}

/// The difference of two ranges, which must be one range.
pub fn range_minus<'a>(left: &[Range<'a>], right: &[Range<'a>]) -> Result<Option<Range<'a>>> {
    let rest = minus(left, right);
    if rest.len() > 1 {
        return Err(Error::new(sqlstate::DATA_EXCEPTION, "result of range difference would not be contiguous"));
    }
    Ok(rest.first().copied())
}
