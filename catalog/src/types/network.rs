//! `inet` and `cidr` (manual 8.9), represented as bytes whose order is PostgreSQL's: family, network, prefix length, address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::binary::{Reader, invalid_binary};
use super::oid::{self, Oid};
use super::text::invalid_input;
use crate::error::{Error, Result};
use crate::sqlstate;

/// An address and the length of its network's prefix in bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    pub address: IpAddr,
    pub prefix: u8,
}

impl Network {
    /// A single host.
    pub fn host(address: IpAddr) -> Self {
        Self { address, prefix: width(address) }
    }

    /// Text input of `inet` or `cidr`.
    pub fn parse(text: &str, ty: Oid) -> Result<Self> {
        let name = if ty == oid::CIDR { "cidr" } else { "inet" };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let parsed = if text.contains(':') { parse_v6(address, prefix) } else { parse_v4(address, prefix, ty) };
        let network = parsed.ok_or_else(|| invalid_input(name, text))?;
        if ty == oid::CIDR && network.first() != network.address {
            return Err(Error::new(sqlstate::INVALID_TEXT_REPRESENTATION, format!("invalid cidr value: \"{text}\""))
                .with_detail("Value has bits set to right of mask."));
        }
        Ok(network)
    }

    /// Text output: `cidr` always shows its prefix, `inet` unless it is a single host.
    pub fn write(self, ty: Oid, out: &mut Vec<u8>) {
        self.write_address(out);
        if ty == oid::CIDR || self.prefix != width(self.address) {
            out.push(b'/');
            out.extend_from_slice(itoa::Buffer::new().format(self.prefix).as_bytes());
        }
    }

    /// The address alone.
    pub fn write_address(self, out: &mut Vec<u8>) {
        let text = match self.address {
            // As PostgreSQL, an address that may be one of version 4 ends as one.
            IpAddr::V6(v6) => match v6.segments() {
                [0, 0, 0, 0, 0, 0, high, low] if high > 0 => {
                    let [a, b] = high.to_be_bytes();
                    let [c, d] = low.to_be_bytes();
                    format!("::{a}.{b}.{c}.{d}")
                }
                _ => v6.to_string(),
            },
            IpAddr::V4(v4) => v4.to_string(),
        };
        out.extend_from_slice(text.as_bytes());
    }

    pub fn text(self, ty: Oid) -> String {
        let mut out = Vec::new();
        self.write(ty, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Bits of an address of this family: 32 or 128.
    pub fn width(self) -> u8 {
        width(self.address)
    }

    /// 4 or 6.
    pub fn family(self) -> u8 {
        if self.address.is_ipv4() { 4 } else { 6 }
    }

    /// The address with the bits to the right of the prefix cleared.
    pub fn first(self) -> IpAddr {
        address_of(self.width(), number_of(self.address) & self.mask())
    }

    /// The address with the bits to the right of the prefix set.
    pub fn last(self) -> IpAddr {
        address_of(self.width(), number_of(self.address) | (self.all() & !self.mask()))
    }

    /// The prefix as an address.
    pub fn netmask(self) -> IpAddr {
        address_of(self.width(), self.mask())
    }

    /// The complement of [`netmask`](Self::netmask).
    pub fn hostmask(self) -> IpAddr {
        address_of(self.width(), self.all() & !self.mask())
    }

    /// The address as a number.
    pub fn number(self) -> u128 {
        number_of(self.address)
    }

    /// The same network with another address; None if the number has more bits than the family.
    pub fn with_number(self, number: u128) -> Option<Self> {
        (number <= self.all()).then(|| Self { address: address_of(self.width(), number), ..self })
    }

    /// Whether `other` lies within this network, or is it.
    pub fn contains_or_equals(self, other: Self) -> bool {
        self.family() == other.family()
            && self.prefix <= other.prefix
            && (self.number() ^ other.number()) & self.mask() == 0
    }

    fn all(self) -> u128 {
        u128::MAX >> (128 - u32::from(self.width()))
    }

    fn mask(self) -> u128 {
        let host_bits = u32::from(self.width().saturating_sub(self.prefix));
        self.all() & u128::MAX.checked_shl(host_bits).unwrap_or(0)
    }

    // ------------------------------------------------------------------------------------------ representation

    pub fn to_bytes(self) -> Vec<u8> {
        let mut bytes = vec![self.family()];
        push_octets(self.first(), &mut bytes);
        bytes.push(self.prefix);
        push_octets(self.address, &mut bytes);
        bytes
    }

    /// None if the bytes are no representation of a network.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (address, prefix) = match bytes {
            [4, _, _, _, _, prefix, a, b, c, d] => (Ipv4Addr::new(*a, *b, *c, *d).into(), *prefix),
            [6, rest @ ..] => {
                let address: [u8; 16] = rest.get(17..)?.try_into().ok()?;
                (Ipv6Addr::from(address).into(), *rest.get(16)?)
            }
            _ => return None,
        };
        Some(Self { address, prefix })
    }

