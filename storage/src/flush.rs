//! Moves rows from memory into segments, merging small segments on the way.
//!
//! A flush freezes the head (the only moment that commits wait), waits until that version is durable, writes segments
//! and deletion vectors exactly as of it, notes them in the manifest, and then swaps them into the head. Deletes that
//! hit a frozen row meanwhile follow it to its new place.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::manifest::{Manifest, ManifestState, SegmentRecord, TableRecord};
use crate::rewrite::{Rewrite, Rewritten};
use crate::schema::TableId;
use crate::segment::{Segment, SegmentFolder, deletes};
use crate::version::{Generation, SegmentView, Table, Version};
use crate::{Error, Result};

/// Where segments and the manifest are, and what the manifest says.
#[derive(Debug)]
pub struct Files {
    pub folder: SegmentFolder,
    pub manifest: Manifest,
    pub state: ManifestState,
    /// The segments that the manifest names.
    pub segments: BTreeMap<(TableId, u32), Arc<Segment>>,
    /// Those that are being compacted, which a flush leaves alone.
    pub busy: BTreeSet<(TableId, u32)>,
}

/// Limits of one flush.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub row_group_rows: usize,
    /// Rows and bytes of file up to which segments are merged into one.
    pub merge_rows: u64,
    pub merge_bytes: u64,
}

/// Freezes the head: closes chunks, begins new key indexes, and says what is to be rewritten.
pub fn freeze(head: &Version, limits: Limits, busy: &BTreeSet<(TableId, u32)>) -> Result<(Version, Vec<Rewrite>)> {
    let mut frozen = Version { seq: head.seq + 1, ..head.clone() };
    let mut rewrites = Vec::new();
    for (id, table) in &head.tables {
        let merged = segments_to_merge(table, limits, busy);
        if table.chunks.is_empty() && merged == 0 {
            continue;
        }
        let mut table = table.as_ref().clone();
        table.seal_last()?;
        let unit = table.take_unit()?;
        table.generations.push(Arc::new(Generation::new(table.next_unit, &table.shape.schema)));
        rewrites.push(Rewrite {
            table: *id,
            shape: table.shape.clone(),
            unit,
            chunks: table.chunks.clone(),
            segments: ordinary(&table)[ordinary(&table).len() - merged..].to_vec(),
            row_group_rows: limits.row_group_rows,
        });
        frozen.tables.insert(*id, Arc::new(table));
    }
    Ok((frozen, rewrites))
}

/// How many of the newest segments to merge with what is in memory: those not much larger than what is being written
/// anyway, which bounds both the number of segments (logarithmic) and how often a row is rewritten; and, if nothing is
/// in memory, a newest segment that is mostly dead.
fn segments_to_merge(table: &Table, limits: Limits, busy: &BTreeSet<(TableId, u32)>) -> usize {
    let mut rows: u64 = table.chunks.iter().map(|c| u64::from(c.rows - c.dead)).sum();
    let (mut bytes, mut count) = (0, 0);
    for view in ordinary(table).iter().rev() {
        let live = view.live_rows();
        let mostly_dead = live * 2 < u64::from(view.segment.meta.rows);
        bytes += view.segment.meta.bytes;
        let worthwhile = live <= rows * 2 || mostly_dead;
        let is_busy = busy.contains(&(table.id, view.segment.unit));
        if is_busy || !worthwhile || rows + live > limits.merge_rows || bytes > limits.merge_bytes {
            break;
        }
        rows += live;
        count += 1;
    }
    count
}

/// The segments that flushes and compactions have written, by age.
fn ordinary(table: &Table) -> &[SegmentView] {
    &table.segments[..table.segments.partition_point(|view| !view.segment.is_staged())]
}

