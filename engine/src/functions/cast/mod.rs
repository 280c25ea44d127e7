//! The functions behind casts (`pg_cast`): conversions between types, and coercions to a length.

use aegis_catalog::types::numeric::Numeric;
use aegis_catalog::types::{text, type_name};
use aegis_catalog::{Error, Result, sqlstate};

use super::kernel::kernel;
use super::math::out_of_range;
use super::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    [integers(), floats(), numerics(), texts(), others()].into_iter().flatten().collect()
}

fn integers() -> Vec<Row> {
    macro_rules! narrow {
        ($from:ty => $to:ty, $name:literal) => {
            kernel!(|a: $from| <$to>::try_from(a).map_err(|_| out_of_range($name)))
        };
    }
    macro_rules! round {
        ($from:ty => $to:ty, $name:literal) => {
            kernel!(|a: $from| {
                let rounded = f64::from(a.round_ties_even());
                // The upper bound is not representable, so it is excluded.
                let fits = rounded >= <$to>::MIN as f64 && rounded < -(<$to>::MIN as f64);
                if fits { Ok(rounded as $to) } else { Err(out_of_range($name)) }
            })
        };
    }
    vec![
        f("int2(int4)", narrow!(i32 => i16, "smallint")),
        f("int2(int8)", narrow!(i64 => i16, "smallint")),
        f("int4(int8)", narrow!(i64 => i32, "integer")),
        f("int4(int2)", kernel!(|a: i16| i32::from(a))),
        f("int8(int2)", kernel!(|a: i16| i64::from(a))),
        f("int8(int4)", kernel!(|a: i32| i64::from(a))),
        f("int8(oid)", kernel!(|a: u32| i64::from(a))),
        f(
            "oid(int8)",
            kernel!(|a: i64| u32::try_from(a)
                .map_err(|_| Error::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, "OID out of range"))),
        ),
        f("int2(float4)", round!(f32 => i16, "smallint")),
        f("int2(float8)", round!(f64 => i16, "smallint")),
        f("int4(float4)", round!(f32 => i32, "integer")),
        f("int4(float8)", round!(f64 => i32, "integer")),
        f("int8(float4)", round!(f32 => i64, "bigint")),
        f("int8(float8)", round!(f64 => i64, "bigint")),
        f("int2(numeric)", kernel!(|a: Numeric| a.to_i16())),
        f("int4(numeric)", kernel!(|a: Numeric| a.to_i32())),
        f("int8(numeric)", kernel!(|a: Numeric| a.to_i64())),
        f("int4(bool)", kernel!(|a: bool| i32::from(a))),
        f("bool(int4)", kernel!(|a: i32| a != 0)),
    ]
}

fn floats() -> Vec<Row> {
    vec![
        f("float4(int2)", kernel!(|a: i16| f32::from(a))),
        f("float4(int4)", kernel!(|a: i32| a as f32)),
        f("float4(int8)", kernel!(|a: i64| a as f32)),
        f("float4(float8)", kernel!(|a: f64| float4(a))),
        f("float4(numeric)", kernel!(|a: Numeric| a.to_float4())),
        f("float8(int2)", kernel!(|a: i16| f64::from(a))),
        f("float8(int4)", kernel!(|a: i32| f64::from(a))),
        f("float8(int8)", kernel!(|a: i64| a as f64)),
        f("float8(float4)", kernel!(|a: f32| f64::from(a))),
        f("float8(numeric)", kernel!(|a: Numeric| a.to_float8())),
    ]
}

fn float4(value: f64) -> Result<f32> {
    let narrow = value as f32;
    let refuse = |what| Err(Error::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, format!("value out of range: {what}")));
    if narrow.is_infinite() && value.is_finite() {
        return refuse("overflow");
    }
    if narrow == 0.0 && value != 0.0 {
        return refuse("underflow");
    }
    Ok(narrow)
}

fn numerics() -> Vec<Row> {
    vec![
        f("numeric(int2)", kernel!(|a: i16| Numeric::from(i64::from(a)))),
        f("numeric(int4)", kernel!(|a: i32| Numeric::from(a))),
        f("numeric(int8)", kernel!(|a: i64| Numeric::from(a))),
        f("numeric(float4)", kernel!(|a: f32| Numeric::from_f32(a))),
        f("numeric(float8)", kernel!(|a: f64| Numeric::from_f64(a))),
        f("numeric(numeric, int4)", kernel!(|a: Numeric, typmod: i32| numeric(a, typmod))),
    ]
}

fn numeric(value: Numeric, typmod: i32) -> Result<Numeric> {
    match type_name::numeric_precision_scale(typmod) {
        Some((precision, scale)) => value.apply_typmod(precision, scale),
        None => Ok(value),
    }
}

fn texts() -> Vec<Row> {
    vec![
        f(
            "varchar(varchar, int4, bool)",
            kernel!(|a: &str, typmod: i32, explicit: bool| {
                if explicit { Ok(text::truncate_varchar(a, typmod)) } else { text::varchar(a, typmod) }
            }),
        ),
        f(
            "bpchar(bpchar, int4, bool)",
            kernel!(|a: &str, typmod: i32, explicit: bool| {
                if explicit { Ok(text::truncate_bpchar(a, typmod)) } else { text::bpchar(a, typmod) }
            }),
        ),
        f("bpchar(char)", kernel!(|a: &str| a)),
        f("bpchar(name)", kernel!(|a: &str| a)),
        f("varchar(name)", kernel!(|a: &str| a)),
        f("text(name)", kernel!(|a: &str| a)),
        f("text(char)", kernel!(|a: &str| a)),
        f("text(bpchar)", kernel!(|a: &str| a.trim_end_matches(' '))),
        f("text(bool)", kernel!(|a: bool| if a { "true" } else { "false" })),
        f(
            "nameconcatoid(name, oid)",
            kernel!(|name: &str, oid: u32| {
                let suffix = format!("_{oid}");
                let end = name.floor_char_boundary(text::NAME_LENGTH.saturating_sub(suffix.len()));
                format!("{}{suffix}", &name[..end])
            }),
        ),
        f("name(text)", kernel!(|a: &str| text::name(a))),
        f("name(varchar)", kernel!(|a: &str| text::name(a))),
        f("name(bpchar)", kernel!(|a: &str| text::name(a).trim_end_matches(' '))),
        f("char(text)", kernel!(|a: &str| text::char(a))),
    ]
}

fn others() -> Vec<Row> {
    vec![
        f("int4(char)", kernel!(|a: &str| i32::from(text::char_to_byte(a) as i8))),
        f(
            "char(int4)",
            kernel!(|a: i32| match i8::try_from(a) {
                Ok(byte) => Ok(text::char_from_byte(byte as u8)),
                Err(_) => Err(Error::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, "\"char\" out of range")),
            }),
        ),
        f("xid(xid8)", kernel!(|a: u64| a as u32)),
    ]
}
