//! Functions over `anyelement`, `anyarray`, `anyrange`, `anycompatible` … (manual, "Polymorphic Types"; parse_coerce.c).

use aegis_catalog::types::{oid, range};
use aegis_catalog::{Error, Oid, Result, sqlstate};

use super::Binder;
use super::coerce::Context;
use super::types::{is_any_family, is_anycompatible_family, is_polymorphic};
use crate::parse::ast::Span;

/// What the arguments say about the types that `anyelement`, `anyarray`, `anyrange` and `anymultirange` stand for, or about those of the
/// `anycompatible` family.
#[derive(Debug, Default)]
struct Family {
    element: Option<Oid>,
    array: Option<Oid>,
    range: Option<Oid>,
    multirange: Option<Oid>,
}

fn mismatch(message: String) -> Error {
    Error::new(sqlstate::DATATYPE_MISMATCH, message)
}

impl Binder<'_> {
    /// `check_generic_type_consistency`: whether the actual types fit the polymorphic ones among the declared.
    pub(super) fn generic_types_consistent(&self, actual: &[Oid], declared: &[Oid]) -> bool {
        self.infer_any(actual, declared).is_ok() && self.infer_compatible(actual, declared).is_ok()
    }

    /// `enforce_generic_type_consistency`: replaces the polymorphic types in `declared` by concrete ones and returns the result type.
    pub(super) fn resolve_generic(&self, actual: &[Oid], declared: &mut [Oid], result: Oid, span: Span) -> Result<Oid> {
        if !declared.iter().any(|&ty| is_polymorphic(ty)) {
            return Ok(result);
        }
        let resolve = || -> Result<(Family, Family)> {
            let mut any = self.infer_any(actual, declared)?;
            if any.element.is_none() && declared.iter().any(|&ty| is_any_family(ty)) {
                let message = "could not determine polymorphic type because input has type unknown";
                return Err(mismatch(message.into()));
            }
            any.array = any.array.or_else(|| self.array_of(any.element?));
            Ok((any, self.infer_compatible(actual, declared)?))
        };
        let (any, compatible) = resolve().map_err(|error| error.at(span.start))?;
        let concrete = |ty: Oid| self.concrete(ty, &any, &compatible).map_err(|error| error.at(span.start));
        for slot in declared.iter_mut() {
            *slot = concrete(*slot)?;
        }
        concrete(result)
    }

    /// As [`Self::resolve_generic`] where the actual types may be polymorphic themselves (`allow_poly`): what is declared with the
    /// same word as it is given tells nothing new, and stays as it is.
    pub(super) fn resolve_declared(&self, actual: &[Oid], declared: &mut [Oid], result: Oid) -> Result<Oid> {
        let families = declared.iter().filter(|&&ty| is_any_family(ty)).count();
        let told = |position: usize| actual.get(position).zip(declared.get(position)).filter(|(a, d)| a != d);
        let (from, to): (Vec<Oid>, Vec<Oid>) = (0..declared.len()).filter_map(told).unzip();
        let mut any = self.infer_any(&from, &to)?;
        let mut compatible = self.infer_compatible(&from, &to)?;
        if any.array == Some(oid::ANYARRAY) && (families != 1 || result != oid::ANYARRAY && is_any_family(result)) {
            return Err(mismatch("cannot determine element type of \"anyarray\" argument".into()));
        }
        if any.element.is_none() {
            any = Family {
                element: Some(oid::ANYELEMENT),
                array: Some(oid::ANYARRAY),
                range: Some(any.range.unwrap_or(oid::ANYRANGE)),
                multirange: Some(any.multirange.unwrap_or(oid::ANYMULTIRANGE)),
            };
        }
        any.array = any.array.or_else(|| self.array_of(any.element?));
        if compatible.element.is_none() {
            compatible = Family {
                element: Some(oid::ANYCOMPATIBLE),
                array: Some(oid::ANYCOMPATIBLEARRAY),
                range: Some(compatible.range.unwrap_or(oid::ANYCOMPATIBLERANGE)),
                multirange: Some(compatible.multirange.unwrap_or(oid::ANYCOMPATIBLEMULTIRANGE)),
            };
        }
        for (slot, &actual) in declared.iter_mut().zip(actual) {
            if *slot != actual {
                *slot = self.concrete(*slot, &any, &compatible)?;
            }
        }
        self.concrete(result, &any, &compatible)
    }

    fn concrete(&self, ty: Oid, any: &Family, compatible: &Family) -> Result<Oid> {
        let missing = || Error::internal("polymorphic result without a polymorphic argument");
        let unknown = || {
            let name = self.oid_name(ty);
            mismatch(format!("could not determine polymorphic type {name} because input has type unknown"))
        };
        let no_array = |family: &Family| {
            let element = self.oid_name(family.element.unwrap_or_default());
            Error::new(sqlstate::UNDEFINED_OBJECT, format!("could not find array type for data type {element}"))
        };
        Ok(match ty {
            oid::ANYELEMENT | oid::ANYNONARRAY | oid::ANYENUM => any.element.ok_or_else(missing)?,
            oid::ANYARRAY => any.array.ok_or_else(|| no_array(any))?,
            oid::ANYRANGE => any.range.ok_or_else(unknown)?,
            oid::ANYMULTIRANGE => any.multirange.ok_or_else(unknown)?,
            oid::ANYCOMPATIBLE | oid::ANYCOMPATIBLENONARRAY => compatible.element.ok_or_else(missing)?,
            oid::ANYCOMPATIBLEARRAY => {
                let element = compatible.element.ok_or_else(missing)?;
                if element == oid::ANYCOMPATIBLE {
                    return Ok(oid::ANYCOMPATIBLEARRAY);
                }
                self.array_of(element).ok_or_else(|| no_array(compatible))?
            }
            oid::ANYCOMPATIBLERANGE => compatible.range.ok_or_else(unknown)?,
            oid::ANYCOMPATIBLEMULTIRANGE => compatible.multirange.ok_or_else(unknown)?,
            ty => ty,
        })
    }

    /// Sets a slot, or compares with what it holds.
    fn same(&self, slot: &mut Option<Oid>, actual: Oid, declared: Oid) -> Result<()> {
        let first = *slot.get_or_insert(actual);
        if first == actual {
            return Ok(());
        }
        let message = format!("arguments declared \"{}\" are not all alike", self.oid_name(declared));
        Err(mismatch(message).with_detail(format!("{} versus {}", self.oid_name(first), self.oid_name(actual))))
    }

    /// The family of `anyelement`. Nothing is known of it if all its arguments are literals.
    fn infer_any(&self, actual: &[Oid], declared: &[Oid]) -> Result<Family> {
        let mut family = Family::default();
        for (&actual, &declared) in actual.iter().zip(declared).filter(|(actual, _)| **actual != oid::UNKNOWN) {
            match declared {
                oid::ANYELEMENT | oid::ANYNONARRAY | oid::ANYENUM => {
                    self.same(&mut family.element, actual, oid::ANYELEMENT)?;
                }
                oid::ANYARRAY => self.same(&mut family.array, self.base(actual), declared)?,
                oid::ANYRANGE => self.same(&mut family.range, self.base(actual), declared)?,
                oid::ANYMULTIRANGE => self.same(&mut family.multirange, self.base(actual), declared)?,
                _ => {}
            }
        }
        if family.array == Some(oid::ANYARRAY) {
            family.element.get_or_insert(oid::ANYELEMENT);
            return Ok(family);
        }
        if let Some(array) = family.array {
            let element = self.element_of(array).ok_or_else(|| {
                mismatch(format!("argument declared anyarray is not an array but type {}", self.oid_name(array)))
            })?;
            self.consistent(&mut family.element, element, array, "anyarray")?;
        }
        self.infer_ranges(&mut family, ["anyrange", "anymultirange"])?;
        if let Some(range) = family.range.and_then(|range| range::range_type(range, &*self.catalog)) {
            self.consistent(&mut family.element, range.element, range.range, "anyrange")?;
        }
        if let Some(element) = family.element {
            self.check_element(element, declared)?;
        }
        Ok(family)
    }

    fn check_element(&self, element: Oid, declared: &[Oid]) -> Result<()> {
        if declared.contains(&oid::ANYNONARRAY) && self.element_of(element).is_some() {
            let message = format!("type matched to anynonarray is an array type: {}", self.oid_name(element));
            return Err(mismatch(message));
        }
        if declared.contains(&oid::ANYENUM) && self.category(element).0 != 'E' {
            let message = format!("type matched to anyenum is not an enum type: {}", self.oid_name(element));
            return Err(mismatch(message));
        }
        Ok(())
    }

    /// Sets the element type that a container has, or compares it with the one that is known.
    fn consistent(&self, slot: &mut Option<Oid>, element: Oid, container: Oid, declared: &str) -> Result<()> {
        let known = *slot.get_or_insert(element);
        if known == element {
            return Ok(());
        }
        let message = format!("argument declared {declared} is not consistent with argument declared anyelement");
        Err(mismatch(message).with_detail(format!("{} versus {}", self.oid_name(container), self.oid_name(known))))
    }

    /// A range type and its multirange type tell each other.
    fn infer_ranges(&self, family: &mut Family, [range_name, multirange_name]: [&str; 2]) -> Result<()> {
        if let Some(multirange) = family.multirange {
            let ty = range::multirange_type(multirange, &*self.catalog).ok_or_else(|| {
                let actual = self.oid_name(multirange);
                mismatch(format!("argument declared {multirange_name} is not a multirange type but type {actual}"))
            })?;
            let known = *family.range.get_or_insert(ty.range);
            if known != ty.range {
                let message = format!(
                    "argument declared {multirange_name} is not consistent with argument declared {range_name}"
                );
                let detail = format!("{} versus {}", self.oid_name(multirange), self.oid_name(known));
                return Err(mismatch(message).with_detail(detail));
            }
        }
        if let Some(range) = family.range {
            let ty = range::range_type(range, &*self.catalog).ok_or_else(|| {
                let actual = self.oid_name(range);
                mismatch(format!("argument declared {range_name} is not a range type but type {actual}"))
            })?;
            family.multirange.get_or_insert(ty.multirange);
        }
        Ok(())
    }

    fn infer_compatible(&self, actual: &[Oid], declared: &[Oid]) -> Result<Family> {
        let mut family = Family::default();
        if !declared.iter().any(|&ty| is_anycompatible_family(ty)) {
            return Ok(family);
        }
        let mut types = Vec::new();
        for (&actual, &declared) in actual.iter().zip(declared).filter(|(actual, _)| **actual != oid::UNKNOWN) {
            match declared {
                oid::ANYCOMPATIBLE | oid::ANYCOMPATIBLENONARRAY => types.push((actual, Span::default())),
                oid::ANYCOMPATIBLEARRAY => {
                    let element = self.element_of(actual).ok_or_else(|| {
                        let actual = self.oid_name(actual);
                        mismatch(format!("argument declared anycompatiblearray is not an array but type {actual}"))
                    })?;
                    types.push((element, Span::default()));
                }
                oid::ANYCOMPATIBLERANGE => self.same(&mut family.range, self.base(actual), declared)?,
                oid::ANYCOMPATIBLEMULTIRANGE => self.same(&mut family.multirange, self.base(actual), declared)?,
                _ => {}
            }
        }
        self.infer_ranges(&mut family, ["anycompatiblerange", "anycompatiblemultirange"])?;
        let range_of = |range| range::range_type(range, &*self.catalog);
        let subtype = family.range.and_then(range_of).map(|range| range.element);
        types.extend(subtype.map(|subtype| (subtype, Span::default())));
        let common = self.common_type(&types, "arguments of anycompatible family")?;
        for &(ty, _) in &types {
            if !self.can_coerce(&[ty], &[common], Context::Implicit) {
                let message = "arguments of anycompatible family cannot be cast to a common type";
                return Err(mismatch(message.into()));
            }
        }
        if declared.contains(&oid::ANYCOMPATIBLENONARRAY) && self.element_of(common).is_some() {
            let actual = self.oid_name(common);
            return Err(mismatch(format!("type matched to anycompatiblenonarray is an array type: {actual}")));
        }
        if let (Some(range), Some(subtype)) = (family.range, subtype)
            && subtype != common
        {
            let (range, common) = (self.oid_name(range), self.oid_name(common));
            let message = format!("anycompatiblerange type {range} does not match anycompatible type {common}");
            return Err(mismatch(message));
        }
        family.element = Some(common);
        Ok(family)
    }
}
