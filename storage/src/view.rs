//! One table as one transaction sees it: a version's rows with the transaction's own changes on top.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::interleave_record_batch;
use arrow::datatypes::SchemaRef;
use roaring::RoaringBitmap;

use crate::index::KeyColumns;
use crate::memtable::{Chunk, RowId, adapt};
use crate::overlay::Overlay;
use crate::scan::{ChunkScan, SegmentScan, TableScan};
use crate::schema::{ColumnSchema, IndexSchema};
use crate::segment::Segment;
use crate::transaction::RowAddress;
use crate::version::{OWN_UNITS, RowKeys, Shape, Table, Version, address, row_of, unit_of};
use crate::{Error, Result};

#[derive(Debug, Clone, Copy)]
pub struct TableView<'a> {
    pub shape: &'a Shape,
    pub base: Option<&'a Table>,
    pub own: Option<&'a Overlay>,
}

/// Candidates in one segment: the unit that addresses name it by, and (position among the keys, row of the segment).
type SegmentProbe<'a> = (u32, &'a Arc<Segment>, Vec<(usize, u32)>);

impl<'a> TableView<'a> {
    fn chunk(&self, unit: u32) -> Option<&'a Arc<Chunk>> {
        match unit {
            OWN_UNITS.. => self.own?.chunk(unit),
            _ => self.base?.chunk(unit),
        }
    }

    /// Segments of the version, and the transaction's own, by the units that addresses name them by.
    fn segments(&self) -> impl Iterator<Item = (u32, &'a Arc<Segment>)> + use<'a> {
        let base = self.base.into_iter().flat_map(|b| b.segments.iter()).map(|v| (v.segment.unit, &v.segment));
        base.chain(self.own.into_iter().flat_map(|o| &o.staged).map(|(unit, staged)| (*unit, &staged.segment)))
    }

    fn segment(&self, unit: u32) -> Option<&'a Arc<Segment>> {
        match unit {
            OWN_UNITS.. => self.own?.staged.get(&unit).map(|staged| &staged.segment),
            _ => self.base?.segment(unit).map(|view| &view.segment),
        }
    }

    pub fn is_live(&self, address: RowAddress) -> bool {
        if self.own.is_some_and(|own| own.has_deleted(address)) {
            return false;
        }
        match unit_of(address) {
            unit @ OWN_UNITS.. => self.chunk(unit).is_some_and(|c| row_of(address) < c.rows),
            _ => self.base.is_some_and(|base| base.is_live(address)),
        }
    }

    pub fn row_count(&self) -> u64 {
        let base = self.base.map_or(0, |b| b.live_rows);
        let Some(own) = self.own else { return base };
        // Rows that another transaction has killed too, before this one was refreshed, are not counted twice.
        let was_live = |unit, row| self.base.is_some_and(|b| b.is_live(address(unit, row)));
        let deleted: u64 =
            own.base_deletes().map(|(unit, rows)| rows.iter().filter(|row| was_live(unit, *row)).count() as u64).sum();
        base.saturating_sub(deleted) + own.live_own_rows()
    }

    pub fn scan(&self, pin: Arc<Version>) -> Result<TableScan> {
        let mut chunks = Vec::new();
        let base_chunks = self.base.iter().flat_map(|b| &b.chunks);
        let own_chunks = self.own.iter().flat_map(|o| &o.chunks);
        for chunk in base_chunks.chain(own_chunks) {
            self.scan_chunk(chunk, &mut chunks)?;
        }
        let base = self.base.iter().flat_map(|b| b.segments.iter());
        let base = base.map(|view| {
            let unit = view.segment.unit;
            let own = self.own.and_then(|o| o.deleted.get(&unit)).filter(|rows| !rows.is_empty());
            let base = (!view.deleted.is_empty()).then(|| view.deleted.all());
            let deleted = match (base, own) {
                (base, None) => base,
                (None, Some(own)) => Some(Arc::new(own.clone())),
                (Some(base), Some(own)) => Some(Arc::new(base.as_ref() | own)),
            };
            scan_segment(unit, &view.segment, deleted)
        });
        let own = self.own.iter().flat_map(|o| o.staged.iter().map(|(unit, staged)| (*o, *unit, staged)));
        let own = own.map(|(own, unit, staged)| {
            let dead = own.dead_in_file(unit, staged);
            scan_segment(unit, &staged.segment, (!dead.is_empty()).then(|| Arc::new(dead)))
        });
        let segments = base.chain(own).collect();
        Ok(TableScan {
            schema: self.shape.arrow.clone(),
            table_schema: self.shape.schema.clone(),
            chunks,
            segments,
            row_count: usize::try_from(self.row_count()).ok(),
            _pin: pin,
        })
    }

    fn scan_chunk(&self, chunk: &Chunk, out: &mut Vec<ChunkScan>) -> Result<()> {
        let deleted = self.own.and_then(|o| o.deleted.get(&chunk.unit));
        for piece in &chunk.pieces {
            let rows = piece.batch.num_rows();
            let mut visible = chunk.piece_live(piece);
            if let Some(deleted) = deleted {
                let kept = BooleanBuffer::collect_bool(rows, |i| !deleted.contains(piece.start + i as u32));
                visible = Some(visible.map_or(kept.clone(), |v| &v & &kept));
            }
            if visible.as_ref().is_some_and(|v| v.count_set_bits() == 0) {
                continue;
            }
            let visible = visible.filter(|v| v.count_set_bits() < rows);
            out.push(ChunkScan::of(piece, chunk, visible, self.shape)?);
        }
        Ok(())
    }

    /// For each key the address of the live row that has it. With `newer_than`, only rows of later commits are
    /// looked at.
    pub fn lookup(
        &self,
        index: &IndexSchema,
        keys: &RowKeys,
        newer_than: Option<u64>,
    ) -> Result<Vec<Option<RowAddress>>> {
        let mut found = vec![None; keys.hashes.len()];
        let mut reader = KeyReader { view: *self, index, cache: HashMap::new(), key: Vec::new() };
        let (mut candidates, mut key) = (Vec::new(), Vec::new());
        let own = self.own.and_then(|o| o.keys.get(&index.id));
        let whole = own.and_then(|o| o.whole.as_ref());
        for (at, hash) in keys.hashes.iter().enumerate() {
            let Some(hash) = *hash else { continue };
            candidates.clear();
            if let Some(own) = own {
                own.candidates(hash, &mut candidates);
            }
            if whole.is_none() {
                for generation in self.base.iter().flat_map(|b| b.generations.iter().rev()) {
                    if let Some(index) = generation.keys.get(&index.id) {
                        index.candidates(hash, &mut candidates);
                    }
                }
            }
            if candidates.is_empty() {
                continue;
            }
            key.clear();
            keys.columns.write(at, &mut key);
            for candidate in &candidates {
                if self.is_live(*candidate) && self.is_newer(*candidate, newer_than) && reader.has(*candidate, &key)? {
                    found[at] = Some(*candidate);
                    break;
                }
            }
        }
        let first_unit = whole.map_or(0, |(_, unit)| *unit);
        for (unit, segment, probes) in self.probe_segments(index, keys, first_unit, newer_than, &found)? {
            for (at, row) in self.equal_keys(segment, index, keys, probes)? {
                found[at] = Some(address(unit, row));
            }
        }
        Ok(found)
    }

    /// For each key the addresses of all live rows that have it, ascending. None if the index does not know all rows: it
    /// was created by this transaction.
    pub fn lookup_all(&self, index: &IndexSchema, keys: &RowKeys) -> Result<Option<Vec<Vec<RowAddress>>>> {
        let own = self.own.and_then(|o| o.keys.get(&index.id));
        let generations = match (own, self.base) {
            // The transaction's own index covers all rows.
            (Some(own), _) if own.whole.is_some() => [].as_slice(),
            (_, Some(base)) if base.shape.schema.index(index.id) == Some(index) => &base.generations,
            // A table that the transaction has made.
            (_, None) => &[],
            _ => return Ok(None),
        };
        let whole = own.and_then(|own| own.whole.as_ref());
        let mut found = vec![Vec::new(); keys.hashes.len()];
        let mut reader = KeyReader { view: *self, index, cache: HashMap::new(), key: Vec::new() };
        let (mut candidates, mut key) = (Vec::new(), Vec::new());
        for (at, hash) in keys.hashes.iter().enumerate() {
            let Some(hash) = *hash else { continue };
            candidates.clear();
            if let Some(own) = own {
                own.candidates(hash, &mut candidates);
            }
            let generations = generations.iter().filter_map(|g| g.keys.get(&index.id));
            generations.for_each(|index| index.candidates(hash, &mut candidates));
            // Rows that a flush has moved since they were indexed are found in their segments.
            let in_memory = |unit| self.chunk(unit).is_some() && self.segment(unit).is_none();
            candidates.retain(|row| (whole.is_some() || in_memory(unit_of(*row))) && self.is_live(*row));
            candidates.sort_unstable();
            candidates.dedup();
            key.clear();
            keys.columns.write(at, &mut key);
            for candidate in &candidates {
                if reader.has(*candidate, &key)? {
                    found[at].push(*candidate);
                }
            }
        }
        let all = vec![None; keys.hashes.len()];
        let first_unit = whole.map_or(0, |(_, unit)| *unit);
        for (unit, segment, probes) in self.probe_segments(index, keys, first_unit, None, &all)? {
            for (at, row) in self.equal_keys(segment, index, keys, probes)? {
                found[at].push(address(unit, row));
            }
        }
        found.iter_mut().for_each(|rows| rows.sort_unstable());
        Ok(Some(found))
    }

    fn is_newer(&self, address: RowAddress, than: Option<u64>) -> bool {
        let Some(than) = than else { return true };
        let id = self.chunk(unit_of(address)).and_then(|c| c.row_id(row_of(address)));
        id.is_none_or(|id| id.ts > than)
    }

    /// Those candidates whose keys are equal, not only their hashes.
    fn equal_keys(
        &self,
        segment: &Segment,
        index: &IndexSchema,
        keys: &RowKeys,
        mut probes: Vec<(usize, u32)>,
    ) -> Result<Vec<(usize, u32)>> {
        if keys.columns.hashes_are_exact() {
            return Ok(probes);
        }
        let mut rows: Vec<u32> = probes.iter().map(|(_, row)| *row).collect();
        rows.sort_unstable();
        rows.dedup();
        let stored = self.segment_keys(segment, index, &rows)?;
        let (mut left, mut right) = (Vec::new(), Vec::new());
        probes.retain(|(at, row)| {
            let Ok(place) = rows.binary_search(row) else { return false };
            left.clear();
            right.clear();
            keys.columns.write(*at, &mut left);
            stored.write(place, &mut right) && left == right
        });
        Ok(probes)
    }

    /// Live rows of segments from `first_unit` on whose key hashes match keys not found yet.
    fn probe_segments(
        &self,
        index: &IndexSchema,
        keys: &RowKeys,
        first_unit: u32,
        newer_than: Option<u64>,
        found: &[Option<RowAddress>],
    ) -> Result<Vec<SegmentProbe<'a>>> {
        let mut out = Vec::new();
        for (unit, segment) in self.segments().filter(|(unit, _)| *unit >= first_unit) {
            if newer_than.is_some_and(|ts| unit < OWN_UNITS && segment.meta.max_ts <= ts) {
                continue;
            }
            let wanted: Vec<(usize, u64)> = (keys.hashes.iter().enumerate())
                .filter_map(|(at, hash)| hash.filter(|_| found[at].is_none()).map(|hash| (at, hash)))
                .collect();
            if wanted.is_empty() {
                break;
            }
            let mut probes = segment.candidates(&self.shape.schema, index, keys, &wanted)?;
            probes.retain(|(_, row)| self.is_live(address(unit, *row)));
            if !probes.is_empty() {
                out.push((unit, segment, probes));
            }
        }
        Ok(out)
    }

    fn segment_keys(&self, segment: &Segment, index: &IndexSchema, rows: &[u32]) -> Result<KeyColumns> {
        KeyColumns::new(index, segment.read_rows(rows, &self.shape.schema.key_columns(index)?)?)
    }

    /// Rows by address, in the order asked for, projected to `columns`.
    pub fn fetch(&self, addresses: &[RowAddress], columns: &[usize]) -> Result<RecordBatch> {
        let projected = Arc::new(self.shape.arrow.project(columns)?);
        match addresses {
            [] => return Ok(RecordBatch::new_empty(projected)),
            [one] => {
                let values = self.fetch_one(*one, columns)?;
                return Ok(RecordBatch::try_new_with_options(projected, values, &crate::memtable::options(1))?);
            }
            _ => {}
        }
        let mut sources: Vec<RecordBatch> = Vec::new();
        let mut source_of: HashMap<(u32, u32), usize> = HashMap::new();
        let from_segments = self.fetch_segments(addresses, columns, &projected, &mut sources)?;
        let mut places = Vec::with_capacity(addresses.len());
        for row in addresses {
            if let Some((rows, source)) = from_segments.get(&unit_of(*row)) {
                let place = rows.rank(row_of(*row)) as usize - 1;
                places.push((*source, place));
                continue;
            }
            let missing = || Error::Internal(format!("no row has the address {row:#x}"));
            let chunk = self.chunk(unit_of(*row)).ok_or_else(missing)?;
            let (piece, offset) = chunk.locate(row_of(*row)).ok_or_else(missing)?;
            let source = match source_of.get(&(chunk.unit, piece.start)) {
                Some(source) => *source,
                None => {
                    sources.push(adapt(&piece.batch, &chunk.columns, self.shape)?.project(columns)?);
                    source_of.insert((chunk.unit, piece.start), sources.len() - 1);
                    sources.len() - 1
                }
            };
            places.push((source, offset));
        }
        if columns.is_empty() {
            let rows = crate::memtable::options(addresses.len());
            return Ok(RecordBatch::try_new_with_options(projected, vec![], &rows)?);
        }
        let batch = interleave_record_batch(&sources.iter().collect::<Vec<_>>(), &places)?;
        Ok(batch.with_schema(projected)?)
    }

    /// The columns of one row, as slices of what holds it.
    fn fetch_one(&self, row: RowAddress, columns: &[usize]) -> Result<Vec<ArrayRef>> {
        let (unit, place) = (unit_of(row), row_of(row));
        let missing = || Error::Internal(format!("no row has the address {row:#x}"));
        // The chunk of rows that were written to a file before the commit is still there, but empty.
        if let Some(segment) = self.segment(unit).filter(|segment| place < segment.meta.rows) {
            let columns: Vec<&ColumnSchema> =
                columns.iter().filter_map(|c| self.shape.schema.columns.get(*c)).collect();
            return segment.read_rows(&[place], &columns);
        }
        let chunk = self.chunk(unit).ok_or_else(missing)?;
        let (piece, offset) = chunk.locate(place).ok_or_else(missing)?;
        let batch = adapt(&piece.batch, &chunk.columns, self.shape)?;
        let column = |place: &usize| batch.columns().get(*place).map(|column| column.slice(offset, 1));
        columns.iter().map(|place| column(place).ok_or_else(missing)).collect()
    }

    /// Reads the addressed rows of each segment in one pass; by unit the rows read and which source has them.
    fn fetch_segments(
        &self,
        addresses: &[RowAddress],
        columns: &[usize],
        projected: &SchemaRef,
        sources: &mut Vec<RecordBatch>,
    ) -> Result<BTreeMap<u32, (RoaringBitmap, usize)>> {
        let mut wanted: BTreeMap<u32, (RoaringBitmap, usize)> = BTreeMap::new();
        for row in addresses {
            let unit = unit_of(*row);
            if self.segment(unit).is_some_and(|segment| row_of(*row) < segment.meta.rows) {
                wanted.entry(unit).or_default().0.insert(row_of(*row));
            }
        }
        let columns: Vec<&ColumnSchema> = columns.iter().filter_map(|c| self.shape.schema.columns.get(*c)).collect();
        for (unit, (rows, source)) in &mut wanted {
            let Some(segment) = self.segment(*unit) else { continue };
            *source = sources.len();
            let read = segment.read_rows(&rows.iter().collect::<Vec<_>>(), &columns)?;
            let rows = crate::memtable::options(rows.len() as usize);
            sources.push(RecordBatch::try_new_with_options(projected.clone(), read, &rows)?);
        }
        Ok(wanted)
    }

    /// Identities of base rows, given by unit; for the log.
    pub fn row_ids(&self, unit: u32, rows: &RoaringBitmap, out: &mut Vec<RowId>) -> Result<()> {
        let missing = || Error::Internal(format!("rows of unit {unit} are not in the transaction's version"));
        let base = self.base.ok_or_else(missing)?;
        if let Some(chunk) = base.chunk(unit) {
            for row in rows {
                out.push(chunk.row_id(row).ok_or_else(missing)?);
            }
            return Ok(());
        }
        let view = base.segment(unit).ok_or_else(missing)?;
        let ids = view.segment.row_ids(Some(&rows.iter().collect::<Vec<_>>()))?;
        if ids.len() as u64 != rows.len() {
            return Err(missing());
        }
        out.extend(ids);
        Ok(())
    }
}

