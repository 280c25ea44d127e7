//! Geometric types (PostgreSQL manual 8.8; geo_ops.c): text and binary form. A value is kept as its binary form: numbers of 64 bits,
//! the most significant byte first.

use super::binary::Reader;
use super::float::{parse_float8, write_float8};
use super::oid::{self, Oid};
use super::text::{invalid_input, is_space};
use crate::error::{Error, Result};
use crate::sqlstate;

/// Whether the type is one of these.
pub const fn is_geometric(ty: Oid) -> bool {
    matches!(ty, oid::POINT | oid::LSEG | oid::PATH | oid::BOX | oid::POLYGON | oid::LINE | oid::CIRCLE)
}

/// Numbers closer than this are the same.
const EPSILON: f64 = 1e-6;

type Point = (f64, f64);

/// Text input.
pub fn parse(ty: Oid, text: &str) -> Result<Vec<u8>> {
    let name = super::type_info(ty).map_or("", |info| info.name);
    let parsed = match ty {
        oid::POINT => whole(text, |scanner| scanner.pair()).map(|point| points(&[point])),
        oid::LSEG => whole(text, |scanner| scanner.path(true, 2)).map(|(_, ends)| points(&ends)),
        oid::BOX => whole(text, |scanner| scanner.path(false, 2)).and_then(|(_, corners)| high_first(&corners)),
        oid::PATH => parse_path(text).map(|(closed, corners)| path(closed, &corners)),
        oid::POLYGON => pairs_in(text)
            .and_then(|count| whole(text, |scanner| scanner.path(false, count)))
            .map(|(_, corners)| polygon(&corners)),
        oid::LINE => return parse_line(text)?.ok_or_else(|| invalid_input(name, text)),
        oid::CIRCLE => whole(text, |scanner| scanner.circle()),
        _ => None,
    };
    parsed.ok_or_else(|| invalid_input(name, text))
}

/// Binary input.
pub fn from_binary(ty: Oid, bytes: &[u8]) -> Result<Vec<u8>> {
    let reader = &mut Reader::new(bytes);
    let value = match ty {
        oid::POINT => points(&[pair(reader)?]),
        oid::LSEG => points(&[pair(reader)?, pair(reader)?]),
        oid::BOX => high_first(&[pair(reader)?, pair(reader)?]).unwrap_or_default(),
        oid::PATH => {
            let closed = reader.u8()? != 0;
            path(closed, &counted(reader, "path")?)
        }
        oid::POLYGON => polygon(&counted(reader, "polygon")?),
        oid::LINE => {
            let line = [reader.f64()?, reader.f64()?, reader.f64()?];
            if line[0].abs() <= EPSILON && line[1].abs() <= EPSILON {
                return Err(both_zero(sqlstate::INVALID_BINARY_REPRESENTATION));
            }
            numbers(&line)
        }
        _ => {
            let circle = [reader.f64()?, reader.f64()?, reader.f64()?];
            if circle[2] < 0.0 {
                let message = "invalid radius in external \"circle\" value";
                return Err(Error::new(sqlstate::INVALID_BINARY_REPRESENTATION, message));
            }
            numbers(&circle)
        }
    };
    match reader.remainder().is_empty() {
        true => Ok(value),
        false => Err(Error::new(sqlstate::INVALID_BINARY_REPRESENTATION, "incorrect binary data format")),
    }
}

fn pair(reader: &mut Reader<'_>) -> Result<Point> {
    Ok((reader.f64()?, reader.f64()?))
}

fn counted(reader: &mut Reader<'_>, name: &str) -> Result<Vec<Point>> {
    let count = reader.i32()?;
    // Each takes 16 bytes, so that a wrong count ends at the end of the message.
    if count <= 0 {
        let message = format!("invalid number of points in external \"{name}\" value");
        return Err(Error::new(sqlstate::INVALID_BINARY_REPRESENTATION, message));
    }
    (0..count).map(|_| pair(reader)).collect()
}

/// Text output of a kept value.
pub fn write(ty: Oid, bytes: &[u8], extra_float_digits: i32, out: &mut Vec<u8>) {
    let reader = &mut Reader::new(bytes);
    let closed = ty == oid::PATH && reader.u8().is_ok_and(|closed| closed != 0);
    if matches!(ty, oid::PATH | oid::POLYGON) {
        drop(reader.i32());
    }
    let values: Vec<f64> = std::iter::from_fn(|| reader.f64().ok()).collect();
    let number = |value: f64, out: &mut Vec<u8>| write_float8(value, extra_float_digits, out);
    let listed = |values: &[f64], out: &mut Vec<u8>| {
        for (position, value) in values.iter().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            number(*value, out);
        }
    };
    let corners = |values: &[f64], out: &mut Vec<u8>| {
        for (position, point) in values.chunks(2).enumerate() {
            if position > 0 {
                out.push(b',');
            }
            out.push(b'(');
            listed(point, out);
            out.push(b')');
        }
    };
    let (open, close) = match ty {
        oid::LSEG => ("[", "]"),
        oid::PATH if !closed => ("[", "]"),
        oid::PATH | oid::POLYGON => ("(", ")"),
        oid::LINE => ("{", "}"),
        oid::CIRCLE => ("<", ">"),
        _ => ("", ""),
    };
    out.extend_from_slice(open.as_bytes());
    match (ty, values.as_slice()) {
        (oid::LINE, values) => listed(values, out),
        (oid::CIRCLE, [x, y, radius]) => {
            corners(&[*x, *y], out);
            out.push(b',');
            number(*radius, out);
        }
        (_, values) => corners(values, out),
    }
    out.extend_from_slice(close.as_bytes());
}

