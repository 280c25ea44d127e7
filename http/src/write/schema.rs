//! Which tables and columns a request's points need, and which points do not fit those that are there. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};

use aegis_engine::catalog::{Error, Oid, sqlstate};

use super::points::Points;
use super::precision::Clock;
use super::value::{Cell, ColumnType, Content, cell};
use crate::line_protocol::{Entry, Line};

type Result<T> = std::result::Result<T, Error>;

/// The column of the timestamp.
pub const TIME: &str = "time";

/// Most columns that one request may add, those of new tables included.
pub const MAX_NEW_COLUMNS: usize = 1_000;

/// Most tables that one request may write to.
pub const MAX_TABLES: usize = 1_000;

/// Most columns of a table (PostgreSQL's MaxHeapAttributeNumber).
const MAX_TABLE_COLUMNS: usize = 1_600;

/// Most bytes of a name (NAMEDATALEN - 1).
const MAX_NAME_BYTES: usize = 63;

/// Rejected lines that the answer shows; the others are counted.
const MAX_SHOWN: usize = 100;

/// Bytes of a rejected line, and of its error's message, that the answer shows.
const MAX_SHOWN_BYTES: usize = 256;

const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

#[derive(Debug)]
pub struct Column {
    pub name: String,
    pub ty: ColumnType,
    /// Its place among the columns that the request fills.
    slot: Option<usize>,
    /// The last line that named it, by its number within the table.
    named_by: u64,
}

/// A measurement's table.
#[derive(Debug, Default)]
pub struct Table {
    pub name: String,
    pub exists: bool,
    /// `r` and `p` take rows.
    kind: String,
    pub columns: Vec<Column>,
    by_name: HashMap<String, usize>,
    /// How many columns the database has.
    stored: usize,
    /// The columns that the request fills, in COPY's order.
    pub slots: Vec<usize>,
    lines: u64,
}

impl Table {
    pub fn new(name: &str) -> Self {
        let mut table = Self { name: name.to_owned(), kind: "r".to_owned(), ..Self::default() };
        table.add(TIME.to_owned(), ColumnType::Timestamp);
        table
    }

    pub fn existing(name: &str, kind: &str) -> Self {
        Self { name: name.to_owned(), kind: kind.to_owned(), exists: true, ..Self::default() }
    }

    pub fn add_existing(&mut self, name: String, ty: Oid) {
        self.add(name, ColumnType::of(ty));
        self.stored = self.columns.len();
    }

    fn add(&mut self, name: String, ty: ColumnType) {
        self.by_name.insert(name.clone(), self.columns.len());
        self.columns.push(Column { name, ty, slot: None, named_by: 0 });
    }

    /// The columns to add.
    pub fn new_columns(&self) -> &[Column] {
        self.columns.get(self.stored..).unwrap_or_default()
    }

    /// Whether lines were accepted for it.
    pub fn is_used(&self) -> bool {
        !self.slots.is_empty()
    }

    /// Takes the columns that the line needs, or says why it does not fit. `budget` is how many may still be new.
    fn admit(&mut self, line: &Line<'_>, budget: &mut usize) -> Result<()> {
        self.takes_points()?;
        self.lines += 1;
        let mut fresh = Vec::new();
        let mut fresh_names = HashSet::new();
        // A table's first line makes its time column too.
        let own = usize::from(!self.exists && !self.is_used());
        for (name, content) in contents(line) {
            if name == TIME {
                return Err(duplicate(name));
            }
            let known = self.by_name.get(name).and_then(|column| self.columns.get_mut(*column));
            let ty = match known {
                Some(column) if column.named_by == self.lines => return Err(duplicate(name)),
                Some(column) => {
                    column.named_by = self.lines;
                    column.ty
                }
                None => {
                    check_name(name)?;
                    if !fresh_names.insert(name) {
                        return Err(duplicate(name));
                    }
                    let ty = content.natural_type();
                    fresh.push((name, ty));
                    if fresh.len() + own > *budget {
                        return Err(too_many(format!("a request can add at most {MAX_NEW_COLUMNS} columns")));
                    }
                    ty
                }
            };
            cell(&content, ty).map_err(|error| within(error, &self.name, name))?;
        }
        if !fresh.is_empty() && self.columns.len() + fresh.len() > MAX_TABLE_COLUMNS {
            return Err(too_many(format!("tables can have at most {MAX_TABLE_COLUMNS} columns")));
        }
        *budget = budget.saturating_sub(fresh.len() + own);
        for (name, ty) in fresh {
            self.add(name.to_owned(), ty);
        }
        for name in std::iter::once(TIME).chain(contents(line).map(|(name, _)| name)) {
            self.fill(name);
        }
        Ok(())
    }

