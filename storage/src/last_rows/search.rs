//! Searches a table's rows, as a transaction sees them, for the last row of each series: the newest segments first, and as little of them as will do.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::vec::IntoIter;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{concat, take};
use arrow::datatypes::Int64Type;
use arrow::row::{RowConverter, SortField};
use hashbrown::HashTable;
use roaring::RoaringBitmap;

use super::cache::Known;
use super::{Finder, LastRows, Series, instants, times};
use crate::scan::{Bound, ChunkScan, Part, Predicate, SegmentScan, TableScan, Test};
use crate::schema::{ColumnSchema, TableSchema};
use crate::transaction::RowAddress;
use crate::version::row_of;
use crate::{Error, Result};

/// Rows of a segment per series from which its last rows are worth keeping.
const WORTHWHILE: usize = 8;

/// Rows of a segment that are read in any case, and whose last rows are kept however many they are: the small segment that a flush leaves
/// behind says nothing about the table.
const FEW_ROWS: u64 = 16_384;

/// Its first rows have few keys if they have one for so many.
const FEW_OF: usize = 4;

/// A segment's columns are read at all of its last rows, and kept, if one in so many is wanted.
const MOST_WANTED: usize = 4;

#[derive(Debug)]
enum Source {
    Chunk(ChunkScan),
    Segment(SegmentScan),
}

impl Source {
    fn is_dead(&self, row: u32) -> bool {
        match self {
            Self::Chunk(chunk) => chunk.visible.as_ref().is_some_and(|visible| !visible.value(row as usize)),
            Self::Segment(segment) => segment.deleted.as_ref().is_some_and(|deleted| deleted.contains(row)),
        }
    }

    fn first_address(&self) -> RowAddress {
        match self {
            Self::Chunk(chunk) => chunk.first_address,
            Self::Segment(segment) => segment.first_address,
        }
    }
}

/// The best row of a series so far.
#[derive(Debug, Clone, Copy)]
struct Winner {
    source: u32,
    place: u32,
    time: i64,
    hash: u64,
}

/// A segment whose rows are being read.
#[derive(Debug)]
struct Open {
    source: u32,
    /// None: it holds for this search only.
    kept: bool,
    finder: Finder,
    parts: IntoIter<Part>,
}

#[derive(Debug)]
pub struct LastSearch {
    schema: Arc<TableSchema>,
    series: Series,
    positions: Vec<usize>,
    /// Rows from this time on do not count.
    until: Option<i64>,
    sources: Vec<Source>,
    /// Of each source that was looked at.
    last: Vec<Option<Arc<LastRows>>>,
    /// Sources that are still to be looked at, the next one last.
    waiting: Vec<u32>,
    /// Last rows that are dead, by their source: whose series may have others there.
    died: Vec<(u32, u32)>,
    open: Option<Open>,
    winners: Vec<Winner>,
    index: HashTable<u32>,
    /// Series that may be found.
    most: usize,
    /// Keeps files alive.
    scan: TableScan,
}

impl TableScan {
    /// Begins to look for the last row of each series among the rows of `from <= time < until`. Series that have no row from `from` on may be
    /// found or not. None if there seem to be too many series (more than `most`) for that to be worthwhile.
    pub fn last_rows(
        &self,
        series: Series,
        (from, until): (Option<i64>, Option<i64>),
        most: usize,
    ) -> Result<Option<LastSearch>> {
        let schema = self.table_schema.clone();
        let positions = series.positions(&schema)?;
        let mut segments = Vec::with_capacity(self.segments.len());
        for segment in &self.segments {
            if matches!(known(segment, &series), Some(Known::TooMany)) {
                return Ok(None);
            }
            let (least, greatest) = time_range(segment, &series)?;
            if from.is_some_and(|from| greatest < from) || until.is_some_and(|until| least >= until) {
                continue;
            }
            if known(segment, &series).is_none() && !repeats(segment, &schema, &series)? {
                return Ok(None);
            }
            segments.push((greatest, segment.clone()));
        }
        segments.sort_by_key(|(greatest, _)| *greatest);
        let segments = segments.into_iter().map(|(_, segment)| Source::Segment(segment));
        // What is in memory is newest, so it comes first.
        let sources: Vec<Source> = segments.chain(self.chunks.iter().cloned().map(Source::Chunk)).collect();
        Ok(Some(LastSearch {
            schema,
            positions,
            series,
            until,
            last: vec![None; sources.len()],
            waiting: (0..sources.len() as u32).collect(),
            sources,
            died: Vec::new(),
            open: None,
            winners: Vec::new(),
            index: HashTable::new(),
            most,
            scan: self.clone(),
        }))
    }
}

