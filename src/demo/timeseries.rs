//! `aegis demo timeseries`: a fleet of devices with some hours behind it, which goes on measuring for as long as the server runs.
//!
//! A measurement is a function of the device and the second, so nothing is remembered between rows, and a server that starts again on
//! the same data goes on where it stopped.

use std::f64::consts::TAU;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::MissedTickBehavior;
use tokio_postgres::Client;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;

use super::farewell;

const SCHEMA: &str = "fleet";
const DEFINITIONS: &str = include_str!("timeseries.sql");

const KINDS: &[&str] = &["weather", "pump", "fridge", "meter", "gate"];
const SITES: &[&str] = &["Bergen", "Lyon", "Porto", "Graz"];

/// Seconds of history that a new fleet has, and the most that is filled in after a pause.
const HISTORY: u64 = 6 * HOUR;
/// Seconds between measurements of a device, in history and live.
const STEP: u64 = 10;
/// Seconds of history that one transaction writes.
const CHUNK: u64 = 10 * 60;
/// A device is out for whole windows of this many seconds, one in `OUTAGE_ONE_IN`.
const WINDOW: u64 = 10 * 60;
const OUTAGE_ONE_IN: u64 = 48;
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
/// Windows that are searched for the last outage: a week, in which one is all but certain.
const LONGEST_UPTIME: u64 = 7 * DAY / WINDOW;

const QUERIES: &[(&str, &str)] = &[
    (
        "The last value of each device",
        "SELECT device, last(temperature, time) AS temperature, max(time) FROM metrics GROUP BY device ORDER BY device;",
    ),
    (
        "A quarter of an hour by minutes, with outages as gaps",
        "SELECT time_bucket_gapfill('1 minute', time) AS minute, avg(temperature), count(*) FROM metrics \
         WHERE device = 'pump-1' AND time > now() - interval '15 minutes' AND time <= now() GROUP BY minute ORDER BY minute;",
    ),
    (
        "The same hours from the continuous aggregate, which a job keeps up to date",
        "SELECT time_bucket('1 hour', bucket) AS hour, device, min(low), max(high), sum(samples) FROM metrics_1m \
         GROUP BY hour, device ORDER BY hour DESC, device LIMIT 10;",
    ),
    (
        "Jobs and how they did",
        "SELECT j.job_id, j.application_name, s.last_run_status, s.total_runs, s.next_start FROM timescaledb_information.jobs j \
         JOIN timescaledb_information.job_stats s USING (job_id) ORDER BY 1;",
    ),
];

struct Device {
    number: u64,
    name: String,
    kind: &'static str,
    site: &'static str,
}

struct Measurement {
    temperature: f64,
    humidity: f64,
    battery: f64,
    packets: i64,
}

/// Makes the fleet, or finds it, and streams until it is dropped.
pub async fn stream(client: &Client, address: SocketAddr) -> Result<()> {
    let fleet = fleet();
    create(client, &fleet).await.context("making the tables")?;
    let mut last = last_second(client).await?.max(now() - HISTORY);
    last = catch_up(client, &fleet, last).await?;
    eprintln!("{}", farewell("The devices stream into table metrics", SCHEMA, address, QUERIES));
    eprintln!(
        "Grafana: data source of type PostgreSQL, {address}, database postgres, user postgres, TimescaleDB switched on;\n\
         deploy/grafana/ of the source has it with two dashboards, ready for provisioning.\n"
    );
    let bar = ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{spinner} {human_pos} rows, {msg}")?);
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        if now() > last + CHUNK {
            // The machine slept, or the server could not keep up.
            last = catch_up(client, &fleet, last.max(now() - HISTORY)).await?;
            continue;
        }
        let seconds = last + 1..=now();
        if seconds.is_empty() {
            continue;
        }
        last = *seconds.end();
        bar.inc(write(client, &fleet, seconds, 1).await?);
        bar.set_message(format!("{} devices, one measurement a second each; Ctrl-C to stop", fleet.len()));
    }
}

fn fleet() -> Vec<Device> {
    let devices = KINDS.iter().flat_map(|kind| SITES.iter().enumerate().map(move |place| (kind, place)));
    devices
        .zip(0..)
        .map(|((kind, (place, site)), number)| Device { number, name: format!("{kind}-{}", place + 1), kind, site })
        .collect()
}

/// All in one transaction, so that a fleet that exists is complete.
async fn create(client: &Client, fleet: &[Device]) -> Result<()> {
    if client.query_opt("SELECT FROM pg_namespace WHERE nspname = $1", &[&SCHEMA]).await?.is_some() {
        return Ok(());
    }
    client.batch_execute("BEGIN").await?;
    client.batch_execute(DEFINITIONS).await?;
    for device in fleet {
        let row: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&device.name, &device.kind, &device.site];
        client.execute("INSERT INTO fleet.devices VALUES ($1, $2, $3)", &row).await?;
    }
    client.batch_execute("COMMIT").await?;
    Ok(())
}

