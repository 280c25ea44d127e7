//! `candlestick_agg(time, price, volume)` and `candlestick(time, open, high, low, close, volume)`: what a price did in a span of time
//! (docs.timescale.com, "candlestick_agg"). Of equal times or prices the one that came first counts.

use aegis_engine::extension::{
    Aggregate, AggregateTypes, Body, Error, Fold, Persist, Read, Result, Symbols, TimestampTz, columns, fold,
};
use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

use super::composite::{Composite, composite, of};
use super::rollup::{Merge, rollup};

composite!(
    /// `candlestick`.
    Candlestick {
        open_time: TimestampTz,
        open: f64,
        high_time: TimestampTz,
        high: f64,
        low_time: TimestampTz,
        low: f64,
        close_time: TimestampTz,
        close: f64,
        /// NaN if it is not known of all that is in it.
        volume: f64,
        /// Prices by volume.
        weighted: f64,
    }
);

impl Candlestick {
    fn tick(time: TimestampTz, price: f64, volume: Option<f64>) -> Self {
        Self {
            open_time: time,
            open: price,
            high_time: time,
            high: price,
            low_time: time,
            low: price,
            close_time: time,
            close: price,
            volume: volume.unwrap_or(f64::NAN),
            weighted: volume.map_or(f64::NAN, |volume| volume * price),
        }
    }

    fn include(&mut self, other: Self) {
        if other.open_time < self.open_time {
            (self.open_time, self.open) = (other.open_time, other.open);
        }
        if other.high > self.high {
            (self.high_time, self.high) = (other.high_time, other.high);
        }
        if other.low < self.low {
            (self.low_time, self.low) = (other.low_time, other.low);
        }
        if other.close_time > self.close_time {
            (self.close_time, self.close) = (other.close_time, other.close);
        }
        self.volume += other.volume;
        self.weighted += other.weighted;
    }
}

impl Merge for Candlestick {
    fn merge(&mut self, other: Self) -> Result<()> {
        self.include(other);
        Ok(())
    }
}

/// `candlestick_agg`: rows without a time or a price are left out, one without a volume makes that of the whole unknown.
struct Ticks {
    data_type: DataType,
}

#[derive(Default)]
struct Ticked(Option<Candlestick>);

impl Persist for Ticked {
    fn save(&self, out: &mut Vec<u8>) {
        u8::from(self.0.is_some()).save(out);
        if let Some(candlestick) = &self.0 {
            candlestick.save(out);
        }
    }
    fn load(bytes: &mut &[u8]) -> Result<Self> {
        Ok(Self(if u8::load(bytes)? == 1 { Some(Candlestick::load(bytes)?) } else { None }))
    }
}

impl Ticked {
    fn include(&mut self, other: Candlestick) {
        match &mut self.0 {
            Some(candlestick) => candlestick.include(other),
            None => self.0 = Some(other),
        }
    }
}

type Times<'a> = <Option<TimestampTz> as Read<'a>>::Column;
type Numbers<'a> = <Option<f64> as Read<'a>>::Column;

impl Fold for Ticks {
    type State = Ticked;
    type Columns<'a> = (Times<'a>, Numbers<'a>, Numbers<'a>);
    const SEES_NULLS: bool = true;

    fn open<'a>(&self, args: &'a [ArrayRef]) -> Result<Self::Columns<'a>> {
        let [times, prices, volumes] = args else {
            return Err(Error::internal("candlestick_agg has three arguments"));
        };
        Ok((<Option<TimestampTz>>::open(times)?, <Option<f64>>::open(prices)?, <Option<f64>>::open(volumes)?))
    }

    fn add(&self, state: &mut Ticked, (times, prices, volumes): &Self::Columns<'_>, row: usize) -> Result<()> {
        let (time, price) = (<Option<TimestampTz>>::get(times, row), <Option<f64>>::get(prices, row));
        if let (Some(time), Some(price)) = (time, price) {
            state.include(Candlestick::tick(time, price, <Option<f64>>::get(volumes, row)));
        }
        Ok(())
    }

    fn merge(&self, state: &mut Ticked, other: Ticked) -> Result<()> {
        other.0.into_iter().for_each(|candlestick| state.include(candlestick));
        Ok(())
    }

    fn finish(&self, states: &[Ticked]) -> Result<ArrayRef> {
        Candlestick::write(&states.iter().map(|state| state.0.clone()).collect::<Vec<_>>(), &self.data_type)
    }
}

