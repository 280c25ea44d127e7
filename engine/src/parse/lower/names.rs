//! Identifiers and qualified names (manual 4.1.1).

use aegis_catalog::{Error, Result, sqlstate};
use squawk_parser::SyntaxKind as K;
use squawk_parser::{is_col_name_keyword, is_reserved_keyword, is_type_func_name_keyword};

use super::{Lower, literal};
use crate::parse::ast::{Ident, Name};
use crate::parse::tree::Node;

/// Longest identifier in bytes, PostgreSQL's NAMEDATALEN - 1.
pub const MAX_IDENTIFIER_LENGTH: usize = 63;

/// Cuts `name` to the longest identifier, never inside a character.
fn truncate(mut name: String) -> String {
    let mut length = MAX_IDENTIFIER_LENGTH.min(name.len());
    while !name.is_char_boundary(length) {
        length -= 1;
    }
    name.truncate(length);
    name
}

/// `"a""b"` is `a"b`; anything unquoted is folded to lower case.
pub fn fold(text: &str) -> String {
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(quoted) => truncate(quoted.replace("\"\"", "\"")),
        None => truncate(text.to_ascii_lowercase()),
    }
}

/// Which keywords may be names (manual appendix C).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// PostgreSQL's ColId: columns, tables and most other objects.
    Column,
    /// PostgreSQL's type_function_name.
    Function,
}

/// Nodes whose name may be any keyword.
fn is_label(kind: K) -> bool {
    matches!(
        kind,
        K::COLUMN_NAME
            | K::NAME_REF
            | K::PATH_SEGMENT
            | K::PATH_SEGMENT_REF
            | K::COMPOSITE_FIELD
            | K::COMPOSITE_FIELD_REF
            | K::ATTRIBUTE_NAME
            | K::ATTRIBUTE_NAMESPACE
            | K::COPY_OPTION_KEY
            | K::EXPLAIN_OPTION_NAME
            | K::EXTRACT_FIELD_NAME
            | K::REVOKE_COMMAND
    )
}

