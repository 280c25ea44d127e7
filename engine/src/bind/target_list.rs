//! Target lists (PostgreSQL's parse_target.c): expressions with their names, `*` expanded.

use aegis_catalog::types::oid;
use aegis_catalog::{Error, Oid, Result, Type, sqlstate};

use super::output_name::output_name;
use super::scope::{Item, ItemColumn, WholeRow};
use super::tree::{Expr, ExprKind, OutputColumn};
use super::{Binder, RelSource};
use crate::parse::ast::{self, Name, Span};

/// The expressions a SELECT computes: those it shows, then hidden ones that only sort or distinguish.
#[derive(Default)]
pub(super) struct Targets {
    entries: Vec<Entry>,
    visible: usize,
}

#[derive(Clone)]
pub(super) struct Entry {
    pub(super) expr: Expr,
    pub(super) name: String,
    pub(super) origin: Option<(Oid, i16)>,
}

impl Targets {
    pub(super) fn visible(&self) -> usize {
        self.visible
    }

    pub(super) fn entry(&self, position: usize) -> Result<&Entry> {
        self.entries.get(position).ok_or_else(|| Error::internal("no such target"))
    }

    pub(super) fn entry_mut(&mut self, position: usize) -> Result<&mut Entry> {
        self.entries.get_mut(position).ok_or_else(|| Error::internal("no such target"))
    }

    pub(super) fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.entries.iter_mut()
    }

    pub(super) fn visible_entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().take(self.visible)
    }

    pub(super) fn add(&mut self, entry: Entry) {
        debug_assert_eq!(self.entries.len(), self.visible, "visible targets come first");
        self.entries.push(entry);
        self.visible += 1;
    }

    pub(super) fn add_hidden(&mut self, expr: Expr) -> usize {
        self.entries.push(Entry { expr, name: "?column?".into(), origin: None });
        self.entries.len() - 1
    }

    pub(super) fn position_of(&self, expr: &Expr) -> Option<usize> {
        self.entries.iter().position(|entry| entry.expr == *expr)
    }

    /// The visible target of that name; 42702 if several different ones have it.
    pub(super) fn named(&self, name: &str, place: &str, span: Span) -> Result<Option<usize>> {
        let mut found: Option<usize> = None;
        for (position, entry) in self.visible_entries().enumerate().filter(|(_, entry)| entry.name == name) {
            match found {
                Some(first) if self.entries[first].expr != entry.expr => {
                    let message = format!("{place} \"{name}\" is ambiguous");
                    return Err(Error::new(sqlstate::AMBIGUOUS_COLUMN, message).at(span.start));
                }
                Some(_) => {}
                None => found = Some(position),
            }
        }
        Ok(found)
    }

    pub(super) fn columns(&self) -> Vec<OutputColumn> {
        let entries = self.visible_entries();
        entries
            .map(|entry| OutputColumn { name: entry.name.clone(), ty: entry.expr.ty, origin: entry.origin })
            .collect()
    }

    pub(super) fn into_exprs(self) -> Vec<Expr> {
        self.entries.into_iter().map(|entry| entry.expr).collect()
    }
}

