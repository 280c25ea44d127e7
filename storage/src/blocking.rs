//! Waiting on a thread, for callers that cannot await.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// Waits for a future that other threads complete. The calling thread may be one of tokio's in the middle of a poll: the future runs outside
/// of that task's cooperative budget, since a channel that finds the budget spent would wait for the task to yield, which it never does here.
pub fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(tokio::task::unconstrained(future));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn a_spent_budget_does_not_matter() {
        for _ in 0..1000 {
            let (sender, receiver) = oneshot::channel();
            std::thread::spawn(move || sender.send(()));
            super::block_on(receiver).unwrap();
        }
    }
}
