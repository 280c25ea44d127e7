//! DO (PostgreSQL manual, "DO").

use std::sync::Arc;

use aegis_catalog::{Error, Result, facts, sqlstate};

use crate::parse::routine::Do;
use crate::session::Session;
use crate::statement::Outcome;

/// The language of DO without LANGUAGE.
const DEFAULT: &str = "plpgsql";

pub async fn run(session: &mut Session, block: &Do, sql: &str) -> Result<Outcome> {
    let name = block.language.as_deref().unwrap_or(DEFAULT);
    let extensions = Arc::clone(&session.shared.extensions);
    let Some(language) = extensions.language(name) else {
        return Err(match facts::language_named(name) {
            Some(_) => {
                let message = format!("language \"{name}\" does not support inline code execution");
                Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message)
            }
            None => Error::new(sqlstate::UNDEFINED_OBJECT, format!("language \"{name}\" does not exist")),
        });
    };
    let outer = session.transactional;
    session.transactional = session.may_commit();
    let result = session.run_inline(language, block.text.as_str().into()).await;
    session.transactional = outer;
    result.map_err(|error| super::create::in_body(error, block.span, sql, &block.text))?;
    Outcome::tag("DO")
}
