//! `regconfig` and `regdictionary`.

use super::CatalogNames;
use crate::definition::text_search_name;
use crate::types::oid::Oid;
use crate::{Error, Result, sqlstate};

impl CatalogNames {
    pub(super) fn text_search_name(&self, class: Oid, object: Oid) -> Option<String> {
        let found = self.catalog.descriptor(object).filter(|found| found.class() == class)?;
        Some(text_search_name(self.printer(), found))
    }

    pub(super) fn text_search_oid(&self, class: Oid, kind: &str, text: &str) -> Result<Oid> {
        let (schema, name) = self.schema_and_name(text)?;
        let found = match &schema {
            Some(schema) => self.catalog.descriptor_by_name(class, self.schema_oid(schema)?, &name),
            None => {
                let mut path = self.search_path.schemas().iter();
                path.find_map(|schema| self.catalog.descriptor_by_name(class, *schema, &name))
            }
        };
        found.map(|found| found.oid).ok_or_else(|| {
            let name = schema.map_or_else(|| name.clone(), |schema| format!("{schema}.{name}"));
            Error::new(sqlstate::UNDEFINED_OBJECT, format!("{kind} \"{name}\" does not exist"))
        })
    }
}
