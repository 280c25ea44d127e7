//! Columns that come, go, or change their default or nullability.

use std::pin::Pin;
use std::sync::Arc;

use aegis_catalog::definition::Printer;
use aegis_catalog::dependency::plan_drop;
use aegis_catalog::object::{Column, ConstraintKind, ObjectAddress, Relation};
use aegis_catalog::{Error, Oid, Result, sqlstate};
use aegis_storage::ColumnSchema;

use super::constraint::add_declared;
use super::{existing_column, replace, validate, with_column};
use crate::bind::{self, Purpose};
use crate::execute;
use crate::lower::free;
use crate::parse::ast::{Expr, ExprKind, Ident, Literal};
use crate::parse::utility::{ColumnConstraint, ColumnConstraintKind, ColumnDefinition};
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::statement::create_table::{self, Plan};
use crate::statement::namespace::Place;
use crate::statement::table_storage::{self, Missing};
use crate::statement::{composite_type, constraint, drop as drop_statement, inherit, readers, rewrite};

pub async fn add(
    session: &mut Session,
    table: &Arc<Relation>,
    definition: &ColumnDefinition,
    if_not_exists: bool,
    only: bool,
    context: &StatementContext,
) -> Result<()> {
    let name = &definition.name.name;
    if table.partition_bound().is_some() {
        return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, "cannot add column to a partition"));
    }
    composite_type::refuse_typed_table(table, "cannot add column to typed table")?;
    if table.column_by_name(name).is_some() {
        let message = format!("column \"{name}\" of relation \"{}\" already exists", table.name);
        if if_not_exists {
            session.skip_notice_as(sqlstate::DUPLICATE_COLUMN, &format!("{message}, skipping"));
            return Ok(());
        }
        return Err(Error::new(sqlstate::DUPLICATE_COLUMN, message));
    }
    let is_identity = |constraint: &ColumnConstraint| matches!(constraint.kind, ColumnConstraintKind::Identity { .. });
    if context.catalog.has_children(table.oid) {
        if only {
            return Err(Error::new(sqlstate::INVALID_TABLE_DEFINITION, "column must be added to child tables too"));
        }
        if definition.constraints.iter().any(is_identity) {
            let message = "cannot recursively add identity column to table that has child tables";
            return Err(Error::new(sqlstate::INVALID_TABLE_DEFINITION, message));
        }
    }
    let has_default = |constraint: &ColumnConstraint| match &constraint.kind {
        ColumnConstraintKind::Default(expr, _) => !matches!(expr.kind, ExprKind::Literal(Literal::Null)),
        ColumnConstraintKind::GeneratedStored(..) | ColumnConstraintKind::Identity { .. } => true,
        _ => false,
    };
    if definition.constraints.iter().any(has_default) {
        composite_type::refuse_if_stored(table, context)?;
    }
    let mut plan = Plan { columns: table.columns.clone(), ..Plan::default() };
    plan.column(definition, context)?;
    for column in plan.columns.iter().skip(table.columns.len()) {
        composite_type::refuse_itself(table, column.ty.oid, context)?;
    }
    let place = Place { schema: table.schema, name: table.name.clone(), persistence: table.persistence };
    let sequences = create_table::create_sequences(session, "ALTER TABLE", &place, &mut plan, table.owner)?;
    let mut changed = Relation::clone(table);
    changed.columns = plan.columns;
    let declared = std::mem::take(&mut plan.constraints);
    constraint::mark_not_null(&table.name, &mut changed.columns, &declared)?;
    let after = replace(session, changed)?;
    create_table::own_sequences(session, &after, &sequences)?;
    let after = create_table::store_expressions(session, after, &plan.expressions)?;
    constraint::record_defaults(session, &after)?;
    let (after, column) = fill_new(session, table, after).await?;
    for child in children(session, table.oid)? {
        add_inherited(session, child, &column).await?;
    }
    add_declared(session, &after, declared, only).await?;
    composite_type::rewrite_holders(session, table).await
}

