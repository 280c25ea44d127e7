//! COPY (PostgreSQL manual, "COPY"): rows in and out in bulk.

use std::sync::Arc;

use aegis_catalog::definition::{qualified_name, quote_identifier};
use aegis_catalog::error::Fields;
use aegis_catalog::object::{Relation, RelationKind};
use aegis_catalog::{Error, Result, sqlstate};
use arrow::array::RecordBatch;
use bytes::Bytes;
use futures::StreamExt;

use super::Outcome;
use crate::bind::tree;
use crate::copy::{CopiedRows, CopyColumn, CopyFormat, CopyOptions, CopyReader, CopyWriter, Parsed, Parsing};
use crate::execute;
use crate::parse::ast::{Ident, Name, Statement};
use crate::parse::utility::{Copy, CopyLocation, CopyTarget};
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::session::portal::RowStream;
use crate::session::protocol::{CopyChunk, Format};

/// A COPY that is under way.
pub enum CopyState {
    In(Box<CopyIn>),
    Out(Box<CopyOut>),
}

/// Rows on their way into a table.
pub struct CopyIn {
    parsing: Parsing,
    insert: tree::Insert,
    /// COPY … WHERE.
    filtered: bool,
    context: Arc<StatementContext>,
    rows: u64,
}

/// Rows on their way out.
pub struct CopyOut {
    writer: CopyWriter,
    rows: RowStream,
    sent: u64,
    finished: bool,
}

impl CopyState {
    /// Where in the data COPY FROM stands.
    pub async fn context(&mut self) -> Option<String> {
        match self {
            Self::In(copy) => copy.parsing.context().await,
            Self::Out(_) => None,
        }
    }

    pub fn tag(&self) -> String {
        match self {
            Self::In(copy) => format!("COPY {}", copy.rows),
            Self::Out(copy) => format!("COPY {}", copy.sent),
        }
    }
}

pub async fn run(session: &mut Session, copy: &Copy, sql: &str, context: &StatementContext) -> Result<Outcome> {
    let options = CopyOptions::new(&copy.options, copy.from)?;
    if let CopyLocation::Program(_) = copy.location {
        return Err(Error::unsupported("COPY with PROGRAM"));
    }
    if matches!(copy.location, CopyLocation::File(_)) && !session.superuser {
        let (role, what) = match copy.from {
            true => ("pg_read_server_files", "from"),
            false => ("pg_write_server_files", "to"),
        };
        let message = format!("must be superuser or have privileges of the {role} role to COPY {what} a file");
        return Err(Error::new(sqlstate::INSUFFICIENT_PRIVILEGE, message)
            .with_hint("Anyone can COPY to stdout or from stdin. psql's \\copy command also works for anyone."));
    }
    if copy.from {
        run_in(session, copy, options, context).await
    } else {
        run_out(session, copy, options, sql, context).await
    }
}

fn wire_format(options: &CopyOptions) -> Format {
    match options.format {
        CopyFormat::Binary => Format::Binary,
        _ => Format::Text,
    }
}

// ---------------------------------------------------------------------------------------------- COPY FROM

async fn run_in(
    session: &mut Session,
    copy: &Copy,
    options: CopyOptions,
    context: &StatementContext,
) -> Result<Outcome> {
    let CopyTarget::Table { name, columns } = &copy.target else {
        return Err(Error::new(sqlstate::SYNTAX_ERROR, "COPY FROM needs a table"));
    };
    if let Some(open) = &session.transaction {
        open.require_writable("COPY FROM")?;
    }
    let table = copied_table(name, context)?;
    let chosen = copied_columns(&table, columns)?;
    let names: Vec<&str> = chosen.iter().map(|column| column.name.as_str()).collect();
    if !session.superuser {
        let attnums = names.iter().filter_map(|name| table.column_by_name(name)).map(|column| column.attnum);
        crate::bind::access::check_insert(&table, &attnums.collect::<Vec<_>>(), context)?;
    }
    let mut insert = crate::bind::bind_copy(&table, &names, context)?;
    if let Some(filter) = &copy.filter {
        crate::bind::filter_copy(&mut insert, filter, context)?;
    }
    if options.freeze {
        require_new_rows(session, &table)?;
    }
    let (format, width) = (wire_format(&options), chosen.len());
    let reader = CopyReader::new(&table.name, chosen, options, context.format.clone())?;
    let parsing = Parsing::new(reader, session.shared.executor.handle()?);
    let filtered = copy.filter.is_some();
    let mut state = CopyIn { parsing, insert, filtered, context: Arc::new(context.clone()), rows: 0 };
    if let CopyLocation::File(path) = &copy.location {
        state.read_file(session, path).await?;
        return Outcome::tag(format!("COPY {}", state.rows));
    }
    session.copy = Some(CopyState::In(Box::new(state)));
    Ok(Outcome::CopyIn { format, columns: width })
}

