//! FROM.

use super::{Deparser, INDENT_INNER, INDENT_STEP};
use crate::bind::tree::{Alias, Expr, From, JoinForm, RelId, Sample, SampleMethod, SetCall};
use crate::parse::ast::JoinKind;

impl<'t> Deparser<'t> {
    pub(super) fn from_clause(&mut self, from: &'t From) {
        let mut items = Vec::new();
        listed_items(from, &mut items);
        for (position, item) in items.into_iter().enumerate() {
            if position == 0 {
                self.keyword(" FROM ", INDENT_STEP, INDENT_STEP, 2);
                self.from_item(item);
                continue;
            }
            self.push(", ");
            let text = self.aside(|out| out.from_item(item));
            if self.target.layout.indent {
                if text.starts_with('\n') {
                    self.out.truncate(self.out.trim_end_matches(' ').len());
                } else {
                    let line = self.out.len() - self.out.rfind('\n').map_or(0, |end| end + 1);
                    if line + text.len() > self.target.layout.width {
                        self.keyword("", INDENT_STEP, INDENT_STEP, INDENT_INNER);
                    }
                }
            }
            self.push(&text);
        }
    }

    fn from_item(&mut self, from: &'t From) {
        match from {
            From::Table { rel, relation, only, alias, sample } => {
                let current = self.current(relation);
                if *only {
                    self.push("ONLY ");
                }
                self.relation(current);
                self.alias(*rel, alias.is_some(), &current.name);
                if let Some(sample) = sample {
                    self.sample(sample);
                }
            }
            From::Subquery { rel, view: Some(view), alias, .. } => {
                let Some(relation) = self.target.printer.catalog.relation(*view) else {
                    return self.fail("a view that is gone");
                };
                self.relation(relation);
                self.alias(*rel, alias.is_some(), &relation.name);
            }
            From::Subquery { rel, query, lateral, alias: Some(_), .. } => {
                if *lateral {
                    self.push("LATERAL ");
                }
                self.push("(");
                self.query(query, None, true);
                self.push(")");
                self.alias(*rel, true, "");
            }
            From::Subquery { .. } => self.fail("a sub-query without a name"),
            From::Function { rel, calls, ordinality, lateral, alias } => {
                self.functions(*rel, calls, (*ordinality, *lateral), alias);
            }
            From::Cte { rel, cte, alias, .. } => {
                let name = self.ctes.get(cte).cloned().unwrap_or_default();
                self.quoted(&name);
                self.alias(*rel, alias.is_some(), &name);
            }
            From::Join { kind, left, right, condition, form } => {
                self.join(*kind, (left, right), condition.as_ref(), form);
            }
        }
    }

    fn sample(&mut self, sample: &'t Sample) {
        self.push(match sample.method {
            SampleMethod::Bernoulli => " TABLESAMPLE bernoulli (",
            SampleMethod::System => " TABLESAMPLE system (",
        });
        self.expr(&sample.percentage, false);
        self.push(")");
        if let Some(seed) = &sample.seed {
            self.push(" REPEATABLE (");
            self.expr(seed, false);
            self.push(")");
        }
    }

    /// The item's name if it is not its own, and its columns' if they are not.
    fn alias(&mut self, rel: RelId, given: bool, own: &str) {
        let Some(names) = self.names.get(&rel) else { return };
        let columns: Option<Vec<String>> = names.listed.then(|| {
            let live = names.columns.iter().flatten();
            let system =
                |name: &&String| !crate::bind::tree::SYSTEM_COLUMNS.iter().any(|(system, _)| *system == name.as_str());
            live.filter(system).cloned().collect()
        });
        let name = names.name.clone();
        if given || columns.is_some() || name != own {
            self.push(" ");
            self.quoted(&name);
        }
        self.column_list(&columns.unwrap_or_default());
    }

