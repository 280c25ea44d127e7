//! Extensions (PostgreSQL manual, 38.17): a script of SQL that CREATE EXTENSION runs, and a library of code that the script's functions in
//! `LANGUAGE c` name by symbol (docs/decisions/0013-extensions.md).
//!
//! What an extension needs of the engine is in this module; it is written as the engine's own functions are:
//!
//! ```ignore
//! pub const EXTENSION: Extension = Extension { name: "tides", script: include_str!("tides.sql"), symbols, ..Extension::EMPTY };
//!
//! fn symbols() -> Symbols {
//!     vec![
//!         ("height", kernel!(|at: Timestamp, amplitude: f64| height(at, amplitude))),
//!         ("highest", Body::Aggregate(|types| fold("highest", types, Highest))),
//!         ("watch", session!(watch)),
//!     ]
//! }
//! ```
//!
//! The built-in extensions are files here; the others are crates of their own, handed to the engine at start.

mod background;
mod caller;
mod citext;
mod cursor;
mod fragment;
mod grouped;
mod hstore;
mod language;
mod pg_stat_statements;
mod pgcrypto;
mod procedure;
mod sha1;
mod stored;
mod subtransaction;
pub mod transform;
mod types;
mod uuid_ossp;

use std::collections::HashMap;

pub use aegis_catalog::definition::quote_identifier;
pub use aegis_catalog::fixed_oid;
pub use aegis_catalog::object::{Column, ObjectAddress, Relation, RelationKind, Routine, Window, Windows};
pub use aegis_catalog::sqlstate::SqlState;
pub use aegis_catalog::types::datetime::ZoneSpecification;
pub use aegis_catalog::types::{TimeZone, oid};
pub use aegis_catalog::{Catalog, Error, Oid, Result, Type, sqlstate};
pub use aegis_storage::{ColumnEncoding, RangeSize};

pub use crate::bind::is_ordered;
pub use crate::bind::routine::Returns;
pub use crate::functions::aggregate::{Aggregate, Fold, Persist, Step, compare_floats, fold, one, whole, write_all};
pub use crate::functions::array::List;
pub use crate::functions::comparison::key::{comparison_type, key_array as comparison_key};
pub use crate::functions::datetime::zone::{to_instant, to_local};
pub use crate::functions::datetime::{arithmetic, calendar};
pub use crate::functions::kernel::{Inputs, Reader, batch, columns};
pub use crate::functions::value::{
    Date, Interval, Outcome, Read, Time, TimeTz, Timestamp, TimestampTz, Uuid, Void, Write, downcast,
};
pub use crate::functions::{AggregateTypes, Body, Call};
pub use crate::session::context::StatementContext;
pub use crate::statement::storage_parameter::NewView;
pub use crate::{kernel, row, session, set, volatile};
pub use background::{Background, Workers};
pub use caller::{Caller, Future, Row, SessionCode, Value};
pub use cursor::{Fetched, Fetching};
pub use fragment::{Form, Fragment, Ran, RowsOf, Variable, Variables, add_context, parse_fragment};
pub use grouped::{GroupKey, GroupedQuery, KeyArgument};

pub use language::{Invocation, Language};
pub use procedure::{BoundProcedure, Outputs};
pub use subtransaction::Subtransaction;
pub use types::{column_type, element_type, fields_of, row_type, signature, type_name, type_named};

