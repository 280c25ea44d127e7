//! Values into variables, fields and elements.

use std::sync::Arc;

use aegis_engine::extension::{Error, Result, Row, Type, Value, fields_of, oid, sqlstate};
use parking_lot::Mutex;

use super::Run;
use crate::ast::*;
use crate::fragment::{View, unassigned};
use crate::value::{Shape, Slot};

impl Run<'_> {
    pub(super) async fn assign(&mut self, place: &Place, expr: &Expr) -> Result<()> {
        if !place.rest.is_empty() {
            return self.assign_part(place, expr).await;
        }
        let target = self.type_of(place)?;
        let value = self.value(expr, target).await?;
        self.store(place, value).await
    }

    /// The type that a value for a place must have; None for records of any kind.
    pub(super) fn type_of(&self, place: &Place) -> Result<Option<Type>> {
        let name = || self.name_of(place.datum).to_owned();
        match (self.slots.get(place.datum), &place.field) {
            (Some(Slot::Scalar(_)), None) => Ok(self.function.types.get(place.datum).copied()),
            (Some(Slot::Record { .. }), None) => Ok(None),
            (Some(Slot::Record { shape: Some(shape), .. }), Some(field)) => {
                let found = shape.columns.iter().find(|(known, _)| known == field);
                found.map(|(_, ty)| Some(*ty)).ok_or_else(|| {
                    let message = format!("record \"{}\" has no field \"{field}\"", name());
                    Error::new(sqlstate::UNDEFINED_COLUMN, message)
                })
            }
            (Some(Slot::Record { .. }), Some(_)) => Err(unassigned(&name())),
            _ => {
                let message = format!("\"{}\" is not a record variable", name());
                Err(Error::new(sqlstate::SYNTAX_ERROR, message))
            }
        }
    }

    /// `variable[…] := …`: the whole value is made anew.
    async fn assign_part(&mut self, place: &Place, expr: &Expr) -> Result<()> {
        let whole = Place { rest: String::new(), ..place.clone() };
        let ty = match self.type_of(&whole)? {
            Some(ty) => ty,
            None => return Err(Error::unsupported("subscripts of a record")),
        };
        let field = match (&place.field, self.slots.get(place.datum)) {
            (Some(field), Some(Slot::Record { shape: Some(shape), .. })) => {
                shape.columns.iter().position(|(known, _)| known == field).map_or(0, |index| index + 1)
            }
            _ => 0,
        };
        let slot = (place.datum as u64) << 16 | field as u64;
        let function = Arc::clone(&self.function);
        let names =
            |datum: DatumId| function.body.datums.get(datum).map(|datum| datum.name.clone()).unwrap_or_default();
        let (used, typed) = (Mutex::default(), Mutex::default());
        let view = View { scope: &expr.scope, slots: &self.slots, names: &names, used, typed };
        let fragment = self.caller.store_fragment((slot, ty), (&place.rest, expr.value_text()), &view)?;
        drop(view);
        let values = self.values(&fragment.slots)?;
        let value = match self.caller.evaluate(&fragment, &values)? {
            Some(value) => value,
            None => self.caller.only_value(&fragment, &values).await?,
        };
        self.store(&whole, value).await
    }

    /// Puts a value into a place, converted to its type.
    pub(super) async fn store(&mut self, place: &Place, value: Value) -> Result<()> {
        let Some(target) = self.type_of(place)? else { return self.store_row_value(place.datum, value).await };
        let value = match value.ty() == target {
            true => value,
            false => self.caller.convert(value, target).await?,
        };
        self.require_not_null(place.datum, value.is_null())?;
        match (&place.field, self.slots.get(place.datum)) {
            (Some(field), Some(Slot::Record { shape: Some(shape), values, declared, .. })) => {
                let (shape, mut values, declared) = (Arc::clone(shape), values.clone(), *declared);
                let index = shape.columns.iter().position(|(known, _)| known == field);
                if let Some(slot) = index.and_then(|index| values.get_mut(index)) {
                    *slot = value;
                }
                let row = Slot::row(declared, &shape, Some(values), &self.caller)?;
                self.put(place.datum, row);
            }
            _ => self.put(place.datum, Slot::Scalar(value)),
        }
        Ok(())
    }

    pub(super) fn put(&mut self, datum: DatumId, slot: Slot) {
        if let Some(place) = self.slots.get_mut(datum) {
            *place = slot;
        }
    }

    fn require_not_null(&self, datum: DatumId, null: bool) -> Result<()> {
        match self.function.body.datums.get(datum) {
            Some(declared) if null && declared.not_null => {
                let message =
                    format!("null value cannot be assigned to variable \"{}\" declared NOT NULL", declared.name);
                Err(Error::new(sqlstate::NULL_VALUE_NOT_ALLOWED, message))
            }
            _ => Ok(()),
        }
    }

    /// A row as one value into a record.
    async fn store_row_value(&mut self, datum: DatumId, value: Value) -> Result<()> {
        self.require_not_null(datum, value.is_null())?;
        match self.assigned_row(&value, "record")? {
            Some((fields, row)) => self.store_row(datum, Some((&fields, row))).await,
            None => self.store_row(datum, None).await,
        }
    }

    fn named_fields(&self, fields: Vec<(String, Type)>, ty: Type) -> Result<Vec<(String, Type)>> {
        let declared = fields_of(ty, &*self.caller.catalog()?);
        Ok(declared.filter(|declared| declared.len() == fields.len()).unwrap_or(fields))
    }

    /// A row into a record; None makes all of it null.
    pub(super) async fn store_row(&mut self, datum: DatumId, row: Option<(&[(String, Type)], Row)>) -> Result<()> {
        let declared = self.function.types.get(datum).copied().filter(|ty| ty.oid != oid::RECORD);
        let Some(ty) = declared else {
            let slot = match row {
                None => match self.slots.get(datum) {
                    Some(Slot::Record { shape: Some(shape), .. }) => {
                        let shape = Arc::clone(shape);
                        Slot::row(None, &shape, None, &self.caller)?
                    }
                    _ => Slot::unassigned(),
                },
                Some((columns, row)) => {
                    let same = match self.slots.get(datum) {
                        Some(Slot::Record { shape: Some(shape), .. }) if shape.columns == columns => {
                            Some(Arc::clone(shape))
                        }
                        _ => None,
                    };
                    let ty = Type::of(oid::RECORD);
                    let shape = same.unwrap_or_else(|| Arc::new(Shape { ty, columns: columns.to_vec() }));
                    Slot::Record { shape: Some(shape), values: row.0, whole: None, declared: None }
                }
            };
            self.put(datum, slot);
            return Ok(());
        };
        let columns = fields_of(ty, &*self.caller.catalog()?).unwrap_or_default();
        let shape = Arc::new(Shape { ty, columns });
        let values = match row {
            None => None,
            Some((_, row)) => {
                let mut given = row.0.into_iter();
                let mut values = Vec::with_capacity(shape.columns.len());
                for (_, wanted) in &shape.columns {
                    values.push(match given.next() {
                        Some(value) if value.ty() == *wanted => value,
                        Some(value) => self.caller.convert(value, *wanted).await?,
                        None => self.caller.null(*wanted)?,
                    });
                }
                Some(values)
            }
        };
        let slot = Slot::row(Some(ty), &shape, values, &self.caller)?;
        self.put(datum, slot);
        Ok(())
    }

    /// The row of a query into a target; None is a row of nulls.
    pub(super) async fn store_target(
        &mut self,
        target: &Target,
        columns: &[(String, Type)],
        row: Option<Row>,
    ) -> Result<()> {
        match target {
            Target::Record(datum) => self.store_record(*datum, columns, row).await,
            Target::List(places) => {
                if let [only] = places.as_slice()
                    && only.field.is_none()
                    && only.rest.is_empty()
                    && matches!(self.slots.get(only.datum), Some(Slot::Record { .. }))
                {
                    return self.store_record(only.datum, columns, row).await;
                }
                let mut values = row.map(|row| row.0).unwrap_or_default().into_iter();
                for place in places {
                    if !place.rest.is_empty() {
                        return Err(Error::unsupported("a target with subscripts"));
                    }
                    let value = match values.next() {
                        Some(value) => value,
                        None => self.caller.null(self.type_of(place)?.unwrap_or(Type::of(oid::TEXT)))?,
                    };
                    self.store(place, value).await?;
                }
                Ok(())
            }
        }
    }

    /// One value into a target: a row's fields into a record or a list.
    pub(super) async fn store_element(&mut self, target: &Target, value: Value) -> Result<()> {
        match target {
            Target::Record(datum) => self.store_row_value(*datum, value).await,
            Target::List(places) => match places.as_slice() {
                [only] if only.rest.is_empty() => self.store(only, value).await,
                _ => {
                    let row = self.assigned_row(&value, "row")?;
                    let (fields, row) = row.map_or((Vec::new(), None), |(fields, row)| (fields, Some(row)));
                    self.store_target(target, &fields, row).await
                }
            },
        }
    }

    /// The fields of a row that is assigned as one value; None if it is null. 42804 if it is no row.
    fn assigned_row(&self, value: &Value, variable: &str) -> Result<Option<(Vec<(String, Type)>, Row)>> {
        if value.is_null() {
            return Ok(None);
        }
        let Some((fields, row)) = self.row_of(value)? else {
            let message = format!("cannot assign non-composite value to a {variable} variable");
            return Err(Error::new(sqlstate::DATATYPE_MISMATCH, message));
        };
        Ok(Some((self.named_fields(fields, value.ty())?, row)))
    }

    async fn store_record(&mut self, datum: DatumId, columns: &[(String, Type)], row: Option<Row>) -> Result<()> {
        // One column that is a row of the wanted type is that row.
        let declared = self.function.types.get(datum).copied().filter(|ty| ty.oid != oid::RECORD);
        if let (Some(row), Some(ty), [(_, only)]) = (&row, declared, columns)
            && (only.oid == ty.oid || only.oid == oid::RECORD)
            && let Ok(value) = row.value(0)
        {
            return self.store_row_value(datum, value.clone()).await;
        }
        match row {
            Some(row) => self.store_row(datum, Some((columns, row))).await,
            None if declared.is_none() => {
                let nulls = columns.iter().map(|(_, ty)| self.caller.null(*ty)).collect::<Result<_>>()?;
                self.store_row(datum, Some((columns, Row(nulls)))).await
            }
            None => self.store_row(datum, None).await,
        }
    }
}
