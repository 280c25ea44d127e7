use super::*;

fn number(text: &str) -> Numeric {
    Numeric::parse(text).unwrap()
}

fn shown(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    encoding::write_text(bytes, &mut out);
    String::from_utf8(out).unwrap()
}

/// In numeric order; neighbours with an equals sign are equal.
const ORDERED: &[&str] = &[
    "-Infinity",
    "-1e131071",
    "-123456789012345678901234567890123456789012345",
    "-10001",
    "-10000.5",
    "-10000",
    "-9999.9999",
    "-9999",
    "-1.5",
    "-1.00005",
    "-1",
    "-0.99995",
    "-0.5",
    "-0.0001",
    "-1e-300",
    "0",
    "1e-16383",
    "1e-300",
    "0.00009",
    "0.0001",
    "0.5",
    "1",
    "1.00005",
    "1.4999",
    "1.5",
    "1.50001",
    "2",
    "9999",
    "10000",
    "10000.5",
    "1e38",
    "170141183460469231731687303715884105727",
    "170141183460469231731687303715884105728",
    "1e39",
    "1e300",
    "1e131071",
    "Infinity",
    "NaN",
];

#[test]
fn bytes_keep_order_and_value() {
    let values: Vec<(Numeric, Vec<u8>)> = ORDERED
        .iter()
        .map(|text| {
            let value = number(text);
            let bytes = value.to_bytes();
            assert_eq!(Numeric::from_bytes(&bytes).unwrap(), value, "{text}");
            assert_eq!(shown(&bytes), value.to_string(), "{text}");
            let mut wire = Vec::new();
            encoding::write_binary(&bytes, &mut wire);
            assert_eq!(Numeric::from_binary(&wire).unwrap(), value, "{text}");
            (value, bytes)
        })
        .collect();
    for (index, (value, bytes)) in values.iter().enumerate() {
        for (later, other) in &values[index + 1..] {
            assert!(key(bytes) < key(other), "{value} {later}");
            assert!(bytes < other, "{value} {later}");
            assert!(value.compare(later).is_lt(), "{value} {later}");
        }
    }
}

#[test]
fn display_scale_is_not_part_of_the_key() {
    for (a, b) in
        [("1", "1.000"), ("-1.5", "-1.50"), ("0", "0.00"), ("1e40", "10000000000000000000000000000000000000000.0")]
    {
        assert_eq!(key(&number(a).to_bytes()), key(&number(b).to_bytes()));
        assert_ne!(number(a).to_bytes(), number(b).to_bytes());
        assert!(number(a).compare(&number(b)).is_eq());
    }
    // The largest display scale next to the smallest following digit.
    let long = Numeric::ONE.rescale(MAX_SCALE);
    assert!(long.to_bytes() < number("1.0001").to_bytes());
    assert!(long.neg().to_bytes() > number("-1.0001").to_bytes());
}

#[test]
fn text() {
    for (input, output) in [
        ("  12.50 ", "12.50"),
        ("1e3", "1000"),
        ("1.5e-3", "0.0015"),
        ("-.5", "-0.5"),
        ("5.", "5"),
        ("-0.0", "0.0"),
        ("inf", "Infinity"),
        ("-INFINITY", "-Infinity"),
        ("nan", "NaN"),
        ("0e200000", "0"),
        ("123456789012345678901234567890123456789012345.678", "123456789012345678901234567890123456789012345.678"),
    ] {
        assert_eq!(number(input).to_string(), output);
    }
    for input in ["", " ", "x", "1e", "1 2", ".", "1e2147483647", "-nan", "1_0", "0x1", "++1"] {
        let message = format!("invalid input syntax for type numeric: \"{input}\"");
        assert_eq!(Numeric::parse(input).unwrap_err().message(), message);
    }
    for input in ["1e131072", "1e-16384", "1e100000000", "0e-20000"] {
        assert_eq!(Numeric::parse(input).unwrap_err().message(), "value overflows numeric format", "{input}");
    }
}

#[test]
fn quotients_have_postgres_scales() {
    for (a, b, quotient) in [
        ("1", "3", "0.33333333333333333333"),
        ("2", "3", "0.66666666666666666667"),
        ("-2", "3", "-0.66666666666666666667"),
        ("100", "3", "33.3333333333333333"),
        ("10000", "3", "3333.3333333333333333"),
        ("1", "7.000000000000000000000000", "0.142857142857142857142857"),
        ("1e10", "7", "1428571428.57142857"),
        ("0", "5", "0.00000000000000000000"),
        ("1e50", "3", "33333333333333333333333333333333333333333333333333"),
    ] {
        assert_eq!(number(a).div(&number(b)).unwrap().to_string(), quotient, "{a} / {b}");
    }
    assert_eq!(number("1").div(&Numeric::ZERO).unwrap_err().message(), "division by zero");
}

