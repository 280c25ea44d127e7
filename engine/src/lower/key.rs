//! Keys of values in plans: see [`crate::execute::key`].

use std::sync::Arc;

use aegis_catalog::types::oid;
use aegis_catalog::{Error, Result, Type};
use arrow::datatypes::DataType;
use datafusion::logical_expr::{ColumnarValue, Expr};

use super::relation::Binding;
use super::value::{Value, apply};
use crate::collation::{Collation, Operation};
use crate::execute::key::{key_type, keys};
use crate::execute::operator::{ScalarOperator, arrays};

/// Has the value a key that is not itself?
pub fn is_keyed(ty: Type, data_type: &DataType) -> bool {
    key_type(ty, data_type).is_some()
}

/// The expression that equality, grouping and order use.
pub fn key(value: &Value) -> Result<Expr> {
    key_of(value.expr.clone(), value.ty, &value.data_type)
}

/// As [`key`], for what compares representations bit by bit: zero has one sign, and there is one NaN.
pub fn exact_key(value: &Value) -> Result<Expr> {
    exact_key_of(value.expr.clone(), value.ty, &value.data_type)
}

pub fn exact_key_of(expr: Expr, ty: Type, data_type: &DataType) -> Result<Expr> {
    match data_type.is_floating() {
        true => computed(expr, ty, data_type, data_type.clone()),
        false => key_of(expr, ty, data_type),
    }
}

pub fn key_of(expr: Expr, ty: Type, data_type: &DataType) -> Result<Expr> {
    match key_type(ty, data_type) {
        Some(key_type) => computed(expr, ty, data_type, key_type),
        None => Ok(expr),
    }
}

fn computed(expr: Expr, ty: Type, data_type: &DataType, key_type: DataType) -> Result<Expr> {
    let identity = format!("{}:{data_type}", ty.oid);
    let operator = ScalarOperator::new("key", identity, key_type, move |args, rows| {
        let arrays = arrays(args, rows)?;
        let array = arrays.first().ok_or_else(|| Error::internal("key needs an argument"))?;
        keys(ty, array).map(ColumnarValue::Array)
    });
    apply(operator, vec![expr])
}

/// What a locale makes of a text.
pub fn collated(arg: Value, operation: Operation, collation: &Arc<Collation>, ty: Type) -> Result<Value> {
    let bpchar = arg.ty.oid == oid::BPCHAR;
    let identity = format!("{collation:?}:{bpchar}");
    let (collation, data_type) = (collation.clone(), operation.representation());
    let operator = ScalarOperator::new(operation.name(), identity, data_type.clone(), move |args, rows| {
        let arrays = arrays(args, rows)?;
        let array = arrays.first().ok_or_else(|| Error::internal("a collation needs an argument"))?;
        collation.compute(operation, array, bpchar).map(ColumnarValue::Array)
    });
    let arg = arg.into_computed()?;
    Ok(Value::new(apply(operator, vec![arg.expr])?, ty, data_type))
}

/// The key of a column.
pub fn key_of_column(binding: &Binding, ty: Type) -> Result<Expr> {
    key_of(binding.expr(), ty, &binding.data_type)
}
