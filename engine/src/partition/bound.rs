//! What the bounds of partitions mean. Pure: keys are bytes that sort like the values, or hashes.

/// The bound of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    Default,
    List {
        values: Vec<Vec<u8>>,
        null: bool,
    },
    /// From the first edge, included, to the second, excluded.
    Range {
        from: Vec<u8>,
        to: Vec<u8>,
    },
    Hash {
        modulus: u64,
        remainder: u64,
    },
}

/// Follows the bytes of the leading columns at an edge that no further column can reach: no value begins with it.
pub const ABOVE_ALL: u8 = 0xff;

/// The key of a row.
#[derive(Debug, Clone, Copy)]
pub enum Key<'k> {
    /// A list key that is null, or a range key with a null.
    Null,
    Bytes(&'k [u8]),
    Hash(u64),
}

/// The bounds of all partitions of a table, which do not overlap.
#[derive(Debug, Default)]
pub struct Bounds {
    bounds: Vec<Bound>,
    default: Option<usize>,
    null: Option<usize>,
    /// Values and their partitions, sorted.
    values: Vec<(Vec<u8>, usize)>,
    /// Partitions by their lower edges.
    ranges: Vec<usize>,
    /// The greatest modulus, and the partition of each remainder.
    slots: Vec<Option<usize>>,
}

/// Why a bound cannot be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// With the default partition, which is there already.
    Default(usize),
    Overlap(usize),
    /// A range without values.
    Empty,
    /// The modulus of a partition, of which the new one is no factor.
    NoFactor(usize, u64),
    /// The modulus of a partition that does not divide the new one.
    NotDivisible(usize, u64),
}

/// Keys that conditions leave: from, included, to, excluded (None: open). `null` are rows with a null in the key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interval {
    pub from: Vec<u8>,
    pub to: Option<Vec<u8>>,
}

impl Bounds {
    pub fn new(bounds: Vec<Bound>) -> Self {
        let mut all = Self { slots: vec![None; greatest_modulus(&bounds)], ..Self::default() };
        for (place, bound) in bounds.iter().enumerate() {
            match bound {
                Bound::Default => all.default = Some(place),
                Bound::List { values, null } => {
                    all.values.extend(values.iter().map(|value| (value.clone(), place)));
                    if *null {
                        all.null = Some(place);
                    }
                }
                Bound::Range { .. } => all.ranges.push(place),
                Bound::Hash { modulus, remainder } => {
                    let wanted = slots(*modulus, *remainder, all.slots.len());
                    wanted.for_each(|slot| all.slots[slot] = Some(place));
                }
            }
        }
        all.values.sort_unstable();
        all.ranges.sort_unstable_by_key(|place| lower(bounds.get(*place)));
        all.bounds = bounds;
        all
    }

    pub fn default_partition(&self) -> Option<usize> {
        self.default
    }

    /// The partition of a row.
    pub fn locate(&self, key: Key<'_>) -> Option<usize> {
        let found = match key {
            Key::Null => self.null,
            Key::Bytes(key) if self.ranges.is_empty() => {
                let at = self.values.partition_point(|(value, _)| value.as_slice() < key);
                self.values.get(at).filter(|(value, _)| value == key).map(|(_, place)| *place)
            }
            Key::Bytes(key) => {
                let after = self.ranges.partition_point(|place| lower(self.bounds.get(*place)) <= key);
                let place = after.checked_sub(1).and_then(|at| self.ranges.get(at)).copied();
                place.filter(|place| upper(self.bounds.get(*place)) > key)
            }
            Key::Hash(_) if self.slots.is_empty() => None,
            Key::Hash(hash) => {
                let slot = usize::try_from(hash % self.slots.len() as u64).unwrap_or(0);
                self.slots.get(slot).copied().flatten()
            }
        };
        found.or(self.default)
    }

