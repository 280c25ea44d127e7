//! pgcrypto (PostgreSQL manual, F.28): digests, keyed digests and random bytes. Passwords, PGP and raw encryption are not there.

use aegis_catalog::{Error, Result, sqlstate};
use md5::{Digest, Md5};
use rand::RngCore;
use sha2::{Sha224, Sha256, Sha384, Sha512};

use super::{Extension, Symbols, sha1};
use crate::functions::kernel::{kernel, volatile};
use crate::functions::value::Uuid;

pub const EXTENSION: Extension = Extension {
    name: "pgcrypto",
    version: "1.3",
    comment: "cryptographic functions",
    trusted: true,
    relocatable: true,
    script: include_str!("pgcrypto.sql"),
    symbols,
    ..Extension::EMPTY
};

fn symbols() -> Symbols {
    vec![
        ("pg_digest", kernel!(|data: &str, kind: &str| digest(data.as_bytes(), kind))),
        ("pg_digest_bytes", kernel!(|data: &[u8], kind: &str| digest(data, kind))),
        ("pg_hmac", kernel!(|data: &str, key: &str, kind: &str| hmac(data.as_bytes(), key.as_bytes(), kind))),
        ("pg_hmac_bytes", kernel!(|data: &[u8], key: &[u8], kind: &str| hmac(data, key, kind))),
        ("pg_random_bytes", volatile!(|count: i32| random_bytes(count))),
        ("pg_random_uuid", volatile!(|| Uuid(uuid::Uuid::new_v4().into_bytes()))),
    ]
}

/// A hash by its name: the function and the bytes of its blocks.
fn hash(kind: &str) -> Result<(fn(&[u8]) -> Vec<u8>, usize)> {
    Ok(match kind.to_ascii_lowercase().as_str() {
        "md5" => (|data| Md5::digest(data).to_vec(), 64),
        "sha1" => (|data| sha1::digest(data).to_vec(), 64),
        "sha224" => (|data| Sha224::digest(data).to_vec(), 64),
        "sha256" => (|data| Sha256::digest(data).to_vec(), 64),
        "sha384" => (|data| Sha384::digest(data).to_vec(), 128),
        "sha512" => (|data| Sha512::digest(data).to_vec(), 128),
        unknown => {
            let message = format!("Cannot use \"{unknown}\": No such hash algorithm");
            return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
        }
    })
}

fn digest(data: &[u8], kind: &str) -> Result<Vec<u8>> {
    hash(kind).map(|(hash, _)| hash(data))
}

/// RFC 2104.
fn hmac(data: &[u8], key: &[u8], kind: &str) -> Result<Vec<u8>> {
    let (hash, block) = hash(kind)?;
    let mut key = if key.len() > block { hash(key) } else { key.to_vec() };
    key.resize(block, 0);
    let padded =
        |pad: u8, rest: &[u8]| key.iter().map(|byte| byte ^ pad).chain(rest.iter().copied()).collect::<Vec<_>>();
    let inner = hash(&padded(0x36, data));
    Ok(hash(&padded(0x5c, &inner)))
}

fn random_bytes(count: i32) -> Result<Vec<u8>> {
    let length = usize::try_from(count).ok().filter(|length| (1..=1024).contains(length));
    let length =
        length.ok_or_else(|| Error::new(sqlstate::EXTERNAL_ROUTINE_INVOCATION_EXCEPTION, "Length not in range"))?;
    let mut bytes = vec![0; length];
    rand::rng().fill_bytes(&mut bytes);
    Ok(bytes)
}
