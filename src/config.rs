//! The server's configuration: one struct, every field with its default, filled from flags, environment, file and defaults, in that order
//! of precedence.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aegis_storage::backup::Repository;
use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;

use crate::backup;

/// Options of `aegis start` (and `aegis demo`). A flag wins over its environment variable, that over the file's key of the same name
/// with underscores, that over the default.
#[derive(Debug, Default, Clone, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Configuration file (TOML; keys are the long options with underscores)
    #[arg(long, env = "AEGIS_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Where everything durable lives [default: ./aegis-data]
    #[arg(long, env = "AEGIS_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Copy complete files of the log to this folder or s3://BUCKET/PREFIX, for restoring to any moment [default: none]
    #[arg(long, env = "AEGIS_WAL_ARCHIVE_DIR", value_name = "PLACE")]
    pub wal_archive_dir: Option<String>,
    /// Address for PostgreSQL clients [default: 127.0.0.1:5432]
    #[arg(long, env = "AEGIS_LISTEN", value_name = "HOST:PORT")]
    pub listen: Option<String>,
    /// Address for HTTP [default: 127.0.0.1:8080]
    #[arg(long, env = "AEGIS_HTTP_LISTEN", value_name = "HOST:PORT")]
    pub http_listen: Option<String>,
    /// Number of this node in its cluster [default: 1]
    #[arg(long, env = "AEGIS_NODE_ID", value_name = "N")]
    pub node_id: Option<u64>,
    /// Address for other nodes (clusters are not supported yet)
    #[arg(long, env = "AEGIS_PEER_LISTEN", value_name = "HOST:PORT")]
    pub peer_listen: Option<String>,
    /// Members of a new cluster (clusters are not supported yet)
    #[arg(long, env = "AEGIS_INITIAL_CLUSTER", value_name = "1=H1:P1,…")]
    pub initial_cluster: Option<String>,
    /// A member of the cluster to join (clusters are not supported yet)
    #[arg(long, env = "AEGIS_JOIN", value_name = "HOST:PORT")]
    pub join: Option<String>,
    /// How clients prove who they are: trust or scram-sha-256 [default: trust on loopback, else scram-sha-256]
    #[arg(long, env = "AEGIS_AUTH", value_name = "METHOD")]
    pub auth: Option<String>,
    /// File with the password to give the superuser `postgres` (or set AEGIS_SUPERUSER_PASSWORD)
    #[arg(long, env = "AEGIS_SUPERUSER_PASSWORD_FILE", value_name = "FILE")]
    pub superuser_password_file: Option<PathBuf>,
    /// Password to give the superuser `postgres`
    #[arg(long, env = "AEGIS_SUPERUSER_PASSWORD", hide = true, hide_env_values = true)]
    pub superuser_password: Option<String>,
    /// TLS certificate chain (PEM)
    #[arg(long, env = "AEGIS_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// TLS private key (PEM)
    #[arg(long, env = "AEGIS_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Refuse connections without TLS
    #[arg(long, env = "AEGIS_TLS_REQUIRED")]
    pub tls_required: bool,
    /// Form of the log on stderr: text or json [default: text]
    #[arg(long, env = "AEGIS_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// Most connections at once [default: 100]
    #[arg(long, env = "AEGIS_MAX_CONNECTIONS", value_name = "N")]
    pub max_connections: Option<usize>,
    /// Most memory that queries may take, e.g. 2GB [default: 60 % of the machine's]
    #[arg(long, env = "AEGIS_MEMORY_LIMIT", value_name = "SIZE")]
    pub memory_limit: Option<String>,
    /// Most bytes of segments per second that merging them in the background reads, 0 for no limit [default: 64MB]
    #[arg(long, env = "AEGIS_COMPACTION_BYTES_PER_SECOND", value_name = "SIZE")]
    pub compaction_bytes_per_second: Option<String>,
    /// Neighbouring segments of about one size that are merged [default: 4]
    #[arg(long, env = "AEGIS_COMPACTION_FAN_IN", value_name = "N")]
    pub compaction_fan_in: Option<usize>,
    /// Percentage of dead rows from which a segment is written anew [default: 20]
    #[arg(long, env = "AEGIS_COMPACTION_DEAD_PERCENT", value_name = "N")]
    pub compaction_dead_percent: Option<u64>,
}

/// How clients authenticate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    Trust,
    ScramSha256,
}

/// The checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    pub data_dir: PathBuf,
    pub wal_archive: Option<Arc<dyn Repository>>,
    pub listen: SocketAddr,
    pub http_listen: SocketAddr,
    pub node_id: u64,
    pub auth: Auth,
    pub superuser_password: Option<String>,
    /// Certificate chain and key.
    pub tls: Option<(PathBuf, PathBuf)>,
    pub tls_required: bool,
    pub log_json: bool,
    pub max_connections: usize,
    /// Bytes.
    pub memory_limit: usize,
    pub compaction: aegis_engine::Compaction,
}

