//! How long planning takes: of each of the 22 queries of TPC-H (parse to physical plan, on empty tables), and of a simple prepared
//! statement (parse and bind). Run with `cargo bench -p aegis-engine --bench planning`; figures are only worth something on a quiet
//! machine. The goals: 5 ms for each query, 50 µs for the statement.

use std::time::{Duration, Instant};

use aegis_engine::session::protocol::{ConnectRequest, Fetched, Format, Response};
use aegis_engine::{Compaction, Config, Engine, Session};
use bytes::Bytes;

const SCHEMA: &str = "
    CREATE TABLE region (r_regionkey int PRIMARY KEY, r_name char(25) NOT NULL, r_comment varchar(152));
    CREATE TABLE nation (n_nationkey int PRIMARY KEY, n_name char(25) NOT NULL, n_regionkey int NOT NULL, n_comment varchar(152));
    CREATE TABLE part (p_partkey int PRIMARY KEY, p_name varchar(55) NOT NULL, p_mfgr char(25) NOT NULL, p_brand char(10) NOT NULL,
        p_type varchar(25) NOT NULL, p_size int NOT NULL, p_container char(10) NOT NULL, p_retailprice numeric(15,2) NOT NULL,
        p_comment varchar(23) NOT NULL);
    CREATE TABLE supplier (s_suppkey int PRIMARY KEY, s_name char(25) NOT NULL, s_address varchar(40) NOT NULL, s_nationkey int NOT NULL,
        s_phone char(15) NOT NULL, s_acctbal numeric(15,2) NOT NULL, s_comment varchar(101) NOT NULL);
    CREATE TABLE partsupp (ps_partkey int, ps_suppkey int, ps_availqty int NOT NULL, ps_supplycost numeric(15,2) NOT NULL,
        ps_comment varchar(199) NOT NULL, PRIMARY KEY (ps_partkey, ps_suppkey));
    CREATE TABLE customer (c_custkey int PRIMARY KEY, c_name varchar(25) NOT NULL, c_address varchar(40) NOT NULL, c_nationkey int NOT NULL,
        c_phone char(15) NOT NULL, c_acctbal numeric(15,2) NOT NULL, c_mktsegment char(10) NOT NULL, c_comment varchar(117) NOT NULL);
    CREATE TABLE orders (o_orderkey int PRIMARY KEY, o_custkey int NOT NULL, o_orderstatus char(1) NOT NULL,
        o_totalprice numeric(15,2) NOT NULL, o_orderdate date NOT NULL, o_orderpriority char(15) NOT NULL, o_clerk char(15) NOT NULL,
        o_shippriority int NOT NULL, o_comment varchar(79) NOT NULL);
    CREATE TABLE lineitem (l_orderkey int, l_partkey int NOT NULL, l_suppkey int NOT NULL, l_linenumber int,
        l_quantity numeric(15,2) NOT NULL, l_extendedprice numeric(15,2) NOT NULL, l_discount numeric(15,2) NOT NULL,
        l_tax numeric(15,2) NOT NULL, l_returnflag char(1) NOT NULL, l_linestatus char(1) NOT NULL, l_shipdate date NOT NULL,
        l_commitdate date NOT NULL, l_receiptdate date NOT NULL, l_shipinstruct char(25) NOT NULL, l_shipmode char(10) NOT NULL,
        l_comment varchar(44) NOT NULL, PRIMARY KEY (l_orderkey, l_linenumber));";

/// Runs of each; the median of them is shown.
const RUNS: usize = 21;
const STATEMENT_RUNS: usize = 2001;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(measure());
}

async fn measure() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = Config {
        data_dir: folder.path().to_owned(),
        wal_archive: None,
        memory_limit: 1 << 30,
        compaction: Compaction::default(),
        max_connections: 10,
        query_threads: 2,
        superuser_password: None,
        trust: true,
        port: 5432,
        extensions: &[],
        on_idle: || {},
    };
    let engine = Engine::open(config).await.expect("the engine opens");
    let request = ConnectRequest {
        user: "postgres".to_owned(),
        database: Some("postgres".to_owned()),
        ..ConnectRequest::default()
    };
    let mut session = engine.connect(request).expect("a session");
    for statement in SCHEMA.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
        run(&mut session, statement).await;
    }
    let queries = include_str!("tpch_queries.sql").split(';').map(str::trim).filter(|query| !query.is_empty());
    for (number, query) in (1..).zip(queries) {
        let explain = format!("EXPLAIN {query}");
        let mut times = Vec::with_capacity(RUNS);
        for _ in 0..RUNS {
            times.push(run(&mut session, &explain).await);
        }
        show(&format!("TPC-H Q{number}"), times);
    }
    let mut times = Vec::with_capacity(STATEMENT_RUNS);
    for _ in 0..STATEMENT_RUNS {
        times.push(prepared(&mut session).await);
    }
    show("parse and bind of a prepared statement", times);
    session.close().await;
}

/// Runs a statement to its end.
async fn run(session: &mut Session, sql: &str) -> Duration {
    let start = Instant::now();
    session.prepare("", sql, &[]).await.expect(sql);
    session.bind("", "", &[], &[], &[Format::Text]).await.expect(sql);
    if let Response::Rows { .. } = session.execute("").await.expect(sql) {
        while let Fetched::Batch(_) = session.fetch("", None).await.expect(sql) {}
    }
    session.sync().await.expect(sql);
    start.elapsed()
}

/// Parse and Bind of a look-up by key, with a new name each time.
async fn prepared(session: &mut Session) -> Duration {
    let value = Some(Bytes::from_static(b"1"));
    let start = Instant::now();
    let sql = "SELECT o_totalprice, o_orderdate FROM orders WHERE o_orderkey = $1";
    session.prepare("lookup", sql, &[]).await.expect(sql);
    session.bind("", "lookup", &[value], &[], &[Format::Text]).await.expect(sql);
    let elapsed = start.elapsed();
    session.close_statement("lookup").expect(sql);
    session.sync().await.expect(sql);
    elapsed
}

fn show(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    println!("{name:40} {:>10.1} µs", median.as_secs_f64() * 1e6);
}
