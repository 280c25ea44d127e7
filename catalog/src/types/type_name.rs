//! Type names as SQL writes them, and type modifiers: what stands between `character varying(10)` and
//! `(1043, 14)`.

use super::Type;
use super::oid::{self, Oid};
use super::table::{element_of, type_info};
use crate::error::{Error, Result};
use crate::sqlstate;

/// Bits of an interval's field restriction (`INTERVAL_MASK` of PostgreSQL's `datetime.h`).
pub mod interval_field {
    pub const MONTH: i32 = 1 << 1;
    pub const YEAR: i32 = 1 << 2;
    pub const DAY: i32 = 1 << 3;
    pub const HOUR: i32 = 1 << 10;
    pub const MINUTE: i32 = 1 << 11;
    pub const SECOND: i32 = 1 << 12;
    /// No restriction.
    pub const FULL_RANGE: i32 = 0x7FFF;
    /// No limit on the fractional digits of seconds.
    pub const FULL_PRECISION: i32 = 0xFFFF;
}

/// Bytes that `varchar`, `bpchar` and `numeric` modifiers are offset by (PostgreSQL's `VARHDRSZ`).
const HEADER: i32 = 4;

const MAX_TIME_PRECISION: i32 = 6;
const MAX_NUMERIC_PRECISION: i32 = 1000;
const MAX_NUMERIC_SCALE: i32 = 1000;
const MAX_CHARACTERS: i32 = 10_485_760;
const MAX_BITS: i32 = 83_886_080;

/// The type's name as `format_type(oid, typmod)` prints it. For a type that is not built in this is `???`, as
/// in PostgreSQL for an unknown OID: the caller knows the names of user-defined types.
pub fn format_type(ty: Type) -> String {
    if let Some(element) = element_of(ty.oid).filter(|_| ty.oid != oid::INT2VECTOR && ty.oid != oid::OIDVECTOR) {
        return format_type(Type::new(element, ty.typmod)) + "[]";
    }
    let typmod = ty.typmod;
    match ty.oid {
        0 => "-".into(),
        oid::BOOL => "boolean".into(),
        oid::CHAR => "\"char\"".into(),
        oid::INT2 => "smallint".into(),
        oid::INT4 => "integer".into(),
        oid::INT8 => "bigint".into(),
        oid::FLOAT4 => "real".into(),
        oid::FLOAT8 => "double precision".into(),
        oid::ANY => "\"any\"".into(),
        oid::BPCHAR if typmod >= 0 => format!("character{}", length_suffix(typmod)),
        oid::VARCHAR => format!("character varying{}", length_suffix(typmod)),
        oid::NUMERIC => format!("numeric{}", numeric_suffix(typmod)),
        oid::BIT if typmod >= 0 => format!("bit({typmod})"),
        oid::BIT => "\"bit\"".into(),
        oid::VARBIT if typmod >= 0 => format!("bit varying({typmod})"),
        oid::VARBIT => "bit varying".into(),
        oid::TIME => format!("time{} without time zone", precision_suffix(typmod)),
        oid::TIMETZ => format!("time{} with time zone", precision_suffix(typmod)),
        oid::TIMESTAMP => format!("timestamp{} without time zone", precision_suffix(typmod)),
        oid::TIMESTAMPTZ => format!("timestamp{} with time zone", precision_suffix(typmod)),
        oid::INTERVAL => format!("interval{}", interval_suffix(typmod)),
        _ => match type_info(ty.oid) {
            Some(info) if typmod >= 0 => format!("{}({typmod})", info.name),
            Some(info) => info.name.into(),
            None => "???".into(),
        },
    }
}

fn length_suffix(typmod: i32) -> String {
    if typmod > HEADER { format!("({})", typmod - HEADER) } else { String::new() }
}

fn precision_suffix(typmod: i32) -> String {
    if typmod >= 0 { format!("({typmod})") } else { String::new() }
}

fn numeric_suffix(typmod: i32) -> String {
    match numeric_precision_scale(typmod) {
        Some((precision, scale)) => format!("({precision},{scale})"),
        None => String::new(),
    }
}

