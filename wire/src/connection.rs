//! One authenticated client: waits for messages, hands them to the query cycles, and ends.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use aegis_engine::Session;
use aegis_engine::catalog::Error;
use aegis_engine::session::CancelHandle;
use aegis_engine::session::protocol::TransactionStatus;

use crate::interrupt::{Interrupt, Shutdown};
use crate::listener::{Slot, shutting_down};
use crate::message::{Frame, Message, is_extended};
use crate::reply::{self, Severity};
use crate::startup::Client;
use crate::stop::Stop;
use crate::transport::Transport;

pub struct Connection {
    pub(crate) transport: Transport,
    pub(crate) session: Session,
    /// Tells when another session ends this one.
    handle: CancelHandle,
    pub(crate) interrupt: Interrupt,
    /// Resolves when another session ends this one, or the server lets idle ones go; waited for anew by each message.
    ending: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// After an error in the extended protocol: everything up to Sync is skipped.
    skipping: bool,
    /// Nothing has come since ReadyForQuery.
    idle: bool,
    _slot: Slot,
}

/// Awaits a call of the session while watching the client.
macro_rules! call {
    ($connection:ident, $method:ident ( $($argument:expr),* $(,)? )) => {{
        let result = {
            // Pinned here: it is large, and would be copied.
            let work = std::pin::pin!($connection.session.$method($($argument),*));
            $connection.transport.run(&mut $connection.interrupt, work).await
        };
        $connection.send_notices();
        result
    }};
}
pub(crate) use call;

impl Connection {
    pub fn new(client: Client, shutdown: Shutdown) -> Self {
        let Client { transport, session, slot } = client;
        let handle = session.cancel_handle();
        let cancel = handle.clone();
        let (ended, mut drained) = (handle.clone(), shutdown.clone());
        let ending = Box::pin(async move {
            tokio::select! {
                () = ended.terminated() => {}
                () = drained.draining() => {}
            }
        });
        let interrupt = Interrupt { cancel: Box::new(move || cancel.cancel()), shutdown };
        Self { transport, session, handle, interrupt, ending, skipping: false, idle: true, _slot: slot }
    }

    /// Serves the client until either side ends it.
    pub async fn serve(mut self) {
        let stop = loop {
            if let Err(stop) = self.step().await {
                break stop;
            }
        };
        if let Stop::Fatal(error) | Stop::Failed(error) | Stop::Rejected(error) = stop {
            tracing::debug!(%error, "connection ends");
            reply::error(self.transport.output(), Severity::Fatal, &error);
            self.session.close().await;
            self.transport.close().await;
        } else {
            self.session.close().await;
        }
    }

    /// One message and its answer. An `Err` ends the connection.
    async fn step(&mut self) -> Result<(), Stop> {
        let frame = self.next_frame().await?;
        self.idle = false;
        if self.skipping && !matches!(frame.tag, b'S' | b'X') {
            return Ok(());
        }
        let tag = frame.tag;
        let outcome = match Message::decode(frame) {
            Ok(message) => self.handle(message).await,
            Err(error) => Err(Stop::Rejected(error)),
        };
        match outcome {
            Ok(()) => Ok(()),
            Err(Stop::Failed(error)) => self.recover(tag, error).await,
            Err(Stop::Rejected(error)) => {
                self.session.fail();
                self.recover(tag, error).await
            }
            Err(stop) => Err(stop),
        }
    }

    async fn handle(&mut self, message: Message) -> Result<(), Stop> {
        match message {
            Message::Query(sql) => {
                self.simple_query(&sql).await?;
                self.ready().await
            }
            Message::Parse { name, sql, parameter_types } => self.parse(&name, &sql, &parameter_types).await,
            Message::Bind(bind) => self.bind(&bind).await,
            Message::Describe(target) => self.describe(&target).await,
            Message::Execute { portal, max_rows } => self.execute(&portal, max_rows).await,
            Message::Close(target) => self.close(&target).await,
            Message::Flush => self.flush().await,
            Message::Sync => {
                self.skipping = false;
                call!(self, sync())?;
                self.ready().await
            }
            Message::FunctionCall(wanted) => {
                self.function_call(&wanted).await?;
                self.ready().await
            }
            // Left over from a COPY that failed.
            Message::CopyData | Message::CopyDone | Message::CopyFail(_) => Ok(()),
            Message::Terminate => Err(Stop::Gone),
        }
    }