fn known(segment: &SegmentScan, series: &Series) -> Option<Known> {
    segment.segment.last_rows.get(segment.segment.table, segment.segment.unit, series)
}

/// Do the keys take few values, as far as the segment's encodings or its first rows tell?
fn repeats(segment: &SegmentScan, schema: &TableSchema, series: &Series) -> Result<bool> {
    if segment.rows <= FEW_ROWS {
        return Ok(true);
    }
    let mut others = Vec::new();
    for key in &series.keys {
        if segment.column_ids.contains(key) && !segment.segment.has_dictionary(*key)? {
            others.extend(schema.position(*key));
        }
    }
    if others.is_empty() {
        return Ok(true);
    }
    let mut parts = Vec::new();
    segment.parts(schema, &[], &[], &mut parts)?;
    let Some(part) = parts.into_iter().next().map(Part::Rows) else { return Ok(true) };
    let pieces = part.pieces();
    let Some(columns) = part.columns(schema, &others, pieces.get(..1).unwrap_or_default()).next() else {
        return Ok(true);
    };
    let columns = columns?;
    let fields = columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    let rows = RowConverter::new(fields)?.convert_columns(&columns)?;
    let distinct: HashSet<&[u8]> = rows.iter().map(|row| row.data()).collect();
    Ok(distinct.len() * FEW_OF <= rows.num_rows())
}

/// The first and the last time in a segment, or wider.
fn time_range(segment: &SegmentScan, series: &Series) -> Result<(i64, i64)> {
    let Some((least, greatest)) = segment.segment.range(series.time)? else { return Ok((i64::MIN, i64::MAX)) };
    let one = |value: &ArrayRef| -> Result<i64> { Ok(instants(value)?.as_primitive::<Int64Type>().value(0)) };
    Ok((one(&least)?, one(&greatest)?))
}

/// How a search goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    Searching,
    Found,
    /// There are more series than asked for.
    TooMany,
}

impl LastSearch {
    /// Looks at the next rows, about a row group.
    pub fn step(&mut self) -> Result<Progress> {
        let found = self.winners.len().max(self.open.as_ref().map_or(0, |open| open.finder.rows.len()));
        if found > self.most {
            return Ok(Progress::TooMany);
        }
        Ok(if self.advance()? { Progress::Searching } else { Progress::Found })
    }

    /// False if there is nothing left.
    fn advance(&mut self) -> Result<bool> {
        if let Some(open) = &mut self.open {
            let Some(part) = open.parts.next() else {
                return self.close().map(|()| true);
            };
            for batch in part.read(&self.schema, &self.positions) {
                let batch = batch?;
                let rows = batch.addresses.iter().map(|address| row_of(*address));
                open.finder.add(batch.rows.columns(), rows, self.until)?;
            }
            return Ok(true);
        }
        if let Some(source) = self.waiting.pop() {
            self.look_at(source)?;
            return Ok(true);
        }
        self.revive()
    }

