//! Expectations are PostgreSQL 15's.

use aegis_catalog::types::{Type, oid};
use arrow::array::{Array, AsArray};
use arrow::datatypes::Int32Type;

use super::*;
use crate::copy::CopyWriter;
use crate::parse::utility::CopyOptionValue;

fn columns() -> Vec<CopyColumn> {
    vec![
        CopyColumn { name: "a".into(), ty: Type::of(oid::INT4) },
        CopyColumn { name: "b".into(), ty: Type::of(oid::TEXT) },
    ]
}

fn options(options: &[(&str, &str)], from: bool) -> CopyOptions {
    let options: Vec<_> =
        options.iter().map(|(name, value)| ((*name).to_owned(), CopyOptionValue::Text((*value).to_owned()))).collect();
    CopyOptions::new(&options, from).unwrap()
}

type Row = (Option<i32>, Option<String>);

fn read_split(given: CopyOptions, data: &[u8], size: usize) -> Result<Vec<Row>> {
    let mut reader = CopyReader::new("t", columns(), given, FormatSettings::default())?;
    let mut rows = Vec::new();
    let mut take = |reader: &mut CopyReader| -> Result<()> {
        while let Some(CopiedRows { rows: batch, .. }) = reader.next_batch()? {
            let (numbers, words) = (batch.column(0).as_primitive::<Int32Type>(), batch.column(1).as_string_view());
            for row in 0..batch.num_rows() {
                let number = numbers.is_valid(row).then(|| numbers.value(row));
                rows.push((number, words.is_valid(row).then(|| words.value(row).to_owned())));
            }
        }
        Ok(())
    };
    for piece in data.chunks(size) {
        reader.push(piece);
        take(&mut reader)?;
    }
    reader.end();
    take(&mut reader)?;
    Ok(rows)
}

fn read(given: &[(&str, &str)], data: &[u8]) -> Result<Vec<Row>> {
    let whole = read_split(options(given, true), data, data.len().max(1));
    for size in [1, 2, 3, 7] {
        let split = read_split(options(given, true), data, size);
        match (&whole, &split) {
            (Ok(whole), Ok(split)) => assert_eq!(whole, split),
            (Err(whole), Err(split)) => assert_eq!(whole, split),
            other => panic!("{other:?}"),
        }
    }
    whole
}

fn refused(given: &[(&str, &str)], data: &[u8]) -> String {
    let error = read(given, data).unwrap_err();
    format!("{} {} | {}", error.code(), error.message(), error.fields().context.as_deref().unwrap_or("-"))
}

fn row(number: i32, word: &str) -> Row {
    (Some(number), Some(word.to_owned()))
}

const CSV: (&str, &str) = ("format", "csv");

#[test]
fn text() {
    assert_eq!(
        read(&[], b"1\tx\\ty\n\\N\t\\N\n2\t\\\\N\n3\t\n").unwrap(),
        [row(1, "x\ty"), (None, None), row(2, "\\N"), row(3, "")]
    );
    assert_eq!(read(&[], b"1\ta\n\\.\n2\tb\n").unwrap(), [row(1, "a")]);
    assert_eq!(read(&[("delimiter", "|"), ("null", "-")], b"1|-\n2|\\-").unwrap(), [(Some(1), None), row(2, "-")]);
    assert_eq!(read(&[("header", "true")], b"q\n1\ta\n").unwrap(), [row(1, "a")]);
    assert_eq!(read(&[("encoding", "latin1")], b"1\t\xe4\n").unwrap(), [row(1, "ä")]);
    assert_eq!(read(&[], b"").unwrap(), []);
}

#[test]
fn csv() {
    assert_eq!(
        read(&[CSV], b"1,\"x\n\"\"y\"\r\n2,\r\n3,\"\"\r\n").unwrap_or_default(),
        [row(1, "x\n\"y"), (Some(2), None), row(3, "")]
    );
    assert_eq!(read(&[CSV, ("header", "match")], b"a,b\n1,x\n").unwrap(), [row(1, "x")]);
    let mut forced = options(&[CSV, ("null", "x")], true);
    forced.force_null = super::super::ColumnSet::Named(vec!["b".into()]);
    assert_eq!(read_split(forced.clone(), b"1,\"x\"\n", 99).unwrap(), [(Some(1), None)]);
    forced.force_null = super::super::ColumnSet::None;
    forced.force_not_null = super::super::ColumnSet::Named(vec!["b".into()]);
    assert_eq!(read_split(forced, b"1,x\n", 99).unwrap(), [row(1, "x")]);
}

