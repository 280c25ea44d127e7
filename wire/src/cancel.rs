//! CancelRequest: a connection of its own that names a session and its secret, and gets no answer either way.

use aegis_engine::Engine;
use bytes::Bytes;

use crate::message::Body;

pub fn request(engine: &Engine, body: Bytes) {
    let mut body = Body(body);
    let (Ok(pid), Ok(secret), Ok(())) = (body.i32(), body.i32(), body.finish()) else {
        tracing::debug!("invalid length of cancel request");
        return;
    };
    if !engine.cancel(pid, secret) {
        tracing::debug!(pid, "cancel request for no session of ours");
    }
}
