//! Syntax tree to bound tree: PostgreSQL's name, type, operator, function, cast and parameter resolution (manual chapter 10).
//!
//! One [`Binder`] binds one statement. It keeps a stack of [`scope::Level`]s, one per query being bound; a name is looked up from the
//! innermost level outwards. The parts of the work are `impl Binder` blocks, one file per concern.

pub mod access;
mod aggregate;
mod argument;
mod arrays;
mod assign;
mod candidate;
mod coerce;
mod collation;
mod common_type;
mod conflict;
mod copy;
mod cte;
mod expr;
mod from;
mod function;
mod function_scan;
mod group;
mod group_sets;
pub mod inline;
mod insert;
mod join;
pub mod late;
mod literal;
mod locking;
mod merge;
mod modify;
mod operator;
mod output_name;
mod parameter;
mod partition;
mod plain_query;
mod polymorphic;
mod predicate;
pub mod print;
mod query;
mod reads;
pub mod routine;
mod row;
mod rules;
mod sample;
mod scope;
mod search_cycle;
mod select;
mod set_operation;
mod sort;
mod sql_value;
mod subquery;
mod target_list;
pub mod tree;
mod types;
pub mod updatable;
pub mod user_aggregate;
pub mod variables;
pub mod walk;
mod window;

#[cfg(test)]
pub(crate) mod golden;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use aegis_catalog::image::Catalog;
use aegis_catalog::name::SearchPath;
use aegis_catalog::object::{Column, Relation, View};
use aegis_catalog::types::oid;
use aegis_catalog::{Error, Oid, Result, Type, sqlstate};

use crate::functions::{self, Function};
use crate::parse::ast;
use crate::session::context::StatementContext;

pub use copy::{GIVEN_ROWS, bind_copy, filter_copy};
pub use output_name::output_name;
pub use partition::{partition_key, rename as rename_columns};
pub use reads::{named_by, objects_of, read_by};
pub use types::{is_any_family, is_polymorphic};
pub use walk::has_columns;

use coerce::Context;
use parameter::Parameters;
use scope::{Clause, Level};
use tree::{BoundStatement, CteId, Expr, OutputColumn, Query, RelId, Statement};

/// How deep expressions and queries may nest.
const MAX_DEPTH: usize = 500;

/// Binds a statement. `parameter_types` holds the types that the client gave for `$1`, `$2` …, 0 where it left them open; more
/// parameters than that get their types from their use.
pub fn bind(
    statement: &ast::Statement,
    sql: &str,
    parameter_types: &[Oid],
    context: &StatementContext,
) -> Result<BoundStatement> {
    let mut binder = Binder::new(sql, context, Parameters::inferred(parameter_types));
    let (statement, columns) = binder.statement(statement)?;
    let parameters = binder.parameters.finish()?;
    binder.finish(statement, columns, parameters)
}

/// Binds an expression over the columns of one table, as it stands in a default, a check, a generated column or an index.
///
/// `purpose` decides what is allowed and how errors name the place. `target` is the type to assign to, if any.
pub fn bind_expression_over(
    relation: &Arc<Relation>,
    rel: RelId,
    expr: &ast::Expr,
    purpose: Purpose,
    target: Option<Type>,
    context: &StatementContext,
) -> Result<Expr> {
    let mut binder = Binder::new("", context, Parameters::none());
    binder.reserve_rel(rel);
    let mut bound = binder.expression_over(relation, rel, expr, purpose, target)?;
    binder.collate_expression(&mut bound, Some((rel, relation)))?;
    Ok(bound)
}

/// Binds a check of a domain over its base type.
pub fn bind_domain_check(base: Type, expr: &ast::Expr, context: &StatementContext) -> Result<Expr> {
    let mut binder = Binder::new("", context, Parameters::none());
    binder.domain_value = Some(base);
    binder.levels.push(Level::new(Clause::Check));
    let bound = binder.expr(expr)?;
    let mut bound = binder.coerce_to_boolean(bound, "CHECK")?;
    binder.collate_expression(&mut bound, None)?;
    Ok(bound)
}

