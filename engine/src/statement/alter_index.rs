//! ALTER INDEX (PostgreSQL manual), but for RENAME, which `alter_object` has.

use aegis_catalog::object::{Relation, RelationKind};
use aegis_catalog::{Error, Result, sqlstate};

use super::storage_options::{self, Holder};
use super::{Outcome, namespace};
use crate::parse::ast::Name;
use crate::parse::utility::AlterIndexAction;
use crate::session::Session;
use crate::session::context::StatementContext;

pub fn run(
    session: &mut Session,
    name: &Name,
    if_exists: bool,
    actions: &[AlterIndexAction],
    context: &StatementContext,
) -> Result<Outcome> {
    session.writable("ALTER INDEX")?;
    let Some(relation) = namespace::find(name, context)? else {
        let missing = namespace::existing_anywhere(name, context).err();
        let missing = missing.unwrap_or_else(|| Error::internal("name resolution changed"));
        if if_exists {
            session.skip_notice(&format!("{}, skipping", missing.message()));
            return Outcome::tag("ALTER INDEX");
        }
        return Err(missing);
    };
    crate::privilege::require_owner(&relation, context)?;
    let mut changed = Relation::clone(&relation);
    for action in actions {
        apply(&mut changed, action)?;
    }
    let open = session.writable("ALTER INDEX")?;
    open.catalog.replace_relation(open.tables.permanent(), changed)?;
    Outcome::tag("ALTER INDEX")
}

fn apply(relation: &mut Relation, action: &AlterIndexAction) -> Result<()> {
    let name = relation.name.clone();
    let kind = relation.kind_name();
    let RelationKind::Index(index) = &mut relation.kind else {
        // ALTER INDEX takes tables for these, but only here and there.
        let message = format!("ALTER action cannot be performed on relation \"{name}\"");
        return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message)
            .with_detail(format!("This operation is not supported for {kind}s.")));
    };
    match action {
        AlterIndexAction::SetOptions(set) => {
            storage_options::check(Holder::Index(&index.method), set)?;
            index.options.retain(|(name, _)| !set.iter().any(|(new, _)| new == name));
            index.options.extend_from_slice(set);
            Ok(())
        }
        AlterIndexAction::ResetOptions(names) => {
            index.options.retain(|(name, _)| !names.contains(name));
            Ok(())
        }
        AlterIndexAction::SetStatistics { column, target } => {
            let keys = index.keys.len();
            let all = keys + index.include.len();
            let position = usize::try_from(*column).ok().filter(|position| (1..=all).contains(position));
            let Some(position) = position else {
                let message = format!("column number {column} of relation \"{name}\" does not exist");
                return Err(Error::new(sqlstate::UNDEFINED_COLUMN, message));
            };
            let refuse = |what: &str| {
                let message = format!("cannot alter statistics on {what} of index \"{name}\"");
                Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message))
            };
            let column = relation.columns.get_mut(position - 1);
            match index.keys.get(position - 1) {
                None => refuse(&format!("included column \"{}\"", column.map_or("", |c| c.name.as_str()))),
                Some(key) if key.attnum != 0 => {
                    let shown = column.map_or("", |c| c.name.as_str());
                    refuse(&format!("non-expression column \"{shown}\""))
                        .map_err(|error: Error| error.with_hint("Alter statistics on table column instead."))
                }
                Some(_) => super::alter_table::column_hint::set_statistics(column, *target),
            }
        }
        AlterIndexAction::Unsupported(feature) => Err(Error::unsupported(feature)),
    }
}
