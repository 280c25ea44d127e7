//! One client's state: settings, transaction, prepared statements, portals.

pub mod context;
