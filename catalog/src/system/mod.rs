//! The relations of `pg_catalog` and `information_schema`, the same in every database.
//!
//! Base relations are computed from the catalog's image ([`RELATIONS`]), views are SQL text over them
//! ([`crate::pg_catalog`], [`crate::information_schema`]). Names, columns and OIDs are PostgreSQL's (`data/relations.tsv`,
//! `data/columns.tsv`).

mod context;
mod definition;
mod descriptors;
mod fixed;
mod pg_aggregate;
mod pg_attrdef;
mod pg_attribute;
mod pg_authid;
mod pg_cast;
mod pg_class;
mod pg_constraint;
mod pg_database;
mod pg_depend;
mod pg_description;
mod pg_enum;
mod pg_index;
mod pg_inherits;
mod pg_largeobject;
mod pg_namespace;
mod pg_operator;
mod pg_proc;
mod pg_rewrite;
mod pg_sequence;
mod pg_type;
mod rows;
mod shown;
#[cfg(test)]
mod tests;
mod text_search;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use arrow::array::RecordBatch;
pub use context::{Filter, ServerFacts, SystemContext};
pub use pg_database::UTF8;
pub use pg_description::builtin_comment;
pub use pg_proc::{function_behind_type, functions_shown};
pub use rows::{Cell, Rows};
pub use shown::Shown;

use crate::facts::tsv;
use crate::fixed_oid::{BOOTSTRAP_SUPERUSER, INFORMATION_SCHEMA, PG_CATALOG_SCHEMA, PG_TOAST_SCHEMA};
use crate::object::{Relation, Schema};
use crate::types::oid::Oid;
use crate::{Error, Result};

/// Adds the rows of one relation.
type RowsOf = fn(&SystemContext<'_>, &mut Rows<'_>) -> Result<()>;

/// Every base relation of `pg_catalog` and `information_schema`, and what computes its rows; None where Aegis has no such objects.
const RELATIONS: &[(&str, Option<RowsOf>)] = &[
    ("pg_aggregate", Some(pg_aggregate::rows)),
    ("pg_am", Some(fixed::pg_am)),
    ("pg_amop", Some(fixed::pg_amop)),
    ("pg_amproc", Some(fixed::pg_amproc)),
    ("pg_attrdef", Some(pg_attrdef::rows)),
    ("pg_attribute", Some(pg_attribute::rows)),
    ("pg_auth_members", Some(pg_authid::member_rows)),
    ("pg_authid", Some(pg_authid::rows)),
    ("pg_cast", Some(pg_cast::rows)),
    ("pg_class", Some(pg_class::rows)),
    ("pg_collation", Some(descriptors::pg_collation)),
    ("pg_constraint", Some(pg_constraint::rows)),
    ("pg_conversion", None),
    ("pg_database", Some(pg_database::rows)),
    ("pg_db_role_setting", Some(pg_authid::setting_rows)),
    ("pg_default_acl", Some(pg_authid::default_acl_rows)),
    ("pg_depend", Some(pg_depend::rows)),
    ("pg_description", Some(pg_description::rows)),
    ("pg_enum", Some(pg_enum::rows)),
    ("pg_event_trigger", None),
    ("pg_extension", Some(descriptors::pg_extension)),
    ("pg_foreign_data_wrapper", None),
    ("pg_foreign_server", None),
    ("pg_foreign_table", None),
    ("pg_index", Some(pg_index::rows)),
    ("pg_inherits", Some(pg_inherits::rows)),
    ("pg_init_privs", Some(pg_namespace::initial_rows)),
    ("pg_language", Some(fixed::pg_language)),
    ("pg_largeobject", Some(nothing)),
    ("pg_largeobject_metadata", Some(pg_largeobject::metadata_rows)),
    ("pg_namespace", Some(pg_namespace::rows)),
    ("pg_opclass", Some(fixed::pg_opclass)),
    ("pg_operator", Some(pg_operator::rows)),
    ("pg_opfamily", Some(fixed::pg_opfamily)),
    ("pg_parameter_acl", None),
    ("pg_partitioned_table", Some(pg_inherits::partitioned_rows)),
    ("pg_policy", None),
    ("pg_proc", Some(pg_proc::rows)),
    ("pg_publication", None),
    ("pg_publication_namespace", None),
    ("pg_publication_rel", None),
    ("pg_range", Some(fixed::pg_range)),
    ("pg_replication_origin", None),
    ("pg_rewrite", Some(pg_rewrite::rows)),
    ("pg_seclabel", None),
    ("pg_sequence", Some(pg_sequence::rows)),
    ("pg_shdepend", None),
    ("pg_shdescription", Some(pg_description::shared_rows)),
    ("pg_shseclabel", None),
    ("pg_statistic", None),
    ("pg_statistic_ext", Some(descriptors::pg_statistic_ext)),
    ("pg_statistic_ext_data", None),
    ("pg_subscription", None),
    ("pg_subscription_rel", None),
    ("pg_tablespace", Some(fixed::pg_tablespace)),
    ("pg_transform", None),
    ("pg_trigger", None),
    ("pg_ts_config", Some(text_search::pg_ts_config)),
    ("pg_ts_config_map", Some(text_search::pg_ts_config_map)),
    ("pg_ts_dict", Some(text_search::pg_ts_dict)),
    ("pg_ts_parser", Some(text_search::pg_ts_parser)),
    ("pg_ts_template", Some(text_search::pg_ts_template)),
    ("pg_type", Some(pg_type::rows)),
    ("pg_user_mapping", None),
    ("sql_features", Some(fixed::sql_features)),
    ("sql_implementation_info", Some(fixed::sql_implementation_info)),
    ("sql_parts", Some(fixed::sql_parts)),
    ("sql_sizing", Some(fixed::sql_sizing)),
];

