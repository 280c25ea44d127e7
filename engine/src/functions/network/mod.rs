//! Network address functions and operators (PostgreSQL manual 9.12).

mod mac;

use aegis_catalog::types::oid;
use aegis_catalog::{Error, Result, sqlstate};

use super::kernel::kernel;
use super::signature::{Row, f};
use super::value::Network;

pub fn functions() -> Vec<Row> {
    [containment(), arithmetic(), parts(), texts(), mac::functions()].into_iter().flatten().collect()
}

fn containment() -> Vec<Row> {
    vec![
        f("<<(inet, inet)", kernel!(|a: Network, b: Network| b.contains_or_equals(a) && a.prefix > b.prefix)),
        f("<<=(inet, inet)", kernel!(|a: Network, b: Network| b.contains_or_equals(a))),
        f(">>(inet, inet)", kernel!(|a: Network, b: Network| a.contains_or_equals(b) && b.prefix > a.prefix)),
        f(">>=(inet, inet)", kernel!(|a: Network, b: Network| a.contains_or_equals(b))),
        f("&&(inet, inet)", kernel!(|a: Network, b: Network| a.contains_or_equals(b) || b.contains_or_equals(a))),
        f("inet_same_family(inet, inet)", kernel!(|a: Network, b: Network| a.family() == b.family())),
    ]
}

fn arithmetic() -> Vec<Row> {
    vec![
        f("~(inet)", kernel!(|a: Network| combine(a, a.prefix, !a.number()))),
        f(
            "&(inet, inet)",
            kernel!(|a: Network, b: Network| {
                same_size(a, b, "AND")?;
                Ok(combine(a, a.prefix.max(b.prefix), a.number() & b.number()))
            }),
        ),
        f(
            "|(inet, inet)",
            kernel!(|a: Network, b: Network| {
                same_size(a, b, "OR")?;
                Ok(combine(a, a.prefix.max(b.prefix), a.number() | b.number()))
            }),
        ),
        f("+(inet, int8)", kernel!(|a: Network, b: i64| shifted(a, i128::from(b)))),
        f("+(int8, inet)", kernel!(|a: i64, b: Network| shifted(b, i128::from(a)))),
        f("-(inet, int8)", kernel!(|a: Network, b: i64| shifted(a, -i128::from(b)))),
        f(
            "-(inet, inet)",
            kernel!(|a: Network, b: Network| {
                same_size(a, b, "subtract")?;
                // A difference that wraps in 128 bits is far beyond 64 of them, too.
                i64::try_from(a.number().wrapping_sub(b.number()) as i128).map_err(|_| out_of_range())
            }),
        ),
    ]
}

fn out_of_range() -> Error {
    Error::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, "result is out of range")
}

fn same_size(a: Network, b: Network, verb: &str) -> Result<()> {
    if a.family() == b.family() {
        return Ok(());
    }
    let message = format!("cannot {verb} inet values of different sizes");
    Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message))
}

/// Bits beyond the family's width are dropped.
fn combine(network: Network, prefix: u8, number: u128) -> Network {
    let width = u128::MAX >> (128 - u32::from(network.width()));
    let address = network.with_number(number & width).unwrap_or(network).address;
    Network { address, prefix }
}

fn shifted(network: Network, by: i128) -> Result<Network> {
    let number = if by < 0 {
        network.number().checked_sub(by.unsigned_abs())
    } else {
        network.number().checked_add(by.unsigned_abs())
    };
    number.and_then(|number| network.with_number(number)).ok_or_else(out_of_range)
}

fn parts() -> Vec<Row> {
    vec![
        f("broadcast(inet)", kernel!(|a: Network| Network { address: a.last(), prefix: a.prefix })),
        f("family(inet)", kernel!(|a: Network| i32::from(a.family()))),
        f("hostmask(inet)", kernel!(|a: Network| Network::host(a.hostmask()))),
        f("netmask(inet)", kernel!(|a: Network| Network::host(a.netmask()))),
        f("masklen(inet)", kernel!(|a: Network| i32::from(a.prefix))),
        f("network(inet)", kernel!(|a: Network| Network { address: a.first(), prefix: a.prefix })),
        f("cidr(inet)", kernel!(|a: Network| Network { address: a.first(), prefix: a.prefix })),
        f("set_masklen(inet, int4)", kernel!(|a: Network, bits: i32| with_prefix(a, bits))),
        f(
            "set_masklen(cidr, int4)",
            kernel!(|a: Network, bits: i32| {
                let network = with_prefix(a, bits)?;
                Ok(Network { address: network.first(), ..network })
            }),
        ),
        f("inet_merge(inet, inet)", kernel!(|a: Network, b: Network| merge(a, b))),
        f(
            "network_larger(inet, inet)",
            kernel!(|a: Network, b: Network| if a.to_bytes() > b.to_bytes() { a } else { b }),
        ),
        f(
            "network_smaller(inet, inet)",
            kernel!(|a: Network, b: Network| if a.to_bytes() < b.to_bytes() { a } else { b }),
        ),
    ]
}

fn with_prefix(network: Network, bits: i32) -> Result<Network> {
    let width = network.width();
    let prefix = match bits {
        -1 => Some(width),
        bits => u8::try_from(bits).ok().filter(|&bits| bits <= width),
    };
    let invalid = || Error::new(sqlstate::INVALID_PARAMETER_VALUE, format!("invalid mask length: {bits}"));
    Ok(Network { prefix: prefix.ok_or_else(invalid)?, ..network })
}

/// The smallest network that includes both.
fn merge(a: Network, b: Network) -> Result<Network> {
    if a.family() != b.family() {
        let message = "cannot merge addresses from different families";
        return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
    }
    let differing = 128 - (a.number() ^ b.number()).leading_zeros();
    let common = u32::from(a.width()).saturating_sub(differing) as u8;
    let merged = Network { prefix: common.min(a.prefix).min(b.prefix), ..a };
    Ok(Network { address: merged.first(), ..merged })
}

fn texts() -> Vec<Row> {
    vec![
        f("abbrev(inet)", kernel!(|a: Network| a.text(oid::INET))),
        f("abbrev(cidr)", kernel!(|a: Network| abbreviated(a))),
        f("text(inet)", kernel!(|a: Network| a.text(oid::CIDR))),
        f(
            "host(inet)",
            kernel!(|a: Network| {
                let mut out = Vec::new();
                a.write_address(&mut out);
                String::from_utf8_lossy(&out).into_owned()
            }),
        ),
    ]
}

/// Octets of the network that are beyond its prefix are left out.
fn abbreviated(network: Network) -> String {
    let std::net::IpAddr::V4(address) = network.address else { return network.text(oid::CIDR) };
    let count = usize::from(network.prefix).div_ceil(8).max(1);
    let octets: Vec<String> = address.octets().iter().take(count).map(u8::to_string).collect();
    format!("{}/{}", octets.join("."), network.prefix)
}