    fn takes_points(&self) -> Result<()> {
        if !self.exists {
            check_name(&self.name)?;
        }
        if !matches!(self.kind.as_str(), "r" | "p") {
            return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, format!("\"{}\" is not a table", self.name)));
        }
        match self.by_name.get(TIME).and_then(|column| self.columns.get(*column)) {
            Some(Column { ty: ColumnType::Timestamp, .. }) => Ok(()),
            Some(_) => Err(Error::new(
                sqlstate::DATATYPE_MISMATCH,
                format!("column \"{TIME}\" of relation \"{}\" is not a timestamp", self.name),
            )),
            None => Err(Error::new(
                sqlstate::UNDEFINED_COLUMN,
                format!("column \"{TIME}\" of relation \"{}\" does not exist", self.name),
            )),
        }
    }

    fn fill(&mut self, name: &str) {
        let Some(index) = self.by_name.get(name).copied() else { return };
        let Some(column) = self.columns.get_mut(index) else { return };
        if column.slot.is_none() {
            column.slot = Some(self.slots.len());
            self.slots.push(index);
        }
    }

    /// An accepted line's values, one for each slot.
    pub fn cells<'a>(&self, line: &'a Line<'_>, time: i64) -> Result<Vec<Option<Cell<'a>>>> {
        let mut cells = vec![None; self.slots.len()];
        let mut place = |name: &str, make: &dyn Fn(ColumnType) -> Result<Cell<'a>>| -> Result<()> {
            let column = self.by_name.get(name).and_then(|column| self.columns.get(*column));
            if let Some(column) = column
                && let Some(cell) = column.slot.and_then(|slot| cells.get_mut(slot))
            {
                *cell = Some(make(column.ty)?);
            }
            Ok(())
        };
        place(TIME, &|_| Ok(Cell::Int8(time)))?;
        for (name, content) in contents(line) {
            place(name, &|ty| cell(&content, ty))?;
        }
        Ok(cells)
    }
}

/// Tags, then fields.
fn contents<'a>(line: &'a Line<'_>) -> impl Iterator<Item = (&'a str, Content<'a>)> {
    let tags = line.tags.iter().map(|(key, value)| (&**key, Content::Tag(value)));
    tags.chain(line.fields.iter().map(|(key, value)| (&**key, Content::Field(value))))
}

/// A line that was not stored.
#[derive(Debug)]
pub struct Rejection {
    pub number: u32,
    pub text: String,
    pub error: Error,
}

/// All lines that are not stored.
#[derive(Debug, Default)]
pub struct Rejected {
    /// Ascending.
    pub numbers: Vec<u32>,
    /// The first of them.
    pub shown: Vec<Rejection>,
}

impl Rejected {
    fn add(&mut self, entry: &Entry<'_>, error: Error) {
        self.numbers.push(entry.number);
        if self.shown.len() < MAX_SHOWN {
            // Messages quote the line.
            let error = Error::new(error.code(), shown(error.message().as_bytes()));
            self.shown.push(Rejection { number: entry.number, text: shown(entry.text), error });
        }
    }
}

fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text.get(..MAX_SHOWN_BYTES).unwrap_or(text)).into_owned()
}

/// What a request does.
#[derive(Debug, Default)]
pub struct Plan {
    /// By name; locks are taken in this order.
    pub tables: BTreeMap<String, Table>,
    pub rejected: Rejected,
    /// Accepted lines.
    pub lines: usize,
}

impl Plan {
    /// `tables` are those that are there, of the names that [`measurements`] gives.
    pub fn new(points: &Points, mut tables: BTreeMap<String, Table>, clock: Clock) -> Self {
        for name in measurements(points) {
            tables.entry(name).or_insert_with_key(|name| Table::new(name));
        }
        let mut plan = Self { tables, ..Self::default() };
        let mut budget = MAX_NEW_COLUMNS;
        for mut entry in points.entries() {
            let line = std::mem::replace(&mut entry.line, Err(Error::internal("taken")));
            match line.and_then(|line| plan.admit(&line, clock, &mut budget)) {
                Ok(()) => plan.lines += 1,
                Err(error) => plan.rejected.add(&entry, error),
            }
        }
        plan
    }

    fn admit(&mut self, line: &Line<'_>, clock: Clock, budget: &mut usize) -> Result<()> {
        clock.time(line.timestamp)?;
        let table = self.tables.get_mut(&*line.measurement).ok_or_else(|| {
            Error::new(
                sqlstate::PROGRAM_LIMIT_EXCEEDED,
                format!("a request can write to at most {MAX_TABLES} measurements"),
            )
        })?;
        table.admit(line, budget)
    }

    /// Whether tables or columns are missing.
    pub fn changes_schema(&self) -> bool {
        self.tables.values().any(|table| table.is_used() && (!table.exists || !table.new_columns().is_empty()))
    }
}

/// The names of the measurements, as many as a request may have.
pub fn measurements(points: &Points) -> HashSet<String> {
    let mut names = HashSet::new();
    for line in points.entries().filter_map(|entry| entry.line.ok()) {
        if names.len() < MAX_TABLES && !names.contains(&*line.measurement) {
            names.insert(line.measurement.into_owned());
        }
    }
    names
}