fn interval_suffix(typmod: i32) -> String {
    use interval_field::{DAY, FULL_PRECISION, HOUR, MINUTE, MONTH, SECOND, YEAR};
    if typmod < 0 {
        return String::new();
    }
    const YEAR_TO_MONTH: i32 = YEAR | MONTH;
    const DAY_TO_HOUR: i32 = DAY | HOUR;
    const DAY_TO_MINUTE: i32 = DAY | HOUR | MINUTE;
    const DAY_TO_SECOND: i32 = DAY | HOUR | MINUTE | SECOND;
    const HOUR_TO_MINUTE: i32 = HOUR | MINUTE;
    const HOUR_TO_SECOND: i32 = HOUR | MINUTE | SECOND;
    const MINUTE_TO_SECOND: i32 = MINUTE | SECOND;
    let fields = match interval_range(typmod) {
        YEAR => " year",
        MONTH => " month",
        DAY => " day",
        HOUR => " hour",
        MINUTE => " minute",
        SECOND => " second",
        YEAR_TO_MONTH => " year to month",
        DAY_TO_HOUR => " day to hour",
        DAY_TO_MINUTE => " day to minute",
        DAY_TO_SECOND => " day to second",
        HOUR_TO_MINUTE => " hour to minute",
        HOUR_TO_SECOND => " hour to second",
        MINUTE_TO_SECOND => " minute to second",
        _ => "",
    };
    match interval_precision(typmod) {
        FULL_PRECISION => fields.into(),
        precision => format!("{fields}({precision})"),
    }
}

/// Maximum number of characters (`varchar(n)`, `char(n)`), if the modifier sets one.
pub fn character_length(typmod: i32) -> Option<i32> {
    (typmod >= HEADER).then_some(typmod - HEADER)
}

/// Precision and scale of a `numeric` modifier, if it sets them. The scale may be negative.
pub fn numeric_precision_scale(typmod: i32) -> Option<(i32, i32)> {
    let bits = typmod.checked_sub(HEADER).filter(|&bits| bits >= 0)?;
    Some(((bits >> 16) & 0xFFFF, ((bits & 0x7FF) ^ 1024) - 1024))
}

/// The modifier of `numeric(precision, scale)`.
pub const fn numeric_typmod(precision: i32, scale: i32) -> i32 {
    ((precision << 16) | (scale & 0x7FF)) + HEADER
}

/// The field restriction of an interval modifier ([`interval_field`]).
pub fn interval_range(typmod: i32) -> i32 {
    if typmod < 0 { interval_field::FULL_RANGE } else { (typmod >> 16) & 0x7FFF }
}

/// The number of fractional digits of an interval modifier, or [`interval_field::FULL_PRECISION`].
pub fn interval_precision(typmod: i32) -> i32 {
    if typmod < 0 { interval_field::FULL_PRECISION } else { typmod & 0xFFFF }
}

fn invalid_parameter(message: impl Into<String>) -> Error {
    Error::new(sqlstate::INVALID_PARAMETER_VALUE, message)
}

/// The type modifier for the numbers in parentheses after a type name. An interval's modifiers are its field
/// restriction ([`interval_field`]) and optionally its precision, as PostgreSQL's grammar hands them over.
pub fn typmod_from_modifiers(type_oid: Oid, modifiers: &[i32]) -> Result<i32> {
    let base = element_of(type_oid).unwrap_or(type_oid);
    if modifiers.is_empty() {
        return Ok(-1);
    }
    match base {
        oid::VARCHAR => length_typmod("varchar", modifiers, MAX_CHARACTERS).map(|length| length + HEADER),
        oid::BPCHAR => length_typmod("char", modifiers, MAX_CHARACTERS).map(|length| length + HEADER),
        oid::BIT => length_typmod("bit", modifiers, MAX_BITS),
        oid::VARBIT => length_typmod("varbit", modifiers, MAX_BITS),
        oid::NUMERIC => numeric_typmod_from(modifiers),
        oid::TIME => time_typmod("TIME", "", modifiers),
        oid::TIMETZ => time_typmod("TIME", " WITH TIME ZONE", modifiers),
        oid::TIMESTAMP => time_typmod("TIMESTAMP", "", modifiers),
        oid::TIMESTAMPTZ => time_typmod("TIMESTAMP", " WITH TIME ZONE", modifiers),
        oid::INTERVAL => interval_typmod_from(modifiers),
        _ => {
            let name = type_info(base).map_or("???", |info| info.name);
            Err(Error::new(sqlstate::SYNTAX_ERROR, format!("type modifier is not allowed for type \"{name}\"")))
        }
    }
}