#[test]
fn errors() {
    assert_eq!(
        refused(&[], b"1\ta\nx\tb\n"),
        "22P02 invalid input syntax for type integer: \"x\" | COPY t, line 2, column a: \"x\""
    );
    assert_eq!(refused(&[], b"1\n"), "22P04 missing data for column \"b\" | COPY t, line 1: \"1\"");
    assert_eq!(refused(&[], b"x\ta\tb\n"), "22P04 extra data after last expected column | COPY t, line 1: \"x\ta\tb\"");
    assert_eq!(refused(&[], b"1\ta\r2\n"), "22P04 literal newline found in data | COPY t, line 2");
    assert_eq!(refused(&[CSV], b"1,\"a\n"), "22P04 unterminated CSV quoted field | COPY t, line 1: \"1,\"a\n\"");
    assert_eq!(
        refused(&[CSV, ("header", "match")], b"a,c\n"),
        "22P04 column name mismatch in header line field 2: got \"c\", expected \"b\" | COPY t, line 1: \"a,c\""
    );
    assert_eq!(refused(&[], b"1\t\xff\n"), "22021 invalid byte sequence for encoding \"UTF8\": 0xff | COPY t, line 1");
    let long = [b"1\t".as_slice(), "é".repeat(80).as_bytes(), b"\tx\n"].concat();
    assert!(refused(&[], &long).ends_with("é...\""));
}

#[test]
fn binary() {
    let given = [("format", "binary")];
    let header = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".as_slice();
    let tuple = b"\0\x02\0\0\0\x04\0\0\0\x07\0\0\0\x01x\0\x02\xff\xff\xff\xff\xff\xff\xff\xff".as_slice();
    let whole = [header, tuple, b"\xff\xff"].concat();
    assert_eq!(read(&given, &whole).unwrap(), [row(7, "x"), (None, None)]);
    assert_eq!(read(&given, &[header, tuple].concat()).unwrap().len(), 2);
    assert_eq!(refused(&given, b"PGCOPY!"), "22P04 COPY file signature not recognized | COPY t, line 1");
    assert_eq!(
        refused(&given, &[header, b"\0\x03"].concat()),
        "22P04 row field count is 3, expected 2 | COPY t, line 1"
    );
    assert_eq!(
        refused(&given, &[header, b"\0\x02\0\0\0\x03abc\xff\xff\xff\xff"].concat()),
        "08P01 insufficient data left in message | COPY t, line 1, column a"
    );
    assert_eq!(
        refused(&given, &[header, b"\0\x02\0\0\0\x04"].concat()),
        "22P04 unexpected EOF in COPY data | COPY t, line 1"
    );
    assert_eq!(
        refused(&given, &[whole.as_slice(), b"x"].concat()),
        "22P04 received copy data after EOF marker | COPY t, line 3"
    );
}

/// What one end writes the other reads, in every format.
#[test]
fn round_trips() {
    let rows = "1\ta\\\\b\n\\N\t\\N\n2\t\n3\t\\n\",|\\t\\r\n4\t\\\\.\n";
    let mut reader = CopyReader::new("t", columns(), options(&[], true), FormatSettings::default()).unwrap();
    reader.push(rows.as_bytes());
    reader.end();
    let batch = reader.next_batch().unwrap().unwrap().rows;
    for given in [&[][..], &[CSV], &[("format", "binary")], &[CSV, ("header", "true"), ("escape", "\\")]] {
        let mut writer = CopyWriter::new(columns(), options(given, false), FormatSettings::default()).unwrap();
        let mut data = Vec::new();
        for chunk in [writer.write(&batch).unwrap(), writer.finish().unwrap()] {
            assert_eq!(chunk.ends.last().copied().unwrap_or(0), chunk.data.len());
            data.extend(chunk.data);
        }
        let back = read(given, &data).unwrap();
        assert_eq!(back, [row(1, "a\\b"), (None, None), row(2, ""), row(3, "\n\",|\t\r"), row(4, "\\.")]);
    }
}

#[test]
fn output() {
    let mut reader = CopyReader::new("t", columns(), options(&[], true), FormatSettings::default()).unwrap();
    reader.push(b"1\tx,y\n\\N\t\n");
    reader.end();
    let batch = reader.next_batch().unwrap().unwrap().rows;
    let mut writer =
        CopyWriter::new(columns(), options(&[CSV, ("header", "on")], false), FormatSettings::default()).unwrap();
    let chunk = writer.write(&batch).unwrap();
    assert_eq!(String::from_utf8(chunk.data).unwrap(), "a,b\n1,\"x,y\"\n,\"\"\n");
    assert_eq!(chunk.ends, [4, 12, 16]);
}