/// The tables that inherit from one, as they are now.
pub fn children(session: &Session, parent: Oid) -> Result<Vec<Arc<Relation>>> {
    Ok(session.context()?.catalog.children_of(parent).cloned().collect())
}

/// A column that a parent has got: for a child, and what inherits from it.
fn add_inherited<'f>(
    session: &'f mut Session,
    child: Arc<Relation>,
    column: &'f Column,
) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'f>> {
    Box::pin(async move {
        let name = &column.name;
        if let Some(own) = child.column_by_name(name) {
            let mismatch = |what: &str, code| {
                let message = format!("child table \"{}\" has different {what} for column \"{name}\"", child.name);
                Err(Error::new(code, message))
            };
            if own.ty != column.ty {
                return mismatch("type", sqlstate::DATATYPE_MISMATCH);
            }
            if own.collation != column.collation {
                return mismatch("collation", sqlstate::COLLATION_MISMATCH);
            }
            session.skip_notice(&format!("merging definition of column \"{name}\" for child \"{}\"", child.name));
            let changed = with_column(&child, own.attnum, |own| own.inheritance.parents += 1);
            return replace(session, changed).map(|_| ());
        }
        let attnum = child.columns.last().map_or(0, |column| column.attnum) + 1;
        let mut changed = Relation::clone(&child);
        changed.columns.push(inherit::inherited_column(column, attnum));
        let after = replace(session, changed)?;
        constraint::record_defaults(session, &after)?;
        let (_, column) = fill_new(session, &child, after).await?;
        for below in children(session, child.oid)? {
            add_inherited(session, below, &column).await?;
        }
        Ok(())
    })
}

/// Gives the rows of a table their value in its new last column.
async fn fill_new(
    session: &mut Session,
    table: &Arc<Relation>,
    mut after: Arc<Relation>,
) -> Result<(Arc<Relation>, Column)> {
    let column = after.columns.last().cloned().ok_or_else(|| Error::internal("the new column is not there"))?;
    let now = session.context()?;
    match initial_value(&after, &column, &now)? {
        Initial::Null => store_missing(session, &after, None)?,
        // Nothing is computed for a table without rows.
        Initial::Constant(_) if !rewrite::any_row(session, table).await? => store_missing(session, &after, None)?,
        Initial::Constant(expr) => match missing_value(session, &column, &expr, &now).await? {
            Some(missing) => store_missing(session, &after, missing)?,
            None => after = rewrite::run(session, table, &after, Vec::new()).await?,
        },
        Initial::PerRow => after = rewrite::run(session, table, &after, Vec::new()).await?,
    }
    if column.not_null {
        validate::not_null(session, &after, &column).await?;
    }
    Ok((after, column))
}

/// What rows that are there already get in a new column.
enum Initial {
    Null,
    /// The same for all of them, now.
    Constant(Box<bind::tree::Expr>),
    PerRow,
}

fn initial_value(table: &Arc<Relation>, column: &Column, context: &StatementContext) -> Result<Initial> {
    if column.generated || column.identity.is_some() {
        return Ok(Initial::PerRow);
    }
    let Some(text) = &column.default else {
        // A domain may have a default, and may refuse nulls.
        return Ok(match context.catalog.user_type(column.ty.oid) {
            Some(_) => Initial::Constant(Box::new(bind::default_of(table, column, context)?)),
            None => Initial::Null,
        });
    };
    let expr = crate::parse::parse_expression(text)?;
    let bound =
        bind::bind_expression_over(table, bind::tree::RelId(0), &expr, Purpose::Default, Some(column.ty), context)?;
    Ok(if free::calls_volatile(&bound) { Initial::PerRow } else { Initial::Constant(Box::new(bound)) })
}

fn store_missing(session: &mut Session, table: &Relation, missing: Option<Missing>) -> Result<()> {
    let format = session.format_settings();
    table_storage::update(session.writable("ALTER TABLE")?, table, missing, &format)
}

