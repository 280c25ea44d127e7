//! PREPARE, EXECUTE, DEALLOCATE (PostgreSQL manual, "PREPARE").

use std::sync::Arc;

use aegis_catalog::{Error, Result, sqlstate};
use datafusion::scalar::ScalarValue;

use super::Outcome;
use crate::parse::ast::{Expr, ParsedStatement, Statement, TypeName};
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::session::prepared::{Plan, Prepared};

pub fn prepare(
    session: &mut Session,
    name: &str,
    types: &[TypeName],
    statement: &ParsedStatement,
    sql: &str,
    context: &StatementContext,
) -> Result<Outcome> {
    session.require_new_statement(name)?;
    if matches!(statement.statement, Statement::Utility(_)) {
        return Err(Error::new(sqlstate::SYNTAX_ERROR, "utility statements cannot be prepared"));
    }
    let declared =
        types.iter().map(|ty| crate::bind::resolve_type(ty, context).map(|ty| ty.oid)).collect::<Result<Vec<_>>>()?;
    let statement = Some(Arc::new(statement.clone()));
    let mut prepared = Prepared::new(name, &Arc::from(sql), statement, &declared, context)?;
    prepared.from_sql = true;
    session.prepared.lock().insert(name.to_owned(), Arc::new(prepared));
    Outcome::tag("PREPARE")
}

pub async fn execute(session: &mut Session, name: &str, args: &[Expr], context: &StatementContext) -> Result<Outcome> {
    let (plan, values) = called(session, name, args, context).await?;
    session.run_plan(&plan, values, &Arc::new(context.clone())).await
}

/// The plan of a prepared statement, and the values of its parameters.
pub async fn called(
    session: &mut Session,
    name: &str,
    args: &[Expr],
    context: &StatementContext,
) -> Result<(Arc<Plan>, Vec<ScalarValue>)> {
    let prepared = session.find_prepared(name)?;
    if prepared.parameters.len() != args.len() {
        return Err(Error::new(
            sqlstate::SYNTAX_ERROR,
            format!("wrong number of parameters for prepared statement \"{name}\""),
        )
        .with_detail(format!("Expected {} parameters but got {}.", prepared.parameters.len(), args.len())));
    }
    let context_shared = Arc::new(context.clone());
    let mut values = Vec::with_capacity(args.len());
    for (arg, &ty) in args.iter().zip(&prepared.parameters) {
        let bound = crate::bind::bind_scalar(arg, Some(aegis_catalog::Type::of(ty)), context)?;
        values.push(session.evaluate(&bound, &context_shared).await?);
    }
    Ok((prepared.plan(context)?, values))
}

pub fn deallocate(session: &mut Session, name: Option<&str>) -> Result<Outcome> {
    let Some(name) = name else {
        session.prepared.lock().clear();
        return Outcome::tag("DEALLOCATE ALL");
    };
    session.find_prepared(name)?;
    session.prepared.lock().remove(name);
    Outcome::tag("DEALLOCATE")
}
