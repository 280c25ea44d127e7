//! Who asks: the headers and parameters that name a user and a password.

use aegis_engine::Engine;
use aegis_engine::session::protocol::Credentials;
use axum::http::{HeaderMap, header};

/// A user's name and password.
pub type Login = (String, String);

/// The user may connect: the one named, `postgres` if none is named where the server trusts everybody. Err is the user who may not.
pub fn authenticate(engine: &Engine, given: Option<Login>) -> Result<String, String> {
    let user = given.as_ref().map_or("postgres", |(user, _)| user.as_str()).to_owned();
    match engine.credentials(&user) {
        Credentials::Trust => Ok(user),
        Credentials::Scram(verifier) => match (given, verifier) {
            (Some((user, password)), Some(verifier)) if aegis_engine::password_matches(&password, &verifier) => {
                Ok(user)
            }
            _ => Err(user),
        },
    }
}

/// `Authorization: Basic <base64 of user:password>`.
pub fn basic(headers: &HeaderMap) -> Option<Login> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(authorization(headers, "Basic")?).ok()?;
    login(&String::from_utf8(bytes).ok()?)
}

/// `Authorization: Token user:password`, as clients of InfluxDB 2 send it, or `Bearer`, as those of InfluxDB 3 do.
pub fn token(headers: &HeaderMap) -> Option<Login> {
    login(authorization(headers, "Token").or_else(|| authorization(headers, "Bearer"))?)
}

fn authorization<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let (given, value) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then(|| value.trim())
}

fn login(text: &str) -> Option<Login> {
    text.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
}
