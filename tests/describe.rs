//! What psql describes: `tests/describe/schema.sql` is loaded into Aegis and into PostgreSQL 15, and every line of
//! `tests/describe/commands.txt` (a backslash command or a query) must give the same on both, but for what `tests/describe/differences.txt`
//! allows and explains. Then pg_dump must write the same script of both, and a database that is made from it must dump as itself.
//!
//! `cargo test --test describe -- --nocapture` shows the differences line by line.

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use support::{Aegis, Postgres, Server};

const DATABASE: &str = "describe_db";
/// Stands before the output of each command.
const MARK: &str = "@@@";

/// Objects that last as long as psql's session.
const PRELUDE: &str = "SET client_min_messages = warning;
CREATE TEMPORARY TABLE scratch (a int PRIMARY KEY, b text DEFAULT 'tmp');
CREATE TEMPORARY VIEW scratch_view AS SELECT a FROM scratch;
\\pset pager off
\\pset format unaligned
\\pset null NULL
";

fn folder() -> PathBuf {
    PathBuf::from("tests/describe")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).expect("a file of the test")
}

/// The lines that are neither empty nor comments.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
}

fn client(program: &str, server: &impl Server, database: &str) -> Command {
    let address = server.address();
    let mut command = Command::new(program);
    command.args(["-h", &address.ip().to_string(), "-p", &address.port().to_string(), "-U", "postgres"]);
    command.args(["-d", database]).env("PGTZ", "Etc/UTC").env("PSQLRC", "/dev/null");
    command
}

/// What psql prints for a script, errors after the output they belong to.
fn psql(server: &impl Server, database: &str, script: &str, stop: bool) -> String {
    let mut command = client("psql", server, database);
    command.args(["-X", "-q", "-v", if stop { "ON_ERROR_STOP=1" } else { "ON_ERROR_STOP=0" }]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("psql runs");
    let mut input = child.stdin.take().expect("stdin is piped");
    let script = script.to_owned();
    let writer = std::thread::spawn(move || input.write_all(script.as_bytes()));
    let output = child.wait_with_output().expect("psql ends");
    writer.join().expect("the writer ends").expect("psql reads its script");
    let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!stop || output.status.success(), "psql failed: {errors}");
    if stop { out.into_owned() } else { merged(&out, &errors) }
}

/// Output and errors of each command, by its number.
fn by_command(text: &str) -> BTreeMap<usize, Vec<String>> {
    let mut found: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    let mut current = None;
    for line in text.lines() {
        match line.strip_prefix(MARK).and_then(|number| number.parse().ok()) {
            Some(number) => current = Some(number),
            None => {
                if let Some(number) = current {
                    found.entry(number).or_default().push(line.to_owned());
                }
            }
        }
    }
    found
}

fn merged(out: &str, errors: &str) -> String {
    let (mut out, errors) = (by_command(out), by_command(errors));
    for (number, lines) in errors {
        out.entry(number).or_default().extend(lines);
    }
    let mut text = String::new();
    for (number, lines) in out {
        let _ = writeln!(text, "{MARK}{number}");
        lines.iter().for_each(|line| {
            let _ = writeln!(text, "{line}");
        });
    }
    text
}

fn prepare(server: &impl Server) {
    psql(server, "postgres", &format!("CREATE DATABASE {DATABASE};"), true);
    psql(server, DATABASE, &read("schema.sql"), true);
}

fn describe(server: &impl Server, commands: &[&str]) -> BTreeMap<usize, Vec<String>> {
    let mut script = PRELUDE.to_owned();
    for (number, command) in commands.iter().enumerate() {
        let _ = writeln!(script, "\\echo {MARK}{number}\n\\warn {MARK}{number}\n{command}");
    }
    let mut outputs = by_command(&psql(server, DATABASE, &script, false));
    for line in outputs.values_mut().flatten() {
        *line = without_temp_number(line);
    }
    outputs
}

/// The number of a session's temporary schema is the server's business.
fn without_temp_number(line: &str) -> String {
    const PREFIX: &str = "pg_temp_";
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(PREFIX) {
        let (before, after) = rest.split_at(at + PREFIX.len());
        out.push_str(before);
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits > 0 {
            out.push('N');
        }
        rest = &after[digits..];
    }
    out + rest
}

