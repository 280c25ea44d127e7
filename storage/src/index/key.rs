//! Keys as bytes: two rows have equal keys exactly if their encodings are equal. Not order-preserving.
//!
//! Hashes of keys are stored in segment key files, so a change here must raise [`ENCODING_VERSION`], upon which key files are rebuilt.

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryViewArray, BooleanArray, LargeBinaryArray, LargeStringArray,
    RecordBatch, StringArray, StringViewArray, downcast_primitive_array,
};
use arrow::buffer::{Buffer, NullBuffer};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, Rows, SortField};

use crate::schema::{IndexSchema, TableSchema};
use crate::{Error, Result};

pub const ENCODING_VERSION: u32 = 2;

/// The key columns of one batch, ready to encode single rows.
#[derive(Debug)]
pub struct KeyColumns {
    columns: Vec<KeyColumn>,
    nulls_equal: bool,
    values: Vec<ArrayRef>,
}

#[derive(Debug)]
struct KeyColumn {
    values: Values,
    nulls: Option<NullBuffer>,
    /// Trailing bytes that equality ignores.
    suffix: usize,
}

#[derive(Debug)]
enum Values {
    Fixed {
        width: usize,
        bytes: Buffer,
    },
    Float32(Buffer),
    Float64(Buffer),
    Boolean(BooleanArray),
    StringView(StringViewArray),
    BinaryView(BinaryViewArray),
    String(StringArray),
    Binary(BinaryArray),
    LargeString(LargeStringArray),
    LargeBinary(LargeBinaryArray),
    /// Nested types, by Arrow's row format.
    Rows(Rows),
}

/// Are values equal exactly if their bytes are?
pub fn is_plain(data_type: &DataType) -> bool {
    data_type.is_integer()
        || matches!(
            data_type,
            DataType::Boolean
                | DataType::Utf8View
                | DataType::BinaryView
                | DataType::FixedSizeBinary(_)
                | DataType::Date32
                | DataType::Time64(_)
                | DataType::Timestamp(..)
        )
}

impl KeyColumns {
    /// Over the columns of a batch that has the table's columns in schema order.
    pub fn of_table(schema: &TableSchema, index: &IndexSchema, rows: &RecordBatch) -> Result<Self> {
        let positions = schema.key_positions(index)?;
        Self::new(index, positions.iter().map(|p| rows.column(*p).clone()).collect())
    }

    /// Over the key columns themselves, in index order.
    pub fn new(index: &IndexSchema, columns: Vec<ArrayRef>) -> Result<Self> {
        if columns.len() != index.columns.len() {
            let (want, got) = (index.columns.len(), columns.len());
            return Err(Error::Internal(format!("index {} has {want} columns, the key {got}", index.id)));
        }
        let suffix = |i: usize| usize::from(index.ignored_suffix.get(i).copied().unwrap_or(0));
        let values = columns;
        let columns = values.iter().enumerate().map(|(i, c)| KeyColumn::new(c, suffix(i))).collect::<Result<_>>()?;
        Ok(Self { columns, nulls_equal: index.nulls_not_distinct, values })
    }

    /// The values of the key columns.
    pub fn values(&self) -> &[ArrayRef] {
        &self.values
    }

    /// Appends the key of a row. False if the key holds a null that makes it equal to no other key.
    pub fn write(&self, row: usize, out: &mut Vec<u8>) -> bool {
        for column in &self.columns {
            if column.nulls.as_ref().is_some_and(|n| n.is_null(row)) {
                if !self.nulls_equal {
                    return false;
                }
                out.push(0);
            } else {
                out.push(1);
                column.write_value(row, out);
            }
        }
        true
    }

    /// Equal hashes mean equal keys: the hash of a single number is made of all its bits and loses none.
    pub fn hashes_are_exact(&self) -> bool {
        self.number().is_some()
    }

    /// The values of a key that is one number of at most 64 bits, with their width.
    fn number(&self) -> Option<(&KeyColumn, &Buffer, usize)> {
        match self.columns.as_slice() {
            [column] if !self.nulls_equal => match &column.values {
                Values::Fixed { width, bytes } if *width <= size_of::<u64>() => Some((column, bytes, *width)),
                _ => None,
            },
            _ => None,
        }
    }

