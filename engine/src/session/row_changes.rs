//! UPDATE and DELETE with calls of bodies that run statement by statement: the rows are found first, the calls are made for each of them, and
//! what is changed are those rows, joined with the results.

use std::sync::Arc;

use aegis_catalog::object::Relation;
use aegis_catalog::types::oid;
use aegis_catalog::{Error, Oid, Result, Type};
use datafusion::scalar::ScalarValue;

use super::Session;
use super::context::StatementContext;
use super::routine::{calls_by_row, collect_columns, has_calls};
use super::row_calls::{Column, Renamed, and, conjuncts, rels_of, rename, with_results};
use crate::bind::tree::{CallForm, Cte, Delete, Expr, ExprKind, From, JoinForm, RelId, Update};
use crate::functions;
use crate::parse::ast::JoinKind;

/// The rows to change, with the results of calls.
const FOUND: RelId = RelId(u32::MAX - 2);

/// `oideq` and `tideq`.
const EQUAL: [Oid; 2] = [184, 1292];

/// The rows that a statement changes.
struct Affected<'a> {
    table: &'a Arc<Relation>,
    only: bool,
    rel: RelId,
    from: &'a mut Option<From>,
    filter: &'a mut Option<Expr>,
    ctes: &'a [Cte],
}

impl Session {
    pub(super) async fn call_in_update(
        &mut self,
        update: &mut Update,
        parameters: &[ScalarValue],
        context: &StatementContext,
    ) -> Result<()> {
        let all = update.set.iter_mut().map(|(_, value)| value).chain(&mut update.filter);
        for expr in all.filter(|expr| !calls_by_row(expr)) {
            self.settle_expression(expr, parameters, context).await?;
        }
        let Update { set, filter, from, returning, rel, table, only, ctes, .. } = update;
        let (mut calls, mut others): (Vec<&mut Expr>, Vec<&mut Expr>) =
            set.iter_mut().map(|(_, value)| value).partition(|value| has_calls(value));
        others.extend(returning.iter_mut().flat_map(|returning| &mut returning.targets));
        let affected = Affected { table, only: *only, rel: *rel, from, filter, ctes };
        self.call_for_rows(affected, &mut calls, &mut others, parameters, context).await
    }

    pub(super) async fn call_in_delete(
        &mut self,
        delete: &mut Delete,
        parameters: &[ScalarValue],
        context: &StatementContext,
    ) -> Result<()> {
        for expr in delete.filter.iter_mut().filter(|expr| !calls_by_row(expr)) {
            self.settle_expression(expr, parameters, context).await?;
        }
        let Delete { filter, using, returning, rel, table, only, ctes, .. } = delete;
        let mut others: Vec<&mut Expr> = returning.iter_mut().flat_map(|returning| &mut returning.targets).collect();
        let affected = Affected { table, only: *only, rel: *rel, from: using, filter, ctes };
        self.call_for_rows(affected, &mut [], &mut others, parameters, context).await
    }

    /// Makes `calls` columns of the rows found. `others` are what else reads the columns of FROM.
    async fn call_for_rows(
        &mut self,
        affected: Affected<'_>,
        calls: &mut [&mut Expr],
        others: &mut [&mut Expr],
        parameters: &[ScalarValue],
        context: &StatementContext,
    ) -> Result<()> {
        let Affected { table, only, rel, from, filter, ctes } = affected;
        if calls.is_empty() && !filter.as_ref().is_some_and(has_calls) {
            return Ok(());
        }
        let joined = from.as_ref().map(rels_of).unwrap_or_default();
        let of_from = |expr: &mut Expr| {
            let mut found = Vec::new();
            collect_columns(expr, &mut found);
            found.retain(|(of, ..)| joined.contains(of));
            found
        };
        let mut kept: Vec<Column> = Vec::new();
        for column in others.iter_mut().flat_map(|expr| of_from(expr)) {
            if !kept.contains(&column) {
                kept.push(column);
            }
        }
        let width = table.columns.len();
        let place = [(rel, width, Type::of(oid::OID)), (rel, width + 1, Type::of(oid::TID))];
        let mut needed: Vec<Column> = place.iter().chain(&kept).copied().collect();
        let (of_calls, plain): (Vec<Expr>, Vec<Expr>) =
            filter.take().into_iter().flat_map(conjuncts).partition(has_calls);
        for expr in calls.iter().map(|call| Expr::clone(call)).chain(of_calls.iter().cloned()) {
            collect_columns(&mut expr.clone(), &mut needed);
        }
        needed.retain(|(of, ..)| *of == rel || joined.contains(of));
        let scanned = From::Table { rel, relation: Arc::clone(table), only, sample: None, alias: None };
        let scanned = match from.take() {
            None => scanned,
            Some(right) => From::Join {
                kind: JoinKind::Cross,
                left: Box::new(scanned),
                right: Box::new(right),
                condition: None,
                form: Box::new(JoinForm::default()),
            },
        };
        let found = self.rows_for(Some(scanned), and(plain), &needed, ctes, parameters, context).await?;
        // The places of rows hold as long as the snapshot does.
        let keeps = std::mem::replace(&mut self.keeps_snapshot, true);
        let wanted: Vec<Expr> = calls.iter().map(|call| Expr::clone(call)).collect();
        let rows = self.results_of(found, &needed, &of_calls, &wanted, 2 + kept.len(), parameters, context).await;
        self.keeps_snapshot = keeps;
        let stay = needed.get(..2 + kept.len()).unwrap_or_default();
        let query = Box::new(with_results(rows?, stay, &wanted, context));
        *from = Some(From::Subquery { rel: FOUND, query, lateral: false, view: None, alias: None });
        let same = place.iter().zip(EQUAL).enumerate().map(|(at, (of, function))| equal(function, *of, at));
        *filter = and(same.collect::<Result<_>>()?);
        for (at, call) in calls.iter_mut().enumerate() {
            call.kind = ExprKind::Column { rel: FOUND, column: 2 + kept.len() + at };
        }
        let renamed = Renamed { rel: Some(FOUND), first: 2, columns: kept };
        others.iter_mut().for_each(|expr| rename(expr, &renamed));
        Ok(())
    }
}

/// A column of the table is that of the rows found.
fn equal(function: Oid, (rel, place, ty): Column, found: usize) -> Result<Expr> {
    let span = Default::default();
    let function = functions::registry().by_oid(function).cloned();
    let function = function.ok_or_else(|| Error::internal("places of rows have no equality"))?;
    let column = |rel, column| Expr { kind: ExprKind::Column { rel, column }, ty, span };
    let args = vec![column(rel, place), column(FOUND, found)];
    let kind = ExprKind::Call { function, args, form: CallForm::Operator("=".to_owned()), variadic: false };
    Ok(Expr { kind, ty: Type::of(oid::BOOL), span })
}
