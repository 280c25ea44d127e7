//! Cursors: portals of the session, which variables name.

use aegis_engine::extension::{Error, Fetching, Result, Row, Type, Value, oid, sqlstate};

use super::{Flow, Run};
use crate::ast::*;
use crate::value::Slot;

impl Run<'_> {
    pub(super) async fn open(&mut self, cursor: &Place, rows: &Opened, scroll: Option<bool>) -> Result<()> {
        match rows {
            Opened::Bound(arguments) => self.open_bound(cursor.datum, arguments.as_ref()).await,
            Opened::Rows(rows) => self.open_rows(cursor.datum, rows, scroll).await,
        }
    }

    async fn open_bound(&mut self, datum: DatumId, arguments: Option<&Expr>) -> Result<()> {
        let function = std::sync::Arc::clone(&self.function);
        let bound = function.body.datums.get(datum).and_then(|datum| datum.cursor.clone());
        let bound = bound.ok_or_else(|| Error::internal("a cursor without a query"))?;
        if let Some(arguments) = arguments {
            let ready = self.ready(arguments, None)?;
            let values = self.values(&ready.fragment.slots)?;
            let aegis_engine::extension::Ran::Rows(rows) = self.caller.run(&ready.fragment, &values).await? else {
                return Err(Error::internal("arguments without values"));
            };
            let columns = rows.columns.clone();
            let row = rows.all(1).await?.pop();
            let place = |datum: &DatumId| Place { datum: *datum, field: None, rest: String::new() };
            let places = bound.arguments.iter().map(|(_, datum)| place(datum)).collect();
            self.store_target(&Target::List(places), &columns, row).await?;
        }
        let ready = self.ready(&bound.query, None)?;
        let values = self.values(&ready.fragment.slots)?;
        let name = self.portal_name(datum)?;
        let name = self.caller.open_cursor(name, &ready.fragment, &values, bound.scroll).await?;
        self.put_name(datum, name);
        Ok(())
    }

    async fn open_rows(&mut self, datum: DatumId, rows: &Rows, scroll: Option<bool>) -> Result<()> {
        let name = self.portal_name(datum)?;
        let name = match rows {
            Rows::Query(query) => {
                let ready = self.ready(query, None)?;
                let values = self.values(&ready.fragment.slots)?;
                self.caller.open_cursor(name, &ready.fragment, &values, scroll).await?
            }
            Rows::Execute { text, using } => {
                let (text, values) = self.dynamic(text, using).await?;
                self.caller.open_dynamic_cursor(name, &text, &values, scroll).await?
            }
            Rows::Cursor { .. } => return Err(Error::internal("a cursor over a cursor")),
        };
        self.put_name(datum, name);
        Ok(())
    }

    /// The name that the variable has; None makes one up.
    fn portal_name(&self, datum: DatumId) -> Result<Option<String>> {
        match self.slots.get(datum) {
            Some(Slot::Scalar(value)) => Ok(value.get::<Option<&str>>()?.map(str::to_owned)),
            _ => Ok(None),
        }
    }

    fn put_name(&mut self, datum: DatumId, name: String) {
        let value = Value::new(Type::of(oid::REFCURSOR), Value::from(name).array().clone());
        self.put(datum, Slot::Scalar(value));
    }

    fn opened_name(&self, datum: DatumId) -> Result<String> {
        self.portal_name(datum)?.ok_or_else(|| {
            let message = format!("cursor variable \"{}\" is null", self.name_of(datum));
            Error::new(sqlstate::NULL_VALUE_NOT_ALLOWED, message)
        })
    }

    pub(super) async fn fetch(
        &mut self,
        cursor: DatumId,
        into: Option<&Target>,
        move_only: bool,
        direction: &Direction,
    ) -> Result<()> {
        let name = self.opened_name(cursor)?;
        let count = match (&direction.count, direction.fixed) {
            (Some(count), _) => Some(self.integer(count, "relative or absolute cursor position").await?),
            (None, fixed) => fixed,
        };
        let fetching = match direction.toward {
            Toward::Forward => Fetching::Forward(count),
            Toward::Backward => Fetching::Backward(count),
            Toward::Absolute => Fetching::Absolute(count.unwrap_or(0)),
            Toward::Relative => Fetching::Relative(count.unwrap_or(0)),
        };
        let (columns, mut rows, count) = self.caller.fetch_cursor(&name, fetching, move_only).await?;
        self.row_count = count;
        self.set_found(count > 0);
        if let Some(target) = into {
            rows.truncate(1);
            self.store_target(target, &columns, rows.pop()).await?;
        }
        Ok(())
    }

    pub(super) async fn close(&mut self, cursor: DatumId) -> Result<()> {
        let name = self.opened_name(cursor)?;
        self.caller.close_cursor(&name)
    }

    pub(super) async fn cursor_loop(
        &mut self,
        label: Option<&str>,
        target: &Target,
        (datum, arguments): (DatumId, Option<&Expr>),
        body: &[Statement],
    ) -> Result<Flow> {
        let before = self.slots.get(datum).cloned();
        self.open_bound(datum, arguments).await?;
        let name = self.opened_name(datum)?;
        let (mut found, mut result) = (false, Flow::Next);
        loop {
            let fetching = Fetching::Forward(Some(1));
            let (columns, mut rows, _) = self.caller.fetch_cursor(&name, fetching, false).await?;
            let Some(row): Option<Row> = rows.pop() else { break };
            found = true;
            if let Some(flow) = self.loop_over(label, target, (&columns, row), body).await? {
                result = flow;
                break;
            }
        }
        self.caller.close_cursor(&name)?;
        if let Some(before) = before {
            self.put(datum, before);
        }
        self.set_found(found);
        Ok(result)
    }
}
