//! The COPY sub-protocol (manual, "COPY Operations").

use aegis_engine::session::protocol::Format;

use crate::connection::{Connection, call};
use crate::message::{Message, violation};
use crate::reply;
use crate::stop::Stop;

impl Connection {
    /// Takes the client's data to its end; the command tag. After an error the rest of the data is skipped by whoever handles the
    /// next messages: stray COPY messages mean nothing there.
    pub(crate) async fn copy_in(&mut self, format: Format, columns: usize) -> Result<String, Stop> {
        reply::copy_in(self.transport.output(), format, columns);
        self.flush().await?;
        loop {
            let frame = self.next_frame().await?;
            match frame.tag {
                b'd' => {
                    let data = frame.body().map_err(Stop::Rejected)?;
                    call!(self, copy_data(data))?
                }
                // Sent by clients that do not know yet that a COPY has begun.
                b'H' | b'S' => {}
                b'c' => return call!(self, copy_done()),
                b'f' => {
                    let Message::CopyFail(reason) = Message::decode(frame).map_err(Stop::Rejected)? else {
                        return Err(Stop::Rejected(violation("invalid message format")));
                    };
                    let error = self.session.copy_fail(&reason).await;
                    return Err(Stop::Failed(error));
                }
                other => {
                    // As in PostgreSQL, the message's end is not looked for.
                    let error = violation(format!("unexpected message type 0x{other:02X} during COPY from stdin"));
                    self.session.fail();
                    reply::error(self.transport.output(), reply::Severity::Error, &error);
                    return Err(Stop::Fatal(violation(
                        "terminating connection because protocol synchronization was lost",
                    )));
                }
            }
        }
    }

    pub(crate) async fn copy_out(&mut self, format: Format, columns: usize) -> Result<String, Stop> {
        reply::copy_out(self.transport.output(), format, columns);
        while let Some(chunk) = call!(self, copy_next())? {
            let mut start = 0;
            for &end in &chunk.ends {
                reply::copy_data(self.transport.output(), chunk.data.get(start..end).unwrap_or_default());
                start = end;
                self.flush_if_full().await?;
            }
        }
        reply::copy_done(self.transport.output());
        Ok(self.session.copy_tag())
    }
}
