//! Functions of `macaddr` and `macaddr8`.

use aegis_catalog::{Error, sqlstate};

use crate::functions::kernel::kernel;
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    let mut rows = vec![
        f("trunc(macaddr)", kernel!(|a: &[u8]| truncated(a))),
        f("trunc(macaddr8)", kernel!(|a: &[u8]| truncated(a))),
        f(
            "macaddr8_set7bit(macaddr8)",
            kernel!(|a: &[u8]| {
                let mut octets = a.to_vec();
                if let Some(first) = octets.first_mut() {
                    *first |= 0x02;
                }
                octets
            }),
        ),
        f(
            "macaddr8(macaddr)",
            kernel!(|a: &[u8]| {
                let (maker, device) = a.split_at_checked(3).unwrap_or_default();
                [maker, &[0xff, 0xfe], device].concat()
            }),
        ),
        f(
            "macaddr(macaddr8)",
            kernel!(|a: &[u8]| {
                match a {
                [a, b, c, 0xff, 0xfe, d, e, f] => Ok(vec![*a, *b, *c, *d, *e, *f]),
                _ => Err(Error::new(
                    sqlstate::NUMERIC_VALUE_OUT_OF_RANGE,
                    "macaddr8 data out of range to convert to macaddr",
                )
                .with_hint(
                    "Only addresses that have FF and FE as values in the 4th and 5th bytes from the left, for example xx:xx:xx:ff:fe:xx:xx:xx, are eligible to be converted from macaddr8 to macaddr.",
                )),
            }
            }),
        ),
    ];
    for ty in ["macaddr", "macaddr8"] {
        rows.push(f(format!("~({ty})"), kernel!(|a: &[u8]| a.iter().map(|octet| !octet).collect::<Vec<u8>>())));
        rows.push(f(format!("&({ty}, {ty})"), kernel!(|a: &[u8], b: &[u8]| joined(a, b, |a, b| a & b))));
        rows.push(f(format!("|({ty}, {ty})"), kernel!(|a: &[u8], b: &[u8]| joined(a, b, |a, b| a | b))));
    }
    rows
}

/// The maker's three octets, the rest zero.
fn truncated(octets: &[u8]) -> Vec<u8> {
    octets.iter().enumerate().map(|(index, octet)| if index < 3 { *octet } else { 0 }).collect()
}

fn joined(a: &[u8], b: &[u8], join: impl Fn(u8, u8) -> u8) -> Vec<u8> {
    a.iter().zip(b).map(|(a, b)| join(*a, *b)).collect()
}
