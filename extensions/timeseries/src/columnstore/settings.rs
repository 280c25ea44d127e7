//! `segmentby` and `orderby`: how the rows of a chunk are sorted.

use aegis_engine::extension::{Caller, Error, Oid, Relation, Result, Windows, quote_identifier, row, sqlstate};

use crate::hypertable::hypertable;

/// What is said of a table.
#[derive(Debug, Default)]
pub struct Wanted<'a> {
    pub enabled: Option<bool>,
    pub segment_by: Option<&'a str>,
    pub order_by: Option<&'a str>,
}

/// A column of `orderby`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ordered {
    attnum: i16,
    descending: bool,
    nulls_first: bool,
}

fn syntax(message: impl Into<String>) -> Error {
    Error::new(sqlstate::SYNTAX_ERROR, message)
}

/// 42601 for columns that are not there, or that are in both.
pub async fn set(caller: &mut Caller<'_>, table: Oid, wanted: &Wanted<'_>) -> Result<()> {
    let (found, windows) = hypertable(caller, table)?;
    caller.require_owner(&found)?;
    let was_enabled = super::is_enabled(caller, table).await?;
    let enabled = wanted.enabled.unwrap_or(true);
    if was_enabled && !enabled {
        refuse_compressed(caller, table).await?;
    }
    let (mut segment, mut order) = present(caller, table).await?;
    if let Some(written) = wanted.segment_by {
        let names = parts(written)?.into_iter().map(|words| match words.as_slice() {
            [name] => attnum(&found, name),
            _ => Err(syntax(format!("unable to parse segmenting option \"{written}\""))),
        });
        segment = names.collect::<Result<_>>()?;
    }
    if let Some(written) = wanted.order_by {
        order = parts(written)?.iter().map(|words| ordered(&found, words, written)).collect::<Result<_>>()?;
    }
    order.retain(|ordered| wanted.order_by.is_some() || !segment.contains(&ordered.attnum));
    if order.is_empty() {
        order.push(Ordered { attnum: windows.column, descending: true, nulls_first: true });
    }
    if let Some(both) = order.iter().find(|ordered| segment.contains(&ordered.attnum)) {
        let name = found.column(both.attnum).map_or("", |column| column.name.as_str());
        return Err(syntax(format!("cannot use column \"{name}\" for both ordering and segmenting")));
    }
    keep(caller, table, enabled, &segment, &order).await?;
    let before_time = order.iter().map(|ordered| ordered.attnum).take_while(|attnum| *attnum != windows.column);
    let sorted: Vec<i16> = segment.into_iter().chain(before_time).collect();
    if sorted != windows.order {
        caller.set_windows(table, Windows { order: sorted, ..windows })?;
    }
    Ok(())
}

async fn refuse_compressed(caller: &mut Caller<'_>, table: Oid) -> Result<()> {
    const SQL: &str = "SELECT FROM _timescaledb_catalog.compressed_chunk c WHERE c.chunk IN (SELECT _timescaledb_functions.chunks_of($1)) LIMIT 1";
    match caller.query_as_owner(SQL, row![table]).await?.is_empty() {
        true => Ok(()),
        false => Err(Error::new(
            sqlstate::FEATURE_NOT_SUPPORTED,
            "cannot disable columnstore on hypertable with columnstore chunks",
        )),
    }
}

async fn present(caller: &mut Caller<'_>, table: Oid) -> Result<(Vec<i16>, Vec<Ordered>)> {
    const SQL: &str = "SELECT u.attnum, u.is_segment, s.orderby_desc[u.at], s.orderby_nullsfirst[u.at] FROM _timescaledb_catalog.compression_settings s
        CROSS JOIN LATERAL (SELECT a AS attnum, true AS is_segment, o::integer AS at FROM unnest(s.segmentby) WITH ORDINALITY x(a, o) UNION ALL SELECT a, false, o::integer FROM unnest(s.orderby) WITH ORDINALITY y(a, o)) u
        WHERE s.relation = $1 ORDER BY u.at";
    let (mut segment, mut order) = (Vec::new(), Vec::new());
    let catalog = caller.catalog()?;
    let is_there = |attnum: i16| catalog.relation(table).is_some_and(|table| table.column(attnum).is_some());
    for row in caller.query_as_owner(SQL, row![table]).await? {
        let attnum: i16 = row.get(0)?;
        if !is_there(attnum) {
            continue;
        }
        match row.get(1)? {
            true => segment.push(attnum),
            false => order.push(Ordered {
                attnum,
                descending: row.get::<Option<bool>>(2)?.unwrap_or_default(),
                nulls_first: row.get::<Option<bool>>(3)?.unwrap_or_default(),
            }),
        }
    }
    Ok((segment, order))
}

