//! Who, where, when: the session's own facts.

use aegis_catalog::types::numeric::Numeric;
use aegis_catalog::types::oid;
use aegis_catalog::{Error, Oid, Result, sqlstate};

use crate::functions::Call;
use crate::functions::array::{ArrayColumn, List};
use crate::functions::kernel::{kernel, volatile};
use crate::functions::signature::{Row, f};
use crate::functions::value::{Network, TimestampTz, Void};

pub fn functions() -> Vec<Row> {
    [identity(), settings(), transactions(), types()].into_iter().flatten().collect()
}

fn schema_name(call: &Call<'_>, schema: Oid) -> Option<String> {
    call.context.catalog.schema(schema).map(|schema| schema.name.clone())
}

fn identity() -> Vec<Row> {
    vec![
        f("version()", kernel!(|call;| version(call))),
        f("current_database()", kernel!(|call;| call.context.database.clone())),
        f("current_user()", kernel!(|call;| call.context.user.clone())),
        f("session_user()", kernel!(|call;| call.context.session_user.clone())),
        f("getpgusername()", kernel!(|call;| call.context.user.clone())),
        f(
            "current_schema()",
            kernel!(|call;| call.context.search_path.creation_schema().and_then(|schema| schema_name(call, schema))),
        ),
        f(
            "current_schemas(bool)",
            kernel!(|call; implicit: bool| {
                let path = &call.context.search_path;
                let schemas = if implicit { path.schemas() } else { path.explicit() };
                List::from_iter(schemas.iter().filter_map(|schema| schema_name(call, *schema)))
            }),
        ),
        f(
            "pg_settings_get_flags(text)",
            kernel!(|call; name: &str| {
                let _ = call;
                crate::settings::flags_of(name).map(|flags| List::from_iter(flags.into_iter().map(str::to_owned)))
            }),
        ),
        f("pg_my_temp_schema()", kernel!(|call;| call.context.search_path.temporary_schema().unwrap_or(0))),
        f(
            "pg_is_other_temp_schema(oid)",
            kernel!(|call; schema: u32| {
                let own = call.context.search_path.temporary_schema();
                Some(schema) != own && schema_name(call, schema).is_some_and(|name| name.starts_with("pg_temp_"))
            }),
        ),
        f("pg_backend_pid()", kernel!(|call;| call.context.services.backend_pid())),
        f(
            "inet_client_port()",
            kernel!(|call;| call.context.services.addresses().map(|(_, port, _, _)| i32::from(port))),
        ),
        f(
            "inet_server_port()",
            kernel!(|call;| call.context.services.addresses().map(|(_, _, _, port)| i32::from(port))),
        ),
        f(
            "inet_client_addr()",
            kernel!(|call;| call.context.services.addresses().and_then(|(client, ..)| host(&client))),
        ),
        f(
            "inet_server_addr()",
            kernel!(|call;| call.context.services.addresses().and_then(|(_, _, server, _)| host(&server))),
        ),
        f("pg_postmaster_start_time()", kernel!(|call;| TimestampTz(call.context.services.server_start()))),
        f("pg_conf_load_time()", kernel!(|call;| TimestampTz(call.context.services.server_start()))),
        f("pg_jit_available()", kernel!(|| false)),
        f("pg_trigger_depth()", kernel!(|| 0i32)),
    ]
}

fn host(address: &str) -> Option<Network> {
    address.parse().ok().map(Network::host)
}

fn version(call: &Call<'_>) -> String {
    let server = call.context.services.setting("server_version").unwrap_or_else(|| "15.0".to_owned());
    let number = server.split_whitespace().next().unwrap_or("15.0");
    format!(
        "PostgreSQL {number} (Aegis {}) on {}-{}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH,
        std::env::consts::OS
    )
}

fn setting(call: &Call<'_>, name: &str, missing_ok: bool) -> Result<Option<String>> {
    match call.context.services.setting(name) {
        None if !missing_ok => {
            Err(Error::new(sqlstate::UNDEFINED_OBJECT, format!("unrecognized configuration parameter \"{name}\"")))
        }
        value => Ok(value),
    }
}

