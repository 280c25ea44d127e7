//! Who waits for whom, and whether they wait in a circle. Pure.

use std::collections::{HashMap, HashSet};

/// A session or transaction that holds locks.
pub type OwnerId = u64;

/// `from` waits for `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    pub from: OwnerId,
    pub to: OwnerId,
    /// Number of the waiting request.
    pub request: u64,
    /// `to` only stands before `from` in a queue, and holds nothing that `from` wants.
    pub soft: bool,
}

/// The edges of a circle through `start`, beginning there; None if there is none. Circles of hard edges are found first.
pub fn circle(edges: &[Edge], start: OwnerId) -> Option<Vec<Edge>> {
    let hard: Vec<Edge> = edges.iter().filter(|edge| !edge.soft).copied().collect();
    search(&hard, start).or_else(|| search(edges, start))
}

fn search(edges: &[Edge], start: OwnerId) -> Option<Vec<Edge>> {
    let mut from: HashMap<OwnerId, Vec<Edge>> = HashMap::new();
    for edge in edges {
        from.entry(edge.from).or_default().push(*edge);
    }
    let mut seen = HashSet::from([start]);
    // The path so far: for each owner on it, which of its edges comes next.
    let mut path: Vec<(OwnerId, usize)> = vec![(start, 0)];
    let mut taken: Vec<Edge> = Vec::new();
    while let Some((owner, next)) = path.last_mut() {
        let Some(edge) = from.get(owner).and_then(|edges| edges.get(*next)).copied() else {
            path.pop();
            taken.pop();
            continue;
        };
        *next += 1;
        if edge.to == start {
            taken.push(edge);
            return Some(taken);
        }
        if seen.insert(edge.to) {
            taken.push(edge);
            path.push((edge.to, 0));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(list: &[(OwnerId, OwnerId)]) -> Vec<Edge> {
        let edge = |(n, (from, to)): (usize, &(OwnerId, OwnerId))| Edge {
            from: *from,
            to: *to,
            request: n as u64,
            soft: false,
        };
        list.iter().enumerate().map(edge).collect()
    }

    fn path(list: &[(OwnerId, OwnerId)], start: OwnerId) -> Option<Vec<OwnerId>> {
        circle(&edges(list), start).map(|found| found.iter().map(|edge| edge.to).collect())
    }

    #[test]
    fn circles_are_found_wherever_they_turn() {
        assert_eq!(path(&[(1, 2), (2, 1)], 1), Some(vec![2, 1]));
        assert_eq!(path(&[(1, 2), (2, 3), (1, 3)], 1), None);
        assert_eq!(path(&[(1, 2), (2, 3), (3, 4), (1, 5), (5, 6), (6, 1)], 1), Some(vec![5, 6, 1]));
        // A circle elsewhere is somebody else's.
        assert_eq!(path(&[(1, 2), (2, 3), (3, 2)], 1), None);
        assert_eq!(path(&[(1, 2), (2, 3), (3, 2)], 3), Some(vec![2, 3]));
        assert_eq!(path(&[], 1), None);
    }

    #[test]
    fn a_circle_of_hard_edges_comes_first() {
        let mut all = edges(&[(1, 2), (2, 1), (1, 3), (3, 1)]);
        all[0].soft = true;
        let found = circle(&all, 1).unwrap();
        assert_eq!(found.iter().map(|edge| edge.to).collect::<Vec<_>>(), [3, 1]);
        assert!(circle(&all[..2], 1).unwrap()[0].soft);
    }
}
