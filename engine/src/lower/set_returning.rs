//! Set-returning functions: in target lists and in FROM.

use std::sync::Arc;

use aegis_catalog::image::Catalog;
use aegis_catalog::types::{oid, structure::struct_fields};
use aegis_catalog::{Error, Result, Type};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::logical_expr::{ColumnarValue, Expr};
use datafusion::scalar::ScalarValue;

use super::Lowerer;
use super::build::{extend, one_row, project, unnest};
use super::call::{element_representation, kernel_operator};
use super::relation::{Binding, Relation};
use super::value::Value;
use crate::bind::tree::{RelId, SetCall, SetFunctions};
use crate::execute::array;
use crate::execute::operator::{ScalarOperator, arrays};
use crate::execute::series::SetStreamTable;
use crate::functions::{Body, Volatility};

/// A call as a list per row.
struct Lists {
    expr: Expr,
    item: DataType,
}

impl Lowerer<'_> {
    /// Set-returning functions of the target list: level by level, those of a level in lock step.
    pub fn set_functions(&mut self, functions: &SetFunctions, input: &mut Relation) -> Result<()> {
        self.numbered_sets(functions, input, None)
    }

    /// As [`set_functions`](Self::set_functions); the place of each row among those of its level goes to `numbers`.
    pub fn numbered_sets(
        &mut self,
        functions: &SetFunctions,
        input: &mut Relation,
        mut numbers: Option<&mut Vec<Binding>>,
    ) -> Result<()> {
        let mut columns: Vec<Option<Binding>> = vec![None; functions.calls.len()];
        let mut levels: Vec<usize> = functions.calls.iter().map(|(level, _)| *level).collect();
        levels.sort_unstable();
        levels.dedup();
        for level in levels {
            let members: Vec<usize> = (0..functions.calls.len())
                .filter(|index| functions.calls.get(*index).is_some_and(|call| call.0 == level))
                .collect();
            // Arguments see the results of the levels below.
            let known = columns.iter().map(|column| column.clone().unwrap_or(Binding::named("", DataType::Null)));
            input.rels.insert(functions.rel, known.collect());
            let mut lists = Vec::new();
            for index in &members {
                let Some((_, call)) = functions.calls.get(*index) else { continue };
                let values = self.set_arguments(call, input)?;
                if members.len() == 1
                    && numbers.is_none()
                    && is_single_row(input)
                    && let Some((stream, bindings)) = self.stream(call, &values)?
                {
                    let column = self.as_one_column(&stream, call, bindings)?;
                    *input = Relation { plan: column.0, rels: input.rels.clone(), domain: Vec::new() };
                    if let Some(slot) = columns.get_mut(*index) {
                        *slot = Some(column.1);
                    }
                    continue;
                }
                lists.push((*index, self.lists(call, values)?));
            }
            let number = self.expand(lists, input, &mut columns, numbers.is_some())?;
            if let Some(numbers) = &mut numbers {
                numbers.extend(number);
            }
        }
        input.rels.insert(functions.rel, columns.into_iter().flatten().collect());
        Ok(())
    }

    fn expand(
        &mut self,
        lists: Vec<(usize, Lists)>,
        input: &mut Relation,
        columns: &mut [Option<Binding>],
        numbered: bool,
    ) -> Result<Option<Binding>> {
        if lists.is_empty() {
            return Ok(None);
        }
        let mut exprs = Vec::new();
        for (index, lists) in lists {
            let binding = self.binding("element", lists.item);
            exprs.push((lists.expr, binding.clone()));
            if let Some(slot) = columns.get_mut(index) {
                *slot = Some(binding);
            }
        }
        let number = numbered.then(|| self.binding("number", DataType::Int64));
        if let Some(number) = &number {
            let list = ordinality_list(exprs.iter().map(|(expr, _)| expr.clone()).collect());
            exprs.push((list, number.clone()));
        }
        let names = exprs.iter().map(|(_, binding)| binding.column.clone()).collect();
        let plan = extend(
            std::mem::take(&mut input.plan),
            exprs.iter().map(|(expr, binding)| (expr.clone(), binding)).collect(),
        )?;
        input.plan = unnest(plan, names, false)?;
        Ok(number)
    }

    fn set_arguments(&mut self, call: &SetCall, input: &mut Relation) -> Result<Vec<Value>> {
        let args = self.exprs(&call.args, input)?;
        args.into_iter().map(Value::into_computed).collect()
    }

    /// Functions in FROM that refer to nothing.
    pub fn function_item(&mut self, rel: RelId, calls: &[SetCall], ordinality: bool) -> Result<Relation> {
        if let ([call], false) = (calls, ordinality) {
            let mut none = Relation::new(one_row());
            let values = self.set_arguments(call, &mut none)?;
            if is_single_row(&none)
                && let Some((stream, columns)) = self.stream(call, &values)?
            {
                let mut relation = Relation::new(stream);
                relation.rels.insert(rel, columns);
                return Ok(relation);
            }
        }
        self.function_onto(Relation::new(one_row()), rel, calls, ordinality, false)
    }

    /// Functions in FROM for each row of `base`. Rows for which all are empty stay if `keep_empty` (LEFT JOIN).
    pub fn function_onto(
        &mut self,
        mut base: Relation,
        rel: RelId,
        calls: &[SetCall],
        ordinality: bool,
        keep_empty: bool,
    ) -> Result<Relation> {
        let mut lists = Vec::new();
        for call in calls {
            let values = self.set_arguments(call, &mut base)?;
            lists.push(self.lists(call, values)?);
        }
        let elements: Vec<Binding> = lists.iter().map(|list| self.binding("element", list.item.clone())).collect();
        let mut exprs: Vec<(Expr, &Binding)> = Vec::new();
        let number = self.binding("ordinality", DataType::Int64);
        for (list, element) in lists.iter().zip(&elements) {
            exprs.push((list.expr.clone(), element));
        }
        let mut names: Vec<_> = elements.iter().map(|element| element.column.clone()).collect();
        if ordinality {
            exprs.push((ordinality_list(lists.iter().map(|list| list.expr.clone()).collect()), &number));
            names.push(number.column.clone());
        }
        base.extend(exprs)?;
        base.plan = unnest(std::mem::take(&mut base.plan), names, keep_empty)?;
        let mut columns = Vec::new();
        let mut fields = Vec::new();
        for (call, element) in calls.iter().zip(elements) {
            if !is_record(call, &element.data_type) {
                columns.push(element);
                continue;
            }
            for (index, output) in call.columns.iter().enumerate() {
                let value = Value::new(element.expr(), Type::of(oid::RECORD), element.data_type.clone());
                let field = self.field(value, index, output.ty)?;
                let binding = self.binding(&output.name, field.data_type.clone());
                fields.push((field.expr, binding.clone()));
                columns.push(binding);
            }
        }
        base.extend(fields.iter().map(|(expr, binding)| (expr.clone(), binding)).collect())?;
        if ordinality {
            columns.push(number);
        }
        base.rels.insert(rel, columns);
        Ok(base)
    }

    /// The results of a call, one list per row. A function that is not set-returning yields one element.
    fn lists(&mut self, call: &SetCall, args: Vec<Value>) -> Result<Lists> {
        let result = match call.columns.as_slice() {
            [column] if !is_record_function(call) => column.ty,
            _ => Type::of(oid::RECORD),
        };
        let columns = match is_record_function(call) {
            true => call.columns.iter().map(|column| (column.name.clone(), column.ty)).collect(),
            false => Vec::new(),
        };
        match &call.function.body {
            Body::Set { lists, .. } => {
                let item = item_representation(self.catalog(), call, &args, result);
                let data_type = DataType::List(Field::new("item", item.clone(), true).into());
                let operator = kernel_operator(
                    self.statement(),
                    &call.function,
                    lists,
                    &args,
                    result,
                    data_type,
                    call.variadic,
                    &columns,
                );
                let pinned = call.function.volatility == Volatility::Volatile;
                let operator = if pinned { operator.pinned() } else { operator };
                // The shape of the list's item is the kernel's to name: bring it to the promised one.
                let args = args.into_iter().map(|arg| arg.expr).collect();
                Ok(Lists { expr: operator.call(args), item })
            }
            _ => {
                let value = match &call.function.body {
                    // A row of columns that only the query knows.
                    Body::Scalar(kernel) if is_record_function(call) && call.function.out_columns.is_empty() => {
                        let data_type = DataType::Struct(struct_fields(&columns, &**self.catalog()));
                        let operator = kernel_operator(
                            self.statement(),
                            &call.function,
                            kernel,
                            &args,
                            result,
                            data_type.clone(),
                            call.variadic,
                            &columns,
                        );
                        let args = args.into_iter().map(|arg| arg.expr).collect();
                        let row = Value::new(operator.call(args), result, data_type);
                        // JSON may hold values that a domain does not take.
                        match call.args.first() {
                            Some(base) => self.verify(row, base.ty)?,
                            None => row,
                        }
                    }
                    _ => self.call(&call.function, args, result)?.into_computed()?,
                };
                let item = value.data_type.clone();
                let data_type = DataType::List(Field::new("item", item.clone(), true).into());
                let inner = item.clone();
                let operator = ScalarOperator::new("singleton", data_type.to_string(), data_type, move |args, rows| {
                    let arrays = arrays(args, rows)?;
                    let values = arrays.first().ok_or_else(|| Error::internal("no value"))?.clone();
                    let offsets = arrow::buffer::OffsetBuffer::from_lengths(std::iter::repeat_n(1, rows));
                    let list = array::list_of(&inner, offsets, values, None)?;
                    Ok(ColumnarValue::Array(Arc::new(list)))
                });
                Ok(Lists { expr: operator.call(vec![value.expr]), item })
            }
        }
    }

    /// The rows of a call with constant arguments as a stream, if the function can make one.
    fn stream(
        &mut self,
        call: &SetCall,
        args: &[Value],
    ) -> Result<Option<(datafusion::logical_expr::LogicalPlan, Vec<Binding>)>> {
        let Body::Set { stream: Some(stream), .. } = &call.function.body else { return Ok(None) };
        let constants: Option<Vec<ScalarValue>> = args.iter().map(|arg| arg.constant().cloned()).collect();
        let Some(constants) = constants else { return Ok(None) };
        if call.function.strict && constants.iter().any(ScalarValue::is_null) {
            return Ok(None);
        }
        let columns = call.columns.iter().map(|column| (column.name.clone(), column.ty));
        let fields: Fields = struct_fields(&columns.collect::<Vec<_>>(), &**self.catalog());
        let result = call.columns.first().map_or(Type::of(oid::RECORD), |column| column.ty);
        let types = args.iter().map(|arg| arg.ty).collect();
        let table = SetStreamTable::new(self.statement().clone(), *stream, constants, types, result, fields);
        let source = datafusion::datasource::provider_as_source(Arc::new(table));
        let (plan, columns) = self.scan(&call.function.name, source)?;
        Ok(Some((plan, columns)))
    }

    /// A stream's columns as one value per row.
    fn as_one_column(
        &mut self,
        plan: &datafusion::logical_expr::LogicalPlan,
        call: &SetCall,
        columns: Vec<Binding>,
    ) -> Result<(datafusion::logical_expr::LogicalPlan, Binding)> {
        match columns.as_slice() {
            [column] if !is_record_function(call) => Ok((plan.clone(), column.clone())),
            _ => {
                let fields = columns
                    .iter()
                    .zip(&call.columns)
                    .map(|(binding, column)| Value::new(binding.expr(), column.ty, binding.data_type.clone()))
                    .collect();
                let row = self.row(fields, Type::of(oid::RECORD))?;
                let binding = self.binding("row", row.data_type.clone());
                Ok((project(plan.clone(), vec![(row.expr, &binding)])?, binding))
            }
        }
    }
}

