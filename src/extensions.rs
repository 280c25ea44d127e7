//! The extensions of this server, beside those that are built into the engine.

use aegis_engine::extension::Extension;

pub const EXTENSIONS: &[&[Extension]] = &[&aegis_timeseries::EXTENSIONS, &aegis_plpgsql::EXTENSIONS];
