//! Which words of a text make its headline: those around the shortest pieces in which the query holds.

use super::options::Options;
use super::{Piece, Word};
use crate::functions::text_search::evaluate::Evaluator;

/// A piece of the text: numbers of its first and last word.
#[derive(Debug, Clone, Copy)]
struct Span {
    first: usize,
    last: usize,
}

pub fn choose(words: &mut [Word<'_>], evaluator: &Evaluator, options: &Options) {
    if words.is_empty() {
        return;
    }
    // Longer pieces are not looked for.
    let mut longest = usize::try_from(options.max_words).unwrap_or(0).saturating_mul(10).max(100);
    if options.max_fragments > 0 {
        longest = longest.saturating_mul(options.max_fragments.unsigned_abs() as usize);
    }
    if options.all {
        mark(words, Span { first: 0, last: words.len() - 1 }, true);
    } else if options.max_fragments == 0 {
        let span = best(words, evaluator, options, longest).unwrap_or_else(|| beginning(words, options));
        mark(words, span, false);
    } else {
        fragments(words, evaluator, options, longest);
    }
}

fn mark(words: &mut [Word<'_>], span: Span, all: bool) {
    for word in words.get_mut(span.first..=span.last).unwrap_or_default() {
        word.mark.selected |= word.operand.is_some();
        if word.has_parts() {
            word.mark.skipped = true;
        } else if !all && word.kind == super::TokenType::Tag {
            word.mark.replaced = true;
        }
        word.mark.shown = !word.repeated;
    }
}

/// The first words, as many as must be shown.
fn beginning(words: &[Word<'_>], options: &Options) -> Span {
    let (mut count, mut last) = (0, 0);
    for (number, word) in words.iter().enumerate() {
        if count >= options.min_words {
            break;
        }
        count += i32::from(word.is_word());
        last = number;
    }
    Span { first: 0, last }
}

fn next_of_query(words: &[Word<'_>], from: usize) -> Option<usize> {
    (from..words.len()).find(|&number| words.get(number).is_some_and(|word| word.operand.is_some()))
}

/// The first, then shortest piece from a word on in which the query holds.
fn cover(words: &[Word<'_>], evaluator: &Evaluator, from: usize, longest: usize) -> Option<Span> {
    let mut start = next_of_query(words, from);
    while let Some(first) = start {
        let mut end = Some(first);
        while let Some(last) = end.filter(|&last| last - first < longest) {
            let piece = Piece { words: words.get(first..=last).unwrap_or_default() };
            if evaluator.holds(&piece) {
                return Some(Span { first, last });
            }
            end = next_of_query(words, last + 1);
        }
        start = next_of_query(words, first + 1);
    }
    None
}

/// A headline that may be.
struct Candidate {
    span: Span,
    /// Words of the query.
    matches: i32,
    /// All of the cover is in it.
    covers: bool,
}

/// The piece that is best as a whole.
fn best(words: &[Word<'_>], evaluator: &Evaluator, options: &Options, longest: usize) -> Option<Span> {
    let is_bad = |number: usize| {
        words
            .get(number)
            .is_none_or(|word| word.is_bad_end(options.short_word.unsigned_abs() as usize) && !word.counts())
    };
    let mut best: Option<Candidate> = None;
    let mut from = 0;
    while let Some(found) = cover(words, evaluator, from, longest) {
        let candidate = around(words, found, options, &is_bad);
        let better = best.as_ref().is_none_or(|best| {
            let (new, old) = ((candidate.covers, candidate.matches), (best.covers, best.matches));
            new > old || (new == old && !is_bad(candidate.span.last) && is_bad(best.span.last))
        });
        if better {
            best = Some(candidate);
        }
        from = found.first + 1;
    }
    best.map(|best| best.span)
}

/// A headline around a cover: neither too short nor too long, and with a good end if there is one.
fn around(words: &[Word<'_>], cover: Span, options: &Options, is_bad: &impl Fn(usize) -> bool) -> Candidate {
    let is_word = |number: usize| i32::from(words.get(number).is_some_and(Word::is_word));
    let counts = |number: usize| i32::from(words.get(number).is_some_and(Word::counts));
    let (mut length, mut matches) = (0, 0);
    let (mut first, mut last) = (cover.first, cover.first);
    let mut next = cover.first;
    while next <= cover.last && length < options.max_words {
        length += is_word(next);
        matches += counts(next);
        last = next;
        next += 1;
    }
    if length < options.max_words {
        // Longer: up to a good end, the last word of the cover included.
        for number in next.saturating_sub(1)..words.len() {
            if length >= options.max_words {
                break;
            }
            if number > cover.last {
                length += is_word(number);
                matches += counts(number);
            }
            last = number;
            if !is_bad(number) && length >= options.min_words {
                break;
            }
        }
        if length < options.min_words {
            // The text ends: what comes before.
            first = 0;
            for number in (0..cover.first).rev() {
                length += is_word(number);
                matches += counts(number);
                if length >= options.max_words || (!is_bad(number) && length >= options.min_words) {
                    first = number;
                    break;
                }
            }
        }
    } else {
        // Shorter: back to a good end.
        let mut number = next.min(cover.last);
        while length > options.min_words && is_bad(number) {
            length -= is_word(number);
            matches -= counts(number);
            let Some(before) = number.checked_sub(1) else { break };
            last = before;
            number = before;
        }
    }
    Candidate { span: Span { first, last }, matches, covers: first <= cover.first && last >= cover.last }
}

// ------------------------------------------------------------------------------------------------ fragments

struct Fragment {
    span: Span,
    length: i32,
    matches: i32,
    /// Chosen already, or overlaps one that is.
    out: bool,
}

/// Up to `MaxFragments` pieces that do not overlap, those with the most words of the query first.
fn fragments(words: &mut [Word<'_>], evaluator: &Evaluator, options: &Options, longest: usize) {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(cover) = cover(words, evaluator, from, longest) {
        let mut rest = cover;
        while rest.first <= rest.last {
            let fragment = fragment(words, rest, options.max_words);
            rest.first = fragment.span.last + 1;
            found.push(fragment);
        }
        from = cover.first + 1;
    }
    let mut chosen = 0;
    for _ in 0..options.max_fragments {
        let mut best: Option<usize> = None;
        for (number, fragment) in found.iter().enumerate().filter(|(_, fragment)| !fragment.out) {
            let better = match best.and_then(|best| found.get(best)) {
                None => fragment.matches > 0 || fragment.length < i32::MAX,
                Some(best) => (best.matches, -best.length) < (fragment.matches, -fragment.length),
            };
            if better {
                best = Some(number);
            }
        }
        let Some(fragment) = best.and_then(|best| found.get_mut(best)) else { break };
        fragment.out = true;
        let span = stretched(words, fragment.span, fragment.length, options);
        mark(words, span, false);
        chosen += 1;
        for other in &mut found {
            let overlaps = other.span.first <= span.last && other.span.last >= span.first;
            other.out |= overlaps;
        }
    }
    if chosen == 0 {
        let span = beginning(words, options);
        mark(words, span, false);
    }
}

/// The first part of a cover that has a word of the query at both ends and is not too long.
fn fragment(words: &[Word<'_>], cover: Span, max_words: i32) -> Fragment {
    let is_word = |number: usize| i32::from(words.get(number).is_some_and(Word::is_word));
    let counts = |number: usize| words.get(number).is_some_and(Word::counts);
    let first = (cover.first..=cover.last).find(|&number| counts(number)).unwrap_or(cover.last);
    let (mut length, mut matches, mut next) = (0, 0, first);
    while next <= cover.last && length < max_words {
        length += is_word(next);
        matches += i32::from(counts(next));
        next += 1;
    }
    let mut last = cover.last;
    if cover.last > next {
        last = next;
        for number in (first..=next).rev() {
            last = number;
            if counts(number) {
                break;
            }
            length -= is_word(number);
        }
    }
    Fragment { span: Span { first, last }, length, matches, out: false }
}

/// A fragment made longer on both sides, as far as it may.
fn stretched(words: &[Word<'_>], span: Span, mut length: i32, options: &Options) -> Span {
    if length >= options.max_words {
        return span;
    }
    let is_word = |number: usize| i32::from(words.get(number).is_some_and(Word::is_word));
    let is_taken = |number: usize| words.get(number).is_none_or(|word| word.mark.shown);
    let short = options.short_word.unsigned_abs() as usize;
    let is_bad = |number: usize| words.get(number).is_some_and(|word| word.is_bad_end(short) && !word.counts());
    let most = (options.max_words - length) / 2;
    let (mut stretch, mut first) = (0, span.first);
    for number in (0..span.first).rev() {
        if stretch >= most || is_taken(number) {
            break;
        }
        length += is_word(number);
        stretch += is_word(number);
        first = number;
    }
    while first < span.first && is_bad(first) {
        length -= is_word(first);
        first += 1;
    }
    let mut last = span.last;
    for number in span.last + 1..words.len() {
        if length >= options.max_words || is_taken(number) {
            break;
        }
        length += is_word(number);
        last = number;
    }
    while last > span.last && is_bad(last) {
        last -= 1;
    }
    Span { first, last }
}
