//! Types of extensions that values travel in a form of their own for, and the operators and casts of these types. In a database they exist as long as
//! the extension, which makes the types (`Catalog::user_type`) and their functions; the latter are found by name. OIDs count from fixed numbers:
//! rows are only ever added behind the others.

use std::borrow::Cow;
use std::sync::LazyLock;

use crate::Catalog;
use crate::facts::{CastContext, CastMethod, CastRow, OperatorRow};
use crate::fixed_oid::{BOOTSTRAP_SUPERUSER, PG_CATALOG_SCHEMA};
use crate::types::oid::{self, Oid};

const FIRST_OPERATOR: Oid = 15_100;
const FIRST_CAST: Oid = 15_500;

/// The operator class of btree for citext: keys of unique indexes that have it differ in more than case.
pub const CITEXT_OPS: Oid = 15_901;

/// OIDs of types, operators and casts of extensions.
const OIDS: std::ops::Range<Oid> = 15_000..16_000;

/// True for objects that no database can be without.
pub fn is_permanent(object: Oid) -> bool {
    object < crate::fixed_oid::FIRST_NORMAL && !OIDS.contains(&object)
}

/// True for types that users make, or extensions.
pub fn is_made(ty: Oid) -> bool {
    !is_permanent(ty)
}

/// An operator whose function is found by its name, in the schema of `owner`.
#[derive(Debug)]
pub struct ExtensionOperator {
    /// The type that it belongs to.
    pub owner: Oid,
    pub row: OperatorRow,
    pub function: &'static str,
}

impl ExtensionOperator {
    /// The function as the extension has made it in this database.
    pub fn function_in(&self, catalog: &Catalog) -> Option<Oid> {
        let operands = [self.row.left, self.row.right];
        let args = if self.row.left == 0 { &operands[1..] } else { &operands[..] };
        catalog.extension_function(self.owner, self.function, args)
    }
}

#[derive(Debug)]
pub struct ExtensionCast {
    pub owner: Oid,
    pub row: CastRow,
    /// The function's name, if it is one.
    pub function: Option<&'static str>,
}

/// Type, symbol, left operand, right operand, result, function, commutator, negator.
type OperatorFact = (Oid, &'static str, Oid, Oid, Oid, &'static str, &'static str, &'static str);

const CITEXT: Oid = oid::CITEXT;
const HSTORE: Oid = oid::HSTORE;
const TEXT: Oid = oid::TEXT;
const TEXTS: Oid = oid::TEXT_ARRAY;
const BOOL: Oid = oid::BOOL;

#[rustfmt::skip]
const OPERATORS: &[OperatorFact] = &[
    (CITEXT, "=", CITEXT, CITEXT, BOOL, "citext_eq", "=", "<>"),
    (CITEXT, "<>", CITEXT, CITEXT, BOOL, "citext_ne", "<>", "="),
    (CITEXT, "<", CITEXT, CITEXT, BOOL, "citext_lt", ">", ">="),
    (CITEXT, "<=", CITEXT, CITEXT, BOOL, "citext_le", ">=", ">"),
    (CITEXT, ">=", CITEXT, CITEXT, BOOL, "citext_ge", "<=", "<"),
    (CITEXT, ">", CITEXT, CITEXT, BOOL, "citext_gt", "<", "<="),
    (CITEXT, "~", CITEXT, CITEXT, BOOL, "texticregexeq", "", "!~"),
    (CITEXT, "~*", CITEXT, CITEXT, BOOL, "texticregexeq", "", "!~*"),
    (CITEXT, "!~", CITEXT, CITEXT, BOOL, "texticregexne", "", "~"),
    (CITEXT, "!~*", CITEXT, CITEXT, BOOL, "texticregexne", "", "~*"),
    (CITEXT, "~~", CITEXT, CITEXT, BOOL, "texticlike", "", "!~~"),
    (CITEXT, "~~*", CITEXT, CITEXT, BOOL, "texticlike", "", "!~~*"),
    (CITEXT, "!~~", CITEXT, CITEXT, BOOL, "texticnlike", "", "~~"),
    (CITEXT, "!~~*", CITEXT, CITEXT, BOOL, "texticnlike", "", "~~*"),
    (CITEXT, "~", CITEXT, TEXT, BOOL, "texticregexeq", "", "!~"),
    (CITEXT, "~*", CITEXT, TEXT, BOOL, "texticregexeq", "", "!~*"),
    (CITEXT, "!~", CITEXT, TEXT, BOOL, "texticregexne", "", "~"),
    (CITEXT, "!~*", CITEXT, TEXT, BOOL, "texticregexne", "", "~*"),
    (CITEXT, "~~", CITEXT, TEXT, BOOL, "texticlike", "", "!~~"),
    (CITEXT, "~~*", CITEXT, TEXT, BOOL, "texticlike", "", "!~~*"),
    (CITEXT, "!~~", CITEXT, TEXT, BOOL, "texticnlike", "", "~~"),
    (CITEXT, "!~~*", CITEXT, TEXT, BOOL, "texticnlike", "", "~~*"),
    (HSTORE, "->", HSTORE, TEXT, TEXT, "fetchval", "", ""),
    (HSTORE, "->", HSTORE, TEXTS, TEXTS, "slice_array", "", ""),
    (HSTORE, "?", HSTORE, TEXT, BOOL, "exist", "", ""),
    (HSTORE, "?|", HSTORE, TEXTS, BOOL, "exists_any", "", ""),
    (HSTORE, "?&", HSTORE, TEXTS, BOOL, "exists_all", "", ""),
    (HSTORE, "-", HSTORE, TEXT, HSTORE, "delete", "", ""),
    (HSTORE, "-", HSTORE, TEXTS, HSTORE, "delete", "", ""),
    (HSTORE, "-", HSTORE, HSTORE, HSTORE, "delete", "", ""),
    (HSTORE, "||", HSTORE, HSTORE, HSTORE, "hs_concat", "", ""),
    (HSTORE, "@>", HSTORE, HSTORE, BOOL, "hs_contains", "<@", ""),
    (HSTORE, "<@", HSTORE, HSTORE, BOOL, "hs_contained", "@>", ""),
    (HSTORE, "%%", 0, HSTORE, TEXTS, "hstore_to_array", "", ""),
    (HSTORE, "%#", 0, HSTORE, TEXTS, "hstore_to_matrix", "", ""),
    (HSTORE, "=", HSTORE, HSTORE, BOOL, "hstore_eq", "=", "<>"),
    (HSTORE, "<>", HSTORE, HSTORE, BOOL, "hstore_ne", "<>", "="),
];

