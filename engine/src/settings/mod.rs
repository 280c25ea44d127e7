//! Run-time settings of a session: SET, SHOW, RESET, `set_config`, with PostgreSQL's scopes (manual, "SET").

mod flags;
mod format;
mod table;
mod value;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use aegis_catalog::{Error, Result, sqlstate};

pub use flags::flags_of;
pub use format::require_encoding;
pub use format::{format_settings, parse_time_zone};
pub use table::SETTINGS;
pub use value::{parse_bool, split_list, unit_name};

/// One setting: a row of [`SETTINGS`].
#[derive(Debug)]
pub struct Setting {
    pub name: &'static str,
    pub kind: Kind,
    /// As SHOW prints it, without unit for numbers.
    pub default: &'static str,
    pub change: Change,
    /// Sent to the client as ParameterStatus.
    pub report: bool,
    pub category: &'static str,
    pub description: &'static str,
}

/// What values a setting takes.
#[derive(Debug, PartialEq)]
pub enum Kind {
    Bool,
    Integer {
        min: i64,
        max: i64,
        unit: Unit,
    },
    Real {
        min: f64,
        max: f64,
        unit: Unit,
    },
    Enum(&'static [&'static str]),
    Text,
    /// Comma-separated names.
    List,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    None,
    Milliseconds,
    Seconds,
    Minutes,
    Bytes,
    Kilobytes,
    /// 8 kB blocks.
    Pages,
    Megabytes,
}

/// Who may change a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nobody: a fact about the server.
    Internal,
    /// Only the start of the server.
    Postmaster,
    /// Only the server's configuration.
    Sighup,
    /// Superusers, in their startup packet.
    SuperuserBackend,
    /// The startup packet.
    Backend,
    Superuser,
    User,
}

impl Setting {
    /// 55P02 if no session may change it.
    fn changeable(&self) -> Result<()> {
        let when = match self.change {
            Change::Internal => "",
            Change::Postmaster => " without restarting the server",
            Change::Sighup => " now",
            Change::SuperuserBackend | Change::Backend | Change::Superuser | Change::User => return Ok(()),
        };
        Err(denied(format!("parameter \"{}\" cannot be changed{when}", self.name)))
    }

    /// The stored form of a value, if it may be that. 0A000 if it asks for something that nothing here does.
    fn validate(&'static self, values: &[String], current: &str) -> Result<String> {
        let value = value::validate(self, values, current)?;
        match flags::is_obeyed(self) || value == self.default {
            true => Ok(value),
            false => Err(Error::unsupported(format!("{} = {}", self.name, value::display(self, &value)))),
        }
    }
}

/// What `pg_settings` shows for a value as SHOW prints it: numbers in the setting's own unit.
pub fn without_unit(setting: &'static Setting, shown: &str) -> String {
    match setting.kind {
        Kind::Integer { .. } | Kind::Real { .. } => {
            value::validate(setting, &[shown.to_owned()], shown).unwrap_or_else(|_| shown.to_owned())
        }
        _ => shown.to_owned(),
    }
}

/// Looks a setting up by its name, upper or lower case.
pub fn setting(name: &str) -> Option<&'static Setting> {
    let name = match name {
        // Old spellings that PostgreSQL still maps.
        "time zone" => "timezone",
        "transaction isolation level" => "transaction_isolation",
        "session authorization" => "session_authorization",
        name => name,
    };
    static BY_NAME: LazyLock<HashMap<Cow<'static, str>, &'static Setting>> =
        LazyLock::new(|| SETTINGS.iter().map(|setting| (lower_case(setting.name), *setting)).collect());
    BY_NAME.get(&*lower_case(name)).copied()
}