/// Share of the machine's memory that queries may take by default, in percent.
const DEFAULT_MEMORY_PERCENT: usize = 60;
/// Sessions are cheap, some 60 KB when idle: more than PostgreSQL allows by default need no pooler.
const DEFAULT_MAX_CONNECTIONS: usize = 1200;

impl Config {
    /// Merges and checks the options. Every error names the key and the reason.
    pub fn load(options: Options) -> Result<Self> {
        let file = match &options.config {
            Some(path) => read_file(path)?,
            None => Options::default(),
        };
        let options = options.or(file);
        for (key, value) in [
            ("peer_listen", &options.peer_listen),
            ("initial_cluster", &options.initial_cluster),
            ("join", &options.join),
        ] {
            if value.is_some() {
                bail!("{key}: clusters are not supported yet; this server runs as one node");
            }
        }
        let listen = address("listen", options.listen.as_deref().unwrap_or("127.0.0.1:5432"))?;
        let http_listen = address("http_listen", options.http_listen.as_deref().unwrap_or("127.0.0.1:8080"))?;
        let superuser_password = match (&options.superuser_password, &options.superuser_password_file) {
            (Some(password), _) => Some(password.clone()),
            (None, Some(path)) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("superuser_password_file: can't read {}", path.display()))?;
                Some(text.trim_end_matches(['\r', '\n']).to_owned())
            }
            (None, None) => None,
        };
        if superuser_password.as_deref() == Some("") {
            bail!("superuser_password: must not be empty");
        }
        let compaction = compaction(&options)?;
        Ok(Self {
            data_dir: options.data_dir.unwrap_or_else(|| PathBuf::from("./aegis-data")),
            wal_archive: options.wal_archive_dir.as_deref().map(backup::log_archive).transpose()?,
            auth: auth(options.auth.as_deref(), listen, http_listen)?,
            http_listen,
            node_id: options.node_id.unwrap_or(1),
            superuser_password,
            tls: tls(options.tls_cert, options.tls_key, options.tls_required)?,
            tls_required: options.tls_required,
            log_json: match options.log_format.as_deref().unwrap_or("text") {
                "text" => false,
                "json" => true,
                other => bail!("log_format: \"{other}\" is neither text nor json"),
            },
            max_connections: match options.max_connections.unwrap_or(DEFAULT_MAX_CONNECTIONS) {
                0 => bail!("max_connections: must be at least 1"),
                n => n,
            },
            memory_limit: match &options.memory_limit {
                Some(text) => {
                    size(text).with_context(|| format!("memory_limit: \"{text}\" is no size such as 512MB or 2GB"))?
                }
                None => crate::memory::available() / 100 * DEFAULT_MEMORY_PERCENT,
            },
            compaction,
            listen,
        })
    }
}

impl Options {
    /// These options, with what they leave open taken from `file`.
    fn or(self, file: Options) -> Options {
        Options {
            config: self.config,
            data_dir: self.data_dir.or(file.data_dir),
            wal_archive_dir: self.wal_archive_dir.or(file.wal_archive_dir),
            listen: self.listen.or(file.listen),
            http_listen: self.http_listen.or(file.http_listen),
            node_id: self.node_id.or(file.node_id),
            peer_listen: self.peer_listen.or(file.peer_listen),
            initial_cluster: self.initial_cluster.or(file.initial_cluster),
            join: self.join.or(file.join),
            auth: self.auth.or(file.auth),
            superuser_password_file: self.superuser_password_file.or(file.superuser_password_file),
            superuser_password: self.superuser_password.or(file.superuser_password),
            tls_cert: self.tls_cert.or(file.tls_cert),
            tls_key: self.tls_key.or(file.tls_key),
            tls_required: self.tls_required || file.tls_required,
            log_format: self.log_format.or(file.log_format),
            max_connections: self.max_connections.or(file.max_connections),
            memory_limit: self.memory_limit.or(file.memory_limit),
            compaction_bytes_per_second: self.compaction_bytes_per_second.or(file.compaction_bytes_per_second),
            compaction_fan_in: self.compaction_fan_in.or(file.compaction_fan_in),
            compaction_dead_percent: self.compaction_dead_percent.or(file.compaction_dead_percent),
        }
    }
}

