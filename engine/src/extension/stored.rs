//! How the rows of a table are stored, for extensions that keep them by windows.

use aegis_catalog::{Error, Oid, Result};
use aegis_storage::{ColumnEncoding, ColumnRange, RangeSize, Store};

use super::Caller;

impl Caller<'_> {
    /// Writes the committed rows of a window to disk and makes one segment of them and what lies beside them, sorted and encoded anew.
    pub async fn compact_window(&mut self, window: Oid) -> Result<()> {
        let cancel = self.context()?.cancel.clone();
        self.of_window(window, move |store, table, range| store.compact_range(table, range, &|| cancel.is_cancelled()))
            .await
    }

    /// Deletes the rows of a window: segments that lie in it as a whole. Waits for who changes the table, and tells nobody who watches it.
    pub async fn delete_window(&mut self, window: Oid) -> Result<()> {
        let (table, storage, range) = self.range_of(window)?;
        let Some(storage) = storage else { return Ok(()) };
        self.lock_exclusively(table).await?;
        // With what was committed meanwhile.
        self.session.see_own_changes(self.volatile)?;
        let open = self.session.writable("DELETE")?;
        tokio::task::block_in_place(|| open.tables.delete_range(storage, range)).map(drop)
    }

    /// What the committed rows of a window take.
    pub async fn window_size(&mut self, window: Oid) -> Result<RangeSize> {
        self.of_window(window, |store, table, range| store.range_size(table, range)).await
    }

    /// How the columns of a table (`ColumnEncoding::column` is their number) are written, segment by segment.
    pub async fn column_encodings(&mut self, table: Oid) -> Result<Vec<ColumnEncoding>> {
        let catalog = self.catalog()?;
        let Some(storage) = catalog.relation(table).and_then(|found| found.table()?.rows()) else {
            return Ok(Vec::new());
        };
        self.on_store(move |store| store.column_encodings(storage)).await
    }

    async fn of_window<T: Default + Send + 'static>(
        &mut self,
        window: Oid,
        work: impl FnOnce(&Store, u64, ColumnRange) -> aegis_storage::Result<T> + Send + 'static,
    ) -> Result<T> {
        let (_, storage, range) = self.range_of(window)?;
        let Some(storage) = storage else { return Ok(T::default()) };
        self.on_store(move |store| work(store, storage, range)).await
    }

    /// The table of a window, its storage if it has some, and the range of its rows.
    fn range_of(&self, window: Oid) -> Result<(Oid, Option<u64>, ColumnRange)> {
        let catalog = self.catalog()?;
        let missing = || Error::internal(format!("relation {window} is no window"));
        let window = catalog.relation(window).and_then(|found| found.window()).ok_or_else(missing)?;
        let table = catalog.relation(window.table).ok_or_else(missing)?;
        let column = u32::try_from(table.windows().ok_or_else(missing)?.column).map_err(|_| missing())?;
        let range = ColumnRange { column, from: window.from, until: window.until };
        Ok((table.oid, table.table().and_then(|table| table.rows()), range))
    }

    async fn on_store<T: Default + Send + 'static>(
        &mut self,
        work: impl FnOnce(&Store) -> aegis_storage::Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = std::sync::Arc::clone(self.store());
        let done = tokio::task::spawn_blocking(move || work(&store)).await;
        match done.map_err(|error| Error::internal(error.to_string()))? {
            Ok(done) => Ok(done),
            // The transaction has made the table.
            Err(aegis_storage::Error::NoTable(_)) => Ok(T::default()),
            Err(error) => Err(error.into()),
        }
    }
}
