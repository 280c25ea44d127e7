//! A statement's text without its constants, as `pg_stat_statements` shows it (PostgreSQL manual F.32.4), and a number for all statements that differ
//! in nothing but constants, white space, comments and the case of words.

use std::hash::{DefaultHasher, Hasher};

use super::scan::{Token, TokenKind, scan};

/// Words after which an operand comes, so that a minus is a sign.
const BEFORE_OPERAND: &[&str] = &[
    "and",
    "as",
    "between",
    "by",
    "case",
    "else",
    "end",
    "from",
    "having",
    "ilike",
    "in",
    "is",
    "like",
    "limit",
    "not",
    "offset",
    "on",
    "or",
    "return",
    "returning",
    "select",
    "set",
    "then",
    "values",
    "when",
    "where",
];

/// Words that end a list of ORDER BY or GROUP BY.
const AFTER_BY: &[&str] = &[
    "except",
    "fetch",
    "for",
    "having",
    "intersect",
    "limit",
    "offset",
    "order",
    "range",
    "returning",
    "rows",
    "union",
    "window",
];

#[derive(Debug, PartialEq, Eq)]
pub struct Normalized {
    /// With `$n` for constants.
    pub text: String,
    pub fingerprint: u64,
}

/// Of one statement; numbers of constants go on after those of its parameters.
pub fn normalize(text: &str, parameters: u32) -> Normalized {
    let (tokens, _) = scan(text);
    let mut reader = Reader { text, tokens: &tokens, depth: 0, by: None, typed: Typed::No, modifiers: None };
    let mut result = Normalized { text: String::with_capacity(text.len()), fingerprint: 0 };
    let mut hasher = DefaultHasher::new();
    let (mut number, mut copied, mut position) = (parameters, 0, 0);
    while let Some(token) = tokens.get(position) {
        let constant = reader.constant(position);
        let last = tokens.get(position + constant.saturating_sub(1)).unwrap_or(token);
        if constant > 0 {
            number += 1;
            result.text.push_str(text.get(copied..token.start as usize).unwrap_or_default());
            result.text.push_str(&format!("${number}"));
            copied = last.end as usize;
            hasher.write_u8(0);
        } else {
            let written = reader.written(position);
            match token.kind {
                TokenKind::Word => hasher.write(written.to_ascii_lowercase().as_bytes()),
                _ => hasher.write(written.as_bytes()),
            }
        }
        hasher.write_u8(0xff);
        reader.pass(position);
        position += constant.max(1);
    }
    result.text.push_str(text.get(copied..).unwrap_or_default());
    result.text.truncate(result.text.trim_end().len());
    result.fingerprint = hasher.finish();
    result
}

/// Is a type's name being written?
#[derive(Clone, Copy, PartialEq)]
enum Typed {
    No,
    Begins,
    Named,
}

struct Reader<'a> {
    text: &'a str,
    tokens: &'a [Token],
    depth: usize,
    /// Depth of the list of ORDER BY or GROUP BY.
    by: Option<usize>,
    typed: Typed,
    /// Depth within a type's modifiers.
    modifiers: Option<usize>,
}

