//! Aggregates of the engine's own: one value per group, and ordered or distinct input for any aggregate.

mod first;
mod ordered;

pub use first::{any_value, single_value};
pub use ordered::{Inner, Ordered};
