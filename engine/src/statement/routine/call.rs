//! CALL (PostgreSQL manual, "CALL").

use crate::bind::inline::parameters_of;
use crate::bind::{self, routine as bodies};
use crate::parse::ast::{Call, Span};
use crate::parse::utility::Utility;
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::session::portal::Tag;
use crate::session::protocol::OutputColumn;
use crate::session::routine::batch_of;
use crate::statement::Outcome;
use aegis_catalog::fixed_oid::PG_PROC;
use aegis_catalog::object::{ObjectAddress, Routine};
use aegis_catalog::{Error, Oid, Result, sqlstate};
use datafusion::scalar::ScalarValue;

/// CALL with these parameters, of these types.
pub async fn call(
    session: &mut Session,
    call: &(Call, Span),
    parameters: (&[Oid], &[ScalarValue]),
    context: &StatementContext,
) -> Result<Outcome> {
    let bound = bind::bind_call(&call.0, call.1, parameters.0, context)?;
    let outer = session.transactional;
    session.transactional = session.may_commit();
    let result = run(session, bound, parameters.1, context).await;
    session.transactional = outer;
    result
}

/// CALL in the body of another routine, with that one's arguments.
pub async fn call_within(
    session: &mut Session,
    call: &(Call, Span),
    routine: &Routine,
    arguments: (&[Oid], &[ScalarValue]),
    context: &StatementContext,
) -> Result<Outcome> {
    let bound = bind::bind_call_within(&call.0, call.1, routine, arguments.0, context)?;
    let types: Vec<_> = bound.inputs.iter().map(|arg| arg.ty.oid).collect();
    if !bodies::returns_of(&bound.function, Some(&types), context)?.is_void() {
        let message = "calling procedures with output arguments is not supported in SQL functions";
        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
    }
    run(session, bound, arguments.1, context).await
}

async fn run(
    session: &mut Session,
    bound: bind::BoundCall,
    parameters: &[ScalarValue],
    context: &StatementContext,
) -> Result<Outcome> {
    let function = bound.function.clone();
    let address = ObjectAddress::new(PG_PROC, function.oid);
    if let Some(owned) = crate::privilege::Owned::of(address, &context.catalog) {
        owned.require(aegis_catalog::acl::rights("X"), context)?;
    }
    let args = parameters_of(&function, bound.inputs, bound.variadic, &context.catalog);
    let mut values = Vec::with_capacity(args.len());
    for mut arg in args {
        session.settle_expression(&mut arg, parameters, context).await?;
        let value = session.value_of(&arg, parameters, context).await?;
        values.push((value, arg.ty));
    }
    let types: Vec<_> = values.iter().map(|(_, ty)| ty.oid).collect();
    let returns = bodies::returns_of(&function, Some(&types), context)?;
    let rows = session.run_routine(&function, values, &returns).await?;
    if returns.is_void() {
        return Outcome::tag("CALL");
    }
    let columns: Vec<_> = returns.columns.iter().map(|(_, ty)| *ty).collect();
    let row = match rows.into_iter().next() {
        Some(row) => row,
        None => crate::session::routine::nulls(&returns, &context.catalog)?,
    };
    let rows = futures::StreamExt::boxed(futures::stream::iter([batch_of(&columns, vec![row], &context.catalog)]));
    Ok(Outcome::Rows { rows, tag: Tag::Fixed("CALL".to_owned()) })
}

/// The types of the parameters, and the output parameters of the procedure as columns, if it has any.
pub fn describe(
    call: &(Call, Span),
    declared: &[Oid],
    context: &StatementContext,
) -> Result<(Vec<Oid>, Option<Vec<OutputColumn>>)> {
    let (bound, parameters) = bind::infer_call(&call.0, call.1, declared, context)?;
    let types: Vec<_> = bound.inputs.iter().map(|arg| arg.ty.oid).collect();
    let returns = bodies::returns_of(&bound.function, Some(&types), context)?;
    let columns = returns.columns.iter();
    let columns = columns.map(|(name, ty)| OutputColumn { name: name.clone(), ty: *ty, origin: None });
    Ok((parameters, (!returns.is_void()).then(|| columns.collect())))
}

/// 0A000 for what a body may not do.
pub fn refuse_in_body(utility: &Utility) -> Result<()> {
    let command = match utility {
        Utility::Begin { start: true, .. } => "START TRANSACTION",
        Utility::Begin { .. } => "BEGIN",
        Utility::Commit { .. } => "COMMIT",
        Utility::Rollback { .. } => "ROLLBACK",
        Utility::Savepoint(_) => "SAVEPOINT",
        Utility::ReleaseSavepoint(_) => "RELEASE",
        Utility::RollbackTo(_) => "ROLLBACK",
        Utility::PrepareTransaction(_) => "PREPARE TRANSACTION",
        Utility::FinishPrepared { commit: true, .. } => "COMMIT PREPARED",
        Utility::FinishPrepared { .. } => "ROLLBACK PREPARED",
        _ => return Ok(()),
    };
    Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, format!("{command} is not allowed in an SQL function")))
}
