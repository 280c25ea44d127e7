//! Signals, advisory locks, sleeping.

use std::time::{Duration, Instant};

use aegis_catalog::Result;

use crate::functions::Call;
use crate::functions::kernel::volatile;
use crate::functions::signature::{Row, f};
use crate::functions::value::{Interval, TimestampTz, Void};
use crate::session::context::AdvisoryKey;

pub fn functions() -> Vec<Row> {
    [locks(), signals(), sleeps()].into_iter().flatten().collect()
}

fn locks() -> Vec<Row> {
    let mut rows = Vec::new();
    macro_rules! lock {
        ($name:literal, $shared:literal, $transaction:literal) => {
            rows.push(f(concat!("pg_", $name, "(int8)"), volatile!(|call; key: i64| wait(call, AdvisoryKey::Big(key), $shared, $transaction))));
            rows.push(f(
                concat!("pg_", $name, "(int4, int4)"),
                volatile!(|call; a: i32, b: i32| wait(call, AdvisoryKey::Pair(a, b), $shared, $transaction)),
            ));
            rows.push(f(
                concat!("pg_try_", $name, "(int8)"),
                volatile!(|call; key: i64| call.context.services.advisory_lock(AdvisoryKey::Big(key), $shared, $transaction, false, call.context)),
            ));
            rows.push(f(
                concat!("pg_try_", $name, "(int4, int4)"),
                volatile!(|call; a: i32, b: i32| call.context.services.advisory_lock(AdvisoryKey::Pair(a, b), $shared, $transaction, false, call.context)),
            ));
        };
    }
    lock!("advisory_lock", false, false);
    lock!("advisory_lock_shared", true, false);
    lock!("advisory_xact_lock", false, true);
    lock!("advisory_xact_lock_shared", true, true);
    macro_rules! unlock {
        ($name:literal, $shared:literal) => {
            rows.push(f(concat!($name, "(int8)"), volatile!(|call; key: i64| call.context.services.advisory_unlock(AdvisoryKey::Big(key), $shared))));
            rows.push(f(
                concat!($name, "(int4, int4)"),
                volatile!(|call; a: i32, b: i32| call.context.services.advisory_unlock(AdvisoryKey::Pair(a, b), $shared)),
            ));
        };
    }
    unlock!("pg_advisory_unlock", false);
    unlock!("pg_advisory_unlock_shared", true);
    rows.push(f(
        "pg_advisory_unlock_all()",
        volatile!(|call;| call.context.services.advisory_unlock_all().map(|()| Void)),
    ));
    rows
}

fn wait(call: &Call<'_>, key: AdvisoryKey, shared: bool, transaction: bool) -> Result<Void> {
    call.context.services.advisory_lock(key, shared, transaction, true, call.context).map(|_| Void)
}

fn signals() -> Vec<Row> {
    vec![
        f("pg_cancel_backend(int4)", volatile!(|call; pid: i32| signal(call, pid, false))),
        f("pg_terminate_backend(int4, int8)", volatile!(|call; pid: i32, _timeout: i64| signal(call, pid, true))),
    ]
}

fn signal(call: &Call<'_>, pid: i32, terminate: bool) -> Result<bool> {
    let found = call.context.services.cancel_backend(pid, terminate)?;
    if !found {
        call.context.services.notice("WARNING", &format!("PID {pid} is not a PostgreSQL backend process"));
    }
    Ok(found)
}

fn sleeps() -> Vec<Row> {
    vec![
        f("pg_sleep(float8)", volatile!(|call; seconds: f64| sleep(call, seconds))),
        f("pg_sleep_for(interval)", volatile!(|call; time: Interval| sleep(call, time.comparison_key() as f64 / 1e6))),
        f(
            "pg_sleep_until(timestamptz)",
            volatile!(|call; until: TimestampTz| sleep(call, until.0.saturating_sub(crate::functions::datetime::clock()) as f64 / 1e6)),
        ),
    ]
}

/// Sleeps in slices, so that a cancelled statement ends soon.
fn sleep(call: &Call<'_>, seconds: f64) -> Result<Void> {
    const SLICE: Duration = Duration::from_millis(10);
    const YEAR: f64 = 31_557_600.0;
    let seconds = if seconds > 0.0 { seconds.min(YEAR) } else { 0.0 };
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    loop {
        call.context.check_cancelled()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Void);
        }
        std::thread::sleep(left.min(SLICE));
    }
}
