//! JOIN (PostgreSQL's transformFromClauseItem): conditions, USING and NATURAL with their merged columns.

use aegis_catalog::{Error, Result, sqlstate};

use super::from::{alias_of, check_aliases, rename_columns};
use super::operator::operator;
use super::scope::{Clause, Item, ItemColumn, WholeRow};
use super::tree::{AsOf, Expr, ExprKind, From, JoinForm, MergedColumn, Presence, RelId};
use super::{Binder, RelSource};
use crate::parse::ast::{self, Ident, JoinCondition, JoinKind, Span};

impl Binder<'_> {
    pub(super) fn join(&mut self, join: &ast::Join) -> Result<(From, Vec<Item>)> {
        let (left, mut left_items) = self.table_expr(&join.left)?;
        let (right, right_items) = self.join_right(join, &left_items)?;
        check_aliases(&left_items, &right_items)?;
        let split = left_items.len();
        left_items.extend(right_items);
        let mut items = left_items;
        for item in &mut items {
            item.lateral_only = false;
            item.lateral_ok = true;
        }
        let left_columns = visible_columns(&items[..split]);
        let right_columns = visible_columns(&items[split..]);
        let present = self.present_in(join.kind, &mut items, split);
        let matching = match join.as_of.as_ref().and_then(Option::as_ref) {
            Some(matching) => Some(self.join_on(matching, &items)?),
            None => None,
        };
        let as_of = join.as_of.is_some().then(AsOf::default);
        let mut form = JoinForm { present, as_of, ..JoinForm::default() };
        let (condition, columns, using_alias) = match &join.condition {
            JoinCondition::None => (None, concat(left_columns, right_columns), None),
            JoinCondition::On(condition) => {
                let condition = self.join_on(condition, &items)?;
                (Some(both(matching, condition)), concat(left_columns, right_columns), None)
            }
            JoinCondition::Using { columns, alias } => {
                let (condition, merged) = self.using(join, columns, &left_columns, &right_columns, &mut form)?;
                let condition = match condition {
                    Some(condition) => Some(both(matching.clone(), condition)),
                    None => matching.clone(),
                };
                if let Some(as_of) = &mut form.as_of {
                    as_of.matching = matching;
                }
                let alias_item = alias.as_ref().map(|alias| {
                    let own = merged.iter().take(columns.len()).cloned().collect();
                    let mut item = Item::new(Some(alias.name.clone()), own);
                    item.columns_visible = false;
                    item
                });
                (condition, merged, alias_item)
            }
            JoinCondition::Natural => {
                let shared = natural_columns(&left_columns, &right_columns, join.span);
                let (condition, merged) = self.using(join, &shared, &left_columns, &right_columns, &mut form)?;
                (condition, merged, None)
            }
        };
        for item in &mut items {
            item.columns_visible = false;
            item.relation_visible &= join.alias.is_none();
        }
        if let Some(alias) = using_alias {
            check_aliases(&items, std::slice::from_ref(&alias))?;
            form.using_alias.clone_from(&alias.name);
            items.push(alias);
        }
        let mut joined = Item::new(join.alias.as_ref().map(|alias| alias.name.name.clone()), columns);
        joined.relation_visible = join.alias.is_some();
        joined.whole_row = WholeRow::Join;
        if let Some(alias) = &join.alias {
            rename_columns(&mut joined.columns, &alias.name.name, Some(alias))?;
            form.alias = Some(alias_of(alias));
            let columns = joined.columns.iter();
            form.columns = columns.map(|column| (column.name.clone(), column.expr.clone())).collect();
        }
        items.push(joined);
        let kind = if join.kind == JoinKind::Inner && condition.is_none() { JoinKind::Cross } else { join.kind };
        let (left, right) = (Box::new(left), Box::new(right));
        Ok((From::Join { kind, left, right, condition, form: Box::new(form) }, items))
    }

    /// Gives each side that the join may leave out a mark of its rows. Within the join itself nothing is left out yet, but its
    /// condition may as well ask.
    fn present_in(&mut self, kind: JoinKind, items: &mut [Item], split: usize) -> Presence {
        let (left, right) = items.split_at_mut(split);
        let mut mark = |items: &mut [Item]| {
            let rel = self.new_rel(RelSource::Presence);
            items.iter_mut().for_each(|item| item.present = item.present.or(Some(rel)));
            Some(rel)
        };
        match kind {
            JoinKind::Inner | JoinKind::Cross => Presence::default(),
            JoinKind::Left => Presence { left: None, right: mark(right) },
            JoinKind::Right => Presence { left: mark(left), right: None },
            JoinKind::Full => Presence { left: mark(left), right: mark(right) },
        }
    }

    /// Leaves the marks that nobody asked for.
    pub(super) fn keep_asked_presence(&self, from: &mut From) {
        if let From::Join { left, right, form, .. } = from {
            let asked = |rel: &RelId| self.asked_presence.contains(rel);
            form.present.left = form.present.left.filter(asked);
            form.present.right = form.present.right.filter(asked);
            self.keep_asked_presence(left);
            self.keep_asked_presence(right);
        }
    }

    /// The right side, which may refer to the left one laterally.
    fn join_right(&mut self, join: &ast::Join, left: &[Item]) -> Result<(From, Vec<Item>)> {
        let lateral_ok = matches!(join.kind, JoinKind::Inner | JoinKind::Left | JoinKind::Cross);
        let before = self.level().items.len();
        let lateral = left.iter().cloned().map(|mut item| {
            item.lateral_only = true;
            item.lateral_ok = lateral_ok;
            item
        });
        self.level().items.extend(lateral);
        let right = self.table_expr(&join.right);
        self.level().items.truncate(before);
        right
    }

    /// ON sees only the two sides of its join.
    fn join_on(&mut self, condition: &ast::Expr, items: &[Item]) -> Result<Expr> {
        let outer = self.level().items.clone();
        for item in &mut self.level().items {
            (item.relation_visible, item.columns_visible) = (false, false);
        }
        self.level().items.extend_from_slice(items);
        let result = self.in_clause(Clause::JoinOn, |binder| {
            let condition = binder.expr(condition)?;
            binder.coerce_to_boolean(condition, "JOIN/ON")
        });
        self.level().items = outer;
        result
    }

    /// The condition of USING, and the join's columns: merged ones first, then the others of each side.
    fn using(
        &mut self,
        join: &ast::Join,
        names: &[Ident],
        left: &[ItemColumn],
        right: &[ItemColumn],
        form: &mut JoinForm,
    ) -> Result<(Option<Expr>, Vec<ItemColumn>)> {
        let mut conditions = Vec::with_capacity(names.len());
        let mut merged = Vec::with_capacity(left.len() + right.len());
        for (position, name) in names.iter().enumerate() {
            if join.condition != JoinCondition::Natural
                && names.iter().take(position).any(|other| other.name == name.name)
            {
                let message = format!("column name \"{}\" appears more than once in USING clause", name.name);
                return Err(Error::new(sqlstate::DUPLICATE_COLUMN, message));
            }
            let l = side_column(left, name, "left")?;
            let r = side_column(right, name, "right")?;
            let l = Expr { span: name.span, ..l };
            let r = Expr { span: name.span, ..r };
            // Of an ASOF join the last column is what is near.
            let near = join.as_of == Some(None) && position + 1 == names.len();
            let condition =
                self.binary(&operator(if near { ">=" } else { "=" }, name.span), l.clone(), r.clone(), name.span)?;
            conditions.push(self.coerce_to_boolean(condition, "JOIN/USING")?);
            let (left, right) = (l.clone(), r.clone());
            let column = self.merged_column(join.kind, l, r, name.span)?;
            form.using.push(MergedColumn { name: name.name.clone(), left, right, merged: column.clone() });
            merged.push(ItemColumn { name: name.name.clone(), expr: column });
        }
        let is_merged = |column: &&ItemColumn| !names.iter().any(|name| name.name == column.name);
        merged.extend(left.iter().filter(is_merged).cloned());
        merged.extend(right.iter().filter(is_merged).cloned());
        let condition = match conditions.len() {
            0 => None,
            1 => conditions.pop(),
            _ => {
                let ty = aegis_catalog::Type::of(aegis_catalog::types::oid::BOOL);
                Some(Expr { kind: ExprKind::And(conditions), ty, span: Span::default() })
            }
        };
        Ok((condition, merged))
    }

    /// The left column for inner and left joins, the right one for right joins, whichever is there for full joins; of their common type.
    fn merged_column(&mut self, kind: JoinKind, left: Expr, right: Expr, span: Span) -> Result<Expr> {
        let (mut pair, ty) = self.unify(vec![left, right], "JOIN/USING")?;
        let right = pair.pop();
        let left = pair.pop();
        let (Some(left), Some(right)) = (left, right) else {
            return Err(Error::internal("a merged column without its sides"));
        };
        Ok(match kind {
            JoinKind::Inner | JoinKind::Cross | JoinKind::Left => left,
            JoinKind::Right => right,
            JoinKind::Full => Expr { kind: ExprKind::Coalesce(vec![left, right]), ty, span },
        })
    }
}

