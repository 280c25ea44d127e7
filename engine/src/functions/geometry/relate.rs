//! How shapes lie to each other: sides, overlaps, containment, sameness, distances.

use aegis_catalog::Error;

use super::measure::{eq, ge, gt, is_zero, le, lt};
use super::shape::{Circle, Line, Path, Point, Polygon, Rectangle, Segment};
use crate::functions::kernel::kernel;
use crate::functions::math::float::float8::{add, sub};
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    let families = [points(), boxes(), circles(), segments(), lines(), paths(), polygons(), distances()];
    families.into_iter().flatten().collect()
}

fn points() -> Vec<Row> {
    vec![
        f("~=(point, point)", kernel!(|a: Point, b: Point| a.same(b))),
        f("<>(point, point)", kernel!(|a: Point, b: Point| !a.same(b))),
        f("<<(point, point)", kernel!(|a: Point, b: Point| lt(a.x, b.x))),
        f(">>(point, point)", kernel!(|a: Point, b: Point| gt(a.x, b.x))),
        f("|>>(point, point)", kernel!(|a: Point, b: Point| gt(a.y, b.y))),
        f("<<|(point, point)", kernel!(|a: Point, b: Point| lt(a.y, b.y))),
        f("?-(point, point)", kernel!(|a: Point, b: Point| eq(a.y, b.y))),
        f("?|(point, point)", kernel!(|a: Point, b: Point| eq(a.x, b.x))),
        f("ishorizontal(point, point)", kernel!(|a: Point, b: Point| eq(a.y, b.y))),
        f("isvertical(point, point)", kernel!(|a: Point, b: Point| eq(a.x, b.x))),
    ]
}

/// Boxes are greater and smaller by their area.
fn boxes() -> Vec<Row> {
    vec![
        f("~=(box, box)", kernel!(|a: Rectangle, b: Rectangle| a.high.same(b.high) && a.low.same(b.low))),
        f("&&(box, box)", kernel!(|a: Rectangle, b: Rectangle| a.overlaps(b))),
        f("@>(box, box)", kernel!(|a: Rectangle, b: Rectangle| a.contains(b))),
        f("<@(box, box)", kernel!(|a: Rectangle, b: Rectangle| b.contains(a))),
        f("<<(box, box)", kernel!(|a: Rectangle, b: Rectangle| lt(a.high.x, b.low.x))),
        f("&<(box, box)", kernel!(|a: Rectangle, b: Rectangle| le(a.high.x, b.high.x))),
        f("&>(box, box)", kernel!(|a: Rectangle, b: Rectangle| ge(a.low.x, b.low.x))),
        f(">>(box, box)", kernel!(|a: Rectangle, b: Rectangle| gt(a.low.x, b.high.x))),
        f("<<|(box, box)", kernel!(|a: Rectangle, b: Rectangle| lt(a.high.y, b.low.y))),
        f("&<|(box, box)", kernel!(|a: Rectangle, b: Rectangle| le(a.high.y, b.high.y))),
        f("|&>(box, box)", kernel!(|a: Rectangle, b: Rectangle| ge(a.low.y, b.low.y))),
        f("|>>(box, box)", kernel!(|a: Rectangle, b: Rectangle| gt(a.low.y, b.high.y))),
        f("<^(box, box)", kernel!(|a: Rectangle, b: Rectangle| le(a.high.y, b.low.y))),
        f(">^(box, box)", kernel!(|a: Rectangle, b: Rectangle| ge(a.low.y, b.high.y))),
        f("=(box, box)", kernel!(|a: Rectangle, b: Rectangle| Ok::<_, Error>(eq(a.area()?, b.area()?)))),
        f("<(box, box)", kernel!(|a: Rectangle, b: Rectangle| Ok::<_, Error>(lt(a.area()?, b.area()?)))),
        f("<=(box, box)", kernel!(|a: Rectangle, b: Rectangle| Ok::<_, Error>(le(a.area()?, b.area()?)))),
        f(">(box, box)", kernel!(|a: Rectangle, b: Rectangle| Ok::<_, Error>(gt(a.area()?, b.area()?)))),
        f(">=(box, box)", kernel!(|a: Rectangle, b: Rectangle| Ok::<_, Error>(ge(a.area()?, b.area()?)))),
        f("@>(box, point)", kernel!(|a: Rectangle, b: Point| a.contains_point(b))),
        f("<@(point, box)", kernel!(|a: Point, b: Rectangle| b.contains_point(a))),
        f("<@(lseg, box)", kernel!(|a: Segment, b: Rectangle| b.contains_point(a.from) && b.contains_point(a.to))),
    ]
}

