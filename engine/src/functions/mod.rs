//! SQL functions: what may be called, with which types, and the code behind it.
//!
//! A function is one row of its family's list (`<family>/mod.rs`): its SQL signature and its kernel. OID, strictness and volatility of
//! PostgreSQL's own functions come from `aegis_catalog`'s facts by that signature; functions of our own state theirs.
//! The same lists feed the binder and `pg_proc`.

pub(crate) mod aggregate;
pub mod array;
mod cast;
pub mod comparison;
#[cfg(test)]
mod coverage;
pub mod datetime;
mod enums;
mod formatting;
mod geometry;
mod information;
pub(crate) mod json;
pub mod kernel;
mod large_object;
mod math;
mod network;
mod pattern;
mod range;
mod registry;
pub mod set_returning;
mod signature;
mod string;
pub(crate) mod text_search;
pub mod value;
pub mod window;

use std::fmt;
use std::sync::Arc;

use aegis_catalog::object::Routine;
use aegis_catalog::types::{oid, structure::struct_fields};
use aegis_catalog::{Oid, Result, Type};
use arrow::array::ArrayRef;
use arrow::compute::SortOptions;
use arrow::datatypes::DataType;
use datafusion::logical_expr::{AggregateUDF, ColumnarValue, Expr, WindowUDF};

use crate::extension::SessionCode;
use crate::extension::transform::Part;
use crate::session::context::StatementContext;

pub use registry::{Registry, registry};
pub use signature::{input_names, native_aggregate, of_routine};

/// The families, each with its list of functions, in the order of the manual's chapter "Functions and Operators".
const FAMILIES: &[fn() -> Vec<signature::Row>] = &[
    comparison::functions,
    math::functions,
    cast::functions,
    string::functions,
    pattern::functions,
    formatting::functions,
    datetime::functions,
    enums::functions,
    geometry::functions,
    network::functions,
    text_search::functions,
    array::functions,
    json::functions,
    range::functions,
    aggregate::functions,
    window::functions,
    set_returning::functions,
    information::functions,
    large_object::functions,
];

/// One callable function (an overload of its name).
pub struct Function {
    pub oid: Oid,
    /// Schema it is in: `pg_catalog` for nearly all.
    pub schema: Oid,
    pub name: String,
    /// Declared argument types; polymorphic ones as `anyelement` etc. The last one is the element type if `variadic`.
    pub args: Vec<Oid>,
    pub variadic: bool,
    /// Trailing arguments that may be left out, as SQL text.
    pub defaults: Vec<String>,
    pub arg_names: Vec<String>,
    pub returns: Oid,
    pub returns_set: bool,
    /// OUT/TABLE columns of a function that returns records.
    pub out_columns: Vec<(String, Oid)>,
    /// A null argument makes the result null without a call.
    pub strict: bool,
    pub volatility: Volatility,
    pub body: Body,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Volatility {
    Immutable,
    Stable,
    Volatile,
}

/// The code of a function.
#[derive(Clone)]
pub enum Body {
    /// Columns in, one column out. Never called with a null in a strict argument… the adaptor masks those rows.
    Scalar(Kernel),
    /// Is a DataFusion expression (comparisons, so that they push down into scans and joins).
    Expression(Rewrite),
    /// Makes the DataFusion aggregate for concrete argument and result types.
    Aggregate(fn(&AggregateTypes<'_>) -> Result<Arc<AggregateUDF>>),
    Window(fn(&AggregateTypes<'_>) -> Result<Arc<WindowUDF>>),
    /// Statements in SQL, that a user wrote.
    Sql(Arc<Routine>),
    /// A body in a procedural language, that a user wrote.
    Language(Arc<Routine>),
    /// A scalar function that is a part of a transform of groups.
    Transform {
        scalar: Kernel,
        part: Part,
    },
    /// Code of an extension that runs in the caller's session, as the statements of a body in SQL do.
    Session(SessionCode),
    /// An aggregate that a user made of functions.
    UserAggregate(Arc<Routine>),
    /// In FROM, with constants as arguments: it stands for a query, whose text it makes of theirs.
    Query(fn(&[String]) -> Result<String>),
    /// A set-returning function: one `List` per input row (of structs when there are several columns). `stream`, if given, makes the rows of
    /// a call with constant arguments a batch at a time.
    Set {
        lists: Kernel,
        stream: Option<SetStream>,
    },
}

/// Evaluates a call over a batch. Arguments are scalars or columns of `rows` rows in the Arrow representation of their type. The result is a
/// scalar only if the same value holds for every row.
pub type Kernel = Arc<dyn Fn(&Call<'_>, &[ColumnarValue]) -> Result<ColumnarValue> + Send + Sync>;

/// Makes the expression that a call of a function stands for.
pub type Rewrite = Arc<dyn Fn(Vec<Expr>) -> Expr + Send + Sync>;

/// Produces the rows of one call a batch at a time; the columns are the result's columns.
pub type SetStream = fn(&Call<'_>, &[ArrayRef]) -> Result<Box<dyn Iterator<Item = Result<Vec<ArrayRef>>> + Send>>;

/// What a kernel may know besides its arguments.
pub struct Call<'a> {
    pub context: &'a StatementContext,
    pub rows: usize,
    pub arg_types: &'a [Type],
    pub result: Type,
    /// Written with VARIADIC: the last argument of a function of VARIADIC "any" is the array of its arguments.
    pub variadic: bool,
    /// Columns that the query wants of a row: its column definition list, or those of the row type.
    pub columns: &'a [(String, Type)],
}

/// Concrete types an aggregate or window function is used with.
pub struct AggregateTypes<'a> {
    pub context: &'a Arc<StatementContext>,
    pub args: &'a [Type],
    /// The representations of the arguments.
    pub data_types: &'a [DataType],
    pub result: Type,
    /// Directions of WITHIN GROUP.
    pub order: &'a [SortOptions],
}

impl Function {
    /// The same with other code.
    pub fn with_body(&self, body: Body) -> Self {
        Self {
            name: self.name.clone(),
            args: self.args.clone(),
            defaults: self.defaults.clone(),
            arg_names: self.arg_names.clone(),
            out_columns: self.out_columns.clone(),
            body,
            ..*self
        }
    }
}

impl Call<'_> {
    /// The representation of the result: of a row in FROM, that of its columns.
    pub fn result_type(&self) -> DataType {
        match self.result.oid {
            oid::RECORD if !self.columns.is_empty() => {
                DataType::Struct(struct_fields(self.columns, &*self.context.catalog))
            }
            _ => self.context.catalog.arrow_type(self.result),
        }
    }
}

impl AggregateTypes<'_> {
    /// The representation of the result: a record is one of its arguments.
    pub fn result_type(&self) -> DataType {
        let record = self.args.iter().position(|arg| arg.oid == oid::RECORD && self.result.oid == oid::RECORD);
        match record.and_then(|position| self.data_types.get(position)) {
            Some(data_type) => data_type.clone(),
            None => self.context.catalog.arrow_type(self.result),
        }
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.oid == other.oid
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({:?})", self.name, self.args)
    }
}
