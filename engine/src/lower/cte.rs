//! Common table expressions.

use std::collections::HashMap;
use std::sync::Arc;

use aegis_catalog::types::oid;
use aegis_catalog::{Error, Result};
use arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Column, JoinType};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::logical_expr::{ColumnarValue, Expr, LogicalPlan, RecursiveQuery, TableSource};

use super::build::{join_not_distinct, project};
use super::relation::{Binding, DomainColumn, Output, Relation};
use super::value::Value;
use super::{ColumnRef, Lowerer, free};
use crate::bind::tree::{Cte, CteBody, CteId, OutputColumn, Query, RelId};
use crate::execute::error::from_datafusion;
use crate::execute::operator::{ScalarOperator, arrays};
use crate::execute::round::RoundTable;

/// What a reference to a CTE becomes.
pub(crate) struct Definition {
    /// Outer columns that the body mentions.
    pub free: Vec<ColumnRef>,
    meaning: Meaning,
}

enum Meaning {
    /// The query itself, at each place.
    Inline(Arc<Cte>),
    /// A result that is computed once.
    Shared(Arc<dyn TableSource>),
    /// Inside the step of a recursive CTE: the rows of the last round, and the domain's columns among them.
    WorkTable { source: Arc<dyn TableSource>, domain: Vec<DomainColumn> },
}