/// Circles are greater and smaller by their area.
fn circles() -> Vec<Row> {
    vec![
        f("~=(circle, circle)", kernel!(|a: Circle, b: Circle| a.same(b))),
        f(
            "<<(circle, circle)",
            kernel!(|a: Circle, b: Circle| Ok::<_, Error>(lt(add(a.center.x, a.radius)?, sub(b.center.x, b.radius)?))),
        ),
        f(
            "&<(circle, circle)",
            kernel!(|a: Circle, b: Circle| Ok::<_, Error>(le(add(a.center.x, a.radius)?, add(b.center.x, b.radius)?))),
        ),
        f(
            "&>(circle, circle)",
            kernel!(|a: Circle, b: Circle| Ok::<_, Error>(ge(sub(a.center.x, a.radius)?, sub(b.center.x, b.radius)?))),
        ),
        f(
            ">>(circle, circle)",
            kernel!(|a: Circle, b: Circle| Ok::<_, Error>(gt(sub(a.center.x, a.radius)?, add(b.center.x, b.radius)?))),
        ),
        f(
            "<<|(circle, circle)",
            kernel!(|a: Circle, b: Circle| Ok::<_, Error>(lt(add(a.center.y, a.radius)?, sub(b.center.y, b.radius)?))),
        ),
        f(
            "&<|(circle, circle)",
            kernel!(|a: Circle, b: Circle| Ok::<_, Error>(le(add(a.center.y, a.radius)?, add(b.center.y, b.radius)?))),
        ),
        f(
            "|&>(circle, circle)",
            kernel!(|a: Circle, b: Circle| Ok::<_, Error>(ge(sub(a.center.y, a.radius)?, sub(b.center.y, b.radius)?))),
        ),
        f(
            "|>>(circle, circle)",
            kernel!(|a: Circle, b: Circle| Ok::<_, Error>(gt(sub(a.center.y, a.radius)?, add(b.center.y, b.radius)?))),
        ),
        f(
            "&&(circle, circle)",
            kernel!(|a: Circle, b: Circle| Ok::<_, Error>(le(a.center.distance(b.center)?, add(a.radius, b.radius)?))),
        ),
        f(
            "@>(circle, circle)",
            kernel!(|a: Circle, b: Circle| Ok::<_, Error>(le(a.center.distance(b.center)?, sub(a.radius, b.radius)?))),
        ),
        f(
            "<@(circle, circle)",
            kernel!(|a: Circle, b: Circle| Ok::<_, Error>(le(a.center.distance(b.center)?, sub(b.radius, a.radius)?))),
        ),
        f("=(circle, circle)", kernel!(|a: Circle, b: Circle| Ok::<_, Error>(eq(a.area()?, b.area()?)))),
        f("<(circle, circle)", kernel!(|a: Circle, b: Circle| Ok::<_, Error>(lt(a.area()?, b.area()?)))),
        f("<=(circle, circle)", kernel!(|a: Circle, b: Circle| Ok::<_, Error>(le(a.area()?, b.area()?)))),
        f(">(circle, circle)", kernel!(|a: Circle, b: Circle| Ok::<_, Error>(gt(a.area()?, b.area()?)))),
        f(">=(circle, circle)", kernel!(|a: Circle, b: Circle| Ok::<_, Error>(ge(a.area()?, b.area()?)))),
        f("<>(circle, circle)", kernel!(|a: Circle, b: Circle| Ok::<_, Error>(!eq(a.area()?, b.area()?)))),
        f("@>(circle, point)", kernel!(|a: Circle, b: Point| Ok::<_, Error>(a.center.distance(b)? <= a.radius))),
        f("<@(point, circle)", kernel!(|a: Point, b: Circle| Ok::<_, Error>(b.center.distance(a)? <= b.radius))),
    ]
}

