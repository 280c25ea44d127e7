//! The constraints of domains, on columns of values.

use aegis_catalog::types::ArrayColumn;
use aegis_catalog::{Error, Result, sqlstate};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{filter, is_not_null};

use super::error::from_arrow;
use super::lambda::Lambda;

/// What of a value is checked.
#[derive(Debug)]
pub enum Verification {
    /// The value itself, and what its base type asks for.
    Domain(DomainCheck, Option<Box<Verification>>),
    /// Each element of an array.
    Elements(Box<Verification>),
    /// Fields of a row, by position.
    Fields(Vec<(usize, Verification)>),
}

#[derive(Debug)]
pub struct DomainCheck {
    /// As messages show it.
    pub name: String,
    /// Schema and name, for the fields of errors.
    pub place: (String, String),
    pub not_null: bool,
    /// Constraints and their conditions over the value; null passes.
    pub checks: Vec<(String, Lambda)>,
}

impl Verification {
    /// 23502 or 23514 for the first value that does not pass.
    pub fn run(&self, array: &ArrayRef) -> Result<()> {
        match self {
            Self::Domain(check, base) => {
                if let Some(base) = base {
                    base.run(array)?;
                }
                check.run(array)
            }
            Self::Elements(element) => {
                let column = ArrayColumn::new(array).ok_or_else(|| Error::internal("an array that is none"))?;
                let elements = column.all_elements();
                for row in (0..array.len()).filter(|&row| !array.is_null(row)) {
                    let range = column.range(row);
                    element.run(&elements.slice(range.start, range.len()))?;
                }
                Ok(())
            }
            Self::Fields(fields) => {
                let present = filter(array, &is_not_null(array).map_err(from_arrow)?).map_err(from_arrow)?;
                let record = present.as_struct_opt().ok_or_else(|| Error::internal("a row that is no Struct"))?;
                for (index, part) in fields {
                    let column = record.columns().get(*index);
                    part.run(column.ok_or_else(|| Error::internal("a row without a field"))?)?;
                }
                Ok(())
            }
        }
    }
}

impl DomainCheck {
    fn run(&self, array: &ArrayRef) -> Result<()> {
        if self.not_null && array.null_count() > 0 {
            let message = format!("domain {} does not allow null values", self.name);
            let (schema, name) = self.place.clone();
            return Err(Error::new(sqlstate::NOT_NULL_VIOLATION, message).with_datatype(schema, name));
        }
        for (name, condition) in &self.checks {
            let passed = condition.evaluate(vec![array.clone()], array.len())?;
            let passed = passed.as_boolean_opt().ok_or_else(|| Error::internal("a check that is no condition"))?;
            if passed.iter().any(|passed| passed == Some(false)) {
                let message = format!("value for domain {} violates check constraint \"{name}\"", self.name);
                let (schema, datatype) = self.place.clone();
                return Err(Error::new(sqlstate::CHECK_VIOLATION, message)
                    .with_datatype(schema, datatype)
                    .with_constraint(name.clone()));
            }
        }
        Ok(())
    }
}
