//! ALTER COLUMN … TYPE: every row is written anew.

use std::sync::Arc;

use aegis_catalog::object::{Column, Relation, RelationKind};
use aegis_catalog::types::{format_type, oid};
use aegis_catalog::{Error, Oid, Result, Type, sqlstate};

use super::{existing_column, replace, validate, with_column};
use crate::bind::{self, Purpose};
use crate::parse::ast::{Expr, ExprKind, Ident, Name, TypeName};
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::statement::{
    collation as collations, composite_type, constraint, create_table, readers, rewrite, stored_text,
};

pub async fn run(
    session: &mut Session,
    table: &Arc<Relation>,
    name: &Ident,
    (ty, collation): (&TypeName, Option<&Name>),
    using: Option<&Expr>,
    only: bool,
) -> Result<()> {
    let context = session.context()?;
    let column = existing_column(table, name)?;
    super::column::reject_inherited(column, "alter")?;
    let family = context.catalog.inheritors(table);
    if only && family.len() > 1 {
        let message = format!("type of inherited column \"{}\" must be changed in child tables too", column.name);
        return Err(Error::new(sqlstate::INVALID_TABLE_DEFINITION, message));
    }
    for member in &family {
        let column = existing_column(member, name)?;
        super::column::reject_key_column(member, column, "alter", &context)?;
        let from_family = column.inheritance.parents == 0
            || member.parents().iter().all(|parent| {
                let outside = !family.iter().any(|member| member.oid == *parent);
                let has = |parent: &Arc<Relation>| parent.column_by_name(&column.name).is_some();
                !(outside && context.catalog.relation(*parent).is_some_and(has))
            });
        if member.oid != table.oid && !from_family {
            let message = format!("cannot alter inherited column \"{}\" of relation \"{}\"", column.name, member.name);
            return Err(Error::new(sqlstate::INVALID_TABLE_DEFINITION, message));
        }
    }
    for member in family {
        one(session, &member, name, (ty, collation), using).await?;
    }
    Ok(())
}

async fn one(
    session: &mut Session,
    table: &Arc<Relation>,
    name: &Ident,
    (ty, collation): (&TypeName, Option<&Name>),
    using: Option<&Expr>,
) -> Result<()> {
    let context = &*session.context()?;
    composite_type::refuse_typed_table(table, "cannot alter column type of typed table")?;
    let column = existing_column(table, name)?;
    let ty = create_table::column_type(ty, context)?;
    composite_type::refuse_itself(table, ty.oid, context)?;
    composite_type::refuse_if_stored(table, context)?;
    reject_dependents(table, column, context)?;
    if column.identity.is_some() && !matches!(ty.oid, oid::INT2 | oid::INT4 | oid::INT8) {
        let message = "identity column type must be smallint, integer, or bigint";
        return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
    }
    let value = value(table, column, ty, using, context)?;
    let collation = match collation {
        Some(collation) => bind::resolve_collation(collation, ty, context)?,
        None => context.catalog.type_entry(ty.oid).map_or(0, |entry| entry.collation),
    };
    let changed = with_column(table, column.attnum, |column| (column.ty, column.collation) = (ty, collation));
    let after = replace(session, changed)?;
    retype_indexes(session, table, column, (ty, collation), context)?;
    check_expressions(session, &after, column, ty)?;
    let after = stored_text::refresh(session, &after)?;
    let values = value.into_iter().map(|value| (column.attnum, value)).collect();
    let after = rewrite::run(session, table, &after, values).await?;
    if column.not_null {
        validate::not_null(session, &after, column).await?;
    }
    for constraint in after.constraints().iter().filter(|constraint| constraint.columns().contains(&column.attnum)) {
        validate::constraint(session, &after, constraint).await?;
    }
    Ok(())
}

