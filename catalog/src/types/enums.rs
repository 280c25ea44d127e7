//! Values of enums: labels in text and binary form, keys in columns.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, Int64Builder};
use arrow::datatypes::Int64Type;

use super::Names;
use super::oid::Oid;
use super::structure::{Structure, TypeLookup};
use crate::error::{Error, Result};
use crate::object::{EnumLabel, UserType};
use crate::sqlstate;

/// The label of that name, which this transaction may use. 22P02 if there is none, 55P04 if it is too new.
pub fn label_named<'a>(ty: &'a UserType, name: &str, names: &Names) -> Result<&'a EnumLabel> {
    let label = ty.as_enum().and_then(|labels| labels.by_name(name)).ok_or_else(|| {
        let message = format!("invalid input value for enum {}: \"{name}\"", names.type_name(ty.oid));
        Error::new(sqlstate::INVALID_TEXT_REPRESENTATION, message)
    })?;
    check_committed(ty, label, names)?;
    Ok(label)
}

/// 55P04 for a label that this transaction has added to an older enum.
pub fn check_committed(ty: &UserType, label: &EnumLabel, names: &Names) -> Result<()> {
    if !names.is_uncommitted_label(label.oid) {
        return Ok(());
    }
    let message = format!("unsafe use of new value \"{}\" of enum type {}", label.name, names.type_name(ty.oid));
    Err(Error::new(sqlstate::UNSAFE_NEW_ENUM_VALUE_USAGE, message)
        .with_hint("New enum values must be committed before they can be used."))
}

/// Collects values of one enum.
pub(super) struct EnumValues {
    ty: Arc<UserType>,
    names: Names,
    keys: Int64Builder,
}

impl EnumValues {
    pub fn new(ty: Arc<UserType>, names: Names, capacity: usize) -> Self {
        Self { ty, names, keys: Int64Builder::with_capacity(capacity) }
    }

    pub fn len(&self) -> usize {
        use arrow::array::ArrayBuilder;
        self.keys.len()
    }

    pub fn append_null(&mut self) {
        self.keys.append_null();
    }

    pub fn append(&mut self, label: &str) -> Result<()> {
        self.keys.append_value(label_named(&self.ty, label, &self.names)?.key);
        Ok(())
    }

    pub fn finish(&mut self) -> ArrayRef {
        Arc::new(self.keys.finish())
    }
}

/// A column of one enum and its labels.
pub(super) struct EnumColumn {
    ty: Arc<UserType>,
    keys: Int64Array,
}

impl EnumColumn {
    /// None if the type is no enum, or the array has none of its keys.
    pub fn new(ty: Oid, array: &ArrayRef, names: &Names) -> Option<Self> {
        let Some(Structure::Enum(ty)) = names.structure(ty) else { return None };
        Some(Self { ty, keys: array.as_primitive_opt::<Int64Type>()?.clone() })
    }

    /// The label of a row that is not null.
    pub fn write(&self, row: usize, out: &mut Vec<u8>) {
        debug_assert!(!self.keys.is_null(row));
        if let Some(label) = self.ty.as_enum().and_then(|labels| labels.by_key(self.keys.value(row))) {
            out.extend_from_slice(label.name.as_bytes());
        }
    }
}