    fn look_at(&mut self, number: u32) -> Result<()> {
        let Some(source) = self.sources.get(number as usize) else { return Ok(()) };
        let segment = match source {
            Source::Chunk(chunk) => {
                let mut finder = Finder::new(&self.schema, &self.positions)?;
                let part = Part::Chunk(chunk.clone());
                for batch in part.read(&self.schema, &self.positions) {
                    let batch = batch?;
                    let rows = batch.addresses.iter().map(|address| (address - chunk.first_address) as u32);
                    finder.add(batch.rows.columns(), rows, self.until)?;
                }
                let found = Arc::new(finder.finish(RoaringBitmap::new()));
                self.merge(number, found);
                return Ok(());
            }
            Source::Segment(segment) => segment,
        };
        let whole = match self.until {
            Some(until) => time_range(segment, &self.series)?.1 < until,
            None => true,
        };
        match known(segment, &self.series).filter(|_| whole) {
            Some(Known::Rows(rows)) if rows.holds(|row| source.is_dead(row)) => self.merge(number, rows),
            _ => self.read(number, whole)?,
        }
        Ok(())
    }

    /// Begins to read a segment.
    fn read(&mut self, number: u32, kept: bool) -> Result<()> {
        let Some(Source::Segment(segment)) = self.sources.get(number as usize) else { return Ok(()) };
        let mut predicates = Vec::new();
        if let (Some(until), Some(time)) = (self.until, self.schema.columns.iter().find(|c| c.id == self.series.time)) {
            let value = times(&(Arc::new(Int64Array::from(vec![until])) as ArrayRef), &time.data_type)?;
            let high = (value.null_count() == 0).then_some(Bound { value, inclusive: false });
            predicates.extend(Predicate::new(time.id, Test::Range { low: None, high }));
        }
        let mut parts = Vec::new();
        segment.parts(&self.schema, &predicates, &[], &mut parts)?;
        let finder = Finder::new(&self.schema, &self.positions)?;
        let parts = parts.into_iter().map(Part::Rows).collect::<Vec<_>>().into_iter();
        self.open = Some(Open { source: number, kept, finder, parts });
        Ok(())
    }

    /// All of a segment is read.
    fn close(&mut self) -> Result<()> {
        let Some(Open { source: number, kept, finder, .. }) = self.open.take() else { return Ok(()) };
        let Some(Source::Segment(source)) = self.sources.get(number as usize) else { return Ok(()) };
        let left_out = source.deleted.as_deref().cloned().unwrap_or_default();
        let found = Arc::new(finder.finish(left_out));
        if kept {
            let segment = &source.segment;
            let few = found.len().saturating_mul(WORTHWHILE) <= source.rows as usize || source.rows <= FEW_ROWS;
            let known = if few { Known::Rows(found.clone()) } else { Known::TooMany };
            segment.last_rows.insert(segment.table, segment.unit, &self.series, known);
        }
        self.merge(number, found);
        Ok(())
    }

    /// Takes over what is later than what was found elsewhere.
    fn merge(&mut self, number: u32, rows: Arc<LastRows>) {
        let Some(source) = self.sources.get(number as usize) else { return };
        // Winners are compared by the keys of their sources.
        self.last[number as usize] = Some(rows.clone());
        for place in 0..rows.len() {
            let (time, hash, row) = (rows.places.times[place], rows.places.hashes[place], rows.places.rows[place]);
            if source.is_dead(row) {
                self.died.push((number, place as u32));
                continue;
            }
            let found = self.index.find(hash, |at| is_series(&self.winners, &self.last, *at, hash, rows.key(place)));
            let winner = Winner { source: number, place: place as u32, time, hash };
            match found.copied() {
                Some(at) if self.winners[at as usize].time < time => self.winners[at as usize] = winner,
                Some(_) => {}
                None => {
                    let at = self.winners.len() as u32;
                    self.winners.push(winner);
                    self.index.insert_unique(hash, at, |at| self.winners[*at as usize].hash);
                }
            }
        }
    }

    /// Series whose last row of a segment is dead may have another one there, later than all that was found.
    fn revive(&mut self) -> Result<bool> {
        let mut again = None;
        while let Some((number, place)) = self.died.pop() {
            let Some(rows) = self.last.get(number as usize).and_then(Option::as_ref) else { continue };
            let (hash, key, time) =
                (rows.places.hashes[place as usize], rows.key(place as usize), rows.places.times[place as usize]);
            let found = self.index.find(hash, |at| is_series(&self.winners, &self.last, *at, hash, key));
            if found.is_none_or(|at| self.winners[*at as usize].time < time) {
                again = Some(number);
                break;
            }
        }
        let Some(Source::Segment(segment)) = again.and_then(|number| self.sources.get(number as usize)) else {
            return Ok(false);
        };
        // What was found there stays what it is, so its live rows are another source.
        let segment = segment.clone();
        self.died.retain(|(other, _)| Some(*other) != again);
        self.sources.push(Source::Segment(segment));
        self.last.push(None);
        self.read(self.sources.len() as u32 - 1, true)?;
        Ok(true)
    }

