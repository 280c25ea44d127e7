//! Unicode normal forms (PostgreSQL manual, table "SQL String Functions and Operators").

use aegis_catalog::{Error, Result, sqlstate};
use unicode_normalization::UnicodeNormalization;

use crate::functions::kernel::kernel;
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    vec![
        f("normalize(text, text)", kernel!(|text: &str, form: &str| normalize(text, form))),
        f(
            "is_normalized(text, text)",
            kernel!(|text: &str, form: &str| Ok::<_, Error>(normalize(text, form)? == text)),
        ),
    ]
}

fn normalize(text: &str, form: &str) -> Result<String> {
    Ok(match form.to_ascii_uppercase().as_str() {
        "NFC" => text.nfc().collect(),
        "NFD" => text.nfd().collect(),
        "NFKC" => text.nfkc().collect(),
        "NFKD" => text.nfkd().collect(),
        _ => {
            let message = format!("invalid normalization form: {form}");
            return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
        }
    })
}
