//! Checks of the tree itself: which crate may use which, how long files and functions are, that lists and documents name what is there.
//!
//! Limits are ratchets: a list of exceptions shows their present size, and only ever shrinks.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Edges between the workspace's crates: who, and whom it may depend on. Dev-dependencies are free.
const ALLOWED_EDGES: &[(&str, &[&str])] = &[
    (
        "aegis",
        &[
            "aegis-storage",
            "aegis-catalog",
            "aegis-engine",
            "aegis-wire",
            "aegis-http",
            "aegis-timeseries",
            "aegis-plpgsql",
        ],
    ),
    ("aegis-wire", &["aegis-engine"]),
    ("aegis-http", &["aegis-engine"]),
    ("aegis-timeseries", &["aegis-engine"]),
    ("aegis-plpgsql", &["aegis-engine"]),
    ("aegis-engine", &["aegis-catalog", "aegis-storage"]),
    ("aegis-catalog", &["aegis-storage"]),
    ("aegis-storage", &[]),
    ("xtask", &[]),
];

/// Libraries that one crate alone knows.
const KNOWN_TO_ONE: &[(&str, &str)] = &[
    ("datafusion", "aegis-engine"),
    ("squawk-parser", "aegis-engine"),
    ("pgwire", "aegis-wire"),
    ("axum", "aegis-http"),
    ("redb", "aegis-storage"),
];

const MAX_FILE_LINES: usize = 1_000;

const MAX_FUNCTION_LINES: usize = 100;

/// Longer functions, with their length: make them shorter, never longer.
const LONG_FUNCTIONS: &[(&str, &str, usize)] = &[];

/// What is not ours: build results and what tools leave behind. (`.git` is a file in a linked work tree.)
const SKIPPED: &[&str] = &[".git", "target", "node_modules", "__pycache__", "aegis-data"];

/// Tests run in their package's folder. (What the compiler knew it as may be another checkout, if two share a build folder.)
fn root() -> &'static Path {
    Path::new(".")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file of the tree that is text: its path from the root, and its contents.
fn text_files() -> BTreeMap<String, String> {
    fn walk(folder: &Path, found: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if SKIPPED.contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                walk(&path, found);
            } else if let Ok(text) = fs::read_to_string(&path) {
                found.insert(path.strip_prefix(root()).unwrap().to_string_lossy().into_owned(), text);
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(root(), &mut found);
    found
}

/// Fails with all faults at once.
fn expect_none(faults: Vec<String>) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// Name of the package and of what its code depends on. Knows as much of TOML as our manifests use.
fn manifest(text: &str) -> (String, Vec<String>) {
    let (mut name, mut dependencies, mut section) = (String::new(), Vec::new(), "");
    for line in text.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_end_matches(']');
            if let Some((table, dependency)) = section.rsplit_once("dependencies.")
                && is_code_section(&format!("{table}dependencies"))
            {
                dependencies.push(dependency.to_owned());
            }
        } else if let Some((key, value)) = line.split_once('=') {
            let key = key.trim().trim_end_matches(".workspace");
            if section == "package" && key == "name" {
                name = value.trim().trim_matches('"').to_owned();
            } else if is_code_section(section) {
                dependencies.push(key.to_owned());
            }
        }
    }
    (name, dependencies)
}

/// `[dependencies]`, `[build-dependencies]` and their forms for one target; not `[dev-dependencies]` or the workspace's list of versions.
fn is_code_section(section: &str) -> bool {
    section.ends_with("dependencies") && !section.ends_with("dev-dependencies") && !section.starts_with("workspace")
}

#[test]
fn crates_depend_only_on_those_below() {
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for (path, text) in text_files().iter().filter(|(path, _)| path.rsplit('/').next() == Some("Cargo.toml")) {
        let (name, dependencies) = manifest(text);
        let Some((_, allowed)) = ALLOWED_EDGES.iter().find(|(package, _)| *package == name) else {
            faults.push(format!("{path}: crate {name} is not in ALLOWED_EDGES"));
            continue;
        };
        seen.insert(name.clone());
        for dependency in dependencies {
            let ours = ALLOWED_EDGES.iter().any(|(package, _)| *package == dependency);
            if ours && !allowed.contains(&dependency.as_str()) {
                faults.push(format!("{path}: {name} must not depend on {dependency}"));
            }
            if let Some((_, owner)) = KNOWN_TO_ONE.iter().find(|(library, _)| *library == dependency)
                && *owner != name
            {
                faults.push(format!("{path}: {dependency} is known to {owner} alone"));
            }
        }
    }
    assert_eq!(seen.len(), ALLOWED_EDGES.len(), "ALLOWED_EDGES names a crate that is not there");
    expect_none(faults);
}

#[test]
fn manifests_are_understood() {
    let text = "[package]\nname = \"a\"\n[dependencies]\nb.workspace = true\nc = { path = \"c\" }\n[dependencies.d]\nversion = \"1\"\n\
                [dev-dependencies]\ne.workspace = true\n[target.'cfg(unix)'.build-dependencies]\nf = \"1\"\n[workspace.dependencies]\ng = \"1\"\n";
    assert_eq!(manifest(text), ("a".to_owned(), ["b", "c", "d", "f"].map(str::to_owned).to_vec()));
}

