//! Statements through a session, without the protocol: short ones, which need no plan, and how long it takes to plan long ones (parse to
//! physical plan of the 22 queries of TPC-H, on empty tables). The goals: 5 ms for each of those, 50 µs to parse and bind a short one.

use aegis_engine::session::protocol::{ConnectRequest, Fetched, Format, Response};
use aegis_engine::{Compaction, Config, Engine, Session};
use bytes::Bytes;
use criterion::Criterion;
use tempfile::TempDir;
use tokio::runtime::Runtime;

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

/// Rows of the table that short statements use, half of them in a segment.
const ROWS: usize = 200_000;

struct Server {
    runtime: Runtime,
    session: Session,
    _folder: TempDir,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
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
        let runtime = Runtime::new().unwrap();
        let engine = runtime.block_on(Engine::open(config)).unwrap();
        let request = ConnectRequest {
            user: "postgres".to_owned(),
            database: Some("postgres".to_owned()),
            ..ConnectRequest::default()
        };
        let session = engine.connect(request).unwrap();
        Self { runtime, session, _folder: folder }
    }

    /// Runs a script.
    fn run(&mut self, script: &str) {
        for statement in statements(script) {
            self.prepare("", statement);
            self.execute("", &[]);
        }
    }

    fn prepare(&mut self, name: &str, sql: &str) {
        self.runtime.block_on(self.session.prepare(name, sql, &[])).expect(sql);
    }

    /// Bind, Execute and Sync of a prepared statement; how many rows there are.
    fn execute(&mut self, name: &str, values: &[String]) -> usize {
        let values: Vec<_> = values.iter().map(|value| Some(Bytes::from(value.clone()))).collect();
        let Self { runtime, session, .. } = self;
        runtime.block_on(async {
            session.bind("", name, &values, &[], &[Format::Text]).await.unwrap();
            let mut rows = 0;
            if let Response::Rows { .. } = session.execute("").await.unwrap() {
                while let Fetched::Batch(batch) = session.fetch("", None).await.unwrap() {
                    rows += batch.num_rows();
                }
            }
            session.sync().await.unwrap();
            rows
        })
    }

    /// Parse and Bind of a new text.
    fn parse_and_bind(&mut self, sql: &str) {
        let Self { runtime, session, .. } = self;
        runtime.block_on(async {
            session.prepare("new", sql, &[]).await.unwrap();
            session.bind("", "new", &[], &[], &[Format::Text]).await.unwrap();
        });
    }

    fn forget(&mut self) {
        self.session.close_statement("new").unwrap();
        self.runtime.block_on(self.session.sync()).unwrap();
    }

    fn stop(self) {
        self.runtime.block_on(self.session.close());
    }
}

fn statements(script: &str) -> impl Iterator<Item = &str> {
    script.split(';').map(str::trim).filter(|statement| !statement.is_empty())
}

pub fn short(c: &mut Criterion) {
    let mut server = Server::start();
    let half = ROWS / 2;
    server.run(&format!(
        "CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL, name text);
         INSERT INTO accounts SELECT g, 0, 'account ' || g FROM generate_series(1, {half}) g;
         CHECKPOINT;
         INSERT INTO accounts SELECT g, 0, 'account ' || g FROM generate_series({half} + 1, {ROWS}) g"
    ));
    server.prepare("one", "SELECT 1");
    server.prepare("select", "SELECT balance FROM accounts WHERE id = $1");
    server.prepare("update", "UPDATE accounts SET balance = balance + $2 WHERE id = $1");
    server.prepare("insert", "INSERT INTO accounts VALUES ($1, $2, 'new')");
    server.prepare("delete", "DELETE FROM accounts WHERE id = $1");
    let mut group = c.benchmark_group("statement");
    let (mut at, mut new) = (0, ROWS);
    let mut any = || {
        at = (at + 7919) % ROWS;
        (at + 1).to_string()
    };
    group.bench_function("SELECT 1, prepared", |b| b.iter(|| assert_eq!(server.execute("one", &[]), 1)));
    group.bench_function("SELECT by key, prepared", |b| {
        b.iter(|| assert_eq!(server.execute("select", &[any()]), 1));
    });
    group.bench_function("SELECT by key, parse and bind", |b| {
        b.iter(|| {
            server.parse_and_bind("SELECT balance FROM accounts WHERE id = 1");
            server.forget();
        });
    });
    group.bench_function("UPDATE by key, prepared, synced", |b| {
        b.iter(|| server.execute("update", &[any(), "1".into()]))
    });
    server.run("SET synchronous_commit = off");
    group.bench_function("UPDATE by key, prepared", |b| b.iter(|| server.execute("update", &[any(), "1".into()])));
    group.bench_function("INSERT and DELETE, prepared", |b| {
        b.iter(|| {
            new += 1;
            server.execute("insert", &[new.to_string(), "1".into()]);
            server.execute("delete", &[new.to_string()]);
        });
    });
    group.finish();
    server.stop();
}

pub fn planning(c: &mut Criterion) {
    let mut server = Server::start();
    server.run(SCHEMA);
    let mut group = c.benchmark_group("EXPLAIN");
    group.sample_size(20);
    for (number, query) in (1..).zip(statements(include_str!("../tpch_queries.sql"))) {
        let explain = format!("EXPLAIN {query}");
        group.bench_function(format!("TPC-H Q{number}"), |b| b.iter(|| server.run(&explain)));
    }
    group.finish();
    server.stop();
}