fn length_typmod(name: &str, modifiers: &[i32], maximum: i32) -> Result<i32> {
    match *modifiers {
        [length] if length < 1 => Err(invalid_parameter(format!("length for type {name} must be at least 1"))),
        [length] if length > maximum => {
            Err(invalid_parameter(format!("length for type {name} cannot exceed {maximum}")))
        }
        [length] => Ok(length),
        _ => Err(invalid_parameter("invalid type modifier")),
    }
}

fn numeric_typmod_from(modifiers: &[i32]) -> Result<i32> {
    let (precision, scale) = match *modifiers {
        [precision] => (precision, 0),
        [precision, scale] => (precision, scale),
        _ => return Err(invalid_parameter("invalid NUMERIC type modifier")),
    };
    if !(1..=MAX_NUMERIC_PRECISION).contains(&precision) {
        return Err(invalid_parameter(format!(
            "NUMERIC precision {precision} must be between 1 and {MAX_NUMERIC_PRECISION}"
        )));
    }
    if !(-MAX_NUMERIC_SCALE..=MAX_NUMERIC_SCALE).contains(&scale) {
        return Err(invalid_parameter(format!(
            "NUMERIC scale {scale} must be between -{MAX_NUMERIC_SCALE} and {MAX_NUMERIC_SCALE}"
        )));
    }
    Ok(numeric_typmod(precision, scale))
}

/// A precision above the maximum is reduced to it, where PostgreSQL also warns.
fn time_typmod(name: &str, suffix: &str, modifiers: &[i32]) -> Result<i32> {
    match *modifiers {
        [precision] if precision < 0 => {
            Err(invalid_parameter(format!("{name}({precision}){suffix} precision must not be negative")))
        }
        [precision] => Ok(precision.min(MAX_TIME_PRECISION)),
        _ => Err(invalid_parameter("invalid type modifier")),
    }
}

fn interval_typmod_from(modifiers: &[i32]) -> Result<i32> {
    use interval_field::{FULL_PRECISION, FULL_RANGE};
    match *modifiers {
        [FULL_RANGE] => Ok(-1),
        [range] => Ok(((range & 0x7FFF) << 16) | FULL_PRECISION),
        [_, precision] if precision < 0 => {
            Err(invalid_parameter(format!("INTERVAL({precision}) precision must not be negative")))
        }
        [range, precision] => Ok(((range & 0x7FFF) << 16) | precision.min(MAX_TIME_PRECISION)),
        _ => Err(invalid_parameter("invalid INTERVAL type modifier")),
    }
}

/// Resolves the type names that SQL's grammar knows (`integer`, `character varying`, `timestamp with time
/// zone`, …), lower case with single spaces and without parentheses, and applies the modifiers; `None` if the
/// name is an ordinary one to be looked up in the catalog. `char` and `bit` without a length mean length 1.
pub fn sql_type(name: &str, modifiers: &[i32]) -> Result<Option<Type>> {
    let type_oid = match name {
        "boolean" => oid::BOOL,
        "smallint" => oid::INT2,
        "int" | "integer" => oid::INT4,
        "bigint" => oid::INT8,
        "real" => oid::FLOAT4,
        "double precision" => oid::FLOAT8,
        "float" => return float_type(modifiers).map(Some),
        "numeric" | "decimal" | "dec" => oid::NUMERIC,
        "char" | "character" | "nchar" | "national char" | "national character" => {
            let modifiers = if modifiers.is_empty() { &[1] } else { modifiers };
            return Ok(Some(Type::new(oid::BPCHAR, typmod_from_modifiers(oid::BPCHAR, modifiers)?)));
        }
        "varchar"
        | "char varying"
        | "character varying"
        | "nchar varying"
        | "national char varying"
        | "national character varying" => oid::VARCHAR,
        "bit" => {
            let modifiers = if modifiers.is_empty() { &[1] } else { modifiers };
            return Ok(Some(Type::new(oid::BIT, typmod_from_modifiers(oid::BIT, modifiers)?)));
        }
        "bit varying" => oid::VARBIT,
        "time" | "time without time zone" => oid::TIME,
        "time with time zone" => oid::TIMETZ,
        "timestamp" | "timestamp without time zone" => oid::TIMESTAMP,
        "timestamp with time zone" => oid::TIMESTAMPTZ,
        "interval" => oid::INTERVAL,
        _ => return Ok(None),
    };
    Ok(Some(Type::new(type_oid, typmod_from_modifiers(type_oid, modifiers)?)))
}

