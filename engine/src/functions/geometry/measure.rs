//! Distances, slopes and crossings, as PostgreSQL's geo_ops.c computes them.

use aegis_catalog::Result;

use super::shape::{Circle, Line, Path, Point, Polygon, Rectangle, Segment};
use crate::functions::math::float::float8::{add, div, mul, sub};

/// Numbers closer than this are the same.
const EPSILON: f64 = 1e-6;

pub fn is_zero(a: f64) -> bool {
    a.abs() <= EPSILON
}

pub fn eq(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= EPSILON
}

pub fn lt(a: f64, b: f64) -> bool {
    a + EPSILON < b
}

pub fn le(a: f64, b: f64) -> bool {
    a <= b + EPSILON
}

pub fn gt(a: f64, b: f64) -> bool {
    a > b + EPSILON
}

pub fn ge(a: f64, b: f64) -> bool {
    a + EPSILON >= b
}

/// No negative zero.
fn plain(number: f64) -> f64 {
    if number == 0.0 { 0.0 } else { number }
}

impl Point {
    pub fn same(self, other: Self) -> bool {
        if self.x.is_nan() || self.y.is_nan() || other.x.is_nan() || other.y.is_nan() {
            let equal = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan());
            return equal(self.x, other.x) && equal(self.y, other.y);
        }
        eq(self.x, other.x) && eq(self.y, other.y)
    }

    pub fn plus(self, other: Self) -> Result<Self> {
        Ok(Self { x: add(self.x, other.x)?, y: add(self.y, other.y)? })
    }

    pub fn minus(self, other: Self) -> Result<Self> {
        Ok(Self { x: sub(self.x, other.x)?, y: sub(self.y, other.y)? })
    }

    /// As complex numbers: a rotation and a change of size.
    pub fn times(self, by: Self) -> Result<Self> {
        let x = sub(mul(self.x, by.x)?, mul(self.y, by.y)?)?;
        Ok(Self { x, y: add(mul(self.x, by.y)?, mul(self.y, by.x)?)? })
    }

    pub fn over(self, by: Self) -> Result<Self> {
        let size = add(mul(by.x, by.x)?, mul(by.y, by.y)?)?;
        let x = div(add(mul(self.x, by.x)?, mul(self.y, by.y)?)?, size)?;
        Ok(Self { x, y: div(sub(mul(self.y, by.x)?, mul(self.x, by.y)?)?, size)? })
    }

    pub fn distance(self, other: Self) -> Result<f64> {
        length(sub(self.x, other.x)?, sub(self.y, other.y)?)
    }

    pub fn slope(self, other: Self) -> Result<f64> {
        if eq(self.x, other.x) {
            return Ok(f64::INFINITY);
        }
        if eq(self.y, other.y) {
            return Ok(0.0);
        }
        div(sub(self.y, other.y)?, sub(self.x, other.x)?)
    }

    /// The slope of what stands upright on the way to `other`.
    fn inverse_slope(self, other: Self) -> Result<f64> {
        if eq(self.x, other.x) {
            return Ok(0.0);
        }
        if eq(self.y, other.y) {
            return Ok(f64::INFINITY);
        }
        div(sub(self.x, other.x)?, sub(other.y, self.y)?)
    }
}

/// `pg_hypot`
pub fn length(x: f64, y: f64) -> Result<f64> {
    let (x, y) = (x.abs(), y.abs());
    if x.is_infinite() || y.is_infinite() {
        return Ok(f64::INFINITY);
    }
    if x.is_nan() || y.is_nan() {
        return Ok(f64::NAN);
    }
    let (long, short) = (x.max(y), x.min(y));
    if short == 0.0 {
        return Ok(long);
    }
    let ratio = short / long;
    mul(long, (1.0 + ratio * ratio).sqrt())
}

impl Line {
    /// Through a point.
    pub fn through(point: Point, slope: f64) -> Result<Self> {
        if slope.is_infinite() {
            return Ok(Self { a: -1.0, b: 0.0, c: point.x });
        }
        if slope == 0.0 {
            return Ok(Self { a: 0.0, b: -1.0, c: point.y });
        }
        Ok(Self { a: slope, b: -1.0, c: plain(sub(point.y, mul(slope, point.x)?)?) })
    }

    fn inverse_slope(self) -> Result<f64> {
        if is_zero(self.a) {
            return Ok(f64::INFINITY);
        }
        if is_zero(self.b) { Ok(0.0) } else { div(self.b, self.a) }
    }

