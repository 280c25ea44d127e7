//! A client that sends exactly the bytes it is told to, and prints what it gets in the scripts' words.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::token::Token;

/// How long an expected message may take.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Client {
    stream: TcpStream,
    pending: Vec<u8>,
    pub key: (i32, i32),
}

/// A message from the server.
#[derive(Debug)]
pub struct Reply {
    pub tag: u8,
    pub body: Vec<u8>,
}

impl Client {
    /// A socket on which nothing was said yet.
    pub fn open(address: &str) -> Client {
        let stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("connect to {address}: {error}"));
        stream.set_nodelay(true).unwrap();
        Client { stream, pending: Vec::new(), key: (0, 0) }
    }

    /// A session that is ready for queries.
    pub fn connect(address: &str, user: &str, database: &str) -> Client {
        let mut client = Client::open(address);
        let body = format!("user\0{user}\0database\0{database}\0\0");
        client.queue(&startup(3 << 16, body.as_bytes()));
        client.send();
        client.until_ready().unwrap_or_else(|error| panic!("cannot connect: {error}"));
        client
    }

    pub fn queue(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// Sends what was queued, all at once. A server that hung up already is noticed when its answer is missed.
    pub fn send(&mut self) {
        let _ = self.stream.write_all(&std::mem::take(&mut self.pending));
    }

    pub fn disconnect(self) {
        drop(self.stream);
    }

    /// The next message; None if the server closed the connection.
    pub fn reply(&mut self) -> io::Result<Option<Reply>> {
        self.stream.set_read_timeout(Some(PATIENCE))?;
        let mut head = [0; 5];
        if !read_whole(&mut self.stream, &mut head)? {
            return Ok(None);
        }
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        assert!((4..1 << 28).contains(&length), "{head:?} is no message");
        let mut body = vec![0; length - 4];
        if !read_whole(&mut self.stream, &mut body)? {
            return Ok(None);
        }
        let reply = Reply { tag: head[0], body };
        if reply.tag == b'K' {
            let word = |at: usize| i32::from_be_bytes(reply.body[at..at + 4].try_into().unwrap());
            self.key = (word(0), word(4));
        }
        Ok(Some(reply))
    }

    /// One byte that is no message: the answer to SSLRequest.
    pub fn byte(&mut self) -> io::Result<u8> {
        self.stream.set_read_timeout(Some(PATIENCE))?;
        let mut byte = [0];
        self.stream.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    /// Whether the server stays silent for a while.
    pub fn is_silent(&mut self) -> bool {
        self.stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let mut byte = [0];
        matches!(self.stream.peek(&mut byte), Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut))
    }

    /// Skips to ReadyForQuery; the first error on the way.
    pub fn until_ready(&mut self) -> Result<(), String> {
        let mut first = None;
        loop {
            match self.reply() {
                Ok(Some(reply)) if reply.tag == b'Z' => return first.map_or(Ok(()), Err),
                Ok(Some(reply)) if reply.tag == b'E' => first = first.or(Some(describe(&reply))),
                Ok(Some(_)) => {}
                Ok(None) => return Err(first.unwrap_or_else(|| "connection closed".to_owned())),
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}

/// False if the stream ended first.
fn read_whole(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<bool> {
    match stream.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

// ---------------------------------------------------------------------------------------------- sending

pub fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    bytes.extend((body.len() as u32 + 4).to_be_bytes());
    bytes.extend(body);
    bytes
}

pub fn startup(version: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = (body.len() as u32 + 8).to_be_bytes().to_vec();
    bytes.extend(version.to_be_bytes());
    bytes.extend(body);
    bytes
}

/// The bytes of a line `> Name arguments…`.
pub fn encode(name: &str, arguments: &[Token]) -> Vec<u8> {
    let plain: Vec<&Token> = arguments.iter().filter(|token| !matches!(token, Token::Key(..))).collect();
    let key = |wanted: &str| {
        arguments.iter().find_map(|token| match token {
            Token::Key(key, value) if key == wanted => Some(value.as_ref()),
            _ => None,
        })
    };
    let list = |wanted: &str| key(wanted).map(|token| token.items().to_vec()).unwrap_or_default();
    let argument = |index: usize| plain.get(index).map(|token| token.bytes()).unwrap_or_default();
    let terminated = |index: usize| [argument(index), vec![0]].concat();
    let number = |index: usize| plain.get(index).map_or(0, |token| token.number());
    match name {
        "Query" => message(b'Q', &terminated(0)),
        "Parse" => {
            let types = list("types");
            let mut body = [terminated(0), terminated(1)].concat();
            body.extend((types.len() as u16).to_be_bytes());
            types.iter().for_each(|oid| body.extend((oid.number() as u32).to_be_bytes()));
            message(b'P', &body)
        }
        "Bind" => {
            let mut body = [terminated(0), terminated(1), formats(&list("formats"))].concat();
            let values = list("values");
            body.extend((values.len() as u16).to_be_bytes());
            for value in &values {
                if *value == Token::Word("null".to_owned()) {
                    body.extend((-1i32).to_be_bytes());
                } else {
                    body.extend((value.bytes().len() as u32).to_be_bytes());
                    body.extend(value.bytes());
                }
            }
            body.extend(formats(&list("results")));
            message(b'B', &body)
        }
        "Describe" => message(b'D', &[argument(0), terminated(1)].concat()),
        "Close" => message(b'C', &[argument(0), terminated(1)].concat()),
        "Execute" => message(b'E', &[terminated(0), (number(1) as u32).to_be_bytes().to_vec()].concat()),
        "Sync" => message(b'S', &[]),
        "Flush" => message(b'H', &[]),
        "Terminate" => message(b'X', &[]),
        "CopyData" => message(b'd', &argument(0)),
        "CopyDone" => message(b'c', &[]),
        "CopyFail" => message(b'f', &terminated(0)),
        // Message TYPE BODY: any type, any body.
        "Message" => message(argument(0).first().copied().unwrap_or(0), &argument(1)),
        "Raw" => argument(0),
        "SSLRequest" => startup(80_877_103, &[]),
        "GSSENCRequest" => startup(80_877_104, &[]),
        // Startup MAJOR.MINOR name value …
        "Startup" => {
            let (major, minor) = plain[0].text().split_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
            let version = (major.parse::<u32>().unwrap() << 16) | minor.parse::<u32>().unwrap();
            let mut body = Vec::new();
            (1..plain.len()).for_each(|index| body.extend(terminated(index)));
            body.push(0);
            startup(version, &body)
        }
        other => panic!("no message is called {other}"),
    }
}

fn formats(codes: &[Token]) -> Vec<u8> {
    let mut bytes = (codes.len() as u16).to_be_bytes().to_vec();
    codes.iter().for_each(|code| bytes.extend((code.number() as u16).to_be_bytes()));
    bytes
}

// ---------------------------------------------------------------------------------------------- receiving

/// A reply in the words that scripts use. Errors show code and message; [`error_field`] finds the rest.
pub fn describe(reply: &Reply) -> String {
    let mut body = Cursor(&reply.body);
    match reply.tag {
        b'R' => match body.u32() {
            0 => "AuthenticationOk".to_owned(),
            other => format!("Authentication {other}"),
        },
        b'S' => format!("ParameterStatus {} {}", body.string(), quote(body.string().as_bytes())),
        b'K' => "BackendKeyData".to_owned(),
        b'Z' => format!("ReadyForQuery {}", char::from(body.u8())),
        b'v' => {
            let version = body.u32();
            let options: Vec<String> = (0..body.u32()).map(|_| body.string()).collect();
            format!("NegotiateProtocolVersion {}.{} [{}]", version >> 16, version & 0xFFFF, options.join(", "))
        }
        b'T' => {
            let columns: Vec<String> = (0..body.u16()).map(|_| column(&mut body)).collect();
            format!("RowDescription {}", columns.join(" ")).trim_end().to_owned()
        }
        b'D' => {
            let values: Vec<String> = (0..body.u16())
                .map(|_| match body.u32() {
                    u32::MAX => "null".to_owned(),
                    length => quote(body.take(length as usize)),
                })
                .collect();
            format!("DataRow {}", values.join(" ")).trim_end().to_owned()
        }
        b'A' => {
            body.u32();
            format!("Notification {} {}", quote(body.string().as_bytes()), quote(body.string().as_bytes()))
        }
        b't' => {
            let types: Vec<String> = (0..body.u16()).map(|_| body.u32().to_string()).collect();
            format!("ParameterDescription {}", types.join(" ")).trim_end().to_owned()
        }
        b'C' => format!("CommandComplete {}", quote(body.string().as_bytes())),
        b'I' => "EmptyQueryResponse".to_owned(),
        b'1' => "ParseComplete".to_owned(),
        b'2' => "BindComplete".to_owned(),
        b'3' => "CloseComplete".to_owned(),
        b'n' => "NoData".to_owned(),
        b's' => "PortalSuspended".to_owned(),
        b'G' => copy_response("CopyIn", &mut body),
        b'H' => copy_response("CopyOut", &mut body),
        b'd' => format!("CopyData {}", quote(&reply.body)),
        b'c' => "CopyDone".to_owned(),
        b'E' => format!("Error {} {}", error_field(reply, b'C'), quote(error_field(reply, b'M').as_bytes())),
        b'N' => format!("Notice {} {}", error_field(reply, b'C'), quote(error_field(reply, b'M').as_bytes())),
        other => format!("Message {} {}", char::from(other), quote(&reply.body)),
    }
}

/// `name:type` with `:binary` if so, and `(typmod)` if there is one.
fn column(body: &mut Cursor<'_>) -> String {
    let name = body.string();
    body.take(6);
    let oid = body.u32();
    body.take(2);
    let typmod = body.u32() as i32;
    let binary = if body.u16() == 1 { ":binary" } else { "" };
    let typmod = if typmod == -1 { String::new() } else { format!("({typmod})") };
    format!("{name}:{oid}{binary}{typmod}")
}

fn copy_response(name: &str, body: &mut Cursor<'_>) -> String {
    let format = if body.u8() == 1 { "binary" } else { "text" };
    format!("{name} {format} {}", body.u16())
}

/// A field of ErrorResponse or NoticeResponse; empty if it is not there.
pub fn error_field(reply: &Reply, code: u8) -> String {
    let fields = reply.body.split(|&byte| byte == 0);
    let field = fields.into_iter().find(|field| field.first() == Some(&code));
    field.map(|field| String::from_utf8_lossy(&field[1..]).into_owned()).unwrap_or_default()
}

/// Text in quotes, or hex if it is not printable.
pub fn quote(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t' | '\r')) => {
            format!("{text:?}")
        }
        _ => format!("x'{}'", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
    }
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn u8(&mut self) -> u8 {
        self.take(1)[0]
    }

    fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.take(2).try_into().unwrap())
    }

    fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.take(4).try_into().unwrap())
    }

    fn string(&mut self) -> String {
        let end = self.0.iter().position(|&byte| byte == 0).expect("a terminated string");
        let text = String::from_utf8_lossy(self.take(end)).into_owned();
        self.take(1);
        text
    }
}
