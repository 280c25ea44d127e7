//! JSON as rows of given types: `json_populate_record`, `json_to_record` and their sets (manual 9.16). A value becomes text that its
//! type's input reads: arrays and rows are written as literals.

use std::sync::Arc;

use aegis_catalog::types::structure::{Structure, element, erased, struct_fields};
use aegis_catalog::types::{ColumnBuilder, TextEncoder, oid, type_of_field};
use aegis_catalog::{Error, Result, Type, sqlstate};
use arrow::array::{Array, ArrayRef, AsArray, StringViewArray, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;
use datafusion::logical_expr::ColumnarValue;

use super::raw::{self, Kind};
use crate::execute::error::from_arrow;
use crate::functions::kernel::{columns, scalar_to_array};
use crate::functions::set_returning::{body, list};
use crate::functions::signature::{Row, f};
use crate::functions::value::downcast;
use crate::functions::{Body, Call};
use crate::session::context::StatementContext;

pub fn functions() -> Vec<Row> {
    vec![
        f("json_populate_record(anyelement, json, bool)", one("json_populate_record", true)),
        f("jsonb_populate_record(anyelement, jsonb)", one("jsonb_populate_record", true)),
        f("json_to_record(json)", one("json_to_record", false)),
        f("jsonb_to_record(jsonb)", one("jsonb_to_record", false)),
        f("json_populate_recordset(anyelement, json, bool)", set("json_populate_recordset", true)),
        f("jsonb_populate_recordset(anyelement, jsonb)", set("jsonb_populate_recordset", true)),
        f("json_to_recordset(json)", set("json_to_recordset", false)),
        f("jsonb_to_recordset(jsonb)", set("jsonb_to_recordset", false)),
    ]
}

fn invalid(message: String) -> Error {
    Error::new(sqlstate::INVALID_PARAMETER_VALUE, message)
}

/// One row of the result: an object, over the values of a row of the first argument.
struct Source<'a> {
    object: Option<&'a str>,
    base: usize,
}

/// A function of one object; `based` if a row to start from is its first argument.
fn one(name: &'static str, based: bool) -> Body {
    columns(move |call, args| {
        let (base, texts) = arguments(args, based)?;
        let fields = fields(name, call, base)?;
        let rows =
            (0..call.rows).map(|row| Source { object: texts.is_valid(row).then(|| texts.value(row)), base: row });
        rows_of(call, base, &fields, &rows.collect::<Vec<_>>())
    })
}

/// A function of an array of objects.
fn set(name: &'static str, based: bool) -> Body {
    body(Arc::new(move |call, args| {
        let args = args
            .iter()
            .map(|arg| match arg {
                ColumnarValue::Array(array) => Ok(array.clone()),
                ColumnarValue::Scalar(value) => scalar_to_array(value, call.rows),
            })
            .collect::<Result<Vec<_>>>()?;
        let (base, texts) = arguments(&args, based)?;
        let fields = fields(name, call, base)?;
        let (mut lengths, mut rows) = (Vec::with_capacity(call.rows), Vec::new());
        for row in 0..call.rows {
            let before = rows.len();
            if texts.is_valid(row) {
                for object in objects(name, texts.value(row))? {
                    rows.push(Source { object: Some(object), base: row });
                }
            }
            lengths.push(rows.len() - before);
        }
        list(lengths, rows_of(call, base, &fields, &rows)?).map(ColumnarValue::Array)
    }))
}

fn objects<'a>(name: &str, text: &'a str) -> Result<Vec<&'a str>> {
    match Kind::of(text) {
        Kind::Array => {}
        Kind::Object => return Err(invalid(format!("cannot call {name} on an object"))),
        _ => return Err(invalid(format!("cannot call {name} on a scalar"))),
    }
    let objects = raw::elements(text);
    match objects.iter().all(|object| Kind::of(object) == Kind::Object) {
        true => Ok(objects),
        false => Err(invalid(format!("argument of {name} must be an array of objects"))),
    }
}

fn arguments(args: &[ArrayRef], based: bool) -> Result<(Option<&ArrayRef>, &StringViewArray)> {
    match (based, args) {
        (true, [base, text, ..]) => Ok((Some(base), downcast(text)?)),
        (false, [text, ..]) => Ok((None, downcast(text)?)),
        _ => Err(Error::internal("a JSON function has too few arguments")),
    }
}

/// Names and types of the result's fields: those of the composite type, of the column definition list, or of the given row.
fn fields(name: &str, call: &Call<'_>, base: Option<&ArrayRef>) -> Result<Vec<(String, Type)>> {
    let types = &*call.context.catalog;
    if let Some(of) = call.arg_types.first().filter(|_| base.is_some()) {
        if let Some(Structure::Composite(fields)) = types_structure(erased(*of, types), call.context) {
            return Ok(fields);
        }
        if of.oid != oid::RECORD {
            let message = format!("first argument of {name} must be a row type");
            return Err(Error::new(sqlstate::DATATYPE_MISMATCH, message));
        }
    }
    let given: Vec<(String, Type)> = match base.map(|base| base.data_type()) {
        Some(DataType::Struct(fields)) => {
            fields.iter().map(|field| (field.name().clone(), type_of_field(field))).collect()
        }
        _ => Vec::new(),
    };
    if call.columns.is_empty() && given.is_empty() {
        let message = format!("could not determine row type for result of {name}");
        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message).with_hint(
            "Provide a non-null record argument, or call the function in the FROM clause using a column definition list.",
        ));
    }
    if call.columns.is_empty() {
        return Ok(given);
    }
    let same = given.iter().map(|(_, ty)| ty.oid).eq(call.columns.iter().map(|(_, ty)| ty.oid));
    if !given.is_empty() && !same {
        let message = "function return row and query-specified return row do not match";
        return Err(Error::new(sqlstate::DATATYPE_MISMATCH, message));
    }
    Ok(call.columns.to_vec())
}

