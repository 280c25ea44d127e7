//! Statistics counters (PostgreSQL manual 28.2): those of `counters.rs`. Functions of what is not counted answer zero, or null for a time at
//! which nothing has happened, as PostgreSQL's do for counters that were never touched.

use aegis_catalog::{Error, Result, sqlstate};

use super::activity::instant;
use crate::counters::{DatabaseCounters, RelationCounters};
use crate::functions::Call;
use crate::functions::kernel::{kernel, volatile};
use crate::functions::set_returning::{one_record, records};
use crate::functions::signature::{Row, f};
use crate::functions::value::{TimestampTz, Void};

type OfRelation = fn(&RelationCounters) -> i64;
type OfDatabase = fn(&DatabaseCounters) -> i64;

/// Counters of a table or an index.
const OF_RELATIONS: &[(&str, OfRelation)] = &[
    ("ins_since_vacuum", RelationCounters::inserted_since_vacuum),
    // Nothing is ever analyzed.
    ("mod_since_analyze", |of| of.inserted.get() + of.updated.get() + of.deleted.get()),
    ("numscans", |of| of.scans.get()),
    ("tuples_deleted", |of| of.deleted.get()),
    ("tuples_fetched", |of| of.fetched.get()),
    ("tuples_inserted", |of| of.inserted.get()),
    ("tuples_returned", |of| of.returned.get()),
    ("tuples_updated", |of| of.updated.get()),
    ("vacuum_count", |of| of.vacuums.get()),
];

/// Counters of a database.
const OF_DATABASES: &[(&str, OfDatabase)] = &[
    ("db_deadlocks", |of| of.deadlocks.get()),
    ("db_sessions", |of| of.sessions.get()),
    ("db_tuples_deleted", |of| of.deleted.get()),
    ("db_tuples_fetched", |of| of.fetched.get()),
    ("db_tuples_inserted", |of| of.inserted.get()),
    ("db_tuples_returned", |of| of.returned.get()),
    ("db_tuples_updated", |of| of.updated.get()),
    ("db_xact_commit", |of| of.commits.get()),
    ("db_xact_rollback", |of| of.rollbacks.get()),
];

/// What never happens (no row is updated in place, nothing is analyzed or vacuumed by itself, no standby has conflicts), or is not
/// counted: blocks, temporary files, how sessions end, a transaction's own share.
const ZEROS: &[&str] = &[
    "analyze_count",
    "autoanalyze_count",
    "autovacuum_count",
    "blocks_fetched",
    "blocks_hit",
    "db_blocks_fetched",
    "db_blocks_hit",
    "db_conflict_all",
    "db_conflict_bufferpin",
    "db_conflict_lock",
    "db_conflict_snapshot",
    "db_conflict_startup_deadlock",
    "db_conflict_tablespace",
    "db_sessions_abandoned",
    "db_sessions_fatal",
    "db_sessions_killed",
    "db_temp_bytes",
    "db_temp_files",
    "tuples_hot_updated",
    "xact_blocks_fetched",
    "xact_blocks_hit",
    "xact_numscans",
    "xact_tuples_deleted",
    "xact_tuples_fetched",
    "xact_tuples_hot_updated",
    "xact_tuples_inserted",
    "xact_tuples_returned",
    "xact_tuples_updated",
];

/// Milliseconds spent.
const DURATIONS: &[&str] =
    &["db_active_time", "db_blk_read_time", "db_blk_write_time", "db_idle_in_transaction_time", "db_session_time"];

/// When something happened last.
const TIMES: &[&str] =
    &["db_checksum_last_failure", "last_analyze_time", "last_autoanalyze_time", "last_autovacuum_time"];

/// Counters and times that are null for what was never called, and those without checksums.
const NULL_COUNTERS: &[&str] = &["db_checksum_failures", "function_calls", "xact_function_calls"];
const NULL_DURATIONS: &[&str] =
    &["function_self_time", "function_total_time", "xact_function_self_time", "xact_function_total_time"];

/// Counters of the server.
const SERVER: &[&str] = &[
    "bgwriter_buf_written_checkpoints",
    "bgwriter_buf_written_clean",
    "bgwriter_maxwritten_clean",
    "bgwriter_requested_checkpoints",
    "bgwriter_timed_checkpoints",
    "buf_alloc",
    "buf_fsync_backend",
    "buf_written_backend",
];