#[test]
fn functions() {
    let power = |a: &str, b: &str| number(a).power(&number(b)).unwrap().to_string();
    assert_eq!(power("2", "3"), "8.0000000000000000");
    assert_eq!(power("10.0", "-30"), "0.0000000000000000");
    assert_eq!(power("0.1234567890123456789", "2"), "0.0152415787532388368");
    assert_eq!(power("2", "0.5"), "1.4142135623730950");
    assert_eq!(power("1.0001", "100000"), "22015.4560485521986457");
    assert_eq!(power("-2.5", "3"), "-15.6250000000000000");
    assert_eq!(number("2").sqrt().unwrap().to_string(), "1.414213562373095");
    assert_eq!(number("0.000001").sqrt().unwrap().to_string(), "0.0010000000000000000");
    assert_eq!(number("1e100").sqrt().unwrap().to_string(), format!("1{}", "0".repeat(50)));
    assert_eq!(number("1").exp().unwrap().to_string(), "2.7182818284590452");
    assert_eq!(number("100.0").exp().unwrap().to_string(), "26881171418161354484126255515800135873611118.8");
    assert_eq!(
        number("-100.5").exp().unwrap().to_string(),
        "0.00000000000000000000000000000000000000000002256340135917036"
    );
    assert_eq!(number("2").ln().unwrap().to_string(), "0.6931471805599453");
    assert_eq!(number("100").log10().unwrap().to_string(), "2.0000000000000000");
    assert_eq!(number("2.0").log(&number("64.0")).unwrap().to_string(), "6.0000000000000000");
    assert_eq!(number("1").log(&number("2")).unwrap_err().message(), "division by zero");
}

#[test]
fn rounding() {
    let round = |text: &str, digits| number(text).round(digits).unwrap().to_string();
    assert_eq!(round("2.5", 0), "3");
    assert_eq!(round("-2.5", 0), "-3");
    assert_eq!(round("1.005", 2), "1.01");
    assert_eq!(round("1450", -2), "1500");
    assert_eq!(round("1.5", 3), "1.500");
    assert_eq!(number("-1.5").ceil().unwrap().to_string(), "-1");
    assert_eq!(number("-1.5").floor().unwrap().to_string(), "-2");
    assert_eq!(number("2.5").to_i32().unwrap(), 3);
    assert_eq!(number("-2147483648.4").to_i32().unwrap(), i32::MIN);
    assert_eq!(number("2147483647.5").to_i32().unwrap_err().message(), "integer out of range");
    assert_eq!(number("1.2300").trim_scale().to_string(), "1.23");
}

#[test]
fn modifiers() {
    assert_eq!(number("12.345").apply_typmod(5, 2).unwrap().to_string(), "12.35");
    assert_eq!(number("500").apply_typmod(2, -3).unwrap().to_string(), "1000");
    let detail = |text: &str, precision, scale| {
        let error = number(text).apply_typmod(precision, scale).unwrap_err();
        assert_eq!(error.message(), "numeric field overflow");
        error.fields().detail.clone().unwrap()
    };
    let limit = "must round to an absolute value less than";
    assert_eq!(detail("12345.678", 5, 2), format!("A field with precision 5, scale 2 {limit} 10^3."));
    assert_eq!(detail("1", 5, 5), format!("A field with precision 5, scale 5 {limit} 1."));
    assert_eq!(detail("99500", 2, -3), format!("A field with precision 2, scale -3 {limit} 10^5."));
    assert_eq!(detail("1", 2, 3), format!("A field with precision 2, scale 3 {limit} 10^-1."));
    assert_eq!(detail("inf", 5, 2), "A field with precision 5, scale 2 cannot hold an infinite value.");
}

#[test]
fn floats() {
    assert_eq!(Numeric::from_f64(0.1).to_string(), "0.1");
    assert_eq!(Numeric::from_f64(1e20).to_string(), "100000000000000000000");
    assert_eq!(Numeric::from_f64(123_456_789.123_456_79).to_string(), "123456789.123457");
    assert_eq!(Numeric::from_f32(0.1).to_string(), "0.1");
    assert_eq!(Numeric::from_f64(100.0).to_string(), "100");
    assert_eq!(number("0.1").to_f64(), 0.1);
    assert_eq!(number("1e400").to_float8().unwrap_err().code(), sqlstate::NUMERIC_VALUE_OUT_OF_RANGE);
}

#[test]
fn sums() {
    let mut sum = NumericSum::new();
    for text in ["1.5", "2.25", "1e38", "1e38", "-1e38"] {
        sum.add_bytes(&number(text).to_bytes()).unwrap();
    }
    assert_eq!(sum.sum().unwrap().to_string(), "100000000000000000000000000000000000003.75");
    let mut moments = NumericMoments::default();
    for value in [1, 2, 3, 4] {
        moments.add(&Numeric::from(value)).unwrap();
    }
    assert_eq!(moments.sum.average().unwrap().unwrap().to_string(), "2.5000000000000000");
    assert_eq!(moments.variance(true, false).unwrap().unwrap().to_string(), "1.6666666666666667");
    assert_eq!(moments.variance(true, true).unwrap().unwrap().to_string(), "1.2909944487358056");
}
