//! FOR VALUES: the bound of a partition (PostgreSQL's transformPartitionBound and check_new_partition_bound).

use std::sync::Arc;

use aegis_catalog::object::{Limit, PartitionBound, PartitionKey, Partitioning, Relation, Strategy};
use aegis_catalog::types::{format_type, oid, text_of};
use aegis_catalog::{Error, Result, Type, sqlstate};
use datafusion::scalar::ScalarValue;

use crate::bind;
use crate::execute::error::from_datafusion;
use crate::parse::ast::{Expr, ExprKind, Ident};
use crate::parse::utility::PartitionBoundSpec;
use crate::partition::bound::{Bound, Conflict};
use crate::partition::{key, partitions};
use crate::session::Session;
use crate::session::context::StatementContext;

/// The bound that is written, with its values computed.
pub async fn evaluate(
    session: &mut Session,
    spec: &PartitionBoundSpec,
    parent: &Relation,
    context: &StatementContext,
) -> Result<PartitionBound> {
    let partitioning = parent.partitioning().ok_or_else(|| Error::internal("a bound of no partitioned table"))?;
    let invalid = |message: String| Err(Error::new(sqlstate::INVALID_TABLE_DEFINITION, message));
    let strategy = partitioning.strategy;
    match (spec, strategy) {
        (PartitionBoundSpec::Default, Strategy::Hash) => {
            invalid("a hash-partitioned table may not have a default partition".to_owned())
        }
        (PartitionBoundSpec::Default, _) => Ok(PartitionBound::Default),
        (PartitionBoundSpec::With(parts), Strategy::Hash) => hash_bound(parts),
        (PartitionBoundSpec::In(values), Strategy::List) => {
            let key = partitioning.keys.first().ok_or_else(|| Error::internal("a list without key"))?;
            let mut listed: Vec<Option<String>> = Vec::with_capacity(values.len());
            for value in values {
                let value = literal(session, value, key, parent, context).await?;
                // Once is enough.
                if !listed.contains(&value) {
                    listed.push(value);
                }
            }
            Ok(PartitionBound::List(listed))
        }
        (PartitionBoundSpec::FromTo(from, to), Strategy::Range) => {
            for (end, values) in [("FROM", from), ("TO", to)] {
                if values.len() != partitioning.keys.len() {
                    return invalid(format!("{end} must specify exactly one value per partitioning column"));
                }
            }
            let from = limits(session, from, partitioning, parent, context).await?;
            let to = limits(session, to, partitioning, parent, context).await?;
            Ok(PartitionBound::Range { from, to })
        }
        _ => invalid(format!("invalid bound specification for a {} partition", strategy.name())),
    }
}

fn hash_bound(parts: &[(Ident, i32)]) -> Result<PartitionBound> {
    let syntax = |message: String, ident: &Ident| Error::new(sqlstate::SYNTAX_ERROR, message).at(ident.span.start);
    let (mut modulus, mut remainder) = (None, None);
    for (name, number) in parts {
        let slot = match name.name.as_str() {
            "modulus" => &mut modulus,
            "remainder" => &mut remainder,
            other => {
                let message = format!("unrecognized hash partition bound specification \"{other}\"");
                return Err(syntax(message, name));
            }
        };
        if slot.replace(*number).is_some() {
            let message = format!("{} for hash partition provided more than once", name.name);
            return Err(Error::new(sqlstate::DUPLICATE_OBJECT, message).at(name.span.start));
        }
    }
    let missing =
        |what: &str| Error::new(sqlstate::SYNTAX_ERROR, format!("{what} for hash partition must be specified"));
    let modulus = modulus.ok_or_else(|| missing("modulus"))?;
    let remainder = remainder.ok_or_else(|| missing("remainder"))?;
    let invalid = |message: &str| Err(Error::new(sqlstate::INVALID_TABLE_DEFINITION, message));
    if modulus <= 0 {
        return invalid("modulus for hash partition must be an integer value greater than zero");
    }
    if remainder < 0 {
        return invalid("remainder for hash partition must be an integer value greater than or equal to zero");
    }
    if remainder >= modulus {
        return invalid("remainder for hash partition must be less than modulus");
    }
    Ok(PartitionBound::Hash { modulus, remainder })
}

