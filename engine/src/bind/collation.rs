//! Collations of expressions (PostgreSQL's parse_collate.c; manual 24.2.1, "Concepts"): derived from the leaves upwards once a statement is bound, and
//! then written into it where they matter, so that nothing that comes after needs to know of them.
//!
//! What compares, sorts or changes the case of texts under a collation that orders by a locale gets [`ExprKind::Collated`] around its operands.

mod sensitive;
mod statement;

use std::collections::HashMap;
use std::sync::Arc;

use aegis_catalog::fixed_oid::{C_COLLATION, DEFAULT_COLLATION};
use aegis_catalog::image::Catalog;
use aegis_catalog::object::{Relation, RelationKind};
use aegis_catalog::types::oid;
use aegis_catalog::{Error, Oid, Result, Type, sqlstate};

use super::tree::{CteId, Expr, ExprKind, Query, RelId, Statement, Subquery, SubqueryKind, Subscript};
use crate::collation::{Collation, Operation};
use crate::functions::{self, Function};

/// Writes collations into a statement, and says which its columns have.
pub(super) fn of_statement(statement: &mut Statement, sql: &str, catalog: &Catalog) -> Result<Vec<Oid>> {
    let columns = Collations::new(sql, catalog).statement(statement)?;
    Ok(columns.into_iter().map(Derived::determined).collect())
}

pub(super) fn of_query(query: &mut Query, sql: &str, catalog: &Catalog) -> Result<()> {
    Collations::new(sql, catalog).query(query).map(drop)
}

/// Writes collations into an expression over the columns of a table, and says which one it has.
pub(super) fn of_expression(
    expr: &mut Expr,
    table: Option<(RelId, &Arc<Relation>)>,
    sql: &str,
    catalog: &Catalog,
) -> Result<Derived> {
    let mut collations = Collations::new(sql, catalog);
    if let Some((rel, relation)) = table {
        collations.sources.insert(rel, Source::Table(relation.clone()));
    }
    collations.expr(expr)
}

/// Has the relation columns whose collation is not that of their type anyway?
pub(super) fn is_collated(relation: &Relation) -> bool {
    let plain = |column: &aegis_catalog::object::Column| match column.collation {
        0 | DEFAULT_COLLATION => true,
        C_COLLATION => column.ty.oid == oid::NAME,
        _ => false,
    };
    !matches!(relation.kind, RelationKind::System) && !relation.live_columns().all(plain)
}

/// How firmly a collation is derived, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    None,
    Implicit,
    Conflict,
    Explicit,
}

/// The collation of an expression.
#[derive(Debug, Clone, Copy)]
pub(super) struct Derived {
    strength: Strength,
    /// 0 if there is none.
    collation: Oid,
    /// In a conflict, the other one.
    other: Oid,
    /// Where what has it stands; in a conflict, where the other one does.
    at: u32,
}

impl Derived {
    const NONE: Self = Self { strength: Strength::None, collation: 0, other: 0, at: 0 };

    fn implicit(collation: Oid, at: u32) -> Self {
        match collation {
            0 => Self::NONE,
            _ => Self { strength: Strength::Implicit, collation, other: 0, at },
        }
    }

    /// As a column of a query.
    fn column(self) -> Self {
        match self.strength {
            Strength::Conflict => Self::NONE,
            _ => Self::implicit(self.collation, self.at),
        }
    }

    /// The collation's number, 0 where none could be determined.
    pub(super) fn determined(self) -> Oid {
        if self.strength == Strength::Conflict { 0 } else { self.collation }
    }
}

/// Where columns come from.
enum Source {
    Table(Arc<Relation>),
    Columns(Vec<Derived>),
}

struct Collations<'a> {
    sql: &'a str,
    catalog: &'a Catalog,
    sources: HashMap<RelId, Source>,
    ctes: HashMap<CteId, Vec<Derived>>,
    /// Columns that hold reversible keys instead of texts: minima and maxima.
    keys: HashMap<(RelId, usize), Arc<Collation>>,
    /// For columns that are grouped by keys, the column with the reversible key of one text of the group.
    representatives: HashMap<(RelId, usize), (usize, Arc<Collation>)>,
    case_operands: Vec<Derived>,
    known: HashMap<Oid, Option<Arc<Collation>>>,
}

