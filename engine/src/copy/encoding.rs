//! Encodings of COPY data. The server's own is UTF-8.

use std::borrow::Cow;

use aegis_catalog::{Error, Result, sqlstate};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Also SQL_ASCII, whose bytes must be UTF-8 all the same.
    Utf8,
    Latin1,
}

/// PostgreSQL's other encodings (manual 24.3.1), so that a name it knows is not called invalid.
const OTHERS: &[&str] = &[
    "big5",
    "euccn",
    "eucjp",
    "eucjis2004",
    "euckr",
    "euctw",
    "gb18030",
    "gbk",
    "iso88595",
    "iso88596",
    "iso88597",
    "iso88598",
    "johab",
    "koi8r",
    "koi8u",
    "latin2",
    "latin3",
    "latin4",
    "latin5",
    "latin6",
    "latin7",
    "latin8",
    "latin9",
    "latin10",
    "muleinternal",
    "sjis",
    "shiftjis2004",
    "uhc",
    "win866",
    "win874",
    "win1250",
    "win1251",
    "win1252",
    "win1253",
    "win1254",
    "win1255",
    "win1256",
    "win1257",
    "win1258",
];

/// Names are compared without case and punctuation.
fn canonical(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

impl Encoding {
    pub fn by_name(name: &str) -> Option<Encoding> {
        match canonical(name).as_str() {
            "utf8" | "unicode" | "sqlascii" => Some(Encoding::Utf8),
            "latin1" | "iso88591" => Some(Encoding::Latin1),
            _ => None,
        }
    }

    /// Whether PostgreSQL has an encoding of this name.
    pub fn is_known(name: &str) -> bool {
        Encoding::by_name(name).is_some() || OTHERS.contains(&canonical(name).as_str())
    }

    /// Data of this encoding in UTF-8. Whether UTF-8 is valid shows line by line.
    pub(super) fn decode<'a>(self, data: &'a [u8]) -> Cow<'a, [u8]> {
        match self {
            Encoding::Latin1 if !data.is_ascii() => {
                Cow::Owned(data.iter().map(|&byte| char::from(byte)).collect::<String>().into_bytes())
            }
            _ => Cow::Borrowed(data),
        }
    }

    /// UTF-8 from position `start` on, rewritten in this encoding.
    pub(super) fn encode(self, out: &mut Vec<u8>, start: usize) -> Result<()> {
        if self == Encoding::Utf8 || out.get(start..).is_none_or(<[u8]>::is_ascii) {
            return Ok(());
        }
        let text = String::from_utf8(out.split_off(start)).map_err(|_| Error::internal("COPY text is not UTF-8"))?;
        for character in text.chars() {
            match u8::try_from(u32::from(character)) {
                Ok(byte) => out.push(byte),
                Err(_) => return Err(untranslatable(character)),
            }
        }
        Ok(())
    }
}

fn untranslatable(character: char) -> Error {
    let mut buffer = [0; 4];
    let bytes: Vec<String> = character.encode_utf8(&mut buffer).bytes().map(|byte| format!("0x{byte:02x}")).collect();
    Error::new(
        sqlstate::UNTRANSLATABLE_CHARACTER,
        format!(
            "character with byte sequence {} in encoding \"UTF8\" has no equivalent in encoding \"LATIN1\"",
            bytes.join(" ")
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latin1_both_ways() {
        assert_eq!(Encoding::Latin1.decode(b"a\xe4").as_ref(), "aä".as_bytes());
        let mut out = "xaä".as_bytes().to_vec();
        Encoding::Latin1.encode(&mut out, 1).unwrap();
        assert_eq!(out, b"xa\xe4");
        let error = Encoding::Latin1.encode(&mut "€".as_bytes().to_vec(), 0).unwrap_err();
        assert_eq!(
            error.message(),
            "character with byte sequence 0xe2 0x82 0xac in encoding \"UTF8\" has no equivalent in encoding \"LATIN1\""
        );
    }

    #[test]
    fn names() {
        assert_eq!(Encoding::by_name("utf-8"), Some(Encoding::Utf8));
        assert_eq!(Encoding::by_name("ISO_8859_1"), Some(Encoding::Latin1));
        assert!(Encoding::is_known("WIN-1252") && Encoding::by_name("WIN1252").is_none());
        assert!(!Encoding::is_known("nope"));
    }
}
