//! Values of variables.

use std::sync::Arc;

use aegis_engine::extension::{Caller, Result, Type, Value, fields_of, oid};

/// A variable's value.
#[derive(Debug, Clone)]
pub enum Slot {
    Scalar(Value),
    Record {
        /// None for a record that nothing was assigned to.
        shape: Option<Arc<Shape>>,
        values: Vec<Value>,
        /// The row as one value, of a composite type.
        whole: Option<Value>,
        /// Of a composite type, or of any.
        declared: Option<Type>,
    },
}

/// What a record consists of.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    pub ty: Type,
    pub columns: Vec<(String, Type)>,
}

impl Slot {
    /// A record without a row.
    pub fn unassigned() -> Self {
        Self::Record { shape: None, values: Vec::new(), whole: None, declared: None }
    }

    /// NULL of a type.
    pub fn null(ty: Type, caller: &Caller<'_>) -> Result<Self> {
        let catalog = caller.catalog()?;
        match fields_of(ty, &catalog) {
            Some(columns) => {
                let shape = Arc::new(Shape { ty, columns });
                Self::row(Some(ty), &shape, None, caller)
            }
            None if ty.oid == oid::RECORD => Ok(Self::unassigned()),
            None => caller.null(ty).map(Self::Scalar),
        }
    }

    /// A row of these values; None for a null one.
    pub fn row(
        declared: Option<Type>,
        shape: &Arc<Shape>,
        values: Option<Vec<Value>>,
        caller: &Caller<'_>,
    ) -> Result<Self> {
        let null = values.is_none();
        let values = match values {
            Some(values) => values,
            None => shape.columns.iter().map(|(_, ty)| caller.null(*ty)).collect::<Result<_>>()?,
        };
        let whole = match declared {
            Some(ty) => Some(Value::row(ty, &shape.columns, &values, null, &*caller.catalog()?)?),
            None => None,
        };
        Ok(Self::Record { shape: Some(Arc::clone(shape)), values, whole, declared })
    }
}
