//! What the wire may ask of a session, and what it gets back. `wire` translates messages to these calls one to one.

use std::sync::Arc;

use aegis_catalog::{Error, Oid};
use arrow::array::RecordBatch;

pub use super::notify::Notification;
pub use crate::bind::tree::OutputColumn;

/// Byte sent in ReadyForQuery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionStatus {
    /// `I`
    Idle,
    /// `T`
    Active,
    /// `E`
    Failed,
}

/// Format code of a parameter or a result column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Text,
    Binary,
}

/// Who connects, as the startup packet says.
#[derive(Debug, Clone, Default)]
pub struct ConnectRequest {
    pub user: String,
    /// The user's name if absent.
    pub database: Option<String>,
    /// Other startup parameters, in order: settings, and `options`.
    pub settings: Vec<(String, String)>,
    /// (client address, client port, server address, server port) for TCP.
    pub addresses: Option<(String, u16, String, u16)>,
    /// None without encryption.
    pub tls: Option<TlsSession>,
}

/// How a connection is encrypted, for `pg_stat_ssl`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSession {
    /// `TLSv1.3`
    pub version: String,
    /// `TLS_AES_256_GCM_SHA384`
    pub cipher: String,
    pub bits: i32,
}

/// What a started statement answers with.
#[derive(Debug)]
pub enum Response {
    /// The query string had nothing in it.
    Empty,
    /// Rows follow: pull them with `Session::fetch` until it says `Complete` or `Suspended`.
    Rows { columns: Arc<Vec<OutputColumn>>, formats: Vec<Format> },
    /// Done; the command tag.
    Complete(String),
    /// Hand the client's CopyData to `copy_data`, then `copy_done` or `copy_fail`.
    CopyIn { format: Format, columns: usize },
    /// Pull with `copy_next` until None, then `copy_tag`.
    CopyOut { format: Format, columns: usize },
}

/// One step of fetching from a portal.
#[derive(Debug)]
pub enum Fetched {
    /// Never more rows than were still asked for.
    Batch(RecordBatch),
    /// The row limit was reached and there may be more rows.
    Suspended,
    Complete(String),
}

/// Rows of COPY TO, encoded. The wire sends one CopyData per entry of `ends`: drivers rely on a message holding one row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CopyChunk {
    pub data: Vec<u8>,
    /// Where in `data` each message ends.
    pub ends: Vec<usize>,
}

/// Answer to Describe of a statement.
#[derive(Debug, Clone)]
pub struct StatementDescription {
    pub parameters: Vec<Oid>,
    /// None is NoData.
    pub columns: Option<Arc<Vec<OutputColumn>>>,
}

/// Answer to Describe of a portal.
#[derive(Debug, Clone)]
pub struct PortalDescription {
    pub columns: Option<Arc<Vec<OutputColumn>>>,
    pub formats: Vec<Format>,
}

/// Something for the client that is not an error: severity NOTICE, WARNING, INFO, LOG or DEBUG.
#[derive(Debug, Clone)]
pub struct Notice {
    pub severity: &'static str,
    pub fields: Error,
}

/// How a role may log in.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// `trust`: no questions.
    Trust,
    /// SCRAM-SHA-256 verifier in PostgreSQL's stored form; None if the role is missing or has no password (the exchange is
    /// played to its end all the same, then fails with 28P01).
    Scram(Option<String>),
}