#[rustfmt::skip]
const CASTS: &[(Oid, Oid, Oid, CastContext, Option<&str>)] = &[
    (CITEXT, CITEXT, TEXT, CastContext::Implicit, None),
    (CITEXT, CITEXT, oid::VARCHAR, CastContext::Implicit, None),
    (CITEXT, CITEXT, oid::BPCHAR, CastContext::Assignment, None),
    (CITEXT, TEXT, CITEXT, CastContext::Assignment, None),
    (CITEXT, oid::VARCHAR, CITEXT, CastContext::Assignment, None),
    (CITEXT, oid::BPCHAR, CITEXT, CastContext::Assignment, Some("citext")),
    (CITEXT, BOOL, CITEXT, CastContext::Assignment, Some("citext")),
    (CITEXT, oid::INET, CITEXT, CastContext::Assignment, Some("citext")),
    (HSTORE, TEXTS, HSTORE, CastContext::Explicit, Some("hstore")),
    (HSTORE, HSTORE, oid::JSON, CastContext::Explicit, Some("hstore_to_json")),
    (HSTORE, HSTORE, oid::JSONB, CastContext::Explicit, Some("hstore_to_jsonb")),
];

static OPERATOR_ROWS: LazyLock<Vec<ExtensionOperator>> = LazyLock::new(|| {
    let numbered = || (FIRST_OPERATOR..).zip(OPERATORS);
    let other = |symbol: &str, left: Oid, right: Oid| {
        let mut all = numbered();
        let found = all.find(|(_, fact)| !symbol.is_empty() && (fact.1, fact.2, fact.3) == (symbol, left, right));
        found.map_or(0, |(number, _)| number)
    };
    let row = |(number, &(owner, name, left, right, result, function, commutator, negator)): (Oid, &OperatorFact)| {
        let is_equality = name == "=";
        let row = OperatorRow {
            oid: number,
            name: Cow::Borrowed(name),
            schema: PG_CATALOG_SCHEMA,
            owner: BOOTSTRAP_SUPERUSER,
            kind: if left == 0 { 'l' } else { 'b' },
            can_merge: is_equality,
            can_hash: is_equality,
            left,
            right,
            result,
            commutator: other(commutator, right, left),
            negator: other(negator, left, right),
            function: 0,
            restrict_selectivity: 0,
            join_selectivity: 0,
        };
        ExtensionOperator { owner, row, function }
    };
    numbered().map(row).collect()
});

static CAST_ROWS: LazyLock<Vec<ExtensionCast>> = LazyLock::new(|| {
    let row = |(number, &(owner, source, target, context, function)): (
        Oid,
        &(Oid, Oid, Oid, CastContext, Option<&'static str>),
    )| {
        let method = if function.is_some() { CastMethod::Function } else { CastMethod::Binary };
        let row = CastRow { oid: number, source, target, function: 0, context, method };
        ExtensionCast { owner, row, function }
    };
    (FIRST_CAST..).zip(CASTS).map(row).collect()
});

/// All operators, of extensions that are there or not.
pub fn operators() -> &'static [ExtensionOperator] {
    &OPERATOR_ROWS
}

pub fn operator(number: Oid) -> Option<&'static ExtensionOperator> {
    OPERATOR_ROWS.get(usize::try_from(number.checked_sub(FIRST_OPERATOR)?).ok()?)
}

pub fn casts() -> &'static [ExtensionCast] {
    &CAST_ROWS
}

/// The cast between two types, one of which is an extension's.
pub fn cast(source: Oid, target: Oid) -> Option<&'static ExtensionCast> {
    if !OIDS.contains(&source) && !OIDS.contains(&target) {
        return None;
    }
    CAST_ROWS.iter().find(|cast| (cast.row.source, cast.row.target) == (source, target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_know_each_other() {
        let less = operator(FIRST_OPERATOR + 2).unwrap();
        assert_eq!(
            (&*less.row.name, less.row.commutator, less.row.negator),
            ("<", FIRST_OPERATOR + 5, FIRST_OPERATOR + 4)
        );
        let contains = operators().iter().find(|of| of.row.name == "@>").unwrap();
        assert_eq!(&*operator(contains.row.commutator).unwrap().row.name, "<@");
        assert!(operator(1).is_none() && cast(oid::TEXT, oid::VARCHAR).is_none());
        assert_eq!(cast(oid::TEXT_ARRAY, oid::HSTORE).unwrap().function, Some("hstore"));
    }
}