    /// The partitions that rows with keys in this interval may be in.
    pub fn within(&self, interval: &Interval) -> Vec<usize> {
        let Interval { from, to } = interval;
        let below = |key: &[u8]| to.as_ref().is_none_or(|to| key < to.as_slice());
        let mut found: Vec<usize> = match self.ranges.is_empty() {
            true => {
                let meets = |(value, place): &(Vec<u8>, usize)| (value >= from && below(value)).then_some(*place);
                self.values.iter().filter_map(meets).collect()
            }
            false => {
                let meets = |place: &&usize| {
                    upper(self.bounds.get(**place)) > from.as_slice() && below(lower(self.bounds.get(**place)))
                };
                self.ranges.iter().filter(meets).copied().collect()
            }
        };
        found.extend(self.default);
        found.sort_unstable();
        found.dedup();
        found
    }

    /// All partitions in the order of their bounds, the default one last.
    pub fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = Vec::with_capacity(self.bounds.len());
        let hashed = |bound: &Bound| match bound {
            Bound::Hash { modulus, remainder } => Some((*modulus, *remainder)),
            _ => None,
        };
        let mut by_hash: Vec<_> =
            self.bounds.iter().enumerate().filter_map(|(place, bound)| Some((hashed(bound)?, place))).collect();
        by_hash.sort_unstable();
        let listed = self.values.iter().map(|(_, place)| *place);
        let hashed = by_hash.into_iter().map(|(_, place)| place);
        for place in listed.chain(self.ranges.iter().copied()).chain(hashed).chain(self.null).chain(self.default) {
            if !order.contains(&place) {
                order.push(place);
            }
        }
        order
    }

    /// Why a partition with this bound cannot join the others.
    pub fn conflict(&self, new: &Bound) -> Option<Conflict> {
        match new {
            Bound::Default => self.default.map(Conflict::Default),
            Bound::List { values, null } => {
                let taken = values.iter().find_map(|value| {
                    let at = self.values.partition_point(|(other, _)| other < value);
                    self.values.get(at).filter(|(other, _)| other == value).map(|(_, place)| *place)
                });
                taken.or(self.null.filter(|_| *null)).map(Conflict::Overlap)
            }
            Bound::Range { from, to } if from >= to => Some(Conflict::Empty),
            Bound::Range { from, to } => {
                let overlaps = |place: &&usize| {
                    upper(self.bounds.get(**place)) > from.as_slice() && lower(self.bounds.get(**place)) < to.as_slice()
                };
                self.ranges.iter().find(overlaps).map(|place| Conflict::Overlap(*place))
            }
            Bound::Hash { modulus, remainder } => self.hash_conflict(*modulus, *remainder),
        }
    }

    fn hash_conflict(&self, modulus: u64, remainder: u64) -> Option<Conflict> {
        let mut moduli: Vec<(u64, usize)> = self
            .bounds
            .iter()
            .enumerate()
            .filter_map(|(place, bound)| match bound {
                Bound::Hash { modulus, .. } => Some((*modulus, place)),
                _ => None,
            })
            .collect();
        moduli.sort_unstable();
        let after = moduli.partition_point(|(other, _)| *other < modulus);
        if let Some((greater, place)) = moduli.get(after).filter(|(other, _)| other % modulus != 0) {
            return Some(Conflict::NoFactor(*place, *greater));
        }
        let before = after.checked_sub(1).and_then(|at| moduli.get(at));
        // The first of those with the same modulus.
        if let Some((less, _)) = before.filter(|(other, _)| !modulus.is_multiple_of(*other)) {
            let place = moduli.iter().find(|(other, _)| other == less).map_or(0, |(_, place)| *place);
            return Some(Conflict::NotDivisible(place, *less));
        }
        let clash = self.bounds.iter().position(|bound| match bound {
            Bound::Hash { modulus: other, remainder: taken } => {
                let common = modulus.min(*other);
                remainder % common == taken % common
            }
            _ => false,
        });
        clash.map(Conflict::Overlap)
    }
}

fn greatest_modulus(bounds: &[Bound]) -> usize {
    let moduli = bounds.iter().filter_map(|bound| match bound {
        Bound::Hash { modulus, .. } => usize::try_from(*modulus).ok(),
        _ => None,
    });
    moduli.max().unwrap_or(0)
}

/// The remainders by the greatest modulus that are this one by its own.
fn slots(modulus: u64, remainder: u64, greatest: usize) -> impl Iterator<Item = usize> {
    let step = usize::try_from(modulus).unwrap_or(usize::MAX).max(1);
    (usize::try_from(remainder).unwrap_or(usize::MAX)..greatest).step_by(step)
}

