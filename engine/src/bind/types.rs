//! What the binder asks about types: names, categories, elements, fields.

use std::sync::Arc;

use aegis_catalog::definition::{qualified_name, quote_identifier};
use aegis_catalog::object::Relation;
use aegis_catalog::types::{self, Structure, TypeLookup, oid};
use aegis_catalog::{Error, Oid, Result, Type, sqlstate};

use super::Binder;
use super::tree::{Expr, ExprKind};
use crate::parse::ast;

/// `pg_type.typcategory` codes that the rules of chapter 10 name.
pub(super) const STRING: char = 'S';
pub(super) const INVALID: char = '\0';

/// The pseudo-types that stand for "any type that fits" (manual, "Polymorphic Types").
pub fn is_polymorphic(ty: Oid) -> bool {
    is_any_family(ty) || is_anycompatible_family(ty)
}

pub fn is_any_family(ty: Oid) -> bool {
    matches!(ty, oid::ANYELEMENT | oid::ANYARRAY | oid::ANYNONARRAY | oid::ANYENUM | oid::ANYRANGE | oid::ANYMULTIRANGE)
}

pub(super) fn is_anycompatible_family(ty: Oid) -> bool {
    matches!(
        ty,
        oid::ANYCOMPATIBLE
            | oid::ANYCOMPATIBLEARRAY
            | oid::ANYCOMPATIBLENONARRAY
            | oid::ANYCOMPATIBLERANGE
            | oid::ANYCOMPATIBLEMULTIRANGE
    )
}

