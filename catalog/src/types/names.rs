//! How the `reg*` types reach the catalog: they are numbers here, and the engine knows the names.

use std::fmt;
use std::sync::Arc;

use super::oid::Oid;
use super::structure::{Structure, TypeLookup};
use super::table::array_of;
use crate::error::Result;

/// Resolves names of catalog objects for the `reg*` types. `reg_type` is the type's own OID
/// ([`REGCLASS`](super::oid::REGCLASS), [`REGTYPE`](super::oid::REGTYPE), …) and says what kind of object is meant.
pub trait NameLookup: Send + Sync {
    /// Text output: the object's name as the type's output function prints it; `None` if there is no such
    /// object (it is then printed as a number).
    fn name_of(&self, reg_type: Oid, object: Oid) -> Option<String>;

    /// Text input of anything but a number or `-`; fails as the type's input function does (42P01, 42704, …).
    fn oid_of(&self, reg_type: Oid, text: &str) -> Result<Oid>;

    /// What types that users create are made of, for their text and binary forms.
    fn types(&self) -> &dyn TypeLookup;
}

/// The catalog that text input and output of `reg*` values use, if any.
#[derive(Clone, Default)]
pub struct Names(pub Option<Arc<dyn NameLookup>>);

impl TypeLookup for Names {
    fn structure(&self, ty: Oid) -> Option<Structure> {
        self.0.as_ref()?.types().structure(ty)
    }

    fn array_over(&self, element: Oid) -> Option<Oid> {
        match &self.0 {
            Some(names) => names.types().array_over(element),
            None => array_of(element),
        }
    }

    fn is_uncommitted_label(&self, label: Oid) -> bool {
        self.0.as_ref().is_some_and(|names| names.types().is_uncommitted_label(label))
    }
}

impl Names {
    /// A type's name as messages show it.
    pub fn type_name(&self, ty: Oid) -> String {
        let name = self.0.as_ref().and_then(|names| names.name_of(super::oid::REGTYPE, ty));
        name.unwrap_or_else(|| super::format_type(super::Type::of(ty)))
    }
}

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