async fn keep(caller: &mut Caller<'_>, table: Oid, enabled: bool, segment: &[i16], order: &[Ordered]) -> Result<()> {
    fn list<T: ToString>(values: impl Iterator<Item = T>) -> String {
        format!("{{{}}}", values.map(|value| value.to_string()).collect::<Vec<_>>().join(","))
    }
    const ENABLED: &str = "UPDATE _timescaledb_catalog.hypertable SET columnstore = $2 WHERE relation = $1";
    caller.query_as_owner(ENABLED, row![table, enabled]).await?;
    const SETTINGS: &str = "DELETE FROM _timescaledb_catalog.compression_settings WHERE relation = $1;
        INSERT INTO _timescaledb_catalog.compression_settings SELECT $1, $2::smallint[], $3::smallint[], $4::boolean[], $5::boolean[] WHERE $6";
    let values = row![
        table,
        list(segment.iter()),
        list(order.iter().map(|ordered| ordered.attnum)),
        list(order.iter().map(|ordered| ordered.descending)),
        list(order.iter().map(|ordered| ordered.nulls_first)),
        enabled
    ];
    caller.query_as_owner(SETTINGS, values).await.map(drop)
}

fn attnum(table: &Relation, name: &str) -> Result<i16> {
    let missing = || {
        syntax(format!("column \"{name}\" does not exist"))
            .with_hint(format!("The columns of {} are meant.", quote_identifier(&table.name)))
    };
    table.column_by_name(name).map(|column| column.attnum).ok_or_else(missing)
}

/// `column [ASC | DESC] [NULLS FIRST | NULLS LAST]`
fn ordered(table: &Relation, words: &[String], written: &str) -> Result<Ordered> {
    let wrong = || syntax(format!("unable to parse ordering option \"{written}\""));
    let (name, rest) = words.split_first().ok_or_else(wrong)?;
    let rest: Vec<String> = rest.iter().map(|word| word.to_ascii_lowercase()).collect();
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    let (descending, rest) = match rest.as_slice() {
        ["desc", rest @ ..] => (true, rest),
        ["asc", rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let nulls_first = match rest {
        [] => descending,
        ["nulls", "first"] => true,
        ["nulls", "last"] => false,
        _ => return Err(wrong()),
    };
    Ok(Ordered { attnum: attnum(table, name)?, descending, nulls_first })
}

/// The items of a list with their words. Names without quotes are folded to lower case; 42601 for a quote that has no end.
fn parts(written: &str) -> Result<Vec<Vec<String>>> {
    let mut items = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut characters = written.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            ',' | ' ' | '\t' | '\n' | '\r' => {
                if let (Some(word), Some(item)) = (word.take(), items.last_mut()) {
                    item.push(word);
                }
                if character == ',' {
                    items.push(Vec::new());
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next() {
                        Some('"') if characters.next_if_eq(&'"').is_some() => word.push('"'),
                        Some('"') => break,
                        Some(character) => word.push(character),
                        None => return Err(syntax(format!("unterminated quoted identifier in \"{written}\""))),
                    }
                }
            }
            character => word.get_or_insert_default().extend(character.to_lowercase()),
        }
    }
    if let (Some(word), Some(item)) = (word, items.last_mut()) {
        item.push(word);
    }
    items.retain(|item| !item.is_empty());
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_columns_are_read_as_sql_writes_them() {
        let of = |written| parts(written).unwrap();
        assert_eq!(of(""), Vec::<Vec<String>>::new());
        assert_eq!(of("Dev, \"A \"\"b\"\", c\""), [vec!["dev"], vec!["A \"b\", c"]]);
        assert_eq!(of("time DESC NULLS LAST,v"), [vec!["time", "desc", "nulls", "last"], vec!["v"]]);
        assert!(parts("\"open").is_err());
    }
}
