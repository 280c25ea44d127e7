//! PL/pgSQL (PostgreSQL manual, chapter 43): text → tree with resolved names (`parse`) → types of variables (`compile`) → run statement by
//! statement in the caller's session (`interpret`). Its SQL is bound with the variables that it names as parameters (`fragment`).

mod ast;
mod compile;
mod conditions;
mod fragment;
mod interpret;
mod parse;
mod value;

use std::sync::Arc;

use aegis_engine::extension::{Caller, Extension, Invocation, Language, Result, Routine, Row, StatementContext};

pub const EXTENSIONS: [Extension; 1] = [Extension {
    name: "plpgsql",
    version: "1.0",
    comment: "PL/pgSQL procedural language",
    trusted: true,
    languages: &[PLPGSQL],
    ..Extension::EMPTY
}];

const PLPGSQL: Language = Language {
    name: "plpgsql",
    validate,
    call: |caller, call| Box::pin(run(caller, call)),
    inline: |caller, text| Box::pin(inline(caller, text)),
};

fn validate(routine: &Arc<Routine>, context: &Arc<StatementContext>) -> Result<()> {
    compile::validate(routine, context)
}

async fn run(mut caller: Caller<'_>, call: Invocation) -> Result<Vec<Row>> {
    let function = compile::of_routine(&mut caller, &call)?;
    interpret::call(caller, function, call).await
}

async fn inline(caller: Caller<'_>, text: Arc<str>) -> Result<()> {
    let function = compile::inline(&text, &caller)?;
    interpret::inline(caller, Arc::new(function)).await
}
