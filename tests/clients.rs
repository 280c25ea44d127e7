//! PostgreSQL's own tools against Aegis, with the results that they have against PostgreSQL 15: `pg_dump` and `pg_restore` there and back,
//! `postgres_fdw`, `pgbench`.

mod support;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use support::{Aegis, Postgres, Server};

/// The name that `describe/schema.sql` gives its database.
const DATABASE: &str = "describe_db";

fn both() -> Option<(Postgres, Aegis)> {
    let Some(postgres) = Postgres::start() else {
        eprintln!("PostgreSQL 15 is not installed: its tools are not there");
        return None;
    };
    Some((postgres, Aegis::start()))
}

fn client(program: &str, server: &dyn Server, database: &str) -> Command {
    let address = server.address();
    let mut command = Command::new(program);
    command.args(["-h", &address.ip().to_string(), "-p", &address.port().to_string(), "-U", "postgres"]);
    // pg_dumpall takes nothing else there.
    command.args(["-d", &format!("dbname={database}")]).env("PGTZ", "Etc/UTC").env("PSQLRC", "/dev/null");
    command
}

/// What a program prints; it must succeed.
fn output(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("the program runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {errors}\n{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stdout).expect("the output is text")
}

/// What psql prints for a script, with the errors in their places if it may have some.
fn psql(server: &dyn Server, database: &str, script: &str, may_fail: bool) -> String {
    let mut command = client("psql", server, database);
    command.args(["-X", "-q", "-A", "-v", if may_fail { "ON_ERROR_STOP=0" } else { "ON_ERROR_STOP=1" }, "-f", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    // One pipe for both, so that errors stand where they came.
    let mut child = match may_fail {
        true => Command::new("sh")
            .args(["-c", "exec \"$@\" 2>&1", "sh"])
            .arg(command.get_program())
            .args(command.get_args())
            .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn(),
        false => command.stderr(Stdio::piped()).spawn(),
    }
    .expect("psql runs");
    let mut input = child.stdin.take().expect("stdin is piped");
    let script = script.to_owned();
    let writer = std::thread::spawn(move || input.write_all(script.as_bytes()));
    let output = child.wait_with_output().expect("psql ends");
    writer.join().expect("the writer ends").expect("psql reads its script");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(may_fail || output.status.success(), "psql failed: {errors}");
    String::from_utf8(output.stdout).expect("the output is text")
}

fn script(name: &str) -> String {
    std::fs::read_to_string(Path::new("tests").join(name)).expect("a file of the test")
}

fn load(server: &dyn Server) {
    psql(server, "postgres", &format!("CREATE DATABASE {DATABASE};"), false);
    psql(server, DATABASE, &script("describe/schema.sql"), false);
    psql(server, DATABASE, &script("clients/data.sql"), false);
}

/// The rows of all tables and the states of all sequences, in an order of their own.
fn contents(server: &dyn Server, database: &str) -> String {
    let tables = "SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        WHERE relkind IN ('r', 'm', 'p') AND nspname NOT IN ('pg_catalog', 'information_schema') AND relpersistence <> 't'
        ORDER BY c.oid::regclass::text COLLATE \"C\";";
    let tables = psql(server, database, &format!("\\t\n{tables}"), false);
    let mut script = String::from("\\pset null NULL\n");
    for table in tables.lines().filter(|line| !line.is_empty() && !line.starts_with("Tuples")) {
        let _ = writeln!(script, "\\echo {table}\nSELECT t.* FROM {table} t ORDER BY t::text COLLATE \"C\";");
    }
    script.push_str("SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 1, 2;\n");
    psql(server, database, &script, false)
}

#[test]
fn dumps_are_read_back_by_both_servers() {
    let Some((postgres, aegis)) = both() else { return };
    load(&aegis);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (plain, archive) = (folder.path().join("plain.sql"), folder.path().join("archive"));
    output(client("pg_dump", &aegis, DATABASE).arg("-f").arg(&plain));
    output(client("pg_dump", &aegis, DATABASE).args(["-Fc", "-f"]).arg(&archive));
    let roles = output(client("pg_dumpall", &aegis, DATABASE).arg("--roles-only"));
    let roles: String =
        roles.lines().filter(|line| !line.contains("ROLE postgres")).map(|line| format!("{line}\n")).collect();
    psql(&postgres, "postgres", &roles, false);

    let before = contents(&aegis, DATABASE);
    for server in [&postgres as &dyn Server, &aegis] {
        psql(server, "postgres", "CREATE DATABASE plain; CREATE DATABASE archived;", false);
        psql(server, "plain", &std::fs::read_to_string(&plain).expect("the dump"), false);
        assert_eq!(contents(server, "plain"), before, "rows differ after a script was read back");
        output(client("pg_restore", server, "archived").arg("-j2").arg(&archive));
        assert_eq!(contents(server, "archived"), before, "rows differ after an archive was read back");
    }
    // The rows of a dump are the same text whoever makes it.
    let rows = |server: &dyn Server| {
        let text = output(client("pg_dump", server, "plain").arg("--data-only"));
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.retain(|line| {
            !line.starts_with("--") && !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict")
        });
        lines.sort();
        lines
    };
    assert_eq!(rows(&postgres), rows(&aegis));
}

/// A text without what tells two dumps of the same database apart.
fn without_keys(dump: &str) -> String {
    dump.lines()
        .filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// What of `clients/timeseries.sql` is rows of plain tables and views of them.
const SERIES_ROWS: &str = "SET timezone = 'UTC'; SELECT * FROM app.m ORDER BY 1, 2; SELECT * FROM public.\"Odd Name\" ORDER BY 1, 2;
    SELECT * FROM public.ints ORDER BY 1; SELECT * FROM public.days ORDER BY 1; SELECT * FROM public.plain; SELECT * FROM app.hourly ORDER BY 1, 2;";

/// A dump of a database with hypertables is one again in Aegis, with its continuous aggregates, policies and jobs; PostgreSQL keeps the rows.
#[test]
fn hypertables_come_back_from_dumps() {
    let Some((postgres, aegis)) = both() else { return };
    let state = |database: &str| psql(&aegis, database, &script("clients/timeseries_state.sql"), false);
    psql(
        &aegis,
        "postgres",
        "CREATE DATABASE series; CREATE DATABASE plain; CREATE DATABASE archived; CREATE DATABASE empty;",
        false,
    );
    psql(&aegis, "series", &script("clients/timeseries.sql"), false);
    let (before, rows) = (state("series"), psql(&aegis, "series", SERIES_ROWS, false));
    let dump = output(client("pg_dump", &aegis, "series").args(["--no-sync"]));
    psql(&aegis, "plain", &dump, false);
    assert_eq!(state("plain"), before, "a script");
    assert_eq!(
        without_keys(&output(&mut client("pg_dump", &aegis, "plain"))),
        without_keys(&dump),
        "a dump of what was read back"
    );

    // As TimescaleDB's documentation has it, and by several sessions at once.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let archive = folder.path().join("archive");
    output(client("pg_dump", &aegis, "series").args(["-Fc", "-f"]).arg(&archive));
    psql(&aegis, "archived", "CREATE EXTENSION timescaledb; SELECT timescaledb_pre_restore();", false);
    output(client("pg_restore", &aegis, "archived").args(["-j2"]).arg(&archive));
    psql(&aegis, "archived", "SELECT timescaledb_post_restore();", false);
    assert_eq!(state("archived"), before, "an archive");

    // What is out of date is brought up to date, late rows are seen, and rows without their source stay.
    for database in ["series", "plain", "archived"] {
        let late = "INSERT INTO app.m VALUES ('2024-01-08 00:30', 'later', 7);
            CALL refresh_continuous_aggregate('app.hourly', NULL, NULL); CALL refresh_continuous_aggregate('app.\"Daily\"', NULL, NULL);
            SELECT device, count(*), min(bucket) FROM app.hourly GROUP BY 1 ORDER BY 1; SELECT * FROM app.\"Daily\" ORDER BY 1, 2;";
        let shown = psql(&aegis, database, &format!("SET timezone = 'UTC';\n{late}"), false);
        assert_eq!(
            shown,
            psql(
                &aegis,
                "series",
                "SET timezone = 'UTC'; SELECT device, count(*), min(bucket) FROM app.hourly GROUP BY 1 ORDER BY 1; SELECT * FROM app.\"Daily\" ORDER BY 1, 2;",
                false
            )
        );
        assert!(
            shown.contains("late|1|2024-01-07 00:00:00+00") && shown.contains("later|1|2024-01-08 00:00:00+00"),
            "{shown}"
        );
        assert!(shown.contains("d1|217|2024-01-01 00:00:00+00"), "{shown}");
    }

    // The schema alone makes hypertables too.
    let schema = output(client("pg_dump", &aegis, "series").args(["--schema-only"]));
    psql(&aegis, "empty", &schema, false);
    let count = |database: &str| {
        let sql = "SELECT (SELECT count(*) FROM timescaledb_information.hypertables), (SELECT count(*) FROM timescaledb_information.continuous_aggregates);";
        psql(&aegis, database, &format!("\\t\n{sql}"), false)
    };
    assert_eq!(count("empty"), "4|3\n");

    psql(&postgres, "postgres", "CREATE DATABASE series; CREATE ROLE series_keeper;", false);
    psql(&postgres, "series", &dump, true);
    assert_eq!(psql(&postgres, "series", SERIES_ROWS, false), rows);
}

/// `clients/foreign.sql` runs in a PostgreSQL 15 over a server in Aegis, and over one in a PostgreSQL 15.
#[test]
fn foreign_tables_of_postgresql_are_the_same_in_aegis() {
    let Some((postgres, aegis)) = both() else { return };
    load(&postgres);
    load(&aegis);
    let mut outputs = Vec::new();
    for (database, server) in [("over_postgresql", &postgres as &dyn Server), ("over_aegis", &aegis)] {
        psql(&postgres, "postgres", &format!("CREATE DATABASE {database};"), false);
        let place = format!("\\set port {}\n\\set remote {DATABASE}\n", server.address().port());
        outputs.push(psql(&postgres, database, &(place + &script("clients/foreign.sql")), true));
    }
    assert_eq!(outputs[0], outputs[1], "postgres_fdw sees something else than in PostgreSQL");
}

#[test]
fn pgbench_runs_its_scripts_with_every_protocol() {
    let Some((_postgres, aegis)) = both() else { return };
    psql(&aegis, "postgres", "CREATE DATABASE bench;", false);
    let pgbench = |arguments: &[&str]| {
        let (host, port) = (aegis.address().ip().to_string(), aegis.address().port().to_string());
        let mut command = Command::new("pgbench");
        output(command.args(["-h", &host, "-p", &port, "-U", "postgres"]).args(arguments).arg("bench"))
    };
    pgbench(&["-i", "-s1", "-I", "dtgvpf", "--quiet"]);
    pgbench(&["-i", "-s1", "-I", "dtGvpf", "--quiet"]);
    for protocol in ["simple", "extended", "prepared"] {
        for built_in in ["tpcb-like", "simple-update", "select-only"] {
            let report = pgbench(&["-n", "-M", protocol, "-b", built_in, "-c2", "-t20"]);
            assert!(report.contains("number of transactions actually processed: 40/40"), "{report}");
            assert!(report.contains("number of failed transactions: 0 "), "{report}");
        }
    }
    let sums = "SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history),
        (SELECT sum(bbalance) FROM pgbench_branches) = (SELECT sum(tbalance) FROM pgbench_tellers);";
    assert_eq!(psql(&aegis, "bench", &format!("\\t\n{sums}"), false).lines().last(), Some("t|t"));
}
