//! The PostgreSQL protocol, version 3: bytes and sessions, nothing of plans.
//!
//! [`serve`] listens; each connection goes through `startup` (encryption, authentication) into `connection`, whose loop hands messages to the
//! simple (`simple`) and extended (`extended`) query cycles. Codecs (`message`, `reply`, `format`) are pure functions on bytes.

mod anticipation;
mod auth;
mod cancel;
mod connection;
mod copy;
mod extended;
mod format;
mod function_call;
mod interrupt;
mod listener;
mod message;
mod reply;
mod rows;
mod simple;
mod startup;
mod stop;
mod stream;
mod threads;
mod tls;
mod transport;

pub use format::RowEncoder;
pub use listener::{Config, Listen, Server, serve};
pub use tls::{ServeError, TlsFiles};
