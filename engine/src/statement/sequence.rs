//! CREATE SEQUENCE and the sequences of serial and identity columns (PostgreSQL manual, "CREATE SEQUENCE").

use std::sync::Arc;

use aegis_catalog::object::{Persistence, Relation, RelationKind, Sequence};
use aegis_catalog::types::oid;
use aegis_catalog::{Error, Oid, Result, sqlstate};

use super::{Outcome, namespace};
use crate::parse::ast::Name;
use crate::parse::utility::SequenceOption;
use crate::session::Session;
use crate::session::context::StatementContext;

pub fn create(
    session: &mut Session,
    name: &Name,
    temporary: bool,
    if_not_exists: bool,
    options: &[SequenceOption],
    context: &StatementContext,
) -> Result<Outcome> {
    let place = namespace::place(session, name, temporary, context)?;
    if if_not_exists && context.catalog.relation_by_name(place.schema, &place.name).is_some() {
        session.skip_notice_as(
            sqlstate::DUPLICATE_TABLE,
            &format!("relation \"{}\" already exists, skipping", place.name),
        );
        return Outcome::tag("CREATE SEQUENCE");
    }
    let mut sequence = definition(oid::INT8, options, context)?;
    sequence.owned_by = owner_column(options, context)?;
    let owner = context.user_oid;
    let open = session.writable("CREATE SEQUENCE")?;
    let made = open.catalog.create_relation(
        open.tables.permanent(),
        relation(place.schema, &place.name, place.persistence, owner, sequence),
    )?;
    super::privilege::apply_default(session, &crate::privilege::Owned::relation(&made), made.schema)?;
    Outcome::tag("CREATE SEQUENCE")
}

pub fn alter(
    session: &mut Session,
    name: &Name,
    if_exists: bool,
    options: &[SequenceOption],
    context: &StatementContext,
) -> Result<Outcome> {
    let Some(old) = namespace::find(name, context)? else {
        if if_exists {
            session.skip_notice(&format!("relation \"{}\" does not exist, skipping", namespace::written(name)));
            return Outcome::tag("ALTER SEQUENCE");
        }
        return Err(namespace::existing(name, context)
            .err()
            .unwrap_or_else(|| Error::internal("name resolution changed")));
    };
    if old.sequence().is_none() {
        return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, format!("\"{}\" is not a sequence", old.name)));
    }
    crate::privilege::require_owner(&old, context)?;
    change(session, &old, options, context)?;
    Outcome::tag("ALTER SEQUENCE")
}

/// Changes a sequence's definition and, with RESTART, its state.
pub fn change(
    session: &mut Session,
    old: &Relation,
    options: &[SequenceOption],
    context: &StatementContext,
) -> Result<()> {
    let Some(before) = old.sequence() else { return Err(Error::internal("not a sequence")) };
    let mut sequence = changed(before.clone(), options, context)?;
    if let Some(owner) =
        options.iter().any(|o| matches!(o, SequenceOption::OwnedBy(_))).then(|| owner_column(options, context))
    {
        sequence.owned_by = owner?;
    }
    let restart = options.iter().find_map(|option| match option {
        SequenceOption::Restart(value) => Some(value.unwrap_or(sequence.start)),
        _ => None,
    });
    let open = session.writable("ALTER SEQUENCE")?;
    let new = Relation { kind: RelationKind::Sequence(sequence), ..old.clone() };
    let new = open.catalog.replace_relation(open.tables.permanent(), new)?;
    if let Some(value) = restart {
        session.shared.sequences.set(&new, value, false)?;
    }
    Ok(())
}

/// A sequence's relation, without OID yet.
pub fn relation(schema: Oid, name: &str, persistence: Persistence, owner: Oid, sequence: Sequence) -> Relation {
    Relation {
        oid: 0,
        schema,
        name: name.to_owned(),
        owner,
        persistence,
        row_type: 0,
        row_array_type: 0,
        columns: sequence_columns(),
        kind: RelationKind::Sequence(sequence),
    }
}

/// What `SELECT * FROM sequence` shows.
fn sequence_columns() -> Vec<aegis_catalog::object::Column> {
    use aegis_catalog::Type;
    use aegis_catalog::object::Column;
    [("last_value", oid::INT8), ("log_cnt", oid::INT8), ("is_called", oid::BOOL)]
        .into_iter()
        .zip(1..)
        .map(|((name, ty), attnum)| Column { not_null: true, ..Column::new(name, attnum, Type::of(ty)) })
        .collect()
}

/// A new sequence of a type, with options applied.
pub fn definition(ty: Oid, options: &[SequenceOption], context: &StatementContext) -> Result<Sequence> {
    let unset = Sequence {
        ty,
        start: 0,
        increment: 1,
        min: 0,
        max: 0,
        cache: 1,
        cycle: false,
        owned_by: None,
        identity: false,
    };
    let typed =
        options.iter().rev().find_map(|option| if let SequenceOption::As(ty) = option { Some(ty) } else { None });
    let ty = match typed {
        Some(name) => crate::bind::resolve_type(name, context)?.oid,
        None => ty,
    };
    let increment =
        options.iter().rev().find_map(|o| if let SequenceOption::Increment(n) = o { Some(*n) } else { None });
    let increment = increment.unwrap_or(1);
    let (lowest, highest) = bounds(ty)?;
    let (min, max) = if increment < 0 { (lowest, -1) } else { (1, highest) };
    let sequence = apply(Sequence { ty, increment, min, max, ..unset }, options, (lowest, highest))?;
    let start = options.iter().rev().find_map(|o| if let SequenceOption::Start(n) = o { Some(*n) } else { None });
    let start = start.unwrap_or(if increment < 0 { sequence.max } else { sequence.min });
    check(Sequence { start, ..sequence })
}

