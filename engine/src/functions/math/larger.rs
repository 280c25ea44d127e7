//! `…larger` and `…smaller`: what `max` and `min` are made of.

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
