//! Functions in FROM (PostgreSQL's transformRangeFunction): ROWS FROM, WITH ORDINALITY, column definition lists.

use aegis_catalog::types::oid;
use aegis_catalog::{Error, Result, Type, sqlstate};

use super::from::{alias_of, column_expr, rename_columns};
use super::function::set_call_of;
use super::output_name::output_name;
use super::scope::{Clause, Item, ItemColumn, WholeRow};
use super::tree::{Alias, Expr, ExprKind, From, OutputColumn, Query, SetCall};
use super::{Binder, RelSource, walk};
use crate::functions::Body;
use crate::parse::ast::{self, TableAlias, TableFunction, TableFunctionCall};

impl Binder<'_> {
    pub(super) fn function_scan(&mut self, table: &TableFunction) -> Result<(From, Vec<Item>)> {
        let functions: Vec<TableFunctionCall> = table.functions.iter().flat_map(split_unnest).collect();
        let mut calls = Vec::with_capacity(functions.len());
        for function in &functions {
            let call = self.lateral(true, |binder| {
                binder.in_clause(Clause::FromFunction, |binder| binder.table_function_call(function))
            })?;
            match call {
                Some(call) => calls.push(call),
                None => return self.scalar_scan(table, function),
            }
        }
        if let [call] = calls.as_slice()
            && let Body::Query(make) = call.function.body
        {
            return self.query_scan(table, call, make);
        }
        let mut columns: Vec<OutputColumn> = calls.iter().flat_map(|call| call.columns.iter().cloned()).collect();
        let shown = match (&table.alias, table.functions.first()) {
            (Some(alias), _) => alias.name.name.clone(),
            (None, Some(function)) => output_name(&function.call),
            (None, None) => return Err(Error::internal("ROWS FROM without functions")),
        };
        // The column of a function that returns one scalar takes the alias as its name.
        let given = functions.iter().any(|function| !function.column_definitions.is_empty());
        let is_row = |call: &SetCall| {
            let row = call.function.returns;
            self.context.catalog.relation_of_type(row).is_some()
                && call.columns.iter().all(|column| column.ty.oid != row)
        };
        let scalar = matches!(calls.as_slice(), [only] if is_scalar(only) && !is_row(only)) && !given;
        // One whose only column has a name of its own is its value as a whole row too.
        let valued = |call: &SetCall| {
            matches!(call.columns.as_slice(), [column] if column.ty.oid == call.function.returns) && !is_row(call)
        };
        let whole = scalar || matches!(calls.as_slice(), [only] if valued(only)) && !given;
        if scalar && let Some(column) = columns.first_mut() {
            column.name.clone_from(&shown);
        }
        if table.ordinality {
            let ty = Type::of(oid::INT8);
            columns.push(OutputColumn { name: "ordinality".into(), ty, origin: None });
        }
        let rel = self.new_rel(RelSource::Output(columns.clone()));
        let item_columns = columns.iter().enumerate().map(|(position, column)| ItemColumn {
            name: column.name.clone(),
            expr: column_expr(rel, position, column.ty),
        });
        let mut item = Item::new(Some(shown.clone()), item_columns.collect());
        rename_columns(&mut item.columns, &shown, table.alias.as_ref())?;
        if whole && !table.ordinality {
            item.whole_row = WholeRow::Scalar;
        }
        let columns = item.columns.iter().map(|column| column.name.clone()).collect();
        let alias = Alias { name: shown, columns };
        let depth = self.levels.len();
        let mut lateral = table.lateral;
        for arg in calls.iter().flat_map(|call| &call.args) {
            walk::columns(&mut arg.clone(), &mut |rel, _| lateral |= self.depth_of(rel) == depth);
        }
        Ok((From::Function { rel, calls, ordinality: table.ordinality, lateral, alias }, vec![item]))
    }

    /// A call that stands for a query.
    fn query_scan(
        &mut self,
        table: &TableFunction,
        call: &SetCall,
        make: fn(&[String]) -> Result<String>,
    ) -> Result<(From, Vec<Item>)> {
        let text = |arg: &Expr| match &arg.kind {
            ExprKind::Constant(value) => value.try_as_str().flatten().map(str::to_owned),
            _ => None,
        };
        let name = &call.function.name;
        let Some(arguments) = call.args.iter().map(text).collect::<Option<Vec<_>>>() else {
            return Err(Error::unsupported(format!("{name} of what is no constant text")).at(table.span.start));
        };
        if table.ordinality {
            return Err(Error::unsupported(format!("{name} WITH ORDINALITY")).at(table.span.start));
        }
        let query = crate::parse::parse_query(&make(&arguments)?)?;
        let named = || ast::Ident { name: name.clone(), span: table.span };
        let alias = table.alias.clone().unwrap_or_else(|| TableAlias { name: named(), columns: Vec::new() });
        self.from_subquery(&query, false, Some(&alias), table.span)
    }

    /// The call with its result columns; None if the expression is no function call after all (`FROM current_date`, casts).
    fn table_function_call(&mut self, function: &TableFunctionCall) -> Result<Option<SetCall>> {
        let ast::ExprKind::Call(call) = &function.call.kind else { return Ok(None) };
        let span = function.call.span;
        let Some(resolved) = self.from_call(call, span)? else { return Ok(None) };
        let anonymous = resolved.columns.is_empty() && resolved.ty.oid == oid::RECORD;
        let anonymous = anonymous && !matches!(resolved.function.body, Body::Query(_));
        if !function.column_definitions.is_empty() && !anonymous {
            let message = if resolved.columns.is_empty() {
                "a column definition list is only allowed for functions returning \"record\""
            } else {
                "a column definition list is redundant for a function with OUT parameters"
            };
            return Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(span.start));
        }
        if anonymous && function.column_definitions.is_empty() {
            let message = "a column definition list is required for functions returning \"record\"";
            return Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(span.start));
        }
        let composite = self.relation_of_type(resolved.ty.oid).filter(|_| resolved.columns.is_empty());
        let mut call = set_call_of(resolved);
        if let Some(relation) = composite {
            let columns = relation.live_columns();
            call.columns =
                columns.map(|column| OutputColumn { name: column.name.clone(), ty: column.ty, origin: None }).collect();
        } else if anonymous {
            call.columns = function
                .column_definitions
                .iter()
                .map(|(name, ty)| {
                    Ok(OutputColumn { name: name.name.clone(), ty: self.type_of_name(ty)?, origin: None })
                })
                .collect::<Result<_>>()?;
        }
        Ok(Some(call))
    }

    /// An expression that is no call, as a sub-query of one row.
    fn scalar_scan(&mut self, table: &TableFunction, function: &TableFunctionCall) -> Result<(From, Vec<Item>)> {
        if table.functions.len() > 1 || table.ordinality {
            return Err(Error::unsupported("ROWS FROM with expressions that are no functions").at(table.span.start));
        }
        let expr = self.lateral(true, |binder| {
            binder.in_clause(Clause::FromFunction, |binder| {
                let expr = binder.expr(&function.call)?;
                binder.resolve_unknown(expr)
            })
        })?;
        let name = match &table.alias {
            Some(alias) => alias.name.name.clone(),
            None => output_name(&function.call),
        };
        let columns = vec![OutputColumn { name: name.clone(), ty: expr.ty, origin: None }];
        let query = Query::one_row(vec![expr], columns.clone());
        let rel = self.new_rel(RelSource::Output(columns.clone()));
        let mut item = self.output_item(rel, &columns, &name, table.alias.as_ref())?;
        item.whole_row = WholeRow::Scalar;
        let alias = match &table.alias {
            Some(alias) => alias_of(alias),
            None => Alias { name, columns: Vec::new() },
        };
        let query = Box::new(query);
        Ok((From::Subquery { rel, query, lateral: true, view: None, alias: Some(alias) }, vec![item]))
    }
}

