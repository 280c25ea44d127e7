//! Statements that come again: what was planned for one is kept for the next of the same shape, so that a client who never prepares
//! anything does not pay for parsing and planning each time.
//!
//! A query string whose statement differs from an earlier one in constants only runs that one's plan with the constants as parameters. The
//! unnamed statement of the extended protocol is found by its whole text. Whatever cannot be kept with the same meaning (strings that were
//! read under other settings, statements that have no generic plan) is planned each time, as is everything that comes once.

use std::collections::HashMap;
use std::sync::Arc;

use aegis_catalog::types::FormatSettings;
use aegis_catalog::{Oid, Result};
use datafusion::scalar::ScalarValue;

use super::context::StatementContext;
use super::parameter;
use super::prepared::Prepared;
use crate::execute::generic_plan::is_candidate;
use crate::parse::ast::{ParsedStatement, Statement};
use crate::parse::constants::{Shape, parameterize};

/// Most statements that a session keeps, each some ten kilobytes.
const MAX_KEPT: usize = 32;

/// What a session keeps, by shape or text; the least recently used goes first.
#[derive(Default)]
pub(crate) struct Repeated {
    kept: HashMap<String, Entry>,
    /// Counts uses, to tell which is the least recent.
    clock: u64,
    /// What is known of the query string that was parsed last, until its statement starts.
    pub(super) coming: Option<Coming>,
}

struct Entry {
    used: u64,
    kept: Kept,
}

#[derive(Clone)]
enum Kept {
    /// It came once: worth a plan the next time.
    Seen,
    /// It has no plan that could be kept.
    Alone,
    /// A command without constants, parsed.
    Command(Arc<ParsedStatement>),
    Template(Arc<Template>),
    Unnamed(Arc<Prepared>),
}

/// A statement with parameters for its constants.
pub(super) struct Template {
    pub(super) prepared: Arc<Prepared>,
    /// Places of the parameters among the constants.
    parameters: Vec<usize>,
    /// The constants that are not parameters.
    fixed: Vec<(usize, String)>,
}

/// What a query string's statement is to do besides running.
pub(super) enum Coming {
    /// Run this one with these values.
    Recalled { template: Arc<Template>, values: Vec<ScalarValue>, shape: String },
    /// Become a template.
    Learn(Shape),
}

impl Repeated {
    /// The statement of a query string of this shape, if it need not be parsed. What it has to do is then in `coming`.
    pub(super) fn recall(&mut self, shape: Shape, settings: &FormatSettings) -> Option<Arc<ParsedStatement>> {
        match self.find(&shape.text) {
            None => self.keep(shape.text, Kept::Seen),
            Some(Kept::Seen) => self.coming = Some(Coming::Learn(shape)),
            Some(Kept::Command(statement)) => return Some(statement),
            Some(Kept::Template(template)) => {
                let values = template.values(&shape, settings)?;
                let statement = template.prepared.statement.clone()?;
                self.coming = Some(Coming::Recalled { template, values, shape: shape.text });
                return Some(statement);
            }
            Some(Kept::Alone | Kept::Unnamed(_)) => {}
        }
        None
    }

    /// Keeps what can be kept of a statement that was bound just now.
    pub(super) fn learn(&mut self, shape: Shape, prepared: &Prepared, context: &StatementContext) {
        let command = prepared.statement.as_ref().filter(|parsed| matches!(parsed.statement, Statement::Utility(_)));
        let kept = match command {
            Some(command) if shape.constants.is_empty() => Kept::Command(Arc::clone(command)),
            Some(_) => Kept::Alone,
            None => Template::new(&shape, prepared, context).map_or(Kept::Alone, |made| Kept::Template(Arc::new(made))),
        };
        self.keep(shape.text, kept);
    }

    /// A template that has turned out to be of no use.
    pub(super) fn give_up(&mut self, shape: String) {
        self.keep(shape, Kept::Alone);
    }

    /// The unnamed statement of that text, if it still is what preparing it anew would make.
    pub(super) fn unnamed(&mut self, sql: &str, types: &[Oid], context: &StatementContext) -> Option<Arc<Prepared>> {
        match self.find(&unnamed_key(sql, types))? {
            Kept::Unnamed(prepared) => prepared.plan_anew(context).is_ok().then_some(prepared),
            _ => None,
        }
    }

    fn knows_unnamed(&self, sql: &str, types: &[Oid]) -> bool {
        self.kept.contains_key(&unnamed_key(sql, types))
    }