    /// What was found, once there is no next step.
    pub fn finish(self) -> Result<LastPoints> {
        let Self { schema, series, sources, last, mut winners, scan, .. } = self;
        winners.sort_unstable_by_key(|winner| (winner.source, winner.place));
        Ok(LastPoints { schema, series, sources, last, winners, _scan: scan })
    }
}

/// Is a winner of this series?
fn is_series(winners: &[Winner], last: &[Option<Arc<LastRows>>], at: u32, hash: u64, key: &[u8]) -> bool {
    let winner = &winners[at as usize];
    let rows = || last.get(winner.source as usize).and_then(Option::as_ref);
    winner.hash == hash && rows().is_some_and(|rows| rows.key(winner.place as usize) == key)
}

/// The last row of each series, in no order.
#[derive(Debug)]
pub struct LastPoints {
    schema: Arc<TableSchema>,
    series: Series,
    sources: Vec<Source>,
    last: Vec<Option<Arc<LastRows>>>,
    /// By source and place, and so by row.
    winners: Vec<Winner>,
    _scan: TableScan,
}

impl LastPoints {
    pub fn len(&self) -> usize {
        self.winners.len()
    }

    pub fn is_empty(&self) -> bool {
        self.winners.is_empty()
    }

    /// Lets go of the rows that are not set.
    pub fn retain(&mut self, kept: &BooleanBuffer) {
        let mut kept = kept.iter();
        self.winners.retain(|_| kept.next().unwrap_or(false));
    }

    /// Where the rows are.
    pub fn addresses(&self) -> Result<Vec<RowAddress>> {
        let mut out = Vec::with_capacity(self.len());
        for (source, rows, winners) in self.runs() {
            let (first, rows) = (self.source(source)?.first_address(), &rows?.places.rows);
            out.extend(winners.iter().map(|winner| first + u64::from(rows[winner.place as usize])));
        }
        Ok(out)
    }

    /// The values of columns, by position.
    pub fn columns(&self, positions: &[usize]) -> Result<Vec<ArrayRef>> {
        let mut out: Vec<Vec<ArrayRef>> = vec![Vec::new(); positions.len()];
        for (source, rows, winners) in self.runs() {
            let values = self.values(source, rows?, winners, positions)?;
            out.iter_mut().zip(values).for_each(|(column, values)| column.push(values));
        }
        let join = |(parts, position): (Vec<ArrayRef>, &usize)| match parts.as_slice() {
            [one] => Ok(Arc::clone(one)),
            [] => {
                let column = self.schema.columns.get(*position);
                let column = column.ok_or_else(|| Error::Internal(format!("there is no column {position}")))?;
                Ok(arrow::array::new_empty_array(&column.data_type))
            }
            many => Ok(concat(&many.iter().map(|a| a as &dyn Array).collect::<Vec<_>>())?),
        };
        out.into_iter().zip(positions).map(join).collect()
    }

    /// The winners of each source.
    fn runs(&self) -> impl Iterator<Item = (u32, Result<&Arc<LastRows>>, &[Winner])> {
        let missing = || Error::Internal("a last row comes from nowhere".into());
        self.winners.chunk_by(|a, b| a.source == b.source).map(move |run| {
            let source = run[0].source;
            (source, self.last.get(source as usize).and_then(Option::as_ref).ok_or_else(missing), run)
        })
    }

    fn source(&self, number: u32) -> Result<&Source> {
        self.sources.get(number as usize).ok_or_else(|| Error::Internal("a last row comes from nowhere".into()))
    }

