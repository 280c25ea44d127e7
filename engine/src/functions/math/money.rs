//! `money` (manual 8.2): arithmetic, casts and words. Amounts are cents.

use aegis_catalog::types::numeric::Numeric;
use aegis_catalog::{Error, Result, sqlstate};
use arrow::array::Int64Array;

use super::out_of_range;
use crate::functions::Body;
use crate::functions::aggregate::{one, whole};
use crate::functions::kernel::kernel;
use crate::functions::signature::{Row, f};
use crate::functions::value::downcast;

const CENTS: i64 = 100;

pub fn functions() -> Vec<Row> {
    [arithmetic(), casts()].into_iter().flatten().collect()
}

fn arithmetic() -> Vec<Row> {
    let mut rows = vec![
        f("+(money, money)", kernel!(|a: i64, b: i64| a.wrapping_add(b))),
        f("-(money, money)", kernel!(|a: i64, b: i64| a.wrapping_sub(b))),
        f(
            "/(money, money)",
            kernel!(|a: i64, b: i64| if b == 0 { Err(division_by_zero()) } else { Ok(a as f64 / b as f64) }),
        ),
        f("cashlarger(money, money)", kernel!(|a: i64, b: i64| a.max(b))),
        f("cashsmaller(money, money)", kernel!(|a: i64, b: i64| a.min(b))),
        f("cash_words(money)", kernel!(|a: i64| words(a))),
        f(
            "sum(money)",
            Body::Aggregate(|types| {
                whole("sum", types, None, |args| {
                    let values = args.first().ok_or_else(|| Error::internal("sum has an argument"))?;
                    let values = downcast::<Int64Array>(values)?;
                    one(values.iter().flatten().reduce(i64::wrapping_add))
                })
            }),
        ),
    ];
    macro_rules! by_integer {
        ($name:literal, $ty:ty) => {
            rows.push(f(concat!("*(money, ", $name, ")"), kernel!(|a: i64, b: $ty| a.wrapping_mul(i64::from(b)))));
            rows.push(f(concat!("*(", $name, ", money)"), kernel!(|a: $ty, b: i64| b.wrapping_mul(i64::from(a)))));
            rows.push(f(
                concat!("/(money, ", $name, ")"),
                kernel!(|a: i64, b: $ty| {
                    match i64::from(b) {
                        0 => Err(division_by_zero()),
                        b => Ok(a.wrapping_div(b)),
                    }
                }),
            ));
        };
    }
    macro_rules! by_float {
        ($name:literal, $ty:ty) => {
            rows.push(f(concat!("*(money, ", $name, ")"), kernel!(|a: i64, b: $ty| rounded(a as f64 * f64::from(b)))));
            rows.push(f(concat!("*(", $name, ", money)"), kernel!(|a: $ty, b: i64| rounded(b as f64 * f64::from(a)))));
            rows.push(f(
                concat!("/(money, ", $name, ")"),
                kernel!(|a: i64, b: $ty| {
                    if b == 0.0 { Err(division_by_zero()) } else { Ok(rounded(a as f64 / f64::from(b))) }
                }),
            ));
        };
    }
    by_integer!("int2", i16);
    by_integer!("int4", i32);
    by_integer!("int8", i64);
    by_float!("float4", f32);
    by_float!("float8", f64);
    rows
}

fn casts() -> Vec<Row> {
    vec![
        f("money(int4)", kernel!(|a: i32| i64::from(a) * CENTS)),
        f("money(int8)", kernel!(|a: i64| a.checked_mul(CENTS).ok_or_else(|| out_of_range("bigint")))),
        f("money(numeric)", kernel!(|a: Numeric| a.mul(&Numeric::from(CENTS))?.to_i64())),
        f("numeric(money)", kernel!(|a: i64| Numeric::from_decimal128(i128::from(a), 2))),
    ]
}

fn division_by_zero() -> Error {
    Error::new(sqlstate::DIVISION_BY_ZERO, "division by zero")
}

fn rounded(cents: f64) -> i64 {
    cents.round_ties_even() as i64
}

/// `One hundred dollars and five cents`.
fn words(amount: i64) -> Result<String> {
    const UNITS: [(u64, &str); 5] = [
        (1_000_000_000_000_000, " quadrillion "),
        (1_000_000_000_000, " trillion "),
        (1_000_000_000, " billion "),
        (1_000_000, " million "),
        (1_000, " thousand "),
    ];
    let cents = amount.unsigned_abs();
    let (dollars, cents) = (cents / CENTS as u64, cents % CENTS as u64);
    let mut text = String::new();
    if amount < 0 {
        text.push_str("minus ");
    }
    let mut rest = dollars;
    for (unit, name) in UNITS {
        if rest >= unit {
            text.push_str(&below_thousand(rest / unit));
            text.push_str(name);
            rest %= unit;
        }
    }
    if rest > 0 {
        text.push_str(&below_thousand(rest));
    }
    if dollars == 0 {
        text.push_str("zero");
    }
    text.push_str(if dollars == 1 { " dollar and " } else { " dollars and " });
    text.push_str(&below_thousand(cents));
    text.push_str(if cents == 1 { " cent" } else { " cents" });
    let mut letters = text.chars();
    Ok(letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect())
}

/// A number below a thousand (`num_word`).
fn below_thousand(number: u64) -> String {
    const SMALL: [&str; 20] = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const TENS: [&str; 10] = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
    let word = |list: &[&'static str], at: u64| list.get(at as usize).copied().unwrap_or_default();
    let (hundreds, rest) = (number / 100, number % 100);
    let small = match rest {
        0..20 => word(&SMALL, rest).to_owned(),
        _ if rest % 10 == 0 => word(&TENS, rest / 10).to_owned(),
        _ => format!("{} {}", word(&TENS, rest / 10), word(&SMALL, rest % 10)),
    };
    match (hundreds, rest) {
        (0, _) => small,
        (_, 0) => format!("{} hundred", word(&SMALL, hundreds)),
        (_, 1..=19) => format!("{} hundred and {small}", word(&SMALL, hundreds)),
        _ => format!("{} hundred {small}", word(&SMALL, hundreds)),
    }
}
