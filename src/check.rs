//! `aegis check`: verifies a data directory that no server uses, changing nothing.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use aegis_storage::file::RealDisk;
use clap::Args;

use crate::client::print;

#[derive(Debug, Args)]
pub struct Options {
    /// The data directory
    #[arg(long, env = "AEGIS_DATA_DIR", value_name = "DIR", default_value = "./aegis-data")]
    data_dir: PathBuf,
}

/// 1 if something is damaged or cannot be read.
pub fn run(options: &Options) -> ExitCode {
    match aegis_storage::check::check(Arc::new(RealDisk), &options.data_dir) {
        Ok(report) => {
            print(&report.to_string());
            if report.damage.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("aegis check: {error}");
            ExitCode::FAILURE
        }
    }
}
