//! Constructors: `int4range(1, 5, '[]')`, `int4multirange(…)`, and the casts from range to multirange.

use std::sync::Arc;

use aegis_catalog::types::range::{RANGES, decode, encode_multirange, make_range, normalize, parse_flags};
use aegis_catalog::{Error, Result, facts, sqlstate};
use arrow::array::{Array, ArrayRef, BinaryViewArray, BinaryViewBuilder, StringViewArray};

use super::sets::{each, range_type_of};
use crate::execute::error::from_arrow;
use crate::functions::array::ArrayColumn;
use crate::functions::kernel::columns;
use crate::functions::signature::{Row, f};
use crate::functions::value::downcast;
use crate::functions::{Body, Call};

pub fn functions() -> Vec<Row> {
    let mut rows = vec![f("multirange(anyrange)", each(encode_multirange))];
    for ty in RANGES {
        let name = |oid| facts::type_row(oid).map(|row| row.name.to_string()).unwrap_or_default();
        let (range, multirange, element) = (name(ty.range), name(ty.multirange), name(ty.element));
        rows.push(f(format!("{range}({element}, {element})"), columns(of_bounds)));
        rows.push(f(format!("{range}({element}, {element}, text)"), columns(of_bounds)));
        rows.push(f(format!("{multirange}()"), columns(|call, _| Ok(empty(call.rows)))));
        rows.push(f(format!("{multirange}({range})"), each(encode_multirange)));
        rows.push(f(format!("{multirange}({range}[])"), columns(of_ranges)));
    }
    for canonical in
        ["int4range_canonical(int4range)", "int8range_canonical(int8range)", "daterange_canonical(daterange)"]
    {
        rows.push(f(canonical, columns(|_, args| first(args).cloned())));
    }
    rows
}

/// The constructors of a range or multirange that a user made, by what `pg_proc.prosrc` calls them.
pub fn constructor(source: &str) -> Option<Body> {
    Some(match source {
        "range_constructor2" | "range_constructor3" => columns(of_bounds),
        "multirange_constructor0" => columns(|call, _| Ok(empty(call.rows))),
        "multirange_constructor1" => each(encode_multirange),
        "multirange_constructor2" => columns(of_ranges),
        _ => return None,
    })
}

fn first(args: &[ArrayRef]) -> Result<&ArrayRef> {
    args.first().ok_or_else(|| Error::internal("a constructor without an argument"))
}

/// A null bound means that there is none.
fn of_bounds(call: &Call<'_>, args: &[ArrayRef]) -> Result<ArrayRef> {
    let [lower, upper, flags @ ..] = args else { return Err(Error::internal("a range has two bounds")) };
    let subtype = range_type_of(call.result.oid, call.context)?.subtype;
    let (lower, upper) = (subtype.elements(lower)?, subtype.elements(upper)?);
    let flags = flags.first().map(|flags| downcast::<StringViewArray>(flags)).transpose()?;
    let mut results = BinaryViewBuilder::with_capacity(call.rows);
    for row in 0..call.rows {
        let (lower_inclusive, upper_inclusive) = match flags {
            None => (true, false),
            Some(flags) if flags.is_null(row) => {
                let message = "range constructor flags argument must not be null";
                return Err(Error::new(sqlstate::DATA_EXCEPTION, message));
            }
            Some(flags) => parse_flags(flags.value(row))?,
        };
        let (lower, upper) = (lower.get(row), upper.get(row));
        results.append_value(make_range(
            subtype,
            lower.as_deref(),
            upper.as_deref(),
            lower_inclusive,
            upper_inclusive,
        )?);
    }
    Ok(Arc::new(results.finish()))
}

fn empty(rows: usize) -> ArrayRef {
    Arc::new(BinaryViewArray::from_iter_values(std::iter::repeat_n(encode_multirange(&[]), rows)))
}

/// From ranges: an array of them if it is written with VARIADIC.
fn of_ranges(call: &Call<'_>, args: &[ArrayRef]) -> Result<ArrayRef> {
    let subtype = range_type_of(call.result.oid, call.context)?.subtype;
    let mut results = BinaryViewBuilder::with_capacity(call.rows);
    let mut append = |ranges: &[Option<&[u8]>]| -> Result<()> {
        let ranges: Option<Vec<&[u8]>> = ranges.iter().copied().collect();
        let ranges = ranges.ok_or_else(|| {
            Error::new(sqlstate::NULL_VALUE_NOT_ALLOWED, "multirange values cannot contain null members")
        })?;
        let members = ranges.into_iter().flat_map(|range| decode(subtype, range)).collect();
        results.append_value(encode_multirange(&normalize(members)));
        Ok(())
    };
    if !call.variadic {
        let columns = args.iter().map(|arg| downcast::<BinaryViewArray>(arg)).collect::<Result<Vec<_>>>()?;
        for row in 0..call.rows {
            let ranges: Vec<_> = columns.iter().map(|column| column.is_valid(row).then(|| column.value(row))).collect();
            append(&ranges)?;
        }
        return Ok(Arc::new(results.finish()));
    }
    let column = ArrayColumn::open(first(args)?)?;
    let elements = downcast::<BinaryViewArray>(column.elements())?;
    for row in 0..column.len() {
        if column.dimensions(row).len() > 1 {
            let message = "multiranges cannot be constructed from multidimensional arrays";
            return Err(Error::new(sqlstate::CARDINALITY_VIOLATION, message));
        }
        let ranges: Vec<_> = column.range(row).map(|at| elements.is_valid(at).then(|| elements.value(at))).collect();
        append(&ranges)?;
    }
    let results = results.finish();
    match first(args)?.logical_nulls() {
        None => Ok(Arc::new(results)),
        Some(nulls) => {
            let (views, buffers, _) = results.into_parts();
            Ok(Arc::new(BinaryViewArray::try_new(views, buffers, Some(nulls)).map_err(from_arrow)?))
        }
    }
}