    /// Binary output: family, prefix length, whether it is a `cidr`, count of octets, octets.
    pub fn write_binary(self, ty: Oid, out: &mut Vec<u8>) {
        let family = if self.address.is_ipv4() { FAMILY_V4 } else { FAMILY_V6 };
        out.extend_from_slice(&[family, self.prefix, u8::from(ty == oid::CIDR), self.width() / 8]);
        push_octets(self.address, out);
    }

    pub fn from_binary(bytes: &[u8], ty: Oid) -> Result<Self> {
        let name = if ty == oid::CIDR { "cidr" } else { "inet" };
        let invalid = |what: &str| invalid_binary(format!("invalid {what} in external \"{name}\" value"));
        let mut reader = Reader::new(bytes);
        let (family, prefix, _is_cidr, length) = (reader.u8()?, reader.u8()?, reader.u8()?, reader.u8()?);
        let address = match (family, length) {
            (FAMILY_V4, 4) => IpAddr::from(Ipv4Addr::from(reader.u32()?)),
            (FAMILY_V6, 16) => IpAddr::from(reader.bytes16()?),
            (FAMILY_V4 | FAMILY_V6, _) => return Err(invalid("length")),
            _ => return Err(invalid("address family")),
        };
        reader.finish()?;
        let network = Self { address, prefix };
        if prefix > network.width() {
            return Err(invalid("bits"));
        }
        if ty == oid::CIDR && network.first() != address {
            return Err(
                invalid_binary("invalid external \"cidr\" value").with_detail("Value has bits set to right of mask.")
            );
        }
        Ok(network)
    }
}

/// `PGSQL_AF_INET` and `PGSQL_AF_INET6`.
const FAMILY_V4: u8 = 2;
const FAMILY_V6: u8 = 3;

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn number_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

fn address_of(width: u8, number: u128) -> IpAddr {
    if width == 32 { Ipv4Addr::from(number as u32).into() } else { Ipv6Addr::from(number).into() }
}

fn push_octets(address: IpAddr, out: &mut Vec<u8>) {
    match address {
        IpAddr::V4(v4) => out.extend_from_slice(&v4.octets()),
        IpAddr::V6(v6) => out.extend_from_slice(&v6.octets()),
    }
}

/// One to four octets; those left out are zero. Only `cidr` may leave out the prefix then: it follows from the class.
fn parse_v4(text: &str, prefix: Option<&str>, ty: Oid) -> Option<Network> {
    let mut octets = [0u8; 4];
    let mut count = 0;
    for part in text.split('.') {
        *octets.get_mut(count)? = decimal(part)?;
        count += 1;
    }
    let written = (count * 8) as u8;
    let prefix = match prefix {
        Some(prefix) => decimal(prefix).filter(|&bits| bits <= 32)?,
        None if ty == oid::CIDR => {
            let class = match octets[0] {
                240.. => 32,
                224.. if written == 8 => 4,
                224.. => 8,
                192.. => 24,
                128.. => 16,
                _ => 8,
            };
            written.max(class)
        }
        None if count == 4 => 32,
        None => return None,
    };
    if ty == oid::INET && usize::from(prefix) / 8 > count {
        return None;
    }
    Some(Network { address: Ipv4Addr::from(octets).into(), prefix })
}

fn parse_v6(text: &str, prefix: Option<&str>) -> Option<Network> {
    let address: Ipv6Addr = text.parse().ok()?;
    let prefix = match prefix {
        // No leading zeros here.
        Some(prefix) if prefix.len() > 1 && prefix.starts_with('0') => return None,
        Some(prefix) => decimal(prefix).filter(|&bits| bits <= 128)?,
        None => 128,
    };
    Some(Network { address: address.into(), prefix })
}

/// Digits with a value of at most 255.
fn decimal(text: &str) -> Option<u8> {
    let digits = !text.is_empty() && text.len() <= 10 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse::<u64>().ok()).flatten().and_then(|value| u8::try_from(value).ok())
}

// ---------------------------------------------------------------------------------------------- MAC addresses

/// Text input of `macaddr`: six octets in any of the forms of manual 8.9.4.
pub fn parse_mac(text: &str) -> Result<Vec<u8>> {
    let octets = mac_octets(text).ok_or_else(|| invalid_input("macaddr", text))?;
    if octets.len() == 6 { Ok(octets) } else { Err(invalid_input("macaddr", text)) }
}

/// Text input of `macaddr8`: eight octets, or six with `ff:fe` put in between.
pub fn parse_mac8(text: &str) -> Result<Vec<u8>> {
    let octets = mac8_octets(text).ok_or_else(|| invalid_input("macaddr8", text))?;
    match octets[..] {
        [a, b, c, d, e, f] => Ok(vec![a, b, c, 0xff, 0xfe, d, e, f]),
        [_, _, _, _, _, _, _, _] => Ok(octets),
        _ => Err(invalid_input("macaddr8", text)),
    }
}

