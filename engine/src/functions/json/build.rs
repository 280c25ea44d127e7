//! Making JSON: `to_json`, `row_to_json`, `json_build_object`, `json_object` and their jsonb forms.

use std::sync::Arc;

use aegis_catalog::types::json::{canonical, write_json_string};
use aegis_catalog::{Error, Result, Type, sqlstate};
use arrow::array::{Array, ArrayRef, AsArray, StringViewBuilder};

use super::writer::JsonWriter;
use crate::functions::array::{ArrayColumn, Dimension};
use crate::functions::kernel::{columns, kernel};
use crate::functions::signature::{Row, f};
use crate::functions::{Body, Call};

pub fn functions() -> Vec<Row> {
    vec![
        f("to_json(anyelement)", columns(|call, args| to_json(call, args, false))),
        f("to_jsonb(anyelement)", columns(|call, args| to_json(call, args, true))),
        f("row_to_json(record)", columns(|call, args| to_json(call, args, false))),
        f("row_to_json(record, bool)", columns(|call, args| to_json(call, args, false))),
        f("array_to_json(anyarray)", columns(|call, args| to_json(call, args, false))),
        f("array_to_json(anyarray, bool)", columns(|call, args| to_json(call, args, false))),
        f("json_build_object()", kernel!(|| "{}")),
        f("jsonb_build_object()", kernel!(|| "{}")),
        f("json_build_array()", kernel!(|| "[]")),
        f("jsonb_build_array()", kernel!(|| "[]")),
        f("json_build_object(any)", rows(build_object, false)),
        f("jsonb_build_object(any)", rows(build_object, true)),
        f("json_build_array(any)", rows(build_array, false)),
        f("jsonb_build_array(any)", rows(build_array, true)),
        f("json_object(text[])", columns(|call, args| object(call, args, false))),
        f("jsonb_object(text[])", columns(|call, args| object(call, args, true))),
        f("json_object(text[], text[])", columns(|call, args| object_of_two(call, args, false))),
        f("jsonb_object(text[], text[])", columns(|call, args| object_of_two(call, args, true))),
    ]
}

/// Rows of JSON text, made canonical for jsonb.
pub fn finish(text: &str, binary: bool, out: &mut StringViewBuilder) -> Result<()> {
    if binary {
        out.append_value(canonical(text)?)
    } else {
        out.append_value(text)
    }
    Ok(())
}

fn to_json(call: &Call<'_>, args: &[ArrayRef], binary: bool) -> Result<ArrayRef> {
    let (Some(values), Some(ty)) = (args.first(), call.arg_types.first()) else {
        return Err(Error::internal("one argument"));
    };
    let pretty = args.get(1).map(|pretty| pretty.as_boolean());
    let writer = JsonWriter::new(*ty, values, &call.context.format)?;
    let mut out = StringViewBuilder::with_capacity(call.rows);
    let mut text = String::new();
    for row in 0..call.rows {
        if values.is_null(row) || pretty.is_some_and(|pretty| pretty.is_null(row)) {
            out.append_null();
            continue;
        }
        text.clear();
        writer.write(row, pretty.is_some_and(|pretty| pretty.value(row)), &mut text)?;
        finish(&text, binary, &mut out)?;
    }
    Ok(Arc::new(out.finish()))
}

