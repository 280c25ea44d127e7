//! Points in line protocol: `POST /write`, `/api/v2/write` and `/api/v3/write_lp`, as InfluxDB 1, 2 and 3 take them.
//!
//! A measurement is a table in schema `public`, with a column `time`, a text column for each tag and a column for each field. Tables and
//! columns are made when points need them. Lines that cannot be stored are reported; the others are.

mod body;
mod dialect;
mod points;
mod precision;
mod schema;
mod store;
mod value;

use std::sync::Arc;
use std::time::Duration;

use aegis_engine::catalog::Error;
use aegis_engine::session::protocol::ConnectRequest;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::App;
use crate::authentication::{authenticate, basic, token};
use dialect::{Dialect, Parameters, Target};

pub use body::MAX_TEXT_BYTES;
pub use dialect::status_of;
pub use points::Points;
pub use precision::{Clock, Precision};
pub use store::{Outcome, store};

/// Writes that run at a time; each holds its text in memory. Further ones wait, unread.
pub const MAX_CONCURRENT: usize = 8;

/// How long a write waits for its turn, then 503.
pub const MAX_WAIT: Duration = Duration::from_secs(10);

/// How long a client may take to send its body.
pub const MAX_RECEIVE: Duration = Duration::from_secs(60);

pub async fn v1(app: State<Arc<App>>, request: Request) -> Response {
    write(app, Dialect::V1, request).await
}

pub async fn v2(app: State<Arc<App>>, request: Request) -> Response {
    write(app, Dialect::V2, request).await
}

pub async fn v3(app: State<Arc<App>>, request: Request) -> Response {
    write(app, Dialect::V3, request).await
}

async fn write(State(app): State<Arc<App>>, dialect: Dialect, request: Request) -> Response {
    let Query(parameters) = match Query::<Parameters>::try_from_uri(request.uri()) {
        Ok(parameters) => parameters,
        Err(rejection) => return dialect.failure(rejection.status(), &rejection.body_text(), None),
    };
    let login = parameters.u.clone().zip(parameters.p.clone());
    let login = login.or_else(|| basic(request.headers())).or_else(|| token(request.headers()));
    let user = match authenticate(&app.engine, login) {
        Ok(user) => user,
        Err(user) => {
            let message = format!("password authentication failed for user \"{user}\"");
            return dialect.failure(StatusCode::UNAUTHORIZED, &message, Some("28P01"));
        }
    };
    let target = match dialect.target(&parameters) {
        Ok(target) => target,
        Err(error) => return dialect.error(&error),
    };
    let Ok(Ok(_turn)) = tokio::time::timeout(MAX_WAIT, app.writes.acquire()).await else {
        return dialect.failure(StatusCode::SERVICE_UNAVAILABLE, "too many writes are under way", Some("53300"));
    };
    let text = match tokio::time::timeout(MAX_RECEIVE, body::read(request)).await {
        Ok(Ok(text)) => text,
        Ok(Err((status, message))) => return dialect.failure(status, &message, None),
        Err(_) => return dialect.failure(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time", None),
    };
    match run(&app, user, &target, text).await {
        Ok(outcome) => dialect.answer(&outcome, &target),
        Err(error) => dialect.error(&error),
    }
}

async fn run(app: &App, user: String, target: &Target, text: axum::body::Bytes) -> Result<Outcome, Error> {
    let request = ConnectRequest {
        user,
        database: Some(target.database.clone()),
        settings: vec![("application_name".to_owned(), "line protocol".to_owned())],
        ..ConnectRequest::default()
    };
    let mut session = app.engine.connect(request)?;
    let result = store(&mut session, Points::Lines(text), Clock::new(target.precision), target.partial).await;
    session.close().await;
    result
}
