//! The words of ASOF joins, which the library's grammar lacks: `a ASOF [INNER | LEFT [OUTER]] JOIN b [MATCH_CONDITION (…)] [ON … | USING (…)]`.
//! They are taken out of the text before the library sees it, and found again by their places.

use super::scan::{Token, TokenKind};

/// What was taken out.
#[derive(Default)]
pub(super) struct AsOfWords {
    joins: Vec<AsOfJoin>,
}

struct AsOfJoin {
    /// Start of the word after ASOF.
    start: u32,
    /// What is within the brackets of MATCH_CONDITION.
    matching: Option<(u32, u32)>,
}

impl AsOfWords {
    /// The text without the words of ASOF joins, if there are any; other tokens keep their places.
    pub fn take(text: &str, tokens: &[Token]) -> Option<(String, Self)> {
        let word = |index: usize, expected: &str| {
            let token = tokens.get(index).filter(|token| token.kind == TokenKind::Word);
            token.is_some_and(|token| text_of(text, token).eq_ignore_ascii_case(expected))
        };
        let first = (0..tokens.len()).find(|&index| word(index, "asof"))?;
        let mut masked = text.as_bytes().to_vec();
        let mut words = Self::default();
        // Joins whose MATCH_CONDITION may come, with the depth of brackets that they are at.
        let mut open: Vec<(usize, usize)> = Vec::new();
        let mut depth = 0usize;
        for (index, token) in tokens.iter().enumerate().skip(first) {
            match token.kind {
                TokenKind::Other(b'(') => depth += 1,
                TokenKind::Other(b')') => {
                    depth = depth.saturating_sub(1);
                    open.retain(|(_, at)| *at <= depth);
                }
                TokenKind::Word if word(index, "asof") && joins(tokens, index, &word) => {
                    mask(&mut masked, token.start, token.end);
                    let start = tokens.get(index + 1).map_or(token.end, |next| next.start);
                    open.push((words.joins.len(), depth));
                    words.joins.push(AsOfJoin { start, matching: None });
                }
                TokenKind::Word if word(index, "match_condition") => {
                    let Some(end) = closing(tokens, index + 1) else { continue };
                    let Some(place) = open.iter().rposition(|(_, at)| *at == depth) else { continue };
                    let (join, _) = open.remove(place);
                    let (Some(left), Some(right)) = (tokens.get(index + 1), tokens.get(end)) else { continue };
                    mask(&mut masked, token.start, token.end);
                    if word(end + 1, "on") || word(end + 1, "using") {
                        mask(&mut masked, left.start, right.end);
                        if let Some(join) = words.joins.get_mut(join) {
                            join.matching = Some((left.end, right.start));
                        }
                    } else if let Some(on) = masked.get_mut(token.start as usize..token.start as usize + 2) {
                        on.copy_from_slice(b"ON");
                    }
                }
                _ => {}
            }
        }
        // Only whole tokens of ASCII have been replaced, or all bytes of a part.
        let masked = String::from_utf8(masked).ok().filter(|_| !words.joins.is_empty())?;
        Some((masked, words))
    }

    /// The ASOF join whose next word starts there: what is in the brackets of its MATCH_CONDITION.
    pub fn at(&self, start: u32) -> Option<Option<(u32, u32)>> {
        self.joins.iter().find(|join| join.start == start).map(|join| join.matching)
    }
}

/// Does ASOF here stand between an item of FROM and the words of a join?
fn joins(tokens: &[Token], index: usize, word: &impl Fn(usize, &str) -> bool) -> bool {
    let Some(before) = index.checked_sub(1) else { return false };
    let item = match tokens.get(before).map(|token| token.kind) {
        Some(TokenKind::Word) => {
            !["from", "as", "join", "lateral", "only", "using"].iter().any(|other| word(before, other))
        }
        Some(TokenKind::QuotedIdentifier | TokenKind::Other(b')')) => true,
        _ => false,
    };
    let join = word(index + 1, "join")
        || word(index + 1, "inner") && word(index + 2, "join")
        || word(index + 1, "left") && (word(index + 2, "join") || word(index + 2, "outer") && word(index + 3, "join"));
    item && join
}

/// The bracket that closes the one at `open`.
fn closing(tokens: &[Token], open: usize) -> Option<usize> {
    tokens.get(open).filter(|token| token.kind == TokenKind::Other(b'('))?;
    let mut depth = 0usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match token.kind {
            TokenKind::Other(b'(') => depth += 1,
            TokenKind::Other(b')') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(index);
        }
    }
    None
}

fn text_of<'t>(text: &'t str, token: &Token) -> &'t str {
    text.get(token.start as usize..token.end as usize).unwrap_or_default()
}

fn mask(text: &mut [u8], start: u32, end: u32) {
    if let Some(part) = text.get_mut(start as usize..end as usize) {
        part.fill(b' ');
    }
}

#[cfg(test)]
mod tests {
    use super::super::scan::scan;
    use super::*;

    fn masked(text: &str) -> Option<String> {
        AsOfWords::take(text, &scan(text).0).map(|(masked, _)| masked)
    }

    #[test]
    fn words_are_taken_out_in_place() {
        assert_eq!(masked("FROM a ASOF LEFT JOIN b ON x").as_deref(), Some("FROM a      LEFT JOIN b ON x"));
        let text = "FROM a asof JOIN b MATCH_CONDITION (a.t >= b.t) USING (k)";
        assert_eq!(masked(text).unwrap().trim_end(), "FROM a      JOIN b                              USING (k)");
        let text = "FROM a ASOF JOIN b MATCH_CONDITION (a.t >= b.t)";
        assert_eq!(masked(text).as_deref(), Some("FROM a      JOIN b ON              (a.t >= b.t)"));
    }

    #[test]
    fn names_stay() {
        for text in ["SELECT asof FROM t", "FROM t AS asof JOIN b ON x", "FROM asof JOIN b ON x", "FROM t asof"] {
            assert_eq!(masked(text), None, "{text}");
        }
    }
}
