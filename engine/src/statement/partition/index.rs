//! Indexes, keys and foreign keys of partitioned tables, which are there for each partition too (PostgreSQL's DefineIndex,
//! CloneForeignKeyConstraints and ATExecAttachPartitionIdx).

use std::sync::Arc;

use aegis_catalog::object::{Constraint, ConstraintKind, Index, IndexKey, Inheritance, Relation, RelationKind};
use aegis_catalog::{Catalog, Error, Oid, Result, sqlstate};

use crate::execute::index_key;
use crate::execute::spread::attnums;
use crate::parse::ast::Name;
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::statement::{Outcome, constraint, namespace, table_storage};

/// 0A000 unless a unique index of a partitioned table has all columns of its key, so that equal keys are in one partition.
pub fn check_unique(table: &Relation, columns: &[i16], what: &str) -> Result<()> {
    let Some(partitioning) = table.partitioning() else { return Ok(()) };
    for key in &partitioning.keys {
        let unsupported = |message: String| Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message);
        if key.attnum == 0 {
            return Err(unsupported(format!("unsupported {what} constraint with partition key definition"))
                .with_detail(format!("{what} constraints cannot be used when partition keys include expressions.")));
        }
        if !columns.contains(&key.attnum) {
            let column = table.column(key.attnum).map_or("", |column| column.name.as_str());
            return Err(unsupported(
                "unique constraint on partitioned table must include all partitioning columns".to_owned(),
            )
            .with_detail(format!(
                "{what} constraint on table \"{}\" lacks column \"{column}\" which is part of the partition key.",
                table.name
            )));
        }
    }
    Ok(())
}

/// Gives each partition of a table its part of an index of the table, and of the constraint that the index is for.
pub fn on_partitions(session: &mut Session, table: &Relation, index: Oid) -> Result<()> {
    let context = session.context()?;
    let children: Vec<Oid> = context.catalog.children_of(table.oid).map(|child| child.oid).collect();
    for child in children {
        on_partition(session, table.oid, child, index)?;
    }
    Ok(())
}

/// Gives a partition its part of each index and foreign key of its parent.
pub fn on_new_partition(session: &mut Session, parent: Oid, child: Oid) -> Result<()> {
    let context = session.context()?;
    let indexes: Vec<Oid> = context.catalog.indexes_of(parent).map(|index| index.oid).collect();
    for index in indexes {
        on_partition(session, parent, child, index)?;
    }
    foreign_keys(session, parent, child)
}

fn on_partition(session: &mut Session, parent: Oid, child: Oid, index: Oid) -> Result<()> {
    let context = session.context()?;
    let catalog = &context.catalog;
    let (parent, child) = (existing(catalog, parent)?, existing(catalog, child)?);
    let above = existing(catalog, index)?;
    let is_there = |own: &Arc<Relation>| own.index().is_some_and(|own| own.parent == index);
    if catalog.indexes_of(child.oid).any(is_there) {
        return Ok(());
    }
    let wanted = translated(&above, &parent, &child)?;
    let of_key = parent.constraints().iter().find(|constraint| constraint.key_index() == Some(index)).cloned();
    if wanted.unique {
        let columns: Vec<i16> = wanted.keys.iter().map(|key| key.attnum).collect();
        check_unique(&child, &columns, if wanted.primary { "PRIMARY KEY" } else { "UNIQUE" })?;
    }
    let own = catalog.indexes_of(child.oid).find(|own| fits(own, &wanted, of_key.as_ref(), &child)).cloned();
    let own = match own {
        Some(own) => {
            attach(session, &own, &above)?;
            if own.index().is_some_and(|own| own.invalid) {
                set_invalid(session, above.oid, true)?;
            }
            own
        }
        None => create(session, &child, &above, wanted, of_key.as_ref())?,
    };
    if child.partitioning().is_some() {
        on_partitions(session, &child, own.oid)?;
    }
    Ok(())
}

fn existing(catalog: &Catalog, oid: Oid) -> Result<Arc<Relation>> {
    catalog.relation(oid).cloned().ok_or_else(|| Error::internal("a relation went while a partition was made"))
}

