//! Logs on stderr.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// Starts logging at `info`, or what `AEGIS_LOG` says (e.g. `debug`, `aegis_wire=trace`).
pub fn start(json: bool) {
    let filter = EnvFilter::try_from_env("AEGIS_LOG").unwrap_or_else(|_| EnvFilter::new("info,datafusion=warn"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_span_events(FmtSpan::NONE);
    if json {
        builder.json().init();
    } else {
        builder.with_target(false).init();
    }
}
