//! Functions and procedures that users made.

use serde::{Deserialize, Serialize};

use super::{Dependency, DependencyKind, ObjectAddress};
use crate::extension_facts::is_made;
use crate::facts::{AggregateRow, FunctionRow};
use crate::fixed_oid::{FIRST_NORMAL, INTERNAL_LANGUAGE, PG_NAMESPACE, PG_PROC, PG_TYPE};

/// A row of `pg_proc` with what that row keeps in other forms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Routine {
    /// Name, arguments, result, volatility and so on. Its `source` is the body of AS.
    pub row: FunctionRow,
    /// The body of RETURN or BEGIN ATOMIC, as SQL text; the body of AS is then empty.
    #[serde(default)]
    pub sql_body: Option<String>,
    /// The library of a function in C, whose `source` is then its symbol.
    #[serde(default)]
    pub library: Option<String>,
    /// SET clauses.
    #[serde(default)]
    pub settings: Vec<(String, String)>,
    /// How an aggregate is computed; it has no body.
    #[serde(default)]
    pub aggregate: Option<AggregateRow>,
}

impl Routine {
    /// What messages call it.
    pub fn kind_name(&self) -> &'static str {
        match self.row.kind {
            'p' => "procedure",
            'a' => "aggregate",
            'w' => "window function",
            _ => "function",
        }
    }

    /// Tells the overloads of a name in a schema apart.
    pub fn signature(&self) -> String {
        let arguments: Vec<String> = self.row.arg_types.iter().map(u32::to_string).collect();
        format!("{}({})", self.row.name, arguments.join(" "))
    }

    /// It makes values of a range or multirange that a user made, and came with that type.
    pub fn is_range_constructor(&self) -> bool {
        self.row.language == INTERNAL_LANGUAGE && self.row.source.contains("range_constructor")
    }

    pub fn address(&self) -> ObjectAddress {
        ObjectAddress::new(PG_PROC, self.row.oid)
    }

    /// Its schema, the types of its arguments and result, and what an aggregate is made of.
    pub fn structural_dependencies(&self) -> Vec<Dependency> {
        let row = &self.row;
        let all = row.all_arg_types.as_ref().unwrap_or(&row.arg_types);
        let states = self.aggregate.iter().flat_map(|of| [of.transition_type, of.moving_transition_type]);
        let types = all.iter().copied().chain([row.return_type]).chain(states).filter(|&ty| is_made(ty));
        let types = types.map(|ty| ObjectAddress::new(PG_TYPE, ty));
        let functions = self.aggregate.iter().flat_map(AggregateRow::functions).filter(|&oid| oid >= FIRST_NORMAL);
        let functions = functions.map(|oid| ObjectAddress::new(PG_PROC, oid));
        let referenced = types.chain(functions).chain([ObjectAddress::new(PG_NAMESPACE, row.schema)]);
        let dependent = self.address();
        let kind = |on: ObjectAddress| match on.class == PG_TYPE && on.object == row.return_type {
            true if self.is_range_constructor() => DependencyKind::Internal,
            _ => DependencyKind::Normal,
        };
        referenced.map(|referenced| Dependency { dependent, referenced, kind: kind(referenced) }).collect()
    }
}
