//! A client's socket with its two buffers: frames in, messages out.
//!
//! Output is written when somebody asks for it (`flush`) and, while a statement takes long, by itself (`run`). Input is read ahead while a
//! statement runs, up to a limit: that is how a client that leaves is noticed.

use std::future::{Future, poll_fn};
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use aegis_engine::catalog::Error;
use aegis_engine::session::protocol::TlsSession;
use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::io::poll_read_buf;

use crate::anticipation::Anticipation;
use crate::interrupt::Interrupt;
use crate::message::{self, Frame, TooLong, violation};
use crate::stop::Stop;
use crate::stream::Stream;

/// First size of the input buffer, and the least that a read makes room for.
const READ_SIZE: usize = 16 << 10;

/// Most bytes read ahead of a running statement.
const READ_AHEAD: usize = 256 << 10;

/// Finished rows of a statement that is still at work are sent after this time.
const LAZY_FLUSH: Duration = Duration::from_millis(20);

/// Longest time that last words may take.
const GOODBYE: Duration = Duration::from_secs(20);

/// A client that sends nothing for so long is taken to have finished. (libpq moves what is left of a long message before each piece.)
const SILENCE: Duration = Duration::from_secs(1);

pub struct Transport {
    stream: Stream,
    input: BytesMut,
    output: Vec<u8>,
    /// How much of `output` is on its way already.
    written: usize,
    max_message_bytes: usize,
    dropping: Option<Dropping>,
    send_buffer_bytes: usize,
    write_timeout: Option<Duration>,
    /// The client closed its side, or the socket failed.
    gone: bool,
    anticipation: Anticipation,
}

/// A message that is too long to be kept. (The client waits for an answer, and would not be heard to the end if it were cut off.)
struct Dropping {
    tag: u8,
    length: usize,
    /// Bytes that have not come yet.
    left: usize,
}

impl Transport {
    pub fn new(stream: Stream, config: &crate::Config) -> Self {
        Self {
            stream,
            input: BytesMut::with_capacity(READ_SIZE),
            output: Vec::new(),
            written: 0,
            max_message_bytes: config.max_message_bytes,
            dropping: None,
            send_buffer_bytes: config.send_buffer_bytes,
            write_timeout: config.write_timeout,
            gone: false,
            anticipation: Anticipation::new(),
        }
    }

    /// Messages to be sent are appended here.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Bytes of output after which it should be flushed.
    pub fn send_buffer_bytes(&self) -> usize {
        self.send_buffer_bytes
    }

    /// The bytes received and not yet taken.
    pub fn input(&mut self) -> &mut BytesMut {
        &mut self.input
    }

