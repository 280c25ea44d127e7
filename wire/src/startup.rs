//! From an accepted socket to an authenticated session: encryption, the startup packet, authentication, the first ReadyForQuery.
//!
//! Packets before the startup packet are read to the byte, never ahead: plaintext that somebody slips in behind an SSLRequest can only
//! break the handshake, it never becomes part of the encrypted conversation (the class of CVE-2021-23214).

use std::io;
use std::sync::Arc;

use aegis_engine::Session;
use aegis_engine::catalog::{Error, Result, sqlstate};
use aegis_engine::session::protocol::ConnectRequest;
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::listener::{Shared, Slot};
use crate::message::{Body, violation};
use crate::stop::Stop;
use crate::stream::Stream;
use crate::transport::Transport;
use crate::{auth, cancel, reply, tls};

const SSL_REQUEST: u32 = 80_877_103;
const GSSENC_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;

/// Newest protocol version: 3.2.
const NEWEST_MINOR: u32 = 2;

/// `MAX_STARTUP_PACKET_LENGTH` of PostgreSQL.
const MAX_STARTUP_PACKET: usize = 10_000;

/// First byte of a TLS handshake record.
const TLS_HANDSHAKE: u8 = 0x16;

/// A client that has got its first ReadyForQuery.
pub struct Client {
    pub transport: Transport,
    pub session: Session,
    /// Its place among `max_connections`.
    pub slot: Slot,
}

/// None if there is nobody to serve: a cancel request, a client that failed to authenticate, a stranger.
pub async fn open(stream: Stream, shared: &Arc<Shared>) -> Option<Client> {
    let (stream, packet) = match negotiate(stream, shared).await {
        Ok(Some(opened)) => opened,
        Ok(None) => return None,
        Err(error) => {
            tracing::debug!(%error, "connection ended before its startup packet");
            return None;
        }
    };
    let mut transport = Transport::new(stream, &shared.config);
    match start(&mut transport, packet, shared).await {
        Ok((session, slot)) => Some(Client { transport, session, slot }),
        Err(Stop::Gone) => None,
        Err(Stop::Failed(error) | Stop::Rejected(error) | Stop::Fatal(error)) => {
            reply::error(transport.output(), reply::Severity::Fatal, &error);
            transport.close().await;
            None
        }
    }
}

/// A startup packet's version and what follows it.
struct Packet {
    version: u32,
    body: Bytes,
}

/// Encryption, and requests that are not about a session.
async fn negotiate(mut stream: Stream, shared: &Shared) -> io::Result<Option<(Stream, Packet)>> {
    if let (Stream::Tcp(tcp), Some(tls)) = (&stream, &shared.tls) {
        let mut first = [0];
        if tcp.peek(&mut first).await? == 1 && first == [TLS_HANDSHAKE] {
            stream = direct_tls(stream, tls).await?;
        }
    }
    let (mut asked_tls, mut asked_gss) = (false, false);
    loop {
        let Some(packet) = read_packet(&mut stream).await? else { return Ok(None) };
        match packet.version {
            SSL_REQUEST if !asked_tls => {
                asked_tls = true;
                stream = match (stream, &shared.tls) {
                    (Stream::Tcp(mut tcp), Some(tls)) => {
                        tcp.write_all(b"S").await?;
                        handshake(tcp, tls).await?
                    }
                    (mut plain, _) => {
                        plain.write_all(b"N").await?;
                        plain.flush().await?;
                        plain
                    }
                };
            }
            GSSENC_REQUEST if !asked_gss => {
                asked_gss = true;
                stream.write_all(b"N").await?;
                stream.flush().await?;
            }
            CANCEL_REQUEST => {
                cancel::request(&shared.engine, packet.body);
                return Ok(None);
            }
            _ => return Ok(Some((stream, packet))),
        }
    }
}