/// The new value from the old row; None for a generated column, which is computed anew.
fn value(
    table: &Arc<Relation>,
    column: &Column,
    ty: Type,
    using: Option<&Expr>,
    context: &StatementContext,
) -> Result<Option<bind::tree::Expr>> {
    if column.generated {
        return match using {
            Some(_) => {
                let message = "cannot specify USING when altering type of generated column";
                Err(Error::new(sqlstate::INVALID_COLUMN_DEFINITION, message)
                    .with_detail(format!("Column \"{}\" is a generated column.", column.name)))
            }
            None => Ok(None),
        };
    }
    let own = own_value(column);
    let expr = using.unwrap_or(&own);
    let bound = bind::bind_expression_over(table, rewrite::OLD_ROWS, expr, Purpose::AlterType, Some(ty), context);
    let bound = bound.map_err(|error| {
        if error.code() != sqlstate::DATATYPE_MISMATCH || !error.message().starts_with("default expression is of type")
        {
            return error;
        }
        let (name, shown) = (&column.name, format_type(Type::of(ty.oid)));
        let (message, hint) = match using {
            Some(_) => (
                format!("result of USING clause for column \"{name}\" cannot be cast automatically to type {shown}"),
                "You might need to add an explicit cast.".to_owned(),
            ),
            None => (
                format!("column \"{name}\" cannot be cast automatically to type {shown}"),
                format!(
                    "You might need to specify \"USING {}::{}\".",
                    aegis_catalog::definition::quote_identifier(name),
                    format_type(ty)
                ),
            ),
        };
        Error::new(sqlstate::DATATYPE_MISMATCH, message).with_hint(hint)
    })?;
    Ok(Some(bound))
}

/// The column itself.
fn own_value(column: &Column) -> Expr {
    let ident = Ident { name: column.name.clone(), span: Default::default() };
    Expr { kind: ExprKind::Column(Name { parts: vec![ident], span: Default::default() }), span: Default::default() }
}

/// 0A000 for what PostgreSQL does not follow either: views and generated columns.
fn reject_dependents(table: &Relation, column: &Column, context: &StatementContext) -> Result<()> {
    let refuse =
        |message: &str, detail: String| Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message).with_detail(detail));
    if let Some(view) = readers::views_of_column(table, column.attnum, context).first() {
        let detail = format!("rule _RETURN on view {} depends on column \"{}\"", view.name, column.name);
        return refuse("cannot alter type of a column used by a view or rule", detail);
    }
    if let Some(generated) = readers::generated_from(table, column, context)?.first() {
        let detail = format!("Column \"{}\" is used by generated column \"{}\".", column.name, generated.name);
        return refuse("cannot alter type of a column used by a generated column", detail);
    }
    Ok(())
}

/// The key columns of indexes have the type of what they index.
fn retype_indexes(
    session: &mut Session,
    table: &Relation,
    column: &Column,
    (ty, collation): (Type, Oid),
    context: &StatementContext,
) -> Result<()> {
    for index in context.catalog.indexes_of(table.oid) {
        let RelationKind::Index(definition) = &index.kind else { continue };
        let mut changed = Relation::clone(index);
        for (key, own) in definition.keys.iter().zip(&mut changed.columns) {
            if key.attnum == column.attnum {
                own.ty = ty;
                own.collation = if own.collation == column.collation { collation } else { own.collation };
            }
        }
        if changed != **index {
            collations::check_index(&changed, &context.catalog)?;
            replace(session, changed)?;
        }
    }
    Ok(())
}

/// Default, checks and index expressions must bind with the new type too.
fn check_expressions(session: &Session, table: &Arc<Relation>, column: &Column, ty: Type) -> Result<()> {
    let context = session.context()?;
    if let Some(text) = column.default.as_ref().filter(|_| !column.generated) {
        // A default has the type of its column, whatever it was written as.
        let text = format!("CAST(({text}) AS {})", format_type(column.ty));
        let expr = crate::parse::parse_expression(&text)?;
        let checked = constraint::stored_expression(table, &expr, Purpose::Default, Some(ty), &context);
        checked.map_err(|_| {
            let shown = format_type(Type::of(ty.oid));
            let message =
                format!("default for column \"{}\" cannot be cast automatically to type {shown}", column.name);
            Error::new(sqlstate::DATATYPE_MISMATCH, message)
        })?;
    }
    readers::check_own_expressions(table, &context)
}
