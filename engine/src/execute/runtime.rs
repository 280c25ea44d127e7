//! Threads and memory that queries run with, apart from those that serve connections.

use std::path::Path;
use std::sync::Arc;

use aegis_catalog::{Error, Result};
use datafusion::common::config::ConfigNonZeroUsize;
use datafusion::execution::disk_manager::DiskManagerBuilder;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::optimizer::propagate_empty_relation::PropagateEmptyRelation;
use datafusion::optimizer::{Optimizer, OptimizerRule};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::prelude::SessionConfig;
use tokio::runtime::{Builder, Handle, Runtime};

use super::again::ReadAgain;
use super::early_projections::EarlyProjections;
use super::error::from_datafusion;
use super::join_keys::TellKeys;
use super::late_start::LateStart;
use super::memory_pool::SharedPool;
use super::missing_sorts::CheckWithMissingSorts;
use super::node::Planner;
use super::rules::{self, Rules};
use super::sort_copies::SortCopies;
use super::spill::SpillFolder;
use super::window_memory::ClaimWindows;

/// Rows per batch, at most.
pub(super) const BATCH_ROWS: usize = 8192;
/// Side of a hash join that one thread builds for all.
const SHARED_BUILD_BYTES: usize = 64 * 1024 * 1024;
const SHARED_BUILD_ROWS: usize = 2 * 1024 * 1024;
/// Integer keys of a build side are looked up by their place in an array instead of a hash table, if they span at most so many values (an array
/// that fits in a core's cache), or if the array has at most so many places for each of them.
const ARRAY_KEYS: usize = 256 * 1024;
const ARRAY_PLACES_PER_KEY: f64 = 25.0;
/// Bytes that a sort keeps back to merge its runs, as a part of the memory for queries, and the most it can use.
const SORT_RESERVATION_PART: usize = 32;
const SORT_RESERVATION_MAX: usize = 8 * 1024 * 1024;
/// Rows that wait to be dealt out to threads are spilled a batch to a file: a reader that waits for more of an unfinished file
/// may wait forever while what it needs is in the next (apache/datafusion#24883, mended after the version we use).
const SPILL_FILE_BYTES: usize = 1;
/// Memory for queries per row of a batch: with little of it batches are smaller, so that merges hold several of them.
const MEMORY_PER_BATCH_ROW: usize = 32 * 1024;
const LEAST_BATCH_ROWS: usize = 1024;
/// Stack of a query thread: plans of deeply nested statements are walked recursively.
const STACK_BYTES: usize = 16 * 1024 * 1024;

/// Rules that have nothing to do: for sub-queries and functions that our plans never contain, and those that are not switched on.
const UNUSED_RULES: [&str; 10] = [
    "rewrite_set_comparison",
    "decorrelate_predicate_subquery",
    "scalar_subquery_to_join",
    "decorrelate_lateral_join",
    "extract_leaf_expressions",
    "push_down_leaf_projections",
    "filter_null_join_keys",
    "unions_to_filter",
    "HashJoinBuffering",
    "WindowTopN",
];

/// Rules that pay for many rows; planning takes longer than they save where there are few.
const RULES_FOR_MANY_ROWS: [&str; 10] = [
    "aggregate_statistics",
    "common_sub_expression_eliminate",
    "eliminate_group_by_constant",
    "optimize_unions",
    "single_distinct_aggregation_to_group_by",
    "FilterPushdown",
    "LimitedDistinctAggregation",
    "PushdownSort",
    "TopKRepartition",
    "LimitAggregation",
];

/// What a statement may choose about its execution.
#[derive(Debug, Clone, Copy)]
pub struct RunOptions {
    /// Partitions (threads) that a plan is made for.
    pub target_partitions: usize,
    /// Hash joins keep one side in memory; without them joins sort and spill.
    pub hash_joins: bool,
}

/// The query runtime of a server.
pub struct QueryRuntime {
    runtime: Option<Runtime>,
    environment: Arc<RuntimeEnv>,
    /// What statements start from: making one takes longer than a short statement runs.
    template: SessionState,
    /// The same for queries over few rows.
    template_for_few: SessionState,
    threads: usize,
}