impl Binder<'_> {
    /// Category and whether the type is preferred in it.
    pub(super) fn category(&self, ty: Oid) -> (char, bool) {
        if let Some(info) = types::type_info(ty) {
            return (info.category, info.preferred);
        }
        self.catalog.type_entry(ty).map_or((INVALID, false), |entry| (entry.category, entry.preferred))
    }

    /// The base type of a domain, with its modifier; any other type is its own.
    pub(super) fn base_type(&self, ty: Type) -> Type {
        self.catalog.base_type(ty)
    }

    pub(super) fn base(&self, ty: Oid) -> Oid {
        self.base_type(Type::of(ty)).oid
    }

    pub(super) fn is_domain(&self, ty: Oid) -> bool {
        types::type_info(ty).is_none() && matches!(self.catalog.structure(ty), Some(Structure::Domain(_)))
    }

    /// Is the type a domain, or a part of it?
    pub(super) fn has_domains(&self, ty: Oid) -> bool {
        if types::type_info(ty).is_some() {
            return false;
        }
        match self.catalog.structure(ty) {
            Some(Structure::Domain(_)) => true,
            Some(Structure::Array(element)) => self.has_domains(element),
            Some(Structure::Composite(fields)) => fields.iter().any(|(_, field)| self.has_domains(field.oid)),
            Some(Structure::Enum(_) | Structure::Range(_)) | None => false,
        }
    }

    /// Element type of a true array type, or of a domain over one.
    pub(super) fn element_of(&self, ty: Oid) -> Option<Oid> {
        if types::type_info(ty).is_some() {
            return types::element_of(ty);
        }
        let entry = self.catalog.type_entry(ty)?;
        match entry.base {
            0 => Some(entry.element).filter(|&element| element != 0),
            base => self.element_of(base),
        }
    }

    pub(super) fn array_of(&self, ty: Oid) -> Option<Oid> {
        if types::type_info(ty).is_some() {
            return types::array_of(ty);
        }
        self.catalog.type_entry(ty).map(|entry| entry.array).filter(|&array| array != 0)
    }

    /// The relation whose rows have this type.
    pub(super) fn relation_of_type(&self, ty: Oid) -> Option<Arc<Relation>> {
        if types::type_info(ty).is_some_and(|info| info.kind != 'c') {
            return None;
        }
        let entry = self.catalog.type_entry(self.base(ty)).filter(|entry| entry.relation != 0)?;
        self.catalog.relation(entry.relation).cloned()
    }

    pub(super) fn is_composite(&self, ty: Oid) -> bool {
        self.relation_of_type(ty).is_some()
    }

    /// As `format_type` prints it.
    pub(super) fn type_name(&self, ty: Type) -> String {
        if types::type_info(ty.oid).is_some() || ty.oid == 0 {
            return types::format_type(ty);
        }
        let Some(entry) = self.catalog.type_entry(ty.oid) else { return "???".into() };
        if entry.is_array() {
            return self.type_name(Type::of(entry.element)) + "[]";
        }
        let visible = self.catalog.type_by_name(None, &entry.name, &self.search_path);
        if visible.is_some_and(|found| found.oid == entry.oid) {
            return quote_identifier(&entry.name).into_owned();
        }
        let schema = self.catalog.schema(entry.schema).map(|schema| schema.name.clone()).unwrap_or_default();
        qualified_name(&schema, &entry.name)
    }

    pub(super) fn oid_name(&self, ty: Oid) -> String {
        self.type_name(Type::of(ty))
    }

    /// Names and types of a record's or composite value's fields, as far as the expression tells.
    pub(super) fn fields_of(&self, expr: &Expr) -> Option<Arc<[(String, Type)]>> {
        if let Some(relation) = self.relation_of_type(expr.ty.oid) {
            return Some(relation.live_columns().map(|column| (column.name.clone(), column.ty)).collect());
        }
        match &expr.kind {
            ExprKind::Row(fields) => {
                Some(fields.iter().enumerate().map(|(i, field)| (format!("f{}", i + 1), field.ty)).collect())
            }
            ExprKind::NamedRow { names, fields } => {
                Some(names.iter().zip(fields).map(|(name, field)| (name.clone(), field.ty)).collect())
            }
            ExprKind::NullExtended { row, .. } => self.fields_of(row),
            ExprKind::Column { rel, column } => self.shapes.get(&(*rel, *column)).cloned(),
            ExprKind::Call { function, .. } if !function.out_columns.is_empty() => {
                Some(function.out_columns.iter().map(|(name, ty)| (name.clone(), Type::of(*ty))).collect())
            }
            _ => None,
        }
    }

    /// The type that a type name means.
    pub(super) fn type_of_name(&mut self, name: &ast::TypeName) -> Result<Type> {
        if name.setof {
            let message = "type reference cannot be SETOF here";
            return Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(name.span.start));
        }
        let Some(found) = self.type_by_parts(&name.name)? else {
            let parts: Vec<_> = name.name.parts.iter().map(|part| part.name.as_str()).collect();
            let shown = format!("{}{}", parts.join("."), "[]".repeat(name.array_dimensions.min(1)));
            let message = format!("type \"{shown}\" does not exist");
            return Err(Error::new(sqlstate::UNDEFINED_OBJECT, message).at(name.span.start));
        };
        let domain = self.catalog.user_type(found).and_then(|ty| ty.domain());
        let default = aegis_catalog::fixed_oid::DEFAULT_COLLATION;
        self.collated |= domain.is_some_and(|domain| ![0, default].contains(&domain.collation));
        let mut modifiers = name.interval_fields.into_iter().collect::<Vec<_>>();
        if modifiers.is_empty() && found == oid::INTERVAL && !name.modifiers.is_empty() {
            modifiers.push(types::type_name::interval_field::FULL_RANGE);
        }
        for modifier in &name.modifiers {
            modifiers.push(modifier_value(modifier)?);
        }
        let typmod = types::typmod_from_modifiers(found, &modifiers).map_err(|error| error.at(name.span.start))?;
        if name.array_dimensions == 0 {
            return Ok(Type::new(found, typmod));
        }
        let array = self.array_of(found).ok_or_else(|| {
            let message = format!("could not find array type for data type {}", self.oid_name(found));
            Error::new(sqlstate::UNDEFINED_OBJECT, message).at(name.span.start)
        })?;
        Ok(Type::new(array, typmod))
    }

    /// A type by its qualified or unqualified internal name.
    pub(super) fn type_by_parts(&self, name: &ast::Name) -> Result<Option<Oid>> {
        let (schema, name) = match name.parts.as_slice() {
            [name] => (None, name),
            [schema, name] => (Some(schema.name.as_str()), name),
            [database, schema, name] => {
                self.check_database(database, name)?;
                (Some(schema.name.as_str()), name)
            }
            _ => return Ok(None),
        };
        if let Some(schema) = schema
            && self.catalog.resolve_schema(schema, &self.search_path).is_none()
        {
            let message = format!("schema \"{schema}\" does not exist");
            return Err(Error::new(sqlstate::UNDEFINED_SCHEMA, message).at(name.span.start));
        }
        Ok(self.catalog.type_by_name(schema, &name.name, &self.search_path).map(|entry| entry.oid))
    }

    pub(super) fn is_collatable(&self, ty: Oid) -> bool {
        let ty = self.base(self.element_of(ty).unwrap_or(ty));
        types::type_info(ty).is_some_and(|info| info.collation != 0)
    }

    /// The collation of that name; 42704 if there is none.
    pub(super) fn collation_named(&self, name: &ast::Name) -> Result<Oid> {
        super::resolve_collation_name(name, self.context)
    }

    pub(super) fn check_database(&self, database: &ast::Ident, at: &ast::Ident) -> Result<()> {
        if database.name == self.context.database {
            return Ok(());
        }
        let message = "cross-database references are not implemented";
        Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message).at(at.span.start))
    }
}

fn modifier_value(modifier: &ast::Expr) -> Result<i32> {
    let invalid = || {
        Error::new(sqlstate::SYNTAX_ERROR, "type modifiers must be simple constants or identifiers")
            .at(modifier.span.start)
    };
    match &modifier.kind {
        ast::ExprKind::Literal(ast::Literal::Integer(digits)) => digits.parse().map_err(|_| {
            let message = format!("value \"{digits}\" is out of range for type integer");
            Error::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, message).at(modifier.span.start)
        }),
        ast::ExprKind::Literal(ast::Literal::String(text)) => text.trim().parse().map_err(|_| {
            let message = format!("invalid input syntax for type integer: \"{text}\"");
            Error::new(sqlstate::INVALID_TEXT_REPRESENTATION, message).at(modifier.span.start)
        }),
        ast::ExprKind::Unary { op, arg } if op.name == "-" => modifier_value(arg)?.checked_neg().ok_or_else(invalid),
        _ => Err(invalid()),
    }
}
