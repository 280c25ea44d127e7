//! `pg_ts_config`, `pg_ts_config_map`, `pg_ts_dict`, `pg_ts_parser`, `pg_ts_template`.

use std::sync::Arc;

use super::SystemContext;
use super::rows::{Rows, row};
use crate::Result;
use crate::facts::tsv;
use crate::object::Descriptor;
use crate::text_search::{built_in, options_text};

fn all<'a>(context: &SystemContext<'a>) -> impl Iterator<Item = &'a Arc<Descriptor>> {
    built_in().iter().chain(context.catalog.descriptors())
}

pub(super) fn pg_ts_config(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    for descriptor in all(context) {
        let Some(config) = descriptor.text_search_configuration() else { continue };
        rows.push(row![descriptor.oid, descriptor.name.clone(), descriptor.schema, descriptor.owner, config.parser]);
    }
    Ok(())
}

pub(super) fn pg_ts_config_map(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    for descriptor in all(context) {
        let Some(config) = descriptor.text_search_configuration() else { continue };
        for (token_type, dictionaries) in &config.mappings {
            for (number, dictionary) in (1_i32..).zip(dictionaries) {
                rows.push(row![descriptor.oid, *token_type, number, *dictionary]);
            }
        }
    }
    Ok(())
}

pub(super) fn pg_ts_dict(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    for descriptor in all(context) {
        let Some(dictionary) = descriptor.text_search_dictionary() else { continue };
        rows.push(row![
            descriptor.oid,
            descriptor.name.clone(),
            descriptor.schema,
            descriptor.owner,
            dictionary.template,
            options_text(&dictionary.options),
        ]);
    }
    Ok(())
}

pub(super) fn pg_ts_parser(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    for mut fields in tsv::rows(include_str!("../../data/pg_ts_parser.tsv")) {
        let (oid, name, schema) = (fields.oid(), fields.text(), fields.oid());
        let functions = [(); 5].map(|()| context.existing_function(fields.oid()));
        let [start, token, end, headline, types] = functions;
        rows.push(row![oid, name, schema, start, token, end, headline, types]);
    }
    Ok(())
}

pub(super) fn pg_ts_template(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    for mut fields in tsv::rows(include_str!("../../data/pg_ts_template.tsv")) {
        let (oid, name, schema) = (fields.oid(), fields.text(), fields.oid());
        let functions = [(); 2].map(|()| context.existing_function(fields.oid()));
        let [init, lexize] = functions;
        rows.push(row![oid, name, schema, init, lexize]);
    }
    Ok(())
}