/// The definition of an index of `parent` for its partition `child`.
fn translated(above: &Relation, parent: &Relation, child: &Relation) -> Result<Index> {
    let index = above.index().ok_or_else(|| Error::internal("an index that is none"))?;
    let key = |key: &IndexKey| match key.attnum {
        0 => Ok(key.clone()),
        attnum => {
            let own = attnums(&[attnum], parent, child).first().copied();
            let attnum = own.ok_or_else(|| Error::internal("a partition lacks a column of its parent"))?;
            Ok(IndexKey { attnum, ..key.clone() })
        }
    };
    Ok(Index {
        table: child.oid,
        keys: index.keys.iter().map(key).collect::<Result<_>>()?,
        include: attnums(&index.include, parent, child),
        parent: above.oid,
        partitioned: child.partitioning().is_some(),
        storage: None,
        invalid: false,
        clustered: false,
        ..index.clone()
    })
}

/// Can an index that a partition has of its own be the part of one of the parent?
fn fits(own: &Relation, wanted: &Index, of_key: Option<&Constraint>, child: &Relation) -> bool {
    let Some(index) = own.index() else { return false };
    let constraint = child.constraints().iter().find(|constraint| constraint.key_index() == Some(own.oid));
    let same_constraint = match (of_key, constraint) {
        (None, _) => true,
        (Some(above), Some(own)) => above.kind_code() == own.kind_code(),
        (Some(_), None) => false,
    };
    index.parent == 0 && same_definition(index, wanted) && same_constraint
}

fn same_definition(index: &Index, wanted: &Index) -> bool {
    index.method == wanted.method
        && index.keys == wanted.keys
        && index.include == wanted.include
        && index.unique == wanted.unique
        && index.nulls_not_distinct == wanted.nulls_not_distinct
        && index.predicate == wanted.predicate
}

/// Makes an index the partition's part of `above`, with its constraint.
fn attach(session: &mut Session, own: &Relation, above: &Relation) -> Result<()> {
    let open = session.writable("ALTER INDEX")?;
    let catalog = open.catalog.catalog();
    let mut changed = own.clone();
    if let RelationKind::Index(index) = &mut changed.kind {
        index.parent = above.oid;
    }
    open.catalog.replace_relation(open.tables.permanent(), changed)?;
    let (Some(table), Some(parent)) = (own.index().map(|index| index.table), above.index().map(|index| index.table))
    else {
        return Ok(());
    };
    let of_parent = catalog.constraints_of(parent).iter().find(|constraint| constraint.key_index() == Some(above.oid));
    let (Some(of_parent), Some(table)) = (of_parent, catalog.relation(table)) else { return Ok(()) };
    let mut changed = Relation::clone(table);
    if let RelationKind::Table(table) = &mut changed.kind {
        for constraint in table.constraints.iter_mut().filter(|constraint| constraint.key_index() == Some(own.oid)) {
            constraint.parent = of_parent.oid;
            constraint.inheritance = Inheritance::INHERITED;
        }
    }
    open.catalog.replace_relation(open.tables.permanent(), changed).map(drop)
}

/// Makes a partition's part of an index of its parent, with its constraint.
fn create(
    session: &mut Session,
    child: &Arc<Relation>,
    above: &Relation,
    wanted: Index,
    of_key: Option<&Constraint>,
) -> Result<Arc<Relation>> {
    let open = session.writable("CREATE INDEX")?;
    let suffix = match of_key.map(|constraint| &constraint.kind) {
        Some(ConstraintKind::PrimaryKey { .. }) => "pkey",
        Some(_) => "key",
        None => "idx",
    };
    let columns = above.columns.iter().take(if suffix == "pkey" { 0 } else { above.columns.len() });
    let parts: Vec<&str> =
        std::iter::once(child.name.as_str()).chain(columns.map(|column| column.name.as_str())).collect();
    let name = namespace::generated_name(open, child.schema, &parts, suffix);
    if matches!(of_key.map(|constraint| &constraint.kind), Some(ConstraintKind::PrimaryKey { .. }))
        && child.constraints().iter().any(|own| matches!(own.kind, ConstraintKind::PrimaryKey { .. }))
    {
        let message = format!("multiple primary keys for table \"{}\" are not allowed", child.name);
        return Err(Error::new(sqlstate::INVALID_TABLE_DEFINITION, message));
    }
    let key_columns: Vec<i16> = wanted.keys.iter().map(|key| key.attnum).collect();
    let computed = index_key::is_computed(&wanted);
    let relation = Relation {
        oid: 0,
        schema: child.schema,
        name: name.clone(),
        owner: child.owner,
        persistence: child.persistence,
        row_type: 0,
        row_array_type: 0,
        columns: above.columns.clone(),
        kind: RelationKind::Index(wanted),
    };
    let index = open.catalog.create_relation(open.tables.permanent(), relation)?;
    let mut table = child.clone();
    if let Some(of_key) = of_key {
        let kind = match &of_key.kind {
            ConstraintKind::PrimaryKey { .. } => ConstraintKind::PrimaryKey { index: index.oid, columns: key_columns },
            ConstraintKind::Unique { nulls_not_distinct, .. } => ConstraintKind::Unique {
                index: index.oid,
                columns: key_columns,
                nulls_not_distinct: *nulls_not_distinct,
            },
            other => other.clone(),
        };
        let constraint = Constraint {
            oid: 0,
            name,
            kind,
            parent: of_key.oid,
            inheritance: Inheritance::INHERITED,
            ..of_key.clone()
        };
        table = constraint::push(session, child, constraint)?;
    }
    let format = session.format_settings();
    let open = session.writable("CREATE INDEX")?;
    let has_rows = |storage: u64| open.tables.table_schema(storage).is_ok();
    if table.table().and_then(|table| table.rows()).is_some_and(has_rows) {
        // Its keys are computed for the rows that are there when all partitions have it: `compute_missing`.
        if !computed {
            table_storage::update(open, &table, None, &format)?;
        }
    }
    Ok(index)
}