type Build = fn(&[(&JsonWriter<'_>, usize)]) -> Result<String>;

/// A function of any number of arguments of any type; with VARIADIC, of an array's elements.
fn rows(build: Build, binary: bool) -> Body {
    columns(move |call, args| {
        let mut out = StringViewBuilder::with_capacity(call.rows);
        if let (true, [array], [ty]) = (call.variadic, args, call.arg_types)
            && let Some(element) = call.context.catalog.element_of(ty.oid)
        {
            let column = ArrayColumn::open(array)?;
            let writer = JsonWriter::new(Type::of(element), column.elements(), &call.context.format)?;
            for row in 0..call.rows {
                if column.is_null(row) {
                    out.append_null();
                    continue;
                }
                let values: Vec<_> = column.range(row).map(|at| (&writer, at)).collect();
                finish(&build(&values)?, binary, &mut out)?;
            }
            return Ok(Arc::new(out.finish()));
        }
        let writers = args
            .iter()
            .zip(call.arg_types)
            .map(|(arg, ty)| JsonWriter::new(*ty, arg, &call.context.format))
            .collect::<Result<Vec<_>>>()?;
        for row in 0..call.rows {
            let values: Vec<_> = writers.iter().map(|writer| (writer, row)).collect();
            finish(&build(&values)?, binary, &mut out)?;
        }
        Ok(Arc::new(out.finish()))
    })
}

fn build_object(values: &[(&JsonWriter<'_>, usize)]) -> Result<String> {
    if values.len() % 2 == 1 {
        return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, "argument list must have even number of elements")
            .with_hint("The arguments of json_build_object() must consist of alternating keys and values."));
    }
    let mut text = String::from("{");
    for (position, pair) in values.chunks_exact(2).enumerate() {
        let [(key, key_row), (value, value_row)] = pair else { continue };
        if position > 0 {
            text.push_str(", ");
        }
        if key.is_null(*key_row) {
            return Err(Error::new(
                sqlstate::INVALID_PARAMETER_VALUE,
                format!("argument {} cannot be null", 2 * position + 1),
            )
            .with_hint("Object keys should be text."));
        }
        write_json_string(&key.name(*key_row)?, &mut text);
        text.push_str(" : ");
        value.write(*value_row, false, &mut text)?;
    }
    text.push('}');
    Ok(text)
}

fn build_array(values: &[(&JsonWriter<'_>, usize)]) -> Result<String> {
    let mut text = String::from("[");
    for (position, (value, row)) in values.iter().enumerate() {
        if position > 0 {
            text.push_str(", ");
        }
        value.write(*row, false, &mut text)?;
    }
    text.push(']');
    Ok(text)
}

fn write_pairs<'a>(pairs: impl Iterator<Item = (Option<&'a str>, Option<&'a str>)>) -> Result<String> {
    let mut text = String::from("{");
    for (position, (key, value)) in pairs.enumerate() {
        let key =
            key.ok_or_else(|| Error::new(sqlstate::NULL_VALUE_NOT_ALLOWED, "null value not allowed for object key"))?;
        if position > 0 {
            text.push_str(", ");
        }
        write_json_string(key, &mut text);
        text.push_str(" : ");
        match value {
            Some(value) => write_json_string(value, &mut text),
            None => text.push_str("null"),
        }
    }
    text.push('}');
    Ok(text)
}

/// The texts of one array's row.
fn texts<'a>(column: &ArrayColumn<'a>, row: usize) -> Vec<Option<&'a str>> {
    let elements = column.elements().as_string_view();
    column.range(row).map(|at| elements.is_valid(at).then(|| elements.value(at))).collect()
}

fn object(call: &Call<'_>, args: &[ArrayRef], binary: bool) -> Result<ArrayRef> {
    let column = ArrayColumn::open(args.first().ok_or_else(|| Error::internal("one argument"))?)?;
    let mut out = StringViewBuilder::with_capacity(call.rows);
    for row in 0..call.rows {
        if column.is_null(row) {
            out.append_null();
            continue;
        }
        let refuse = |message| Err(Error::new(sqlstate::ARRAY_SUBSCRIPT_ERROR, message));
        match &column.dimensions(row)[..] {
            [] => {}
            [only] if only.length % 2 == 1 => return refuse("array must have even number of elements"),
            [_] | [_, Dimension { length: 2, .. }] => {}
            [_, _] => return refuse("array must have two columns"),
            _ => return refuse("wrong number of array subscripts"),
        }
        let values = texts(&column, row);
        let pairs = values.chunks_exact(2).map(|pair| (pair[0], pair[1]));
        finish(&write_pairs(pairs)?, binary, &mut out)?;
    }
    Ok(Arc::new(out.finish()))
}

fn object_of_two(call: &Call<'_>, args: &[ArrayRef], binary: bool) -> Result<ArrayRef> {
    let [keys, values] = args else { return Err(Error::internal("two arguments")) };
    let (keys, values) = (ArrayColumn::open(keys)?, ArrayColumn::open(values)?);
    let mut out = StringViewBuilder::with_capacity(call.rows);
    for row in 0..call.rows {
        if keys.is_null(row) || values.is_null(row) {
            out.append_null();
            continue;
        }
        if keys.dimensions(row).len() > 1 || values.dimensions(row).len() > 1 {
            return Err(Error::new(sqlstate::ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts"));
        }
        let (names, values) = (texts(&keys, row), texts(&values, row));
        if names.len() != values.len() {
            return Err(Error::new(sqlstate::ARRAY_SUBSCRIPT_ERROR, "mismatched array dimensions"));
        }
        finish(&write_pairs(names.into_iter().zip(values))?, binary, &mut out)?;
    }
    Ok(Arc::new(out.finish()))
}
