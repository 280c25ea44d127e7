//! COPY FROM and CREATE TABLE AS as an INSERT whose rows are handed in from outside.

use std::sync::Arc;

use aegis_catalog::object::Relation;
use aegis_catalog::{Error, Result};

use super::tree::{Cte, CteBody, CteId, Expr, ExprKind, From, Insert, OutputColumn, Query, RelId, Statement};
use crate::parse::ast;
use crate::session::context::StatementContext;

/// The source that stands for the rows handed in.
pub const GIVEN_ROWS: CteId = CteId(u32::MAX);

/// Binds an INSERT of the named columns, in that order, whose rows are given. Defaults, generated columns and checks are those of any
/// INSERT into the table.
pub fn bind_copy(table: &Arc<Relation>, columns: &[&str], context: &StatementContext) -> Result<Insert> {
    let statement = insert_statement(table, columns, context)?;
    let types = columns
        .iter()
        .map(|name| table.column_by_name(name).map(|column| column.ty.oid))
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| Error::internal("COPY of a column that is not there"))?;
    let mut binder = super::Binder::new("", context, super::parameter::Parameters::inferred(&types));
    binder.fills_views = true;
    let (bound, columns) = binder.statement(&statement)?;
    let mut bound = binder.finish(bound, columns, types);
    super::inline::statement(&mut bound.statement, context)?;
    let Statement::Insert(mut insert) = bound.statement else {
        return Err(Error::internal("an INSERT was bound to something else"));
    };
    let output: Vec<OutputColumn> = insert.source.columns.clone();
    let rel = RelId(u32::MAX);
    let targets = output
        .iter()
        .enumerate()
        .map(|(column, output)| Expr {
            kind: ExprKind::Column { rel, column },
            ty: output.ty,
            span: ast::Span::default(),
        })
        // They are as they were read: nobody has looked at the constraints of domains yet.
        .map(|given| super::verified(given, context))
        .collect();
    insert.ctes.push(Cte {
        renamed: false,
        id: GIVEN_ROWS,
        name: "given rows".to_owned(),
        columns: output.clone(),
        body: CteBody::Given,
        references: 1,
        materialized: None,
    });
    let from = From::Cte { rel, cte: GIVEN_ROWS, columns: output.clone(), alias: None };
    insert.source = Query::select(from, targets, output);
    Ok(insert)
}

/// `INSERT INTO table (columns) OVERRIDING SYSTEM VALUE VALUES ($1, $2, …)`.
fn insert_statement(table: &Relation, columns: &[&str], context: &StatementContext) -> Result<ast::Statement> {
    let ident = |name: &str| ast::Ident { name: name.to_owned(), span: ast::Span::default() };
    let schema = context.catalog.schema(table.schema).map(|schema| schema.name.clone()).unwrap_or_default();
    let parameter = |number| ast::Expr { kind: ast::ExprKind::Parameter(number), span: ast::Span::default() };
    let row = (1u32..).take(columns.len()).map(parameter).collect();
    let target = |name: &&str| ast::AssignTarget { column: ident(name), path: Vec::new() };
    Ok(ast::Statement::Insert(Box::new(ast::Insert {
        with: None,
        table: ast::Name { parts: vec![ident(&schema), ident(&table.name)], span: ast::Span::default() },
        alias: None,
        columns: columns.iter().map(target).collect(),
        overriding: Some(ast::Overriding::System),
        source: ast::InsertSource::Query(Box::new(ast::Query {
            with: None,
            body: ast::SetExpr::Values(vec![row]),
            order_by: Vec::new(),
            limit: None,
            offset: None,
            locking: Vec::new(),
            span: ast::Span::default(),
        })),
        on_conflict: None,
        returning: Vec::new(),
    })))
}
