//! `pg_get_statisticsobjdef`.

use super::identifier::{in_schema, quote_identifier, relation_name};
use super::{Printer, ShowExpression, Subject};
use crate::types::oid::Oid;

pub struct StatisticsDefinition {
    /// The `CREATE STATISTICS` statement.
    pub whole: String,
    /// Its columns and expressions.
    pub columns: String,
}

pub fn statistics_definition(printer: Printer<'_>, show: ShowExpression<'_>, oid: Oid) -> Option<StatisticsDefinition> {
    let descriptor = printer.catalog.descriptor(oid)?;
    let statistics = descriptor.statistics()?;
    let table = printer.catalog.relation(statistics.table)?;
    let columns = statistics.columns.iter().filter_map(|attnum| table.column(*attnum));
    let columns = columns.map(|column| quote_identifier(&column.name).into_owned());
    let expressions = statistics.expressions.iter().map(|text| {
        let shown = show(Subject::Table(table), text);
        if super::index::is_call(&shown) { shown } else { format!("({shown})") }
    });
    let columns = columns.chain(expressions).collect::<Vec<_>>().join(", ");
    let kinds = [('d', "ndistinct"), ('f', "dependencies"), ('m', "mcv")];
    let named: Vec<&str> =
        kinds.iter().filter(|(code, _)| statistics.kinds.contains(code)).map(|(_, name)| *name).collect();
    let kinds = match named.len() {
        0 | 3 => String::new(),
        _ => format!(" ({})", named.join(", ")),
    };
    let name = in_schema(printer, descriptor.schema, &descriptor.name);
    let whole = format!("CREATE STATISTICS {name}{kinds} ON {columns} FROM {}", relation_name(printer, table));
    Some(StatisticsDefinition { whole, columns })
}
