//! The simple query cycle (manual, "Simple Query").

use aegis_engine::catalog::Error;
use aegis_engine::session::protocol::Response;

use crate::connection::{Connection, call};
use crate::reply;
use crate::rows::RowsEnd;
use crate::stop::Stop;

impl Connection {
    /// Runs a query string, each statement's result sent before the next one starts. ReadyForQuery is the caller's to send.
    pub(crate) async fn simple_query(&mut self, sql: &str) -> Result<(), Stop> {
        let parsed = self.session.parse(sql);
        self.send_notices();
        let statements = parsed?;
        let count = statements.len();
        if count == 0 {
            call!(self, sync())?;
            reply::empty_query(self.transport.output());
            return Ok(());
        }
        for (index, statement) in statements.into_iter().enumerate() {
            let response = call!(self, start(sql, statement, count))?;
            let tag = self.simple_response(response).await?;
            if index + 1 == count {
                // The implicit transaction must be durable before its last statement counts as done.
                call!(self, sync())?;
            }
            match tag {
                Some(tag) => reply::command_complete(self.transport.output(), &tag),
                None => reply::empty_query(self.transport.output()),
            }
            self.flush_if_full().await?;
        }
        Ok(())
    }

    /// Sends what a statement yields; its command tag, or None if it was empty.
    async fn simple_response(&mut self, response: Response) -> Result<Option<String>, Stop> {
        match response {
            Response::Empty => Ok(None),
            Response::Complete(tag) => Ok(Some(tag)),
            Response::Rows { columns, formats } => {
                let length_of = |oid| self.session.type_length(oid);
                reply::row_description(self.transport.output(), &columns, &formats, length_of);
                match self.send_rows("", &columns, &formats, None).await? {
                    RowsEnd::Complete(tag) => Ok(Some(tag)),
                    RowsEnd::Suspended => Err(Stop::Rejected(Error::internal("rows suspended without a limit"))),
                }
            }
            Response::CopyIn { format, columns } => Ok(Some(self.copy_in(format, columns).await?)),
            Response::CopyOut { format, columns } => Ok(Some(self.copy_out(format, columns).await?)),
        }
    }
}
