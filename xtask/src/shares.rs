//! COMPATIBILITY.md's table of shares: of the statements of PostgreSQL's own regression tests, how many give the same result. It is made of the
//! report that a comparison of the two servers writes, and no share in it may fall.
//!
//! The report is JSON: `{"files": {NAME: {"group": GROUP, "verdicts": {"match": COUNT, OTHER: COUNT, …}}}}`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use serde_json::Value;

const DOCUMENT: &str = "COMPATIBILITY.md";
const HEADING: &str = "| group | statements | the same | by file, in percent |";
const MEASURED: &str = "Measured on ";

/// Groups of the report, in the order of the table, with their names there.
const GROUPS: &[(&str, &str)] = &[
    ("core types", "core types"),
    ("queries", "queries"),
    ("dml", "data modification"),
    ("ddl", "data definition"),
    ("transactions & session", "transactions and sessions"),
    ("procedural", "procedural"),
];

/// What becomes of the table.
#[derive(Clone, Copy, PartialEq)]
pub enum Mode {
    /// It stays; a share that fell is an error.
    Check,
    /// It is written, unless a share fell.
    Write,
    /// It is written.
    Accept,
}

/// Compares the report with the table, and perhaps writes the table anew.
pub fn run(report: &Path, mode: Mode) -> Result<()> {
    let text = std::fs::read_to_string(report).with_context(|| format!("can't read {}", report.display()))?;
    let groups = groups(&serde_json::from_str(&text).context("the report is no JSON")?)?;
    let document = std::fs::read_to_string(DOCUMENT).with_context(|| format!("can't read {DOCUMENT}"))?;
    let fallen = fallen(&shares_of(&document)?, &groups);
    fallen.iter().for_each(|line| eprintln!("{line}"));
    if !fallen.is_empty() && mode != Mode::Accept {
        bail!("{} shares of {DOCUMENT} fell", fallen.len());
    }
    if mode == Mode::Check {
        return Ok(());
    }
    let today = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() / 86_400;
    std::fs::write(DOCUMENT, written(&document, &groups, &date(today))?)?;
    Ok(())
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Count {
    same: u64,
    all: u64,
}

impl Count {
    /// In units of a percent's `parts`, rounded; never all of them unless all statements are the same.
    fn share(self, parts: u64) -> u64 {
        let full = 100 * parts;
        match self.same == self.all {
            true => full,
            false => ((self.same * full * 2 + self.all) / (self.all * 2)).min(full - 1),
        }
    }
}

/// A group of the table, with its files in the order of the report.
#[derive(Debug)]
struct Group {
    name: &'static str,
    total: Count,
    files: Vec<(String, Count)>,
}

fn groups(report: &Value) -> Result<Vec<Group>> {
    let files = report.get("files").and_then(Value::as_object).context("the report has no files")?;
    let mut groups = Vec::new();
    for &(key, name) in GROUPS {
        let mut group = Group { name, total: Count::default(), files: Vec::new() };
        for (file, facts) in files.iter().filter(|(_, facts)| facts.get("group").and_then(Value::as_str) == Some(key)) {
            let verdicts = facts.get("verdicts").and_then(Value::as_object);
            let verdicts = verdicts.with_context(|| format!("file {file} of the report has no verdicts"))?;
            let all = verdicts.values().filter_map(Value::as_u64).sum();
            let same = verdicts.get("match").and_then(Value::as_u64).unwrap_or_default();
            group.total = Count { same: group.total.same + same, all: group.total.all + all };
            group.files.push((file.clone(), Count { same, all }));
        }
        groups.push(group);
    }
    Ok(groups)
}

/// Shares by file in percent, and by group in tenths of a percent.
type Shares = BTreeMap<String, u64>;

fn shares_of(document: &str) -> Result<Shares> {
    let mut shares = Shares::new();
    for line in table(document)?.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [group, _, share, files] = cells[..] else { bail!("a line of the table is none: {line}") };
        let tenths = share.trim_end_matches(" %").replace('.', "");
        shares.insert(group.to_owned(), tenths.parse().with_context(|| format!("share of {group}"))?);
        for file in files.split(", ") {
            let (name, share) = file.rsplit_once(' ').with_context(|| format!("a file without a share: {file}"))?;
            let share = share.parse().with_context(|| format!("share of {name}"))?;
            shares.insert(name.trim_matches('`').to_owned(), share);
        }
    }
    Ok(shares)
}

/// The rows of the table.
fn table(document: &str) -> Result<&str> {
    let (_, rest) = document.split_once(HEADING).with_context(|| format!("{DOCUMENT} has no table of shares"))?;
    let (_, rows) = rest.trim_start().split_once('\n').context("the table has no rows")?;
    Ok(rows.split_once("\n\n").map_or(rows, |(rows, _)| rows))
}

