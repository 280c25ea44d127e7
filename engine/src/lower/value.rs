//! A lowered expression and what is known of it.

use aegis_catalog::image::Catalog;
use aegis_catalog::types::built_in;
use aegis_catalog::{Error, Result, Type};
use arrow::array::{Array, AsArray, BinaryViewBuilder};
use arrow::datatypes::{DataType, Decimal128Type};
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::{ColumnarValue, Expr};
use datafusion::scalar::ScalarValue;

use super::build::{literal, null};
use crate::execute::conform;
use crate::execute::operator::{ScalarOperator, arrays};

/// An expression, its PostgreSQL type and its representation.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    pub expr: Expr,
    pub ty: Type,
    pub data_type: DataType,
}

impl Value {
    pub fn new(expr: Expr, ty: Type, data_type: DataType) -> Self {
        Self { expr, ty, data_type }
    }

    /// In the computed representation of its type, which is built in.
    pub fn computed(expr: Expr, ty: Type) -> Self {
        Self { expr, ty, data_type: built_in(ty) }
    }

    pub fn boolean(expr: Expr) -> Self {
        Self::computed(expr, Type::of(aegis_catalog::types::oid::BOOL))
    }

    /// Null of a built-in type.
    pub fn null(ty: Type) -> Result<Self> {
        Ok(Self::computed(null(&built_in(ty))?, ty))
    }

    pub fn constant(&self) -> Option<&ScalarValue> {
        match &self.expr {
            Expr::Literal(value, _) => Some(value),
            _ => None,
        }
    }

    pub fn is_null_constant(&self) -> bool {
        self.constant().is_some_and(ScalarValue::is_null)
    }

    /// Must it be computed no more often and no earlier than the tree says?
    pub fn is_pinned(&self) -> bool {
        self.expr.is_volatile()
    }

    /// The same value with a Decimal128 turned into the bytes of `numeric`.
    pub fn into_computed(self) -> Result<Self> {
        match self.data_type {
            DataType::Decimal128(..) => {
                let operator = ScalarOperator::new("numeric", "", DataType::BinaryView, decimal_to_numeric);
                let expr = apply(operator, vec![self.expr])?;
                Ok(Self { expr, ty: self.ty, data_type: DataType::BinaryView })
            }
            _ => Ok(self),
        }
    }

    /// The same value in another representation of its type.
    pub fn into_representation(self, target: &DataType) -> Result<Self> {
        if self.data_type == *target {
            return Ok(self);
        }
        if self.is_null_constant() {
            return Ok(Self { expr: null(target)?, ty: self.ty, data_type: target.clone() });
        }
        match (&self.data_type, target) {
            (DataType::Decimal128(..), DataType::BinaryView) => self.into_computed(),
            (DataType::BinaryView, DataType::Decimal128(precision, scale)) if super::is_numeric(self.ty.oid) => {
                super::numeric::to_decimal(self, *precision, *scale)
            }
            (DataType::Struct(_), DataType::Struct(_)) => {
                let to = target.clone();
                let named = self.ty.oid >= aegis_catalog::fixed_oid::FIRST_NORMAL;
                let identity = format!("{}:{to}:{named}", self.data_type);
                let operator = ScalarOperator::new("conform", identity, to.clone(), move |args, rows| {
                    let arrays = arrays(args, rows)?;
                    let array = arrays.first().ok_or_else(|| Error::internal("nothing to conform"))?;
                    let conformed = match named {
                        true => conform::conform_named(array, &to),
                        false => conform::conform(array, &to),
                    };
                    conformed.map(ColumnarValue::Array)
                });
                Ok(Self { expr: apply(operator, vec![self.expr])?, ty: self.ty, data_type: target.clone() })
            }
            _ => Ok(Self { expr: cast(self.expr, target), ty: self.ty, data_type: target.clone() }),
        }
    }
}

pub fn cast(expr: Expr, target: &DataType) -> Expr {
    Expr::Cast(Cast::new(Box::new(expr), target.clone()))
}

/// A call of an operator, computed at once if its arguments are constants.
pub fn apply(operator: ScalarOperator, args: Vec<Expr>) -> Result<Expr> {
    let constants: Option<Vec<ScalarValue>> = args
        .iter()
        .map(|arg| match arg {
            Expr::Literal(value, _) => Some(value.clone()),
            _ => None,
        })
        .collect();
    if let Some(constants) = constants {
        // An error shows only if the row it belongs to is really computed.
        return Ok(match operator.fold(&constants) {
            Ok(value) => literal(value),
            Err(_) => operator.pinned().call(args),
        });
    }
    Ok(operator.call(args))
}

fn decimal_to_numeric(args: &[ColumnarValue], rows: usize) -> Result<ColumnarValue> {
    use aegis_catalog::types::numeric::Numeric;
    let arrays = arrays(args, rows)?;
    let mut builder = BinaryViewBuilder::with_capacity(rows);
    let mut bytes = Vec::new();
    if let Some(values) = arrays.first().and_then(|array| array.as_primitive_opt::<Decimal128Type>()) {
        let scale = values.scale();
        for row in 0..values.len() {
            if values.is_null(row) {
                builder.append_null();
            } else {
                bytes.clear();
                Numeric::from_decimal128(values.value(row), scale).write_bytes(&mut bytes);
                builder.append_value(&bytes);
            }
        }
    }
    Ok(ColumnarValue::Array(std::sync::Arc::new(builder.finish())))
}

/// The one representation that all values can have: theirs if they agree (nulls aside), else the computed one of the type.
pub fn common_representation<'v>(catalog: &Catalog, ty: Type, values: impl Iterator<Item = &'v Value>) -> DataType {
    let mut common: Option<DataType> = None;
    for value in values.filter(|value| !value.is_null_constant()) {
        match common {
            None => common = Some(value.data_type.clone()),
            Some(found) if found == value.data_type => common = Some(found),
            Some(found) => match merged(&found, &value.data_type) {
                Some(merged) => common = Some(merged),
                None => return catalog.arrow_type(ty),
            },
        }
    }
    common.unwrap_or_else(|| catalog.arrow_type(ty))
}

/// One representation for rows that differ where one of them has nothing but null literals.
fn merged(one: &DataType, other: &DataType) -> Option<DataType> {
    match (one, other) {
        (one, other) if one == other => Some(one.clone()),
        (DataType::Null, known) | (known, DataType::Null) => Some(known.clone()),
        (DataType::Struct(one), DataType::Struct(other)) if one.len() == other.len() => {
            let fields = one.iter().zip(other).map(|(one, other)| {
                let field = if *one.data_type() == DataType::Null { other } else { one };
                let data_type = merged(one.data_type(), other.data_type())?;
                Some(field.as_ref().clone().with_data_type(data_type))
            });
            Some(DataType::Struct(fields.collect::<Option<Vec<_>>>()?.into()))
        }
        _ => None,
    }
}
