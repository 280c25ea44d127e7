//! Parts of a table, in memory or of a segment. A part is read piece after piece, and of each only the columns that are still wanted
//! then: who filters by some columns asks for the others where rows are left.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, BooleanBufferBuilder, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Field, Schema};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use super::{ChunkScan, SegmentScan, Summary};
use crate::Result;
use crate::memtable::options;
use crate::schema::{ColumnSchema, IndexId, TableSchema};
use crate::segment::column_name;
use crate::segment::reader::BATCH_ROWS;
use crate::segment::stored::from_stored;
use crate::transaction::RowAddress;

/// Rows of a piece: what is decoded, kept and handed on at once.
const PIECE_ROWS: u32 = BATCH_ROWS as u32;

/// A piece of a part: rows of its file or chunk.
pub type Piece = Range<u32>;

/// What of a table is read in one go.
#[derive(Debug, Clone)]
pub enum Part {
    Chunk(ChunkScan),
    Rows(SegmentPart),
}

/// Yields the columns of one piece after the other.
pub type Columns = Box<dyn Iterator<Item = Result<Vec<ArrayRef>>> + Send>;

impl Part {
    /// Rows that may have to be decoded, dead ones among them.
    pub fn rows(&self) -> usize {
        match self {
            Self::Chunk(chunk) => chunk.batch.num_rows(),
            Self::Rows(part) => part.rows(),
        }
    }

    /// What is known of a column (a position in the schema) without reading it: of one container, which is the part or more.
    pub fn summary(&self, schema: &TableSchema, column: usize) -> Result<Option<Summary>> {
        let Some(of) = schema.columns.get(column) else { return Ok(None) };
        match self {
            Self::Rows(part) => part.segment.segment.summary(part.group, of),
            Self::Chunk(chunk) => chunk.summary(of, column),
        }
    }

    /// The part in two, the first with at least `rows` rows. Chunks stay whole.
    pub fn split(self, rows: usize) -> (Self, Option<Self>) {
        match self {
            Self::Chunk(_) => (self, None),
            Self::Rows(part) => {
                let (first, second) = part.split(rows);
                (Self::Rows(first), second.map(Self::Rows))
            }
        }
    }

    pub fn pieces(&self) -> Vec<Piece> {
        match self {
            Self::Chunk(chunk) => pieces(0..u32::try_from(chunk.batch.num_rows()).unwrap_or(u32::MAX)).collect(),
            Self::Rows(part) => part.pieces.clone(),
        }
    }

    /// Address of the first row of a piece; those of the others follow.
    pub fn address(&self, piece: &Piece) -> RowAddress {
        let first = match self {
            Self::Chunk(chunk) => chunk.first_address,
            Self::Rows(part) => part.segment.first_address,
        };
        first + u64::from(piece.start)
    }

    /// Which rows of a piece are to be seen; None means all.
    pub fn live(&self, piece: &Piece) -> Option<BooleanBuffer> {
        match self {
            Self::Chunk(chunk) => Some(chunk.visible.as_ref()?.slice(piece.start as usize, piece.len())),
            Self::Rows(part) => part.live(piece),
        }
    }

    /// Reads columns (positions in the schema) of some of its pieces, dead rows and all.
    pub fn columns(&self, schema: &TableSchema, columns: &[usize], pieces: &[Piece]) -> Columns {
        match self {
            Self::Chunk(chunk) => {
                let columns: Vec<ArrayRef> =
                    columns.iter().filter_map(|at| chunk.batch.columns().get(*at)).cloned().collect();
                let cut = move |piece: Piece| {
                    Ok(columns.iter().map(|column| column.slice(piece.start as usize, piece.len())).collect())
                };
                let pieces = pieces.to_vec();
                Box::new(pieces.into_iter().map(cut))
            }
            Self::Rows(part) => {
                let columns = columns.iter().filter_map(|at| schema.columns.get(*at)).cloned().collect();
                Box::new(part.columns(columns, pieces))
            }
        }
    }

    /// Live rows, projected to `columns` (positions in the schema).
    pub fn read(&self, schema: &TableSchema, columns: &[usize]) -> impl Iterator<Item = Result<PartBatch>> + use<> {
        let fields = columns.iter().filter_map(|at| schema.columns.get(*at));
        let fields = fields.map(|c| Field::new(&c.name, c.data_type.clone(), true)).collect::<Vec<_>>();
        let (fields, pieces, part) = (Arc::new(Schema::new(fields)), self.pieces(), self.clone());
        self.columns(schema, columns, &pieces).zip(pieces).filter_map(move |(arrays, piece)| {
            let batch = arrays.and_then(|arrays| {
                let rows = RecordBatch::try_new_with_options(fields.clone(), arrays, &options(piece.len()))?;
                let first = part.address(&piece);
                Ok(match part.live(&piece) {
                    None => PartBatch { rows, addresses: (first..first + piece.len() as u64).collect() },
                    Some(live) => PartBatch {
                        addresses: live.set_indices().map(|at| first + at as u64).collect(),
                        rows: filter_record_batch(&rows, &BooleanArray::new(live, None))?,
                    },
                })
            });
            Some(batch).filter(|batch| !matches!(batch, Ok(batch) if batch.addresses.is_empty()))
        })
    }
}

/// Live rows of a piece.
#[derive(Debug)]
pub struct PartBatch {
    /// The columns asked for.
    pub rows: RecordBatch,
    pub addresses: Vec<RowAddress>,
}

