//! `pg_largeobject_metadata`. The rows of `pg_largeobject` are stored as they are shown.

use super::context::SystemContext;
use super::rows::{Rows, row};
use crate::Result;
use crate::fixed_oid::PG_LARGEOBJECT;
use crate::object::ObjectAddress;

pub(super) fn metadata_rows(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    for (oid, owner) in context.server().large_objects()? {
        let privileges = context.catalog.privileges(ObjectAddress::new(PG_LARGEOBJECT, oid));
        let acl = privileges.and_then(|privileges| privileges.acl.as_ref());
        rows.push(row![oid, owner, acl.map(|acl| crate::acl::show_all(acl, context.catalog))]);
    }
    Ok(())
}
