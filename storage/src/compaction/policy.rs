//! Which segments of a table to merge, and why: a pure function of what is known of them.
//!
//! Segments are kept in the order of their keys (of their age, if the table has no primary key), and only neighbours of
//! about the same size are merged. So a table whose keys grow with time keeps segments of disjoint times, each row is
//! rewritten a logarithmic number of times, and their number stays logarithmic too. Where keys come in any order, ranges
//! overlap, and too many over one key are merged whatever their order.

/// What the manifest says of a segment.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentFacts {
    pub unit: u32,
    pub rows: u64,
    /// Of these rows.
    pub dead: u64,
    pub bytes: u64,
    /// Least and greatest key, in bytes that compare as keys do; None if there is no key or it is unknown.
    pub keys: Option<(Vec<u8>, Vec<u8>)>,
}

#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Neighbours of one size that are merged.
    pub fan_in: usize,
    /// Segments over one key beyond which some are merged.
    pub overlap: usize,
    /// Percentage of dead rows from which a segment is rewritten.
    pub dead_percent: u64,
    /// Bytes and rows that a merged segment may have.
    pub max_bytes: u64,
    pub max_rows: u64,
    /// Rows of segments out of order that a merge may put in order.
    pub max_unsorted: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Many of its rows are dead.
    Dead,
    /// Too many segments hold the same keys.
    Overlap,
    /// Neighbours of about the same size.
    Small,
    /// Somebody wants a range of the table as one.
    Asked,
    /// Its rows are out of order.
    Order,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    /// At least one, in the order of age.
    pub units: Vec<u32>,
    pub reason: Reason,
}

/// The most useful merge of one table's segments, if any is.
pub fn choose(segments: &[SegmentFacts], settings: &Settings) -> Option<Merge> {
    let chosen = mostly_dead(segments, settings)
        .map(|segment| (vec![segment], Reason::Dead))
        .or_else(|| Some((overlapping(segments, settings)?, Reason::Overlap)))
        .or_else(|| Some((neighbours(segments, settings)?, Reason::Small)));
    let (merged, reason) = chosen?;
    let mut units: Vec<u32> = merged.iter().map(|s| s.unit).collect();
    units.sort_unstable();
    Some(Merge { units, reason })
}

/// The segment with the most dead rows, if they are a large part of it.
fn mostly_dead<'a>(segments: &'a [SegmentFacts], settings: &Settings) -> Option<&'a SegmentFacts> {
    let is_dead = |s: &&SegmentFacts| s.dead > 0 && s.dead * 100 >= s.rows * settings.dead_percent;
    segments.iter().filter(is_dead).max_by_key(|s| s.dead)
}

/// The smallest segments over the key that most segments are over.
fn overlapping<'a>(segments: &'a [SegmentFacts], settings: &Settings) -> Option<Vec<&'a SegmentFacts>> {
    let over = |key: &[u8]| -> Vec<&'a SegmentFacts> {
        let is_over = |s: &&SegmentFacts| {
            s.keys.as_ref().is_some_and(|(least, greatest)| least.as_slice() <= key && key <= greatest.as_slice())
        };
        segments.iter().filter(is_over).collect()
    };
    // The number can only grow where a segment begins.
    let begins = segments.iter().filter_map(|s| s.keys.as_ref().map(|(least, _)| least.as_slice()));
    let most = begins.max_by_key(|key| over(key).len())?;
    let mut candidates: Vec<&SegmentFacts> = over(most);
    if candidates.len() <= settings.overlap {
        return None;
    }
    candidates.sort_by_key(|s| s.bytes);
    let fitting = fitting(&candidates, settings);
    (fitting >= 2).then(|| candidates[..fitting].to_vec())
}

/// A run of neighbours in one size class.
fn neighbours<'a>(segments: &'a [SegmentFacts], settings: &Settings) -> Option<Vec<&'a SegmentFacts>> {
    let mut ordered: Vec<&SegmentFacts> = segments.iter().collect();
    ordered.sort_by(|a, b| (&a.keys, a.unit).cmp(&(&b.keys, b.unit)));
    let class = |s: &&SegmentFacts| size_class(s.bytes, settings.fan_in);
    let mut runs = ordered.chunk_by(|a, b| class(a) == class(b)).filter(|run| run.len() >= settings.fan_in);
    runs.find_map(|run| {
        // The small ones of a class may fit where the first ones do not.
        run.windows(settings.fan_in.max(2)).enumerate().find_map(|(at, _)| {
            let fitting = fitting(&run[at..], settings);
            (fitting >= settings.fan_in.max(2)).then(|| run[at..at + fitting].to_vec())
        })
    })
}

/// How many of the first segments may become one.
fn fitting(segments: &[&SegmentFacts], settings: &Settings) -> usize {
    let (mut bytes, mut rows) = (0u64, 0u64);
    let fits = |s: &&&SegmentFacts| {
        bytes = bytes.saturating_add(s.bytes);
        rows = rows.saturating_add(s.rows - s.dead.min(s.rows));
        bytes <= settings.max_bytes && rows <= settings.max_rows
    };
    segments.iter().take(MOST_INPUTS.max(settings.fan_in)).take_while(fits).count()
}

/// Segments that are merged at a time: some rows of each are in memory.
pub const MOST_INPUTS: usize = 16;