/// Puts a value in the place of `VALUE`.
pub fn replace_domain_value(check: &mut Expr, value: &Expr) {
    if check.kind == tree::ExprKind::DomainValue {
        *check = Expr { ty: check.ty, ..value.clone() };
        return;
    }
    walk::children(check, &mut |child| replace_domain_value(child, value));
}

/// A value that has been read: if its type is a domain or has parts of one, their constraints are checked.
fn verified(value: Expr, context: &StatementContext) -> Expr {
    let ty = value.ty;
    Binder::new("", context, Parameters::none()).verified(value, ty)
}

/// Binds the default of a domain over `base`.
pub fn bind_domain_default(domain: &str, base: Type, expr: &ast::Expr, context: &StatementContext) -> Result<Expr> {
    let mut binder = Binder::new("", context, Parameters::none());
    binder.levels.push(Level::new(Clause::Default));
    let bound = binder.expr(expr)?;
    let (from, span) = (bound.ty, bound.span);
    binder.coerce_to_target(bound, base, Context::Assignment, true)?.ok_or_else(|| {
        let (to, from) = (binder.type_name(base), binder.type_name(from));
        let message = format!("column \"{domain}\" is of type {to} but default expression is of type {from}");
        Error::new(sqlstate::DATATYPE_MISMATCH, message)
            .with_hint("You will need to rewrite or cast the expression.")
            .at(span.start)
    })
}

/// Binds stored text over the columns of a relation, whatever it is for.
pub fn bind_stored(relation: &Arc<Relation>, rel: RelId, text: &str, context: &StatementContext) -> Result<Expr> {
    let mut binder = Binder::new("", context, Parameters::none());
    binder.reserve_rel(rel);
    let depth = binder.levels.len() + 1;
    binder.rels.insert(rel, RelInfo { depth, source: RelSource::Table(relation.clone()) });
    let bound = binder.over_row(relation, rel, text, Clause::Check)?;
    let mut bound = binder.resolve_unknown(bound)?;
    binder.collate_expression(&mut bound, Some((rel, relation)))?;
    Ok(bound)
}

/// A column of a relation as an expression.
pub fn column_of(relation: &Relation, rel: RelId, attnum: i16) -> Option<Expr> {
    let column = relation.columns.iter().position(|column| column.attnum == attnum && !column.dropped)?;
    let ty = relation.columns.get(column)?.ty;
    Some(Expr { kind: tree::ExprKind::Column { rel, column }, ty, span: ast::Span::default() })
}

/// Generated columns and checks of a relation, over its new row `rel`.
pub fn rules_of(relation: &Arc<Relation>, rel: RelId, context: &StatementContext) -> Result<tree::RowRules> {
    let mut binder = Binder::new("", context, Parameters::none());
    binder.reserve_rel(rel);
    let depth = binder.levels.len() + 1;
    binder.rels.insert(rel, RelInfo { depth, source: RelSource::Table(relation.clone()) });
    let mut rules = binder.row_rules(relation, rel)?;
    let generated = rules.generated.iter_mut().map(|(_, expr)| expr);
    for expr in generated.chain(rules.checks.iter_mut().map(|(_, expr)| expr)) {
        binder.collate_expression(expr, Some((rel, relation)))?;
    }
    Ok(rules)
}

/// What a column holds if nothing is said.
pub fn default_of(relation: &Relation, column: &Column, context: &StatementContext) -> Result<Expr> {
    Binder::new("", context, Parameters::none()).default_of(relation, column)
}

/// A value as assigned to a column.
pub fn assigned(value: Expr, column: &Column, context: &StatementContext) -> Result<Expr> {
    Binder::new("", context, Parameters::none()).assign(value, column)
}

/// Can a foreign key of type `from` refer to a key of type `to`? If their index compares the two, or `from` becomes `to` by itself.
pub fn refers(from: Type, to: Type, context: &StatementContext) -> bool {
    const FAMILIES: [&[Oid]; 4] = [
        &[oid::INT2, oid::INT4, oid::INT8],
        &[oid::FLOAT4, oid::FLOAT8],
        &[oid::DATE, oid::TIMESTAMP, oid::TIMESTAMPTZ],
        &[oid::TEXT, oid::VARCHAR, oid::NAME],
    ];
    let together = FAMILIES.iter().any(|family| family.contains(&from.oid) && family.contains(&to.oid));
    let binder = Binder::new("", context, Parameters::none());
    together || binder.can_coerce(&[from.oid], &[to.oid], coerce::Context::Implicit)
}

