//! How much of the manual's chapter 9 there is. `catalog/data/manual_functions.tsv` lists what PostgreSQL 15's manual documents there:
//! section, title, kind (f function, o infix operator, p prefix operator), name, types of the first argument or the two operands
//! (empty where it names a family of types). COMPATIBILITY.md shows what these tests compute of it and of the function lists.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use aegis_catalog::facts;
use aegis_catalog::{Oid, types};

use super::registry::registry;

const DOCUMENTED: &str = include_str!("../../../catalog/data/manual_functions.tsv");
const BEGIN: &str = "<!-- function coverage: written by `cargo xtask coverage` -->\n";
const END: &str = "<!-- end of function coverage -->\n";
/// Names of missing functions that a row lists at most.
const LISTED: usize = 24;

#[derive(Default)]
struct Section {
    title: &'static str,
    documented: usize,
    missing: Vec<&'static str>,
}

/// Is there code behind what a line documents? All overloads that it can mean must have some; of a family of types, one.
fn is_there(kind: &str, name: &str, left: &str, right: &str) -> bool {
    let type_oid = |name: &str| facts::type_named(name).map(|row| row.oid);
    let wanted = |written: &str, actual: Option<Oid>| written.is_empty() || type_oid(written) == actual;
    let code: Vec<Oid> = match kind {
        "f" => {
            let named = facts::procs_named(name);
            let exact = named.iter().filter(|row| wanted(left, row.arg_types.first().copied()));
            let exact: Vec<Oid> = exact.map(|row| row.oid).collect();
            if exact.is_empty() { named.iter().map(|row| row.oid).collect() } else { exact }
        }
        _ => {
            let named = facts::operators_named(name);
            let exact = named.iter().filter(|row| match kind {
                "p" => row.left == 0 && wanted(left, Some(row.right)),
                _ => row.left != 0 && wanted(left, Some(row.left)) && wanted(right, Some(row.right)),
            });
            let exact: Vec<Oid> = exact.map(|row| row.function).collect();
            // The manual names types that casts lead to.
            if exact.is_empty() {
                return named.iter().any(|row| registry().by_oid(row.function).is_some());
            }
            exact
        }
    };
    let has = |oid: &Oid| registry().by_oid(*oid).is_some();
    let family = left.is_empty() && right.is_empty();
    if family { code.iter().any(has) } else { !code.is_empty() && code.iter().all(has) }
}

fn sections() -> BTreeMap<Vec<u32>, Section> {
    let mut sections: BTreeMap<Vec<u32>, Section> = BTreeMap::new();
    for line in DOCUMENTED.lines() {
        let fields: Vec<&'static str> = line.split('\t').collect();
        let [number, title, kind, name, left, right] = fields[..] else { panic!("a line of other fields: {line}") };
        let number = number.split('.').map(|part| part.parse().unwrap()).collect();
        let section = sections.entry(number).or_default();
        section.title = title;
        section.documented += 1;
        if !is_there(kind, name, left, right) && !section.missing.contains(&name) {
            section.missing.push(name);
        }
    }
    sections
}

fn table() -> String {
    let mut out = String::from("| section | documented | there | not there |\n|---|--:|--:|---|\n");
    let (mut all, mut there_of_all) = (0, 0);
    for (number, section) in sections() {
        let number: Vec<String> = number.iter().map(u32::to_string).collect();
        let lines = DOCUMENTED.lines().filter(|line| line.starts_with(&format!("{}\t", number.join("."))));
        let there = lines
            .filter(|line| {
                let fields: Vec<&str> = line.split('\t').collect();
                is_there(fields[2], fields[3], fields[4], fields[5])
            })
            .count();
        all += section.documented;
        there_of_all += there;
        let names: Vec<String> =
            section.missing.iter().take(LISTED).map(|name| format!("`{}`", name.replace('|', "\\|"))).collect();
        let mut missing = names.join(", ");
        if there == 0 {
            missing = "all".into();
        } else if section.missing.len() > LISTED {
            write!(missing, " and {} more", section.missing.len() - LISTED).unwrap();
        }
        let (number, title, documented) = (number.join("."), section.title, section.documented);
        writeln!(out, "| {number} {title} | {documented} | {there} | {missing} |").unwrap();
    }
    writeln!(out, "| all | {all} | {there_of_all} | |").unwrap();
    out
}

fn document() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../COMPATIBILITY.md")
}

/// The document with the table as it is now.
fn updated(text: &str) -> String {
    let (before, rest) = text.split_once(BEGIN).expect("COMPATIBILITY.md has the begin of the function coverage");
    let (_, after) = rest.split_once(END).expect("COMPATIBILITY.md has the end of the function coverage");
    format!("{before}{BEGIN}{}{END}{after}", table())
}

#[test]
fn every_line_names_something_of_postgresql() {
    for line in DOCUMENTED.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let known = match fields[2] {
            "f" => !facts::procs_named(fields[3]).is_empty(),
            _ => !facts::operators_named(fields[3]).is_empty(),
        };
        assert!(known, "{line}");
        for name in fields[4..].iter().filter(|name| !name.is_empty()) {
            assert!(types::type_by_name(name).is_some() || facts::type_named(name).is_some(), "{line}");
        }
    }
}

#[test]
fn compatibility_states_the_coverage() {
    let text = std::fs::read_to_string(document()).unwrap();
    assert!(text == updated(&text), "COMPATIBILITY.md is out of date: run `cargo xtask coverage`\n\n{}", table());
}

/// What `cargo xtask coverage` runs.
#[test]
#[ignore = "writes COMPATIBILITY.md"]
fn write_coverage() {
    let text = std::fs::read_to_string(document()).unwrap();
    std::fs::write(document(), updated(&text)).unwrap();
}
