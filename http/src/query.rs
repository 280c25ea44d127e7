//! `POST /api/v1/query`: one statement with parameters, its rows as JSON.

use std::sync::Arc;

use aegis_engine::catalog::Type;
use aegis_engine::catalog::types::{TextEncoder, format_type, oid};
use aegis_engine::catalog::{Error, Oid};
use aegis_engine::session::Session;
use aegis_engine::session::protocol::{ConnectRequest, Fetched, Format, OutputColumn, Response};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::App;
use crate::authentication::{self, authenticate};

/// The request's body.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    sql: String,
    #[serde(default)]
    params: Vec<Value>,
    database: Option<String>,
}

/// Most bytes of rows in one answer; a larger result belongs on the PostgreSQL port, which streams.
const MAX_ANSWER_BYTES: usize = 64 << 20;

type Answer = (StatusCode, Json<Value>);

pub async fn run(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> axum::response::Response {
    let user = match authenticate(&app.engine, authentication::basic(&headers)) {
        Ok(user) => user,
        Err(user) => {
            return ([(header::WWW_AUTHENTICATE, "Basic realm=\"aegis\"")], refused(&user)).into_response();
        }
    };
    let query: Query = match serde_json::from_slice(&body) {
        Ok(query) => query,
        Err(error) => {
            return (StatusCode::BAD_REQUEST, Json(json!({"error": {"message": error.to_string()}}))).into_response();
        }
    };
    answer(&app, user, query).await.unwrap_or_else(|error| failure(&error)).into_response()
}

fn refused(user: &str) -> Answer {
    let message = format!("password authentication failed for user \"{user}\"");
    (StatusCode::UNAUTHORIZED, Json(json!({"error": {"sqlstate": "28P01", "message": message}})))
}

async fn answer(app: &App, user: String, query: Query) -> Result<Answer, Error> {
    let request = ConnectRequest {
        user,
        database: Some(query.database.unwrap_or_else(|| "postgres".to_owned())),
        settings: vec![("application_name".to_owned(), "http".to_owned())],
        ..ConnectRequest::default()
    };
    let mut session = app.engine.connect(request)?;
    let result = statement(&mut session, &query.sql, &query.params).await;
    session.close().await;
    result.map(|value| (StatusCode::OK, Json(value)))
}

/// Runs a statement; columns, rows and tag as the answer has them.
pub async fn statement(session: &mut Session, sql: &str, params: &[Value]) -> Result<Value, Error> {
    session.prepare("", sql, &[]).await?;
    let values: Vec<Option<Bytes>> = params.iter().map(parameter).collect();
    session.bind("", "", &values, &[], &[Format::Text]).await?;
    let (columns, rows, tag) = match session.execute("").await? {
        Response::Empty => (Arc::default(), Vec::new(), String::new()),
        Response::Complete(tag) => (Arc::default(), Vec::new(), tag),
        Response::Rows { columns, .. } => {
            let (rows, tag) = collect(session, &columns).await?;
            (columns, rows, tag)
        }
        Response::CopyIn { .. } | Response::CopyOut { .. } => {
            return Err(Error::unsupported("COPY FROM STDIN or TO STDOUT over HTTP"));
        }
    };
    session.sync().await?;
    let columns: Vec<Value> = columns
        .iter()
        .map(|c| json!({"name": c.name, "type": format_type(Type::of(c.ty.oid)), "oid": c.ty.oid}))
        .collect();
    Ok(json!({"columns": columns, "rows": rows, "tag": tag}))
}

/// A JSON value as the text of a parameter whose type the statement decides.
fn parameter(value: &Value) -> Option<Bytes> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(Bytes::from(text.clone())),
        other => Some(Bytes::from(other.to_string())),
    }
}

async fn collect(session: &mut Session, columns: &[OutputColumn]) -> Result<(Vec<Value>, String), Error> {
    let settings = session.format_settings();
    let (mut rows, mut bytes, mut text) = (Vec::new(), 0, Vec::new());
    loop {
        let batch = match session.fetch("", None).await? {
            Fetched::Batch(batch) => batch,
            Fetched::Complete(tag) => return Ok((rows, tag)),
            Fetched::Suspended => return Ok((rows, String::new())),
        };
        let encoders = columns
            .iter()
            .zip(batch.columns())
            .map(|(column, array)| TextEncoder::new(column.ty, array, &settings))
            .collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            let mut values = Vec::with_capacity(columns.len());
            for (encoder, column) in encoders.iter().zip(columns) {
                text.clear();
                if encoder.is_null(row) {
                    values.push(Value::Null);
                    continue;
                }
                encoder.encode(row, &mut text);
                bytes += text.len();
                values.push(json_value(column.ty.oid, &String::from_utf8_lossy(&text)));
            }
            rows.push(Value::Array(values));
        }
        if bytes > MAX_ANSWER_BYTES {
            return Err(Error::new(
                aegis_engine::catalog::sqlstate::PROGRAM_LIMIT_EXCEEDED,
                format!("the answer has more than {MAX_ANSWER_BYTES} bytes"),
            )
            .with_hint("Use LIMIT, or the PostgreSQL port, which streams."));
        }
    }
}

/// Numbers, booleans and json are JSON values; everything else is PostgreSQL's text.
fn json_value(ty: Oid, text: &str) -> Value {
    let parsed = match ty {
        oid::BOOL => return Value::Bool(text == "t"),
        oid::INT2
        | oid::INT4
        | oid::INT8
        | oid::OID
        | oid::FLOAT4
        | oid::FLOAT8
        | oid::NUMERIC
        | oid::JSON
        | oid::JSONB => serde_json::from_str(text).ok(),
        _ => None,
    };
    // NaN and Infinity are no JSON numbers.
    parsed.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn failure(error: &Error) -> Answer {
    let fields = error.fields();
    let mut object = Map::new();
    object.insert("sqlstate".into(), json!(fields.code.as_str()));
    object.insert("message".into(), json!(fields.message));
    let optional = [
        ("detail", &fields.detail),
        ("hint", &fields.hint),
        ("table", &fields.table),
        ("column", &fields.column),
        ("constraint", &fields.constraint),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            object.insert(name.into(), json!(value));
        }
    }
    if let Some(position) = fields.position {
        object.insert("position".into(), json!(position));
    }
    let status = match fields.code.class() {
        "53" | "57" => StatusCode::SERVICE_UNAVAILABLE,
        "58" | "XX" => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    };
    (status, Json(json!({ "error": object })))
}