    fn functions(&mut self, rel: RelId, calls: &'t [SetCall], (ordinality, lateral): (bool, bool), alias: &'t Alias) {
        if lateral {
            self.push("LATERAL ");
        }
        let is_unnest = |call: &SetCall| call.function.name == "unnest" && call.columns.len() == 1;
        match calls {
            [call] => self.set_call(call),
            calls if calls.iter().all(is_unnest) => {
                self.push("UNNEST(");
                self.exprs(calls.iter().flat_map(|call| &call.args));
                self.push(")");
            }
            calls => {
                self.push("ROWS FROM(");
                self.separated(calls, |out, call| out.set_call(call));
                self.push(")");
            }
        }
        if ordinality {
            self.push(" WITH ORDINALITY");
        }
        let defined = |call: &SetCall| {
            call.function.returns == aegis_catalog::types::oid::RECORD && call.function.out_columns.is_empty()
        };
        match calls {
            [call] if defined(call) && !ordinality => self.definitions(rel, call),
            _ => self.alias(rel, true, &alias.name),
        }
    }

    /// The alias of a function that returns records, with the columns that they consist of.
    fn definitions(&mut self, rel: RelId, call: &'t SetCall) {
        let Some(names) = self.names.get(&rel) else { return };
        let (name, columns) = (names.name.clone(), names.columns.clone());
        self.push(" ");
        self.quoted(&name);
        self.push("(");
        self.separated(call.columns.iter().enumerate(), |out, (position, column)| {
            let name = columns.get(position).cloned().flatten().unwrap_or_else(|| column.name.clone());
            out.quoted(&name);
            out.push(" ");
            out.type_name(column.ty);
        });
        self.push(")");
    }

    fn join(
        &mut self,
        kind: JoinKind,
        (left, right): (&'t From, &'t From),
        condition: Option<&'t Expr>,
        form: &'t JoinForm,
    ) {
        let pretty = self.target.layout.pretty;
        let enclosed = !pretty || form.alias.is_some();
        if enclosed {
            self.push("(");
        }
        self.inside_joins.push(form);
        self.from_item(left);
        let word = match (kind, condition) {
            (JoinKind::Inner, Some(_)) if form.as_of.is_some() => " ASOF JOIN ",
            (JoinKind::Left, _) if form.as_of.is_some() => " ASOF LEFT JOIN ",
            (JoinKind::Inner, Some(_)) => " JOIN ",
            (JoinKind::Inner | JoinKind::Cross, _) => " CROSS JOIN ",
            (JoinKind::Left, _) => " LEFT JOIN ",
            (JoinKind::Full, _) => " FULL JOIN ",
            (JoinKind::Right, _) => " RIGHT JOIN ",
        };
        self.keyword(word, INDENT_STEP, INDENT_STEP, INDENT_INNER);
        let right_enclosed = pretty && matches!(right, From::Join { form, .. } if form.alias.is_none());
        if right_enclosed {
            self.push("(");
        }
        self.from_item(right);
        if right_enclosed {
            self.push(")");
        }
        if let Some(matching) = form.as_of.as_ref().and_then(|as_of| as_of.matching.as_ref()) {
            self.push(" MATCH_CONDITION ");
            self.open();
            self.expr(matching, false);
            self.close();
        }
        if !form.using.is_empty() {
            self.push(" USING (");
            self.separated(&form.using, |out, merged| out.quoted(&merged.name));
            self.push(")");
            if let Some(alias) = &form.using_alias {
                self.push(" AS ");
                self.quoted(alias);
            }
        } else if let Some(condition) = condition {
            self.push(" ON ");
            self.open();
            self.expr(condition, false);
            self.close();
        } else if !matches!(kind, JoinKind::Inner | JoinKind::Cross) {
            self.push(" ON TRUE");
        }
        if enclosed {
            self.push(")");
        }
        self.inside_joins.pop();
        let named = self.joins.iter().find(|(other, _)| std::ptr::eq(*other, form));
        if let Some((_, names)) = named {
            let columns: Vec<String> = names.columns.iter().flatten().filter(|_| names.listed).cloned().collect();
            let name = names.name.clone();
            self.push(" ");
            self.quoted(&name);
            self.column_list(&columns);
        }
    }

    fn column_list(&mut self, columns: &[String]) {
        if !columns.is_empty() {
            self.push("(");
            self.separated(columns, |out, column| out.quoted(column));
            self.push(")");
        }
    }
}

/// The items of a FROM list, left to right.
fn listed_items<'t>(from: &'t From, items: &mut Vec<&'t From>) {
    match from {
        From::Join { left, right, form, .. } if form.listed => {
            listed_items(left, items);
            items.push(right);
        }
        item => items.push(item),
    }
}
