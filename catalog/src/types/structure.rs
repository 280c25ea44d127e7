//! What the types that users create are made of. Their OIDs alone do not tell: whoever reads, writes or represents values
//! asks the catalog, as a [`TypeLookup`].
//!
//! A domain is its base type, and an array over a domain is an array over the base type, wherever values are
//! represented ([`erased`]): that a value belongs to a domain is checked where it becomes one.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields};

use super::Type;
use super::oid::Oid;
use super::range::RangeType;
use super::representation::{array_type, built_in, stored_numeric, with_type};
use super::table::{array_of, element_of, type_info};
use crate::object::UserType;

/// The structure of a type that users create.
#[derive(Debug, Clone)]
pub enum Structure {
    /// An array over this type.
    Array(Oid),
    Enum(Arc<UserType>),
    /// A range, or the multirange over it.
    Range(RangeType),
    Domain(Type),
    /// Names and types of the fields.
    Composite(Vec<(String, Type)>),
}

/// Knows the types that users create.
pub trait TypeLookup {
    /// None for built-in types.
    fn structure(&self, ty: Oid) -> Option<Structure>;

    /// The array type over a type, if it has one.
    fn array_over(&self, element: Oid) -> Option<Oid>;

    /// True for a label that this transaction has added to an older enum: it may not be used before the commit.
    fn is_uncommitted_label(&self, _label: Oid) -> bool {
        false
    }
}

/// Knows none.
pub struct BuiltIn;

impl TypeLookup for BuiltIn {
    fn structure(&self, _: Oid) -> Option<Structure> {
        None
    }

    fn array_over(&self, element: Oid) -> Option<Oid> {
        array_of(element)
    }
}

/// The type without domains: a domain's base type, and the array over that for an array over the domain.
pub fn erased(ty: Type, types: &dyn TypeLookup) -> Type {
    if type_info(ty.oid).is_some() {
        return ty;
    }
    match types.structure(ty.oid) {
        Some(Structure::Domain(base)) => erased(base, types),
        Some(Structure::Array(element)) => {
            let base = erased(Type::new(element, ty.typmod), types);
            match types.array_over(base.oid) {
                Some(array) if base.oid != element => Type::new(array, base.typmod),
                _ => ty,
            }
        }
        _ => ty,
    }
}

/// The element type of an array type.
pub fn element(ty: Oid, types: &dyn TypeLookup) -> Option<Oid> {
    if type_info(ty).is_some() {
        return element_of(ty);
    }
    match types.structure(ty)? {
        Structure::Array(element) => Some(element),
        _ => None,
    }
}

/// The Arrow type of a computed value of any type.
pub fn arrow_type(ty: Type, types: &dyn TypeLookup) -> DataType {
    let ty = erased(ty, types);
    if type_info(ty.oid).is_some() {
        return built_in(ty);
    }
    match types.structure(ty.oid) {
        Some(Structure::Array(element)) => array_type(arrow_type(Type::new(element, ty.typmod), types)),
        Some(Structure::Enum(_)) => DataType::Int64,
        Some(Structure::Range(_)) => DataType::BinaryView,
        Some(Structure::Composite(fields)) => DataType::Struct(struct_fields(&fields, types)),
        Some(Structure::Domain(_)) | None => built_in(ty),
    }
}

/// The Arrow type of a stored column: numbers with a precision that fits are Decimal128.
pub fn stored_arrow_type(ty: Type, types: &dyn TypeLookup) -> DataType {
    let ty = erased(ty, types);
    stored_numeric(ty).unwrap_or_else(|| arrow_type(ty, types))
}

/// The fields of a row's Struct, each marked with its type.
pub fn struct_fields(fields: &[(String, Type)], types: &dyn TypeLookup) -> Fields {
    let field = |(name, ty): &(String, Type)| {
        let ty = erased(*ty, types);
        with_type(Field::new(name, arrow_type(ty, types), true), ty)
    };
    fields.iter().map(field).collect()
}