impl Binder<'_> {
    pub(super) fn target_list(&mut self, list: &[ast::Target]) -> Result<Targets> {
        let mut targets = Targets::default();
        for target in list {
            match &target.expr.kind {
                ast::ExprKind::Star(None) => self.expand_all(target.expr.span, &mut targets)?,
                ast::ExprKind::Star(Some(name)) => {
                    let item = self.star_item(name)?;
                    self.expand_item(&item, target.expr.span, &mut targets);
                }
                ast::ExprKind::FieldStar(arg) => {
                    for (name, expr) in self.expand_record(arg, target.expr.span)? {
                        targets.add(Entry { expr, name, origin: None });
                    }
                }
                _ => {
                    let expr = self.expr(&target.expr)?;
                    let name = match &target.alias {
                        Some(alias) => alias.name.clone(),
                        None => output_name(&target.expr),
                    };
                    let origin = self.origin(&expr);
                    targets.add(Entry { expr, name, origin });
                }
            }
        }
        Ok(targets)
    }

    fn expand_all(&mut self, span: Span, targets: &mut Targets) -> Result<()> {
        let items: Vec<Item> = self.level().items.iter().filter(|item| item.columns_visible).cloned().collect();
        if self.level().items.is_empty() {
            let message = "SELECT * with no tables specified is not valid";
            return Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(span.start));
        }
        for item in &items {
            self.expand_item(item, span, targets);
        }
        Ok(())
    }

    fn expand_item(&self, item: &Item, span: Span, targets: &mut Targets) {
        for column in &item.columns {
            let expr = Expr { span, ..column.expr.clone() };
            let origin = self.origin(&expr);
            targets.add(Entry { expr, name: column.name.clone(), origin });
        }
    }

    /// The item of `t.*`.
    pub(super) fn star_item(&mut self, name: &Name) -> Result<Item> {
        let Some((schema, table)) = self.relation_parts(&name.parts)? else {
            let message = "improper qualified name (too many dotted names)";
            return Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(name.span.start));
        };
        match self.item_named(schema, &table.name, name.span)? {
            Some(item) => Ok(item),
            None => match self.argument_item(name)? {
                Some(item) => Ok(item),
                None => Err(self.missing_from_entry(&table.name, name.span)),
            },
        }
    }

    /// The fields of a composite argument of the function whose body this is.
    fn argument_item(&mut self, name: &Name) -> Result<Option<Item>> {
        let Some(argument) = self.argument_named(name)? else { return Ok(None) };
        let Some(fields) = self.fields_of(&argument) else { return Ok(None) };
        let columns = fields.iter().enumerate().map(|(index, (name, ty))| ItemColumn {
            name: name.clone(),
            expr: field(&argument, index, *ty, argument.span),
        });
        let mut item = Item::new(None, columns.collect());
        item.whole_row = WholeRow::Row(argument.ty);
        Ok(Some(item))
    }

    /// The fields of `(composite).*`.
    pub(super) fn expand_record(&mut self, arg: &ast::Expr, span: Span) -> Result<Vec<(String, Expr)>> {
        let record = self.expr(arg)?;
        let Some(fields) = self.fields_of(&record) else {
            let message = if record.ty.oid == oid::RECORD {
                "record type has not been registered".to_owned()
            } else {
                format!("type {} is not composite", self.oid_name(record.ty.oid))
            };
            return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message).at(span.start));
        };
        let fields = fields.iter().enumerate();
        Ok(fields.map(|(index, (name, ty))| (name.clone(), field(&record, index, *ty, span))).collect())
    }

    /// Table and column number if the expression is a plain column, also through sub-queries.
    pub(super) fn origin(&self, expr: &Expr) -> Option<(Oid, i16)> {
        let ExprKind::Column { rel, column } = expr.kind else { return None };
        match &self.rels.get(&rel)?.source {
            RelSource::Table(relation) => match relation.columns.get(column) {
                Some(found) => Some((relation.oid, found.attnum)),
                None => system_attnum(column - relation.columns.len()).map(|attnum| (relation.oid, attnum)),
            },
            RelSource::Output(columns) => columns.get(column)?.origin,
            RelSource::Presence | RelSource::Internal => None,
        }
    }

    /// A field of a composite value by name.
    pub(super) fn field_named(&self, arg: Expr, name: &str, span: Span) -> Option<Expr> {
        let fields = self.fields_of(&arg)?;
        let index = fields.iter().position(|(field, _)| field == name)?;
        Some(field(&arg, index, fields[index].1, span))
    }
}

/// A field of a record by position.
pub(super) fn field(record: &Expr, index: usize, ty: Type, span: Span) -> Expr {
    // Where the row is left out, so are its columns.
    if let ExprKind::NullExtended { row, .. } = &record.kind {
        return field(row, index, ty, span);
    }
    if let ExprKind::Row(fields) | ExprKind::NamedRow { fields, .. } = &record.kind
        && let Some(field) = fields.get(index)
    {
        return field.clone();
    }
    Expr { kind: ExprKind::Field { arg: Box::new(record.clone()), index }, ty, span }
}

/// `pg_attribute.attnum` of a system column by its position in `SYSTEM_COLUMNS`.
fn system_attnum(position: usize) -> Option<i16> {
    // tableoid, ctid, xmin, cmin, xmax, cmax.
    [-6, -1, -2, -3, -4, -5].get(position).copied()
}
