//! Limits that keep any text from exhausting the stack or the time of the parser, checked on the tokens alone.

use aegis_catalog::{Error, Result, sqlstate};

use super::scan::{Token, TokenKind};

/// Longest query string, in bytes.
const MAX_TEXT: usize = 64 << 20;

/// Deepest nesting of brackets, CASE and prefix operators.
const MAX_NESTING: usize = 1_000;

/// Most operators on one level of an expression without a comma or bracket between them.
const MAX_CHAIN: usize = 100_000;

/// Most left-associative operators in a row; each is one level of the tree.
pub(super) const MAX_CHAIN_DEPTH: usize = 2_000;

/// Nesting that parses within the stack a thread has anyway.
const SHALLOW: usize = 16;

/// Stack for each level of nesting, generous for unoptimized builds.
const STACK_PER_LEVEL: usize = 256 << 10;

pub(super) fn check_size(text: &str) -> Result<()> {
    if text.len() > MAX_TEXT {
        let message = format!("query string is longer than {MAX_TEXT} bytes");
        return Err(Error::new(sqlstate::PROGRAM_LIMIT_EXCEEDED, message));
    }
    Ok(())
}

/// PostgreSQL's own error for statements that nest too deep.
pub(super) fn too_deep() -> Error {
    Error::new(sqlstate::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded").with_hint(
        "Increase the configuration parameter \"max_stack_depth\" (currently 2048kB), after ensuring the platform's stack depth limit is adequate.",
    )
}

/// One level of brackets.
#[derive(Default)]
struct Level {
    /// Tokens that may nest without brackets since the last separator: NOT, prefix operators, comparisons, joins.
    nested: usize,
    operators: usize,
}

/// The deepest nesting in `tokens`, or the error when it is too deep.
pub(super) fn check_nesting(tokens: &[Token], text: &str) -> Result<usize> {
    let mut levels = vec![Level::default()];
    let mut nested = 0usize;
    let mut deepest = 0usize;
    let mut after_operator = false;
    for token in tokens {
        let token_text = text.get(token.start as usize..token.end as usize).unwrap_or_default();
        let word = if token.kind == TokenKind::Word { token_text } else { "" };
        let operator = token.kind == TokenKind::Operator;
        // Prefix operators recurse, and so do those that the library takes to the right.
        let recurses = operator && (after_operator || !is_left_associative(token_text)) || nests(word);
        after_operator = operator;
        let opens = matches!(token.kind, TokenKind::Other(b'(' | b'[')) || word.eq_ignore_ascii_case("case");
        let closes = matches!(token.kind, TokenKind::Other(b')' | b']')) || word.eq_ignore_ascii_case("end");
        if opens {
            levels.push(Level::default());
        } else if closes {
            if levels.len() > 1 {
                nested -= levels.pop().map_or(0, |level| level.nested);
            }
        } else if let Some(level) = levels.last_mut() {
            if matches!(token.kind, TokenKind::Other(b',' | b';')) || separates(word) {
                nested -= level.nested;
                level.nested = 0;
                if word.is_empty() {
                    level.operators = 0;
                }
            } else if recurses {
                nested += 1;
                level.nested += 1;
            }
            level.operators += usize::from(operator || separates(word));
            if level.operators > MAX_CHAIN {
                return Err(too_deep());
            }
        }
        deepest = deepest.max(levels.len() + nested);
        if deepest > MAX_NESTING {
            return Err(too_deep());
        }
    }
    Ok(deepest)
}

fn is_left_associative(operator: &str) -> bool {
    matches!(operator, "+" | "-" | "*" | "/" | "%" | "^" | "<" | ">" | "<=" | ">=" | "<>" | "!=" | "::")
}

/// Words after which an operand starts afresh.
fn separates(word: &str) -> bool {
    const SEPARATORS: [&str; 12] =
        ["and", "or", "select", "from", "where", "on", "using", "set", "when", "then", "else", "values"];
    word.len() <= 6 && SEPARATORS.iter().any(|separator| word.eq_ignore_ascii_case(separator))
}

/// Words that may make the parser recurse without brackets.
fn nests(word: &str) -> bool {
    const NESTING: [&str; 7] = ["not", "join", "in", "between", "union", "intersect", "except"];
    word.len() <= 9 && NESTING.iter().any(|nesting| word.eq_ignore_ascii_case(nesting))
}

/// Runs `work` on a stack that fits `depth` levels.
pub(super) fn with_stack<T: Send>(depth: usize, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    if depth <= SHALLOW {
        return work();
    }
    let stack = (depth + SHALLOW) * STACK_PER_LEVEL;
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name("parse".into()).stack_size(stack);
        let thread = builder.spawn_scoped(scope, work).map_err(|error| {
            Error::new(sqlstate::OUT_OF_MEMORY, format!("no stack to parse a deeply nested statement: {error}"))
        })?;
        thread.join().unwrap_or_else(|_| Err(Error::internal("the parser gave up on this statement")))
    })
}
