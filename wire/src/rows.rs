//! Streaming a portal's rows: one batch in memory at a time, sent as the client takes them.

use aegis_engine::session::protocol::{Fetched, Format, OutputColumn};

use crate::connection::{Connection, call};
use crate::format::RowEncoder;
use crate::stop::Stop;

/// How a fetch ended.
pub enum RowsEnd {
    /// With the command tag.
    Complete(String),
    /// At the row limit.
    Suspended,
}

impl Connection {
    /// Sends at most `max_rows` rows of a portal. As in PostgreSQL, a portal whose last row comes exactly at the limit is suspended too:
    /// that it has ended shows only when it is asked for more.
    pub(crate) async fn send_rows(
        &mut self,
        portal: &str,
        columns: &[OutputColumn],
        formats: &[Format],
        max_rows: Option<usize>,
    ) -> Result<RowsEnd, Stop> {
        let settings = self.session.format_settings();
        let mut remaining = max_rows;
        while remaining != Some(0) {
            let batch = match call!(self, fetch(portal, remaining))? {
                Fetched::Batch(batch) => batch,
                Fetched::Suspended => break,
                Fetched::Complete(tag) => return Ok(RowsEnd::Complete(tag)),
            };
            remaining = remaining.map(|count| count.saturating_sub(batch.num_rows()));
            let full = self.transport.send_buffer_bytes();
            let mut encoder = RowEncoder::new(&batch, columns, formats, &settings).map_err(Stop::Rejected)?;
            while encoder.encode(self.transport.output(), full).map_err(Stop::Rejected)? {
                self.flush().await?;
            }
            self.flush_if_full().await?;
        }
        Ok(RowsEnd::Suspended)
    }
}
