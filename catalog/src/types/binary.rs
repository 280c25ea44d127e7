//! Reading PostgreSQL's binary formats (the arguments of the types' receive functions).

use crate::error::{Error, Result};
use crate::sqlstate;

/// A cursor over one binary value. Every read fails cleanly when bytes are missing.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(count).ok_or_else(insufficient_data)?;
        self.rest = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, tail) = self.rest.split_first_chunk::<N>().ok_or_else(insufficient_data)?;
        self.rest = tail;
        Ok(*head)
    }

    pub fn u8(&mut self) -> Result<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub fn i16(&mut self) -> Result<i16> {
        self.array().map(i16::from_be_bytes)
    }

    pub fn i32(&mut self) -> Result<i32> {
        self.array().map(i32::from_be_bytes)
    }

    pub fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub fn i64(&mut self) -> Result<i64> {
        self.array().map(i64::from_be_bytes)
    }

    pub fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub fn f64(&mut self) -> Result<f64> {
        self.u64().map(f64::from_bits)
    }

    pub fn bytes16(&mut self) -> Result<[u8; 16]> {
        self.array()
    }

    /// Text that ends with a zero byte.
    pub fn zero_terminated(&mut self) -> Result<&'a str> {
        let end = self.rest.iter().position(|&byte| byte == 0).ok_or_else(insufficient_data)?;
        let text = super::text::from_bytes(self.take(end)?)?;
        self.take(1)?;
        Ok(text)
    }

    /// All that is left.
    pub fn remainder(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Fails if the value has bytes that nothing read.
    pub fn finish(self) -> Result<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(invalid_binary("incorrect binary data format")) }
    }
}

fn insufficient_data() -> Error {
    Error::new(sqlstate::PROTOCOL_VIOLATION, "insufficient data left in message")
}

/// `22P03`.
pub(super) fn invalid_binary(message: impl Into<String>) -> Error {
    Error::new(sqlstate::INVALID_BINARY_REPRESENTATION, message)
}
