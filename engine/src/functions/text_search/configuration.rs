//! Configurations: which dictionaries are asked for tokens of which type (manual 12.2).

use std::collections::HashMap;
use std::sync::Arc;

use aegis_catalog::types::names::NameLookup;
use aegis_catalog::types::oid;
use aegis_catalog::{Error, Oid, Result, sqlstate};

use super::dictionary::Dictionary;
use super::parser::TokenType;
use crate::session::context::StatementContext;

/// A configuration that is ready for texts.
pub struct Configuration {
    /// By number of the token type.
    dictionaries: Vec<Vec<(Oid, Arc<Dictionary>)>>,
}

impl Configuration {
    pub fn load(context: &StatementContext, config: Oid) -> Result<Self> {
        let missing = || {
            let message = format!("cache lookup failed for text search configuration {config}");
            Error::new(sqlstate::INTERNAL_ERROR, message)
        };
        let descriptor = context.catalog.descriptor(config).ok_or_else(missing)?;
        let found = descriptor.text_search_configuration().ok_or_else(missing)?;
        let mut known: HashMap<Oid, Arc<Dictionary>> = HashMap::new();
        let mut dictionaries = vec![Vec::new(); super::TOKEN_TYPES.len() + 1];
        for (token_type, chain) in &found.mappings {
            let Some(place) = usize::try_from(*token_type).ok().and_then(|number| dictionaries.get_mut(number)) else {
                continue;
            };
            for &dictionary in chain {
                let loaded = match known.get(&dictionary) {
                    Some(loaded) => loaded.clone(),
                    None => Arc::new(self::dictionary(context, dictionary)?),
                };
                known.insert(dictionary, loaded.clone());
                place.push((dictionary, loaded));
            }
        }
        Ok(Self { dictionaries })
    }

    /// The dictionaries for a type of tokens, in the order in which they are asked.
    pub fn dictionaries(&self, kind: TokenType) -> &[(Oid, Arc<Dictionary>)] {
        self.dictionaries.get(kind as usize).map(Vec::as_slice).unwrap_or_default()
    }

    /// What the first dictionary that knows the token makes of it.
    pub fn lexize(&self, kind: TokenType, token: &str) -> Option<Vec<String>> {
        self.dictionaries(kind).iter().find_map(|(_, dictionary)| dictionary.lexize(token))
    }
}

/// A dictionary of the catalog.
pub fn dictionary(context: &StatementContext, dictionary: Oid) -> Result<Dictionary> {
    let missing = || {
        let message = format!("cache lookup failed for text search dictionary {dictionary}");
        Error::new(sqlstate::INTERNAL_ERROR, message)
    };
    let descriptor = context.catalog.descriptor(dictionary).ok_or_else(missing)?;
    Dictionary::new(descriptor.text_search_dictionary().ok_or_else(missing)?)
}

/// The configuration that `default_text_search_config` names.
pub fn current(context: &StatementContext) -> Result<Oid> {
    let name = context.services.setting("default_text_search_config").unwrap_or_default();
    let names = context.format.names.0.as_ref().ok_or_else(|| Error::internal("names of text search objects"))?;
    NameLookup::oid_of(&**names, oid::REGCONFIG, &name)
}

/// The configurations of one call, each loaded once.
pub struct Configurations<'a> {
    context: &'a StatementContext,
    loaded: HashMap<Oid, Arc<Configuration>>,
    current: Option<Oid>,
}

impl<'a> Configurations<'a> {
    pub fn new(context: &'a StatementContext) -> Self {
        Self { context, loaded: HashMap::new(), current: None }
    }

    /// The one of that OID, or the current one.
    pub fn get(&mut self, config: Option<Oid>) -> Result<Arc<Configuration>> {
        let config = match (config, self.current) {
            (Some(config), _) => config,
            (None, Some(current)) => current,
            (None, None) => *self.current.insert(current(self.context)?),
        };
        if let Some(loaded) = self.loaded.get(&config) {
            return Ok(loaded.clone());
        }
        let loaded = Arc::new(Configuration::load(self.context, config)?);
        self.loaded.insert(config, loaded.clone());
        Ok(loaded)
    }
}