impl<'a> Collations<'a> {
    fn new(sql: &'a str, catalog: &'a Catalog) -> Self {
        Self {
            sql,
            catalog,
            sources: HashMap::new(),
            ctes: HashMap::new(),
            keys: HashMap::new(),
            representatives: HashMap::new(),
            case_operands: Vec::new(),
            known: HashMap::new(),
        }
    }

    /// The collation behind a derived one, if it orders by a locale.
    fn by_locale(&mut self, derived: Derived) -> Result<Option<Arc<Collation>>> {
        let oid = derived.determined();
        if let Some(known) = self.known.get(&oid) {
            return Ok(known.clone());
        }
        let found = Collation::of(oid, self.catalog)?;
        self.known.insert(oid, found.clone());
        Ok(found)
    }

    fn of_type(&self, ty: Type) -> Oid {
        self.catalog.type_entry(ty.oid).map_or(0, |entry| entry.collation)
    }

    fn name(&self, collation: Oid) -> String {
        self.catalog.collation(collation).map_or_else(|| collation.to_string(), |(_, name)| name.to_owned())
    }

    /// Of two operands of one expression. 42P21 for explicit ones that differ.
    fn merge(&self, left: Derived, right: Derived) -> Result<Derived> {
        use std::cmp::Ordering::{Equal, Greater, Less};
        Ok(match left.strength.cmp(&right.strength) {
            Greater => left,
            Less => right,
            Equal if left.collation == right.collation => left,
            Equal => match left.strength {
                Strength::None | Strength::Conflict => left,
                Strength::Implicit if left.collation == DEFAULT_COLLATION => right,
                Strength::Implicit if right.collation == DEFAULT_COLLATION => left,
                Strength::Implicit => {
                    let (collation, other) = (left.collation, right.collation);
                    Derived { strength: Strength::Conflict, collation, other, at: right.at }
                }
                Strength::Explicit => {
                    let (left, other) = (self.name(left.collation), self.name(right.collation));
                    let message = format!("collation mismatch between explicit collations \"{left}\" and \"{other}\"");
                    return Err(Error::new(sqlstate::COLLATION_MISMATCH, message).at(right.at));
                }
            },
        })
    }

    fn merged(&mut self, exprs: &mut [Expr]) -> Result<Derived> {
        let mut merged = Derived::NONE;
        for expr in exprs {
            let derived = self.expr(expr)?;
            merged = self.merge(merged, derived)?;
        }
        Ok(merged)
    }

    /// 42P21 for what sorts, groups or unites by texts of implicit collations that differ.
    fn settled(&self, derived: Derived) -> Result<Derived> {
        if derived.strength != Strength::Conflict {
            return Ok(derived);
        }
        let (left, right) = (self.name(derived.collation), self.name(derived.other));
        let message = format!("collation mismatch between implicit collations \"{left}\" and \"{right}\"");
        Err(Error::new(sqlstate::COLLATION_MISMATCH, message)
            .with_hint("You can choose the collation by applying the COLLATE clause to one or both expressions.")
            .at(derived.at))
    }

    /// Derives the collation of an expression, and writes those of its parts into it.
    fn expr(&mut self, expr: &mut Expr) -> Result<Derived> {
        crate::stack::with_room(|| self.expr_here(expr))
    }

