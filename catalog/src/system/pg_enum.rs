//! `pg_enum`: the labels of enums.

use super::SystemContext;
use super::rows::{Rows, row};
use crate::Result;

pub(super) fn rows(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    let wanted = context.oids("enumtypid");
    for ty in context.catalog.user_types().filter(|ty| wanted.is_none_or(|wanted| wanted.contains(&ty.oid))) {
        for label in ty.as_enum().into_iter().flat_map(|labels| &labels.labels) {
            rows.push(row![label.oid, ty.oid, label.sort_order, &label.name]);
        }
    }
    Ok(())
}
