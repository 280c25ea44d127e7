//! Flags of settings that `pg_settings` does not show (PostgreSQL's guc.h).

use super::setting;

/// Shown by EXPLAIN (SETTINGS), besides all of the categories about query tuning.
const EXPLAIN: &[&str] = &[
    "effective_io_concurrency",
    "force_parallel_mode",
    "hash_mem_multiplier",
    "maintenance_io_concurrency",
    "max_parallel_workers",
    "max_parallel_workers_per_gather",
    "parallel_leader_participation",
    "search_path",
    "temp_buffers",
    "work_mem",
];
const NO_RESET_ALL: &[&str] = &["transaction_deferrable", "transaction_isolation", "transaction_read_only"];
/// Left out of the sample file, besides all developers' and preset options.
const NOT_IN_SAMPLE: &[&str] =
    &["application_name", "transaction_deferrable", "transaction_isolation", "transaction_read_only"];
const RUNTIME_COMPUTED: &[&str] = &[
    "data_checksums",
    "data_directory_mode",
    "shared_memory_size",
    "shared_memory_size_in_huge_pages",
    "wal_segment_size",
];

/// The flags of a setting; None if there is no such setting.
pub fn flags_of(name: &str) -> Option<Vec<&'static str>> {
    let setting = setting(name)?;
    let is = |names: &[&str]| names.contains(&setting.name);
    let tunes = setting.category.starts_with("Query Tuning") && setting.name != "default_statistics_target";
    let hidden = ["Developer Options", "Preset Options"].contains(&setting.category);
    let flags = [
        (is(EXPLAIN) || tunes, "EXPLAIN"),
        (is(NO_RESET_ALL), "NO_RESET_ALL"),
        (is(NOT_IN_SAMPLE) || hidden, "NOT_IN_SAMPLE"),
        (is(RUNTIME_COMPUTED), "RUNTIME_COMPUTED"),
    ];
    Some(flags.into_iter().filter(|(set, _)| *set).map(|(_, flag)| flag).collect())
}
