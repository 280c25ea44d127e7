//! Functions over `anyelement`, `anyarray`, `anycompatible` … (manual, "Polymorphic Types"; parse_coerce.c).

use aegis_catalog::types::oid;
use aegis_catalog::{Error, Oid, Result, sqlstate};

use super::Binder;
use super::coerce::Context;
use super::types::{is_any_family, is_anycompatible_family, is_polymorphic};
use crate::parse::ast::Span;

impl Binder<'_> {
    /// `check_generic_type_consistency`: whether the actual types fit the polymorphic ones among the declared.
    pub(super) fn generic_types_consistent(&self, actual: &[Oid], declared: &[Oid]) -> bool {
        let (mut element, mut array) = (None, None);
        let (mut no_array, mut compatible_no_array) = (false, false);
        let mut compatible = Vec::new();
        for (&actual, &declared) in actual.iter().zip(declared) {
            no_array |= declared == oid::ANYNONARRAY;
            compatible_no_array |= declared == oid::ANYCOMPATIBLENONARRAY;
            if actual == oid::UNKNOWN {
                continue;
            }
            match declared {
                oid::ANYELEMENT | oid::ANYNONARRAY | oid::ANYENUM => {
                    if *element.get_or_insert(actual) != actual {
                        return false;
                    }
                    if declared == oid::ANYENUM && self.category(actual).0 != 'E' {
                        return false;
                    }
                }
                oid::ANYARRAY => {
                    if *array.get_or_insert(actual) != actual {
                        return false;
                    }
                }
                oid::ANYCOMPATIBLE | oid::ANYCOMPATIBLENONARRAY => compatible.push((actual, Span::default())),
                oid::ANYCOMPATIBLEARRAY => match self.element_of(actual) {
                    Some(element) => compatible.push((element, Span::default())),
                    None => return false,
                },
                declared if is_polymorphic(declared) => return self.is_range_for(actual, declared),
                _ => {}
            }
        }
        if let Some(array) = array.filter(|&array| array != oid::ANYARRAY) {
            match self.element_of(array) {
                Some(of_array) if element.is_none_or(|element| element == of_array) => element = Some(of_array),
                _ => return false,
            }
        }
        if no_array && element.is_some_and(|element| self.element_of(element).is_some()) {
            return false;
        }
        if compatible.is_empty() {
            return true;
        }
        let Ok(common) = self.try_common_type(&compatible) else { return false };
        compatible.iter().all(|&(ty, _)| self.can_coerce(&[ty], &[common], Context::Implicit))
            && !(compatible_no_array && self.element_of(common).is_some())
    }

    fn is_range_for(&self, actual: Oid, declared: Oid) -> bool {
        let kind = aegis_catalog::types::type_info(actual).map(|info| info.kind);
        match declared {
            oid::ANYRANGE | oid::ANYCOMPATIBLERANGE => kind == Some('r'),
            _ => kind == Some('m'),
        }
    }

    /// `enforce_generic_type_consistency`: replaces the polymorphic types in `declared` by concrete ones and returns the result type.
    pub(super) fn resolve_generic(&self, actual: &[Oid], declared: &mut [Oid], result: Oid, span: Span) -> Result<Oid> {
        if !declared.iter().any(|&ty| is_polymorphic(ty)) {
            return Ok(result);
        }
        let any = self.resolve_any(actual, declared).map_err(|error| error.at(span.start))?;
        let compatible = self.resolve_compatible(actual, declared).map_err(|error| error.at(span.start))?;
        let array_over = |element: Oid| {
            self.array_of(element).ok_or_else(|| {
                let message = format!("could not find array type for data type {}", self.oid_name(element));
                Error::new(sqlstate::UNDEFINED_OBJECT, message).at(span.start)
            })
        };
        let concrete = |ty: Oid| -> Result<Oid> {
            let missing = || Error::internal("polymorphic result without a polymorphic argument");
            Ok(match ty {
                oid::ANYELEMENT | oid::ANYNONARRAY | oid::ANYENUM => any.ok_or_else(missing)?.0,
                oid::ANYARRAY => match any.ok_or_else(missing)? {
                    (_, Some(array)) => array,
                    (element, None) => array_over(element)?,
                },
                oid::ANYCOMPATIBLE | oid::ANYCOMPATIBLENONARRAY => compatible.ok_or_else(missing)?,
                oid::ANYCOMPATIBLEARRAY => array_over(compatible.ok_or_else(missing)?)?,
                ty if is_polymorphic(ty) => return Err(Error::unsupported("range types")),
                ty => ty,
            })
        };
        for slot in declared.iter_mut() {
            *slot = concrete(*slot)?;
        }
        concrete(result)
    }

    /// Element type of the `anyelement` family and, if told, its array type.
    fn resolve_any(&self, actual: &[Oid], declared: &[Oid]) -> Result<Option<(Oid, Option<Oid>)>> {
        if !declared.iter().any(|&ty| is_any_family(ty)) {
            return Ok(None);
        }
        let (mut element, mut array) = (None, None);
        for (&actual, &declared) in actual.iter().zip(declared) {
            if actual == oid::UNKNOWN {
                continue;
            }
            let slot = match declared {
                oid::ANYELEMENT | oid::ANYNONARRAY | oid::ANYENUM => &mut element,
                oid::ANYARRAY => &mut array,
                _ => continue,
            };
            let first = *slot.get_or_insert(actual);
            if first != actual {
                let name = self.oid_name(if declared == oid::ANYARRAY { oid::ANYARRAY } else { oid::ANYELEMENT });
                let message = format!("arguments declared \"{name}\" are not all alike");
                let detail = format!("{} versus {}", self.oid_name(first), self.oid_name(actual));
                return Err(Error::new(sqlstate::DATATYPE_MISMATCH, message).with_detail(detail));
            }
        }
        if let Some(array) = array {
            if array == oid::ANYARRAY {
                return Ok(Some((element.unwrap_or(oid::ANYELEMENT), Some(array))));
            }
            let of_array = self.element_of(array).ok_or_else(|| {
                let message =
                    format!("argument declared {} is not an array but type {}", "anyarray", self.oid_name(array));
                Error::new(sqlstate::DATATYPE_MISMATCH, message)
            })?;
            if element.is_some_and(|element| element != of_array) {
                let message = "argument declared anyarray is not consistent with argument declared anyelement";
                let detail = format!("{} versus {}", self.oid_name(array), self.oid_name(element.unwrap_or_default()));
                return Err(Error::new(sqlstate::DATATYPE_MISMATCH, message).with_detail(detail));
            }
            element = Some(of_array);
        }
        let element = element.ok_or_else(|| {
            let message = "could not determine polymorphic type because input has type unknown";
            Error::new(sqlstate::DATATYPE_MISMATCH, message)
        })?;
        if declared.contains(&oid::ANYNONARRAY) && self.element_of(element).is_some() {
            let message = format!("type matched to anynonarray is an array type: {}", self.oid_name(element));
            return Err(Error::new(sqlstate::DATATYPE_MISMATCH, message));
        }
        Ok(Some((element, array)))
    }

    fn resolve_compatible(&self, actual: &[Oid], declared: &[Oid]) -> Result<Option<Oid>> {
        if !declared.iter().any(|&ty| is_anycompatible_family(ty)) {
            return Ok(None);
        }
        let mut types = Vec::new();
        for (&actual, &declared) in actual.iter().zip(declared) {
            match declared {
                _ if actual == oid::UNKNOWN => {}
                oid::ANYCOMPATIBLE | oid::ANYCOMPATIBLENONARRAY => types.push((actual, Span::default())),
                oid::ANYCOMPATIBLEARRAY => {
                    let element = self.element_of(actual).ok_or_else(|| {
                        let message = format!(
                            "argument declared anycompatiblearray is not an array but type {}",
                            self.oid_name(actual)
                        );
                        Error::new(sqlstate::DATATYPE_MISMATCH, message)
                    })?;
                    types.push((element, Span::default()));
                }
                _ => {}
            }
        }
        let common = self.common_type(&types, "arguments of anycompatible family")?;
        for &(ty, _) in &types {
            if !self.can_coerce(&[ty], &[common], Context::Implicit) {
                let message = "arguments of anycompatible family cannot be cast to a common type";
                return Err(Error::new(sqlstate::DATATYPE_MISMATCH, message));
            }
        }
        Ok(Some(common))
    }
}
