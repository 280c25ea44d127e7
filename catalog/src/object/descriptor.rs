//! Descriptors: objects that are a name with an owner and some facts, and hold no rows, columns or code. What they share is written once;
//! a new kind of them is a variant of [`DescriptorKind`].

use serde::{Deserialize, Serialize};

use super::{Dependency, DependencyKind, ObjectAddress};
use crate::fixed_oid::{
    FIRST_NORMAL, PG_COLLATION, PG_EXTENSION, PG_NAMESPACE, PG_STATISTIC_EXT, PG_TS_CONFIG, PG_TS_DICT,
};
use crate::types::oid::Oid;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Descriptor {
    pub oid: Oid,
    pub schema: Oid,
    pub name: String,
    pub owner: Oid,
    pub kind: DescriptorKind,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum DescriptorKind {
    Collation(Collation),
    Extension(Extension),
    Statistics(Statistics),
    TextSearchConfiguration(TextSearchConfiguration),
    TextSearchDictionary(TextSearchDictionary),
}

/// `pg_collation`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Collation {
    /// `collprovider`: `i` orders by a locale of ICU, all others by bytes.
    pub provider: char,
    pub deterministic: bool,
    /// Empty where the provider is ICU, as `ctype`.
    pub collate: String,
    pub ctype: String,
    /// `colliculocale`.
    #[serde(default)]
    pub locale: Option<String>,
    /// `collversion`, where it was made under another version than there is now.
    #[serde(default)]
    pub version: Option<String>,
}

impl Collation {
    /// The version of the locales of ICU that there are: that of the Unicode CLDR behind them.
    pub const ICU_VERSION: &str = "49.0.0";

    /// What orders its texts: none for bytes.
    pub fn icu_locale(&self) -> Option<&str> {
        self.locale.as_deref().filter(|_| self.provider == 'i')
    }

    /// The version that its provider has now.
    pub fn actual_version(&self) -> Option<&'static str> {
        self.icu_locale().map(|_| Self::ICU_VERSION)
    }
}

/// `pg_extension`; its objects depend on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Extension {
    pub version: String,
    pub relocatable: bool,
}

/// `pg_statistic_ext`: facts that nothing is collected for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    pub table: Oid,
    pub columns: Vec<i16>,
    /// As SQL text over the table's columns.
    pub expressions: Vec<String>,
    /// d, f, m, e.
    pub kinds: Vec<char>,
    /// `stxstattarget`; None for the default.
    pub target: Option<i32>,
}

/// `pg_ts_config` with its rows of `pg_ts_config_map`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TextSearchConfiguration {
    pub parser: Oid,
    /// Token types, in order, with the dictionaries that are asked one after the other.
    pub mappings: Vec<(i32, Vec<Oid>)>,
}

/// `pg_ts_dict`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TextSearchDictionary {
    pub template: Oid,
    pub options: Vec<(String, String)>,
}

impl Descriptor {
    /// The catalog that shows it.
    pub fn class(&self) -> Oid {
        self.kind.class()
    }

    pub fn address(&self) -> ObjectAddress {
        ObjectAddress::new(self.class(), self.oid)
    }

    pub fn collation(&self) -> Option<&Collation> {
        if let DescriptorKind::Collation(collation) = &self.kind { Some(collation) } else { None }
    }

    pub fn extension(&self) -> Option<&Extension> {
        if let DescriptorKind::Extension(extension) = &self.kind { Some(extension) } else { None }
    }

    pub fn statistics(&self) -> Option<&Statistics> {
        if let DescriptorKind::Statistics(statistics) = &self.kind { Some(statistics) } else { None }
    }

    pub fn text_search_configuration(&self) -> Option<&TextSearchConfiguration> {
        if let DescriptorKind::TextSearchConfiguration(config) = &self.kind { Some(config) } else { None }
    }

    pub fn text_search_dictionary(&self) -> Option<&TextSearchDictionary> {
        if let DescriptorKind::TextSearchDictionary(dictionary) = &self.kind { Some(dictionary) } else { None }
    }

    /// The schema whose names it must not repeat. Names of extensions are unique in the database.
    pub(crate) fn name_space(&self) -> Oid {
        match self.kind {
            DescriptorKind::Extension(_) => 0,
            _ => self.schema,
        }
    }

    pub fn structural_dependencies(&self) -> Vec<Dependency> {
        let dependent = self.address();
        let schema = ObjectAddress::new(PG_NAMESPACE, self.schema);
        let mut edges = vec![Dependency { dependent, referenced: schema, kind: DependencyKind::Normal }];
        if let DescriptorKind::Statistics(statistics) = &self.kind {
            let columns = statistics.columns.iter().map(|attnum| ObjectAddress::column(statistics.table, *attnum));
            let whole = statistics.columns.is_empty().then(|| ObjectAddress::column(statistics.table, 0));
            edges.extend(columns.chain(whole).map(|referenced| Dependency {
                dependent,
                referenced,
                kind: DependencyKind::Auto,
            }));
        }
        if let DescriptorKind::TextSearchConfiguration(config) = &self.kind {
            let mut dictionaries: Vec<Oid> = config.mappings.iter().flat_map(|(_, chain)| chain).copied().collect();
            dictionaries.sort_unstable();
            dictionaries.dedup();
            // PostgreSQL's own are always there.
            let made = dictionaries.into_iter().filter(|&dictionary| dictionary >= FIRST_NORMAL);
            edges.extend(made.map(|dictionary| Dependency {
                dependent,
                referenced: ObjectAddress::new(PG_TS_DICT, dictionary),
                kind: DependencyKind::Normal,
            }));
        }
        edges
    }
}

impl DescriptorKind {
    pub fn class(&self) -> Oid {
        match self {
            Self::Collation(_) => PG_COLLATION,
            Self::Extension(_) => PG_EXTENSION,
            Self::Statistics(_) => PG_STATISTIC_EXT,
            Self::TextSearchConfiguration(_) => PG_TS_CONFIG,
            Self::TextSearchDictionary(_) => PG_TS_DICT,
        }
    }

    /// What messages call an object of a class.
    pub fn word(class: Oid) -> Option<&'static str> {
        match class {
            PG_COLLATION => Some("collation"),
            PG_EXTENSION => Some("extension"),
            PG_STATISTIC_EXT => Some("statistics object"),
            PG_TS_CONFIG => Some("text search configuration"),
            PG_TS_DICT => Some("text search dictionary"),
            _ => None,
        }
    }
}
