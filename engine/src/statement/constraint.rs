//! Constraints of tables: what CREATE and ALTER TABLE declare, made into catalog objects and indexes.

use std::sync::Arc;

use aegis_catalog::fixed_oid::{PG_ATTRDEF, PG_CLASS, PG_CONSTRAINT};
use aegis_catalog::object::{
    Column, Constraint, ConstraintKind, Dependency, DependencyKind, Index, IndexKey, ObjectAddress, Relation,
    RelationKind, Table,
};
use aegis_catalog::types::{format_type, oid};
use aegis_catalog::{Catalog, Error, Oid, Result, Type, sqlstate};

use super::create_table::merge::merged_check;
use super::{collation, namespace, partition, stored_text};
use crate::bind::{self, Purpose};
use crate::execute::index_key;
use crate::lower::free;
use crate::parse::ast::{Expr, Ident, Span};
use crate::parse::utility::{ColumnConstraintKind, ConstraintTiming, References, TableConstraint, TableConstraintKind};
use crate::session::Session;
use crate::session::context::StatementContext;

/// A constraint as declared, by column names.
#[derive(Debug, Clone)]
pub struct Declared {
    name: Option<String>,
    kind: DeclaredKind,
    timing: ConstraintTiming,
    /// Not for what inherits from the table.
    only: bool,
}

#[derive(Debug, Clone)]
enum DeclaredKind {
    Key {
        columns: Vec<String>,
        include: Vec<String>,
        primary: bool,
        nulls_not_distinct: bool,
        /// An index that is there already.
        index: Option<Oid>,
    },
    Check(Box<Expr>),
    ForeignKey {
        columns: Vec<String>,
        references: References,
    },
}

fn names(idents: &[Ident]) -> Vec<String> {
    idents.iter().map(|ident| ident.name.clone()).collect()
}

impl Declared {
    pub fn of_table(constraint: &TableConstraint) -> Result<Self> {
        let kind = match &constraint.kind {
            TableConstraintKind::PrimaryKey { using_index: Some(_), .. }
            | TableConstraintKind::Unique { using_index: Some(_), .. } => {
                let message = "cannot use an existing index in CREATE TABLE";
                return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message).at(constraint.span.start));
            }
            TableConstraintKind::PrimaryKey { columns, include, .. } => DeclaredKind::Key {
                columns: names(columns),
                include: names(include),
                primary: true,
                nulls_not_distinct: false,
                index: None,
            },
            TableConstraintKind::Unique { columns, include, nulls_not_distinct, .. } => DeclaredKind::Key {
                columns: names(columns),
                include: names(include),
                primary: false,
                nulls_not_distinct: *nulls_not_distinct,
                index: None,
            },
            TableConstraintKind::Check(expr, _) => DeclaredKind::Check(Box::new(expr.clone())),
            TableConstraintKind::ForeignKey { columns, references } => {
                DeclaredKind::ForeignKey { columns: names(columns), references: references.clone() }
            }
            TableConstraintKind::Exclude => return Err(Error::unsupported("EXCLUDE constraint")),
        };
        let name = constraint.name.as_ref().map(|ident| ident.name.clone());
        Self { name, kind, timing: constraint.timing.clone(), only: false }.checked()
    }

    /// A key whose index is there already.
    pub fn over_index(
        name: &str,
        index: Oid,
        columns: Vec<String>,
        primary: bool,
        nulls_not_distinct: bool,
        timing: &ConstraintTiming,
    ) -> Self {
        let (include, index) = (Vec::new(), Some(index));
        let kind = DeclaredKind::Key { columns, include, primary, nulls_not_distinct, index };
        Self { name: Some(name.to_owned()), kind, timing: timing.clone(), only: false }
    }

    /// None for what is a property of the column rather than a constraint.
    pub fn of_column(
        name: Option<String>,
        column: &str,
        kind: &ColumnConstraintKind,
        timing: &ConstraintTiming,
    ) -> Result<Option<Self>> {
        let columns = vec![column.to_owned()];
        let kind = match kind {
            ColumnConstraintKind::PrimaryKey { include } => DeclaredKind::Key {
                columns,
                include: names(include),
                primary: true,
                nulls_not_distinct: false,
                index: None,
            },
            ColumnConstraintKind::Unique { include, nulls_not_distinct } => DeclaredKind::Key {
                columns,
                include: names(include),
                primary: false,
                nulls_not_distinct: *nulls_not_distinct,
                index: None,
            },
            ColumnConstraintKind::Check(expr, _) => DeclaredKind::Check(Box::new(expr.clone())),
            ColumnConstraintKind::References(references) => {
                DeclaredKind::ForeignKey { columns, references: references.clone() }
            }
            _ => return Ok(None),
        };
        Self { name, kind, timing: timing.clone(), only: false }.checked().map(Some)
    }

    fn checked(self) -> Result<Self> {
        let refuse = |what: &str, how: &str| {
            let message = format!("{what} constraints cannot be marked {how}");
            Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message))
        };
        match &self.kind {
            DeclaredKind::Check(_) if self.is_deferrable() => refuse("CHECK", "DEFERRABLE"),
            DeclaredKind::Key { primary: true, .. } if self.timing.not_valid => refuse("PRIMARY KEY", "NOT VALID"),
            DeclaredKind::Key { .. } if self.timing.not_valid => refuse("UNIQUE", "NOT VALID"),
            _ => Ok(self),
        }
    }

    /// The same for the table alone.
    pub fn only(self, only: bool) -> Self {
        Self { only, ..self }
    }

    fn is_deferrable(&self) -> bool {
        self.timing.deferrable == Some(true) || self.timing.initially_deferred == Some(true)
    }

    fn is_primary(&self) -> bool {
        matches!(self.kind, DeclaredKind::Key { primary: true, .. })
    }
}