    /// Columns at the winners of one source.
    fn values(&self, source: u32, rows: &LastRows, winners: &[Winner], positions: &[usize]) -> Result<Vec<ArrayRef>> {
        let places: Vec<u32> = winners.iter().map(|winner| winner.place).collect();
        let known = self.known(rows, &places)?;
        let columns = positions.iter().filter_map(|at| self.schema.columns.get(*at));
        let missing: Vec<&ColumnSchema> = columns.clone().filter(|column| !known.contains_key(&column.id)).collect();
        let mut read = self.read(source, rows, &places, &missing)?;
        let values = columns.map(|column| match known.get(&column.id) {
            Some(values) => Ok(values.clone()),
            None => read.remove(&column.id).ok_or_else(|| Error::Internal("a column is missing".into())),
        });
        values.collect()
    }

    /// The keys and the time, which need not be read.
    fn known(&self, rows: &LastRows, places: &[u32]) -> Result<HashMap<u32, ArrayRef>> {
        let keys = self.series.keys.iter().copied().zip(rows.key_columns(places)?);
        let instants: Int64Array = places.iter().map(|place| rows.places.times[*place as usize]).collect();
        let position = self.schema.position(self.series.time);
        let time = position.and_then(|at| self.schema.columns.get(at));
        let time =
            time.map(|time| Ok::<_, Error>((time.id, times(&(Arc::new(instants) as ArrayRef), &time.data_type)?)));
        Ok(keys.chain(time.transpose()?).collect())
    }

    fn read(
        &self,
        source: u32,
        rows: &LastRows,
        places: &[u32],
        columns: &[&ColumnSchema],
    ) -> Result<HashMap<u32, ArrayRef>> {
        if columns.is_empty() {
            return Ok(HashMap::new());
        }
        let wanted: Vec<u32> = places.iter().map(|place| rows.places.rows[*place as usize]).collect();
        let values = match self.source(source)? {
            Source::Chunk(chunk) => {
                let wanted = UInt32Array::from(wanted);
                let column = |column: &&ColumnSchema| {
                    let at = self.schema.position(column.id);
                    let whole = at.and_then(|at| chunk.batch.columns().get(at));
                    let whole = whole.ok_or_else(|| Error::Internal("a column is missing".into()))?;
                    Ok(take(whole, &wanted, None)?)
                };
                columns.iter().map(column).collect::<Result<Vec<_>>>()?
            }
            Source::Segment(segment) if places.len() * MOST_WANTED < rows.len() => {
                segment.segment.read_rows(&wanted, columns)?
            }
            Source::Segment(segment) => {
                let places = UInt32Array::from(places.to_vec());
                let all = self.read_all(segment, rows, columns)?;
                all.iter().map(|values| Ok(take(values, &places, None)?)).collect::<Result<Vec<_>>>()?
            }
        };
        Ok(columns.iter().map(|column| column.id).zip(values).collect())
    }

    /// Columns at all last rows of a segment, which are kept.
    fn read_all(&self, segment: &SegmentScan, rows: &LastRows, columns: &[&ColumnSchema]) -> Result<Vec<ArrayRef>> {
        let fits = |column: &ColumnSchema| rows.columns.get(&column.id).filter(|a| *a.data_type() == column.data_type);
        let missing: Vec<&ColumnSchema> = columns.iter().filter(|column| fits(column).is_none()).copied().collect();
        let mut rows = rows.clone();
        if !missing.is_empty() {
            let read = segment.segment.read_rows(&rows.places.rows, &missing)?;
            rows.columns.extend(missing.iter().map(|column| column.id).zip(read));
            if let Some(Known::Rows(kept)) = known(segment, &self.series)
                && Arc::ptr_eq(&kept.places, &rows.places)
            {
                let (table, unit) = (segment.segment.table, segment.segment.unit);
                segment.segment.last_rows.insert(table, unit, &self.series, Known::Rows(Arc::new(rows.clone())));
            }
        }
        let value = |column: &&ColumnSchema| {
            rows.columns.get(&column.id).cloned().ok_or_else(|| Error::Internal("a column is missing".into()))
        };
        columns.iter().map(value).collect()
    }
}
