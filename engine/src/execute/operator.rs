//! Scalar functions of the engine's own as DataFusion knows them: a name, a result type and a closure over columns.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use aegis_catalog::Result;
use arrow::array::{Array, ArrayRef, BooleanArray, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::compute::{filter, take};
use arrow::datatypes::DataType;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use datafusion::scalar::ScalarValue;

use super::error::{from_arrow, from_datafusion, to_datafusion};

/// Columns of some number of rows in, one column (or one value that holds for every row) out.
pub type Evaluate = Arc<dyn Fn(&[ColumnarValue], usize) -> Result<ColumnarValue> + Send + Sync>;

/// One operator with everything decided. Two operators are the same if name, identity and result type are.
#[derive(Clone)]
pub struct ScalarOperator {
    name: String,
    /// What tells apart operators of one name: types, OIDs, settings.
    identity: String,
    result: DataType,
    signature: Signature,
    evaluate: Evaluate,
}

impl ScalarOperator {
    pub fn new(
        name: impl Into<String>,
        identity: impl Into<String>,
        result: DataType,
        evaluate: impl Fn(&[ColumnarValue], usize) -> Result<ColumnarValue> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            identity: identity.into(),
            result,
            signature: Signature::new(TypeSignature::UserDefined, Volatility::Immutable),
            evaluate: Arc::new(evaluate),
        }
    }

    /// Must not be moved or merged by the optimizer: it has effects, or it may fail on rows that another condition
    /// keeps away from it.
    pub fn pinned(mut self) -> Self {
        self.signature.volatility = Volatility::Volatile;
        self
    }

    pub fn call(self, args: Vec<Expr>) -> Expr {
        Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(ScalarUDF::new_from_impl(self)), args))
    }

    /// Computes the value of a call over constants.
    pub fn fold(&self, args: &[ScalarValue]) -> Result<ScalarValue> {
        let args: Vec<_> = args.iter().cloned().map(ColumnarValue::Scalar).collect();
        match (self.evaluate)(&args, 1)? {
            ColumnarValue::Scalar(value) => Ok(value),
            ColumnarValue::Array(array) => ScalarValue::try_from_array(&array, 0).map_err(from_datafusion),
        }
    }
}

impl ScalarUDFImpl for ScalarOperator {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _args: &[DataType]) -> datafusion::error::Result<DataType> {
        Ok(self.result.clone())
    }

    fn coerce_types(&self, args: &[DataType]) -> datafusion::error::Result<Vec<DataType>> {
        Ok(args.to_vec())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> datafusion::error::Result<ColumnarValue> {
        let value = (self.evaluate)(&args.args, args.number_rows).map_err(to_datafusion)?;
        if value.data_type() != self.result {
            let (name, found) = (&self.name, value.data_type());
            return Err(DataFusionError::Internal(format!("{name} yields {found}, promised {}", self.result)));
        }
        Ok(value)
    }
}

impl PartialEq for ScalarOperator {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.identity == other.identity && self.result == other.result
    }
}

impl Eq for ScalarOperator {}

impl Hash for ScalarOperator {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        self.identity.hash(state);
    }
}

impl fmt::Debug for ScalarOperator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.name, self.identity)
    }
}

/// Calls a kernel that must not see nulls: rows with a null argument are left out and are null in the result.
pub fn strict(
    args: &[ColumnarValue],
    rows: usize,
    result: &DataType,
    kernel: impl Fn(&[ColumnarValue], usize) -> Result<ColumnarValue>,
) -> Result<ColumnarValue> {
    let null_constant = |arg: &ColumnarValue| matches!(arg, ColumnarValue::Scalar(value) if value.is_null());
    if args.iter().any(null_constant) {
        let null = ScalarValue::try_from(result).map_err(from_datafusion)?;
        return Ok(ColumnarValue::Scalar(null));
    }
    let valid = args.iter().fold(None, |valid, arg| match arg {
        ColumnarValue::Array(array) if array.logical_null_count() > 0 => {
            NullBuffer::union(valid.as_ref(), array.logical_nulls().as_ref())
        }
        _ => valid,
    });
    let Some(valid) = valid.filter(|valid| valid.null_count() > 0) else {
        return kernel(args, rows);
    };
    let kept = valid.len() - valid.null_count();
    let mask = BooleanArray::new(valid.inner().clone(), None);
    let args = args
        .iter()
        .map(|arg| match arg {
            ColumnarValue::Array(array) => filter(array, &mask).map(ColumnarValue::Array).map_err(from_arrow),
            scalar => Ok(scalar.clone()),
        })
        .collect::<Result<Vec<_>>>()?;
    if kept == 0 {
        return Ok(ColumnarValue::Array(arrow::array::new_null_array(result, rows)));
    }
    let values = kernel(&args, kept)?.into_array(kept).map_err(from_datafusion)?;
    spread(&values, &valid).map(ColumnarValue::Array)
}

/// Puts values back to the valid places of a longer column.
fn spread(values: &ArrayRef, valid: &NullBuffer) -> Result<ArrayRef> {
    let mut next = 0;
    let positions: UInt32Array = valid
        .iter()
        .map(|valid| {
            valid.then(|| {
                next += 1;
                next - 1
            })
        })
        .collect();
    take(values, &positions, None).map_err(from_arrow)
}

/// Arguments as columns of equal length.
pub fn arrays(args: &[ColumnarValue], rows: usize) -> Result<Vec<ArrayRef>> {
    args.iter().map(|arg| arg.to_array(rows).map_err(from_datafusion)).collect()
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int32Array};
    use arrow::datatypes::Int32Type;

    use super::*;

    #[test]
    fn strict_kernels_see_no_nulls() {
        let column: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(3)]));
        let args = [ColumnarValue::Array(column), ColumnarValue::Scalar(ScalarValue::Int32(Some(10)))];
        let result = strict(&args, 3, &DataType::Int32, |args, rows| {
            assert_eq!(rows, 2);
            let arrays = arrays(args, rows)?;
            assert_eq!(arrays[0].null_count(), 0);
            Ok(ColumnarValue::Array(arrays[0].clone()))
        })
        .unwrap()
        .into_array(3)
        .unwrap();
        assert_eq!(result.as_primitive::<Int32Type>(), &Int32Array::from(vec![Some(1), None, Some(3)]));
    }
}
