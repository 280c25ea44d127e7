//! Subscripts: `array[i]`, `array[l:u]`.

use std::sync::Arc;

use aegis_catalog::types::oid;
use aegis_catalog::types::representation::is_array_type;
use aegis_catalog::{Error, Result, Type, sqlstate};
use arrow::array::{Array, AsArray, StringViewArray, StringViewBuilder};
use arrow::datatypes::DataType;
use datafusion::logical_expr::{ColumnarValue, Expr};
use datafusion::scalar::ScalarValue;

use super::Lowerer;
use super::build::literal;
use super::call::element_representation;
use super::relation::Relation;
use super::value::{Value, apply};
use crate::bind::tree::{self, CastMethod, Subscript};
use crate::execute::operator::{ScalarOperator, arrays};
use crate::execute::{array, array_store};
use crate::functions::json::store::store;

impl Lowerer<'_> {
    pub fn subscript(
        &mut self,
        arg: &tree::Expr,
        subscripts: &[Subscript],
        ty: Type,
        input: &mut Relation,
    ) -> Result<Value> {
        let arg = self.expr(arg, input)?;
        if !is_array_type(&arg.data_type) {
            return Err(Error::unsupported(format!("subscript of type {}", aegis_catalog::types::format_type(arg.ty))));
        }
        if subscripts.iter().all(|subscript| matches!(subscript, Subscript::Index(_))) {
            return self.index(arg, subscripts, ty, input);
        }
        let mut args = vec![arg.expr.clone()];
        let mut present = Vec::new();
        for subscript in subscripts {
            // In a slice, a single index `i` means `1:i`.
            let (lower, upper) = match subscript {
                Subscript::Index(upper) => (Some(literal(ScalarValue::Int32(Some(1)))), Some(upper)),
                Subscript::Slice { lower: Some(lower), upper } => {
                    (Some(self.subscript_bound(lower, input)?), upper.as_ref())
                }
                Subscript::Slice { lower: None, upper } => (None, upper.as_ref()),
            };
            present.push((lower.is_some(), upper.is_some()));
            args.extend(lower);
            if let Some(upper) = upper {
                args.push(self.subscript_bound(upper, input)?);
            }
        }
        let data_type = arg.data_type.clone();
        let identity = format!("{present:?}");
        let operator = ScalarOperator::new("slice", identity, data_type.clone(), move |args, rows| {
            let arrays = arrays(args, rows)?;
            let (array, rest) = arrays.split_first().ok_or_else(|| Error::internal("no array"))?;
            let mut rest = rest.iter().cloned();
            let bounds: Vec<_> = present
                .iter()
                .map(|(lower, upper)| {
                    let lower = if *lower { rest.next() } else { None };
                    (lower, if *upper { rest.next() } else { None })
                })
                .collect();
            array::slice(array, &bounds).map(ColumnarValue::Array)
        });
        Ok(Value::new(apply(operator, args)?, ty, data_type))
    }

    fn index(&mut self, arg: Value, subscripts: &[Subscript], ty: Type, input: &mut Relation) -> Result<Value> {
        let mut args = vec![arg.expr.clone()];
        for subscript in subscripts {
            if let Subscript::Index(expr) = subscript {
                args.push(self.subscript_bound(expr, input)?);
            }
        }
        let data_type = element_representation(&arg).ok_or_else(|| Error::internal("an array without elements"))?;
        let identity = format!("{}", arg.data_type);
        let operator = ScalarOperator::new("subscript", identity, data_type.clone(), |args, rows| {
            let arrays = arrays(args, rows)?;
            let (array, subscripts) = arrays.split_first().ok_or_else(|| Error::internal("no array"))?;
            array::index(array, subscripts).map(ColumnarValue::Array)
        });
        Ok(Value::new(apply(operator, args)?, ty, data_type))
    }

    fn subscript_bound(&mut self, expr: &tree::Expr, input: &mut Relation) -> Result<Expr> {
        let value = self.expr(expr, input)?;
        Ok(value.into_representation(&DataType::Int32)?.expr)
    }
}

