//! Moments of values, around their mean, so that they stay exact where values are large, and can be merged (Pébay, "Formulas for Robust, One-Pass
//! Parallel Computation of Covariances and Arbitrary-Order Statistical Moments", 2008).

/// Of one variable: count, mean, and sums of powers of the distance from it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Moments {
    pub n: f64,
    pub mean: f64,
    pub m2: f64,
    pub m3: f64,
    pub m4: f64,
}

impl Moments {
    pub fn of(value: f64) -> Self {
        Self { n: 1.0, mean: value, ..Self::default() }
    }

    pub fn merge(&mut self, other: &Self) {
        if self.n == 0.0 || other.n == 0.0 {
            if self.n == 0.0 {
                *self = *other;
            }
            return;
        }
        let (a, b) = (*self, other);
        let n = a.n + b.n;
        let delta = b.mean - a.mean;
        let (d2, part) = (delta * delta, delta / n);
        self.n = n;
        self.mean = a.mean + part * b.n;
        self.m2 = a.m2 + b.m2 + d2 * a.n * b.n / n;
        self.m3 = a.m3 + b.m3 + d2 * delta * a.n * b.n * (a.n - b.n) / (n * n) + 3.0 * part * (a.n * b.m2 - b.n * a.m2);
        self.m4 = a.m4
            + b.m4
            + d2 * d2 * a.n * b.n * (a.n * a.n - a.n * b.n + b.n * b.n) / (n * n * n)
            + 6.0 * part * part * (a.n * a.n * b.m2 + b.n * b.n * a.m2)
            + 4.0 * part * (a.n * b.m3 - b.n * a.m3);
    }
}

/// Of two variables.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Pairs {
    pub x: Moments,
    pub y: Moments,
    /// Sum of products of the distances from the means.
    pub xy: f64,
}

impl Pairs {
    pub fn of(x: f64, y: f64) -> Self {
        Self { x: Moments::of(x), y: Moments::of(y), xy: 0.0 }
    }

    pub fn merge(&mut self, other: &Self) {
        let n = self.x.n + other.x.n;
        if n > 0.0 {
            let (dx, dy) = (other.x.mean - self.x.mean, other.y.mean - self.y.mean);
            self.xy += other.xy + dx * dy * self.x.n * other.x.n / n;
        }
        self.x.merge(&other.x);
        self.y.merge(&other.y);
    }

    /// Of the line through the points.
    pub fn slope(&self) -> Option<f64> {
        (self.x.m2 > 0.0).then(|| self.xy / self.x.m2)
    }

    pub fn intercept(&self) -> Option<f64> {
        self.slope().map(|slope| self.y.mean - slope * self.x.mean)
    }

    pub fn x_intercept(&self) -> Option<f64> {
        self.slope().filter(|slope| *slope != 0.0).map(|slope| self.x.mean - self.y.mean / slope)
    }

    pub fn correlation(&self) -> Option<f64> {
        (self.x.m2 > 0.0 && self.y.m2 > 0.0).then(|| self.xy / (self.x.m2 * self.y.m2).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> Moments {
        let mut moments = Moments::default();
        values.iter().for_each(|value| moments.merge(&Moments::of(*value)));
        moments
    }

    #[test]
    fn parts_merge_to_the_whole() {
        let values: Vec<f64> = (0..200).map(|i| f64::from(i * i % 37) / 3.0 + 1e6).collect();
        let whole = of(&values);
        for cut in [0, 1, 7, 100, 199, 200] {
            let mut merged = of(&values[..cut]);
            merged.merge(&of(&values[cut..]));
            let close = |a: f64, b: f64| (a - b).abs() <= 1e-7 * b.abs().max(1.0);
            assert!(close(merged.mean, whole.mean) && close(merged.m2, whole.m2));
            assert!(close(merged.m3, whole.m3) && close(merged.m4, whole.m4), "{cut}: {merged:?} {whole:?}");
        }
    }
}
