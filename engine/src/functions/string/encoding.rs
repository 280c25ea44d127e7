//! Encodings, hashes, and numbers in other bases.

use aegis_catalog::{Error, Result, sqlstate};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest, Md5};
use sha2::{Sha224, Sha256, Sha384, Sha512};

use crate::functions::kernel::{kernel, volatile};
use crate::functions::signature::{Row, f};
use crate::functions::value::Uuid;

pub fn functions() -> Vec<Row> {
    vec![
        f("md5(text)", kernel!(|a: &str| hex(&Md5::digest(a)))),
        f("md5(bytea)", kernel!(|a: &[u8]| hex(&Md5::digest(a)))),
        f("sha224(bytea)", kernel!(|a: &[u8]| Sha224::digest(a).to_vec())),
        f("sha256(bytea)", kernel!(|a: &[u8]| Sha256::digest(a).to_vec())),
        f("sha384(bytea)", kernel!(|a: &[u8]| Sha384::digest(a).to_vec())),
        f("sha512(bytea)", kernel!(|a: &[u8]| Sha512::digest(a).to_vec())),
        f("encode(bytea, text)", kernel!(|a: &[u8], format: &str| encode(a, format))),
        f("decode(text, text)", kernel!(|a: &str, format: &str| decode(a, format))),
        f("to_hex(int4)", kernel!(|a: i32| format!("{a:x}"))),
        f("to_hex(int8)", kernel!(|a: i64| format!("{a:x}"))),
        f("convert_from(bytea, name)", kernel!(|a: &[u8], encoding: &str| from_encoding(a, encoding))),
        f("convert_to(text, name)", kernel!(|a: &str, encoding: &str| to_encoding(a, encoding))),
        f("gen_random_uuid()", volatile!(|| Uuid(uuid::Uuid::new_v4().into_bytes()))),
        f("unistr(text)", kernel!(|a: &str| unistr(a))),
        f("to_ascii(text)", kernel!(|a: &str| to_ascii(a))),
    ]
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unknown_format(format: &str) -> Error {
    Error::new(sqlstate::INVALID_PARAMETER_VALUE, format!("unrecognized encoding: \"{format}\""))
}

fn encode(bytes: &[u8], format: &str) -> Result<String> {
    match format.to_ascii_lowercase().as_str() {
        "hex" => Ok(hex(bytes)),
        "base64" => {
            let encoded = BASE64.encode(bytes);
            // Lines of 76 characters, as in MIME.
            let lines: Vec<String> =
                encoded.as_bytes().chunks(76).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
            Ok(lines.join("\n"))
        }
        "escape" => {
            let mut text = String::with_capacity(bytes.len());
            for &byte in bytes {
                match byte {
                    b'\\' => text.push_str("\\\\"),
                    0 | 0x80.. => text.push_str(&format!("\\{byte:03o}")),
                    byte => text.push(char::from(byte)),
                }
            }
            Ok(text)
        }
        _ => Err(unknown_format(format)),
    }
}

fn decode(text: &str, format: &str) -> Result<Vec<u8>> {
    match format.to_ascii_lowercase().as_str() {
        "hex" => decode_hex(text),
        "base64" => {
            let compact: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
            BASE64.decode(compact).map_err(|error| match error {
                base64::DecodeError::InvalidByte(_, symbol) => Error::new(
                    sqlstate::INVALID_PARAMETER_VALUE,
                    format!("invalid symbol \"{}\" found while decoding base64 sequence", char::from(symbol)),
                ),
                _ => Error::new(sqlstate::INVALID_PARAMETER_VALUE, "invalid base64 end sequence")
                    .with_hint("Input data is missing padding, is truncated, or is otherwise corrupted."),
            })
        }
        "escape" => decode_escape(text),
        _ => Err(unknown_format(format)),
    }
}

fn decode_hex(text: &str) -> Result<Vec<u8>> {
    let mut digits = Vec::with_capacity(text.len());
    for character in text.chars().filter(|c| !matches!(c, ' ' | '\n' | '\t' | '\r')) {
        let digit = character.to_digit(16).ok_or_else(|| {
            Error::new(sqlstate::INVALID_PARAMETER_VALUE, format!("invalid hexadecimal digit: \"{character}\""))
        })?;
        digits.push(digit as u8);
    }
    if digits.len() % 2 == 1 {
        return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, "invalid hexadecimal data: odd number of digits"));
    }
    Ok(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

fn decode_escape(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    loop {
        rest = match rest {
            [] => return Ok(bytes),
            [b'\\', b'\\', tail @ ..] => {
                bytes.push(b'\\');
                tail
            }
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..] => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                tail
            }
            [b'\\', ..] => {
                return Err(Error::new(sqlstate::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type bytea"));
            }
            [byte, tail @ ..] => {
                bytes.push(*byte);
                tail
            }
        };
    }
}

/// Whether the encoding is the server's own; latin1 is the one other that needs no tables.
fn is_utf8(encoding: &str) -> Result<bool> {
    let name: String = encoding.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    match name.as_str() {
        "utf8" | "unicode" => Ok(true),
        "latin1" | "iso88591" => Ok(false),
        _ => Err(Error::unsupported(format!("conversion with encoding \"{encoding}\""))),
    }
}

fn from_encoding(bytes: &[u8], encoding: &str) -> Result<String> {
    if is_utf8(encoding)? {
        return aegis_catalog::types::text::from_bytes(bytes).map(str::to_owned);
    }
    Ok(bytes.iter().map(|&byte| char::from(byte)).collect())
}

fn to_encoding(text: &str, encoding: &str) -> Result<Vec<u8>> {
    if is_utf8(encoding)? {
        return Ok(text.as_bytes().to_vec());
    }
    text.chars()
        .map(|character| {
            u8::try_from(u32::from(character)).map_err(|_| {
                Error::new(
                    sqlstate::UNTRANSLATABLE_CHARACTER,
                    format!("character \"{character}\" in encoding \"UTF8\" has no equivalent in encoding \"LATIN1\""),
                )
            })
        })
        .collect()
}

fn unistr(text: &str) -> Result<String> {
    let invalid = || {
        Error::new(sqlstate::SYNTAX_ERROR, "invalid Unicode escape")
            .with_hint("Unicode escapes must be \\XXXX, \\+XXXXXX, \\uXXXX, or \\UXXXXXXXX.")
    };
    let mut result = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('\\') {
        result.push_str(&rest[..start]);
        rest = &rest[start + 1..];
        let (skip, digits) = match rest.as_bytes().first() {
            Some(b'\\') => {
                result.push('\\');
                rest = &rest[1..];
                continue;
            }
            Some(b'+') => (1, 6),
            Some(b'u') => (1, 4),
            Some(b'U') => (1, 8),
            _ => (0, 4),
        };
        let code = rest.get(skip..skip + digits).ok_or_else(invalid)?;
        let code = u32::from_str_radix(code, 16).map_err(|_| invalid())?;
        result.push(char::from_u32(code).ok_or_else(invalid)?);
        rest = &rest[skip + digits..];
    }
    result.push_str(rest);
    Ok(result)
}

/// PostgreSQL converts from single-byte encodings only.
fn to_ascii(_text: &str) -> Result<String> {
    Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, "encoding conversion from UTF8 to ASCII not supported"))
}
