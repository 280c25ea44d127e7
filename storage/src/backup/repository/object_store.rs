//! Backups in a bucket of an object store that speaks S3: AWS, MinIO, R2 and others. Each request is signed together with the checksum of
//! what it carries, so that the store refuses what did not arrive as it was sent.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::{ClientConfigKey, MultipartUpload, ObjectStore, ObjectStoreExt, RetryConfig};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::folder::{pieces, read_piece};
use super::{Access, BUCKET_SCHEME, PART_BYTES, PARTS_IN_FLIGHT, Repository, join};
use crate::file::{File, read_all};
use crate::{Error, Result};

/// How long one request may take, unless `AWS_TIMEOUT` says otherwise: a part over a slow line.
const REQUEST_TIMEOUT: &str = "120 seconds";
/// How long to try to tell the store that a file in parts will not be completed. If that fails it keeps the parts until its own rules remove
/// them; nobody sees them.
const ABORT_PATIENCE: Duration = Duration::from_secs(5);
/// Any of these says who asks. Without them it is the role of the machine, an instance of AWS, which its metadata service tells.
const CREDENTIAL_VARIABLES: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_METADATA_ENDPOINT",
    "AWS_SKIP_SIGNATURE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
];
/// Says that the metadata service must not be asked.
const METADATA_DISABLED: &str = "AWS_EC2_METADATA_DISABLED";
const METADATA_SERVICE: ([u8; 4], u16) = ([169, 254, 169, 254], 80);
const METADATA_PATIENCE: Duration = Duration::from_secs(1);
/// More than the time to retry allows, which is the limit.
const MOST_RETRIES: usize = 1_000;
/// Most parts that the store takes of one file.
const MOST_PARTS: u64 = 10_000;

#[derive(Clone)]
pub struct Bucket {
    connection: Arc<Connection>,
    bucket: String,
    prefix: String,
}

/// Requests are waited for by the thread that wants them; one thread of its own keeps connections going meanwhile.
struct Connection {
    store: Arc<dyn ObjectStore>,
    /// Taken when it ends, since that may be on a thread that must not wait for it.
    runtime: Option<Runtime>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Without the credentials.
impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bucket").field(&self.locate("")).finish()
    }
}