/// None if the length makes no sense or the client sent nothing; there is no telling what it speaks, so it gets no answer.
async fn read_packet(stream: &mut Stream) -> io::Result<Option<Packet>> {
    let length = match stream.read_u32().await {
        Ok(length) => length as usize,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    if !(8..=MAX_STARTUP_PACKET).contains(&length) {
        tracing::debug!(length, "invalid length of startup packet");
        return Ok(None);
    }
    let version = stream.read_u32().await?;
    let mut body = BytesMut::zeroed(length - 8);
    stream.read_exact(&mut body).await?;
    Ok(Some(Packet { version, body: body.freeze() }))
}

/// TLS from the first byte, as libpq's `sslnegotiation=direct`. Requires ALPN, so that no other protocol's client is misled here.
async fn direct_tls(stream: Stream, tls: &tls::Tls) -> io::Result<Stream> {
    let Stream::Tcp(tcp) = stream else { return Ok(stream) };
    let stream = handshake(tcp, tls).await?;
    if let Stream::Tls(tls_stream) = &stream
        && tls_stream.get_ref().1.alpn_protocol() != Some(tls::ALPN)
    {
        return Err(io::Error::other("direct TLS connection without ALPN protocol negotiation"));
    }
    Ok(stream)
}

async fn handshake(tcp: TcpStream, tls: &tls::Tls) -> io::Result<Stream> {
    Ok(Stream::Tls(Box::new(tls.acceptor.accept(tcp).await?)))
}

/// Version and options, authentication, the session's greeting.
async fn start(transport: &mut Transport, packet: Packet, shared: &Arc<Shared>) -> Result<(Session, Slot), Stop> {
    let startup = parse_startup(packet).map_err(Stop::Fatal)?;
    if startup.version & 0xFFFF > NEWEST_MINOR || !startup.unknown_options.is_empty() {
        let version = (3 << 16) | NEWEST_MINOR.min(startup.version & 0xFFFF);
        reply::negotiate_protocol_version(transport.output(), version, &startup.unknown_options);
    }
    let mut request = startup.request;
    request.addresses = transport.addresses();
    request.tls = transport.tls_session();
    if shared.config.tls_required && transport.is_plaintext_tcp() {
        return Err(Stop::Fatal(encryption_required(&request)));
    }
    if shared.shutdown().is_draining() {
        let message = "the database system is shutting down";
        return Err(Stop::Fatal(Error::new(sqlstate::CANNOT_CONNECT_NOW, message)));
    }
    let slot = shared.take_slot().map_err(Stop::Fatal)?;
    auth::authenticate(transport, shared, &request.user).await?;
    reply::authentication_ok(transport.output());
    let session = shared.engine.connect(request).map_err(Stop::Fatal)?;
    for (name, value) in session.reported_settings() {
        reply::parameter_status(transport.output(), &name, &value);
    }
    let (pid, secret) = session.backend_key();
    reply::backend_key_data(transport.output(), pid, secret);
    reply::ready_for_query(transport.output(), session.transaction_status());
    transport.flush().await?;
    Ok((session, slot))
}

fn encryption_required(request: &ConnectRequest) -> Error {
    let host = request.addresses.as_ref().map_or("[local]", |(client, ..)| client);
    let database = request.database.as_ref().unwrap_or(&request.user);
    let message = format!(
        "connection without encryption refused for host \"{host}\", user \"{}\", database \"{database}\"",
        request.user
    );
    Error::new(sqlstate::INVALID_AUTHORIZATION_SPECIFICATION, message).with_hint("The server requires TLS.")
}

struct Startup {
    version: u32,
    request: ConnectRequest,
    /// `_pq_.` protocol options; there is none that we know.
    unknown_options: Vec<String>,
}

fn parse_startup(packet: Packet) -> Result<Startup> {
    let version = packet.version;
    if version >> 16 != 3 {
        let (major, minor) = (version >> 16, version & 0xFFFF);
        return Err(Error::new(
            sqlstate::FEATURE_NOT_SUPPORTED,
            format!("unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.{NEWEST_MINOR}"),
        ));
    }
    let mut request = ConnectRequest::default();
    let mut unknown_options = Vec::new();
    let mut body = Body(packet.body);
    loop {
        if body.0.is_empty() {
            return Err(violation("invalid startup packet layout: expected terminator as last byte"));
        }
        let name = parameter(&mut body)?;
        if name.is_empty() {
            break;
        }
        let value = parameter(&mut body)?;
        match name.as_str() {
            "user" => request.user = identifier(value),
            "database" => request.database = Some(identifier(value)).filter(|name| !name.is_empty()),
            "replication" => refuse_replication(&value)?,
            _ if name.starts_with("_pq_.") => unknown_options.push(name),
            _ => request.settings.push((name, value)),
        }
    }
    if !body.0.is_empty() {
        return Err(violation("invalid startup packet layout: expected terminator as last byte"));
    }
    if request.user.is_empty() {
        return Err(Error::new(
            sqlstate::INVALID_AUTHORIZATION_SPECIFICATION,
            "no PostgreSQL user name specified in startup packet",
        ));
    }
    // What is named outright goes over what the switches among `options` say, in whichever order they come.
    request.settings.sort_by_key(|(name, _)| name != "options");
    Ok(Startup { version, request, unknown_options })
}

fn parameter(body: &mut Body) -> Result<String> {
    body.string().map_err(|error| match error.code() {
        sqlstate::PROTOCOL_VIOLATION => violation("invalid startup packet layout: expected terminator as last byte"),
        _ => error,
    })
}

/// Names are cut to 63 bytes, as everywhere.
fn identifier(mut name: String) -> String {
    name.truncate(name.floor_char_boundary(63));
    name
}

fn refuse_replication(value: &str) -> Result<()> {
    match value.to_ascii_lowercase().as_str() {
        "false" | "off" | "no" | "0" | "f" | "n" => Ok(()),
        _ => Err(Error::unsupported("replication connection")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn startup(version: u32, body: &'static [u8]) -> Result<Startup> {
        parse_startup(Packet { version, body: Bytes::from_static(body) })
    }

    #[test]
    fn options() {
        let startup = startup(3 << 16, b"user\0u\0database\0\0_pq_.x\0on\0TimeZone\0UTC\0\0").unwrap();
        assert_eq!(startup.request.user, "u");
        assert_eq!(startup.request.database, None);
        assert_eq!(startup.unknown_options, ["_pq_.x"]);
        assert_eq!(startup.request.settings, [("TimeZone".to_owned(), "UTC".to_owned())]);
    }

    #[test]
    fn named_settings_come_after_switches() {
        let startup = startup(3 << 16, b"user\0u\0TimeZone\0UTC\0options\0-c TimeZone=PST8PDT\0\0").unwrap();
        let names: Vec<&str> = startup.request.settings.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["options", "TimeZone"]);
    }

    #[test]
    fn refusals() {
        let code = |version, body| startup(version, body).err().unwrap().code();
        assert_eq!(code(2 << 16, b"\0"), sqlstate::FEATURE_NOT_SUPPORTED);
        assert_eq!(code(3 << 16, b"\0"), sqlstate::INVALID_AUTHORIZATION_SPECIFICATION);
        assert_eq!(code(3 << 16, b"user\0abc"), sqlstate::PROTOCOL_VIOLATION);
        assert_eq!(code(3 << 16, b"user\0a\0"), sqlstate::PROTOCOL_VIOLATION);
        assert_eq!(code(3 << 16, b"user\0a\0\0x"), sqlstate::PROTOCOL_VIOLATION);
        assert_eq!(code(3 << 16, b"user\0\xff\0\0"), sqlstate::CHARACTER_NOT_IN_REPERTOIRE);
        assert_eq!(code(3 << 16, b"user\0a\0replication\0database\0\0"), sqlstate::FEATURE_NOT_SUPPORTED);
    }
}