/// Does the function return rows of several (or named) columns?
fn is_record_function(call: &SetCall) -> bool {
    call.columns.len() != 1
        || call.function.out_columns.len() > 1
        || call.function.returns == oid::RECORD
        || returns_columns_of_argument(call)
}

/// Does it return a row of its first argument's type, of which the columns are wanted?
fn returns_columns_of_argument(call: &SetCall) -> bool {
    let element = call.function.returns == oid::ANYELEMENT && call.function.args.first() == Some(&oid::ANYELEMENT);
    let column = call.columns.first().map(|column| column.ty.oid);
    element && call.args.first().map(|arg| arg.ty.oid) != column
}

fn is_record(call: &SetCall, element: &DataType) -> bool {
    is_record_function(call) && matches!(element, DataType::Struct(_))
}

fn item_representation(catalog: &Catalog, call: &SetCall, args: &[Value], result: Type) -> DataType {
    if is_record_function(call) {
        let columns = call.columns.iter().map(|column| (column.name.clone(), column.ty));
        return DataType::Struct(struct_fields(&columns.collect::<Vec<_>>(), catalog));
    }
    if let Some(record) = args.iter().find(|arg| arg.ty.oid == oid::RECORD && result.oid == oid::RECORD) {
        return record.data_type.clone();
    }
    let records = args.iter().find(|arg| arg.ty.oid == oid::RECORD_ARRAY);
    match records.and_then(element_representation) {
        Some(element) if result.oid == oid::RECORD => element,
        _ => catalog.arrow_type(result),
    }
}

/// Is it the one row without columns that SELECT has without FROM?
fn is_single_row(input: &Relation) -> bool {
    matches!(&input.plan, datafusion::logical_expr::LogicalPlan::EmptyRelation(empty) if empty.produce_one_row)
}

/// 1, 2, 3, … as long as the longest of the lists.
fn ordinality_list(lists: Vec<Expr>) -> Expr {
    let data_type = DataType::List(Field::new("item", DataType::Int64, true).into());
    ScalarOperator::new("ordinality", "", data_type, |args, rows| {
        let lists = arrays(args, rows)?;
        array::count_up(&lists, rows).map(ColumnarValue::Array)
    })
    .call(lists)
}