fn fallen(before: &Shares, groups: &[Group]) -> Vec<String> {
    let now: BTreeMap<&str, (Count, u64)> = groups
        .iter()
        .flat_map(|group| {
            let files = group.files.iter().map(|(name, count)| (name.as_str(), (*count, 1)));
            files.chain([(group.name, (group.total, 10))])
        })
        .collect();
    let line = |(name, before): (&String, &u64)| match now.get(name.as_str()) {
        None => Some(format!("{name} is not in the report")),
        Some((count, parts)) => {
            let share = count.share(*parts);
            let shown = |share: u64| share as f64 / *parts as f64;
            (share < *before).then(|| format!("{name} fell from {} % to {} %", shown(*before), shown(share)))
        }
    };
    before.iter().filter_map(line).collect()
}

/// The document with new rows and a new date.
fn written(document: &str, groups: &[Group], today: &str) -> Result<String> {
    let row = |group: &Group| {
        let files: Vec<_> = group.files.iter().map(|(name, count)| format!("`{name}` {}", count.share(1))).collect();
        let share = group.total.share(10);
        let (all, files) = (thousands(group.total.all), files.join(", "));
        format!("| {} | {all} | {}.{} % | {files} |", group.name, share / 10, share % 10)
    };
    let rows: Vec<String> = groups.iter().filter(|group| !group.files.is_empty()).map(row).collect();
    let mut document = document.replacen(table(document)?, &rows.join("\n"), 1);
    let heading = document.find(HEADING).unwrap_or_default();
    if let Some(measured) = document[..heading].rfind(MEASURED) {
        let start = measured + MEASURED.len();
        document.replace_range(start..start + today.len(), today);
    }
    Ok(document)
}

/// With a comma between thousands.
fn thousands(number: u64) -> String {
    match number / 1000 {
        0 => number.to_string(),
        more => format!("{},{:03}", thousands(more), number % 1000),
    }
}

/// The date of a day since 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn date(days: u64) -> String {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = match month {
        0..=9 => (year_of_era + era * 400, month + 3),
        _ => (year_of_era + era * 400 + 1, month - 9),
    };
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "Text. Measured on 2026-01-01.\n\n\
        | group | statements | the same | by file, in percent |\n|---|--:|--:|---|\n\
        | core types | 1,100 | 99.9 % | `bit` 100, `int4` 99 |\n| procedural | 3 | 66.7 % | `plpgsql` 67 |\n\nMore.\n";

    fn groups_of(bit: (u64, u64), plpgsql: (u64, u64)) -> Vec<Group> {
        let verdicts = |(same, other): (u64, u64)| serde_json::json!({"match": same, "wrong rows": other});
        let files = serde_json::json!({
            "bit": {"group": "core types", "verdicts": verdicts(bit)},
            "int4": {"group": "core types", "verdicts": {"match": 999, "timeout": 1}},
            "plpgsql": {"group": "procedural", "verdicts": verdicts(plpgsql)},
            "xml": {"group": "extra", "verdicts": verdicts((0, 9))},
        });
        groups(&serde_json::json!({ "files": files })).unwrap()
    }

    #[test]
    fn shares_are_read_and_written() {
        let groups = groups_of((100, 0), (2, 1));
        assert_eq!(fallen(&shares_of(DOCUMENT).unwrap(), &groups), Vec::<String>::new());
        assert_eq!(written(DOCUMENT, &groups, "2026-01-01").unwrap(), DOCUMENT);
        assert!(written(DOCUMENT, &groups, "2027-02-03").unwrap().starts_with("Text. Measured on 2027-02-03.\n"));
    }

    #[test]
    fn what_fell_is_told() {
        let lines = fallen(&shares_of(DOCUMENT).unwrap(), &groups_of((99, 1), (1, 2)));
        let expected =
            ["bit fell from 100 % to 99 %", "core types fell from 99.9 % to 99.8 %", "plpgsql fell from 67 % to 33 %"];
        assert_eq!(lines[..3], expected);
        assert_eq!(lines[3], "procedural fell from 66.7 % to 33.3 %");
    }

    #[test]
    fn only_all_is_a_hundred() {
        assert_eq!(Count { same: 9_999, all: 10_000 }.share(1), 99);
        assert_eq!(Count { same: 5, all: 5 }.share(10), 1000);
        assert_eq!(Count { same: 1, all: 200 }.share(1), 1);
    }

    #[test]
    fn days_are_dates() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(20_779), "2026-11-22");
        assert_eq!(date(11_016), "2000-02-29");
    }
}
