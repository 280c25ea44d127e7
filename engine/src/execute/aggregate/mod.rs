//! Aggregates of the engine's own: one value per group, ordered or distinct input for any aggregate, and aggregates
//! made by users.

mod first;
mod ordered;
mod user;

pub use first::{any_value, single_value};
pub use ordered::{Inner, Ordered};
pub use user::{Steps, UserAggregate, constant, null};
