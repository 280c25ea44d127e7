//! Blocks: their variables, and what catches their errors.

use aegis_engine::extension::{Error, Result, Type, Value, oid, sqlstate};

use super::{Boxed, Flow, Run};
use crate::ast::*;
use crate::value::Slot;

impl Run<'_> {
    pub(super) fn block<'a>(&'a mut self, block: &'a Block) -> Boxed<'a, Flow> {
        Box::pin(async move {
            for datum in &block.declared {
                self.start_variable(*datum).await?;
            }
            let flow = match &block.exceptions {
                None => self.statements(&block.body).await?,
                Some(exceptions) => self.guarded(block, exceptions).await?,
            };
            Ok(match flow {
                Flow::Exit(Some(label)) if block.label.as_deref() == Some(label.as_str()) => Flow::Next,
                flow => flow,
            })
        })
    }

    async fn start_variable(&mut self, datum: DatumId) -> Result<()> {
        let function = std::sync::Arc::clone(&self.function);
        let (Some(declared), Some(ty)) = (function.body.datums.get(datum), function.types.get(datum)) else {
            return Ok(());
        };
        let started = self.initial(declared, datum, *ty).await;
        started.map_err(|error| {
            let line = declared.line;
            self.located(error, line, "during statement block local variable initialization")
        })
    }

    async fn initial(&mut self, declared: &Datum, datum: DatumId, ty: Type) -> Result<()> {
        let mut slot = Slot::null(ty, &self.caller)?;
        if declared.cursor.is_some() {
            slot = Slot::Scalar(Value::new(ty, Value::from(declared.name.as_str()).array().clone()));
        }
        if let Some(place) = self.slots.get_mut(datum) {
            *place = slot;
        }
        let place = Place { datum, field: None, rest: String::new() };
        match &declared.default {
            Some(default) => self.assign(&place, default).await,
            // A domain may refuse null.
            None if declared.cursor.is_none() && self.is_domain(ty)? => {
                let null = self.caller.null(Type::of(oid::TEXT))?;
                let value = self.caller.convert(null, ty).await?;
                self.store(&place, value).await
            }
            None => Ok(()),
        }
    }

    fn is_domain(&self, ty: Type) -> Result<bool> {
        Ok(self.caller.catalog()?.base_type(ty) != ty)
    }

    /// A block with EXCEPTION: what it did is undone if it fails.
    async fn guarded(&mut self, block: &Block, exceptions: &Exceptions) -> Result<Flow> {
        let part = self.caller.begin_subtransaction()?;
        let result = self.statements(&block.body).await;
        let error = match result {
            Ok(flow) => {
                self.caller.release(part)?;
                return Ok(flow);
            }
            Err(error) => error,
        };
        self.caller.undo(part)?;
        let catches = |handler: &&Handler| handler.conditions.iter().any(|condition| condition.catches(&error));
        let Some(handler) = exceptions.handlers.iter().find(catches) else { return Err(error) };
        self.located = false;
        let text = |text: String| Slot::Scalar(Value::from(text));
        let values =
            [(exceptions.sqlstate, error.code().to_string()), (exceptions.sqlerrm, error.message().to_owned())];
        for (datum, value) in values {
            if let Some(slot) = self.slots.get_mut(datum) {
                *slot = text(value);
            }
        }
        self.caught.push(error);
        let flow = self.statements(&handler.body).await;
        self.caught.pop();
        flow
    }
}

impl Condition {
    fn catches(&self, error: &Error) -> bool {
        let code = error.code();
        match self {
            Self::Others => !matches!(code, sqlstate::QUERY_CANCELED | sqlstate::ASSERT_FAILURE),
            Self::State(state) => {
                // A class catches all of it.
                code.0 == *state || state.ends_with(b"000") && code.0[..2] == state[..2]
            }
        }
    }
}
