//! CREATE INDEX (PostgreSQL manual). Unique indexes are enforced by the store; others are kept as facts so that tools see them,
//! and serve no look-ups yet.

use std::borrow::Cow;
use std::sync::Arc;

use aegis_catalog::definition::default_operator_class;
use aegis_catalog::fixed_oid::PG_CLASS;
use aegis_catalog::object::{Column, Dependency, DependencyKind, Index, IndexKey, Relation, RelationKind};
use aegis_catalog::types::oid;
use aegis_catalog::{Catalog, Error, Result, Type, sqlstate};

use super::storage_options::{self, Holder};
use super::{Outcome, collation, constraint, namespace, partition, rewrite, table_storage};
use crate::bind::{self, Purpose};
use crate::execute::index_key;
use crate::lower::free;
use crate::parse::ast::{Expr, ExprKind};
use crate::parse::utility::{CreateIndex, IndexElement};
use crate::session::Session;
use crate::session::context::StatementContext;

pub async fn create(session: &mut Session, create: &CreateIndex, context: &StatementContext) -> Result<Outcome> {
    let table = indexed(create, context)?;
    namespace::reject_system(&table)?;
    crate::privilege::require_owner(&table, context)?;
    session.writable("CREATE INDEX")?.tables.deferred.refuse(&table, "CREATE INDEX")?;
    let partitioned = table.partitioning().is_some();
    if create.concurrently && partitioned {
        let message = format!("cannot create index on partitioned table \"{}\" concurrently", table.name);
        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
    }
    if create.concurrently {
        session.require_no_block("CREATE INDEX CONCURRENTLY")?;
    }
    let method = create.method.clone().unwrap_or_else(|| "btree".to_owned());
    check_method(&method, create)?;
    let (keys, mut columns) = keys(&table, create, &method, context)?;
    if create.unique {
        let attnums: Vec<i16> = keys.iter().map(|key| key.attnum).collect();
        partition::index::check_unique(&table, &attnums, "UNIQUE")?;
    }
    let predicate = match &create.predicate {
        Some((expr, _)) => {
            let purpose = Purpose::IndexPredicate;
            let (bound, text) = constraint::stored_expression(&table, expr, purpose, None, context)?;
            require_immutable(&bound, "index predicate")?;
            Some(text)
        }
        None => None,
    };
    let include = included(&table, create)?;
    let key_count = columns.len();
    for (attnum, position) in include.iter().zip(1i16..) {
        let position = position + i16::try_from(keys.len()).unwrap_or(0);
        columns.extend(table.column(*attnum).map(|column| plain_column(column, position)));
    }
    let open = session.writable("CREATE INDEX")?;
    let name = match &create.name {
        Some(name) => name.name.clone(),
        None => {
            let names: Vec<&str> = columns.iter().take(key_count).map(|column: &Column| column.name.as_str()).collect();
            let parts: Vec<&str> = std::iter::once(table.name.as_str()).chain(names).collect();
            namespace::generated_name(open, table.schema, &parts, "idx")
        }
    };
    if create.if_not_exists && open.catalog.catalog().relation_by_name(table.schema, &name).is_some() {
        session.skip_notice_as(sqlstate::DUPLICATE_TABLE, &format!("relation \"{name}\" already exists, skipping"));
        return Outcome::tag("CREATE INDEX");
    }
    storage_options::check(Holder::Index(&method), &create.options)?;
    let relation = Relation {
        oid: 0,
        schema: table.schema,
        name,
        owner: table.owner,
        persistence: table.persistence,
        row_type: 0,
        row_array_type: 0,
        columns,
        kind: RelationKind::Index(Index {
            table: table.oid,
            method,
            keys,
            include,
            unique: create.unique,
            primary: false,
            nulls_not_distinct: create.nulls_not_distinct,
            predicate,
            storage: None,
            options: create.options.clone(),
            parent: 0,
            partitioned,
            invalid: partitioned && create.only && context.catalog.has_children(table.oid),
            clustered: false,
        }),
    };
    collation::check_index(&relation, &open.catalog.catalog())?;
    let index = open.catalog.create_relation(open.tables.permanent(), relation)?;
    record_dependencies(session, &table, &index)?;
    if partitioned {
        if !create.only {
            partition::index::on_partitions(session, &table, index.oid)?;
            partition::index::compute_missing(session, table.oid).await?;
        }
        return Outcome::tag("CREATE INDEX");
    }
    let open = session.writable("CREATE INDEX")?;
    match index.index().is_some_and(index_key::is_computed) {
        true => compute_keys(session, &table, &index).await?,
        false => table_storage::update(open, &table, None, &context.format)?,
    }
    Outcome::tag("CREATE INDEX")
}

