//! Names in sight: the stack of query levels, their FROM items, and the look-up of columns and tables (PostgreSQL's
//! parse_relation.c).

use std::sync::Arc;

use aegis_catalog::object::{Relation, RelationKind};
use aegis_catalog::types::oid;
use aegis_catalog::{Error, Result, Type, sqlstate};

use super::Binder;
use super::tree::{AggregateCall, CteId, Expr, ExprKind, OutputColumn, RelId, SYSTEM_COLUMNS, SetCall, WindowCall};
use crate::parse::ast::{Ident, Name, Span, WindowSpec};

/// Which clause an expression stands in; decides what it may contain and how errors call the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clause {
    From,
    FromFunction,
    JoinOn,
    Where,
    Having,
    Filter,
    WindowDefinition,
    Target,
    GroupBy,
    OrderBy,
    DistinctOn,
    Limit,
    Offset,
    Values,
    Insert,
    UpdateSource,
    MergeWhen,
    Returning,
    Check,
    Default,
    Generated,
    IndexExpression,
    IndexPredicate,
    PartitionKey,
    PartitionBound,
    AlterType,
    CopyWhere,
    Execute,
    Call,
}

impl Clause {
    /// The place in "… are not allowed in …".
    pub(super) fn place(self) -> &'static str {
        match self {
            Self::From => "FROM clause of their own query level",
            Self::FromFunction => "functions in FROM",
            Self::JoinOn => "JOIN conditions",
            Self::Where => "WHERE",
            Self::Having => "HAVING",
            Self::Filter => "FILTER",
            Self::WindowDefinition => "window definitions",
            Self::Target => "SELECT",
            Self::GroupBy => "GROUP BY",
            Self::OrderBy => "ORDER BY",
            Self::DistinctOn => "DISTINCT ON",
            Self::Limit => "LIMIT",
            Self::Offset => "OFFSET",
            Self::Values => "VALUES",
            Self::Insert => "INSERT",
            Self::UpdateSource => "UPDATE",
            Self::MergeWhen => "MERGE WHEN conditions",
            Self::Returning => "RETURNING",
            Self::Check => "check constraints",
            Self::Default => "DEFAULT expressions",
            Self::Generated => "column generation expressions",
            Self::IndexExpression => "index expressions",
            Self::IndexPredicate => "index predicates",
            Self::PartitionKey => "partition key expressions",
            Self::PartitionBound => "partition bound",
            Self::AlterType => "transform expressions",
            Self::CopyWhere => "COPY FROM WHERE conditions",
            Self::Execute => "EXECUTE parameters",
            Self::Call => "CALL arguments",
        }
    }

    pub(super) fn allows_aggregates(self) -> bool {
        matches!(self, Self::Having | Self::WindowDefinition | Self::Target | Self::OrderBy | Self::DistinctOn)
    }

    pub(super) fn allows_windows(self) -> bool {
        matches!(self, Self::Target | Self::OrderBy | Self::DistinctOn)
    }

    pub(super) fn allows_sets(self) -> bool {
        matches!(self, Self::Target | Self::OrderBy | Self::DistinctOn | Self::GroupBy | Self::WindowDefinition)
    }

    /// The place in "cannot use subquery in …", if it is forbidden.
    pub(super) fn forbids_subquery(self) -> Option<&'static str> {
        Some(match self {
            Self::Check => "check constraint",
            Self::Default => "DEFAULT expression",
            Self::Generated => "column generation expression",
            Self::IndexExpression => "index expression",
            Self::IndexPredicate => "index predicate",
            Self::PartitionKey => "partition key expression",
            Self::PartitionBound => "partition bound",
            Self::AlterType => "transform expression",
            Self::CopyWhere => "COPY FROM WHERE condition",
            Self::Execute => "EXECUTE parameter",
            Self::Call => "CALL argument",
            _ => return None,
        })
    }
}

/// One query being bound.
pub(super) struct Level {
    pub(super) items: Vec<Item>,
    pub(super) ctes: Vec<CteEntry>,
    pub(super) clause: Clause,
    /// A lateral sub-query or function in FROM is being bound: lateral-only items are in sight.
    pub(super) lateral_active: bool,
    /// Names further out are out of sight (the query of a view).
    pub(super) barrier: bool,
    /// Inside CASE, COALESCE …, where set-returning functions are refused; the construct's name.
    pub(super) conditional: Option<&'static str>,
    pub(super) grouping_rel: RelId,
    /// Columns of `grouping_rel` from [`AGGREGATES`] on, until grouping moves them behind the keys.
    pub(super) aggregates: Vec<AggregateCall>,
    /// Arguments of GROUPING calls.
    pub(super) grouping_calls: Vec<Vec<Expr>>,
    pub(super) windows_rel: RelId,
    pub(super) windows: Vec<WindowCall>,
    pub(super) named_windows: Vec<(Ident, WindowSpec)>,
    pub(super) sets_rel: RelId,
    pub(super) sets: Vec<(usize, SetCall)>,
}

