//! Arguments of range functions as sets: a range, a multirange or a single value.

use std::sync::Arc;

use aegis_catalog::types::range::{Elements, Range, RangeType, Subtype, any_range_type, decode};
use aegis_catalog::{Error, Oid, Result, Type};
use arrow::array::{Array, ArrayRef, BinaryViewArray, BinaryViewBuilder};

use crate::functions::kernel::columns;
use crate::functions::value::downcast;
use crate::functions::{Body, Call};
use crate::session::context::StatementContext;

/// A column of sets.
pub struct Sets<'a> {
    array: &'a ArrayRef,
    subtype: Subtype,
    column: Column<'a>,
}

enum Column<'a> {
    Ranges(&'a BinaryViewArray),
    Values(Elements),
}

/// The range type of the first argument that is a range or a multirange.
pub fn argument_type(call: &Call<'_>) -> Result<RangeType> {
    let mut types = call.arg_types.iter();
    types
        .find_map(|ty| any_range_type(ty.oid, &*call.context.catalog))
        .ok_or_else(|| Error::internal("a range function without a range"))
}

/// The range type of a result.
pub fn range_type_of(ty: Oid, context: &StatementContext) -> Result<RangeType> {
    any_range_type(ty, &*context.catalog).ok_or_else(|| Error::internal(format!("type {ty} is no range")))
}

impl<'a> Sets<'a> {
    pub fn open(ty: Type, range: &RangeType, array: &'a ArrayRef) -> Result<Self> {
        let subtype = range.subtype;
        let column = match ty.oid == range.range || ty.oid == range.multirange {
            true => Column::Ranges(downcast(array)?),
            false => Column::Values(subtype.elements(array)?),
        };
        Ok(Self { array, subtype, column })
    }

    pub fn is_null(&self, row: usize) -> bool {
        self.array.is_null(row)
    }

    /// The set of a row. `value` keeps what is not in the column as it stands.
    pub fn row<'b>(&'b self, row: usize, value: &'b mut Vec<u8>) -> Vec<Range<'b>> {
        match &self.column {
            Column::Ranges(ranges) => decode(self.subtype, ranges.value(row)),
            Column::Values(elements) => {
                *value = elements.get(row).unwrap_or_default();
                vec![Range::of_value(self.subtype, value)]
            }
        }
    }
}

/// A function of one set whose result is a range or a multirange.
pub fn each(encode: fn(&[Range<'_>]) -> Vec<u8>) -> Body {
    columns(move |call, args| {
        let sets = one(call, args)?;
        let mut results = BinaryViewBuilder::with_capacity(call.rows);
        let mut value = Vec::new();
        for row in 0..call.rows {
            if sets.is_null(row) {
                results.append_null();
            } else {
                results.append_value(encode(&sets.row(row, &mut value)));
            }
        }
        Ok(Arc::new(results.finish()))
    })
}

/// The two arguments of a call.
pub fn two<'a>(call: &Call<'_>, args: &'a [ArrayRef]) -> Result<(Sets<'a>, Sets<'a>)> {
    let ([left, right], [left_type, right_type]) = (args, call.arg_types) else {
        return Err(Error::internal("a range operator has two arguments"));
    };
    let range = argument_type(call)?;
    Ok((Sets::open(*left_type, &range, left)?, Sets::open(*right_type, &range, right)?))
}

/// The one argument of a call.
pub fn one<'a>(call: &Call<'_>, args: &'a [ArrayRef]) -> Result<Sets<'a>> {
    let ([array], [ty]) = (args, call.arg_types) else {
        return Err(Error::internal("a range function has one argument"));
    };
    Sets::open(*ty, &argument_type(call)?, array)
}
