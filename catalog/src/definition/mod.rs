//! Definitions as text: what `format_type`, `pg_get_constraintdef`, `pg_get_indexdef` and messages about objects print
//! (PostgreSQL manual, "System Catalog Information Functions").
//!
//! Expressions inside objects are stored in the form that `pg_get_expr` prints, all names written with their schema. Whoever can bind
//! them shows them as the search path and the layout want.

mod constraint;
mod describe;
mod identifier;
mod identify;
mod index;
mod partition;
mod statistics;
mod type_name;

pub use constraint::constraint_definition;
pub use describe::{describe, describe_existing};
pub use identifier::{collation_name, qualified_name, quote_identifier, relation_name, text_search_name};
pub use identify::{Identity, identify};
pub use index::{default_operator_class, index_column_definition, index_definition, is_call, operator_class_named};
pub use partition::{bound_condition, partition_bound, partition_constraint, partition_key};
pub use statistics::{StatisticsDefinition, statistics_definition};
pub use type_name::{format_type, type_name};

use std::sync::Arc;

use crate::image::Catalog;
use crate::name::SearchPath;
use crate::object::{Relation, UserType};

/// What definitions are printed for: names that the path finds are printed without their schema.
#[derive(Debug, Clone, Copy)]
pub struct Printer<'a> {
    pub catalog: &'a Catalog,
    pub search_path: &'a SearchPath,
}

/// What a stored expression is about.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// The columns of a table.
    Table(&'a Arc<Relation>),
    /// The value of a domain.
    Domain(&'a UserType),
}

/// Makes the text that is shown of a stored expression.
pub type ShowExpression<'a> = &'a dyn Fn(Subject<'_>, &str) -> String;

#[cfg(test)]
mod tests;
