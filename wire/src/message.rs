//! Frontend messages: bytes to values. Pure; nothing here knows a socket.
//!
//! Source: PostgreSQL manual, "Message Formats". A message that does not follow its format is an ERROR 08P01 with the texts that
//! PostgreSQL's `pqformat.c` uses; text that is not UTF-8 is a 22021.

use aegis_engine::catalog::types::text;
use aegis_engine::catalog::{Error, Oid, Result, sqlstate};
use aegis_engine::session::protocol::Format;
use bytes::{Buf, Bytes};

/// One message as framed on the wire: its type byte and its body.
#[derive(Debug, Clone)]
pub struct Frame {
    pub tag: u8,
    pub body: std::result::Result<Bytes, TooLong>,
}

impl Frame {
    /// 54000 if it was too long to be kept.
    pub fn body(self) -> Result<Bytes> {
        self.body.map_err(|TooLong { length, limit }| {
            Error::new(sqlstate::PROGRAM_LIMIT_EXCEEDED, format!("message of {length} bytes is too long"))
                .with_detail(format!("Messages of clients may have {limit} bytes."))
                .with_hint("Send much data with COPY, or in several statements.")
        })
    }
}

/// Both in bytes.
#[derive(Debug, Clone, Copy)]
pub struct TooLong {
    pub length: usize,
    pub limit: usize,
}

/// What a client may send once it is authenticated.
#[derive(Debug)]
pub enum Message {
    Query(String),
    Parse { name: String, sql: String, parameter_types: Vec<Oid> },
    Bind(Bind),
    Describe(Target),
    Execute { portal: String, max_rows: Option<usize> },
    Close(Target),
    Flush,
    Sync,
    FunctionCall(FunctionCall),
    CopyData,
    CopyDone,
    CopyFail(String),
    Terminate,
}

#[derive(Debug)]
pub struct Bind {
    pub portal: String,
    pub statement: String,
    pub parameters: Vec<Option<Bytes>>,
    pub parameter_formats: Vec<Format>,
    pub result_formats: Vec<Format>,
}

#[derive(Debug)]
pub struct FunctionCall {
    pub function: Oid,
    pub arguments: Vec<Option<Bytes>>,
    pub argument_formats: Vec<Format>,
    pub result_format: Format,
}

/// What Describe and Close are about.
#[derive(Debug)]
pub enum Target {
    Statement(String),
    Portal(String),
}

/// Longest body of a message that carries no user data (`PQ_SMALL_MESSAGE_LIMIT`).
const SMALL_MESSAGE: usize = 10_000;

/// Longest body of any message (`PQ_LARGE_MESSAGE_LIMIT`).
const LARGE_MESSAGE: usize = 0x3fff_ffff - 1;

/// Most bytes, length word included, that a message of this type may announce; None if there is no such type.
pub fn length_limit(tag: u8) -> Option<usize> {
    match tag {
        b'Q' | b'P' | b'B' | b'F' | b'd' => Some(LARGE_MESSAGE),
        b'D' | b'E' | b'C' | b'H' | b'S' | b'X' | b'c' | b'f' => Some(SMALL_MESSAGE),
        _ => None,
    }
}

/// Messages after an error in which everything is skipped until Sync.
pub fn is_extended(tag: u8) -> bool {
    matches!(tag, b'P' | b'B' | b'D' | b'E' | b'C' | b'H')
}

impl Message {
    pub fn decode(frame: Frame) -> Result<Message> {
        let tag = frame.tag;
        let mut body = Body(frame.body()?);
        let message = match tag {
            b'Q' => Message::Query(body.string()?),
            b'P' => parse(&mut body)?,
            b'B' => Message::Bind(bind(&mut body)?),
            b'D' => Message::Describe(target(&mut body, "DESCRIBE")?),
            b'C' => Message::Close(target(&mut body, "CLOSE")?),
            b'E' => Message::Execute { portal: body.string()?, max_rows: body.row_limit()? },
            b'H' => Message::Flush,
            b'S' => Message::Sync,
            b'F' => Message::FunctionCall(function_call(&mut body)?),
            b'd' => return Ok(Message::CopyData),
            b'c' => Message::CopyDone,
            b'f' => Message::CopyFail(body.string()?),
            b'X' => return Ok(Message::Terminate),
            other => return Err(violation(format!("invalid frontend message type {other}"))),
        };
        body.finish()?;
        Ok(message)
    }
}

