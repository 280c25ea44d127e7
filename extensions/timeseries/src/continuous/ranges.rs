//! Sets of time as ranges: the first value, and the first behind it. `i64::MIN` and `i64::MAX` are the ends of time.

pub type Range = (i64, i64);

/// Sorted, without empty ranges and without two that touch.
pub fn merged(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.retain(|(from, until)| from < until);
    ranges.sort_unstable();
    let mut merged: Vec<Range> = Vec::with_capacity(ranges.len());
    for (from, until) in ranges {
        match merged.last_mut().filter(|last| from <= last.1) {
            Some(last) => last.1 = last.1.max(until),
            None => merged.push((from, until)),
        }
    }
    merged
}

/// What of `ranges` is in `window`.
pub fn within(ranges: &[Range], window: Range) -> Vec<Range> {
    merged(ranges.iter().map(|(from, until)| (*from.max(&window.0), *until.min(&window.1))).collect())
}

/// What of `ranges` is not in `window`.
pub fn without(ranges: &[Range], window: Range) -> Vec<Range> {
    let before = ranges.iter().map(|(from, until)| (*from, *until.min(&window.0)));
    let behind = ranges.iter().map(|(from, until)| (*from.max(&window.1), *until));
    merged(before.chain(behind).collect())
}

/// Up to where something is not in `ranges` (merged): `i64::MIN` if they are everything.
pub fn first_of_tail(ranges: &[Range]) -> i64 {
    ranges.last().filter(|last| last.1 == i64::MAX).map_or(i64::MAX, |last| last.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Range = (i64::MIN, i64::MAX);

    #[test]
    fn sets_of_ranges() {
        assert_eq!(merged(vec![(5, 7), (1, 3), (3, 5), (9, 9), (20, 30), (22, 25)]), [(1, 7), (20, 30)]);
        assert_eq!(within(&[ALL], (3, 9)), [(3, 9)]);
        assert_eq!(without(&[ALL], (3, 9)), [(i64::MIN, 3), (9, i64::MAX)]);
        assert_eq!(without(&[(1, 5), (8, 9)], (2, 9)), [(1, 2)]);
        assert_eq!(without(&[ALL], ALL), []);
        assert_eq!(first_of_tail(&[(1, 2), (9, i64::MAX)]), 9);
        assert_eq!((first_of_tail(&[(1, 2)]), first_of_tail(&[ALL])), (i64::MAX, i64::MIN));
    }
}