/// Has the type an order?
pub fn is_ordered(ty: Type, context: &StatementContext) -> bool {
    Binder::new("", context, Parameters::none()).ordering(ty.oid, ast::Span::default()).is_ok()
}

/// A call of a procedure.
pub struct BoundCall {
    pub function: Arc<Function>,
    /// Its input arguments.
    pub inputs: Vec<Expr>,
    /// The last of them is written with VARIADIC.
    pub variadic: bool,
}

/// Binds CALL, whose parameters are of these types.
pub fn bind_call(
    call: &ast::Call,
    span: ast::Span,
    parameters: &[Oid],
    context: &StatementContext,
) -> Result<BoundCall> {
    let mut binder = Binder::new("", context, Parameters::fixed(parameters));
    binder.levels.push(Level::new(Clause::Call));
    binder.procedure_call(call, span)
}

/// Binds CALL, and finds the types of the parameters that are declared as 0 or not at all.
pub fn infer_call(
    call: &ast::Call,
    span: ast::Span,
    declared: &[Oid],
    context: &StatementContext,
) -> Result<(BoundCall, Vec<Oid>)> {
    let mut binder = Binder::new("", context, Parameters::inferred(declared));
    binder.levels.push(Level::new(Clause::Call));
    let bound = binder.procedure_call(call, span)?;
    Ok((bound, binder.parameters.finish()?))
}

/// As [`bind_call`], in the body of a routine.
pub fn bind_call_within(
    call: &ast::Call,
    span: ast::Span,
    routine: &aegis_catalog::object::Routine,
    arguments: &[Oid],
    context: &StatementContext,
) -> Result<BoundCall> {
    let mut binder = Binder::new("", context, Parameters::fixed(arguments));
    binder.arguments = Some(Arc::new(routine::ArgumentNames::of(routine)));
    binder.levels.push(Level::new(Clause::Call));
    binder.procedure_call(call, span)
}

/// Binds the query of a view.
pub fn bind_view(view: &View, context: &StatementContext) -> Result<Query> {
    let parsed = crate::parse::parse_query(&view.query)?;
    let mut binder = Binder::new(&view.query, context, Parameters::none());
    binder.search_path = binder.path_of(view);
    let mut query = binder.query(&parsed, true)?;
    if binder.collated {
        collation::of_query(&mut query, &view.query, &binder.catalog)?;
    }
    Ok(query)
}

/// The columns of `rel` that an expression reads, by position, each once, in the order in which it names them.
pub fn columns_of(expr: &Expr, rel: RelId) -> Vec<usize> {
    let mut found = Vec::new();
    walk::columns(&mut expr.clone(), &mut |other, column| {
        if other == rel && !found.contains(&column) {
            found.push(column);
        }
    });
    found
}

/// Binds a value in the bound of a partition, for a key of that type.
pub fn bind_bound(expr: &ast::Expr, target: Type, context: &StatementContext) -> Result<Expr> {
    scalar(expr, Some(target), Clause::PartitionBound, context).map_err(|error| match error.code() {
        sqlstate::UNDEFINED_COLUMN | sqlstate::UNDEFINED_TABLE => {
            let message = "cannot use column reference in partition bound expression";
            Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message).at(expr.span.start)
        }
        _ => error,
    })
}

/// Binds an expression without columns, such as an argument of EXECUTE, and casts it for assignment to `target`.
pub fn bind_scalar(expr: &ast::Expr, target: Option<Type>, context: &StatementContext) -> Result<Expr> {
    scalar(expr, target, Clause::Execute, context)
}

