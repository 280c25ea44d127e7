//! `boolean` (manual 8.6).

use super::text::{invalid_input, trim};
use crate::error::Result;

/// Unique prefixes of true, false, yes, no, on, off, and 1 and 0; any case, spaces around them ignored.
pub fn parse(text: &str) -> Result<bool> {
    let word = trim(text).as_bytes();
    let is_prefix_of =
        |full: &str| full.len() >= word.len() && full.as_bytes()[..word.len()].eq_ignore_ascii_case(word);
    let value = match word.first().map(u8::to_ascii_lowercase) {
        Some(b't') if is_prefix_of("true") => true,
        Some(b'f') if is_prefix_of("false") => false,
        Some(b'y') if is_prefix_of("yes") => true,
        Some(b'n') if is_prefix_of("no") => false,
        Some(b'o') if is_prefix_of("on") && word.len() == 2 => true,
        Some(b'o') if is_prefix_of("off") && word.len() >= 2 => false,
        Some(b'1') if word.len() == 1 => true,
        Some(b'0') if word.len() == 1 => false,
        _ => return Err(invalid_input("boolean", text)),
    };
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for word in ["t", "TRUE", " yes ", "on", "1", "tr"] {
            assert!(parse(word).unwrap(), "{word}");
        }
        for word in ["f", "false", "no", "of", "OFF", "0", "n"] {
            assert!(!parse(word).unwrap(), "{word}");
        }
        for word in ["", "o", "truee", "2", "10", "nay"] {
            assert_eq!(
                parse(word).unwrap_err().message(),
                format!("invalid input syntax for type boolean: \"{word}\"")
            );
        }
    }
}