#[test]
fn files_are_short() {
    let faults = text_files()
        .iter()
        .filter(|(path, _)| path.ends_with(".rs"))
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > MAX_FILE_LINES)
        .map(|(path, lines)| {
            format!("{path}: {lines} lines, and a file has at most {MAX_FILE_LINES}; split it by concern")
        })
        .collect();
    expect_none(faults);
}

#[test]
fn functions_are_short() {
    let files = text_files();
    let mut faults = Vec::new();
    let mut used = BTreeSet::new();
    for (path, text) in files.iter().filter(|(path, _)| path.ends_with(".rs")) {
        for (name, lines) in functions(text).into_iter().filter(|(_, lines)| *lines > MAX_FUNCTION_LINES) {
            match LONG_FUNCTIONS.iter().find(|(file, function, _)| file == path && *function == name) {
                Some((_, _, limit)) if lines <= *limit => {
                    used.insert((path.as_str(), name));
                }
                Some((_, _, limit)) => faults.push(format!("{path}: {name} grew from {limit} to {lines} lines")),
                None => faults
                    .push(format!("{path}: {name} has {lines} lines, and a function has at most {MAX_FUNCTION_LINES}")),
            }
        }
    }
    for (file, function, _) in LONG_FUNCTIONS {
        if !used.contains(&(*file, (*function).to_owned())) && faults.is_empty() {
            faults.push(format!("{file}: {function} is short now; take it off LONG_FUNCTIONS"));
        }
    }
    expect_none(faults);
}

/// Name and number of lines of each function with a body.
fn functions(source: &str) -> Vec<(String, usize)> {
    let code = without_text(source);
    let line_of = |position: usize| code[..position].iter().filter(|c| **c == b'\n').count();
    let is_word = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
    let mut found = Vec::new();
    for start in 0..code.len().saturating_sub(3) {
        if &code[start..start + 3] != b"fn " || (start > 0 && is_word(code[start - 1])) {
            continue;
        }
        let name: Vec<u8> = code[start + 3..].iter().copied().take_while(|c| is_word(*c)).collect();
        if name.is_empty() {
            continue;
        }
        if let Some(end) = end_of_body(&code, start) {
            found.push((String::from_utf8_lossy(&name).into_owned(), line_of(end) - line_of(start) + 1));
        }
    }
    found
}

/// Where the body of the function at `start` ends; None for a declaration without one.
fn end_of_body(code: &[u8], start: usize) -> Option<usize> {
    let (mut brackets, mut braces) = (0usize, 0usize);
    for (position, c) in code.iter().enumerate().skip(start) {
        match c {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets = brackets.saturating_sub(1),
            b';' if brackets == 0 && braces == 0 => return None,
            b'{' => braces += 1,
            b'}' if braces == 1 => return Some(position),
            b'}' => braces = braces.checked_sub(1)?,
            _ => {}
        }
    }
    None
}

/// The source with comments, strings and characters blanked out; line ends stay.
fn without_text(source: &str) -> Vec<u8> {
    let bytes = source.as_bytes();
    let mut code = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end =
            at + text_length(&bytes[at..], at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_'));
        if end == at {
            code.push(bytes[at]);
            at += 1;
        } else {
            code.extend(bytes[at..end].iter().map(|c| if *c == b'\n' { b'\n' } else { b' ' }));
            at = end;
        }
    }
    code
}

