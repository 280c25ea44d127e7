//! Definition lists, `(name = value, …)`: CREATE AGGREGATE, CREATE TYPE … AS RANGE (PostgreSQL's DefElem).

use aegis_catalog::{Error, Result, sqlstate};

use super::ast::*;

/// One item of the list.
#[derive(Debug, Clone, PartialEq)]
pub struct DefinitionItem {
    pub name: String,
    pub value: Option<DefinitionValue>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum DefinitionValue {
    /// The name of a type or of another object: which one, the item says.
    Name(TypeName),
    /// A string, a number, an operator or a word.
    Text(String),
}

impl DefinitionItem {
    fn value(&self) -> Result<&DefinitionValue> {
        self.value
            .as_ref()
            .ok_or_else(|| Error::new(sqlstate::SYNTAX_ERROR, format!("{} requires a parameter", self.name)))
    }

    /// `defGetString`.
    pub fn text(&self) -> Result<String> {
        Ok(match self.value()? {
            DefinitionValue::Text(text) => text.clone(),
            DefinitionValue::Name(ty) => {
                ty.name.parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>().join(".")
            }
        })
    }

    /// `defGetQualifiedName`.
    pub fn qualified_name(&self) -> Result<Name> {
        Ok(match self.value()? {
            DefinitionValue::Name(ty) => ty.name.clone(),
            DefinitionValue::Text(text) => {
                let part = Ident { name: text.clone(), span: self.span };
                Name { parts: vec![part], span: self.span }
            }
        })
    }

    /// `defGetTypeName`.
    pub fn type_name(&self) -> Result<TypeName> {
        match self.value()? {
            DefinitionValue::Name(ty) => Ok(ty.clone()),
            DefinitionValue::Text(text) => super::parse_type_name(text),
        }
    }

    /// `defGetBoolean`: a name alone means true.
    pub fn boolean(&self) -> Result<bool> {
        let Some(_) = &self.value else { return Ok(true) };
        match self.text()?.to_ascii_lowercase().as_str() {
            "true" | "on" | "1" => Ok(true),
            "false" | "off" | "0" => Ok(false),
            _ => Err(Error::new(sqlstate::SYNTAX_ERROR, format!("{} requires a Boolean value", self.name))),
        }
    }

    /// `defGetInt32`.
    pub fn integer(&self) -> Result<i32> {
        let text = self.text()?;
        text.parse().map_err(|_| Error::new(sqlstate::SYNTAX_ERROR, format!("{} requires an integer value", self.name)))
    }
}