/// The condition that decides what is near, then the others.
fn both(matching: Option<Expr>, condition: Expr) -> Expr {
    match matching {
        None => condition,
        Some(matching) => {
            let (ty, span) = (condition.ty, condition.span);
            Expr { kind: ExprKind::And(vec![matching, condition]), ty, span }
        }
    }
}

fn visible_columns(items: &[Item]) -> Vec<ItemColumn> {
    items.iter().filter(|item| item.columns_visible).flat_map(|item| &item.columns).cloned().collect()
}

fn concat(mut left: Vec<ItemColumn>, right: Vec<ItemColumn>) -> Vec<ItemColumn> {
    left.extend(right);
    left
}

fn natural_columns(left: &[ItemColumn], right: &[ItemColumn], span: Span) -> Vec<Ident> {
    let shared = left.iter().filter(|column| right.iter().any(|other| other.name == column.name));
    shared.map(|column| Ident { name: column.name.clone(), span }).collect()
}

fn side_column(columns: &[ItemColumn], name: &Ident, side: &str) -> Result<Expr> {
    let mut found = columns.iter().filter(|column| column.name == name.name);
    let Some(column) = found.next() else {
        let message = format!("column \"{}\" specified in USING clause does not exist in {side} table", name.name);
        return Err(Error::new(sqlstate::UNDEFINED_COLUMN, message));
    };
    if found.next().is_some() {
        let message = format!("common column name \"{}\" appears more than once in {side} table", name.name);
        return Err(Error::new(sqlstate::AMBIGUOUS_COLUMN, message));
    }
    Ok(column.expr.clone())
}
