//! `pg_cast`: PostgreSQL's casts, those by a function only if it is implemented.

use super::SystemContext;
use super::rows::{Rows, row};
use crate::facts::{self, CastRow};
use crate::{Result, extension_facts};

pub(super) fn rows(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    let exists = |cast: &&CastRow| cast.function == 0 || context.catalog.proc(cast.function).is_some();
    for cast in facts::casts().iter().filter(exists) {
        rows.push(row![cast.oid, cast.source, cast.target, cast.function, cast.context.code(), cast.method.code(),]);
    }
    for made in extension_facts::casts() {
        let (cast, Some(_)) = (&made.row, context.catalog.user_type(made.owner)) else { continue };
        let function = |name| context.catalog.extension_function(made.owner, name, &[cast.source]);
        let function = made.function.and_then(function).unwrap_or(0);
        rows.push(row![cast.oid, cast.source, cast.target, function, cast.context.code(), cast.method.code()]);
    }
    Ok(())
}