/// Constraints that `LIKE … INCLUDING CONSTRAINTS, INDEXES` copies.
pub fn copied(source: &Relation, checks: bool, keys: bool, catalog: &Catalog) -> Result<Vec<Declared>> {
    let included = |index: Oid| {
        let index = catalog.relation(index).and_then(|relation| relation.index());
        index.map(|index| index.include.clone()).unwrap_or_default()
    };
    let column_names = |attnums: &[i16]| {
        attnums.iter().filter_map(|&n| source.column(n)).map(|column| column.name.clone()).collect::<Vec<_>>()
    };
    let mut all = Vec::new();
    for constraint in source.constraints() {
        let kind = match &constraint.kind {
            ConstraintKind::Check { expression, .. } if checks => {
                DeclaredKind::Check(Box::new(crate::parse::parse_expression(expression)?))
            }
            ConstraintKind::PrimaryKey { columns, index } if keys => DeclaredKind::Key {
                columns: column_names(columns),
                include: column_names(&included(*index)),
                primary: true,
                nulls_not_distinct: false,
                index: None,
            },
            ConstraintKind::Unique { columns, index, nulls_not_distinct } if keys => DeclaredKind::Key {
                columns: column_names(columns),
                include: column_names(&included(*index)),
                primary: false,
                nulls_not_distinct: *nulls_not_distinct,
                index: None,
            },
            _ => continue,
        };
        let name = matches!(kind, DeclaredKind::Check(_)).then(|| constraint.name.clone());
        let timing = ConstraintTiming {
            deferrable: Some(constraint.deferrable),
            initially_deferred: Some(constraint.initially_deferred),
            not_valid: false,
            no_inherit: constraint.no_inherit,
        };
        all.push(Declared { name, kind, timing, only: false });
    }
    Ok(all)
}

/// Primary key columns are NOT NULL. 42P16 for a second primary key.
pub fn mark_not_null(table: &str, columns: &mut [Column], constraints: &[Declared]) -> Result<()> {
    if constraints.iter().filter(|constraint| constraint.is_primary()).count() > 1 {
        let message = format!("multiple primary keys for table \"{table}\" are not allowed");
        return Err(Error::new(sqlstate::INVALID_TABLE_DEFINITION, message));
    }
    for constraint in constraints.iter().filter(|constraint| constraint.is_primary()) {
        if let DeclaredKind::Key { columns: keys, .. } = &constraint.kind {
            columns.iter_mut().filter(|column| keys.contains(&column.name)).for_each(|column| column.not_null = true);
        }
    }
    Ok(())
}

