//! The `aegis` command: reads its arguments and hands over.

mod backup;
mod check;
mod client;
mod config;
mod control;
mod demo;
mod extensions;
mod memory;
mod server;
mod telemetry;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use config::{Config, Options};

#[global_allocator]
static ALLOCATOR: memory::Allocator = memory::Allocator;

/// A PostgreSQL-compatible database on durable columns.
#[derive(Debug, Parser)]
#[command(name = "aegis", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    start: Options,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server (the default)
    Start(Options),
    /// Connect to a server and run SQL
    Sql(client::Options),
    /// Back up a data directory, of a server that runs or not
    Backup(backup::BackupOptions),
    /// Make a data directory of a backup, up to any moment
    Restore(backup::RestoreOptions),
    /// Verify every checksum and cross-reference of a data directory that no server uses
    Check(check::Options),
    /// Run the server with something in it: flights of a year, or devices that measure every second
    Demo(demo::DemoOptions),
}

/// Exit code for wrong usage or configuration; 1 is a failure at run time.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command {
        Some(Command::Sql(options)) => client::run(options),
        Some(Command::Backup(options)) => backup::run_backup(&options),
        Some(Command::Restore(options)) => backup::run_restore(&options),
        Some(Command::Check(options)) => check::run(&options),
        Some(Command::Demo(options)) => serve(options.start, Some(options.data_set)),
        Some(Command::Start(options)) => serve(options, None),
        None => serve(cli.start, None),
    }
}

fn serve(options: Options, demo: Option<demo::DataSet>) -> ExitCode {
    let config = match Config::load(options) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("aegis: {error:#}");
            return ExitCode::from(USAGE);
        }
    };
    telemetry::start(config.log_json);
    match server::run(config, demo) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("aegis: {error:#}");
            ExitCode::from(if error.is::<server::Usage>() { USAGE } else { 1 })
        }
    }
}
