//! GROUP BY (PostgreSQL's parse_clause.c and parse_agg.c): the keys, the grouping sets, and the check that everything above the
//! grouping is made of keys and aggregates.

use aegis_catalog::object::ConstraintKind;
use aegis_catalog::types::oid;
use aegis_catalog::{Error, Result, sqlstate};

use super::scope::{AGGREGATES, Clause};
use super::sort::Found;
use super::target_list::Targets;
use super::tree::{self, Expr, ExprKind, Grouping, RelId};
use super::{Binder, RelSource, walk};
use crate::parse::ast::{self, GroupingElement, Span};

const MAX_SETS: usize = 4096;
const MAX_CUBE: usize = 12;

type Set = Vec<usize>;

/// GROUP BY as bound: keys and, if there are grouping sets, the sets.
#[derive(Default)]
pub(super) struct Keys {
    pub(super) exprs: Vec<Expr>,
    sets: Option<Vec<Set>>,
    elements: Vec<tree::GroupingElement>,
    distinct: bool,
}

impl Binder<'_> {
    /// Binds the GROUP BY clause over the targets.
    pub(super) fn group_by(&mut self, select: &ast::Select, targets: &mut Targets) -> Result<Keys> {
        self.in_clause(Clause::GroupBy, |binder| {
            let mut keys = Keys::default();
            for element in &select.group_by {
                let element = binder.grouping_element(element, targets, &mut keys)?;
                keys.elements.push(element);
            }
            let plain = select.group_by.iter().all(|element| matches!(element, GroupingElement::Expr(_)))
                || keys.elements.is_empty();
            if plain {
                keys.elements.clear();
                return Ok(keys);
            }
            let mut sets: Vec<Set> = vec![Vec::new()];
            for element in &keys.elements {
                let element = sets_of(element)?;
                if sets.len() * element.len() > MAX_SETS {
                    let message = format!("too many grouping sets present (maximum {MAX_SETS})");
                    return Err(Error::new(sqlstate::STATEMENT_TOO_COMPLEX, message));
                }
                let pairs = sets.iter().flat_map(|left| element.iter().map(move |right| union(left, right)));
                sets = pairs.collect();
            }
            if select.group_distinct {
                let mut seen = std::collections::HashSet::new();
                sets.retain(|set| {
                    let mut sorted = set.clone();
                    sorted.sort_unstable();
                    seen.insert(sorted)
                });
            }
            keys.sets = Some(sets);
            keys.distinct = select.group_distinct;
            Ok(keys)
        })
    }

    /// One element of GROUP BY over the keys, which it adds to.
    fn grouping_element(
        &mut self,
        element: &GroupingElement,
        targets: &mut Targets,
        keys: &mut Keys,
    ) -> Result<tree::GroupingElement> {
        Ok(match element {
            GroupingElement::Expr(expr) => tree::GroupingElement::Keys(self.grouping_item(expr, targets, keys)?),
            GroupingElement::Empty => tree::GroupingElement::Keys(Vec::new()),
            GroupingElement::Rollup(items) => tree::GroupingElement::Rollup(self.grouping_items(items, targets, keys)?),
            GroupingElement::Cube(items) => tree::GroupingElement::Cube(self.grouping_items(items, targets, keys)?),
            GroupingElement::Sets(elements) => {
                let mut sets = Vec::with_capacity(elements.len());
                for element in elements {
                    sets.push(self.nested(|binder| binder.grouping_element(element, targets, keys))?);
                }
                tree::GroupingElement::Sets(sets)
            }
        })
    }

    fn grouping_items(&mut self, items: &[ast::Expr], targets: &mut Targets, keys: &mut Keys) -> Result<Vec<Set>> {
        items.iter().map(|item| self.grouping_item(item, targets, keys)).collect()
    }

    /// One expression, or a row of them that count as one.
    fn grouping_item(&mut self, expr: &ast::Expr, targets: &mut Targets, keys: &mut Keys) -> Result<Set> {
        if let ast::ExprKind::Row { fields, explicit: false } = &expr.kind {
            let parts = fields.iter().map(|field| self.grouping_item(field, targets, keys));
            return parts.collect::<Result<Vec<_>>>().map(|sets| sets.iter().fold(Set::new(), |a, b| union(&a, b)));
        }
        let key = self.clause_expr(expr, targets, Clause::GroupBy)?;
        let key = match key {
            Found::Target(position) => {
                let resolved = self.resolve_unknown(targets.entry(position)?.expr.clone())?;
                targets.entry_mut(position)?.expr = resolved.clone();
                resolved
            }
            Found::New(expr) => self.resolve_unknown(expr)?,
        };
        self.refuse_in_group_by(&key)?;
        self.equality(key.ty.oid, key.span)?;
        let position = match keys.exprs.iter().position(|other| *other == key) {
            Some(position) => position,
            None => {
                keys.exprs.push(key);
                keys.exprs.len() - 1
            }
        };
        Ok(vec![position])
    }

    fn refuse_in_group_by(&mut self, key: &Expr) -> Result<()> {
        let level = self.level();
        let (grouping, windows) = (level.grouping_rel, level.windows_rel);
        let message = if walk::mentions(key, grouping) {
            (sqlstate::GROUPING_ERROR, "aggregate functions are not allowed in GROUP BY")
        } else if walk::mentions(key, windows) {
            (sqlstate::WINDOWING_ERROR, "window functions are not allowed in GROUP BY")
        } else {
            return Ok(());
        };
        Err(Error::new(message.0, message.1).at(key.span.start))
    }

    /// `GROUPING(…)`: its arguments are matched to the keys once these are known.
    pub(super) fn grouping_call(&mut self, args: &[ast::Expr], span: Span) -> Result<Expr> {
        const MOST: usize = 31;
        if args.len() > MOST {
            let message = "GROUPING must have fewer than 32 arguments";
            return Err(Error::new(sqlstate::TOO_MANY_ARGUMENTS, message).at(span.start));
        }
        let clause = self.clause();
        if !clause.allows_aggregates() {
            let message = format!("grouping operations are not allowed in {}", clause.place());
            return Err(Error::new(sqlstate::GROUPING_ERROR, message).at(span.start));
        }
        let args = args.iter().map(|arg| self.expr(arg)).collect::<Result<Vec<_>>>()?;
        // It belongs to the innermost query whose columns it names.
        let (current, mut deepest) = (self.levels.len(), 0);
        for arg in &args {
            walk::columns(&mut arg.clone(), &mut |rel, _| {
                let depth = self.depth_of(rel);
                if depth <= current {
                    deepest = deepest.max(depth);
                }
            });
        }
        let depth = if deepest == 0 { current } else { deepest };
        let level = self
            .levels
            .get_mut(depth.saturating_sub(1))
            .ok_or_else(|| Error::internal("GROUPING outside any query"))?;
        level.grouping_calls.push(args);
        let keys = vec![AGGREGATES + level.grouping_calls.len() - 1];
        let kind = ExprKind::Grouping { rel: level.grouping_rel, keys };
        Ok(Expr { kind, ty: aegis_catalog::Type::of(oid::INT4), span })
    }

    /// Whether the current query groups at all.
    pub(super) fn is_grouped(&mut self, select: &ast::Select) -> bool {
        let level = self.level();
        !select.group_by.is_empty()
            || select.having.is_some()
            || !level.aggregates.is_empty()
            || !level.grouping_calls.is_empty()
    }

    /// Rewrites everything above the grouping in terms of its output, 42803 where that is not possible.
    pub(super) fn apply_grouping(
        &mut self,
        keys: Keys,
        targets: &mut Targets,
        having: &mut Option<Expr>,
    ) -> Result<Grouping> {
        let rel = self.level().grouping_rel;
        let calls = std::mem::take(&mut self.level().grouping_calls);
        let mut above = Above { rel, depth: self.levels.len(), keys: keys.exprs, sets: keys.sets, calls, inner: false };
        let given = above.keys.len();
        let mut windows = std::mem::take(&mut self.level().windows);
        let mut sets = std::mem::take(&mut self.level().sets);
        for entry in targets.entries_mut() {
            self.rewrite(&mut entry.expr, &mut above, true)?;
        }
        if let Some(having) = having {
            self.rewrite(having, &mut above, true)?;
        }
        let mut result = Ok(());
        let mut visit = |expr: &mut Expr| {
            if result.is_ok() {
                result = self.rewrite(expr, &mut above, true);
            }
        };
        windows.iter_mut().for_each(|call| walk::window(call, &mut visit));
        sets.iter_mut().flat_map(|(_, call)| &mut call.args).for_each(visit);
        result?;
        let aggregates = std::mem::take(&mut self.level().aggregates);
        for direct in aggregates.iter().flat_map(|call| call.args.iter().take(call.direct_args)) {
            self.rewrite(&mut direct.clone(), &mut above, true).map_err(|error| {
                error.with_detail("Direct arguments of an ordered-set aggregate must use only grouped columns.")
            })?;
        }
        let count = above.keys.len();
        let mut shift = |expr: &mut Expr| shift_aggregates(expr, rel, count);
        targets.entries_mut().for_each(|entry| shift(&mut entry.expr));
        having.iter_mut().for_each(&mut shift);
        windows.iter_mut().for_each(|call| walk::window(call, &mut shift));
        sets.iter_mut().flat_map(|(_, call)| &mut call.args).for_each(&mut shift);
        self.level().windows = windows;
        self.level().sets = sets;
        if let Some(sets) = &mut above.sets {
            sets.iter_mut().for_each(|set| set.extend(given..count));
        }
        let (elements, distinct) = (keys.elements, keys.distinct);
        Ok(Grouping { rel, keys: above.keys, sets: above.sets, aggregates, elements, distinct, written: given })
    }

    fn rewrite(&mut self, expr: &mut Expr, above: &mut Above, top: bool) -> Result<()> {
        let constant = matches!(expr.kind, ExprKind::Constant(_) | ExprKind::Parameter(_));
        if (top || !constant)
            && let Some(key) = above.keys.iter().position(|key| key == expr)
        {
            expr.kind = ExprKind::Column { rel: above.rel, column: key };
            return Ok(());
        }
        match &mut expr.kind {
            ExprKind::Column { rel, column } => {
                let (rel, column) = (*rel, *column);
                if self.depth_of(rel) != above.depth || self.is_internal(rel) {
                    return Ok(());
                }
                if self.is_determined(rel, above) {
                    above.keys.push(expr.clone());
                    expr.kind = ExprKind::Column { rel: above.rel, column: above.keys.len() - 1 };
                    return Ok(());
                }
                Err(self.ungrouped(rel, column, above.inner, expr.span))
            }
            ExprKind::Grouping { rel, keys } if *rel == above.rel => {
                let call = keys.first().and_then(|&key| key.checked_sub(AGGREGATES));
                if let Some(args) = call.and_then(|call| above.calls.get(call)) {
                    *keys = args.iter().map(|arg| above.key_of(arg)).collect::<Result<_>>()?;
                }
                Ok(())
            }
            kind => {
                let outer = above.inner;
                above.inner |= matches!(kind, ExprKind::Subquery(_));
                let mut result = Ok(());
                walk::children(expr, &mut |child| {
                    if result.is_ok() {
                        result = self.rewrite(child, above, false);
                    }
                });
                above.inner = outer;
                result
            }
        }
    }

    fn is_internal(&self, rel: RelId) -> bool {
        self.rels.get(&rel).is_none_or(|info| matches!(info.source, RelSource::Internal))
    }

    /// Whether the table's primary key is among the keys of every grouping set, so that its other columns depend on them.
    fn is_determined(&self, rel: RelId, above: &Above) -> bool {
        let relation = match self.rels.get(&rel).map(|info| &info.source) {
            Some(RelSource::Table(relation)) => relation,
            // It stands beside a row whose columns are all grouped.
            Some(RelSource::Presence) => return true,
            _ => return false,
        };
        let primary = relation.constraints().iter().find_map(|constraint| match &constraint.kind {
            ConstraintKind::PrimaryKey { columns, .. } if !constraint.deferrable => Some(columns),
            _ => None,
        });
        let Some(primary) = primary else { return false };
        primary.iter().all(|&attnum| {
            let Some(position) = relation.columns.iter().position(|column| column.attnum == attnum) else {
                return false;
            };
            let key = above.keys.iter().position(|key| key.kind == ExprKind::Column { rel, column: position });
            key.is_some_and(|key| above.sets.iter().flatten().all(|set| set.contains(&key)))
        })
    }

    fn ungrouped(&self, rel: RelId, column: usize, in_subquery: bool, span: Span) -> Error {
        let wanted = ExprKind::Column { rel, column };
        let name = self.levels.iter().rev().flat_map(|level| &level.items).find_map(|item| {
            let column = item.columns.iter().find(|column| column.expr.kind == wanted)?;
            Some(format!("{}.{}", item.name.as_ref()?, column.name))
        });
        let name = name.unwrap_or_else(|| "?column?".into());
        let message = if in_subquery {
            format!("subquery uses ungrouped column \"{name}\" from outer query")
        } else {
            format!("column \"{name}\" must appear in the GROUP BY clause or be used in an aggregate function")
        };
        Error::new(sqlstate::GROUPING_ERROR, message).at(span.start)
    }
}