/// Without a copy if it is in lower case already, as nearly all names are.
fn lower_case(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

/// The values in the text of one value, as `set_config` takes it: several only for lists such as `search_path`.
pub fn values_of(name: &str, text: &str) -> Result<Vec<String>> {
    match setting(name) {
        Some(setting) => value::split_for(setting, text),
        None => Ok(vec![text.to_owned()]),
    }
}

/// The values one session sees. Defaults come from the table, then from database, role and startup packet
/// ([`Settings::set_default`]), then from SET.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Canonical name in lower case → value, only where it differs from the table's default. Custom settings (`my.name`) too.
    values: BTreeMap<String, String>,
    /// What RESET goes back to, where it differs from the table's default.
    reset: BTreeMap<String, String>,
    /// Changes of the current transaction, oldest first.
    undo: Vec<Undo>,
    /// Reported settings that changed since the client was told.
    changed: Vec<&'static Setting>,
    /// What the client was told last.
    told: HashMap<&'static str, String>,
    /// Counts the changes of values: what was derived from them holds as long as it stays.
    generation: u64,
}

#[derive(Debug, Clone)]
struct Undo {
    name: String,
    previous: Option<String>,
    local: bool,
}

/// A point in a transaction's changes to go back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(usize);

impl Settings {
    /// The value as SHOW prints it. 42704 if there is no such setting.
    pub fn show(&self, name: &str) -> Result<String> {
        self.get(name).ok_or_else(|| unknown(name))
    }

    /// The value as SHOW prints it, None if there is no such setting.
    pub fn get(&self, name: &str) -> Option<String> {
        match setting(name) {
            Some(setting) => Some(value::display(setting, self.raw(setting))),
            None => self.values.get(&*lower_case(name)).cloned(),
        }
    }

    /// The stored value: numbers in the setting's own unit.
    fn raw(&self, setting: &'static Setting) -> &str {
        self.values.get(&*lower_case(setting.name)).map_or(setting.default, String::as_str)
    }

    pub fn generation(&self) -> u64 {
        self.generation
    }

    pub fn bool(&self, name: &str) -> bool {
        setting(name).is_some_and(|s| self.raw(s) == "on")
    }

    /// An integer setting in its own unit.
    pub fn integer(&self, name: &str) -> i64 {
        setting(name).and_then(|s| self.raw(s).parse().ok()).unwrap_or(0)
    }

    pub fn text(&self, name: &str) -> &str {
        setting(name).map_or("", |s| self.raw(s))
    }

    /// SET [LOCAL] name TO values, or to the default if None. Several values only for list settings.
    pub fn set(&mut self, name: &str, values: Option<&[String]>, local: bool, superuser: bool) -> Result<()> {
        let key = name.to_ascii_lowercase();
        let Some(setting) = setting(&key) else {
            return self.set_custom(key, values, local);
        };
        setting.changeable()?;
        match setting.change {
            Change::SuperuserBackend | Change::Backend => {
                let message = format!("parameter \"{}\" cannot be set after connection start", setting.name);
                return Err(denied(message));
            }
            Change::Superuser if !superuser => {
                return Err(Error::new(
                    sqlstate::INSUFFICIENT_PRIVILEGE,
                    format!("permission denied to set parameter \"{}\"", setting.name),
                ));
            }
            _ => {}
        }
        let value = match values {
            None => self.reset_value(setting).map(str::to_owned),
            Some(values) => Some(setting.validate(values, self.raw(setting))?),
        };
        self.assign(setting.name.to_ascii_lowercase(), value, local);
        self.report(setting);
        Ok(())
    }

    /// `my.setting`: PostgreSQL keeps any two-part name as text.
    fn set_custom(&mut self, key: String, values: Option<&[String]>, local: bool) -> Result<()> {
        let valid = key.split('.').all(|part| {
            part.starts_with(|c: char| c.is_alphabetic() || c == '_')
                && part.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$')
        });
        if !key.contains('.') {
            return Err(unknown(&key));
        }
        if !valid {
            let message = format!("invalid configuration parameter name \"{key}\"");
            return Err(Error::new(sqlstate::INVALID_NAME, message)
                .with_detail("Custom parameter names must be two or more simple identifiers separated by dots."));
        }
        let value = values.map_or_else(String::new, |v| v.join(", "));
        self.assign(key, Some(value), local);
        Ok(())
    }