/// An expression over the table's columns must bind: checks to boolean, defaults to their column. Returns it with the text to keep.
pub fn stored_expression(
    table: &Arc<Relation>,
    expr: &Expr,
    purpose: Purpose,
    target: Option<Type>,
    context: &StatementContext,
) -> Result<(bind::tree::Expr, String)> {
    let bound = bind::bind_expression_over(table, stored_text::ROW, expr, purpose, target, context)?;
    if matches!(purpose, Purpose::Generated) {
        check_generated(table, &bound)?;
    }
    let text = stored_text::expression(&bound, table, context)?;
    Ok((bound, text))
}

/// 42P17 for a generation expression over a generated column, or one whose value is not the same at all times.
fn check_generated(table: &Relation, expr: &bind::tree::Expr) -> Result<()> {
    let invalid = |message: String| Error::new(sqlstate::INVALID_OBJECT_DEFINITION, message);
    fn visit(expr: &mut bind::tree::Expr, found: &mut Vec<(usize, Span)>) {
        if let bind::tree::ExprKind::Column { rel: stored_text::ROW, column } = expr.kind {
            found.push((column, expr.span));
        }
        bind::walk::children(expr, &mut |child| visit(child, found));
    }
    let mut columns = Vec::new();
    visit(&mut expr.clone(), &mut columns);
    for (column, span) in columns {
        let Some(column) = table.columns.get(column).filter(|column| column.generated) else { continue };
        let message = format!("cannot use generated column \"{}\" in column generation expression", column.name);
        let detail = "A generated column cannot reference another generated column.";
        return Err(invalid(message).with_detail(detail).at(span.start));
    }
    match free::is_immutable(expr) {
        true => Ok(()),
        false => Err(invalid("generation expression is not immutable".to_owned())),
    }
}

/// Records the sequences that the table's defaults draw from, which cannot go before them.
pub fn record_defaults(session: &mut Session, table: &Arc<Relation>) -> Result<()> {
    let context = session.context()?;
    let open = session.writable("ALTER TABLE")?;
    let mut calls: Vec<(ObjectAddress, &str)> = Vec::new();
    for column in table.live_columns().filter(|column| column.generated) {
        calls.extend(column.default.as_deref().map(|text| (ObjectAddress::new(PG_ATTRDEF, column.default_oid), text)));
    }
    for constraint in table.constraints() {
        if let ConstraintKind::Check { expression, .. } = &constraint.kind {
            calls.push((ObjectAddress::new(PG_CONSTRAINT, constraint.oid), expression));
        }
    }
    for (dependent, text) in calls {
        let bound = bind::bind_stored(table, stored_text::ROW, text, &context)?;
        for referenced in bind::objects_of(&bound, &context.catalog) {
            let edge = Dependency { dependent, referenced, kind: DependencyKind::Normal };
            open.catalog.add_dependency(open.tables.permanent(), edge)?;
        }
    }
    for column in table.live_columns().filter(|column| !column.generated) {
        let Some(text) = &column.default else { continue };
        let expr = crate::parse::parse_expression(text)?;
        let bound =
            bind::bind_expression_over(table, stored_text::ROW, &expr, Purpose::Default, Some(column.ty), &context)?;
        let sequences =
            bind::named_by(&bound, &context.catalog).into_iter().map(|named| ObjectAddress::new(PG_CLASS, named));
        for referenced in sequences.chain(bind::objects_of(&bound, &context.catalog)) {
            let edge = Dependency {
                dependent: ObjectAddress::new(PG_ATTRDEF, column.default_oid),
                referenced,
                kind: DependencyKind::Normal,
            };
            open.catalog.add_dependency(open.tables.permanent(), edge)?;
        }
    }
    Ok(())
}

/// Adds declared constraints to a table: keys first, since foreign keys may refer to them. With `validate`, existing rows must hold.
pub fn add_all(
    session: &mut Session,
    mut table: Arc<Relation>,
    declared: Vec<Declared>,
    validate: bool,
) -> Result<Arc<Relation>> {
    let (keys, others): (Vec<_>, Vec<_>) =
        declared.into_iter().partition(|constraint| matches!(constraint.kind, DeclaredKind::Key { .. }));
    for constraint in keys.into_iter().chain(others) {
        table = add(session, &table, constraint, validate)?;
    }
    record_defaults(session, &table)?;
    if validate {
        // The store checks keys when its schema changes; the caller checks the rest with queries.
        let format = session.format_settings();
        super::table_storage::update(session.writable("ALTER TABLE")?, &table, None, &format)?;
    }
    Ok(table)
}

