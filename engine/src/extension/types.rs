//! Types as procedural languages look at them: by name, by their fields, as text.

use std::sync::Arc;

use aegis_catalog::definition::Printer;
use aegis_catalog::object::Routine;
use aegis_catalog::types::structure::{self, struct_fields};
use aegis_catalog::types::{oid, text_of, type_of_field};
use aegis_catalog::{Catalog, Error, Result, Type, sqlstate};
use arrow::array::{AsArray, StructArray};
use arrow::buffer::NullBuffer;

use super::caller::{Caller, Value};
use crate::session::context::StatementContext;

/// The type that SQL writes so.
pub fn type_named(text: &str, context: &StatementContext) -> Result<Type> {
    crate::bind::resolve_type(&crate::parse::parse_type_name(text)?, context)
}

/// The relation of a name's parts. 42P01 if there is none.
fn relation<'c>(
    parts: &[String],
    context: &'c StatementContext,
) -> Result<std::borrow::Cow<'c, Arc<aegis_catalog::object::Relation>>> {
    let (name, schema) = match parts {
        [.., schema, name] => (name, Some(schema.as_str())),
        [name] => (name, None),
        [] => return Err(Error::internal("a name without parts")),
    };
    match context.catalog.resolve_relation(schema, name, &context.search_path)? {
        Some(found) => Ok(std::borrow::Cow::Owned(Arc::clone(&found))),
        None => {
            let message = format!("relation \"{}\" does not exist", parts.join("."));
            Err(Error::new(sqlstate::UNDEFINED_TABLE, message))
        }
    }
}

/// `table%ROWTYPE`
pub fn row_type(parts: &[String], context: &StatementContext) -> Result<Type> {
    let found = relation(parts, context)?;
    match found.row_type {
        0 => {
            let message = format!("relation \"{}\" does not have a composite type", parts.join("."));
            Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message))
        }
        row => Ok(Type::of(row)),
    }
}

/// `table.column%TYPE`
pub fn column_type(parts: &[String], context: &StatementContext) -> Result<Type> {
    let Some((column, table)) = parts.split_last().filter(|(_, table)| !table.is_empty()) else {
        let message = format!("syntax error at or near \"{}\"", parts.join("."));
        return Err(Error::new(sqlstate::SYNTAX_ERROR, message));
    };
    let found = relation(table, context)?;
    let ty = found.live_columns().find(|known| known.name == *column).map(|known| known.ty);
    ty.ok_or_else(|| {
        let message = format!("column \"{column}\" of relation \"{}\" does not exist", table.join("."));
        Error::new(sqlstate::UNDEFINED_COLUMN, message)
    })
}

/// The fields of a composite type; None for others.
pub fn fields_of(ty: Type, catalog: &Catalog) -> Option<Vec<(String, Type)>> {
    let base = catalog.base_type(ty).oid;
    let relation = catalog.relation_of_type(base).filter(|relation| relation.row_type == base)?;
    Some(relation.live_columns().map(|column| (column.name.clone(), column.ty)).collect())
}

/// The elements' type of an array type.
pub fn element_type(ty: Type, catalog: &Catalog) -> Option<Type> {
    structure::element(catalog.base_type(ty).oid, catalog).map(|element| Type::new(element, ty.typmod))
}

/// As messages show it.
pub fn type_name(ty: Type, context: &StatementContext) -> String {
    let printer = Printer { catalog: &context.catalog, search_path: &context.search_path };
    aegis_catalog::definition::type_name(printer, ty.oid)
}

/// `name(types)` of a routine, without the schema.
pub fn signature(routine: &Routine, context: &StatementContext) -> String {
    let types = routine.row.arg_types.iter().map(|ty| type_name(Type::of(*ty), context));
    format!("{}({})", routine.row.name, types.collect::<Vec<_>>().join(","))
}

impl Value {
    /// Names and types of a row's fields; None for what is no row.
    pub fn fields(&self) -> Option<Vec<(String, Type)>> {
        let row = self.array().as_struct_opt()?;
        Some(row.fields().iter().map(|field| (field.name().clone(), type_of_field(field))).collect())
    }

    /// A row of these fields.
    pub fn row(ty: Type, fields: &[(String, Type)], values: &[Self], null: bool, catalog: &Catalog) -> Result<Self> {
        let named = struct_fields(fields, catalog);
        let arrays = values.iter().map(|value| Arc::clone(value.array())).collect();
        let nulls = null.then(|| NullBuffer::new_null(1));
        let row = StructArray::try_new_with_length(named, arrays, nulls, 1);
        let row = row.map_err(|error| Error::internal(error.to_string()))?;
        Ok(Self::new(ty, Arc::new(row)))
    }

    /// Is it a row, by its type?
    pub fn is_row(&self) -> bool {
        self.ty().oid == oid::RECORD || self.array().as_struct_opt().is_some()
    }
}

impl Caller<'_> {
    /// The value as the session shows it; None for null.
    pub fn text_of(&self, value: &Value) -> Result<Option<String>> {
        if value.is_null() {
            return Ok(None);
        }
        let settings = self.context()?.format.clone();
        text_of(value.ty(), value.array(), 0, &settings).map(Some)
    }
}