fn scalar(expr: &ast::Expr, target: Option<Type>, clause: Clause, context: &StatementContext) -> Result<Expr> {
    let mut binder = Binder::new("", context, Parameters::none());
    binder.levels.push(Level::new(clause));
    let bound = binder.expr(expr)?;
    match target {
        // Only a call tells what it is.
        Some(ty) if is_polymorphic(ty.oid) => Ok(bound),
        Some(ty) => {
            let shown = bound.ty;
            let span = bound.span;
            binder.coerce_to_target(bound, ty, Context::Assignment, false)?.ok_or_else(|| {
                let (from, to) = (binder.type_name(shown), binder.type_name(ty));
                Error::new(
                    sqlstate::DATATYPE_MISMATCH,
                    format!("expression of type {from} cannot be coerced to expected type {to}"),
                )
                .with_hint("You will need to rewrite or cast the expression.")
                .at(span.start)
            })
        }
        None => binder.resolve_unknown(bound),
    }
}

/// The type that a type name means.
pub fn resolve_type(name: &ast::TypeName, context: &StatementContext) -> Result<Type> {
    Binder::new("", context, Parameters::none()).type_of_name(name)
}

/// The collation of that name. 3F000, 42704 if there is none.
pub fn resolve_collation_name(name: &ast::Name, context: &StatementContext) -> Result<Oid> {
    let (schema, bare) = match name.parts.as_slice() {
        [.., schema, bare] => (Some(schema.name.as_str()), bare.name.as_str()),
        [bare] => (None, bare.name.as_str()),
        [] => (None, ""),
    };
    if let Some(schema) = schema.filter(|schema| context.catalog.resolve_schema(schema, &context.search_path).is_none())
    {
        let message = format!("schema \"{schema}\" does not exist");
        return Err(Error::new(sqlstate::INVALID_SCHEMA_NAME, message));
    }
    context.catalog.collation_named(schema, bare, &context.search_path).ok_or_else(|| {
        let written: Vec<&str> = name.parts.iter().map(|part| part.name.as_str()).collect();
        let message = format!("collation \"{}\" for encoding \"UTF8\" does not exist", written.join("."));
        Error::new(sqlstate::UNDEFINED_OBJECT, message)
    })
}

/// The collation that COLLATE names for a column of that type. 42804 if the type has none.
pub fn resolve_collation(name: &ast::Name, ty: Type, context: &StatementContext) -> Result<Oid> {
    let binder = Binder::new("", context, Parameters::none());
    if !binder.is_collatable(ty.oid) {
        let message = format!("collations are not supported by type {}", binder.oid_name(ty.oid));
        return Err(Error::new(sqlstate::DATATYPE_MISMATCH, message).at(name.span.start));
    }
    binder.collation_named(name).map_err(|error| error.at(name.span.start))
}

/// The expressions of a SELECT's output; none for other statements.
pub fn targets_of(bound: &BoundStatement) -> &[Expr] {
    match &bound.statement {
        Statement::Query(Query { body: tree::SetExpr::Select(select), .. }) => &select.targets,
        _ => &[],
    }
}

/// The collation of an output column. 42P22, with the message that `undetermined` makes, if there is none.
pub fn collation_of(
    bound: &BoundStatement,
    position: usize,
    column: &OutputColumn,
    context: &StatementContext,
    undetermined: impl Fn() -> String,
) -> Result<Oid> {
    let own = context.catalog.type_entry(column.ty.oid).map_or(0, |entry| entry.collation);
    match bound.collations.get(position) {
        Some(0) if own != 0 => Err(Error::new(sqlstate::INDETERMINATE_COLLATION, undetermined())
            .with_hint("Use the COLLATE clause to set the collation explicitly.")),
        Some(&collation) => Ok(collation),
        None => {
            let origin =
                column.origin.and_then(|(relation, attnum)| context.catalog.relation(relation)?.column(attnum));
            let inherited = origin.filter(|origin| origin.ty.oid == column.ty.oid).map(|origin| origin.collation);
            Ok(inherited.unwrap_or(own))
        }
    }
}

/// True if some `=` compares the two types.
pub fn comparable(left: Type, right: Type, context: &StatementContext) -> bool {
    let equal = operator::operator("=", ast::Span::default());
    Binder::new("", context, Parameters::none()).binary_operator(&equal, left.oid, right.oid).is_ok()
}

/// What an expression outside a query is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Default,
    Check,
    Generated,
    IndexExpression,
    IndexPredicate,
    PartitionKey,
    /// `USING` of ALTER COLUMN … TYPE.
    AlterType,
    /// `WHERE` of COPY … FROM.
    CopyWhere,
}