/// The grouping sets that one element of GROUP BY stands for.
fn sets_of(element: &tree::GroupingElement) -> Result<Vec<Set>> {
    Ok(match element {
        tree::GroupingElement::Keys(keys) => vec![keys.clone()],
        tree::GroupingElement::Rollup(items) => (0..=items.len())
            .rev()
            .map(|count| items.iter().take(count).fold(Set::new(), |a, b| union(&a, b)))
            .collect(),
        tree::GroupingElement::Cube(items) => {
            if items.len() > MAX_CUBE {
                let message = format!("CUBE is limited to {MAX_CUBE} elements");
                return Err(Error::new(sqlstate::TOO_MANY_COLUMNS, message));
            }
            let count = items.len();
            (0..1usize << count)
                .rev()
                .map(|mask| {
                    let chosen = items.iter().enumerate().filter(|(i, _)| mask & (1 << (count - 1 - i)) != 0);
                    chosen.fold(Set::new(), |a, (_, b)| union(&a, b))
                })
                .collect()
        }
        tree::GroupingElement::Sets(elements) => {
            let mut sets = Vec::new();
            for element in elements {
                sets.extend(sets_of(element)?);
            }
            sets
        }
    })
}

/// What the expressions above a grouping are checked against.
struct Above {
    rel: RelId,
    depth: usize,
    keys: Vec<Expr>,
    sets: Option<Vec<Set>>,
    /// Arguments of the GROUPING calls.
    calls: Vec<Vec<Expr>>,
    /// Inside a sub-query of the expression.
    inner: bool,
}

impl Above {
    fn key_of(&self, arg: &Expr) -> Result<usize> {
        self.keys.iter().position(|key| key == arg).ok_or_else(|| {
            let message = "arguments to GROUPING must be grouping expressions of the associated query level";
            Error::new(sqlstate::GROUPING_ERROR, message).at(arg.span.start)
        })
    }
}

/// Moves the aggregates' provisional columns behind the keys.
fn shift_aggregates(expr: &mut Expr, grouping: RelId, keys: usize) {
    if let ExprKind::Column { rel, column } = &mut expr.kind
        && *rel == grouping
        && *column >= AGGREGATES
    {
        *column = *column - AGGREGATES + keys;
    }
    walk::children(expr, &mut |child| shift_aggregates(child, grouping, keys));
}

fn union(left: &[usize], right: &[usize]) -> Set {
    let mut set = left.to_vec();
    set.extend(right.iter().filter(|key| !left.contains(key)));
    set
}