fn add(session: &mut Session, table: &Arc<Relation>, declared: Declared, altered: bool) -> Result<Arc<Relation>> {
    let context = session.context()?;
    let deferrable = declared.is_deferrable();
    let no_inherit = declared.timing.no_inherit;
    if no_inherit && table.partitioning().is_some() {
        let message = format!("cannot add NO INHERIT constraint to partitioned table \"{}\"", table.name);
        return Err(Error::new(sqlstate::INVALID_TABLE_DEFINITION, message));
    }
    let initially_deferred = declared.timing.initially_deferred == Some(true);
    // A table that is being created has no rows that could break it.
    let validated = !(altered && declared.timing.not_valid);
    let check = match &declared.kind {
        DeclaredKind::Check(expr) => Some(check_of(table, expr, &context)?),
        _ => None,
    };
    let open = session.writable("ALTER TABLE")?;
    let (suffix, columns) = match &declared.kind {
        DeclaredKind::Key { primary: true, .. } => ("pkey", Vec::new()),
        DeclaredKind::Key { columns, include, .. } => ("key", [columns.as_slice(), include].concat()),
        // Named after its column if it is about one alone.
        DeclaredKind::Check(_) => match check.as_ref().map(|(columns, _)| columns.as_slice()) {
            Some([only]) => ("check", table.column(*only).map(|column| column.name.clone()).into_iter().collect()),
            _ => ("check", Vec::new()),
        },
        DeclaredKind::ForeignKey { columns, .. } => ("fkey", columns.clone()),
    };
    let name = match declared.name {
        Some(name) => {
            let text = check.as_ref().map(|(_, text)| text.as_str());
            if let Some(merged) = text.and_then(|text| merged_check(table, &name, text)) {
                session.skip_notice(&format!("merging constraint \"{name}\" with inherited definition"));
                let open = session.writable("ALTER TABLE")?;
                return open.catalog.replace_relation(open.tables.permanent(), merged);
            }
            if table.constraints().iter().any(|constraint| constraint.name == name) {
                let message = format!("constraint \"{name}\" for relation \"{}\" already exists", table.name);
                return Err(Error::new(sqlstate::DUPLICATE_OBJECT, message));
            }
            name
        }
        None => {
            let parts: Vec<&str> =
                std::iter::once(table.name.as_str()).chain(columns.iter().map(String::as_str)).collect();
            namespace::generated_name(open, table.schema, &parts, suffix)
        }
    };
    let kind = match declared.kind {
        DeclaredKind::Key { columns, include, primary, nulls_not_distinct, index } => {
            let include = included_columns(table, &include)?;
            let attnums = key_columns(table, &columns, primary)?;
            partition::index::check_unique(table, &attnums, if primary { "PRIMARY KEY" } else { "UNIQUE" })?;
            if primary && table.constraints().iter().any(|c| matches!(c.kind, ConstraintKind::PrimaryKey { .. })) {
                let message = format!("multiple primary keys for table \"{}\" are not allowed", table.name);
                return Err(Error::new(sqlstate::INVALID_TABLE_DEFINITION, message));
            }
            let invalid = declared.only && context.catalog.has_children(table.oid) && table.partitioning().is_some();
            let index = match index {
                Some(index) => adopt_index(session, index, &name, primary)?,
                None => {
                    let kind = key_index(table, &attnums, (primary, nulls_not_distinct), &context.catalog);
                    let kind = Index { include, invalid, ..kind };
                    let command = if altered { "ALTER TABLE / ADD" } else { "CREATE TABLE /" };
                    let key = if primary { "PRIMARY KEY" } else { "UNIQUE" };
                    let of = &table.name;
                    session.debug(&format!("{command} {key} will create implicit index \"{name}\" for table \"{of}\""));
                    create_key_index(session, table, &name, kind)?
                }
            };
            if primary {
                ConstraintKind::PrimaryKey { index, columns: attnums }
            } else {
                ConstraintKind::Unique { index, columns: attnums, nulls_not_distinct }
            }
        }
        DeclaredKind::Check(_) => {
            let (columns, expression) = check.ok_or_else(|| Error::internal("a check without expression"))?;
            ConstraintKind::Check { columns, expression }
        }
        DeclaredKind::ForeignKey { columns, references } => {
            let kind = foreign_key(table, &name, &columns, &references, &context)?;
            refuse_partial(table, &kind, declared.only, !validated, &context)?;
            kind
        }
    };
    let constraint =
        Constraint { deferrable, initially_deferred, validated, no_inherit, ..Constraint::new(name.clone(), kind) };
    let table = push(session, table, constraint)?;
    let added = table.constraints().iter().find(|constraint| constraint.name == name).cloned();
    if let Some(added) = added.filter(|_| table.partitioning().is_some() && !declared.only) {
        match added.key_index() {
            Some(index) => partition::index::on_partitions(session, &table, index)?,
            None if matches!(added.kind, ConstraintKind::ForeignKey { .. }) => {
                partition::index::foreign_key_on_partitions(session, &table, &added)?;
            }
            None => {}
        }
    }
    Ok(table)
}

