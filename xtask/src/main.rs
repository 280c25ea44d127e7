//! Chores for developers: `cargo xtask test | fix | coverage | shares REPORT | bench | soak | day | slt NAME`.

mod comparison;
mod setup;
mod shares;

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use shares::Mode;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Chores for developers")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what the tests need and run all of them: what continuous integration does
    Test,
    /// Format, and apply what clippy can mend by itself
    Fix,
    /// Count the functions of the manual's chapter 9 that are there, and write COMPATIBILITY.md's table of them
    Coverage,
    /// Write COMPATIBILITY.md's table of shares of PostgreSQL's regression statements from the comparison's report; fails if one fell
    Shares {
        report: PathBuf,
        /// Write it even if shares fell
        #[arg(long)]
        accept: bool,
        /// Compare only
        #[arg(long, conflicts_with = "accept")]
        check: bool,
    },
    /// Measure a release build beside PostgreSQL 15 and DuckDB; arguments go to benches/compare
    Bench {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Put hours of mixed load on a release build, with backups and a SIGKILL; arguments go to benches/soak.py
    Soak {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// A day of a fleet of devices with policies and three SIGKILLs on a release build; arguments go to benches/day.py
    Day {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run the .slt files whose path contains NAME, on Aegis and on PostgreSQL 15
    Slt {
        name: Option<String>,
        /// Rewrite expectations with the answers of `postgres` or `aegis`
        #[arg(long, value_name = "ENGINE")]
        r#override: Option<String>,
    },
}

fn main() -> Result<()> {
    match Cli::parse().task {
        Task::Test => test(),
        Task::Fix => {
            cargo(&["clippy", "--fix", "--allow-dirty", "--workspace", "--all-targets"])?;
            cargo(&["fmt", "--all"])
        }
        Task::Coverage => cargo(&[
            "test",
            "--workspace",
            "--lib",
            "--quiet",
            "--",
            "--ignored",
            "--exact",
            "functions::coverage::write_coverage",
        ]),
        Task::Shares { report, accept, check } => shares::run(
            &report,
            match (accept, check) {
                (true, _) => Mode::Accept,
                (_, true) => Mode::Check,
                _ => Mode::Write,
            },
        ),
        Task::Bench { arguments } => measure("compare", &arguments),
        Task::Soak { arguments } => measure("soak.py", &arguments),
        Task::Day { arguments } => measure("day.py", &arguments),
        Task::Slt { name, r#override } => slt(name, r#override),
    }
}

fn measure(script: &str, arguments: &[String]) -> Result<()> {
    cargo(&["build", "--release", "--package", "aegis", "--bin", "aegis"])?;
    setup::measure(script, arguments)
}

/// The steps in order; the cheap ones that fail most often come first.
fn test() -> Result<()> {
    let environment = step("install what the tests need", setup::run)?;
    step("format", || cargo(&["fmt", "--all", "--check"]))?;
    step("clippy", || cargo(&["clippy", "--workspace", "--all-targets", "--quiet"]))?;
    step("dependencies", || environment.cargo_deny())?;
    step("tests", || cargo(&["test", "--workspace"]))?;
    step("drivers", || environment.drivers())?;
    match std::env::var_os(comparison::FOLDER) {
        Some(folder) => step("regression statements", || comparison::run(folder.as_ref())),
        None => Ok(()),
    }
}

/// Runs one step and says how long it took.
fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    eprintln!("=== {name}");
    let start = Instant::now();
    let result = work().with_context(|| format!("step \"{name}\" failed"));
    eprintln!("=== {name}: {:.0} s", start.elapsed().as_secs_f32());
    result
}

fn slt(name: Option<String>, wanted: Option<String>) -> Result<()> {
    let mut command = cargo_command();
    command.args(["test", "--test", "slt", "--"]).args(name);
    if let Some(engine) = wanted {
        command.env("SLT_OVERRIDE", engine);
    }
    run(&mut command)
}

fn cargo(args: &[&str]) -> Result<()> {
    run(cargo_command().args(args))
}

/// Cargo, without what it has told this program of its package: build scripts that look at such variables would run again, and what depends
/// on them would be compiled again, each time that cargo was run by hand in between.
pub fn cargo_command() -> Command {
    let mut command = Command::new(env!("CARGO"));
    for (name, _) in std::env::vars_os() {
        let shown = name.to_string_lossy();
        if shown.starts_with("CARGO_PKG_") || shown.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs a program with the terminal as its own; an error says which it was.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("can't run {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}
