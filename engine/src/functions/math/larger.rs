//! `…larger` and `…smaller`: what `max` and `min` are made of.

use aegis_catalog::types::numeric::Numeric;

use crate::functions::aggregate::compare_floats;
use crate::functions::kernel::kernel;
use crate::functions::signature::{Row, f};
use crate::functions::value::{Date, Time, Timestamp, TimestampTz};

pub fn functions() -> Vec<Row> {
    let mut rows = Vec::new();
    macro_rules! pair {
        ($larger:literal, $smaller:literal, $ty:ty) => {
            rows.push(f($larger, kernel!(|a: $ty, b: $ty| if a >= b { a } else { b })));
            rows.push(f($smaller, kernel!(|a: $ty, b: $ty| if a <= b { a } else { b })));
        };
    }
    macro_rules! pair_by {
        ($larger:literal, $smaller:literal, $ty:ty, $compare:expr) => {
            rows.push(f($larger, kernel!(|a: $ty, b: $ty| if $compare(&a, &b).is_ge() { a } else { b })));
            rows.push(f($smaller, kernel!(|a: $ty, b: $ty| if $compare(&a, &b).is_le() { a } else { b })));
        };
    }
    pair_by!("float4larger(float4, float4)", "float4smaller(float4, float4)", f32, |a: &f32, b: &f32| {
        compare_floats(f64::from(*a), f64::from(*b))
    });
    pair_by!("float8larger(float8, float8)", "float8smaller(float8, float8)", f64, |a: &f64, b: &f64| {
        compare_floats(*a, *b)
    });
    pair_by!("numeric_larger(numeric, numeric)", "numeric_smaller(numeric, numeric)", Numeric, Numeric::compare);
    pair!("int2larger(int2, int2)", "int2smaller(int2, int2)", i16);
    pair!("int4larger(int4, int4)", "int4smaller(int4, int4)", i32);
    pair!("int8larger(int8, int8)", "int8smaller(int8, int8)", i64);
    pair!("oidlarger(oid, oid)", "oidsmaller(oid, oid)", u32);
    pair!("date_larger(date, date)", "date_smaller(date, date)", Date);
    pair!("time_larger(time, time)", "time_smaller(time, time)", Time);
    pair!("timestamp_larger(timestamp, timestamp)", "timestamp_smaller(timestamp, timestamp)", Timestamp);
    pair!("timestamptz_larger(timestamptz, timestamptz)", "timestamptz_smaller(timestamptz, timestamptz)", TimestampTz);
    rows
}
