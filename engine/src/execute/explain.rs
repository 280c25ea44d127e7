//! EXPLAIN: the plan as DataFusion has it, as text or as a document with the keys of PostgreSQL's.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aegis_catalog::Result;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::{ExecutionPlan, displayable};
use serde_json::{Map, Value, json};

use super::error::from_datafusion;
use super::rules::{optimize, physical_plan};
use super::statement::{Change, Execution, run_change};
use super::stream::RowStream;
use crate::bind::tree::Statement;
use crate::lower::{self, LowerContext};

/// What EXPLAIN is asked for.
#[derive(Debug, Default, Clone, Copy)]
pub struct ExplainOptions {
    /// Run it.
    pub analyze: bool,
    pub verbose: bool,
    /// As a document with PostgreSQL's keys; else as text.
    pub document: bool,
}

/// A plan to be shown.
pub enum Explained {
    Text(Vec<String>),
    Document(Value),
}

/// The plan of a statement, and how long it took to make it; with `analyze` after running it.
pub async fn explain(
    statement: &Statement,
    options: ExplainOptions,
    execution: &mut Execution<'_>,
) -> Result<(Explained, Duration)> {
    let query = match statement {
        Statement::Query(query) => query,
        change => return explain_change(Change::of(change)?, options, execution).await,
    };
    let start = Instant::now();
    let lowered = {
        let tables = execution.tables();
        lower::lower_query(query, execution.parameters, &LowerContext::new(execution.context.clone(), &tables))?
    };
    let state = execution.runtime.state(execution.options);
    let physical = physical_plan(&lowered.plan, &state).await.map_err(from_datafusion)?;
    let planning = start.elapsed();
    let mut text = String::new();
    if options.verbose && !options.document {
        let optimized = optimize(&lowered.plan, &state).map_err(from_datafusion)?;
        text.push_str(&format!("{}\n", optimized.display_indent()));
    }
    if options.analyze {
        let cancel = execution.context.cancel.clone();
        RowStream::start_physical(execution.runtime, physical.clone(), execution.options, cancel)?.collect().await?;
    }
    if options.document {
        return Ok((Explained::Document(node(&physical, options.analyze)), planning));
    }
    let shown = match options.analyze {
        true => DisplayableExecutionPlan::with_metrics(physical.as_ref()).indent(options.verbose).to_string(),
        false => displayable(physical.as_ref()).indent(options.verbose).to_string(),
    };
    text.push_str(&shown);
    Ok((Explained::Text(text.lines().map(str::to_owned).collect()), planning))
}

/// What a change does, and below it the plan of the rows that it does that to.
async fn explain_change(
    change: Change<'_>,
    options: ExplainOptions,
    execution: &mut Execution<'_>,
) -> Result<(Explained, Duration)> {
    let start = Instant::now();
    let (lowered, _) =
        execution.lower(change.ctes(), change.part(), |context, parameters| change.lower(parameters, context))?;
    let state = execution.runtime.state(execution.options);
    let physical = physical_plan(&lowered.plan, &state).await.map_err(from_datafusion)?;
    let planning = start.elapsed();
    let (verb, table) = change.verb_and_table();
    let (verb, name) = (verb.to_owned(), table.name.clone());
    let rows = match options.analyze {
        true => Some(run_change(change, None, execution).await?.count),
        false => None,
    };
    if options.document {
        let mut shown = Map::new();
        shown.insert("Node Type".into(), json!("ModifyTable"));
        shown.insert("Operation".into(), json!(verb));
        shown.insert("Relation Name".into(), json!(name));
        if let Some(rows) = rows {
            shown.insert("Actual Rows".into(), json!(rows));
        }
        shown.insert("Plans".into(), json!([node(&physical, false)]));
        return Ok((Explained::Document(Value::Object(shown)), planning));
    }
    let mut head = format!("{verb} on {name}");
    if let Some(rows) = rows {
        head.push_str(&format!(" (actual rows={rows})"));
    }
    let plan = displayable(physical.as_ref()).indent(options.verbose).to_string();
    let lines = std::iter::once(head).chain(plan.lines().map(|line| format!("  {line}")));
    Ok((Explained::Text(lines.collect()), planning))
}

/// An operator with those that it reads from. `Detail` is what the text says of it.
fn node(plan: &Arc<dyn ExecutionPlan>, analyzed: bool) -> Value {
    let mut shown = Map::new();
    shown.insert("Node Type".into(), json!(plan.name()));
    shown.insert("Detail".into(), json!(displayable(plan.as_ref()).one_line().to_string().trim_end()));
    if let Some(metrics) = plan.metrics().filter(|_| analyzed) {
        if let Some(rows) = metrics.output_rows() {
            shown.insert("Actual Rows".into(), json!(rows));
        }
        if let Some(nanoseconds) = metrics.elapsed_compute() {
            shown.insert("Actual Total Time".into(), json!(nanoseconds as f64 / 1e6));
        }
    }
    let inputs: Vec<Value> = plan.children().into_iter().map(|input| node(input, analyzed)).collect();
    if !inputs.is_empty() {
        shown.insert("Plans".into(), Value::Array(inputs));
    }
    Value::Object(shown)
}