async fn limits(
    session: &mut Session,
    values: &[Expr],
    partitioning: &Partitioning,
    parent: &Relation,
    context: &StatementContext,
) -> Result<Vec<Limit>> {
    let mut limits: Vec<Limit> = Vec::with_capacity(values.len());
    for (value, key) in values.iter().zip(&partitioning.keys) {
        let word = match &value.kind {
            ExprKind::Column(name) if name.parts.len() == 1 => name.parts.first().map(|name| name.name.as_str()),
            _ => None,
        };
        let limit = match word {
            Some("minvalue") => Limit::Minimum,
            Some("maxvalue") => Limit::Maximum,
            _ => match literal(session, value, key, parent, context).await? {
                Some(value) => Limit::Value(value),
                None => {
                    let message = "cannot specify NULL in range bound";
                    return Err(Error::new(sqlstate::INVALID_OBJECT_DEFINITION, message));
                }
            },
        };
        let word = match limits.last() {
            Some(Limit::Minimum) if limit != Limit::Minimum => Some("MINVALUE"),
            Some(Limit::Maximum) if limit != Limit::Maximum => Some("MAXVALUE"),
            _ => None,
        };
        if let Some(word) = word {
            let message = format!("every bound following {word} must also be {word}");
            return Err(Error::new(sqlstate::DATATYPE_MISMATCH, message).at(value.span.start));
        }
        limits.push(limit);
    }
    Ok(limits)
}

/// The value of an expression as a literal of the key's type; None for null.
async fn literal(
    session: &mut Session,
    value: &Expr,
    key: &PartitionKey,
    parent: &Relation,
    context: &StatementContext,
) -> Result<Option<String>> {
    let bound = bind::bind_bound(value, key.ty, context).map_err(|error| match error.code() {
        sqlstate::DATATYPE_MISMATCH if error.message().starts_with("expression of type") => {
            let name = parent.column(key.attnum).map_or("", |column| column.name.as_str());
            let message =
                format!("specified value cannot be cast to type {} for column \"{name}\"", format_type(key.ty));
            Error::new(sqlstate::DATATYPE_MISMATCH, message).at(value.span.start)
        }
        _ => error,
    })?;
    let value = session.evaluate(&bound, &Arc::new(context.clone())).await?;
    written(&value, key.ty, context)
}

fn written(value: &ScalarValue, ty: Type, context: &StatementContext) -> Result<Option<String>> {
    if value.is_null() {
        return Ok(None);
    }
    let array = value.to_array().map_err(from_datafusion)?;
    let text = text_of(ty, &array, 0, &key::canonical(&context.format))?;
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    Ok(Some(match ty.oid {
        oid::INT4 if digits => text,
        oid::NUMERIC if digits && text.contains(['e', 'E', '.']) => text,
        oid::BOOL if text == "t" => "true".to_owned(),
        oid::BOOL => "false".to_owned(),
        _ => format!("'{}'", text.replace('\'', "''")),
    }))
}

/// 42P17 unless a partition of that name and bound may join the others.
pub fn check(name: &str, bound: &PartitionBound, parent: &Relation, context: &StatementContext) -> Result<()> {
    let partitioning = parent.partitioning().ok_or_else(|| Error::internal("a bound of no partitioned table"))?;
    let compiled = key::compile(partitioning, bound, &context.format)?;
    let (children, bounds) = partitions(parent, &context.catalog, &context.format)?;
    let Some(conflict) = bounds.conflict(&compiled) else { return Ok(()) };
    let other = |place: usize| children.get(place).map_or("", |child| child.name.as_str());
    let error = |message: String| Error::new(sqlstate::INVALID_OBJECT_DEFINITION, message);
    let modulus = match compiled {
        Bound::Hash { modulus, .. } => modulus,
        _ => 0,
    };
    let unsuitable = "every hash partition modulus must be a factor of the next larger modulus";
    Err(match conflict {
        Conflict::Default(place) => {
            error(format!("partition \"{name}\" conflicts with existing default partition \"{}\"", other(place)))
        }
        Conflict::Overlap(place) => error(format!("partition \"{name}\" would overlap partition \"{}\"", other(place))),
        Conflict::Empty => {
            let (from, to) = match bound {
                PartitionBound::Range { from, to } => (tuple(from), tuple(to)),
                _ => (String::new(), String::new()),
            };
            error(format!("empty range bound specified for partition \"{name}\""))
                .with_detail(format!("Specified lower bound {from} is greater than or equal to upper bound {to}."))
        }
        Conflict::NoFactor(place, greater) => error(unsuitable.to_owned()).with_detail(format!(
            "The new modulus {modulus} is not a factor of {greater}, the modulus of existing partition \"{}\".",
            other(place)
        )),
        Conflict::NotDivisible(place, less) => error(unsuitable.to_owned()).with_detail(format!(
            "The new modulus {modulus} is not divisible by {less}, the modulus of existing partition \"{}\".",
            other(place)
        )),
    })
}

fn tuple(limits: &[Limit]) -> String {
    let limit = |limit: &Limit| match limit {
        Limit::Minimum => "MINVALUE".to_owned(),
        Limit::Maximum => "MAXVALUE".to_owned(),
        Limit::Value(value) => value.clone(),
    };
    format!("({})", limits.iter().map(limit).collect::<Vec<_>>().join(", "))
}
