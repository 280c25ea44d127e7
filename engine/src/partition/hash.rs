//! Hashes of partition keys, and of the functions that are named after them: PostgreSQL's own (`hash_any_extended`, Bob Jenkins' lookup3), so that a row is in the partition in which
//! PostgreSQL would have put it.

use aegis_catalog::types::numeric::encoding::{self, DIGIT_WIDTH, Encoded};
use aegis_catalog::types::oid;
use aegis_catalog::{Error, Oid, Result, Type};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimestampMicrosecondType, UInt32Type,
};

use crate::execute::key::keys;

/// `HASH_PARTITION_SEED`.
const SEED: u64 = 0x7A5B_2236_7996_DCFD;

/// The hashes of rows over all their key columns; a null counts for nothing (`compute_partition_hash_value`).
pub fn row_hashes(types: &[Type], columns: &[ArrayRef], rows: usize) -> Result<Vec<u64>> {
    let mut hashes = vec![0u64; rows];
    for (ty, column) in types.iter().zip(columns) {
        let hasher = Hasher::of(ty.oid).ok_or_else(|| unsupported(*ty))?;
        for (row, combined) in hashes.iter_mut().enumerate() {
            if column.is_valid(row) {
                *combined = combine(*combined, hasher.hash(*ty, column, row, SEED).ok_or_else(|| unsupported(*ty))?);
            }
        }
    }
    Ok(hashes)
}

fn unsupported(ty: Type) -> Error {
    Error::unsupported(format!("hash partition key of type {}", aegis_catalog::types::format_type(ty)))
}

/// The hash of each value of a column, null for null: `hashtextextended` and the like. With seed 0 the lower half is that of `hashtext`.
pub fn hashes(ty: Type, column: &ArrayRef, seeds: impl Fn(usize) -> Option<i64>) -> Result<Vec<Option<u64>>> {
    let hasher = Hasher::of(ty.oid).ok_or_else(|| unsupported(ty))?;
    let hash = |row: usize| match seeds(row) {
        Some(seed) if column.is_valid(row) => {
            hasher.hash(ty, column, row, seed as u64).map(Some).ok_or_else(|| unsupported(ty))
        }
        _ => Ok(None),
    };
    (0..column.len()).map(hash).collect()
}

/// Can keys of the type be hashed here?
pub fn is_hashable(ty: Oid) -> bool {
    Hasher::of(ty).is_some()
}

/// `hash_combine64`.
fn combine(a: u64, b: u64) -> u64 {
    a ^ b.wrapping_add(0x49a0_f4dd_15e5_a8e3).wrapping_add(a << 54).wrapping_add(a >> 7)
}

#[derive(Clone, Copy)]
enum Hasher {
    Int2,
    Int4,
    Int8,
    Unsigned,
    Bool,
    Text,
    Bytes,
    Fixed,
    Float4,
    Float8,
    Numeric,
    Date,
    Time,
    Timestamp,
    Interval,
}

impl Hasher {
    fn of(ty: Oid) -> Option<Self> {
        Some(match ty {
            oid::INT2 => Self::Int2,
            oid::INT4 => Self::Int4,
            oid::INT8 => Self::Int8,
            oid::OID => Self::Unsigned,
            oid::BOOL => Self::Bool,
            oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME => Self::Text,
            oid::BYTEA => Self::Bytes,
            oid::UUID => Self::Fixed,
            oid::FLOAT4 => Self::Float4,
            oid::FLOAT8 => Self::Float8,
            oid::NUMERIC => Self::Numeric,
            oid::DATE => Self::Date,
            oid::TIME => Self::Time,
            oid::TIMESTAMP | oid::TIMESTAMPTZ => Self::Timestamp,
            oid::INTERVAL => Self::Interval,
            _ => return None,
        })
    }

