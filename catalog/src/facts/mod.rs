//! What PostgreSQL 15's built-in catalog holds, read from `data/*.tsv` once at first use: functions, operators, casts,
//! aggregates, types. The binder resolves names over these facts as PostgreSQL would; which of the functions Aegis
//! implements is the engine's to say ([`crate::Builtins`]).
//!
//! Field meanings: PostgreSQL manual, chapter "System Catalogs", under the relation's name.

mod aggregate;
mod cast;
mod collations;
mod function;
mod operator;
pub(crate) mod tsv;
mod types;

use std::collections::HashMap;
use std::sync::LazyLock;

pub use aggregate::AggregateRow;
pub use cast::{CastContext, CastMethod, CastRow};
pub use collations::{CollationRow, collation, collation_named, collations};
pub use function::FunctionRow;
pub use operator::OperatorRow;
pub use types::TypeRow;

use crate::types::oid::Oid;

static FUNCTIONS: LazyLock<Table<FunctionRow>> =
    LazyLock::new(|| Table::parse(include_str!("../../data/pg_proc.tsv"), FunctionRow::parse));
static OPERATORS: LazyLock<Table<OperatorRow>> =
    LazyLock::new(|| Table::parse(include_str!("../../data/pg_operator.tsv"), OperatorRow::parse));
static AGGREGATES: LazyLock<Table<AggregateRow>> =
    LazyLock::new(|| Table::parse(include_str!("../../data/pg_aggregate.tsv"), AggregateRow::parse));
static TYPES: LazyLock<Table<TypeRow>> =
    LazyLock::new(|| Table::parse(include_str!("../../data/pg_type.tsv"), TypeRow::parse));
static CASTS: LazyLock<cast::Casts> = LazyLock::new(cast::Casts::load);

/// Every function of `pg_catalog`, by name, then OID.
pub fn procs() -> &'static [FunctionRow] {
    &FUNCTIONS.rows
}

/// Functions of that exact name, by OID.
pub fn procs_named(name: &str) -> &'static [FunctionRow] {
    FUNCTIONS.named(name)
}

pub fn proc(oid: Oid) -> Option<&'static FunctionRow> {
    FUNCTIONS.get(oid)
}

/// Every operator, by name, then OID.
pub fn operators() -> &'static [OperatorRow] {
    &OPERATORS.rows
}

/// Operators of that symbol, by OID; prefix operators have `left` 0.
pub fn operators_named(name: &str) -> &'static [OperatorRow] {
    OPERATORS.named(name)
}

pub fn operator(oid: Oid) -> Option<&'static OperatorRow> {
    OPERATORS.get(oid)
}

/// The operator of that symbol with exactly these operand types (`left` 0 for a prefix operator).
pub fn operator_exact(name: &str, left: Oid, right: Oid) -> Option<&'static OperatorRow> {
    operators_named(name).iter().find(|operator| operator.left == left && operator.right == right)
}

/// Every aggregate, by function OID.
pub fn aggregates() -> &'static [AggregateRow] {
    &AGGREGATES.rows
}

/// The aggregate behind that function of kind `a`.
pub fn aggregate(function: Oid) -> Option<&'static AggregateRow> {
    AGGREGATES.get(function)
}

/// Every built-in type that is not the row type of a relation, by OID.
pub fn types() -> &'static [TypeRow] {
    &TYPES.rows
}

pub fn type_row(oid: Oid) -> Option<&'static TypeRow> {
    TYPES.get(oid)
}

/// The type of that internal name (`int4`, `_text`).
pub fn type_named(name: &str) -> Option<&'static TypeRow> {
    TYPES.named(name).first()
}

/// Every cast, by source, then target.
pub fn casts() -> &'static [CastRow] {
    &CASTS.rows
}

/// The cast between two types as `pg_cast` has it; conversions by text input and output are not listed there.
pub fn casts_from_to(source: Oid, target: Oid) -> Option<&'static CastRow> {
    CASTS.from_to(source, target)
}

/// Casts with that source.
pub fn casts_from(source: Oid) -> &'static [CastRow] {
    CASTS.with_source(source)
}

/// Key words: the rows of `pg_get_keywords()` (word, category code, bare label, and what the two mean).
pub fn keywords() -> impl Iterator<Item = [String; 5]> {
    tsv::rows(include_str!("../../data/keywords.tsv"))
        .map(|mut fields| std::array::from_fn(|_| fields.text().into_owned()))
}

