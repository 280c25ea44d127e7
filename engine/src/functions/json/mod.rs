//! JSON functions and operators (PostgreSQL manual 9.16).

pub mod comparison;