/// Compares keys with rows in memory, keeping the key columns of batches it has met.
struct KeyReader<'a> {
    view: TableView<'a>,
    index: &'a IndexSchema,
    cache: HashMap<(u32, u32), KeyColumns>,
    key: Vec<u8>,
}

impl KeyReader<'_> {
    fn has(&mut self, address: RowAddress, key: &[u8]) -> Result<bool> {
        let unit = unit_of(address);
        let chunk = self.view.chunk(unit).filter(|_| self.view.segment(unit).is_none());
        let Some(chunk) = chunk else { return self.segment_has(address, key) };
        let Some((piece, offset)) = chunk.locate(row_of(address)) else { return Ok(false) };
        let columns = match self.cache.entry((unit, piece.start)) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let rows = adapt(&piece.batch, &chunk.columns, self.view.shape)?;
                entry.insert(KeyColumns::of_table(&self.view.shape.schema, self.index, &rows)?)
            }
        };
        self.key.clear();
        Ok(columns.write(offset, &mut self.key) && self.key == key)
    }

    /// Only for an index that this transaction has created, which covers the rows in files too.
    fn segment_has(&mut self, address: RowAddress, key: &[u8]) -> Result<bool> {
        let Some(segment) = self.view.segment(unit_of(address)) else { return Ok(false) };
        let columns = self.view.segment_keys(segment, self.index, &[row_of(address)])?;
        self.key.clear();
        Ok(columns.write(0, &mut self.key) && self.key == key)
    }
}

