//! PostgreSQL's types on Arrow.
//!
//! Each type has exactly one Arrow representation, so that any two parts of the server may exchange columns
//! without asking (`numeric` has two, see below):
//!
//! | PostgreSQL | Arrow |
//! |---|---|
//! | bool | Boolean |
//! | int2, int4, int8, float4, float8 | Int16, Int32, Int64, Float32, Float64 |
//! | numeric(p, s), 0 <= s <= p <= 38, as a *stored column* | Decimal128(p, s) |
//! | numeric otherwise | BinaryView of an order-preserving encoding (`numeric.rs`) |
//! | text, varchar, bpchar, name, "char", json, jsonb, xml, unknown, cstring, pg_node_tree, aclitem | Utf8View (jsonb in PostgreSQL's canonical output form) |
//! | bytea | BinaryView |
//! | date | Date32; PostgreSQL's infinities are `i32::MAX` and `i32::MIN` |
//! | time | Time64(Microsecond) |
//! | timetz | FixedSizeBinary(12): i64 µs, i32 zone seconds west, big endian |
//! | timestamp, timestamptz | Timestamp(Microsecond, None / "UTC"); infinities are `i64::MAX` and `i64::MIN` |
//! | interval | Interval(MonthDayNano); nanoseconds always a multiple of 1000 |
//! | uuid | FixedSizeBinary(16) |
//! | inet, cidr, macaddr, macaddr8 | BinaryView of an encoding that sorts as the values do (`network.rs`) |
//! | int4range … tstzrange, and their multiranges | BinaryView of an encoding that sorts as the values do (`range/mod.rs`) |
//! | tsvector, tsquery | BinaryView of an encoding that sorts as the values do (`text_search/mod.rs`) |
//! | oid, reg*, xid, cid | UInt32 |
//! | xid8 | UInt64 |
//! | pg_lsn, money | Int64 |
//! | tid | UInt64 (block << 16 \| offset) |
//! | arrays, int2vector, oidvector | Struct { elements: List<item>, shape: List<Int32> } (`array.rs`); `shape` is null for an empty array and the common one-dimensional one with lower bound 1, else [dim1, lower1, dim2, lower2, …] |
//! | record, composite | Struct of the fields, each marked with its PostgreSQL type ([`field_with_type`]) |
//! | bit, varbit | Utf8View of zeros and ones |
//! | citext, hstore (of extensions) | Utf8View (hstore in its canonical output form) |
//! | void | Null |
//! | an enum | Int64, in the order of the labels ([`crate::object::EnumLabel::key`]) |
//! | a domain | as its base type |

pub mod array;
pub mod binary;
pub mod bit;
pub mod boolean;
pub mod builder;
pub mod bytea;
pub mod datetime;
pub mod encoder;
pub mod enums;
pub mod float;
pub mod formatting;
pub mod geometry;
pub mod hstore;
pub mod int;
pub mod interval;
pub mod json;
pub mod money;
pub mod names;
mod nested;
pub mod network;
pub mod numeric;
pub mod object_id;
pub mod oid;
pub mod range;
pub mod record;
pub mod representation;
pub mod structure;
pub mod table;
pub mod text;
pub mod text_search;
pub mod type_name;
pub mod uuid;

pub use array::{ArrayColumn, ArraysBuilder, PgArray};
pub use builder::{ColumnBuilder, parse_scalar};
pub use encoder::{BinaryEncoder, TextEncoder, text_of};
pub use interval::Interval;
pub use names::{NameLookup, Names};
pub use numeric::Numeric;
pub use representation::{built_in, field_with_type, type_of_field};
pub use structure::{BuiltIn, Structure, TypeLookup};
pub use table::{TYPES, array_of, element_of, is_array, type_by_name, type_info};
pub use type_name::{format_type, sql_type, typmod_from_modifiers};

use oid::Oid;

/// The type of a column or expression: PostgreSQL type and type modifier (-1 for none).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Type {
    pub oid: Oid,
    pub typmod: i32,
}

impl Type {
    pub const fn new(oid: Oid, typmod: i32) -> Self {
        Self { oid, typmod }
    }

    /// A type without modifier.
    pub const fn of(oid: Oid) -> Self {
        Self { oid, typmod: -1 }
    }
}

/// `pg_type.typcategory` (PostgreSQL manual, table "typcategory Codes").
pub type Category = char;

/// One built-in type: the row of `pg_type` as far as name and type resolution need it.
#[derive(Debug, Clone, Copy)]
pub struct TypeInfo {
    pub oid: Oid,
    /// `pg_type.typname`, e.g. `int4`.
    pub name: &'static str,
    /// Array type over this type, 0 if none.
    pub array: Oid,
    /// Element type if this is an array (or `name`-like subscriptable) type, else 0.
    pub element: Oid,
    /// `typlen`: bytes, -1 for varlena, -2 for cstring.
    pub len: i16,
    /// `typtype`: b base, p pseudo, r range, m multirange, d domain, e enum, c composite.
    pub kind: char,
    pub category: Category,
    pub preferred: bool,
    /// Collation OID (100 for text-like, 950 for name), 0 if not collatable.
    pub collation: Oid,
}

/// Session settings that text input and output obey.
#[derive(Debug, Clone, PartialEq)]
pub struct FormatSettings {
    pub date_style: DateStyle,
    pub date_order: DateOrder,
    pub interval_style: IntervalStyle,
    pub time_zone: TimeZone,
    /// -15..=3; above 0 means shortest-exact output.
    pub extra_float_digits: i32,
    pub bytea_hex: bool,
    /// Start of the current transaction, µs since 1970-01-01 UTC: what 'now' and 'today' mean in input.
    pub now: i64,
    /// Names of catalog objects, for text input and output of the `reg*` types. Without it they are numbers.
    pub names: Names,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateStyle {
    Iso,
    Sql,
    Postgres,
    German,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateOrder {
    Mdy,
    Dmy,
    Ymd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntervalStyle {
    Postgres,
    PostgresVerbose,
    SqlStandard,
    Iso8601,
}

/// A session time zone: IANA name or fixed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeZone {
    Named(chrono_tz::Tz),
    /// Seconds east of UTC and the text that `SHOW timezone` prints.
    Fixed {
        east_seconds: i32,
        name: String,
    },
}

impl Default for FormatSettings {
    fn default() -> Self {
        Self {
            date_style: DateStyle::Iso,
            date_order: DateOrder::Mdy,
            interval_style: IntervalStyle::Postgres,
            time_zone: TimeZone::Named(chrono_tz::UTC),
            extra_float_digits: 1,
            bytea_hex: true,
            now: 0,
            names: Names::default(),
        }
    }
}
