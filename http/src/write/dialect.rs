//! The three versions of InfluxDB's interface: parameters, and answers as their clients read them.

use aegis_engine::catalog::{Error, sqlstate};
use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::precision::Precision;
use super::schema::{Rejected, Rejection};
use super::store::Outcome;

/// Whose requests and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    V1,
    V2,
    V3,
}

/// Parameters of all versions. Others, such as `org`, `consistency` and `no_sync`, say nothing that matters here.
#[derive(Debug, Default, Deserialize)]
pub struct Parameters {
    db: Option<String>,
    rp: Option<String>,
    bucket: Option<String>,
    precision: Option<String>,
    accept_partial: Option<bool>,
    pub u: Option<String>,
    pub p: Option<String>,
}

/// Where the points go and how.
#[derive(Debug, PartialEq, Eq)]
pub struct Target {
    pub database: String,
    pub precision: Precision,
    /// Lines that fit are stored even if others do not.
    pub partial: bool,
}

impl Dialect {
    pub fn target(self, parameters: &Parameters) -> Result<Target, Error> {
        let (given, what) = match self {
            Self::V2 => (&parameters.bucket, "bucket"),
            Self::V1 | Self::V3 => (&parameters.db, "database"),
        };
        let missing = || Error::new(sqlstate::INVALID_PARAMETER_VALUE, format!("{what} is required"));
        let name = given.as_deref().filter(|name| !name.is_empty()).ok_or_else(missing)?;
        // Clients of version 2 write to a version 1 server's `database/retention policy`.
        let (database, policy) = match (self, name.split_once('/')) {
            (Self::V2, Some(parts)) => parts,
            (Self::V1, _) => (name, parameters.rp.as_deref().unwrap_or_default()),
            _ => (name, ""),
        };
        if !matches!(policy, "" | "autogen") {
            let message = format!("retention policy not found: {policy}");
            return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
        }
        Ok(Target {
            database: database.to_owned(),
            precision: self.precision(parameters.precision.as_deref().unwrap_or_default())?,
            partial: self != Self::V3 || parameters.accept_partial.unwrap_or(true),
        })
    }

    fn precision(self, name: &str) -> Result<Precision, Error> {
        Ok(match (self, name) {
            (Self::V3, "" | "auto") => Precision::Auto,
            (Self::V1, "" | "n") | (Self::V2, "") | (_, "ns") | (Self::V3, "nanosecond") => Precision::Nanosecond,
            (Self::V1, "u") | (_, "us") | (Self::V3, "microsecond") => Precision::Microsecond,
            (_, "ms") | (Self::V3, "millisecond") => Precision::Millisecond,
            (_, "s") | (Self::V3, "second") => Precision::Second,
            (Self::V1, "m") => Precision::Minute,
            (Self::V1, "h") => Precision::Hour,
            _ => {
                let allowed = match self {
                    Self::V1 => "n, u, us, ms, s, m or h",
                    Self::V2 => "ns, us, ms or s",
                    Self::V3 => "auto, nanosecond, microsecond, millisecond or second",
                };
                let message = format!("invalid precision \"{name}\" (use {allowed})");
                return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
            }
        })
    }

    /// 204 if all lines were stored.
    pub fn answer(self, outcome: &Outcome, target: &Target) -> Response {
        let Some(first) = outcome.rejected.shown.first() else { return StatusCode::NO_CONTENT.into_response() };
        let lines: Vec<Value> = outcome.rejected.shown.iter().map(line).collect();
        let body = match self {
            Self::V1 => json!({"error": summary(outcome), "lines": lines}),
            Self::V2 => {
                let summary = summary(outcome);
                json!({"code": "invalid", "message": summary, "error": summary, "lines": lines})
            }
            Self::V3 if target.partial => json!({"error": "partial write of line protocol occurred", "data": lines}),
            Self::V3 => json!({"error": "parsing failed for write_lp endpoint", "data": line(first)}),
        };
        (StatusCode::BAD_REQUEST, Json(body)).into_response()
    }

