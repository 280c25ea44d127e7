//! Waits a moment awake for a client that is quick: to fall asleep and be woken may take longer than such a client needs to send its
//! next statement. The same trade as adaptive mutexes and the kernel's busy polling (socket(7), `SO_BUSY_POLL`). Which is quicker depends
//! on where the client runs, so each connection finds out.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use socket2::SockRef;

/// Longest wait awake.
const LONGEST: Duration = Duration::from_micros(50);

/// Only clients whose waits end within this are worth staying awake for: twice the time that it takes to be woken, or so, and `LONGEST`.
const QUICK: Duration = Duration::from_micros(150);

/// The slower way to wait is tried again after so many waits, and after twice as many each time that it was still slower.
const TRIED_AFTER: u32 = 16;
const TRIED_AFTER_AT_MOST: u32 = 1024;

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

/// How long the waits of one connection have taken lately, each way.
#[derive(Debug, Default)]
struct Lately {
    asleep: Option<Duration>,
    awake: Option<Duration>,
    /// Waits until the slower way is tried again, and how many it was the last time.
    left: u32,
    pause: u32,
}

impl Lately {
    /// Whether to wait awake.
    fn choose(&mut self) -> bool {
        let Some(asleep) = self.asleep.filter(|asleep| *asleep < QUICK) else { return false };
        let Some(awake) = self.awake else { return true };
        let better = awake <= asleep;
        if self.left > 0 {
            self.left -= 1;
            return better;
        }
        self.pause = (2 * self.pause).clamp(TRIED_AFTER, TRIED_AFTER_AT_MOST);
        self.left = self.pause;
        !better
    }

    fn learn(&mut self, awake: bool, wait: Duration) {
        let better = self.awake <= self.asleep;
        let known = if awake { &mut self.awake } else { &mut self.asleep };
        // Mostly the last waits, and of a long one no more than that it was long.
        let wait = wait.min(2 * QUICK);
        *known = Some(known.map_or(wait, |known| (known + wait) / 2));
        if better != (self.awake <= self.asleep) {
            (self.left, self.pause) = (TRIED_AFTER, TRIED_AFTER);
        }
    }
}

/// What is expected of one client.
#[derive(Debug)]
pub struct Anticipation {
    /// When the wait that goes on began.
    since: Option<Instant>,
    /// It began awake.
    awake: bool,
    lately: Lately,
}

impl Anticipation {
    pub fn new() -> Self {
        WORKING.fetch_add(1, Ordering::Relaxed);
        Self { since: None, awake: false, lately: Lately::default() }
    }

    /// A wait begins. Some(bytes) came at once and are at the end of `input`; 0 of them say that the client has closed its side.
    pub fn wait(&mut self, socket: &SockRef<'_>, input: &mut BytesMut) -> io::Result<Option<usize>> {
        let begun = Instant::now();
        if self.since.replace(begun).is_none() {
            WORKING.fetch_sub(1, Ordering::Relaxed);
        }
        self.awake = false;
        if !self.lately.choose() {
            return Ok(None);
        }
        let Some(_awake) = Awake::alone() else { return Ok(None) };
        self.awake = true;
        let mut bytes = [0; READ_SIZE];
        while begun.elapsed() < LONGEST && WORKING.load(Ordering::Relaxed) == 0 {
            match (&mut &**socket).read(&mut bytes) {
                Ok(count) => {
                    self.came();
                    input.extend_from_slice(bytes.get(..count).unwrap_or_default());
                    return Ok(Some(count));
                }
                // The client may be waiting for this very processor.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// The wait has ended.
    pub fn came(&mut self) {
        if let Some(since) = self.since.take() {
            WORKING.fetch_add(1, Ordering::Relaxed);
            self.lately.learn(self.awake, since.elapsed());
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
        anticipation.lately.learn(false, Duration::ZERO);
        let count = anticipation.wait(&socket, &mut input).unwrap();
        // Another test's connection may be at work meanwhile: then nobody waits awake.
        if count.is_some() {
            assert_eq!((count, input.as_ref(), anticipation.since), (Some(5), b"first".as_slice(), None));
        }
    }

    #[test]
    fn the_quicker_way_is_taken_and_the_other_tried_now_and_then() {
        let [long, sleeping, short] = [300, 30, 10].map(Duration::from_micros);
        let mut lately = Lately::default();
        assert!(!lately.choose());
        lately.learn(false, long);
        assert!(!lately.choose(), "for a slow client nobody stays awake");
        let mut lately = Lately::default();
        lately.learn(false, sleeping);
        let mut run = |waits: usize, awake: Duration| {
            let mut chosen = 0;
            for _ in 0..waits {
                let choice = lately.choose();
                lately.learn(choice, if choice { awake } else { sleeping });
                chosen += usize::from(choice);
            }
            chosen
        };
        assert!(run(1000, short) > 960);
        // When another program takes the processor meanwhile.
        run(100, long);
        assert!(run(4000, long) < 15);
        assert!(run(10_000, short) > 5_000);
    }
}
