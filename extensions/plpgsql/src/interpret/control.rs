//! IF, CASE and loops.

use aegis_engine::extension::{Error, Result, Row, Type, Value, element_type, oid, sqlstate, type_name};

use super::{Flow, Run};
use crate::ast::*;
use crate::value::Slot;

/// What a loop does after its body; None goes on.
fn after(flow: Flow, label: Option<&str>) -> Option<Flow> {
    let own = |of: &Option<String>| of.is_none() || of.as_deref() == label;
    match flow {
        Flow::Next => None,
        Flow::Exit(of) if own(&of) => Some(Flow::Next),
        Flow::Continue(of) if own(&of) => None,
        flow => Some(flow),
    }
}

impl Run<'_> {
    pub(super) async fn if_statement(
        &mut self,
        branches: &[(Expr, Vec<Statement>)],
        otherwise: Option<&[Statement]>,
    ) -> Result<Flow> {
        for (condition, body) in branches {
            if self.holds(condition).await? {
                return self.statements(body).await;
            }
        }
        match otherwise {
            Some(body) => self.statements(body).await,
            None => Ok(Flow::Next),
        }
    }

    pub(super) async fn case(
        &mut self,
        operand: Option<&(Expr, DatumId)>,
        branches: &[(Expr, Vec<Statement>)],
        otherwise: Option<&[Statement]>,
    ) -> Result<Flow> {
        if let Some((operand, datum)) = operand {
            let value = self.value(operand, None).await?;
            self.put(*datum, Slot::Scalar(value));
        }
        for (condition, body) in branches {
            if self.holds(condition).await? {
                return self.statements(body).await;
            }
        }
        match otherwise {
            Some(body) => self.statements(body).await,
            None => Err(Error::new(sqlstate::CASE_NOT_FOUND, "case not found")
                .with_hint("CASE statement is missing ELSE part.")),
        }
    }

    pub(super) async fn plain_loop(
        &mut self,
        label: Option<&str>,
        condition: Option<&Expr>,
        body: &[Statement],
    ) -> Result<Flow> {
        loop {
            self.steps += 1;
            if let Some(condition) = condition
                && !self.holds(condition).await?
            {
                return Ok(Flow::Next);
            }
            if body.is_empty() {
                self.caller.breathe().await?;
            }
            let flow = self.statements(body).await?;
            if let Some(flow) = after(flow, label) {
                return Ok(flow);
            }
        }
    }

    pub(super) async fn integer_loop(&mut self, of: &ForInteger) -> Result<Flow> {
        let mut at = self.integer(&of.from, "lower bound of FOR loop").await?;
        let to = self.integer(&of.to, "upper bound of FOR loop").await?;
        let by = match &of.by {
            Some(by) => self.integer(by, "BY value of FOR loop").await?,
            None => 1,
        };
        if by <= 0 {
            let message = "BY value of FOR loop must be greater than zero";
            return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
        }
        let mut found = false;
        let mut result = Flow::Next;
        while if of.reverse { at >= to } else { at <= to } {
            found = true;
            self.put(of.variable, Slot::Scalar(Value::from(at as i32)));
            if of.body.is_empty() {
                self.caller.breathe().await?;
            }
            let flow = self.statements(&of.body).await?;
            if let Some(flow) = after(flow, of.label.as_deref()) {
                result = flow;
                break;
            }
            at = if of.reverse { at - by } else { at + by };
            if i32::try_from(at).is_err() {
                break;
            }
        }
        self.set_found(found);
        Ok(result)
    }

    pub(super) async fn row_loop(
        &mut self,
        label: Option<&str>,
        target: &Target,
        rows: &Rows,
        body: &[Statement],
    ) -> Result<Flow> {
        if let Rows::Cursor { datum, arguments } = rows {
            return self.cursor_loop(label, target, (*datum, arguments.as_ref()), body).await;
        }
        let mut rows = self.rows(rows).await?;
        let columns = rows.columns.clone();
        let (mut found, mut result) = (false, Flow::Next);
        'rows: while let Some(batch) = rows.next().await? {
            for row in batch {
                found = true;
                self.store_target(target, &columns, Some(row)).await?;
                let flow = self.statements(body).await?;
                if let Some(flow) = after(flow, label) {
                    result = flow;
                    break 'rows;
                }
            }
        }
        if !found {
            self.store_target(target, &columns, None).await?;
        }
        self.set_found(found);
        Ok(result)
    }

    /// One pass over the rows of a cursor, which is open.
    pub(super) async fn loop_over(
        &mut self,
        label: Option<&str>,
        target: &Target,
        (columns, row): (&[(String, Type)], Row),
        body: &[Statement],
    ) -> Result<Option<Flow>> {
        self.store_target(target, columns, Some(row)).await?;
        let flow = self.statements(body).await?;
        Ok(after(flow, label))
    }

    pub(super) async fn array_loop(
        &mut self,
        label: Option<&str>,
        target: &Target,
        slice: u32,
        array: &Expr,
        body: &[Statement],
    ) -> Result<Flow> {
        let value = self.value(array, None).await?;
        if value.is_null() {
            return Err(Error::new(sqlstate::NULL_VALUE_NOT_ALLOWED, "FOREACH expression must not be null"));
        }
        let context = self.caller.context()?;
        if element_type(value.ty(), &context.catalog).is_none() {
            let shown = type_name(value.ty(), &context);
            let message = format!("FOREACH expression must yield an array, not type {shown}");
            return Err(Error::new(sqlstate::DATATYPE_MISMATCH, message));
        }
        if slice > 0 {
            return Err(Error::unsupported("FOREACH … SLICE"));
        }
        // The elements in the order in which unnest gives them.
        let ran = self.caller.execute(&"SELECT unnest($1) AS element".into(), &[value]).await?;
        let aegis_engine::extension::Ran::Rows(rows) = ran else { return Ok(Flow::Next) };
        let rows = rows.all(usize::MAX).await?;
        let (mut found, mut result) = (false, Flow::Next);
        for row in rows {
            found = true;
            self.store_element(target, row.value(0)?.clone()).await?;
            let flow = self.statements(body).await?;
            if let Some(flow) = after(flow, label) {
                result = flow;
                break;
            }
        }
        self.set_found(found);
        Ok(result)
    }

    pub(super) async fn assert(&mut self, condition: &Expr, message: Option<&Expr>) -> Result<()> {
        if self.caller.setting("plpgsql.check_asserts") == "off" || self.holds(condition).await? {
            return Ok(());
        }
        let message = match message {
            Some(message) => self.text(message).await?,
            None => None,
        };
        let message = message.unwrap_or_else(|| "assertion failed".to_owned());
        Err(Error::new(sqlstate::ASSERT_FAILURE, message))
    }

    /// NULL for what has no type yet.
    pub(super) fn null_text(&self) -> Result<Value> {
        self.caller.null(Type::of(oid::TEXT))
    }
}