/// Provisional column number of the first aggregate in a level's grouping output.
pub(super) const AGGREGATES: usize = 1 << 20;

const NO_REL: RelId = RelId(u32::MAX);

impl Level {
    pub(super) fn new(clause: Clause) -> Self {
        Self {
            items: Vec::new(),
            ctes: Vec::new(),
            clause,
            lateral_active: false,
            barrier: false,
            conditional: None,
            grouping_rel: NO_REL,
            aggregates: Vec::new(),
            grouping_calls: Vec::new(),
            windows_rel: NO_REL,
            windows: Vec::new(),
            named_windows: Vec::new(),
            sets_rel: NO_REL,
            sets: Vec::new(),
        }
    }
}

/// A CTE in sight.
#[derive(Clone)]
pub(super) struct CteEntry {
    pub(super) id: CteId,
    pub(super) name: String,
    /// None while its own non-recursive term is bound.
    pub(super) columns: Option<Vec<OutputColumn>>,
}

/// An entry of the FROM namespace: a table, sub-query, function, or join.
#[derive(Clone)]
pub(super) struct Item {
    /// Alias or name; None for a join without alias.
    pub(super) name: Option<String>,
    /// The relation, if it was named without an alias and may be qualified by its schema.
    pub(super) relation: Option<Arc<Relation>>,
    pub(super) columns: Vec<ItemColumn>,
    /// For system columns.
    pub(super) table: Option<(RelId, Arc<Relation>)>,
    pub(super) whole_row: WholeRow,
    /// See [`JoinForm::present`](super::tree::JoinForm): the innermost outer join that may leave it out.
    pub(super) present: Option<RelId>,
    /// May be named as a table.
    pub(super) relation_visible: bool,
    /// Its columns may be named without the table, and `*` includes them.
    pub(super) columns_visible: bool,
    pub(super) lateral_only: bool,
    pub(super) lateral_ok: bool,
}

#[derive(Clone)]
pub(super) struct ItemColumn {
    pub(super) name: String,
    pub(super) expr: Expr,
}

/// What naming the item itself means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WholeRow {
    /// A row of this type: a table's row type or `record`.
    Row(Type),
    /// A join with an alias: always a record of its columns, also where it is left out.
    Join,
    /// A function that returns one scalar: its value.
    Scalar,
}

impl Item {
    pub(super) fn new(name: Option<String>, columns: Vec<ItemColumn>) -> Self {
        Self {
            name,
            relation: None,
            columns,
            table: None,
            whole_row: WholeRow::Row(Type::of(oid::RECORD)),
            present: None,
            relation_visible: true,
            columns_visible: true,
            lateral_only: false,
            lateral_ok: true,
        }
    }

    fn in_sight(&self, lateral_active: bool) -> bool {
        lateral_active || !self.lateral_only
    }

    fn row(&self, span: Span) -> Option<Expr> {
        match self.whole_row {
            WholeRow::Scalar => self.columns.first().map(|column| Expr { span, ..column.expr.clone() }),
            WholeRow::Row(_) | WholeRow::Join => {
                let ty = match self.whole_row {
                    WholeRow::Row(ty) => ty,
                    _ => Type::of(oid::RECORD),
                };
                let fields = self.columns.iter().map(|column| column.expr.clone()).collect();
                let kind = if ty.oid == oid::RECORD {
                    let names = self.columns.iter().map(|column| column.name.clone()).collect();
                    ExprKind::NamedRow { names, fields }
                } else {
                    ExprKind::Row(fields)
                };
                Some(Expr { kind, ty, span })
            }
        }
    }

    fn column(&self, name: &str, span: Span) -> Result<Option<Expr>> {
        let mut found = self.columns.iter().filter(|column| column.name == name);
        if let Some(column) = found.next() {
            if found.next().is_some() {
                return Err(ambiguous_column(name, span));
            }
            return Ok(Some(Expr { span, ..column.expr.clone() }));
        }
        Ok(self.system_column(name, span))
    }

    fn system_column(&self, name: &str, span: Span) -> Option<Expr> {
        let (rel, relation) = self.table.as_ref()?;
        if !matches!(relation.kind, RelationKind::Table(_) | RelationKind::System) {
            return None;
        }
        let (position, (_, ty)) = SYSTEM_COLUMNS.iter().enumerate().find(|(_, (system, _))| *system == name)?;
        let kind = ExprKind::Column { rel: *rel, column: relation.columns.len() + position };
        Some(Expr { kind, ty: Type::of(*ty), span })
    }
}

fn ambiguous_column(name: &str, span: Span) -> Error {
    let message = format!("column reference \"{name}\" is ambiguous");
    Error::new(sqlstate::AMBIGUOUS_COLUMN, message).at(span.start)
}