    /// Hashes of the first `rows` keys; None for keys that equal no other.
    pub fn hashes(&self, rows: usize) -> Vec<Option<u64>> {
        if let Some((column, bytes, width)) = self.number() {
            let is_null = |row| column.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
            let hash = |row| {
                let mut number = [0; size_of::<u64>()];
                number[..width].copy_from_slice(&bytes[row * width..(row + 1) * width]);
                mix64(u64::from_le_bytes(number))
            };
            return (0..rows).map(|row| (!is_null(row)).then(|| hash(row))).collect();
        }
        let mut key = Vec::with_capacity(64);
        let mut hash = |row| {
            key.clear();
            self.write(row, &mut key).then(|| hash64(&key))
        };
        (0..rows).map(&mut hash).collect()
    }
}

impl KeyColumn {
    fn new(array: &ArrayRef, suffix: usize) -> Result<Self> {
        let fixed = |width: usize| {
            let data = array.to_data();
            let bytes = data.buffers()[0].slice_with_length(data.offset() * width, data.len() * width);
            (width, bytes)
        };
        let values = match array.data_type() {
            DataType::Boolean => Values::Boolean(array.as_boolean().clone()),
            DataType::Float32 => Values::Float32(fixed(4).1),
            DataType::Float64 => Values::Float64(fixed(8).1),
            DataType::Utf8View => Values::StringView(array.as_string_view().clone()),
            DataType::BinaryView => Values::BinaryView(array.as_binary_view().clone()),
            DataType::Utf8 => Values::String(array.as_string().clone()),
            DataType::Binary => Values::Binary(array.as_binary().clone()),
            DataType::LargeUtf8 => Values::LargeString(array.as_string().clone()),
            DataType::LargeBinary => Values::LargeBinary(array.as_binary().clone()),
            DataType::FixedSizeBinary(width) => {
                let (width, bytes) = fixed(usize::try_from(*width).unwrap_or(0));
                Values::Fixed { width, bytes }
            }
            other => match other.primitive_width() {
                Some(width) => Values::Fixed { width, bytes: primitive_bytes(array).unwrap_or_else(|| fixed(width).1) },
                None => {
                    let converter = RowConverter::new(vec![SortField::new(other.clone())])?;
                    Values::Rows(converter.convert_columns(std::slice::from_ref(array))?)
                }
            },
        };
        Ok(Self { values, nulls: array.logical_nulls(), suffix })
    }

    fn write_value(&self, row: usize, out: &mut Vec<u8>) {
        match &self.values {
            Values::Fixed { width, bytes } => out.extend_from_slice(&bytes[row * width..(row + 1) * width]),
            Values::Float32(bytes) => out.extend_from_slice(&canonical(bytes.typed_data::<f32>()[row] as f64)),
            Values::Float64(bytes) => out.extend_from_slice(&canonical(bytes.typed_data::<f64>()[row])),
            Values::Boolean(a) => out.push(u8::from(a.value(row))),
            Values::StringView(a) => self.write_bytes(a.value(row).as_bytes(), out),
            Values::BinaryView(a) => self.write_bytes(a.value(row), out),
            Values::String(a) => self.write_bytes(a.value(row).as_bytes(), out),
            Values::Binary(a) => self.write_bytes(a.value(row), out),
            Values::LargeString(a) => self.write_bytes(a.value(row).as_bytes(), out),
            Values::LargeBinary(a) => self.write_bytes(a.value(row), out),
            Values::Rows(rows) => self.write_bytes(rows.row(row).as_ref(), out),
        }
    }

    /// Length first, so that ("a", "b") differs from ("ab", "").
    fn write_bytes(&self, value: &[u8], out: &mut Vec<u8>) {
        let value = &value[..value.len().saturating_sub(self.suffix)];
        out.extend_from_slice(&(value.len() as u64).to_le_bytes());
        out.extend_from_slice(value);
    }
}

/// The values of a primitive array as they are.
fn primitive_bytes(array: &dyn Array) -> Option<Buffer> {
    downcast_primitive_array!(
        array => Some(array.values().inner().clone()),
        _ => None
    )
}

/// -0 equals 0 and every NaN equals every other, as PostgreSQL's btree has it.
fn canonical(value: f64) -> [u8; 8] {
    if value.is_nan() { f64::NAN.to_bits().to_le_bytes() } else { (value + 0.0).to_bits().to_le_bytes() }
}

