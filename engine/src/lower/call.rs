//! Calls of scalar functions.

use std::sync::Arc;

use aegis_catalog::image::Catalog;
use aegis_catalog::types::{
    oid,
    representation::{array_type, is_array_type},
    structure::struct_fields,
};
use aegis_catalog::{Error, Result, Type};
use arrow::datatypes::DataType;
use datafusion::logical_expr::Expr;

use super::value::{Value, apply};
use super::{Lowerer, compare, instant, is_numeric, numeric};
use crate::execute::operator::{ScalarOperator, strict};
use crate::functions::{Body, Call, Function, Kernel, Volatility};
use crate::session::context::StatementContext;

/// Functions that fail on some values of their arguments that users commonly keep away by another condition
/// (`WHERE x <> 0 AND 1/x > 2`): they are computed only where the conditions before them hold.
fn may_fail(function: &Function) -> bool {
    let name = function.name.as_str();
    const NAMES: [&str; 10] = ["div", "mod", "sqrt", "dsqrt", "ln", "dlog1", "log", "power", "dpow", "exp"];
    NAMES.contains(&name) || name.ends_with("div") || name.ends_with("mod") || name.ends_with("_div_interval")
}

impl Lowerer<'_> {
    /// A call of `function`; `ty` is the concrete result type.
    pub fn call(&mut self, function: &Arc<Function>, args: Vec<Value>, ty: Type) -> Result<Value> {
        self.call_as_written(function, args, ty, false)
    }

    /// As [`Self::call`]; `variadic` says that the last argument was written with VARIADIC.
    pub fn call_as_written(
        &mut self,
        function: &Arc<Function>,
        args: Vec<Value>,
        ty: Type,
        variadic: bool,
    ) -> Result<Value> {
        if function.strict && args.iter().any(Value::is_null_constant) && !function.returns_set {
            let data_type = result_representation(self.catalog(), function, &args, ty);
            return self.null(ty)?.into_representation(&data_type);
        }
        if let Some(value) = compare::compare(function, &args)? {
            return Ok(value);
        }
        if let Some(value) = instant::compare(&function.name, &args, &self.statement().format.time_zone) {
            return Ok(value);
        }
        if let [left, right] = args.as_slice()
            && let Some(value) = numeric::arithmetic(&function.name, left, right, ty)
        {
            return Ok(value);
        }
        match &function.body {
            Body::Expression(make) => {
                let args = args.into_iter().map(|arg| Ok(arg.into_computed()?.expr)).collect::<Result<_>>()?;
                let data_type = self.representation(ty);
                Ok(Value::new(make(args), ty, data_type))
            }
            Body::Scalar(kernel) | Body::Transform { scalar: kernel, .. } => {
                let data_type = result_representation(self.catalog(), function, &args, ty);
                let operator =
                    kernel_operator(self.statement(), function, kernel, &args, ty, data_type.clone(), variadic, &[]);
                let args = self.kernel_arguments(function, args)?;
                let expr = match function.volatility {
                    Volatility::Volatile => operator.pinned().call(args),
                    _ if may_fail(function) => match apply(operator, args)? {
                        Expr::ScalarFunction(call) => repin(call),
                        constant => constant,
                    },
                    _ => apply(operator, args)?,
                };
                let value = Value::new(expr, ty, data_type);
                // JSON may hold values that a domain does not take.
                if function.name.ends_with("_populate_record") { self.verify(value, ty) } else { Ok(value) }
            }
            Body::Sql(_) | Body::Session(_) | Body::Language(_) | Body::Query(_) => {
                Err(Error::unsupported(format!("function {} in this place", function.name)))
            }
            Body::Aggregate(_) | Body::UserAggregate(_) | Body::Window(_) | Body::Set { .. } => {
                Err(Error::internal(format!("function {} is not scalar", function.name)))
            }
        }
    }

    /// Arguments in the representation that kernels read: numeric kernels take a Decimal128 as it is.
    fn kernel_arguments(&self, function: &Function, args: Vec<Value>) -> Result<Vec<Expr>> {
        args.into_iter()
            .enumerate()
            .map(|(position, arg)| {
                let declared = function.args.get(position).or(function.args.last());
                let numeric = declared.is_some_and(|declared| is_numeric(*declared));
                Ok(if numeric && !function.variadic { arg.expr } else { arg.into_computed()?.expr })
            })
            .collect()
    }
}

/// Marks a call that was made already as not to be moved.
pub fn repin(call: datafusion::logical_expr::expr::ScalarFunction) -> Expr {
    let operator = call.func.inner().as_ref() as &dyn std::any::Any;
    match operator.downcast_ref::<ScalarOperator>() {
        Some(operator) => operator.clone().pinned().call(call.args),
        None => Expr::ScalarFunction(call),
    }
}

/// The kernel as an operator of DataFusion's.
pub fn kernel_operator(
    statement: &Arc<StatementContext>,
    function: &Arc<Function>,
    kernel: &Kernel,
    args: &[Value],
    result: Type,
    data_type: DataType,
    variadic: bool,
    columns: &[(String, Type)],
) -> ScalarOperator {
    let types: Vec<Type> = args.iter().map(|arg| arg.ty).collect();
    let identity = format!("{}:{types:?}:{result:?}:{variadic}:{columns:?}", function.oid);
    let columns = columns.to_vec();
    let (statement, kernel, is_strict) = (statement.clone(), kernel.clone(), function.strict);
    let representation = data_type.clone();
    ScalarOperator::new(function.name.as_str(), identity, data_type, move |args, rows| {
        let run = |args: &[_], rows| {
            let call = Call { context: &statement, rows, arg_types: &types, result, variadic, columns: &columns };
            kernel(&call, args)
        };
        if is_strict { strict(args, rows, &representation, run) } else { run(args, rows) }
    })
}

/// The Arrow type of a call's result. A record's fields are those of the function's OUT columns, or of the record among the arguments that
/// it is made from.
pub fn result_representation(catalog: &Catalog, function: &Function, args: &[Value], ty: Type) -> DataType {
    if ty.oid == oid::RECORD {
        if !function.out_columns.is_empty() {
            let columns = function.out_columns.iter().map(|(name, column)| (name.clone(), Type::of(*column)));
            return DataType::Struct(struct_fields(&columns.collect::<Vec<_>>(), catalog));
        }
        if let Some(arg) = args.iter().find(|arg| arg.ty.oid == oid::RECORD) {
            return arg.data_type.clone();
        }
        if let Some(element) = args.iter().find_map(element_representation) {
            return element;
        }
    }
    if ty.oid == oid::RECORD_ARRAY {
        if let Some(arg) = args.iter().find(|arg| arg.ty.oid == oid::RECORD_ARRAY) {
            return arg.data_type.clone();
        }
        if let Some(arg) = args.iter().find(|arg| arg.ty.oid == oid::RECORD) {
            return array_type(arg.data_type.clone());
        }
    }
    catalog.arrow_type(ty)
}

/// The representation of an array's elements.
pub fn element_representation(array: &Value) -> Option<DataType> {
    match &array.data_type {
        DataType::Struct(fields) if is_array_type(&array.data_type) => match fields.first()?.data_type() {
            DataType::List(item) => Some(item.data_type().clone()),
            _ => None,
        },
        _ => None,
    }
}
