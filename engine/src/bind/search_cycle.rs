//! SEARCH and CYCLE of WITH RECURSIVE (manual 7.8.2; PostgreSQL's rewriteSearchCycle.c): columns that the query carries along, by writing
//! it anew. `c AS (seed UNION ALL step) CYCLE a SET mark USING path` becomes
//!
//! ```sql
//! c AS (WITH RECURSIVE c (a, mark, path) AS (
//!           SELECT a, false, ARRAY[ROW(a)] FROM (seed) s UNION ALL
//!           SELECT a, CASE WHEN ROW(a) = ANY (path) THEN true ELSE false END, path || ROW(a) FROM (step, with c.mark, c.path) s
//!           WHERE mark <> true)
//!       SELECT a, mark, path FROM c)
//! ```

use aegis_catalog::{Error, Result, sqlstate};

use super::Binder;
use crate::parse::ast::{
    Cte, CycleClause, Distinct, Expr, ExprKind, Ident, Literal, Name, Operator, Query, SearchClause, Select, SetExpr,
    SetOperator, Span, Statement, TableAlias, TableExpr, Target, TypeName, With,
};

/// What the rows of seed and step are called.
const ROWS: &str = "*SELECT*";
/// How deep a row of a breadth-first search lies.
const DEPTH: &str = "*DEPTH*";

impl Binder<'_> {
    /// The CTE without these clauses.
    pub(super) fn without_clauses(&mut self, cte: &Cte, recursive: bool) -> Result<Cte> {
        let at = cte.name.span;
        let syntax = |message: &str| Error::new(sqlstate::SYNTAX_ERROR, message).at(at.start);
        let Statement::Query(query) = cte.statement.as_ref() else {
            return Err(syntax("WITH query is not recursive"));
        };
        let SetExpr::Operation { op: SetOperator::Union, all, left, right, span } = &query.body else {
            return Err(syntax("WITH query is not recursive"));
        };
        if !recursive {
            return Err(syntax("WITH query is not recursive"));
        }
        let unsupported = |message: &str| Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message).at(at.start);
        if matches!(left.as_ref(), SetExpr::Operation { .. }) {
            return Err(unsupported("with a SEARCH or CYCLE clause, the left side of the UNION must be a SELECT"));
        }
        let step = match right.as_ref() {
            SetExpr::Select(step) => step,
            SetExpr::Query(query) if query.with.is_some() => {
                return Err(unsupported("with a SEARCH or CYCLE clause, the right side of the UNION must be a SELECT"));
            }
            _ => return Err(syntax("with a SEARCH or CYCLE clause, the right side of the UNION must be a SELECT")),
        };
        let mut columns = cte.columns.clone();
        columns.extend(self.seed_columns(left)?.into_iter().skip(cte.columns.len()).map(|name| ident(&name, at)));
        check(cte, &columns)?;
        let reference = step.from.iter().find_map(|item| reference(item, &cte.name.name)).ok_or_else(|| {
            let name = &cte.name.name;
            let message = format!(
                "with a SEARCH or CYCLE clause, the recursive reference to WITH query \"{name}\" must be at the top level of its right-hand SELECT"
            );
            Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message).at(at.start)
        })?;
        let parts = Parts { search: cte.search.as_ref(), cycle: cte.cycle.as_ref(), columns, at };
        let body = SetExpr::Operation {
            op: SetOperator::Union,
            all: *all,
            left: Box::new(SetExpr::Select(Box::new(parts.seed(left)))),
            right: Box::new(SetExpr::Select(Box::new(parts.step(step, &reference)))),
            span: *span,
        };
        let inner = Cte {
            name: cte.name.clone(),
            columns: parts.carried(),
            materialized: None,
            statement: Box::new(Statement::Query(Box::new(Query { body, ..query.as_ref().clone() }))),
            search: None,
            cycle: None,
        };
        let outer = Query {
            with: Some(With { recursive: true, ctes: vec![inner] }),
            body: SetExpr::Select(Box::new(parts.outer(&cte.name))),
            order_by: Vec::new(),
            limit: None,
            offset: None,
            locking: Vec::new(),
            span: query.span,
        };
        let statement = Box::new(Statement::Query(Box::new(outer)));
        Ok(Cte { columns: Vec::new(), statement, search: None, cycle: None, ..cte.clone() })
    }

    /// Names of the seed's columns. What binding it here counts is forgotten.
    fn seed_columns(&mut self, seed: &SetExpr) -> Result<Vec<String>> {
        let counted = self.cte_references.clone();
        let bound = self.leg(seed, false);
        self.cte_references = counted;
        Ok(bound?.columns.into_iter().map(|column| column.name).collect())
    }
}