fn parse(body: &mut Body) -> Result<Message> {
    let name = body.string()?;
    let sql = body.string()?;
    let count = body.u16()?;
    let mut parameter_types = Vec::with_capacity(body.plausible(count, 4)?);
    for _ in 0..count {
        parameter_types.push(body.i32()? as Oid);
    }
    Ok(Message::Parse { name, sql, parameter_types })
}

fn bind(body: &mut Body) -> Result<Bind> {
    let portal = body.string()?;
    let statement = body.string()?;
    let parameter_formats = formats(body)?;
    let count = body.u16()?;
    if parameter_formats.len() > 1 && parameter_formats.len() != usize::from(count) {
        return Err(violation(format!(
            "bind message has {} parameter formats but {count} parameters",
            parameter_formats.len()
        )));
    }
    let parameters = values(body, count)?;
    let result_formats = formats(body)?;
    Ok(Bind { portal, statement, parameters, parameter_formats, result_formats })
}

fn function_call(body: &mut Body) -> Result<FunctionCall> {
    let function = body.i32()? as Oid;
    let argument_formats = formats(body)?;
    let count = body.u16()?;
    if argument_formats.len() > 1 && argument_formats.len() != usize::from(count) {
        return Err(violation(format!(
            "function call message contains {} argument formats but {count} arguments",
            argument_formats.len()
        )));
    }
    let arguments = values(body, count)?;
    Ok(FunctionCall { function, arguments, argument_formats, result_format: format(body)? })
}

fn values(body: &mut Body, count: u16) -> Result<Vec<Option<Bytes>>> {
    let mut values = Vec::with_capacity(body.plausible(count, 4)?);
    for _ in 0..count {
        values.push(match body.i32()? {
            -1 => None,
            length => Some(body.take(length)?),
        });
    }
    Ok(values)
}

fn formats(body: &mut Body) -> Result<Vec<Format>> {
    let count = body.u16()?;
    let mut formats = Vec::with_capacity(body.plausible(count, 2)?);
    for _ in 0..count {
        formats.push(format(body)?);
    }
    Ok(formats)
}

fn format(body: &mut Body) -> Result<Format> {
    match body.u16()? {
        0 => Ok(Format::Text),
        1 => Ok(Format::Binary),
        other => {
            let code = other as i16;
            Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, format!("unsupported format code: {code}")))
        }
    }
}

fn target(body: &mut Body, message: &str) -> Result<Target> {
    let subtype = body.u8()?;
    let name = body.string()?;
    match subtype {
        b'S' => Ok(Target::Statement(name)),
        b'P' => Ok(Target::Portal(name)),
        other => Err(violation(format!("invalid {message} message subtype {other}"))),
    }
}

/// The rest of a message body.
pub struct Body(pub Bytes);

impl Body {
    pub fn u8(&mut self) -> Result<u8> {
        self.0.try_get_u8().map_err(|_| violation("no data left in message"))
    }

    pub fn u16(&mut self) -> Result<u16> {
        self.0.try_get_u16().map_err(|_| insufficient())
    }

    pub fn i32(&mut self) -> Result<i32> {
        self.0.try_get_i32().map_err(|_| insufficient())
    }

    pub fn take(&mut self, length: i32) -> Result<Bytes> {
        match usize::try_from(length) {
            Ok(length) if length <= self.0.len() => Ok(self.0.split_to(length)),
            _ => Err(insufficient()),
        }
    }

