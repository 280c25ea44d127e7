//! Bound tree to SQL text, in the form that PostgreSQL shows expressions and views in (`pg_get_expr`, `pg_get_viewdef`; manual,
//! "System Catalog Information Functions"). It is also the form in which the catalog keeps them: bound again, the text gives the same
//! tree, whatever the search path, as long as the names in it mean the same.
//!
//! Pure: the names of relations and columns come from the given catalog by OID and number, so that text made under a catalog in which
//! something was renamed has the new names.

mod aggregate;
mod call;
mod constant;
mod expr;
mod from;
mod names;
mod query;
mod simple;
mod subquery;
mod window;

use std::collections::{HashMap, HashSet};

use aegis_catalog::definition::Printer;
use aegis_catalog::object::Relation;
use aegis_catalog::types::FormatSettings;
use aegis_catalog::{Error, Result};

use crate::bind::tree::{AggregateCall, CteId, Expr, JoinForm, Query, RelId, SetCall, WindowCall};
use names::RelNames;

/// How the text is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Parentheses only where precedence needs them.
    pub pretty: bool,
    /// Clauses on lines of their own.
    pub indent: bool,
    /// Columns of a line before a target or FROM item goes to the next one.
    pub width: usize,
    /// For the binder, not for eyes.
    pub stored: bool,
}

impl Layout {
    /// All in one line, as it is stored.
    pub const STORED: Self = Self { pretty: false, indent: false, width: 0, stored: true };
    /// What the `pg_get_…` functions print unless told otherwise.
    pub const PLAIN: Self = Self { pretty: false, indent: true, width: 0, stored: false };
    pub const PRETTY: Self = Self { pretty: true, indent: true, width: 0, stored: false };

    pub fn of(pretty: bool) -> Self {
        if pretty { Self::PRETTY } else { Self::PLAIN }
    }
}

/// What text is made for: the names in sight, the session's formats, the layout.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    pub printer: Printer<'a>,
    pub format: &'a FormatSettings,
    pub layout: Layout,
}

/// An expression over the columns of one relation, which are printed without the relation's name.
pub fn expression(expr: &Expr, rel: RelId, relation: &Relation, target: Target<'_>) -> Result<String> {
    let mut out = Deparser::new(target);
    let names = out.relation_names(relation, None);
    out.names.insert(rel, names);
    out.expr(expr, false);
    out.finish()
}

/// An expression over no relation.
pub fn free_expression(expr: &Expr, target: Target<'_>) -> Result<String> {
    let mut out = Deparser::new(target);
    out.expr(expr, false);
    out.finish()
}

/// A query; `columns` are the names of its output if it is a view's.
pub fn query(query: &Query, columns: &[String], target: Target<'_>) -> Result<String> {
    let mut out = Deparser::new(target);
    // The names that rules know the view's own rows by.
    out.taken.push(HashSet::from(["old".to_owned(), "new".to_owned()]));
    out.query(query, Some(columns), true);
    out.finish()
}

/// A query in the body of a routine, with the names of its arguments.
pub fn body_query(query: &Query, routine: &str, names: &[String], target: Target<'_>) -> Result<String> {
    let mut out = Deparser::new(target);
    out.arguments = Some((routine.to_owned(), names.to_vec()));
    out.columns_visible = false;
    out.query(query, None, false);
    out.finish()
}

/// An expression that is the body of a routine.
pub fn body_expression(expr: &Expr, routine: &str, names: &[String], target: Target<'_>) -> Result<String> {
    let mut out = Deparser::new(target);
    out.arguments = Some((routine.to_owned(), names.to_vec()));
    out.expr(expr, false);
    out.finish()
}