/// What may differ for one command.
enum Rule<'a> {
    /// The named column is not compared.
    Column(&'a str),
    /// Aegis may lack lines, each of which has one of the words in it; no word is any line.
    Fewer(Vec<&'a str>),
    /// Where PostgreSQL has the first text, Aegis has the second.
    Instead(&'a str, &'a str),
}

/// The rules by command: `command | rule | reason`.
fn rules(text: &str) -> Vec<(&str, Rule<'_>)> {
    lines(text)
        .map(|line| {
            let parts: Vec<&str> = line.split(" | ").map(str::trim).collect();
            let [command, rule, reason] = parts.as_slice() else { panic!("not a rule: {line}") };
            assert!(!reason.is_empty(), "no reason: {line}");
            let rule = match rule.split_once(' ') {
                Some(("column", name)) => Rule::Column(name),
                Some(("fewer", words)) => Rule::Fewer(words.split(", ").collect()),
                None if *rule == "fewer" => Rule::Fewer(Vec::new()),
                Some(("instead", texts)) => {
                    let (theirs, ours) = texts.split_once(" => ").expect("two texts");
                    Rule::Instead(theirs, ours)
                }
                _ => panic!("not a rule: {line}"),
            };
            (*command, rule)
        })
        .collect()
}

/// Applies a rule to both sides; false if there was nothing to apply it to.
fn apply(rule: &Rule<'_>, theirs: &mut Vec<String>, ours: &mut Vec<String>) -> bool {
    match rule {
        Rule::Column(name) => {
            let before = (theirs.clone(), ours.clone());
            blank_column(name, theirs);
            blank_column(name, ours);
            *theirs != before.0 || *ours != before.1
        }
        Rule::Instead(text, other) => {
            let mut changed = false;
            for line in theirs.iter_mut().filter(|line| line.contains(text)) {
                *line = line.replace(text, other);
                changed = true;
            }
            changed
        }
        Rule::Fewer(words) => {
            let is_count = |line: &str| line.starts_with('(') && (line.ends_with(" rows)") || line.ends_with(" row)"));
            let before = theirs.len();
            let mut left = ours.clone();
            theirs.retain(|line| match left.iter().position(|own| own == line) {
                Some(own) => {
                    left.remove(own);
                    true
                }
                None => !is_count(line) && !words.is_empty() && !words.iter().any(|word| line.contains(word)),
            });
            let count = ours.len();
            ours.retain(|line| !is_count(line));
            theirs.retain(|line| !is_count(line));
            theirs.len() < before || ours.len() < count
        }
    }
}

/// Empties a column of every table in the output.
fn blank_column(name: &str, lines: &mut [String]) {
    let mut position = None;
    for line in lines {
        let mut fields: Vec<&str> = line.split('|').collect();
        if let Some(found) = fields.iter().position(|field| *field == name) {
            position = Some((found, fields.len()));
        } else if let Some((found, width)) = position
            && width == fields.len()
        {
            fields[found] = "";
            *line = fields.join("|");
        }
    }
}

/// The commands whose output differs, with the lines that only one side has.
fn compare(commands: &[&str], theirs: &BTreeMap<usize, Vec<String>>, ours: &BTreeMap<usize, Vec<String>>) -> String {
    let text = read("differences.txt");
    let rules = rules(&text);
    let mut report = String::new();
    for (number, command) in commands.iter().enumerate() {
        let mut theirs = theirs.get(&number).cloned().unwrap_or_default();
        let mut ours = ours.get(&number).cloned().unwrap_or_default();
        for (_, rule) in rules.iter().filter(|(of, _)| of == command) {
            if !apply(rule, &mut theirs, &mut ours) {
                let _ = writeln!(report, "{command}: an allowed difference is not there any more");
            }
        }
        if theirs != ours {
            let _ = writeln!(report, "{command}");
            let only = |left: &[String], right: &[String]| -> Vec<String> {
                left.iter().filter(|line| !right.contains(line)).cloned().collect()
            };
            let (theirs_only, ours_only) = (only(&theirs, &ours), only(&ours, &theirs));
            for line in &theirs_only {
                let _ = writeln!(report, "  PostgreSQL: {line}");
            }
            for line in &ours_only {
                let _ = writeln!(report, "  Aegis:      {line}");
            }
            if theirs_only.is_empty() && ours_only.is_empty() {
                let _ = writeln!(report, "  the same lines in another order or number");
            }
        }
    }
    for (command, _) in rules.iter().filter(|(command, _)| !commands.contains(command)) {
        let _ = writeln!(report, "{command}: allowed to differ, but not compared");
    }
    report
}

/// The script that pg_dump makes, without the lines that name the server's version and pg_dump's own key.
fn dump(server: &impl Server, database: &str) -> String {
    let output = client("pg_dump", server, database).arg("--schema-only").output().expect("pg_dump runs");
    assert!(output.status.success(), "pg_dump failed: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("a script is text");
    let changing = ["\\restrict ", "\\unrestrict ", "-- Dumped from database version"];
    let kept = text.lines().filter(|line| !changing.iter().any(|start| line.starts_with(start)));
    kept.collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn psql_and_pg_dump_see_what_they_see_in_postgresql() {
    let Some(postgres) = Postgres::start() else {
        eprintln!("PostgreSQL 15 is not installed: nothing to compare with");
        return;
    };
    let aegis = Aegis::start();
    prepare(&postgres);
    prepare(&aegis);
    let text = read("commands.txt");
    let commands: Vec<&str> = lines(&text).collect();
    let report = compare(&commands, &describe(&postgres, &commands), &describe(&aegis, &commands));
    assert!(report.is_empty(), "psql shows something else than on PostgreSQL:\n{report}");

    let script = dump(&aegis, DATABASE);
    assert_eq!(dump(&postgres, DATABASE), script, "pg_dump writes another script than of PostgreSQL");
    // Casts of lists move in when such a script is read, in PostgreSQL too.
    assert_eq!(
        restored(&postgres, &script),
        restored(&aegis, &script),
        "a database made from a dump dumps differently"
    );
}

/// The dump of a database that is made from a dump.
fn restored(server: &impl Server, script: &str) -> String {
    psql(server, "postgres", "CREATE DATABASE restored;", true);
    psql(server, "restored", script, true);
    dump(server, "restored")
}
