//! `aegis backup` and `aegis restore`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aegis_storage::backup::repository::{RETRY_FOR, is_remote};
use aegis_storage::backup::{Access, Progress, Repository, end_of_millisecond, milliseconds, open, restore};
use aegis_storage::{Config, Store};
use anyhow::{Context, Result, bail};
use clap::Args;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use crate::client::print;
use crate::control;

/// How long a request for the archive of the log is tried again, before the log itself tries again: short, since a stop waits for it.
const ARCHIVE_RETRY: Duration = Duration::from_secs(10);
/// How often the progress is told where there is no terminal.
const TELL_EVERY: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub struct BackupOptions {
    /// Folder for backups, or s3://BUCKET/PREFIX; segments that an earlier one has copied there are not copied again
    dest: String,
    /// The data directory, of a server that runs or not
    #[arg(long, env = "AEGIS_DATA_DIR", value_name = "DIR", default_value = "./aegis-data")]
    data_dir: PathBuf,
    #[command(flatten)]
    reaching: Reaching,
}

#[derive(Debug, Args)]
pub struct RestoreOptions {
    /// Folder with backups, or s3://BUCKET/PREFIX
    src: String,
    /// The data directory to make; it must be empty or not there
    #[arg(long, env = "AEGIS_DATA_DIR", value_name = "DIR", default_value = "./aegis-data")]
    data_dir: PathBuf,
    /// Restore up to this moment (2026-11-22T10:30:00Z, with an offset or in UTC) or the name of a backup [default: as far as possible]
    #[arg(long, value_name = "TIMESTAMP")]
    to: Option<String>,
    /// The wal_archive_dir of the server that was backed up, to go on after the backup
    #[arg(long, env = "AEGIS_WAL_ARCHIVE_DIR", value_name = "PLACE")]
    wal_archive_dir: Option<String>,
    #[command(flatten)]
    reaching: Reaching,
}

/// How an object store is reached, besides the variables AWS_….
#[derive(Debug, Args)]
struct Reaching {
    /// How long to try a request again that an object store fails or does not answer
    #[arg(long, env = "AEGIS_OBJECT_STORE_RETRY_SECONDS", value_name = "N", default_value_t = RETRY_FOR.as_secs())]
    object_store_retry_seconds: u64,
}

impl Reaching {
    fn access(&self) -> Access {
        Access { variables: variables(), retry: Duration::from_secs(self.object_store_retry_seconds) }
    }
}

/// What this process's environment says of object stores.
pub fn variables() -> std::collections::BTreeMap<String, String> {
    let all =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    all.filter(|(name, _)| name.starts_with("AWS_")).collect()
}

/// Where the server archives its log.
pub fn log_archive(place: &str) -> Result<Arc<dyn Repository>> {
    let access = Access { variables: variables(), retry: ARCHIVE_RETRY };
    open(place, &access).context("wal_archive_dir")
}

pub fn run_backup(options: &BackupOptions) -> ExitCode {
    finish("backup", backup(options))
}

pub fn run_restore(options: &RestoreOptions) -> ExitCode {
    finish("restore", restore_to(options))
}

