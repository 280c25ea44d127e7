//! Hosts, mail addresses, URLs, protocols; files and paths.

use super::{Found, T, Token, Tokens};

/// Where in a host name a scan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    /// After a dot: a letter begins what may be the last label.
    First,
    /// After the first letter behind a dot.
    Second,
    /// Two letters or more behind a dot: the name may end here.
    Last,
    /// After a hyphen or an underscore.
    FirstOfPart,
    Plain,
}

impl Label {
    /// A name goes on behind it with a dot, a hyphen or `@`.
    fn ends_name(self) -> bool {
        matches!(self, Self::Second | Self::Last | Self::Plain)
    }
}

impl Tokens<'_> {
    /// The host name, mail address or URL that goes on at `at`.
    pub(super) fn host(&self, at: usize, label: Label) -> Option<Found> {
        let (at, label, end) = self.labels(at, label);
        if self.byte(at) == Some(b'@')
            && label.ends_name()
            && let Some(found) = self.email(at + 1)
        {
            return Some(found);
        }
        let end = if label == Label::Last { self.port(at) } else { return end.map(|end| (T::Host, end)) };
        Some(self.url_path(end).map_or((T::Host, end), |end| (T::Url, end)))
    }

    /// As far as a host name's characters go: where that is, in what label, and the last place where the name could have ended.
    fn labels(&self, mut at: usize, mut label: Label) -> (usize, Label, Option<usize>) {
        let mut end = None;
        loop {
            let next = match (label, self.byte(at)) {
                (Label::First, Some(b'a'..=b'z' | b'A'..=b'Z')) => Label::Second,
                (Label::Second | Label::Last, Some(b'a'..=b'z' | b'A'..=b'Z')) => Label::Last,
                (Label::FirstOfPart | Label::Plain, Some(b'a'..=b'z' | b'A'..=b'Z')) => Label::Plain,
                (_, Some(b'0'..=b'9')) => Label::Plain,
                (label, Some(b'.')) if label.ends_name() => Label::First,
                (label, Some(b'-' | b'_')) if label.ends_name() => Label::FirstOfPart,
                _ => return (at, label, end),
            };
            if label == Label::Last && matches!(next, Label::First | Label::FirstOfPart) {
                end = Some(at);
            }
            (at, label) = (at + 1, next);
        }
    }

    /// The end of a port at `at`, if there is one.
    fn port(&self, at: usize) -> usize {
        match self.byte(at) {
            Some(b':') if self.is_digit(at + 1) => self.digits(at + 1),
            _ => at,
        }
    }

    /// The end of a path at `at`.
    fn url_path(&self, at: usize) -> Option<usize> {
        let is_in_url = |c: char| c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c);
        let first = (self.byte(at) == Some(b'/')).then_some(at + 1)?;
        let end = self.run(first, is_in_url);
        (end > first).then_some(end)
    }

    /// Host and path of a URL.
    pub(super) fn split_url(&mut self, start: usize, end: usize) {
        let url = self.slice(start, end);
        let (host, path) = url.split_at(url.find('/').unwrap_or(url.len()));
        self.parts.push_back(Token { kind: T::Host, text: host });
        self.parts.push_back(Token { kind: T::UrlPath, text: path });
    }

    /// The host of a mail address at `at`.
    pub(super) fn email(&self, at: usize) -> Option<Found> {
        let first = self.byte(at).filter(u8::is_ascii_alphanumeric)?;
        let label = if first.is_ascii_digit() { Label::Plain } else { Label::FirstOfPart };
        let (at, label, end) = self.labels(at, label);
        let end = if label == Label::Last { Some(self.port(at)) } else { end };
        end.map(|end| (T::Email, end))
    }

    /// At the colon of `http://`.
    pub(super) fn protocol(&self, colon: usize) -> Option<Found> {
        self.slice(colon, colon + 3).eq("://").then_some((T::Protocol, colon + 3))
    }

    // ------------------------------------------------------------------------------------------------ files

    /// At `/` or `~` where a token begins.
    pub(super) fn file_start(&self, at: usize) -> Option<Found> {
        self.file(at)
    }

    /// At a dot where a token begins: `./name`, `../name`, `..`.
    pub(super) fn path_start(&self, at: usize) -> Option<Found> {
        match self.byte(at + 1) {
            Some(b'.') => self.parent_folder(at + 2),
            Some(b'/') => self.file(at + 1),
            _ => None,
        }
    }

    /// After `..`.
    fn parent_folder(&self, at: usize) -> Option<Found> {
        match self.char_at(at) {
            Some('/') => Some(self.file(at).unwrap_or((T::File, at))),
            Some(other) if !other.is_whitespace() => None,
            _ => Some((T::File, at)),
        }
    }

    /// A path that goes on with `/`, `.` or `~` at `at`.
    pub(super) fn file(&self, mut at: usize) -> Option<Found> {
        let mut end = None;
        loop {
            let name = match self.byte(at) {
                Some(b'/') => match self.after_slash(at + 1) {
                    Some(AfterSlash::Name(name)) => Some(name),
                    Some(AfterSlash::Parent(found)) => return Some(found),
                    None => None,
                },
                Some(b'.') => self.begins_name(at + 1).then_some(at + 1),
                Some(b'~') if end.is_none() => match self.after_tilde(at + 1) {
                    Some(AfterSlash::Name(name)) => Some(name),
                    Some(AfterSlash::Parent(found)) => return Some(found),
                    None => None,
                },
                _ => None,
            };
            let Some(name) = name else { return end };
            at = self.run(name, |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
            end = Some((T::File, at));
        }
    }

    fn begins_name(&self, at: usize) -> bool {
        self.byte(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    }

    fn after_slash(&self, mut at: usize) -> Option<AfterSlash> {
        loop {
            match (self.byte(at)?, self.byte(at + 1)) {
                _ if self.begins_name(at) => return Some(AfterSlash::Name(at)),
                (b'~', _) => return self.after_tilde(at + 1),
                (b'.', _) if self.begins_name(at + 1) => return Some(AfterSlash::Name(at + 1)),
                (b'.', Some(b'/')) => at += 2,
                (b'.', Some(b'.')) => return self.parent_folder(at + 2).map(AfterSlash::Parent),
                _ => return None,
            }
        }
    }

    fn after_tilde(&self, at: usize) -> Option<AfterSlash> {
        match self.byte(at) {
            _ if self.begins_name(at) => Some(AfterSlash::Name(at)),
            Some(b'/') => self.after_slash(at + 1),
            _ => None,
        }
    }
}

/// What stands behind the slash of a path.
enum AfterSlash {
    /// Where a name begins.
    Name(usize),
    /// `..` and what follows it.
    Parent(Found),
}