/// Pairs of hex digits; after any of them may stand a separator, always the same.
fn mac8_octets(text: &str) -> Option<Vec<u8>> {
    let mut rest = text.trim_matches(|character: char| character.is_ascii_whitespace()).as_bytes();
    let (mut octets, mut separator) = (Vec::new(), None);
    while let Some((pair, after)) = rest.split_first_chunk::<2>() {
        if !pair.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        octets.push(u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?);
        rest = after;
        if let Some((found @ (b':' | b'-' | b'.'), after)) = rest.split_first() {
            if *separator.get_or_insert(*found) != *found {
                return None;
            }
            rest = after;
        }
    }
    rest.is_empty().then_some(octets)
}

/// Pairs of hex digits, with one kind of separator after each group or none.
fn mac_octets(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_matches(|character: char| character.is_ascii_whitespace());
    let separators: Vec<char> = text.chars().filter(|character| !character.is_ascii_hexdigit()).collect();
    let separator = separators.first().copied();
    if separators.iter().any(|&found| Some(found) != separator || !matches!(found, ':' | '-' | '.')) {
        return None;
    }
    let groups: Vec<&str> = match separator {
        Some(separator) => text.split(separator).collect(),
        None => vec![text],
    };
    let digits: usize = groups.iter().map(|group| group.len()).sum();
    let single = groups.len() == 6 && groups.iter().all(|group| matches!(group.len(), 1 | 2));
    let even = groups.len() > 1 && groups.windows(2).all(|pair| pair[0].len() == pair[1].len());
    if !(single || digits.is_multiple_of(2) && (groups.len() == 1 || even)) {
        return None;
    }
    let mut octets = Vec::new();
    for group in groups {
        if single {
            octets.push(u8::from_str_radix(group, 16).ok()?);
            continue;
        }
        let (pairs, rest) = group.as_bytes().as_chunks::<2>();
        if !rest.is_empty() || pairs.is_empty() {
            return None;
        }
        for pair in pairs {
            octets.push(u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?);
        }
    }
    Some(octets)
}

/// Text output of both.
pub fn write_mac(octets: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for (index, octet) in octets.iter().enumerate() {
        if index > 0 {
            out.push(b':');
        }
        out.push(HEX[usize::from(octet >> 4)]);
        out.push(HEX[usize::from(octet & 0xF)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Input and output as PostgreSQL 15 has them.
    #[test]
    fn text_forms() {
        let inet = |text: &str| Network::parse(text, oid::INET).map(|network| network.text(oid::INET)).ok();
        let cidr = |text: &str| Network::parse(text, oid::CIDR).map(|network| network.text(oid::CIDR)).ok();
        assert_eq!(inet("192.168.1.226/24").as_deref(), Some("192.168.1.226/24"));
        assert_eq!(inet("10.1.2.3").as_deref(), Some("10.1.2.3"));
        assert_eq!(inet("10/8").as_deref(), Some("10.0.0.0/8"));
        assert_eq!(inet("10.1.2"), None);
        assert_eq!(inet("1.2.3.4/33"), None);
        assert_eq!(inet("1.2.3.256"), None);
        assert_eq!(inet("::ffff:1.2.3.4").as_deref(), Some("::ffff:1.2.3.4"));
        assert_eq!(inet("::4.3.2.1/24").as_deref(), Some("::4.3.2.1/24"));
        assert_eq!(inet("10:23::8000/113").as_deref(), Some("10:23::8000/113"));
        assert_eq!(cidr("10").as_deref(), Some("10.0.0.0/8"));
        assert_eq!(cidr("192.168.1").as_deref(), Some("192.168.1.0/24"));
        assert_eq!(cidr("10:23::f1").as_deref(), Some("10:23::f1/128"));
        let error = Network::parse("192.168.1.2/30", oid::CIDR).unwrap_err();
        assert_eq!(error.message(), "invalid cidr value: \"192.168.1.2/30\"");
    }

    #[test]
    fn representation_and_order() {
        let bytes = |text: &str| Network::parse(text, oid::INET).unwrap().to_bytes();
        let sorted = ["9.1.2.3/8", "10.0.0.0/8", "10.1.2.3/8", "10.1.2.3", "192.168.1.0/24", "::1"];
        assert!(sorted.windows(2).all(|pair| bytes(pair[0]) < bytes(pair[1])));
        for text in sorted {
            let network = Network::parse(text, oid::INET).unwrap();
            assert_eq!(Network::from_bytes(&network.to_bytes()), Some(network));
            let mut binary = Vec::new();
            network.write_binary(oid::INET, &mut binary);
            assert_eq!(Network::from_binary(&binary, oid::INET).unwrap(), network);
        }
    }

    #[test]
    fn mac_addresses() {
        let text = |text: &str| {
            let mut out = Vec::new();
            write_mac(&parse_mac(text).ok()?, &mut out);
            String::from_utf8(out).ok()
        };
        let forms = ["08:00:2b:01:02:03", "08-00-2b-01-02-03", "08002b:010203", "08002b-010203", "0800.2b01.0203"];
        assert!(forms.iter().all(|form| text(form).as_deref() == Some("08:00:2b:01:02:03")));
        assert_eq!(text("08002b010203").as_deref(), Some("08:00:2b:01:02:03"));
        assert_eq!(text("not even close"), None);
        assert_eq!(text("08:00:2b:01:02"), None);
    }
}