/// Length of the comment, string or character literal that `rest` begins with, else 0.
fn text_length(rest: &[u8], within_word: bool) -> usize {
    let until = |end: &[u8], from: usize| {
        rest[from..].windows(end.len()).position(|window| window == end).map_or(rest.len(), |p| from + p + end.len())
    };
    match rest {
        [b'/', b'/', ..] => rest.iter().position(|c| *c == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => block_comment_length(rest),
        [b'r', b'"' | b'#', ..] if !within_word => {
            let hashes = rest[1..].iter().take_while(|c| **c == b'#').count();
            match rest.get(1 + hashes) {
                Some(b'"') => until(&[b"\"".as_slice(), &b"#".repeat(hashes)].concat(), 2 + hashes),
                _ => 0,
            }
        }
        [b'"', ..] => quoted_length(rest),
        [b'\'', b'\\', ..] => quoted_length(rest),
        [b'\'', ..] => {
            // A character, not a lifetime: one character and a quote.
            let character = std::str::from_utf8(&rest[1..rest.len().min(5)])
                .or_else(|e| std::str::from_utf8(&rest[1..1 + e.valid_up_to()]))
                .ok()
                .and_then(|text| text.chars().next())
                .map_or(1, char::len_utf8);
            if rest.get(1 + character) == Some(&b'\'') { character + 2 } else { 0 }
        }
        _ => 0,
    }
}

/// Length of a literal that ends with the quote it begins with.
fn quoted_length(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != rest[0] {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// Block comments nest.
fn block_comment_length(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

#[test]
fn functions_are_measured() {
    let source = "trait T { fn none(&self) -> [u8; 2]; }\n/* fn a() { /* { */ */\nfn b<'a>(x: &'a str) -> char {\n // }\n let _ = \"}\\\"\";\n \
                  let _ = r#\"}\"#;\n let c = |f: fn(u8)| { '}' };\n c(drop)\n}\n";
    assert_eq!(functions(source), [("b".to_owned(), 7)]);
}

#[test]
fn views_are_listed() {
    for folder in ["catalog/src/pg_catalog", "catalog/src/information_schema"] {
        let list = read(&format!("{folder}/mod.rs"));
        let listed: BTreeSet<String> = list
            .split("include_str!(\"")
            .skip(1)
            .filter_map(|rest| Some(rest.split_once(".sql")?.0.to_owned()))
            .collect();
        let present: BTreeSet<String> = fs::read_dir(root().join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter_map(|name| name.strip_suffix(".sql").map(str::to_owned))
            .collect();
        assert_eq!(listed, present, "{folder}/mod.rs must list the files beside it");
        for view in &listed {
            assert!(
                list.contains(&format!("(\"{view}\", include_str!(\"{view}.sql\"))")),
                "{view} must be named as its file"
            );
        }
    }
}

#[test]
fn every_source_file_is_a_module() {
    let files = text_files();
    let mut faults = Vec::new();
    for path in files.keys().filter(|path| path.ends_with(".rs") && path.contains("src/")) {
        let (folder, name) = path.rsplit_once('/').unwrap();
        let (folder, module) = match name {
            "main.rs" | "lib.rs" => continue,
            "mod.rs" => folder.rsplit_once('/').unwrap(),
            _ => (folder, name.trim_end_matches(".rs")),
        };
        let mut parents = ["mod.rs", "lib.rs", "main.rs"].map(|parent| format!("{folder}/{parent}")).to_vec();
        parents.push(format!("{folder}.rs"));
        let declaration = format!("mod {module};");
        if !parents.iter().filter_map(|parent| files.get(parent)).any(|text| text.contains(&declaration))
            && !files.values().any(|text| text.contains(&format!("#[path = \"{name}\"]")))
        {
            faults.push(format!("{path}: no file says `{declaration}`, so it is not compiled"));
        }
    }
    expect_none(faults);
}

#[test]
fn no_file_names_a_place_on_one_machine() {
    // Written in parts, so that this file does not find itself.
    let places = [["/", "work", "/"].concat(), ["/", "root", "/"].concat(), ["bash", "_jobs"].concat()];
    let faults = text_files()
        .iter()
        .flat_map(|(path, text)| text.lines().enumerate().map(move |(number, line)| (path, number + 1, line)))
        .filter(|(_, _, line)| places.iter().any(|place| line.contains(place)))
        .map(|(path, number, line)| format!("{path}:{number}: {line}"))
        .collect();
    expect_none(faults);
}

#[test]
fn links_lead_somewhere() {
    let mut faults = Vec::new();
    for (path, text) in text_files().iter().filter(|(path, _)| path.ends_with(".md")) {
        let folder = Path::new(path).parent().unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0)) {
            let file = target.split('#').next().unwrap_or("");
            if !target.contains("://") && !file.is_empty() && !root().join(folder).join(file).exists() {
                faults.push(format!("{path}: no {target}"));
            }
        }
    }
    expect_none(faults);
}

/// Files that the architecture page names as `folder/src/…`, written in full.
#[test]
fn the_architecture_page_names_files_that_exist() {
    let faults = read("docs/ARCHITECTURE.md")
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|quoted| quoted.contains("/src/") && !quoted.contains(['<', ' ', '*']))
        .filter(|path| !root().join(path).exists())
        .map(|path| format!("docs/ARCHITECTURE.md: no {path}"))
        .collect();
    expect_none(faults);
}

#[test]
fn every_option_is_documented() {
    let page = read("docs/CONFIGURATION.md");
    let fields = |file: &str, structure: &str| -> Vec<String> {
        let text = read(file);
        let body = text.split_once(&format!("pub struct {structure} {{")).expect(structure).1;
        let body = body.split_once("\n}").expect(structure).0;
        body.lines().filter_map(|line| Some(line.trim().strip_prefix("pub ")?.split_once(':')?.0.to_owned())).collect()
    };
    let options = fields("src/config.rs", "Options").into_iter().map(|name| name.replace('_', "-"));
    let limits = ["storage/src/config.rs", "wire/src/listener.rs"].into_iter().flat_map(|file| fields(file, "Config"));
    let missing = options
        .chain(limits)
        .filter(|name| !page.contains(&format!("`{name}`")) && !page.contains(&format!("`--{name}")));
    expect_none(missing.map(|name| format!("docs/CONFIGURATION.md: {name} is missing")).collect());
}
