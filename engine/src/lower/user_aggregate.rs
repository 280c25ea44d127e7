//! Aggregates made of functions by users: each step becomes an expression over a state and the arguments of a row.

use std::sync::Arc;

use aegis_catalog::object::Routine;
use aegis_catalog::types::oid;
use aegis_catalog::{Error, Result, Type};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::DFSchema;
use datafusion::logical_expr::{AggregateUDF, EmptyRelation, LogicalPlan};

use super::Lowerer;
use super::build::integer;
use super::relation::{Binding, Relation};
use super::value::Value;
use crate::bind::tree;
use crate::bind::user_aggregate::{self as bound, STEP};
use crate::execute::aggregate::{self, Steps, UserAggregate};
use crate::execute::error::from_datafusion;
use crate::execute::lambda::Lambda;

impl Lowerer<'_> {
    /// The aggregate for these arguments, and the columns that it reads: at least one.
    pub(super) fn user_aggregate_call(
        &mut self,
        routine: &Routine,
        args: Vec<Value>,
        result: Type,
    ) -> Result<(Arc<AggregateUDF>, Vec<Value>)> {
        let mut args = args.into_iter().map(Value::into_computed).collect::<Result<Vec<_>>>()?;
        let types: Vec<(Type, DataType)> = args.iter().map(|arg| (arg.ty, arg.data_type.clone())).collect();
        let udaf = self.user_aggregate(routine, &types, result)?;
        if args.is_empty() {
            args.push(Value::computed(integer(1), Type::of(oid::INT8)));
        }
        Ok((udaf, args))
    }

    /// The aggregate over arguments of these types and representations.
    pub(super) fn user_aggregate(
        &mut self,
        routine: &Routine,
        args: &[(Type, DataType)],
        result: Type,
    ) -> Result<Arc<AggregateUDF>> {
        let types: Vec<Type> = args.iter().map(|(ty, _)| *ty).collect();
        let data_types: Vec<DataType> = args.iter().map(|(_, data_type)| data_type.clone()).collect();
        let context = self.statement().clone();
        let result = self.representation(result);
        let (plain, moving) = bound::steps(routine, &types, &context)?;
        let plain = self.steps(&plain, &data_types, &result)?;
        let moving = moving.map(|moving| self.steps(&moving, &data_types, &result)).transpose()?;
        let row = &routine.row;
        Ok(Arc::new(UserAggregate::udaf(row.oid, &row.name, data_types, result, (plain, moving))))
    }

    fn steps(&mut self, steps: &bound::Steps, args: &[DataType], result: &DataType) -> Result<Steps> {
        let state = self.representation(steps.state);
        let row: Vec<DataType> = std::iter::once(&state).chain(args).cloned().collect();
        let initial = match &steps.initial {
            Some(initial) => aggregate::constant(&self.step(initial, &[], &state)?)?,
            None => aggregate::null(&state)?,
        };
        let inverse = match &steps.inverse {
            Some((inverse, strict)) => Some((self.step(inverse, &row, &state)?, *strict)),
            None => None,
        };
        let finish = steps.finish.as_ref().map(|finish| self.step(finish, &row[..1], result)).transpose()?;
        Ok(Steps {
            initial,
            transition: self.step(&steps.transition, &row, &state)?,
            strict: steps.strict,
            inverse,
            finish,
        })
    }

    /// An expression over the columns of [`STEP`], which have these representations.
    fn step(&mut self, expr: &tree::Expr, columns: &[DataType], target: &DataType) -> Result<Lambda> {
        let names: Vec<String> = (0..columns.len()).map(|position| format!("step{position}")).collect();
        let fields = names.iter().zip(columns).map(|(name, data_type)| Field::new(name, data_type.clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let schema = Arc::new(DFSchema::try_from(schema).map_err(from_datafusion)?);
        let plan = LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: true, schema });
        let mut row = Relation::new(plan.clone());
        let parameters: Vec<(String, DataType)> = names.into_iter().zip(columns.iter().cloned()).collect();
        let bindings = parameters.iter().map(|(name, data_type)| Binding::named(name.clone(), data_type.clone()));
        row.rels.insert(STEP, bindings.collect());
        let value = self.expr(expr, &mut row)?.into_computed()?.into_representation(target)?;
        if row.plan != plan {
            return Err(Error::unsupported("an aggregate over a function with a query"));
        }
        Lambda::new(parameters, &value.expr)
    }
}
