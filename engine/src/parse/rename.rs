//! Names inside stored expressions, when what they name is renamed.

use super::scan::{self, Token, TokenKind};

/// The expression with each use of column `from` made `to`. A word that stands for a function, a type or a keyword is none. The caller
/// binds the result, which shows whether it still means what it did.
pub fn with_column_renamed(text: &str, from: &str, to: &str) -> String {
    replaced(text, from, to, |before, after| {
        !matches!(after, Some("(") | Some(".")) && !after.is_some_and(|a| a.starts_with('\'')) && !is_type(before)
    })
}

/// The expression with `from.column` made `to.column`.
pub fn with_qualifier_renamed(text: &str, from: &str, to: &str) -> String {
    replaced(text, from, to, |before, after| after == Some(".") && before != Some("."))
}

/// What stands before a type name: `::`, or AS in CAST.
fn is_type(before: Option<&str>) -> bool {
    before.is_some_and(|before| before.ends_with(':') || before.eq_ignore_ascii_case("as"))
}

fn replaced(text: &str, from: &str, to: &str, is_use: impl Fn(Option<&str>, Option<&str>) -> bool) -> String {
    let (tokens, _) = scan::scan(text);
    let shown = |token: &Token| text.get(token.start as usize..token.end as usize);
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for (i, token) in tokens.iter().enumerate() {
        let Some(word) = shown(token) else { continue };
        let name = match token.kind {
            TokenKind::Word => word.to_lowercase(),
            TokenKind::QuotedIdentifier => word.trim_matches('"').replace("\"\"", "\""),
            _ => continue,
        };
        let before = i.checked_sub(1).and_then(|i| tokens.get(i)).and_then(shown);
        let after = tokens.get(i + 1).and_then(shown);
        if name == from && is_use(before, after) {
            out.push_str(text.get(copied..token.start as usize).unwrap_or_default());
            out.push_str(&aegis_catalog::definition::quote_identifier(to));
            copied = token.end as usize;
        }
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_renamed_and_nothing_else() {
        let renamed = |text| with_column_renamed(text, "date", "Day");
        assert_eq!(renamed("date > '2020-01-01'"), "\"Day\" > '2020-01-01'");
        assert_eq!(renamed("x::date = DATE '2020-01-01'"), "x::date = DATE '2020-01-01'");
        assert_eq!(renamed("date(x) + t.date - \"date\""), "date(x) + t.\"Day\" - \"Day\"");
        assert_eq!(renamed("CAST(date AS date)"), "CAST(\"Day\" AS date)");
        assert_eq!(with_qualifier_renamed("t.a > t and x.t.b", "t", "u"), "u.a > t and x.t.b");
    }
}
