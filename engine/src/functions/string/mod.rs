//! String functions and operators (PostgreSQL manual 9.4) and binary strings (9.5), bit strings (9.6).

mod bits;
mod bytes;
mod case;
mod concat;
mod encoding;
mod normalize;
mod pad;
pub mod quote;
mod send;
mod slice;

use super::signature::Row;

pub use slice::split as split_text;

pub fn functions() -> Vec<Row> {
    [
        bits::functions(),
        bytes::functions(),
        case::functions(),
        concat::functions(),
        encoding::functions(),
        normalize::functions(),
        pad::functions(),
        quote::functions(),
        send::functions(),
        slice::functions(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
