//! HTTP: SQL over JSON, points in InfluxDB's line protocol and from Prometheus, health, metrics, cluster status.

mod authentication;
mod line_protocol;
mod metrics;
mod query;
mod remote_write;
mod write;

use std::net::SocketAddr;
use std::sync::Arc;

use aegis_engine::Engine;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Where to listen, and as which node.
#[derive(Debug, Clone)]
pub struct Config {
    pub listen: SocketAddr,
    pub node_id: u64,
}

/// Longest request body.
const MAX_BODY_BYTES: usize = 16 << 20;

struct App {
    engine: Arc<Engine>,
    node_id: u64,
    metrics: metrics::Metrics,
    /// One permit for each write that is under way.
    writes: tokio::sync::Semaphore,
}

/// A running HTTP server.
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<std::io::Result<()>>,
}

/// Binds the address and serves until [`Server::shutdown`].
pub async fn serve(engine: Arc<Engine>, config: Config) -> std::io::Result<Server> {
    let listener = tokio::net::TcpListener::bind(config.listen).await?;
    let address = listener.local_addr()?;
    let app = Arc::new(App {
        metrics: metrics::Metrics::new(engine.clone()),
        engine,
        node_id: config.node_id,
        writes: tokio::sync::Semaphore::new(write::MAX_CONCURRENT),
    });
    let router = Router::new()
        .route("/health/live", get(|| async { "live\n" }))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics_text))
        .route("/cluster", get(cluster))
        .route("/api/v1/query", post(query::run))
        .route("/ping", get(|| async { StatusCode::NO_CONTENT }))
        .route("/write", post(write::v1))
        .route("/api/v1/write", post(remote_write::write))
        .route("/api/v2/write", post(write::v2))
        .route("/api/v3/write_lp", post(write::v3))
        .layer(axum::extract::DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(app);
    let (stop, mut stopped) = watch::channel(false);
    let task = tokio::spawn(async move {
        axum::serve(listener, router)
            .with_graceful_shutdown(async move {
                // An error means that the sender is gone, which is a reason to stop too.
                let _ = stopped.wait_for(|stop| *stop).await;
            })
            .await
    });
    Ok(Server { address, stop, task })
}

impl Server {
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Takes no new requests and waits for those that run.
    pub async fn shutdown(self) {
        self.stop.send_replace(true);
        if let Ok(Err(error)) = self.task.await {
            tracing::warn!("HTTP server: {error}");
        }
    }
}

/// Ready means that the log takes writes.
async fn ready(State(app): State<Arc<App>>) -> impl IntoResponse {
    if app.engine.is_healthy() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the store has stopped; see the server's log\n")
    }
}

async fn metrics_text(State(app): State<Arc<App>>) -> impl IntoResponse {
    ([("content-type", metrics::CONTENT_TYPE)], app.metrics.encode())
}

/// One node answers as its own leader.
async fn cluster(State(app): State<Arc<App>>) -> Json<serde_json::Value> {
    Json(serde_json::json!({
        "node": app.node_id,
        "leader": app.node_id,
        "role": "leader",
        "members": [app.node_id],
    }))
}
