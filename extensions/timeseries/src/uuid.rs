//! UUIDs of version 7 (RFC 9562, 5.7): their time, and UUIDs of a time.

use std::fmt::Write as _;

use aegis_engine::extension::{
    Error, Result, Symbols, Timestamp, TimestampTz, Uuid, calendar::timestamp_out_of_range, kernel, sqlstate, volatile,
};
use rand::RngCore;

pub fn symbols() -> Symbols {
    vec![
        ("ts_uuid_generate_v7", volatile!(|| of_time(TimestampTz(now()), random()))),
        ("ts_uuid_v7_from_timestamptz", volatile!(|time: TimestampTz| of_time(time, random()))),
        ("ts_uuid_v7_from_timestamptz_boundary", kernel!(|time: TimestampTz| of_time(time, [0; 10]))),
        ("ts_timestamptz_from_uuid_v7", kernel!(|uuid: Uuid| time_of(uuid))),
        ("ts_timestamptz_from_uuid_v7_with_microseconds", kernel!(|uuid: Uuid| exact_time_of(uuid))),
        ("ts_uuid_version", kernel!(|uuid: Uuid| version(uuid))),
    ]
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

fn random() -> [u8; 10] {
    let mut bytes = [0; 10];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

fn version(uuid: Uuid) -> i32 {
    i32::from(uuid.0[6] >> 4)
}

/// Milliseconds, then what is given but for the bits of version and variant.
fn of_time(time: TimestampTz, rest: [u8; 10]) -> Result<Uuid> {
    let millis = time.0.div_euclid(1000);
    if !Timestamp(time.0).is_finite() || !(0..1 << 48).contains(&millis) {
        return Err(timestamp_out_of_range());
    }
    let [_, _, millis @ ..] = millis.to_be_bytes();
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&millis);
    bytes[6..].copy_from_slice(&rest);
    if rest != [0; 10] {
        // The fraction of a millisecond comes first, so that UUIDs of a millisecond are in order too (RFC 9562, 6.2, method 3).
        let [high, low] = ((time.0.rem_euclid(1000) * 4096 / 1000) as u16).to_be_bytes();
        (bytes[6], bytes[7]) = (high, low);
    }
    bytes[6] = bytes[6] & 0x0f | 0x70;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Ok(Uuid(bytes))
}

/// 22023 if it has no time.
pub fn time_of(uuid: Uuid) -> Result<TimestampTz> {
    if version(uuid) != 7 {
        let mut text = String::new();
        for (position, byte) in uuid.0.iter().enumerate() {
            let dash = if matches!(position, 4 | 6 | 8 | 10) { "-" } else { "" };
            let _ = write!(text, "{dash}{byte:02x}");
        }
        return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, format!("not a version 7 UUID: {text}")));
    }
    let millis = uuid.0[..6].iter().fold(0_i64, |millis, byte| millis << 8 | i64::from(*byte));
    Timestamp::from_micros(millis * 1000).map(|time| TimestampTz(time.0))
}

/// With the fraction of a millisecond that some UUIDs have.
fn exact_time_of(uuid: Uuid) -> Result<TimestampTz> {
    let fraction = i64::from(uuid.0[6] & 0x0f) << 8 | i64::from(uuid.0[7]);
    Ok(TimestampTz(time_of(uuid)?.0 + (fraction * 1000 + 4095) / 4096))
}
