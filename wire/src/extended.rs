//! The extended query cycle (manual, "Extended Query"): each message one call of the session. Answers gather until Sync or Flush.

use aegis_engine::catalog::Oid;
use aegis_engine::session::protocol::Response;

use crate::connection::{Connection, call};
use crate::message::{Bind, Target};
use crate::reply;
use crate::rows::RowsEnd;
use crate::stop::Stop;

impl Connection {
    pub(crate) async fn parse(&mut self, name: &str, sql: &str, parameter_types: &[Oid]) -> Result<(), Stop> {
        call!(self, prepare(name, sql, parameter_types))?;
        reply::parse_complete(self.transport.output());
        self.flush_if_full().await
    }

    pub(crate) async fn bind(&mut self, bind: &Bind) -> Result<(), Stop> {
        call!(
            self,
            bind(&bind.portal, &bind.statement, &bind.parameters, &bind.parameter_formats, &bind.result_formats)
        )?;
        reply::bind_complete(self.transport.output());
        self.flush_if_full().await
    }

    pub(crate) async fn describe(&mut self, target: &Target) -> Result<(), Stop> {
        let (columns, formats) = match target {
            Target::Statement(name) => {
                let description = self.session.describe_statement(name)?;
                reply::parameter_description(self.transport.output(), &description.parameters);
                (description.columns, Vec::new())
            }
            Target::Portal(name) => {
                let description = self.session.describe_portal(name)?;
                (description.columns, description.formats)
            }
        };
        self.send_notices();
        match columns {
            Some(columns) => {
                let length_of = |oid| self.session.type_length(oid);
                reply::row_description(self.transport.output(), &columns, &formats, length_of);
            }
            None => reply::no_data(self.transport.output()),
        }
        self.flush_if_full().await
    }

    pub(crate) async fn execute(&mut self, portal: &str, max_rows: Option<usize>) -> Result<(), Stop> {
        let tag = match call!(self, execute(portal))? {
            Response::Empty => {
                reply::empty_query(self.transport.output());
                return self.flush_if_full().await;
            }
            Response::Complete(tag) => tag,
            Response::Rows { columns, formats } => match self.send_rows(portal, &columns, &formats, max_rows).await? {
                RowsEnd::Complete(tag) => tag,
                RowsEnd::Suspended => {
                    reply::portal_suspended(self.transport.output());
                    return self.flush_if_full().await;
                }
            },
            Response::CopyIn { format, columns } => self.copy_in(format, columns).await?,
            Response::CopyOut { format, columns } => self.copy_out(format, columns).await?,
        };
        reply::command_complete(self.transport.output(), &tag);
        self.flush_if_full().await
    }

    pub(crate) async fn close(&mut self, target: &Target) -> Result<(), Stop> {
        match target {
            Target::Statement(name) => self.session.close_statement(name)?,
            Target::Portal(name) => self.session.close_portal(name)?,
        }
        reply::close_complete(self.transport.output());
        self.flush_if_full().await
    }
}