/// `unnest(a, b)` in FROM stands for `ROWS FROM (unnest(a), unnest(b))`.
fn split_unnest(function: &TableFunctionCall) -> Vec<TableFunctionCall> {
    let ast::ExprKind::Call(call) = &function.call.kind else { return vec![function.clone()] };
    let is_unnest = match call.name.parts.as_slice() {
        [name] => name.name == "unnest",
        [schema, name] => schema.name == "pg_catalog" && name.name == "unnest",
        _ => false,
    };
    let plain = !call.variadic && !call.distinct && call.order_by.is_empty() && call.filter.is_none();
    if !is_unnest || call.args.len() < 2 || !plain || !function.column_definitions.is_empty() {
        return vec![function.clone()];
    }
    let each = call.args.iter().map(|arg| {
        let one = ast::Call { args: vec![arg.clone()], ..(**call).clone() };
        let call = ast::Expr { kind: ast::ExprKind::Call(Box::new(one)), span: function.call.span };
        TableFunctionCall { call, column_definitions: Vec::new() }
    });
    each.collect()
}

fn is_scalar(call: &SetCall) -> bool {
    // A function over `anyelement` may return a row of its argument's type, of which this is the only column.
    let row = call.function.args.first() == Some(&oid::ANYELEMENT) && call.function.returns == oid::ANYELEMENT;
    let whole = call.args.first().map(|arg| arg.ty.oid) == call.columns.first().map(|column| column.ty.oid);
    call.function.out_columns.is_empty() && call.columns.len() == 1 && (!row || whole)
}