/// 42809: a foreign key of a partitioned table is for all its partitions, and holds for their rows.
fn refuse_partial(
    table: &Relation,
    kind: &ConstraintKind,
    only: bool,
    not_valid: bool,
    context: &StatementContext,
) -> Result<()> {
    let ConstraintKind::ForeignKey { referenced, .. } = kind else { return Ok(()) };
    if table.partitioning().is_none() || !(only || not_valid) {
        return Ok(());
    }
    let referenced = context.catalog.relation(*referenced).map_or("", |referenced| referenced.name.as_str());
    let what = if only { "use ONLY for" } else { "add NOT VALID" };
    let message = format!(
        "cannot {what} foreign key on partitioned table \"{}\" referencing relation \"{referenced}\"",
        table.name
    );
    Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message))
}

/// The table with one more constraint.
pub fn push(session: &mut Session, table: &Relation, constraint: Constraint) -> Result<Arc<Relation>> {
    let mut changed = table.clone();
    if let RelationKind::Table(Table { constraints, .. }) = &mut changed.kind {
        constraints.push(constraint);
    }
    let open = session.writable("ALTER TABLE")?;
    open.catalog.replace_relation(open.tables.permanent(), changed)
}

/// Attnums of the key's columns. 42703 for unknown, 42701 for repeated ones.
fn key_columns(table: &Relation, columns: &[String], primary: bool) -> Result<Vec<i16>> {
    let mut attnums = Vec::with_capacity(columns.len());
    for name in columns {
        let column = table.column_by_name(name).ok_or_else(|| {
            Error::new(sqlstate::UNDEFINED_COLUMN, format!("column \"{name}\" named in key does not exist"))
        })?;
        if attnums.contains(&column.attnum) {
            let message = format!(
                "column \"{name}\" appears twice in {} constraint",
                if primary { "primary key" } else { "unique" }
            );
            return Err(Error::new(sqlstate::DUPLICATE_COLUMN, message));
        }
        attnums.push(column.attnum);
    }
    Ok(attnums)
}

/// Attnums of INCLUDE columns.
fn included_columns(table: &Relation, columns: &[String]) -> Result<Vec<i16>> {
    let attnum = |name: &String| {
        table.column_by_name(name).map(|column| column.attnum).ok_or_else(|| {
            Error::new(sqlstate::UNDEFINED_COLUMN, format!("column \"{name}\" named in key does not exist"))
        })
    };
    columns.iter().map(attnum).collect()
}

fn key_index(
    table: &Relation,
    attnums: &[i16],
    (primary, nulls_not_distinct): (bool, bool),
    catalog: &Catalog,
) -> Index {
    let key = |&attnum: &i16| {
        let operator_class = table.column(attnum).map_or(0, |column| index_key::unique_class(column.ty, catalog));
        IndexKey { attnum, expression: None, descending: false, nulls_first: false, operator_class }
    };
    Index {
        table: table.oid,
        method: "btree".to_owned(),
        keys: attnums.iter().map(key).collect(),
        include: Vec::new(),
        unique: true,
        primary,
        nulls_not_distinct,
        predicate: None,
        storage: None,
        options: Vec::new(),
        parent: 0,
        partitioned: table.partitioning().is_some(),
        invalid: false,
        clustered: false,
    }
}

