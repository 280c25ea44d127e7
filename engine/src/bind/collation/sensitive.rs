//! Which functions and comparisons look at the collation of their operands, and what they become under one that orders by a locale.

use std::sync::Arc;

use aegis_catalog::types::oid;
use aegis_catalog::{Error, Oid, Result, Type, sqlstate};
use datafusion::scalar::ScalarValue;

use super::super::tree::{Expr, ExprKind};
use super::{
    Collations, Derived, Strength, collated, from_key, function, is_text, to_key, to_reversible_key, undetermined,
};
use crate::collation::{Collation, Operation};
use crate::functions::Function;

/// Comparisons of bytes (`byteaeq` …), by the ends of the names of those of texts.
const OF_BYTES: [(&str, Oid); 6] =
    [("eq", BYTES_EQUAL), ("ne", 1953), ("lt", BYTES_LESS), ("le", 1950), ("gt", 1951), ("ge", 1952)];
const BYTES_EQUAL: Oid = 1948;
const BYTES_LESS: Oid = 1949;

/// What a function does with texts.
enum Sensitivity {
    /// Compares two; the same of bytes.
    Compares {
        same: Oid,
        equality: bool,
    },
    ChangesCase(Operation),
    /// Looks for parts of a text, as messages call it.
    Searches(&'static str),
    /// Compares texts within arrays, or in a way that has no counterpart over keys.
    Within,
    NamesCollation,
    None,
}

fn comparison_of(name: &str) -> Option<(Oid, bool)> {
    let rest = ["text_", "text", "bpchar", "name"].iter().find_map(|ty| name.strip_prefix(ty))?;
    let end = rest.strip_suffix("text").or_else(|| rest.strip_suffix("name")).unwrap_or(rest);
    let (_, same) = OF_BYTES.iter().find(|(suffix, _)| *suffix == end)?;
    Some((*same, matches!(end, "eq" | "ne")))
}

fn sensitivity(function: &Function) -> Sensitivity {
    let name = function.name.as_str();
    let over_text = function.args.first() == Some(&oid::TEXT);
    if let Some((same, equality)) = comparison_of(name) {
        return Sensitivity::Compares { same, equality };
    }
    match name {
        "upper" if over_text => Sensitivity::ChangesCase(Operation::Upper),
        "lower" if over_text => Sensitivity::ChangesCase(Operation::Lower),
        "initcap" => Sensitivity::ChangesCase(Operation::Capitals),
        "textlike" | "textnlike" | "bpcharlike" | "bpcharnlike" | "namelike" | "namenlike" => {
            Sensitivity::Searches("LIKE")
        }
        "texticlike" | "texticnlike" | "bpchariclike" | "bpcharicnlike" | "nameiclike" | "nameicnlike" => {
            Sensitivity::Searches("ILIKE")
        }
        "strpos" | "position" | "replace" | "split_part" | "starts_with" if over_text => {
            Sensitivity::Searches("substring searches")
        }
        "substring" if function.args.get(1) == Some(&oid::TEXT) => Sensitivity::Searches("regular expressions"),
        _ if name.starts_with("regexp_") || name.ends_with("regexeq") || name.ends_with("regexne") => {
            Sensitivity::Searches("regular expressions")
        }
        "pg_collation_for" => Sensitivity::NamesCollation,
        "text_larger" | "text_smaller" | "bpchar_larger" | "bpchar_smaller" | "bttextcmp" | "bpcharcmp"
        | "array_lt" | "array_le" | "array_gt" | "array_ge" | "array_eq" | "array_ne" | "array_position"
        | "array_positions" | "array_remove" | "array_replace" | "arraycontains" | "arraycontained"
        | "arrayoverlap" => Sensitivity::Within,
        _ => Sensitivity::None,
    }
}

impl Collations<'_> {
    /// A call whose arguments are done.
    pub(super) fn call(&mut self, expr: &mut Expr, merged: Derived) -> Result<()> {
        let ExprKind::Call { function: called, args, .. } = &mut expr.kind else { return Ok(()) };
        match sensitivity(called) {
            Sensitivity::Compares { same, equality } => {
                let Some(collation) = self.comparing(merged)? else { return Ok(()) };
                if !(equality && collation.deterministic) {
                    *called = function(same)?;
                    args.iter_mut().for_each(|arg| to_key(arg, &collation));
                }
            }
            Sensitivity::ChangesCase(operation) => {
                let name = called.name.clone();
                let collation = self.required(merged, &format!("{name}() function"))?;
                if let (Some(collation), [arg]) = (collation, args.as_mut_slice()) {
                    let arg = std::mem::replace(arg, Expr { kind: ExprKind::Default, ..arg.clone() });
                    let (ty, span) = (expr.ty, expr.span);
                    *expr = Expr { span, ..arg };
                    collated(expr, operation, &collation, ty);
                }
            }
            Sensitivity::Searches(what) => {
                if self.by_locale(merged)?.is_some_and(|collation| !collation.deterministic) {
                    let message = format!("nondeterministic collations are not supported for {what}");
                    return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
                }
            }
            Sensitivity::Within => {
                let equality =
                    called.name.ends_with("_eq") || called.name.ends_with("_ne") || !called.name.contains('_');
                if let Some(collation) = self.by_locale(merged)?
                    && !(equality && collation.deterministic)
                {
                    return Err(Error::unsupported(format!("function {} under an ICU collation", called.name)));
                }
            }
            Sensitivity::NamesCollation => {
                if let Some(arg) = args.first()
                    && arg.ty.oid != oid::UNKNOWN
                    && self.of_type(arg.ty) == 0
                {
                    let message =
                        format!("collations are not supported by type {}", aegis_catalog::types::format_type(arg.ty));
                    return Err(Error::new(sqlstate::DATATYPE_MISMATCH, message));
                }
                let shown = merged.determined();
                let name = self.catalog.collation(shown).map(|_| self.shown_name(shown));
                let constant = ExprKind::Constant(ScalarValue::Utf8View(name));
                args.truncate(1);
                args.push(Expr { kind: constant, ty: Type::of(oid::TEXT), span: expr.span });
            }
            Sensitivity::None => {}
        }
        Ok(())
    }