    pub fn crossing(self, other: Self) -> Result<Option<Point>> {
        let at = |one: Self, two: Self| -> Result<Option<Point>> {
            if eq(two.a, mul(one.a, div(two.b, one.b)?)?) {
                return Ok(None);
            }
            let above = sub(mul(one.b, two.c)?, mul(two.b, one.c)?)?;
            let x = div(above, sub(mul(one.a, two.b)?, mul(two.a, one.b)?)?)?;
            let y = div(-add(mul(one.a, x)?, one.c)?, one.b)?;
            Ok(Some(Point { x: plain(x), y: plain(y) }))
        };
        match (is_zero(self.b), is_zero(other.b)) {
            (false, _) => at(self, other),
            (true, false) => at(other, self),
            (true, true) => Ok(None),
        }
    }

    pub fn is_perpendicular(self, other: Self) -> Result<bool> {
        if is_zero(self.a) {
            return Ok(is_zero(other.b));
        }
        if is_zero(other.a) {
            return Ok(is_zero(self.b));
        }
        if is_zero(self.b) {
            return Ok(is_zero(other.a));
        }
        if is_zero(other.b) {
            return Ok(is_zero(self.a));
        }
        Ok(eq(div(mul(self.a, other.a)?, mul(self.b, other.b)?)?, -1.0))
    }

    pub fn contains(self, point: Point) -> Result<bool> {
        Ok(is_zero(add(add(mul(self.a, point.x)?, mul(self.b, point.y)?)?, self.c)?))
    }

    pub fn distance_to(self, point: Point) -> Result<f64> {
        match self.crossing(Self::through(point, self.inverse_slope()?)?)? {
            Some(closest) => closest.distance(point),
            None => Ok(f64::NAN),
        }
    }

    pub fn distance(self, other: Self) -> Result<f64> {
        if self.crossing(other)?.is_some() {
            return Ok(0.0);
        }
        let both = |a: f64, b: f64| !is_zero(a) && !a.is_nan() && !is_zero(b) && !b.is_nan();
        let ratio = if both(self.a, other.a) {
            div(self.a, other.a)?
        } else if both(self.b, other.b) {
            div(self.b, other.b)?
        } else {
            1.0
        };
        div(sub(self.c, mul(ratio, other.c)?)?.abs(), length(self.a, self.b)?)
    }

    pub fn same(self, other: Self) -> Result<bool> {
        let numbers = [(self.a, other.a), (self.b, other.b), (self.c, other.c)];
        if numbers.iter().any(|(a, b)| a.is_nan() || b.is_nan()) {
            return Ok(numbers.iter().all(|(a, b)| a == b || (a.is_nan() && b.is_nan())));
        }
        let found = numbers.iter().find(|(_, b)| !is_zero(*b));
        let ratio = found.map_or(Ok(1.0), |(a, b)| div(*a, *b))?;
        let scaled = numbers.iter().map(|(a, b)| Ok(eq(*a, mul(ratio, *b)?)));
        Ok(scaled.collect::<Result<Vec<_>>>()?.into_iter().all(|same| same))
    }
}

impl Segment {
    pub fn slope(self) -> Result<f64> {
        self.from.slope(self.to)
    }

    pub fn inverse_slope(self) -> Result<f64> {
        self.from.inverse_slope(self.to)
    }

    pub fn length(self) -> Result<f64> {
        self.from.distance(self.to)
    }

    pub fn center(self) -> Result<Point> {
        middle(self.from, self.to)
    }

    fn line(self) -> Result<Line> {
        Line::through(self.from, self.slope()?)
    }

    pub fn contains(self, point: Point) -> Result<bool> {
        Ok(eq(add(point.distance(self.from)?, point.distance(self.to)?)?, self.length()?))
    }

    pub fn crossing_line(self, line: Line) -> Result<Option<Point>> {
        let Some(found) = self.line()?.crossing(line)? else { return Ok(None) };
        if !self.contains(found)? {
            return Ok(None);
        }
        // An end that is met is met exactly.
        let end = [self.from, self.to].into_iter().find(|end| end.same(found));
        Ok(Some(end.unwrap_or(found)))
    }

    pub fn crossing(self, other: Self) -> Result<Option<Point>> {
        let Some(found) = self.crossing_line(other.line()?)? else { return Ok(None) };
        Ok(if other.contains(found)? { Some(found) } else { None })
    }