impl QueryRuntime {
    /// `spill_dir` is created if it is not there; `on_idle` is called by threads that have nothing to do.
    pub fn new(threads: usize, memory_limit: usize, spill_dir: &Path, on_idle: fn()) -> Result<Self> {
        let io = |error: std::io::Error| Error::internal(format!("query runtime: {error}"));
        std::fs::create_dir_all(spill_dir).map_err(io)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads.max(1))
            .thread_name("query")
            .thread_stack_size(STACK_BYTES)
            .on_thread_park(on_idle)
            .enable_all()
            .build()
            .map_err(io)?;
        let files = Arc::new(SpillFolder(spill_dir.to_owned()));
        let disk = DiskManagerBuilder::default().with_temp_file_factory(files);
        let environment = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(SharedPool::new(memory_limit)))
            .with_disk_manager_builder(disk)
            .build_arc()
            .map_err(from_datafusion)?;
        let threads = threads.max(1);
        let template = template(environment.clone(), threads, memory_limit)?;
        let template_for_few = for_few_rows(&template);
        Ok(Self { runtime: Some(runtime), environment, template, template_for_few, threads })
    }

    pub fn handle(&self) -> Result<Handle> {
        let runtime = self.runtime.as_ref().ok_or_else(|| Error::internal("the query runtime has stopped"))?;
        Ok(runtime.handle().clone())
    }

    pub fn default_options(&self) -> RunOptions {
        RunOptions { target_partitions: self.threads, hash_joins: true }
    }

    /// Bytes that queries hold at the moment.
    pub fn memory_in_use(&self) -> usize {
        self.environment.memory_pool.reserved()
    }

    /// Planner and limits for one statement.
    pub fn state(&self, options: RunOptions) -> SessionState {
        let mut state = self.template.clone();
        // Changing an option copies all of them.
        let partitions = options.target_partitions.max(1);
        if state.config().target_partitions() != partitions {
            state.config_mut().options_mut().execution.target_partitions = partitions;
        }
        if state.config().options().optimizer.prefer_hash_join != options.hash_joins {
            state.config_mut().options_mut().optimizer.prefer_hash_join = options.hash_joins;
        }
        state
    }

    /// Planner and limits for one statement over few rows: such as those of the catalog, for which tools have the longest queries.
    pub fn state_for_few_rows(&self) -> SessionState {
        self.template_for_few.clone()
    }
}

fn for_few_rows(template: &SessionState) -> SessionState {
    let mut config = template.config().clone();
    let settings = config.options_mut();
    settings.execution.target_partitions = 1;
    let is_worth_it = |name: &str| !RULES_FOR_MANY_ROWS.contains(&name);
    // What is empty takes most of such a query along, if that is found first.
    let empty = std::iter::once(Arc::new(PropagateEmptyRelation::new()) as Arc<dyn OptimizerRule + Send + Sync>);
    let rules = Rules::new(empty.chain(logical_rules().filter(|rule| is_worth_it(rule.name()))), 1);
    let physical = template.physical_optimizers().iter().filter(|rule| is_worth_it(rule.name())).cloned();
    SessionStateBuilder::new_from_existing(template.clone())
        .with_config(config)
        .with_optimizer_rules(vec![Arc::new(rules)])
        .with_physical_optimizer_rules(physical.collect())
        .build()
}

fn logical_rules() -> impl Iterator<Item = Arc<dyn OptimizerRule + Send + Sync>> {
    Optimizer::new().rules.into_iter().filter(|rule| !UNUSED_RULES.contains(&rule.name()))
}

fn physical_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules = PhysicalOptimizer::new().rules;
    rules.retain(|rule| !UNUSED_RULES.contains(&rule.name()));
    if let Some(at) = rules.iter().position(|rule| rule.name() == "EnsureRequirements") {
        rules.insert(at, Arc::new(EarlyProjections));
    }
    if let Some(check) = rules.iter_mut().find(|rule| rule.name() == "SanityCheckPlan") {
        *check = Arc::new(CheckWithMissingSorts);
    }
    rules.push(Arc::new(SortCopies));
    rules.push(Arc::new(ClaimWindows));
    rules.push(Arc::new(ReadAgain));
    rules.push(Arc::new(TellKeys));
    rules.push(Arc::new(LateStart));
    rules
}

fn template(environment: Arc<RuntimeEnv>, threads: usize, memory_limit: usize) -> Result<SessionState> {
    let mut config = SessionConfig::new()
        .with_batch_size((memory_limit / MEMORY_PER_BATCH_ROW).clamp(LEAST_BATCH_ROWS, BATCH_ROWS))
        .with_target_partitions(threads)
        .with_information_schema(false)
        .with_create_default_catalog_and_schema(false);
    let settings = config.options_mut();
    // The only rule runs all others as often as they change something.
    settings.optimizer.max_passes = 1;
    // Scans have a partition per thread already; dealing out their batches would mix up the order of rows.
    settings.optimizer.enable_round_robin_repartition = false;
    // One hash table that all threads probe, up to a size at which building it alone takes longer than dealing out both sides.
    settings.optimizer.hash_join_single_partition_threshold = SHARED_BUILD_BYTES;
    settings.optimizer.hash_join_single_partition_threshold_rows = SHARED_BUILD_ROWS;
    settings.execution.perfect_hash_join_small_build_threshold = ARRAY_KEYS;
    settings.execution.perfect_hash_join_min_key_density = 1.0 / ARRAY_PLACES_PER_KEY;
    settings.execution.sort_spill_reservation_bytes = (memory_limit / SORT_RESERVATION_PART).min(SORT_RESERVATION_MAX);
    settings.execution.max_spill_file_size_bytes =
        ConfigNonZeroUsize::try_new(SPILL_FILE_BYTES).map_err(from_datafusion)?;
    Ok(SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(environment)
        .with_query_planner(Arc::new(Planner::default()))
        .with_analyzer_rules(Vec::new())
        .with_optimizer_rules(vec![Arc::new(Rules::new(logical_rules(), rules::PASSES))])
        .with_physical_optimizer_rules(physical_rules())
        .build())
}

impl Drop for QueryRuntime {
    fn drop(&mut self) {
        // Dropping a runtime waits for its threads, which must not happen on another runtime's thread.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