    /// The hash of one value that is not null; None if it is not represented as its type says.
    fn hash(self, ty: Type, column: &ArrayRef, row: usize, seed: u64) -> Option<u64> {
        Some(match self {
            Self::Int2 => hash_u32(i32::from(column.as_primitive_opt::<Int16Type>()?.value(row)) as u32, seed),
            Self::Int4 => hash_u32(column.as_primitive_opt::<Int32Type>()?.value(row) as u32, seed),
            Self::Int8 => hash_i64(column.as_primitive_opt::<Int64Type>()?.value(row), seed),
            Self::Unsigned => hash_u32(column.as_primitive_opt::<UInt32Type>()?.value(row), seed),
            Self::Bool => hash_u32(u32::from(column.as_boolean_opt()?.value(row)), seed),
            Self::Text => {
                let text = column.as_string_view_opt()?.value(row);
                let text = if ty.oid == oid::BPCHAR { text.trim_end_matches(' ') } else { text };
                hash_bytes(text.as_bytes(), seed)
            }
            Self::Bytes => hash_bytes(column.as_binary_view_opt()?.value(row), seed),
            Self::Fixed => hash_bytes(column.as_fixed_size_binary_opt()?.value(row), seed),
            Self::Float4 => hash_f64(f64::from(column.as_primitive_opt::<Float32Type>()?.value(row)), seed),
            Self::Float8 => hash_f64(column.as_primitive_opt::<Float64Type>()?.value(row), seed),
            Self::Numeric => match column.data_type() {
                DataType::Decimal128(..) => {
                    let decimals = column.as_primitive_opt::<Decimal128Type>()?;
                    let value =
                        aegis_catalog::types::numeric::Numeric::from_decimal128(decimals.value(row), decimals.scale());
                    hash_numeric(&value.to_bytes(), seed)?
                }
                _ => hash_numeric(column.as_binary_view_opt()?.value(row), seed)?,
            },
            Self::Date => {
                // Days since 2000, and since 1970 here; infinities are the same in both.
                let days = column.as_primitive_opt::<Date32Type>()?.value(row);
                let days = if matches!(days, i32::MIN | i32::MAX) { days } else { days.wrapping_sub(EPOCH_DAYS) };
                hash_u32(days as u32, seed)
            }
            Self::Time => hash_i64(column.as_primitive_opt::<Time64MicrosecondType>()?.value(row), seed),
            Self::Timestamp => {
                let micros = column.as_primitive_opt::<TimestampMicrosecondType>()?.value(row);
                let infinite = matches!(micros, i64::MIN | i64::MAX);
                hash_i64(
                    if infinite { micros } else { micros.wrapping_sub(i64::from(EPOCH_DAYS) * 86_400_000_000) },
                    seed,
                )
            }
            Self::Interval => {
                let span = keys(ty, &column.slice(row, 1)).ok()?;
                hash_i64(span.as_primitive_opt::<Decimal128Type>()?.value(0) as i64, seed)
            }
        })
    }
}

/// Days from 1970-01-01 to 2000-01-01.
const EPOCH_DAYS: i32 = 10_957;

/// `hashint8extended`: equal to the hash of the same number as int4.
fn hash_i64(value: i64, seed: u64) -> u64 {
    let (low, high) = (value as u32, (value >> 32) as u32);
    hash_u32(low ^ if value >= 0 { high } else { !high }, seed)
}

/// `hashfloat8extended`.
fn hash_f64(value: f64, seed: u64) -> u64 {
    if value == 0.0 {
        return seed;
    }
    let value = if value.is_nan() { f64::from_bits(0x7ff8_0000_0000_0000) } else { value };
    hash_bytes(&value.to_le_bytes(), seed)
}

/// `hash_numeric_extended`: over the digits without zeros at either end, and the weight.
fn hash_numeric(bytes: &[u8], seed: u64) -> Option<u64> {
    let Encoded::Finite(digits) = encoding::decode(bytes).ok()? else { return Some(seed) };
    if digits.is_empty() {
        return Some(seed.wrapping_sub(1));
    }
    debug_assert_eq!(DIGIT_WIDTH, 4);
    let stored: Vec<u8> = (0..digits.len()).flat_map(|at| digits.digit(at).to_le_bytes()).collect();
    Some(hash_bytes(&stored, seed) ^ (i64::from(digits.weight) as u64))
}

