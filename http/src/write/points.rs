//! The points of a request, in whatever form they came.

use std::sync::Arc;

use axum::body::Bytes;

use crate::line_protocol::{Entry, Lines};
use crate::remote_write::message::{Series, entries};

/// Read several times: for the names, for what the tables need, for the rows.
#[derive(Debug, Clone)]
pub enum Points {
    Lines(Bytes),
    Series(Arc<Vec<Series>>),
}

impl Points {
    pub fn entries(&self) -> Box<dyn Iterator<Item = Entry<'_>> + Send + '_> {
        match self {
            Self::Lines(text) => Box::new(Lines::new(text)),
            Self::Series(series) => Box::new(entries(series)),
        }
    }
}
