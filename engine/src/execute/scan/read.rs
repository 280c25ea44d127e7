//! Reads the parts of a scan: of each piece first the columns that conditions ask for, and the others where rows are left.

use std::sync::Arc;

use aegis_storage::TableSchema;
use aegis_storage::transaction::{Columns, Part, Piece};
use arrow::array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array, UInt64Array, new_null_array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{BatchCoalescer, concat_batches, filter_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{Result, internal_err};
use futures::{Stream, stream};

use super::filter::Conjunct;
use super::promise::Watch;
use super::{BATCH_ROWS, Counted, Source, storage};

/// Memory of the batches that rows left by conditions are gathered in, which is taken when the first of them comes: of wide rows fewer.
const GATHERED_BYTES: usize = 2 << 20;
/// What a value takes there, about.
const VALUE_BYTES: usize = 16;
const LEAST_GATHERED_ROWS: usize = 512;

/// How batches are made from parts.
#[derive(Debug, Clone)]
pub struct Reader {
    pub table: Arc<TableSchema>,
    /// Columns of the scan, and what they are made from.
    pub layout: SchemaRef,
    pub sources: Vec<Source>,
    /// Conditions, in the order of their evaluation.
    pub conjuncts: Vec<Conjunct>,
    /// Which columns go on, and as what.
    pub output: Vec<usize>,
    pub schema: SchemaRef,
    /// Rows that are enough.
    pub limit: Option<usize>,
    pub counted: Option<Counted>,
}

/// A piece on its way through the conditions.
struct Opened {
    rows: Piece,
    /// Rows that are left; None means all.
    live: Option<BooleanBuffer>,
    /// Columns of the scan as far as they have been read, with all rows.
    columns: Vec<Option<ArrayRef>>,
}

impl Opened {
    fn rows(&self) -> u64 {
        self.live.as_ref().map_or(self.rows.len(), BooleanBuffer::count_set_bits) as u64
    }

    fn has_rows(&self) -> bool {
        self.live.as_ref().is_none_or(|live| live.count_set_bits() > 0)
    }
}

/// Columns of the output with all rows of a piece, and which of them are left. (The others may hold nulls from before their column
/// was NOT NULL.)
struct Selected {
    columns: RecordBatch,
    live: Option<BooleanBuffer>,
}

type Pieces = Box<dyn Iterator<Item = Result<Selected>> + Send>;

impl Reader {
    /// The rows of parts, in their order.
    pub fn stream(self, parts: Vec<Part>) -> impl Stream<Item = Result<RecordBatch>> + Send + use<> {
        let fits = GATHERED_BYTES / (self.output.len().max(1) * VALUE_BYTES);
        let target = self.limit.unwrap_or(usize::MAX).clamp(1, fits.clamp(LEAST_GATHERED_ROWS, BATCH_ROWS));
        let coalescer =
            BatchCoalescer::new(self.nullable(), target).with_biggest_coalesce_batch_size(Some(BATCH_ROWS / 2));
        let left = self.limit.unwrap_or(usize::MAX);
        let watch = Watch::new(&self.conjuncts, &self.layout);
        let state = Progress { reader: self, watch, parts: parts.into_iter(), open: None, coalescer, left };
        stream::try_unfold(state, |mut state| async move { Ok(state.next().await?.map(|batch| (batch, state))) })
    }

    /// The rows of a part as one batch, without conditions.
    pub fn read_whole(&self, part: Part) -> Result<RecordBatch> {
        let batches = self.read(&part)?.map(|piece| {
            let Selected { columns, live } = piece?;
            Ok(match live {
                None => columns,
                Some(live) => filter_record_batch(&columns, &BooleanArray::new(live, None))?,
            })
        });
        let whole = concat_batches(&self.nullable(), &batches.collect::<Result<Vec<_>>>()?)?;
        self.output(whole)
    }

    /// A batch of live rows, of which NOT NULL holds again.
    fn output(&self, live: RecordBatch) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(live.num_rows()));
        let (_, columns, _) = live.into_parts();
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?)
    }

    /// The columns of the output, dead rows and all.
    fn nullable(&self) -> SchemaRef {
        let fields = self.schema.fields().iter();
        let fields = fields.map(|f| Field::new(f.name(), f.data_type().clone(), true)).collect::<Vec<_>>();
        Arc::new(Schema::new(fields))
    }

    /// The pieces of a part that have rows which meet all conditions.
    fn read(&self, part: &Part) -> Result<Pieces> {
        let opened = part.pieces().into_iter().map(|rows| Opened {
            live: part.live(&rows),
            columns: vec![None; self.sources.len()],
            rows,
        });
        let mut pieces: Vec<Opened> = opened.filter(Opened::has_rows).collect();
        if let Some(counted) = &self.counted {
            counted.read(pieces.iter().map(Opened::rows).sum());
        }
        for conjunct in &self.conjuncts {
            self.load(part, &mut pieces, &conjunct.columns)?;
            for piece in &mut pieces {
                let columns =
                    conjunct.columns.iter().filter_map(|at| piece.columns.get(*at).cloned().flatten()).collect();
                piece.live = conjunct.narrow(columns, piece.rows.len(), piece.live.as_ref())?;
            }
            pieces.retain(Opened::has_rows);
        }
        let (reader, nullable, part) = (self.clone(), self.nullable(), part.clone());
        let wanted = self.missing(&pieces, &self.output);
        let mut columns = self.columns(&part, &pieces, &wanted);
        Ok(Box::new(pieces.into_iter().map(move |mut piece| {
            reader.fill(&part, &mut piece, &wanted, &mut columns)?;
            let output = reader.output.iter().filter_map(|at| piece.columns.get(*at).cloned().flatten()).collect();
            let options = RecordBatchOptions::new().with_row_count(Some(piece.rows.len()));
            let columns = RecordBatch::try_new_with_options(nullable.clone(), output, &options)?;
            Ok(Selected { columns, live: piece.live })
        })))
    }

    /// Those of the columns that are not read yet: all pieces have the same.
    fn missing(&self, pieces: &[Opened], columns: &[usize]) -> Vec<usize> {
        let known = |at: &usize| pieces.first().is_none_or(|piece| piece.columns.get(*at).is_none_or(Option::is_some));
        let mut missing: Vec<usize> = columns.iter().copied().filter(|at| !known(at)).collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    /// Reads the columns in the order of `wanted`, as far as the table stores them.
    fn columns(&self, part: &Part, pieces: &[Opened], wanted: &[usize]) -> Columns {
        let stored = wanted.iter().filter_map(|at| match self.sources.get(*at) {
            Some(Source::Stored(position)) => Some(*position),
            _ => None,
        });
        let pieces: Vec<Piece> = pieces.iter().map(|piece| piece.rows.clone()).collect();
        part.columns(&self.table, &stored.collect::<Vec<_>>(), &pieces)
    }

    fn load(&self, part: &Part, pieces: &mut [Opened], columns: &[usize]) -> Result<()> {
        let wanted = self.missing(pieces, columns);
        if wanted.is_empty() {
            return Ok(());
        }
        let mut columns = self.columns(part, pieces, &wanted);
        pieces.iter_mut().try_for_each(|piece| self.fill(part, piece, &wanted, &mut columns))
    }

    /// Gives a piece its `wanted` columns.
    fn fill(&self, part: &Part, piece: &mut Opened, wanted: &[usize], columns: &mut Columns) -> Result<()> {
        if wanted.is_empty() {
            return Ok(());
        }
        let Some(stored) = columns.next() else { return internal_err!("a part has too few pieces") };
        let mut stored = stored.map_err(storage)?.into_iter();
        let (rows, first) = (piece.rows.len(), part.address(&piece.rows));
        let addresses = (0..rows).map(move |row| first + row as u64);
        for at in wanted {
            let array = match self.sources.get(*at) {
                Some(Source::Stored(_)) => stored.next(),
                Some(source) => source.computed(self.layout.field(*at).data_type(), addresses.clone()),
                None => return internal_err!("a scan has too few columns"),
            };
            let Some(array) = array else { return internal_err!("a part has too few columns") };
            if let Some(place) = piece.columns.get_mut(*at) {
                *place = Some(array);
            }
        }
        Ok(())
    }
}

