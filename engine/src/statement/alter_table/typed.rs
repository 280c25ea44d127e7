//! `ALTER TABLE … OF type` and `NOT OF` (PostgreSQL manual, "ALTER TABLE"): whether a table is one of a composite type.

use aegis_catalog::object::{Column, Relation, RelationKind};
use aegis_catalog::{Error, Oid, Result, sqlstate};

use crate::parse::ast::Name;
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::statement::{composite_type, user_type};

pub fn of(session: &mut Session, table: &Relation, name: &Name, context: &StatementContext) -> Result<()> {
    let entry = user_type::existing(name, context)?;
    let relation = composite_type::of_entry(&entry, context)?;
    let mut columns = table.live_columns();
    for attribute in relation.live_columns() {
        require_same(attribute, columns.next())?;
    }
    if let Some(extra) = columns.next() {
        return Err(mismatch(format!("table has extra column \"{}\"", extra.name)));
    }
    set(session, table, entry.oid)
}

pub fn not_of(session: &mut Session, table: &Relation) -> Result<()> {
    if table.table().is_none_or(|table| table.of_type == 0) {
        let message = format!("\"{}\" is not a typed table", table.name);
        return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message));
    }
    set(session, table, 0)
}

fn require_same(attribute: &Column, column: Option<&Column>) -> Result<()> {
    let wanted = &attribute.name;
    let Some(column) = column else {
        return Err(mismatch(format!("table is missing column \"{wanted}\"")));
    };
    if column.name != *wanted {
        return Err(mismatch(format!("table has column \"{}\" where type requires \"{wanted}\"", column.name)));
    }
    if (column.ty, column.collation) != (attribute.ty, attribute.collation) {
        return Err(mismatch(format!("table has different type for column \"{wanted}\"")));
    }
    Ok(())
}

fn mismatch(message: String) -> Error {
    Error::new(sqlstate::DATATYPE_MISMATCH, message)
}

fn set(session: &mut Session, table: &Relation, of_type: Oid) -> Result<()> {
    let mut changed = table.clone();
    if let RelationKind::Table(table) = &mut changed.kind {
        table.of_type = of_type;
    }
    super::replace(session, changed).map(drop)
}