/// Segments below this size are all alike.
const SMALL_BYTES: u64 = 1 << 20;

fn size_class(bytes: u64, fan_in: usize) -> u32 {
    (bytes / SMALL_BYTES).checked_ilog(fan_in.max(2) as u64).map_or(0, |class| class + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn settings() -> Settings {
        Settings {
            fan_in: 4,
            overlap: 8,
            dead_percent: 20,
            max_bytes: 512 * MIB,
            max_rows: 1 << 30,
            max_unsorted: 1 << 20,
        }
    }

    fn segment(unit: u32, bytes: u64, keys: Option<(u16, u16)>) -> SegmentFacts {
        let keys = keys.map(|(a, b)| (a.min(b).to_be_bytes().to_vec(), a.max(b).to_be_bytes().to_vec()));
        SegmentFacts { unit, rows: bytes / 10, dead: 0, bytes, keys }
    }

    #[test]
    fn neighbours_of_one_size_are_merged_up_to_a_limit() {
        let of = |sizes: &[u64]| -> Vec<SegmentFacts> {
            (0u32..).zip(sizes).map(|(unit, mib)| segment(unit, mib * MIB, None)).collect()
        };
        let small = |units: &[u32]| Some(Merge { units: units.to_vec(), reason: Reason::Small });
        assert_eq!(choose(&of(&[2, 2, 2]), &settings()), None);
        assert_eq!(choose(&of(&[100, 2, 3, 2, 3]), &settings()), small(&[1, 2, 3, 4]));
        assert_eq!(choose(&of(&[2, 2, 100, 3, 2]), &settings()), None, "not neighbours");
        assert_eq!(choose(&of(&[200, 200, 200, 200]), &settings()), None, "too large");
        assert_eq!(choose(&of(&[250, 100, 100, 100, 100]), &settings()), small(&[1, 2, 3, 4]));
    }

    #[test]
    fn the_order_of_keys_makes_neighbours() {
        let segments = [
            segment(0, MIB, Some((0, 9))),
            segment(1, 100 * MIB, Some((30, 39))),
            segment(2, MIB, Some((10, 19))),
            segment(3, MIB, Some((20, 24))),
            segment(4, MIB, Some((25, 29))),
        ];
        let merge = choose(&segments, &settings());
        assert_eq!(merge, Some(Merge { units: vec![0, 2, 3, 4], reason: Reason::Small }));
    }

    #[test]
    fn dead_rows_and_overlaps_come_first() {
        let mut segments: Vec<SegmentFacts> =
            (0..9).map(|unit| segment(unit, (1 << unit) * MIB, Some((0, 100)))).collect();
        let merge = choose(&segments, &settings());
        assert_eq!(merge, Some(Merge { units: (0..9).collect(), reason: Reason::Overlap }));
        segments[3].dead = segments[3].rows / 4;
        assert_eq!(choose(&segments, &settings()), Some(Merge { units: vec![3], reason: Reason::Dead }));
        segments[3].dead = segments[3].rows / 6;
        segments[8].bytes = 600 * MIB;
        assert_eq!(choose(&segments, &settings()).map(|m| m.units), Some((0..8).collect()));
    }

    fn facts() -> impl Strategy<Value = Vec<(u64, u64, Option<(u16, u16)>)>> {
        let keys = prop_oneof![Just(None), (0u16..50, 0u16..50).prop_map(Some)];
        prop::collection::vec((1..600 * MIB, 0u64..100, keys), 0..40)
    }

    proptest! {
        #[test]
        fn merging_ends_within_its_limits(facts in facts()) {
            let settings = settings();
            let mut segments: Vec<SegmentFacts> = (0u32..).zip(facts).map(|(unit, (bytes, dead, keys))| {
                let segment = segment(unit, bytes, keys);
                SegmentFacts { dead: segment.rows * dead / 100, ..segment }
            }).collect();
            let mut steps = 0;
            let most = 2 * segments.len();
            while let Some(merge) = choose(&segments, &settings) {
                steps += 1;
                prop_assert!(steps <= most, "no end after {steps} steps");
                let chosen = |s: &SegmentFacts| merge.units.contains(&s.unit);
                let inputs: Vec<SegmentFacts> = segments.iter().filter(|s| chosen(s)).cloned().collect();
                prop_assert_eq!(inputs.len(), merge.units.len());
                prop_assert!(inputs.len() > 1 || inputs[0].dead > 0);
                let bytes: u64 = inputs.iter().map(|s| s.bytes).sum();
                prop_assert!(inputs.len() == 1 || bytes <= settings.max_bytes);
                segments.retain(|s| !chosen(s));
                let rows: u64 = inputs.iter().map(|s| s.rows - s.dead).sum();
                let dead: u64 = inputs.iter().map(|s| s.dead).sum();
                let keys = inputs.iter().map(|s| s.keys.clone()).collect::<Option<Vec<_>>>().map(|keys| {
                    let (least, greatest): (Vec<_>, Vec<_>) = keys.into_iter().unzip();
                    (least.into_iter().min().unwrap(), greatest.into_iter().max().unwrap())
                });
                if rows > 0 {
                    let unit = 1000 + steps as u32;
                    segments.push(SegmentFacts { unit, rows, dead: 0, bytes: bytes * rows / (rows + dead), keys });
                }
            }
        }
    }
}
