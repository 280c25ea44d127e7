//! Prometheus's remote write 1.0: `POST /api/v1/write`.
//!
//! A metric is a table in schema `public`, with a column `time`, a text column for each label and a column `value`. Tables and columns are
//! made when samples need them, as for points in line protocol ([`crate::write`]), whose limits hold here too.

pub mod message;

use std::sync::Arc;

use aegis_engine::catalog::Error;
use aegis_engine::session::protocol::ConnectRequest;
use axum::body::Bytes;
use axum::extract::{FromRequest, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::App;
use crate::authentication::{authenticate, basic, token};
use crate::write::{Clock, MAX_RECEIVE, MAX_TEXT_BYTES, MAX_WAIT, Outcome, Points, Precision, status_of, store};
use message::decode;

/// Rejected samples that the answer shows.
const MAX_SHOWN: usize = 10;

#[derive(Debug, Deserialize)]
struct Parameters {
    /// The database; `postgres` if nobody says.
    db: Option<String>,
}

pub async fn write(State(app): State<Arc<App>>, request: Request) -> Response {
    match handle(&app, request).await {
        Ok(outcome) => answer(&outcome),
        Err(failure) => failure.into_response(),
    }
}

/// Nothing was stored. Prometheus sends again what is answered with 5xx.
struct Failure {
    status: StatusCode,
    message: String,
    code: Option<&'static str>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = format!("{} ({})", error.message(), error.code().as_str());
        Self { status: status_of(&error), message, code: None }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let code = self.code.map(|code| format!(" ({code})")).unwrap_or_default();
        let mut answer = (self.status, format!("{}{code}\n", self.message)).into_response();
        let header = match self.status {
            StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, "Basic realm=\"aegis\"")),
            StatusCode::SERVICE_UNAVAILABLE => Some((header::RETRY_AFTER, "1")),
            _ => None,
        };
        if let Some((name, value)) = header {
            answer.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        answer
    }
}

fn failure(status: StatusCode, message: impl Into<String>, code: &'static str) -> Failure {
    Failure { status, message: message.into(), code: Some(code) }
}

async fn handle(app: &App, request: Request) -> Result<Outcome, Failure> {
    let parameters = Query::<Parameters>::try_from_uri(request.uri());
    let Query(parameters) =
        parameters.map_err(|rejection| failure(rejection.status(), rejection.body_text(), "22023"))?;
    let login = basic(request.headers()).or_else(|| token(request.headers()));
    let user = authenticate(&app.engine, login).map_err(|user| {
        let message = format!("password authentication failed for user \"{user}\"");
        failure(StatusCode::UNAUTHORIZED, message, "28P01")
    })?;
    check_headers(request.headers())?;
    let Ok(Ok(_turn)) = tokio::time::timeout(MAX_WAIT, app.writes.acquire()).await else {
        return Err(failure(StatusCode::SERVICE_UNAVAILABLE, "too many writes are under way", "53300"));
    };
    let body = match tokio::time::timeout(MAX_RECEIVE, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => body,
        Ok(Err(rejection)) => return Err(failure(rejection.status(), rejection.body_text(), "54000")),
        Err(_) => return Err(failure(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time", "57014")),
    };
    let series = tokio::task::spawn_blocking(move || {
        let message = inflate(&body, MAX_TEXT_BYTES)?;
        decode(&message).map_err(Failure::from)
    });
    let series = series.await.map_err(|error| Failure::from(Error::internal(error.to_string())))??;
    let request = ConnectRequest {
        user,
        database: Some(parameters.db.unwrap_or_else(|| "postgres".to_owned())),
        settings: vec![("application_name".to_owned(), "remote write".to_owned())],
        ..ConnectRequest::default()
    };
    let mut session = app.engine.connect(request)?;
    let clock = Clock::new(Precision::Millisecond);
    let result = store(&mut session, Points::Series(Arc::new(series)), clock, true).await;
    session.close().await;
    Ok(result?)
}

/// Version 1.0 in a snappy block. 415 for anything else, by which a sender of version 2 knows to fall back.
fn check_headers(headers: &HeaderMap) -> Result<(), Failure> {
    let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or_default().trim().to_owned());
    let refuse = |message: String| Err(failure(StatusCode::UNSUPPORTED_MEDIA_TYPE, message, "0A000"));
    if let Some(coding) = text(header::CONTENT_ENCODING).filter(|coding| !coding.eq_ignore_ascii_case("snappy")) {
        return refuse(format!("content encoding \"{coding}\" is not supported; use snappy"));
    }
    let Some(media) = text(header::CONTENT_TYPE) else { return Ok(()) };
    let (kind, parameters) = media.split_once(';').unwrap_or((&media, ""));
    let is_first = parameters.trim().is_empty() || parameters.contains("proto=prometheus.WriteRequest");
    match kind.trim().eq_ignore_ascii_case("application/x-protobuf") && is_first {
        true => Ok(()),
        false => {
            refuse(format!("content type \"{media}\" is not supported; use application/x-protobuf of version 1.0"))
        }
    }
}

fn inflate(body: &[u8], limit: usize) -> Result<Vec<u8>, Failure> {
    let damaged = |error: snap::Error| {
        failure(StatusCode::BAD_REQUEST, format!("the body is not a block of snappy: {error}"), "22P03")
    };
    if snap::raw::decompress_len(body).map_err(damaged)? > limit {
        let message = format!("the body has more than {limit} bytes when inflated");
        return Err(failure(StatusCode::PAYLOAD_TOO_LARGE, message, "54000"));
    }
    snap::raw::Decoder::new().decompress_vec(body).map_err(damaged)
}

/// 204 if all samples were stored. Those of a 400 will not be sent again: those that fit are stored.
fn answer(Outcome { stored, rejected }: &Outcome) -> Response {
    if rejected.numbers.is_empty() {
        return StatusCode::NO_CONTENT.into_response();
    }
    let shown = rejected.shown.iter().take(MAX_SHOWN).map(|rejection| {
        format!("{}: {} ({})", rejection.text, rejection.error.message(), rejection.error.code().as_str())
    });
    let shown: Vec<String> = shown.collect();
    let message = format!("{} samples stored, {} refused\n{}\n", stored, rejected.numbers.len(), shown.join("\n"));
    (StatusCode::BAD_REQUEST, message).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_a_limit_before_they_are_inflated() {
        let block = snap::raw::Encoder::new().compress_vec(&vec![7; 1 << 20]).unwrap();
        assert_eq!(inflate(&block, 1 << 20).map_err(|failure| failure.status).unwrap().len(), 1 << 20);
        let status = |body: &[u8], limit| inflate(body, limit).map_err(|failure| failure.status).unwrap_err();
        assert_eq!(status(&block, 1000), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(status(b"", 1000), StatusCode::BAD_REQUEST);
        assert_eq!(status(&block[..block.len() / 2], 1 << 20), StatusCode::BAD_REQUEST);
    }

    #[test]
    fn version_two_is_told_to_fall_back() {
        let headers =
            |media: &'static str| HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(media))]);
        assert!(check_headers(&headers("application/x-protobuf")).is_ok());
        assert!(check_headers(&headers("application/x-protobuf;proto=prometheus.WriteRequest")).is_ok());
        assert!(check_headers(&headers("application/x-protobuf;proto=io.prometheus.write.v2.Request")).is_err());
        assert!(check_headers(&headers("text/plain")).is_err());
    }
}
