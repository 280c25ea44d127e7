use super::{Line, Lines, Value};

fn one(text: &str) -> Line<'_> {
    let mut lines = Lines::new(text.as_bytes());
    let line = lines.next().expect("a line").line.unwrap_or_else(|error| panic!("{text}: {}", error.message()));
    assert!(lines.next().is_none(), "{text} is one line");
    line
}

/// SQLSTATE and message.
fn fault(text: &str) -> (String, String) {
    let error = Lines::new(text.as_bytes()).next().expect("a line").line.expect_err(text);
    (error.code().as_str().to_owned(), error.message().to_owned())
}

fn tags<'a>(line: &'a Line<'_>) -> Vec<(&'a str, &'a str)> {
    line.tags.iter().map(|(key, value)| (&**key, &**value)).collect()
}

#[test]
fn a_point_has_tags_fields_and_a_time() {
    let line =
        one("cpu,host=a,region=eu usage=0.5,cores=8i,mem=18446744073709551615u,up=t,os=\"linux\" 1700000000000000000");
    assert_eq!(line.measurement, "cpu");
    assert_eq!(tags(&line), [("host", "a"), ("region", "eu")]);
    let values: Vec<_> = line.fields.iter().map(|(key, value)| (&**key, value.clone())).collect();
    assert_eq!(
        values,
        [
            ("usage", Value::Float(0.5)),
            ("cores", Value::Integer(8)),
            ("mem", Value::Unsigned(u64::MAX)),
            ("up", Value::Boolean(true)),
            ("os", Value::Text("linux".into())),
        ]
    );
    assert_eq!(line.timestamp, Some(1_700_000_000_000_000_000));
}

#[test]
fn tags_and_time_may_be_missing() {
    assert_eq!(one("cpu usage=-1e-3").timestamp, None);
    assert_eq!(one("cpu usage=1 -5  \r\n").timestamp, Some(-5));
    assert!(one("cpu  usage=1  7").tags.is_empty());
}

#[test]
fn a_backslash_escapes_what_would_separate() {
    let line = one(r#"my\ cpu\,x,tag\ key=a\=b\,c\ d,path=C:\dir fie\=ld="say \"hi\", C:\\ \n""#);
    assert_eq!(line.measurement, "my cpu,x");
    assert_eq!(tags(&line), [("tag key", "a=b,c d"), ("path", r"C:\dir")]);
    assert_eq!(line.fields, [("fie=ld".into(), Value::Text(r#"say "hi", C:\ \n"#.into()))]);
}

#[test]
fn strings_hold_separators_and_line_ends() {
    let line = one("log text=\"a, b=c\nsecond # line\",n=1i 3");
    assert_eq!(line.fields[0].1, Value::Text("a, b=c\nsecond # line".into()));
    assert_eq!(line.timestamp, Some(3));
}

#[test]
fn comments_and_empty_lines_count_as_lines() {
    let text = "# head\n\n  \r\ncpu a=\"x\ny\"\r\n  # more\nmem b=1\nbad\n";
    let found: Vec<_> =
        Lines::new(text.as_bytes()).map(|entry| (entry.number, entry.text, entry.line.is_ok())).collect();
    assert_eq!(found, [(4, &b"cpu a=\"x\ny\""[..], true), (7, b"mem b=1", true), (8, b"bad", false)]);
}

#[test]
fn what_is_wrong_is_said() {
    let syntax = [
        (",host=a v=1", "missing measurement"),
        ("cpu", "missing fields"),
        ("cpu,host=a", "missing fields"),
        ("cpu,host v=1", "missing tag value"),
        ("cpu,host= v=1", "missing tag value"),
        ("cpu,=a v=1", "missing tag key"),
        ("cpu,host=a=b v=1", "invalid tag format"),
        ("cpu v", "missing field value"),
        ("cpu v=", "missing field value"),
        ("cpu v=1,", "missing field key"),
        ("cpu =1", "missing field key"),
        ("cpu v=abc", "invalid number"),
        ("cpu v=1.5i", "invalid number"),
        ("cpu v=-1u", "invalid number"),
        ("cpu v=i", "invalid number"),
        ("cpu v=0x1f", "invalid number"),
        ("cpu v=NaN", "NaN and infinities are no values of a field"),
        ("cpu v=-Infinity", "NaN and infinities are no values of a field"),
        ("cpu v=\"open", "unbalanced quotes"),
        ("cpu v=1 yesterday", "bad timestamp"),
        ("cpu v=1 1.5", "bad timestamp"),
        ("cpu v=1 1 2", "unexpected text after the timestamp"),
    ];
    for (text, message) in syntax {
        assert_eq!(fault(text), ("22P02".to_owned(), message.to_owned()), "{text}");
    }
    assert_eq!(fault("cpu v=9223372036854775808i").0, "22003");
    assert_eq!(fault("cpu v=1e999").0, "22003");
    assert_eq!(fault("cpu v=1 9223372036854775808").0, "22008");
    assert_eq!(fault("cpu,a=\0 v=1").0, "22021");
}

#[test]
fn lines_around_a_bad_one_are_read() {
    let good = |text: &[u8]| -> Vec<String> {
        Lines::new(text).filter_map(|entry| Some(entry.line.ok()?.measurement.into_owned())).collect()
    };
    assert_eq!(good(b"a v=1\nb v=x\nc v=2"), ["a", "c"]);
    // A string without its end takes its own line alone, be there quotes later or not.
    assert_eq!(good(b"a v=1\nb v=\"x\nc v=2\nd v=3"), ["a", "c", "d"]);
    assert_eq!(good(b"a v=1\nb v=\"x\nc s=\"y\"\nd v=3"), ["a", "c", "d"]);
    // What a string holds is never taken for a line.
    assert_eq!(good(b"a s=\"x\nb v=1\n\" nonsense\nc v=2"), ["c"]);
    assert_eq!(good(b"a\xff v=1\nb v=\"\xff\"\nc v=2"), ["c"]);
}

#[test]
fn any_bytes_come_to_an_end() {
    let pieces: [&[u8]; 11] = [b"a", b",", b"=", b" ", b"\"", b"\\", b"\n", b"\r", b"1i", b"#", b"\xc3"];
    let mut state = 12_345_u64;
    for _ in 0..20_000 {
        let mut text = Vec::new();
        for _ in 0..12 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.extend_from_slice(pieces[(state >> 33) as usize % pieces.len()]);
        }
        let mut last = 0;
        for entry in Lines::new(&text) {
            assert!(entry.number > last, "{text:?}");
            last = entry.number;
        }
    }
}