    fn expr_here(&mut self, expr: &mut Expr) -> Result<Derived> {
        let (ty, at) = (expr.ty, expr.span.start);
        let merged = match &mut expr.kind {
            ExprKind::Constant(_) | ExprKind::Parameter(_) | ExprKind::DomainValue | ExprKind::Default => Derived::NONE,
            ExprKind::CaseOperand => return Ok(self.case_operands.last().copied().unwrap_or(Derived::NONE)),
            ExprKind::Column { rel, column } => {
                let (rel, column) = (*rel, *column);
                if let Some(collation) = self.keys.get(&(rel, column)).cloned() {
                    from_key(expr, &collation);
                }
                if let Some((column, collation)) = self.representatives.get(&(rel, column)).cloned() {
                    expr.kind = ExprKind::Column { rel, column };
                    from_key_by(expr, Operation::Representative, &collation);
                }
                return Ok(self.column(rel, column, ty, at));
            }
            ExprKind::Collate { arg, collation } => {
                let (collation, end) = (*collation, arg.span.end);
                self.expr(arg)?;
                return Ok(Derived { strength: Strength::Explicit, collation, other: 0, at: self.word_after(end, at) });
            }
            ExprKind::Call { args, .. } => {
                let merged = self.merged(args)?;
                self.call(expr, merged)?;
                merged
            }
            ExprKind::Cast { arg, .. } => {
                let derived = self.expr(arg)?;
                let own = self.of_type(ty);
                // A domain's own collation wins.
                let is_own = own != DEFAULT_COLLATION && self.catalog.user_type(ty.oid).is_some();
                if is_own { Derived::implicit(own, at) } else { derived }
            }
            ExprKind::And(args)
            | ExprKind::Or(args)
            | ExprKind::Row(args)
            | ExprKind::NamedRow { fields: args, .. } => {
                for arg in args {
                    self.expr(arg)?;
                }
                return Ok(Derived::NONE);
            }
            ExprKind::Not(arg) | ExprKind::IsNull { arg, .. } | ExprKind::IsBoolean { arg, .. } => {
                self.expr(arg)?;
                return Ok(Derived::NONE);
            }
            ExprKind::Field { arg, index } => {
                let (index, row) = (*index, arg.ty);
                self.expr(arg)?;
                return Ok(Derived::implicit(self.of_field(row, index, ty), at));
            }
            ExprKind::Coalesce(args) | ExprKind::Array { elements: args, .. } => self.merged(args)?,
            ExprKind::Case { operand, branches, otherwise } => {
                self.case(operand.as_deref_mut(), branches, otherwise.as_deref_mut())?
            }
            ExprKind::Subscript { arg, subscripts } => {
                for part in subscripts {
                    match part {
                        Subscript::Index(index) => drop(self.expr(index)?),
                        Subscript::Slice { lower, upper } => {
                            for bound in lower.iter_mut().chain(upper) {
                                self.expr(bound)?;
                            }
                        }
                    }
                }
                self.expr(arg)?
            }
            ExprKind::FieldStore { arg, value, .. } | ExprKind::SubscriptStore { arg, value, .. } => {
                self.expr(value)?;
                self.expr(arg)?
            }
            ExprKind::NullExtended { row, .. } => return self.expr(row),
            ExprKind::Grouping { .. } => return Ok(Derived::NONE),
            // What is collated once stays so.
            ExprKind::Collated { collation, .. } => return Ok(Derived::implicit(collation.oid, at)),
            ExprKind::IsDistinct { .. }
            | ExprKind::NullIf { .. }
            | ExprKind::Extreme { .. }
            | ExprKind::RowCompare { .. }
            | ExprKind::QuantifiedArray { .. }
            | ExprKind::InList { .. } => self.comparison(expr)?,
            ExprKind::Subquery(subquery) => self.subquery(subquery)?,
        };
        let own = self.of_type(ty);
        Ok(match (own, merged.strength) {
            (0, _) => Derived::NONE,
            (own, Strength::None) => Derived::implicit(own, at),
            _ => Derived { at: if merged.strength == Strength::Conflict { merged.at } else { at }, ..merged },
        })
    }

    /// The collation of a CASE is that of its results.
    fn case(
        &mut self,
        operand: Option<&mut Expr>,
        branches: &mut [(Expr, Expr)],
        otherwise: Option<&mut Expr>,
    ) -> Result<Derived> {
        let operand = operand.map(|operand| self.expr(operand)).transpose()?;
        self.case_operands.extend(operand);
        let mut merged = Derived::NONE;
        for (condition, result) in branches {
            self.expr(condition)?;
            let derived = self.expr(result)?;
            merged = self.merge(merged, derived)?;
        }
        if operand.is_some() {
            self.case_operands.pop();
        }
        match otherwise {
            Some(otherwise) => {
                let derived = self.expr(otherwise)?;
                self.merge(merged, derived)
            }
            None => Ok(merged),
        }
    }