fn scan_segment(unit: u32, segment: &Arc<Segment>, deleted: Option<Arc<RoaringBitmap>>) -> SegmentScan {
    SegmentScan {
        path: segment.path.clone(),
        bytes: segment.meta.bytes,
        rows: u64::from(segment.meta.rows),
        deleted,
        first_address: address(unit, 0),
        column_ids: segment.meta.columns.clone(),
        segment: segment.clone(),
    }
}

/// The keys of rows that are given by the key columns alone.
pub fn row_keys(index: &IndexSchema, columns: Vec<ArrayRef>, rows: usize) -> Result<RowKeys> {
    let columns = KeyColumns::new(index, columns)?;
    let hashes = columns.hashes(rows);
    Ok(RowKeys { index: index.id, unique: index.is_immediate(), columns, hashes })
}

/// Keys as an index hashes them; they must have its types.
pub(crate) fn lookup_keys(view: &TableView<'_>, index: &IndexSchema, keys: &RecordBatch) -> Result<RowKeys> {
    let types = view.shape.schema.key_positions(index)?.into_iter().map(|p| view.shape.arrow.field(p).data_type());
    if !types.eq(keys.columns().iter().map(|c| c.data_type())) {
        return Err(Error::Internal(format!("the key has other types than index {}", index.id)));
    }
    row_keys(index, keys.columns().to_vec(), keys.num_rows())
}
