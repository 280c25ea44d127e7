//! tokio-postgres as an application uses it: SCRAM over TLS, prepared statements, every type both ways in binary, transactions, COPY,
//! cancel, errors by SQLSTATE, and a cursor over a million rows.

#![allow(clippy::unwrap_used)]

mod support;

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt, TryStreamExt};
use support::{Aegis, Server};
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

const PASSWORD: &str = "correct horse";

/// A server that asks for a password over TLS, and what its clients need.
struct Guarded {
    server: Aegis,
    connect: MakeRustlsConnect,
    _folder: tempfile::TempDir,
}

impl Guarded {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name).to_str().expect("the path is text").to_owned();
        let (key, certificate, password) = (path("key.pem"), path("cert.pem"), path("password"));
        std::fs::write(&password, PASSWORD).expect("the password is written");
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"])
            .args([
                "-addext",
                "subjectAltName=DNS:localhost,IP:127.0.0.1",
                "-addext",
                "basicConstraints=critical,CA:FALSE",
                "-keyout",
                &key,
                "-out",
                &certificate,
            ])
            .output()
            .expect("openssl runs");
        assert!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
        let options = ["--auth", "scram-sha-256", "--superuser-password-file", &password];
        let options = [&options[..], &["--tls-cert", &certificate, "--tls-key", &key]].concat();
        let server = Aegis::start_on(&folder.path().join("data"), &options);
        Self { server, connect: MakeRustlsConnect::new(trusting(&certificate)), _folder: folder }
    }

    async fn client(&self) -> Client {
        let mut config = self.server.config("postgres");
        config.password(PASSWORD).ssl_mode(SslMode::Require);
        let (client, connection) = config.connect(self.connect.clone()).await.expect("a connection");
        tokio::spawn(connection);
        client
    }
}

/// TLS that trusts this one certificate.
fn trusting(certificate: &str) -> rustls::ClientConfig {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    let certificate = CertificateDer::from_pem_file(certificate).expect("a certificate");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).expect("the certificate is one");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

#[tokio::test(flavor = "multi_thread")]
async fn tokio_postgres_works() {
    let guarded = Guarded::start();
    wrong_password_is_refused(&guarded).await;
    let mut client = guarded.client().await;
    prepared_statements_run_again_and_again(&client).await;
    values_make_the_round_trip_in_binary(&client).await;
    transactions_commit_and_roll_back(&mut client).await;
    errors_have_their_sqlstate(&client).await;
    copy_goes_both_ways(&client).await;
    a_running_query_is_cancelled(&guarded, &client).await;
    a_million_rows_by_cursor_and_by_portal(&guarded, &mut client).await;
}

async fn wrong_password_is_refused(guarded: &Guarded) {
    let mut config = guarded.server.config("postgres");
    config.password("wrong").ssl_mode(SslMode::Require);
    let refused = config.connect(guarded.connect.clone()).await.err().expect("no connection");
    assert_eq!(refused.code(), Some(&SqlState::INVALID_PASSWORD));
}

async fn prepared_statements_run_again_and_again(client: &Client) {
    let statement = client.prepare("SELECT $1::int4 + 1, $2 || '!'").await.unwrap();
    assert_eq!(statement.params(), [Type::INT4, Type::TEXT]);
    for round in 0..10 {
        let row = client.query_one(&statement, &[&round, &"hey"]).await.unwrap();
        assert_eq!((row.get::<_, i32>(0), row.get::<_, &str>(1)), (round + 1, "hey!"));
    }
    let pipelined = futures::future::join_all((0..50).map(|n| {
        let statement = &statement;
        async move { client.query_one(statement, &[&n, &""]).await.unwrap().get::<_, i32>(0) }
    }));
    assert_eq!(pipelined.await, (1..51).collect::<Vec<i32>>());
}

