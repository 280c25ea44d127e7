//! `||`, `concat`, `concat_ws`, `format`.

use std::ops::Range;
use std::sync::Arc;

use aegis_catalog::types::{TextEncoder, Type, oid};
use aegis_catalog::{Error, Result, sqlstate};
use arrow::array::{Array, ArrayRef, AsArray, StringViewBuilder};

use super::quote;
use crate::functions::array::ArrayColumn;
use crate::functions::kernel::{columns, kernel};
use crate::functions::signature::{Row, f};
use crate::functions::value::downcast;
use crate::functions::{Body, Call};

pub fn functions() -> Vec<Row> {
    vec![
        f("||(text, text)", kernel!(|a: &str, b: &str| [a, b].concat())),
        f("||(text, anynonarray)", columns(concat_operator)),
        f("||(anynonarray, text)", columns(concat_operator)),
        f("concat(any)", concat()),
        f("concat_ws(text, any)", concat_with_separator()),
        f("format(text)", columns(format)),
        f("format(text, any)", columns(format)),
    ]
}

/// The arguments of a call as text, row by row.
pub struct Texts {
    columns: Vec<(TextEncoder, bool)>,
    /// The last column holds the elements of an array that stands for arguments: which are each row's.
    spread: Option<Vec<Range<usize>>>,
    scratch: Vec<u8>,
}

impl Texts {
    pub fn new(call: &Call<'_>, args: &[ArrayRef]) -> Result<Self> {
        let columns = args
            .iter()
            .zip(call.arg_types)
            .map(|(arg, ty)| Ok((TextEncoder::new(*ty, arg, &call.context.format)?, ty.oid == oid::BOOL)))
            .collect::<Result<_>>()?;
        Ok(Self { columns, spread: None, scratch: Vec::new() })
    }

    /// As `new`, for a call that may be written with VARIADIC after its first argument. A null array stands for no arguments.
    fn of_variadic(call: &Call<'_>, args: &[ArrayRef]) -> Result<Self> {
        let (Some((_, element)), [first, array]) = (variadic_array(call, 1), args) else {
            return Self::new(call, args);
        };
        let mut texts = Self::new(call, std::slice::from_ref(first))?;
        let column = ArrayColumn::open(array)?;
        texts.columns.push((TextEncoder::new(element, column.elements(), &call.context.format)?, false));
        let range = |row| if column.is_null(row) { 0..0 } else { column.range(row) };
        texts.spread = Some((0..column.len()).map(range).collect());
        Ok(texts)
    }

    /// How many arguments the row has.
    pub fn len(&self, row: usize) -> usize {
        match self.spread.as_ref().and_then(|ranges| ranges.get(row)) {
            Some(range) => 1 + range.len(),
            None => self.columns.len(),
        }
    }

    /// The text of an argument; None is null.
    pub fn get(&mut self, column: usize, row: usize) -> Result<Option<&str>> {
        let (column, row) = match self.spread.as_ref().and_then(|ranges| ranges.get(row)) {
            Some(range) if column > 0 => match range.clone().nth(column - 1) {
                Some(element) => (1, element),
                None => return Ok(None),
            },
            _ => (column, row),
        };
        let Some((encoder, _)) = self.columns.get(column) else { return Ok(None) };
        if encoder.is_null(row) {
            return Ok(None);
        }
        self.scratch.clear();
        encoder.encode(row, &mut self.scratch);
        std::str::from_utf8(&self.scratch).map(Some).map_err(|_| Error::internal("text output is not UTF-8"))
    }
}

/// `text || any`: strict. A boolean is written as its cast to text writes it.
fn concat_operator(call: &Call<'_>, args: &[ArrayRef]) -> Result<ArrayRef> {
    let mut texts = Texts::new(call, args)?;
    let mut result = StringViewBuilder::with_capacity(call.rows);
    let mut text = String::new();
    for row in 0..call.rows {
        text.clear();
        let mut null = false;
        for column in 0..texts.len(row) {
            let is_bool = texts.columns[column].1;
            match texts.get(column, row)? {
                Some("t") if is_bool => text.push_str("true"),
                Some("f") if is_bool => text.push_str("false"),
                Some(part) => text.push_str(part),
                None => null = true,
            }
        }
        result.append_option((!null).then_some(&text));
    }
    Ok(Arc::new(result.finish()))
}

/// Position and element type of the array that stands for the arguments after `fixed`.
fn variadic_array(call: &Call<'_>, fixed: usize) -> Option<(usize, Type)> {
    let ty = call.arg_types.get(fixed).filter(|_| call.variadic)?;
    call.context.catalog.element_of(ty.oid).map(|element| (fixed, Type::of(element)))
}

fn concat() -> Body {
    columns(|call, args| joined(call, args, 0))
}

fn concat_with_separator() -> Body {
    columns(|call, args| joined(call, args, 1))
}

fn joined(call: &Call<'_>, args: &[ArrayRef], fixed: usize) -> Result<ArrayRef> {
    if let Some((position, element)) = variadic_array(call, fixed) {
        return joined_elements(call, args, position, element);
    }
    let mut texts = Texts::new(call, args)?;
    let mut result = StringViewBuilder::with_capacity(call.rows);
    let mut text = String::new();
    for row in 0..call.rows {
        text.clear();
        let separator = match fixed {
            0 => String::new(),
            _ => match texts.get(0, row)? {
                Some(separator) => separator.to_owned(),
                None => {
                    result.append_null();
                    continue;
                }
            },
        };
        let mut first = true;
        for column in fixed..texts.len(row) {
            if let Some(part) = texts.get(column, row)? {
                if !first {
                    text.push_str(&separator);
                }
                text.push_str(part);
                first = false;
            }
        }
        result.append_value(&text);
    }
    Ok(Arc::new(result.finish()))
}