// ---------------------------------------------------------------------------------------------- kept values

fn numbers(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

fn points(points: &[Point]) -> Vec<u8> {
    points.iter().flat_map(|(x, y)| numbers(&[*x, *y])).collect()
}

fn polygon(corners: &[Point]) -> Vec<u8> {
    let count = i32::try_from(corners.len()).unwrap_or(i32::MAX);
    count.to_be_bytes().into_iter().chain(points(corners)).collect()
}

fn path(closed: bool, corners: &[Point]) -> Vec<u8> {
    std::iter::once(u8::from(closed)).chain(polygon(corners)).collect()
}

/// A box begins with its upper right corner.
fn high_first(corners: &[Point]) -> Option<Vec<u8>> {
    let [(x1, y1), (x2, y2)] = corners else { return None };
    // NaN counts as the largest number.
    let sorted = |a: f64, b: f64| if a.is_nan() || a > b { (a, b) } else { (b, a) };
    let ((high_x, low_x), (high_y, low_y)) = (sorted(*x1, *x2), sorted(*y1, *y2));
    Some(points(&[(high_x, high_y), (low_x, low_y)]))
}

// ---------------------------------------------------------------------------------------------- text input

/// What `read` finds, if it is all of the text.
fn whole<T>(text: &str, read: impl FnOnce(&mut Scanner<'_>) -> Option<T>) -> Option<T> {
    let mut scanner = Scanner { rest: text };
    let found = read(&mut scanner)?;
    scanner.rest.is_empty().then_some(found)
}

/// How many pairs a text with so many commas lists.
fn pairs_in(text: &str) -> Option<usize> {
    let commas = text.bytes().filter(|byte| *byte == b',').count();
    (commas % 2 == 1).then_some(commas.div_ceil(2))
}

/// `[…]` is open, all else closed. A parenthesis may stand around numbers without parentheses of their own.
fn parse_path(text: &str) -> Option<(bool, Vec<Point>)> {
    let count = pairs_in(text)?;
    whole(text, |scanner| {
        scanner.skip_space();
        let enclosed = scanner.rest.starts_with('(') && scanner.rest.rfind('(') == Some(0);
        if enclosed {
            scanner.eat('(');
        }
        let (open, corners) = scanner.path(true, count)?;
        if enclosed {
            scanner.eat(')').then_some(())?;
            scanner.skip_space();
        }
        Some((!open, corners))
    })
}

/// `{A,B,C}`, or two points. None if it is neither.
fn parse_line(text: &str) -> Result<Option<Vec<u8>>> {
    let mut scanner = Scanner { rest: text };
    scanner.skip_space();
    if scanner.eat('{') {
        let Some([a, b, c]) = scanner.line() else { return Ok(None) };
        if a.abs() <= EPSILON && b.abs() <= EPSILON {
            return Err(both_zero(sqlstate::INVALID_TEXT_REPRESENTATION));
        }
        return Ok(Some(numbers(&[a, b, c])));
    }
    let Some((_, ends)) = whole(text, |scanner| scanner.path(true, 2)) else { return Ok(None) };
    let [(x1, y1), (x2, y2)] = ends[..] else { return Ok(None) };
    let same = |a: f64, b: f64| a == b || (a - b).abs() <= EPSILON;
    if same(x1, x2) && same(y1, y2) {
        let message = "invalid line specification: must be two distinct points";
        return Err(Error::new(sqlstate::INVALID_TEXT_REPRESENTATION, message));
    }
    Ok(Some(numbers(&if same(x1, x2) {
        [-1.0, 0.0, x1]
    } else if same(y1, y2) {
        [0.0, -1.0, y1]
    } else {
        let slope = (y1 - y2) / (x1 - x2);
        // No negative zero.
        [slope, -1.0, (y1 - slope * x1) + 0.0]
    })))
}

fn both_zero(code: crate::sqlstate::SqlState) -> Error {
    Error::new(code, "invalid line specification: A and B cannot both be zero")
}

struct Scanner<'a> {
    rest: &'a str,
}

impl Scanner<'_> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches(|c: char| c.is_ascii() && is_space(c as u8));
    }

    fn eat(&mut self, wanted: char) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// A number, with white space around it.
    fn number(&mut self) -> Option<f64> {
        self.skip_space();
        let end = self.rest.find([',', '(', ')', '[', ']', '<', '>', '{', '}']).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at_checked(end)?;
        let value = parse_float8(digits).ok()?;
        self.rest = rest;
        Some(value)
    }

    /// `(x,y)` or `x,y`.
    fn pair(&mut self) -> Option<Point> {
        self.skip_space();
        let enclosed = self.eat('(');
        let x = self.number()?;
        self.eat(',').then_some(())?;
        let y = self.number()?;
        if enclosed {
            self.eat(')').then_some(())?;
            self.skip_space();
        }
        Some((x, y))
    }

    /// So many pairs, with brackets (which make it open) or parentheses around them or not; and whether it is open.
    fn path(&mut self, may_be_open: bool, count: usize) -> Option<(bool, Vec<Point>)> {
        self.skip_space();
        let mut depth = 0;
        let open = self.rest.starts_with('[');
        if open {
            if !may_be_open {
                return None;
            }
            depth = 1;
            self.eat('[');
        } else if let Some(inner) = self.rest.strip_prefix('(') {
            let inner = inner.trim_start_matches(|c: char| c.is_ascii() && is_space(c as u8));
            if inner.starts_with('(') || self.rest.rfind('(') == Some(0) {
                depth = 1;
                self.rest = inner;
            }
        }
        let mut pairs = Vec::new();
        for _ in 0..count {
            pairs.push(self.pair()?);
            self.eat(',');
        }
        if depth > 0 {
            (self.eat(')') || open && self.eat(']')).then_some(())?;
            self.skip_space();
        }
        Some((open, pairs))
    }

    /// `A,B,C}`.
    fn line(&mut self) -> Option<[f64; 3]> {
        let a = self.number()?;
        self.eat(',').then_some(())?;
        let b = self.number()?;
        self.eat(',').then_some(())?;
        let c = self.number()?;
        self.eat('}').then_some(())?;
        self.skip_space();
        self.rest.is_empty().then_some([a, b, c])
    }

    /// `<(x,y),r>`, `((x,y),r)`, `(x,y),r` or `x,y,r`.
    fn circle(&mut self) -> Option<Vec<u8>> {
        self.skip_space();
        let angle = self.eat('<');
        let mut enclosed = angle;
        if let Some(inner) = self.rest.strip_prefix('(').filter(|_| !angle) {
            let inner = inner.trim_start_matches(|c: char| c.is_ascii() && is_space(c as u8));
            if inner.starts_with('(') {
                enclosed = true;
                self.rest = inner;
            }
        }
        let (x, y) = self.pair()?;
        self.eat(',');
        let radius = self.number()?;
        if radius < 0.0 {
            return None;
        }
        if enclosed {
            (self.eat(')') || self.eat('>')).then_some(())?;
            self.skip_space();
        }
        Some(numbers(&[x, y, radius]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(ty: Oid, text: &str) -> Option<String> {
        let bytes = parse(ty, text).ok()?;
        assert_eq!(from_binary(ty, &bytes).unwrap(), bytes);
        let mut out = Vec::new();
        write(ty, &bytes, 1, &mut out);
        String::from_utf8(out).ok()
    }

    #[test]
    fn text() {
        let cases = [
            (oid::POINT, " ( 1.5 , -2 ) ", Some("(1.5,-2)")),
            (oid::POINT, "1e3,nan", Some("(1000,NaN)")),
            (oid::POINT, "(1,2", None),
            (oid::POINT, "(1,2)x", None),
            (oid::LSEG, "1,2,3,4", Some("[(1,2),(3,4)]")),
            (oid::LSEG, "[(1,2),(3,4)]", Some("[(1,2),(3,4)]")),
            (oid::BOX, "((0,4),(3,1))", Some("(3,4),(0,1)")),
            (oid::BOX, "[(0,4),(3,1)]", None),
            (oid::PATH, "[(1,2),(3,4)]", Some("[(1,2),(3,4)]")),
            (oid::PATH, "(1,2,3,4)", Some("((1,2),(3,4))")),
            (oid::PATH, "((1,2),(3,4))", Some("((1,2),(3,4))")),
            (oid::PATH, "(1,2),(3,4)", Some("((1,2),(3,4))")),
            (oid::PATH, "[(1,2),(3)]", None),
            (oid::POLYGON, "1,2,3,4,5,6", Some("((1,2),(3,4),(5,6))")),
            (oid::LINE, "{0,-1,5}", Some("{0,-1,5}")),
            (oid::LINE, "(0,0),(6,6)", Some("{1,-1,0}")),
            (oid::LINE, "{0,0,1}", None),
            (oid::CIRCLE, "<(1,2),3>", Some("<(1,2),3>")),
            (oid::CIRCLE, "((1,2),3)", Some("<(1,2),3>")),
            (oid::CIRCLE, "1,2,3", Some("<(1,2),3>")),
            (oid::CIRCLE, "<(1,2),-3>", None),
        ];
        for (ty, input, expected) in cases {
            assert_eq!(shown(ty, input).as_deref(), expected, "{input}");
        }
    }
}
