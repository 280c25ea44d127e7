//! citext (PostgreSQL manual F.9): text that compares without regard to case.

use std::sync::Arc;

use aegis_catalog::types::{oid, text_of};
use aegis_catalog::{Error, Result};
use arrow::array::{Array, ArrayRef, StringViewBuilder};

use super::{Extension, Symbols};
use crate::functions::Call;
use crate::functions::comparison::{comparison, three_way_comparison};
use crate::functions::kernel::{columns, kernel};

pub const EXTENSION: Extension = Extension {
    name: "citext",
    version: "1.6",
    comment: "data type for case-insensitive character strings",
    trusted: true,
    relocatable: true,
    script: include_str!("citext.sql"),
    types: &[oid::CITEXT],
    symbols,
    ..Extension::EMPTY
};

const COMPARISONS: [(&str, &str); 6] = [
    ("citext_eq", "="),
    ("citext_ne", "<>"),
    ("citext_lt", "<"),
    ("citext_le", "<="),
    ("citext_ge", ">="),
    ("citext_gt", ">"),
];

fn symbols() -> Symbols {
    let compared = COMPARISONS.into_iter();
    let mut symbols: Symbols =
        compared.filter_map(|(symbol, operator)| Some((symbol, comparison(operator, oid::CITEXT)?))).collect();
    symbols.extend([
        ("citext_text", columns(text)),
        ("citext_cmp", three_way_comparison()),
        (
            "citext_smaller",
            kernel!(|a: &str, b: &str| if a.to_lowercase() < b.to_lowercase() { a } else { b }.to_owned()),
        ),
        (
            "citext_larger",
            kernel!(|a: &str, b: &str| if a.to_lowercase() > b.to_lowercase() { a } else { b }.to_owned()),
        ),
    ]);
    symbols
}

/// A value as text; blanks at the end of a `char` do not count.
fn text(call: &Call<'_>, args: &[ArrayRef]) -> Result<ArrayRef> {
    let ([values], [ty]) = (args, call.arg_types) else { return Err(Error::internal("citext has one argument")) };
    let mut texts = StringViewBuilder::with_capacity(values.len());
    for row in 0..values.len() {
        if values.is_null(row) {
            texts.append_null();
            continue;
        }
        let text = text_of(*ty, values, row, &call.context.format)?;
        texts.append_value(match ty.oid {
            oid::BPCHAR => text.trim_end_matches(' '),
            oid::BOOL if text == "t" => "true",
            oid::BOOL => "false",
            // Always with a mask.
            oid::INET if !text.contains('/') => {
                texts.append_value(format!("{text}/{}", if text.contains(':') { 128 } else { 32 }));
                continue;
            }
            _ => &text,
        });
    }
    Ok(Arc::new(texts.finish()))
}
