//! CREATE and ALTER TEXT SEARCH CONFIGURATION and DICTIONARY (PostgreSQL manual 12.7). Parsers and templates cannot be made: they are code.

use aegis_catalog::fixed_oid::{PG_TS_CONFIG, PG_TS_DICT};
use aegis_catalog::object::{Descriptor, DescriptorKind, TextSearchConfiguration, TextSearchDictionary};
use aegis_catalog::text_search::{DEFAULT_PARSER, template};
use aegis_catalog::{Error, Oid, Result, sqlstate};

use super::{Outcome, descriptor, namespace};
use crate::functions::text_search::{TOKEN_TYPES, check_options};
use crate::parse::ast::{Ident, Name, Span};
use crate::parse::utility::{AlterTextSearchConfiguration, AlterTextSearchDictionary, CreateTextSearch, MappingChange};
use crate::session::Session;
use crate::session::context::StatementContext;

pub fn create(session: &mut Session, create: &CreateTextSearch, context: &StatementContext) -> Result<Outcome> {
    let (tag, class) = match create.dictionary {
        true => ("CREATE TEXT SEARCH DICTIONARY", PG_TS_DICT),
        false => ("CREATE TEXT SEARCH CONFIGURATION", PG_TS_CONFIG),
    };
    let place = namespace::place(session, &create.name, false, context)?;
    let kind = match create.dictionary {
        true => DescriptorKind::TextSearchDictionary(dictionary(&create.options)?),
        false => DescriptorKind::TextSearchConfiguration(configuration(&create.options, context)?),
    };
    if context.catalog.descriptor_by_name(class, place.schema, &place.name).is_some() {
        let index = if create.dictionary { "pg_ts_dict_dictname_index" } else { "pg_ts_config_cfgname_index" };
        let message = format!("duplicate key value violates unique constraint \"{index}\"");
        return Err(Error::new(sqlstate::UNIQUE_VIOLATION, message));
    }
    let open = session.writable(tag)?;
    let descriptor = Descriptor { oid: 0, schema: place.schema, name: place.name, owner: context.user_oid, kind };
    open.catalog.create_descriptor(open.tables.permanent(), descriptor)?;
    Outcome::tag(tag)
}

/// `(PARSER = …)` or `(COPY = …)`.
fn configuration(options: &[(String, String)], context: &StatementContext) -> Result<TextSearchConfiguration> {
    let (mut parser, mut source) = (None, None);
    for (name, value) in options {
        match name.as_str() {
            "parser" => parser = Some(parser_oid(value)?),
            "copy" => source = Some(descriptor::existing(PG_TS_CONFIG, &name_of(value)?, context)?),
            _ => {
                let message = format!("text search configuration parameter \"{name}\" not recognized");
                return Err(Error::new(sqlstate::SYNTAX_ERROR, message));
            }
        }
    }
    match (parser, source) {
        (Some(_), Some(_)) => Err(Error::new(sqlstate::SYNTAX_ERROR, "cannot specify both PARSER and COPY options")),
        (Some(parser), None) => Ok(TextSearchConfiguration { parser, mappings: Vec::new() }),
        (None, Some(source)) => {
            let found = source.text_search_configuration().cloned();
            found.ok_or_else(|| Error::internal("a configuration without facts"))
        }
        (None, None) => Err(Error::new(sqlstate::INVALID_OBJECT_DEFINITION, "text search parser is required")),
    }
}

fn parser_oid(name: &str) -> Result<Oid> {
    match name {
        "default" | "pg_catalog.default" => Ok(DEFAULT_PARSER),
        _ => {
            let message = format!("text search parser \"{name}\" does not exist");
            Err(Error::new(sqlstate::UNDEFINED_OBJECT, message))
        }
    }
}

/// A name that an option holds.
fn name_of(text: &str) -> Result<Name> {
    let parts = aegis_catalog::name::split_qualified(text)?;
    let ident = |name: String| Ident { name, span: Span::default() };
    Ok(Name { parts: parts.into_iter().map(ident).collect(), span: Span::default() })
}

