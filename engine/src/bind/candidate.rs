//! Choosing one of several functions or operators (PostgreSQL's func_match_argtypes and func_select_candidate; manual chapter 10,
//! "Functions" and "Operators").

use aegis_catalog::Oid;
use aegis_catalog::types::oid;

use super::Binder;
use super::coerce::Context;
use super::types::{INVALID, STRING};

/// Something that can be chosen by its argument types.
pub(super) trait Candidate {
    /// As many as the call has arguments.
    fn args(&self) -> &[Oid];
}

impl Binder<'_> {
    /// Candidates that the arguments reach by implicit coercion.
    pub(super) fn matching<C: Candidate>(&self, actual: &[Oid], candidates: Vec<C>) -> Vec<C> {
        candidates
            .into_iter()
            .filter(|candidate| self.can_coerce(actual, candidate.args(), Context::Implicit))
            .collect()
    }

    /// The one best candidate, or None if it can't be told.
    pub(super) fn best_candidate<C: Candidate>(&self, actual: &[Oid], candidates: Vec<C>) -> Option<C> {
        let actual: Vec<Oid> = actual.iter().map(|&ty| self.base(ty)).collect();
        let actual = actual.as_slice();
        let mut candidates = keep_best(candidates, |candidate| {
            let pairs = actual.iter().zip(candidate.args());
            pairs.filter(|(actual, declared)| **actual != oid::UNKNOWN && actual == declared).count()
        });
        if candidates.len() <= 1 {
            return candidates.pop();
        }
        let mut categories: Vec<char> = actual.iter().map(|&ty| self.category(ty).0).collect();
        candidates = keep_best(candidates, |candidate| {
            let pairs = actual.iter().zip(candidate.args()).zip(&categories);
            pairs
                .filter(|((actual, declared), category)| {
                    **actual != oid::UNKNOWN && (actual == declared || self.is_preferred(**category, **declared))
                })
                .count()
        });
        if candidates.len() <= 1 {
            return candidates.pop();
        }
        if !actual.contains(&oid::UNKNOWN) {
            return None;
        }
        if let Some(preferred) = self.categories_of_unknowns(actual, &candidates, &mut categories) {
            let fits = |candidate: &C| {
                actual.iter().zip(candidate.args()).enumerate().all(|(slot, (&actual, &declared))| {
                    let (category, is_preferred) = self.category(declared);
                    actual != oid::UNKNOWN || (category == categories[slot] && (is_preferred || !preferred[slot]))
                })
            };
            if candidates.iter().any(fits) {
                candidates.retain(fits);
            }
            if candidates.len() == 1 {
                return candidates.pop();
            }
        }
        self.unknowns_as_the_known(actual, candidates)
    }

    fn is_preferred(&self, category: char, ty: Oid) -> bool {
        self.category(ty) == (category, true)
    }

    /// Fills in the category of each unknown slot as the candidates suggest; the result says in which slots a preferred type is among
    /// them. None if they leave it open.
    fn categories_of_unknowns<C: Candidate>(
        &self,
        actual: &[Oid],
        candidates: &[C],
        categories: &mut [char],
    ) -> Option<Vec<bool>> {
        let mut has_preferred = vec![false; actual.len()];
        for (slot, &ty) in actual.iter().enumerate() {
            if ty != oid::UNKNOWN {
                continue;
            }
            let mut conflict = false;
            categories[slot] = INVALID;
            for candidate in candidates {
                let (category, preferred) = self.category(*candidate.args().get(slot)?);
                if categories[slot] == INVALID {
                    categories[slot] = category;
                    has_preferred[slot] = preferred;
                } else if category == categories[slot] {
                    has_preferred[slot] |= preferred;
                } else if category == STRING {
                    categories[slot] = STRING;
                    has_preferred[slot] = preferred;
                } else {
                    conflict = true;
                }
            }
            if conflict && categories[slot] != STRING {
                return None;
            }
        }
        Some(has_preferred)
    }

    /// Last resort: if all known arguments have one type, take the unknown ones to have it too.
    fn unknowns_as_the_known<C: Candidate>(&self, actual: &[Oid], candidates: Vec<C>) -> Option<C> {
        let mut known = actual.iter().copied().filter(|&ty| ty != oid::UNKNOWN);
        let first = known.next()?;
        if known.any(|ty| ty != first) {
            return None;
        }
        let assumed = vec![first; actual.len()];
        let mut fitting = self.matching(&assumed, candidates).into_iter();
        let only = fitting.next()?;
        fitting.next().is_none().then_some(only)
    }
}

/// The candidates with the highest score.
fn keep_best<C>(candidates: Vec<C>, score: impl Fn(&C) -> usize) -> Vec<C> {
    let scores: Vec<_> = candidates.iter().map(&score).collect();
    let best = scores.iter().copied().max().unwrap_or(0);
    candidates.into_iter().zip(scores).filter(|(_, score)| *score == best).map(|(candidate, _)| candidate).collect()
}
