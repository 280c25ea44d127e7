//! Enum support functions (PostgreSQL manual 9.10). Comparisons are in `comparison`: the keys of labels compare as the labels do.

use std::sync::Arc;

use aegis_catalog::object::{EnumLabel, UserType};
use aegis_catalog::types::enums::{check_committed, label_named};
use aegis_catalog::types::{PgArray, Structure, TypeLookup, array::ArraysBuilder};
use aegis_catalog::{Error, Oid, Result, sqlstate};
use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{DataType, Int64Type};

use super::Call;
use super::kernel::{columns, kernel};
use super::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    vec![
        f("enum_first(anyenum)", columns(|call, args| ends(call, args, true))),
        f("enum_last(anyenum)", columns(|call, args| ends(call, args, false))),
        f("enum_range(anyenum)", columns(|call, _| ranges(call, None))),
        f("enum_range(anyenum, anyenum)", columns(|call, args| ranges(call, Some(args)))),
        f("enum_larger(anyenum, anyenum)", kernel!(|a: i64, b: i64| a.max(b))),
        f("enum_smaller(anyenum, anyenum)", kernel!(|a: i64, b: i64| a.min(b))),
        f(
            "enum_in(cstring, oid)",
            kernel!(|call; label: &str, ty: u32| {
                let ty = enum_of(call, ty)?;
                label_named(&ty, label, &call.context.format.names).map(|label| label.key)
            }),
        ),
    ]
}

fn enum_of(call: &Call<'_>, ty: Oid) -> Result<Arc<UserType>> {
    match call.context.catalog.structure(ty) {
        Some(Structure::Enum(ty)) => Ok(ty),
        _ => Err(Error::new(sqlstate::DATATYPE_MISMATCH, "could not determine actual enum type")),
    }
}

/// The enum that the arguments are of; it does not matter which values they have.
fn argument_enum(call: &Call<'_>) -> Result<Arc<UserType>> {
    let ty = call.arg_types.first().ok_or_else(|| Error::internal("an enum function without arguments"))?;
    enum_of(call, call.context.catalog.erased(*ty).oid)
}

fn labels(ty: &UserType) -> &[EnumLabel] {
    ty.as_enum().map(|labels| labels.labels.as_slice()).unwrap_or_default()
}

fn ends(call: &Call<'_>, _: &[ArrayRef], first: bool) -> Result<ArrayRef> {
    let ty = argument_enum(call)?;
    let label = if first { labels(&ty).first() } else { labels(&ty).last() };
    let label = label.ok_or_else(|| {
        let name = call.context.format.names.type_name(ty.oid);
        Error::new(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, format!("enum {name} contains no values"))
    })?;
    check_committed(&ty, label, &call.context.format.names)?;
    Ok(Arc::new(Int64Array::from(vec![label.key; call.rows])))
}

/// Arrays of all labels, or of those between two, of which a null one is no bound.
fn ranges(call: &Call<'_>, bounds: Option<&[ArrayRef]>) -> Result<ArrayRef> {
    let ty = argument_enum(call)?;
    let bound = |position: usize, row: usize| -> Option<i64> {
        let keys = bounds?.get(position)?.as_primitive_opt::<Int64Type>()?;
        (!keys.is_null(row)).then(|| keys.value(row))
    };
    let mut builder = ArraysBuilder::new(DataType::Int64);
    for row in 0..call.rows {
        let (low, high) = (bound(0, row).unwrap_or(i64::MIN), bound(1, row).unwrap_or(i64::MAX));
        let chosen: Vec<_> = labels(&ty).iter().filter(|label| (low..=high).contains(&label.key)).collect();
        chosen.iter().try_for_each(|label| check_committed(&ty, label, &call.context.format.names))?;
        let keys = Int64Array::from_iter_values(chosen.iter().map(|label| label.key));
        builder.append(&PgArray::vector(Arc::new(keys)));
    }
    builder.finish()
}