    /// A zero-terminated string.
    pub fn string(&mut self) -> Result<String> {
        let Some(end) = self.0.iter().position(|&byte| byte == 0) else {
            return Err(violation("invalid string in message"));
        };
        let bytes = self.0.split_to(end);
        self.0.advance(1);
        Ok(text::from_bytes(&bytes)?.to_owned())
    }

    /// Zero and negative limits mean "all rows".
    fn row_limit(&mut self) -> Result<Option<usize>> {
        Ok(usize::try_from(self.i32()?).ok().filter(|&limit| limit > 0))
    }

    /// An element count that the rest of the message can hold, so that nothing is allocated for a lie.
    fn plausible(&self, count: u16, element_size: usize) -> Result<usize> {
        let count = usize::from(count);
        if count * element_size > self.0.len() { Err(insufficient()) } else { Ok(count) }
    }

    pub fn finish(&self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(violation("invalid message format")) }
    }
}

fn insufficient() -> Error {
    violation("insufficient data left in message")
}

/// 08P01.
pub fn violation(message: impl Into<String>) -> Error {
    Error::new(sqlstate::PROTOCOL_VIOLATION, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(tag: u8, body: &'static [u8]) -> Result<Message> {
        Message::decode(Frame { tag, body: Ok(Bytes::from_static(body)) })
    }

    #[test]
    fn malformed_messages() {
        let message = |tag, body| decode(tag, body).unwrap_err().message().to_owned();
        assert_eq!(message(b'Q', b"SELECT 1"), "invalid string in message");
        assert_eq!(message(b'Q', b"SELECT 1\0\0"), "invalid message format");
        assert_eq!(message(b'P', b"\0SELECT 1\0\xea\x60\0\0\0\x17"), "insufficient data left in message");
        assert_eq!(message(b'B', b"\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0"), "insufficient data left in message");
        assert_eq!(message(b'B', b"\0\0\0\0\0\x01\x7f\xff\xff\xff\0\0"), "insufficient data left in message");
        assert_eq!(message(b'D', b"Xa\0"), "invalid DESCRIBE message subtype 88");
        assert_eq!(message(b'C', b"Xa\0"), "invalid CLOSE message subtype 88");
        assert_eq!(message(b'z', b""), "invalid frontend message type 122");
        assert_eq!(message(b'E', b"\0\0\0"), "insufficient data left in message");
        assert_eq!(
            message(b'B', b"\0\0\0\x02\0\0\0\0\0\x01\xff\xff\xff\xff\0\0"),
            "bind message has 2 parameter formats but 1 parameters"
        );
        assert_eq!(decode(b'Q', b"'\xff'\0").unwrap_err().code(), sqlstate::CHARACTER_NOT_IN_REPERTOIRE);
        assert_eq!(decode(b'B', b"\0\0\0\x01\0\x07\0\0\0\0").unwrap_err().code(), sqlstate::INVALID_PARAMETER_VALUE);
    }

    #[test]
    fn bind_values() {
        let Message::Bind(bind) = decode(b'B', b"p\0s\0\0\x01\0\x01\0\x02\xff\xff\xff\xff\0\0\0\x01x\0\0").unwrap()
        else {
            panic!("not a Bind")
        };
        assert_eq!((bind.portal.as_str(), bind.statement.as_str()), ("p", "s"));
        assert_eq!(bind.parameters, [None, Some(Bytes::from_static(b"x"))]);
        assert_eq!(bind.parameter_formats, [Format::Binary]);
        assert!(bind.result_formats.is_empty());
    }

    #[test]
    fn row_limits() {
        let limit = |body| match decode(b'E', body).unwrap() {
            Message::Execute { max_rows, .. } => max_rows,
            other => panic!("{other:?}"),
        };
        assert_eq!(limit(b"\0\0\0\0\0"), None);
        assert_eq!(limit(b"\0\xff\xff\xff\xff"), None);
        assert_eq!(limit(b"\0\0\0\0\x07"), Some(7));
    }
}
