//! Flags of settings that `pg_settings` does not show (PostgreSQL's guc.h), and which settings have their default alone.

use super::{Setting, setting};

/// Settings that somebody would count on, and that nothing here obeys: they have no value but their default. What only
/// makes PostgreSQL faster or slower is not among them.
const DEFAULT_ALONE: &[&str] = &[
    "allow_in_place_tablespaces",
    "backtrace_functions",
    "client_connection_check_interval",
    "debug_print_rewritten",
    "dynamic_library_path",
    "ignore_checksum_failure",
    "ignore_system_indexes",
    "jit_debugging_support",
    "jit_dump_bitcode",
    "jit_profiling_support",
    "local_preload_libraries",
    "log_connections",
    "log_disconnections",
    "log_executor_stats",
    "log_min_duration_sample",
    "log_parameter_max_length_on_error",
    "log_parser_stats",
    "log_planner_stats",
    "log_replication_commands",
    "log_statement_stats",
    "log_temp_files",
    "log_transaction_sample_rate",
    "post_auth_delay",
    "session_preload_libraries",
    "standard_conforming_strings",
    "tcp_keepalives_count",
    "tcp_keepalives_interval",
    "tcp_user_timeout",
    "temp_file_limit",
    "trace_notify",
    "trace_sort",
    "track_wal_io_timing",
    "wal_consistency_checking",
    "zero_damaged_pages",
];

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

/// Whether values other than the default change something, or need not.
pub(super) fn is_obeyed(setting: &Setting) -> bool {
    !DEFAULT_ALONE.contains(&setting.name)
}