pub fn functions() -> Vec<Row> {
    let of = |name: &str| format!("pg_stat_get_{name}(oid)");
    let mut rows: Vec<Row> = Vec::new();
    rows.extend(OF_RELATIONS.iter().map(|(name, counter)| {
        f(of(name), kernel!(|call; relation: u32| counter(&call.context.services.known_counters(relation))))
    }));
    rows.extend(OF_DATABASES.iter().map(|(name, counter)| {
        f(of(name), kernel!(|call; database: u32| counter(&call.context.services.database_counters(database))))
    }));
    rows.extend(ZEROS.iter().map(|name| f(of(name), kernel!(|_object: u32| 0i64))));
    rows.extend(DURATIONS.iter().map(|name| f(of(name), kernel!(|_object: u32| 0f64))));
    rows.extend(TIMES.iter().map(|name| f(of(name), kernel!(|_object: u32| None::<TimestampTz>))));
    rows.extend(NULL_COUNTERS.iter().map(|name| f(of(name), kernel!(|_object: u32| None::<i64>))));
    rows.extend(NULL_DURATIONS.iter().map(|name| f(of(name), kernel!(|_object: u32| None::<f64>))));
    rows.extend(SERVER.iter().map(|name| f(format!("pg_stat_get_{name}()"), kernel!(|| 0i64))));
    rows.extend(counted());
    rows.extend([
        f("pg_stat_get_checkpoint_sync_time()", kernel!(|| 0f64)),
        f("pg_stat_get_checkpoint_write_time()", kernel!(|| 0f64)),
        f("pg_stat_get_bgwriter_stat_reset_time()", kernel!(|call;| TimestampTz(call.context.services.server_start()))),
        f("pg_stat_get_snapshot_timestamp()", kernel!(|| None::<TimestampTz>)),
        f("pg_stat_clear_snapshot()", kernel!(|| Void)),
        f(
            "pg_stat_get_db_numbackends(oid)",
            kernel!(|call; database: u32| {
                call.context.services.sessions().iter().filter(|session| session.database == database).count() as i32
            }),
        ),
    ]);
    rows.extend(whole_rows());
    rows.extend(nothing());
    rows
}

fn counted() -> Vec<Row> {
    vec![
        f(
            "pg_stat_get_live_tuples(oid)",
            kernel!(|call; relation: u32| call.context.services.row_counts(relation).0.cast_signed()),
        ),
        f(
            "pg_stat_get_dead_tuples(oid)",
            kernel!(|call; relation: u32| call.context.services.row_counts(relation).1.cast_signed()),
        ),
        f(
            "pg_stat_get_last_vacuum_time(oid)",
            kernel!(|call; relation: u32| {
                call.context.services.known_counters(relation).last_vacuum().map(TimestampTz)
            }),
        ),
        f(
            "pg_stat_get_db_stat_reset_time(oid)",
            kernel!(|call; database: u32| TimestampTz(call.context.services.database_counters(database).since())),
        ),
        f(
            "pg_stat_reset()",
            volatile!(|call;| {
                require_superuser(call, "pg_stat_reset")?;
                call.context.services.reset_counters(None);
                Ok::<_, Error>(Void)
            }),
        ),
        f(
            "pg_stat_reset_single_table_counters(oid)",
            volatile!(|call; relation: u32| {
                require_superuser(call, "pg_stat_reset_single_table_counters")?;
                call.context.services.reset_counters(Some(relation));
                Ok::<_, Error>(Void)
            }),
        ),
        // Nothing is kept back.
        f("pg_stat_force_next_flush()", kernel!(|| Void)),
    ]
}

/// Functions that PostgreSQL takes from PUBLIC.
fn require_superuser(call: &Call<'_>, function: &str) -> Result<()> {
    match crate::privilege::is_superuser(&call.context.catalog, call.context.user_oid) {
        true => Ok(()),
        false => {
            let message = format!("permission denied for function {function}");
            Err(Error::new(sqlstate::INSUFFICIENT_PRIVILEGE, message))
        }
    }
}

/// Zeros, and since when they have been counted.
fn zeros(count: usize, since: i64) -> Vec<Option<String>> {
    let mut row = vec![Some("0".to_owned()); count];
    row.push(instant(since));
    row
}

fn whole_rows() -> Vec<Row> {
    vec![
        one_record("pg_stat_get_archiver()", |call| {
            let zero = Some("0".to_owned());
            let since = instant(call.context.services.server_start());
            Ok(vec![zero.clone(), None, None, zero, None, None, since])
        }),
        one_record("pg_stat_get_wal()", |call| Ok(zeros(8, call.context.services.server_start()))),
        // Nothing replicates.
        one_record("pg_stat_get_wal_receiver()", |_| Ok(Vec::new())),
        one_record("pg_stat_get_replication_slot(text)", |_| Ok(Vec::new())),
        one_record("pg_stat_get_subscription_stats(oid)", |_| Ok(Vec::new())),
    ]
}

/// Sets of things that Aegis does not have: all are empty.
fn nothing() -> Vec<Row> {
    const EMPTY: &[&str] = &[
        "pg_stat_get_slru()",
        "pg_stat_get_wal_senders()",
        "pg_stat_get_subscription(oid)",
        "pg_stat_get_progress_info(text)",
        "pg_stat_get_recovery_prefetch()",
        "pg_get_publication_tables(text)",
        "pg_hba_file_rules()",
        "pg_ident_file_mappings()",
        "pg_show_all_file_settings()",
        "pg_show_replication_origin_status()",
        "pg_get_replication_slots()",
        "pg_get_shmem_allocations()",
        "pg_get_backend_memory_contexts()",
    ];
    let mut rows: Vec<Row> = EMPTY.iter().map(|signature| records(signature, |_, _, _| Ok(Vec::new()))).collect();
    rows.push(records("pg_config()", |call, _, _| {
        let version = call.context.services.setting("server_version").unwrap_or_default();
        Ok(vec![vec![Some("VERSION".to_owned()), Some(format!("PostgreSQL {version}"))]])
    }));
    rows
}
