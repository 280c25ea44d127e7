//! Statements of PostgreSQL's grammar that the engine does not know yet, by the names of their command tags.

use aegis_catalog::Result;

use super::Lower;
use crate::parse::scan::TokenKind;
use crate::parse::tree::Node;
use crate::parse::utility::Utility;

/// Command names of more than the usual number of words, longest first.
const NAMES: &[&str] = &[
    "ALTER TEXT SEARCH CONFIGURATION",
    "ALTER TEXT SEARCH DICTIONARY",
    "ALTER TEXT SEARCH PARSER",
    "ALTER TEXT SEARCH TEMPLATE",
    "CREATE TEXT SEARCH CONFIGURATION",
    "CREATE TEXT SEARCH DICTIONARY",
    "CREATE TEXT SEARCH PARSER",
    "CREATE TEXT SEARCH TEMPLATE",
    "DROP TEXT SEARCH CONFIGURATION",
    "DROP TEXT SEARCH DICTIONARY",
    "DROP TEXT SEARCH PARSER",
    "DROP TEXT SEARCH TEMPLATE",
    "ALTER FOREIGN DATA WRAPPER",
    "CREATE FOREIGN DATA WRAPPER",
    "DROP FOREIGN DATA WRAPPER",
    "ALTER DEFAULT PRIVILEGES",
    "ALTER FOREIGN TABLE",
    "ALTER MATERIALIZED VIEW",
    "ALTER OPERATOR CLASS",
    "ALTER OPERATOR FAMILY",
    "CREATE OPERATOR CLASS",
    "CREATE OPERATOR FAMILY",
    "DROP OPERATOR CLASS",
    "DROP OPERATOR FAMILY",
    "ALTER EVENT TRIGGER",
    "CREATE EVENT TRIGGER",
    "DROP EVENT TRIGGER",
    "ALTER USER MAPPING",
    "CREATE USER MAPPING",
    "DROP USER MAPPING",
    "ALTER PROPERTY GRAPH",
    "CREATE PROPERTY GRAPH",
    "DROP PROPERTY GRAPH",
    "ALTER LARGE OBJECT",
    "CREATE ACCESS METHOD",
    "DROP ACCESS METHOD",
    "CREATE FOREIGN TABLE",
    "DROP FOREIGN TABLE",
    "IMPORT FOREIGN SCHEMA",
    "REFRESH MATERIALIZED VIEW",
    "CREATE CONSTRAINT TRIGGER",
    "SECURITY LABEL",
    "REASSIGN OWNED",
    "DROP OWNED",
];

/// Words between the verb and the object that are no part of the command's name.
const NOISE: [&str; 5] = ["OR", "REPLACE", "TRUSTED", "PROCEDURAL", "DEFAULT"];

impl Lower<'_> {
    pub fn unsupported(&self, node: Node<'_>) -> Result<Utility> {
        let words = node
            .descendants()
            .filter(|part| part.is_token())
            .take(8)
            .map(|word| word.text().to_ascii_uppercase())
            .collect::<Vec<_>>();
        // A statement that ends with its name lacks the object.
        let first = self.tokens.partition_point(|token| token.start < node.start());
        let end = self.end_of(node);
        let operands = self.tokens.iter().skip(first).take_while(|token| token.start < end).count();
        let name = command_name(&words);
        if operands <= name.split(' ').count()
            && operands > 1
            && self.tokens.get(first).is_some_and(|token| token.kind == TokenKind::Word)
        {
            return Err(self.syntax_error(end));
        }
        Ok(Utility::Unsupported(name))
    }
}

fn command_name(words: &[String]) -> String {
    let joined = words.join(" ");
    if let Some(name) = NAMES.iter().find(|name| joined.starts_with(**name)) {
        return (*name).to_owned();
    }
    let Some((verb, rest)) = words.split_first() else { return String::new() };
    match verb.as_str() {
        "CREATE" | "ALTER" | "DROP" => {
            let object = rest.iter().find(|word| !NOISE.contains(&word.as_str()));
            format!("{verb} {}", object.map_or("", String::as_str))
        }
        _ => verb.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_have_the_names_of_their_tags() {
        let name = |sql: &str| command_name(&sql.split(' ').map(str::to_uppercase).collect::<Vec<_>>());
        assert_eq!(name("create or replace function f"), "CREATE FUNCTION");
        assert_eq!(name("alter text search dictionary d"), "ALTER TEXT SEARCH DICTIONARY");
        assert_eq!(name("do 'x'"), "DO");
    }
}
