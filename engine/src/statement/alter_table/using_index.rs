//! `ADD CONSTRAINT … PRIMARY KEY | UNIQUE USING INDEX`: a unique index that is there becomes the index of a constraint (PostgreSQL
//! manual, "ALTER TABLE").

use aegis_catalog::extension_facts::CITEXT_OPS;
use aegis_catalog::object::{Index, Relation};
use aegis_catalog::{Error, Result, sqlstate};

use crate::parse::utility::{TableConstraint, TableConstraintKind};
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::statement::constraint::Declared;

/// The constraint, with a NOTICE if the index takes its name; None if it names no index.
pub fn declared(
    session: &Session,
    table: &Relation,
    definition: &TableConstraint,
    context: &StatementContext,
) -> Result<Option<Declared>> {
    let (named, primary) = match &definition.kind {
        TableConstraintKind::PrimaryKey { using_index: Some(index), .. } => (index, true),
        TableConstraintKind::Unique { using_index: Some(index), .. } => (index, false),
        _ => return Ok(None),
    };
    let relation = context
        .catalog
        .relation_by_name(table.schema, &named.name)
        .ok_or_else(|| Error::new(sqlstate::UNDEFINED_OBJECT, format!("index \"{}\" does not exist", named.name)))?;
    let index = relation
        .index()
        .ok_or_else(|| Error::new(sqlstate::WRONG_OBJECT_TYPE, format!("\"{}\" is not an index", relation.name)))?;
    check(relation, index, table, context).map_err(|error| error.at(definition.span.start))?;
    let name = definition.name.as_ref().map_or(relation.name.as_str(), |name| name.name.as_str());
    if name != relation.name {
        let old = &relation.name;
        let message = format!("ALTER TABLE / ADD CONSTRAINT USING INDEX will rename index \"{old}\" to \"{name}\"");
        session.skip_notice(&message);
    }
    let keys = index.keys.iter().filter_map(|key| table.column(key.attnum));
    let columns = keys.map(|column| column.name.clone()).collect();
    Ok(Some(Declared::over_index(name, relation.oid, columns, primary, index.nulls_not_distinct, &definition.timing)))
}

fn check(relation: &Relation, index: &Index, table: &Relation, context: &StatementContext) -> Result<()> {
    let name = &relation.name;
    let not_ready = |message: String| Err(Error::new(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
    let unfit = |message: String| {
        Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message)
            .with_detail("Cannot create a primary key or unique constraint using such an index."))
    };
    let owner = context.catalog.relation(index.table);
    let taken = owner.is_some_and(|owner| owner.constraints().iter().any(|c| c.key_index() == Some(relation.oid)));
    if taken {
        return not_ready(format!("index \"{name}\" is already associated with a constraint"));
    }
    if index.table != table.oid {
        return not_ready(format!("index \"{name}\" does not belong to table \"{}\"", table.name));
    }
    if !index.unique {
        return unfit(format!("\"{name}\" is not a unique index"));
    }
    if index.keys.iter().any(|key| key.attnum == 0) {
        return unfit(format!("index \"{name}\" contains expressions"));
    }
    if index.predicate.is_some() {
        return unfit(format!("\"{name}\" is a partial index"));
    }
    let unsorted = index
        .keys
        .iter()
        .position(|key| key.descending || key.nulls_first || !matches!(key.operator_class, 0 | CITEXT_OPS));
    if let Some(key) = unsorted {
        return unfit(format!("index \"{name}\" column number {} does not have default sorting behavior", key + 1));
    }
    Ok(())
}
