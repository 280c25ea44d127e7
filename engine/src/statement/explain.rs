//! EXPLAIN (PostgreSQL manual, "EXPLAIN"): the plan as DataFusion has it, one line a row, or one document.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aegis_catalog::types::oid;
use aegis_catalog::{Error, Result, Type, sqlstate};

use super::{Outcome, explain_format, text_column, text_rows};
use crate::bind::tree;
use crate::execute::{self, ExplainOptions, Explained};
use crate::parse::ast::{ParsedStatement, Statement};
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::session::portal::Tag;
use crate::session::prepared::Plan;
use crate::session::protocol::OutputColumn;
use crate::settings::parse_bool;

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Format {
    #[default]
    Text,
    Json,
    Yaml,
    Xml,
}

/// What EXPLAIN is asked for.
#[derive(Debug, Default, Clone, Copy)]
struct Wanted {
    plan: ExplainOptions,
    /// How long planning and execution took.
    summary: bool,
    format: Format,
}

fn wanted(given: &[(String, Option<String>)]) -> Result<Wanted> {
    let mut options = ExplainOptions::default();
    let mut format = Format::default();
    let mut summary = None;
    for (name, value) in given {
        let flag = || {
            value
                .as_deref()
                .map_or(Some(true), parse_bool)
                .ok_or_else(|| Error::new(sqlstate::SYNTAX_ERROR, format!("{name} requires a Boolean value")))
        };
        match name.to_ascii_lowercase().as_str() {
            "analyze" => options.analyze = flag()?,
            "verbose" => options.verbose = flag()?,
            // What these would add is always or never there; the plan is the same.
            "costs" | "buffers" | "timing" | "settings" | "wal" => drop(flag()?),
            "summary" => summary = Some(flag()?),
            "format" => match value.as_deref().map(str::to_ascii_lowercase).as_deref() {
                Some("text") => format = Format::Text,
                Some("json") => format = Format::Json,
                Some("yaml") => format = Format::Yaml,
                Some("xml") => format = Format::Xml,
                other => {
                    return Err(Error::new(
                        sqlstate::INVALID_PARAMETER_VALUE,
                        format!("unrecognized value for EXPLAIN option \"format\": \"{}\"", other.unwrap_or_default()),
                    ));
                }
            },
            other => {
                return Err(Error::new(sqlstate::SYNTAX_ERROR, format!("unrecognized EXPLAIN option \"{other}\"")));
            }
        }
    }
    options.document = format != Format::Text;
    Ok(Wanted { plan: options, summary: summary.unwrap_or(options.analyze), format })
}

pub async fn run(
    session: &mut Session,
    given: &[(String, Option<String>)],
    statement: &ParsedStatement,
    sql: &str,
    context: &StatementContext,
) -> Result<Outcome> {
    let wanted = wanted(given)?;
    if let Statement::Utility(_) = &statement.statement {
        return Err(Error::unsupported("EXPLAIN of this statement"));
    }
    let (types, values) = std::mem::take(&mut session.utility_parameters);
    let mut fresh: Option<Arc<StatementContext>> = None;
    let plan = loop {
        let context = fresh.as_deref().unwrap_or(context);
        let plan = Plan::new(crate::bind::bind(&statement.statement, sql, &types, context)?, context)?;
        if !session.lock_relations(plan.needs.iter(), false, context).await? {
            break plan;
        }
        // What the names mean may have changed while we waited.
        fresh = Some(session.context()?);
    };
    let context = fresh.as_deref().unwrap_or(context);
    if !session.superuser {
        plan.check_privileges(context)?;
    }
    if plan.calls {
        return Err(Error::unsupported("EXPLAIN of calls of functions with several statements"));
    }
    let is_change = !matches!(plan.tree.statement, tree::Statement::Query(_));
    if wanted.plan.analyze && is_change {
        session.writable("EXPLAIN")?;
    }
    let runtime = Arc::clone(&session.shared.executor);
    let open = session.transaction.as_mut().ok_or_else(|| Error::internal("EXPLAIN outside a transaction"))?;
    let mut execution = execute::Execution::new(&runtime, Arc::new(context.clone()), &mut open.tables, &values);
    let start = Instant::now();
    let (explained, planning) = execute::explain(&plan.tree.statement, wanted.plan, &mut execution).await?;
    let mut times = Vec::new();
    if wanted.summary {
        times.push(("Planning Time", milliseconds(planning)));
    }
    if wanted.summary && wanted.plan.analyze {
        times.push(("Execution Time", milliseconds(start.elapsed().saturating_sub(planning))));
    }
    let lines = match explained {
        Explained::Text(mut lines) => {
            lines.extend(times.into_iter().map(|(name, time)| format!("{name}: {time:.3} ms")));
            lines
        }
        Explained::Document(plan) => {
            let mut document = serde_json::Map::from_iter([("Plan".to_owned(), plan)]);
            document.extend(times.into_iter().map(|(name, time)| (name.to_owned(), serde_json::json!(time))));
            vec![match wanted.format {
                Format::Yaml => explain_format::yaml(&document),
                Format::Xml => explain_format::xml(&document),
                Format::Text | Format::Json => {
                    serde_json::to_string_pretty(&[document]).map_err(|error| Error::internal(error.to_string()))?
                }
            }]
        }
    };
    let rows = text_rows(vec![lines.into_iter().map(Some).collect()])?;
    Ok(Outcome::Rows { rows, tag: Tag::Fixed("EXPLAIN".to_owned()) })
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

pub fn columns(given: &[(String, Option<String>)]) -> Vec<OutputColumn> {
    let column = text_column("QUERY PLAN");
    match wanted(given) {
        Ok(Wanted { format: Format::Json, .. }) => vec![OutputColumn { ty: Type::of(oid::JSON), ..column }],
        _ => vec![column],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_with_analyze_unless_summary_says_otherwise() {
        let summary = |given: &[(&str, Option<&str>)]| {
            let given: Vec<_> =
                given.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned))).collect();
            wanted(&given).unwrap().summary
        };
        assert!(!summary(&[]));
        assert!(summary(&[("analyze", None)]));
        assert!(summary(&[("summary", None)]));
        assert!(!summary(&[("summary", Some("off")), ("analyze", None)]));
    }
}