fn check_name(name: &str) -> Result<()> {
    if name.len() > MAX_NAME_BYTES {
        let message = format!("the name \"{name}\" is longer than {MAX_NAME_BYTES} bytes");
        return Err(Error::new(sqlstate::NAME_TOO_LONG, message));
    }
    if SYSTEM_COLUMNS.contains(&name) {
        let message = format!("column name \"{name}\" conflicts with a system column name");
        return Err(Error::new(sqlstate::DUPLICATE_COLUMN, message));
    }
    Ok(())
}

fn duplicate(name: &str) -> Error {
    let message = match name {
        TIME => format!("\"{TIME}\" is the column of the timestamp: no tag or field can have this name"),
        _ => format!("\"{name}\" is there more than once"),
    };
    Error::new(sqlstate::DUPLICATE_COLUMN, message)
}

fn too_many(message: String) -> Error {
    Error::new(sqlstate::TOO_MANY_COLUMNS, message)
}

fn within(error: Error, table: &str, column: &str) -> Error {
    Error::new(error.code(), format!("column \"{column}\" of \"{table}\": {}", error.message()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write::precision::Precision;
    use aegis_engine::catalog::types::oid;

    fn plan(text: &str) -> Plan {
        let mut table = Table::existing("m", "r");
        for (name, ty) in [("time", oid::TIMESTAMPTZ), ("host", oid::TEXT), ("v", oid::FLOAT8), ("at", oid::DATE)] {
            table.add_existing(name.to_owned(), ty);
        }
        let mut timeless = Table::existing("timeless", "r");
        timeless.add_existing("v".to_owned(), oid::FLOAT8);
        let tables = [table, timeless, Table::existing("view", "v")].map(|table| (table.name.clone(), table));
        let points = Points::Lines(text.as_bytes().to_vec().into());
        Plan::new(&points, tables.into(), Clock::new(Precision::Second))
    }

    fn codes(plan: &Plan) -> Vec<(u32, String)> {
        plan.rejected
            .shown
            .iter()
            .map(|rejection| (rejection.number, rejection.error.code().as_str().to_owned()))
            .collect()
    }

    #[test]
    fn only_what_accepted_lines_need_is_made() {
        let plan = plan("m,host=a v=1 1\nnew,t=x a=1i,b=\"\" 1\nnew a=1.5,c=1 1\nm,rack=r v=2 2\nunused v= 1");
        assert_eq!((plan.lines, codes(&plan)), (3, vec![(3, "42804".to_owned()), (5, "22P02".to_owned())]));
        let made = |name: &str| {
            let columns = plan.tables[name].new_columns().iter();
            columns.map(|column| format!("{} {}", column.name, column.ty.name())).collect::<Vec<_>>()
        };
        assert_eq!(made("m"), ["rack text"]);
        assert_eq!(made("new"), ["time timestamp with time zone", "t text", "a bigint", "b text"]);
        assert!(!plan.tables.contains_key("unused"));
    }

    #[test]
    fn what_cannot_hold_a_point_is_said() {
        let long = "x".repeat(64);
        let text = format!(
            "view v=1\ntimeless v=1\nm at=1\nm v=1,v=2\nm,n=1 n=2\nm {long}=1\n{long} v=1\nm v=9007199254740993i"
        );
        let plan = plan(&text);
        let expected = ["42809", "42703", "42804", "42701", "42701", "42622", "42622", "22003"];
        assert_eq!(codes(&plan).into_iter().map(|(_, code)| code).collect::<Vec<_>>(), expected);
        assert!(!plan.changes_schema());
    }

    #[test]
    fn new_columns_have_a_limit_and_lines_within_it_are_kept() {
        let columns = |from: usize, to: usize| (from..to).map(|i| format!("f{i}=1")).collect::<Vec<_>>().join(",");
        let text = format!("a {}\nb {}\nb v=1\nc v=1\nm v=1", columns(0, 995), columns(0, 4));
        let text = text.replacen("\nc v=1", &format!("\nb {}\nc v=1", columns(0, 9_000)), 1);
        let plan = plan(&text);
        // 996 columns of `a`, two of `b`, two of `c`.
        assert_eq!((plan.lines, codes(&plan)), (4, vec![(2, "54011".to_owned()), (4, "54011".to_owned())]));
    }

    #[test]
    fn answers_are_short_however_long_the_lines_are() {
        let text = format!("m v={}i\n", "9".repeat(10_000)).repeat(200);
        let plan = plan(&text);
        assert_eq!((plan.rejected.numbers.len(), plan.rejected.shown.len()), (200, MAX_SHOWN));
        assert!(plan.rejected.shown.iter().all(|line| line.text.len() + line.error.message().len() <= 600));
    }
}