    fn assign(&mut self, key: String, value: Option<String>, local: bool) {
        self.generation += 1;
        let previous = match value {
            Some(value) => self.values.insert(key.clone(), value),
            None => self.values.remove(&key),
        };
        self.undo.push(Undo { name: key, previous, local });
    }

    fn reset_value(&self, setting: &Setting) -> Option<&str> {
        self.reset.get(&*lower_case(setting.name)).map(String::as_str)
    }

    /// A value from outside the session's SQL (startup packet, role, database): becomes the value and what RESET restores.
    pub fn set_default(&mut self, name: &str, text: &str) -> Result<()> {
        let key = name.to_ascii_lowercase();
        let value = match setting(&key) {
            None if key.contains('.') => text.to_owned(),
            None => return Err(unknown(name)),
            Some(setting) => {
                setting.changeable()?;
                setting.validate(&value::split_for(setting, text)?, self.raw(setting))?
            }
        };
        self.generation += 1;
        self.values.insert(key.clone(), value.clone());
        self.reset.insert(key, value);
        Ok(())
    }

    /// A fact about the session or server, whoever may change it (`is_superuser`, `transaction_isolation`).
    pub fn set_fact(&mut self, name: &'static str, value: &str) {
        let key = lower_case(name);
        if self.values.get(&*key).map(String::as_str) != Some(value) {
            let key = key.into_owned();
            self.generation += 1;
            self.values.insert(key.clone(), value.to_owned());
            self.reset.insert(key, value.to_owned());
            if let Some(setting) = setting(name) {
                self.report(setting);
            }
        }
    }

    pub fn reset(&mut self, name: &str, superuser: bool) -> Result<()> {
        self.set(name, None, false, superuser)
    }

    /// RESET ALL: everything a user may set, but the transaction's own properties and the roles.
    pub fn reset_all(&mut self) {
        let keep = [
            "transaction_isolation",
            "transaction_read_only",
            "transaction_deferrable",
            "role",
            "session_authorization",
        ];
        for &setting in SETTINGS.iter() {
            let key = setting.name.to_ascii_lowercase();
            let settable = matches!(setting.change, Change::User | Change::Superuser) && !keep.contains(&setting.name);
            if settable && self.values.get(&key).map(String::as_str) != self.reset_value(setting) {
                let value = self.reset_value(setting).map(str::to_owned);
                self.assign(key, value, false);
                self.report(setting);
            }
        }
        let custom: Vec<String> = self.values.keys().filter(|k| k.contains('.')).cloned().collect();
        for key in custom {
            let value = self.reset.get(&key).cloned();
            self.assign(key, value, false);
        }
    }

    /// (name, value, description) of every setting, as SHOW ALL lists them.
    pub fn show_all(&self) -> Vec<(&'static str, String, &'static str)> {
        SETTINGS.iter().map(|s| (s.name, value::display(s, self.raw(s)), s.description)).collect()
    }

    fn report(&mut self, setting: &'static Setting) {
        if setting.report && !self.changed.iter().any(|s| s.name == setting.name) {
            self.changed.push(setting);
        }
    }

    /// Reported settings with their values, all of them; none counts as changed afterwards.
    pub fn reported(&mut self) -> Vec<(String, String)> {
        self.changed = SETTINGS.iter().copied().filter(|setting| setting.report).collect();
        self.take_changes()
    }

    pub fn take_changes(&mut self) -> Vec<(String, String)> {
        let mut changes = Vec::new();
        for setting in std::mem::take(&mut self.changed) {
            let value = value::display(setting, self.raw(setting));
            // Set to what the client knows already is no change.
            if self.told.get(setting.name) != Some(&value) {
                self.told.insert(setting.name, value.clone());
                changes.push((setting.name.to_owned(), value));
            }
        }
        changes
    }

