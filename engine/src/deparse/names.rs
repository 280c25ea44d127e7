//! The names of FROM items and their columns: unique within their query and the ones around it.

use std::collections::{HashMap, HashSet};

use aegis_catalog::definition::relation_name;
use aegis_catalog::object::Relation;

use super::{Deparser, NamedExpr, Node};
use crate::bind::tree::{Alias, Expr, ExprKind, From, MergedColumn, OutputColumn, RelId, SYSTEM_COLUMNS};
use crate::collation::Operation;

/// What the columns of a FROM item are called.
pub(super) struct RelNames {
    pub(super) name: String,
    /// By position; None for a dropped column.
    pub(super) columns: Vec<Option<String>>,
    /// The columns need to be listed behind the name.
    pub(super) listed: bool,
}

impl<'t> Deparser<'t> {
    /// The relation as the catalog knows it now.
    pub(super) fn current(&self, relation: &'t Relation) -> &'t Relation {
        self.target.printer.catalog.relation(relation.oid).map_or(relation, |current| current)
    }

    pub(super) fn relation_names(&self, relation: &Relation, alias: Option<&Alias>) -> RelNames {
        let current = self.target.printer.catalog.relation(relation.oid).map_or(relation, |current| current);
        let real: Vec<_> = relation
            .columns
            .iter()
            .map(|column| {
                let now = current.column(column.attnum).unwrap_or(column);
                (!column.dropped).then(|| now.name.clone())
            })
            .collect();
        let mut names = rel_names(&current.name, real, alias, &HashMap::new(), RelId(0));
        names.columns.extend(SYSTEM_COLUMNS.iter().map(|(name, _)| Some((*name).to_owned())));
        names
    }

    /// Names all items of a FROM clause, left to right.
    pub(super) fn name_items(&mut self, from: &'t From) {
        let mut forced = HashMap::new();
        merged_names(from, &mut forced);
        self.name_item(from, &forced);
    }

    fn name_item(&mut self, from: &'t From, forced: &HashMap<(RelId, usize), &'t str>) {
        match from {
            From::Table { rel, relation, alias, .. } => {
                let current = self.current(relation);
                let alias = alias.as_ref();
                let name = self.unique(alias.map_or(&current.name, |alias| &alias.name));
                let real: Vec<_> = relation
                    .columns
                    .iter()
                    .map(|column| {
                        let now = current.column(column.attnum).unwrap_or(column);
                        (!column.dropped).then(|| now.name.clone())
                    })
                    .collect();
                let mut names = rel_names(&name, real, alias, forced, *rel);
                names.columns.extend(SYSTEM_COLUMNS.iter().map(|(name, _)| Some((*name).to_owned())));
                self.names.insert(*rel, names);
            }
            From::Subquery { rel, query, view, alias, .. } => {
                let view = view.and_then(|view| self.target.printer.catalog.relation(view));
                let own = match view {
                    Some(view) => view.name.as_str(),
                    None => "unnamed_subquery",
                };
                let alias = alias.as_ref();
                let name = self.unique(alias.map_or(own, |alias| &alias.name));
                let real = match view {
                    Some(view) => view.live_columns().map(|column| Some(column.name.clone())).collect(),
                    None => output_names(&query.columns),
                };
                let mut names = rel_names(&name, real, alias, forced, *rel);
                names.listed |= view.is_none() && alias.is_some_and(|alias| !alias.columns.is_empty());
                self.names.insert(*rel, names);
            }
            From::Function { rel, calls, ordinality, alias, .. } => {
                let name = self.unique(&alias.name);
                let mut real: Vec<_> = calls.iter().flat_map(|call| output_names(&call.columns)).collect();
                if *ordinality {
                    real.push(Some("ordinality".to_owned()));
                }
                let mut names = rel_names(&name, real, Some(alias), forced, *rel);
                names.listed = true;
                self.names.insert(*rel, names);
            }
            From::Cte { rel, cte, columns, alias } => {
                let own = self.ctes.get(cte).cloned().unwrap_or_default();
                let alias = alias.as_ref();
                let name = self.unique(alias.map_or(&own, |alias| &alias.name));
                let mut names = rel_names(&name, output_names(columns), alias, forced, *rel);
                names.listed |= alias.is_some_and(|alias| !alias.columns.is_empty());
                self.names.insert(*rel, names);
            }
            From::Join { left, right, form, .. } => {
                self.name_item(left, forced);
                self.name_item(right, forced);
                match &form.alias {
                    Some(alias) => {
                        let join = self.unique(&alias.name);
                        let real = form.columns.iter().map(|(name, expr)| {
                            Some(self.column_name(expr).map_or(name.as_str(), |(_, column)| column).to_owned())
                        });
                        let names = rel_names(&join, real.collect(), Some(alias), &HashMap::new(), RelId(0));
                        for ((_, expr), name) in form.columns.iter().zip(names.columns.iter().flatten()) {
                            let (join, name) = (Some(join.clone()), name.clone());
                            self.named.push(NamedExpr { expr, join, name, form });
                        }
                        self.joins.push((form, names));
                    }
                    None => {
                        for MergedColumn { name, merged, .. } in &form.using {
                            if matches!(merged.kind, ExprKind::Coalesce(_)) {
                                self.named.push(NamedExpr { expr: merged, join: None, name: name.clone(), form });
                            }
                        }
                    }
                }
            }
        }
    }

    /// The name, with a number if an item of this query or one around has it.
    fn unique(&mut self, name: &str) -> String {
        let is_taken = |name: &str| self.taken.iter().any(|level| level.contains(name));
        let mut chosen = name.to_owned();
        let mut number = 0;
        while is_taken(&chosen) {
            number += 1;
            chosen = format!("{name}_{number}");
        }
        if let Some(level) = self.taken.last_mut() {
            level.insert(chosen.clone());
        }
        chosen
    }

    /// What the column of an item in the tree stands for: the part that grouping and the like have moved away.
    pub(super) fn resolve(&self, expr: &'t Expr) -> Node<'t> {
        let mut expr = self.written(expr);
        while let ExprKind::Column { rel, column } = &expr.kind {
            match self.outputs.get(rel).and_then(|outputs| outputs.get(*column)) {
                Some(Node::Expr(inner)) => expr = self.written(inner),
                Some(other) => return *other,
                None => break,
            }
        }
        Node::Expr(expr)
    }

    /// An expression without what collations made of it; in the place of the text that stands for a group, what it is grouped by.
    fn written(&self, expr: &'t Expr) -> &'t Expr {
        let expr = expr.written();
        let ExprKind::Collated { arg, operation: Operation::Representative, .. } = &expr.kind else { return expr };
        match self.known(arg) {
            Some(Node::Aggregate(call)) => call.args.first().map_or(expr, |grouped| self.written(grouped)),
            _ => expr,
        }
    }

    /// What a column that grouping and the like have made stands for.
    pub(super) fn known(&self, expr: &Expr) -> Option<Node<'t>> {
        let ExprKind::Column { rel, column } = &expr.kind else { return None };
        self.outputs.get(rel)?.get(*column).copied()
    }

    /// The item's name and the column's own, if the expression is a column.
    pub(super) fn column_name(&self, expr: &Expr) -> Option<(Option<&str>, &str)> {
        if let Some(named) = self.named_column(expr) {
            return Some((named.join.as_deref(), &named.name));
        }
        let ExprKind::Column { rel, column } = &expr.kind else { return None };
        let names = self.names.get(rel)?;
        Some((Some(&names.name), names.columns.get(*column)?.as_deref()?))
    }

    pub(super) fn named_column(&self, expr: &Expr) -> Option<&NamedExpr<'t>> {
        // A join that hides others was put after them.
        let seen = |named: &&NamedExpr<'t>| !self.inside_joins.iter().any(|form| std::ptr::eq(*form, named.form));
        self.named.iter().rev().filter(seen).find(|named| *named.expr == *expr)
    }

    /// The item whose whole row the expression is.
    pub(super) fn whole_row(&self, expr: &Expr) -> Option<&str> {
        let fields = match &expr.kind {
            ExprKind::Row(fields) if expr.ty.oid != aegis_catalog::types::oid::RECORD => fields,
            ExprKind::NamedRow { fields, .. } => fields,
            ExprKind::NullExtended { row, .. } => return self.whole_row(row),
            _ => return None,
        };
        let ExprKind::Column { rel, .. } = fields.first()?.kind else { return None };
        let names = self.names.get(&rel)?;
        let system = SYSTEM_COLUMNS.iter().map(|(name, _)| *name);
        let is_system = |name: &str| system.clone().any(|system| system == name);
        let mut live = names.columns.iter().enumerate().filter(|(_, name)| name.is_some());
        let mut rest = fields.iter();
        for (position, name) in live.by_ref() {
            if is_system(name.as_deref().unwrap_or_default()) {
                break;
            }
            let wanted = ExprKind::Column { rel, column: position };
            if rest.next().is_none_or(|field| field.kind != wanted) {
                return None;
            }
        }
        rest.next().is_none().then_some(names.name.as_str())
    }

    pub(super) fn relation(&mut self, relation: &Relation) {
        let name = relation_name(self.target.printer, relation);
        self.push(&name);
    }
}

fn output_names(columns: &[OutputColumn]) -> Vec<Option<String>> {
    columns.iter().map(|column| Some(column.name.clone())).collect()
}

fn rel_names(
    name: &str,
    real: Vec<Option<String>>,
    alias: Option<&Alias>,
    forced: &HashMap<(RelId, usize), &str>,
    rel: RelId,
) -> RelNames {
    let mut given = alias.map(|alias| alias.columns.as_slice()).unwrap_or_default().iter();
    let mut used: HashSet<String> = HashSet::new();
    let mut listed = false;
    let mut columns = Vec::with_capacity(real.len());
    for (position, real) in real.into_iter().enumerate() {
        let Some(real) = real else {
            columns.push(None);
            continue;
        };
        let wanted = given.next().map_or(real.as_str(), String::as_str);
        let wanted = forced.get(&(rel, position)).copied().unwrap_or(wanted);
        let mut chosen = wanted.to_owned();
        let mut number = 0;
        while !used.insert(chosen.clone()) {
            number += 1;
            chosen = format!("{wanted}_{number}");
        }
        listed |= chosen != real;
        columns.push(Some(chosen));
    }
    RelNames { name: name.to_owned(), columns, listed }
}

/// Columns of USING keep the name that they are merged by on both sides.
fn merged_names<'t>(from: &'t From, forced: &mut HashMap<(RelId, usize), &'t str>) {
    let From::Join { left, right, form, .. } = from else { return };
    merged_names(left, forced);
    merged_names(right, forced);
    for merged in &form.using {
        for side in [&merged.left, &merged.right] {
            if let ExprKind::Column { rel, column } = &side.kind {
                forced.insert((*rel, *column), &merged.name);
            }
        }
    }
}
