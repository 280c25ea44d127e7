//! Room on the stack for work that recurses as deep as a statement nests.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Bytes that must be left when a level begins; more than any one level of ours or of DataFusion's planner takes.
const RED_ZONE: usize = 256 * 1024;

/// Bytes of a further piece of stack.
const SEGMENT: usize = 8 * 1024 * 1024;

/// Runs one level of a recursion whose depth the statement decides, on a further piece of stack when this one nears its end. How
/// deep it may go at all is the caller's to limit.
pub fn with_room<T>(work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(RED_ZONE, SEGMENT, work)
}

/// A future that finds room on the stack each time it goes on: routines call routines, each inside the other's future.
pub fn roomy<'a, T: 'a>(work: impl Future<Output = T> + Send + 'a) -> Pin<Box<dyn Future<Output = T> + Send + 'a>> {
    Box::pin(Roomy(Some(Box::pin(work))))
}

/// Bytes that must be left when a routine goes on: all that its statements take until they call the next one.
const ROUTINE_ZONE: usize = 1024 * 1024;

fn with_room_for_routine<T>(work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(ROUTINE_ZONE, SEGMENT, work)
}

struct Roomy<'a, T>(Option<Pin<Box<dyn Future<Output = T> + Send + 'a>>>);

impl<T> Drop for Roomy<'_, T> {
    fn drop(&mut self) {
        let work = self.0.take();
        with_room_for_routine(|| drop(work));
    }
}

impl<T> Future for Roomy<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match &mut self.0 {
            Some(work) => with_room_for_routine(|| work.as_mut().poll(context)),
            None => Poll::Pending,
        }
    }
}
