//! Jobs: procedures that run at intervals, with a history; policies are jobs whose procedures are here.

mod compression;
mod policy;
mod ttl;

use std::time::Duration;

use aegis_engine::extension::{
    Background, Caller, Error, Interval, Oid, Result, Row, Symbols, TimestampTz, Value, quote_identifier, row, session,
    sqlstate,
};

use crate::{hypertable, refuse};
pub use compression::add_default as add_default_compression;
pub use ttl::set as set_ttl;

/// The scheduler: looks every second, and runs what is due one after the other.
pub const BACKGROUND: Background = Background {
    name: "TimescaleDB Background Worker Scheduler",
    every: Duration::from_secs(1),
    due: "SELECT id::text, owner::text FROM _timescaledb_functions.due_jobs()",
    run: "CALL run_job($1)",
    done: "SELECT _timescaledb_functions.job_done($1::integer, to_timestamp($2::double precision), $3, $4)",
    reassign: "UPDATE _timescaledb_catalog.job SET owner = $2 WHERE owner = $1",
};

pub fn symbols() -> Symbols {
    let jobs = vec![
        ("ts_job_add", session!(add)),
        ("ts_job_delete", session!(delete)),
        ("ts_job_alter", session!(alter)),
        ("ts_job_run", session!(run)),
        ("ts_job_done", session!(done)),
    ];
    [jobs, policy::symbols(), compression::symbols()].into_iter().flatten().collect()
}

fn invalid(message: &str) -> Error {
    Error::new(sqlstate::INVALID_PARAMETER_VALUE, message)
}

/// What a new job is, but for its number.
struct NewJob<'a> {
    title: &'a str,
    procedure: (&'a str, &'a str),
    interval: Interval,
    max_runtime: &'a str,
    retry: Interval,
    relation: Option<Oid>,
    config: Value,
    initial_start: Option<TimestampTz>,
    scheduled: bool,
    fixed: bool,
    check: Option<(String, String)>,
}

const FIVE_MINUTES: Interval = Interval { months: 0, days: 0, micros: 300_000_000 };

/// Its number.
async fn insert(caller: &mut Caller<'_>, job: NewJob<'_>) -> Result<i32> {
    let owner = one_text(caller, "SELECT current_user::text", row![]).await?.unwrap_or_default();
    const SQL: &str = "INSERT INTO _timescaledb_catalog.job (application_name, proc_schema, proc_name, schedule_interval, max_runtime, retry_period, relation, config,
            initial_start, next_start, scheduled, fixed_schedule, check_schema, check_name, owner)
        SELECT $1, $2, $3, $4, $5::interval, $6, $7, $8, $9, $9, $10, $11, $12, $13, $14 RETURNING id";
    let (schema, name) = job.procedure;
    let (check_schema, check_name) = job.check.unzip();
    let mut values = row![job.title, schema, name, job.interval, job.max_runtime, job.retry, job.relation];
    values.0.push(job.config);
    values.0.extend(row![job.initial_start, job.scheduled, job.fixed, check_schema, check_name, owner.as_str()].0);
    let rows = caller.query_as_owner(SQL, values).await?;
    let id: i32 = rows.first().ok_or_else(|| Error::internal("a job without a number"))?.get(0)?;
    const NAME: &str =
        "UPDATE _timescaledb_catalog.job SET application_name = application_name || ' [' || id || ']' WHERE id = $1";
    caller.query_as_owner(NAME, row![id]).await?;
    Ok(id)
}

