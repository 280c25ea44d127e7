//! Sequences: numbers that never repeat, whatever rolls back or crashes (PostgreSQL manual, "Sequence Manipulation Functions").
//!
//! The store durably remembers a value ahead of those given out, so that most calls of `nextval` touch memory only; a crash skips the
//! rest of the range, as in PostgreSQL.

use std::collections::HashMap;
use std::sync::Arc;

use aegis_catalog::object::{Relation, RelationKind, Sequence};
use aegis_catalog::{Error, Oid, Result, sqlstate};
use aegis_storage::Store;
use parking_lot::Mutex;

/// How many values are made durable ahead of use (PostgreSQL's SEQ_LOG_VALS).
const RESERVED_VALUES: i64 = 32;

/// The state of all sequences of the server.
pub struct Sequences {
    store: Arc<Store>,
    states: Mutex<HashMap<Oid, State>>,
}

/// What `SELECT last_value, is_called` shows, and how far the store remembers.
#[derive(Debug, Clone, Copy)]
struct State {
    last_value: i64,
    is_called: bool,
    /// Values up to this one may be given out without asking the store.
    reserved: Option<i64>,
}

/// The store's counters of a sequence.
fn value_counter(sequence: Oid) -> u64 {
    u64::from(sequence) * 2
}

fn called_counter(sequence: Oid) -> u64 {
    u64::from(sequence) * 2 + 1
}

impl Sequences {
    pub fn new(store: Arc<Store>) -> Self {
        Self { store, states: Mutex::default() }
    }

    /// `nextval`: 2200H at the end of a sequence without CYCLE.
    pub fn next(&self, relation: &Relation) -> Result<i64> {
        let sequence = definition(relation)?;
        let mut states = self.states.lock();
        let state = states.entry(relation.oid).or_insert_with(|| self.load(relation.oid, sequence));
        let (next, wrapped) =
            if state.is_called { step(relation, sequence, state.last_value)? } else { (state.last_value, false) };
        let within = state
            .reserved
            .is_some_and(|reserved| if sequence.increment > 0 { next <= reserved } else { next >= reserved });
        if !within || wrapped || !state.is_called {
            let ahead = sequence.increment.saturating_mul(RESERVED_VALUES);
            let reserved = next.saturating_add(ahead).clamp(sequence.min, sequence.max);
            self.remember(relation.oid, reserved, true)?;
            state.reserved = Some(reserved);
        }
        state.last_value = next;
        state.is_called = true;
        Ok(next)
    }

    /// `setval` and RESTART. 22003 outside the sequence's bounds.
    pub fn set(&self, relation: &Relation, value: i64, is_called: bool) -> Result<()> {
        let sequence = definition(relation)?;
        if !(sequence.min..=sequence.max).contains(&value) {
            return Err(Error::new(
                sqlstate::NUMERIC_VALUE_OUT_OF_RANGE,
                format!(
                    "setval: value {value} is out of bounds for sequence \"{}\" ({}..{})",
                    relation.name, sequence.min, sequence.max
                ),
            ));
        }
        let mut states = self.states.lock();
        self.remember(relation.oid, value, is_called)?;
        states.insert(relation.oid, State { last_value: value, is_called, reserved: None });
        Ok(())
    }

    /// (last_value, is_called).
    pub fn state(&self, relation: &Relation) -> Result<(i64, bool)> {
        let sequence = definition(relation)?;
        let mut states = self.states.lock();
        let state = states.entry(relation.oid).or_insert_with(|| self.load(relation.oid, sequence));
        Ok((state.last_value, state.is_called))
    }

    /// Before a clean stop: what the store remembers becomes exact, so that no value is skipped.
    pub fn settle(&self) -> Result<()> {
        for (&oid, state) in self.states.lock().iter() {
            if state.reserved.is_some_and(|reserved| reserved != state.last_value) {
                self.remember(oid, state.last_value, state.is_called)?;
            }
        }
        Ok(())
    }

    fn load(&self, oid: Oid, sequence: &Sequence) -> State {
        match self.store.counter(value_counter(oid)) {
            Some(last_value) => {
                let is_called = self.store.counter(called_counter(oid)) != Some(0);
                State { last_value, is_called, reserved: None }
            }
            None => State { last_value: sequence.start, is_called: false, reserved: None },
        }
    }

    /// Waits for the log; the callers are query threads.
    fn remember(&self, oid: Oid, value: i64, is_called: bool) -> Result<()> {
        let called = i64::from(is_called);
        aegis_storage::block_on(async {
            if self.store.counter(called_counter(oid)).unwrap_or(1) != called {
                self.store.counter_reserve(called_counter(oid), called).await?;
            }
            self.store.counter_reserve(value_counter(oid), value).await
        })
        .map_err(Error::from)
    }
}

fn definition(relation: &Relation) -> Result<&Sequence> {
    match &relation.kind {
        RelationKind::Sequence(sequence) => Ok(sequence),
        _ => Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, format!("\"{}\" is not a sequence", relation.name))),
    }
}

/// The value after `last`, and whether the sequence wrapped around.
fn step(relation: &Relation, sequence: &Sequence, last: i64) -> Result<(i64, bool)> {
    let next = last.checked_add(sequence.increment).filter(|next| (sequence.min..=sequence.max).contains(next));
    let (limit, bound, start) = if sequence.increment > 0 {
        ("maximum", sequence.max, sequence.min)
    } else {
        ("minimum", sequence.min, sequence.max)
    };
    match next {
        Some(next) => Ok((next, false)),
        None if sequence.cycle => Ok((start, true)),
        None => Err(Error::new(
            sqlstate::SEQUENCE_GENERATOR_LIMIT_EXCEEDED,
            format!("nextval: reached {limit} value of sequence \"{}\" ({bound})", relation.name),
        )),
    }
}
