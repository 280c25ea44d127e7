//! uuid-ossp (PostgreSQL manual, F.49): random UUIDs and those of names. Those of the time and the network card are not there.

use md5::{Digest, Md5};

use super::{Extension, Symbols, sha1};
use crate::functions::kernel::{kernel, volatile};
use crate::functions::value::Uuid;

pub const EXTENSION: Extension = Extension {
    name: "uuid-ossp",
    version: "1.1",
    comment: "generate universally unique identifiers (UUIDs)",
    trusted: true,
    relocatable: true,
    script: include_str!("uuid-ossp.sql"),
    symbols,
    ..Extension::EMPTY
};

fn symbols() -> Symbols {
    vec![
        ("uuid_nil", kernel!(|| Uuid([0; 16]))),
        ("uuid_ns_dns", kernel!(|| Uuid(uuid::Uuid::NAMESPACE_DNS.into_bytes()))),
        ("uuid_ns_url", kernel!(|| Uuid(uuid::Uuid::NAMESPACE_URL.into_bytes()))),
        ("uuid_ns_oid", kernel!(|| Uuid(uuid::Uuid::NAMESPACE_OID.into_bytes()))),
        ("uuid_ns_x500", kernel!(|| Uuid(uuid::Uuid::NAMESPACE_X500.into_bytes()))),
        ("uuid_generate_v3", kernel!(|space: Uuid, name: &str| named(&space, name, 3))),
        ("uuid_generate_v4", volatile!(|| Uuid(uuid::Uuid::new_v4().into_bytes()))),
        ("uuid_generate_v5", kernel!(|space: Uuid, name: &str| named(&space, name, 5))),
    ]
}

/// The UUID of a name in a namespace (RFC 4122, 4.3): version 3 by MD5, 5 by SHA-1.
fn named(space: &Uuid, name: &str, version: u8) -> Uuid {
    let message = [space.0.as_slice(), name.as_bytes()].concat();
    let hash: Vec<u8> = if version == 3 { Md5::digest(&message).to_vec() } else { sha1::digest(&message).to_vec() };
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(hash).for_each(|(byte, hashed)| *byte = hashed);
    bytes[6] = bytes[6] & 0x0f | version << 4;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Uuid(bytes)
}
