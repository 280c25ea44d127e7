//! Names of catalog objects in the text form of the `reg*` types (PostgreSQL manual, "Object Identifier Types").

mod function;
mod operator;
mod text_search;
mod type_text;

use std::sync::Arc;

use crate::definition::{Printer, collation_name, quote_identifier, relation_name, type_name};
use crate::fixed_oid::{PG_TS_CONFIG, PG_TS_DICT};
use crate::image::Catalog;
use crate::name::{SearchPath, split_qualified};
use crate::types::TypeLookup;
use crate::types::names::NameLookup;
use crate::types::oid as type_oid;
use crate::types::oid::{self, Oid};
use crate::{Error, Result, sqlstate};

/// Resolves `reg*` values over one image as a session with this search path sees it.
#[derive(Debug, Clone)]
pub struct CatalogNames {
    pub catalog: Arc<Catalog>,
    pub search_path: SearchPath,
}

impl NameLookup for CatalogNames {
    fn name_of(&self, reg_type: Oid, object: Oid) -> Option<String> {
        match reg_type {
            oid::REGCLASS => Some(relation_name(self.printer(), self.catalog.relation(object)?)),
            oid::REGTYPE => {
                self.catalog.type_entry(object)?;
                Some(type_name(self.printer(), object))
            }
            oid::REGPROC => self.function_name(object),
            oid::REGPROCEDURE => self.procedure_name(object),
            oid::REGOPER => operator::name(object),
            oid::REGOPERATOR => self.operator_signature(object),
            oid::REGROLE => Some(quote_identifier(&self.catalog.role(object)?.name).into_owned()),
            oid::REGNAMESPACE => Some(quote_identifier(&self.catalog.schema(object)?.name).into_owned()),
            oid::REGCOLLATION => collation_name(self.printer(), object),
            oid::REGCONFIG => self.text_search_name(PG_TS_CONFIG, object),
            oid::REGDICTIONARY => self.text_search_name(PG_TS_DICT, object),
            _ => None,
        }
    }

    fn oid_of(&self, reg_type: Oid, text: &str) -> Result<Oid> {
        match reg_type {
            oid::REGCLASS => self.relation_oid(text),
            oid::REGTYPE => self.type_oid(text),
            oid::REGPROC => self.function_oid(text),
            oid::REGPROCEDURE => self.procedure_oid(text),
            oid::REGOPER => self.operator_oid(text),
            oid::REGOPERATOR => self.operator_signature_oid(text),
            oid::REGROLE => {
                let name = single_name(text)?;
                let role = self.catalog.role_by_name(&name).map(|role| role.oid);
                role.ok_or_else(|| undefined_object("role", &name))
            }
            oid::REGNAMESPACE => {
                let name = single_name(text)?;
                self.schema_oid(&name)
            }
            oid::REGCOLLATION => {
                let (schema, name) = self.schema_and_name(text)?;
                self.catalog.collation_named(schema.as_deref(), &name, &self.search_path).ok_or_else(|| {
                    let message = format!("collation \"{name}\" for encoding \"UTF8\" does not exist");
                    Error::new(sqlstate::UNDEFINED_OBJECT, message)
                })
            }
            oid::REGCONFIG => self.text_search_oid(PG_TS_CONFIG, "text search configuration", text),
            oid::REGDICTIONARY => self.text_search_oid(PG_TS_DICT, "text search dictionary", text),
            other => Err(Error::internal(format!("type {other} does not name catalog objects"))),
        }
    }

    fn types(&self) -> &dyn TypeLookup {
        &*self.catalog
    }
}

impl CatalogNames {
    fn printer(&self) -> Printer<'_> {
        Printer { catalog: &self.catalog, search_path: &self.search_path }
    }

    fn relation_oid(&self, text: &str) -> Result<Oid> {
        let (schema, name) = self.schema_and_name(text)?;
        if let Some(schema) = &schema {
            self.schema_oid(schema)?;
        }
        let found = self.catalog.resolve_relation(schema.as_deref(), &name, &self.search_path)?;
        found.map(|relation| relation.oid).ok_or_else(|| {
            let name = schema.map_or_else(|| name.clone(), |schema| format!("{schema}.{name}"));
            Error::new(sqlstate::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"))
        })
    }

    fn schema_oid(&self, name: &str) -> Result<Oid> {
        self.catalog
            .resolve_schema(name, &self.search_path)
            .ok_or_else(|| Error::new(sqlstate::UNDEFINED_SCHEMA, format!("schema \"{name}\" does not exist")))
    }

    /// Takes `[database.][schema.]name` apart.
    fn schema_and_name(&self, text: &str) -> Result<(Option<String>, String)> {
        let mut parts = split_qualified(text)?;
        let name = parts.pop().ok_or_else(invalid_name)?;
        let schema = parts.pop();
        match (parts.pop(), parts.is_empty()) {
            (None, true) => Ok((schema, name)),
            (Some(database), true) if self.catalog.database().is_some_and(|own| own.name == database) => {
                Ok((schema, name))
            }
            (Some(_), true) => Err(Error::unsupported_reference(text)),
            _ => Err(Error::new(
                sqlstate::SYNTAX_ERROR,
                format!("improper relation name (too many dotted names): {text}"),
            )),
        }
    }
}

impl Error {
    fn unsupported_reference(text: &str) -> Self {
        let message = format!("cross-database references are not implemented: \"{text}\"");
        Self::new(sqlstate::FEATURE_NOT_SUPPORTED, message)
    }
}

/// A name that may not be qualified.
fn single_name(text: &str) -> Result<String> {
    match <[String; 1]>::try_from(split_qualified(text)?) {
        Ok([name]) => Ok(name),
        Err(_) => Err(invalid_name()),
    }
}

fn invalid_name() -> Error {
    Error::new(sqlstate::INVALID_NAME, "invalid name syntax")
}

fn undefined_object(kind: &str, name: &str) -> Error {
    Error::new(sqlstate::UNDEFINED_OBJECT, format!("{kind} \"{name}\" does not exist"))
}

/// Splits the arguments of a signature at commas that stand outside parentheses, brackets and quotes.
fn split_arguments(text: &str) -> Vec<&str> {
    let (mut depth, mut quoted, mut start) = (0_i32, false, 0);
    let mut parts = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '(' | '[' if !quoted => depth += 1,
            ')' | ']' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                parts.push(text.get(start..at).unwrap_or_default().trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    let last = text.get(start..).unwrap_or_default().trim();
    if !parts.is_empty() || !last.is_empty() {
        parts.push(last);
    }
    parts
}

/// Takes `name(arguments)` apart.
fn split_signature(text: &str) -> Result<(&str, Vec<&str>)> {
    let invalid = |message: &str| Error::new(sqlstate::INVALID_TEXT_REPRESENTATION, message);
    let mut quoted = false;
    let open = text.char_indices().find_map(|(at, c)| {
        quoted ^= c == '"';
        (c == '(' && !quoted).then_some(at)
    });
    let (name, rest) = open.map(|at| text.split_at(at)).ok_or_else(|| invalid("expected a left parenthesis"))?;
    let arguments = rest.trim_end().strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    Ok((name.trim(), split_arguments(arguments.ok_or_else(|| invalid("expected a right parenthesis"))?)))
}

/// The type that an array of another has, as far as it has one.
fn array_type_of(catalog: &Catalog, element: Oid) -> Option<Oid> {
    catalog.type_entry(element).map(|entry| entry.array).filter(|&array| array != 0 && element != type_oid::VOID)
}

#[cfg(test)]
mod tests;