    pub fn distance_to(self, point: Point) -> Result<f64> {
        let upright = Line::through(point, self.inverse_slope()?)?;
        let closest = match self.crossing_line(upright)? {
            Some(found) => found,
            None if upright.distance_to(self.from)? < upright.distance_to(self.to)? => self.from,
            None => self.to,
        };
        closest.distance(point)
    }

    pub fn distance(self, other: Self) -> Result<f64> {
        if self.crossing(other)?.is_some() {
            return Ok(0.0);
        }
        let ends = [
            self.distance_to(other.from)?,
            self.distance_to(other.to)?,
            other.distance_to(self.from)?,
            other.distance_to(self.to)?,
        ];
        Ok(ends.into_iter().fold(f64::INFINITY, f64::min))
    }
}

pub fn middle(a: Point, b: Point) -> Result<Point> {
    Ok(Point { x: div(add(a.x, b.x)?, 2.0)?, y: div(add(a.y, b.y)?, 2.0)? })
}

impl Rectangle {
    /// With these corners, opposite each other.
    pub fn new(a: Point, b: Point) -> Self {
        let ordered = |a: f64, b: f64| if a > b || a.is_nan() { (a, b) } else { (b, a) };
        let ((right, left), (top, bottom)) = (ordered(a.x, b.x), ordered(a.y, b.y));
        Self { high: Point { x: right, y: top }, low: Point { x: left, y: bottom } }
    }

    pub fn width(self) -> Result<f64> {
        sub(self.high.x, self.low.x)
    }

    pub fn height(self) -> Result<f64> {
        sub(self.high.y, self.low.y)
    }

    pub fn area(self) -> Result<f64> {
        mul(self.width()?, self.height()?)
    }

    pub fn center(self) -> Result<Point> {
        middle(self.high, self.low)
    }

    pub fn overlaps(self, other: Self) -> bool {
        le(self.low.x, other.high.x)
            && le(other.low.x, self.high.x)
            && le(self.low.y, other.high.y)
            && le(other.low.y, self.high.y)
    }

    pub fn contains(self, other: Self) -> bool {
        ge(self.high.x, other.high.x)
            && le(self.low.x, other.low.x)
            && ge(self.high.y, other.high.y)
            && le(self.low.y, other.low.y)
    }

    pub fn contains_point(self, point: Point) -> bool {
        self.high.x >= point.x && self.low.x <= point.x && self.high.y >= point.y && self.low.y <= point.y
    }

    pub fn distance_to(self, point: Point) -> Result<f64> {
        let closest = |low: f64, high: f64, at: f64| {
            if at < low {
                low
            } else if at > high {
                high
            } else {
                at
            }
        };
        let x = closest(self.low.x, self.high.x, point.x);
        point.distance(Point { x, y: closest(self.low.y, self.high.y, point.y) })
    }

    /// Each corner changed in the same way.
    pub fn map(self, change: impl Fn(Point) -> Result<Point>) -> Result<Self> {
        Ok(Self::new(change(self.high)?, change(self.low)?))
    }

    /// Around all of these.
    pub fn around(points: &[Point]) -> Self {
        let of =
            |value: fn(&Point) -> f64, pick: fn(f64, f64) -> f64| points.iter().map(value).reduce(pick).unwrap_or(0.0);
        let high = Point { x: of(|p| p.x, f64::max), y: of(|p| p.y, f64::max) };
        Self { high, low: Point { x: of(|p| p.x, f64::min), y: of(|p| p.y, f64::min) } }
    }
}

impl Circle {
    pub fn area(self) -> Result<f64> {
        mul(mul(self.radius, self.radius)?, std::f64::consts::PI)
    }

    pub fn same(self, other: Self) -> bool {
        let equal = (self.radius.is_nan() && other.radius.is_nan()) || eq(self.radius, other.radius);
        equal && self.center.same(other.center)
    }

    pub fn distance_to(self, point: Point) -> Result<f64> {
        Ok(sub(point.distance(self.center)?, self.radius)?.max(0.0))
    }
}

/// The sides of a figure, the last of which closes it.
fn sides(points: &[Point], closed: bool) -> impl Iterator<Item = Segment> + '_ {
    let last = points.last().filter(|_| closed && !points.is_empty()).zip(points.first());
    let closing = last.map(|(from, to)| Segment { from: *from, to: *to });
    let between = points.windows(2).filter_map(|pair| Some(Segment { from: *pair.first()?, to: *pair.get(1)? }));
    closing.into_iter().chain(between)
}