/// The name under which FROM refers to the CTE.
fn reference(item: &TableExpr, cte: &str) -> Option<Ident> {
    match item {
        TableExpr::Table { name, alias, .. } => match name.parts.as_slice() {
            [only] if only.name == cte => Some(alias.as_ref().map_or(only, |alias| &alias.name).clone()),
            _ => None,
        },
        TableExpr::Join(join) => reference(&join.left, cte).or_else(|| reference(&join.right, cte)),
        TableExpr::Subquery { .. } | TableExpr::Function(_) => None,
    }
}

/// What `transformWithClause` demands of the clauses.
fn check(cte: &Cte, columns: &[Ident]) -> Result<()> {
    let listed = |name: &Ident| columns.iter().any(|column| column.name == name.name);
    let at = |error: Error, name: &Ident| Err(error.at(name.span.start));
    let syntax = |message: String| Error::new(sqlstate::SYNTAX_ERROR, message);
    let lists = [
        ("search", cte.search.as_ref().map(|clause| &clause.columns)),
        ("cycle", cte.cycle.as_ref().map(|clause| &clause.columns)),
    ];
    for (what, list) in lists {
        for (position, name) in list.into_iter().flatten().enumerate() {
            if !listed(name) {
                return at(syntax(format!("{what} column \"{}\" not in WITH query column list", name.name)), name);
            }
            let before = list.into_iter().flatten().take(position);
            if before.into_iter().any(|other| other.name == name.name) {
                let message = format!("{what} column \"{}\" specified more than once", name.name);
                return at(Error::new(sqlstate::DUPLICATE_COLUMN, message), name);
            }
        }
    }
    let mut made: Vec<(&str, &Ident)> = Vec::new();
    made.extend(cte.search.as_ref().map(|clause| ("search sequence", &clause.sequence)));
    made.extend(cte.cycle.as_ref().map(|clause| ("cycle mark", &clause.mark)));
    made.extend(cte.cycle.as_ref().map(|clause| ("cycle path", &clause.path)));
    for (position, (what, name)) in made.iter().enumerate() {
        if listed(name) {
            let message = format!("{what} column name \"{}\" already used in WITH query column list", name.name);
            return at(syntax(message), name);
        }
        if let Some((other, _)) = made.iter().take(position).find(|(_, other)| other.name == name.name) {
            return at(syntax(format!("{other} column name and {what} column name are the same")), name);
        }
    }
    Ok(())
}

struct Parts<'a> {
    search: Option<&'a SearchClause>,
    cycle: Option<&'a CycleClause>,
    columns: Vec<Ident>,
    at: Span,
}