impl Lowerer<'_> {
    pub fn define_cte(&mut self, cte: &Cte) -> Result<()> {
        let free = self.free_in_cte(&cte.body);
        let meaning = match &cte.body {
            CteBody::Change(_) | CteBody::Given => {
                let source = self.context.changes.get(&cte.id).cloned();
                Meaning::Shared(source.ok_or_else(|| Error::internal("a data-modifying CTE did not run"))?)
            }
            body => {
                let volatile = match body {
                    CteBody::Query(query) => free::is_volatile(query),
                    CteBody::Recursive { seed, step, .. } => free::is_volatile(seed) || free::is_volatile(step),
                    CteBody::Change(_) | CteBody::Given => true,
                };
                let once = cte.references <= 1 && cte.materialized != Some(true);
                let inline = !volatile && (once || cte.materialized == Some(false)) || !free.is_empty();
                if inline || cte.references == 0 {
                    Meaning::Inline(Arc::new(cte.clone()))
                } else {
                    let output = self.cte_body(cte, None)?;
                    // What reads the rows of a round is computed in each round.
                    match reads_round(&output.plan)? {
                        false => Meaning::Shared(self.share(output)?),
                        true => Meaning::Inline(Arc::new(cte.clone())),
                    }
                }
            }
        };
        self.ctes.insert(cte.id, Definition { free, meaning });
        Ok(())
    }

    /// Are the rows that a reference yields those of the last round, with the columns of the domain among them?
    pub(super) fn carries_domain(&self, cte: CteId) -> bool {
        let definition = self.ctes.get(&cte);
        definition.is_some_and(
            |definition| matches!(&definition.meaning, Meaning::WorkTable { domain, .. } if !domain.is_empty()),
        )
    }

    /// The query that stands at each reference to the CTE.
    pub(super) fn query_of_cte(&self, cte: CteId) -> Option<&Query> {
        match &self.ctes.get(&cte)?.meaning {
            Meaning::Inline(cte) => match &cte.body {
                CteBody::Query(query) => Some(query),
                _ => None,
            },
            Meaning::Shared(_) | Meaning::WorkTable { .. } => None,
        }
    }

    pub(super) fn share(&mut self, output: Output) -> Result<Arc<dyn TableSource>> {
        let plain: Vec<Binding> =
            output.columns.iter().map(|column| self.binding("column", column.data_type.clone())).collect();
        let plan = project(output.plan, output.columns.iter().map(Binding::expr).zip(&plain).collect())?;
        self.context.tables.shared(plan)
    }

    /// A reference in FROM.
    pub fn cte_reference(&mut self, rel: RelId, cte: CteId, base: Option<&Relation>) -> Result<Relation> {
        let definition = self.ctes.get(&cte).ok_or_else(|| Error::internal("an unknown CTE"))?;
        match &definition.meaning {
            Meaning::Shared(source) => {
                let source = source.clone();
                self.scan_cte(rel, source)
            }
            Meaning::Inline(cte) => {
                let cte = cte.clone();
                let outside = self.ctes.get(&cte.id).map(|definition| definition.free.clone()).unwrap_or_default();
                let base = base.filter(|_| !outside.is_empty());
                Ok(self.cte_body(&cte, base)?.into_relation(rel))
            }
            Meaning::WorkTable { source, domain } => {
                let (source, domain) = (source.clone(), domain.clone());
                self.work_table(rel, source, domain, base)
            }
        }
    }

    pub(super) fn scan_cte(&mut self, rel: RelId, source: Arc<dyn TableSource>) -> Result<Relation> {
        let (plan, columns) = self.scan("cte", source)?;
        let mut relation = Relation::new(plan);
        relation.rels.insert(rel, columns);
        Ok(relation)
    }

    fn cte_body(&mut self, cte: &Cte, base: Option<&Relation>) -> Result<Output> {
        let mut output = match &cte.body {
            CteBody::Query(query) => self.query(query, base)?,
            CteBody::Recursive { seed, step, all } => self.recursive(cte.id, &cte.columns, seed, step, *all, base)?,
            CteBody::Change(_) | CteBody::Given => return Err(Error::internal("a data-modifying CTE did not run")),
        };
        output.columns.truncate(cte.columns.len());
        Ok(output)
    }

    /// `seed UNION [ALL] step`, run until a round yields no (new) row. For a correlated one, the domain's columns are part of each row.
    fn recursive(
        &mut self,
        id: CteId,
        columns: &[OutputColumn],
        seed: &Query,
        step: &Query,
        all: bool,
        base: Option<&Relation>,
    ) -> Result<Output> {
        let seed = self.query(seed, base)?;
        // Every round has the same representation: the computed one.
        let domain: Vec<DomainColumn> = seed
            .domain
            .iter()
            .map(|column| DomainColumn {
                binding: self.binding("outer", column.binding.data_type.clone()),
                ..column.clone()
            })
            .collect();
        let results: Vec<Binding> = columns
            .iter()
            .zip(&seed.columns)
            .map(|(column, seed)| {
                // What fields a record has, only the seed tells.
                let data_type = match column.ty.oid {
                    oid::RECORD | oid::RECORD_ARRAY => nullable(&seed.data_type),
                    _ => self.representation(column.ty),
                };
                self.binding(&column.name, data_type)
            })
            .collect();
        let mut seed = self.round(seed, &domain, &results, columns)?;
        seed = made_nullable(seed)?;
        let name = self.name("recursive");
        let schema: arrow::datatypes::Schema = seed.schema().as_arrow().clone();
        let fields: Vec<_> = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
        let schema = Arc::new(arrow::datatypes::Schema::new(fields));
        let round = RoundTable::new(&name, schema).map_err(from_datafusion)?;
        let source = provider_as_source(Arc::new(round));
        let outer = self.ctes.remove(&id);
        let free = outer.as_ref().map(|definition| definition.free.clone()).unwrap_or_default();
        let meaning = Meaning::WorkTable { source, domain: domain.clone() };
        self.ctes.insert(id, Definition { free, meaning });
        let step = self.query(step, base);
        match outer {
            Some(outer) => self.ctes.insert(id, outer),
            None => self.ctes.remove(&id),
        };
        let step = self.round(step?, &domain, &results, columns)?;
        let query = RecursiveQuery::try_new(name, Arc::new(seed), Arc::new(step), !all).map_err(from_datafusion)?;
        let plan = LogicalPlan::RecursiveQuery(query);
        match base {
            None => Ok(Output { plan, columns: results, domain: Vec::new() }),
            Some(base) => {
                let named = domain.iter().zip(&base.domain).map(|(from, to)| (from.binding.expr(), &to.binding));
                let exprs = named.chain(results.iter().map(|result| (result.expr(), result))).collect();
                Ok(Output { plan: project(plan, exprs)?, columns: results, domain: base.domain.clone() })
            }
        }
    }

    fn round(
        &mut self,
        output: Output,
        domain: &[DomainColumn],
        results: &[Binding],
        columns: &[OutputColumn],
    ) -> Result<LogicalPlan> {
        let carried = output.domain.iter().zip(domain).map(|(from, to)| (from.binding.expr(), &to.binding));
        let mut exprs: Vec<_> = carried.collect();
        for ((from, to), column) in output.columns.iter().zip(results).zip(columns) {
            let value = Value::new(from.expr(), column.ty, from.data_type.clone());
            exprs.push((value.into_representation(&to.data_type)?.expr, to));
        }
        project(output.plan, exprs)
    }

    fn work_table(
        &mut self,
        rel: RelId,
        source: Arc<dyn TableSource>,
        domain: Vec<DomainColumn>,
        base: Option<&Relation>,
    ) -> Result<Relation> {
        let (plan, columns) = self.scan("work", source)?;
        let (outer, own) = columns.split_at(domain.len().min(columns.len()));
        // Its rows are of no other values of the domain than the base has.
        if let Some(base) = base.filter(|base| base.rels.is_empty() && base.domain.len() == outer.len()) {
            let named = base.domain.iter().zip(outer);
            let domain =
                named.map(|(column, binding)| DomainColumn { binding: binding.clone(), ..column.clone() }).collect();
            return Ok(Relation { plan, rels: HashMap::from([(rel, own.to_vec())]), domain });
        }
        let Some(base) = base.filter(|_| !domain.is_empty()) else {
            let mut relation = Relation::new(plan);
            relation.rels = HashMap::from([(rel, own.to_vec())]);
            return Ok(relation);
        };
        let pairs = base.domain.iter().zip(outer).map(|(left, right)| (left.binding.expr(), right.expr())).collect();
        let plan = join_not_distinct(base.plan.clone(), plan, JoinType::Inner, pairs, None)?;
        Ok(Relation { plan, rels: HashMap::from([(rel, own.to_vec())]), domain: base.domain.clone() })
    }
}

