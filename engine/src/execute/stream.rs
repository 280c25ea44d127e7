//! Results as they come.

use std::sync::Arc;

use aegis_catalog::{Error, Result, sqlstate};
use arrow::array::RecordBatch;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::direct;
use super::error::from_datafusion;
use super::in_order::in_order;
use super::interrupt::interruptible;
use super::rules::physical_plan;
use super::runtime::{QueryRuntime, RunOptions};
use super::system;

/// Batches that may wait for their reader.
const QUEUE_BATCHES: usize = 4;

/// Rows of a query. Dropping it stops the query.
pub enum RowStream {
    /// All there already.
    Ready(std::vec::IntoIter<RecordBatch>),
    Running(Running),
}

/// A query on the query runtime.
pub struct Running {
    receiver: mpsc::Receiver<Result<RecordBatch>>,
    cancel: CancellationToken,
    task: JoinHandle<()>,
    ended: bool,
}

impl RowStream {
    /// Starts a plan: what needs no planner is evaluated in place if it surely is quick, everything else on the query runtime.
    pub fn start(
        runtime: &QueryRuntime,
        plan: LogicalPlan,
        options: RunOptions,
        cancel: CancellationToken,
    ) -> Result<Self> {
        if !direct::is_plain(&plan) {
            let state = if system::is_alone(&plan) { runtime.state_for_few_rows() } else { runtime.state(options) };
            let work = |sender, stop| produce(state, Work::Logical(plan), stop, sender);
            return Ok(Self::Running(Running::spawn(runtime, cancel, work)?));
        }
        if direct::is_quick(&plan) {
            return Ok(Self::ready(vec![direct::evaluate(&plan)?]));
        }
        let work = |sender: mpsc::Sender<_>, _| async move {
            // The reader may have left.
            let _ = sender.send(direct::evaluate(&plan)).await;
            Ok(())
        };
        Ok(Self::Running(Running::spawn(runtime, cancel, work)?))
    }

    /// Rows that are there already.
    pub fn ready(batches: Vec<RecordBatch>) -> Self {
        Self::Ready(batches.into_iter())
    }

    /// Starts a plan that is physical already.
    pub fn start_physical(
        runtime: &QueryRuntime,
        plan: Arc<dyn ExecutionPlan>,
        options: RunOptions,
        cancel: CancellationToken,
    ) -> Result<Self> {
        let state = runtime.state(options);
        let work = |sender, stop| produce(state, Work::Physical(plan), stop, sender);
        Ok(Self::Running(Running::spawn(runtime, cancel, work)?))
    }

    /// The next batch that has rows; None at the end. 57014 soon after the statement's token fired.
    pub async fn next(&mut self) -> Option<Result<RecordBatch>> {
        match self {
            Self::Ready(batches) => batches.find(|batch| batch.num_rows() > 0).map(Ok),
            Self::Running(running) => running.next().await,
        }
    }

    /// All rows; for results that are known to be small or must be complete before anything else happens.
    pub async fn collect(mut self) -> Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        while let Some(batch) = self.next().await {
            batches.push(batch?);
        }
        Ok(batches)
    }
}

impl Running {
    /// Starts work that sends rows until it is done or told to stop.
    fn spawn<Done>(
        runtime: &QueryRuntime,
        cancel: CancellationToken,
        work: impl FnOnce(mpsc::Sender<Result<RecordBatch>>, CancellationToken) -> Done,
    ) -> Result<Self>
    where
        Done: Future<Output = Result<()>> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(QUEUE_BATCHES);
        let stop = cancel.child_token();
        let stopped = stop.clone();
        let work = work(sender.clone(), stop.clone());
        let task = runtime.handle()?.spawn(async move {
            let outcome = tokio::select! {
                biased;
                () = stopped.cancelled() => Err(canceled()),
                outcome = work => outcome,
            };
            if let Err(error) = outcome {
                // The reader may have left.
                let _ = sender.send(Err(error)).await;
            }
        });
        Ok(Self { receiver, cancel: stop, task, ended: false })
    }

    async fn next(&mut self) -> Option<Result<RecordBatch>> {
        if self.ended {
            return None;
        }
        loop {
            let received = tokio::select! {
                biased;
                () = self.cancel.cancelled() => Some(Err(canceled())),
                received = self.receiver.recv() => received,
            };
            match received {
                Some(Ok(batch)) if batch.num_rows() == 0 => {}
                Some(Ok(batch)) => return Some(Ok(batch)),
                Some(Err(error)) => {
                    self.ended = true;
                    self.task.abort();
                    return Some(Err(error));
                }
                None => {
                    self.ended = true;
                    return self.panicked().await.map(Err);
                }
            }
        }
    }

    /// The channel closed: because all rows are out, or because the task died.
    async fn panicked(&mut self) -> Option<Error> {
        match (&mut self.task).await {
            Ok(()) => None,
            Err(error) if error.is_panic() => {
                let panic = error.into_panic();
                let message = panic
                    .downcast_ref::<&str>()
                    .map(|message| (*message).to_owned())
                    .or_else(|| panic.downcast_ref::<String>().cloned());
                Some(Error::internal(format!("query failed: {}", message.unwrap_or_default())))
            }
            Err(_) => Some(canceled()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Work that does not look up between two rows sees the token.
        self.cancel.cancel();
        self.task.abort();
    }
}

fn canceled() -> Error {
    Error::new(sqlstate::QUERY_CANCELED, "canceling statement due to user request")
}

/// What a stream runs.
enum Work {
    Logical(LogicalPlan),
    Physical(Arc<dyn ExecutionPlan>),
}

impl Work {
    async fn plan(&self, state: &SessionState) -> Result<Arc<dyn ExecutionPlan>> {
        match self {
            Work::Physical(plan) => Ok(plan.clone()),
            Work::Logical(plan) => physical_plan(plan, state).await.map_err(from_datafusion),
        }
    }
}

async fn produce(
    mut state: SessionState,
    work: Work,
    stop: CancellationToken,
    sender: mpsc::Sender<Result<RecordBatch>>,
) -> Result<()> {
    let mut sent = false;
    let outcome = run(&state, &work, &stop, &sender, &mut sent).await;
    match outcome {
        // Hash joins keep one side in memory; sorts spill.
        Err(error)
            if error.code() == sqlstate::OUT_OF_MEMORY
                && !sent
                && matches!(work, Work::Logical(_))
                && state.config().options().optimizer.prefer_hash_join =>
        {
            state.config_mut().options_mut().optimizer.prefer_hash_join = false;
            run(&state, &work, &stop, &sender, &mut sent).await
        }
        outcome => outcome,
    }
}

async fn run(
    state: &SessionState,
    work: &Work,
    stop: &CancellationToken,
    sender: &mpsc::Sender<Result<RecordBatch>>,
    sent: &mut bool,
) -> Result<()> {
    let plan = in_order(work.plan(state).await?).map_err(from_datafusion)?;
    let plan = interruptible(plan, stop).map_err(from_datafusion)?;
    let mut rows = execute_stream(plan, state.task_ctx()).map_err(from_datafusion)?;
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(from_datafusion)?;
        *sent = true;
        if sender.send(Ok(batch)).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}