    pub(super) fn keep_unnamed(&mut self, types: &[Oid], prepared: &Arc<Prepared>) {
        let planned = prepared.statement.as_ref().is_some_and(|it| !matches!(it.statement, Statement::Utility(_)));
        if planned && crate::parse::constants::has_one_meaning(&prepared.sql) {
            self.keep(unnamed_key(&prepared.sql, types), Kept::Unnamed(Arc::clone(prepared)));
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    fn find(&mut self, key: &str) -> Option<Kept> {
        self.clock += 1;
        let entry = self.kept.get_mut(key)?;
        entry.used = self.clock;
        Some(entry.kept.clone())
    }

    fn keep(&mut self, key: String, kept: Kept) {
        if self.kept.len() >= MAX_KEPT && !self.kept.contains_key(&key) {
            let oldest = self.kept.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone());
            oldest.and_then(|key| self.kept.remove(&key));
        }
        self.kept.insert(key, Entry { used: self.clock, kept });
    }
}

/// No shape begins like that.
fn unnamed_key(sql: &str, types: &[Oid]) -> String {
    format!("\0{types:?}{sql}")
}

impl Template {
    /// None unless the statement with parameters is one row's work and answers with the same columns.
    fn new(shape: &Shape, bound: &Prepared, context: &StatementContext) -> Option<Self> {
        let made = parameterize(bound.statement.as_ref()?, &shape.constants)?;
        let types: Vec<Oid> =
            made.parameters.iter().filter_map(|place| Some(shape.constants.get(*place)?.ty)).collect();
        let prepared = Prepared::new("", &bound.sql, Some(Arc::new(made.statement)), &types, context).ok()?;
        let types =
            |of: &Prepared| of.columns().map(|all| all.iter().map(|c| (c.name.clone(), c.ty)).collect::<Vec<_>>());
        let same = types(&prepared) == types(bound) && prepared.parameters.len() == made.parameters.len();
        if !same || !is_candidate(&prepared.plan(context).ok()?.tree.statement, &context.catalog) {
            return None;
        }
        let fixed = shape.constants.iter().enumerate().filter(|(place, _)| !made.parameters.contains(place));
        let fixed = fixed.map(|(place, constant)| (place, constant.value.clone())).collect();
        Some(Self { prepared: Arc::new(prepared), parameters: made.parameters, fixed })
    }

    /// The values of a statement of this shape; None if it is not this statement, or if a value is no good, which an error is for that
    /// planning words better.
    fn values(&self, shape: &Shape, settings: &FormatSettings) -> Option<Vec<ScalarValue>> {
        let value = |place: &usize| shape.constants.get(*place).map(|constant| constant.value.as_str());
        if !self.fixed.iter().all(|(place, fixed)| value(place) == Some(fixed)) {
            return None;
        }
        let given = self.parameters.iter().zip(&self.prepared.parameters);
        given.map(|(place, ty)| parameter::from_text(*ty, value(place)?, settings).ok()).collect()
    }
}

impl super::Session {
    /// The unnamed statement, if the same text was prepared lately.
    pub(super) fn repeat_unnamed(&mut self, sql: &str, types: &[Oid]) -> Result<Option<Arc<Prepared>>> {
        if !self.repeated.knows_unnamed(sql, types) {
            return Ok(None);
        }
        let context = self.context()?;
        Ok(self.repeated.unnamed(sql, types, &context))
    }

    /// The statement that a query string starts, bound and with its parameters: that of an earlier one of its shape if there is one.
    pub(super) fn bound(
        &mut self,
        sql: &Arc<str>,
        statement: &Arc<ParsedStatement>,
        coming: Option<&Coming>,
        context: &StatementContext,
    ) -> Result<(Arc<Prepared>, Vec<ScalarValue>)> {
        let Some(Coming::Recalled { template, values, shape }) = coming else {
            let prepared = Prepared::new("", sql, Some(Arc::clone(statement)), &[], context)?;
            return Ok((Arc::new(prepared), Vec::new()));
        };
        if template.prepared.plan_anew(context).is_ok_and(|plan| !plan.is_general()) {
            return Ok((Arc::clone(&template.prepared), values.clone()));
        }
        self.repeated.give_up(shape.clone());
        let statement = crate::parse::parse(sql)?.pop().map(Arc::new);
        Ok((Arc::new(Prepared::new("", sql, statement, &[], context)?), Vec::new()))
    }
}
