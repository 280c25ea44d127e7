//! Buckets of integers.

use aegis_engine::extension::{Error, Result, sqlstate};

use super::not_positive;

/// An integer type, within its range.
pub trait Integer: Copy + Into<i64> + TryFrom<i64> {}

impl Integer for i16 {}
impl Integer for i32 {}
impl Integer for i64 {}

/// The start of an integer's bucket; 22003 if the type has no such integer.
pub fn start_of_integer<T: Integer>(width: T, value: T, offset: T) -> Result<T> {
    let out_of_range = || Error::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, "timestamp out of range");
    let width: i64 = width.into();
    if width <= 0 {
        return Err(not_positive());
    }
    let offset = offset.into() % width;
    // The value without the offset has to be one of the type, too.
    let value = value.into().checked_sub(offset).and_then(|value| T::try_from(value).ok()).map(Into::<i64>::into);
    let start = value.and_then(|value| value.div_euclid(width).checked_mul(width));
    let start = start.and_then(|start| T::try_from(start).ok()).map(Into::<i64>::into);
    let start = start.and_then(|start| start.checked_add(offset));
    start.and_then(|start| T::try_from(start).ok()).ok_or_else(out_of_range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts() {
        for (width, value, offset, start) in [(10, 27, 0, 20), (10, -1, 0, -10), (10, 2, 3, -7), (10, -27, 13, -27)] {
            assert_eq!(start_of_integer(width, value, offset).unwrap(), start);
        }
        assert!(start_of_integer(10, i32::MIN, 0).is_err());
        assert!(start_of_integer(10_i16, i16::MAX, i16::MIN).is_err());
        assert_eq!(start_of_integer(1, i64::MIN, 0).unwrap(), i64::MIN);
        assert!(start_of_integer(0, 5, 0).is_err());
    }
}
