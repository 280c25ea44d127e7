//! `pg_cast`: PostgreSQL's casts, those by a function only if it is implemented.

use super::SystemContext;
use super::rows::{Rows, row};
use crate::Result;
use crate::facts::{self, CastRow};

pub(super) fn rows(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    let exists = |cast: &&CastRow| cast.function == 0 || context.catalog.proc(cast.function).is_some();
    for cast in facts::casts().iter().filter(exists) {
        rows.push(row![cast.oid, cast.source, cast.target, cast.function, cast.context.code(), cast.method.code(),]);
    }
    Ok(())
}
