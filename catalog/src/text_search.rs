//! Full text search objects (manual 12.2): PostgreSQL's own configurations and dictionaries, in the form in which those that users make are
//! kept, and the fixed OIDs of parsers and templates.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use crate::facts::tsv;
use crate::object::{Descriptor, DescriptorKind, TextSearchConfiguration, TextSearchDictionary};
use crate::types::oid::Oid;

/// The only parser.
pub const DEFAULT_PARSER: Oid = 3722;

pub const SIMPLE_TEMPLATE: Oid = 3727;
pub const SYNONYM_TEMPLATE: Oid = 3730;
pub const ISPELL_TEMPLATE: Oid = 3733;
pub const THESAURUS_TEMPLATE: Oid = 3742;
pub const SNOWBALL_TEMPLATE: Oid = 13_150;

const TEMPLATES: [(Oid, &str); 5] = [
    (SIMPLE_TEMPLATE, "simple"),
    (SYNONYM_TEMPLATE, "synonym"),
    (ISPELL_TEMPLATE, "ispell"),
    (THESAURUS_TEMPLATE, "thesaurus"),
    (SNOWBALL_TEMPLATE, "snowball"),
];

pub fn template_name(template: Oid) -> Option<&'static str> {
    TEMPLATES.iter().find(|(oid, _)| *oid == template).map(|(_, name)| *name)
}

pub fn template(name: &str) -> Option<Oid> {
    TEMPLATES.iter().find(|(_, found)| *found == name).map(|(oid, _)| *oid)
}

static BUILT_IN: LazyLock<Vec<Arc<Descriptor>>> = LazyLock::new(|| {
    let mut mappings: HashMap<Oid, Vec<(i32, Vec<Oid>)>> = HashMap::new();
    for mut fields in tsv::rows(include_str!("../data/pg_ts_config_map.tsv")) {
        let (config, token_type, _, dictionary): (Oid, i32, i32, Oid) =
            (fields.oid(), fields.parse(), fields.parse(), fields.oid());
        let mappings = mappings.entry(config).or_default();
        match mappings.last_mut() {
            Some((last, dictionaries)) if *last == token_type => dictionaries.push(dictionary),
            _ => mappings.push((token_type, vec![dictionary])),
        }
    }
    let configurations = tsv::rows(include_str!("../data/pg_ts_config.tsv")).map(|mut fields| {
        let (oid, name, schema, owner, parser) =
            (fields.oid(), fields.text().into_owned(), fields.oid(), fields.oid(), fields.oid());
        let mappings = mappings.get(&oid).cloned().unwrap_or_default();
        let kind = DescriptorKind::TextSearchConfiguration(TextSearchConfiguration { parser, mappings });
        Arc::new(Descriptor { oid, schema, name, owner, kind })
    });
    let dictionaries = tsv::rows(include_str!("../data/pg_ts_dict.tsv")).map(|mut fields| {
        let (oid, name, schema, owner, template) =
            (fields.oid(), fields.text().into_owned(), fields.oid(), fields.oid(), fields.oid());
        let options = fields.optional().map(|options| parse_options(&options)).unwrap_or_default();
        let kind = DescriptorKind::TextSearchDictionary(TextSearchDictionary { template, options });
        Arc::new(Descriptor { oid, schema, name, owner, kind })
    });
    configurations.chain(dictionaries).collect()
});

/// PostgreSQL's own, all in `pg_catalog`.
pub fn built_in() -> &'static [Arc<Descriptor>] {
    &BUILT_IN
}

pub fn built_in_by_oid(oid: Oid) -> Option<&'static Arc<Descriptor>> {
    static BY_OID: LazyLock<HashMap<Oid, &'static Arc<Descriptor>>> =
        LazyLock::new(|| built_in().iter().map(|descriptor| (descriptor.oid, descriptor)).collect());
    BY_OID.get(&oid).copied()
}

/// `name = 'value', …` of the built-in dictionaries, whose values have no quotes.
fn parse_options(text: &str) -> Vec<(String, String)> {
    let option = |option: &str| {
        let (name, value) = option.split_once('=')?;
        Some((name.trim().to_owned(), value.trim().trim_matches('\'').to_owned()))
    };
    text.split(',').filter_map(option).collect()
}

/// `pg_ts_dict.dictinitoption`: numbers and words as they are, other values in quotes.
pub fn options_text(options: &[(String, String)]) -> Option<String> {
    let text = |(name, value): &(String, String)| {
        let value = value.replace('\'', "''");
        let escape = if value.contains('\\') { "E" } else { "" };
        format!("{} = {escape}'{}'", crate::definition::quote_identifier(name), value.replace('\\', "\\\\"))
    };
    (!options.is_empty()).then(|| options.iter().map(text).collect::<Vec<_>>().join(", "))
}
