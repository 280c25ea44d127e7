//! The store through its public face: on memory alone, on disk, and on a disk that fails.

mod crash;
mod durability;
mod faults;
mod fixture;
mod model;
mod transactions;