/// Assignment to a part of a value.
impl Lowerer<'_> {
    pub fn field_store(&mut self, arg: Value, index: usize, value: Value, ty: Type) -> Result<Value> {
        let data_type = self.representation(ty);
        let arg = arg.into_representation(&data_type)?;
        let value = value.into_computed()?;
        let identity = format!("{index}:{data_type}");
        let operator =
            ScalarOperator::new("store_field", identity, data_type.clone(), move |args, rows| {
                match arrays(args, rows)?.as_slice() {
                    [record, value] => array_store::store_field(record, index, value).map(ColumnarValue::Array),
                    _ => Err(Error::internal("a field is stored in a row")),
                }
            });
        Ok(Value::new(apply(operator, vec![arg.expr, value.expr])?, ty, data_type))
    }

    pub fn subscript_store(
        &mut self,
        arg: Value,
        subscripts: &[Subscript],
        value: Value,
        ty: Type,
        input: &mut Relation,
    ) -> Result<Value> {
        if ty.oid == oid::JSONB {
            return self.json_store(arg, subscripts, value, input);
        }
        let data_type = self.representation(ty);
        let arg = arg.into_representation(&data_type)?;
        let value = value.into_computed()?;
        let is_slice = subscripts.iter().any(|subscript| matches!(subscript, Subscript::Slice { .. }));
        let mut args = vec![arg.expr, value.expr];
        let mut present = Vec::new();
        for subscript in subscripts {
            let (lower, upper) = match subscript {
                // In a slice, a single index `i` means `1:i`.
                Subscript::Index(upper) if is_slice => (Some(literal(ScalarValue::Int32(Some(1)))), Some(upper)),
                Subscript::Index(upper) => (None, Some(upper)),
                Subscript::Slice { lower, upper } => {
                    let lower = lower.as_ref().map(|lower| self.subscript_bound(lower, input)).transpose()?;
                    (lower, upper.as_ref())
                }
            };
            present.push((lower.is_some(), upper.is_some()));
            args.extend(lower);
            if let Some(upper) = upper {
                args.push(self.subscript_bound(upper, input)?);
            }
        }
        let identity = format!("{is_slice}:{present:?}");
        let operator = ScalarOperator::new("store_subscript", identity, data_type.clone(), move |args, rows| {
            let arrays = arrays(args, rows)?;
            let [array, value, bounds @ ..] = arrays.as_slice() else {
                return Err(Error::internal("an element is stored in an array"));
            };
            let mut rest = bounds.iter().cloned();
            let bounds: Vec<_> = present
                .iter()
                .map(|(lower, upper)| {
                    let lower = if *lower { rest.next() } else { None };
                    array_store::Bounds { lower, upper: if *upper { rest.next() } else { None } }
                })
                .collect();
            array_store::store(array, &bounds, value, is_slice).map(ColumnarValue::Array)
        });
        Ok(Value::new(apply(operator, args)?, ty, data_type))
    }

    /// `jsonb[key][index] = value`.
    fn json_store(
        &mut self,
        arg: Value,
        subscripts: &[Subscript],
        value: Value,
        input: &mut Relation,
    ) -> Result<Value> {
        let (ty, data_type) = (arg.ty, DataType::Utf8View);
        let mut into_array = false;
        let mut args = vec![arg.expr, value.expr];
        for (position, subscript) in subscripts.iter().enumerate() {
            let Subscript::Index(step) = subscript else { return Err(Error::internal("a slice of jsonb")) };
            let step = self.expr(step, input)?;
            into_array |= position == 0 && step.ty.oid == oid::INT4;
            args.push(self.cast(step, &CastMethod::InputOutput, true, Type::of(oid::TEXT))?.expr);
        }
        let operator =
            ScalarOperator::new("store_json", format!("{into_array}"), data_type.clone(), move |args, rows| {
                let arrays = arrays(args, rows)?;
                let texts = arrays.iter().map(|array| array.as_string_view_opt()).collect::<Option<Vec<_>>>();
                let texts = texts.ok_or_else(|| Error::internal("jsonb that is no text"))?;
                let [old, new, path @ ..] = texts.as_slice() else { return Err(Error::internal("no value to store")) };
                let at =
                    |column: &StringViewArray, row: usize| column.is_valid(row).then(|| column.value(row).to_owned());
                let mut result = StringViewBuilder::with_capacity(rows);
                for row in 0..rows {
                    let steps = path.iter().map(|step| at(step, row)).collect::<Option<Vec<_>>>().ok_or_else(|| {
                        let message = "jsonb subscript in assignment must not be null";
                        Error::new(sqlstate::NULL_VALUE_NOT_ALLOWED, message)
                    })?;
                    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
                    result.append_value(store(at(old, row).as_deref(), &steps, at(new, row).as_deref(), into_array)?);
                }
                Ok(ColumnarValue::Array(Arc::new(result.finish())))
            });
        Ok(Value::new(apply(operator, args)?, ty, data_type))
    }
}
