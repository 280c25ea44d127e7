//! System information (PostgreSQL manual 9.26), administration (9.27) and sequences (9.17).

mod access_method;
mod activity;
mod administration;
mod comment;
mod definition;
mod expression;
mod language;
mod lock;
mod privilege;
mod role;
mod sequence;
mod session;
mod size;
mod statistics;
mod visibility;

use super::signature::Row;

pub use privilege::Acl;

pub fn functions() -> Vec<Row> {
    [
        access_method::functions(),
        session::functions(),
        definition::functions(),
        comment::functions(),
        visibility::functions(),
        privilege::functions(),
        role::functions(),
        size::functions(),
        sequence::functions(),
        administration::functions(),
        activity::functions(),
        statistics::functions(),
        lock::functions(),
        language::functions(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
