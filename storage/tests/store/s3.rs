//! An object store for tests: S3's protocol over HTTP as far as backups use it, in this process. It has one bucket and one pair of credentials,
//! pages its lists, checks that what arrives is what was signed, and fails on command.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Bytes;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

pub const BUCKET: &str = "backups";
pub const KEY: &str = "AKIATEST";
pub const SECRET: &str = "secret";
/// Entries of one page of a list: few, so that tests see several.
const PAGE: usize = 3;
/// Parts but the last must be so large.
const LEAST_PART: usize = 5 << 20;

#[derive(Debug, Default)]
pub struct Objects {
    objects: Mutex<BTreeMap<String, Bytes>>,
    uploads: Mutex<BTreeMap<String, Upload>>,
    numbers: AtomicUsize,
    /// Method and name of each request that was answered.
    requests: Mutex<Vec<(Method, String)>>,
    /// Requests that are still answered; all after them fail.
    left: Mutex<Option<usize>>,
}

#[derive(Debug, Default)]
struct Upload {
    name: String,
    parts: BTreeMap<usize, Bytes>,
}

/// Serves until it is dropped.
#[derive(Debug)]
pub struct S3 {
    pub objects: Arc<Objects>,
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl S3 {
    pub fn start() -> Self {
        Self::serve(Arc::default(), SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    fn serve(objects: Arc<Objects>, address: SocketAddr) -> Self {
        let listener = std::net::TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let app = axum::Router::new().fallback(answer).with_state(objects.clone());
        // A runtime of its own, which ends with all its connections.
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    served = async { axum::serve(listener, app).await } => served.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        Self { objects, address, stop: Some(stop), thread: Some(thread) }
    }

    /// Gone from the network; what it holds stays.
    pub fn vanish(mut self) -> (Arc<Objects>, SocketAddr) {
        self.end();
        (self.objects.clone(), self.address)
    }

    pub fn return_as((objects, address): (Arc<Objects>, SocketAddr)) -> Self {
        Self::serve(objects, address)
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    /// What an environment says of it.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let endpoint = format!("http://{}", self.address);
        let all = [
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "eu-test-1"),
            ("AWS_ACCESS_KEY_ID", KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
        ];
        all.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.end();
    }
}

impl Objects {
    pub fn names(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().cloned().collect()
    }

    pub fn len(&self, name: &str) -> usize {
        self.objects.lock().unwrap()[name].len()
    }

    /// Changes one bit of the byte in the middle.
    pub fn flip_bit(&self, name: &str) {
        let mut objects = self.objects.lock().unwrap();
        let mut bytes = objects[name].to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        objects.insert(name.to_owned(), bytes.into());
    }

    /// Fails every request after so many more; None for never.
    pub fn fail_after(&self, requests: Option<usize>) {
        *self.left.lock().unwrap() = requests;
    }

    /// The requests since this was last asked.
    pub fn take_requests(&self) -> Vec<(Method, String)> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }

    /// Files in parts that were neither completed nor given up.
    pub fn open_uploads(&self) -> usize {
        self.uploads.lock().unwrap().len()
    }

    fn is_down(&self) -> bool {
        match &mut *self.left.lock().unwrap() {
            None => false,
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
        }
    }
}

type Parameters = BTreeMap<String, String>;

async fn answer(
    State(objects): State<Arc<Objects>>,
    Query(parameters): Query<Parameters>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return error(StatusCode::BAD_REQUEST, "IncompleteBody", "fewer bytes than said");
    };
    if objects.is_down() {
        return error(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "We encountered an internal error.");
    }
    if let Some(refused) = refuse_signature(&head.headers, &body) {
        return refused;
    }
    let (bucket, name) = match head.uri.path().trim_start_matches('/').split_once('/') {
        Some((bucket, name)) => (bucket, name),
        None => (head.uri.path().trim_start_matches('/'), ""),
    };
    if bucket != BUCKET {
        return error(StatusCode::NOT_FOUND, "NoSuchBucket", "The specified bucket does not exist");
    }
    objects.requests.lock().unwrap().push((head.method.clone(), name.to_owned()));
    match (&head.method, parameters.get("uploadId")) {
        (&Method::GET, _) if name.is_empty() => objects.list(&parameters),
        (&Method::GET | &Method::HEAD, _) => objects.get(name, &head.headers, head.method == Method::HEAD),
        (&Method::PUT, None) => objects.put(name, body),
        (&Method::PUT, Some(upload)) => objects.put_part(upload, &parameters, body),
        (&Method::POST, None) if parameters.contains_key("uploads") => objects.create_upload(name),
        (&Method::POST, Some(upload)) => objects.complete_upload(upload, &body),
        (&Method::DELETE, Some(upload)) => {
            objects.uploads.lock().unwrap().remove(upload);
            StatusCode::NO_CONTENT.into_response()
        }
        (&Method::DELETE, None) => {
            objects.objects.lock().unwrap().remove(name);
            StatusCode::NO_CONTENT.into_response()
        }
        _ => error(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "not here"),
    }
}

fn error(status: StatusCode, code: &str, message: &str) -> Response {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>");
    (status, body).into_response()
}

/// Wanted are the right key, a signature, and the checksum that was signed. (The signature itself is not computed.)
fn refuse_signature(headers: &HeaderMap, body: &[u8]) -> Option<Response> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let authorization = header("authorization");
    if !authorization.starts_with("AWS4-HMAC-SHA256 ") || !authorization.contains("Signature=") {
        return Some(error(StatusCode::FORBIDDEN, "AccessDenied", "Access Denied"));
    }
    if !authorization.contains(&format!("Credential={KEY}/")) || !authorization.contains("/eu-test-1/s3/aws4_request") {
        let message = "The AWS Access Key Id you provided does not exist in our records.";
        return Some(error(StatusCode::FORBIDDEN, "InvalidAccessKeyId", message));
    }
    let hash: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
    if header("x-amz-content-sha256") != hash {
        let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
        return Some(error(StatusCode::BAD_REQUEST, "XAmzContentSHA256Mismatch", message));
    }
    None
}

