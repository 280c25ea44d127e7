//! ADD GENERATED, SET GENERATED and DROP IDENTITY.

use std::sync::Arc;

use aegis_catalog::object::{Column, Identity, Relation, RelationKind};
use aegis_catalog::types::oid;
use aegis_catalog::{Error, Result, sqlstate};

use super::{existing_column, replace, with_column};
use crate::parse::ast::Ident;
use crate::parse::utility::SequenceOption;
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::statement::sequence;

pub fn add(
    session: &mut Session,
    table: &Relation,
    name: &Ident,
    always: bool,
    options: &[SequenceOption],
    context: &StatementContext,
) -> Result<()> {
    let column = existing_column(table, name)?;
    let refuse = |message: String| Err(Error::new(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
    let shown = format!("column \"{}\" of relation \"{}\"", column.name, table.name);
    if !matches!(column.ty.oid, oid::INT2 | oid::INT4 | oid::INT8) {
        let message = "identity column type must be smallint, integer, or bigint";
        return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
    }
    if !column.not_null {
        return refuse(format!("{shown} must be declared NOT NULL before identity can be added"));
    }
    if column.identity.is_some() {
        return refuse(format!("{shown} is already an identity column"));
    }
    if column.default.is_some() {
        return refuse(format!("{shown} already has a default value"));
    }
    let mut definition = sequence::definition(column.ty.oid, options, context)?;
    definition.identity = true;
    definition.owned_by = Some((table.oid, column.attnum));
    let identity = Some(if always { Identity::Always } else { Identity::ByDefault });
    let names = (table.schema, table.name.as_str(), column.name.as_str());
    let (schema, sequence) = sequence::place_of_column(session, names, options, context)?;
    let sequence = sequence::relation(schema, &sequence, table.persistence, table.owner, definition);
    let open = session.writable("ALTER TABLE")?;
    open.catalog.create_relation(open.tables.permanent(), sequence)?;
    replace(session, with_column(table, column.attnum, |column| column.identity = identity)).map(drop_result)
}

fn drop_result(_: Arc<Relation>) {}

pub fn set(
    session: &mut Session,
    table: &Relation,
    name: &Ident,
    always: Option<bool>,
    options: &[SequenceOption],
    context: &StatementContext,
) -> Result<()> {
    let column = identity_column(table, name)?;
    if let Some(always) = always {
        let identity = Some(if always { Identity::Always } else { Identity::ByDefault });
        replace(session, with_column(table, column.attnum, |column| column.identity = identity))?;
    }
    match sequence_of(table, column, context) {
        Some(found) if !options.is_empty() => sequence::change(session, &found, options, context),
        _ => Ok(()),
    }
}

pub fn drop(
    session: &mut Session,
    table: &Relation,
    name: &Ident,
    if_exists: bool,
    context: &StatementContext,
) -> Result<()> {
    let column = match identity_column(table, name) {
        Ok(column) => column,
        Err(error) if if_exists && error.code() == sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE => {
            session.skip_notice(&format!("{}, skipping", error.message()));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    replace(session, with_column(table, column.attnum, |column| column.identity = None))?;
    if let Some(sequence) = sequence_of(table, column, context) {
        let open = session.writable("ALTER TABLE")?;
        open.catalog.drop_object(open.tables.permanent(), sequence.address())?;
    }
    Ok(())
}

fn identity_column<'t>(table: &'t Relation, name: &Ident) -> Result<&'t Column> {
    let column = existing_column(table, name)?;
    if column.identity.is_none() {
        let message = format!("column \"{}\" of relation \"{}\" is not an identity column", column.name, table.name);
        return Err(Error::new(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
    }
    Ok(column)
}

/// The sequence that an identity column brought along.
fn sequence_of(table: &Relation, column: &Column, context: &StatementContext) -> Option<Arc<Relation>> {
    let owner = Some((table.oid, column.attnum));
    let owned = |relation: &&Arc<Relation>| match &relation.kind {
        RelationKind::Sequence(sequence) => sequence.identity && sequence.owned_by == owner,
        _ => false,
    };
    context.catalog.user_relations().find(owned).cloned()
}
