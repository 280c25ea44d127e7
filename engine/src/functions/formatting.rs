//! Data type formatting (PostgreSQL manual 9.8): `to_char`, `to_date`, `to_timestamp`, `to_number`.

use aegis_catalog::types::formatting;
use aegis_catalog::types::numeric::Numeric;

use super::kernel::kernel;
use super::signature::{Row, f};
use super::value::{Date, Interval, Timestamp, TimestampTz};

pub fn functions() -> Vec<Row> {
    vec![
        f(
            "to_char(timestamp, text)",
            kernel!(|a: Timestamp, template: &str| formatting::timestamp_to_char(a.0, template)),
        ),
        f(
            "to_char(timestamptz, text)",
            kernel!(|call; a: TimestampTz, template: &str| {
                formatting::timestamptz_to_char(a.0, template, &call.context.format.time_zone)
            }),
        ),
        f("to_char(interval, text)", kernel!(|a: Interval, template: &str| formatting::interval_to_char(a, template))),
        f("to_char(numeric, text)", kernel!(|a: Numeric, template: &str| formatting::numeric_to_char(&a, template))),
        f("to_char(int4, text)", kernel!(|a: i32, template: &str| formatting::integer_to_char(a.into(), template))),
        f("to_char(int8, text)", kernel!(|a: i64, template: &str| formatting::integer_to_char(a, template))),
        f("to_char(float4, text)", kernel!(|a: f32, template: &str| formatting::float4_to_char(a, template))),
        f("to_char(float8, text)", kernel!(|a: f64, template: &str| formatting::float8_to_char(a, template))),
        f("to_number(text, text)", kernel!(|a: &str, template: &str| formatting::to_number(a, template))),
        f("to_date(text, text)", kernel!(|a: &str, template: &str| formatting::to_date(a, template).map(Date))),
        f(
            "to_timestamp(text, text)",
            kernel!(|call; a: &str, template: &str| {
                formatting::to_timestamp(a, template, &call.context.format.time_zone).map(TimestampTz)
            }),
        ),
    ]
}
