//! Points over HTTP as InfluxDB's clients send them: what is stored, what is refused, and how that is said.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use support::{Aegis, Server};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// Status and body.
fn post(server: &Aegis, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(server.http_address).expect("a connection");
    let mut request =
        format!("POST {path} HTTP/1.1\r\nHost: aegis\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).expect("the head is sent");
    // A server that has refused already may have closed.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).expect("the answer is text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status"), body.to_owned())
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

async fn connect(server: &Aegis) -> Client {
    let (client, connection) = server.config("postgres").connect(NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

/// Rows as `a|b`, joined by spaces.
async fn rows(client: &Client, sql: &str) -> String {
    let found = client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let rows = found.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|column| row.get(column).unwrap_or("-")).collect::<Vec<_>>().join("|"))
        }
        _ => None,
    });
    rows.collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn points_become_rows() {
    let server = Aegis::start();
    let client = connect(&server).await;
    client.batch_execute("SET timezone = 'UTC'").await.expect("the setting is taken");

    // All versions write to one table, which grows as they do.
    let first = b"cpu,host=a usage=0.5,cores=4i,up=t 1700000000000000001\ncpu,host=b usage=1 1700000000000000000\n";
    assert_eq!(post(&server, "/write?db=postgres", &[], first), (204, String::new()));
    let second = b"cpu,host=a,region=eu usage=2i,os=\"li\\\"nux\" 1700000001";
    assert_eq!(post(&server, "/api/v2/write?bucket=postgres&org=o&precision=s", &[], second), (204, String::new()));
    let third = b"cpu,host=c usage=3.25 1700000002000\n";
    assert_eq!(post(&server, "/api/v3/write_lp?db=postgres", &[], third), (204, String::new()));
    let columns = "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute \
                   WHERE attrelid = 'public.cpu'::regclass AND attnum > 0 ORDER BY attnum";
    assert_eq!(
        rows(&client, columns).await,
        "time|timestamp with time zone|t host|text|f usage|double precision|f cores|bigint|f up|boolean|f region|text|f os|text|f"
    );
    let all = "SELECT extract(epoch FROM time)::bigint - 1700000000, host, usage, cores, up, region, os FROM cpu ORDER BY host, time";
    assert_eq!(rows(&client, all).await, "0|a|0.5|4|t|-|- 1|a|2|-|-|eu|li\"nux 0|b|1|-|-|-|- 2|c|3.25|-|-|-|-");

    // Without a timestamp: now. Names are quoted, a table of the user's own types takes what fits.
    client
        .batch_execute("CREATE TABLE \"My \"\"table\" (time timestamp, n smallint, note text DEFAULT 'none')")
        .await
        .expect("the table is created");
    assert_eq!(post(&server, "/write?db=postgres", &[], b"My\\ \"table n=7i").0, 204);
    let recent = "SELECT n, note, time > now() - interval '1 hour' FROM \"My \"\"table\"";
    assert_eq!(rows(&client, recent).await, "7|none|t");

    // The first and the last time that there is.
    let ends = b"ends v=1 -210866803200000000\nends v=2 9223372036854775806";
    assert_eq!(post(&server, "/write?db=postgres&precision=us", &[], ends), (204, String::new()));
    assert_eq!(
        rows(&client, "SELECT time FROM ends ORDER BY time").await,
        "4714-11-24 00:00:00+00 BC 294247-01-10 04:00:54.775806+00"
    );

    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let many: String = (0..20_000).map(|i| format!("many,tag=t{} v={i}i {}\n", i % 7, 1_700_000_000 + i)).collect();
    encoder.write_all(many.as_bytes()).expect("it is packed");
    let packed = encoder.finish().expect("it is packed");
    assert_eq!(post(&server, "/write?db=postgres&precision=s", &[("Content-Encoding", "gzip")], &packed).0, 204);
    assert_eq!(
        rows(&client, "SELECT count(*), sum(v), count(DISTINCT tag), max(time) FROM many").await,
        "20000|199990000|7|2023-11-15 03:46:39+00"
    );

    // With timescaledb, tables are hypertables.
    client.batch_execute("CREATE EXTENSION timescaledb").await.expect("the extension is there");
    let sensor = b"sensor,id=a v=1 1700000000\nsensor,id=a v=2 1800000000\n";
    assert_eq!(post(&server, "/write?db=postgres&precision=s", &[], sensor), (204, String::new()));
    assert_eq!(post(&server, "/write?db=postgres&precision=s", &[], b"sensor,id=b w=1i 1"), (204, String::new()));
    let hypertables = "SELECT hypertable_schema, hypertable_name, num_chunks FROM timescaledb_information.hypertables";
    assert_eq!(rows(&client, hypertables).await, "public|sensor|3");
    assert_eq!(rows(&client, "SELECT id, v, w FROM sensor ORDER BY time").await, "b|-|1 a|1|- a|2|-");
    assert_eq!(server.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_at_once_make_one_table() {
    let server = std::sync::Arc::new(Aegis::start());
    let client = connect(&server).await;
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let server = std::sync::Arc::clone(&server);
            std::thread::spawn(move || {
                for round in 0..5 {
                    let text: String =
                        (0..100).map(|i| format!("m,w=w{writer} v={i}i,f{writer}_{round}=1 {i}\n")).collect();
                    assert_eq!(post(&server, "/write?db=postgres", &[], text.as_bytes()), (204, String::new()));
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().expect("all writes succeed");
    }
    let counts = "SELECT count(*), sum(v), count(f0_0), count(f7_4), count(DISTINCT w) FROM m";
    assert_eq!(rows(&client, counts).await, "4000|198000|100|100|8");
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_do_not_fit_cost_themselves_alone() {
    let server = Aegis::start();
    let client = connect(&server).await;
    let wide: String = (0..10_000).map(|i| format!(",f{i}=1")).collect();
    let text = format!(
        "m,host=a v=1i 1\n# comment\nm v=NaN 2\nm,host=a v=1.5 3\nm host=2 4\nm v=1i 9999999999999999\nm a=1{wide} 6\nm ctid=1 7\nm time=1 8\nm,v=x v=2i 9\nm v=18446744073709551615u 10\nbroken\nm,host=z v=2i 11\n"
    );
    let (status, body) = post(&server, "/write?db=postgres&precision=s", &[], text.as_bytes());
    assert_eq!(status, 400, "{body}");
    let answer = json(&body);
    let lines: Vec<String> = answer["lines"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|line| format!("{}:{}", line["line_number"], line["sqlstate"].as_str().expect("a code")))
        .collect();
    assert_eq!(
        lines,
        [
            "3:22P02", "4:42804", "5:42804", "6:22008", "7:54011", "8:42701", "9:42701", "10:42804", "11:22003",
            "12:22P02"
        ]
    );
    let message = answer["error"].as_str().expect("a message");
    assert!(message.starts_with("partial write: unable to parse line 3 'm v=NaN 2': NaN"), "{message}");
    assert!(message.ends_with("dropped=10"), "{message}");
    assert_eq!(rows(&client, "SELECT host, v, extract(epoch FROM time)::int FROM m ORDER BY v").await, "a|1|1 z|2|11");
    assert_eq!(
        rows(&client, "SELECT count(*) FROM pg_attribute WHERE attrelid = 'm'::regclass AND attnum > 0").await,
        "3"
    );

    // Version 3 may be told to store all or nothing.
    let mixed = b"m v=5i 12\nm v=oops 13";
    let (status, body) =
        post(&server, "/api/v3/write_lp?db=postgres&precision=second&accept_partial=false", &[], mixed);
    assert_eq!((status, &json(&body)["data"]["line_number"]), (400, &serde_json::json!(2)), "{body}");
    let (status, body) = post(&server, "/api/v3/write_lp?db=postgres&precision=second", &[], mixed);
    assert_eq!((status, &json(&body)["data"][0]["original_line"]), (400, &serde_json::json!("m v=oops 13")), "{body}");
    assert_eq!(rows(&client, "SELECT count(*) FROM m WHERE v = 5").await, "1");

    // A constraint of the table refuses the whole request.
    client.batch_execute("CREATE TABLE strict (time timestamptz PRIMARY KEY, v float8)").await.expect("it is created");
    let (status, body) =
        post(&server, "/api/v2/write?bucket=postgres", &[], b"strict v=1 1\nother v=1 1\nstrict v=2 1");
    assert_eq!((status, &json(&body)["sqlstate"]), (400, &serde_json::json!("23505")), "{body}");
    assert_eq!(rows(&client, "SELECT (SELECT count(*) FROM strict) + (SELECT count(*) FROM other)").await, "0");

    for (path, expected) in [
        ("/write", 400),
        ("/write?db=nowhere", 404),
        ("/write?db=postgres&precision=day", 400),
        ("/api/v2/write?bucket=postgres&precision=h", 400),
        ("/api/v3/write_lp", 400),
    ] {
        let (status, body) = post(&server, path, &[], b"m v=1i");
        assert_eq!(status, expected, "{path}: {body}");
        assert!(json(&body)["error"].is_string(), "{path}: {body}");
    }
    assert_eq!(post(&server, "/write?db=postgres", &[("Content-Encoding", "br")], b"m v=1i").0, 415);
    assert_eq!(post(&server, "/write?db=postgres", &[("Content-Encoding", "gzip")], b"m v=1i").0, 400);
    assert_eq!(post(&server, "/write?db=postgres", &[], &vec![b'\n'; (16 << 20) + 1]).0, 413);
    assert_eq!(server.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_prove_who_they_are() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let server = Aegis::start_on(&data, &[]);
    let client = connect(&server).await;
    client
        .batch_execute("ALTER ROLE postgres PASSWORD 'first'; CREATE ROLE writer LOGIN PASSWORD 'secret'; CREATE TABLE m (time timestamptz, v float8); GRANT INSERT ON m TO writer")
        .await
        .expect("the role is created");
    drop(client);
    server.stop();

    let server = Aegis::start_on(&data, &["--auth", "scram-sha-256"]);
    let ways: [(&str, &[(&str, &str)], u16); 8] = [
        ("/write?db=postgres", &[], 401),
        ("/write?db=postgres&u=writer&p=wrong", &[], 401),
        ("/write?db=postgres&u=writer&p=secret", &[], 204),
        ("/write?db=postgres", &[("Authorization", "Basic d3JpdGVyOnNlY3JldA==")], 204),
        ("/api/v2/write?bucket=postgres", &[("Authorization", "Token writer:secret")], 204),
        ("/api/v2/write?bucket=postgres", &[("Authorization", "Token writer:wrong")], 401),
        ("/api/v3/write_lp?db=postgres", &[("Authorization", "Bearer writer:secret")], 204),
        ("/api/v3/write_lp?db=postgres", &[("Authorization", "Bearer nobody:secret")], 401),
    ];
    for (path, headers, expected) in ways {
        let (status, body) = post(&server, path, headers, b"m v=1");
        assert_eq!(status, expected, "{path}: {body}");
    }
    // A role that may not make tables or columns.
    assert_eq!(post(&server, "/write?db=postgres&u=writer&p=secret", &[], b"new_table v=1").0, 403);
    assert_eq!(server.stop(), Some(0));
}

/// A field of a Protocol Buffers message that has bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length > 0x7f {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(bytes);
    out
}

/// A series of Prometheus's remote write: labels, and values at milliseconds.
fn series(labels: &[(&str, &str)], samples: &[(f64, u64)]) -> Vec<u8> {
    let label =
        |(name, value): &(&str, &str)| field(1, &[field(1, name.as_bytes()), field(2, value.as_bytes())].concat());
    let sample = |(value, time): &(f64, u64)| {
        let mut out = vec![1 << 3 | 1];
        out.extend(value.to_le_bytes());
        let (mut time, start) = (*time, out.len());
        out.push(2 << 3);
        while time > 0x7f {
            out.push(time as u8 | 0x80);
            time >>= 7;
        }
        out.push(time as u8);
        assert!(out.len() > start);
        field(2, &out)
    };
    let labels = labels.iter().flat_map(label);
    field(1, &labels.chain(samples.iter().flat_map(sample)).collect::<Vec<u8>>())
}

/// A block of snappy that compresses nothing.
fn snappy(message: &[u8]) -> Vec<u8> {
    let mut out = field(0, message).split_off(1);
    out.truncate(out.len() - message.len());
    for piece in message.chunks(1 << 16) {
        out.push(61 << 2);
        out.extend(u16::try_from(piece.len() - 1).expect("a short piece").to_le_bytes());
        out.extend_from_slice(piece);
    }
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_writes_remotely() {
    let server = Aegis::start();
    let client = connect(&server).await;
    client.batch_execute("SET timezone = 'UTC'; CREATE EXTENSION timescaledb").await.expect("the extension is there");
    let protobuf = [("Content-Encoding", "snappy"), ("Content-Type", "application/x-protobuf")];
    let write = |path: &str, message: &[u8]| post(&server, path, &protobuf, &snappy(message));
    let stale = f64::from_bits(0x7ff0_0000_0000_0002);

    let first = [
        series(
            &[("__name__", "up"), ("instance", "a:9100"), ("job", "node")],
            &[(1.0, 1_700_000_000_000), (0.0, 1_700_000_015_000)],
        ),
        series(
            &[("__name__", "up"), ("instance", "b:9100"), ("time", "x"), ("value", "y")],
            &[(1.0, 1_700_000_000_500)],
        ),
        series(
            &[("__name__", "temperature:avg")],
            &[(f64::NAN, 1), (f64::INFINITY, 2), (f64::NEG_INFINITY, 3), (stale, 4)],
        ),
        field(3, b"\x08\x01\x12\x02up"),
    ];
    assert_eq!(write("/api/v1/write", &first.concat()), (204, String::new()));
    let all = "SELECT extract(epoch FROM time)::float8 - 1700000000, instance, job, exported_time, exported_value, value FROM up ORDER BY instance, time";
    assert_eq!(rows(&client, all).await, "0|a:9100|node|-|-|1 15|a:9100|node|-|-|0 0.5|b:9100|-|x|y|1");
    assert_eq!(rows(&client, "SELECT value FROM \"temperature:avg\" ORDER BY time").await, "NaN Infinity -Infinity");
    let hypertables = "SELECT hypertable_name FROM timescaledb_information.hypertables ORDER BY 1";
    assert_eq!(rows(&client, hypertables).await, "temperature:avg up");

    // Series that cannot be stored cost themselves alone.
    let wide: Vec<String> = (0..2_000).map(|i| format!("l{i}")).collect();
    let wide: Vec<(&str, &str)> =
        std::iter::once(("__name__", "wide")).chain(wide.iter().map(|name| (name.as_str(), "x"))).collect();
    let mixed = [
        series(&[("job", "nameless")], &[(1.0, 1)]),
        series(&wide, &[(1.0, 1)]),
        series(&[("__name__", "up"), ("ctid", "1")], &[(1.0, 1)]),
        series(&[("__name__", "up"), ("job", "a"), ("job", "b")], &[(1.0, 1)]),
        series(&[("__name__", "up"), ("job", "late")], &[(1.0, u64::MAX >> 1)]),
        series(&[("__name__", "pg_views_like"), ("job", "good")], &[(7.0, 1_700_000_000_000)]),
    ];
    let (status, body) = write("/api/v1/write?db=postgres", &mixed.concat());
    assert_eq!(status, 400, "{body}");
    for part in ["1 samples stored, 5 refused", "__name__ (22023)", "(54011)", "(42701)", "(22008)"] {
        assert!(body.contains(part), "{part}: {body}");
    }
    assert_eq!(rows(&client, "SELECT job, value FROM pg_views_like").await, "good|7");
    assert_eq!(rows(&client, "SELECT count(*) FROM up").await, "3");

    // Bodies that are none, and those that would be too large.
    assert_eq!(post(&server, "/api/v1/write", &protobuf, b"").0, 400);
    assert_eq!(post(&server, "/api/v1/write", &protobuf, b"\xff\xff\xff\xff\x0f").0, 413);
    assert_eq!(write("/api/v1/write", b"\x0a\x05up").0, 400);
    assert_eq!(write("/api/v1/write?db=nowhere", &first.concat()).0, 404);
    assert_eq!(post(&server, "/api/v1/write", &[("Content-Encoding", "gzip")], b"").0, 415);
    let second = [("Content-Type", "application/x-protobuf;proto=io.prometheus.write.v2.Request")];
    assert_eq!(post(&server, "/api/v1/write", &second, b"").0, 415);
    assert_eq!(server.stop(), Some(0));
}
