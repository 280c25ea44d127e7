//! `regtype`: a type as SQL writes it, with its modifier ignored.

use super::{CatalogNames, array_type_of};
use crate::types::{self, oid::Oid};
use crate::{Error, Result, sqlstate};

impl CatalogNames {
    pub(super) fn type_oid(&self, text: &str) -> Result<Oid> {
        let undefined = || Error::new(sqlstate::UNDEFINED_OBJECT, format!("type \"{text}\" does not exist"));
        let written = Written::of(text).ok_or_else(undefined)?;
        let element = self.element_oid(&written)?.ok_or_else(|| {
            let brackets = if written.is_array { "[]" } else { "" };
            let name = written.name.replace('"', "");
            Error::new(sqlstate::UNDEFINED_OBJECT, format!("type \"{name}{brackets}\" does not exist"))
        })?;
        if written.is_array { array_type_of(&self.catalog, element).ok_or_else(undefined) } else { Ok(element) }
    }

    fn element_oid(&self, written: &Written) -> Result<Option<Oid>> {
        let grammar_name = written.name.to_lowercase();
        if let Some(ty) = types::sql_type(&grammar_name, &[])? {
            return Ok(Some(ty.oid));
        }
        let (schema, name) = self.schema_and_name(&written.name)?;
        if let Some(schema) = &schema {
            self.schema_oid(schema)?;
        }
        Ok(self.catalog.type_by_name(schema.as_deref(), &name, &self.search_path).map(|entry| entry.oid))
    }
}

/// A type's name with single blanks, without modifiers and brackets.
struct Written {
    name: String,
    is_array: bool,
}

impl Written {
    fn of(text: &str) -> Option<Self> {
        let (mut name, mut is_array) = (String::new(), false);
        let mut characters = text.trim().chars();
        let mut quoted = false;
        while let Some(c) = characters.next() {
            match c {
                '"' => {
                    quoted = !quoted;
                    name.push(c);
                }
                '(' if !quoted => {
                    characters.by_ref().find(|&c| c == ')')?;
                    name.push(' ');
                }
                '[' if !quoted => {
                    characters.by_ref().find(|&c| c == ']')?;
                    is_array = true;
                }
                c => name.push(c),
            }
        }
        let name = if name.contains('"') {
            name.trim().to_owned()
        } else {
            name.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        (!name.is_empty() && !quoted).then_some(Self { name, is_array })
    }
}