fn pieces(all: Range<u32>) -> impl Iterator<Item = Piece> {
    (all.start..all.end)
        .step_by(PIECE_ROWS as usize)
        .map(move |start| start..all.end.min(start.saturating_add(PIECE_ROWS)))
}

/// Rows of one row group that a scan reads.
#[derive(Debug, Clone)]
pub struct SegmentPart {
    segment: SegmentScan,
    group: usize,
    /// The rows of the file that the row group holds.
    all: Range<u32>,
    /// What may be wanted: rows of the file, each a piece of the row group, ascending.
    pieces: Vec<Piece>,
    /// By which they were found.
    pub index: Option<IndexId>,
}

impl SegmentPart {
    /// The pieces of a row group that hold any of `ranges` (ascending).
    pub(super) fn new(
        segment: SegmentScan,
        group: usize,
        all: Range<u32>,
        ranges: &[Range<u32>],
        index: Option<IndexId>,
    ) -> Self {
        let mut ranges = ranges.iter().peekable();
        let wanted = pieces(all.clone()).filter(|piece| {
            while ranges.next_if(|range| range.end <= piece.start).is_some() {}
            ranges.peek().is_some_and(|range| range.start < piece.end)
        });
        let pieces = wanted.collect();
        Self { segment, group, all, pieces, index }
    }

    fn rows(&self) -> usize {
        self.pieces.iter().map(Range::len).sum()
    }

    fn split(mut self, rows: usize) -> (Self, Option<Self>) {
        let mut left = rows;
        let full = self.pieces.iter().position(|piece| {
            left = left.saturating_sub(piece.len());
            left == 0
        });
        let rest = self.pieces.split_off(full.map_or(self.pieces.len(), |last| last + 1));
        let second = (!rest.is_empty()).then(|| Self { pieces: rest, ..self.clone() });
        (self, second)
    }

    fn live(&self, piece: &Piece) -> Option<BooleanBuffer> {
        let dead = self.segment.deleted.as_ref().filter(|dead| dead.range_cardinality(piece.clone()) > 0)?;
        let mut live = BooleanBufferBuilder::new(piece.len());
        live.append_n(piece.len(), true);
        dead.range(piece.clone()).for_each(|row| live.set_bit((row - piece.start) as usize, false));
        Some(live.finish())
    }

    fn columns(&self, columns: Vec<ColumnSchema>, pieces: &[Piece]) -> ColumnReader {
        let segment = &self.segment.segment;
        let known = |column: &ColumnSchema, piece: &Range<u32>| segment.cached(column, piece);
        let pieces = pieces.iter().map(|piece| Pending {
            rows: piece.clone(),
            found: columns.iter().map(|column| known(column, piece)).collect(),
        });
        let pieces = pieces.collect();
        ColumnReader { part: self.clone(), columns, pieces, open: None }
    }
}

/// A piece of which some columns were found in the cache.
#[derive(Debug)]
struct Pending {
    rows: Piece,
    found: Vec<Option<ArrayRef>>,
}

impl Pending {
    fn missing(&self) -> impl Iterator<Item = usize> + '_ {
        self.found.iter().enumerate().filter(|(_, array)| array.is_none()).map(|(place, _)| place)
    }
}

/// Takes columns from the cache, and decodes and keeps what is not there.
#[derive(Debug)]
struct ColumnReader {
    part: SegmentPart,
    columns: Vec<ColumnSchema>,
    pieces: VecDeque<Pending>,
    /// Decodes the places that the next so many pieces lack.
    open: Option<(Vec<usize>, usize, ParquetRecordBatchReader)>,
}

impl ColumnReader {
    fn read(&mut self, mut piece: Pending) -> Result<Vec<ArrayRef>> {
        let segment = self.part.segment.segment.clone();
        let missing: Vec<usize> = piece.missing().collect();
        if !missing.is_empty() {
            let (_, left, reader) = match &mut self.open {
                Some(open) if open.0 == missing && open.1 > 0 => open,
                _ => {
                    let names: Vec<String> = missing.iter().map(|place| column_name(self.columns[*place].id)).collect();
                    let alike = self.pieces.iter().take_while(|next| next.missing().eq(missing.iter().copied()));
                    let rows: Vec<Range<u32>> =
                        std::iter::once(&piece).chain(alike).map(|piece| piece.rows.clone()).collect();
                    let reader = segment.read_group(self.part.group, &self.part.all, &rows, &names)?;
                    self.open.insert((missing.clone(), rows.len(), reader))
                }
            };
            *left -= 1;
            let batch = reader.next().ok_or_else(|| segment.damaged("rows are missing"))?;
            let batch = batch.map_err(|error| segment.damaged(error))?;
            if batch.num_rows() != piece.rows.len() {
                return Err(segment.damaged("a page has another number of rows than its index says"));
            }
            for place in missing {
                let column = &self.columns[place];
                let stored = batch.column_by_name(&column_name(column.id));
                let array =
                    from_stored(stored.ok_or_else(|| segment.damaged("a column is missing"))?, &column.data_type)?;
                segment.keep(column, &piece.rows, &array);
                piece.found[place] = Some(array);
            }
        }
        Ok(piece.found.into_iter().flatten().collect())
    }
}

impl Iterator for ColumnReader {
    type Item = Result<Vec<ArrayRef>>;

    fn next(&mut self) -> Option<Self::Item> {
        let piece = self.pieces.pop_front()?;
        Some(self.read(piece))
    }
}
