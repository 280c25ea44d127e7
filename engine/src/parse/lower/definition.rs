//! Definition lists.

use aegis_catalog::Result;
use squawk_parser::SyntaxKind as K;

use super::Lower;
use super::types::is_type;
use crate::parse::definition::{DefinitionItem, DefinitionValue};
use crate::parse::tree::Node;

impl Lower<'_> {
    /// `(name = value, …)`.
    pub fn definition(&self, list: Node<'_>) -> Result<Vec<DefinitionItem>> {
        let items = list.children_of(K::ATTRIBUTE_OPTION).map(|option| self.definition_item(option));
        let items = items.collect::<Result<Vec<_>>>()?;
        if items.is_empty() { Err(self.missing_in(list)) } else { Ok(items) }
    }

    fn definition_item(&self, option: Node<'_>) -> Result<DefinitionItem> {
        let name = self.ident(self.need(option.child(K::ATTRIBUTE_NAME), option)?)?.name;
        let value = match option.child(K::ATTRIBUTE_VALUE) {
            None if option.has(K::EQ) => return Err(self.missing_in(option)),
            None => None,
            Some(value) => Some(match value.nodes().next() {
                Some(ty) if is_type(ty.kind()) => DefinitionValue::Name(self.type_name(ty)?),
                Some(constant) if constant.is(K::LITERAL) || constant.is(K::PREFIX_EXPR) => {
                    DefinitionValue::Text(self.setting_value(constant)?)
                }
                _ => DefinitionValue::Text(super::names::fold(value.text())),
            }),
        };
        Ok(DefinitionItem { name, value, span: self.span(option) })
    }
}