fn float_type(modifiers: &[i32]) -> Result<Type> {
    match *modifiers {
        [] => Ok(Type::of(oid::FLOAT8)),
        [bits] if bits < 1 => Err(invalid_parameter("precision for type float must be at least 1 bit")),
        [bits] if bits <= 24 => Ok(Type::of(oid::FLOAT4)),
        [bits] if bits <= 53 => Ok(Type::of(oid::FLOAT8)),
        _ => Err(invalid_parameter("precision for type float must be less than 54 bits")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(type_oid: Oid, typmod: i32) -> String {
        format_type(Type::new(type_oid, typmod))
    }

    #[test]
    fn names_as_format_type_prints_them() {
        assert_eq!(name(oid::VARCHAR, 14), "character varying(10)");
        assert_eq!(name(oid::BPCHAR, -1), "bpchar");
        assert_eq!(name(oid::BPCHAR, 14), "character(10)");
        assert_eq!(name(oid::NUMERIC, numeric_typmod(10, 2)), "numeric(10,2)");
        assert_eq!(name(oid::NUMERIC, numeric_typmod(5, -2)), "numeric(5,-2)");
        assert_eq!(name(oid::TIMESTAMPTZ, 3), "timestamp(3) with time zone");
        assert_eq!(name(oid::VARCHAR_ARRAY, 14), "character varying(10)[]");
        assert_eq!(name(oid::CHAR_ARRAY, -1), "\"char\"[]");
        assert_eq!(name(oid::INT2VECTOR, -1), "int2vector");
        assert_eq!(name(oid::INTERVAL, (0x1C08 << 16) | 3), "interval day to second(3)");
        assert_eq!(name(oid::INTERVAL, (interval_field::YEAR << 16) | 0xFFFF), "interval year");
        assert_eq!(name(oid::INTERVAL, (0x7FFF << 16) | 3), "interval(3)");
        assert_eq!(name(99_999, -1), "???");
    }

    #[test]
    fn modifiers() {
        assert_eq!(typmod_from_modifiers(oid::NUMERIC, &[10, 2]).ok(), Some(655_366));
        assert_eq!(numeric_precision_scale(numeric_typmod(5, -2)), Some((5, -2)));
        let error = typmod_from_modifiers(oid::INT4, &[3]).unwrap_err();
        assert_eq!(error.message(), "type modifier is not allowed for type \"int4\"");
        let error = typmod_from_modifiers(oid::NUMERIC, &[0]).unwrap_err();
        assert_eq!(error.message(), "NUMERIC precision 0 must be between 1 and 1000");
        assert_eq!(typmod_from_modifiers(oid::TIMESTAMP, &[7]).ok(), Some(6));
        assert_eq!(typmod_from_modifiers(oid::INTERVAL, &[interval_field::FULL_RANGE]).ok(), Some(-1));
    }

    #[test]
    fn sql_names() {
        assert_eq!(sql_type("char", &[]).unwrap(), Some(Type::new(oid::BPCHAR, 5)));
        assert_eq!(sql_type("float", &[24]).unwrap(), Some(Type::of(oid::FLOAT4)));
        assert_eq!(sql_type("timestamp with time zone", &[3]).unwrap(), Some(Type::new(oid::TIMESTAMPTZ, 3)));
        assert_eq!(sql_type("text", &[]).unwrap(), None);
    }
}