/// COPY FREEZE: 55000 unless the table's rows began with this transaction. Freezing itself has no meaning here.
fn require_new_rows(session: &Session, table: &Relation) -> Result<()> {
    if table.partitioning().is_some() {
        let message = "cannot perform COPY FREEZE on a partitioned table";
        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
    }
    let rows = |relation: &Relation| relation.table().map(|table| table.storage);
    let committed = session.transaction.as_ref().and_then(|open| open.catalog.committed().relation(table.oid).cloned());
    if committed.is_some_and(|committed| rows(&committed) == rows(table)) {
        let message = "cannot perform COPY FREEZE because the table was not created or truncated in the current \
                       subtransaction";
        return Err(Error::new(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
    }
    Ok(())
}

/// A failure with a file, with the code that PostgreSQL gives it (`errcode_for_file_access`).
fn file_error(error: &std::io::Error, what: &str) -> Error {
    use std::io::ErrorKind;
    let code = match error.kind() {
        ErrorKind::NotFound => sqlstate::UNDEFINED_FILE,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => sqlstate::INSUFFICIENT_PRIVILEGE,
        ErrorKind::IsADirectory | ErrorKind::NotADirectory => sqlstate::WRONG_OBJECT_TYPE,
        ErrorKind::StorageFull => sqlstate::DISK_FULL,
        _ => sqlstate::IO_ERROR,
    };
    let reason = error.to_string();
    let reason = reason.split(" (os error").next().unwrap_or_default();
    Error::new(code, format!("{what}: {reason}"))
}

/// As [`file_error`]; who mixes up the server's files and their own gets a hint.
fn not_opened(error: &std::io::Error, what: &str, hint: &str) -> Error {
    let failed = file_error(error, what);
    match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied => failed.with_hint(hint),
        _ => failed,
    }
}

/// Bytes of a server-side file read at a time.
const FILE_CHUNK_BYTES: usize = 1 << 20;

impl CopyIn {
    async fn read_file(&mut self, session: &mut Session, path: &str) -> Result<()> {
        use tokio::io::AsyncReadExt;
        let mut file = tokio::fs::File::open(path).await.map_err(|error| {
            let hint = "COPY FROM instructs the PostgreSQL server process to read a file. You may want a client-side \
                        facility such as psql's \\copy.";
            not_opened(&error, &format!("could not open file \"{path}\" for reading"), hint)
        })?;
        let failed = |e: std::io::Error| file_error(&e, &format!("could not read from COPY file \"{path}\""));
        let mut buffer = vec![0; FILE_CHUNK_BYTES];
        loop {
            let read = file.read(&mut buffer).await.map_err(failed)?;
            if read == 0 {
                break;
            }
            self.receive(session, &buffer[..read]).await?;
        }
        self.finish(session).await
    }

    async fn receive(&mut self, session: &mut Session, data: &[u8]) -> Result<()> {
        self.context.check_cancelled()?;
        let parsed = self.parsing.push(data).await?;
        self.insert(session, parsed).await
    }

    async fn finish(&mut self, session: &mut Session) -> Result<()> {
        let parsed = self.parsing.finish().await?;
        self.insert(session, parsed).await?;
        session.end_given(&self.context).await
    }

    async fn insert(&mut self, session: &mut Session, parsed: Parsed) -> Result<()> {
        for CopiedRows { rows, lines } in parsed.batches {
            let inserted = session.insert_given(&self.insert, rows, &self.context).await;
            self.rows += inserted.map_err(|error| match error.fields() {
                Fields { context: Some(_), .. } => error,
                // Where rows may have been left out, others have taken their places.
                Fields { row, .. } => {
                    let line = row.filter(|_| !self.filtered).and_then(|row| lines.get(row)).or(lines.last());
                    let line = line.copied().unwrap_or_default();
                    error.with_context(format!("COPY {}, line {line}", self.insert.table.name))
                }
            })?;
        }
        parsed.error.map_or(Ok(()), Err)
    }
}

fn copied_table(name: &Name, context: &StatementContext) -> Result<Arc<Relation>> {
    let relation = super::namespace::existing(name, context)?;
    let what = match &relation.kind {
        RelationKind::Table(_) if relation.materialized().is_some() => "materialized view",
        RelationKind::Table(_) => return Ok(relation),
        RelationKind::View(_) => "view",
        RelationKind::Sequence(_) => "sequence",
        RelationKind::Index(_) => "index",
        RelationKind::Composite => "composite type",
        RelationKind::System => "system catalog",
    };
    Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, format!("cannot copy to {what} \"{}\"", relation.name)))
}