    pub fn mark(&self) -> Mark {
        Mark(self.undo.len())
    }

    /// ROLLBACK TO SAVEPOINT, or ROLLBACK with the mark of the transaction's start.
    pub fn rollback_to(&mut self, mark: Mark) {
        while self.undo.len() > mark.0 {
            if let Some(change) = self.undo.pop() {
                self.restore(change.name, change.previous);
            }
        }
    }

    /// End of a transaction: SET stays, SET LOCAL goes. For each setting the newest plain SET decides; LOCAL changes after it are undone.
    pub fn commit(&mut self) {
        let mut settled: Vec<String> = Vec::new();
        for change in std::mem::take(&mut self.undo).into_iter().rev() {
            if settled.contains(&change.name) {
                continue;
            }
            if change.local {
                self.restore(change.name, change.previous);
            } else {
                settled.push(change.name);
            }
        }
    }

    pub fn rollback(&mut self) {
        self.rollback_to(Mark(0));
    }

    fn restore(&mut self, name: String, value: Option<String>) {
        self.generation += 1;
        if let Some(setting) = setting(&name) {
            self.report(setting);
        }
        match value {
            Some(value) => self.values.insert(name, value),
            None => self.values.remove(&name),
        };
    }
}

fn unknown(name: &str) -> Error {
    Error::new(sqlstate::UNDEFINED_OBJECT, format!("unrecognized configuration parameter \"{name}\""))
}

fn denied(message: String) -> Error {
    Error::new(sqlstate::CANT_CHANGE_RUNTIME_PARAM, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(value: &str) -> Vec<String> {
        vec![value.to_owned()]
    }

    #[test]
    fn a_value_is_shown_in_the_largest_whole_unit() {
        let mut settings = Settings::default();
        settings.set("statement_timeout", Some(&one("90000")), false, false).unwrap();
        assert_eq!(settings.show("statement_timeout").unwrap(), "90s");
        settings.set("work_mem", Some(&one("64MB")), false, false).unwrap();
        assert_eq!(settings.show("work_mem").unwrap(), "64MB");
        assert_eq!(settings.integer("work_mem"), 65_536);
    }

    #[test]
    fn local_changes_end_with_the_transaction_and_plain_ones_stay() {
        let mut settings = Settings::default();
        settings.set("application_name", Some(&one("a")), false, false).unwrap();
        settings.set("application_name", Some(&one("b")), true, false).unwrap();
        assert_eq!(settings.text("application_name"), "b");
        settings.commit();
        assert_eq!(settings.text("application_name"), "a");
        settings.set("application_name", Some(&one("c")), false, false).unwrap();
        settings.rollback();
        assert_eq!(settings.text("application_name"), "a");
    }

    #[test]
    fn bad_values_have_their_sqlstate() {
        let mut settings = Settings::default();
        let code = |r: Result<()>| r.unwrap_err().code();
        assert_eq!(code(settings.set("nonsense", Some(&one("1")), false, true)), sqlstate::UNDEFINED_OBJECT);
        assert_eq!(
            code(settings.set("statement_timeout", Some(&one("-1")), false, true)),
            sqlstate::INVALID_PARAMETER_VALUE
        );
        assert_eq!(
            code(settings.set("server_version", Some(&one("9")), false, true)),
            sqlstate::CANT_CHANGE_RUNTIME_PARAM
        );
        assert_eq!(
            code(settings.set("TimeZone", Some(&one("Nowhere/City")), false, true)),
            sqlstate::INVALID_PARAMETER_VALUE
        );
    }

    #[test]
    fn defaults_are_valid() {
        for setting in SETTINGS.iter() {
            if setting.changeable().is_ok() {
                let values = value::split_for(setting, setting.default).unwrap();
                value::validate(setting, &values, setting.default).unwrap_or_else(|e| panic!("{}: {e}", setting.name));
            }
        }
    }
}