/// A fact with an OID and a name.
trait Fact {
    fn oid(&self) -> Oid;
    fn name(&self) -> &str;
}

/// The rows of one file, sorted by name and OID.
struct Table<T> {
    rows: Vec<T>,
    by_oid: HashMap<Oid, usize>,
}

impl<T: Fact> Table<T> {
    fn parse(text: &'static str, parse: fn(&mut tsv::Fields) -> T) -> Self {
        let mut rows: Vec<T> = tsv::rows(text).map(|mut fields| parse(&mut fields)).collect();
        rows.sort_by(|a, b| (a.name(), a.oid()).cmp(&(b.name(), b.oid())));
        let by_oid = rows.iter().enumerate().map(|(position, row)| (row.oid(), position)).collect();
        Self { rows, by_oid }
    }

    fn get(&self, oid: Oid) -> Option<&T> {
        self.by_oid.get(&oid).and_then(|&position| self.rows.get(position))
    }

    fn named(&self, name: &str) -> &[T] {
        let start = self.rows.partition_point(|row| row.name() < name);
        let length = self.rows[start..].partition_point(|row| row.name() == name);
        &self.rows[start..start + length]
    }
}

/// Names of `pg_language` by OID.
static LANGUAGES: LazyLock<Vec<(Oid, String)>> = LazyLock::new(|| {
    tsv::rows(include_str!("../../data/pg_language.tsv"))
        .map(|mut fields| (fields.oid(), fields.text().into_owned()))
        .collect()
});

pub fn language_name(oid: Oid) -> Option<&'static str> {
    LANGUAGES.iter().find(|(known, _)| *known == oid).map(|(_, name)| name.as_str())
}

pub fn language_named(name: &str) -> Option<Oid> {
    LANGUAGES.iter().find(|(_, known)| known == name).map(|(oid, _)| *oid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::oid;

    #[test]
    fn operators_are_found_by_name_and_operands() {
        assert_eq!(operators_named("+").len(), 50);
        let plus = operator_exact("+", oid::INT4, oid::INT4).unwrap();
        assert_eq!((plus.oid, plus.result, plus.function), (551, oid::INT4, 177));
        assert_eq!(operator_exact("-", 0, oid::INT4).unwrap().oid, 558);
        assert!(operators_named("+++").is_empty());
    }

    #[test]
    fn casts_have_context_and_method() {
        let cast = casts_from_to(oid::INT4, oid::INT8).unwrap();
        assert_eq!((cast.function, cast.context, cast.method), (481, CastContext::Implicit, CastMethod::Function));
        let cast = casts_from_to(oid::TEXT, oid::VARCHAR).unwrap();
        assert_eq!((cast.function, cast.method), (0, CastMethod::Binary));
        assert_eq!(casts_from_to(oid::INT8, oid::INT4).unwrap().context, CastContext::Assignment);
        assert!(casts_from_to(oid::BOOL, oid::DATE).is_none());
        assert!(casts_from(oid::INT4).iter().all(|cast| cast.source == oid::INT4));
    }

    #[test]
    fn functions_have_their_arguments() {
        assert_eq!(procs_named("upper").len(), 3);
        let variadic = procs_named("concat").first().unwrap();
        assert_eq!((variadic.variadic, variadic.strict), (oid::ANY, false));
        let settings = procs_named("jsonb_path_query").first().unwrap();
        assert_eq!((settings.arg_types.len(), settings.default_count), (4, 2));
        assert_eq!(settings.arg_defaults.as_deref(), Some("'{}'::jsonb, false"));
        assert!(settings.returns_set);
    }

    #[test]
    fn every_reference_between_facts_leads_somewhere() {
        for operator in operators() {
            assert!(operator.function == 0 || proc(operator.function).is_some(), "{operator:?}");
        }
        for cast in casts() {
            assert!(cast.function == 0 || proc(cast.function).is_some(), "{cast:?}");
        }
        for aggregate in aggregates() {
            assert_eq!(proc(aggregate.function).unwrap().kind, 'a');
        }
        assert_eq!(procs().iter().filter(|proc| proc.kind == 'a').count(), aggregates().len());
        assert_eq!(type_named("int4").unwrap().oid, oid::INT4);
    }
}