/// A relation's columns as the statement sees them.
struct RelInfo {
    /// Depth of the level that made it, for telling outer references from own ones.
    depth: usize,
    source: RelSource,
}

enum RelSource {
    Table(Arc<Relation>),
    /// Output of a sub-query, CTE or function.
    Output(Vec<OutputColumn>),
    /// Whether a side of an outer join is there.
    Presence,
    /// Grouping, windows, set-returning functions: in `Binder::shapes` if records at all.
    Internal,
}

struct Binder<'a> {
    /// Text of the statement, to find where an infix operator stands.
    sql: &'a str,
    context: &'a StatementContext,
    catalog: Arc<Catalog>,
    search_path: SearchPath,
    levels: Vec<Level>,
    parameters: Parameters,
    relations: BTreeSet<Oid>,
    /// Relations that constants name.
    named: BTreeSet<Oid>,
    rels: HashMap<RelId, RelInfo>,
    /// Fields of anonymous records, by the column that holds them.
    shapes: HashMap<(RelId, usize), Arc<[(String, Type)]>>,
    /// Of the relations of kind [`RelSource::Presence`], those that are read.
    asked_presence: BTreeSet<RelId>,
    next_rel: u32,
    /// References counted per CTE.
    cte_references: Vec<usize>,
    /// Number of the first CTE.
    cte_base: u32,
    /// Routines that users made and that the statement calls.
    routines: BTreeSet<Oid>,
    /// A collation is named, or some column has one that is not that of its type.
    collated: bool,
    /// Rows are put into materialized views.
    fills_views: bool,
    /// What is bound is a CALL.
    in_call: bool,
    /// Names of the arguments, in the body of a function.
    arguments: Option<Arc<routine::ArgumentNames>>,
    /// Variables of a procedural language.
    variables: Option<variables::Named<'a>>,
    depth: usize,
    /// Views being expanded, outermost first: for recursion checks.
    views: Vec<Oid>,
    /// Base type of the domain whose check is bound.
    domain_value: Option<Type>,
}

impl<'a> Binder<'a> {
    fn new(sql: &'a str, context: &'a StatementContext, parameters: Parameters) -> Self {
        Self {
            sql,
            context,
            catalog: context.catalog.clone(),
            search_path: context.search_path.clone(),
            levels: Vec::new(),
            parameters,
            relations: BTreeSet::new(),
            named: BTreeSet::new(),
            rels: HashMap::new(),
            shapes: HashMap::new(),
            asked_presence: BTreeSet::new(),
            next_rel: 0,
            cte_references: Vec::new(),
            cte_base: 0,
            routines: BTreeSet::new(),
            collated: false,
            fills_views: false,
            in_call: false,
            arguments: None,
            variables: None,
            depth: 0,
            views: Vec::new(),
            domain_value: None,
        }
    }

    fn statement(&mut self, statement: &ast::Statement) -> Result<(Statement, Option<Vec<OutputColumn>>)> {
        match statement {
            ast::Statement::Query(query) => {
                let query = self.query(query, true)?;
                let columns = Some(query.columns.clone());
                Ok((Statement::Query(query), columns))
            }
            ast::Statement::Insert(insert) => {
                let insert = self.insert(insert)?;
                let columns = insert.returning.as_ref().map(|returning| returning.columns.clone());
                Ok((Statement::Insert(insert), columns))
            }
            ast::Statement::Update(update) => {
                let update = self.update(update)?;
                let columns = update.returning.as_ref().map(|returning| returning.columns.clone());
                Ok((Statement::Update(update), columns))
            }
            ast::Statement::Delete(delete) => {
                let delete = self.delete(delete)?;
                let columns = delete.returning.as_ref().map(|returning| returning.columns.clone());
                Ok((Statement::Delete(delete), columns))
            }
            ast::Statement::Merge(merge) => Ok((Statement::Merge(self.merge(merge)?), None)),
            ast::Statement::Utility(_) => Err(Error::internal("utility statements are not bound")),
        }
    }

