//! `pg_database`: the databases of the server.

use super::SystemContext;
use super::rows::{Cell, Rows, row};
use crate::Result;
use crate::fixed_oid::{DEFAULT_TABLESPACE, PG_DATABASE, TEMPLATE0_DATABASE, TEMPLATE1_DATABASE};

/// `UTF8` among the encodings (`pg_encoding_to_char`).
pub const UTF8: i32 = 6;

pub(super) fn rows(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    for database in context.catalog.databases() {
        // What initdb leaves on the templates: everybody may connect, only the owner may create.
        let is_initial = matches!(database.oid, TEMPLATE0_DATABASE | TEMPLATE1_DATABASE);
        let privileges = is_initial.then(|| vec!["=c/postgres".to_owned(), "postgres=CTc/postgres".to_owned()]);
        let privileges = context.catalog.shown_acl(PG_DATABASE, database.oid).or(privileges);
        rows.push(row![
            database.oid,
            &database.name,
            database.owner,
            UTF8,
            'c',
            database.is_template,
            database.allow_connections,
            database.connection_limit,
            0,
            0,
            DEFAULT_TABLESPACE,
            "C",
            "C",
            Cell::Null,
            Cell::Null,
            privileges,
        ]);
    }
    Ok(())
}
