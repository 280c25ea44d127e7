//! `pg_get_indexdef`.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use super::identifier::{collation_name, column_names, in_schema, quote_identifier, relation_name};
use super::{Printer, ShowExpression, Subject};
use crate::facts::{self, tsv};
use crate::object::{Index, IndexKey, Relation};
use crate::system::access_method;
use crate::types::oid::{self, Oid};

/// (access method, input type) → operator class.
static DEFAULT_CLASSES: LazyLock<HashMap<(Oid, Oid), Oid>> = LazyLock::new(|| {
    let mut classes = HashMap::new();
    for mut fields in tsv::rows(include_str!("../../data/pg_opclass.tsv")) {
        let (class, method) = (fields.oid(), fields.oid());
        let _unused = (fields.text(), fields.oid(), fields.oid(), fields.oid());
        let (input, is_default) = (fields.oid(), fields.boolean());
        if is_default {
            classes.insert((method, input), class);
        }
    }
    classes
});

/// The `CREATE INDEX` statement; the table's schema is left out only if `pretty` and the path finds it.
pub fn index_definition(printer: Printer<'_>, show: ShowExpression<'_>, oid: Oid, pretty: bool) -> Option<String> {
    let relation = printer.catalog.relation(oid)?;
    let index = relation.index()?;
    let table = printer.catalog.relation(index.table)?;
    let table_name = if pretty { relation_name(printer, table) } else { in_schema(printer, table.schema, &table.name) };
    let keys = index.keys.iter().enumerate().map(|(position, key)| {
        let shown = key_definition(table, show, key);
        let own = relation.columns.get(position).map(|column| column.collation);
        format!("{shown}{}{}{}", collation(printer, table, key, own), operator_class(key), order(key))
    });
    let keys: Vec<_> = keys.collect();
    let mut text = format!(
        "CREATE {}INDEX {} ON {}{table_name} USING {} ({})",
        if index.unique { "UNIQUE " } else { "" },
        quote_identifier(&relation.name),
        if index.partitioned { "ONLY " } else { "" },
        quote_identifier(&index.method),
        keys.join(", "),
    );
    if !index.include.is_empty() {
        text.push_str(&format!(" INCLUDE ({})", column_names(Some(table), &index.include)));
    }
    if index.nulls_not_distinct {
        text.push_str(" NULLS NOT DISTINCT");
    }
    if !index.options.is_empty() {
        let options: Vec<_> = index.options.iter().map(|(name, value)| format!("{name}='{value}'")).collect();
        text.push_str(&format!(" WITH ({})", options.join(", ")));
    }
    if let Some(predicate) = &index.predicate {
        text.push_str(&format!(" WHERE {}", show(Subject::Table(table), predicate)));
    }
    Some(text)
}

/// One column of an index by its number from 1: the column's name or the expression; None if there is no such column.
pub fn index_column_definition(
    printer: Printer<'_>,
    show: ShowExpression<'_>,
    oid: Oid,
    number: i16,
) -> Option<String> {
    let index: &Index = printer.catalog.relation(oid)?.index()?;
    let table = printer.catalog.relation(index.table)?;
    let position = usize::try_from(number).ok()?.checked_sub(1)?;
    match index.keys.get(position) {
        Some(key) => Some(key_definition(table, show, key)),
        None => {
            let attnum = index.include.get(position.checked_sub(index.keys.len())?)?;
            Some(column_names(Some(table), &[*attnum]))
        }
    }
}

fn key_definition(table: &Arc<Relation>, show: ShowExpression<'_>, key: &IndexKey) -> String {
    match &key.expression {
        Some(expression) => match show(Subject::Table(table), expression) {
            shown if is_call(&shown) => shown,
            shown => format!("({shown})"),
        },
        None => column_names(Some(table), &[key.attnum]),
    }
}

/// ` COLLATE c` if it is not what the column has anyway; an expression names its own.
fn collation(printer: Printer<'_>, table: &Relation, key: &IndexKey, own: Option<Oid>) -> String {
    let Some(expected) = table.column(key.attnum).map(|column| column.collation) else { return String::new() };
    match own.filter(|&own| own != 0 && own != expected).and_then(|own| collation_name(printer, own)) {
        Some(name) => format!(" COLLATE {name}"),
        None => String::new(),
    }
}

fn operator_class(key: &IndexKey) -> String {
    operator_class_name(key.operator_class).map_or_else(String::new, |name| format!(" {}", quote_identifier(&name)))
}

pub(super) fn operator_class_name(class: Oid) -> Option<String> {
    let mut classes = tsv::rows(include_str!("../../data/pg_opclass.tsv"));
    let named = |mut fields: tsv::Fields| (fields.oid(), fields.oid(), fields.text().into_owned());
    let found = classes.by_ref().map(named).find(|(oid, _, _)| class == *oid && *oid != 0);
    found.map(|(_, _, name)| name)
}

/// The operator class of that name for an access method, and whether it is the default for its type.
pub fn operator_class_named(method: &str, name: &str) -> Option<(Oid, bool)> {
    let method = access_method(method)?;
    tsv::rows(include_str!("../../data/pg_opclass.tsv")).find_map(|mut fields| {
        let (class, of, called) = (fields.oid(), fields.oid(), fields.text());
        let _unused = (fields.oid(), fields.oid(), fields.oid(), fields.oid());
        (of == method && called == name).then(|| (class, fields.boolean()))
    })
}

fn order(key: &IndexKey) -> &'static str {
    match (key.descending, key.nulls_first) {
        (false, false) => "",
        (false, true) => " NULLS FIRST",
        (true, true) => " DESC",
        (true, false) => " DESC NULLS LAST",
    }
}

/// True for `name(…)` and nothing after it, which stands in an index without parentheses of its own.
pub fn is_call(expression: &str) -> bool {
    let name_end = expression.find('(').unwrap_or(0);
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '"' | '$');
    let (name, arguments) = expression.split_at(name_end);
    if name.is_empty() || !name.chars().all(is_name) {
        return false;
    }
    let (mut depth, mut quote) = (0_i32, None);
    for (at, c) in arguments.char_indices() {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            _ => {}
        }
        if depth == 0 && quote.is_none() {
            return at + 1 == arguments.len();
        }
    }
    false
}

/// The operator class that an access method uses for a type unless told otherwise.
pub fn default_operator_class(method: &str, ty: Oid) -> Option<Oid> {
    let method = access_method(method)?;
    // Types without a class of their own use that of the type whose values theirs are.
    let category = facts::type_row(ty).map(|row| row.category);
    let fallback = match (ty, category) {
        (oid::VARCHAR | oid::CITEXT, _) => oid::TEXT,
        (_, Some('A')) => oid::ANYARRAY,
        (_, Some('R')) => oid::ANYRANGE,
        (_, Some('E')) => oid::ANYENUM,
        (oid::CIDR, _) => oid::INET,
        _ if ty < crate::fixed_oid::FIRST_NORMAL && ty != oid::RECORD => ty,
        _ => oid::RECORD,
    };
    DEFAULT_CLASSES.get(&(method, ty)).or_else(|| DEFAULT_CLASSES.get(&(method, fallback))).copied()
}