/// The named columns, or all that are not generated. 42703 for unknown, 42701 for repeated ones.
fn copied_columns(table: &Relation, named: &[Ident]) -> Result<Vec<CopyColumn>> {
    let column = |c: &aegis_catalog::object::Column| CopyColumn { name: c.name.clone(), ty: c.ty };
    if named.is_empty() {
        return Ok(table.live_columns().filter(|c| !c.generated).map(column).collect());
    }
    let mut chosen: Vec<CopyColumn> = Vec::with_capacity(named.len());
    for ident in named {
        let found = table.column_by_name(&ident.name).ok_or_else(|| {
            let message = format!("column \"{}\" of relation \"{}\" does not exist", ident.name, table.name);
            Error::new(sqlstate::UNDEFINED_COLUMN, message)
        })?;
        if found.generated {
            return Err(Error::new(
                sqlstate::INVALID_COLUMN_REFERENCE,
                format!("column \"{}\" is a generated column", ident.name),
            )
            .with_detail("Generated columns cannot be used in COPY."));
        }
        if chosen.iter().any(|c| c.name == ident.name) {
            return Err(Error::new(
                sqlstate::DUPLICATE_COLUMN,
                format!("column \"{}\" specified more than once", ident.name),
            ));
        }
        chosen.push(column(found));
    }
    Ok(chosen)
}

// ---------------------------------------------------------------------------------------------- COPY TO

async fn run_out(
    session: &mut Session,
    copy: &Copy,
    options: CopyOptions,
    sql: &str,
    context: &StatementContext,
) -> Result<Outcome> {
    let bound =
        match &copy.target {
            CopyTarget::Statement(statement) => crate::bind::bind(statement, sql, &[], context)?,
            CopyTarget::Table { name, columns } => {
                let relation = super::namespace::existing(name, context)?;
                if relation.materialized().is_some() {
                    let message = format!("cannot copy from materialized view \"{}\"", relation.name);
                    return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message)
                        .with_hint("Try the COPY (SELECT ...) TO variant."));
                }
                if let RelationKind::View(_) = relation.kind {
                    return Err(Error::new(
                        sqlstate::WRONG_OBJECT_TYPE,
                        format!("cannot copy from view \"{}\"", relation.name),
                    )
                    .with_hint("Try the COPY (SELECT ...) TO variant."));
                }
                if relation.partitioning().is_some() {
                    let message = format!("cannot copy from partitioned table \"{}\"", relation.name);
                    return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message)
                        .with_hint("Try the COPY (SELECT ...) TO variant."));
                }
                let chosen = copied_columns(&relation, columns)?;
                let list: Vec<String> = chosen.iter().map(|c| quote_identifier(&c.name).into_owned()).collect();
                let schema = context.catalog.schema(relation.schema).map_or("public", |s| s.name.as_str());
                let query = format!("SELECT {} FROM ONLY {}", list.join(", "), qualified_name(schema, &relation.name));
                let parsed = crate::parse::parse_query(&query)?;
                crate::bind::bind(&Statement::Query(Box::new(parsed)), &query, &[], context)?
            }
        };
    let Some(output) = bound.columns.clone() else {
        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, "COPY query must have a RETURNING clause"));
    };
    let columns: Vec<CopyColumn> = output.into_iter().map(|c| CopyColumn { name: c.name, ty: c.ty }).collect();
    let Outcome::Rows { rows, .. } = session.run_bound(bound, Vec::new(), context).await? else {
        return Err(Error::internal("COPY's query returned no rows"));
    };
    let (format, width) = (wire_format(&options), columns.len());
    options.check_columns(&columns)?;
    let writer = CopyWriter::new(columns, options, context.format.clone())?;
    let mut state = CopyOut { writer, rows, sent: 0, finished: false };
    if let CopyLocation::File(path) = &copy.location {
        state.write_file(path).await?;
        return Outcome::tag(format!("COPY {}", state.sent));
    }
    session.copy = Some(CopyState::Out(Box::new(state)));
    Ok(Outcome::CopyOut { format, columns: width })
}