    fn column(&self, rel: RelId, column: usize, ty: Type, at: u32) -> Derived {
        match self.sources.get(&rel) {
            Some(Source::Table(table)) => Derived::implicit(table.columns.get(column).map_or(0, |of| of.collation), at),
            Some(Source::Columns(columns)) => match columns.get(column) {
                Some(known) => Derived { at, ..known.column() },
                None => Derived::NONE,
            },
            None => Derived::implicit(self.of_type(ty), at),
        }
    }

    /// The collation of an attribute of a composite type.
    fn of_field(&self, row: Type, index: usize, ty: Type) -> Oid {
        let relation = self.catalog.relation_of_type(self.catalog.base_type(row).oid);
        let column = relation.and_then(|relation| relation.live_columns().nth(index));
        column.map_or_else(|| self.of_type(ty), |column| column.collation)
    }

    fn subquery(&mut self, subquery: &mut Subquery) -> Result<Derived> {
        let columns = self.query(&mut subquery.query)?;
        let first = columns.first().copied().unwrap_or(Derived::NONE);
        match &mut subquery.kind {
            SubqueryKind::Exists | SubqueryKind::Row => Ok(Derived::NONE),
            SubqueryKind::Scalar | SubqueryKind::Array => Ok(first),
            SubqueryKind::Any { output, condition } | SubqueryKind::All { output, condition } => {
                self.sources.insert(*output, Source::Columns(columns));
                self.expr(condition)?;
                Ok(Derived::NONE)
            }
        }
    }

    /// Where the word COLLATE stands that follows an operand.
    fn word_after(&self, end: u32, otherwise: u32) -> u32 {
        let rest = self.sql.get(end as usize..).unwrap_or_default();
        let skipped = rest.len() - rest.trim_start_matches(|c: char| c.is_whitespace() || c == ')').len();
        if rest.is_empty() { otherwise } else { end + skipped as u32 }
    }
}

/// Puts a computation around an expression.
fn collated(expr: &mut Expr, operation: Operation, collation: &Arc<Collation>, ty: Type) {
    let span = expr.span;
    let arg = Expr { kind: ExprKind::Default, ty, span };
    let arg = Box::new(std::mem::replace(expr, arg));
    expr.kind = ExprKind::Collated { arg, operation, collation: collation.clone() };
}

/// Turns a text into what its comparisons compare.
fn to_key(expr: &mut Expr, collation: &Arc<Collation>) {
    collated(expr, Operation::Key, collation, Type::of(oid::BYTEA));
}

/// Turns a text into a key that it can be had back from.
fn to_reversible_key(expr: &mut Expr, collation: &Arc<Collation>) {
    collated(expr, Operation::ReversibleKey, collation, Type::of(oid::BYTEA));
}

/// Turns an expression that now computes a reversible key into the text.
fn from_key(expr: &mut Expr, collation: &Arc<Collation>) {
    from_key_by(expr, Operation::Text, collation);
}

fn from_key_by(expr: &mut Expr, operation: Operation, collation: &Arc<Collation>) {
    let ty = std::mem::replace(&mut expr.ty, Type::of(oid::BYTEA));
    collated(expr, operation, collation, ty);
}

/// Types whose values are texts.
fn is_text(ty: Type, catalog: &Catalog) -> bool {
    matches!(catalog.base_type(ty).oid, oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME | oid::UNKNOWN)
}

fn function(oid: Oid) -> Result<Arc<Function>> {
    functions::registry().by_oid(oid).cloned().ok_or_else(|| Error::internal(format!("no function {oid}")))
}

fn undetermined(what: &str) -> Error {
    let message = format!("could not determine which collation to use for {what}");
    Error::new(sqlstate::INDETERMINATE_COLLATION, message)
        .with_hint("Use the COLLATE clause to set the collation explicitly.")
}