fn dictionary(options: &[(String, String)]) -> Result<TextSearchDictionary> {
    let named = options.iter().find(|(name, _)| name == "template").map(|(_, value)| value);
    let named =
        named.ok_or_else(|| Error::new(sqlstate::INVALID_OBJECT_DEFINITION, "text search template is required"))?;
    let template = template(named.strip_prefix("pg_catalog.").unwrap_or(named)).ok_or_else(|| {
        let message = format!("text search template \"{named}\" does not exist");
        Error::new(sqlstate::UNDEFINED_OBJECT, message)
    })?;
    let options = options.iter().filter(|(name, _)| name != "template").cloned().collect();
    let dictionary = TextSearchDictionary { template, options };
    check_options(&dictionary)?;
    Ok(dictionary)
}

pub fn alter_dictionary(
    session: &mut Session,
    alter: &AlterTextSearchDictionary,
    context: &StatementContext,
) -> Result<Outcome> {
    const TAG: &str = "ALTER TEXT SEARCH DICTIONARY";
    session.writable(TAG)?;
    let mut changed = Descriptor::clone(&*descriptor::owned(PG_TS_DICT, &alter.name, context)?);
    if let DescriptorKind::TextSearchDictionary(dictionary) = &mut changed.kind {
        for (name, value) in &alter.options {
            dictionary.options.retain(|(known, _)| known != name);
            dictionary.options.extend(value.clone().map(|value| (name.clone(), value)));
        }
        check_options(dictionary)?;
    }
    descriptor::replace(session, changed)?;
    Outcome::tag(TAG)
}

pub fn alter_configuration(
    session: &mut Session,
    alter: &AlterTextSearchConfiguration,
    context: &StatementContext,
) -> Result<Outcome> {
    const TAG: &str = "ALTER TEXT SEARCH CONFIGURATION";
    session.writable(TAG)?;
    let mut changed = Descriptor::clone(&*descriptor::owned(PG_TS_CONFIG, &alter.name, context)?);
    if let DescriptorKind::TextSearchConfiguration(configuration) = &mut changed.kind {
        let dictionary = |name: &Name| descriptor::existing(PG_TS_DICT, name, context).map(|found| found.oid);
        let dictionaries = |names: &[Name]| names.iter().map(dictionary).collect::<Result<Vec<_>>>();
        let mappings = &mut configuration.mappings;
        match &alter.change {
            MappingChange::Add { types, dictionaries: named } => {
                let chain = dictionaries(named)?;
                for token_type in token_types(types)? {
                    if mappings.iter().any(|(known, _)| *known == token_type) {
                        let message = "duplicate key value violates unique constraint \"pg_ts_config_map_index\"";
                        return Err(Error::new(sqlstate::UNIQUE_VIOLATION, message));
                    }
                    mappings.push((token_type, chain.clone()));
                }
            }
            MappingChange::Set { types, dictionaries: named } => {
                let chain = dictionaries(named)?;
                for token_type in token_types(types)? {
                    mappings.retain(|(known, _)| *known != token_type);
                    mappings.push((token_type, chain.clone()));
                }
            }
            MappingChange::Replace { types, old, new } => {
                let (old, new) = (dictionary(old)?, dictionary(new)?);
                let types = token_types(types)?;
                let meant = mappings.iter_mut().filter(|(known, _)| types.is_empty() || types.contains(known));
                meant
                    .flat_map(|(_, chain)| chain)
                    .filter(|dictionary| **dictionary == old)
                    .for_each(|dictionary| *dictionary = new);
            }
            MappingChange::Drop { types, if_exists } => {
                for (token_type, name) in token_types(types)?.into_iter().zip(types) {
                    let before = mappings.len();
                    mappings.retain(|(known, _)| *known != token_type);
                    if mappings.len() < before {
                        continue;
                    }
                    let message = format!("mapping for token type \"{}\" does not exist", name.name);
                    if !if_exists {
                        return Err(Error::new(sqlstate::UNDEFINED_OBJECT, message));
                    }
                    session.skip_notice(&format!("{message}, skipping"));
                }
            }
        }
        mappings.sort_by_key(|(token_type, _)| *token_type);
    }
    descriptor::replace(session, changed)?;
    Outcome::tag(TAG)
}

/// Numbers of token types.
fn token_types(names: &[Ident]) -> Result<Vec<i32>> {
    let number = |name: &Ident| {
        let found = TOKEN_TYPES.iter().find(|(_, alias, _)| *alias == name.name);
        found.map(|(kind, ..)| *kind as i32).ok_or_else(|| {
            let message = format!("token type \"{}\" does not exist", name.name);
            Error::new(sqlstate::INVALID_PARAMETER_VALUE, message)
        })
    };
    names.iter().map(number).collect()
}
