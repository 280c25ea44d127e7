//! The order of `jsonb` values: object > array > boolean > number > string > null.

use aegis_catalog::types::numeric::Numeric;
use aegis_catalog::{Error, Result};
use serde_json::Value;

/// Appends bytes whose order is that of the values (`compareJsonbContainers`).
pub fn write_key(text: &str, key: &mut Vec<u8>) -> Result<()> {
    let value: Value =
        serde_json::from_str(text).map_err(|error| Error::internal(format!("malformed jsonb: {error}")))?;
    // PostgreSQL sorts the empty array below all scalars, by accident, and keeps it so.
    match &value {
        Value::Array(items) if items.is_empty() => key.push(0),
        value => write_value(value, key)?,
    }
    Ok(())
}

fn write_value(value: &Value, key: &mut Vec<u8>) -> Result<()> {
    match value {
        Value::Null => key.push(1),
        Value::String(text) => {
            key.push(2);
            write_text(text, key);
        }
        Value::Number(number) => {
            key.push(3);
            let bytes = Numeric::parse(&number.to_string())?.to_bytes();
            write_escaped(aegis_catalog::types::numeric::key(&bytes), key);
        }
        Value::Bool(value) => key.extend([4, u8::from(*value)]),
        Value::Array(items) => {
            key.push(5);
            key.extend((items.len() as u32).to_be_bytes());
            items.iter().try_for_each(|item| write_value(item, key))?;
        }
        Value::Object(fields) => {
            key.push(6);
            key.extend((fields.len() as u32).to_be_bytes());
            for (name, value) in fields {
                // Keys compare by length first.
                key.extend((name.len() as u32).to_be_bytes());
                key.extend(name.as_bytes());
                write_value(value, key)?;
            }
        }
    }
    Ok(())
}

fn write_text(text: &str, key: &mut Vec<u8>) {
    write_escaped(text.as_bytes(), key);
}

/// Self-delimiting and order-preserving.
fn write_escaped(bytes: &[u8], key: &mut Vec<u8>) {
    for &byte in bytes {
        key.push(byte);
        if byte == 0 {
            key.push(0xFF);
        }
    }
    key.extend([0, 0]);
}