impl Lower<'_> {
    /// The identifier that `node` is or holds as its first token.
    pub fn ident(&self, node: Node<'_>) -> Result<Ident> {
        let token = match node.is_token() {
            true => node,
            false => node.children().next().ok_or_else(|| self.syntax_error(node.end()))?,
        };
        if !token.is_token() {
            return Err(self.syntax_error(token.start()));
        }
        if !node.is_token() && is_reserved_keyword(token.kind()) && !is_label(node.kind()) {
            return Err(self.syntax_error(token.start()));
        }
        let text = token.text();
        let name = match text.strip_prefix(['u', 'U']).and_then(|rest| rest.strip_prefix("&\"")) {
            Some(quoted) => {
                let body = quoted.strip_suffix('"').unwrap_or(quoted).replace("\"\"", "\"");
                let escape = self.uescape(node)?;
                truncate(literal::decode_unicode(&body, escape).map_err(|error| error.at(self.position(token)))?)
            }
            None => fold(text),
        };
        Ok(Ident { name, span: self.span(token) })
    }

    /// A name as PostgreSQL's ColId.
    pub fn column_id(&self, node: Node<'_>) -> Result<Ident> {
        self.check_word(node, Words::Column)?;
        self.ident(node)
    }

    pub fn opt_ident(&self, node: Option<Node<'_>>) -> Result<Option<Ident>> {
        node.map(|node| self.ident(node)).transpose()
    }

    /// The identifiers that the children of kind `kind` hold.
    pub fn idents(&self, list: Node<'_>, kind: K) -> Result<Vec<Ident>> {
        list.children_of(kind).map(|node| self.ident(node)).collect()
    }

    /// The identifiers of a column list in parentheses; empty if there is none.
    pub fn column_list(&self, list: Option<Node<'_>>) -> Result<Vec<Ident>> {
        let Some(list) = list else { return Ok(Vec::new()) };
        let columns = list
            .nodes()
            .filter(|node| matches!(node.kind(), K::COLUMN_NAME | K::COLUMN_NAME_REF))
            .map(|node| self.column_id(node))
            .collect::<Result<Vec<_>>>()?;
        if columns.is_empty() {
            return Err(self.syntax_error(list.start() + 1));
        }
        Ok(columns)
    }

    /// The qualified name that `node` is or holds.
    pub fn path(&self, node: Node<'_>) -> Result<Name> {
        self.path_of(node, Words::Column)
    }

    pub fn path_of(&self, node: Node<'_>, words: Words) -> Result<Name> {
        let mut parts = Vec::new();
        let mut after_paths = node.start();
        for descendant in node.descendants() {
            match descendant.kind() {
                K::PATH_SEGMENT | K::PATH_SEGMENT_REF if descendant.end() >= after_paths => {
                    if parts.is_empty() {
                        self.check_word(descendant, words)?;
                    }
                    parts.push(self.ident(descendant)?);
                    after_paths = descendant.end();
                }
                // Arguments and modifiers that follow the name have paths of their own.
                K::ARG_LIST | K::PARAM_LIST => break,
                _ => {}
            }
        }
        let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
            return Err(self.syntax_error(node.end()));
        };
        let span = first.span.to(last.span);
        Ok(Name { parts, span })
    }

    pub fn opt_path(&self, node: Option<Node<'_>>) -> Result<Option<Name>> {
        node.map(|node| self.path(node)).transpose()
    }

    /// Refuses the keywords that PostgreSQL does not take as a name of this sort.
    pub fn check_word(&self, node: Node<'_>, words: Words) -> Result<()> {
        let Some(token) = node.first_token() else { return Ok(()) };
        let kind = token.kind();
        let refused = match words {
            Words::Column => is_type_func_name_keyword(kind),
            Words::Function => is_col_name_keyword(kind),
        };
        if refused || is_reserved_keyword(kind) { Err(self.syntax_error(token.start())) } else { Ok(()) }
    }

    /// A name of a relation, type or other object: at most database, schema and object.
    pub fn object(&self, node: Node<'_>) -> Result<Name> {
        self.object_of(node, Words::Column)
    }

    pub fn object_of(&self, node: Node<'_>, words: Words) -> Result<Name> {
        let name = self.path_of(node, words)?;
        if name.parts.len() > 3 {
            let spelled = name.parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>().join(".");
            let message = format!("improper qualified name (too many dotted names): {spelled}");
            return Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(name.span.start));
        }
        Ok(name)
    }

    /// The objects that the children of kind `kind` name.
    pub fn objects(&self, list: Node<'_>, kind: K) -> Result<Vec<Name>> {
        list.children_of(kind).map(|node| self.object(node)).collect()
    }

    /// A role: `name`, or the keywords CURRENT_USER and the like as their text in lower case.
    pub fn role(&self, node: Node<'_>) -> Result<Ident> {
        let token = node
            .descendants()
            .filter(|descendant| descendant.is_token())
            .find(|token| !token.is(K::GROUP_KW))
            .ok_or_else(|| self.syntax_error(node.end()))?;
        self.ident(token)
    }

    /// The roles of a list node.
    pub fn roles(&self, list: Node<'_>) -> Result<Vec<Ident>> {
        list.nodes().filter(|node| is_role(node.kind())).map(|node| self.role(node)).collect()
    }

    /// The escape character that `UESCAPE 'c'` after a token of `node` sets.
    pub fn uescape(&self, node: Node<'_>) -> Result<char> {
        let mut tokens = node.children().skip_while(|token| !token.is(K::UESCAPE_KW));
        let (Some(_), literal) = (tokens.next(), tokens.next()) else { return Ok('\\') };
        let invalid = |message: &str| {
            let near = literal.map_or("", |token| token.text());
            let message = format!("{message} at or near \"{near}\"");
            let error = Error::new(sqlstate::SYNTAX_ERROR, message);
            Err(error.at(literal.map_or(self.position(node), |token| self.position(token))))
        };
        let Some(body) = literal.and_then(|token| token.text().strip_prefix('\'')?.strip_suffix('\'')) else {
            return invalid("UESCAPE must be followed by a simple string literal");
        };
        let body = if body == "''" { "'" } else { body };
        let mut characters = body.chars();
        match (characters.next(), characters.next()) {
            (Some(escape), None)
                if !(escape.is_ascii_hexdigit() || escape.is_ascii_whitespace() || "+'\"".contains(escape)) =>
            {
                Ok(escape)
            }
            _ => invalid("invalid Unicode escape character"),
        }
    }
}

fn is_role(kind: K) -> bool {
    matches!(
        kind,
        K::ROLE
            | K::ROLE_REF
            | K::ROLE_NAME_REF
            | K::ROLE_REF_CURRENT_ROLE
            | K::ROLE_REF_CURRENT_USER
            | K::ROLE_REF_SESSION_USER
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_fold_and_are_cut_between_characters() {
        assert_eq!(fold("Abc"), "abc");
        assert_eq!(fold("\"A\"\"b\""), "A\"b");
        assert_eq!(fold(&"é".repeat(40)).len(), 62);
    }
}
