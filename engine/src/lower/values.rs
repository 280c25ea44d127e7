//! VALUES.

use std::sync::Arc;

use aegis_catalog::image::Catalog;
use aegis_catalog::{Error, Result, Type};
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::DFSchema;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr, LogicalPlan, Union, Values};
use datafusion::scalar::ScalarValue;

use super::Lowerer;
use super::build::{cross, one_row, project};
use super::relation::{Binding, Output, Relation};
use super::value::{Value, common_representation};
use crate::bind::tree;
use crate::execute::provider::KeyedTable;

impl Lowerer<'_> {
    pub fn values(&mut self, rows: &[Vec<tree::Expr>], base: Option<&Relation>) -> Result<Output> {
        let simple =
            rows.iter().flatten().all(|expr| !super::free::has_subquery(expr) && self.free_in_expr(expr).is_empty());
        if simple {
            let output = self.plain_values(rows)?;
            let Some(base) = base else { return Ok(output) };
            let plan = cross(base.plan.clone(), output.plan)?;
            return Ok(Output { plan, columns: output.columns, domain: base.domain.clone() });
        }
        // A row with sub-queries or outer references is a query of its own.
        let mut lowered = Vec::new();
        for row in rows {
            let mut input = base.cloned().unwrap_or_else(|| Relation::new(one_row()));
            let values = self.exprs(row, &mut input)?;
            lowered.push((input, values));
        }
        let representations = representations(self.catalog(), lowered.iter().map(|(_, values)| values.as_slice()));
        let columns: Vec<Binding> =
            representations.iter().map(|data_type| self.binding("column", data_type.clone())).collect();
        let domain = base.map(|base| base.domain.clone()).unwrap_or_default();
        let mut inputs = Vec::new();
        for (input, values) in lowered {
            let values = as_representations(values, &representations)?;
            let carried = domain.iter().map(|column| (column.binding.expr(), &column.binding));
            let exprs = carried.chain(values.into_iter().map(|value| value.expr).zip(&columns)).collect();
            inputs.push(Arc::new(project(input.plan, exprs)?));
        }
        let plan = union_all(inputs)?;
        Ok(Output { plan, columns, domain })
    }

    fn plain_values(&mut self, rows: &[Vec<tree::Expr>]) -> Result<Output> {
        let mut scope = Relation::new(one_row());
        let lowered = rows.iter().map(|row| self.exprs(row, &mut scope)).collect::<Result<Vec<_>>>()?;
        let representations = representations(self.catalog(), lowered.iter().map(Vec::as_slice));
        let columns: Vec<Binding> =
            representations.iter().map(|data_type| self.binding("column", data_type.clone())).collect();
        let values = lowered
            .into_iter()
            .map(|row| Ok(as_representations(row, &representations)?.into_iter().map(|value| value.expr).collect()))
            .collect::<Result<Vec<Vec<Expr>>>>()?;
        if columns.is_empty() {
            return Ok(Output { plan: one_row(), columns, domain: Vec::new() });
        }
        if values.len() >= MANY_ROWS
            && let Some(rows) = constant_rows(&columns, &values)
        {
            let (plan, columns) = self.scan("values", provider_as_source(Arc::new(KeyedTable::new(rows))))?;
            return Ok(Output { plan, columns, domain: Vec::new() });
        }
        let fields = columns
            .iter()
            .map(|binding| {
                let field = Field::new(&binding.column.name, binding.data_type.clone(), true);
                (None, Arc::new(field))
            })
            .collect();
        let schema =
            DFSchema::new_with_metadata(fields, Default::default()).map_err(crate::execute::error::from_datafusion)?;
        let plan = LogicalPlan::Values(Values { schema: Arc::new(schema), values });
        Ok(Output { plan, columns, domain: Vec::new() })
    }
}

/// Rows of constants from which they are put into columns at once: an expression for every value takes far longer than the value.
const MANY_ROWS: usize = 16;

/// The rows, if there are only constants in them.
fn constant_rows(columns: &[Binding], values: &[Vec<Expr>]) -> Option<RecordBatch> {
    let arrays = columns.iter().enumerate().map(|(position, binding)| {
        let constant = |row: &Vec<Expr>| match row.get(position) {
            Some(Expr::Literal(value, _)) if value.data_type() == binding.data_type => Some(value.clone()),
            _ => None,
        };
        let constants = values.iter().map(constant).collect::<Option<Vec<_>>>()?;
        ScalarValue::iter_to_array(constants).ok().filter(|array| *array.data_type() == binding.data_type)
    });
    let arrays = arrays.collect::<Option<Vec<_>>>()?;
    let fields = columns.iter().map(|binding| Field::new(&binding.column.name, binding.data_type.clone(), true));
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), arrays).ok()
}

/// All rows of plans whose columns agree in name and type.
pub fn union_all(mut inputs: Vec<Arc<LogicalPlan>>) -> Result<LogicalPlan> {
    if inputs.len() == 1
        && let Some(input) = inputs.pop()
    {
        return Ok(Arc::unwrap_or_clone(input));
    }
    let schema = inputs.first().ok_or_else(|| Error::internal("a union of nothing"))?.schema().clone();
    // Nullable if one side is.
    let union = Union::try_new(inputs).map_err(crate::execute::error::from_datafusion)?;
    let qualified: Vec<_> = schema
        .iter()
        .zip(union.schema.fields())
        .map(|((qualifier, _), field)| (qualifier.cloned(), field.clone()))
        .collect();
    let schema =
        DFSchema::new_with_metadata(qualified, Default::default()).map_err(crate::execute::error::from_datafusion)?;
    Ok(LogicalPlan::Union(Union { inputs: union.inputs, schema: Arc::new(schema) }))
}

/// The representation that all rows can have, by column.
fn representations<'v>(catalog: &Catalog, rows: impl Iterator<Item = &'v [Value]> + Clone) -> Vec<DataType> {
    let width = rows.clone().map(<[Value]>::len).max().unwrap_or(0);
    (0..width)
        .map(|column| {
            let values = rows.clone().filter_map(|row| row.get(column));
            let ty = values.clone().next().map_or(Type::of(aegis_catalog::types::oid::TEXT), |value| value.ty);
            common_representation(catalog, ty, values)
        })
        .collect()
}

fn as_representations(values: Vec<Value>, representations: &[DataType]) -> Result<Vec<Value>> {
    values.into_iter().zip(representations).map(|(value, data_type)| value.into_representation(data_type)).collect()
}
