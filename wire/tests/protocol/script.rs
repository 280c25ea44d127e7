//! Runs scripts of messages to send and replies to expect.
//!
//! ```text
//! === name of the case          a new session; `only postgres` or `only aegis` in it restricts the case
//! setup CREATE TABLE t (a int)  a statement that must succeed
//! > Query "SELECT 1"            queued; everything queued is sent in one piece before the next expectation
//! < RowDescription a:23         the next reply, in the words of `client::describe`; `*` as the last word matches any rest
//! < Error 42601 "message" position=8      fields that are named must be equal
//! < DataRows 1000               so many rows, whatever they hold
//! < Nothing                     silence
//! < Closed                      the server hangs up
//! @b > Query "SELECT 1"         another session, `b`, made when it is first named
//! cancel                        a CancelRequest for the session; `cancel wrong` with a wrong secret
//! open                          replaces the session by a socket without a startup packet
//! disconnect                    hangs up
//! send                          sends what was queued, without waiting for a reply
//! ```

use std::collections::HashMap;
use std::io;
use std::path::Path;

use crate::client::{Client, Reply, describe, encode, error_field, startup};
use crate::token::{Token, tokens};

/// Where the scripts run.
pub struct Target<'a> {
    pub address: &'a str,
    pub user: &'a str,
    pub database: &'a str,
    /// `postgres` or `aegis`.
    pub server: &'a str,
}

/// A case's failure: where and why.
pub struct Failure {
    pub case: String,
    pub reason: String,
}

/// Runs the cases of a file whose names contain `filter`; how many ran, and what failed.
pub fn run_file(target: &Target<'_>, path: &Path, filter: &str) -> (usize, Vec<Failure>) {
    let text = std::fs::read_to_string(path).unwrap();
    let file = path.file_name().unwrap().to_string_lossy();
    let (mut ran, mut failures) = (0, Vec::new());
    let mut start = 0;
    let lines: Vec<&str> = text.lines().collect();
    while start < lines.len() {
        let Some(name) = lines[start].strip_prefix("=== ") else {
            start += 1;
            continue;
        };
        let end = (start + 1..lines.len()).find(|&line| lines[line].starts_with("=== ")).unwrap_or(lines.len());
        let body = &lines[start + 1..end];
        let restricted = body.iter().find_map(|line| line.strip_prefix("only "));
        if name.contains(filter) && restricted.is_none_or(|server| server.trim() == target.server) {
            ran += 1;
            if let Err(reason) = run_case(target, body, start + 2) {
                failures.push(Failure { case: format!("{file}: {name}"), reason });
            }
        }
        start = end;
    }
    (ran, failures)
}

fn run_case(target: &Target<'_>, lines: &[&str], first_line: usize) -> Result<(), String> {
    let mut sessions: HashMap<String, Client> = HashMap::new();
    for (offset, line) in lines.iter().enumerate() {
        let (session, line) = match line.strip_prefix('@').and_then(|line| line.split_once(' ')) {
            Some((session, line)) => (session, line),
            None => ("a", *line),
        };
        if line.trim().is_empty() || line.starts_with('#') || line.starts_with("only ") {
            continue;
        }
        step(target, &mut sessions, session, line)
            .map_err(|reason| format!("line {}: {line}\n      {reason}", first_line + offset))?;
    }
    Ok(())
}

fn step(target: &Target<'_>, sessions: &mut HashMap<String, Client>, session: &str, line: &str) -> Result<(), String> {
    if line == "open" {
        sessions.insert(session.to_owned(), Client::open(target.address));
        return Ok(());
    }
    let connect = || Client::connect(target.address, target.user, target.database);
    let client = sessions.entry(session.to_owned()).or_insert_with(connect);
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    match verb {
        ">" => {
            let words = tokens(rest);
            client.queue(&encode(&words[0].text(), &words[1..]));
            Ok(())
        }
        "<" => {
            client.send();
            expect(client, rest)
        }
        "send" => {
            client.send();
            Ok(())
        }
        "setup" => {
            client.queue(&encode("Query", &[Token::Bytes(rest.as_bytes().to_vec())]));
            client.send();
            client.until_ready()
        }
        "cancel" => {
            let (pid, secret) = client.key;
            let secret = if rest == "wrong" { !secret } else { secret };
            let mut canceller = Client::open(target.address);
            canceller.queue(&startup(80_877_102, &[pid.to_be_bytes(), secret.to_be_bytes()].concat()));
            canceller.send();
            match canceller.reply() {
                Ok(None) => Ok(()),
                other => Err(format!("a cancel request was answered: {other:?}")),
            }
        }
        "sleep" => {
            std::thread::sleep(std::time::Duration::from_millis(rest.trim().parse().unwrap()));
            Ok(())
        }
        "disconnect" => {
            client.send();
            if let Some(client) = sessions.remove(session) {
                client.disconnect();
            }
            Ok(())
        }
        other => Err(format!("no directive is called {other}")),
    }
}