/// Jobs as a label has them (`crate::labels`), under the numbers that they had, if these are free.
const AGAIN: &str = "INSERT INTO _timescaledb_catalog.job (id, application_name, schedule_interval, max_runtime, max_retries, retry_period, proc_schema, proc_name, owner, scheduled, fixed_schedule, initial_start,
        next_start, relation, config, check_schema, check_name, timezone)
    SELECT n.id, regexp_replace(j.application_name, '\\[\\d+\\]$', '[' || n.id || ']'), j.schedule_interval, j.max_runtime, coalesce(j.max_retries, -1), j.retry_period, $2, coalesce($3, j.proc_name), $4, coalesce(j.scheduled, true),
        coalesce(j.fixed_schedule, true), j.initial_start, j.next_start, $5, CASE WHEN $6 <> '' THEN coalesce(j.config, '{}') || jsonb_build_object($6, $7) ELSE j.config END, j.check_schema, j.check_name, j.timezone
    FROM (SELECT (jsonb_populate_record(NULL::_timescaledb_catalog.job, $1)).*) j
        CROSS JOIN LATERAL (SELECT CASE WHEN j.id IS NULL OR EXISTS (SELECT FROM _timescaledb_catalog.job o WHERE o.id = j.id) THEN nextval('_timescaledb_catalog.job_id_seq')::integer ELSE j.id END AS id) n
    RETURNING id";

/// The policies of a table that its label names.
pub async fn of_table(caller: &mut Caller<'_>, table: Oid, label: &Value) -> Result<()> {
    const OWNER: &str = "SELECT pg_get_userbyid(relowner)::text FROM pg_class WHERE oid = $1";
    let owner = one_text(caller, OWNER, row![table]).await?;
    let number = hypertable::number(caller, table).await?;
    for job in elements(caller, label, "policies").await? {
        let name = one_text(caller, "SELECT $1 ->> 'proc_name'", Row(vec![job.clone()])).await?;
        let name = name.filter(|name| policy::ALL.contains(&name.as_str()));
        let name = name.ok_or_else(|| invalid("a label of timescaledb names a policy that there is not"))?;
        let key = if name == policy::REFRESH { "mat_hypertable_id" } else { "hypertable_id" };
        let mut values = vec![job];
        values.extend(row![policy::SCHEMA, None::<&str>, owner.as_deref(), table, key, number].0);
        again(caller, values).await?;
    }
    Ok(())
}

/// The jobs of a function or procedure that its label names.
pub async fn of_routine(caller: &mut Caller<'_>, routine: Oid, label: &Value) -> Result<()> {
    let (schema, name) = names_of(caller, routine).await?;
    for job in elements(caller, label, "jobs").await? {
        // Who restores may make jobs of others only if it may act as they do.
        const OWNER: &str = "SELECT coalesce((SELECT rolname FROM pg_roles WHERE rolname = $1 ->> 'owner' AND pg_has_role(oid, 'MEMBER')), current_user)::text";
        let owner = one_text(caller, OWNER, Row(vec![job.clone()])).await?;
        let mut values = vec![job];
        values.extend(row![schema.as_str(), name.as_str(), owner, None::<Oid>, "", 0].0);
        again(caller, values).await?;
    }
    Ok(())
}

async fn elements(caller: &mut Caller<'_>, label: &Value, key: &str) -> Result<Vec<Value>> {
    let sql = format!(
        "SELECT e FROM jsonb_array_elements(CASE WHEN jsonb_typeof($1 -> '{key}') = 'array' THEN $1 -> '{key}' END) x(e) WHERE jsonb_typeof(e) = 'object'"
    );
    let rows = caller.query(&sql, Row(vec![label.clone()])).await?;
    rows.iter().map(|row| row.value(0).cloned()).collect()
}

async fn again(caller: &mut Caller<'_>, values: Vec<Value>) -> Result<()> {
    let rows = caller.query_as_owner(AGAIN, Row(values)).await?;
    let id: i32 = rows.first().ok_or_else(|| Error::internal("a job without a number"))?.get(0)?;
    const NUMBERS: &str = "SELECT setval('_timescaledb_catalog.job_id_seq', greatest($1, (SELECT last_value FROM _timescaledb_catalog.job_id_seq)))";
    caller.query_as_owner(NUMBERS, row![i64::from(id)]).await.map(drop)
}

/// The value of a row with one text.
async fn one_text(caller: &mut Caller<'_>, sql: &str, parameters: Row) -> Result<Option<String>> {
    let rows = caller.query(sql, parameters).await?;
    match rows.first() {
        Some(row) => Ok(row.get::<Option<&str>>(0)?.map(str::to_owned)),
        None => Ok(None),
    }
}

