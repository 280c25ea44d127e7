//! Strings split into rows.

use super::set;
use crate::functions::array::List;
use crate::functions::pattern::{matches, split};
use crate::functions::signature::{Row, f};
use crate::functions::string::split_text;

pub fn functions() -> Vec<Row> {
    vec![
        f("regexp_matches(text, text)", set!(|a: &str, p: &str| Ok(rows(matches(a, p, "")?)))),
        f("regexp_matches(text, text, text)", set!(|a: &str, p: &str, flags: &str| Ok(rows(matches(a, p, flags)?)))),
        f(
            "regexp_split_to_table(text, text)",
            set!(|a: &str, p: &str| Ok(rows(split(a, p, "", "regexp_split_to_table()")?))),
        ),
        f(
            "regexp_split_to_table(text, text, text)",
            set!(|a: &str, p: &str, flags: &str| Ok(rows(split(a, p, flags, "regexp_split_to_table()")?))),
        ),
        f("string_to_table(text, text)", set!(|a: &str, by: Option<&str>| Ok(items(split_text(a, by, None))))),
        f(
            "string_to_table(text, text, text)",
            set!(|a: &str, by: Option<&str>, null: Option<&str>| Ok(items(split_text(a, by, null)))),
        ),
    ]
}

fn rows<T>(values: Vec<T>) -> Vec<Option<T>> {
    values.into_iter().map(Some).collect()
}

fn items(list: List<String>) -> Vec<Option<String>> {
    list.0
}