/// Large objects are rows of the store.
fn nothing(_: &SystemContext<'_>, _: &mut Rows<'_>) -> Result<()> {
    Ok(())
}

static SCHEMAS: LazyLock<Vec<Arc<Schema>>> = LazyLock::new(|| {
    let schemas =
        [(PG_CATALOG_SCHEMA, "pg_catalog"), (PG_TOAST_SCHEMA, "pg_toast"), (INFORMATION_SCHEMA, "information_schema")];
    schemas.map(|(oid, name)| Arc::new(Schema { oid, name: name.to_owned(), owner: BOOTSTRAP_SUPERUSER })).to_vec()
});

static SYSTEM: LazyLock<System> = LazyLock::new(System::load);

/// All relations of the system schemas, indexed.
struct System {
    relations: Vec<Arc<Relation>>,
    /// What computes the rows of base relations, if they ever have any.
    rows: HashMap<Oid, Option<RowsOf>>,
    /// Relations that all databases share.
    shared: HashSet<Oid>,
    by_oid: HashMap<Oid, usize>,
    by_name: HashMap<(Oid, String), usize>,
    by_type: HashMap<Oid, usize>,
}

impl System {
    fn load() -> Self {
        let (relations, shared) = definition::load();
        let mut system = Self {
            relations: Vec::new(),
            rows: HashMap::new(),
            shared,
            by_oid: HashMap::new(),
            by_name: HashMap::new(),
            by_type: HashMap::new(),
        };
        for (position, relation) in relations.iter().enumerate() {
            system.by_oid.insert(relation.oid, position);
            if let Some((_, rows)) = RELATIONS.iter().find(|(name, _)| *name == relation.name) {
                system.rows.insert(relation.oid, *rows);
            }
            system.by_name.insert((relation.schema, relation.name.clone()), position);
            system.by_type.insert(relation.row_type, position);
            system.by_type.insert(relation.row_array_type, position);
        }
        system.relations = relations;
        system
    }
}

/// Schemas that exist in every database and are no rows of the store.
pub fn schemas() -> &'static [Arc<Schema>] {
    &SCHEMAS
}

/// All system relations, by OID.
pub fn relations() -> &'static [Arc<Relation>] {
    &SYSTEM.relations
}

pub fn relation(oid: Oid) -> Option<&'static Arc<Relation>> {
    SYSTEM.by_oid.get(&oid).and_then(|&position| SYSTEM.relations.get(position))
}

pub fn relation_by_name(schema: Oid, name: &str) -> Option<&'static Arc<Relation>> {
    if schema != PG_CATALOG_SCHEMA && schema != INFORMATION_SCHEMA {
        return None;
    }
    SYSTEM.by_name.get(&(schema, name.to_owned())).and_then(|&position| SYSTEM.relations.get(position))
}

/// The relation whose row type, or array of it, this is.
pub fn relation_of_type(ty: Oid) -> Option<&'static Arc<Relation>> {
    SYSTEM.by_type.get(&ty).and_then(|&position| SYSTEM.relations.get(position))
}

/// The rows of a base relation (`RelationKind::System`): the columns at `wanted`, in that order.
pub fn rows(oid: Oid, context: &SystemContext<'_>, wanted: &[usize]) -> Result<RecordBatch> {
    let (Some(relation), Some(fill)) = (relation(oid), SYSTEM.rows.get(&oid)) else {
        return Err(Error::internal(format!("relation {oid} is not computed")));
    };
    let shown = context.catalog.shown();
    if let Some(known) = shown.rows(relation, wanted)? {
        return Ok(known);
    }
    let mut rows = Rows::new(&relation.columns, wanted);
    if let Some(fill) = fill {
        fill(context, &mut rows)?;
    }
    let computed = rows.finish()?;
    if context.is_of_image() {
        shown.keep(relation, &computed);
    }
    computed.rows(relation, wanted)
}

/// True for base relations about objects that Aegis does not have.
pub fn is_empty(oid: Oid) -> bool {
    matches!(SYSTEM.rows.get(&oid), Some(None))
}

/// True for relations whose rows are the same in every database.
pub fn is_shared(oid: Oid) -> bool {
    SYSTEM.shared.contains(&oid)
}

fn access_methods() -> impl Iterator<Item = (Oid, Cow<'static, str>)> {
    tsv::rows(include_str!("../../data/pg_am.tsv")).map(|mut fields| (fields.oid(), fields.text()))
}

/// OID of an access method by name (`heap`, `btree`, …).
pub fn access_method(name: &str) -> Option<Oid> {
    access_methods().find(|(_, found)| found == name).map(|(oid, _)| oid)
}

pub fn access_method_name(oid: Oid) -> Option<Cow<'static, str>> {
    access_methods().find(|(found, _)| *found == oid).map(|(_, name)| name)
}