/// Does the plan read the rows of the round before of a recursion that goes on around it?
fn reads_round(plan: &LogicalPlan) -> Result<bool> {
    let mut reads = false;
    let mut inner: Vec<String> = Vec::new();
    let visited = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::RecursiveQuery(query) = node {
            inner.push(query.name.clone());
        }
        if let LogicalPlan::TableScan(scan) = node
            && let Ok(provider) = source_as_provider(&scan.source)
            && let Some(round) = (provider.as_ref() as &dyn std::any::Any).downcast_ref::<RoundTable>()
        {
            reads |= !inner.iter().any(|name| name == round.name());
        }
        Ok(TreeNodeRecursion::Continue)
    });
    visited.map_err(from_datafusion)?;
    Ok(reads)
}

/// The plan with nulls allowed in its columns.
fn made_nullable(plan: LogicalPlan) -> Result<LogicalPlan> {
    let columns: Vec<(Column, DataType, bool)> = plan
        .schema()
        .iter()
        .map(|(qualifier, field)| {
            let column = Column::new(qualifier.cloned(), field.name());
            (column, field.data_type().clone(), field.is_nullable())
        })
        .collect();
    if columns.iter().all(|(_, _, nullable)| *nullable) {
        return Ok(plan);
    }
    let exprs = columns.into_iter().map(|(column, data_type, is_nullable)| {
        let expr = Expr::Column(column.clone());
        let expr = match is_nullable {
            true => expr,
            false => {
                let same = ScalarOperator::new("nullable", data_type.to_string(), data_type.clone(), |args, rows| {
                    let arrays = arrays(args, rows)?;
                    let array = arrays.first().ok_or_else(|| Error::internal("no value"))?;
                    Ok(ColumnarValue::Array(array.clone()))
                });
                same.pinned().call(vec![expr])
            }
        };
        (expr, Binding { column, data_type })
    });
    let exprs: Vec<(Expr, Binding)> = exprs.collect();
    project(plan, exprs.iter().map(|(expr, binding)| (expr.clone(), binding)).collect())
}

/// The type with nulls allowed in every part: the seed may have constants where the step has not.
fn nullable(data_type: &DataType) -> DataType {
    let field = |field: &Field| field.clone().with_data_type(nullable(field.data_type())).with_nullable(true);
    match data_type {
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|part| field(part)).collect()),
        DataType::List(item) => DataType::List(field(item).into()),
        other => other.clone(),
    }
}
