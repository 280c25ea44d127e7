//! What every changed table brings along: its defaults, generated columns, checks, and RETURNING.

use std::sync::Arc;

use aegis_catalog::object::{Column, ConstraintKind, ObjectAddress, Relation, RelationKind};
use aegis_catalog::types::oid;
use aegis_catalog::{Error, Oid, Result, Type, fixed_oid, sqlstate};
use datafusion::scalar::ScalarValue;

use super::Binder;
use super::coerce::{Context, null_of};
use super::scope::{Clause, Level};
use super::tree::{Expr, ExprKind, RelId, Returning, RowCheck, RowRules};
use super::updatable::{Change, TargetTable};
use crate::parse::ast::{self, Name, Span};

impl Binder<'_> {
    /// The table that a statement changes.
    pub(super) fn target_table(&mut self, name: &Name, change: Change) -> Result<TargetTable> {
        let relation = self.relation_named(name)?;
        let shown = &relation.name;
        match &relation.kind {
            RelationKind::Table(_) if relation.materialized().is_some() && !self.fills_views => {
                let message = format!("cannot change materialized view \"{shown}\"");
                Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message))
            }
            RelationKind::Table(_) => Ok(TargetTable::of_table(relation)),
            RelationKind::View(_) => self.target_view(&relation, change),
            RelationKind::System => {
                let message = format!("permission denied: \"{shown}\" is a system catalog");
                Err(Error::new(sqlstate::INSUFFICIENT_PRIVILEGE, message).at(name.span.start))
            }
            RelationKind::Sequence(_) => {
                let message = format!("cannot change sequence \"{shown}\"");
                Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message).at(name.span.start))
            }
            RelationKind::Composite => {
                let message = format!("\"{}\" is a composite type", relation.name);
                Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message).at(name.span.start))
            }
            RelationKind::Index(_) => {
                let message = format!("cannot open relation \"{shown}\"");
                Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message)
                    .with_detail("This operation is not supported for indexes.")
                    .at(name.span.start))
            }
        }
    }

    /// What a column holds if nothing is said: identity, default, or null.
    pub(super) fn default_of(&mut self, relation: &Relation, column: &Column) -> Result<Expr> {
        let value = if column.identity.is_some() {
            let sequence = self.identity_sequence(relation, column)?;
            let kind = ExprKind::Constant(ScalarValue::UInt32(Some(sequence)));
            let sequence = Expr { kind, ty: Type::of(oid::REGCLASS), span: Span::default() };
            Some(self.call_named("nextval", vec![sequence], Span::default())?)
        } else {
            match &column.default {
                Some(text) if !column.generated => Some(self.default_expr(text)?),
                _ => self.domain_default(column.ty.oid)?,
            }
        };
        match value {
            Some(value) => self.coerce_to_target(value, column.ty, Context::Assignment, true)?.ok_or_else(|| {
                Error::internal(format!("the default of column \"{}\" does not fit its type", column.name))
            }),
            None => {
                let null = null_of(self.base_type(column.ty), Span::default(), &self.catalog)?;
                self.coerce(null, column.ty, Context::Assignment, true)
            }
        }
    }

    /// The default of a domain, or of the nearest domain that it is over.
    fn domain_default(&mut self, ty: Oid) -> Result<Option<Expr>> {
        let mut ty = ty;
        while let Some(domain) = self.catalog.user_type(ty).cloned()
            && let Some(domain) = domain.domain()
        {
            if let Some(text) = &domain.default {
                return self.default_expr(text).map(Some);
            }
            ty = domain.base.oid;
        }
        Ok(None)
    }

    fn default_expr(&mut self, text: &str) -> Result<Expr> {
        let parsed = crate::parse::parse_expression(text)?;
        let mut level = Level::new(Clause::Default);
        level.barrier = true;
        self.levels.push(level);
        let bound = self.expr(&parsed);
        self.levels.pop();
        bound.map(unplaced)
    }

    fn identity_sequence(&self, relation: &Relation, column: &Column) -> Result<Oid> {
        let owner = Some((relation.oid, column.attnum));
        let owned = |oid: Oid| {
            let sequence = self.catalog.relation(oid)?.sequence()?;
            (sequence.owned_by == owner).then_some(oid)
        };
        let address = ObjectAddress { class: fixed_oid::PG_CLASS, object: relation.oid, sub: i32::from(column.attnum) };
        let dependents = self.catalog.dependents_of(address);
        let found = dependents.iter().find_map(|edge| owned(edge.dependent.object));
        let found = found.or_else(|| self.catalog.user_relations().find_map(|relation| owned(relation.oid)));
        found.ok_or_else(|| Error::internal(format!("no owned sequence found for column \"{}\"", column.name)))
    }

    /// Generated columns and checks, over the new row `rel`.
    pub(super) fn row_rules(&mut self, relation: &Arc<Relation>, rel: RelId) -> Result<RowRules> {
        let mut rules = RowRules::default();
        for column in relation.live_columns().filter(|column| column.generated) {
            let Some(text) = &column.default else { continue };
            let expr = self.over_row(relation, rel, text, Clause::Generated)?;
            let expr = self.coerce_to_target(expr, column.ty, Context::Assignment, true)?.ok_or_else(|| {
                Error::internal(format!("the expression of column \"{}\" does not fit its type", column.name))
            })?;
            rules.generated.push((column.attnum, expr));
        }
        for constraint in relation.constraints() {
            if let ConstraintKind::Check { expression, .. } = &constraint.kind {
                let check = self.over_row(relation, rel, expression, Clause::Check)?;
                let check = self.coerce_to_boolean(check, "CHECK")?;
                rules.checks.push((RowCheck::Constraint(constraint.name.clone()), check));
            }
        }
        Ok(rules)
    }

    /// Stored expression text over the columns of one row.
    pub(super) fn over_row(
        &mut self,
        relation: &Arc<Relation>,
        rel: RelId,
        text: &str,
        clause: Clause,
    ) -> Result<Expr> {
        let parsed = crate::parse::parse_expression(text)?;
        let item = self.table_item(rel, relation, None)?;
        let mut level = Level::new(clause);
        level.barrier = true;
        level.items.push(item);
        self.levels.push(level);
        let bound = self.expr(&parsed);
        self.levels.pop();
        bound.map(unplaced)
    }

    pub(super) fn returning(&mut self, list: &[ast::Target]) -> Result<Option<Returning>> {
        if list.is_empty() {
            return Ok(None);
        }
        let mut targets = self.in_clause(Clause::Returning, |binder| binder.target_list(list))?;
        self.resolve_targets(&mut targets)?;
        let columns = targets.columns();
        Ok(Some(Returning { targets: targets.into_exprs(), columns }))
    }

    /// A column that an INSERT or UPDATE names.
    pub(super) fn target_column<'r>(&self, relation: &'r Relation, target: &ast::AssignTarget) -> Result<&'r Column> {
        let name = &target.column;
        let Some(column) = relation.column_by_name(&name.name) else {
            let message = if super::tree::SYSTEM_COLUMNS.iter().any(|(system, _)| *system == name.name) {
                format!("cannot assign to system column \"{}\"", name.name)
            } else {
                format!("column \"{}\" of relation \"{}\" does not exist", name.name, relation.name)
            };
            let system = message.starts_with("cannot");
            let code = if system { sqlstate::FEATURE_NOT_SUPPORTED } else { sqlstate::UNDEFINED_COLUMN };
            return Err(Error::new(code, message).at(name.span.start));
        };
        Ok(column)
    }

    /// A value as assigned to a column: type and length enforced.
    pub(super) fn assign(&mut self, value: Expr, column: &Column) -> Result<Expr> {
        let (ty, span) = (value.ty, value.span);
        match self.coerce_to_target(value, column.ty, Context::Assignment, true)? {
            Some(value) => Ok(value),
            None => {
                let (to, from) = (self.oid_name(column.ty.oid), self.oid_name(ty.oid));
                let message = format!("column \"{}\" is of type {to} but expression is of type {from}", column.name);
                Err(Error::new(sqlstate::DATATYPE_MISMATCH, message)
                    .with_hint("You will need to rewrite or cast the expression.")
                    .at(span.start))
            }
        }
    }
}

/// Stored text has no place in the statement that errors could point at.
fn unplaced(mut expr: Expr) -> Expr {
    fn clear(expr: &mut Expr) {
        expr.span = Span::default();
        super::walk::children(expr, &mut clear);
    }
    clear(&mut expr);
    expr
}