async fn last_second(client: &Client) -> Result<u64> {
    let row = client.query_one("SELECT coalesce(max(time), 'epoch') FROM fleet.metrics", &[]).await?;
    Ok(row.try_get::<_, SystemTime>(0)?.duration_since(UNIX_EPOCH)?.as_secs())
}

/// Writes what is missing up to now; returns the last second written.
async fn catch_up(client: &Client, fleet: &[Device], mut last: u64) -> Result<u64> {
    let bar = ProgressBar::new(now().saturating_sub(last))
        .with_style(ProgressStyle::with_template("   history {wide_bar} {percent:>3} % {eta:>4}")?);
    while last + STEP <= now() {
        let end = now().min(last + CHUNK);
        write(client, fleet, last + 1..=end, STEP).await?;
        bar.inc(end - last);
        last = end;
    }
    bar.finish_and_clear();
    // The minute that is being written is left to the view: the aggregate would keep the part of it that is there now until the next job.
    let refresh = "CALL refresh_continuous_aggregate('fleet.metrics_1m', NULL, date_trunc('minute', to_timestamp(";
    client.batch_execute(&format!("{refresh}{last})))")).await?;
    Ok(last)
}

/// Writes the measurements of these seconds, and the outages that end in them, in one transaction; returns the number of rows.
async fn write(client: &Client, fleet: &[Device], seconds: RangeInclusive<u64>, step: u64) -> Result<u64> {
    const TYPES: &[Type] = &[Type::TIMESTAMPTZ, Type::TEXT, Type::FLOAT8, Type::FLOAT8, Type::FLOAT8, Type::INT8];
    client.batch_execute("BEGIN").await?;
    let sink = client.copy_in("COPY fleet.metrics FROM STDIN (FORMAT binary)").await?;
    let mut rows = std::pin::pin!(BinaryCopyInWriter::new(sink, TYPES));
    for second in seconds.clone().filter(|second| second % step == 0) {
        for device in fleet.iter().filter(|device| !device.is_out(second / WINDOW)) {
            let m = device.measure(second);
            rows.as_mut()
                .write(&[&at(second), &device.name, &m.temperature, &m.humidity, &m.battery, &m.packets])
                .await?;
        }
    }
    let count = rows.finish().await?;
    for window in seconds.filter(|second| second % WINDOW == 0).map(|second| second / WINDOW) {
        for device in fleet.iter().filter(|device| device.is_out(window - 1) && !device.is_out(window)) {
            let begin = window - device.windows_since(window - 1, |device, window| !device.is_out(window));
            let outage = "INSERT INTO fleet.events VALUES ($1, $2, $3, 'no signal')";
            client.execute(outage, &[&at(begin * WINDOW), &at(window * WINDOW), &device.name]).await?;
        }
    }
    client.batch_execute("COMMIT").await?;
    Ok(count)
}

impl Device {
    /// Whether it sends nothing during a window.
    fn is_out(&self, window: u64) -> bool {
        mix(self.number, window).is_multiple_of(OUTAGE_ONE_IN)
    }

    /// How many windows ago that was true last.
    fn windows_since(&self, window: u64, holds: impl Fn(&Self, u64) -> bool) -> u64 {
        (0..LONGEST_UPTIME).find(|ago| holds(self, window.saturating_sub(*ago))).unwrap_or(LONGEST_UPTIME)
    }

    /// Days are warm and dry, nights cool and damp; batteries are charged by day; packets are counted from the last outage on.
    fn measure(&self, second: u64) -> Measurement {
        let place = (self.number % 4) as f64;
        let day = TAU * ((second % DAY) as f64 / DAY as f64 - 0.375);
        let slow = (TAU * (second % (3 * HOUR)) as f64 / (3 * HOUR) as f64 + self.number as f64).sin();
        let noise = (mix(self.number + 1000, second) % 1000) as f64 / 1000.0 - 0.5;
        let temperature = 12.0 + 3.0 * place + 6.0 * day.sin() + 1.5 * slow + 0.6 * noise;
        let humidity = (62.0 - 14.0 * day.sin() + 4.0 * slow + 2.0 * noise).clamp(0.0, 100.0);
        let battery = (78.0 + 16.0 * (day - 1.2).sin() - place + 0.2 * noise).clamp(0.0, 100.0);
        let restart = (second / WINDOW + 1 - self.windows_since(second / WINDOW, Self::is_out)) * WINDOW;
        let uptime = second.saturating_sub(restart) as f64;
        // Never falls: the wave is slower than the line.
        let packets = (3.0 + place) * (uptime + 200.0 * (1.0 - (uptime / 400.0).cos()));
        Measurement {
            temperature: hundredths(temperature),
            humidity: hundredths(humidity),
            battery: hundredths(battery),
            packets: packets as i64,
        }
    }
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// A number that looks random (the finalizer of SplitMix64).
fn mix(device: u64, moment: u64) -> u64 {
    let mut z = device.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(moment.wrapping_mul(0xd1b5_4a32_d192_ed03));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn at(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(second)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
