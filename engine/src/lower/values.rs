//! VALUES.

use std::sync::Arc;

use aegis_catalog::image::Catalog;
use aegis_catalog::{Error, Result, Type};
use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::logical_expr::{LogicalPlan, Union, Values};

use super::Lowerer;
use super::build::{cross, one_row, project};
use super::relation::{Binding, Output, Relation};
use super::value::{Value, common_representation};
use crate::bind::tree;

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
            .collect::<Result<Vec<_>>>()?;
        if columns.is_empty() {
            return Ok(Output { plan: one_row(), columns, domain: Vec::new() });
        }
        let fields = columns
            .iter()
            .map(|binding| {
                let field = arrow::datatypes::Field::new(&binding.column.name, binding.data_type.clone(), true);
                (None, Arc::new(field))
            })
            .collect();
        let schema =
            DFSchema::new_with_metadata(fields, Default::default()).map_err(crate::execute::error::from_datafusion)?;
        let plan = LogicalPlan::Values(Values { schema: Arc::new(schema), values });
        Ok(Output { plan, columns, domain: Vec::new() })
    }
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
