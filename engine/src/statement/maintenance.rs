//! VACUUM, ANALYZE, CHECKPOINT, REINDEX and CLUSTER, as far as they have a meaning here.

use aegis_catalog::{Error, Result, sqlstate};

use super::{Outcome, namespace};
use crate::parse::ast::Name;
use crate::session::Session;
use crate::session::context::StatementContext;

pub async fn run(session: &mut Session, verb: &str, tables: &[Name], context: &StatementContext) -> Result<Outcome> {
    let verb = verb.to_uppercase();
    for name in tables {
        let relation = namespace::existing(name, context)?;
        if relation.table().is_none() && verb != "REINDEX" {
            let message = format!("skipping \"{}\" --- cannot {} non-tables", relation.name, verb.to_lowercase());
            session.warn(sqlstate::WRONG_OBJECT_TYPE, &message);
        }
    }
    match verb.as_str() {
        // What is committed but only in memory and the log goes to segments.
        "CHECKPOINT" => session.shared.store.flush().await?,
        "VACUUM" => {
            session.require_no_block("VACUUM")?;
            session.shared.store.flush().await?;
        }
        "ANALYZE" => session.skip_notice("ANALYZE collects nothing: the store knows the statistics of its segments"),
        _ => return Err(Error::unsupported(verb)),
    }
    Outcome::tag(verb)
}
