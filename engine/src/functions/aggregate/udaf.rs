//! An aggregate of ours as DataFusion sees it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use aegis_catalog::{Result, Type};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::DataFusionError;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, Signature, Volatility};

use super::collect::{Collected, Whole, state_type};
use super::fold::{AnyFold, Fold, Folded, STATE_TYPE};
use crate::execute::error::{from_datafusion, to_datafusion};
use crate::functions::AggregateTypes;

type DataFusionResult<T> = std::result::Result<T, DataFusionError>;

/// Result type by argument types, for polymorphic aggregates.
pub type ResultType = fn(&[DataType]) -> DataType;

/// An aggregate for concrete types, as plans have it.
pub type Aggregate = Arc<AggregateUDF>;

struct Definition {
    name: &'static str,
    args: Vec<Type>,
    result: Type,
    /// Directions of WITHIN GROUP.
    order: Vec<SortOptions>,
    data_type: DataType,
    result_type: Option<ResultType>,
    code: Code,
    signature: Signature,
}

#[derive(Clone)]
enum Code {
    Fold(Arc<dyn AnyFold>),
    Whole(Whole),
}

/// An aggregate that folds.
pub fn fold(name: &'static str, types: &AggregateTypes<'_>, fold: impl Fold) -> Result<Arc<AggregateUDF>> {
    Ok(build(name, types, None, Code::Fold(Arc::new(Folded(Arc::new(fold))))))
}

/// An aggregate over all rows of a group.
pub fn whole(
    name: &'static str,
    types: &AggregateTypes<'_>,
    result_type: Option<ResultType>,
    evaluate: impl Fn(&[arrow::array::ArrayRef]) -> Result<arrow::array::ArrayRef> + Send + Sync + 'static,
) -> Result<Arc<AggregateUDF>> {
    Ok(build(name, types, result_type, Code::Whole(Arc::new(evaluate))))
}

fn build(
    name: &'static str,
    types: &AggregateTypes<'_>,
    result_type: Option<ResultType>,
    code: Code,
) -> Arc<AggregateUDF> {
    let signature = Signature::user_defined(Volatility::Immutable);
    let data_type = types.result_type();
    let args = types.args.to_vec();
    let order = types.order.to_vec();
    let definition = Definition { name, args, result: types.result, order, data_type, result_type, code, signature };
    Arc::new(AggregateUDF::new_from_impl(definition))
}

impl PartialEq for Definition {
    fn eq(&self, other: &Self) -> bool {
        (self.name, &self.args, self.result, &self.order) == (other.name, &other.args, other.result, &other.order)
    }
}

impl Eq for Definition {}

impl Hash for Definition {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.name, &self.args, self.result, &self.order).hash(state);
    }
}

impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({:?})", self.name, self.args)
    }
}

impl Definition {
    /// The group's rows must be collected: for what the aggregate is, or for how it is used.
    fn collects(&self, distinct: bool, ordered: bool) -> bool {
        matches!(self.code, Code::Whole(_)) || distinct || ordered
    }

    fn collected(&self, args: &AccumulatorArgs<'_>) -> DataFusionResult<Box<dyn Accumulator>> {
        let mut columns: Vec<DataType> = args.expr_fields.iter().map(|field| field.data_type().clone()).collect();
        for key in args.order_bys {
            columns.push(key.expr.data_type(args.schema)?);
        }
        let evaluate = match &self.code {
            Code::Whole(evaluate) => evaluate.clone(),
            Code::Fold(fold) => folded(fold.clone()),
        };
        let mut types = self.args.clone();
        // count(*) has an argument only here.
        types.resize(args.expr_fields.len(), Type::of(aegis_catalog::types::oid::INT4));
        Ok(Box::new(Collected {
            evaluate,
            args: types,
            columns,
            order: args.order_bys.iter().map(|key| key.options).collect(),
            distinct: args.is_distinct,
            batches: Vec::new(),
            retracted: 0,
        }))
    }
}

/// Runs a fold over collected rows.
fn folded(fold: Arc<dyn AnyFold>) -> Whole {
    Arc::new(move |columns| {
        let mut accumulator = fold.accumulator();
        let result = accumulator
            .update_batch(columns)
            .and_then(|()| accumulator.evaluate())
            .and_then(|result| result.to_array_of_size(1));
        result.map_err(from_datafusion)
    })
}

impl AggregateUDFImpl for Definition {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> DataFusionResult<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn return_type(&self, arg_types: &[DataType]) -> DataFusionResult<DataType> {
        Ok(match self.result_type {
            Some(result_type) => result_type(arg_types),
            None => self.data_type.clone(),
        })
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> DataFusionResult<Box<dyn Accumulator>> {
        match &self.code {
            Code::Fold(fold) if !self.collects(args.is_distinct, !args.order_bys.is_empty()) => Ok(fold.accumulator()),
            _ => self.collected(&args),
        }
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs<'_>) -> DataFusionResult<Box<dyn Accumulator>> {
        match &self.code {
            Code::Fold(fold) if fold.removes() && !args.is_distinct => Ok(fold.moving()),
            _ => self.collected(&args),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> DataFusionResult<Vec<FieldRef>> {
        if !self.collects(args.is_distinct, !args.ordering_fields.is_empty()) {
            return Ok(vec![Arc::new(Field::new(format!("{}[state]", args.name), STATE_TYPE, true))]);
        }
        let columns = args.input_fields.iter().chain(args.ordering_fields).enumerate();
        Ok(columns
            .map(|(position, field)| {
                Arc::new(Field::new(format!("{}[{position}]", args.name), state_type(field.data_type()), true))
            })
            .collect())
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        !self.collects(args.is_distinct, !args.order_bys.is_empty())
    }

    fn create_groups_accumulator(&self, _args: AccumulatorArgs<'_>) -> DataFusionResult<Box<dyn GroupsAccumulator>> {
        match &self.code {
            Code::Fold(fold) => Ok(fold.groups()),
            Code::Whole(_) => Err(to_datafusion(aegis_catalog::Error::internal("no groups accumulator"))),
        }
    }

    /// Rows are sorted here if they must be, so that partial results can be merged in any order.
    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::SoftRequirement
    }
}
