//! Sequence functions.

use crate::functions::kernel::volatile;
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    vec![
        f("nextval(regclass)", volatile!(|call; sequence: u32| call.context.services.sequence_next(sequence))),
        f("currval(regclass)", volatile!(|call; sequence: u32| call.context.services.sequence_current(sequence))),
        f("lastval()", volatile!(|call;| call.context.services.sequence_last())),
        f(
            "setval(regclass, int8)",
            volatile!(|call; sequence: u32, value: i64| call.context.services.sequence_set(sequence, value, true).map(|()| value)),
        ),
        f(
            "setval(regclass, int8, bool)",
            volatile!(|call; sequence: u32, value: i64, is_called: bool| {
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