fn expect(client: &mut Client, expected: &str) -> Result<(), String> {
    let words = tokens(expected);
    match words[0].text().as_str() {
        "Nothing" => return if client.is_silent() { Ok(()) } else { Err(next(client)) },
        "Byte" => {
            let byte = client.byte().map_err(|error| error.to_string())?;
            let wanted = words[1].bytes();
            return if wanted.contains(&byte) { Ok(()) } else { Err(format!("got byte {:?}", char::from(byte))) };
        }
        "DataRows" => return (0..words[1].number()).try_for_each(|_| expect(client, "DataRow *")),
        "Ready" => return client.until_ready().or(Ok(())),
        _ => {}
    }
    match client.reply() {
        Ok(None) if words[0].text() == "Closed" => Ok(()),
        Ok(Some(reply)) => compare(&reply, &words),
        Ok(None) => Err("the server closed the connection".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err("nothing came".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn next(client: &mut Client) -> String {
    match client.reply() {
        Ok(Some(reply)) => format!("got {}", describe(&reply)),
        Ok(None) => "the server closed the connection".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn compare(reply: &Reply, expected: &[Token]) -> Result<(), String> {
    let described = describe(reply);
    let got = tokens(&described);
    let mismatch = || Err(format!("got {described}{}", details(reply)));
    let mut position = 0;
    for token in expected {
        match token {
            Token::Key(name, value) => {
                let field = error_field(reply, field_code(name));
                if field != value.text() {
                    return Err(format!("got {name}={field:?} in {described}"));
                }
            }
            Token::Word(word) if word == "*" => {
                // At the end it stands for anything, elsewhere for one word.
                if position + 1 == expected.iter().filter(|token| !matches!(token, Token::Key(..))).count() {
                    position = got.len();
                    continue;
                }
                position += 1;
            }
            token => {
                if got.get(position).is_none_or(|got| !same(got, token)) {
                    return mismatch();
                }
                position += 1;
            }
        }
    }
    let is_error = matches!(reply.tag, b'E' | b'N');
    if position < got.len() && !is_error { mismatch() } else { Ok(()) }
}

/// Quotes are only needed where words would not do.
fn same(got: &Token, expected: &Token) -> bool {
    match (got, expected) {
        (Token::List(got), Token::List(expected)) => got == expected,
        (Token::List(_), _) | (_, Token::List(_)) | (Token::Key(..), _) => false,
        // An unquoted null is not the text "null".
        (Token::Word(got), expected) if got == "null" => *expected == Token::Word("null".to_owned()),
        (Token::Bytes(_), Token::Word(word)) if word == "null" => false,
        (got, expected) => got.bytes() == expected.bytes(),
    }
}

fn field_code(name: &str) -> u8 {
    match name {
        "severity" => b'V',
        "detail" => b'D',
        "hint" => b'H',
        "position" => b'P',
        "context" => b'W',
        "schema" => b's',
        "table" => b't',
        "column" => b'c',
        "datatype" => b'd',
        "constraint" => b'n',
        other => panic!("no error field is called {other}"),
    }
}

fn details(reply: &Reply) -> String {
    if !matches!(reply.tag, b'E' | b'N') {
        return String::new();
    }
    let shown = [("severity", b'V'), ("detail", b'D'), ("hint", b'H'), ("position", b'P'), ("context", b'W')];
    shown
        .iter()
        .map(|(name, code)| (name, error_field(reply, *code)))
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!(" {name}={value:?}"))
        .collect()
}