/// Schema and name of a function or procedure.
async fn names_of(caller: &mut Caller<'_>, routine: Oid) -> Result<(String, String)> {
    const SQL: &str = "SELECT n.nspname::text, p.proname::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.oid = $1";
    let rows = caller.query(SQL, row![routine]).await?;
    let missing = || Error::new(sqlstate::UNDEFINED_FUNCTION, format!("function with OID {routine} does not exist"));
    let row = rows.first().ok_or_else(missing)?;
    Ok((row.get::<&str>(0)?.to_owned(), row.get::<&str>(1)?.to_owned()))
}

/// `add_job(proc, schedule_interval, config, initial_start, scheduled, check_config, fixed_schedule, timezone, job_name)`
async fn add(mut caller: Caller<'_>, arguments: Row) -> Result<Vec<Row>> {
    refuse(&arguments, &[(7, "timezone")])?;
    let procedure: Option<Oid> = arguments.get(0)?;
    let procedure = procedure.ok_or_else(|| invalid("function or procedure cannot be NULL"))?;
    let interval: Option<Interval> = arguments.get(1)?;
    let interval = interval.ok_or_else(|| invalid("schedule interval cannot be NULL"))?;
    let (schema, name) = names_of(&mut caller, procedure).await?;
    let check = match arguments.get::<Option<Oid>>(5)? {
        Some(check) => Some(names_of(&mut caller, check).await?),
        None => None,
    };
    let config = arguments.value(2)?.clone();
    check_config(&mut caller, check.as_ref(), &config).await?;
    let job = NewJob {
        title: arguments.get::<Option<&str>>(8)?.unwrap_or("User-Defined Action"),
        procedure: (&schema, &name),
        interval,
        max_runtime: "0",
        retry: FIVE_MINUTES,
        relation: None,
        config,
        initial_start: arguments.get(3)?,
        scheduled: arguments.get::<Option<bool>>(4)?.unwrap_or(true),
        fixed: arguments.get::<Option<bool>>(6)?.unwrap_or(true),
        check,
    };
    let id = insert(&mut caller, job).await?;
    Ok(vec![row![id]])
}

/// Asks the function that a job has for it whether a configuration is good.
async fn check_config(caller: &mut Caller<'_>, check: Option<&(String, String)>, config: &Value) -> Result<()> {
    if let Some((schema, name)) = check {
        let sql = format!("SELECT {}.{}($1)", quote_identifier(schema), quote_identifier(name));
        caller.query(&sql, Row(vec![config.clone()])).await?;
    }
    Ok(())
}

fn no_job(id: i32) -> Error {
    Error::new(sqlstate::UNDEFINED_OBJECT, format!("job {id} not found"))
}

/// 42501 unless the caller may do as the job's owner does; false if there is no such job.
async fn is_own(caller: &mut Caller<'_>, id: i32) -> Result<bool> {
    let user = one_text(caller, "SELECT current_user::text", row![]).await?;
    const SQL: &str = "SELECT pg_has_role($2::name, owner, 'MEMBER') FROM _timescaledb_catalog.job WHERE id = $1";
    let rows = caller.query_as_owner(SQL, row![id, user]).await?;
    match rows.first() {
        None => Ok(false),
        Some(row) if row.get(0)? => Ok(true),
        Some(_) => {
            Err(Error::new(sqlstate::INSUFFICIENT_PRIVILEGE, format!("insufficient permissions to alter job {id}")))
        }
    }
}

async fn delete(mut caller: Caller<'_>, arguments: Row) -> Result<Vec<Row>> {
    let id = arguments.get::<Option<i32>>(0)?.ok_or_else(|| invalid("job ID cannot be NULL"))?;
    if !is_own(&mut caller, id).await? {
        return Err(no_job(id));
    }
    remove(&mut caller, id).await?;
    Ok(Vec::new())
}

async fn remove(caller: &mut Caller<'_>, id: i32) -> Result<()> {
    caller.query_as_owner("DELETE FROM _timescaledb_catalog.job WHERE id = $1", row![id]).await?;
    caller.query_as_owner("DELETE FROM _timescaledb_catalog.job_stat WHERE job_id = $1", row![id]).await.map(drop)
}

