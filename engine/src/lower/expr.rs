//! Expressions.

use std::sync::Arc;

use aegis_catalog::{Error, Result, Type, types::oid};
use arrow::datatypes::DataType;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Case, Expr, Operator};
use datafusion::scalar::ScalarValue;

use super::build::{all, binary, boolean, chain, literal, null, placeholder};
use super::relation::Relation;
use super::value::{Value, cast, common_representation};
use super::{Lowerer, compare, key};
use crate::bind::tree::{self, ExprKind, RowOperator};
use crate::functions::Function;

/// `pg_typeof`.
const PG_TYPEOF: aegis_catalog::Oid = 1619;

impl Lowerer<'_> {
    /// Lowers an expression over a relation. Sub-queries in it become joins that extend the relation; its columns keep their names, so that
    /// expressions lowered before stay valid.
    pub fn expr(&mut self, expr: &tree::Expr, input: &mut Relation) -> Result<Value> {
        self.deeper(|lowerer| lowerer.expr_here(expr, input))
    }

    pub fn exprs(&mut self, exprs: &[tree::Expr], input: &mut Relation) -> Result<Vec<Value>> {
        exprs.iter().map(|expr| self.expr(expr, input)).collect()
    }

    /// A condition as a plain boolean expression.
    pub fn condition(&mut self, expr: &tree::Expr, input: &mut Relation) -> Result<Expr> {
        Ok(self.expr(expr, input)?.expr)
    }

    fn expr_here(&mut self, expr: &tree::Expr, input: &mut Relation) -> Result<Value> {
        // From here on values of domains are values of their base types.
        let ty = self.catalog().erased(expr.ty);
        match &expr.kind {
            ExprKind::Constant(value) => {
                Ok(Value::new(literal(value.clone()), ty, value.data_type())).and_then(|value| self.retyped_null(value))
            }
            ExprKind::Parameter(number) => self.parameter(*number, ty),
            ExprKind::Column { rel, column } => {
                let binding = input.get(*rel, *column)?;
                Ok(Value::new(binding.expr(), ty, binding.data_type.clone()))
            }
            // Here alone it matters of which domain a value is.
            ExprKind::Call { function, args, .. } if function.oid == PG_TYPEOF => {
                let ty = args.first().map_or(oid::UNKNOWN, |arg| arg.ty.oid);
                Ok(Value::computed(literal(ScalarValue::UInt32(Some(ty))), Type::of(oid::REGTYPE)))
            }
            ExprKind::Call { function, args, variadic, .. } => {
                let args = self.exprs(args, input)?;
                self.call_as_written(function, args, ty, *variadic)
            }
            ExprKind::DomainValue => {
                self.domain_values.last().cloned().ok_or_else(|| Error::internal("VALUE outside of a domain's check"))
            }
            ExprKind::Cast { arg, method, implicit } => {
                let arg = self.expr(arg, input)?;
                self.cast(arg, method, *implicit, ty)
            }
            ExprKind::And(operands) => self.connective(operands, Operator::And, input),
            ExprKind::Or(operands) => self.connective(operands, Operator::Or, input),
            ExprKind::Not(arg) => {
                let arg = self.condition(arg, input)?;
                Ok(Value::boolean(Expr::Not(Box::new(arg))))
            }
            ExprKind::Collate { arg, .. } => self.expr(arg, input),
            ExprKind::Collated { arg, operation, collation } => {
                let arg = self.expr(arg, input)?;
                key::collated(arg, *operation, collation, ty)
            }
            ExprKind::IsNull { arg, negated } => self.is_null(arg, *negated, input),
            ExprKind::IsBoolean { arg, value, negated } => {
                let arg = Box::new(self.condition(arg, input)?);
                Ok(Value::boolean(match (value, negated) {
                    (Some(true), false) => Expr::IsTrue(arg),
                    (Some(true), true) => Expr::IsNotTrue(arg),
                    (Some(false), false) => Expr::IsFalse(arg),
                    (Some(false), true) => Expr::IsNotFalse(arg),
                    (None, false) => Expr::IsUnknown(arg),
                    (None, true) => Expr::IsNotUnknown(arg),
                }))
            }
            ExprKind::IsDistinct { equal, left, right, negated } => {
                let (left, right) = (self.expr(left, input)?, self.expr(right, input)?);
                self.is_distinct(equal, left, right, *negated)
            }
            ExprKind::Case { operand, branches, otherwise } => {
                self.case(operand.as_deref(), branches, otherwise.as_deref(), ty, input)
            }
            ExprKind::CaseOperand => {
                self.case_operands.last().cloned().ok_or_else(|| Error::internal("no CASE around its operand"))
            }
            ExprKind::Coalesce(args) => {
                let args = self.exprs(args, input)?;
                self.coalesce(args, ty)
            }
            ExprKind::Extreme { args, greatest, less } => {
                let args = self.exprs(args, input)?;
                self.extreme(args, *greatest, less, ty)
            }
            ExprKind::NullIf { equal, left, right } => {
                let (left, right) = (self.expr(left, input)?, self.expr(right, input)?);
                let equal = self.call(equal, vec![left.clone(), right], Type::of(oid::BOOL))?;
                let null = null(&left.data_type)?;
                Ok(Value { expr: when(vec![(equal.expr, null)], left.expr), ..left })
            }
            ExprKind::Array { .. }
            | ExprKind::Row(_)
            | ExprKind::NamedRow { .. }
            | ExprKind::NullExtended { .. }
            | ExprKind::RowCompare { .. }
            | ExprKind::Field { .. }
            | ExprKind::FieldStore { .. }
            | ExprKind::Subscript { .. }
            | ExprKind::SubscriptStore { .. } => self.compound(expr, ty, input),
            ExprKind::QuantifiedArray { function, left, array, all, .. } => {
                let (left, array) = (self.expr(left, input)?, self.expr(array, input)?);
                self.quantified_array(function, left, array, *all)
            }
            ExprKind::InList { equal, left, list, negated } => {
                let left = self.expr(left, input)?;
                let list = self.exprs(list, input)?;
                self.in_list(equal, left, list, *negated)
            }
            ExprKind::Subquery(subquery) => self.subquery(subquery, ty, input),
            ExprKind::Grouping { rel, keys } => self.grouping_function(*rel, keys, input),
            ExprKind::Default => Err(Error::internal("DEFAULT reached lowering")),
        }
    }

    /// Arrays and rows: made, compared, taken apart, and changed in a part.
    fn compound(&mut self, expr: &tree::Expr, ty: Type, input: &mut Relation) -> Result<Value> {
        match &expr.kind {
            ExprKind::Array { elements, nested } => {
                let elements = self.exprs(elements, input)?;
                self.array(elements, *nested, ty)
            }
            ExprKind::Row(fields) => {
                let fields = self.exprs(fields, input)?;
                self.row(fields, ty)
            }
            ExprKind::NamedRow { names, fields } => {
                let fields = self.exprs(fields, input)?;
                self.named_row(fields, names, ty)
            }
            ExprKind::NullExtended { row, present } => {
                let (row, present) = (self.expr(row, input)?, self.expr(present, input)?);
                let absent = Expr::IsNull(Box::new(present.expr));
                let null = null(&row.data_type)?;
                Ok(Value { expr: when(vec![(absent, null)], row.expr), ..row })
            }
            ExprKind::RowCompare { op, equal, less, left, right } => {
                let (left, right) = (self.exprs(left, input)?, self.exprs(right, input)?);
                self.row_compare(*op, equal, less, left, right)
            }
            ExprKind::Field { arg, index } => {
                let arg = self.expr(arg, input)?;
                self.field(arg, *index, ty)
            }
            ExprKind::FieldStore { arg, index, value } => {
                let (arg, value) = (self.expr(arg, input)?, self.expr(value, input)?);
                self.field_store(arg, *index, value, ty)
            }
            ExprKind::SubscriptStore { arg, subscripts, value } => {
                let (arg, value) = (self.expr(arg, input)?, self.expr(value, input)?);
                self.subscript_store(arg, subscripts, value, ty, input)
            }
            ExprKind::Subscript { arg, subscripts } => self.subscript(arg, subscripts, ty, input),
            _ => Err(Error::internal("neither an array nor a row")),
        }
    }

    /// A null constant may come untyped.
    fn retyped_null(&self, value: Value) -> Result<Value> {
        if value.is_null_constant() && value.data_type == DataType::Null {
            return self.null(value.ty);
        }
        Ok(value)
    }

    fn parameter(&mut self, number: u32, ty: Type) -> Result<Value> {
        if self.context.deferred {
            let data_type = self.representation(ty);
            return Ok(Value::new(placeholder(number, &data_type), ty, data_type));
        }
        let value = number.checked_sub(1).and_then(|index| self.parameters.get(index as usize));
        let value = value.ok_or_else(|| {
            Error::new(aegis_catalog::sqlstate::UNDEFINED_PARAMETER, format!("there is no parameter ${number}"))
        })?;
        self.retyped_null(Value::new(literal(value.clone()), ty, value.data_type()))
    }

    /// AND and OR. An operand that may fail is computed only where those before it have not decided the result.
    fn connective(&mut self, operands: &[tree::Expr], op: Operator, input: &mut Relation) -> Result<Value> {
        let decided = op == Operator::Or;
        let mut lowered: Vec<Expr> = Vec::with_capacity(operands.len());
        for operand in operands {
            let operand = self.condition(operand, input)?;
            // What is volatile is evaluated only where those before it leave the answer open.
            let before = if operand.is_volatile() { chain(std::mem::take(&mut lowered), op) } else { None };
            match before {
                Some(before) => {
                    let open = match op {
                        Operator::And => Expr::IsNotFalse(Box::new(before.clone())),
                        _ => Expr::IsNotTrue(Box::new(before.clone())),
                    };
                    lowered = vec![before, when_boolean(vec![(open, operand)], boolean(decided))];
                }
                None => lowered.push(operand),
            }
        }
        Ok(Value::boolean(chain(lowered, op).unwrap_or_else(|| boolean(!decided))))
    }

    fn is_null(&mut self, arg: &tree::Expr, negated: bool, input: &mut Relation) -> Result<Value> {
        let test = |expr| match negated {
            false => Expr::IsNull(Box::new(expr)),
            true => Expr::IsNotNull(Box::new(expr)),
        };
        // Where a row is left out, its fields are null too.
        let arg = match &arg.kind {
            ExprKind::NullExtended { row, .. } => row,
            _ => arg,
        };
        // A row is null if all its fields are, and not null if none is.
        if let ExprKind::Row(fields) | ExprKind::NamedRow { fields, .. } = &arg.kind {
            let fields = self.exprs(fields, input)?;
            let tests = fields.into_iter().map(|field| test(field.expr));
            return Ok(Value::boolean(all(tests).unwrap_or_else(|| boolean(true))));
        }
        let arg = self.expr(arg, input)?;
        if super::row::is_record(&arg) {
            return self.is_null_record(arg, negated);
        }
        Ok(Value::boolean(test(arg.expr)))
    }

    pub fn is_distinct(&mut self, equal: &Arc<Function>, left: Value, right: Value, negated: bool) -> Result<Value> {
        let op = if negated { Operator::IsNotDistinctFrom } else { Operator::IsDistinctFrom };
        let test = match (left.is_null_constant(), right.is_null_constant(), negated) {
            (true, true, _) => Some(boolean(negated)),
            (true, false, true) => Some(Expr::IsNull(Box::new(right.expr.clone()))),
            (true, false, false) => Some(Expr::IsNotNull(Box::new(right.expr.clone()))),
            (false, true, true) => Some(Expr::IsNull(Box::new(left.expr.clone()))),
            (false, true, false) => Some(Expr::IsNotNull(Box::new(left.expr.clone()))),
            (false, false, _) => None,
        };
        if let Some(test) = test {
            return Ok(Value::boolean(test));
        }
        let equality = self.call(equal, vec![left.clone(), right.clone()], Type::of(oid::BOOL))?;
        if let Some((left, right)) = compare::equality(&equality.expr) {
            return Ok(Value::boolean(binary(left.clone(), op, right.clone())));
        }
        let is_null = |value: &Value| Expr::IsNull(Box::new(value.expr.clone()));
        let (left_null, right_null) = (is_null(&left), is_null(&right));
        let any_null = binary(left_null.clone(), Operator::Or, right_null.clone());
        let both_null = binary(left_null, Operator::And, right_null);
        let same = when(vec![(any_null, both_null)], equality.expr);
        Ok(Value::boolean(if negated { same } else { Expr::Not(Box::new(same)) }))
    }

    fn case(
        &mut self,
        operand: Option<&tree::Expr>,
        branches: &[(tree::Expr, tree::Expr)],
        otherwise: Option<&tree::Expr>,
        ty: Type,
        input: &mut Relation,
    ) -> Result<Value> {
        if let Some(operand) = operand {
            let operand = self.expr(operand, input)?;
            self.case_operands.push(operand);
        }
        let branches: Result<Vec<_>> = branches
            .iter()
            .map(|(condition, result)| Ok((self.condition(condition, input)?, self.expr(result, input)?)))
            .collect();
        if operand.is_some() {
            self.case_operands.pop();
        }
        let branches = branches?;
        let otherwise = match otherwise {
            Some(expr) => self.expr(expr, input)?,
            None => self.null(ty)?,
        };
        let results = branches.iter().map(|(_, result)| result).chain([&otherwise]);
        let data_type = common_representation(self.catalog(), ty, results);
        let branches = branches
            .into_iter()
            .map(|(condition, result)| Ok((condition, result.into_representation(&data_type)?.expr)))
            .collect::<Result<Vec<_>>>()?;
        let otherwise = otherwise.into_representation(&data_type)?.expr;
        let expr = match data_type {
            DataType::Boolean => when_boolean(branches, otherwise),
            _ => when(branches, otherwise),
        };
        Ok(Value::new(expr, ty, data_type))
    }

    fn coalesce(&mut self, args: Vec<Value>, ty: Type) -> Result<Value> {
        let data_type = common_representation(self.catalog(), ty, args.iter());
        let args = args
            .into_iter()
            .filter(|arg| !arg.is_null_constant())
            .map(|arg| arg.into_representation(&data_type))
            .collect::<Result<Vec<_>>>()?;
        let Some((last, before)) = args.split_last() else {
            return self.null(ty);
        };
        if before.iter().any(Value::is_pinned) {
            let operator = crate::execute::choose::coalesce(data_type.clone());
            let args = args.into_iter().map(|arg| arg.expr).collect();
            return Ok(Value::new(operator.pinned().call(args), ty, data_type));
        }
        let branches = before
            .iter()
            .map(|arg| (Expr::IsNotNull(Box::new(arg.expr.clone())), arg.expr.clone()))
            .collect::<Vec<_>>();
        Ok(Value::new(when(branches, last.expr.clone()), ty, data_type))
    }

    fn extreme(&mut self, args: Vec<Value>, greatest: bool, less: &Arc<Function>, ty: Type) -> Result<Value> {
        let data_type = common_representation(self.catalog(), ty, args.iter());
        let args =
            args.into_iter().map(|arg| Ok(arg.into_representation(&data_type)?.expr)).collect::<Result<Vec<_>>>()?;
        let less = self.lambda2(less, (ty, data_type.clone()), (ty, data_type.clone()))?;
        let operator = crate::execute::choose::extreme(greatest, less, data_type.clone());
        Ok(Value::new(super::value::apply(operator, args)?, ty, data_type))
    }

    pub fn in_list(&mut self, equal: &Arc<Function>, left: Value, list: Vec<Value>, negated: bool) -> Result<Value> {
        let equalities = list
            .into_iter()
            .map(|item| Ok(self.call(equal, vec![left.clone(), item], Type::of(oid::BOOL))?.expr))
            .collect::<Result<Vec<_>>>()?;
        let sides: Option<Vec<_>> = equalities.iter().map(compare::equality).collect();
        if let Some(sides) = sides
            && let Some((first, _)) = sides.first()
            && sides.iter().all(|(left, right)| left == first && matches!(right, Expr::Literal(..)))
        {
            let list = sides.iter().map(|(_, right)| (*right).clone()).collect();
            let in_list = InList::new(Box::new((*first).clone()), list, negated);
            return Ok(Value::boolean(Expr::InList(in_list)));
        }
        let any = chain(equalities, Operator::Or).unwrap_or_else(|| boolean(false));
        Ok(Value::boolean(if negated { Expr::Not(Box::new(any)) } else { any }))
    }

    /// Row comparison: the first pair that differs decides.
    fn row_compare(
        &mut self,
        op: RowOperator,
        equal: &[Arc<Function>],
        less: &[Arc<Function>],
        left: Vec<Value>,
        right: Vec<Value>,
    ) -> Result<Value> {
        let pairs: Vec<Vec<Value>> = left.into_iter().zip(right).map(|(left, right)| vec![left, right]).collect();
        let mut compare = |function: &Arc<Function>, pair: &Vec<Value>| -> Result<Expr> {
            Ok(self.call(function, pair.clone(), Type::of(oid::BOOL))?.expr)
        };
        let equalities =
            equal.iter().zip(&pairs).map(|(equal, pair)| compare(equal, pair)).collect::<Result<Vec<_>>>()?;
        let result = match op {
            RowOperator::Equal => all(equalities).unwrap_or_else(|| boolean(true)),
            RowOperator::NotEqual => {
                let differ = equalities.into_iter().map(|equal| Expr::Not(Box::new(equal)));
                chain(differ, Operator::Or).unwrap_or_else(|| boolean(false))
            }
            RowOperator::Less | RowOperator::LessEqual | RowOperator::Greater | RowOperator::GreaterEqual => {
                let mut result: Option<Expr> = None;
                for ((strict, pair), equal) in less.iter().zip(&pairs).zip(equalities).rev() {
                    let strict = compare(strict, pair)?;
                    let or_equal = matches!(op, RowOperator::LessEqual | RowOperator::GreaterEqual);
                    result = Some(match result {
                        Some(rest) => binary(strict, Operator::Or, binary(equal, Operator::And, rest)),
                        None if or_equal => binary(strict, Operator::Or, equal),
                        None => strict,
                    });
                }
                result.unwrap_or_else(|| boolean(false))
            }
        };
        Ok(Value::boolean(result))
    }
}

/// `CASE WHEN … THEN … ELSE otherwise END`.
pub fn when(branches: Vec<(Expr, Expr)>, otherwise: Expr) -> Expr {
    if branches.is_empty() {
        return otherwise;
    }
    let branches = branches.into_iter().map(|(condition, result)| (Box::new(condition), Box::new(result))).collect();
    Expr::Case(Case::new(None, branches, Some(Box::new(otherwise))))
}

/// CASE over conditions. The optimizer would turn it into AND and OR, which compute everything: one whose results may fail is hidden from
/// it behind small integers.
fn when_boolean(branches: Vec<(Expr, Expr)>, otherwise: Expr) -> Expr {
    if !branches.iter().any(|(_, result)| result.is_volatile()) && !otherwise.is_volatile() {
        return when(branches, otherwise);
    }
    let as_integer = |expr| cast(expr, &DataType::Int8);
    let branches = branches.into_iter().map(|(condition, result)| (condition, as_integer(result))).collect();
    let chosen = when(branches, as_integer(otherwise));
    binary(chosen, Operator::Eq, literal(ScalarValue::Int8(Some(1))))
}
