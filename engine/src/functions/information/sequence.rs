//! Sequence functions.

use aegis_catalog::{Oid, Result, acl};

use crate::functions::Call;
use crate::functions::kernel::volatile;
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    vec![
        f(
            "nextval(regclass)",
            volatile!(|call; sequence: u32| {
                may(call, sequence, "Uw")?;
                call.context.services.sequence_next(sequence)
            }),
        ),
        f(
            "currval(regclass)",
            volatile!(|call; sequence: u32| {
                may(call, sequence, "Ur")?;
                call.context.services.sequence_current(sequence)
            }),
        ),
        f("lastval()", volatile!(|call;| call.context.services.sequence_last())),
        f(
            "setval(regclass, int8)",
            volatile!(|call; sequence: u32, value: i64| {
                may(call, sequence, "w")?;
                call.context.services.sequence_set(sequence, value, true).map(|()| value)
            }),
        ),
        f(
            "setval(regclass, int8, bool)",
            volatile!(|call; sequence: u32, value: i64, is_called: bool| {
                may(call, sequence, "w")?;
                call.context.services.sequence_set(sequence, value, is_called).map(|()| value)
            }),
        ),
        f(
            "pg_sequence_last_value(regclass)",
            volatile!(|call; sequence: u32| {
                call.context.services.sequence_state(sequence).map(|(value, is_called)| is_called.then_some(value))
            }),
        ),
    ]
}

/// 42501 unless the user has one of these rights on the sequence.
fn may(call: &Call<'_>, sequence: Oid, letters: &str) -> Result<()> {
    let context = call.context;
    match context.catalog.relation(sequence) {
        Some(relation) if !relation.sequence().is_some_and(|sequence| sequence.identity) => {
            crate::privilege::Owned::relation(relation).require(acl::rights(letters), context)
        }
        _ => Ok(()),
    }
}
