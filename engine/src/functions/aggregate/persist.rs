//! Aggregate states as bytes.

use aegis_catalog::types::interval::Interval;
use aegis_catalog::types::numeric::{Numeric, NumericMoments, NumericSum};
use aegis_catalog::{Error, Result};

use crate::functions::value::TimestampTz;

/// A state that travels from one phase of an aggregation to the next.
pub trait Persist: Sized {
    fn save(&self, out: &mut Vec<u8>);
    fn load(bytes: &mut &[u8]) -> Result<Self>;

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.save(&mut bytes);
        bytes
    }
}

fn truncated() -> Error {
    Error::internal("aggregate state is cut off")
}

macro_rules! number {
    ($($ty:ty),*) => {$(
        impl Persist for $ty {
            fn save(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
            fn load(bytes: &mut &[u8]) -> Result<Self> {
                let (number, rest) = bytes.split_first_chunk().ok_or_else(truncated)?;
                *bytes = rest;
                Ok(Self::from_le_bytes(*number))
            }
        }
    )*};
}

number!(u8, i16, i32, i64, i128, u32, u64, f32, f64);

impl Persist for bool {
    fn save(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn load(bytes: &mut &[u8]) -> Result<Self> {
        Ok(u8::load(bytes)? != 0)
    }
}

impl<T: Persist> Persist for Option<T> {
    fn save(&self, out: &mut Vec<u8>) {
        self.is_some().save(out);
        if let Some(value) = self {
            value.save(out);
        }
    }
    fn load(bytes: &mut &[u8]) -> Result<Self> {
        if bool::load(bytes)? { T::load(bytes).map(Some) } else { Ok(None) }
    }
}

impl<A: Persist, B: Persist> Persist for (A, B) {
    fn save(&self, out: &mut Vec<u8>) {
        self.0.save(out);
        self.1.save(out);
    }
    fn load(bytes: &mut &[u8]) -> Result<Self> {
        Ok((A::load(bytes)?, B::load(bytes)?))
    }
}

impl<T: Persist + Default + Copy, const N: usize> Persist for [T; N] {
    fn save(&self, out: &mut Vec<u8>) {
        self.iter().for_each(|value| value.save(out));
    }
    fn load(bytes: &mut &[u8]) -> Result<Self> {
        let mut values = [T::default(); N];
        for value in &mut values {
            *value = T::load(bytes)?;
        }
        Ok(values)
    }
}

impl Persist for Vec<u8> {
    fn save(&self, out: &mut Vec<u8>) {
        (self.len() as u64).save(out);
        out.extend_from_slice(self);
    }
    fn load(bytes: &mut &[u8]) -> Result<Self> {
        let length = u64::load(bytes)? as usize;
        let (value, rest) = bytes.split_at_checked(length).ok_or_else(truncated)?;
        *bytes = rest;
        Ok(value.to_vec())
    }
}

impl Persist for String {
    fn save(&self, out: &mut Vec<u8>) {
        (self.len() as u64).save(out);
        out.extend_from_slice(self.as_bytes());
    }
    fn load(bytes: &mut &[u8]) -> Result<Self> {
        String::from_utf8(Vec::load(bytes)?).map_err(|_| truncated())
    }
}

impl Persist for TimestampTz {
    fn save(&self, out: &mut Vec<u8>) {
        self.0.save(out);
    }
    fn load(bytes: &mut &[u8]) -> Result<Self> {
        i64::load(bytes).map(Self)
    }
}

impl Persist for Numeric {
    fn save(&self, out: &mut Vec<u8>) {
        self.to_bytes().save(out);
    }
    fn load(bytes: &mut &[u8]) -> Result<Self> {
        Numeric::from_bytes(&Vec::load(bytes)?)
    }
}

impl Persist for Interval {
    fn save(&self, out: &mut Vec<u8>) {
        self.months.save(out);
        self.days.save(out);
        self.micros.save(out);
    }
    fn load(bytes: &mut &[u8]) -> Result<Self> {
        Ok(Self { months: i32::load(bytes)?, days: i32::load(bytes)?, micros: i64::load(bytes)? })
    }
}

impl Persist for NumericSum {
    fn save(&self, out: &mut Vec<u8>) {
        self.count().save(out);
        self.sum().unwrap_or(Numeric::NaN).save(out);
    }
    fn load(bytes: &mut &[u8]) -> Result<Self> {
        let count = i64::load(bytes)?;
        let sum = Numeric::load(bytes)?;
        let mut loaded = Self::new();
        if count > 0 {
            loaded.merge(&sum, count)?;
        }
        Ok(loaded)
    }
}

impl Persist for NumericMoments {
    fn save(&self, out: &mut Vec<u8>) {
        self.sum.save(out);
        self.squares.save(out);
    }
    fn load(bytes: &mut &[u8]) -> Result<Self> {
        Ok(Self { sum: NumericSum::load(bytes)?, squares: NumericSum::load(bytes)? })
    }
}
