//! PostgreSQL type → Arrow type (the table in [`super`]), and the PostgreSQL type that an Arrow field carries.

use std::collections::HashMap;

use arrow::datatypes::{DataType, Field, Fields, IntervalUnit, TimeUnit};

use super::Type;
use super::geometry::is_geometric;
use super::oid::{self, Oid};
use super::range::any_range_type;
use super::structure::BuiltIn;
use super::table::{array_of, element_of};
use super::type_name::numeric_precision_scale;

/// Largest precision that fits a Decimal128.
const DECIMAL128_PRECISION: i32 = 38;

/// Key of the field metadata that holds a field's PostgreSQL type as `oid:typmod`.
const TYPE_KEY: &str = "postgres.type";

/// The Arrow type of a computed value of a built-in type (numeric is always BinaryView here); those that users
/// create are known to the catalog ([`super::structure`]). Types without a representation of their own yet travel as
/// text. `record` yields a Struct without fields: a real one is known only to whoever made the row.
pub fn built_in(ty: Type) -> DataType {
    if let Some(element) = element_of(ty.oid) {
        return array_type(built_in(Type::new(element, ty.typmod)));
    }
    match ty.oid {
        // The one value of `void` is true.
        oid::BOOL | oid::VOID => DataType::Boolean,
        oid::INT2 => DataType::Int16,
        oid::INT4 => DataType::Int32,
        oid::INT8 | oid::PG_LSN | oid::MONEY => DataType::Int64,
        oid::FLOAT4 => DataType::Float32,
        oid::FLOAT8 => DataType::Float64,
        oid::NUMERIC | oid::BYTEA | oid::INET | oid::CIDR | oid::MACADDR | oid::MACADDR8 => DataType::BinaryView,
        oid::TSVECTOR | oid::TSQUERY => DataType::BinaryView,
        other if is_geometric(other) || any_range_type(other, &BuiltIn).is_some() => DataType::BinaryView,
        oid::DATE => DataType::Date32,
        oid::TIME => DataType::Time64(TimeUnit::Microsecond),
        oid::TIMETZ => DataType::FixedSizeBinary(12),
        oid::TIMESTAMP => DataType::Timestamp(TimeUnit::Microsecond, None),
        oid::TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        oid::INTERVAL => DataType::Interval(IntervalUnit::MonthDayNano),
        oid::UUID => DataType::FixedSizeBinary(16),
        oid::OID | oid::XID | oid::CID => DataType::UInt32,
        other if is_reg_type(other) => DataType::UInt32,
        oid::XID8 | oid::TID => DataType::UInt64,
        oid::RECORD => DataType::Struct(Fields::empty()),
        _ => DataType::Utf8View,
    }
}

/// How a column of `numeric(p, s)` with 0 <= s <= p <= 38 is stored; None for every other type.
pub(super) fn stored_numeric(ty: Type) -> Option<DataType> {
    match numeric_precision_scale(ty.typmod) {
        Some((precision @ 1..=DECIMAL128_PRECISION, scale))
            if ty.oid == oid::NUMERIC && (0..=precision).contains(&scale) =>
        {
            Some(DataType::Decimal128(precision as u8, scale as i8))
        }
        _ => None,
    }
}

/// The representation of arrays over elements of this Arrow type.
pub fn array_type(element: DataType) -> DataType {
    DataType::Struct(array_fields(element))
}

/// The fields of an array's Struct: `elements` and `shape`.
pub(super) fn array_fields(element: DataType) -> Fields {
    Fields::from(vec![
        Field::new("elements", DataType::List(Field::new("item", element, true).into()), true),
        Field::new("shape", DataType::List(Field::new("item", DataType::Int32, true).into()), true),
    ])
}

/// Whether this is one of the OID types that text output shows as a name.
pub fn is_reg_type(type_oid: Oid) -> bool {
    matches!(
        type_oid,
        oid::REGPROC
            | oid::REGPROCEDURE
            | oid::REGOPER
            | oid::REGOPERATOR
            | oid::REGCLASS
            | oid::REGCOLLATION
            | oid::REGTYPE
            | oid::REGROLE
            | oid::REGNAMESPACE
            | oid::REGCONFIG
            | oid::REGDICTIONARY
    )
}

