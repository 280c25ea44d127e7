//! COPY FROM and CREATE TABLE AS as an INSERT whose rows are handed in from outside.

use std::collections::HashMap;
use std::sync::Arc;

use aegis_catalog::object::Relation;
use aegis_catalog::{Error, Result, sqlstate};

use super::tree::{Cte, CteBody, CteId, Expr, ExprKind, From, Insert, OutputColumn, Query, RelId, SetExpr, Statement};
use crate::lower::free;
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
    let mut bound = binder.finish(bound, columns, types)?;
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

/// Lets only those given rows in that the `WHERE` of COPY FROM is true for. It sees the row with its defaults.
pub fn filter_copy(insert: &mut Insert, filter: &ast::Expr, context: &StatementContext) -> Result<()> {
    const ROW: RelId = RelId(u32::MAX - 1);
    let mut filter = super::bind_expression_over(&insert.table, ROW, filter, super::Purpose::CopyWhere, None, context)?;
    let mut read = Vec::new();
    super::walk::columns(&mut filter, &mut |rel, column| read.extend((rel == ROW).then_some(column)));
    let mut attnums = Vec::with_capacity(read.len());
    for column in read {
        let column = insert.table.columns.get(column);
        let column = column.ok_or_else(|| Error::unsupported("system columns in the WHERE of COPY FROM"))?;
        if column.generated {
            let message = "generated columns are not supported in COPY FROM WHERE conditions";
            return Err(Error::new(sqlstate::INVALID_COLUMN_REFERENCE, message)
                .with_detail(format!("Column \"{}\" is a generated column.", column.name)));
        }
        attnums.push(column.attnum);
    }
    super::access::check_copy_filter(&insert.table, &attnums, &super::objects_of(&filter, &context.catalog), context)?;
    // The rows left out take numbers of sequences too, but defaults come after the filter here.
    if insert.values.iter().any(|(_, value)| free::calls_volatile(value)) {
        return Err(Error::unsupported("COPY FROM with WHERE and a default that differs from row to row"));
    }
    if super::inline::expression(&mut filter, context)? {
        return Err(Error::unsupported("COPY FROM with WHERE that calls such a function"));
    }
    let SetExpr::Select(select) = &mut insert.source.body else {
        return Err(Error::internal("given rows are not selected"));
    };
    let values: HashMap<usize, Expr> = insert
        .table
        .columns
        .iter()
        .enumerate()
        .filter_map(|(position, column)| {
            let (_, value) = insert.values.iter().find(|(attnum, _)| *attnum == column.attnum)?;
            let mut value = value.clone();
            put(&mut value, insert.source_rel, &|column| select.targets.get(column).cloned());
            Some((position, value))
        })
        .collect();
    put(&mut filter, ROW, &|column| values.get(&column).cloned());
    select.filter = Some(filter);
    Ok(())
}

/// Puts values in the place of the columns of `rel`.
fn put(expr: &mut Expr, rel: RelId, value: &dyn Fn(usize) -> Option<Expr>) {
    match expr.kind {
        ExprKind::Column { rel: of, column } if of == rel => {
            if let Some(value) = value(column) {
                *expr = value;
            }
        }
        _ => super::walk::children(expr, &mut |child| put(child, rel, value)),
    }
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