/// What an expression is, seen through the columns that grouping, windows and set-returning functions put in the place of their parts.
#[derive(Clone, Copy)]
enum Node<'t> {
    Expr(&'t Expr),
    Aggregate(&'t AggregateCall),
    Window(&'t WindowCall),
    Set(&'t SetCall),
}

/// A column under a name that does not come from its relation: of a join with an alias, or merged by a full join.
struct NamedExpr<'t> {
    expr: &'t Expr,
    join: Option<String>,
    name: String,
    /// Inside this join, the name does not stand for it yet.
    form: &'t JoinForm,
}

struct Deparser<'t> {
    target: Target<'t>,
    out: String,
    indent: usize,
    /// Columns are printed with the name of their relation.
    qualified: bool,
    /// The names of the output are seen by whoever reads the query.
    columns_visible: bool,
    names: HashMap<RelId, RelNames>,
    ctes: HashMap<CteId, String>,
    /// Output columns of grouping, windows and set-returning functions.
    outputs: HashMap<RelId, Vec<Node<'t>>>,
    named: Vec<NamedExpr<'t>>,
    /// Names of joins with an alias, and of their columns.
    joins: Vec<(&'t JoinForm, RelNames)>,
    /// Joins that are being written.
    inside_joins: Vec<&'t JoinForm>,
    /// Names of FROM items, a set for each query around and the one being printed.
    taken: Vec<HashSet<String>>,
    /// Name and arguments of the routine whose body is printed.
    arguments: Option<(String, Vec<String>)>,
    /// The first thing that has no text.
    failure: Option<Error>,
}

/// From here on, deeper levels are indented by less.
const INDENT_LIMIT: usize = 40;
const INDENT_STEP: usize = 8;
/// Indentation of what is inside a CASE, and of wrapped lists.
const INDENT_INNER: usize = 4;

impl<'t> Deparser<'t> {
    fn new(target: Target<'t>) -> Self {
        Self {
            target,
            out: String::new(),
            indent: 0,
            qualified: false,
            columns_visible: true,
            names: HashMap::new(),
            ctes: HashMap::new(),
            outputs: HashMap::new(),
            named: Vec::new(),
            joins: Vec::new(),
            inside_joins: Vec::new(),
            taken: Vec::new(),
            arguments: None,
            failure: None,
        }
    }

    /// `$n`, or the name that the body knows it by.
    fn parameter(&mut self, number: u32) {
        let named = self.arguments.clone().and_then(|(routine, names)| {
            let name = names.get((number as usize).checked_sub(1)?)?.clone();
            (!name.is_empty()).then_some((routine, name))
        });
        match named {
            Some((routine, name)) => {
                if !self.names.is_empty() {
                    self.quoted(&routine);
                    self.push(".");
                }
                self.quoted(&name);
            }
            None => self.push(&format!("${number}")),
        }
    }

    fn finish(self) -> Result<String> {
        match self.failure {
            Some(error) => Err(error),
            None => Ok(self.out),
        }
    }

    fn fail(&mut self, what: &str) {
        self.failure.get_or_insert_with(|| Error::internal(format!("{what} cannot be written as text")));
    }

    fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn quoted(&mut self, name: &str) {
        self.out.push_str(&aegis_catalog::definition::quote_identifier(name));
    }

    /// A keyword on a line of its own, if the layout has lines; `back` less and then `forth` more indented than what is around, and
    /// by `plus` more itself.
    fn keyword(&mut self, text: &str, back: usize, forth: usize, plus: usize) {
        if self.target.layout.indent {
            self.indent = self.indent.saturating_sub(back);
            self.new_line(plus);
            self.indent += forth;
        }
        self.out.push_str(text);
    }

    fn new_line(&mut self, plus: usize) {
        self.out.truncate(self.out.trim_end_matches(' ').len());
        let mut amount = self.indent;
        if amount >= INDENT_LIMIT {
            amount = (INDENT_LIMIT + (amount - INDENT_LIMIT) / (INDENT_STEP / 2)) % INDENT_LIMIT;
        }
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n(' ', amount + plus));
    }

    /// The text that `work` makes, on its own.
    fn aside(&mut self, work: impl FnOnce(&mut Self)) -> String {
        let outer = std::mem::take(&mut self.out);
        work(self);
        std::mem::replace(&mut self.out, outer)
    }

    fn separated<T>(&mut self, list: impl IntoIterator<Item = T>, mut each: impl FnMut(&mut Self, T)) {
        for (position, item) in list.into_iter().enumerate() {
            if position > 0 {
                self.push(", ");
            }
            each(self, item);
        }
    }

    /// Opens a parenthesis that prettier layouts leave out.
    fn open(&mut self) {
        if !self.target.layout.pretty {
            self.out.push('(');
        }
    }

    fn close(&mut self) {
        if !self.target.layout.pretty {
            self.out.push(')');
        }
    }

    fn type_name(&mut self, ty: aegis_catalog::Type) {
        let name = aegis_catalog::definition::format_type(self.target.printer, ty);
        self.out.push_str(&name);
    }
}

#[cfg(test)]
mod tests;
