//! Waits a moment awake for a client that is quick: to fall asleep and be woken takes longer than such a client needs to send its
//! next statement. The same trade as adaptive mutexes and the kernel's busy polling (socket(7), `SO_BUSY_POLL`).

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use socket2::SockRef;

/// Longest wait awake.
const LONGEST: Duration = Duration::from_micros(50);

/// A wait up to this expects the next to end within `LONGEST`: whoever slept through it was woken late, and so was the client. With
/// one limit for both, a connection that once fell asleep would stay so.
const QUICK: Duration = Duration::from_micros(150);

/// Bytes read at once: the messages of a statement with a few parameters.
const READ_SIZE: usize = 1 << 10;

/// Connections that are not waiting for their clients. While there are any, processors have better things to do than to wait awake.
static WORKING: AtomicUsize = AtomicUsize::new(0);

/// At most one thread waits awake: the clients need processors too.
static AWAKE: AtomicBool = AtomicBool::new(false);

struct Awake;

impl Awake {
    fn alone() -> Option<Self> {
        (WORKING.load(Ordering::Relaxed) == 0 && !AWAKE.swap(true, Ordering::Acquire)).then_some(Self)
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        AWAKE.store(false, Ordering::Release);
    }
}

/// What is expected of one client.
#[derive(Debug)]
pub struct Anticipation {
    /// When the wait that goes on began.
    since: Option<Instant>,
    /// The last wait was short: below `QUICK`.
    quick: bool,
}

impl Anticipation {
    pub fn new() -> Self {
        WORKING.fetch_add(1, Ordering::Relaxed);
        Self { since: None, quick: false }
    }

    /// A wait begins. Some(bytes) came at once and are at the end of `input`; 0 of them say that the client has closed its side.
    pub fn wait(&mut self, socket: &SockRef<'_>, input: &mut BytesMut) -> io::Result<Option<usize>> {
        let begun = Instant::now();
        if self.since.replace(begun).is_none() {
            WORKING.fetch_sub(1, Ordering::Relaxed);
        }
        if !self.quick {
            return Ok(None);
        }
        let Some(_awake) = Awake::alone() else { return Ok(None) };
        let mut bytes = [0; READ_SIZE];
        while begun.elapsed() < LONGEST && WORKING.load(Ordering::Relaxed) == 0 {
            match (&mut &**socket).read(&mut bytes) {
                Ok(count) => {
                    self.came();
                    input.extend_from_slice(bytes.get(..count).unwrap_or_default());
                    return Ok(Some(count));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::hint::spin_loop(),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// The wait has ended.
    pub fn came(&mut self) {
        if let Some(since) = self.since.take() {
            WORKING.fetch_add(1, Ordering::Relaxed);
            self.quick = since.elapsed() < QUICK;
        }
    }
}

impl Drop for Anticipation {
    fn drop(&mut self) {
        if self.since.is_none() {
            WORKING.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn what_has_come_is_read_at_once_from_a_quick_client() {
        let (server, mut client) = UnixStream::pair().unwrap();
        server.set_nonblocking(true).unwrap();
        let (mut anticipation, mut input) = (Anticipation::new(), BytesMut::new());
        let socket = SockRef::from(&server);
        // Nothing is known of the client yet.
        client.write_all(b"first").unwrap();
        assert_eq!(anticipation.wait(&socket, &mut input).unwrap(), None);
        assert!(anticipation.since.is_some());
        anticipation.quick = true;
        let count = anticipation.wait(&socket, &mut input).unwrap();
        // Another test's connection may be at work meanwhile: then nobody waits awake.
        if count.is_some() {
            assert_eq!((count, input.as_ref(), anticipation.since), (Some(5), b"first".as_slice(), None));
        }
    }
}