/// ALTER SEQUENCE: what is not named stays.
fn changed(mut sequence: Sequence, options: &[SequenceOption], context: &StatementContext) -> Result<Sequence> {
    for option in options {
        match option {
            SequenceOption::As(name) => sequence.ty = crate::bind::resolve_type(name, context)?.oid,
            SequenceOption::Increment(n) => sequence.increment = *n,
            SequenceOption::Start(n) => sequence.start = *n,
            _ => {}
        }
    }
    let bounds = bounds(sequence.ty)?;
    check(apply(sequence, options, bounds)?)
}

/// The least and greatest value of a sequence's type. 22023 for other types.
fn bounds(ty: Oid) -> Result<(i64, i64)> {
    match ty {
        oid::INT2 => Ok((i64::from(i16::MIN), i64::from(i16::MAX))),
        oid::INT4 => Ok((i64::from(i32::MIN), i64::from(i32::MAX))),
        oid::INT8 => Ok((i64::MIN, i64::MAX)),
        _ => Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, "sequence type must be smallint, integer, or bigint")),
    }
}

fn apply(mut sequence: Sequence, options: &[SequenceOption], (lowest, highest): (i64, i64)) -> Result<Sequence> {
    let ascending = sequence.increment > 0;
    for option in options {
        match option {
            SequenceOption::MinValue(Some(n)) => sequence.min = *n,
            SequenceOption::MinValue(None) => sequence.min = if ascending { 1 } else { lowest },
            SequenceOption::MaxValue(Some(n)) => sequence.max = *n,
            SequenceOption::MaxValue(None) => sequence.max = if ascending { highest } else { -1 },
            SequenceOption::Cache(n) if *n < 1 => {
                return Err(invalid(format!("CACHE ({n}) must be greater than zero")));
            }
            SequenceOption::Cache(n) => sequence.cache = *n,
            SequenceOption::Cycle(cycle) => sequence.cycle = *cycle,
            _ => {}
        }
    }
    Ok(sequence)
}

fn check(sequence: Sequence) -> Result<Sequence> {
    let Sequence { start, min, max, increment, .. } = sequence;
    let type_name = aegis_catalog::types::format_type(aegis_catalog::Type::of(sequence.ty));
    let (lowest, highest) = bounds(sequence.ty)?;
    if increment == 0 {
        return Err(invalid("INCREMENT must not be zero".to_owned()));
    }
    if max > highest || max < lowest {
        return Err(invalid(format!("MAXVALUE ({max}) is out of range for sequence data type {type_name}")));
    }
    if min < lowest || min > highest {
        return Err(invalid(format!("MINVALUE ({min}) is out of range for sequence data type {type_name}")));
    }
    if min >= max {
        return Err(invalid(format!("MINVALUE ({min}) must be less than MAXVALUE ({max})")));
    }
    if start < min {
        return Err(invalid(format!("START value ({start}) cannot be less than MINVALUE ({min})")));
    }
    if start > max {
        return Err(invalid(format!("START value ({start}) cannot be greater than MAXVALUE ({max})")));
    }
    Ok(sequence)
}

fn invalid(message: String) -> Error {
    Error::new(sqlstate::INVALID_PARAMETER_VALUE, message)
}

/// OWNED BY table.column.
fn owner_column(options: &[SequenceOption], context: &StatementContext) -> Result<Option<(Oid, i16)>> {
    let named =
        options.iter().rev().find_map(|o| if let SequenceOption::OwnedBy(owner) = o { Some(owner) } else { None });
    let Some(Some(name)) = named else { return Ok(None) };
    let Some((column, table)) = name.parts.split_last().filter(|(_, table)| !table.is_empty()) else {
        return Err(Error::new(sqlstate::SYNTAX_ERROR, "invalid OWNED BY option")
            .with_hint("Specify OWNED BY table.column or OWNED BY NONE."));
    };
    let table: Arc<Relation> = namespace::existing(&Name { parts: table.to_vec(), span: name.span }, context)?;
    let found = table.column_by_name(&column.name).ok_or_else(|| {
        let message = format!("column \"{}\" of relation \"{}\" does not exist", column.name, table.name);
        Error::new(sqlstate::UNDEFINED_COLUMN, message)
    })?;
    Ok(Some((table.oid, found.attnum)))
}

/// Schema and name of the sequence of a serial or identity column: those that SEQUENCE NAME gives, or made from the column's.
pub fn place_of_column(
    session: &mut Session,
    (schema, table, column): (aegis_catalog::Oid, &str, &str),
    options: &[SequenceOption],
    context: &StatementContext,
) -> Result<(aegis_catalog::Oid, String)> {
    let given = options.iter().rev().find_map(|o| if let SequenceOption::Name(name) = o { Some(name) } else { None });
    match given.map(|name| (name.parts.as_slice(), name)) {
        Some(([bare], _)) => Ok((schema, bare.name.clone())),
        Some((_, name)) => {
            let place = namespace::place(session, name, false, context)?;
            Ok((place.schema, place.name))
        }
        None => {
            let open = session.writable("CREATE SEQUENCE")?;
            Ok((schema, namespace::generated_name(open, schema, &[table, column], "seq")))
        }
    }
}
