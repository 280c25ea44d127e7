//! Shapes from shapes: constructors, casts, parts, moving and turning.

use aegis_catalog::{Error, Result, sqlstate};

use super::measure::{is_zero, length};
use super::shape::{Circle, Line, Path, Point, Polygon, Rectangle, Segment};
use crate::functions::kernel::kernel;
use crate::functions::math::float::float8::{add, div, mul, sub};
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    [arithmetic(), points(), boxes(), circles(), lines(), paths(), polygons()].into_iter().flatten().collect()
}

fn arithmetic() -> Vec<Row> {
    let mut rows = Vec::new();
    macro_rules! moved {
        ($symbol:literal, $method:ident) => {
            rows.push(f(concat!($symbol, "(point, point)"), kernel!(|a: Point, b: Point| a.$method(b))));
            rows.push(f(concat!($symbol, "(box, point)"), kernel!(|a: Rectangle, b: Point| a.map(|at| at.$method(b)))));
            rows.push(f(concat!($symbol, "(path, point)"), kernel!(|a: Path, b: Point| a.map(|at| at.$method(b)))));
        };
    }
    moved!("+", plus);
    moved!("-", minus);
    moved!("*", times);
    moved!("/", over);
    rows.extend([
        f("+(circle, point)", kernel!(|a: Circle, b: Point| at(a.center.plus(b), Ok(a.radius)))),
        f("-(circle, point)", kernel!(|a: Circle, b: Point| at(a.center.minus(b), Ok(a.radius)))),
        f("*(circle, point)", kernel!(|a: Circle, b: Point| at(a.center.times(b), mul(a.radius, length(b.x, b.y)?)))),
        f("/(circle, point)", kernel!(|a: Circle, b: Point| at(a.center.over(b), div(a.radius, length(b.x, b.y)?)))),
    ]);
    rows
}

fn at(center: Result<Point>, radius: Result<f64>) -> Result<Circle> {
    Ok(Circle { center: center?, radius: radius? })
}

fn points() -> Vec<Row> {
    vec![
        f("point(float8, float8)", kernel!(|x: f64, y: f64| Point { x, y })),
        f("point(box)", kernel!(|shape: Rectangle| shape.center())),
        f("point(circle)", kernel!(|shape: Circle| shape.center)),
        f("point(lseg)", kernel!(|shape: Segment| shape.center())),
        f("point(polygon)", kernel!(|shape: Polygon| shape.circle().map(|circle| circle.center))),
        f("center(box)", kernel!(|shape: Rectangle| shape.center())),
        f("center(circle)", kernel!(|shape: Circle| shape.center)),
        f("@@(box)", kernel!(|shape: Rectangle| shape.center())),
        f("@@(circle)", kernel!(|shape: Circle| shape.center)),
        f("@@(lseg)", kernel!(|shape: Segment| shape.center())),
        f("@@(polygon)", kernel!(|shape: Polygon| shape.circle().map(|circle| circle.center))),
        f("slope(point, point)", kernel!(|a: Point, b: Point| a.slope(b))),
    ]
}

fn boxes() -> Vec<Row> {
    vec![
        f("box(point, point)", kernel!(|a: Point, b: Point| Rectangle::new(a, b))),
        f("box(point)", kernel!(|a: Point| Rectangle::new(a, a))),
        f("box(polygon)", kernel!(|shape: Polygon| shape.around())),
        f(
            "box(circle)",
            kernel!(|shape: Circle| {
                let half = div(shape.radius, std::f64::consts::SQRT_2)?;
                let reach = Point { x: half, y: half };
                Ok::<_, Error>(Rectangle { high: shape.center.plus(reach)?, low: shape.center.minus(reach)? })
            }),
        ),
        f(
            "bound_box(box, box)",
            kernel!(|a: Rectangle, b: Rectangle| Rectangle::around(&[a.high, a.low, b.high, b.low])),
        ),
        f(
            "#(box, box)",
            kernel!(|a: Rectangle, b: Rectangle| a.overlaps(b).then(|| {
                let high = Point { x: a.high.x.min(b.high.x), y: a.high.y.min(b.high.y) };
                Rectangle { high, low: Point { x: a.low.x.max(b.low.x), y: a.low.y.max(b.low.y) } }
            })),
        ),
        f("area(box)", kernel!(|shape: Rectangle| shape.area())),
        f("width(box)", kernel!(|shape: Rectangle| shape.width())),
        f("height(box)", kernel!(|shape: Rectangle| shape.height())),
        f("diagonal(box)", kernel!(|shape: Rectangle| Segment { from: shape.high, to: shape.low })),
    ]
}

