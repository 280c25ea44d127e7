//! What follows from the catalog and the settings, kept until one of them changes: a short statement asks for it several times.

use std::sync::Arc;
use std::time::Duration;

use aegis_catalog::reg_names::CatalogNames;
use aegis_catalog::types::{FormatSettings, Names};
use aegis_catalog::{Catalog, Oid, Result, SearchPath};
use aegis_storage::Isolation;

use super::Session;
use super::transaction::isolation;
use crate::execute::lock::Patience;
use crate::settings::{self, Settings};

pub(super) struct Derived {
    catalog: Arc<Catalog>,
    generation: u64,
    search_path: SearchPath,
    pub(super) identity: Identity,
    /// All but the time.
    format: FormatSettings,
}

/// Who runs statements: the session's user, and the role that it has taken.
#[derive(Clone)]
pub(super) struct Identity {
    pub session_user: String,
    pub user: String,
    pub user_oid: Oid,
    pub superuser: bool,
}

/// The settings that every statement asks for, kept until one changes.
#[derive(Clone, Copy)]
pub(super) struct Obeyed {
    generation: u64,
    pub statement_timeout: Duration,
    pub idle_timeout: Duration,
    pub idle_in_transaction_timeout: Duration,
    pub patience: Patience,
    /// Of transactions that do not say otherwise; None if it is one that is refused.
    pub isolation: Option<Isolation>,
    pub read_only: bool,
    /// The present transaction, or the last one, has these characteristics, and they are shown.
    pub as_shown: bool,
    /// `synchronous_commit`.
    pub synchronous: bool,
    /// `pg_stat_statements.track` and `.track_utility`.
    pub counts_statements: bool,
    pub counts_utilities: bool,
}

impl Obeyed {
    fn new(settings: &Settings) -> Self {
        let duration = |name| duration(settings, name);
        let shown = ["isolation", "read_only", "deferrable"].iter().all(|name| {
            settings.text(&format!("transaction_{name}")) == settings.text(&format!("default_transaction_{name}"))
        });
        Self {
            generation: settings.generation(),
            statement_timeout: duration("statement_timeout"),
            idle_timeout: duration("idle_session_timeout"),
            idle_in_transaction_timeout: duration("idle_in_transaction_session_timeout"),
            patience: patience(settings),
            isolation: isolation(settings.text("default_transaction_isolation")).ok(),
            read_only: settings.bool("default_transaction_read_only"),
            as_shown: shown,
            synchronous: settings.text("synchronous_commit") != "off",
            counts_statements: settings.text("pg_stat_statements.track") != "none",
            counts_utilities: settings.bool("pg_stat_statements.track_utility"),
        }
    }
}

/// A setting that is a time in milliseconds.
fn duration(settings: &Settings, name: &str) -> Duration {
    Duration::from_millis(u64::try_from(settings.integer(name)).unwrap_or(0))
}

/// How long a statement waits for locks.
pub(super) fn patience(settings: &Settings) -> Patience {
    Patience { lock: duration(settings, "lock_timeout"), deadlock: duration(settings, "deadlock_timeout") }
}

impl Session {
    pub(super) fn obeyed(&self) -> Obeyed {
        let mut kept = self.obeyed.lock();
        let settings = self.backend.settings.lock();
        match &*kept {
            Some(obeyed) if obeyed.generation == settings.generation() => *obeyed,
            _ => *kept.insert(Obeyed::new(&settings)),
        }
    }

    /// The catalog as the next statement sees it.
    pub(crate) fn catalog(&self) -> Result<Arc<Catalog>> {
        match &self.transaction {
            Some(open) => Ok(open.catalog.catalog()),
            None => {
                let (store, database) = (&self.shared.catalog, self.backend.database_oid);
                self.temporary_objects.over(store, database)
            }
        }
    }

    /// `pg_type.typlen` of a type, users' own among them; -1 if nobody knows it.
    pub fn type_length(&self, ty: Oid) -> i16 {
        let built_in = aegis_catalog::types::type_info(ty).map(|info| info.len);
        let own = || Some(self.catalog().ok()?.type_entry(ty)?.len);
        built_in.or_else(own).unwrap_or(-1)
    }

    pub(crate) fn search_path(&self, catalog: &Arc<Catalog>) -> SearchPath {
        self.derived(catalog).search_path.clone()
    }

    /// What the wire's text encoders obey, as of now.
    pub fn format_settings(&self) -> FormatSettings {
        let now = self.transaction_start();
        match self.catalog() {
            Ok(catalog) => FormatSettings { now, ..self.derived(&catalog).format.clone() },
            // The database was dropped: values without names can still be shown.
            Err(_) => settings::format_settings(&self.backend.settings.lock(), now),
        }
    }

    fn derived(&self, catalog: &Arc<Catalog>) -> Arc<Derived> {
        let mut kept = self.derived.lock();
        let settings = self.backend.settings.lock();
        if let Some(derived) = &*kept
            && Arc::ptr_eq(&derived.catalog, catalog)
            && derived.generation == settings.generation()
        {
            return Arc::clone(derived);
        }
        let names = settings::split_list(settings.text("search_path")).unwrap_or_default();
        // By name: a temporary schema made in this transaction is not the session's yet.
        let temporary = catalog.schema_by_name(&format!("pg_temp_{}", self.backend.pid)).map(|schema| schema.oid);
        let identity = self.identity(catalog, settings.text("session_authorization"), settings.text("role"));
        let search_path = SearchPath::resolve(catalog, &names, &identity.user, temporary);
        let mut format = settings::format_settings(&settings, 0);
        let printed = CatalogNames { catalog: Arc::clone(catalog), search_path: search_path.clone() };
        format.names = Names(Some(Arc::new(printed)));
        let generation = settings.generation();
        let derived = Arc::new(Derived { catalog: Arc::clone(catalog), generation, search_path, identity, format });
        *kept = Some(Arc::clone(&derived));
        derived
    }

    pub(super) fn identity_now(&self, catalog: &Arc<Catalog>) -> Identity {
        self.derived(catalog).identity.clone()
    }

    /// A role that is gone leaves the one behind it.
    fn identity(&self, catalog: &Catalog, session_user: &str, role: &str) -> Identity {
        let own = catalog.role(self.backend.user_oid);
        let of_session = catalog.role_by_name(session_user).or(own);
        let taken = if role == "none" { None } else { catalog.role_by_name(role) };
        let session_user = of_session.map_or_else(|| self.backend.user.clone(), |role| role.name.clone());
        match taken.or(of_session) {
            Some(role) => {
                Identity { session_user, user: role.name.clone(), user_oid: role.oid, superuser: role.superuser }
            }
            None => {
                Identity { user: session_user.clone(), session_user, user_oid: self.backend.user_oid, superuser: false }
            }
        }
    }
}
