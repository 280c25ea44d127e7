//! The storage parameters that PostgreSQL knows (manual, "Storage Parameters" of CREATE TABLE and CREATE INDEX; reloptions.c). They change
//! nothing here, but what was misspelt or is out of bounds is told.

use aegis_catalog::{Error, Result, sqlstate};

use crate::settings::parse_bool;

/// What a parameter is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder<'a> {
    Table,
    /// A table without rows of its own takes no parameters.
    Partitioned,
    /// An index by its access method.
    Index(&'a str),
}

enum Kind {
    Bool,
    Int(i64, i64),
    Real(f64, f64),
    Enum(&'static [&'static str]),
}

use Kind::{Bool, Enum, Int, Real};

const MAX: i64 = i32::MAX as i64;
const FILL: Kind = Int(10, 100);

/// Of tables; whether their TOAST tables have them too.
const TABLE: &[(&str, bool, Kind)] = &[
    ("autovacuum_analyze_scale_factor", false, Real(0.0, 100.0)),
    ("autovacuum_analyze_threshold", false, Int(0, MAX)),
    ("autovacuum_enabled", true, Bool),
    ("autovacuum_freeze_max_age", true, Int(100_000, 2_000_000_000)),
    ("autovacuum_freeze_min_age", true, Int(0, 1_000_000_000)),
    ("autovacuum_freeze_table_age", true, Int(0, 2_000_000_000)),
    ("autovacuum_multixact_freeze_max_age", true, Int(10_000, 2_000_000_000)),
    ("autovacuum_multixact_freeze_min_age", true, Int(0, 1_000_000_000)),
    ("autovacuum_multixact_freeze_table_age", true, Int(0, 2_000_000_000)),
    ("autovacuum_vacuum_cost_delay", true, Real(-1.0, 100.0)),
    ("autovacuum_vacuum_cost_limit", true, Int(1, 10_000)),
    ("autovacuum_vacuum_insert_scale_factor", true, Real(0.0, 100.0)),
    ("autovacuum_vacuum_insert_threshold", true, Int(-2, MAX)),
    ("autovacuum_vacuum_scale_factor", true, Real(0.0, 100.0)),
    ("autovacuum_vacuum_threshold", true, Int(0, MAX)),
    ("fillfactor", false, FILL),
    ("log_autovacuum_min_duration", true, Int(-1, MAX)),
    ("parallel_workers", false, Int(0, 1024)),
    ("toast_tuple_target", false, Int(128, 8160)),
    ("user_catalog_table", false, Bool),
    ("vacuum_index_cleanup", true, Enum(&["auto", "on", "off", "true", "false", "yes", "no", "1", "0"])),
    ("vacuum_truncate", true, Bool),
];

/// Of indexes, with the access method that has them.
const INDEX: &[(&str, &str, Kind)] = &[
    ("brin", "autosummarize", Bool),
    ("brin", "pages_per_range", Int(1, 131_072)),
    ("btree", "deduplicate_items", Bool),
    ("btree", "fillfactor", FILL),
    ("gin", "fastupdate", Bool),
    ("gin", "gin_pending_list_limit", Int(64, MAX)),
    ("gist", "buffering", Enum(&["on", "off", "auto"])),
    ("gist", "fillfactor", FILL),
    ("hash", "fillfactor", FILL),
    ("spgist", "fillfactor", FILL),
];

/// 22023 for a parameter that the holder does not have, that is given twice, or whose value is none of its own. `toast.` parameters are a
/// table's.
pub fn check(holder: Holder<'_>, written: &[(String, String)]) -> Result<()> {
    for (position, (name, value)) in written.iter().enumerate() {
        if written.iter().take(position).any(|(earlier, _)| earlier == name) {
            return Err(invalid(format!("parameter \"{name}\" specified more than once")));
        }
        // What PostgreSQL 11 had and nobody has: `false` is taken, and means nothing.
        if name == "oids" && holder == Holder::Table {
            if parse_bool(value) == Some(false) {
                continue;
            }
            return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, "tables declared WITH OIDS are not supported"));
        }
        let (toast, bare) = match name.strip_prefix("toast.") {
            Some(bare) => (true, bare),
            None => (false, name.as_str()),
        };
        let kind = match holder {
            Holder::Table => {
                TABLE.iter().find(|(of, on_toast, _)| *of == bare && (*on_toast || !toast)).map(|of| &of.2)
            }
            Holder::Partitioned => None,
            Holder::Index(method) => INDEX.iter().find(|of| (of.0, of.1) == (method, name)).map(|of| &of.2),
        };
        let kind = kind.ok_or_else(|| invalid(format!("unrecognized parameter \"{bare}\"")))?;
        kind.check(bare, value)?;
    }
    Ok(())
}

/// Is it a fact of the table, and not of its TOAST table or of no time at all?
pub fn is_kept(name: &str) -> bool {
    name != "oids" && !name.starts_with("toast.")
}

impl Kind {
    fn check(&self, name: &str, value: &str) -> Result<()> {
        let wrong = |kind: &str| invalid(format!("invalid value for {kind} option \"{name}\": {value}"));
        let out_of_bounds = |least: String, most: String| {
            invalid(format!("value {value} out of bounds for option \"{name}\""))
                .with_detail(format!("Valid values are between \"{least}\" and \"{most}\"."))
        };
        match self {
            Bool => parse_bool(value).map(|_| ()).ok_or_else(|| wrong("boolean")),
            Int(least, most) => {
                let number: f64 = value.trim().parse().map_err(|_| wrong("integer"))?;
                match number.round() >= *least as f64 && number.round() <= *most as f64 {
                    true => Ok(()),
                    false if number.is_nan() => Err(wrong("integer")),
                    false => Err(out_of_bounds(least.to_string(), most.to_string())),
                }
            }
            Real(least, most) => {
                let number: f64 = value.trim().parse().map_err(|_| wrong("floating point"))?;
                match (*least..=*most).contains(&number) {
                    true => Ok(()),
                    false => Err(out_of_bounds(format!("{least:.6}"), format!("{most:.6}"))),
                }
            }
            Enum(values) if values.iter().any(|known| known.eq_ignore_ascii_case(value)) => Ok(()),
            Enum(values) => {
                let shown: Vec<String> = values.iter().take(3).map(|value| format!("\"{value}\"")).collect();
                let (last, first) = shown.split_last().map_or(("", &[][..]), |(last, first)| (last.as_str(), first));
                Err(wrong("enum").with_detail(format!("Valid values are {}, and {last}.", first.join(", "))))
            }
        }
    }
}

fn invalid(message: String) -> Error {
    Error::new(sqlstate::INVALID_PARAMETER_VALUE, message)
}