    /// Nothing was stored.
    pub fn failure(self, status: StatusCode, message: &str, code: Option<&str>) -> Response {
        let mut body = match self {
            Self::V1 => json!({"error": message}),
            Self::V2 => json!({"code": v2_code(status), "message": message, "error": message}),
            Self::V3 => json!({"error": message, "data": null}),
        };
        if let (Some(code), Some(fields)) = (code, body.as_object_mut()) {
            fields.insert("sqlstate".to_owned(), json!(code));
        }
        let mut answer = (status, Json(body)).into_response();
        let header = match status {
            StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, "Basic realm=\"aegis\"")),
            StatusCode::SERVICE_UNAVAILABLE => Some((header::RETRY_AFTER, "1")),
            _ => None,
        };
        if let Some((name, value)) = header {
            answer.headers_mut().insert(name, header::HeaderValue::from_static(value));
        }
        answer
    }

    pub fn error(self, error: &Error) -> Response {
        self.failure(status_of(error), error.message(), Some(error.code().as_str()))
    }
}

/// 5xx for what may succeed when it is tried again.
pub fn status_of(error: &Error) -> StatusCode {
    let code = error.code();
    match code.class() {
        "40" | "53" | "55" | "57" => StatusCode::SERVICE_UNAVAILABLE,
        "58" | "XX" => StatusCode::INTERNAL_SERVER_ERROR,
        "28" => StatusCode::UNAUTHORIZED,
        _ if code == sqlstate::INVALID_CATALOG_NAME => StatusCode::NOT_FOUND,
        _ if code == sqlstate::INSUFFICIENT_PRIVILEGE => StatusCode::FORBIDDEN,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// As InfluxDB 2 names them.
fn v2_code(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "unauthorized",
        StatusCode::FORBIDDEN => "forbidden",
        StatusCode::NOT_FOUND => "not found",
        StatusCode::PAYLOAD_TOO_LARGE => "request too large",
        StatusCode::SERVICE_UNAVAILABLE => "unavailable",
        status if status.is_server_error() => "internal error",
        _ => "invalid",
    }
}

/// `partial write` and `unable to parse` are words by which Telegraf knows that sending again is of no use.
fn summary(Outcome { stored, rejected }: &Outcome) -> String {
    let Rejected { numbers, shown } = rejected;
    let lines: Vec<String> = shown
        .iter()
        .map(|Rejection { number, text, error }| format!("unable to parse line {number} '{text}': {}", error.message()))
        .collect();
    let prefix = if *stored > 0 { "partial write: " } else { "" };
    format!("{prefix}{} dropped={}", lines.join("\n"), numbers.len())
}

fn line(Rejection { number, text, error }: &Rejection) -> Value {
    json!({
        "error_message": error.message(),
        "line_number": number,
        "original_line": text,
        "sqlstate": error.code().as_str(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(dialect: Dialect, name: &str, precision: &str) -> Result<(String, Precision), String> {
        let parameters = Parameters {
            db: Some(name.to_owned()),
            bucket: Some(name.to_owned()),
            precision: Some(precision.to_owned()),
            ..Parameters::default()
        };
        let target = dialect.target(&parameters).map_err(|error| error.message().to_owned())?;
        Ok((target.database, target.precision))
    }

    #[test]
    fn each_version_has_its_precisions() {
        let of = |dialect, precision| target(dialect, "d", precision).ok().map(|(_, precision)| precision);
        for (name, v1, v2, v3) in [
            ("", Some(Precision::Nanosecond), Some(Precision::Nanosecond), Some(Precision::Auto)),
            ("n", Some(Precision::Nanosecond), None, None),
            ("us", Some(Precision::Microsecond), Some(Precision::Microsecond), Some(Precision::Microsecond)),
            ("h", Some(Precision::Hour), None, None),
            ("second", None, None, Some(Precision::Second)),
            ("day", None, None, None),
        ] {
            assert_eq!([of(Dialect::V1, name), of(Dialect::V2, name), of(Dialect::V3, name)], [v1, v2, v3], "{name}");
        }
    }

    #[test]
    fn a_bucket_may_name_the_default_retention_policy() {
        assert_eq!(target(Dialect::V2, "d/autogen", "s"), Ok(("d".to_owned(), Precision::Second)));
        assert_eq!(target(Dialect::V2, "d/week", "s"), Err("retention policy not found: week".to_owned()));
        assert_eq!(target(Dialect::V1, "", "s"), Err("database is required".to_owned()));
    }
}