fn segments() -> Vec<Row> {
    vec![
        f("=(lseg, lseg)", kernel!(|a: Segment, b: Segment| a.from.same(b.from) && a.to.same(b.to))),
        f("<>(lseg, lseg)", kernel!(|a: Segment, b: Segment| !(a.from.same(b.from) && a.to.same(b.to)))),
        f("<(lseg, lseg)", kernel!(|a: Segment, b: Segment| Ok::<_, Error>(lt(a.length()?, b.length()?)))),
        f("<=(lseg, lseg)", kernel!(|a: Segment, b: Segment| Ok::<_, Error>(le(a.length()?, b.length()?)))),
        f(">(lseg, lseg)", kernel!(|a: Segment, b: Segment| Ok::<_, Error>(gt(a.length()?, b.length()?)))),
        f(">=(lseg, lseg)", kernel!(|a: Segment, b: Segment| Ok::<_, Error>(ge(a.length()?, b.length()?)))),
        f("?|(lseg)", kernel!(|a: Segment| eq(a.from.x, a.to.x))),
        f("isvertical(lseg)", kernel!(|a: Segment| eq(a.from.x, a.to.x))),
        f("?-(lseg)", kernel!(|a: Segment| eq(a.from.y, a.to.y))),
        f("ishorizontal(lseg)", kernel!(|a: Segment| eq(a.from.y, a.to.y))),
        f("?||(lseg, lseg)", kernel!(|a: Segment, b: Segment| Ok::<_, Error>(eq(a.slope()?, b.slope()?)))),
        f("isparallel(lseg, lseg)", kernel!(|a: Segment, b: Segment| Ok::<_, Error>(eq(a.slope()?, b.slope()?)))),
        f("?-|(lseg, lseg)", kernel!(|a: Segment, b: Segment| Ok::<_, Error>(eq(a.slope()?, b.inverse_slope()?)))),
        f("isperp(lseg, lseg)", kernel!(|a: Segment, b: Segment| Ok::<_, Error>(eq(a.slope()?, b.inverse_slope()?)))),
        f("?#(lseg, lseg)", kernel!(|a: Segment, b: Segment| a.crossing(b).map(|found| found.is_some()))),
        f("?#(lseg, line)", kernel!(|a: Segment, b: Line| a.crossing_line(b).map(|found| found.is_some()))),
        f("<@(point, lseg)", kernel!(|a: Point, b: Segment| b.contains(a))),
        f("<@(lseg, line)", kernel!(|a: Segment, b: Line| Ok::<_, Error>(b.contains(a.from)? && b.contains(a.to)?))),
    ]
}

fn lines() -> Vec<Row> {
    vec![
        f("=(line, line)", kernel!(|a: Line, b: Line| a.same(b))),
        f("?#(line, line)", kernel!(|a: Line, b: Line| a.crossing(b).map(|found| found.is_some()))),
        f("?|(line)", kernel!(|a: Line| is_zero(a.b))),
        f("?-(line)", kernel!(|a: Line| is_zero(a.a))),
        f("<@(point, line)", kernel!(|a: Point, b: Line| b.contains(a))),
        f("?||(line, line)", kernel!(|a: Line, b: Line| a.crossing(b).map(|found| found.is_none()))),
        f("isparallel(line, line)", kernel!(|a: Line, b: Line| a.crossing(b).map(|found| found.is_none()))),
        f("?-|(line, line)", kernel!(|a: Line, b: Line| a.is_perpendicular(b))),
        f("isperp(line, line)", kernel!(|a: Line, b: Line| a.is_perpendicular(b))),
    ]
}

/// Paths are greater and smaller by the number of their points.
fn paths() -> Vec<Row> {
    vec![
        f("=(path, path)", kernel!(|a: Path, b: Path| a.points.len() == b.points.len())),
        f("<(path, path)", kernel!(|a: Path, b: Path| a.points.len() < b.points.len())),
        f("<=(path, path)", kernel!(|a: Path, b: Path| a.points.len() <= b.points.len())),
        f(">(path, path)", kernel!(|a: Path, b: Path| a.points.len() > b.points.len())),
        f(">=(path, path)", kernel!(|a: Path, b: Path| a.points.len() >= b.points.len())),
        f("@>(path, point)", kernel!(|a: Path, b: Point| a.contains(b))),
        f("<@(point, path)", kernel!(|a: Point, b: Path| b.contains(a))),
    ]
}

