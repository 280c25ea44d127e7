//! TLS: certificate, key, and what SCRAM binds to them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pgwire::api::auth::sasl::scram::ScramServerAuth;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// The protocol's name in ALPN.
pub const ALPN: &[u8] = b"postgresql";

/// Where certificate chain and private key are, as PEM files.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

pub struct Tls {
    pub acceptor: TlsAcceptor,
    /// SCRAM bound to the certificate (`tls-server-end-point`); None if the certificate's signature names no hash to bind with.
    pub channel_binding: Option<ScramServerAuth>,
}

impl Tls {
    pub fn load(files: &TlsFiles) -> Result<Tls, ServeError> {
        let pem = std::fs::read(&files.certificate).map_err(|error| unreadable(&files.certificate, error))?;
        let chain = CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unreadable(&files.certificate, error))?;
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| unreadable(&files.key, error))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|error| unreadable(&files.certificate, error))?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        let mut scram = ScramServerAuth::new();
        let channel_binding = scram.configure_certificate(&pem).is_ok().then_some(scram);
        Ok(Tls { acceptor: TlsAcceptor::from(Arc::new(config)), channel_binding })
    }
}

fn unreadable(path: &Path, error: impl std::fmt::Display) -> ServeError {
    ServeError::Tls { path: path.to_owned(), reason: error.to_string() }
}

/// Why the server cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot listen on {address}: {source}")]
    Listen { address: String, source: std::io::Error },
    #[error("cannot start threads: {0}")]
    Threads(std::io::Error),
    #[error("cannot use {path} for TLS: {reason}")]
    Tls { path: PathBuf, reason: String },
}