fn lower(bound: Option<&Bound>) -> &[u8] {
    match bound {
        Some(Bound::Range { from, .. }) => from,
        _ => &[],
    }
}

fn upper(bound: Option<&Bound>) -> &[u8] {
    match bound {
        Some(Bound::Range { to, .. }) => to,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(from: &[u8], to: &[u8]) -> Bound {
        Bound::Range { from: from.to_vec(), to: to.to_vec() }
    }

    fn list(values: &[u8], null: bool) -> Bound {
        Bound::List { values: values.iter().map(|value| vec![*value]).collect(), null }
    }

    fn hash(modulus: u64, remainder: u64) -> Bound {
        Bound::Hash { modulus, remainder }
    }

    #[test]
    fn a_range_holds_its_lower_edge_and_not_its_upper_one() {
        let bounds = Bounds::new(vec![range(&[5], &[9]), range(&[], &[2]), Bound::Default, range(&[9], &[ABOVE_ALL])]);
        let at = |key: u8| bounds.locate(Key::Bytes(&[key]));
        assert_eq!(
            [at(0), at(2), at(5), at(8), at(9), at(200)],
            [Some(1), Some(2), Some(0), Some(0), Some(3), Some(3)]
        );
        assert_eq!(bounds.locate(Key::Null), Some(2));
        assert_eq!(bounds.order(), [1, 0, 3, 2]);
    }

    #[test]
    fn values_of_lists() {
        let bounds = Bounds::new(vec![list(&[7, 1], false), list(&[3], true)]);
        assert_eq!(bounds.locate(Key::Bytes(&[1])), Some(0));
        assert_eq!(bounds.locate(Key::Bytes(&[3])), Some(1));
        assert_eq!(bounds.locate(Key::Bytes(&[2])), None);
        assert_eq!(bounds.locate(Key::Null), Some(1));
        assert_eq!(bounds.conflict(&list(&[2, 7], false)), Some(Conflict::Overlap(0)));
        assert_eq!(bounds.conflict(&list(&[2], true)), Some(Conflict::Overlap(1)));
        assert_eq!(bounds.conflict(&list(&[2], false)), None);
    }

    #[test]
    fn remainders_of_different_moduli() {
        let bounds = Bounds::new(vec![hash(2, 0), hash(4, 1)]);
        assert_eq!([0, 1, 2, 3].map(|hash| bounds.locate(Key::Hash(hash))), [Some(0), Some(1), Some(0), None]);
        assert_eq!(bounds.conflict(&hash(8, 3)), None);
        assert_eq!(bounds.conflict(&hash(8, 5)), Some(Conflict::Overlap(1)));
        assert_eq!(bounds.conflict(&hash(6, 3)), Some(Conflict::NotDivisible(1, 4)));
        assert_eq!(bounds.conflict(&hash(3, 1)), Some(Conflict::NoFactor(1, 4)));
    }

    #[test]
    fn ranges_that_meet_do_not_overlap() {
        let bounds = Bounds::new(vec![range(&[2], &[4]), range(&[6], &[8])]);
        assert_eq!(bounds.conflict(&range(&[4], &[6])), None);
        assert_eq!(bounds.conflict(&range(&[3], &[5])), Some(Conflict::Overlap(0)));
        assert_eq!(bounds.conflict(&range(&[5], &[7])), Some(Conflict::Overlap(1)));
        assert_eq!(bounds.conflict(&range(&[5], &[5])), Some(Conflict::Empty));
    }

    #[test]
    fn an_interval_meets_some_partitions() {
        let bounds = Bounds::new(vec![range(&[2], &[4]), range(&[6], &[8]), Bound::Default]);
        let within =
            |from: u8, to: Option<u8>| bounds.within(&Interval { from: vec![from], to: to.map(|to| vec![to]) });
        assert_eq!(within(3, Some(5)), [0, 2]);
        assert_eq!(within(4, Some(6)), [2]);
        assert_eq!(within(0, None), [0, 1, 2]);
    }
}