/// A stable permutation of the 64-bit numbers that spreads their bits (the finalizer of MurmurHash3, Austin Appleby).
fn mix64(mut n: u64) -> u64 {
    n = (n ^ (n >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    n = (n ^ (n >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    n ^ (n >> 33)
}

/// A stable 64-bit hash: folded 64×64→128 multiplication over 8-byte words.
pub fn hash64(bytes: &[u8]) -> u64 {
    const K0: u64 = 0xa076_1d64_78bd_642f;
    const K1: u64 = 0xe703_7ed1_a0b4_28db;
    let fold = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        (product as u64) ^ ((product >> 64) as u64)
    };
    let mut state = K0 ^ (bytes.len() as u64);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        state = fold(state ^ u64::from_le_bytes(*word), K1);
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    fold(state ^ u64::from_le_bytes(last), K0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, Int32Array};

    use super::*;

    fn index(columns: u32) -> IndexSchema {
        IndexSchema {
            id: 1,
            name: "k".into(),
            columns: (1..=columns).collect(),
            unique: true,
            primary: false,
            nulls_not_distinct: false,
            ignored_suffix: vec![],
            deferrable: false,
        }
    }

    fn keys(index: &IndexSchema, columns: Vec<ArrayRef>) -> Vec<Option<Vec<u8>>> {
        let rows = columns[0].len();
        let columns = KeyColumns::new(index, columns).unwrap();
        (0..rows)
            .map(|row| {
                let mut out = Vec::new();
                columns.write(row, &mut out).then_some(out)
            })
            .collect()
    }

    #[test]
    fn text_parts_do_not_run_together() {
        let a: ArrayRef = Arc::new(StringViewArray::from(vec!["a", "ab"]));
        let b: ArrayRef = Arc::new(StringViewArray::from(vec!["b", ""]));
        let keys = keys(&index(2), vec![a, b]);
        assert_ne!(keys[0], keys[1]);
    }

    #[test]
    fn nulls_equal_nothing_unless_said() {
        let column: ArrayRef = Arc::new(Int32Array::from(vec![None, None, Some(0)]));
        assert_eq!(keys(&index(1), vec![column.clone()])[..2], [None, None]);
        let equal = keys(&IndexSchema { nulls_not_distinct: true, ..index(1) }, vec![column]);
        assert!(equal[0].is_some() && equal[0] == equal[1] && equal[0] != equal[2]);
    }

    #[test]
    fn zeros_and_nans_are_one_value_each() {
        let column: ArrayRef = Arc::new(Float64Array::from(vec![0.0, -0.0, f64::NAN, -f64::NAN, 1.0]));
        let keys = keys(&index(1), vec![column]);
        assert_eq!(keys[0], keys[1]);
        assert_eq!(keys[2], keys[3]);
        assert_ne!(keys[0], keys[4]);
    }

    #[test]
    fn an_ignored_suffix_does_not_distinguish() {
        let column: ArrayRef = Arc::new(BinaryViewArray::from(vec![&b"1\0\x02"[..], &b"1\0\x05"[..], &b"2\0\x02"[..]]));
        let keys = keys(&IndexSchema { ignored_suffix: vec![2], ..index(1) }, vec![column]);
        assert_eq!(keys[0], keys[1]);
        assert_ne!(keys[0], keys[2]);
    }

    #[test]
    fn slices_read_their_own_rows() {
        let column: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
        let whole = keys(&index(1), vec![column.clone()]);
        assert_eq!(keys(&index(1), vec![column.slice(1, 2)]), whole[1..]);
    }

    #[test]
    fn hashes_of_single_numbers_are_exact() {
        let hashes = |index: &IndexSchema, columns: Vec<ArrayRef>| {
            let rows = columns[0].len();
            let keys = KeyColumns::new(index, columns).unwrap();
            (keys.hashes_are_exact(), keys.hashes(rows))
        };
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![Some(-1), Some(0), Some(1), Some(-1), None]));
        let (exact, found) = hashes(&index(1), vec![numbers.clone()]);
        assert!(exact);
        assert_eq!((found[0], found[4]), (found[3], None));
        assert!(found[0] != found[1] && found[1] != found[2] && found[0] != found[2]);
        // Of a slice, the rows of the slice.
        assert_eq!(hashes(&index(1), vec![numbers.slice(2, 2)]).1, found[2..4]);
        let nulls_equal = IndexSchema { nulls_not_distinct: true, ..index(1) };
        assert!(!hashes(&nulls_equal, vec![numbers.clone()]).0);
        assert!(!hashes(&index(2), vec![numbers.clone(), numbers]).0);
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![0.0, -0.0]));
        assert!(!hashes(&index(1), vec![floats]).0);
    }

    #[test]
    fn the_hash_is_pinned_since_files_hold_it() {
        assert_eq!(hash64(b""), hash64(b""));
        assert_ne!(hash64(b"a"), hash64(b"a\0"));
        assert_ne!(hash64(b"12345678"), hash64(b"12345679"));
    }
}
