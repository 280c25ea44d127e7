//! Statements of SQL, also those that are made while they run.

use std::sync::Arc;

use aegis_engine::extension::{Error, Ran, Result, Row, RowsOf, Type, Value, sqlstate};

use super::Run;
use crate::ast::*;

impl Run<'_> {
    async fn ran(&mut self, expr: &Expr) -> Result<Ran> {
        let ready = self.ready(expr, None)?;
        let values = self.values(&ready.fragment.slots)?;
        self.caller.run(&ready.fragment, &values).await
    }

    pub(super) async fn sql(&mut self, statement: &Expr, into: Option<&IntoTarget>) -> Result<()> {
        let ran = self.ran(statement).await?;
        match (ran, into) {
            (Ran::Rows(rows), Some(into)) => self.into(rows, into).await,
            (Ran::Rows(rows), None) if rows.command == "SELECT" => {
                Err(Error::new(sqlstate::SYNTAX_ERROR, "query has no destination for result data")
                    .with_hint("If you want to discard the results of a SELECT, use PERFORM instead."))
            }
            (Ran::Rows(rows), None) if rows.command.is_empty() => {
                Err(Error::new(sqlstate::SYNTAX_ERROR, "query has no destination for result data"))
            }
            (Ran::Rows(_), None) => Err(Error::new(sqlstate::SYNTAX_ERROR, "query has no destination for result data")),
            (Ran::Done(..), Some(_)) => {
                Err(Error::new(sqlstate::SYNTAX_ERROR, "INTO used with a command that cannot return data"))
            }
            (Ran::Done(tag, count), None) => {
                self.counted(&tag, count);
                Ok(())
            }
        }
    }

    /// FOUND and ROW_COUNT after a command without rows.
    fn counted(&mut self, tag: &str, count: u64) {
        let changes = ["INSERT", "UPDATE", "DELETE", "MERGE"].iter().any(|verb| tag.starts_with(verb));
        let counts = changes || ["SELECT", "COPY", "FETCH", "MOVE"].iter().any(|verb| tag.starts_with(verb));
        self.row_count = if counts { count } else { 0 };
        if changes {
            self.set_found(count > 0);
        }
    }

    async fn into(&mut self, rows: RowsOf, into: &IntoTarget) -> Result<()> {
        let columns = Arc::clone(&rows.columns);
        let changes = rows.command != "SELECT";
        let limit = if into.strict || changes { 2 } else { 1 };
        let mut found = rows.all(limit).await?;
        if found.len() > 1 && (into.strict || changes) {
            let error = Error::new(sqlstate::TOO_MANY_ROWS, "query returned more than one row");
            return Err(error.with_hint("Make sure the query returns a single row, or use LIMIT 1."));
        }
        if found.is_empty() && into.strict {
            return Err(Error::new(sqlstate::NO_DATA_FOUND, "query returned no rows"));
        }
        found.truncate(1);
        let row = found.pop();
        self.row_count = u64::from(row.is_some());
        let is_found = row.is_some();
        self.store_target(&into.target, &columns, row).await?;
        self.set_found(is_found);
        Ok(())
    }

    pub(super) async fn perform(&mut self, query: &Expr) -> Result<()> {
        match self.ran(query).await? {
            Ran::Rows(mut rows) => {
                let mut count = 0;
                while let Some(more) = rows.next().await? {
                    count += more.len() as u64;
                }
                self.row_count = count;
                self.set_found(count > 0);
            }
            Ran::Done(_, count) => self.row_count = count,
        }
        Ok(())
    }

    /// The text of EXECUTE and the values of USING.
    pub(super) async fn dynamic(&mut self, text: &Expr, using: &[Expr]) -> Result<(Arc<str>, Vec<Value>)> {
        let Some(text) = self.text(text).await? else {
            let message = "query string argument of EXECUTE is null";
            return Err(Error::new(sqlstate::NULL_VALUE_NOT_ALLOWED, message));
        };
        let mut values = Vec::with_capacity(using.len());
        for expr in using {
            values.push(self.value(expr, None).await?);
        }
        Ok((text.into(), values))
    }

    pub(super) async fn execute(&mut self, text: &Expr, using: &[Expr], into: Option<&IntoTarget>) -> Result<()> {
        let (text, values) = self.dynamic(text, using).await?;
        let ran = self.caller.execute(&text, &values).await?;
        match (ran, into) {
            (Ran::Rows(rows), Some(into)) => {
                let found = self.slots.get(super::found_of(&self.function)).cloned();
                self.into(rows, into).await?;
                // EXECUTE leaves FOUND as it is.
                if let Some(found) = found {
                    self.put(super::found_of(&self.function), found);
                }
                Ok(())
            }
            (Ran::Rows(mut rows), None) => {
                let mut count = 0;
                while let Some(more) = rows.next().await? {
                    count += more.len() as u64;
                }
                self.row_count = count;
                Ok(())
            }
            (Ran::Done(..), Some(_)) => {
                Err(Error::new(sqlstate::SYNTAX_ERROR, "INTO used with a command that cannot return data"))
            }
            (Ran::Done(_, count), None) => {
                self.row_count = count;
                Ok(())
            }
        }
    }

    /// The rows of a query.
    pub(super) async fn rows(&mut self, rows: &Rows) -> Result<RowsOf> {
        let ran = match rows {
            Rows::Query(query) => self.ran(query).await?,
            Rows::Execute { text, using } => {
                let (text, values) = self.dynamic(text, using).await?;
                self.caller.execute(&text, &values).await?
            }
            Rows::Cursor { .. } => return Err(Error::internal("rows of a cursor are fetched")),
        };
        match ran {
            Ran::Rows(rows) => Ok(rows),
            Ran::Done(tag, _) => {
                let command = tag.split(' ').next().unwrap_or_default();
                let message = format!("cannot open {command} query as cursor");
                Err(Error::new(sqlstate::INVALID_CURSOR_DEFINITION, message))
            }
        }
    }

    /// CALL: what goes out of the procedure goes into the variables that stand for it.
    pub(super) async fn call_procedure(&mut self, statement: &Expr) -> Result<()> {
        let function = Arc::clone(&self.function);
        let names =
            |datum: DatumId| function.body.datums.get(datum).map(|datum| datum.name.clone()).unwrap_or_default();
        let view = crate::fragment::View {
            scope: &statement.scope,
            slots: &self.slots,
            names: &names,
            used: Default::default(),
            typed: Default::default(),
        };
        let called = self.caller.bind_procedure(&statement.text, &view)?;
        drop(view);
        let values = self.values(&called.slots)?;
        let Some((columns, row)) = self.caller.call_procedure(&called, &values).await? else { return Ok(()) };
        let mut places = Vec::with_capacity(columns.len());
        for (written, (name, _)) in called.outputs.iter().zip(&columns) {
            places.push(self.output(statement, written.as_deref(), name)?);
        }
        self.store_target(&Target::List(places), &columns, Some(row)).await
    }

    fn output(&self, statement: &Expr, written: Option<&[String]>, name: &str) -> Result<Place> {
        let refused = || {
            let message = format!(
                "procedure parameter \"{name}\" is an output parameter but corresponding argument is not writable"
            );
            Error::new(sqlstate::SYNTAX_ERROR, message)
        };
        let parts = written.ok_or_else(refused)?;
        let names: Vec<&str> = parts.iter().map(String::as_str).collect();
        let (datum, used) = statement.scope.lookup(&names).ok_or_else(refused)?;
        if self.function.body.datums.get(datum).is_some_and(|datum| datum.constant) {
            return Err(refused());
        }
        Ok(Place { datum, field: parts.get(used).cloned(), rest: String::new() })
    }

    /// The columns of a row and its values.
    pub(super) fn row_of(&self, value: &Value) -> Result<Option<(Vec<(String, Type)>, Row)>> {
        let Some(fields) = value.fields() else { return Ok(None) };
        let values =
            fields.iter().enumerate().map(|(index, (_, ty))| value.field(index, *ty)).collect::<Result<_>>()?;
        Ok(Some((fields, Row(values))))
    }
}
