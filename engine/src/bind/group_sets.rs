//! GROUP BY with set-returning functions: their rows are there before the grouping, as if they were called in FROM.

use aegis_catalog::{Error, Result};

use super::group::Keys;
use super::target_list::Targets;
use super::tree::{Alias, Expr, ExprKind, From, JoinForm, RelId, SetCall};
use super::{Binder, RelSource, walk};
use crate::parse::ast::JoinKind;

impl Binder<'_> {
    pub(super) fn groups_by_sets(&mut self, keys: &Keys) -> bool {
        let sets = self.level().sets_rel;
        keys.exprs.iter().any(|key| walk::mentions(key, sets))
    }

    /// Calls the functions of the keys in FROM. What equals a key elsewhere becomes the key.
    pub(super) fn sets_into_from(
        &mut self,
        keys: &mut Keys,
        targets: &mut Targets,
        having: &mut Option<Expr>,
        from: Option<From>,
    ) -> Result<From> {
        let (sets, mut windows) = (self.level().sets_rel, std::mem::take(&mut self.level().windows));
        let calls = std::mem::take(&mut self.level().sets);
        let moved_rel = self.new_rel(RelSource::Internal);
        let mut moved: Vec<usize> = Vec::new();
        for key in &keys.exprs {
            walk::columns(&mut key.clone(), &mut |rel, column| {
                if rel == sets && !moved.contains(&column) {
                    moved.push(column);
                }
            });
        }
        if moved.iter().any(|&column| calls.get(column).is_none_or(|(level, _)| *level > 0)) {
            return Err(Error::unsupported("GROUP BY nested set-returning functions"));
        }
        let mut change = |expr: &mut Expr| {
            for key in keys.exprs.iter().filter(|key| walk::mentions(key, sets)) {
                replace(expr, key, sets, &calls, moved_rel, &moved);
            }
        };
        targets.entries_mut().for_each(|entry| change(&mut entry.expr));
        having.iter_mut().for_each(&mut change);
        windows.iter_mut().for_each(|call| walk::window(call, &mut change));
        keys.exprs.iter_mut().for_each(|key| renumber(key, sets, &|column| Some((moved_rel, place(&moved, column)?))));
        // The functions that are still called have new numbers.
        let mut left: Vec<usize> = Vec::new();
        let mut see = |expr: &mut Expr| {
            walk::columns(expr, &mut |rel, column| {
                if rel == sets && !left.contains(&column) {
                    left.push(column);
                }
            });
        };
        targets.entries_mut().for_each(|entry| see(&mut entry.expr));
        windows.iter_mut().for_each(|call| walk::window(call, &mut see));
        calls.clone().iter_mut().rev().flat_map(|(_, call)| &mut call.args).for_each(see);
        left.sort_unstable();
        let mut rest = |expr: &mut Expr| renumber(expr, sets, &|column| Some((sets, place(&left, column)?)));
        targets.entries_mut().for_each(|entry| rest(&mut entry.expr));
        windows.iter_mut().for_each(|call| walk::window(call, &mut rest));
        let functions = moved.iter().filter_map(|&column| calls.get(column)).map(|(_, call)| call.clone());
        let functions: Vec<SetCall> = functions.collect();
        let mut remaining: Vec<(usize, SetCall)> =
            left.iter().filter_map(|&column| calls.get(column).cloned()).collect();
        remaining.iter_mut().flat_map(|(_, call)| &mut call.args).for_each(rest);
        self.level().sets = remaining;
        self.level().windows = windows;
        let alias = Alias { name: "sets".into(), columns: Vec::new() };
        let function =
            From::Function { rel: moved_rel, calls: functions, ordinality: false, lateral: from.is_some(), alias };
        Ok(match from {
            None => function,
            Some(from) => From::Join {
                kind: JoinKind::Cross,
                left: Box::new(from),
                right: Box::new(function),
                condition: None,
                form: Box::new(JoinForm { listed: true, ..JoinForm::default() }),
            },
        })
    }
}

fn place(columns: &[usize], column: usize) -> Option<usize> {
    columns.iter().position(|&other| other == column)
}

/// Gives columns of the sets other names.
fn renumber(expr: &mut Expr, sets: RelId, name: &dyn Fn(usize) -> Option<(RelId, usize)>) {
    if let ExprKind::Column { rel, column } = &mut expr.kind
        && *rel == sets
        && let Some((new_rel, new_column)) = name(*column)
    {
        (*rel, *column) = (new_rel, new_column);
    }
    walk::children(expr, &mut |child| renumber(child, sets, name));
}

/// Puts the key, over the moved functions, where an expression equals it. Two calls that are alike are one.
fn replace(expr: &mut Expr, key: &Expr, sets: RelId, calls: &[(usize, SetCall)], moved_rel: RelId, moved: &[usize]) {
    let mut same = expr.clone();
    renumber(&mut same, sets, &|column| {
        let call = calls.get(column)?;
        Some((sets, moved.iter().copied().find(|&other| calls.get(other) == Some(call))?))
    });
    if same == *key {
        renumber(&mut same, sets, &|column| Some((moved_rel, place(moved, column)?)));
        expr.kind = same.kind;
        return;
    }
    walk::children(expr, &mut |child| replace(child, key, sets, calls, moved_rel, moved));
}
