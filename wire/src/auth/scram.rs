//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677) over `pgwire`'s server side of the exchange.
//!
//! A role that does not exist, or has no password, plays the same exchange against a verifier that nothing satisfies, so that
//! names cannot be probed; its salt is a hash of the name, as it must not change from one attempt to the next.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use aegis_engine::catalog::{Error, sqlstate};
use pgwire::api::auth::sasl::scram::{ScramSecret, ScramServerAuth};
use pgwire::error::PgWireError;

use crate::listener::Shared;
use crate::message::violation;
use crate::reply;
use crate::stop::Stop;
use crate::transport::Transport;

const PLAIN: &str = "SCRAM-SHA-256";
const PLUS: &str = "SCRAM-SHA-256-PLUS";

pub async fn exchange(
    transport: &mut Transport,
    shared: &Shared,
    user: &str,
    verifier: Option<&str>,
) -> Result<(), Stop> {
    let binding = match &shared.tls {
        Some(tls) if transport.is_encrypted() => tls.channel_binding.clone(),
        _ => None,
    };
    let mechanisms: &[&str] = if binding.is_some() { &[PLUS, PLAIN] } else { &[PLAIN] };
    reply::authentication_sasl(transport.output(), mechanisms);

    let mut first = super::response(transport).await?;
    let mechanism = first.string().map_err(Stop::Fatal)?;
    if !mechanisms.contains(&mechanism.as_str()) {
        return Err(Stop::Fatal(violation("client selected an invalid SASL authentication mechanism")));
    }
    let length = first.i32().map_err(Stop::Fatal)?;
    let client_first = first.take(length).map_err(Stop::Fatal)?;
    first.finish().map_err(Stop::Fatal)?;
    if (mechanism == PLUS) != client_first.starts_with(b"p=") {
        return Err(Stop::Fatal(violation("malformed SCRAM message")));
    }

    let secret = verifier.and_then(parse_verifier).unwrap_or_else(|| mock_secret(user));
    let server = binding.unwrap_or_else(ScramServerAuth::new);
    let refused = |error: PgWireError| Stop::Fatal(refusal(error, user));
    let (challenge, proof_check) =
        server.on_client_first_message_with_secret(&client_first, secret).map_err(refused)?;
    reply::authentication_sasl_continue(transport.output(), &challenge);

    let client_final = super::response(transport).await?;
    let outcome = proof_check.on_client_final_message(&client_final.0).map_err(refused)?;
    reply::authentication_sasl_final(transport.output(), &outcome);
    Ok(())
}

fn refusal(error: PgWireError, user: &str) -> Error {
    match error {
        PgWireError::InvalidPassword(_) => {
            Error::new(sqlstate::INVALID_PASSWORD, format!("password authentication failed for user \"{user}\""))
        }
        other => violation("malformed SCRAM message").with_detail(other.to_string()),
    }
}

/// `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`, the form of `pg_authid.rolpassword`.
fn parse_verifier(verifier: &str) -> Option<ScramSecret> {
    let (iterations_and_salt, keys) = verifier.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?;
    let (iterations, salt) = iterations_and_salt.split_once(':')?;
    let (stored_key, server_key) = keys.split_once(':')?;
    Some(ScramSecret::Verifier {
        salt: base64(salt)?,
        iterations: iterations.parse().ok()?,
        stored_key: base64(stored_key).filter(|key| key.len() == 32)?,
        server_key: base64(server_key).filter(|key| key.len() == 32)?,
    })
}

fn base64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

fn mock_secret(user: &str) -> ScramSecret {
    static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    let salt = [SEED.hash_one(("salt", 0, user)), SEED.hash_one(("salt", 1, user))];
    ScramSecret::Verifier {
        salt: salt.iter().flat_map(|half| half.to_be_bytes()).collect(),
        iterations: 4096,
        stored_key: rand::random::<[u8; 32]>().to_vec(),
        server_key: rand::random::<[u8; 32]>().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verifiers() {
        let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        assert!(parse_verifier(&format!("SCRAM-SHA-256$4096:c2FsdA==${key}:{key}")).is_some());
        assert!(parse_verifier(&format!("SCRAM-SHA-256$4096:c2FsdA==${key}")).is_none());
        assert!(parse_verifier("md5abc").is_none());
    }

    #[test]
    fn mock_salts_are_stable() {
        let salt = |user| match mock_secret(user) {
            ScramSecret::Verifier { salt, .. } => salt,
            ScramSecret::SaltedPassword { .. } => unreachable!(),
        };
        assert_eq!(salt("a"), salt("a"));
        assert_ne!(salt("a"), salt("b"));
    }
}
