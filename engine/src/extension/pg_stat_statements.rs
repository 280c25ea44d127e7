//! pg_stat_statements (PostgreSQL manual F.32), version 1.10: shows what [`crate::statement_statistics`] counts. Blocks, the log, planning and just-in-time
//! compilation are not counted by statement, and are 0.

use std::sync::Arc;

use aegis_catalog::types::{Type, numeric::Numeric, oid};
use aegis_catalog::{Oid, acl};
use arrow::array::StringViewArray;

use super::{Caller, Extension, Result, Row, Symbols, Value};
use crate::functions::value::{TimestampTz, Write};
use crate::statement_statistics::{Counters, EXTENSION as NAME, Entry};
use crate::{row, session};

/// `pg_read_all_stats`.
const READ_ALL_STATS: Oid = 3375;

pub const EXTENSION: Extension = Extension {
    name: NAME,
    version: "1.10",
    comment: "track planning and execution statistics of all SQL statements executed",
    relocatable: true,
    script: include_str!("pg_stat_statements.sql"),
    symbols,
    ..Extension::EMPTY
};

fn symbols() -> Symbols {
    vec![
        ("pg_stat_statements_1_10", session!(statements)),
        ("pg_stat_statements_info", session!(info)),
        ("pg_stat_statements_reset_1_7", session!(reset)),
    ]
}

async fn statements(mut caller: Caller<'_>, arguments: Row) -> Result<Vec<Row>> {
    let with_text: bool = arguments.get(0)?;
    let context = caller.context()?;
    let sees_all = acl::has_privileges_of(&context.catalog, context.user_oid, READ_ALL_STATS);
    let entries = caller.session().shared.statements.all();
    let executed = entries.iter().map(|entry| (entry, entry.counters())).filter(|(_, counters)| counters.calls > 0);
    let row = |(entry, counters): (&Arc<Entry>, Counters)| {
        shown(entry, &counters, with_text, sees_all || entry.key.user == context.user_oid)
    };
    Ok(executed.map(row).collect())
}

fn shown(entry: &Entry, counters: &Counters, with_text: bool, visible: bool) -> Row {
    let text = if visible { &*entry.text } else { "<insufficient privilege>" };
    let query = Value::new(Type::of(oid::TEXT), Arc::new(StringViewArray::from(vec![with_text.then_some(text)])));
    let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let mut wal_bytes = Numeric::builder(1);
    Numeric::from(0_i64).append(&mut wal_bytes);
    let wal_bytes = Value::new(Type::of(oid::NUMERIC), Numeric::finish(wal_bytes));
    let Row(mut values) = row![
        entry.key.user,
        entry.key.database,
        true,
        visible.then_some(entry.key.query),
        0_i64,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0
    ];
    values.insert(4, query);
    values.extend(
        row![
            count(counters.calls),
            counters.total,
            counters.min,
            counters.max,
            counters.mean,
            counters.deviation(),
            count(counters.rows),
        ]
        .0,
    );
    // Blocks and their times, the log.
    values.extend((0..10).map(|_| Value::from(0_i64)));
    values.extend((0..4).map(|_| Value::from(0.0)));
    values.extend([Value::from(0_i64), Value::from(0_i64), wal_bytes]);
    // Just-in-time compilation.
    for _ in 0..4 {
        values.extend([Value::from(0_i64), Value::from(0.0)]);
    }
    Row(values)
}

async fn info(mut caller: Caller<'_>, _: Row) -> Result<Vec<Row>> {
    let shared = &caller.session().shared;
    let (deallocations, reset) = shared.statements.history(shared.started);
    Ok(vec![row![i64::try_from(deallocations).unwrap_or(i64::MAX), TimestampTz(reset)]])
}

async fn reset(mut caller: Caller<'_>, arguments: Row) -> Result<Vec<Row>> {
    let (user, database, query) = (arguments.get(0)?, arguments.get(1)?, arguments.get(2)?);
    caller.session().shared.statements.reset(user, database, query);
    Ok(Vec::new())
}