impl CopyOut {
    async fn next(&mut self) -> Result<Option<CopyChunk>> {
        if self.finished {
            return Ok(None);
        }
        match self.rows.next().await {
            Some(batch) => {
                let batch = batch?;
                self.sent += batch.num_rows() as u64;
                self.writer.write(&batch).map(Some)
            }
            None => {
                self.finished = true;
                self.writer.finish().map(Some)
            }
        }
    }

    async fn write_file(&mut self, path: &str) -> Result<()> {
        use tokio::io::AsyncWriteExt;
        let failed = |e: std::io::Error| file_error(&e, &format!("could not write to COPY file \"{path}\""));
        if !std::path::Path::new(path).is_absolute() {
            return Err(Error::new(sqlstate::INVALID_NAME, "relative path not allowed for COPY to file"));
        }
        let mut file = tokio::fs::File::create(path).await.map_err(|error| {
            let hint = "COPY TO instructs the PostgreSQL server process to write a file. You may want a client-side \
                        facility such as psql's \\copy.";
            not_opened(&error, &format!("could not open file \"{path}\" for writing"), hint)
        })?;
        while let Some(chunk) = self.next().await? {
            file.write_all(&chunk.data).await.map_err(failed)?;
        }
        file.flush().await.map_err(failed)
    }
}

// ---------------------------------------------------------------------------------------------- messages

impl Session {
    /// Inserts rows by an INSERT that [`crate::bind::bind_copy`] made. Returns how many.
    pub(crate) async fn insert_given(
        &mut self,
        insert: &tree::Insert,
        batch: RecordBatch,
        context: &Arc<StatementContext>,
    ) -> Result<u64> {
        let called = self.call_defaults(insert, &batch, context).await?;
        let (insert, batch) = match &called {
            Some((insert, batch)) => (insert, batch.clone()),
            None => (insert, batch),
        };
        let runtime = Arc::clone(&self.shared.executor);
        let open = self.writable("COPY FROM")?;
        let mut execution = execute::Execution::new(&runtime, Arc::clone(context), &mut open.tables, &[]);
        execution.is_part = true;
        Ok(execute::insert_given(insert, batch, &mut execution).await?.count)
    }

    /// All rows of a statement have been inserted.
    async fn end_given(&mut self, context: &Arc<StatementContext>) -> Result<()> {
        let runtime = Arc::clone(&self.shared.executor);
        let open = self.writable("COPY FROM")?;
        execute::Execution::new(&runtime, Arc::clone(context), &mut open.tables, &[]).run_doubtful_checks().await
    }

    pub(crate) async fn copy_receive(&mut self, data: Bytes) -> Result<()> {
        let Some(CopyState::In(mut copy)) = self.copy.take() else { return Err(no_copy()) };
        copy.receive(self, &data).await?;
        self.copy = Some(CopyState::In(copy));
        Ok(())
    }

    pub(crate) async fn copy_finish(&mut self) -> Result<String> {
        let Some(CopyState::In(mut copy)) = self.copy.take() else { return Err(no_copy()) };
        copy.finish(self).await?;
        Ok(format!("COPY {}", copy.rows))
    }

    pub(crate) async fn copy_send(&mut self) -> Result<Option<CopyChunk>> {
        match &mut self.copy {
            Some(CopyState::Out(copy)) => copy.next().await,
            _ => Err(no_copy()),
        }
    }
}

fn no_copy() -> Error {
    Error::new(sqlstate::PROTOCOL_VIOLATION, "no COPY is in progress")
}