impl Binder<'_> {
    pub(super) fn level(&mut self) -> &mut Level {
        if self.levels.is_empty() {
            self.levels.push(Level::new(Clause::Execute));
        }
        let last = self.levels.len() - 1;
        &mut self.levels[last]
    }

    /// A value of the whole row of an item.
    pub(super) fn whole_row(&mut self, item: &Item, span: Span) -> Option<Expr> {
        let row = item.row(span)?;
        let Some(rel) = item.present.filter(|_| matches!(item.whole_row, WholeRow::Row(_))) else { return Some(row) };
        self.asked_presence.insert(rel);
        let kind = ExprKind::Column { rel, column: 0 };
        let present = Box::new(Expr { kind, ty: Type::of(oid::BOOL), span });
        Some(Expr { ty: row.ty, kind: ExprKind::NullExtended { row: Box::new(row), present }, span })
    }

    pub(super) fn clause(&self) -> Clause {
        self.levels.last().map_or(Clause::Execute, |level| level.clause)
    }

    /// Runs `work` for one clause of the current query.
    pub(super) fn in_clause<T>(&mut self, clause: Clause, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let level = self.level();
        let outer = (std::mem::replace(&mut level.clause, clause), level.conditional.take());
        let result = work(self);
        let level = self.level();
        (level.clause, level.conditional) = outer;
        result
    }

    /// Runs `work` in a query level of its own, inside the current ones.
    pub(super) fn in_level<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.nested(|binder| {
            binder.levels.push(Level::new(Clause::From));
            let result = work(binder);
            binder.levels.pop();
            result
        })
    }

    /// Levels in sight, innermost first.
    fn sight(&self) -> impl Iterator<Item = &Level> {
        let mut open = true;
        self.levels.iter().rev().take_while(move |level| {
            let visible = open;
            open &= !level.barrier;
            visible
        })
    }

    /// An unqualified column of any level.
    pub(super) fn column_named(&self, name: &str, span: Span) -> Result<Option<Expr>> {
        for level in self.sight() {
            let mut found = None;
            for item in level.items.iter().filter(|item| item.columns_visible && item.in_sight(level.lateral_active)) {
                let Some(expr) = item.column(name, span)? else { continue };
                if found.is_some() {
                    return Err(ambiguous_column(name, span));
                }
                check_lateral(item, span)?;
                found = Some(expr);
            }
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// A FROM item by its (qualified) name.
    pub(super) fn item_named(&self, schema: Option<&str>, name: &str, span: Span) -> Result<Option<Item>> {
        let qualified = match schema {
            Some(schema) => match self.catalog.resolve_relation(Some(schema), name, &self.search_path)? {
                Some(relation) => Some(relation.oid),
                None => return Ok(None),
            },
            None => None,
        };
        for level in self.sight() {
            let mut matching = level.items.iter().filter(|item| {
                item.relation_visible
                    && item.in_sight(level.lateral_active)
                    && match qualified {
                        Some(oid) => item.relation.as_ref().is_some_and(|relation| relation.oid == oid),
                        None => item.name.as_deref() == Some(name),
                    }
            });
            if let Some(item) = matching.next() {
                if matching.next().is_some() {
                    let message = format!("table reference \"{name}\" is ambiguous");
                    return Err(Error::new(sqlstate::AMBIGUOUS_ALIAS, message).at(span.start));
                }
                check_lateral(item, span)?;
                return Ok(Some(item.clone()));
            }
        }
        Ok(None)
    }

    /// Splits `[[db.]schema.]table` into schema and table.
    pub(super) fn relation_parts<'n>(&self, parts: &'n [Ident]) -> Result<Option<(Option<&'n str>, &'n Ident)>> {
        Ok(match parts {
            [table] => Some((None, table)),
            [schema, table] => Some((Some(&schema.name), table)),
            [database, schema, table] => {
                self.check_database(database, table)?;
                Some((Some(&schema.name), table))
            }
            _ => None,
        })
    }

    /// A column reference as written: `a`, `t.a`, `s.t.a`, or a whole row, or attribute notation for a function.
    pub(super) fn column_ref(&mut self, name: &Name) -> Result<Expr> {
        if self.clause() == Clause::Default {
            let message = "cannot use column reference in DEFAULT expression";
            return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message).at(name.span.start));
        }
        let span = name.span;
        let Some((column, qualifier)) = name.parts.split_last() else {
            return Err(Error::internal("empty name"));
        };
        if qualifier.is_empty() {
            if let Some(ty) = self.domain_value.filter(|_| column.name == "value") {
                return Ok(Expr { kind: ExprKind::DomainValue, ty, span });
            }
            if let Some(expr) = self.column_named(&column.name, span)? {
                self.refuse_ambiguous(name)?;
                return Ok(expr);
            }
            if let Some(item) = self.item_named(None, &column.name, span)?
                && let Some(row) = self.whole_row(&item, span)
            {
                return Ok(row);
            }
            if let Some(argument) = self.argument_named(name)? {
                return Ok(argument);
            }
            return Err(self.no_such_column(None, &column.name, span));
        }
        let Some((schema, table)) = self.relation_parts(qualifier)? else {
            let parts: Vec<_> = name.parts.iter().map(|part| part.name.as_str()).collect();
            let message = format!("improper qualified name (too many dotted names): {}", parts.join("."));
            return Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(span.start));
        };
        let Some(item) = self.item_named(schema, &table.name, span)? else {
            if let Some(argument) = self.argument_named(name)? {
                return Ok(argument);
            }
            // `row_column.field` without parentheses is no syntax of PostgreSQL's.
            return Err(self.missing_from_entry(&table.name, span));
        };
        if let Some(expr) = item.column(&column.name, span)? {
            self.refuse_ambiguous(name)?;
            return Ok(expr);
        }
        if let Some(row) = self.whole_row(&item, span)
            && let Some(call) = self.attribute_call(&column.name, row, span)?
        {
            return Ok(call);
        }
        Err(self.no_such_column(Some(&table.name), &column.name, span))
    }

    pub(super) fn missing_from_entry(&self, name: &str, span: Span) -> Error {
        let aliased = self.levels.iter().rev().flat_map(|level| &level.items).find(|item| {
            item.name.as_deref() == Some(name) || item.table.as_ref().is_some_and(|(_, relation)| relation.name == name)
        });
        match aliased {
            Some(item) => {
                let alias = item.name.as_deref().unwrap_or(name);
                let hint = if alias == name {
                    format!(
                        "There is an entry for table \"{name}\", but it cannot be referenced from this part of the query."
                    )
                } else {
                    format!("Perhaps you meant to reference the table alias \"{alias}\".")
                };
                let message = format!("invalid reference to FROM-clause entry for table \"{name}\"");
                Error::new(sqlstate::UNDEFINED_TABLE, message).with_hint(hint).at(span.start)
            }
            None => {
                let message = format!("missing FROM-clause entry for table \"{name}\"");
                Error::new(sqlstate::UNDEFINED_TABLE, message).at(span.start)
            }
        }
    }

    pub(super) fn no_such_column(&self, table: Option<&str>, name: &str, span: Span) -> Error {
        let shown = match table {
            Some(table) => format!("column {table}.{name} does not exist"),
            None => format!("column \"{name}\" does not exist"),
        };
        let error = Error::new(sqlstate::UNDEFINED_COLUMN, shown).at(span.start);
        match self.similar_column(table, name) {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    /// "Perhaps you meant …": the one or two nearest columns in sight (`searchRangeTableForCol`).
    fn similar_column(&self, table: Option<&str>, name: &str) -> Option<String> {
        const FARTHEST: usize = 3;
        let (mut best, mut found): (usize, Vec<String>) = (FARTHEST + 1, Vec::new());
        for item in self.levels.iter().flat_map(|level| &level.items) {
            let Some(alias) = item.name.as_deref() else { continue };
            let penalty = table.map_or(0, |table| edit_distance(table, alias));
            for column in &item.columns {
                if column.name == name && penalty == 0 {
                    return Some(format!(
                        "There is a column named \"{name}\" in table \"{alias}\", but it cannot be referenced from this part of the query."
                    ));
                }
                let distance = edit_distance(name, &column.name) + penalty;
                if distance > FARTHEST || distance > name.chars().count() / 2 {
                    continue;
                }
                if distance < best {
                    best = distance;
                    found.clear();
                }
                if distance == best {
                    found.push(format!("{alias}.{}", column.name));
                }
            }
        }
        match found.as_slice() {
            [one] => Some(format!("Perhaps you meant to reference the column \"{one}\".")),
            [one, two] => Some(format!("Perhaps you meant to reference the column \"{one}\" or the column \"{two}\".")),
            _ => None,
        }
    }

    /// The depth (number of enclosing levels, itself included) that made a relation.
    pub(super) fn depth_of(&self, rel: RelId) -> usize {
        self.rels.get(&rel).map_or(0, |info| info.depth)
    }
}

fn check_lateral(item: &Item, span: Span) -> Result<()> {
    if !item.lateral_only || item.lateral_ok {
        return Ok(());
    }
    let name = item.name.as_deref().unwrap_or_default();
    let message = format!("invalid reference to FROM-clause entry for table \"{name}\"");
    Err(Error::new(sqlstate::INVALID_COLUMN_REFERENCE, message)
        .with_detail("The combining JOIN type must be INNER or LEFT for a LATERAL reference.")
        .at(span.start))
}

/// Levenshtein distance with all costs 1.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}
