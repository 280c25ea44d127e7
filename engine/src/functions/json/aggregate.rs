//! `json_agg`, `json_object_agg` and their jsonb forms.

use aegis_catalog::types::json::{canonical, write_json_string};
use aegis_catalog::{Error, Result, sqlstate};
use arrow::array::{Array, ArrayRef};

use super::writer::JsonWriter;
use crate::functions::aggregate::{one, whole};
use crate::functions::signature::{Row, f};
use crate::functions::{AggregateTypes, Body};

pub fn functions() -> Vec<Row> {
    vec![
        f("json_agg(anyelement)", Body::Aggregate(|types| array("json_agg", types, false))),
        f("jsonb_agg(anyelement)", Body::Aggregate(|types| array("jsonb_agg", types, true))),
        f("json_object_agg(any, any)", Body::Aggregate(|types| object("json_object_agg", types, false))),
        f("jsonb_object_agg(any, any)", Body::Aggregate(|types| object("jsonb_object_agg", types, true))),
    ]
}

type Udaf = std::sync::Arc<datafusion::logical_expr::AggregateUDF>;

fn finished(text: Option<String>, binary: bool) -> Result<ArrayRef> {
    one(match text {
        Some(text) if binary => Some(canonical(&text)?),
        text => text,
    })
}

fn array(name: &'static str, types: &AggregateTypes<'_>, binary: bool) -> Result<Udaf> {
    let (context, args) = (types.context.clone(), types.args.to_vec());
    whole(name, types, None, move |columns| {
        let (Some(values), Some(ty)) = (columns.first(), args.first()) else {
            return Err(Error::internal("one argument"));
        };
        let writer = JsonWriter::new(*ty, values, &context.format)?;
        let mut text = String::from("[");
        for row in 0..values.len() {
            if row > 0 {
                text.push_str(if writer.is_composite() && !writer.is_null(row) { ", \n " } else { ", " });
            }
            writer.write(row, false, &mut text)?;
        }
        text.push(']');
        finished((!values.is_empty()).then_some(text), binary)
    })
}

fn object(name: &'static str, types: &AggregateTypes<'_>, binary: bool) -> Result<Udaf> {
    let (context, args) = (types.context.clone(), types.args.to_vec());
    whole(name, types, None, move |columns| {
        let ([keys, values, ..], [key_type, value_type, ..]) = (columns, &args[..]) else {
            return Err(Error::internal("two arguments"));
        };
        let key_writer = JsonWriter::new(*key_type, keys, &context.format)?;
        let value_writer = JsonWriter::new(*value_type, values, &context.format)?;
        let mut text = String::from("{ ");
        for row in 0..keys.len() {
            if keys.is_null(row) {
                return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, "field name must not be null"));
            }
            if row > 0 {
                text.push_str(", ");
            }
            write_json_string(&key_writer.name(row)?, &mut text);
            text.push_str(" : ");
            value_writer.write(row, false, &mut text)?;
        }
        text.push_str(" }");
        finished((!keys.is_empty()).then_some(text), binary)
    })
}