/// None if the value is not computed in the form in which it is stored.
async fn missing_value(
    session: &mut Session,
    column: &Column,
    expr: &bind::tree::Expr,
    context: &StatementContext,
) -> Result<Option<Option<Missing>>> {
    let value = session.evaluate(expr, &Arc::new(context.clone())).await?;
    if value.is_null() {
        return Ok(Some(None));
    }
    let array = value.to_array().map_err(execute::error::from_datafusion)?;
    if *array.data_type() != context.catalog.stored_arrow_type(column.ty) {
        return Ok(None);
    }
    Ok(Some(Some(Missing { attnum: column.attnum, value: ColumnSchema::encode_missing(&array)? })))
}

pub async fn drop(
    session: &mut Session,
    table: &Relation,
    name: &Ident,
    (if_exists, cascade, only): (bool, bool, bool),
    context: &StatementContext,
) -> Result<()> {
    if let Some(column) = table.column_by_name(&name.name) {
        reject_inherited(column, "drop")?;
        reject_key_column(table, column, "drop", context)?;
        if only && table.partitioning().is_some() && context.catalog.has_children(table.oid) {
            let message = "cannot drop column from only the partitioned table when partitions exist";
            return Err(
                Error::new(sqlstate::INVALID_TABLE_DEFINITION, message).with_hint("Do not specify the ONLY keyword.")
            );
        }
        for child in children(session, table.oid)? {
            drop_inherited(session, child, &name.name, cascade, only).await?;
        }
    }
    let context = &*session.context()?;
    drop_one(session, table, name, if_exists, cascade, context).await
}

/// A column that a parent has no more: goes from a child that has it from nobody else.
fn drop_inherited<'f>(
    session: &'f mut Session,
    child: Arc<Relation>,
    name: &'f str,
    cascade: bool,
    only: bool,
) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'f>> {
    Box::pin(async move {
        let Some(column) = child.column_by_name(name) else { return Ok(()) };
        let stays = only || column.inheritance.local || column.inheritance.parents > 1;
        if stays {
            let changed = with_column(&child, column.attnum, |own| inherit::one_less(&mut own.inheritance));
            return replace(session, changed).map(|_| ());
        }
        reject_key_column(&child, column, "drop", &*session.context()?)?;
        for below in children(session, child.oid)? {
            drop_inherited(session, below, name, cascade, false).await?;
        }
        let context = session.context()?;
        let ident = Ident { name: name.to_owned(), span: Default::default() };
        drop_one(session, &child, &ident, false, cascade, &context).await
    })
}

/// 42P16 for what comes from a parent.
pub fn reject_inherited(column: &Column, what: &str) -> Result<()> {
    if column.inheritance.parents == 0 {
        return Ok(());
    }
    let message = format!("cannot {what} inherited column \"{}\"", column.name);
    Err(Error::new(sqlstate::INVALID_TABLE_DEFINITION, message))
}

/// 42P16 for a column of the key of a partitioned table.
pub fn reject_key_column(table: &Relation, column: &Column, what: &str, context: &StatementContext) -> Result<()> {
    if table.windows().is_some_and(|windows| windows.column == column.attnum) {
        let message = format!("cannot {what} column \"{}\" because \"{}\" is kept by it", column.name, table.name);
        return Err(Error::new(sqlstate::INVALID_TABLE_DEFINITION, message));
    }
    let Some(partitioning) = table.partitioning() else { return Ok(()) };
    let shared = Arc::new(table.clone());
    for key in &partitioning.keys {
        let expression = key.expression.as_deref();
        let mentions = expression.is_some_and(|text| readers::reads(&shared, text, column, context).unwrap_or(true));
        if key.attnum == column.attnum || mentions {
            let message = format!(
                "cannot {what} column \"{}\" because it is part of the partition key of relation \"{}\"",
                column.name, table.name
            );
            return Err(Error::new(sqlstate::INVALID_TABLE_DEFINITION, message));
        }
    }
    Ok(())
}