/// A candlestick that somebody else has made; null unless all but the volume is known. A price for its volume is the mean of high, low and close.
fn made() -> Body {
    columns(|call, args| {
        let [times, prices @ .., volumes] = args else { return Err(Error::internal("candlestick has six arguments")) };
        let (count, times) = (times.len(), <Option<TimestampTz>>::open(times)?);
        let opened = prices.iter().map(<Option<f64>>::open).collect::<Result<Vec<_>>>()?;
        let volumes = <Option<f64>>::open(volumes)?;
        let rows = (0..count).map(|row| {
            let time = <Option<TimestampTz>>::get(&times, row)?;
            let prices = opened.iter().map(|prices| <Option<f64>>::get(prices, row)).collect::<Option<Vec<_>>>()?;
            let [open, high, low, close] = prices.try_into().ok()?;
            let volume = <Option<f64>>::get(&volumes, row);
            let typical = (high + low + close) / 3.0;
            Some(Candlestick { open, high, low, close, ..Candlestick::tick(time, typical, volume) })
        });
        Candlestick::write(&rows.collect::<Vec<_>>(), &call.result_type())
    })
}

fn ticks(types: &AggregateTypes<'_>) -> Result<Aggregate> {
    fold("candlestick_agg", types, Ticks { data_type: types.result_type() })
}

pub fn symbols() -> Symbols {
    let known = |value: f64| (!value.is_nan()).then_some(value);
    vec![
        ("candlestick_agg", Body::Aggregate(ticks)),
        ("candlestick", made()),
        ("candlestick_rollup", Body::Aggregate(rollup::<Candlestick>)),
        ("candlestick_open", of(|of: Candlestick| Some(of.open))),
        ("candlestick_high", of(|of: Candlestick| Some(of.high))),
        ("candlestick_low", of(|of: Candlestick| Some(of.low))),
        ("candlestick_close", of(|of: Candlestick| Some(of.close))),
        ("candlestick_open_time", of(|of: Candlestick| Some(of.open_time))),
        ("candlestick_high_time", of(|of: Candlestick| Some(of.high_time))),
        ("candlestick_low_time", of(|of: Candlestick| Some(of.low_time))),
        ("candlestick_close_time", of(|of: Candlestick| Some(of.close_time))),
        ("candlestick_volume", of(move |of: Candlestick| known(of.volume))),
        ("candlestick_vwap", of(|of: Candlestick| Some(of.weighted / of.volume).filter(|mean| mean.is_finite()))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_roll_up_to_the_whole() {
        let prices = [(1, 5.0, 2.0), (2, 7.0, 1.0), (3, 3.0, 4.0), (4, 6.0, 1.0)];
        let tick = |(time, price, volume): (i64, f64, f64)| Candlestick::tick(TimestampTz(time), price, Some(volume));
        let of = |ticks: &[(i64, f64, f64)]| {
            let mut state = Ticked::default();
            ticks.iter().for_each(|one| state.include(tick(*one)));
            state.0.unwrap()
        };
        let whole = of(&prices);
        assert_eq!((whole.open, whole.high, whole.low, whole.close), (5.0, 7.0, 3.0, 6.0));
        assert_eq!((whole.high_time.0, whole.low_time.0), (2, 3));
        assert_eq!((whole.volume, whole.weighted), (8.0, 35.0));
        for cut in 1..prices.len() {
            let mut merged = of(&prices[cut..]);
            merged.include(of(&prices[..cut]));
            assert_eq!(merged, whole);
        }
    }
}
