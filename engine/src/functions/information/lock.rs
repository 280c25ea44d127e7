//! Who holds which locks, and who waits for whom.

use aegis_catalog::types::oid;
use aegis_catalog::{Oid, Result};
use aegis_storage::lock::{LockStatus, LockedObject, Object};

use crate::functions::Call;
use crate::functions::array::List;
use crate::functions::kernel::volatile;
use crate::functions::set_returning::{Record, record};
use crate::functions::signature::{Row, f};
use crate::session::two_phase::Shown;

pub fn functions() -> Vec<Row> {
    vec![
        f(
            "pg_lock_status()",
            record(COLUMNS, |call, _, _| {
                let all = call.context.services.locks();
                Ok(all.iter().map(|status| lock_row(status, call)).collect())
            }),
        ),
        f(
            "pg_prepared_xact()",
            record(PREPARED_COLUMNS, |call, _, _| {
                let all = call.context.services.prepared_transactions();
                Ok(all.into_iter().map(prepared_row).collect())
            }),
        ),
        f("pg_export_snapshot()", volatile!(|call;| call.context.services.export_snapshot())),
        f("pg_blocking_pids(int4)", volatile!(|call; pid: i32| blocking(call, pid))),
        // Only SERIALIZABLE READ ONLY DEFERRABLE transactions wait for snapshots.
        f("pg_safe_snapshot_blocking_pids(int4)", volatile!(|_call; _pid: i32| Ok(List(Vec::<Option<i32>>::new())))),
        f(
            "pg_isolation_test_session_is_blocked(int4, int4[])",
            volatile!(|call; pid: i32, others: List<i32>| {
                let blockers = call.context.services.blocking_pids(pid);
                Ok(blockers.iter().any(|blocker| others.0.contains(&Some(*blocker))))
            }),
        ),
    ]
}

fn blocking(call: &Call<'_>, pid: i32) -> Result<List<i32>> {
    Ok(List(call.context.services.blocking_pids(pid).into_iter().map(Some).collect()))
}

const COLUMNS: &[(&str, Oid)] = &[
    ("locktype", oid::TEXT),
    ("database", oid::OID),
    ("relation", oid::OID),
    ("page", oid::INT4),
    ("tuple", oid::INT2),
    ("virtualxid", oid::TEXT),
    ("transactionid", oid::XID),
    ("classid", oid::OID),
    ("objid", oid::OID),
    ("objsubid", oid::INT2),
    ("virtualtransaction", oid::TEXT),
    ("pid", oid::INT4),
    ("mode", oid::TEXT),
    ("granted", oid::BOOL),
    ("fastpath", oid::BOOL),
    ("waitstart", oid::TIMESTAMPTZ),
];

const PREPARED_COLUMNS: &[(&str, Oid)] = &[
    ("transaction", oid::XID),
    ("gid", oid::TEXT),
    ("prepared", oid::TIMESTAMPTZ),
    ("ownerid", oid::OID),
    ("dbid", oid::OID),
];

fn prepared_row(shown: Shown) -> Record {
    vec![
        Some((shown.number & 0xffff_ffff).to_string()),
        Some(shown.gid),
        timestamp(shown.prepared),
        Some(shown.owner.to_string()),
        Some(shown.database.to_string()),
    ]
}

fn timestamp(micros: i64) -> Option<String> {
    let time = chrono::DateTime::from_timestamp_micros(micros)?;
    Some(time.format("%Y-%m-%d %H:%M:%S%.6f+00").to_string())
}

fn lock_row(status: &LockStatus, call: &Call<'_>) -> Record {
    let text = |value: &str| Some(value.to_owned());
    let mut row: Record = vec![None; COLUMNS.len()];
    match status.object {
        LockedObject::Object(Object::Table { database, relation }) => {
            row[0] = text("relation");
            row[1] = Some(database.to_string());
            row[2] = Some(relation.to_string());
        }
        LockedObject::Object(Object::Advisory { database, key, parts }) => {
            row[0] = text("advisory");
            row[1] = Some(database.to_string());
            row[7] = Some((key >> 32).to_string());
            row[8] = Some((key & 0xffff_ffff).to_string());
            row[9] = Some(parts.to_string());
        }
        LockedObject::Object(Object::Reference { .. }) | LockedObject::Transaction(0) => row[0] = text("transactionid"),
        LockedObject::Transaction(number) => {
            row[0] = text("transactionid");
            row[6] = Some((number & 0xffff_ffff).to_string());
        }
        LockedObject::Row(table, _, ordinal) => {
            row[0] = text("tuple");
            row[1] = Some(call.context.database_oid.to_string());
            let relations = &mut call.context.catalog.user_relations();
            let found = relations.find(|relation| relation.table().is_some_and(|stored| stored.storage == table));
            row[2] = found.map(|relation| relation.oid.to_string());
            row[3] = Some((ordinal >> 15).to_string());
            row[4] = Some((ordinal & 0x7fff).to_string());
        }
    }
    row[10] = Some(format!("{}/{}", status.owner, status.owner));
    row[11] = (status.pid != 0).then(|| status.pid.to_string());
    row[12] = text(status.mode.name());
    row[13] = text(if status.granted { "t" } else { "f" });
    row[14] = text("f");
    row[15] = status.since.and_then(timestamp);
    row
}
