use super::*;
use crate::types::{FormatSettings, Type, parse_scalar, text_of};

fn shown(ty: Oid, input: &str) -> String {
    let settings = FormatSettings::default();
    match parse_scalar(Type::of(ty), input, &settings) {
        Ok(array) => text_of(Type::of(ty), &array, 0, &settings).unwrap(),
        Err(error) => format!("{}: {}", error.code(), error.message()),
    }
}

#[test]
fn discrete_ranges_are_canonical() {
    assert_eq!(shown(oid::INT4RANGE, "(1,4]"), "[2,5)");
    assert_eq!(shown(oid::INT4RANGE, " [1 , 1] "), "[1,2)");
    assert_eq!(shown(oid::INT4RANGE, "(3,4)"), "empty");
    assert_eq!(shown(oid::INT4RANGE, "(,5]"), "(,6)");
    assert_eq!(shown(oid::INT4RANGE, "[1,2147483647]"), "22003: integer out of range");
    assert_eq!(shown(oid::DATERANGE, "(2000-01-10,2000-01-20]"), "[2000-01-11,2000-01-21)");
    assert_eq!(shown(oid::DATERANGE, "(-infinity,infinity]"), "(-infinity,infinity]");
}

#[test]
fn continuous_ranges_stay_as_they_are() {
    assert_eq!(
        shown(oid::NUMRANGE, "[1.10,-2]"),
        "22000: range lower bound must be less than or equal to range upper bound"
    );
    assert_eq!(shown(oid::NUMRANGE, "(-1.10,2]"), "(-1.10,2]");
    assert_eq!(shown(oid::NUMRANGE, "[1,1)"), "empty");
    assert_eq!(shown(oid::TSRANGE, "[2000-01-01 10:00,)"), "[\"2000-01-01 10:00:00\",)");
}

#[test]
fn malformed_literals() {
    for (input, detail) in [
        ("", "Missing left parenthesis or bracket."),
        ("empty x", "Junk after \"empty\" key word."),
        ("[1", "Unexpected end of input."),
        ("[1)", "Missing comma after lower bound."),
        ("[1,2,3)", "Too many commas."),
        ("[1,2) x", "Junk after right parenthesis or bracket."),
    ] {
        let error = parse_scalar(Type::of(oid::INT4RANGE), input, &FormatSettings::default()).unwrap_err();
        assert_eq!(
            (error.message(), error.fields().detail.as_deref()),
            (&*format!("malformed range literal: \"{input}\""), Some(detail))
        );
    }
}

#[test]
fn multiranges_are_normalized() {
    assert_eq!(shown(oid::INT4MULTIRANGE, "{[5,6], empty, [1,3), [2,5)}"), "{[1,7)}");
    assert_eq!(shown(oid::INT4MULTIRANGE, "{(3,9), [1,2]}"), "{[1,3),[4,9)}");
    assert_eq!(shown(oid::NUMMULTIRANGE, "{}"), "{}");
    assert_eq!(shown(oid::INT4MULTIRANGE, "{[1,2)"), "22P02: malformed multirange literal: \"{[1,2)\"");
}

#[test]
fn bytes_sort_as_ranges() {
    let mut ranges: Vec<&str> = vec!["(,)", "[3,5)", "empty", "[1,)", "(,3)", "[3,4)", "[1,2)", "[-7,9)"];
    let encoded = |text: &&str| parse(&RANGES[0], text, &FormatSettings::default()).unwrap();
    ranges.sort_by_key(encoded);
    assert_eq!(ranges, ["empty", "(,3)", "(,)", "[-7,9)", "[1,2)", "[1,)", "[3,4)", "[3,5)"]);
}

#[test]
fn sets() {
    let of = |text: &str| parse_multirange(&RANGES[0], text, &FormatSettings::default()).unwrap();
    let show = |ranges: &[Range<'_>]| {
        let mut array = arrow::array::BinaryViewBuilder::new();
        array.append_value(encode_multirange(ranges));
        let array: arrow::array::ArrayRef = std::sync::Arc::new(array.finish());
        text_of(Type::of(oid::INT4MULTIRANGE), &array, 0, &FormatSettings::default()).unwrap()
    };
    let (a, b) = (of("{[1,5),[10,20)}"), of("{[3,4),[15,)}"));
    let (a, b) = (decode(Subtype::Int4, &a), decode(Subtype::Int4, &b));
    assert_eq!(show(&union(&a, &b)), "{[1,5),[10,)}");
    assert_eq!(show(&intersect(&a, &b)), "{[3,4),[15,20)}");
    assert_eq!(show(&minus(&a, &b)), "{[1,3),[4,5),[10,15)}");
    assert!(overlaps(&a, &b) && !contains(&a, &b) && contains(&a, &a[..1]));
}