    fn shown_name(&self, collation: Oid) -> String {
        let (schema, name) = self.catalog.collation(collation).unwrap_or_default();
        let quoted = aegis_catalog::definition::quote_identifier(name);
        match self.catalog.schema(schema).filter(|_| schema != aegis_catalog::fixed_oid::PG_CATALOG_SCHEMA) {
            Some(schema) => format!("{}.{quoted}", aegis_catalog::definition::quote_identifier(&schema.name)),
            None => quoted.into_owned(),
        }
    }

    /// The collation that a comparison goes by, if by a locale. 42P22 if none is determined.
    fn comparing(&mut self, merged: Derived) -> Result<Option<Arc<Collation>>> {
        self.required(merged, "string comparison")
    }

    fn required(&mut self, merged: Derived, what: &str) -> Result<Option<Arc<Collation>>> {
        match merged.strength {
            Strength::None | Strength::Conflict => Err(undetermined(what)),
            _ => self.by_locale(merged),
        }
    }

    /// What compares by syntax of its own.
    pub(super) fn comparison(&mut self, expr: &mut Expr) -> Result<Derived> {
        match &mut expr.kind {
            ExprKind::IsDistinct { equal, left, right, .. } => {
                let (l, r) = (self.expr(left)?, self.expr(right)?);
                let merged = self.merge(l, r)?;
                if let Some(collation) = self.unlike_bytes(equal, merged)? {
                    *equal = function(BYTES_EQUAL)?;
                    to_key(left, &collation);
                    to_key(right, &collation);
                }
                Ok(Derived::NONE)
            }
            ExprKind::NullIf { equal, left, right } => {
                let (l, r) = (self.expr(left)?, self.expr(right)?);
                let merged = self.merge(l, r)?;
                match self.unlike_bytes(equal, merged)? {
                    Some(_) => Err(Error::unsupported("NULLIF under a nondeterministic collation")),
                    None => Ok(merged),
                }
            }
            ExprKind::InList { equal, left, list, .. } => {
                let (l, r) = (self.expr(left)?, self.merged(list)?);
                let merged = self.merge(l, r)?;
                if let Some(collation) = self.unlike_bytes(equal, merged)? {
                    *equal = function(BYTES_EQUAL)?;
                    to_key(left, &collation);
                    list.iter_mut().for_each(|item| to_key(item, &collation));
                }
                Ok(Derived::NONE)
            }
            ExprKind::QuantifiedArray { function, left, array, .. } => {
                let (l, r) = (self.expr(left)?, self.expr(array)?);
                let merged = self.merge(l, r)?;
                if let Some((_, equality)) = comparison_of(&function.name)
                    && let Some(collation) = self.comparing(merged)?
                    && !(equality && collation.deterministic)
                {
                    return Err(Error::unsupported("ANY and ALL over an array under this collation"));
                }
                Ok(Derived::NONE)
            }
            ExprKind::Extreme { args, less, .. } => {
                let merged = self.merged(args)?;
                if comparison_of(&less.name).is_some()
                    && let Some(collation) = self.comparing(merged)?
                {
                    *less = function(BYTES_LESS)?;
                    args.iter_mut().for_each(|arg| to_reversible_key(arg, &collation));
                    from_key(expr, &collation);
                }
                Ok(merged)
            }
            ExprKind::RowCompare { equal, less, left, right, .. } => {
                for (at, (left, right)) in left.iter_mut().zip(right).enumerate() {
                    let (l, r) = (self.expr(left)?, self.expr(right)?);
                    let merged = self.merge(l, r)?;
                    if !is_text(left.ty, self.catalog) {
                        continue;
                    }
                    let Some(collation) = self.comparing(merged)? else { continue };
                    if let Some(equal) = equal.get_mut(at) {
                        *equal = function(BYTES_EQUAL)?;
                    }
                    if let Some(less) = less.get_mut(at) {
                        *less = function(BYTES_LESS)?;
                    }
                    to_key(left, &collation);
                    to_key(right, &collation);
                }
                Ok(Derived::NONE)
            }
            _ => Err(Error::internal("not a comparison")),
        }
    }

    /// The collation of an equality of texts for which equal texts may be different bytes.
    fn unlike_bytes(&mut self, equal: &Function, merged: Derived) -> Result<Option<Arc<Collation>>> {
        match comparison_of(&equal.name) {
            Some(_) => Ok(self.comparing(merged)?.filter(|collation| !collation.deterministic)),
            None => Ok(None),
        }
    }
}
