//! SQL of a body, bound to the variables that it names, and kept until it must be bound anew.

use std::fmt;
use std::sync::Arc;

use aegis_engine::extension::{Error, Fragment, Result, Type, Value, Variable, Variables, sqlstate};
use parking_lot::Mutex;

use crate::ast::{DatumId, Scope};
use crate::value::{Shape, Slot};

/// What an expression keeps between runs.
#[derive(Default)]
pub struct Kept(pub Option<Arc<Ready>>);

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "kept" } else { "nothing" })
    }
}

/// A bound fragment, and what it was bound for.
pub struct Ready {
    pub fragment: Fragment,
    pub target: Option<Type>,
    /// The records that it names, as they were.
    pub shapes: Vec<(DatumId, Arc<Shape>)>,
    /// The whole types of scalars that take theirs from a value.
    pub types: Vec<(DatumId, Type)>,
}

impl Ready {
    pub fn fits(&self, target: Option<Type>, slots: &[Slot]) -> bool {
        let same = |(datum, shape): &(DatumId, Arc<Shape>)| match slots.get(*datum) {
            Some(Slot::Record { shape: Some(now), .. }) => Arc::ptr_eq(now, shape) || now == shape,
            _ => false,
        };
        let typed =
            |(datum, ty): &(DatumId, Type)| matches!(slots.get(*datum), Some(Slot::Scalar(now)) if now.ty() == *ty);
        self.target == target && self.shapes.iter().all(same) && self.types.iter().all(typed)
    }
}

/// The variables in sight of a fragment.
pub struct View<'a> {
    pub scope: &'a Scope,
    pub slots: &'a [Slot],
    pub names: &'a (dyn Fn(DatumId) -> String + Send + Sync),
    pub used: Mutex<Vec<(DatumId, Arc<Shape>)>>,
    pub typed: Mutex<Vec<(DatumId, Type)>>,
}

/// The number of a whole variable, or of a field.
fn number(datum: DatumId, field: Option<usize>) -> u64 {
    (datum as u64) << 16 | field.map_or(0, |field| field as u64 + 1)
}

/// The value of a slot.
pub fn value_of(slot: u64, slots: &[Slot]) -> Result<Value> {
    let lost = || Error::internal("a variable without a value");
    let datum = slots.get((slot >> 16) as usize).ok_or_else(lost)?;
    match (datum, (slot & 0xffff) as usize) {
        (Slot::Scalar(value), 0) => Ok(value.clone()),
        (Slot::Record { whole: Some(value), .. }, 0) => Ok(value.clone()),
        (Slot::Record { values, .. }, field) => {
            field.checked_sub(1).and_then(|field| values.get(field)).cloned().ok_or_else(lost)
        }
        _ => Err(lost()),
    }
}

impl Variables for View<'_> {
    fn named(&self, parts: &[&str], strict: bool) -> Result<Option<Variable>> {
        let Some((datum, used)) = self.scope.lookup(parts) else { return Ok(None) };
        let rest = parts.get(used..).unwrap_or_default();
        let name = || (self.names)(datum);
        match self.slots.get(datum) {
            Some(Slot::Scalar(value)) if rest.is_empty() => {
                self.typed.lock().push((datum, value.ty()));
                Ok(Some(Variable::Value { slot: number(datum, None), ty: value.ty() }))
            }
            Some(Slot::Record { shape: None, .. }) if rest.len() < 2 => match strict {
                true => Err(unassigned(&name())),
                false => Ok(None),
            },
            Some(Slot::Record { shape: Some(shape), whole, .. }) => {
                self.used.lock().push((datum, Arc::clone(shape)));
                let field = |index: usize, (name, ty): &(String, Type)| (name.clone(), *ty, number(datum, Some(index)));
                match rest {
                    [] if whole.is_some() => Ok(Some(Variable::Value { slot: number(datum, None), ty: shape.ty })),
                    [] => {
                        let fields = shape.columns.iter().enumerate().map(|(index, column)| field(index, column));
                        Ok(Some(Variable::Record(fields.collect())))
                    }
                    [wanted] => match shape.columns.iter().position(|(known, _)| known == wanted) {
                        Some(index) => {
                            let ty = shape.columns[index].1;
                            Ok(Some(Variable::Value { slot: number(datum, Some(index)), ty }))
                        }
                        None if strict => {
                            let message = format!("record \"{}\" has no field \"{wanted}\"", name());
                            Err(Error::new(sqlstate::UNDEFINED_COLUMN, message))
                        }
                        None => Ok(None),
                    },
                    _ => Ok(None),
                }
            }
            _ => Ok(None),
        }
    }
}

pub fn unassigned(name: &str) -> Error {
    Error::new(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, format!("record \"{name}\" is not assigned yet"))
        .with_detail("The tuple structure of a not-yet-assigned record is indeterminate.")
}
