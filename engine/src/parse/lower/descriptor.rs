//! CREATE and ALTER of extensions, collations and statistics.

use aegis_catalog::Result;
use squawk_parser::SyntaxKind as K;

use super::Lower;
use crate::parse::tree::Node;
use crate::parse::utility::*;

impl Lower<'_> {
    /// None for what is said of objects of all kinds (`alter_object`).
    pub fn descriptor_statement(&self, node: Node<'_>) -> Result<Option<Utility>> {
        Ok(Some(match node.kind() {
            K::CREATE_EXTENSION => Utility::CreateExtension(self.create_extension(node)?),
            K::ALTER_EXTENSION => {
                let Some(update) = node.child(K::ALTER_EXTENSION_UPDATE) else { return Ok(None) };
                let update_to = update.child(K::UPDATE_TO).map(|to| self.version(to)).transpose()?;
                let name = self.ident(self.need(node.child(K::EXTENSION_REF), node)?)?;
                Utility::AlterExtension(AlterExtension { name, update_to })
            }
            K::CREATE_COLLATION => Utility::CreateCollation(self.create_collation(node)?),
            K::ALTER_COLLATION if node.has(K::REFRESH_VERSION) => {
                Utility::RefreshCollationVersion(self.object(self.need(node.child(K::COLLATION_REF), node)?)?)
            }
            K::CREATE_STATISTICS => Utility::CreateStatistics(self.create_statistics(node)?),
            K::ALTER_STATISTICS => {
                let Some(set) = node.child(K::SET_STATISTICS) else { return Ok(None) };
                let name = self.object(self.need(node.child(K::STATISTICS_REF), node)?)?;
                let (if_exists, target) = (node.has(K::IF_EXISTS), self.statistics_target(set)?);
                Utility::SetStatisticsTarget { name, if_exists, target }
            }
            K::CREATE_TEXT_SEARCH_CONFIGURATION => self.create_text_search(node, K::TEXT_SEARCH_CONFIGURATION)?,
            K::CREATE_TEXT_SEARCH_DICTIONARY => self.create_text_search(node, K::TEXT_SEARCH_DICTIONARY)?,
            K::ALTER_TEXT_SEARCH_DICTIONARY => {
                let Some(list) = node.child(K::ATTRIBUTE_LIST) else { return Ok(None) };
                let name = self.object(self.need(node.child(K::TEXT_SEARCH_DICTIONARY_REF), node)?)?;
                let given = list.children_of(K::ATTRIBUTE_OPTION).map(|option| option.has(K::EQ));
                let options = self.attributes(list)?.into_iter().zip(given);
                let options = options.map(|((name, value), given)| (name, given.then_some(value))).collect();
                Utility::AlterTextSearchDictionary(AlterTextSearchDictionary { name, options })
            }
            K::ALTER_TEXT_SEARCH_CONFIGURATION => {
                let Some(action) = node.child_in(&[K::ADD_MAPPING, K::ALTER_MAPPING, K::DROP_MAPPING]) else {
                    return Ok(None);
                };
                let name = self.object(self.need(node.child(K::TEXT_SEARCH_CONFIGURATION_REF), node)?)?;
                let change = self.mapping_change(action)?;
                Utility::AlterTextSearchConfiguration(AlterTextSearchConfiguration { name, change })
            }
            _ => return Ok(None),
        }))
    }

    fn create_text_search(&self, node: Node<'_>, name: K) -> Result<Utility> {
        Ok(Utility::CreateTextSearch(CreateTextSearch {
            dictionary: name == K::TEXT_SEARCH_DICTIONARY,
            name: self.object(self.need(node.child(name), node)?)?,
            options: self.attributes(self.need(node.child(K::ATTRIBUTE_LIST), node)?)?,
        }))
    }

    fn mapping_change(&self, action: Node<'_>) -> Result<MappingChange> {
        let types: Vec<_> = action
            .children_of(K::TEXT_SEARCH_TOKEN_KIND)
            .map(|token_type| self.ident(token_type))
            .collect::<Result<_>>()?;
        let dictionaries = |node: Node<'_>| {
            node.children_of(K::TEXT_SEARCH_DICTIONARY_REF)
                .map(|dictionary| self.object(dictionary))
                .collect::<Result<Vec<_>>>()
        };
        if let Some(replace) = action.child(K::REPLACE_DICTIONARY) {
            return match <[_; 2]>::try_from(dictionaries(replace)?) {
                Ok([old, new]) => Ok(MappingChange::Replace { types, old, new }),
                Err(_) => Err(self.missing_in(replace)),
            };
        }
        if types.is_empty() {
            return Err(self.missing_in(action));
        }
        Ok(match action.kind() {
            K::DROP_MAPPING => MappingChange::Drop { types, if_exists: action.has(K::IF_EXISTS) },
            K::ADD_MAPPING => MappingChange::Add { types, dictionaries: dictionaries(action)? },
            _ => MappingChange::Set { types, dictionaries: dictionaries(action)? },
        })
    }

    fn create_extension(&self, node: Node<'_>) -> Result<CreateExtension> {
        let schema = node.child(K::EXTENSION_SCHEMA);
        let schema = schema.map(|clause| self.ident(self.need(clause.child(K::SCHEMA_REF), clause)?)).transpose()?;
        let version = node.child(K::EXTENSION_VERSION_CLAUSE).map(|clause| self.version(clause)).transpose()?;
        let name = self.ident(self.need(node.child(K::EXTENSION), node)?)?;
        Ok(CreateExtension { name, if_not_exists: node.has(K::IF_NOT_EXISTS), schema, version })
    }

    /// A version: a string or a word.
    fn version(&self, clause: Node<'_>) -> Result<String> {
        let value = self.need(clause.nodes().next(), clause)?;
        match value.kind() {
            K::LITERAL => self.string(value),
            _ => self.ident(value).map(|word| word.name),
        }
    }

    fn create_collation(&self, node: Node<'_>) -> Result<CreateCollation> {
        let name = self.object(self.need(node.child(K::COLLATION), node)?)?;
        let source = match node.child(K::COLLATION_FROM) {
            Some(from) => CollationSource::From(self.object(self.need(from.child(K::COLLATION_REF), from)?)?),
            None => CollationSource::Options(self.attributes(self.need(node.child(K::ATTRIBUTE_LIST), node)?)?),
        };
        Ok(CreateCollation { name, if_not_exists: node.has(K::IF_NOT_EXISTS), source })
    }

    fn create_statistics(&self, node: Node<'_>) -> Result<CreateStatistics> {
        let kinds = node.child(K::STAT_TYPES).into_iter().flat_map(|list| list.nodes());
        let kinds = kinds.map(|kind| kind.text().trim().to_ascii_lowercase()).collect();
        let on = self.need(node.child(K::STATISTICS_ON_CLAUSE), node)?;
        // A name of its own making is PostgreSQL 16's.
        let name = node.child(K::STATISTICS).ok_or_else(|| self.syntax_error(on.start()))?;
        let name = self.object(name)?;
        let items = self.exprs_in(on)?;
        let from = self.need(node.child(K::FROM_TABLE), node)?;
        let table = self.object(self.need(from.child(K::TABLE_NAME_REF), from)?)?;
        Ok(CreateStatistics { name, if_not_exists: node.has(K::IF_NOT_EXISTS), kinds, items, table })
    }
}