impl Path {
    pub fn length(&self) -> Result<f64> {
        sides(&self.points, self.closed).try_fold(0.0, |sum, side| add(sum, side.length()?))
    }

    pub fn area(&self) -> Result<Option<f64>> {
        if !self.closed {
            return Ok(None);
        }
        let mut area = 0.0;
        for (position, point) in self.points.iter().enumerate() {
            let next = self.points.get(position + 1).or(self.points.first()).copied().unwrap_or_default();
            area = sub(add(area, mul(point.x, next.y)?)?, mul(point.y, next.x)?)?;
        }
        Ok(Some((area / 2.0).abs()))
    }

    pub fn distance_to(&self, point: Point) -> Result<f64> {
        nearest(&self.points, self.closed, point)
    }

    pub fn contains(&self, point: Point) -> Result<bool> {
        if self.closed {
            return Ok(is_inside(point, &self.points));
        }
        for side in sides(&self.points, false) {
            if side.contains(point)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub fn map(self, change: impl Fn(Point) -> Result<Point>) -> Result<Self> {
        let points = self.points.into_iter().map(change).collect::<Result<_>>()?;
        Ok(Self { points, ..self })
    }
}

fn nearest(points: &[Point], closed: bool, point: Point) -> Result<f64> {
    if let ([only], _) = (points, closed) {
        return only.distance(point);
    }
    sides(points, closed).try_fold(f64::INFINITY, |least, side| Ok(least.min(side.distance_to(point)?)))
}

impl Polygon {
    pub fn around(&self) -> Rectangle {
        Rectangle::around(&self.0)
    }

    pub fn contains(&self, point: Point) -> bool {
        is_inside(point, &self.0)
    }

    pub fn distance_to(&self, point: Point) -> Result<f64> {
        if self.contains(point) { Ok(0.0) } else { nearest(&self.0, true, point) }
    }

    /// The center of its corners, and how far they are from it on average.
    pub fn circle(&self) -> Result<Circle> {
        let count = self.0.len() as f64;
        let sum = self.0.iter().try_fold(Point::default(), |sum, point| sum.plus(*point))?;
        let center = Point { x: div(sum.x, count)?, y: div(sum.y, count)? };
        let radius = self.0.iter().try_fold(0.0, |sum, point| add(sum, point.distance(center)?))?;
        Ok(Circle { center, radius: div(radius, count)? })
    }
}

/// Is the point within the figure or on its border? (`point_inside`)
fn is_inside(point: Point, corners: &[Point]) -> bool {
    let seen = |corner: &Point| (corner.x - point.x, corner.y - point.y);
    let (Some(first), Some(last)) = (corners.first().map(seen), corners.last().map(seen)) else { return false };
    let (mut before, mut crossed) = (first, 0);
    for corner in corners.iter().skip(1).map(seen) {
        match crosses(corner, before) {
            Some(count) => crossed += count,
            None => return true,
        }
        before = corner;
    }
    match crosses(first, last) {
        Some(count) => crossed + count != 0,
        None => true,
    }
}

/// How a side crosses the positive x axis, twice the sign of its direction, once if it ends there; None if it goes through the origin
/// (`lseg_crossing`).
fn crosses((x, y): (f64, f64), (before_x, before_y): (f64, f64)) -> Option<i32> {
    if is_zero(y) {
        if is_zero(x) {
            return None;
        }
        let right = gt(x, 0.0);
        if is_zero(before_y) {
            let same_side = if right { gt(before_x, 0.0) } else { lt(before_x, 0.0) };
            return same_side.then_some(0);
        }
        return Some(match (right, lt(before_y, 0.0)) {
            (true, true) => 1,
            (true, false) => -1,
            (false, _) => 0,
        });
    }
    let sign = if gt(y, 0.0) { 1 } else { -1 };
    if is_zero(before_y) {
        return Some(if lt(before_x, 0.0) { 0 } else { sign });
    }
    if (sign < 0 && lt(before_y, 0.0)) || (sign > 0 && gt(before_y, 0.0)) {
        return Some(0);
    }
    if ge(x, 0.0) && gt(before_x, 0.0) {
        return Some(2 * sign);
    }
    if lt(x, 0.0) && le(before_x, 0.0) {
        return Some(0);
    }
    let z = (x - before_x) * y - (y - before_y) * x;
    if is_zero(z) {
        return None;
    }
    Some(if (sign < 0 && lt(z, 0.0)) || (sign > 0 && gt(z, 0.0)) { 0 } else { 2 * sign })
}
