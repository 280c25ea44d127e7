//! Tags and entities of HTML and XML.

use super::{Tokens, is_alnum};

impl Tokens<'_> {
    /// The end of the tag, comment, declaration or instruction at `<`.
    pub(super) fn tag(&mut self, at: usize) -> Option<usize> {
        match self.char_at(at + 1)? {
            '/' => self.element(at, at + 2),
            '!' => self.comment(at + 2).or_else(|| self.declaration(at + 2)),
            '?' => self.instruction(at + 2),
            _ => self.element(at, at + 1),
        }
    }

    /// A tag whose name is at `name`.
    fn element(&mut self, start: usize, name: usize) -> Option<usize> {
        let closing = name > start + 1;
        let first = self.char_at(name)?;
        let begins = first.is_ascii_alphabetic() || (!closing && matches!(first, ':' | '_'));
        if !begins {
            return None;
        }
        let end = self.run(name, |c| is_alnum(c) || matches!(c, ':' | '_' | '.' | '-'));
        match self.char_at(end)? {
            '/' if self.byte(end + 1) == Some(b'>') => return Some(end + 2),
            '>' => {
                self.note_script(start, end);
                return Some(end + 1);
            }
            space if space.is_whitespace() => self.note_script(start, end),
            _ => return None,
        }
        self.attributes(end)
    }

    /// What stands between the name and the end of a tag.
    fn attributes(&self, mut at: usize) -> Option<usize> {
        loop {
            let next = self.char_at(at)?;
            at += next.len_utf8();
            match next {
                '>' => return Some(at),
                '\'' | '"' => at = self.quoted(at, next)?,
                '=' | '-' | '_' | '#' | '/' | ':' | '.' | '&' | '?' | '%' | '~' => {}
                other if other.is_ascii_alphanumeric() || other.is_whitespace() => {}
                _ => return None,
            }
        }
    }

    /// The end of a value in quotes; a backslash keeps the next character.
    fn quoted(&self, mut at: usize, quote: char) -> Option<usize> {
        loop {
            let next = self.char_at(at)?;
            at += next.len_utf8();
            match next {
                '\\' => at += self.char_at(at)?.len_utf8(),
                next if next == quote => return Some(at),
                _ => {}
            }
        }
    }

    /// The text of scripts and styles is no text.
    fn note_script(&mut self, start: usize, end: usize) {
        match self.slice(start, end).to_ascii_lowercase().as_str() {
            "<script" | "<style" => self.ignoring = true,
            "</script" | "</style" => self.ignoring = false,
            _ => {}
        }
    }

    fn comment(&self, at: usize) -> Option<usize> {
        let rest = self.text.get(at..)?.strip_prefix("--")?;
        Some(at + 2 + rest.find("-->")? + 3)
    }

    /// `<!doctype …>`: what begins with the letter is read as a tag's attributes.
    fn declaration(&self, at: usize) -> Option<usize> {
        if matches!(self.byte(at), Some(b'd' | b'D')) { self.attributes(at + 1) } else { None }
    }

    /// `<?xml …>`, read likewise.
    fn instruction(&self, at: usize) -> Option<usize> {
        if matches!(self.byte(at), Some(b'x' | b'X')) { self.attributes(at + 1) } else { None }
    }

    /// The end of the entity at `&`.
    pub(super) fn entity(&self, at: usize) -> Option<usize> {
        let end = match (self.char_at(at + 1)?, self.byte(at + 2)) {
            ('#', Some(b'x' | b'X')) => self.some(at + 3, |c| c.is_ascii_hexdigit())?,
            ('#', _) => self.some(at + 2, |c| c.is_ascii_digit())?,
            (first, _) if first.is_ascii_alphabetic() || matches!(first, ':' | '_') => {
                self.run(at + 1, |c| is_alnum(c) || matches!(c, ':' | '_' | '.' | '-'))
            }
            _ => return None,
        };
        (self.byte(end) == Some(b';')).then_some(end + 1)
    }

    /// The end of one or more such characters.
    fn some(&self, at: usize, holds: impl Fn(char) -> bool) -> Option<usize> {
        let end = self.run(at, holds);
        (end > at).then_some(end)
    }
}