/// An index that is there becomes that of a constraint and takes its name.
fn adopt_index(session: &mut Session, index: Oid, name: &str, primary: bool) -> Result<Oid> {
    let open = session.writable("ALTER TABLE")?;
    let relation = open.catalog.catalog().relation(index).cloned();
    let relation = relation.ok_or_else(|| Error::internal("an index went while its constraint was added"))?;
    let mut adopted = Relation { name: name.to_owned(), ..Relation::clone(&relation) };
    if let RelationKind::Index(index) = &mut adopted.kind {
        index.primary = primary;
    }
    open.catalog.replace_relation(open.tables.permanent(), adopted)?;
    Ok(index)
}

fn create_key_index(session: &mut Session, table: &Relation, name: &str, index: Index) -> Result<Oid> {
    let attnums = index.keys.iter().map(|key| key.attnum).chain(index.include.iter().copied());
    let columns = attnums
        .zip(1..)
        .filter_map(|(attnum, position)| {
            let column = table.column(attnum)?;
            Some(Column {
                attnum: position,
                default: None,
                default_oid: 0,
                hints: aegis_catalog::object::ColumnHints::default(),
                not_null: false,
                identity: None,
                generated: false,
                ..column.clone()
            })
        })
        .collect();
    let relation = Relation {
        oid: 0,
        schema: table.schema,
        name: name.to_owned(),
        owner: table.owner,
        persistence: table.persistence,
        row_type: 0,
        row_array_type: 0,
        columns,
        kind: RelationKind::Index(index),
    };
    let open = session.writable("CREATE INDEX")?;
    collation::check_index(&relation, &open.catalog.catalog())?;
    Ok(open.catalog.create_relation(open.tables.permanent(), relation)?.oid)
}

/// A check as it is kept: the columns it reads (`pg_constraint.conkey`) and its text.
fn check_of(table: &Arc<Relation>, expr: &Expr, context: &StatementContext) -> Result<(Vec<i16>, String)> {
    let (bound, text) = stored_expression(table, expr, Purpose::Check, None, context)?;
    let positions = bind::columns_of(&bound, stored_text::ROW).into_iter();
    let columns = positions.filter_map(|position| table.columns.get(position)).map(|column| column.attnum);
    Ok((columns.collect(), text))
}

fn foreign_key(
    table: &Arc<Relation>,
    name: &str,
    columns: &[String],
    references: &References,
    context: &StatementContext,
) -> Result<ConstraintKind> {
    // A table may refer to itself while it is being created, so the name may mean the table at hand.
    let referenced = match namespace::find(&references.table, context)? {
        Some(found) => found,
        None => namespace::existing_anywhere(&references.table, context)?,
    };
    if referenced.table().is_none() {
        let message = format!("referenced relation \"{}\" is not a table", referenced.name);
        return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message));
    }
    let attnums = columns
        .iter()
        .map(|name| table.column_by_name(name).map(|column| column.attnum).ok_or_else(|| missing_key_column(name)))
        .collect::<Result<Vec<_>>>()?;
    let (referenced_columns, referenced_index) =
        referenced_key(&referenced, &names(&references.columns), &context.catalog)?;
    if referenced_columns.len() != attnums.len() {
        return Err(Error::new(
            sqlstate::INVALID_FOREIGN_KEY,
            "number of referencing and referenced columns for foreign key disagree",
        ));
    }
    for (&own, &other) in attnums.iter().zip(&referenced_columns) {
        let (Some(own), Some(other)) = (table.column(own), referenced.column(other)) else { continue };
        let is_date = |ty: Type| matches!(ty.oid, oid::DATE | oid::TIMESTAMP);
        let is_zoned = |ty: Type| ty.oid == oid::TIMESTAMPTZ;
        if (is_date(own.ty) && is_zoned(other.ty)) || (is_zoned(own.ty) && is_date(other.ty)) {
            return Err(Error::unsupported("foreign key between a time with and one without time zone"));
        }
        if !bind::refers(own.ty, other.ty, context) {
            return Err(Error::new(
                sqlstate::DATATYPE_MISMATCH,
                format!("foreign key constraint \"{name}\" cannot be implemented"),
            )
            .with_detail(format!(
                "Key columns \"{}\" and \"{}\" are of incompatible types: {} and {}.",
                own.name,
                other.name,
                format_type(own.ty),
                format_type(other.ty)
            )));
        }
    }
    let mut delete_columns = Vec::new();
    for column in &references.delete_columns {
        let attnum = table.column_by_name(&column.name).map(|column| column.attnum);
        let Some(attnum) = attnum else {
            let message = format!("column \"{}\" referenced in foreign key constraint does not exist", column.name);
            return Err(Error::new(sqlstate::UNDEFINED_COLUMN, message));
        };
        if !attnums.contains(&attnum) {
            let message =
                format!("column \"{}\" referenced in ON DELETE SET action must be part of foreign key", column.name);
            return Err(Error::new(sqlstate::INVALID_COLUMN_REFERENCE, message));
        }
        delete_columns.push(attnum);
    }
    Ok(ConstraintKind::ForeignKey {
        columns: attnums,
        referenced: referenced.oid,
        referenced_columns,
        referenced_index,
        on_update: references.on_update,
        on_delete: references.on_delete,
        match_full: references.match_full,
        delete_columns,
    })
}