    pub fn is_encrypted(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    pub fn is_plaintext_tcp(&self) -> bool {
        matches!(self.stream, Stream::Tcp(_))
    }

    /// (client address, client port, server address, server port) for TCP.
    pub fn addresses(&self) -> Option<(String, u16, String, u16)> {
        let tcp = match &self.stream {
            Stream::Tcp(tcp) => tcp,
            Stream::Tls(tls) => tls.get_ref().0,
            Stream::Unix(_) => return None,
        };
        let (peer, local) = (tcp.peer_addr().ok()?, tcp.local_addr().ok()?);
        Some((peer.ip().to_string(), peer.port(), local.ip().to_string(), local.port()))
    }

    /// How the connection is encrypted, in OpenSSL's names.
    pub fn tls_session(&self) -> Option<TlsSession> {
        let Stream::Tls(tls) = &self.stream else { return None };
        let (_, connection) = tls.get_ref();
        let version = connection.protocol_version()?.as_str()?.replace('_', ".");
        let cipher = connection.negotiated_cipher_suite()?.suite().as_str()?.replace("TLS13_", "TLS_");
        let bits = if cipher.contains("AES_128") { 128 } else { 256 };
        Some(TlsSession { version, cipher, bits })
    }

    // ------------------------------------------------------------------------------------------ input

    /// Whether input has come while waiting a moment awake.
    pub fn read_soon(&mut self) -> bool {
        let Some(socket) = self.stream.socket() else { return false };
        match self.anticipation.wait(&socket, &mut self.input) {
            Ok(Some(count)) => count > 0,
            // What is wrong, the next read will say.
            Ok(None) | Err(_) => false,
        }
    }

    /// Waits for more input; false at its end.
    pub async fn read(&mut self) -> io::Result<bool> {
        if self.gone {
            return Ok(false);
        }
        self.input.reserve(READ_SIZE);
        let count = self.stream.read_buf(&mut self.input).await?;
        self.gone = count == 0;
        self.anticipation.came();
        Ok(count > 0)
    }

    /// The next message if all of it is there. Messages of unknown type and absurd length lose the framing, which is fatal; the bodies of
    /// those that are merely too long are not kept.
    pub fn frame(&mut self) -> Result<Option<Frame>, Stop> {
        if self.dropping.is_some() {
            return Ok(self.drop_more());
        }
        let [tag, ..] = *self.input else { return Ok(None) };
        let limit = message::length_limit(tag)
            .ok_or_else(|| Stop::Fatal(violation(format!("invalid frontend message type {tag}"))))?;
        self.framed(limit)
    }

    /// The next message if all of it is there, when its length may be at most `limit`.
    pub fn framed(&mut self, limit: usize) -> Result<Option<Frame>, Stop> {
        let [tag, a, b, c, d, ..] = *self.input else { return Ok(None) };
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if length < 4 || length > limit {
            return Err(Stop::Fatal(violation("invalid message length")));
        }
        if length > self.max_message_bytes {
            self.dropping = Some(Dropping { tag, length, left: length + 1 });
            return Ok(self.drop_more());
        }
        if self.input.len() < length + 1 {
            return Ok(None);
        }
        self.input.advance(5);
        Ok(Some(Frame { tag, body: Ok(self.input.split_to(length - 4).freeze()) }))
    }

    /// Drops what has come of a message that is too long; what is known of it once all of it has.
    fn drop_more(&mut self) -> Option<Frame> {
        let dropping = self.dropping.as_mut()?;
        let here = dropping.left.min(self.input.len());
        self.input.advance(here);
        dropping.left -= here;
        let Dropping { tag, length, .. } = self.dropping.take_if(|dropping| dropping.left == 0)?;
        Some(Frame { tag, body: Err(TooLong { length, limit: self.max_message_bytes }) })
    }

    // ------------------------------------------------------------------------------------------ output

    /// Sends all output. Waiting for a client that does not read is what bounds a result's memory.
    pub async fn flush(&mut self) -> Result<(), Stop> {
        let sent = async {
            while self.written < self.output.len() {
                let rest = self.output.get(self.written..).unwrap_or_default();
                match self.stream.write(rest).await? {
                    0 => return Err(io::ErrorKind::WriteZero.into()),
                    count => self.written += count,
                }
            }
            self.stream.flush().await
        };
        let result = match self.write_timeout {
            None => sent.await,
            Some(limit) => tokio::time::timeout(limit, sent).await.unwrap_or(Err(io::ErrorKind::TimedOut.into())),
        };
        result.map_err(|_| Stop::Gone)?;
        self.sent();
        Ok(())
    }

    /// As `flush`, but gives up when the server has to stop.
    pub async fn flush_until(&mut self, interrupt: &mut Interrupt) -> Result<(), Stop> {
        let mut shutdown = interrupt.shutdown.clone();
        tokio::select! {
            biased;
            result = self.flush() => result,
            () = shutdown.terminating() => Err(Stop::Gone),
        }
    }

    /// Everything was written: start again, and let go of an unusually large buffer.
    fn sent(&mut self) {
        self.written = 0;
        self.output.clear();
        if self.output.capacity() > 4 * self.send_buffer_bytes {
            self.output.shrink_to(self.send_buffer_bytes);
        }
    }

    /// Last words: sends what there is, takes what a client that was interrupted is still sending, and says goodbye. Input that nobody has
    /// read when a socket is closed resets the connection, and a client that finds its server's side closed while it sends may stop reading:
    /// either way the last words would be lost.
    pub async fn close(mut self) {
        let goodbye = async {
            if self.flush().await.is_err() {
                return;
            }
            while !self.input.is_empty() {
                self.input.clear();
                // What an error or the end leaves is nothing.
                let _ = tokio::time::timeout(SILENCE, self.read()).await;
            }
            let _ = self.stream.shutdown().await;
        };
        let _ = tokio::time::timeout(GOODBYE, goodbye).await;
    }

    // ------------------------------------------------------------------------------------------ running statements

    /// Awaits work of the session to its end. If meanwhile the client leaves or the server must stop, the work is cancelled, never
    /// dropped: a session is whole only between its calls.
    pub async fn run<T, E>(
        &mut self,
        interrupt: &mut Interrupt,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Stop>
    where
        Stop: From<E>,
    {
        let mut work = pin!(work);
        // Most calls are done at once: no timers, no system calls for them.
        let first = poll_fn(|cx| Poll::Ready(poll_caught(work.as_mut(), cx))).await;
        let outcome = match first {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => self.wait(interrupt, work).await,
        };
        let result = outcome.unwrap_or_else(|()| Err(Stop::Fatal(Error::internal("the connection's task panicked"))));
        if interrupt.shutdown.is_terminating() {
            return Err(Stop::Fatal(crate::listener::shutting_down()));
        }
        if self.gone { Err(Stop::Gone) } else { result }
    }

    async fn wait<T, E>(
        &mut self,
        interrupt: &mut Interrupt,
        mut work: Pin<&mut impl Future<Output = Result<T, E>>>,
    ) -> Result<Result<T, Stop>, ()>
    where
        Stop: From<E>,
    {
        let mut lazy_flush = pin!(tokio::time::sleep(LAZY_FLUSH));
        let mut shutdown = interrupt.shutdown.clone();
        let mut terminating = pin!(shutdown.terminating());
        let mut cancelled = false;
        poll_fn(|cx| {
            if let Poll::Ready(outcome) = poll_caught(work.as_mut(), cx) {
                return Poll::Ready(outcome);
            }
            if !cancelled {
                self.poll_input(cx);
                if self.gone || terminating.as_mut().poll(cx).is_ready() {
                    cancelled = true;
                    (interrupt.cancel)();
                }
            }
            if !self.gone && self.written < self.output.len() && lazy_flush.as_mut().poll(cx).is_ready() {
                self.poll_output(cx);
            }
            Poll::Pending
        })
        .await
    }

    /// Reads what is there, until the read-ahead is full.
    fn poll_input(&mut self, cx: &mut Context<'_>) {
        while !self.gone && self.input.len() < READ_AHEAD {
            self.input.reserve(READ_SIZE);
            match poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.input) {
                Poll::Pending => return,
                Poll::Ready(Ok(count)) if count > 0 => {}
                Poll::Ready(_) => self.gone = true,
            }
        }
    }

    fn poll_output(&mut self, cx: &mut Context<'_>) {
        while let Some(rest @ [_, ..]) = self.output.get(self.written..) {
            match Pin::new(&mut self.stream).poll_write(cx, rest) {
                Poll::Pending => return,
                Poll::Ready(Ok(count)) if count > 0 => self.written += count,
                Poll::Ready(_) => {
                    self.gone = true;
                    return;
                }
            }
        }
        let _ = Pin::new(&mut self.stream).poll_flush(cx);
        self.sent();
    }
}

/// Polls work of the engine; a panic in it ends this connection and nothing else.
fn poll_caught<T, E>(
    work: Pin<&mut impl Future<Output = Result<T, E>>>,
    cx: &mut Context<'_>,
) -> Poll<Result<Result<T, Stop>, ()>>
where
    Stop: From<E>,
{
    match std::panic::catch_unwind(AssertUnwindSafe(|| work.poll(cx))) {
        Ok(poll) => poll.map(|result| Ok(result.map_err(Stop::from))),
        Err(_) => Poll::Ready(Err(())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use aegis_engine::catalog::sqlstate;
    use tokio::net::UnixStream;
    use tokio::sync::{Notify, watch};

    use super::*;
    use crate::Config;
    use crate::interrupt::{Phase, Shutdown};

    struct Fixture {
        transport: Transport,
        interrupt: Interrupt,
        phase: watch::Sender<Phase>,
        client: UnixStream,
        cancelled: Arc<AtomicBool>,
        /// Told when the statement is cancelled.
        wake: Arc<Notify>,
    }

    fn fixture(config: &Config) -> Fixture {
        let (server, client) = UnixStream::pair().unwrap();
        let phase = watch::Sender::new(Phase::Serving);
        let (cancelled, wake) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
        let (flag, notify) = (cancelled.clone(), wake.clone());
        let cancel = Box::new(move || {
            flag.store(true, Ordering::Relaxed);
            notify.notify_one();
        });
        Fixture {
            transport: Transport::new(Stream::Unix(server), config),
            interrupt: Interrupt { cancel, shutdown: Shutdown(phase.subscribe()) },
            phase,
            client,
            cancelled,
            wake,
        }
    }

    /// A statement that runs until it is cancelled.
    async fn endless(wake: Arc<Notify>) -> Result<(), Error> {
        wake.notified().await;
        Err(Error::internal("cancelled"))
    }

    #[tokio::test]
    async fn a_client_that_leaves_cancels_its_statement() {
        let Fixture { mut transport, mut interrupt, client, cancelled, wake, .. } = fixture(&Config::default());
        drop(client);
        assert!(matches!(transport.run(&mut interrupt, endless(wake)).await, Err(Stop::Gone)));
        assert!(cancelled.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn shutdown_cancels_statements() {
        let Fixture { mut transport, mut interrupt, phase, client: _client, wake, .. } = fixture(&Config::default());
        phase.send_replace(Phase::Terminating);
        assert!(matches!(transport.run(&mut interrupt, endless(wake)).await, Err(Stop::Fatal(_))));
    }

    #[tokio::test]
    async fn a_panic_ends_one_connection() {
        let Fixture { mut transport, mut interrupt, client: _client, .. } = fixture(&Config::default());
        let work = poll_fn(|_| -> Poll<Result<(), Error>> { panic!("on purpose") });
        assert!(matches!(transport.run(&mut interrupt, work).await, Err(Stop::Fatal(_))));
    }

    #[tokio::test]
    async fn rows_of_a_slow_statement_are_sent_before_its_end() {
        let Fixture { mut transport, mut interrupt, mut client, .. } = fixture(&Config::default());
        transport.output().extend_from_slice(b"row");
        let work = async {
            let mut got = [0; 3];
            client.read_exact(&mut got).await.unwrap();
            Ok::<_, Error>(got)
        };
        assert_eq!(transport.run(&mut interrupt, work).await.unwrap(), *b"row");
        assert!(transport.output().is_empty());
    }

    #[tokio::test]
    async fn frames_arrive_in_any_pieces() {
        let Fixture { mut transport, mut client, .. } = fixture(&Config::default());
        for piece in [b"Q\0\0".as_slice(), b"\0\x06", b"x", b"\0S\0\0\0\x04"] {
            assert!(transport.frame().unwrap().is_none());
            client.write_all(piece).await.unwrap();
            assert!(transport.read().await.unwrap());
        }
        let frame = transport.frame().unwrap().unwrap();
        assert_eq!((frame.tag, frame.body().unwrap().as_ref()), (b'Q', b"x\0".as_slice()));
        assert_eq!(transport.frame().unwrap().unwrap().tag, b'S');
        assert!(transport.frame().unwrap().is_none());
    }

    #[tokio::test]
    async fn a_message_that_is_too_long_is_told_and_the_next_one_heard() {
        let Fixture { mut transport, mut client, .. } =
            fixture(&Config { max_message_bytes: 1 << 20, ..Config::default() });
        let length = 8 << 20;
        let sends = async {
            client.write_all(b"Q").await.unwrap();
            client.write_all(&u32::to_be_bytes(length)).await.unwrap();
            client.write_all(&vec![b'Q'; length as usize - 4]).await.unwrap();
            client.write_all(b"S\0\0\0\x04").await.unwrap();
        };
        let hears = async {
            let mut frames = Vec::new();
            while frames.len() < 2 {
                match transport.frame().unwrap() {
                    Some(frame) => frames.push((frame.tag, frame.body().map_err(|error| error.code()))),
                    None => assert!(transport.read().await.unwrap()),
                }
                assert!(transport.input().capacity() < length as usize / 8);
            }
            frames
        };
        let ((), frames) = tokio::join!(sends, hears);
        assert_eq!(frames, [(b'Q', Err(sqlstate::PROGRAM_LIMIT_EXCEEDED)), (b'S', Ok(bytes::Bytes::new()))]);
    }

    #[tokio::test]
    async fn last_words_reach_a_client_that_is_still_sending() {
        let Fixture { mut transport, mut client, .. } = fixture(&Config::default());
        transport.output().extend_from_slice(b"too long");
        transport.input().extend_from_slice(b"what has come of it");
        let sends = async {
            client.write_all(&vec![b'x'; 4 << 20]).await.unwrap();
            let mut words = Vec::new();
            client.read_to_end(&mut words).await.unwrap();
            words
        };
        let ((), words) = tokio::join!(transport.close(), sends);
        assert_eq!(words, b"too long");
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_dropped() {
        let config = Config { write_timeout: Some(Duration::from_millis(50)), ..Config::default() };
        let Fixture { mut transport, client: _client, .. } = fixture(&config);
        transport.output().resize(8 << 20, b'x');
        assert!(matches!(transport.flush().await, Err(Stop::Gone)));
    }
}
