//! Rows, arrays and quantified comparisons with arrays.

use std::sync::Arc;

use aegis_catalog::types::oid;
use aegis_catalog::types::representation::{array_type, is_array_type, with_type};
use aegis_catalog::{Error, Oid, Result, Type};
use arrow::array::{AsArray, StructArray};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::logical_expr::ColumnarValue;
use datafusion::scalar::ScalarValue;

use super::Lowerer;
use super::build::literal;
use super::call::element_representation;
use super::value::{Value, apply, common_representation};
use crate::execute::array;
use crate::execute::error::from_arrow;
use crate::execute::lambda::Lambda;
use crate::execute::operator::{ScalarOperator, arrays};
use crate::functions::Function;

/// Is the value a row (and not an array, which is a Struct too)?
pub fn is_record(value: &Value) -> bool {
    matches!(value.data_type, DataType::Struct(_)) && !is_array_type(&value.data_type)
}

impl Lowerer<'_> {
    /// `ROW(…)`; fields of a named composite type have its columns' names.
    pub fn row(&mut self, values: Vec<Value>, ty: Type) -> Result<Value> {
        let names = self.field_names(ty.oid);
        self.named_row(values, &names, ty)
    }

    /// A row whose fields have names; `f1`, `f2` … beyond them.
    pub fn named_row(&mut self, values: Vec<Value>, names: &[String], ty: Type) -> Result<Value> {
        // A null literal that nothing gave a type has none.
        let untyped = |value: Value| match value.is_null_constant() && value.ty.oid == oid::UNKNOWN {
            true => Ok(Value::new(literal(ScalarValue::Null), value.ty, DataType::Null)),
            false => value.into_computed(),
        };
        let values = values.into_iter().map(untyped).collect::<Result<Vec<_>>>()?;
        let fields: Fields = values
            .iter()
            .enumerate()
            .map(|(index, value)| {
                let name = names.get(index).cloned().unwrap_or_else(|| format!("f{}", index + 1));
                with_type(Field::new(name, value.data_type.clone(), true), value.ty)
            })
            .collect();
        let data_type = DataType::Struct(fields.clone());
        let operator = ScalarOperator::new("row", format!("{data_type}"), data_type.clone(), move |args, rows| {
            let columns = arrays(args, rows)?;
            let row = StructArray::try_new_with_length(fields.clone(), columns, None, rows).map_err(from_arrow)?;
            Ok(ColumnarValue::Array(Arc::new(row)))
        });
        let args = values.into_iter().map(|value| value.expr).collect();
        Ok(Value::new(apply(operator, args)?, ty, data_type))
    }

    fn field_names(&self, ty: Oid) -> Vec<String> {
        match self.catalog().relation_of_type(ty) {
            Some(relation) => relation.live_columns().map(|column| column.name.clone()).collect(),
            None => Vec::new(),
        }
    }

    pub fn field(&mut self, arg: Value, index: usize, ty: Type) -> Result<Value> {
        let DataType::Struct(fields) = &arg.data_type else {
            return Err(Error::internal(format!("field {index} of {}", arg.data_type)));
        };
        let field = fields.get(index).ok_or_else(|| Error::internal(format!("no field {index}")))?;
        let data_type = field.data_type().clone();
        let operator = ScalarOperator::new("field", index.to_string(), data_type.clone(), move |args, rows| {
            let arrays = arrays(args, rows)?;
            let record = arrays.first().and_then(|array| array.as_struct_opt());
            let record = record.ok_or_else(|| Error::internal("a field of something that is no record"))?;
            array::field(record, index).map(ColumnarValue::Array)
        });
        Ok(Value::new(apply(operator, vec![arg.expr])?, ty, data_type))
    }

    pub fn is_null_record(&mut self, arg: Value, negated: bool) -> Result<Value> {
        let identity = format!("{}:{negated}", arg.data_type);
        let operator = ScalarOperator::new("is_null_record", identity, DataType::Boolean, move |args, rows| {
            let arrays = arrays(args, rows)?;
            let record = arrays.first().and_then(|array| array.as_struct_opt());
            let record = record.ok_or_else(|| Error::internal("IS NULL of something that is no record"))?;
            Ok(ColumnarValue::Array(Arc::new(array::record_is_null(record, negated))))
        });
        Ok(Value::boolean(apply(operator, vec![arg.expr])?))
    }

    pub fn array(&mut self, elements: Vec<Value>, nested: bool, ty: Type) -> Result<Value> {
        let element_type = self.element_of(Type::of(ty.oid)).ok_or_else(|| Error::internal("ARRAY[] is no array"))?;
        let elements = elements.into_iter().map(Value::into_computed).collect::<Result<Vec<_>>>()?;
        let data_type = match nested {
            true => common_representation(self.catalog(), ty, elements.iter()),
            false => array_type(common_representation(self.catalog(), element_type, elements.iter())),
        };
        let item = match nested {
            true => data_type.clone(),
            false => common_representation(self.catalog(), element_type, elements.iter()),
        };
        let args = elements
            .into_iter()
            .map(|element| Ok(element.into_representation(&item)?.expr))
            .collect::<Result<Vec<_>>>()?;
        let identity = format!("{nested}:{}", args.len());
        let result = data_type.clone();
        let operator = ScalarOperator::new("array", identity, data_type.clone(), move |args, rows| {
            let elements = arrays(args, rows)?;
            let array = match nested {
                true => array::nest(&elements, &result, rows)?,
                false => array::construct(&elements, &item, rows)?,
            };
            Ok(ColumnarValue::Array(array))
        });
        Ok(Value::new(apply(operator, args)?, ty, data_type))
    }

    /// `left op ANY/ALL (array)`. An equality with a constant array becomes an IN list, which scans can use.
    pub fn quantified_array(
        &mut self,
        function: &Arc<Function>,
        left: Value,
        array: Value,
        all: bool,
    ) -> Result<Value> {
        let left = left.into_computed()?;
        if left.is_null_constant() && array.is_null_constant() || array.is_null_constant() {
            return Value::null(Type::of(oid::BOOL));
        }
        let element =
            element_representation(&array).ok_or_else(|| Error::internal("ANY over something that is no array"))?;
        let element_type = self.element_of(Type::of(array.ty.oid)).unwrap_or(Type::of(oid::TEXT));
        if !all && let Some(items) = array.constant().and_then(array::constant_elements) {
            let items: Vec<Value> = items
                .into_iter()
                .map(|item| Value::new(super::build::literal(item), element_type, element.clone()))
                .collect();
            if items.is_empty() {
                return Ok(Value::boolean(super::build::boolean(false)));
            }
            return self.any_of(function, left, items);
        }
        let lambda = self.lambda2(function, (left.ty, left.data_type.clone()), (element_type, element))?;
        let identity = format!("{}:{:?}:{:?}", function.oid, left.ty, array.ty);
        let name = if all { "all" } else { "any" };
        let operator = ScalarOperator::new(name, identity, DataType::Boolean, move |args, rows| {
            let arrays = arrays(args, rows)?;
            match arrays.as_slice() {
                [left, array] => {
                    let result = array::quantified(&lambda, left, array, all)?;
                    Ok(ColumnarValue::Array(Arc::new(result)))
                }
                _ => Err(Error::internal("ANY needs two arguments")),
            }
        });
        Ok(Value::boolean(apply(operator, vec![left.expr, array.expr])?))
    }

    fn any_of(&mut self, function: &Arc<Function>, left: Value, items: Vec<Value>) -> Result<Value> {
        self.in_list(function, left, items, false)
    }

    /// A function of two arguments as something to apply to columns.
    pub fn lambda2(
        &mut self,
        function: &Arc<Function>,
        left: (Type, DataType),
        right: (Type, DataType),
    ) -> Result<Lambda> {
        let value = |name: &str, (ty, data_type): &(Type, DataType)| {
            let binding = super::relation::Binding::named(name, data_type.clone());
            Value::new(binding.expr(), *ty, data_type.clone())
        };
        let args = vec![value("left", &left), value("right", &right)];
        let body = self.call(function, args, Type::of(oid::BOOL))?;
        Lambda::new(vec![("left".into(), left.1), ("right".into(), right.1)], &body.expr)
    }
}