    /// Reports a failed message. In the extended protocol the next Sync goes on; else the implicit transaction ends here.
    async fn recover(&mut self, tag: u8, error: Error) -> Result<(), Stop> {
        reply::error(self.transport.output(), Severity::Error, &error);
        if is_extended(tag) {
            self.skipping = true;
            return self.flush().await;
        }
        match call!(self, sync()) {
            Ok(()) => {}
            // The first error is the one that counts.
            Err(Stop::Failed(error) | Stop::Rejected(error)) => tracing::debug!(%error, "rollback failed"),
            Err(stop) => return Err(stop),
        }
        self.ready().await
    }

    /// ReadyForQuery, and everything before it goes out.
    async fn ready(&mut self) -> Result<(), Stop> {
        for (name, value) in self.session.take_setting_changes() {
            reply::parameter_status(self.transport.output(), &name, &value);
        }
        self.send_notifications();
        reply::ready_for_query(self.transport.output(), self.session.transaction_status());
        self.idle = true;
        self.flush().await
    }

    pub(crate) async fn flush(&mut self) -> Result<(), Stop> {
        self.transport.flush_until(&mut self.interrupt).await
    }

    /// Sends output if enough has come together.
    pub(crate) async fn flush_if_full(&mut self) -> Result<(), Stop> {
        if self.transport.output().len() < self.transport.send_buffer_bytes() {
            return Ok(());
        }
        self.flush().await
    }

    pub(crate) fn send_notices(&mut self) {
        for notice in self.session.take_notices() {
            reply::notice(self.transport.output(), &notice);
        }
    }

    fn send_notifications(&mut self) {
        for notification in self.session.take_notifications() {
            reply::notification(self.transport.output(), &notification);
        }
    }

    // ------------------------------------------------------------------------------------------ waiting

    pub(crate) async fn next_frame(&mut self) -> Result<Frame, Stop> {
        loop {
            if let Some(frame) = self.transport.frame()? {
                return Ok(frame);
            }
            self.wait_for_input().await?;
        }
    }

    async fn wait_for_input(&mut self) -> Result<(), Stop> {
        if !self.idle {
            return self.wait_for_rest().await;
        }
        if self.transport.read_soon() {
            return Ok(());
        }
        let timeout = self.session.idle_timeout();
        let listening = self.session.transaction_status() == TransactionStatus::Idle;
        tokio::select! {
            read = self.transport.read() => has_come(read),
            () = self.handle.notified(), if listening => {
                self.send_notifications();
                self.flush().await
            }
            error = expiry(timeout) => Err(Stop::Fatal(error)),
            () = &mut self.ending => Err(Stop::Fatal(shutting_down())),
        }
    }

    /// Waits for more of what the client has begun to send: until Sync it is let finish as long as there is time.
    async fn wait_for_rest(&mut self) -> Result<(), Stop> {
        let mut shutdown = self.interrupt.shutdown.clone();
        tokio::select! {
            read = self.transport.read() => has_come(read),
            () = self.handle.terminated() => Err(Stop::Fatal(shutting_down())),
            () = shutdown.terminating() => Err(Stop::Fatal(shutting_down())),
        }
    }
}

fn has_come(read: std::io::Result<bool>) -> Result<(), Stop> {
    match read {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(Stop::Gone),
    }
}

/// Returns the error when the time is over; never without a timeout.
async fn expiry(timeout: Option<(Duration, Error)>) -> Error {
    match timeout {
        Some((limit, error)) => {
            tokio::time::sleep(limit).await;
            error
        }
        None => std::future::pending().await,
    }
}