/// Are these the fields of an array's Struct? Fields of a row are never bare lists.
pub fn is_array_type(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Struct(fields) if element_field(fields).is_some())
}

/// A field of a built-in type's computed representation that remembers its PostgreSQL type: how the fields of a
/// record say what they are.
pub fn field_with_type(name: &str, ty: Type, nullable: bool) -> Field {
    with_type(Field::new(name, built_in(ty), nullable), ty)
}

/// Marks a field with its PostgreSQL type.
pub fn with_type(field: Field, ty: Type) -> Field {
    let mut metadata: HashMap<String, String> = field.metadata().clone();
    metadata.insert(TYPE_KEY.into(), format!("{}:{}", ty.oid, ty.typmod));
    field.with_metadata(metadata)
}

/// The PostgreSQL type of a field: the one it was marked with, else the usual one for its Arrow type.
pub fn type_of_field(field: &Field) -> Type {
    let marked = field.metadata().get(TYPE_KEY).and_then(|mark| {
        let (type_oid, typmod) = mark.split_once(':')?;
        Some(Type::new(type_oid.parse().ok()?, typmod.parse().ok()?))
    });
    marked.unwrap_or_else(|| Type::of(usual_type(field.data_type())))
}

fn usual_type(data_type: &DataType) -> Oid {
    match data_type {
        DataType::Boolean => oid::BOOL,
        DataType::Int8 | DataType::Int16 => oid::INT2,
        DataType::Int32 => oid::INT4,
        DataType::Int64 => oid::INT8,
        DataType::Float32 => oid::FLOAT4,
        DataType::Float64 => oid::FLOAT8,
        DataType::Decimal128(..) => oid::NUMERIC,
        DataType::BinaryView | DataType::Binary => oid::BYTEA,
        DataType::Date32 => oid::DATE,
        DataType::Time64(_) => oid::TIME,
        DataType::FixedSizeBinary(12) => oid::TIMETZ,
        DataType::FixedSizeBinary(16) => oid::UUID,
        DataType::Timestamp(_, None) => oid::TIMESTAMP,
        DataType::Timestamp(_, Some(_)) => oid::TIMESTAMPTZ,
        DataType::Interval(_) => oid::INTERVAL,
        DataType::UInt32 => oid::OID,
        DataType::UInt64 => oid::XID8,
        DataType::Null => oid::VOID,
        DataType::Struct(fields) => match element_field(fields) {
            Some(element) => array_of(type_of_field(element).oid).unwrap_or(oid::TEXT_ARRAY),
            None => oid::RECORD,
        },
        _ => oid::TEXT,
    }
}

/// The element field if these are the fields of an array's Struct.
fn element_field(fields: &Fields) -> Option<&Field> {
    match &fields[..] {
        [elements, shape] if elements.name() == "elements" && shape.name() == "shape" => match elements.data_type() {
            DataType::List(item) => Some(item),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::structure::{BuiltIn, stored_arrow_type};
    use crate::types::type_name::numeric_typmod;

    #[test]
    fn stored_numeric_is_decimal_if_it_fits() {
        let stored =
            |precision, scale| stored_arrow_type(Type::new(oid::NUMERIC, numeric_typmod(precision, scale)), &BuiltIn);
        assert_eq!(stored(10, 2), DataType::Decimal128(10, 2));
        assert_eq!(stored(38, 38), DataType::Decimal128(38, 38));
        assert_eq!(stored(39, 2), DataType::BinaryView);
        assert_eq!(stored(5, -2), DataType::BinaryView);
        assert_eq!(stored(2, 5), DataType::BinaryView);
        assert_eq!(stored_arrow_type(Type::of(oid::NUMERIC), &BuiltIn), DataType::BinaryView);
    }

    #[test]
    fn fields_remember_their_type() {
        let ty = Type::new(oid::VARCHAR, 14);
        assert_eq!(type_of_field(&field_with_type("a", ty, true)), ty);
        let array = Field::new("b", built_in(Type::of(oid::INT4_ARRAY)), true);
        assert_eq!(type_of_field(&array), Type::of(oid::INT4_ARRAY));
    }
}
