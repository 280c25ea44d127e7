//! How the `reg*` types reach the catalog: they are numbers here, and the engine knows the names.

use std::fmt;
use std::sync::Arc;

use super::oid::Oid;
use crate::error::Result;

/// Resolves names of catalog objects for the `reg*` types. `reg_type` is the type's own OID
/// ([`REGCLASS`](super::oid::REGCLASS), [`REGTYPE`](super::oid::REGTYPE), …) and says what kind of object is meant.
pub trait NameLookup: Send + Sync {
    /// Text output: the object's name as the type's output function prints it; `None` if there is no such
    /// object (it is then printed as a number).
    fn name_of(&self, reg_type: Oid, object: Oid) -> Option<String>;

    /// Text input of anything but a number or `-`; fails as the type's input function does (42P01, 42704, …).
    fn oid_of(&self, reg_type: Oid, text: &str) -> Result<Oid>;
}

/// The catalog that text input and output of `reg*` values use, if any.
#[derive(Clone, Default)]
pub struct Names(pub Option<Arc<dyn NameLookup>>);

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Names(catalog)" } else { "Names(none)" })
    }
}

impl PartialEq for Names {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(ours), Some(theirs)) => Arc::ptr_eq(ours, theirs),
            _ => false,
        }
    }
}