/// `alter_job(job_id, schedule_interval, max_runtime, max_retries, retry_period, scheduled, config, next_start, if_exists, check_config, …)`
async fn alter(mut caller: Caller<'_>, arguments: Row) -> Result<Vec<Row>> {
    refuse(&arguments, &[(12, "timezone")])?;
    let id = arguments.get::<Option<i32>>(0)?.ok_or_else(|| invalid("job ID cannot be NULL"))?;
    if !is_own(&mut caller, id).await? {
        if arguments.get::<Option<bool>>(8)?.unwrap_or(false) {
            caller.notice(Error::new(sqlstate::UNDEFINED_OBJECT, format!("job {id} not found, skipping")));
            return Ok(Vec::new());
        }
        return Err(no_job(id));
    }
    const CHECK: &str = "SELECT check_schema::text, check_name::text FROM _timescaledb_catalog.job WHERE id = $1";
    let rows = caller.query_as_owner(CHECK, row![id]).await?;
    let row = rows.first().ok_or_else(|| no_job(id))?;
    let mut check = row.get::<Option<&str>>(0)?.map(str::to_owned).zip(row.get::<Option<&str>>(1)?.map(str::to_owned));
    if let Some(given) = arguments.get::<Option<Oid>>(9)? {
        check = Some(names_of(&mut caller, given).await?);
    }
    if !arguments.value(6)?.is_null() {
        check_config(&mut caller, check.as_ref(), arguments.value(6)?).await?;
    }
    let (check_schema, check_name) = check.unzip();
    const SQL: &str = "UPDATE _timescaledb_catalog.job SET schedule_interval = coalesce($2, schedule_interval), max_runtime = coalesce($3, max_runtime), max_retries = coalesce($4, max_retries),
            retry_period = coalesce($5, retry_period), scheduled = coalesce($6, scheduled), config = coalesce($7, config), next_start = coalesce($8, next_start), check_schema = $9, check_name = $10,
            fixed_schedule = coalesce($11, fixed_schedule), initial_start = coalesce($12, initial_start), timezone = coalesce($13, timezone), application_name = coalesce($14, application_name)
        WHERE id = $1
        RETURNING id, schedule_interval, max_runtime, max_retries, retry_period, scheduled, config, next_start, check_schema || '.' || check_name, fixed_schedule, initial_start, timezone, application_name";
    let mut values = Row(arguments.0.iter().take(8).cloned().collect());
    values.0.extend(row![check_schema, check_name].0);
    values.0.extend(arguments.0.iter().skip(10).cloned());
    caller.query_as_owner(SQL, values).await
}

/// A job that is to run.
struct Job {
    id: i32,
    schema: String,
    name: String,
    relation: Option<Oid>,
    config: Value,
}

/// `CALL run_job(job_id)`: in the caller's session.
async fn run(mut caller: Caller<'_>, arguments: Row) -> Result<Vec<Row>> {
    let id = arguments.get::<Option<i32>>(0)?.ok_or_else(|| invalid("job ID cannot be NULL"))?;
    if !is_own(&mut caller, id).await? {
        return Err(no_job(id));
    }
    const SQL: &str =
        "SELECT proc_schema::text, proc_name::text, relation, config FROM _timescaledb_catalog.job WHERE id = $1";
    let rows = caller.query_as_owner(SQL, row![id]).await?;
    let row = rows.first().ok_or_else(|| no_job(id))?;
    let job = Job {
        id,
        schema: row.get::<&str>(0)?.to_owned(),
        name: row.get::<&str>(1)?.to_owned(),
        relation: row.get(2)?,
        config: row.value(3)?.clone(),
    };
    if job.schema == policy::SCHEMA {
        policy::run(&mut caller, &job).await?;
        return Ok(Vec::new());
    }
    const KIND: &str = "SELECT p.prokind::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = $1 AND p.proname = $2 AND p.pronargs = 2";
    let kind = one_text(&mut caller, KIND, row![job.schema.as_str(), job.name.as_str()]).await?;
    let verb = match kind.as_deref() {
        Some("p") => "CALL",
        Some(_) => "SELECT",
        None => {
            let message = format!("function or procedure {}.{}(integer, jsonb) does not exist", job.schema, job.name);
            return Err(Error::new(sqlstate::UNDEFINED_FUNCTION, message));
        }
    };
    // CALL takes no parameters from outside.
    let config = one_text(&mut caller, "SELECT $1::text", Row(vec![job.config])).await?;
    let config = config.map_or("NULL".to_owned(), |config| format!("'{}'::jsonb", config.replace('\'', "''")));
    let sql = format!("{verb} {}.{}({}, {config})", quote_identifier(&job.schema), quote_identifier(&job.name), job.id);
    caller.query(&sql, row![]).await?;
    Ok(Vec::new())
}

