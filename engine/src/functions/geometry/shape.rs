//! The shapes as values: what `aegis_catalog::types::geometry` keeps, which is their binary form.

use std::sync::Arc;

use aegis_catalog::Result;
use arrow::array::{ArrayRef, BinaryViewArray, BinaryViewBuilder};

use crate::functions::value::{Read, Write, downcast};

#[derive(Debug, Clone, Copy, Default)]
pub struct Point {
    pub x: f64,
    pub y: f64,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Segment {
    pub from: Point,
    pub to: Point,
}

/// `high` is right of and above `low`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rectangle {
    pub high: Point,
    pub low: Point,
}

/// `a x + b y + c = 0`
#[derive(Debug, Clone, Copy, Default)]
pub struct Line {
    pub a: f64,
    pub b: f64,
    pub c: f64,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Circle {
    pub center: Point,
    pub radius: f64,
}

#[derive(Debug, Clone, Default)]
pub struct Path {
    pub closed: bool,
    pub points: Vec<Point>,
}

#[derive(Debug, Clone, Default)]
pub struct Polygon(pub Vec<Point>);

/// Numbers of 64 bits, the most significant byte first.
fn numbers(bytes: &[u8]) -> impl Iterator<Item = f64> + '_ {
    bytes.chunks_exact(8).map(|chunk| f64::from_be_bytes(chunk.try_into().unwrap_or_default()))
}

fn points(bytes: &[u8]) -> Vec<Point> {
    let all: Vec<f64> = numbers(bytes).collect();
    all.chunks_exact(2).filter_map(|pair| Some(Point { x: *pair.first()?, y: *pair.get(1)? })).collect()
}

fn put(out: &mut Vec<u8>, points: &[Point]) {
    points.iter().flat_map(|point| [point.x, point.y]).for_each(|number| out.extend(number.to_be_bytes()));
}

fn put_count(out: &mut Vec<u8>, points: &[Point]) {
    out.extend(i32::try_from(points.len()).unwrap_or(i32::MAX).to_be_bytes());
}

/// A value of a column that keeps it as bytes.
trait Kept: Sized {
    fn read(bytes: &[u8]) -> Self;
    fn write(&self, out: &mut Vec<u8>);
}

impl Kept for Point {
    fn read(bytes: &[u8]) -> Self {
        points(bytes).first().copied().unwrap_or_default()
    }
    fn write(&self, out: &mut Vec<u8>) {
        put(out, &[*self]);
    }
}

impl Kept for Segment {
    fn read(bytes: &[u8]) -> Self {
        let ends = points(bytes);
        Self { from: ends.first().copied().unwrap_or_default(), to: ends.get(1).copied().unwrap_or_default() }
    }
    fn write(&self, out: &mut Vec<u8>) {
        put(out, &[self.from, self.to]);
    }
}

impl Kept for Rectangle {
    fn read(bytes: &[u8]) -> Self {
        let Segment { from, to } = Segment::read(bytes);
        Self { high: from, low: to }
    }
    fn write(&self, out: &mut Vec<u8>) {
        put(out, &[self.high, self.low]);
    }
}

impl Kept for Line {
    fn read(bytes: &[u8]) -> Self {
        let mut all = numbers(bytes);
        let mut next = || all.next().unwrap_or_default();
        Self { a: next(), b: next(), c: next() }
    }
    fn write(&self, out: &mut Vec<u8>) {
        [self.a, self.b, self.c].iter().for_each(|number| out.extend(number.to_be_bytes()));
    }
}

impl Kept for Circle {
    fn read(bytes: &[u8]) -> Self {
        let Line { a, b, c } = Line::read(bytes);
        Self { center: Point { x: a, y: b }, radius: c }
    }
    fn write(&self, out: &mut Vec<u8>) {
        Line { a: self.center.x, b: self.center.y, c: self.radius }.write(out);
    }
}

impl Kept for Path {
    fn read(bytes: &[u8]) -> Self {
        let closed = bytes.first().is_some_and(|closed| *closed != 0);
        Self { closed, points: points(bytes.get(5..).unwrap_or_default()) }
    }
    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.closed));
        put_count(out, &self.points);
        put(out, &self.points);
    }
}

impl Kept for Polygon {
    fn read(bytes: &[u8]) -> Self {
        Self(points(bytes.get(4..).unwrap_or_default()))
    }
    fn write(&self, out: &mut Vec<u8>) {
        put_count(out, &self.0);
        put(out, &self.0);
    }
}

macro_rules! value {
    ($($shape:ident),*) => {$(
        impl<'a> Read<'a> for $shape {
            type Column = &'a BinaryViewArray;
            fn open(array: &'a ArrayRef) -> Result<Self::Column> {
                downcast(array)
            }
            fn get(column: &Self::Column, row: usize) -> Self {
                Kept::read(column.value(row))
            }
        }

        impl Write for $shape {
            type Builder = BinaryViewBuilder;
            fn builder(rows: usize) -> Self::Builder {
                BinaryViewBuilder::with_capacity(rows)
            }
            fn append(self, builder: &mut Self::Builder) {
                let mut bytes = Vec::new();
                self.write(&mut bytes);
                builder.append_value(bytes);
            }
            fn append_null(builder: &mut Self::Builder) {
                builder.append_null();
            }
            fn finish(mut builder: Self::Builder) -> ArrayRef {
                Arc::new(builder.finish())
            }
        }
    )*};
}

value!(Point, Segment, Rectangle, Line, Circle, Path, Polygon);
