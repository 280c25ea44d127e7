//! A request's body, inflated.

use std::io::Read;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};

/// Longest text of a request, inflated.
pub const MAX_TEXT_BYTES: usize = 32 << 20;

/// Status and message.
pub type Refusal = (StatusCode, String);

pub async fn read(request: Request) -> Result<Bytes, Refusal> {
    let gzip = is_gzip(request.headers())?;
    let body =
        Bytes::from_request(request, &()).await.map_err(|rejection| (rejection.status(), rejection.body_text()))?;
    if !gzip {
        return Ok(body);
    }
    // It takes tens of milliseconds for the longest.
    tokio::task::spawn_blocking(move || inflate(&body, MAX_TEXT_BYTES))
        .await
        .unwrap_or_else(|error| Err((StatusCode::INTERNAL_SERVER_ERROR, error.to_string())))
}

fn is_gzip(headers: &HeaderMap) -> Result<bool, Refusal> {
    match headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or_default().trim()) {
        None | Some("" | "identity") => Ok(false),
        Some(coding) if coding.eq_ignore_ascii_case("gzip") => Ok(true),
        Some(coding) => Err((
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("content encoding \"{coding}\" is not supported; use gzip"),
        )),
    }
}

fn inflate(body: &[u8], limit: usize) -> Result<Bytes, Refusal> {
    let mut text = Vec::new();
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    flate2::read::MultiGzDecoder::new(body)
        .take(bound)
        .read_to_end(&mut text)
        .map_err(|error| (StatusCode::BAD_REQUEST, format!("the body is not gzip: {error}")))?;
    if text.len() > limit {
        return Err((StatusCode::PAYLOAD_TOO_LARGE, format!("the body has more than {limit} bytes when inflated")));
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn deflate(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_inflates_without_end_is_refused() {
        assert_eq!(inflate(&deflate(b"cpu v=1"), 7).unwrap(), "cpu v=1");
        assert_eq!(inflate(&deflate(&vec![b'a'; 1 << 20]), 1000).unwrap_err().0, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(inflate(b"cpu v=1", 1000).unwrap_err().0, StatusCode::BAD_REQUEST);
        let whole = deflate(b"cpu v=1");
        assert_eq!(inflate(&whole[..whole.len() - 4], 1000).unwrap_err().0, StatusCode::BAD_REQUEST);
    }
}
