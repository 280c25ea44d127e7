//! `random()` and `setseed()`.

use std::cell::RefCell;

use aegis_catalog::{Error, Result, sqlstate};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::functions::kernel::volatile;
use crate::functions::signature::{Row, f};
use crate::functions::value::Void;

thread_local! {
    /// A statement may run on several threads: `setseed` makes a sequence repeatable on one of them only.
    static GENERATOR: RefCell<StdRng> = RefCell::new(StdRng::from_os_rng());
}

pub fn functions() -> Vec<Row> {
    vec![
        f("random()", volatile!(|| GENERATOR.with_borrow_mut(|generator| generator.random::<f64>()))),
        f("setseed(float8)", volatile!(|seed: f64| set_seed(seed))),
    ]
}

fn set_seed(seed: f64) -> Result<Void> {
    if !(-1.0..=1.0).contains(&seed) {
        return Err(Error::new(
            sqlstate::INVALID_PARAMETER_VALUE,
            format!("setseed parameter {seed} is out of allowed range [-1,1]"),
        ));
    }
    GENERATOR.replace(StdRng::seed_from_u64(seed.to_bits()));
    Ok(Void)
}
