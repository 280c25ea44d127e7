//! CREATE and ALTER STATISTICS (PostgreSQL manual): facts that are kept and shown. Nothing is collected for them.

use aegis_catalog::object::{Descriptor, DescriptorKind, Statistics};
use aegis_catalog::{Error, Oid, Result, sqlstate};

use super::{Outcome, constraint, descriptor, namespace};
use crate::bind::Purpose;
use crate::parse::ast::{ExprKind, Name};
use crate::parse::utility::CreateStatistics;
use crate::session::Session;
use crate::session::context::StatementContext;

const CLASS: Oid = aegis_catalog::fixed_oid::PG_STATISTIC_EXT;
/// `STATS_MAX_DIMENSIONS`.
const MAX_COLUMNS: usize = 8;

pub fn create(session: &mut Session, create: &CreateStatistics, context: &StatementContext) -> Result<Outcome> {
    const TAG: &str = "CREATE STATISTICS";
    let table = namespace::existing_anywhere(&create.table, context)?;
    if table.table().is_none() {
        let message = format!("cannot define statistics for relation \"{}\"", table.name);
        return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message)
            .with_detail(format!("This operation is not supported for {}s.", table.kind_name())));
    }
    namespace::reject_system(&table)?;
    crate::privilege::require_owner(&table, context)?;
    if create.items.len() > MAX_COLUMNS {
        let message = format!("cannot have more than {MAX_COLUMNS} columns in statistics");
        return Err(Error::new(sqlstate::TOO_MANY_COLUMNS, message));
    }
    let (mut columns, mut expressions) = (Vec::new(), Vec::new());
    for item in &create.items {
        match &item.kind {
            ExprKind::Column(name) if name.parts.len() == 1 => {
                let name = &name.parts[0].name;
                let column = table.column_by_name(name).ok_or_else(|| {
                    Error::new(sqlstate::UNDEFINED_COLUMN, format!("column \"{name}\" does not exist"))
                })?;
                if columns.contains(&column.attnum) {
                    let message = "duplicate column name in statistics definition";
                    return Err(Error::new(sqlstate::DUPLICATE_COLUMN, message));
                }
                columns.push(column.attnum);
            }
            _ => {
                let (_, text) = constraint::stored_expression(&table, item, Purpose::IndexExpression, None, context)?;
                if expressions.contains(&text) {
                    let message = "duplicate expression in statistics definition";
                    return Err(Error::new(sqlstate::DUPLICATE_COLUMN, message));
                }
                expressions.push(text);
            }
        }
    }
    let kinds = kinds(&create.kinds, columns.len(), expressions.len())?;
    columns.sort_unstable();
    let place = namespace::place(session, &create.name, false, context)?;
    let (schema, name) = (place.schema, place.name);
    if context.catalog.descriptor_by_name(CLASS, schema, &name).is_some() {
        let message = format!("statistics object \"{name}\" already exists");
        if create.if_not_exists {
            session.skip_notice_as(sqlstate::DUPLICATE_OBJECT, &format!("{message}, skipping"));
            return Outcome::tag(TAG);
        }
        return Err(Error::new(sqlstate::DUPLICATE_OBJECT, message));
    }
    let open = session.writable(TAG)?;
    let statistics = Statistics { table: table.oid, columns, expressions, kinds, target: None };
    let kind = DescriptorKind::Statistics(statistics);
    let descriptor = Descriptor { oid: 0, schema, name, owner: context.user_oid, kind };
    open.catalog.create_descriptor(open.tables.permanent(), descriptor)?;
    Outcome::tag(TAG)
}

/// `stxkind`: those that are named, all that there are if none is.
fn kinds(named: &[String], columns: usize, expressions: usize) -> Result<Vec<char>> {
    if columns == 0 && expressions == 1 {
        if !named.is_empty() {
            let message = "when building statistics on a single expression, statistics kinds may not be specified";
            return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
        }
        return Ok(vec!['e']);
    }
    if columns + expressions < 2 {
        let message = "extended statistics require at least 2 columns";
        return Err(Error::new(sqlstate::INVALID_OBJECT_DEFINITION, message));
    }
    const KINDS: [(&str, char); 3] = [("ndistinct", 'd'), ("dependencies", 'f'), ("mcv", 'm')];
    if let Some(unknown) = named.iter().find(|named| !KINDS.iter().any(|(name, _)| name == *named)) {
        let message = format!("unrecognized statistics kind \"{unknown}\"");
        return Err(Error::new(sqlstate::SYNTAX_ERROR, message));
    }
    let wanted = KINDS.iter().filter(|(name, _)| named.is_empty() || named.iter().any(|named| named == name));
    Ok(wanted.map(|(_, code)| *code).chain((expressions > 0).then_some('e')).collect())
}

pub fn set_target(
    session: &mut Session,
    name: &Name,
    if_exists: bool,
    target: i32,
    context: &StatementContext,
) -> Result<Outcome> {
    let found = match descriptor::owned(CLASS, name, context) {
        Err(missing) if if_exists && missing.code() == sqlstate::UNDEFINED_OBJECT => {
            session.skip_notice(&format!("{}, skipping", missing.message()));
            return Outcome::tag("ALTER STATISTICS");
        }
        found => found?,
    };
    if target < -1 {
        let message = format!("statistics target {target} is too low");
        return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
    }
    let mut changed = Descriptor::clone(&found);
    if let DescriptorKind::Statistics(statistics) = &mut changed.kind {
        statistics.target = (target >= 0).then_some(target);
    }
    descriptor::replace(session, changed)?;
    Outcome::tag("ALTER STATISTICS")
}
