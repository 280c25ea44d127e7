//! Aggregates of the engine's own: one value per group, how many there are, ordered or distinct input for any aggregate, and
//! aggregates made by users.

mod distinct_count;
mod first;
mod ordered;
mod user;

pub use distinct_count::distinct_count;
pub use first::{any_value, single_value};
pub use ordered::{Inner, Ordered};
pub use user::{Steps, UserAggregate, constant, null};
