//! The function call cycle (manual 55.2.4, "Function Call").

use aegis_engine::catalog::Error;
use aegis_engine::session::protocol::{Fetched, Response};

use crate::connection::{Connection, call};
use crate::format::RowEncoder;
use crate::message::FunctionCall;
use crate::reply;
use crate::stop::Stop;

/// Bytes of a DataRow before the length word of its first value: type, length, count of values.
const ROW_HEAD: usize = 7;

impl Connection {
    /// Calls a function and sends its value. ReadyForQuery is the caller's to send.
    pub(crate) async fn function_call(&mut self, wanted: &FunctionCall) -> Result<(), Stop> {
        let (arguments, formats) = (&wanted.arguments, &wanted.argument_formats);
        let response = call!(self, call_function(wanted.function, arguments, formats, wanted.result_format))?;
        let Response::Rows { columns, formats } = response else {
            return Err(Stop::Rejected(Error::internal("a function call without a value")));
        };
        let settings = self.session.format_settings();
        let mut row = Vec::new();
        while let Fetched::Batch(batch) = call!(self, fetch("", None))? {
            let mut encoder = RowEncoder::new(&batch, &columns, &formats, &settings).map_err(Stop::Rejected)?;
            encoder.encode(&mut row, usize::MAX).map_err(Stop::Rejected)?;
        }
        call!(self, sync())?;
        let value =
            row.get(ROW_HEAD..).ok_or_else(|| Stop::Rejected(Error::internal("a function call without a row")))?;
        reply::function_call_response(self.transport.output(), value);
        Ok(())
    }
}
