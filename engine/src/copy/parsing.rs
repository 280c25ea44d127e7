//! COPY FROM beside its insertion: a piece of the data is parsed on a query thread while the rows before it are inserted.

use aegis_catalog::{Error, Result};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::{CopiedRows, CopyReader};

/// Data is parsed in pieces of this size. Up to two of them are in memory, and the rows of two.
const PIECE_BYTES: usize = 4 << 20;

/// A reader and the data it has not seen.
pub struct Parsing {
    stage: Stage,
    gathered: Vec<u8>,
    runtime: Handle,
}

enum Stage {
    Idle(Box<CopyReader>),
    Busy(JoinHandle<(Box<CopyReader>, Parsed)>),
    /// Its task died.
    Lost,
}

/// What came of a piece: rows, then perhaps an error.
#[derive(Default)]
pub struct Parsed {
    pub batches: Vec<CopiedRows>,
    pub error: Option<Error>,
}

impl Parsing {
    pub fn new(reader: CopyReader, runtime: Handle) -> Self {
        Self { stage: Stage::Idle(Box::new(reader)), gathered: Vec::new(), runtime }
    }

    /// Takes the next data, cut anywhere. Yields rows of earlier data once a piece has come together.
    pub async fn push(&mut self, data: &[u8]) -> Result<Parsed> {
        self.gathered.extend_from_slice(data);
        if self.gathered.len() < PIECE_BYTES {
            return Ok(Parsed::default());
        }
        let (reader, parsed) = self.settle().await?;
        if parsed.error.is_some() {
            self.stage = Stage::Idle(reader);
            return Ok(parsed);
        }
        let piece = std::mem::replace(&mut self.gathered, Vec::with_capacity(PIECE_BYTES));
        self.stage = Stage::Busy(self.runtime.spawn(async move { parse(reader, &piece, false) }));
        Ok(parsed)
    }

    /// All data was pushed: the rest of the rows.
    pub async fn finish(&mut self) -> Result<Parsed> {
        let (reader, mut parsed) = self.settle().await?;
        if parsed.error.is_some() {
            self.stage = Stage::Idle(reader);
            return Ok(parsed);
        }
        let (reader, rest) = parse(reader, &std::mem::take(&mut self.gathered), true);
        self.stage = Stage::Idle(reader);
        parsed.batches.extend(rest.batches);
        parsed.error = rest.error;
        Ok(parsed)
    }

    /// Context for an error that comes between lines.
    pub async fn context(&mut self) -> Option<String> {
        let (reader, _) = self.settle().await.ok()?;
        let (reader, _) = parse(reader, &std::mem::take(&mut self.gathered), false);
        let context = reader.next_context();
        self.stage = Stage::Idle(reader);
        Some(context)
    }

    /// Waits for the piece that is being parsed.
    async fn settle(&mut self) -> Result<(Box<CopyReader>, Parsed)> {
        match std::mem::replace(&mut self.stage, Stage::Lost) {
            Stage::Idle(reader) => Ok((reader, Parsed::default())),
            Stage::Busy(task) => task.await.map_err(|error| Error::internal(format!("parsing of COPY data: {error}"))),
            Stage::Lost => Err(Error::internal("parsing of COPY data has failed before")),
        }
    }
}

fn parse(mut reader: Box<CopyReader>, piece: &[u8], last: bool) -> (Box<CopyReader>, Parsed) {
    reader.push(piece);
    if last {
        reader.end();
    }
    let mut parsed = Parsed::default();
    loop {
        match reader.next_batch() {
            Ok(Some(rows)) => parsed.batches.push(rows),
            Ok(None) => break,
            Err(error) => {
                parsed.error = Some(error);
                break;
            }
        }
    }
    (reader, parsed)
}

#[cfg(test)]
mod tests {
    use aegis_catalog::Type;
    use aegis_catalog::types::{FormatSettings, oid};

    use super::*;
    use crate::copy::{CopyColumn, CopyOptions};

    fn parsing() -> Parsing {
        let columns = vec![CopyColumn { name: "n".into(), ty: Type::of(oid::INT4) }];
        let options = CopyOptions::new(&[], true).unwrap();
        let reader = CopyReader::new("t", columns, options, FormatSettings::default()).unwrap();
        Parsing::new(reader, Handle::current())
    }

    #[tokio::test]
    async fn pieces_of_any_size_yield_all_rows_in_order() {
        let mut parsing = parsing();
        let text: String = (0..1_500_000).map(|n| format!("{n}\n")).collect();
        let mut rows = 0;
        for data in text.as_bytes().chunks(300_001) {
            rows += count(&parsing.push(data).await.unwrap());
        }
        assert!(rows > 0, "nothing was parsed before the end");
        rows += count(&parsing.finish().await.unwrap());
        assert_eq!(rows, 1_500_000);
    }

    #[tokio::test]
    async fn an_error_comes_after_the_rows_before_it() {
        let mut parsing = parsing();
        let mut text = "1\n".repeat(PIECE_BYTES / 2);
        text.push_str("x\n");
        let first = parsing.push(text.as_bytes()).await.unwrap();
        assert!(first.error.is_none());
        let parsed = parsing.finish().await.unwrap();
        assert_eq!(count(&first) + count(&parsed), PIECE_BYTES / 2 / 65_536 * 65_536);
        let context = parsed.error.unwrap().fields().context.clone().unwrap();
        assert_eq!(context, format!("COPY t, line {}, column n: \"x\"", PIECE_BYTES / 2 + 1));
    }

    #[tokio::test]
    async fn context_counts_what_was_sent() {
        let mut parsing = parsing();
        parsing.push(b"1\n2\n").await.unwrap();
        assert_eq!(parsing.context().await.unwrap(), "COPY t, line 3");
    }

    fn count(parsed: &Parsed) -> usize {
        parsed.batches.iter().map(|batch| batch.rows.num_rows()).sum()
    }
}
