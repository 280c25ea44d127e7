//! `latest('m', 'time', 'device', …)`: the last row of each series of a table, or of the whole table. It stands for the query that says so.

use aegis_engine::extension::{Body, Error, Result, Symbols, quote_identifier, sqlstate};

pub fn symbols() -> Symbols {
    vec![("latest", Body::Query(latest))]
}

fn latest(arguments: &[String]) -> Result<String> {
    let [table, time, series @ ..] = arguments else {
        return Err(Error::internal("latest needs a table and its time"));
    };
    let (table, time) = (table_name(table)?, quote_identifier(time));
    let keys: Vec<String> = series.iter().map(|key| format!("l.{}", quote_identifier(key))).collect();
    let keys = keys.join(", ");
    Ok(match keys.is_empty() {
        true => format!("SELECT l.* FROM {table} l ORDER BY l.{time} DESC LIMIT 1"),
        false => format!("SELECT DISTINCT ON ({keys}) l.* FROM {table} l ORDER BY {keys}, l.{time} DESC"),
    })
}

/// A name as SQL has it (`a`, `A.b`, `"A"."b"`), with its parts quoted.
fn table_name(text: &str) -> Result<String> {
    let invalid = || Error::new(sqlstate::INVALID_NAME, "invalid name syntax");
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let (part, behind) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let end = quoted.find('"').ok_or_else(invalid)?;
                let (part, behind) = quoted.split_at_checked(end).ok_or_else(invalid)?;
                (part.to_owned(), behind.strip_prefix('"').ok_or_else(invalid)?)
            }
            None => {
                let (part, behind) = rest.split_at_checked(rest.find('.').unwrap_or(rest.len())).ok_or_else(invalid)?;
                (part.trim().to_lowercase(), behind)
            }
        };
        if part.is_empty() {
            return Err(invalid());
        }
        parts.push(quote_identifier(&part).to_string());
        rest = behind.trim_start();
        if rest.is_empty() {
            return Ok(parts.join("."));
        }
        rest = rest.strip_prefix('.').ok_or_else(invalid)?.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_for_a_query() {
        let query = |arguments: &[&str]| latest(&arguments.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>());
        let found = query(&["S.m", "time", "device"]).unwrap();
        assert_eq!(found, "SELECT DISTINCT ON (l.device) l.* FROM s.m l ORDER BY l.device, l.\"time\" DESC");
        let found = query(&["\"M x\"", "at"]).unwrap();
        assert_eq!(found, "SELECT l.* FROM \"M x\" l ORDER BY l.at DESC LIMIT 1");
        for wrong in ["", "a.", "\"a", "a\"b\" c.", ".a"] {
            assert!(query(&[wrong, "time"]).is_err() || query(&[wrong, "time"]).unwrap().contains('"'), "{wrong}");
        }
    }
}