/// Each literal goes through the driver's raw binary form: read, bound as a parameter, and compared by the server.
async fn values_make_the_round_trip_in_binary(client: &Client) {
    const VALUES: &[(&str, &[&str])] = &[
        ("bool", &["true", "false"]),
        ("int2", &["-32768", "32767"]),
        ("int4", &["-2147483648", "2147483647"]),
        ("int8", &["-9223372036854775808", "9223372036854775807"]),
        ("float4", &["-1.5", "3.4028235e38", "NaN", "-Infinity"]),
        ("float8", &["0.1", "5e-324", "1.7976931348623157e308", "NaN", "Infinity"]),
        ("numeric", &["0", "-1.50", "12345678901234567890.123456789", "1e-20", "NaN"]),
        ("text", &["", "ä€😀", "tab\tline\n"]),
        ("varchar", &["abc"]),
        ("bpchar", &["ab"]),
        ("name", &["abc"]),
        ("bytea", &["\\x", "\\x00ff27"]),
        ("date", &["0002-01-01", "1970-01-01", "9998-12-31"]),
        ("time", &["00:00:00", "23:59:59.999999"]),
        ("timestamp", &["1969-12-31 23:59:59.999999", "9998-12-31 23:59:59"]),
        ("timestamptz", &["2024-03-31 01:30:00.123456+00"]),
        ("interval", &["1 mon 2 days 03:02:04.5", "-3 days"]),
        ("uuid", &["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
        ("json", &["{\"a\": [1, null]}"]),
        ("jsonb", &["{\"a\": [1, null]}"]),
        ("int4[]", &["{}", "{1,2,NULL}", "{{1,2},{3,4}}"]),
        ("text[]", &["{a,\"b c\",NULL,\"\"}"]),
        ("oid", &["4294967295"]),
    ];
    for (ty, literals) in VALUES {
        let read = client.prepare(&format!("SELECT $1::text::{ty}")).await.unwrap();
        let back = client.prepare(&format!("SELECT ($1::{ty})::text, ($1::{ty}) IS NULL")).await.unwrap();
        for literal in *literals {
            let value: Raw = client.query_one(&read, &[literal]).await.unwrap().get(0);
            let row = client.query_one(&back, &[&value]).await.unwrap();
            let direct = client.query_one(&format!("SELECT ('{literal}'::{ty})::text"), &[]).await.unwrap();
            assert_eq!(row.get::<_, &str>(0), direct.get::<_, &str>(0), "{ty} {literal}");
        }
        let null = client.query_one(&back, &[&Raw(None)]).await.unwrap();
        assert!(null.get::<_, bool>(1), "{ty} null");
    }
}

/// A value's bytes on the wire, whatever its type.
#[derive(Debug)]
struct Raw(Option<Vec<u8>>);

impl<'a> tokio_postgres::types::FromSql<'a> for Raw {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(Some(raw.to_vec())))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl tokio_postgres::types::ToSql for Raw {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut bytes::BytesMut,
    ) -> Result<tokio_postgres::types::IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match &self.0 {
            Some(bytes) => {
                out.extend_from_slice(bytes);
                Ok(tokio_postgres::types::IsNull::No)
            }
            None => Ok(tokio_postgres::types::IsNull::Yes),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    tokio_postgres::types::to_sql_checked!();
}

async fn transactions_commit_and_roll_back(client: &mut Client) {
    client.batch_execute("CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL)").await.unwrap();
    let transaction = client.transaction().await.unwrap();
    transaction.execute("INSERT INTO account VALUES (1, 10)", &[]).await.unwrap();
    transaction.commit().await.unwrap();
    let mut transaction = client.transaction().await.unwrap();
    let savepoint = transaction.transaction().await.unwrap();
    savepoint.execute("UPDATE account SET balance = 0", &[]).await.unwrap();
    savepoint.rollback().await.unwrap();
    transaction.execute("INSERT INTO account VALUES (2, 20)", &[]).await.unwrap();
    transaction.rollback().await.unwrap();
    let rows = client.query("SELECT id, balance FROM account", &[]).await.unwrap();
    let rows: Vec<(i32, i32)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(rows, [(1, 10)]);
}

async fn errors_have_their_sqlstate(client: &Client) {
    for (sql, code) in [
        ("SELEC 1", SqlState::SYNTAX_ERROR),
        ("SELECT * FROM nowhere", SqlState::UNDEFINED_TABLE),
        ("SELECT nothing FROM account", SqlState::UNDEFINED_COLUMN),
        ("SELECT 1 / 0", SqlState::DIVISION_BY_ZERO),
        ("SELECT 'x'::int4", SqlState::INVALID_TEXT_REPRESENTATION),
        ("INSERT INTO account VALUES (1, 1)", SqlState::UNIQUE_VIOLATION),
        ("INSERT INTO account VALUES (3, NULL)", SqlState::NOT_NULL_VIOLATION),
    ] {
        let error = client.simple_query(sql).await.unwrap_err();
        assert_eq!(error.code(), Some(&code), "{sql}: {error}");
    }
}

async fn copy_goes_both_ways(client: &Client) {
    client.batch_execute("CREATE TABLE copied (id int, name text)").await.unwrap();
    let sink = client.copy_in::<_, Bytes>("COPY copied FROM STDIN").await.unwrap();
    let mut sink = std::pin::pin!(sink);
    for chunk in ["1\tone\n2\t", "\\N\n3\tthr", "ee\n"] {
        sink.send(Bytes::from(chunk)).await.unwrap();
    }
    assert_eq!(sink.as_mut().finish().await.unwrap(), 3);
    let stream = client.copy_out("COPY (SELECT * FROM copied ORDER BY id) TO STDOUT (FORMAT csv)").await.unwrap();
    let bytes: Vec<Bytes> = stream.try_collect().await.unwrap();
    assert_eq!(bytes.concat(), b"1,one\n2,\n3,three\n");
    // Binary out is binary in.
    let stream = client.copy_out("COPY copied TO STDOUT (FORMAT binary)").await.unwrap();
    let bytes: Vec<Bytes> = stream.try_collect().await.unwrap();
    let sink = client.copy_in::<_, Bytes>("COPY copied FROM STDIN (FORMAT binary)").await.unwrap();
    let mut sink = std::pin::pin!(sink);
    sink.send(Bytes::from(bytes.concat())).await.unwrap();
    assert_eq!(sink.as_mut().finish().await.unwrap(), 3);
    // Rows that the condition refuses do not count, nor need they pass the table's own checks.
    client.batch_execute("CREATE TABLE chosen (id int CHECK (id < 9), name text DEFAULT 'none')").await.unwrap();
    let sink = client.copy_in::<_, Bytes>("COPY chosen (id) FROM STDIN WHERE id BETWEEN 2 AND 8 AND name = 'none'");
    let sink = sink.await.unwrap();
    let mut sink = std::pin::pin!(sink);
    sink.send(Bytes::from("1\n2\n8\n9\n\\N\n")).await.unwrap();
    assert_eq!(sink.as_mut().finish().await.unwrap(), 2);
}

async fn a_running_query_is_cancelled(guarded: &Guarded, client: &Client) {
    let token = client.cancel_token();
    let endless = client.simple_query("SELECT count(*) FROM generate_series(1, 100000000000)");
    let cancel = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        token.cancel_query(guarded.connect.clone()).await.unwrap();
    };
    let (outcome, ()) = tokio::join!(endless, cancel);
    assert_eq!(outcome.unwrap_err().code(), Some(&SqlState::QUERY_CANCELED));
    client.batch_execute("SELECT 1").await.unwrap();
}

/// Rows that a million-row answer has.
const MILLION: i64 = 1_000_000;

async fn a_million_rows_by_cursor_and_by_portal(guarded: &Guarded, client: &mut Client) {
    client
        .batch_execute("CREATE TABLE million AS SELECT g AS id, md5(g::text) AS pad FROM generate_series(1, 1000000) g")
        .await
        .unwrap();
    let before = resident_bytes(guarded.server.pid());
    let transaction = client.transaction().await.unwrap();
    transaction.batch_execute("DECLARE c NO SCROLL CURSOR FOR SELECT id, pad FROM million").await.unwrap();
    let (mut rows, mut sum, mut most) = (0, 0, before);
    loop {
        let fetched = transaction.query("FETCH 10000 FROM c", &[]).await.unwrap();
        if fetched.is_empty() {
            break;
        }
        rows += fetched.len() as i64;
        sum += fetched.iter().map(|row| i64::from(row.get::<_, i32>(0))).sum::<i64>();
        most = most.max(resident_bytes(guarded.server.pid()));
    }
    assert_eq!((rows, sum), (MILLION, MILLION * (MILLION + 1) / 2));
    // Suspended portals: Execute with a limit, again and again.
    let portal = transaction.bind("SELECT id, pad FROM million", &[]).await.unwrap();
    let mut rows = 0;
    loop {
        let fetched = transaction.query_portal(&portal, 10_000).await.unwrap();
        if fetched.is_empty() {
            break;
        }
        rows += fetched.len() as i64;
        most = most.max(resident_bytes(guarded.server.pid()));
    }
    assert_eq!(rows, MILLION);
    transaction.commit().await.unwrap();
    // A streamed answer that the client reads slowly.
    let stream = client.simple_query_raw("SELECT id, pad FROM million").await.unwrap();
    let mut stream = std::pin::pin!(stream);
    let mut rows = 0;
    while let Some(message) = stream.next().await {
        rows += i64::from(matches!(message.unwrap(), SimpleQueryMessage::Row(_)));
        if rows % 100_000 == 0 {
            most = most.max(resident_bytes(guarded.server.pid()));
        }
    }
    assert_eq!(rows, MILLION);
    // The rows are about 37 MB; none of the three readers makes the server hold them all.
    let grown = most.saturating_sub(before) >> 20;
    assert!(grown < 64, "the server grew by {grown} MiB");
}

/// Memory that a process holds.
fn resident_bytes(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is there");
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).expect("RssAnon");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<usize>().ok()).expect("a number") << 10
}
