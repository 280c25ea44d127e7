//! `pg_cast`.

use super::tsv::{self, Fields};
use crate::types::oid::Oid;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CastRow {
    pub oid: Oid,
    pub source: Oid,
    pub target: Oid,
    /// 0 unless the method is `Function`.
    pub function: Oid,
    pub context: CastContext,
    pub method: CastMethod,
}

/// Where a cast may be applied without being asked for; ordered from strictest to freest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CastContext {
    /// Anywhere.
    Implicit,
    /// In assignments to a column.
    Assignment,
    /// Only by CAST or `::`.
    Explicit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CastMethod {
    Function,
    /// Through the types' text output and input.
    InOut,
    /// The same bytes.
    Binary,
}

impl CastRow {
    fn parse(fields: &mut Fields) -> Self {
        Self {
            oid: fields.oid(),
            source: fields.oid(),
            target: fields.oid(),
            function: fields.oid(),
            context: match fields.character() {
                'i' => CastContext::Implicit,
                'a' => CastContext::Assignment,
                _ => CastContext::Explicit,
            },
            method: match fields.character() {
                'f' => CastMethod::Function,
                'i' => CastMethod::InOut,
                _ => CastMethod::Binary,
            },
        }
    }
}

impl CastContext {
    /// `pg_cast.castcontext`.
    pub fn code(self) -> char {
        match self {
            Self::Implicit => 'i',
            Self::Assignment => 'a',
            Self::Explicit => 'e',
        }
    }
}

impl CastMethod {
    /// `pg_cast.castmethod`.
    pub fn code(self) -> char {
        match self {
            Self::Function => 'f',
            Self::InOut => 'i',
            Self::Binary => 'b',
        }
    }
}

/// All casts, sorted by source and target.
pub(super) struct Casts {
    pub(super) rows: Vec<CastRow>,
}

impl Casts {
    pub(super) fn load() -> Self {
        let mut rows: Vec<CastRow> =
            tsv::rows(include_str!("../../data/pg_cast.tsv")).map(|mut fields| CastRow::parse(&mut fields)).collect();
        rows.sort_by_key(|cast| (cast.source, cast.target));
        Self { rows }
    }

    pub(super) fn from_to(&self, source: Oid, target: Oid) -> Option<&CastRow> {
        let position = self.rows.binary_search_by_key(&(source, target), |cast| (cast.source, cast.target)).ok()?;
        self.rows.get(position)
    }

    pub(super) fn with_source(&self, source: Oid) -> &[CastRow] {
        let start = self.rows.partition_point(|cast| cast.source < source);
        let end = self.rows.partition_point(|cast| cast.source <= source);
        &self.rows[start..end]
    }
}