/// Gives the rows of a table and of its partitions the keys of indexes over expressions that they have got.
pub async fn compute_missing(session: &mut Session, table: Oid) -> Result<()> {
    let context = session.context()?;
    let table = existing(&context.catalog, table)?;
    for leaf in context.catalog.inheritors(&table) {
        let Some(storage) = leaf.table().and_then(|table| table.rows()) else { continue };
        let schema = session.writable("CREATE INDEX")?.tables.table_schema(storage)?;
        let missing =
            |own: &&Arc<Relation>| own.index().is_some_and(index_key::is_computed) && schema.index(own.oid).is_none();
        if let Some(own) = context.catalog.indexes_of(leaf.oid).find(missing) {
            // All of them at once.
            crate::statement::index::compute_keys(session, &leaf, own).await?;
        }
    }
    Ok(())
}

/// Gives a partition the foreign keys of its parent, those that it has itself included.
fn foreign_keys(session: &mut Session, parent: Oid, child: Oid) -> Result<()> {
    let context = session.context()?;
    let parent = existing(&context.catalog, parent)?;
    for constraint in parent.constraints() {
        if matches!(constraint.kind, ConstraintKind::ForeignKey { .. }) {
            foreign_key(session, &parent, child, constraint)?;
        }
    }
    Ok(())
}

/// Gives all partitions a foreign key that their parent has got.
pub fn foreign_key_on_partitions(session: &mut Session, table: &Relation, constraint: &Constraint) -> Result<()> {
    let context = session.context()?;
    let children: Vec<Oid> = context.catalog.children_of(table.oid).map(|child| child.oid).collect();
    children.into_iter().try_for_each(|child| foreign_key(session, table, child, constraint))
}

fn foreign_key(session: &mut Session, parent: &Relation, child: Oid, constraint: &Constraint) -> Result<()> {
    let context = session.context()?;
    let child = existing(&context.catalog, child)?;
    if child.constraints().iter().any(|own| own.parent == constraint.oid) {
        return Ok(());
    }
    let mut kind = constraint.kind.clone();
    if let ConstraintKind::ForeignKey { columns, delete_columns, .. } = &mut kind {
        *columns = attnums(columns, parent, &child);
        *delete_columns = attnums(delete_columns, parent, &child);
    }
    let same = |own: &&Constraint| own.parent == 0 && own.kind == kind && own.deferrable == constraint.deferrable;
    let own = child.constraints().iter().find(same).map(|own| own.oid);
    let table = match own {
        Some(own) => {
            let mut changed = Relation::clone(&child);
            if let RelationKind::Table(table) = &mut changed.kind {
                for found in table.constraints.iter_mut().filter(|found| found.oid == own) {
                    found.parent = constraint.oid;
                    found.inheritance = Inheritance::INHERITED;
                }
            }
            let open = session.writable("ALTER TABLE")?;
            open.catalog.replace_relation(open.tables.permanent(), changed)?
        }
        None => {
            let taken = |name: &str| child.constraints().iter().any(|own| own.name == name);
            let mut name = constraint.name.clone();
            let mut number = 0;
            while taken(&name) {
                number += 1;
                name = format!("{}{number}", constraint.name);
            }
            let (parent, inheritance) = (constraint.oid, Inheritance::INHERITED);
            let own = Constraint { oid: 0, name, kind, parent, inheritance, ..constraint.clone() };
            constraint::push(session, &child, own)?
        }
    };
    if table.partitioning().is_some() {
        let own = table.constraints().iter().find(|own| own.parent == constraint.oid).cloned();
        if let Some(own) = own {
            foreign_key_on_partitions(session, &table, &own)?;
        }
    }
    Ok(())
}