/// How far a stream has come.
struct Progress {
    reader: Reader,
    watch: Watch,
    parts: std::vec::IntoIter<Part>,
    open: Option<Pieces>,
    coalescer: BatchCoalescer,
    left: usize,
}

impl Progress {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if self.left == 0 {
                return Ok(None);
            }
            if let Some(batch) = self.coalescer.next_completed_batch() {
                let batch = batch.slice(0, batch.num_rows().min(self.left));
                self.left -= batch.num_rows();
                return self.reader.output(batch).map(Some);
            }
            match self.open.as_mut().map(Iterator::next) {
                Some(Some(piece)) => {
                    let Selected { columns, live } = piece?;
                    match live.filter(|live| live.count_set_bits() < columns.num_rows()) {
                        None if columns.num_rows() > BATCH_ROWS / 2 => {
                            // Goes on as it is, nothing copied.
                            self.coalescer.finish_buffered_batch()?;
                            self.coalescer.push_batch(columns)?;
                        }
                        None => self.coalescer.push_batch(columns)?,
                        Some(live) => self.coalescer.push_batch_with_filter(columns, &BooleanArray::new(live, None))?,
                    }
                }
                Some(None) | None => match self.parts.next() {
                    Some(part) => {
                        // Parts may go by without a row; who waits for one can be cancelled.
                        tokio::task::yield_now().await;
                        if !self.watch.rules_out(&part, &self.reader.table, &self.reader.sources)? {
                            self.open = Some(self.reader.read(&part)?);
                        }
                    }
                    None if self.coalescer.get_buffered_rows() > 0 => self.coalescer.finish_buffered_batch()?,
                    None => return Ok(None),
                },
            }
        }
    }
}

impl Source {
    /// The column of rows at these addresses, if it is not stored.
    pub fn computed(self, data_type: &DataType, addresses: impl ExactSizeIterator<Item = u64>) -> Option<ArrayRef> {
        let rows = addresses.len();
        Some(match self {
            Self::Stored(_) => return None,
            Self::TableOid(oid) => Arc::new(UInt32Array::from_value(oid, rows)),
            Self::Address => Arc::new(UInt64Array::from_iter_values(addresses)),
            Self::TupleId => Arc::new(UInt64Array::from_iter_values(addresses.map(tuple_id))),
            Self::Constant(value) => constant(data_type, value, rows),
        })
    }
}

/// A tuple id (block << 16 | offset, offsets from 1) that tells rows apart as their addresses do.
fn tuple_id(address: u64) -> u64 {
    const PER_BLOCK: u64 = 0xFFFE;
    ((address / PER_BLOCK) << 16) | (address % PER_BLOCK + 1)
}

fn constant(data_type: &DataType, value: u64, rows: usize) -> ArrayRef {
    match data_type {
        DataType::UInt32 => Arc::new(UInt32Array::from_value(value as u32, rows)),
        DataType::UInt64 => Arc::new(UInt64Array::from_value(value, rows)),
        other => new_null_array(other, rows),
    }
}
