//! `pg_type`: the built-in types, and the row type of every relation with the array over it.

use super::SystemContext;
use super::rows::{Cell, Rows, row};
use crate::facts::{self, TypeRow};
use crate::object::Relation;
use crate::types::oid::Oid;
use crate::{Result, TypeEntry};

// Input and output functions of row types and arrays.
const RECORD_FUNCTIONS: [Oid; 4] = [2290, 2291, 2402, 2403];
const ARRAY_FUNCTIONS: [Oid; 4] = [750, 751, 2400, 2401];
const ARRAY_SUBSCRIPT: Oid = 6179;
const ARRAY_ANALYZE: Oid = 3816;

pub(super) fn rows(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    let Some(wanted) = context.oids("oid") else {
        facts::types().iter().for_each(|row| push_builtin(row, rows));
        for relation in context.catalog.relations() {
            push_of_relation(relation, relation.row_type, rows);
            push_of_relation(relation, relation.row_array_type, rows);
        }
        return Ok(());
    };
    for &oid in wanted {
        if let Some(row) = facts::type_row(oid) {
            push_builtin(row, rows);
        } else if let Some(relation) = context.catalog.relation_of_type(oid) {
            push_of_relation(relation, oid, rows);
        }
    }
    Ok(())
}

/// The functions that read and write the values of built-in types.
pub(super) fn io_functions() -> impl Iterator<Item = Oid> {
    facts::types()
        .iter()
        .flat_map(|row| [row.input, row.output, row.receive, row.send, row.modifier_in, row.modifier_out])
}

fn push_builtin(row: &TypeRow, rows: &mut Rows<'_>) {
    rows.push(row![
        row.oid,
        row.name.clone(),
        row.schema,
        row.owner,
        row.len,
        row.by_value,
        row.kind,
        row.category,
        row.preferred,
        row.defined,
        row.delimiter,
        row.relation,
        row.subscript,
        row.element,
        row.array,
        row.input,
        row.output,
        row.receive,
        row.send,
        row.modifier_in,
        row.modifier_out,
        row.analyze,
        row.align,
        row.storage,
        row.not_null,
        row.base_type,
        row.typmod,
        row.dimensions,
        row.collation,
        Cell::Null,
        Cell::Null,
        Cell::Null,
    ]);
}

fn push_of_relation(relation: &Relation, oid: Oid, rows: &mut Rows<'_>) {
    let Some(entry) = TypeEntry::of_relation(relation, oid) else { return };
    let is_array = entry.is_array();
    let [input, output, receive, send] = if is_array { ARRAY_FUNCTIONS } else { RECORD_FUNCTIONS };
    rows.push(row![
        entry.oid,
        entry.name,
        entry.schema,
        relation.owner,
        entry.len,
        false,
        entry.kind,
        entry.category,
        false,
        true,
        entry.delimiter,
        entry.relation,
        if is_array { ARRAY_SUBSCRIPT } else { 0 },
        entry.element,
        entry.array,
        input,
        output,
        receive,
        send,
        0,
        0,
        if is_array { ARRAY_ANALYZE } else { 0 },
        'd',
        'x',
        false,
        0,
        -1,
        0,
        0,
        Cell::Null,
        Cell::Null,
        Cell::Null,
    ]);
}