impl Parts<'_> {
    fn expr(&self, kind: ExprKind) -> Expr {
        Expr { kind, span: self.at }
    }

    /// A column of the rows of seed or step.
    fn column(&self, name: &str) -> Expr {
        self.expr(ExprKind::Column(name_of(&[ROWS, name], self.at)))
    }

    fn row(&self, columns: &[Ident]) -> Expr {
        let fields = columns.iter().map(|column| self.column(&column.name)).collect();
        self.expr(ExprKind::Row { fields, explicit: true })
    }

    fn binary(&self, left: Expr, op: &str, right: Expr) -> Expr {
        self.expr(ExprKind::Binary { op: self.operator(op), left: Box::new(left), right: Box::new(right) })
    }

    fn operator(&self, name: &str) -> Operator {
        Operator { schema: None, name: name.into(), span: self.at }
    }

    fn target(&self, expr: Expr, name: &str) -> Target {
        Target { expr, alias: Some(ident(name, self.at)) }
    }

    /// The column by which the search remembers its order.
    fn order_column(&self) -> Option<&str> {
        self.search.map(|search| if search.breadth_first { DEPTH } else { search.sequence.name.as_str() })
    }

    /// Columns beyond those of the query.
    fn added(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.order_column().into_iter().collect();
        names.extend(self.cycle.iter().flat_map(|cycle| [cycle.mark.name.as_str(), cycle.path.name.as_str()]));
        names
    }

    fn carried(&self) -> Vec<Ident> {
        let added = self.added();
        self.columns.iter().cloned().chain(added.into_iter().map(|name| ident(name, self.at))).collect()
    }

    fn select(&self, targets: Vec<Target>, from: SetExpr, columns: Vec<Ident>, filter: Option<Expr>) -> Select {
        let query = Query {
            with: None,
            body: from,
            order_by: Vec::new(),
            limit: None,
            offset: None,
            locking: Vec::new(),
            span: self.at,
        };
        let alias = Some(TableAlias { name: ident(ROWS, self.at), columns });
        let from = TableExpr::Subquery { query: Box::new(query), lateral: false, alias, span: self.at };
        Select {
            distinct: Distinct::None,
            targets,
            from: vec![from],
            filter,
            group_by: Vec::new(),
            group_distinct: false,
            having: None,
            windows: Vec::new(),
            span: self.at,
        }
    }

    fn given(&self) -> Vec<Target> {
        self.columns.iter().map(|column| self.target(self.column(&column.name), &column.name)).collect()
    }

    fn seed(&self, seed: &SetExpr) -> Select {
        let mut targets = self.given();
        if let Some(search) = self.search {
            let start = match search.breadth_first {
                true => self.int8(0),
                false => self.expr(ExprKind::Array(vec![self.row(&search.columns)])),
            };
            targets.push(self.target(start, self.order_column().unwrap_or(DEPTH)));
        }
        if let Some(cycle) = self.cycle {
            targets.push(self.target(cycle.default.clone(), &cycle.mark.name));
            let path = self.expr(ExprKind::Array(vec![self.row(&cycle.columns)]));
            targets.push(self.target(path, &cycle.path.name));
        }
        self.select(targets, seed.clone(), self.columns.clone(), None)
    }

    fn step(&self, step: &Select, reference: &Ident) -> Select {
        let mut step = step.clone();
        step.targets.extend(self.added().into_iter().map(|name| Target {
            expr: self.expr(ExprKind::Column(name_of(&[&reference.name, name], self.at))),
            alias: Some(ident(name, self.at)),
        }));
        let mut targets = self.given();
        if let (Some(search), Some(order)) = (self.search, self.order_column()) {
            let next = match search.breadth_first {
                true => self.binary(self.column(order), "+", self.int8(1)),
                false => self.binary(self.column(order), "||", self.row(&search.columns)),
            };
            targets.push(self.target(next, order));
        }
        let mut filter = None;
        if let Some(cycle) = self.cycle {
            let path = self.column(&cycle.path.name);
            let seen = self.expr(ExprKind::QuantifiedArray {
                left: Box::new(self.row(&cycle.columns)),
                op: self.operator("="),
                array: Box::new(path.clone()),
                all: false,
            });
            let mark = self.expr(ExprKind::Case {
                operand: None,
                branches: vec![(seen, cycle.value.clone())],
                otherwise: Some(Box::new(cycle.default.clone())),
            });
            targets.push(self.target(mark, &cycle.mark.name));
            targets.push(self.target(self.binary(path, "||", self.row(&cycle.columns)), &cycle.path.name));
            filter = Some(self.binary(self.column(&cycle.mark.name), "<>", cycle.value.clone()));
        }
        self.select(targets, SetExpr::Select(Box::new(step)), self.carried(), filter)
    }

    /// The columns that the query shows.
    fn outer(&self, name: &Ident) -> Select {
        let plain = |column: &str| self.expr(ExprKind::Column(name_of(&[&name.name, column], self.at)));
        let mut targets: Vec<Target> =
            self.columns.iter().map(|column| self.target(plain(&column.name), &column.name)).collect();
        if let Some(search) = self.search {
            let sequence = match search.breadth_first {
                true => {
                    let by = search.columns.iter().map(|column| plain(&column.name));
                    let fields = std::iter::once(plain(DEPTH)).chain(by).collect();
                    self.expr(ExprKind::Row { fields, explicit: true })
                }
                false => plain(&search.sequence.name),
            };
            targets.push(self.target(sequence, &search.sequence.name));
        }
        if let Some(cycle) = self.cycle {
            targets.push(self.target(plain(&cycle.mark.name), &cycle.mark.name));
            targets.push(self.target(plain(&cycle.path.name), &cycle.path.name));
        }
        let from = TableExpr::Table { name: name_of(&[&name.name], self.at), only: false, alias: None, sample: None };
        Select { from: vec![from], ..self.select(targets, SetExpr::Values(Vec::new()), Vec::new(), None) }
    }

    fn int8(&self, value: i8) -> Expr {
        let ty = TypeName {
            name: name_of(&["pg_catalog", "int8"], self.at),
            modifiers: Vec::new(),
            interval_fields: None,
            array_dimensions: 0,
            setof: false,
            span: self.at,
        };
        let arg = Box::new(self.expr(ExprKind::Literal(Literal::Integer(value.to_string()))));
        self.expr(ExprKind::Cast { arg, ty })
    }
}

fn ident(name: &str, span: Span) -> Ident {
    Ident { name: name.into(), span }
}

fn name_of(parts: &[&str], span: Span) -> Name {
    Name { parts: parts.iter().map(|part| ident(part, span)).collect(), span }
}