fn circles() -> Vec<Row> {
    vec![
        f("circle(point, float8)", kernel!(|center: Point, radius: f64| Circle { center, radius })),
        f(
            "circle(box)",
            kernel!(|shape: Rectangle| {
                let center = shape.center()?;
                at(Ok(center), center.distance(shape.high))
            }),
        ),
        f("circle(polygon)", kernel!(|shape: Polygon| shape.circle())),
        f("area(circle)", kernel!(|shape: Circle| shape.area())),
        f("radius(circle)", kernel!(|shape: Circle| shape.radius)),
        f("diameter(circle)", kernel!(|shape: Circle| mul(shape.radius, 2.0))),
    ]
}

fn lines() -> Vec<Row> {
    vec![
        f("lseg(point, point)", kernel!(|from: Point, to: Point| Segment { from, to })),
        f("lseg(box)", kernel!(|shape: Rectangle| Segment { from: shape.high, to: shape.low })),
        f("length(lseg)", kernel!(|shape: Segment| shape.length())),
        f("@-@(lseg)", kernel!(|shape: Segment| shape.length())),
        f("#(lseg, lseg)", kernel!(|a: Segment, b: Segment| a.crossing(b))),
        f(
            "line(point, point)",
            kernel!(|a: Point, b: Point| {
                if a.same(b) {
                    let message = "invalid line specification: must be two distinct points";
                    return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
                }
                Line::through(a, a.slope(b)?)
            }),
        ),
        f("#(line, line)", kernel!(|a: Line, b: Line| a.crossing(b))),
        f("isvertical(line)", kernel!(|shape: Line| is_zero(shape.b))),
        f("ishorizontal(line)", kernel!(|shape: Line| is_zero(shape.a))),
    ]
}

fn paths() -> Vec<Row> {
    vec![
        f("path(polygon)", kernel!(|shape: Polygon| Path { closed: true, points: shape.0 })),
        f("pclose(path)", kernel!(|shape: Path| Path { closed: true, ..shape })),
        f("popen(path)", kernel!(|shape: Path| Path { closed: false, ..shape })),
        f("isclosed(path)", kernel!(|shape: Path| shape.closed)),
        f("isopen(path)", kernel!(|shape: Path| !shape.closed)),
        f("npoints(path)", kernel!(|shape: Path| count(&shape.points))),
        f("#(path)", kernel!(|shape: Path| count(&shape.points))),
        f("area(path)", kernel!(|shape: Path| shape.area())),
        f("length(path)", kernel!(|shape: Path| shape.length())),
        f("@-@(path)", kernel!(|shape: Path| shape.length())),
        f(
            "+(path, path)",
            kernel!(|a: Path, b: Path| {
                let points = || a.points.iter().chain(&b.points).copied().collect();
                (!a.closed && !b.closed).then(|| Path { closed: false, points: points() })
            }),
        ),
    ]
}

fn count(points: &[Point]) -> i32 {
    i32::try_from(points.len()).unwrap_or(i32::MAX)
}

/// Corners of the polygon of a circle, unless their number is given.
const CORNERS: i32 = 12;
/// Most corners that one may have.
const MAX_CORNERS: i32 = 1 << 20;

fn polygons() -> Vec<Row> {
    vec![
        f(
            "polygon(box)",
            kernel!(|shape: Rectangle| {
                let (high, low) = (shape.high, shape.low);
                Polygon(vec![low, Point { x: low.x, y: high.y }, high, Point { x: high.x, y: low.y }])
            }),
        ),
        f("polygon(circle)", kernel!(|shape: Circle| around(shape, CORNERS))),
        f("polygon(int4, circle)", kernel!(|corners: i32, shape: Circle| around(shape, corners))),
        f(
            "polygon(path)",
            kernel!(|shape: Path| match shape.closed {
                true => Ok(Polygon(shape.points)),
                false => {
                    let message = "open path cannot be converted to polygon";
                    Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message))
                }
            }),
        ),
        f("npoints(polygon)", kernel!(|shape: Polygon| count(&shape.0))),
        f("#(polygon)", kernel!(|shape: Polygon| count(&shape.0))),
    ]
}

fn around(circle: Circle, corners: i32) -> Result<Polygon> {
    if is_zero(circle.radius) {
        let message = "cannot convert circle with radius zero to polygon";
        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
    }
    if corners < 2 {
        let message = "must request at least 2 points";
        return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
    }
    if corners > MAX_CORNERS {
        return Err(Error::new(sqlstate::PROGRAM_LIMIT_EXCEEDED, "too many points requested"));
    }
    let step = div(2.0 * std::f64::consts::PI, f64::from(corners))?;
    let corner = |number: i32| {
        let angle = mul(step, f64::from(number))?;
        // The sine of a multiple of π may be nearly nothing, which is no underflow.
        let x = sub(circle.center.x, circle.radius * angle.cos())?;
        Ok(Point { x, y: add(circle.center.y, circle.radius * angle.sin())? })
    };
    (0..corners).map(corner).collect::<Result<_>>().map(Polygon)
}