/// By the boxes around them.
fn polygons() -> Vec<Row> {
    vec![
        f("<<(polygon, polygon)", kernel!(|a: Polygon, b: Polygon| a.around().high.x < b.around().low.x)),
        f("&<(polygon, polygon)", kernel!(|a: Polygon, b: Polygon| a.around().high.x <= b.around().high.x)),
        f("&>(polygon, polygon)", kernel!(|a: Polygon, b: Polygon| a.around().low.x >= b.around().low.x)),
        f(">>(polygon, polygon)", kernel!(|a: Polygon, b: Polygon| a.around().low.x > b.around().high.x)),
        f("<<|(polygon, polygon)", kernel!(|a: Polygon, b: Polygon| a.around().high.y < b.around().low.y)),
        f("&<|(polygon, polygon)", kernel!(|a: Polygon, b: Polygon| a.around().high.y <= b.around().high.y)),
        f("|&>(polygon, polygon)", kernel!(|a: Polygon, b: Polygon| a.around().low.y >= b.around().low.y)),
        f("|>>(polygon, polygon)", kernel!(|a: Polygon, b: Polygon| a.around().low.y > b.around().high.y)),
        f("@>(polygon, point)", kernel!(|a: Polygon, b: Point| a.contains(b))),
        f("<@(point, polygon)", kernel!(|a: Point, b: Polygon| b.contains(a))),
    ]
}

fn distances() -> Vec<Row> {
    vec![
        f("<->(point, point)", kernel!(|a: Point, b: Point| a.distance(b))),
        f("<->(box, box)", kernel!(|a: Rectangle, b: Rectangle| a.center()?.distance(b.center()?))),
        f(
            "<->(circle, circle)",
            kernel!(|a: Circle, b: Circle| Ok::<_, Error>(
                sub(a.center.distance(b.center)?, add(a.radius, b.radius)?)?.max(0.0)
            )),
        ),
        f("<->(lseg, lseg)", kernel!(|a: Segment, b: Segment| a.distance(b))),
        f("<->(line, line)", kernel!(|a: Line, b: Line| a.distance(b))),
        f("<->(point, box)", kernel!(|a: Point, b: Rectangle| b.distance_to(a))),
        f("<->(box, point)", kernel!(|a: Rectangle, b: Point| a.distance_to(b))),
        f("<->(point, circle)", kernel!(|a: Point, b: Circle| b.distance_to(a))),
        f("<->(circle, point)", kernel!(|a: Circle, b: Point| a.distance_to(b))),
        f("<->(point, lseg)", kernel!(|a: Point, b: Segment| b.distance_to(a))),
        f("<->(lseg, point)", kernel!(|a: Segment, b: Point| a.distance_to(b))),
        f("<->(point, line)", kernel!(|a: Point, b: Line| b.distance_to(a))),
        f("<->(line, point)", kernel!(|a: Line, b: Point| a.distance_to(b))),
        f("<->(point, path)", kernel!(|a: Point, b: Path| b.distance_to(a))),
        f("<->(path, point)", kernel!(|a: Path, b: Point| a.distance_to(b))),
        f("<->(point, polygon)", kernel!(|a: Point, b: Polygon| b.distance_to(a))),
        f("<->(polygon, point)", kernel!(|a: Polygon, b: Point| a.distance_to(b))),
        f(
            "<->(circle, polygon)",
            kernel!(|a: Circle, b: Polygon| Ok::<_, Error>(sub(b.distance_to(a.center)?, a.radius)?.max(0.0))),
        ),
        f(
            "<->(polygon, circle)",
            kernel!(|a: Polygon, b: Circle| Ok::<_, Error>(sub(a.distance_to(b.center)?, b.radius)?.max(0.0))),
        ),
    ]
}