impl Files {
    /// Writes deletion vectors that changed and the manifest as of `frozen` with the rewrites done. Returns the
    /// segments that are no longer named.
    pub fn note(
        &mut self,
        frozen: &Version,
        counters: BTreeMap<u64, i64>,
        log_position: u64,
        rewritten: &[Rewritten],
    ) -> Result<Vec<Arc<Segment>>> {
        let done: HashMap<TableId, &Rewritten> = rewritten.iter().map(|r| (r.table, r)).collect();
        let staged = frozen.tables.values().flat_map(|t| t.segments.iter()).filter(|view| view.segment.is_staged());
        let next_staged = staged.map(|view| view.segment.unit + 1).fold(self.state.next_staged, u32::max);
        let flushed_ts = frozen.ts;
        let mut state = ManifestState { flushed_ts, log_position, next_staged, counters, ..ManifestState::default() };
        let mut segments = BTreeMap::new();
        for (id, table) in &frozen.tables {
            let mut record = TableRecord {
                schema: table.shape.schema.clone(),
                schema_ts: table.schema_ts,
                rows_ts: table.rows_ts,
                next_unit: table.next_unit,
                segments: BTreeMap::new(),
            };
            let rewrite = done.get(id);
            for view in table.segments.iter() {
                let unit = view.segment.unit;
                if rewrite.is_some_and(|r| r.maps.contains_key(&unit)) {
                    continue;
                }
                let deletes = self.note_deletes(*id, view, frozen.ts)?;
                record.segments.insert(unit, SegmentRecord { meta: view.segment.meta.clone(), deletes });
                segments.insert((*id, unit), view.segment.clone());
            }
            if let Some(segment) = rewrite.and_then(|r| r.segment.as_ref()) {
                let noted = SegmentRecord { meta: segment.meta.clone(), deletes: None };
                record.segments.insert(segment.unit, noted);
                segments.insert((*id, segment.unit), segment.clone());
            }
            state.tables.insert(*id, record);
        }
        self.folder.disk.sync_dir(&self.folder.dir).map_err(Error::at(&self.folder.dir))?;
        self.manifest.commit(&self.state, &state)?;
        self.remove_old_deletes(&state);
        self.state = state;
        let mut old = std::mem::replace(&mut self.segments, segments);
        old.retain(|key, _| !self.segments.contains_key(key));
        Ok(old.into_values().collect())
    }

    /// Lets the files of tables go that `durable` does not have any more, without a flush, so that a full disk has space
    /// again at once. Files that somebody reads go when he ends.
    pub fn free_dropped(&mut self, durable: &Version) -> Result<()> {
        let mut state = self.state.clone();
        state.tables.retain(|id, _| durable.tables.contains_key(id));
        let gone: Vec<TableId> =
            self.state.tables.keys().filter(|id| !state.tables.contains_key(id)).copied().collect();
        if gone.is_empty() {
            return Ok(());
        }
        state.dropped.extend(gone);
        self.manifest.commit(&self.state, &state)?;
        self.remove_old_deletes(&state);
        self.state = state;
        let tables = &self.state.tables;
        self.segments.retain(|(table, _), segment| {
            let kept = tables.contains_key(table);
            if !kept {
                segment.retire();
            }
            kept
        });
        Ok(())
    }

    /// The deletion vector of a segment as of `ts`, written unless the manifest has it already. Rows only ever die, so
    /// that equal counts mean equal sets.
    fn note_deletes(&self, table: TableId, view: &SegmentView, ts: u64) -> Result<Option<deletes::DeletesMeta>> {
        let unit = view.segment.unit;
        let noted = self.state.tables.get(&table).and_then(|t| t.segments.get(&unit)).and_then(|s| s.deletes);
        let deleted = &view.deleted;
        if deleted.is_empty() {
            return Ok(None);
        }
        if noted.is_some_and(|n| n.rows == deleted.len()) {
            return Ok(noted);
        }
        let path = deletes::path(&self.folder.dir, table, unit, ts);
        deletes::write(self.folder.disk.as_ref(), &path, ts, &deleted.all()).map(Some)
    }

    /// Removes what a flush that failed has written.
    pub fn discard(&self, units: &[(TableId, u32)]) {
        units.iter().for_each(|(table, unit)| self.folder.discard(*table, *unit));
    }

    fn remove_old_deletes(&self, new: &ManifestState) {
        for (id, table) in &self.state.tables {
            for (unit, segment) in &table.segments {
                let now = new.tables.get(id).and_then(|t| t.segments.get(unit)).and_then(|s| s.deletes);
                if let Some(old) = segment.deletes.filter(|old| now != Some(*old)) {
                    let path = deletes::path(&self.folder.dir, *id, *unit, old.ts);
                    // Left behind it is only litter, which the next start sweeps up.
                    let _ = self.folder.disk.remove(&path);
                }
            }
        }
    }
}