/// The table whose index it is to be.
fn indexed(create: &CreateIndex, context: &StatementContext) -> Result<Arc<Relation>> {
    let named = namespace::existing_anywhere(&create.table, context)?;
    if let Some(rows) = rows_of_view(&named, &context.catalog) {
        let message = "continuous aggregates do not support UNIQUE indexes";
        return if create.unique { Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message)) } else { Ok(rows) };
    }
    if named.table().is_none() {
        let message = format!("cannot create index on relation \"{}\"", named.name);
        return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message)
            .with_detail(format!("This operation is not supported for {}s.", named.kind_name())));
    }
    Ok(named)
}

/// The table of windows that an extension keeps the rows of a view in: an index of such a view is the table's.
fn rows_of_view(view: &Relation, catalog: &Catalog) -> Option<Arc<Relation>> {
    view.view()?;
    let parts = catalog.dependents_of(view.address()).into_iter();
    let parts = parts.filter(|edge| edge.kind == DependencyKind::Auto && edge.dependent.class == PG_CLASS);
    let mut tables = parts.filter_map(|edge| catalog.relation(edge.dependent.object));
    tables.find(|table| table.windows().is_some()).cloned()
}

/// Records the functions and types that the index's expressions rest on.
fn record_dependencies(session: &mut Session, table: &Arc<Relation>, index: &Relation) -> Result<()> {
    let context = session.context()?;
    let Some(definition) = index.index() else { return Ok(()) };
    let texts = definition.keys.iter().filter_map(|key| key.expression.as_ref()).chain(&definition.predicate);
    for text in texts {
        let bound = bind::bind_stored(table, super::stored_text::ROW, text, &context)?;
        let open = session.writable("CREATE INDEX")?;
        for referenced in bind::objects_of(&bound, &context.catalog) {
            let edge = Dependency { dependent: index.address(), referenced, kind: DependencyKind::Normal };
            open.catalog.add_dependency(open.tables.permanent(), edge)?;
        }
    }
    Ok(())
}

/// Gives the rows that are there their keys in a unique index over expressions or with a predicate. 23505 if two are the same.
pub async fn compute_keys(session: &mut Session, table: &Arc<Relation>, index: &Relation) -> Result<()> {
    let format = session.format_settings();
    let open = session.writable("CREATE INDEX")?;
    let Some(storage) = table.table().and_then(|table| table.rows()) else { return Ok(()) };
    if open.tables.scan(storage)?.row_count == Some(0) {
        return table_storage::update(open, table, None, &format);
    }
    let rewritten = rewrite::run(session, table, table, Vec::new()).await;
    rewritten.map(drop).map_err(|mut error| {
        if error.code() == sqlstate::UNIQUE_VIOLATION && error.fields().constraint.as_deref() == Some(&index.name) {
            let fields = error.fields_mut();
            fields.message = format!("could not create unique index \"{}\"", index.name);
            let detail = fields.detail.take();
            fields.detail = detail.map(|detail| detail.replace(") already exists.", ") is duplicated."));
        }
        error
    })
}

/// The keys of the index, and its columns for them.
fn keys(
    table: &Arc<Relation>,
    create: &CreateIndex,
    method: &str,
    context: &StatementContext,
) -> Result<(Vec<IndexKey>, Vec<Column>)> {
    let (mut keys, mut columns) = (Vec::with_capacity(create.keys.len()), Vec::new());
    for (element, position) in create.keys.iter().zip(1i16..) {
        let mut key = IndexKey {
            attnum: 0,
            expression: None,
            descending: element.descending,
            nulls_first: element.nulls_first.unwrap_or(element.descending),
            operator_class: operator_class(method, element)?,
        };
        let plain = match &element.expr.kind {
            ExprKind::Column(name) if name.parts.len() == 1 => Some(&name.parts[0].name),
            _ => None,
        };
        match plain {
            Some(name) => {
                let column = table.column_by_name(name).ok_or_else(|| {
                    Error::new(sqlstate::UNDEFINED_COLUMN, format!("column \"{name}\" does not exist"))
                })?;
                key.attnum = column.attnum;
                if create.unique && method == "btree" && key.operator_class == 0 {
                    key.operator_class = index_key::unique_class(column.ty, &context.catalog);
                }
                columns.push(plain_column(column, position));
            }
            None => {
                let purpose = Purpose::IndexExpression;
                let expr = with_collation(element);
                let (bound, text) = constraint::stored_expression(table, &expr, purpose, None, context)?;
                require_immutable(&bound, "index expression")?;
                key.expression = Some(text);
                let name = column_name(&element.expr, &columns);
                let mut column = Column::new(name, position, bound.ty);
                if let bind::tree::ExprKind::Collate { collation, .. } = &bound.kind {
                    column.collation = *collation;
                }
                columns.push(column);
            }
        }
        if let Some(column) = columns.last_mut() {
            if let (Some(_), Some(collation)) = (plain, &element.collation) {
                column.collation = bind::resolve_collation(collation, column.ty, context)?;
            }
            if !matches!(method, "btree" | "hash") {
                require_class(method, &key, column.ty, context)?;
            }
            if method == "hash" {
                (column.ty, column.collation) = (Type::of(oid::INT4), 0);
            }
        }
        keys.push(key);
    }
    Ok((keys, columns))
}

