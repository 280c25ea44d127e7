//! MERGE: the source joined to the target, and for each row which action it takes and what the target's row becomes.

use aegis_catalog::{Error, Result, Type};
use arrow::datatypes::DataType;
use datafusion::logical_expr::{Expr, Operator};
use datafusion::scalar::ScalarValue;

use super::build::{binary, integer};
use super::dml::{LoweredChange, RowPlace, address_of};
use super::expr::when;
use super::relation::Relation;
use super::value::Value;
use super::{LowerContext, Lowerer};
use crate::bind::tree::{self, ExprKind, From, JoinForm, Merge, MergeKind, Returning};
use crate::parse::ast::{JoinKind, Span};

/// The number of the action that a row takes is the only column of RETURNING.
pub fn lower_merge(merge: &Merge, parameters: &[ScalarValue], context: &LowerContext<'_>) -> Result<LoweredChange> {
    let mut lowerer = Lowerer::new(context, parameters);
    lowerer.define_ctes(&context.outer_ctes)?;
    lowerer.define_ctes(&merge.ctes)?;
    let keeps_unmatched = merge.actions.iter().any(|action| !action.matched);
    let target = From::Table { rel: merge.rel, relation: merge.table.clone(), only: false, alias: None, sample: None };
    let joined = From::Join {
        kind: if keeps_unmatched { JoinKind::Left } else { JoinKind::Inner },
        left: Box::new(merge.source.clone()),
        right: Box::new(target),
        condition: Some(merge.condition.clone()),
        form: Box::new(JoinForm::default()),
    };
    let mut input = lowerer.from(&joined, None)?;
    let address = address_of(&merge.table, merge.rel, &input)?;
    let spread = super::inherit::is_spread(&merge.table, lowerer.catalog());
    let source = spread.then(|| input.get(merge.rel, merge.table.columns.len()).cloned()).transpose()?;
    let kept = lowerer.kept(address, source, &mut input)?;
    lowerer.choose_actions(merge, kept.address.expr(), &mut input)?;
    let row = lowerer.merged_row(merge, &mut input)?;
    let action = tree::Expr {
        kind: ExprKind::Column { rel: merge.action_rel, column: 0 },
        ty: Type::of(aegis_catalog::types::oid::INT8),
        span: Span::default(),
    };
    let returning = Returning { targets: vec![action], columns: Vec::new() };
    let place = RowPlace { affected: Some(kept), changed: None, locked: false };
    lowerer.change(&merge.table, merge.new_rel, row, &merge.row_rules, Some(&returning), place, input)
}

impl Lowerer<'_> {
    /// Adds the number of each row's action, and leaves out the rows that take none.
    fn choose_actions(&mut self, merge: &Merge, address: Expr, input: &mut Relation) -> Result<()> {
        let mut branches = Vec::with_capacity(merge.actions.len());
        for (number, action) in (0..).zip(&merge.actions) {
            let of_kind = match action.matched {
                true => Expr::IsNotNull(Box::new(address.clone())),
                false => Expr::IsNull(Box::new(address.clone())),
            };
            let condition = match &action.condition {
                Some(condition) => binary(of_kind, Operator::And, self.condition(condition, input)?),
                None => of_kind,
            };
            let number = if matches!(action.kind, MergeKind::Nothing) { NONE } else { number };
            branches.push((condition, integer(number)));
        }
        let binding = self.binding("action", DataType::Int64);
        input.extend(vec![(when(branches, integer(NONE)), &binding)])?;
        input.filter(Some(binary(binding.expr(), Operator::NotEq, integer(NONE))))?;
        input.rels.insert(merge.action_rel, vec![binding]);
        Ok(())
    }

    /// The target's row after the action; the old one where it is deleted.
    fn merged_row(&mut self, merge: &Merge, input: &mut Relation) -> Result<Vec<Value>> {
        let mut rows = Vec::new();
        for (number, action) in (0..).zip(&merge.actions) {
            let row = match &action.kind {
                MergeKind::Update(set) => self.new_row(&merge.table, set, Some(merge.rel), input)?,
                MergeKind::Insert(values) => self.new_row(&merge.table, values, None, input)?,
                MergeKind::Delete => self.new_row(&merge.table, &[], Some(merge.rel), input)?,
                MergeKind::Nothing => continue,
            };
            rows.push((number, row));
        }
        let action = input.get(merge.action_rel, 0)?.expr();
        let columns: Vec<(Type, DataType)> =
            merge.table.live_columns().map(|column| (column.ty, self.catalog().stored_arrow_type(column.ty))).collect();
        let mut merged = Vec::with_capacity(columns.len());
        for (place, (ty, data_type)) in columns.into_iter().enumerate() {
            let mut branches = Vec::with_capacity(rows.len());
            for (number, row) in &rows {
                let value = row.get(place).ok_or_else(|| Error::internal("a row without a column"))?;
                let is_this = binary(action.clone(), Operator::Eq, integer(*number));
                branches.push((is_this, value.expr.clone()));
            }
            let nothing = super::build::null(&data_type)?;
            let expr = if branches.is_empty() { nothing } else { when(branches, nothing) };
            merged.push(Value::new(expr, ty, data_type));
        }
        Ok(merged)
    }
}

/// No action.
const NONE: i64 = -1;