fn joined_elements(call: &Call<'_>, args: &[ArrayRef], position: usize, element: Type) -> Result<ArrayRef> {
    let array = args.get(position).ok_or_else(|| Error::internal("the array is missing"))?;
    let column = ArrayColumn::open(array)?;
    let encoder = TextEncoder::new(element, column.elements(), &call.context.format)?;
    let mut result = StringViewBuilder::with_capacity(call.rows);
    for row in 0..call.rows {
        let separator = match position {
            0 => Some(""),
            _ => args[0].is_valid(row).then(|| args[0].as_string_view().value(row)),
        };
        let (Some(separator), false) = (separator, column.is_null(row)) else {
            result.append_null();
            continue;
        };
        let mut text = Vec::new();
        let mut first = true;
        for at in column.range(row).filter(|&at| !encoder.is_null(at)) {
            if !first {
                text.extend_from_slice(separator.as_bytes());
            }
            encoder.encode(at, &mut text);
            first = false;
        }
        result.append_value(String::from_utf8_lossy(&text));
    }
    Ok(Arc::new(result.finish()))
}

fn format(call: &Call<'_>, args: &[ArrayRef]) -> Result<ArrayRef> {
    let patterns = downcast::<arrow::array::StringViewArray>(
        args.first().ok_or_else(|| Error::internal("format has arguments"))?,
    )?;
    let mut texts = Texts::of_variadic(call, args)?;
    let mut result = StringViewBuilder::with_capacity(call.rows);
    for row in 0..call.rows {
        if patterns.is_null(row) {
            result.append_null();
        } else {
            result.append_value(format_row(patterns.value(row), &mut texts, row)?);
        }
    }
    Ok(Arc::new(result.finish()))
}

/// One conversion of a format string: `%[position$][-][width]type`.
#[derive(Default)]
struct Conversion {
    position: Option<usize>,
    left: bool,
    width: Option<usize>,
    width_argument: Option<Option<usize>>,
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(sqlstate::INVALID_PARAMETER_VALUE, message)
}

fn number(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Option<usize>> {
    let mut value: Option<usize> = None;
    while let Some(digit) = rest.peek().and_then(|c| c.to_digit(10)) {
        let next = value.unwrap_or(0).saturating_mul(10).saturating_add(digit as usize);
        if next > i32::MAX as usize {
            return Err(crate::functions::math::out_of_range("number is"));
        }
        value = Some(next);
        rest.next();
    }
    Ok(value)
}

fn conversion(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Conversion> {
    let mut conversion = Conversion::default();
    let first = number(rest)?;
    if rest.peek() == Some(&'$') {
        rest.next();
        if first == Some(0) {
            return Err(invalid("format specifies argument 0, but arguments are numbered from 1"));
        }
        conversion.position = first;
    } else {
        conversion.width = first;
    }
    if conversion.width.is_none() {
        while rest.peek() == Some(&'-') {
            rest.next();
            conversion.left = true;
        }
        if rest.peek() == Some(&'*') {
            rest.next();
            let position = number(rest)?;
            if position.is_some() && rest.next() != Some('$') {
                return Err(invalid("width argument position must be ended by \"$\""));
            }
            conversion.width_argument = Some(position);
        } else {
            conversion.width = number(rest)?;
        }
    }
    Ok(conversion)
}

fn format_row(pattern: &str, texts: &mut Texts, row: usize) -> Result<String> {
    let mut result = String::new();
    let mut rest = pattern.chars().peekable();
    let mut next = 1;
    while let Some(character) = rest.next() {
        if character != '%' {
            result.push(character);
            continue;
        }
        let unterminated =
            || invalid("unterminated format() type specifier").with_hint("For a single \"%\" use \"%%\".");
        if rest.peek().is_none() {
            return Err(unterminated());
        }
        if rest.peek() == Some(&'%') {
            rest.next();
            result.push('%');
            continue;
        }
        let mut conversion = conversion(&mut rest)?;
        let kind = rest.next().ok_or_else(unterminated)?;
        if !matches!(kind, 's' | 'I' | 'L') {
            return Err(invalid(format!("unrecognized format() type specifier \"{kind}\""))
                .with_hint("For a single \"%\" use \"%%\"."));
        }
        let mut take = |position: Option<usize>, texts: &mut Texts| {
            let position = position.unwrap_or(next);
            next = position + 1;
            if position >= texts.len(row) {
                return Err(invalid("too few arguments for format()"));
            }
            texts.get(position, row).map(|text| text.map(str::to_owned))
        };
        if let Some(position) = conversion.width_argument {
            let width = take(position, texts)?
                .map_or(Ok(0), |text| text.parse::<i64>().map_err(|_| invalid("invalid width")))?;
            conversion.left |= width < 0;
            conversion.width = Some(width.unsigned_abs() as usize);
        }
        let value = take(conversion.position, texts)?;
        let text = match (kind, value) {
            ('I', None) => {
                return Err(Error::new(
                    sqlstate::NULL_VALUE_NOT_ALLOWED,
                    "null values cannot be formatted as an SQL identifier",
                ));
            }
            ('I', Some(text)) => quote::identifier(&text),
            ('L', Some(text)) => quote::literal(&text),
            ('L', None) => "NULL".to_owned(),
            (_, text) => text.unwrap_or_default(),
        };
        let missing = conversion.width.unwrap_or(0).saturating_sub(text.chars().count());
        let padding = || std::iter::repeat_n(' ', missing);
        if !conversion.left {
            result.extend(padding());
        }
        result.push_str(&text);
        if conversion.left {
            result.extend(padding());
        }
    }
    Ok(result)
}