/// 42P17 for what may change under the index.
fn require_immutable(expr: &bind::tree::Expr, place: &str) -> Result<()> {
    if free::is_immutable(expr) {
        return Ok(());
    }
    let message = format!("functions in {place} must be marked IMMUTABLE");
    Err(Error::new(sqlstate::INVALID_OBJECT_DEFINITION, message))
}

/// An expression under the collation that the index has for it.
fn with_collation(element: &IndexElement) -> Cow<'_, Expr> {
    let Some(collation) = element.collation.clone() else { return Cow::Borrowed(&element.expr) };
    let kind = ExprKind::Collate { arg: Box::new(element.expr.clone()), collation };
    Cow::Owned(Expr { kind, span: element.expr.span })
}

/// The operator class that is named, 0 if it is the default. 42704 if there is none of that name.
fn operator_class(method: &str, element: &IndexElement) -> Result<aegis_catalog::Oid> {
    let Some(name) = element.operator_class.as_ref().and_then(|name| name.parts.last()) else { return Ok(0) };
    match aegis_catalog::definition::operator_class_named(method, &name.name) {
        Some((_, true)) => Ok(0),
        Some((class, false)) => Ok(class),
        None => {
            let message = format!("operator class \"{}\" does not exist for access method \"{method}\"", name.name);
            Err(Error::new(sqlstate::UNDEFINED_OBJECT, message))
        }
    }
}

/// An index column over an expression is named as an output column would be, or `expr`, with a number if that is taken.
fn column_name(expr: &Expr, taken: &[Column]) -> String {
    let base = match bind::output_name(expr) {
        name if name == "?column?" => "expr".to_owned(),
        name => name,
    };
    let is_taken = |name: &str| taken.iter().any(|column| column.name == name);
    let mut name = base.clone();
    let mut number = 0;
    while is_taken(&name) {
        number += 1;
        name = format!("{base}{number}");
    }
    name
}

fn plain_column(column: &Column, attnum: i16) -> Column {
    Column {
        attnum,
        default: None,
        default_oid: 0,
        hints: aegis_catalog::object::ColumnHints::default(),
        not_null: false,
        identity: None,
        generated: false,
        ..column.clone()
    }
}

/// 0A000 for index methods that are not there, 42704 for unknown ones.
/// What an access method cannot do. Indexes of other methods than `btree` and `hash` are kept as facts.
fn check_method(method: &str, create: &CreateIndex) -> Result<()> {
    let (unique, multicolumn, includes) = match method {
        "btree" => return Ok(()),
        "hash" => (false, false, false),
        "gist" => (false, true, true),
        "spgist" => (false, false, true),
        "gin" | "brin" => (false, true, false),
        _ => {
            let message = format!("access method \"{method}\" does not exist");
            return Err(Error::new(sqlstate::UNDEFINED_OBJECT, message));
        }
    };
    let asked = [
        (create.unique && !unique, "unique indexes"),
        (!create.include.is_empty() && !includes, "included columns"),
        (create.keys.len() > 1 && !multicolumn, "multicolumn indexes"),
        (create.keys.iter().any(|key| key.descending), "ASC/DESC options"),
        (create.keys.iter().any(|key| key.nulls_first.is_some()), "NULLS FIRST/LAST options"),
    ];
    match asked.into_iter().find(|(refused, _)| *refused) {
        Some((_, what)) => {
            let message = format!("access method \"{method}\" does not support {what}");
            Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message))
        }
        None => Ok(()),
    }
}

/// 42704 if the method has no way to index the type unless told one.
fn require_class(method: &str, key: &IndexKey, ty: Type, context: &StatementContext) -> Result<()> {
    let base = context.catalog.base_type(ty).oid;
    if key.operator_class != 0 || default_operator_class(method, base).is_some() {
        return Ok(());
    }
    let shown = context.format.names.type_name(ty.oid);
    let message = format!("data type {shown} has no default operator class for access method \"{method}\"");
    Err(Error::new(sqlstate::UNDEFINED_OBJECT, message).with_hint(
        "You must specify an operator class for the index or define a default operator class for the data type.",
    ))
}

fn included(table: &Relation, create: &CreateIndex) -> Result<Vec<i16>> {
    let attnum = |ident: &crate::parse::ast::Ident| {
        table
            .column_by_name(&ident.name)
            .map(|column| column.attnum)
            .ok_or_else(|| Error::new(sqlstate::UNDEFINED_COLUMN, format!("column \"{}\" does not exist", ident.name)))
    };
    create.include.iter().map(attnum).collect()
}