fn mix(mut a: u32, mut b: u32, mut c: u32) -> (u32, u32, u32) {
    macro_rules! step {
        ($x:ident, $y:ident, $z:ident, $rotation:literal) => {
            $x = $x.wrapping_sub($z);
            $x ^= $z.rotate_left($rotation);
            $z = $z.wrapping_add($y);
        };
    }
    step!(a, b, c, 4);
    step!(b, c, a, 6);
    step!(c, a, b, 8);
    step!(a, b, c, 16);
    step!(b, c, a, 19);
    step!(c, a, b, 4);
    (a, b, c)
}

fn finish(mut a: u32, mut b: u32, mut c: u32) -> u64 {
    macro_rules! step {
        ($x:ident, $y:ident, $rotation:literal) => {
            $x ^= $y;
            $x = $x.wrapping_sub($y.rotate_left($rotation));
        };
    }
    step!(c, b, 14);
    step!(a, c, 11);
    step!(b, a, 25);
    step!(c, b, 16);
    step!(a, c, 4);
    step!(b, a, 14);
    step!(c, b, 24);
    (u64::from(b) << 32) | u64::from(c)
}

fn seeded(length: usize, seed: u64) -> (u32, u32, u32) {
    let start = 0x9e37_79b9u32.wrapping_add(length as u32).wrapping_add(3_923_095);
    match seed {
        0 => (start, start, start),
        _ => mix(start.wrapping_add((seed >> 32) as u32), start.wrapping_add(seed as u32), start),
    }
}

/// `hash_bytes_extended`.
fn hash_bytes(bytes: &[u8], seed: u64) -> u64 {
    let (mut a, mut b, mut c) = seeded(bytes.len(), seed);
    let mut chunks = bytes.chunks_exact(12);
    for chunk in &mut chunks {
        let word = |at: usize| word_of(chunk.get(at..at + 4).unwrap_or_default());
        (a, b, c) = mix(a.wrapping_add(word(0)), b.wrapping_add(word(4)), c.wrapping_add(word(8)));
    }
    let rest = chunks.remainder();
    let part = |from: usize| word_of(rest.get(from..rest.len().min(from + 4)).unwrap_or_default());
    a = a.wrapping_add(part(0));
    b = b.wrapping_add(part(4));
    // The lowest byte of the last word belongs to the length.
    c = c.wrapping_add(part(8) << 8);
    finish(a, b, c)
}

/// Up to four bytes, the first one lowest.
fn word_of(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |word, byte| (word << 8) | u32::from(*byte))
}

/// `hash_bytes_uint32_extended`.
fn hash_u32(value: u32, seed: u64) -> u64 {
    let (a, b, c) = seeded(4, seed);
    finish(a.wrapping_add(value), b, c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_postgresql() {
        // SELECT hashint4extended(1, 8816678312871386365), hashtextextended('abc', …), hashint8extended(-5, …) …
        assert_eq!(hash_u32(1, SEED), EXPECTED[0]);
        assert_eq!(hash_bytes(b"abc", SEED), EXPECTED[1]);
        assert_eq!(hash_bytes(b"twelve bytes", SEED), EXPECTED[2]);
        assert_eq!(hash_bytes(b"more than twelve bytes", SEED), EXPECTED[3]);
        assert_eq!(hash_i64(-5, SEED), EXPECTED[4]);
        assert_eq!(hash_f64(1.5, SEED), EXPECTED[5]);
        let numeric = |text: &str| aegis_catalog::types::numeric::Numeric::parse(text).unwrap().to_bytes();
        assert_eq!(hash_numeric(&numeric("-12345.678"), SEED), Some(EXPECTED[6]));
        assert_eq!(hash_numeric(&numeric("0.00"), SEED), Some(EXPECTED[7]));
    }

    const EXPECTED: [u64; 8] = [
        0x52d6_2105_8124_e6d5,
        0x325c_02d1_6f43_e1c2,
        0x1586_441e_5b8c_bc33,
        0x364e_5b6f_da19_62b0,
        0x4bde_2283_2849_ad1c,
        0xd8c6_ab58_25f8_a79e,
        0xc843_0ff7_f9fd_0188,
        0x7a5b_2236_7996_dcfc,
    ];
}