fn finish(command: &str, outcome: Result<String>) -> ExitCode {
    match outcome {
        Ok(done) => {
            print(&format!("{done}\n"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("aegis {command}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn backup(options: &BackupOptions) -> Result<String> {
    let dest = match options.dest.as_str() {
        remote if is_remote(remote) => remote.to_owned(),
        // The server's working directory is another.
        folder => std::path::absolute(folder)?
            .into_os_string()
            .into_string()
            .ok()
            .context("the destination's name must be UTF-8")?,
    };
    let (access, mut shown) = (options.reaching.access(), Shown::new("backup"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut report = |progress| shown.update(progress);
    if let Some(done) = runtime.block_on(control::backup(&options.data_dir, &dest, &access, &mut report))? {
        return Ok(done);
    }
    offline(&options.data_dir, open(&dest, &access)?.as_ref(), shown)
}

/// Of a directory that no server uses.
fn offline(data_dir: &Path, dest: &dyn Repository, mut shown: Shown) -> Result<String> {
    if !data_dir.join("identity").exists() {
        bail!("{} is no data directory", data_dir.display());
    }
    let store = Store::open(Config { compaction_background: false, ..Config::new(data_dir) })?;
    let taken = store.backup(dest, &mut |progress| {
        shown.update(progress);
        Ok(())
    })?;
    Ok(control::describe(&taken))
}

fn restore_to(options: &RestoreOptions) -> Result<String> {
    let until = match &options.to {
        None => None,
        Some(text) => {
            Some(moment(text).with_context(|| format!("--to: \"{text}\" is no moment such as 2026-11-22T10:30:00Z"))?)
        }
    };
    let access = options.reaching.access();
    let (src, mut shown) = (open(&options.src, &access)?, Shown::new("restore"));
    let archive = options.wal_archive_dir.as_ref().map(|place| open(place, &access)).transpose()?;
    let done = restore(src.as_ref(), &options.data_dir, until, archive.as_deref(), &mut |progress| {
        shown.update(progress);
        Ok(())
    })?;
    let millis = milliseconds(done.ts);
    Ok(format!("restored {} up to {} from backup {:016x}", options.data_dir.display(), show(millis), done.from.ts))
}

/// How far the work is, on stderr: a bar on a terminal, else a line now and then.
struct Shown {
    command: &'static str,
    bar: ProgressBar,
    told: Instant,
}

impl Shown {
    fn new(command: &'static str) -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) =
            ProgressStyle::with_template("{wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left")
        {
            bar.set_style(style);
        }
        Self { command, bar, told: Instant::now() }
    }

    fn update(&mut self, progress: Progress) {
        if progress.total > 0 {
            self.bar.set_length(progress.total);
            self.bar.set_position(progress.done);
        }
        if self.bar.is_hidden() && self.told.elapsed() >= TELL_EVERY {
            self.told = Instant::now();
            eprintln!("aegis {}: {} of {}", self.command, HumanBytes(progress.done), HumanBytes(progress.total));
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// The last commit timestamp of a moment: sixteen hexadecimal digits, or a date and time.
fn moment(text: &str) -> Option<u64> {
    if text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return u64::from_str_radix(text, 16).ok();
    }
    let (date, time) = text.split_once(['T', ' '])?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let split = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (time, zone) = time.split_at(split);
    let offset = match zone.chars().next() {
        None | Some('Z') => 0,
        Some(sign) => {
            let (hours, minutes) = zone.get(1..)?.split_once(':').unwrap_or((zone.get(1..)?, "0"));
            let minutes = hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?;
            if sign == '-' { -minutes } else { minutes }
        }
    };
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut time = time.splitn(3, ':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next().unwrap_or(Some(0))?);
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    let fits = (1..=12).contains(&month) && (1..=31).contains(&day) && (0..24).contains(&hour);
    if !fits || !(0..60).contains(&minute) || !(0..=60).contains(&second) || !(1970..10_000).contains(&year) {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + (hour * 60 + minute - offset) * 60 + second;
    let millis = u64::try_from(seconds * 1000 + digits.parse::<i64>().ok()?).ok()?;
    Some(end_of_millisecond(millis))
}

/// Days from 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn show(millis: u64) -> String {
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let (mut day, second) = (i64::try_from(seconds / 86_400).unwrap_or(0), seconds % 86_400);
    let (mut year, mut month) = (1970, 1);
    while day >= days(year + 1, 1, 1) {
        year += 1;
    }
    while month < 12 && day >= days(year, month + 1, 1) {
        month += 1;
    }
    day -= days(year, month, 1);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z", day + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_and_shown() {
        let millis = |text| moment(text).map(milliseconds);
        assert_eq!(millis("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(millis("2026-11-22T04:34:46.5Z"), Some(1_795_322_086_500));
        assert_eq!(millis("2026-11-22 05:34:46.500+01:00"), Some(1_795_322_086_500));
        assert_eq!(millis("2024-02-29 23:59"), Some(1_709_251_140_000));
        assert_eq!(moment("00000000000000ff"), Some(255));
        for bad in ["yesterday", "2026-13-01 00:00", "2026-01-01", "2026-01-01 25:00", "-5-01-01 00:00"] {
            assert_eq!(moment(bad), None, "{bad}");
        }
        for text in ["1970-01-01T00:00:00.000Z", "2024-02-29T23:59:59.999Z", "2026-12-31T04:34:46.500Z"] {
            assert_eq!(millis(text).map(show).as_deref(), Some(text));
        }
    }
}
