//! What a query with GROUP BY is made of, for extensions that keep its result up to date.

use aegis_catalog::definition::quote_identifier;
use aegis_catalog::types::{format_type, text_of};
use aegis_catalog::{Error, Oid, Result, Type};
use datafusion::scalar::ScalarValue;

use crate::bind::tree::{Distinct, Expr, ExprKind, From, Query, RelId, Select, SetExpr, Statement};
use crate::bind::walk;
use crate::execute::error::from_datafusion;
use crate::lower::free;
use crate::session::context::StatementContext;

/// A query `SELECT … FROM tables and views [WHERE …] GROUP BY keys [HAVING …]`.
#[derive(Debug, Clone)]
pub struct GroupedQuery {
    /// Tables and views of FROM.
    pub relations: Vec<Oid>,
    pub keys: Vec<GroupKey>,
    /// It has the same result whenever it is computed over the same rows, whoever asks.
    pub immutable: bool,
}

/// A key that is a call of a function.
#[derive(Debug, Clone)]
pub struct GroupKey {
    /// With its schema, as SQL writes it.
    pub function: String,
    pub name: String,
    pub args: Vec<KeyArgument>,
    /// Which output column it is.
    pub output: Option<usize>,
    pub ty: Type,
}

#[derive(Debug, Clone)]
pub enum KeyArgument {
    /// A column of a table or view in FROM.
    Column {
        relation: Oid,
        attnum: i16,
    },
    /// A constant, as SQL writes it, and its type.
    Constant {
        sql: String,
        ty: Type,
    },
    Other,
}

impl GroupedQuery {
    /// Takes a query apart; an `Err` text says what else there is in it.
    pub fn of(sql: &str, context: &StatementContext) -> Result<std::result::Result<Self, &'static str>> {
        let parsed = crate::parse::ast::Statement::Query(Box::new(crate::parse::parse_query(sql)?));
        let bound = crate::bind::bind(&parsed, sql, &[], context)?;
        let Statement::Query(query) = &bound.statement else { return Ok(Err("it is no query")) };
        Ok(match obstacle(query) {
            Err(obstacle) => Err(obstacle),
            Ok(select) => Ok(taken_apart(select, query.columns.len(), context)?),
        })
    }
}

fn obstacle(query: &Query) -> std::result::Result<&Select, &'static str> {
    if !query.ctes.is_empty() {
        return Err("WITH is not supported");
    }
    if !query.order_by.is_empty() || query.limit.is_some() || query.offset.is_some() || !query.locking.is_empty() {
        return Err("ORDER BY, LIMIT, OFFSET and row locks are not supported");
    }
    let SetExpr::Select(select) = &query.body else {
        return Err("UNION, INTERSECT, EXCEPT and VALUES are not supported");
    };
    let Some(grouping) = &select.grouping else { return Err("there is no GROUP BY") };
    if grouping.sets.is_some() {
        return Err("GROUPING SETS, ROLLUP and CUBE are not supported");
    }
    if select.distinct != Distinct::None {
        return Err("DISTINCT is not supported");
    }
    if select.windows.is_some() || select.set_functions.is_some() {
        return Err("window functions and functions that return sets are not supported");
    }
    let mut has_query = false;
    expressions(select, &mut |expr| has_query |= contains_query(expr));
    if has_query || !select.from.as_ref().is_some_and(is_of_relations) {
        return Err("CTEs, subqueries and set-returning functions are not supported by continuous aggregates.");
    }
    Ok(select)
}

fn is_of_relations(from: &From) -> bool {
    match from {
        From::Table { .. } | From::Subquery { view: Some(_), .. } => true,
        From::Join { left, right, .. } => is_of_relations(left) && is_of_relations(right),
        _ => false,
    }
}

fn contains_query(expr: &mut Expr) -> bool {
    if matches!(expr.kind, ExprKind::Subquery(_)) {
        return true;
    }
    let mut found = false;
    walk::children(expr, &mut |child| found |= contains_query(child));
    found
}

/// All expressions of the query itself, without those of the views in FROM.
fn expressions(select: &Select, visit: &mut dyn FnMut(&mut Expr)) {
    fn of_joins(from: &From, visit: &mut dyn FnMut(&mut Expr)) {
        if let From::Join { left, right, condition, .. } = from {
            condition.clone().iter_mut().for_each(&mut *visit);
            of_joins(left, visit);
            of_joins(right, visit);
        }
    }
    let mut of_rows = Select { from: None, ..select.clone() };
    walk::select(&mut of_rows, visit);
    if let Some(from) = &select.from {
        of_joins(from, visit);
    }
}

fn taken_apart(select: &Select, width: usize, context: &StatementContext) -> Result<GroupedQuery> {
    let mut rels = Vec::new();
    if let Some(from) = &select.from {
        relations(from, &mut rels);
    }
    let mut keys = Vec::new();
    let Some(grouping) = &select.grouping else { return Err(Error::internal("a query without GROUP BY")) };
    for (position, key) in grouping.keys.iter().enumerate() {
        let ExprKind::Call { function, args, .. } = &key.kind else { continue };
        let is_key = |target: &Expr| matches!(&target.kind, ExprKind::Column { rel, column } if *rel == grouping.rel && *column == position);
        let output = select.targets.iter().take(width).position(is_key);
        let args = args.iter().map(|arg| argument(arg, &rels)).collect::<Result<_>>()?;
        let schema = context.catalog.schema(function.schema).map_or("", |schema| schema.name.as_str());
        let written = format!("{}.{}", quote_identifier(schema), quote_identifier(&function.name));
        keys.push(GroupKey { function: written, name: function.name.clone(), args, output, ty: key.ty });
    }
    let mut immutable = true;
    expressions(select, &mut |expr| immutable &= free::is_immutable(expr));
    Ok(GroupedQuery { relations: rels.into_iter().map(|(_, relation)| relation).collect(), keys, immutable })
}

fn relations(from: &From, found: &mut Vec<(RelId, Oid)>) {
    match from {
        From::Table { rel, relation, .. } => found.push((*rel, relation.oid)),
        From::Subquery { rel, view: Some(view), .. } => found.push((*rel, *view)),
        From::Join { left, right, .. } => {
            relations(left, found);
            relations(right, found);
        }
        _ => {}
    }
}

fn argument(arg: &Expr, rels: &[(RelId, Oid)]) -> Result<KeyArgument> {
    Ok(match &arg.kind {
        ExprKind::Column { rel, column } => match rels.iter().find(|(of, _)| of == rel) {
            Some((_, relation)) => {
                KeyArgument::Column { relation: *relation, attnum: i16::try_from(*column + 1).unwrap_or_default() }
            }
            None => KeyArgument::Other,
        },
        ExprKind::Constant(value) => KeyArgument::Constant { sql: literal(value, arg.ty)?, ty: arg.ty },
        // A literal of another type that has not been folded yet.
        ExprKind::Cast { arg: inner, .. } => match argument(inner, rels)? {
            KeyArgument::Constant { sql, .. } => {
                KeyArgument::Constant { sql: format!("({sql})::{}", format_type(arg.ty)), ty: arg.ty }
            }
            _ => KeyArgument::Other,
        },
        _ => KeyArgument::Other,
    })
}

fn literal(value: &ScalarValue, ty: Type) -> Result<String> {
    if value.is_null() {
        return Ok(format!("NULL::{}", format_type(ty)));
    }
    let array = value.to_array_of_size(1).map_err(from_datafusion)?;
    let text = text_of(ty, &array, 0, &Default::default())?;
    Ok(format!("'{}'::{}", text.replace('\'', "''"), format_type(ty)))
}
