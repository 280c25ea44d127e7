//! Keys of partitions: values as bytes that sort as they do, and bounds made of their text.

use aegis_catalog::object::{Limit, PartitionBound, PartitionKey, Partitioning};
use aegis_catalog::types::{FormatSettings, parse_scalar};
use aegis_catalog::{Error, Result, Type};
use arrow::array::ArrayRef;
use arrow::row::{RowConverter, Rows, SortField};

use super::bound::{ABOVE_ALL, Bound};
use crate::execute::error::from_arrow;
use crate::execute::key::keys;

/// Keys of rows as bytes. Those of several columns begin with those of the first ones alone.
pub fn encode(types: &[Type], columns: &[ArrayRef]) -> Result<Rows> {
    let columns = types.iter().zip(columns).map(|(ty, column)| keys(*ty, column)).collect::<Result<Vec<ArrayRef>>>()?;
    let fields = columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    let converter = RowConverter::new(fields).map_err(from_arrow)?;
    converter.convert_columns(&columns).map_err(from_arrow)
}

/// One value that is not null.
pub fn encode_one(ty: Type, value: &ArrayRef) -> Result<Vec<u8>> {
    let rows = encode(&[ty], std::slice::from_ref(value))?;
    if rows.num_rows() != 1 {
        return Err(Error::internal("a bound is one value"));
    }
    Ok(rows.row(0).data().to_vec())
}

/// The settings that bounds are written and read with, whatever the session's are.
pub fn canonical(format: &FormatSettings) -> FormatSettings {
    FormatSettings { names: format.names.clone(), ..FormatSettings::default() }
}

/// A bound as the catalog keeps it, ready to be compared.
pub fn compile(partitioning: &Partitioning, bound: &PartitionBound, format: &FormatSettings) -> Result<Bound> {
    let settings = canonical(format);
    Ok(match bound {
        PartitionBound::Default => Bound::Default,
        PartitionBound::List(values) => {
            let key = partitioning.keys.first().ok_or_else(|| Error::internal("a list without key"))?;
            let given = values.iter().flatten().map(|value| bytes_of(key, value, &settings));
            Bound::List { values: given.collect::<Result<_>>()?, null: values.iter().any(Option::is_none) }
        }
        PartitionBound::Range { from, to } => Bound::Range {
            from: edge(&partitioning.keys, from, &settings)?,
            to: edge(&partitioning.keys, to, &settings)?,
        },
        PartitionBound::Hash { modulus, remainder } => Bound::Hash {
            modulus: u64::try_from(*modulus).unwrap_or(1).max(1),
            remainder: u64::try_from(*remainder).unwrap_or(0),
        },
    })
}

fn edge(keys: &[PartitionKey], limits: &[Limit], settings: &FormatSettings) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for (key, limit) in keys.iter().zip(limits) {
        match limit {
            Limit::Value(value) => bytes.extend(bytes_of(key, value, settings)?),
            // Before, and behind, all that begins with the columns so far.
            Limit::Minimum => break,
            Limit::Maximum => {
                bytes.push(ABOVE_ALL);
                break;
            }
        }
    }
    Ok(bytes)
}

fn bytes_of(key: &PartitionKey, literal: &str, settings: &FormatSettings) -> Result<Vec<u8>> {
    let quoted = literal.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    let text = quoted.map(|text| text.replace("''", "'"));
    encode_one(key.ty, &parse_scalar(key.ty, text.as_deref().unwrap_or(literal), settings)?)
}
