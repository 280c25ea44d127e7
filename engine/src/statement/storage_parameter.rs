//! Storage parameters of extensions: `WITH (namespace.name = value)` of CREATE TABLE, CREATE MATERIALIZED VIEW and ALTER … SET, which an
//! extension that the database has gives a meaning to ([`crate::extension::Parameters`]).

use aegis_catalog::fixed_oid::PG_EXTENSION;
use aegis_catalog::{Error, Oid, Result, sqlstate};

use crate::extension::{Caller, Parameters};
use crate::session::Session;
use crate::session::context::StatementContext;

/// Parameters as they are written.
pub type Written = Vec<(String, String)>;

/// Those of one extension, without their namespace.
pub struct Foreign {
    parameters: Parameters,
    /// Whose the extension is: its own tables are not those of who writes the parameters.
    owner: Oid,
    pub written: Written,
}

/// The parameters without a namespace, and those of an extension. 22023 for a namespace that nobody knows, or for two extensions' at once.
pub fn split(options: &[(String, String)], context: &StatementContext) -> Result<(Written, Option<Foreign>)> {
    let mut own = Vec::new();
    let mut foreign: Option<Foreign> = None;
    for (name, value) in options {
        let Some((namespace, bare)) = name.split_once('.') else {
            match of_bare(name, context) {
                Some((parameters, owner)) => {
                    let foreign = foreign.get_or_insert(Foreign { parameters, owner, written: Vec::new() });
                    foreign.written.push((name.clone(), value.clone()));
                }
                None => own.push((name.clone(), value.clone())),
            }
            continue;
        };
        // TOAST tables there are none, and their parameters mean nothing.
        if namespace == "toast" {
            own.push((name.clone(), value.clone()));
            continue;
        }
        let (parameters, owner) = of_namespace(namespace, context)?;
        let foreign = foreign.get_or_insert(Foreign { parameters, owner, written: Vec::new() });
        foreign.written.push((bare.to_owned(), value.clone()));
    }
    Ok((own, foreign))
}

/// The extension that the database has and that knows a parameter without a namespace, and its owner.
fn of_bare(name: &str, context: &StatementContext) -> Option<(Parameters, Oid)> {
    let of = context.extensions.all().find(|of| of.parameters.is_some_and(|known| known.bare.contains(&name)))?;
    Some((of.parameters?, context.catalog.descriptor_by_name(PG_EXTENSION, 0, of.name)?.owner))
}

/// The extension of that namespace, and its owner.
fn of_namespace(namespace: &str, context: &StatementContext) -> Result<(Parameters, Oid)> {
    let message = format!("unrecognized parameter namespace \"{namespace}\"");
    let unknown = Error::new(sqlstate::INVALID_PARAMETER_VALUE, message);
    let knows = |parameters: &Parameters| parameters.namespaces.contains(&namespace);
    let known = context.extensions.all().find_map(|of| Some((of.name, of.parameters.filter(knows)?)));
    let installed = known.and_then(|(name, _)| context.catalog.descriptor_by_name(PG_EXTENSION, 0, name));
    match (known, installed) {
        (Some((_, parameters)), Some(installed)) => Ok((parameters, installed.owner)),
        (Some((name, _)), None) => {
            Err(unknown.with_hint(format!("It is one of an extension: CREATE EXTENSION {name}.")))
        }
        (None, _) => Err(unknown),
    }
}

impl Foreign {
    /// The table was made with them (`created`), or they are set anew.
    pub async fn apply(self, session: &mut Session, relation: Oid, created: bool) -> Result<()> {
        (self.parameters.relation)(Caller::new(session, true, self.owner), relation, self.written, created).await
    }

    /// CREATE MATERIALIZED VIEW with them: the extension makes the view.
    pub async fn create_view(self, session: &mut Session, view: NewView) -> Result<()> {
        (self.parameters.materialized_view)(Caller::new(session, true, self.owner), view, self.written).await
    }
}

/// A materialized view that an extension is to make.
#[derive(Debug, Clone)]
pub struct NewView {
    /// As it is to be written in SQL, with its schema.
    pub name: String,
    /// Names of the first columns.
    pub columns: Vec<String>,
    /// The query, as it was written.
    pub query: String,
    pub with_data: bool,
}