    /// Runs `work` one nesting step deeper; 54001 when the statement nests too deep.
    fn nested<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= MAX_DEPTH {
            return Err(Error::new(sqlstate::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded")
                .with_hint("The statement nests too deep; simplify it."));
        }
        self.depth += 1;
        let result = crate::stack::with_room(|| work(self));
        self.depth -= 1;
        result
    }

    /// Where the word after an expression stands: infix operators without a place of their own (IN, LIKE, COLLATE, `::`).
    fn after(&self, operand: &ast::Expr) -> ast::Span {
        let end = operand.span.end as usize;
        let rest = self.sql.get(end..).unwrap_or_default();
        // Parentheses around the operand are not part of it.
        let skipped = rest.len() - rest.trim_start_matches(|c: char| c.is_whitespace() || c == ')').len();
        if rest.is_empty() || skipped == rest.len() {
            return operand.span;
        }
        let start = u32::try_from(end + skipped).unwrap_or(operand.span.start);
        ast::Span { start, end: start }
    }

    /// Where the string of a literal with a type in front begins.
    fn quote_after(&self, start: u32, whole: ast::Span) -> ast::Span {
        let text = self.sql.get(start as usize..whole.end as usize).unwrap_or_default();
        let quote = text.find(['\'', '$']).and_then(|offset| u32::try_from(offset).ok());
        quote.map_or(whole, |offset| ast::Span { start: start + offset, end: whole.end })
    }

    fn new_rel(&mut self, source: RelSource) -> RelId {
        let rel = RelId(self.next_rel);
        self.next_rel += 1;
        let depth = self.levels.len();
        self.rels.insert(rel, RelInfo { depth, source });
        rel
    }

    fn reserve_rel(&mut self, rel: RelId) {
        self.next_rel = self.next_rel.max(rel.0.saturating_add(1));
    }

    fn new_cte(&mut self) -> CteId {
        self.cte_references.push(0);
        CteId(self.cte_base + self.cte_references.len() as u32 - 1)
    }

    /// How often a CTE is referred to.
    fn references_of(&self, cte: CteId) -> usize {
        let position = cte.0.saturating_sub(self.cte_base) as usize;
        self.cte_references.get(position).copied().unwrap_or(0)
    }

    fn set_references(&mut self, cte: CteId, references: usize) {
        let position = cte.0.saturating_sub(self.cte_base) as usize;
        if let Some(count) = self.cte_references.get_mut(position) {
            *count = references;
        }
    }

    fn count_reference(&mut self, cte: CteId) {
        let position = cte.0.saturating_sub(self.cte_base) as usize;
        if let Some(count) = self.cte_references.get_mut(position) {
            *count += 1;
        }
    }

    /// Writes collations into an expression that stands alone.
    fn collate_expression(&self, expr: &mut Expr, table: Option<(RelId, &Arc<Relation>)>) -> Result<()> {
        match self.collated {
            true => collation::of_expression(expr, table, self.sql, &self.catalog).map(drop),
            false => Ok(()),
        }
    }

    fn finish(
        self,
        mut statement: Statement,
        columns: Option<Vec<OutputColumn>>,
        parameters: Vec<Oid>,
    ) -> Result<BoundStatement> {
        let collations = match self.collated {
            true => collation::of_statement(&mut statement, self.sql, &self.catalog)?,
            false => Vec::new(),
        };
        let read: Vec<Oid> = self.relations.iter().copied().collect();
        let relations = self.relations.union(&self.named).copied().collect();
        let routines = self.routines.into_iter().collect();
        Ok(BoundStatement { statement, parameters, columns, relations, read, routines, collations })
    }

    /// The implementation of a function of PostgreSQL's catalog; 0A000 if there is none.
    fn function(&self, oid: Oid) -> Result<Arc<Function>> {
        if let Some(routine) = self.catalog.routine(oid) {
            return functions::of_routine(routine, self.context).map(Arc::new);
        }
        functions::registry().by_oid(oid).cloned().ok_or_else(|| {
            let what = match aegis_catalog::facts::proc(oid) {
                Some(row) => {
                    let args: Vec<_> = row.arg_types.iter().map(|&arg| self.type_name(Type::of(arg))).collect();
                    format!("function {}({})", row.name, args.join(", "))
                }
                None => format!("function with OID {oid}"),
            };
            Error::unsupported(what)
        })
    }
}