/// A setting of the extension's is a text to the server.
fn is_on(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "on" | "true" | "yes" | "1" | "t" | "y")
}

/// `job_done(job_id, started, code, message)`: what the scheduler saw of a run, and when the next one is.
async fn done(mut caller: Caller<'_>, arguments: Row) -> Result<Vec<Row>> {
    let id: i32 = arguments.get(0)?;
    let started: TimestampTz = arguments.get(1)?;
    let failed = !arguments.value(2)?.is_null();
    const STATS: &str = "INSERT INTO _timescaledb_catalog.job_stat AS s (job_id, last_start, last_finish, last_success, succeeded, total_duration, last_duration, total_runs, total_successes, total_failures, consecutive_failures)
        SELECT $1, $2, t.now, CASE WHEN $3 THEN NULL ELSE t.now END, NOT $3, t.now - $2, t.now - $2, 1, CASE WHEN $3 THEN 0 ELSE 1 END, CASE WHEN $3 THEN 1 ELSE 0 END, CASE WHEN $3 THEN 1 ELSE 0 END FROM (SELECT clock_timestamp() AS now) t
        ON CONFLICT (job_id) DO UPDATE SET last_start = excluded.last_start, last_finish = excluded.last_finish, last_success = coalesce(excluded.last_success, s.last_success), succeeded = excluded.succeeded,
            total_duration = s.total_duration + excluded.total_duration, last_duration = excluded.last_duration, total_runs = s.total_runs + 1, total_successes = s.total_successes + excluded.total_successes,
            total_failures = s.total_failures + excluded.total_failures, consecutive_failures = CASE WHEN $3 THEN s.consecutive_failures + 1 ELSE 0 END";
    caller.query_as_owner(STATS, row![id, started, failed]).await?;
    if failed {
        const ERROR: &str = "INSERT INTO _timescaledb_catalog.job_error VALUES ($1, $2, clock_timestamp(), $3, $4)";
        let mut values = row![id, started];
        values.0.extend(arguments.0.iter().skip(2).take(2).cloned());
        caller.query_as_owner(ERROR, values).await?;
    }
    if !failed && is_on(&caller.setting("timescaledb.enable_job_execution_logging")) {
        const SUCCESS: &str = "INSERT INTO _timescaledb_catalog.job_success VALUES ($1, $2, clock_timestamp())";
        // An extension of the version before has no such table.
        if caller.catalog()?.schema_by_name("_timescaledb_catalog").is_some_and(|schema| {
            caller.catalog().is_ok_and(|catalog| catalog.relation_by_name(schema.oid, "job_success").is_some())
        }) {
            caller.query_as_owner(SUCCESS, row![id, started]).await?;
        }
    }
    const NEXT: &str = "UPDATE _timescaledb_catalog.job j SET
            scheduled = scheduled AND NOT ($2 AND max_retries >= 0 AND (SELECT s.consecutive_failures FROM _timescaledb_catalog.job_stat s WHERE s.job_id = j.id) > max_retries),
            next_start = CASE WHEN $2 THEN clock_timestamp() + retry_period
                WHEN fixed_schedule AND initial_start IS NOT NULL AND extract(epoch FROM schedule_interval) > 0
                    THEN initial_start + schedule_interval * (floor(extract(epoch FROM clock_timestamp() - initial_start) / extract(epoch FROM schedule_interval)) + 1)::double precision
                ELSE clock_timestamp() + schedule_interval END
        WHERE id = $1";
    caller.query_as_owner(NEXT, row![id, failed]).await?;
    Ok(Vec::new())
}
