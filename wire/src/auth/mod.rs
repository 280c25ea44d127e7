//! Who a client is: `trust` or SCRAM-SHA-256.

mod scram;

use std::sync::Arc;

use aegis_engine::session::protocol::Credentials;

use crate::listener::Shared;
use crate::message::{Body, violation};
use crate::stop::Stop;
use crate::transport::Transport;

/// Longest message of an authentication exchange (`PG_MAX_SASL_MESSAGE_LENGTH`).
const MAX_MESSAGE: usize = 1024;

/// Returns when the client has proved that it is `user`; AuthenticationOk is the caller's to send.
pub async fn authenticate(transport: &mut Transport, shared: &Arc<Shared>, user: &str) -> Result<(), Stop> {
    match shared.engine.credentials(user) {
        Credentials::Trust => Ok(()),
        Credentials::Scram(verifier) => scram::exchange(transport, shared, user, verifier.as_deref()).await,
    }
}

/// The body of the client's next message, which must be of the password family.
async fn response(transport: &mut Transport) -> Result<Body, Stop> {
    transport.flush().await?;
    loop {
        if let Some(tag) = transport.input().first().copied()
            && tag != b'p'
        {
            return Err(Stop::Fatal(violation(format!("expected SASL response, got message type {tag}"))));
        }
        if let Some(frame) = transport.framed(MAX_MESSAGE)? {
            return Ok(Body(frame.body()?));
        }
        if !transport.read().await.unwrap_or(false) {
            return Err(Stop::Gone);
        }
    }
}