/// Symbols of a library with the code behind them.
pub type Symbols = Vec<(&'static str, Body)>;

/// What PostgreSQL keeps in a control file, a script and a library.
#[derive(Debug, Clone, Copy)]
pub struct Extension {
    pub name: &'static str,
    /// The version that `script` makes, and the ones after it, each made of the one before.
    pub version: &'static str,
    pub updates: &'static [Update],
    pub comment: &'static str,
    pub relocatable: bool,
    /// Whoever may create in the database may add it; others need a superuser.
    pub trusted: bool,
    /// Run in the extension's schema, which `@extschema@` names; its functions are in `LANGUAGE c` and name `$libdir/` with the extension's name,
    /// and a symbol. An aggregate whose transition function's symbol is an aggregate is that one.
    pub script: &'static str,
    /// Base types that it makes before its script runs, which values have a form of their own for (`aegis_catalog::extension_facts`).
    pub types: &'static [Oid],
    /// The symbols of the library.
    pub symbols: fn() -> Symbols,
    pub parameters: Option<Parameters>,
    /// Called before a commit that has changed rows of windows which somebody watches ([`Windows::watched`]).
    pub committing: Option<Committing>,
    pub background: Option<Background>,
    pub labels: Option<Labels>,
    /// Procedural languages.
    pub languages: &'static [Language],
}

/// A step to a version, run as the script is: what it makes are members of the extension too.
#[derive(Debug, Clone, Copy)]
pub struct Update {
    pub to: &'static str,
    pub script: &'static str,
}

impl Extension {
    /// What an extension has that says nothing else.
    pub const EMPTY: Self = Self {
        name: "",
        version: "",
        updates: &[],
        comment: "",
        relocatable: false,
        trusted: false,
        script: "",
        types: &[],
        symbols: Vec::new,
        parameters: None,
        committing: None,
        background: None,
        labels: None,
        languages: &[],
    };

    /// The version that CREATE EXTENSION makes.
    pub fn newest(&self) -> &'static str {
        self.updates.last().map_or(self.version, |update| update.to)
    }

    /// All versions, oldest first.
    pub fn versions(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.version).chain(self.updates.iter().map(|update| update.to))
    }

    /// The steps from one version to another; None if there is no way.
    pub fn path(&self, from: &str, to: &str) -> Option<&'static [Update]> {
        let place = |wanted: &str| self.versions().position(|version| version == wanted);
        self.updates.get(place(from)?..place(to)?)
    }
}

/// An extension as provider of security labels (PostgreSQL manual, SECURITY LABEL): what it knows of an object, as a text that dumps carry over.
#[derive(Debug, Clone, Copy)]
pub struct Labels {
    /// Schema and name of a relation with the columns of `pg_seclabels`, which shows the labels.
    pub shown: (&'static str, &'static str),
    /// Makes of an object, whose owner calls, what its label says.
    pub apply: for<'a> fn(Caller<'a>, ObjectAddress, Option<String>) -> Future<'a, ()>,
}

/// Storage parameters that mean something to an extension.
#[derive(Debug, Clone, Copy)]
pub struct Parameters {
    /// `namespace.name = value`
    pub namespaces: &'static [&'static str],
    /// Those that are written without a namespace too.
    pub bare: &'static [&'static str],
    /// CREATE TABLE (true) was made with parameters, or ALTER … SET (false) a table or view: they are given without their namespace.
    pub relation: for<'a> fn(Caller<'a>, Oid, Vec<(String, String)>, bool) -> Future<'a, ()>,
    /// CREATE MATERIALIZED VIEW is written with parameters: the extension makes it.
    pub materialized_view: for<'a> fn(Caller<'a>, NewView, Vec<(String, String)>) -> Future<'a, ()>,
}

/// A table, and ranges of its time with changed rows: the first value, and the first behind it.
pub type Committing = for<'a> fn(Caller<'a>, Oid, Vec<(i64, i64)>) -> Future<'a, ()>;

const BUILT_IN: &[Extension] =
    &[citext::EXTENSION, hstore::EXTENSION, pg_stat_statements::EXTENSION, pgcrypto::EXTENSION, uuid_ossp::EXTENSION];

/// The extensions that CREATE EXTENSION can make, with their libraries.
pub struct Extensions {
    all: Vec<Extension>,
    libraries: HashMap<&'static str, HashMap<&'static str, Body>>,
}

impl Default for Extensions {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl Extensions {
    /// The built-in ones and those of other crates.
    pub fn new(more: &[&[Extension]]) -> Self {
        let all: Vec<Extension> = BUILT_IN.iter().chain(more.iter().copied().flatten()).copied().collect();
        let libraries = all.iter().map(|of| (of.name, (of.symbols)().into_iter().collect())).collect();
        Self { all, libraries }
    }

    pub fn all(&self) -> impl Iterator<Item = &Extension> {
        self.all.iter()
    }

    pub fn named(&self, name: &str) -> Option<&Extension> {
        self.all.iter().find(|extension| extension.name == name)
    }

    /// The language of that name.
    pub fn language(&self, name: &str) -> Option<&Language> {
        self.all.iter().flat_map(|extension| extension.languages).find(|language| language.name == name)
    }

    /// The code of a function in C by its library (`$libdir/…`) and symbol.
    pub fn code(&self, library: &str, symbol: &str) -> Option<&Body> {
        self.libraries.get(library.strip_prefix("$libdir/")?)?.get(symbol)
    }
}
