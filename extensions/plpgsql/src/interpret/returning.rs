//! RETURN in its forms, and what a call gives in the end.

use aegis_engine::extension::{Error, Result, Returns, Row, Type, Value, oid, sqlstate};

use super::{Flow, Run};
use crate::ast::*;
use crate::parse::Shape;
use crate::value::Slot;

/// Rows that a call hands back at most: they are kept in memory.
const MAX_ROWS: usize = 10_000_000;

impl Run<'_> {
    pub(super) async fn return_value(&mut self, value: Option<&Expr>) -> Result<Flow> {
        if let Some(expr) = value {
            let target = self.returns.as_ref().filter(|returns| !returns.is_row).map(|returns| returns.ty);
            let value = match target {
                Some(target) if target.oid != oid::VOID => {
                    // A conversion that fails does so while the value is cast.
                    let value = self.value(expr, None).await?;
                    self.cast(value, target).await?
                }
                _ => self.value(expr, None).await?,
            };
            self.returned = Some(value);
        }
        self.has_returned = true;
        Ok(Flow::Return)
    }

    async fn cast(&mut self, value: Value, target: Type) -> Result<Value> {
        if value.ty() == target {
            return Ok(value);
        }
        let converted = self.caller.convert(value, target).await;
        converted.map_err(|error| self.during(error, "while casting return value to function's return type"))
    }

    fn require_room(&self, more: usize) -> Result<()> {
        if self.rows.len() + more > MAX_ROWS {
            return Err(Error::new(sqlstate::PROGRAM_LIMIT_EXCEEDED, "a function returns too many rows"));
        }
        Ok(())
    }

    pub(super) async fn return_next(&mut self, value: Option<&Expr>) -> Result<()> {
        self.require_room(1)?;
        let Some(returns) = self.returns.clone() else { return Ok(()) };
        let row = match value {
            None => self.outputs(&returns).await?,
            Some(expr) if returns.is_row => {
                let value = self.value(expr, None).await?;
                self.row_returned(value, &returns).await?
            }
            Some(expr) => {
                let value = self.value(expr, None).await?;
                Row(vec![self.cast(value, returns.ty).await?])
            }
        };
        self.rows.push(row);
        Ok(())
    }

    pub(super) async fn return_query(&mut self, rows: &Rows) -> Result<()> {
        let Some(returns) = self.returns.clone() else { return Ok(()) };
        let mut rows = self.rows(rows).await?;
        let columns = rows.columns.clone();
        if returns.columns.is_empty() {
            return Err(Error::unsupported("rows of records without columns"));
        }
        // One value that is the row.
        let whole =
            returns.is_row && columns.len() == 1 && columns.first().is_some_and(|(_, ty)| ty.oid == returns.ty.oid);
        let mismatch = |detail: String| {
            let message = "structure of query does not match function result type";
            Error::new(sqlstate::DATATYPE_MISMATCH, message).with_detail(detail)
        };
        if !whole {
            if columns.len() != returns.columns.len() {
                let detail = format!(
                    "Number of returned columns ({}) does not match expected column count ({}).",
                    columns.len(),
                    returns.columns.len()
                );
                return Err(mismatch(detail));
            }
            let pairs = columns.iter().zip(&returns.columns).enumerate();
            for (position, ((_, from), (name, to))) in pairs {
                if from.oid != to.oid {
                    let context = self.caller.context()?;
                    let shown = |ty: &Type| aegis_engine::extension::type_name(*ty, &context);
                    let detail = format!(
                        "Returned type {} does not match expected type {} in column {}.",
                        shown(from),
                        shown(to),
                        if returns.is_row && !name.is_empty() { (position + 1).to_string() } else { "1".to_owned() },
                    );
                    return Err(mismatch(detail));
                }
            }
        }
        let mut count = 0;
        while let Some(batch) = rows.next().await? {
            self.require_room(batch.len())?;
            for row in batch {
                count += 1;
                let row = match whole {
                    true => {
                        let value = row.value(0)?.clone();
                        self.row_returned(value, &returns).await?
                    }
                    false => self.retyped(row, &returns).await?,
                };
                self.rows.push(row);
            }
        }
        self.row_count = count;
        self.set_found(count > 0);
        Ok(())
    }

    /// Each value as the type of its column.
    async fn retyped(&mut self, row: Row, returns: &Returns) -> Result<Row> {
        let mut values = Vec::with_capacity(row.0.len());
        for (value, (_, ty)) in row.0.into_iter().zip(&returns.columns) {
            values.push(if value.ty() == *ty { value } else { self.caller.convert(value, *ty).await? });
        }
        Ok(Row(values))
    }

    /// The fields of a row that is returned.
    async fn row_returned(&mut self, value: Value, returns: &Returns) -> Result<Row> {
        if returns.columns.is_empty() {
            return Ok(Row(vec![value]));
        }
        if value.is_null() && value.is_row() || value.is_null() && value.ty().oid == oid::UNKNOWN {
            let nulls = returns.columns.iter().map(|(_, ty)| self.caller.null(*ty));
            return nulls.collect::<Result<_>>().map(Row);
        }
        let Some((fields, row)) = self.row_of(&value)? else {
            let message = "cannot return non-composite value from function returning composite type";
            return Err(Error::new(sqlstate::DATATYPE_MISMATCH, message));
        };
        if fields.len() != returns.columns.len() {
            let message = "returned record type does not match expected record type";
            let detail = format!(
                "Number of returned columns ({}) does not match expected column count ({}).",
                fields.len(),
                returns.columns.len()
            );
            return Err(Error::new(sqlstate::DATATYPE_MISMATCH, message).with_detail(detail));
        }
        self.retyped(row, returns).await
    }

    /// The variables that go out, as a row.
    async fn outputs(&mut self, returns: &Returns) -> Result<Row> {
        let function = std::sync::Arc::clone(&self.function);
        let mut values = Vec::with_capacity(function.outputs.len());
        for (position, datum) in function.outputs.iter().enumerate() {
            let value = match self.slots.get(*datum) {
                Some(Slot::Scalar(value)) => value.clone(),
                Some(Slot::Record { whole: Some(whole), .. }) => whole.clone(),
                Some(Slot::Record { shape: Some(shape), values, .. }) => {
                    Value::row(shape.ty, &shape.columns, values, false, &*self.caller.catalog()?)?
                }
                _ => self.null_text()?,
            };
            let target = returns.columns.get(position).map(|(_, ty)| *ty);
            values.push(match target {
                Some(ty) if ty != value.ty() => self.caller.convert(value, ty).await?,
                _ => value,
            });
        }
        // The only one may be a row, whose fields are the columns.
        if let ([only], true) = (values.as_slice(), returns.is_row && returns.columns.len() != 1) {
            let only = only.clone();
            return self.row_returned(only, returns).await;
        }
        Ok(Row(values))
    }

    /// The rows of the call.
    pub(super) async fn result(&mut self, returns: &Returns) -> Result<Vec<Row>> {
        match self.function.shape {
            Shape::Set | Shape::SetOfOutputs => Ok(std::mem::take(&mut self.rows)),
            Shape::Void => Ok(Vec::new()),
            Shape::Procedure if self.function.outputs.is_empty() => Ok(Vec::new()),
            Shape::Outputs | Shape::Procedure => Ok(vec![self.outputs(returns).await?]),
            Shape::Value | Shape::Trigger => {
                let Some(value) = self.returned.take() else { return Ok(Vec::new()) };
                if !returns.is_row {
                    return Ok(vec![Row(vec![value])]);
                }
                if value.is_null() {
                    return Ok(Vec::new());
                }
                Ok(vec![self.row_returned(value, returns).await?])
            }
        }
    }
}
