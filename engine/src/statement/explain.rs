//! EXPLAIN (PostgreSQL manual, "EXPLAIN"): the plan as DataFusion has it, one line a row, or one document.

use std::sync::Arc;
use std::time::Instant;

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

fn options(given: &[(String, Option<String>)]) -> Result<(ExplainOptions, Format)> {
    let mut options = ExplainOptions::default();
    let mut format = Format::default();
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
            "costs" | "buffers" | "timing" | "summary" | "settings" | "wal" => drop(flag()?),
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
    Ok((options, format))
}

pub async fn run(
    session: &mut Session,
    given: &[(String, Option<String>)],
    statement: &ParsedStatement,
    sql: &str,
    context: &StatementContext,
) -> Result<Outcome> {
    let (options, format) = options(given)?;
    if let Statement::Utility(_) = &statement.statement {
        return Err(Error::unsupported("EXPLAIN of this statement"));
    }
    let (types, values) = std::mem::take(&mut session.utility_parameters);
    let plan = Plan::new(crate::bind::bind(&statement.statement, sql, &types, context)?, context)?;
    if !session.superuser {
        plan.check_privileges(context)?;
    }
    if plan.calls {
        return Err(Error::unsupported("EXPLAIN of calls of functions with several statements"));
    }
    session.lock_relations(plan.needs.iter(), false, context).await?;
    let is_change = !matches!(plan.tree.statement, tree::Statement::Query(_));
    if options.analyze && is_change {
        session.writable("EXPLAIN")?;
    }
    let runtime = Arc::clone(&session.shared.executor);
    let open = session.transaction.as_mut().ok_or_else(|| Error::internal("EXPLAIN outside a transaction"))?;
    let mut execution = execute::Execution::new(&runtime, Arc::new(context.clone()), &mut open.tables, &values);
    let start = Instant::now();
    let explained = execute::explain(&plan.tree.statement, options, &mut execution).await?;
    let milliseconds = start.elapsed().as_secs_f64() * 1e3;
    let lines = match explained {
        Explained::Text(mut lines) => {
            if options.analyze {
                lines.push(format!("Execution Time: {milliseconds:.3} ms"));
            }
            lines
        }
        Explained::Document(plan) => {
            let mut document = serde_json::Map::from_iter([("Plan".to_owned(), plan)]);
            if options.analyze {
                document.insert("Execution Time".to_owned(), serde_json::json!(milliseconds));
            }
            vec![match format {
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

pub fn columns(given: &[(String, Option<String>)]) -> Vec<OutputColumn> {
    let column = text_column("QUERY PLAN");
    match options(given) {
        Ok((_, Format::Json)) => vec![OutputColumn { ty: Type::of(oid::JSON), ..column }],
        _ => vec![column],
    }
}