/// 42703, or 0A000 for a system column.
fn missing_key_column(name: &str) -> Error {
    if bind::tree::SYSTEM_COLUMNS.iter().any(|(system, _)| *system == name) {
        return Error::new(sqlstate::FEATURE_NOT_SUPPORTED, "system columns cannot be used in foreign keys");
    }
    let message = format!("column \"{name}\" referenced in foreign key constraint does not exist");
    Error::new(sqlstate::UNDEFINED_COLUMN, message)
}

/// The referenced columns (the primary key if none are named) and the unique index over exactly them.
fn referenced_key(referenced: &Relation, named: &[String], catalog: &Catalog) -> Result<(Vec<i16>, Oid)> {
    let constraint_of = |index: Oid| referenced.constraints().iter().find(|c| c.key_index() == Some(index));
    let immediate = |index: Oid| match constraint_of(index).is_some_and(|constraint| constraint.deferrable) {
        true => {
            let table = &referenced.name;
            let message = format!("cannot use a deferrable unique constraint for referenced table \"{table}\"");
            Err(Error::new(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, message))
        }
        false => Ok(index),
    };
    if named.is_empty() {
        let primary = referenced.constraints().iter().find_map(|constraint| match &constraint.kind {
            ConstraintKind::PrimaryKey { index, columns } => Some((columns.clone(), *index)),
            _ => None,
        });
        let (columns, index) = primary.ok_or_else(|| {
            let message = format!("there is no primary key for referenced table \"{}\"", referenced.name);
            Error::new(sqlstate::UNDEFINED_OBJECT, message)
        })?;
        return Ok((columns, immediate(index)?));
    }
    let wanted = named
        .iter()
        .map(|name| referenced.column_by_name(name).map(|column| column.attnum).ok_or_else(|| missing_key_column(name)))
        .collect::<Result<Vec<_>>>()?;
    let same = |columns: &[i16]| columns.len() == wanted.len() && wanted.iter().all(|attnum| columns.contains(attnum));
    // Constraints first; the index of one may be there before the catalog's list of indexes knows it.
    let keys = referenced.constraints().iter().filter(|constraint| same(constraint.columns()));
    let mut found: Vec<Oid> = keys.filter_map(|constraint| constraint.key_index()).collect();
    found.extend(catalog.indexes_of(referenced.oid).filter_map(|relation| {
        let index = relation.index().filter(|index| index.unique && index_key::is_over_columns(index))?;
        let columns: Vec<i16> = index.keys.iter().map(|key| key.attnum).collect();
        same(&columns).then_some(relation.oid)
    }));
    let usable = found.iter().copied().find(|index| immediate(*index).is_ok());
    match usable.or_else(|| found.first().copied()) {
        Some(index) => Ok((wanted, immediate(index)?)),
        None => {
            let table = &referenced.name;
            let message = format!("there is no unique constraint matching given keys for referenced table \"{table}\"");
            Err(Error::new(sqlstate::INVALID_FOREIGN_KEY, message))
        }
    }
}
