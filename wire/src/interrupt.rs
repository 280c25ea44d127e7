//! What may end a statement from outside: the server's shutdown and the session's cancel handle.

use tokio::sync::watch;

/// How far the server's end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Serving,
    /// No new connections; sessions end when they are idle.
    Draining,
    /// The grace period is over: statements are cancelled.
    Terminating,
}

/// A connection's view of the server's phase.
#[derive(Clone)]
pub struct Shutdown(pub watch::Receiver<Phase>);

impl Shutdown {
    pub fn is_draining(&self) -> bool {
        *self.0.borrow() >= Phase::Draining
    }

    pub fn is_terminating(&self) -> bool {
        *self.0.borrow() == Phase::Terminating
    }

    pub async fn draining(&mut self) {
        self.reached(Phase::Draining).await;
    }

    pub async fn terminating(&mut self) {
        self.reached(Phase::Terminating).await;
    }

    async fn reached(&mut self, phase: Phase) {
        if self.0.wait_for(|current| *current >= phase).await.is_err() {
            // The server was dropped without a shutdown; its connections live on.
            std::future::pending::<()>().await;
        }
    }
}

pub struct Interrupt {
    /// Ends the session's running statement.
    pub cancel: Box<dyn Fn() + Send + Sync>,
    pub shutdown: Shutdown,
}
