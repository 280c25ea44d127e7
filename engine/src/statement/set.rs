//! SET, SHOW, RESET (PostgreSQL manual, "SET").

use aegis_catalog::{Error, Result, acl, sqlstate};

use super::{Outcome, text_column, text_rows};
use crate::parse::utility::{SetScope, SetValue};
use crate::session::Session;
use crate::session::portal::Tag;
use crate::session::protocol::OutputColumn;
use crate::session::transaction::{self, Block};
use crate::settings;

pub fn set(session: &mut Session, scope: SetScope, name: &str, value: &SetValue) -> Result<Outcome> {
    let name = if name.eq_ignore_ascii_case("time zone") { "timezone" } else { name };
    let values = match value {
        SetValue::Default => None,
        SetValue::Values(values) => Some(values.clone()),
        SetValue::TimeZoneInterval(text) => Some(vec![text.clone()]),
    };
    let local = scope == SetScope::Local;
    if local && session.transaction.as_ref().is_none_or(|open| open.block == Block::Implicit) {
        session.warn(sqlstate::NO_ACTIVE_SQL_TRANSACTION, "SET LOCAL can only be used in transaction blocks");
    }
    assign(session, name, values, local)?;
    Outcome::tag("SET")
}

fn assign(session: &mut Session, name: &str, values: Option<Vec<String>>, local: bool) -> Result<()> {
    match name.to_ascii_lowercase().as_str() {
        "role" | "session_authorization" => return set_role(session, name, values, local),
        // These two speak of the transaction, whose own state must follow.
        "transaction_isolation" => {
            if let Some([level]) = values.as_deref() {
                return super::transaction::characteristics(session, false, Some(level), None, None).map(drop);
            }
        }
        "transaction_read_only" => {
            if let Some([flag]) = values.as_deref() {
                let read_only = settings::parse_bool(flag).ok_or_else(|| {
                    Error::new(
                        sqlstate::INVALID_PARAMETER_VALUE,
                        "parameter \"transaction_read_only\" requires a Boolean value",
                    )
                })?;
                return super::transaction::characteristics(session, false, None, Some(read_only), None).map(drop);
            }
        }
        "default_transaction_isolation" => {
            if let Some([level]) = values.as_deref() {
                transaction::isolation(&level.to_ascii_lowercase())?;
            }
        }
        "client_encoding" => {
            if let Some([encoding]) = values.as_deref() {
                settings::require_encoding(encoding)?;
            }
        }
        _ => {}
    }
    let mut all = session.backend.settings.lock();
    all.set(name, values.as_deref(), local, session.superuser)
}

/// SET ROLE and SET SESSION AUTHORIZATION.
fn set_role(session: &mut Session, name: &str, values: Option<Vec<String>>, local: bool) -> Result<()> {
    let catalog = session.catalog()?;
    let target = values.and_then(|values| values.into_iter().next());
    let target = target.filter(|target| !matches!(target.as_str(), "default") && (target != "none" || name != "role"));
    let known = |name: &str| {
        catalog
            .role_by_name(name)
            .map(|role| role.oid)
            .ok_or_else(|| Error::new(sqlstate::INVALID_PARAMETER_VALUE, format!("role \"{name}\" does not exist")))
    };
    let authenticated = session.backend.user_oid;
    if name.eq_ignore_ascii_case("role") {
        if let Some(target) = &target {
            let role = known(target)?;
            let of_session = known(&session.session_user(&catalog).0)?;
            if !acl::is_member_of(&catalog, of_session, role) {
                let message = format!("permission denied to set role \"{target}\"");
                return Err(Error::new(sqlstate::INSUFFICIENT_PRIVILEGE, message));
            }
        }
        let value = target.unwrap_or_else(|| "none".to_owned());
        session.backend.settings.lock().set("role", Some(&[value]), local, true)?;
    } else {
        let target = target.unwrap_or_else(|| session.backend.user.clone());
        let role = known(&target)?;
        if role != authenticated && !crate::privilege::is_superuser(&catalog, authenticated) {
            let message = "permission denied to set session authorization";
            return Err(Error::new(sqlstate::INSUFFICIENT_PRIVILEGE, message));
        }
        let mut settings = session.backend.settings.lock();
        settings.set("role", Some(&["none".to_owned()]), local, true)?;
        settings.set("session_authorization", Some(&[target]), local, true)?;
    }
    session.refresh_identity()
}

pub fn show(session: &Session, name: &str) -> Result<Outcome> {
    let value = session.backend.settings.lock().show(name)?;
    Ok(Outcome::Rows { rows: text_rows(vec![vec![Some(value)]])?, tag: Tag::Fixed("SHOW".to_owned()) })
}

/// The column has the setting's own name, whatever case the statement used.
pub fn show_columns(name: &str) -> Vec<OutputColumn> {
    vec![text_column(settings::setting(name).map_or(name, |setting| setting.name))]
}

pub fn show_all(session: &Session) -> Result<Outcome> {
    let all = session.backend.settings.lock().show_all();
    let column = |pick: fn(&(&'static str, String, &'static str)) -> String| {
        all.iter().map(|row| Some(pick(row))).collect::<Vec<_>>()
    };
    let columns = vec![column(|r| r.0.to_owned()), column(|r| r.1.clone()), column(|r| r.2.to_owned())];
    Ok(Outcome::Rows { rows: text_rows(columns)?, tag: Tag::Fixed("SHOW".to_owned()) })
}

pub fn show_all_columns() -> Vec<OutputColumn> {
    ["name", "setting", "description"].map(text_column).into()
}

pub fn reset(session: &mut Session, name: Option<&str>) -> Result<Outcome> {
    match name {
        Some(name) => {
            assign(session, if name.eq_ignore_ascii_case("time zone") { "timezone" } else { name }, None, false)?
        }
        None => session.backend.settings.lock().reset_all(),
    }
    Outcome::tag("RESET")
}