impl Reader<'_> {
    fn written(&self, position: usize) -> &str {
        let range = self.tokens.get(position).map(|token| token.start as usize..token.end as usize);
        range.and_then(|range| self.text.get(range)).unwrap_or_default()
    }

    fn kind(&self, position: usize) -> Option<TokenKind> {
        self.tokens.get(position).map(|token| token.kind)
    }

    fn is_word(&self, position: Option<usize>, words: &[&str]) -> bool {
        let Some(position) = position.filter(|position| self.kind(*position) == Some(TokenKind::Word)) else {
            return false;
        };
        words.iter().any(|word| self.written(position).eq_ignore_ascii_case(word))
    }

    /// How many tokens the constant at this place is written with; 0 if there is none.
    fn constant(&self, position: usize) -> usize {
        let before = position.checked_sub(1);
        match self.kind(position) {
            Some(TokenKind::String) => 1,
            Some(TokenKind::Number) if self.modifiers.is_none() && !self.is_place(position) => 1,
            Some(TokenKind::Operator)
                if self.written(position) == "-"
                    && self.kind(position + 1) == Some(TokenKind::Number)
                    && self.expects_operand(before) =>
            {
                2
            }
            Some(TokenKind::Word)
                if self.is_word(Some(position), &["true", "false", "null"])
                    && !self.is_word(before, &["is", "not"]) =>
            {
                1
            }
            _ => 0,
        }
    }

    fn expects_operand(&self, before: Option<usize>) -> bool {
        match before.and_then(|before| self.kind(before)) {
            None => true,
            Some(TokenKind::Operator) => before.is_some_and(|before| self.written(before) != "::"),
            Some(TokenKind::Other(byte)) => b"([,:".contains(&byte),
            Some(TokenKind::Word) => self.is_word(before, BEFORE_OPERAND),
            _ => false,
        }
    }

    /// A number of ORDER BY or GROUP BY that is a column's place.
    fn is_place(&self, position: usize) -> bool {
        let comma = Some(TokenKind::Other(b','));
        let before = position.checked_sub(1);
        let starts = self.is_word(before, &["by"]) || before.and_then(|before| self.kind(before)) == comma;
        let ends = match self.kind(position + 1) {
            None | Some(TokenKind::Word | TokenKind::Other(b',' | b')' | b';')) => true,
            Some(_) => false,
        };
        self.by == Some(self.depth) && starts && ends
    }

    /// Goes past a token.
    fn pass(&mut self, position: usize) {
        let typed = std::mem::replace(&mut self.typed, Typed::No);
        match self.kind(position) {
            Some(TokenKind::Operator) if self.written(position) == "::" => self.typed = Typed::Begins,
            Some(TokenKind::Word) if typed != Typed::No => self.typed = Typed::Named,
            Some(TokenKind::QuotedIdentifier | TokenKind::Other(b'.')) if typed != Typed::No => {
                self.typed = Typed::Named
            }
            Some(TokenKind::Other(b'(' | b'[')) => {
                self.depth += 1;
                if typed == Typed::Named && self.modifiers.is_none() {
                    self.modifiers = Some(self.depth);
                }
            }
            Some(TokenKind::Other(b')' | b']')) => {
                if self.modifiers == Some(self.depth) {
                    self.modifiers = None;
                    self.typed = Typed::Named;
                }
                if self.by == Some(self.depth) {
                    self.by = None;
                }
                self.depth = self.depth.saturating_sub(1);
            }
            _ => {}
        }
        if self.is_word(Some(position), &["as"]) && self.typed == Typed::No {
            self.typed = Typed::Begins;
        }
        if self.is_word(Some(position), &["by"]) && self.is_word(position.checked_sub(1), &["order", "group"]) {
            self.by = Some(self.depth);
        } else if self.by == Some(self.depth) && self.is_word(Some(position), AFTER_BY) {
            self.by = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(sql: &str) -> String {
        normalize(sql, 0).text
    }

    #[test]
    fn constants_become_parameters_as_in_postgresql() {
        for (sql, expected) in [
            ("SELECT 1", "SELECT $1"),
            ("SELECT 'a', E'b\\n', $$c$$, B'101', 1.5e3", "SELECT $1, $2, $3, $4, $5"),
            ("SELECT a-1, -1, a - -1 FROM t WHERE b = -2.5", "SELECT a-$1, $2, a - $3 FROM t WHERE b = $4"),
            (
                "SELECT NULL, TRUE FROM t WHERE a IS NOT NULL AND b IS TRUE",
                "SELECT $1, $2 FROM t WHERE a IS NOT NULL AND b IS TRUE",
            ),
            (
                "SELECT a, count(*) FROM t GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5",
                "SELECT a, count(*) FROM t GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT $1",
            ),
            (
                "SELECT a::numeric(10,2), CAST('1' AS varchar(3)), b[1]",
                "SELECT a::numeric(10,2), CAST($1 AS varchar(3)), b[$2]",
            ),
            ("SELECT * FROM t /* x */ WHERE id IN (1, 2)", "SELECT * FROM t /* x */ WHERE id IN ($1, $2)"),
            ("SELECT interval '1 day', date '2020-01-01'", "SELECT interval $1, date $2"),
            (
                "SELECT * FROM (SELECT a FROM t ORDER BY 1) s WHERE a = 1 ORDER BY a + 1",
                "SELECT * FROM (SELECT a FROM t ORDER BY 1) s WHERE a = $1 ORDER BY a + $2",
            ),
        ] {
            assert_eq!(text(sql), expected);
        }
        assert_eq!(normalize("SELECT $1, 7", 1).text, "SELECT $1, $2");
    }

    #[test]
    fn only_meaning_is_counted() {
        let number = |sql| normalize(sql, 0).fingerprint;
        assert_eq!(number("SELECT a FROM t WHERE b = 1"), number("select  a from t -- c\n where b = 'x'"));
        assert_ne!(number("SELECT a FROM t"), number("SELECT b FROM t"));
        assert_ne!(number("SELECT \"A\" FROM t"), number("SELECT \"a\" FROM t"));
    }
}