fn read_file(path: &Path) -> Result<Options> {
    let text = std::fs::read_to_string(path).with_context(|| format!("config: can't read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("config: {} is not valid", path.display()))
}

fn address(key: &str, text: &str) -> Result<SocketAddr> {
    use std::net::ToSocketAddrs;
    let mut found = text.to_socket_addrs().with_context(|| format!("{key}: \"{text}\" is no HOST:PORT"))?;
    found.next().with_context(|| format!("{key}: \"{text}\" has no address"))
}

fn auth(method: Option<&str>, listen: SocketAddr, http_listen: SocketAddr) -> Result<Auth> {
    let loopback = listen.ip().is_loopback() && http_listen.ip().is_loopback();
    match method {
        Some("trust") if !loopback => {
            bail!(
                "auth: trust is only allowed on loopback, but listen is {listen} and http_listen {http_listen}; use scram-sha-256"
            )
        }
        Some("trust") => Ok(Auth::Trust),
        None if loopback => Ok(Auth::Trust),
        Some("scram-sha-256") | None => Ok(Auth::ScramSha256),
        Some(other) => bail!("auth: \"{other}\" is neither trust nor scram-sha-256"),
    }
}

fn tls(cert: Option<PathBuf>, key: Option<PathBuf>, required: bool) -> Result<Option<(PathBuf, PathBuf)>> {
    match (cert, key) {
        (Some(cert), Some(key)) => Ok(Some((cert, key))),
        (Some(_), None) => bail!("tls_key: is missing, and tls_cert is given"),
        (None, Some(_)) => bail!("tls_cert: is missing, and tls_key is given"),
        (None, None) if required => bail!("tls_required: needs tls_cert and tls_key"),
        (None, None) => Ok(None),
    }
}

fn compaction(options: &Options) -> Result<aegis_engine::Compaction> {
    let defaults = aegis_engine::Compaction::default();
    let bytes_per_second = match options.compaction_bytes_per_second.as_deref().map(str::trim) {
        None => defaults.bytes_per_second,
        Some("0") => 0,
        Some(text) => size(text)
            .map(|bytes| bytes as u64)
            .with_context(|| format!("compaction_bytes_per_second: \"{text}\" is neither 0 nor a size such as 16MB"))?,
    };
    let fan_in = match options.compaction_fan_in.unwrap_or(defaults.fan_in) {
        0 | 1 => bail!("compaction_fan_in: must be at least 2"),
        n => n,
    };
    let dead_percent = match options.compaction_dead_percent.unwrap_or(defaults.dead_percent) {
        n @ 1..=100 => n,
        n => bail!("compaction_dead_percent: {n} is not between 1 and 100"),
    };
    Ok(aegis_engine::Compaction { bytes_per_second, fan_in, dead_percent })
}

/// Bytes of `512MB`, `2GB`, `1048576`.
fn size(text: &str) -> Option<usize> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1 << 10,
        "m" | "mb" => 1 << 20,
        "g" | "gb" => 1 << 30,
        "t" | "tb" => 1usize << 40,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(factor).filter(|&bytes| bytes > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(change: impl FnOnce(&mut Options)) -> Options {
        let mut options = Options::default();
        change(&mut options);
        options
    }

    #[test]
    fn without_options_it_is_one_node_on_loopback_without_passwords() {
        let config = Config::load(Options::default()).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:5432");
        assert_eq!(config.auth, Auth::Trust);
    }

    #[test]
    fn compaction_is_limited_or_not() {
        let limited = |text: &str| Config::load(options(|o| o.compaction_bytes_per_second = Some(text.into())));
        assert_eq!(limited("16MB").unwrap().compaction.bytes_per_second, 16 << 20);
        assert_eq!(limited("0").unwrap().compaction.bytes_per_second, 0);
        assert!(limited("fast").unwrap_err().to_string().starts_with("compaction_bytes_per_second: "));
        assert!(Config::load(options(|o| o.compaction_fan_in = Some(1))).is_err());
        assert!(Config::load(options(|o| o.compaction_dead_percent = Some(0))).is_err());
    }

    #[test]
    fn other_addresses_require_scram_and_errors_name_their_key() {
        let open = options(|o| o.listen = Some("0.0.0.0:5432".into()));
        assert_eq!(Config::load(open).unwrap().auth, Auth::ScramSha256);
        let open = options(|o| {
            o.listen = Some("0.0.0.0:5432".into());
            o.auth = Some("trust".into());
        });
        assert!(Config::load(open).unwrap_err().to_string().starts_with("auth:"));
        let half = options(|o| o.tls_cert = Some("cert.pem".into()));
        assert!(Config::load(half).unwrap_err().to_string().starts_with("tls_key:"));
        let size = options(|o| o.memory_limit = Some("lots".into()));
        assert!(Config::load(size).unwrap_err().to_string().starts_with("memory_limit:"));
    }

    #[test]
    fn a_flag_wins_over_the_file() {
        let file = options(|o| {
            o.listen = Some("127.0.0.1:1".into());
            o.node_id = Some(7);
        });
        let merged = options(|o| o.listen = Some("127.0.0.1:2".into())).or(file);
        assert_eq!((merged.listen.as_deref(), merged.node_id), (Some("127.0.0.1:2"), Some(7)));
    }
}
