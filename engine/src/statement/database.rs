//! CREATE, ALTER and DROP DATABASE (PostgreSQL manual).

use std::time::{Duration, Instant};

use aegis_catalog::fixed_oid::PG_DATABASE;
use aegis_catalog::object::{Database, ObjectAddress};
use aegis_catalog::{Error, Result, sqlstate};

use super::Outcome;
use crate::parse::utility::{AlterDatabase, SetValue};
use crate::session::Session;
use crate::session::context::StatementContext;

pub fn create(
    session: &mut Session,
    name: &str,
    options: &[(String, String)],
    context: &StatementContext,
) -> Result<Outcome> {
    session.require_no_block("CREATE DATABASE")?;
    if !context.catalog.role(context.user_oid).is_some_and(|role| role.superuser || role.create_db) {
        return Err(Error::new(sqlstate::INSUFFICIENT_PRIVILEGE, "permission denied to create database"));
    }
    let mut template = "template1";
    let (mut provider, mut icu_locale) = (None, false);
    let mut owner = context.user_oid;
    for (option, value) in options {
        match option.to_ascii_lowercase().as_str() {
            "template" => template = value,
            "owner" => owner = super::role::existing(value, context)?.oid,
            "encoding" if ["utf8", "utf-8", "unicode", "default"].contains(&value.to_ascii_lowercase().as_str()) => {}
            "encoding" => return Err(Error::unsupported(format!("database encoding {value}"))),
            "lc_collate" | "lc_ctype" | "locale" if ["C", "POSIX", "C.UTF-8", "C.utf8"].contains(&value.as_str()) => {}
            "lc_collate" | "lc_ctype" | "locale" => return Err(Error::unsupported(format!("locale {value}"))),
            "locale_provider" => provider = Some(value.to_ascii_lowercase()),
            "icu_locale" => icu_locale = true,
            "connection_limit" | "allow_connections" | "is_template" | "tablespace" | "strategy" => {
                return Err(Error::unsupported(format!("CREATE DATABASE with {option}")));
            }
            other => {
                return Err(Error::new(sqlstate::SYNTAX_ERROR, format!("option \"{other}\" not recognized")));
            }
        }
    }
    check_locale_provider(provider.as_deref(), icu_locale)?;
    let source = context.catalog.database_by_name(template).ok_or_else(|| {
        Error::new(sqlstate::UNDEFINED_DATABASE, format!("template database \"{template}\" does not exist"))
    })?;
    let source = source.oid;
    if session.shared.catalog.current(source)?.user_relations().next().is_some() {
        return Err(Error::unsupported("CREATE DATABASE from a template with tables"));
    }
    let database = Database {
        oid: 0,
        name: name.to_owned(),
        owner,
        settings: Vec::new(),
        is_template: false,
        allow_connections: true,
        connection_limit: -1,
    };
    let open = session.writable("CREATE DATABASE")?;
    open.catalog.create_database(open.tables.permanent(), database, source)?;
    Outcome::tag("CREATE DATABASE")
}

/// Texts without a collation of their own are ordered by bytes in every database.
fn check_locale_provider(provider: Option<&str>, icu_locale: bool) -> Result<()> {
    match provider {
        None | Some("libc") if icu_locale => {
            let message = "ICU locale cannot be specified unless locale provider is ICU";
            Err(Error::new(sqlstate::INVALID_OBJECT_DEFINITION, message))
        }
        None | Some("libc") => Ok(()),
        Some("icu") if icu_locale => Err(Error::unsupported("an ICU locale as the default of a database")),
        Some("icu") => Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, "ICU locale must be specified")),
        Some(other) => {
            let message = format!("unrecognized locale provider: {other}");
            Err(Error::new(sqlstate::INVALID_OBJECT_DEFINITION, message))
        }
    }
}