async fn drop_one(
    session: &mut Session,
    table: &Relation,
    name: &Ident,
    if_exists: bool,
    cascade: bool,
    context: &StatementContext,
) -> Result<()> {
    let column = match existing_column(table, name) {
        Ok(column) => column,
        Err(error) if if_exists && error.code() == sqlstate::UNDEFINED_COLUMN => {
            session.skip_notice(&format!("{}, skipping", error.message()));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    composite_type::refuse_typed_table(table, "cannot drop column from typed table")?;
    let mut roots = vec![ObjectAddress::column(table.oid, column.attnum)];
    for generated in readers::generated_from(table, column, context)? {
        if !cascade {
            let (table, name) = (&table.name, &column.name);
            let message = format!("cannot drop column {name} of table {table} because other objects depend on it");
            return Err(Error::new(sqlstate::DEPENDENT_OBJECTS_STILL_EXIST, message)
                .with_detail(format!(
                    "column {} of table {table} depends on column {name} of table {table}",
                    generated.name
                ))
                .with_hint("Use DROP ... CASCADE to drop the dependent objects too."));
        }
        session.skip_notice(&format!("drop cascades to column {} of table {}", generated.name, table.name));
        roots.push(ObjectAddress::column(table.oid, generated.attnum));
    }
    // Indexes over expressions go with their columns, as those over plain columns do.
    roots.extend(readers::indexes_mentioning(table, column, context));
    let printer = Printer { catalog: &context.catalog, search_path: &context.search_path };
    let plan = plan_drop(printer, &roots, cascade)?;
    drop_statement::announce(session, &plan);
    drop_statement::apply(session, &plan)?;
    composite_type::rewrite_holders(session, table).await
}

pub fn set_default(
    session: &mut Session,
    table: &Arc<Relation>,
    name: &Ident,
    expr: &Expr,
    context: &StatementContext,
) -> Result<()> {
    let column = existing_column(table, name)?;
    reject_identity(table, column)?;
    reject_generated(table, column)?;
    let (_, text) = constraint::stored_expression(table, expr, Purpose::Default, Some(column.ty), context)?;
    forget_default(session, column)?;
    let changed = with_column(table, column.attnum, |column| {
        column.default = Some(text);
        column.default_oid = 0;
    });
    let changed = replace(session, changed)?;
    constraint::record_defaults(session, &changed)
}

pub fn drop_default(session: &mut Session, table: &Relation, name: &Ident) -> Result<()> {
    let column = existing_column(table, name)?;
    reject_identity(table, column)
        .map_err(|error| error.with_hint("Use ALTER TABLE ... ALTER COLUMN ... DROP IDENTITY instead."))?;
    reject_generated(table, column)
        .map_err(|error| error.with_hint("Use ALTER TABLE ... ALTER COLUMN ... DROP EXPRESSION instead."))?;
    forget_default(session, column)?;
    let changed = with_column(table, column.attnum, |column| column.default = None);
    replace(session, changed).map(|_| ())
}

/// What the old default drew from is free again.
fn forget_default(session: &mut Session, column: &Column) -> Result<()> {
    let open = session.writable("ALTER TABLE")?;
    let default = ObjectAddress::new(aegis_catalog::fixed_oid::PG_ATTRDEF, column.default_oid);
    match column.default_oid {
        0 => Ok(()),
        _ => open.catalog.remove_dependencies(open.tables.permanent(), default),
    }
}

fn reject_identity(table: &Relation, column: &Column) -> Result<()> {
    if column.identity.is_none() {
        return Ok(());
    }
    let message = format!("column \"{}\" of relation \"{}\" is an identity column", column.name, table.name);
    Err(Error::new(sqlstate::SYNTAX_ERROR, message))
}

fn reject_generated(table: &Relation, column: &Column) -> Result<()> {
    if !column.generated {
        return Ok(());
    }
    let message = format!("column \"{}\" of relation \"{}\" is a generated column", column.name, table.name);
    Err(Error::new(sqlstate::SYNTAX_ERROR, message))
}

/// For the table and all that inherits from it.
pub async fn set_not_null(session: &mut Session, table: &Arc<Relation>, name: &Ident, only: bool) -> Result<()> {
    existing_column(table, name)?;
    let context = session.context()?;
    let lacks = |child: &Arc<Relation>| child.column_by_name(&name.name).is_none_or(|own| !own.not_null);
    if only && table.partitioning().is_some() && context.catalog.children_of(table.oid).any(lacks) {
        let message = "constraint must be added to child tables too";
        return Err(
            Error::new(sqlstate::INVALID_TABLE_DEFINITION, message).with_hint("Do not specify the ONLY keyword.")
        );
    }
    let tables = if only { vec![table.clone()] } else { context.catalog.inheritors(table) };
    for table in tables {
        let column = existing_column(&table, name)?;
        if !column.not_null {
            validate::not_null(session, &table, column).await?;
            replace(session, with_column(&table, column.attnum, |column| column.not_null = true))?;
        }
    }
    Ok(())
}

/// For the table and all that inherits from it.
pub fn drop_not_null(session: &mut Session, table: &Arc<Relation>, name: &Ident, only: bool) -> Result<()> {
    existing_column(table, name)?;
    let context = session.context()?;
    if only && table.partitioning().is_some() && context.catalog.has_children(table.oid) {
        let message = "cannot remove constraint from only the partitioned table when partitions exist";
        return Err(
            Error::new(sqlstate::INVALID_TABLE_DEFINITION, message).with_hint("Do not specify the ONLY keyword.")
        );
    }
    let tables = if only { vec![table.clone()] } else { context.catalog.inheritors(table) };
    tables.iter().try_for_each(|part| drop_not_null_of(session, part, name, part.oid == table.oid))
}

fn drop_not_null_of(session: &mut Session, table: &Relation, name: &Ident, named: bool) -> Result<()> {
    let column = existing_column(table, name)?;
    let context = session.context()?;
    let above = context.catalog.parents_of(table).find(|_| table.partition_bound().is_some() && named);
    if above.and_then(|parent| parent.column_by_name(&column.name)).is_some_and(|above| above.not_null) {
        let message = format!("column \"{}\" is marked NOT NULL in parent table", column.name);
        return Err(Error::new(sqlstate::INVALID_TABLE_DEFINITION, message));
    }
    if column.identity.is_some() {
        let message = format!("column \"{}\" of relation \"{}\" is an identity column", column.name, table.name);
        return Err(Error::new(sqlstate::SYNTAX_ERROR, message));
    }
    let in_key = table.constraints().iter().any(|constraint| match &constraint.kind {
        ConstraintKind::PrimaryKey { columns, .. } => columns.contains(&column.attnum),
        _ => false,
    });
    if in_key {
        let message = format!("column \"{}\" is in a primary key", column.name);
        return Err(Error::new(sqlstate::INVALID_TABLE_DEFINITION, message));
    }
    if table.windows().is_some_and(|windows| windows.column == column.attnum) {
        let message = format!("column \"{}\" must be NOT NULL because \"{}\" is kept by it", column.name, table.name);
        return Err(Error::new(sqlstate::INVALID_TABLE_DEFINITION, message));
    }
    replace(session, with_column(table, column.attnum, |column| column.not_null = false)).map(|_| ())
}

/// A generated column becomes a plain one that keeps its values.
pub fn drop_expression(session: &mut Session, table: &Relation, name: &Ident, if_exists: bool) -> Result<()> {
    let column = existing_column(table, name)?;
    if !column.generated {
        let message =
            format!("column \"{}\" of relation \"{}\" is not a stored generated column", column.name, table.name);
        if if_exists {
            session.skip_notice(&format!("{message}, skipping"));
            return Ok(());
        }
        return Err(Error::new(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
    }
    let changed = with_column(table, column.attnum, |column| {
        column.generated = false;
        column.default = None;
    });
    replace(session, changed).map(|_| ())
}
