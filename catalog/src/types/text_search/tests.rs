use super::*;

fn vector(text: &str) -> Result<String, String> {
    let bytes = TsVector::parse(text).map_err(|error| error.message().to_owned())?.to_bytes();
    let (mut shown, mut sent) = (Vec::new(), Vec::new());
    vector::write_text(&bytes, &mut shown);
    vector::write_binary(&bytes, &mut sent);
    assert_eq!(TsVector::from_binary(&sent).unwrap().to_bytes(), bytes);
    assert_eq!(TsVector::from_bytes(&bytes).to_bytes(), bytes);
    let shown = String::from_utf8(shown).unwrap();
    assert_eq!(TsVector::parse(&shown).unwrap().to_bytes(), bytes, "{shown}");
    Ok(shown)
}

fn query(text: &str) -> Result<String, String> {
    let query = TsQuery::parse(text).map_err(|error| error.message().to_owned())?;
    let (mut shown, mut sent) = (Vec::new(), Vec::new());
    query.write(&mut shown);
    query.write_binary(&mut sent);
    assert_eq!(TsQuery::from_binary(&sent).unwrap(), query);
    assert_eq!(TsQuery::from_bytes(&query.to_bytes()), query);
    Ok(String::from_utf8(shown).unwrap())
}

#[test]
fn vectors() {
    for (text, shown) in [
        ("", ""),
        ("  ", ""),
        ("a:3000,99999999999 b:16384,16383 c:0005", "'a':3000,16383 'b':16383 'c':5"),
        ("a:1,2,3a,3", "'a':1,2,3A"),
        ("a:1 a:2 b a", "'a':1,2 'b'"),
        ("a:1,1b,1a", "'a':1A"),
        (r"'\'a'", "'''a'"),
        (r"\a", "'a'"),
        ("a'b", "'a''b'"),
        (":a", "':a'"),
        ("a:1d2", "'a':1"),
        ("a:1*", "'a':1A"),
        ("'a''b'", "'a''b'"),
        ("'a b':4C zz:2 a", "'a' 'a b':4C 'zz':2"),
    ] {
        assert_eq!(vector(text).as_deref(), Ok(shown), "{text}");
    }
    for (text, message) in [
        ("a:0", "wrong position info in tsvector: \"a:0\""),
        ("a:1x", "syntax error in tsvector: \"a:1x\""),
        ("'a", "syntax error in tsvector: \"'a\""),
        ("''", "syntax error in tsvector: \"''\""),
        ("a:1ab", "syntax error in tsvector: \"a:1ab\""),
        ("a:1,2,b", "syntax error in tsvector: \"a:1,2,b\""),
        ("a\\", "there is no escaped character: \"a\\\""),
    ] {
        assert_eq!(vector(text), Err(message.to_owned()));
    }
    assert_eq!(vector(&"a".repeat(2047)), Err("word is too long (2047 bytes, max 2046 bytes)".to_owned()));
}

#[test]
fn queries() {
    for (text, shown) in [
        ("", ""),
        ("a<->b<->c", "'a' <-> 'b' <-> 'c'"),
        ("a<->(b<->c)", "'a' <-> ( 'b' <-> 'c' )"),
        ("(a<2>b)<->!c & (d|!e) & !(f<->g)", "'a' <2> 'b' <-> !'c' & ( 'd' | !'e' ) & !( 'f' <-> 'g' )"),
        ("!(a<->b) <-> c", "!( 'a' <-> 'b' ) <-> 'c'"),
        ("(a&b) <-> (c|d)", "( 'a' & 'b' ) <-> ( 'c' | 'd' )"),
        ("a & (b <-> c)", "'a' & 'b' <-> 'c'"),
        ("!(!a)", "!!'a'"),
        ("a|(b|c)", "'a' | 'b' | 'c'"),
        ("a:*ab", "'a':*AB"),
        ("'a b':*ab", "'a b':*AB"),
        (r"a\ b", "'a b'"),
        (r"a\\b'", r"'a\\b'''"),
        ("a <0> b", "'a' <0> 'b'"),
        ("a <00012> b", "'a' <12> 'b'"),
        (" ( ( a & b ) ) ", "'a' & 'b'"),
        ("a|b&c", "'a' | 'b' & 'c'"),
        ("a&(b|c)", "'a' & ( 'b' | 'c' )"),
    ] {
        assert_eq!(query(text).as_deref(), Ok(shown), "{text}");
    }
    for text in ["a b", "a<b", "a:x", "a <-1> b", "(a", "'a'b", "()", "a)"] {
        assert_eq!(query(text), Err(format!("syntax error in tsquery: \"{text}\"")));
    }
    for text in ["!", " ( ", "a&"] {
        assert_eq!(query(text), Err(format!("no operand in tsquery: \"{text}\"")));
    }
    let message = "distance in phrase operator must be an integer value between zero and 16384 inclusive";
    assert_eq!(query("a <16385> b"), Err(message.to_owned()));
}

#[test]
fn bytes_sort_as_postgresql_sorts() {
    let sorted = |texts: &[&str], bytes: fn(&str) -> Vec<u8>| {
        let keys: Vec<_> = texts.iter().map(|text| bytes(text)).collect();
        assert!(keys.windows(2).all(|pair| pair[0] < pair[1]), "{keys:?}");
    };
    sorted(&["", "b", "a:2", "a:1", "ab:1", "b:1", "a b"], |text| TsVector::parse(text).unwrap().to_bytes());
    let equal = |text: &str| query::comparison_key(&TsQuery::parse(text).unwrap().to_bytes()).to_vec();
    assert_eq!(equal("a:A & b"), equal("a:* & b:B"));
    assert_ne!(equal("a <-> b"), equal("a <2> b"));
}

/// A small generator, so that failures repeat.
fn random(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % below
}

#[test]
fn whatever_parses_reads_back() {
    let letters: Vec<char> = "ab'\\:*,1 2A&|!()<->\"é".chars().collect();
    let mut state = 7;
    let mut read = 0;
    for _ in 0..20_000 {
        let length = random(&mut state, 14);
        let text: String = (0..length).map(|_| letters[random(&mut state, letters.len() as u64) as usize]).collect();
        read += usize::from(vector(&text).is_ok());
        if let Ok(shown) = query(&text) {
            read += 1;
            let (first, second) = (TsQuery::parse(&text).unwrap(), TsQuery::parse(&shown).unwrap());
            let mut again = Vec::new();
            second.write(&mut again);
            assert_eq!(String::from_utf8(again).unwrap(), shown);
            assert_eq!(first.operands().collect::<Vec<_>>(), second.operands().collect::<Vec<_>>());
        }
    }
    assert!(read > 1000);
}
