//! What sessions do: activity, prepared statements, cursors, notifications.

use aegis_catalog::types::FormatSettings;
use aegis_catalog::types::datetime::format::write_timestamptz;

use crate::functions::Call;
use crate::functions::kernel::{kernel, volatile};
use crate::functions::set_returning::{Record, records, set};
use crate::functions::signature::{Row, f};
use crate::functions::value::{Network, TimestampTz, Void};
use crate::session::context::SessionActivity;

pub fn functions() -> Vec<Row> {
    [sessions(), columns(), own(), notifications()].into_iter().flatten().collect()
}

fn text(value: impl ToString) -> Option<String> {
    Some(value.to_string())
}

pub(super) fn boolean(value: bool) -> Option<String> {
    text(if value { "t" } else { "f" })
}

/// In a form that every DateStyle reads.
pub(super) fn instant(micros: i64) -> Option<String> {
    let mut out = Vec::new();
    write_timestamptz(micros, &FormatSettings::default(), &mut out);
    String::from_utf8(out).ok()
}

/// What a client's session waits for while it is idle.
fn wait_event(state: &str) -> Option<(&'static str, &'static str)> {
    state.starts_with("idle").then_some(("Client", "ClientRead"))
}

fn sessions() -> Vec<Row> {
    vec![records("pg_stat_get_activity(int4)", |call, inputs, row| {
        let wanted = inputs.reader::<Option<i32>>(0)?.get(row);
        let all = call.context.services.sessions();
        Ok(all.iter().filter(|session| wanted.is_none_or(|pid| session.pid == pid)).map(activity_row).collect())
    })]
}

fn activity_row(session: &SessionActivity) -> Record {
    let activity = session.activity.as_ref();
    let waits = activity.and_then(|activity| wait_event(activity.state));
    let client = session.client.as_ref();
    let tls = session.tls.as_ref();
    vec![
        text(session.database),
        text(session.pid),
        text(session.user),
        activity.map(|_| session.application.clone()),
        activity.map(|activity| activity.state.to_owned()),
        text(activity.map_or("<insufficient privilege>", |activity| activity.query_text())),
        waits.map(|(kind, _)| kind.to_owned()),
        waits.map(|(_, event)| event.to_owned()),
        activity.and_then(|activity| instant(activity.transaction_start?)),
        activity.and_then(|activity| instant(activity.query_start?)),
        activity.and_then(|_| instant(session.backend_start)),
        activity.and_then(|activity| instant(activity.state_change)),
        activity.and(client).map(|(address, _)| address.clone()),
        None,
        // -1 is a Unix socket.
        activity.and_then(|_| text(client.map_or(-1, |(_, port)| i32::from(*port)))),
        None,
        None,
        activity.map(|_| "client backend".to_owned()),
        activity.and_then(|_| boolean(tls.is_some())),
        activity.and(tls).map(|tls| tls.version.clone()),
        activity.and(tls).map(|tls| tls.cipher.clone()),
        activity.and(tls).and_then(|tls| text(tls.bits)),
        None,
        None,
        None,
        activity.and_then(|_| boolean(false)),
        None,
        activity.and_then(|_| boolean(false)),
    ]
}

/// The older interface: backends by number, of which there are as many as sessions.
fn columns() -> Vec<Row> {
    vec![
        f(
            "pg_stat_get_backend_idset()",
            set!(|call; | Ok((1..=call.context.services.sessions().len() as i32).map(Some).collect())),
        ),
        f("pg_stat_get_backend_pid(int4)", kernel!(|call; number: i32| Some(nth(call, number)?.pid))),
        f("pg_stat_get_backend_dbid(int4)", kernel!(|call; number: i32| Some(nth(call, number)?.database))),
        f("pg_stat_get_backend_userid(int4)", kernel!(|call; number: i32| Some(nth(call, number)?.user))),
        f(
            "pg_stat_get_backend_activity(int4)",
            kernel!(|call; number: i32| Some(nth(call, number)?.activity?.query_text().to_owned())),
        ),
        f(
            "pg_stat_get_backend_activity_start(int4)",
            kernel!(|call; number: i32| nth(call, number)?.activity?.query_start.map(TimestampTz)),
        ),
        f(
            "pg_stat_get_backend_xact_start(int4)",
            kernel!(|call; number: i32| nth(call, number)?.activity?.transaction_start.map(TimestampTz)),
        ),
        f(
            "pg_stat_get_backend_start(int4)",
            kernel!(|call; number: i32| {
                let session = nth(call, number)?;
                session.activity.map(|_| TimestampTz(session.backend_start))
            }),
        ),
        f(
            "pg_stat_get_backend_client_addr(int4)",
            kernel!(|call; number: i32| {
                let session = nth(call, number)?;
                session.activity.and(session.client)?.0.parse().ok().map(Network::host)
            }),
        ),
        f(
            "pg_stat_get_backend_client_port(int4)",
            kernel!(|call; number: i32| {
                let session = nth(call, number)?;
                session.activity.map(|_| session.client.map_or(-1, |(_, port)| i32::from(port)))
            }),
        ),
        f(
            "pg_stat_get_backend_wait_event(int4)",
            kernel!(|call; number: i32| wait_event(nth(call, number)?.activity?.state).map(|(_, event)| event)),
        ),
        f(
            "pg_stat_get_backend_wait_event_type(int4)",
            kernel!(|call; number: i32| wait_event(nth(call, number)?.activity?.state).map(|(kind, _)| kind)),
        ),
    ]
}

fn nth(call: &Call<'_>, number: i32) -> Option<SessionActivity> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    call.context.services.sessions().into_iter().nth(index)
}

fn own() -> Vec<Row> {
    vec![
        f("current_query()", volatile!(|call;| call.context.services.query())),
        records("pg_prepared_statement()", |call, _, _| {
            let listed = call.context.services.prepared_statements();
            Ok(listed
                .into_iter()
                .map(|prepared| {
                    let types: Vec<String> = prepared.parameters.iter().map(u32::to_string).collect();
                    vec![
                        text(prepared.name),
                        text(prepared.statement),
                        instant(prepared.prepared_at),
                        Some(format!("{{{}}}", types.join(","))),
                        boolean(prepared.from_sql),
                        // Every execution plans anew with its parameters; nobody counts them.
                        text(0),
                        text(0),
                    ]
                })
                .collect())
        }),
        records("pg_cursor()", |call, _, _| {
            let cursors = call.context.services.cursors();
            Ok(cursors
                .iter()
                .map(|cursor| {
                    vec![
                        text(&cursor.name),
                        text(&cursor.statement),
                        boolean(cursor.hold),
                        boolean(cursor.binary),
                        boolean(cursor.scroll),
                        instant(cursor.created),
                    ]
                })
                .collect())
        }),
    ]
}

fn notifications() -> Vec<Row> {
    vec![
        f(
            "pg_notify(text, text)",
            volatile!(|call; channel: Option<&str>, payload: Option<&str>| {
                call.context.services.notify(channel.unwrap_or(""), payload.unwrap_or("")).map(|()| Void)
            }),
        ),
        f(
            "pg_listening_channels()",
            set!(|call; | Ok(call.context.services.listening_channels().into_iter().map(Some).collect())),
        ),
        f("pg_notification_queue_usage()", volatile!(|call;| call.context.services.notification_queue_usage())),
    ]
}
