//! Transforms of groups: a function that, as a key of GROUP BY, makes other rows of the groups than those that are there, such as the missing ones.
//!
//! The rows come sorted: all groups that agree in the other keys (a series) one after the other, and by this key within a series. Functions that
//! belong to the transform are computed by it for each row that it makes; elsewhere they are plain functions.

use std::ops::Range;
use std::sync::Arc;

use aegis_catalog::{Result, Type};
use arrow::array::{ArrayRef, UInt32Array};
use arrow::datatypes::DataType;

use super::Value;
use crate::functions::Body;
use crate::session::context::StatementContext;

/// What a function is for a transform.
#[derive(Clone, Copy)]
pub enum Part {
    /// The key. Conditions of WHERE on its argument at this place are bounds.
    Key { argument: usize, open: Open },
    /// A value that the transform computes, by a name of the extension's.
    Value(&'static str),
}

/// Starts a transform, when its query runs.
pub type Open = fn(&Definition) -> Result<Box<dyn Transform>>;

/// Everything that is known before the first group.
pub struct Definition {
    pub context: Arc<StatementContext>,
    /// The type of the key.
    pub key: Type,
    /// The arguments of the key's call; none for those that depend on rows.
    pub arguments: Vec<Option<Value>>,
    /// What WHERE says of the argument, all of which holds.
    pub bounds: Vec<Bound>,
    /// The values to compute.
    pub values: Vec<Computed>,
    /// There are other keys: without groups there is no series.
    pub has_series: bool,
}

/// `argument < value`.
#[derive(Debug, Clone)]
pub struct Bound {
    pub comparison: Comparison,
    pub value: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A call of a function that belongs to the transform.
pub struct Computed {
    pub name: &'static str,
    pub arguments: Vec<Argument>,
    pub data_type: DataType,
}

pub enum Argument {
    Constant(Value),
    /// At this place of [`Groups::columns`].
    Column(usize),
}

/// Some groups, in order.
pub struct Groups<'a> {
    pub key: &'a ArrayRef,
    /// What arguments of computed values are read from.
    pub columns: &'a [ArrayRef],
    /// The rows of each series.
    pub series: &'a [Range<usize>],
    /// Rows at the start that were there at the end of the groups before: none, or one that shows its series.
    pub seen: usize,
    /// No others will come.
    pub last: bool,
}

/// Rows that a transform has made.
pub struct Transformed {
    /// The group that each row is; null if there is none, and its aggregates are null.
    pub rows: UInt32Array,
    /// A group of each row's series.
    pub series: UInt32Array,
    pub key: ArrayRef,
    pub values: Vec<ArrayRef>,
}

pub trait Transform: Send {
    /// More rows from these groups, about `limit` at most; None if there are none left in them.
    fn next(&mut self, groups: &Groups<'_>, limit: usize) -> Result<Option<Transformed>>;
}

/// A scalar function that is a part of a transform.
pub fn part(part: Part, scalar: Body) -> Body {
    match scalar {
        Body::Scalar(scalar) => Body::Transform { scalar, part },
        other => other,
    }
}
