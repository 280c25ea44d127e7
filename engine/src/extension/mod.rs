//! Extensions that CREATE EXTENSION can make: each is a script of SQL, as PostgreSQL's are, over functions that are built in. To add one: a file
//! here with its script beside it, and a row in [`EXTENSIONS`].

mod pgcrypto;
mod sha1;
mod uuid_ossp;

use crate::functions::Body;

/// Symbols of a library with the code behind them.
type Symbols = Vec<(&'static str, Body)>;

/// What PostgreSQL keeps in a control file, a script and a library.
pub struct Extension {
    pub name: &'static str,
    pub version: &'static str,
    pub comment: &'static str,
    pub relocatable: bool,
    /// Run in the extension's schema; its functions are in `LANGUAGE c` and name the library and a symbol.
    pub script: &'static str,
    /// The symbols of the library.
    pub symbols: fn() -> Symbols,
}

pub const EXTENSIONS: &[Extension] = &[pgcrypto::EXTENSION, uuid_ossp::EXTENSION];

pub fn named(name: &str) -> Option<&'static Extension> {
    EXTENSIONS.iter().find(|extension| extension.name == name)
}

/// The code of a function in C by its library (`$libdir/…`) and symbol.
pub fn code(library: &str, symbol: &str) -> Option<Body> {
    let extension = named(library.strip_prefix("$libdir/")?)?;
    (extension.symbols)().into_iter().find(|(name, _)| *name == symbol).map(|(_, code)| code)
}
