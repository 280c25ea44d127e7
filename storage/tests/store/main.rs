//! The store through its public face: on memory alone, on disk, and on a disk that fails.

#![allow(clippy::unwrap_used)]

mod backups;
mod checks;
mod crash;
mod durability;
mod faults;
mod fixture;
mod last_rows;
mod model;
mod s3;
mod scans;
mod serializable;
mod staged;
mod transactions;
mod windows;