fn etag(bytes: &[u8]) -> String {
    format!(
        "\"{:08x}-{}\"",
        Sha256::digest(bytes).iter().take(8).fold(0u64, |sum, b| sum << 8 | u64::from(*b)),
        bytes.len()
    )
}

const MODIFIED: &str = "Sun, 22 Nov 2026 10:00:00 GMT";

impl Objects {
    fn get(&self, name: &str, headers: &HeaderMap, head_only: bool) -> Response {
        let Some(bytes) = self.objects.lock().unwrap().get(name).cloned() else {
            return error(StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist.");
        };
        let common = [("etag", etag(&bytes)), ("last-modified", MODIFIED.to_owned())];
        if head_only {
            return (common, [("content-length", bytes.len().to_string())]).into_response();
        }
        let range = headers.get("range").and_then(|range| range.to_str().ok()?.strip_prefix("bytes=")?.split_once('-'));
        let Some((start, end)) = range else { return (common, bytes).into_response() };
        let (start, end): (usize, usize) = (start.parse().unwrap(), end.parse().unwrap());
        if start >= bytes.len() {
            return error(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", "The requested range is not satisfiable");
        }
        let end = (end + 1).min(bytes.len());
        let range = [("content-range", format!("bytes {start}-{}/{}", end - 1, bytes.len()))];
        (StatusCode::PARTIAL_CONTENT, common, range, bytes.slice(start..end)).into_response()
    }

    fn put(&self, name: &str, bytes: Bytes) -> Response {
        let tag = etag(&bytes);
        self.objects.lock().unwrap().insert(name.to_owned(), bytes);
        [("etag", tag)].into_response()
    }

    fn create_upload(&self, name: &str) -> Response {
        let upload = format!("upload-{}", self.numbers.fetch_add(1, Ordering::Relaxed));
        let started = Upload { name: name.to_owned(), ..Upload::default() };
        self.uploads.lock().unwrap().insert(upload.clone(), started);
        format!(
            "<InitiateMultipartUploadResult><Bucket>{BUCKET}</Bucket><Key>{name}</Key><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
        )
        .into_response()
    }

    fn put_part(&self, upload: &str, parameters: &Parameters, bytes: Bytes) -> Response {
        let number: usize = parameters["partNumber"].parse().unwrap();
        let tag = etag(&bytes);
        match self.uploads.lock().unwrap().get_mut(upload) {
            Some(upload) => upload.parts.insert(number, bytes),
            None => return error(StatusCode::NOT_FOUND, "NoSuchUpload", "The specified upload does not exist."),
        };
        [("etag", tag)].into_response()
    }

    fn complete_upload(&self, upload: &str, body: &[u8]) -> Response {
        let Some(upload) = self.uploads.lock().unwrap().remove(upload) else {
            return error(StatusCode::NOT_FOUND, "NoSuchUpload", "The specified upload does not exist.");
        };
        let wanted = String::from_utf8_lossy(body).matches("<PartNumber>").count();
        if wanted != upload.parts.len() || !upload.parts.keys().copied().eq(1..=wanted) {
            return error(
                StatusCode::BAD_REQUEST,
                "InvalidPart",
                "One or more of the specified parts could not be found.",
            );
        }
        if upload.parts.values().rev().skip(1).any(|part| part.len() < LEAST_PART) {
            return error(StatusCode::BAD_REQUEST, "EntityTooSmall", "Your proposed upload is smaller than allowed.");
        }
        let bytes: Vec<u8> = upload.parts.values().flat_map(|part| part.iter().copied()).collect();
        let tag = etag(&bytes);
        self.objects.lock().unwrap().insert(upload.name.clone(), bytes.into());
        format!(
            "<CompleteMultipartUploadResult><Bucket>{BUCKET}</Bucket><Key>{}</Key><ETag>{tag}</ETag></CompleteMultipartUploadResult>",
            upload.name
        )
        .into_response()
    }

    /// ListObjectsV2, with a delimiter or not; the token is the last entry of the page before.
    fn list(&self, parameters: &Parameters) -> Response {
        let parameter = |name: &str| parameters.get(name).map(String::as_str).unwrap_or_default();
        let (prefix, after) = (parameter("prefix"), parameter("continuation-token"));
        let mut entries: BTreeMap<String, Option<Bytes>> = BTreeMap::new();
        for (name, bytes) in &*self.objects.lock().unwrap() {
            let Some(rest) = name.strip_prefix(prefix) else { continue };
            match rest.split_once('/') {
                Some((folder, _)) if parameter("delimiter") == "/" => {
                    entries.insert(format!("{prefix}{folder}/"), None)
                }
                _ => entries.insert(name.clone(), Some(bytes.clone())),
            };
        }
        entries.retain(|name, _| name.as_str() > after);
        let more = entries.len() > PAGE;
        let page: Vec<_> = entries.into_iter().take(PAGE).collect();
        let mut xml = format!("<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>{more}</IsTruncated>");
        for (name, bytes) in &page {
            xml += &match bytes {
                Some(bytes) => format!(
                    "<Contents><Key>{name}</Key><LastModified>2026-11-22T10:00:00.000Z</LastModified><Size>{}</Size></Contents>",
                    bytes.len()
                ),
                None => format!("<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>"),
            };
        }
        if let Some((last, _)) = page.last().filter(|_| more) {
            xml += &format!("<NextContinuationToken>{last}</NextContinuationToken>");
        }
        format!("{xml}</ListBucketResult>").into_response()
    }
}