pub async fn drop(
    session: &mut Session,
    name: &str,
    if_exists: bool,
    force: bool,
    context: &StatementContext,
) -> Result<Outcome> {
    session.require_no_block("DROP DATABASE")?;
    let Some(database) = context.catalog.database_by_name(name).cloned() else {
        let message = format!("database \"{name}\" does not exist");
        if if_exists {
            session.skip_notice(&format!("{message}, skipping"));
            return Outcome::tag("DROP DATABASE");
        }
        return Err(Error::new(sqlstate::UNDEFINED_DATABASE, message));
    };
    if database.oid == context.database_oid {
        return Err(Error::new(sqlstate::OBJECT_IN_USE, "cannot drop the currently open database"));
    }
    if matches!(name, "template0" | "template1") {
        return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, "cannot drop a template database"));
    }
    wait_until_unused(session, &database, force, context).await?;
    let image = session.shared.catalog.current(database.oid)?;
    let open = session.writable("DROP DATABASE")?;
    for relation in image.user_relations() {
        if let Some(table) = relation.table() {
            table.rows().map_or(Ok(()), |rows| open.tables.permanent().drop_table(rows))?;
        }
    }
    aegis_catalog::large_object::drop(open.tables.permanent(), database.oid)?;
    open.catalog.drop_object(open.tables.permanent(), ObjectAddress::new(PG_DATABASE, database.oid))?;
    Outcome::tag("DROP DATABASE")
}

/// Sessions that just said goodbye, or are told to, get a moment to leave. 55006 if some stay.
async fn wait_until_unused(
    session: &mut Session,
    database: &Database,
    force: bool,
    context: &StatementContext,
) -> Result<()> {
    let backends = &session.shared.backends;
    let users =
        || backends.all().into_iter().filter(|backend| backend.database_oid == database.oid).collect::<Vec<_>>();
    if force {
        users().iter().for_each(|backend| backend.terminate());
    }
    let deadline = Instant::now() + LEAVING_TIME;
    loop {
        let detail = match users().len() {
            0 => return Ok(()),
            1 => "There is 1 other session using the database.".to_owned(),
            count => format!("There are {count} other sessions using the database."),
        };
        if Instant::now() >= deadline {
            let message = format!("database \"{}\" is being accessed by other users", database.name);
            return Err(Error::new(sqlstate::OBJECT_IN_USE, message).with_detail(detail));
        }
        context.check_cancelled()?;
        tokio::time::sleep(LEAVING_POLL).await;
    }
}

/// How long DROP DATABASE waits for other sessions (PostgreSQL waits as long), and how often it looks.
const LEAVING_TIME: Duration = Duration::from_secs(5);
const LEAVING_POLL: Duration = Duration::from_millis(20);

pub fn alter(session: &mut Session, name: &str, action: &AlterDatabase, context: &StatementContext) -> Result<Outcome> {
    let found = context
        .catalog
        .database_by_name(name)
        .cloned()
        .ok_or_else(|| Error::new(sqlstate::UNDEFINED_DATABASE, format!("database \"{name}\" does not exist")))?;
    let mut database = Database::clone(&found);
    match action {
        AlterDatabase::Set { name, value } => set_stored(&mut database.settings, name, Some(value))?,
        AlterDatabase::Reset(Some(name)) => set_stored(&mut database.settings, name, None)?,
        AlterDatabase::Reset(None) => database.settings.clear(),
        AlterDatabase::Options(_) => return Err(Error::unsupported("ALTER DATABASE options")),
    }
    let open = session.writable("ALTER DATABASE")?;
    open.catalog.replace_database(open.tables.permanent(), database)?;
    Outcome::tag("ALTER DATABASE")
}

/// ALTER DATABASE or ROLE … SET: a setting for later sessions, checked now.
pub fn set_stored(settings: &mut Vec<(String, String)>, name: &str, value: Option<&SetValue>) -> Result<()> {
    settings.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    if let Some(SetValue::Values(values)) = value {
        let text = values.join(", ");
        crate::settings::Settings::default().set_default(name, &text)?;
        settings.push((name.to_ascii_lowercase(), text));
    }
    Ok(())
}