fn types_structure(ty: Type, context: &StatementContext) -> Option<Structure> {
    use aegis_catalog::types::structure::TypeLookup;
    context.catalog.structure(ty.oid)
}

fn rows_of(
    call: &Call<'_>,
    base: Option<&ArrayRef>,
    fields: &[(String, Type)],
    rows: &[Source<'_>],
) -> Result<ArrayRef> {
    let format = &call.context.format;
    let given = base.and_then(|base| base.as_struct_opt()).filter(|given| given.num_columns() == fields.len());
    let is_given = |row: &Source<'_>| given.is_some_and(|given| given.is_valid(row.base));
    let members: Vec<Option<Vec<(String, &str)>>> = rows
        .iter()
        .map(|row| row.object.map(|object| check_object(object).map(|()| raw::members(object))).transpose())
        .collect::<Result<_>>()?;
    let mut arrays = Vec::with_capacity(fields.len());
    for (position, (name, ty)) in fields.iter().enumerate() {
        let given = given.map(|given| (type_of_field(&given.fields()[position]), given.column(position)));
        let given = given.map(|(ty, column)| TextEncoder::new(ty, column, format)).transpose()?;
        let mut builder = ColumnBuilder::new(*ty, rows.len(), &format.names)?;
        for (row, members) in rows.iter().zip(&members) {
            let member = members.as_ref().and_then(|members| members.iter().rev().find(|(other, _)| other == name));
            let text = match (member, &given) {
                (Some((_, value)), _) => text_of(*ty, name, value, call.context)?,
                (None, Some(given)) if is_given(row) && !given.is_null(row.base) => {
                    let mut text = Vec::new();
                    given.encode(row.base, &mut text);
                    Some(String::from_utf8_lossy(&text).into_owned())
                }
                _ => None,
            };
            match text {
                Some(text) => builder.append_text(&text, format)?,
                None => builder.append_null(),
            }
        }
        arrays.push(builder.finish());
    }
    // Without an object there is the row that was given, or none.
    let valid: NullBuffer = rows.iter().map(|row| row.object.is_some() || is_given(row)).collect();
    let nulls = (valid.null_count() > 0).then_some(valid);
    let fields = struct_fields(fields, &*call.context.catalog);
    Ok(Arc::new(StructArray::try_new_with_length(fields, arrays, nulls, rows.len()).map_err(from_arrow)?))
}

fn check_object(text: &str) -> Result<()> {
    match Kind::of(text) {
        Kind::Object => Ok(()),
        Kind::Array => Err(invalid("cannot call populate_composite on an array".into())),
        _ => Err(invalid("cannot call populate_composite on a scalar".into())),
    }
}

/// The text that the type's input reads; None is null.
fn text_of(ty: Type, key: &str, value: &str, context: &StatementContext) -> Result<Option<String>> {
    let types = &*context.catalog;
    let ty = erased(ty, types);
    let kind = Kind::of(value);
    if kind == Kind::Null {
        return Ok(None);
    }
    if matches!(ty.oid, oid::JSON | oid::JSONB) {
        return Ok(Some(value.trim().to_owned()));
    }
    if kind == Kind::String {
        return Ok(raw::as_text(value));
    }
    if let Some(item) = element(ty.oid, types) {
        let mut out = String::new();
        let lengths = array_literal(Type::new(item, ty.typmod), key, value, context, &mut out)?;
        // However deep, an array without elements has no dimensions.
        return Ok(Some(if lengths.contains(&0) { "{}".to_owned() } else { out }));
    }
    match types_structure(ty, context) {
        Some(Structure::Composite(fields)) => {
            check_object(value)?;
            let members = raw::members(value);
            let mut out = String::from("(");
            for (position, (name, ty)) in fields.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                let member = members.iter().rev().find(|(other, _)| other == name);
                if let Some((_, value)) = member
                    && let Some(text) = text_of(*ty, name, value, context)?
                {
                    quoted(&text, &mut out);
                }
            }
            out.push(')');
            Ok(Some(out))
        }
        _ => Ok(raw::as_text(value)),
    }
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
}

/// Writes a JSON array as an array literal. Returns the lengths of its dimensions.
fn array_literal(
    item: Type,
    key: &str,
    value: &str,
    context: &StatementContext,
    out: &mut String,
) -> Result<Vec<usize>> {
    let hint = || format!("See the value of key \"{key}\".");
    if Kind::of(value) != Kind::Array {
        let message = "expected JSON array";
        return Err(Error::new(sqlstate::INVALID_TEXT_REPRESENTATION, message).with_hint(hint()));
    }
    let elements = raw::elements(value);
    let nested = elements.first().is_some_and(|first| Kind::of(first) == Kind::Array);
    let mut inner: Option<Vec<usize>> = None;
    out.push('{');
    for (position, value) in elements.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        if nested {
            let lengths = array_literal(item, key, value, context, out)?;
            if *inner.get_or_insert_with(|| lengths.clone()) != lengths {
                return Err(Error::new(sqlstate::INVALID_TEXT_REPRESENTATION, "malformed JSON array")
                    .with_detail("Multidimensional arrays must have sub-arrays with matching dimensions."));
            }
            continue;
        }
        match text_of(item, key, value, context)? {
            Some(text) => quoted(&text, out),
            None => out.push_str("NULL"),
        }
    }
    out.push('}');
    let mut lengths = vec![elements.len()];
    lengths.extend(inner.unwrap_or_default());
    Ok(lengths)
}