impl Bucket {
    /// Does not ask the store for anything yet.
    pub fn open(bucket: &str, prefix: &str, access: &Access) -> Result<Self> {
        let prefix = prefix.trim_matches('/').to_owned();
        let refused = |error: &dyn fmt::Display| failure(format!("{BUCKET_SCHEME}{bucket}/{prefix}: {error}"));
        if bucket.is_empty() {
            return Err(failure(format!("a bucket is missing: {BUCKET_SCHEME}BUCKET/PREFIX")));
        }
        Path::parse(&prefix).map_err(|e| refused(&e))?;
        let named = CREDENTIAL_VARIABLES.iter().any(|name| access.variables.contains_key(*name));
        let disabled = access.variables.get(METADATA_DISABLED).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        if !named && (disabled || !is_on_an_instance()) {
            return Err(refused(&"there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"));
        }
        let timeout = AmazonS3ConfigKey::Client(ClientConfigKey::Timeout);
        let retry = RetryConfig { max_retries: MOST_RETRIES, retry_timeout: access.retry, ..RetryConfig::default() };
        let mut builder = AmazonS3Builder::new().with_config(timeout, REQUEST_TIMEOUT).with_retry(retry);
        // As `AmazonS3Builder::from_env` does, with the variables of whoever wants it.
        for (name, value) in access.variables.iter().filter(|(name, _)| name.starts_with("AWS_")) {
            if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
                builder = builder.with_config(key, value);
            }
        }
        let store = builder.with_bucket_name(bucket).build().map_err(|e| refused(&e))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("aegis-objects")
            .enable_all()
            .build()?;
        let connection = Arc::new(Connection { store: Arc::new(store), runtime: Some(runtime) });
        Ok(Self { connection, bucket: bucket.to_owned(), prefix })
    }

    fn path(&self, name: &str) -> Path {
        Path::from(join(&self.prefix, name))
    }

    fn store(&self) -> &dyn ObjectStore {
        self.connection.store.as_ref()
    }

    /// On any thread, also one that a runtime polls a task on.
    fn wait<F: Future>(&self, work: F) -> F::Output {
        let _entered = self.connection.runtime.as_ref().map(Runtime::enter);
        crate::block_on(work)
    }

    fn explain(&self, name: &str) -> impl Fn(object_store::Error) -> Error {
        let place = self.locate(name);
        let bucket = self.bucket.clone();
        move |error| failure(format!("\"{place}\": {}", explain(&error, &bucket)))
    }

    async fn put_parts(
        &self,
        name: &str,
        file: &dyn File,
        crc: u32,
        sent: &mut dyn FnMut(u64) -> Result<()>,
    ) -> Result<bool> {
        let mut upload = self.store().put_multipart(&self.path(name)).await.map_err(self.explain(name))?;
        let whole = match self.send_parts(name, upload.as_mut(), file, sent).await {
            Ok(found) if found == crc => upload.complete().await.map(|_| true).map_err(self.explain(name)),
            Ok(_) => Ok(false),
            Err(error) => Err(error),
        };
        if !matches!(whole, Ok(true)) {
            let _ = tokio::time::timeout(ABORT_PATIENCE, upload.abort()).await;
        }
        whole
    }

    /// The checksum of what was sent.
    async fn send_parts(
        &self,
        name: &str,
        upload: &mut dyn MultipartUpload,
        file: &dyn File,
        sent: &mut dyn FnMut(u64) -> Result<()>,
    ) -> Result<u32> {
        let mut hasher = crc32fast::Hasher::new();
        let mut on_their_way = JoinSet::new();
        let mut arrived = |part: Option<Result<object_store::Result<u64>, tokio::task::JoinError>>| match part {
            None => Ok(false),
            Some(Ok(Ok(bytes))) => sent(bytes).map(|()| true),
            Some(Ok(Err(error))) => Err(self.explain(name)(error)),
            Some(Err(error)) => Err(Error::Internal(error.to_string())),
        };
        for piece in pieces(file.len()?) {
            let bytes = read_piece(file, &piece)?;
            hasher.update(&bytes);
            while on_their_way.len() >= PARTS_IN_FLIGHT {
                arrived(on_their_way.join_next().await)?;
            }
            let part = upload.put_part(bytes.into());
            on_their_way.spawn(async move { part.await.map(|()| piece.end - piece.start) });
        }
        while arrived(on_their_way.join_next().await)? {}
        Ok(hasher.finalize())
    }

    async fn read_parts(
        &self,
        name: &str,
        len: u64,
        piece: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> object_store::Result<Result<()>> {
        let path = self.path(name);
        let fetch = |range: Range<u64>| self.store().get_range(&path, range);
        let mut parts = futures::stream::iter(pieces(len)).map(fetch).buffered(PARTS_IN_FLIGHT);
        while let Some(bytes) = parts.try_next().await? {
            if let Err(error) = piece(&bytes) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }
}

impl Repository for Bucket {
    fn locate(&self, name: &str) -> String {
        format!("{BUCKET_SCHEME}{}", join(&self.bucket, &join(&self.prefix, name)))
    }

    fn list(&self, folder: &str) -> Result<BTreeMap<String, u64>> {
        let found = self.wait(self.store().list_with_delimiter(Some(&self.path(folder))));
        let files = found.map_err(self.explain(folder))?.objects.into_iter();
        Ok(files.filter_map(|file| Some((file.location.filename()?.to_owned(), file.size))).collect())
    }

    fn folders(&self) -> Result<Vec<String>> {
        let found = self.wait(self.store().list_with_delimiter(Some(&self.path(""))));
        let folders = found.map_err(self.explain(""))?.common_prefixes.into_iter();
        Ok(folders.filter_map(|folder| Some(folder.filename()?.to_owned())).collect())
    }

    fn len(&self, name: &str) -> Result<Option<u64>> {
        match self.wait(self.store().head(&self.path(name))) {
            Ok(found) => Ok(Some(found.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.explain(name)(error)),
        }
    }

    fn put(&self, name: &str, bytes: Bytes) -> Result<()> {
        let put = self.wait(self.store().put(&self.path(name), bytes.into()));
        put.map(|_| ()).map_err(self.explain(name))
    }

    fn put_file(&self, name: &str, file: &dyn File, crc: u32, sent: &mut dyn FnMut(u64) -> Result<()>) -> Result<bool> {
        let len = file.len()?;
        if len > PART_BYTES {
            if len.div_ceil(PART_BYTES) > MOST_PARTS {
                return Err(failure(format!("\"{}\": {len} bytes are more than one file may have", self.locate(name))));
            }
            return self.wait(self.put_parts(name, file, crc, sent));
        }
        let bytes = read_all(file)?;
        if crc32fast::hash(&bytes) != crc {
            return Ok(false);
        }
        self.put(name, bytes.into())?;
        sent(len).map(|()| true)
    }

    fn read(&self, name: &str, piece: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<bool> {
        let Some(len) = self.len(name)? else { return Ok(false) };
        self.wait(self.read_parts(name, len, piece)).map_err(self.explain(name))??;
        Ok(true)
    }

    fn within(&self, folder: &str) -> Arc<dyn Repository> {
        Arc::new(Self { prefix: join(&self.prefix, folder), ..self.clone() })
    }
}

/// Does a metadata service answer? To ask it would take long to fail elsewhere.
fn is_on_an_instance() -> bool {
    std::net::TcpStream::connect_timeout(&METADATA_SERVICE.into(), METADATA_PATIENCE).is_ok()
}

fn failure(what: String) -> Error {
    Error::Io(std::io::Error::other(what))
}

/// Codes of errors about who asks. <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
const CREDENTIAL_CODES: &[&str] = &[
    "AccessDenied",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "Unauthorized",
];
/// And about where the bucket is.
const REGION_CODES: &[&str] =
    &["AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"];

/// What the store said, and what to do about it.
fn explain(error: &object_store::Error, bucket: &str) -> String {
    // What the library adds around the store's own words differs from request to request, and the innermost words are the useful ones.
    let text = causes(error);
    let code = element(&text, "Code").unwrap_or_default();
    let said = match (code, element(&text, "Message")) {
        ("", _) => text.as_str(),
        (code, None) => code,
        (code, Some(message)) => &format!("{code}: {message}"),
    };
    let denied =
        matches!(error, object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. });
    let advice = if code == "NoSuchBucket" {
        format!("create the bucket \"{bucket}\" first, or correct its name, AWS_ENDPOINT_URL or AWS_REGION")
    } else if REGION_CODES.contains(&code) || text.contains("redirect without LOCATION") {
        "set AWS_REGION to the bucket's region".to_owned()
    } else if denied || CREDENTIAL_CODES.contains(&code) {
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN if they are temporary) to credentials that may list, read and \
         write there"
            .to_owned()
    } else if text.contains("URL scheme is not allowed") {
        "AWS_ENDPOINT_URL is without TLS: set AWS_ALLOW_HTTP=true if that is wanted".to_owned()
    } else {
        "check the network and AWS_ENDPOINT_URL, then give the command again; what has arrived is not sent again"
            .to_owned()
    };
    format!("the object store could not be used ({}); {advice}", said.trim())
}

/// An error's text with those causes that it does not contain itself.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = cause.source();
    }
    text
}

/// The text of an element of the store's answer.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(found, _)| found)
}