fn settings() -> Vec<Row> {
    vec![
        f("current_setting(text)", volatile!(|call; name: &str| setting(call, name, false))),
        f(
            "current_setting(text, bool)",
            volatile!(|call; name: &str, missing_ok: bool| setting(call, name, missing_ok)),
        ),
        f(
            "set_config(text, text, bool)",
            volatile!(|call; name: Option<&str>, value: Option<&str>, local: Option<bool>| {
                let Some(name) = name else {
                    return Err(Error::new(sqlstate::NULL_VALUE_NOT_ALLOWED, "SET requires parameter name"));
                };
                call.context.services.set_setting(name, value, local.unwrap_or(false))
            }),
        ),
        f("pg_client_encoding()", kernel!(|call;| call.context.services.setting("client_encoding"))),
        f("getdatabaseencoding()", kernel!(|| "UTF8")),
        f("pg_encoding_to_char(int4)", kernel!(|encoding: i32| encoding_name(encoding))),
        f(
            "pg_char_to_encoding(name)",
            kernel!(|name: &str| ENCODINGS
                .iter()
                .position(|known| known.eq_ignore_ascii_case(name))
                .map_or(-1, |at| at as i32)),
        ),
    ]
}

/// `pg_enc`, in its order.
const ENCODINGS: [&str; 42] = [
    "SQL_ASCII",
    "EUC_JP",
    "EUC_CN",
    "EUC_KR",
    "EUC_TW",
    "EUC_JIS_2004",
    "UTF8",
    "MULE_INTERNAL",
    "LATIN1",
    "LATIN2",
    "LATIN3",
    "LATIN4",
    "LATIN5",
    "LATIN6",
    "LATIN7",
    "LATIN8",
    "LATIN9",
    "LATIN10",
    "WIN1256",
    "WIN1258",
    "WIN866",
    "WIN874",
    "KOI8R",
    "WIN1251",
    "WIN1252",
    "ISO_8859_5",
    "ISO_8859_6",
    "ISO_8859_7",
    "ISO_8859_8",
    "WIN1250",
    "WIN1253",
    "WIN1254",
    "WIN1255",
    "WIN1257",
    "KOI8U",
    "SJIS",
    "BIG5",
    "GBK",
    "UHC",
    "GB18030",
    "JOHAB",
    "SHIFT_JIS_2004",
];

fn encoding_name(encoding: i32) -> &'static str {
    usize::try_from(encoding).ok().and_then(|at| ENCODINGS.get(at).copied()).unwrap_or("")
}

fn transactions() -> Vec<Row> {
    vec![
        f("txid_current()", kernel!(|call;| call.context.services.transaction_id() as i64)),
        f("pg_current_xact_id()", kernel!(|call;| call.context.services.transaction_id())),
        f("pg_is_in_recovery()", kernel!(|| false)),
        f(
            "txid_current_if_assigned()",
            kernel!(|call;| call.context.services.assigned_transaction_id().map(u64::cast_signed)),
        ),
        f("pg_current_xact_id_if_assigned()", kernel!(|call;| call.context.services.assigned_transaction_id())),
        f("pg_switch_wal()", volatile!(|call;| call.context.services.switch_log())),
        f("pg_current_wal_lsn()", volatile!(|call;| call.context.services.log_position())),
        f("pg_current_wal_insert_lsn()", volatile!(|call;| call.context.services.log_position())),
        f("pg_current_wal_flush_lsn()", volatile!(|call;| call.context.services.log_position())),
        f("pg_wal_lsn_diff(pg_lsn, pg_lsn)", kernel!(|a: i64, b: i64| distance(a, b))),
        f("pg_lsn_mi(pg_lsn, pg_lsn)", kernel!(|a: i64, b: i64| distance(a, b))),
        // Logs go to the standard error.
        f("pg_current_logfile()", kernel!(|| None::<String>)),
        f("pg_is_wal_replay_paused()", kernel!(|| Err::<bool, _>(not_in_recovery()))),
        f("pg_get_wal_replay_pause_state()", kernel!(|| Err::<String, _>(not_in_recovery()))),
        f("pg_wal_replay_pause()", volatile!(|| Err::<Void, _>(not_in_recovery()))),
        f("pg_wal_replay_resume()", volatile!(|| Err::<Void, _>(not_in_recovery()))),
        f("pg_promote(bool, int4)", volatile!(|_wait: bool, _seconds: i32| Err::<bool, _>(not_in_recovery()))),
        f("pg_last_wal_receive_lsn()", kernel!(|| None::<i64>)),
        f("pg_last_wal_replay_lsn()", kernel!(|| None::<i64>)),
        f("pg_last_xact_replay_timestamp()", kernel!(|| None::<TimestampTz>)),
    ]
}

