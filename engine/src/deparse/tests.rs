//! `postgresql.tsv`: queries over the tables of the binder's golden files, each with what PostgreSQL 15 prints of a view of it
//! (`pg_get_viewdef`, plain and pretty; line breaks as `\\n`).

use aegis_catalog::definition::Printer;
use aegis_catalog::name::SearchPath;

use super::{Layout, Target, query};
use crate::bind;
use crate::bind::tree::{OutputColumn, Query, Statement};
use crate::parse::ast;
use crate::session::context::StatementContext;

fn bound(sql: &str, context: &StatementContext) -> Result<(Query, Vec<OutputColumn>), String> {
    let parsed = crate::parse::parse_query(sql).map_err(|error| error.to_string())?;
    let parsed = ast::Statement::Query(Box::new(parsed));
    let bound = bind::bind(&parsed, sql, &[], context).map_err(|error| error.to_string())?;
    match bound.statement {
        Statement::Query(query) => Ok((query, bound.columns.unwrap_or_default())),
        _ => Err("not a query".into()),
    }
}

fn text(
    bound: &Query,
    columns: &[OutputColumn],
    layout: Layout,
    path: &SearchPath,
    context: &StatementContext,
) -> String {
    let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    let printer = Printer { catalog: &context.catalog, search_path: path };
    query(bound, &names, Target { printer, format: &context.format, layout }).unwrap_or_else(|error| error.to_string())
}

#[test]
fn queries_are_written_as_postgresql_writes_them() {
    let context = bind::golden::context();
    let mut failed = Vec::new();
    for line in include_str!("postgresql.tsv").lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [sql, plain, pretty] = fields.as_slice() else { panic!("three fields: {line}") };
        let (query, columns) = match bound(sql, &context) {
            Ok(bound) => bound,
            Err(error) => {
                failed.push(format!("{sql}\n  {error}"));
                continue;
            }
        };
        for (layout, expected) in [(Layout::PLAIN, plain), (Layout::PRETTY, pretty)] {
            let got = text(&query, &columns, layout, &context.search_path, &context) + ";";
            let expected = expected.replace("\\n", "\n");
            if got != expected {
                failed.push(format!("{sql}\n--- PostgreSQL\n{expected}\n--- here\n{got}"));
            }
        }
    }
    assert!(failed.is_empty(), "{} differ\n{}", failed.len(), failed.join("\n\n"));
}

/// What is stored binds to what it was made from, under any search path.
#[test]
fn stored_text_is_a_fixed_point() {
    let context = bind::golden::context();
    let nowhere = SearchPath::resolve(&context.catalog, &[], "postgres", None);
    let elsewhere = StatementContext { search_path: nowhere.clone(), ..context.clone() };
    let mut failed = Vec::new();
    for line in include_str!("postgresql.tsv").lines() {
        let sql = line.split('\t').next().unwrap_or_default();
        let Ok((query, columns)) = bound(sql, &context) else { continue };
        let first = text(&query, &columns, Layout::STORED, &nowhere, &context);
        match bound(&first, &elsewhere) {
            Ok((query, again)) => {
                let second = text(&query, &again, Layout::STORED, &nowhere, &context);
                let same =
                    columns.iter().zip(&again).all(|(a, b)| (&a.name, a.ty, a.origin) == (&b.name, b.ty, b.origin));
                if first != second || !same || columns.len() != again.len() {
                    failed.push(format!("{sql}\n  {first}\n  {second}"));
                }
            }
            Err(error) => failed.push(format!("{sql}\n  {first}\n  {error}")),
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