/// ALTER INDEX … ATTACH PARTITION.
pub fn attach_partition(
    session: &mut Session,
    index: &Name,
    partition: &Name,
    context: &StatementContext,
) -> Result<Outcome> {
    let found = |name: &Name| namespace::existing(name, context);
    let (above, own) = (found(index)?, found(partition)?);
    crate::privilege::require_owner(&above, context)?;
    let Some(parent_index) = above.index().filter(|index| index.partitioned) else {
        let message = format!("ALTER action ATTACH PARTITION cannot be performed on relation \"{}\"", above.name);
        let what = if above.index().is_some() { "indexes" } else { "tables" };
        return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message)
            .with_detail(format!("This operation is not supported for {what}.")));
    };
    let Some(own_index) = own.index() else {
        return Err(Error::new(sqlstate::INVALID_OBJECT_DEFINITION, format!("\"{}\" is not an index", own.name)));
    };
    if own_index.parent == above.oid {
        return Outcome::tag("ALTER INDEX");
    }
    let refuse = |detail: String| {
        let message = format!("cannot attach index \"{}\" as a partition of index \"{}\"", own.name, above.name);
        Error::new(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, message).with_detail(detail)
    };
    let catalog = &context.catalog;
    if own_index.parent != 0 {
        return Err(refuse(format!("Index \"{}\" is already attached to another index.", own.name)));
    }
    let (table, parent) = (existing(catalog, own_index.table)?, existing(catalog, parent_index.table)?);
    if !table.parents().contains(&parent.oid) || table.partition_bound().is_none() {
        return Err(refuse(format!(
            "Index \"{}\" is not an index on any partition of table \"{}\".",
            own.name, parent.name
        )));
    }
    let wanted = translated(&above, &parent, &table)?;
    let of_key = parent.constraints().iter().find(|constraint| constraint.key_index() == Some(above.oid));
    if !same_definition(own_index, &wanted) {
        return Err(Error::new(
            sqlstate::INVALID_OBJECT_DEFINITION,
            format!("cannot attach index \"{}\" as a partition of index \"{}\"", own.name, above.name),
        )
        .with_detail("The index definitions do not match."));
    }
    if !fits(&own, &wanted, of_key, &table) {
        let name = of_key.map_or("", |constraint| constraint.name.as_str());
        return Err(Error::new(
            sqlstate::INVALID_OBJECT_DEFINITION,
            format!("cannot attach index \"{}\" as a partition of index \"{}\"", own.name, above.name),
        )
        .with_detail(format!(
            "The index \"{}\" belongs to a constraint in table \"{}\" but no constraint exists for index \"{}\".",
            above.name, parent.name, own.name
        ))
        .with_constraint(name));
    }
    let another =
        catalog.indexes_of(table.oid).find(|other| other.index().is_some_and(|other| other.parent == above.oid));
    if another.is_some() {
        return Err(refuse(format!("Another index is already attached for partition \"{}\".", table.name)));
    }
    attach(session, &own, &above)?;
    validate(session, above.oid)?;
    Outcome::tag("ALTER INDEX")
}

/// An index that every partition has its part of by now is there altogether.
pub fn validate(session: &mut Session, index: Oid) -> Result<()> {
    let context = session.context()?;
    let catalog = &context.catalog;
    let above = existing(catalog, index)?;
    let Some(definition) = above.index().filter(|index| index.invalid) else { return Ok(()) };
    let parts = catalog.children_of(index).filter(|part| part.index().is_some_and(|part| !part.invalid)).count();
    if parts < catalog.children_of(definition.table).count() {
        return Ok(());
    }
    set_invalid(session, index, false)?;
    match definition.parent {
        0 => Ok(()),
        parent => validate(session, parent),
    }
}

fn set_invalid(session: &mut Session, index: Oid, invalid: bool) -> Result<()> {
    let open = session.writable("ALTER INDEX")?;
    let above = existing(&open.catalog.catalog(), index)?;
    let mut changed = Relation::clone(&above);
    if let RelationKind::Index(index) = &mut changed.kind {
        index.invalid = invalid;
    }
    open.catalog.replace_relation(open.tables.permanent(), changed).map(drop)
}