/// Bytes between two positions in the log.
fn distance(a: i64, b: i64) -> Numeric {
    Numeric::from(i128::from(a.cast_unsigned()) - i128::from(b.cast_unsigned()))
}

fn not_in_recovery() -> Error {
    Error::new(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, "recovery is not in progress")
        .with_hint("Recovery control functions can only be executed during recovery.")
}

/// Resolves a name of a `reg*` type; null if there is no such object.
fn lookup(call: &Call<'_>, reg_type: Oid, name: &str) -> Result<Option<u32>> {
    if name.chars().all(|character| character.is_ascii_digit()) || name == "-" {
        return Ok(None);
    }
    let Some(names) = &call.context.format.names.0 else { return Err(Error::internal("no catalog names")) };
    match names.oid_of(reg_type, name) {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_missing(error: &Error) -> bool {
    const MISSING: [sqlstate::SqlState; 6] = [
        sqlstate::UNDEFINED_TABLE,
        sqlstate::UNDEFINED_OBJECT,
        sqlstate::UNDEFINED_FUNCTION,
        sqlstate::INVALID_SCHEMA_NAME,
        sqlstate::AMBIGUOUS_FUNCTION,
        sqlstate::UNDEFINED_SCHEMA,
    ];
    MISSING.contains(&error.code())
}

fn types() -> Vec<Row> {
    macro_rules! to_reg {
        ($name:literal, $reg:expr) => {
            f($name, kernel!(|call; name: &str| lookup(call, $reg, name)))
        };
    }
    vec![
        to_reg!("to_regclass(text)", oid::REGCLASS),
        to_reg!("to_regtype(text)", oid::REGTYPE),
        to_reg!("to_regproc(text)", oid::REGPROC),
        to_reg!("to_regprocedure(text)", oid::REGPROCEDURE),
        to_reg!("to_regoper(text)", oid::REGOPER),
        to_reg!("to_regoperator(text)", oid::REGOPERATOR),
        to_reg!("to_regnamespace(text)", oid::REGNAMESPACE),
        to_reg!("to_regrole(text)", oid::REGROLE),
        to_reg!("to_regcollation(text)", oid::REGCOLLATION),
        f(
            "regclass(text)",
            kernel!(|call; name: &str| aegis_catalog::types::object_id::parse_reg(oid::REGCLASS, name, &call.context.format.names)),
        ),
        f(
            "pg_typeof(any)",
            crate::functions::kernel::columns(|call, args| {
                let rows = args.first().map_or(call.rows, |arg| arg.len());
                let ty = call.arg_types.first().map_or(0, |ty| ty.oid);
                Ok(std::sync::Arc::new(arrow::array::UInt32Array::from(vec![ty; rows])))
            }),
        ),
        f(
            "pg_collation_for(any)",
            // The binder knows, and adds the name as a second argument.
            crate::functions::kernel::columns(|_, args| {
                args.get(1).cloned().ok_or_else(|| Error::internal("a collation that nobody has derived"))
            }),
        ),
        f("num_nulls(any)", crate::functions::kernel::columns(|call, args| count_nulls(call, args, true))),
        f("num_nonnulls(any)", crate::functions::kernel::columns(|call, args| count_nulls(call, args, false))),
    ]
}

fn count_nulls(call: &Call<'_>, args: &[arrow::array::ArrayRef], nulls: bool) -> Result<arrow::array::ArrayRef> {
    use arrow::array::Array;
    if let (true, [array]) = (call.variadic, args) {
        let column = ArrayColumn::open(array)?;
        let elements = column.elements();
        let counts = (0..call.rows).map(|row| {
            (!column.is_null(row)).then(|| column.range(row).filter(|&at| elements.is_null(at) == nulls).count() as i32)
        });
        return Ok(std::sync::Arc::new(counts.collect::<arrow::array::Int32Array>()));
    }
    let counts = (0..call.rows).map(|row| args.iter().filter(|arg| arg.is_null(row) == nulls).count() as i32);
    Ok(std::sync::Arc::new(arrow::array::Int32Array::from_iter_values(counts)))
}
