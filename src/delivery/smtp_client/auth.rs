//! Logging in at the next hop: PLAIN (RFC 4616) or LOGIN, from a user name and a password file.

use std::path::Path;
use std::time::Duration;

use zeroize::Zeroizing;

use super::extensions::Extensions;
use super::reply::Reply;
use super::wire::Wire;
use crate::delivery::outcome::Cause;
use crate::secret::Secret;

/// A user name and its password.
pub struct Credentials {
    username: String,
    password: Secret,
}

impl Credentials {
    /// The password is the first line of `file`.
    pub async fn read(username: &str, file: Option<&Path>) -> Result<Self, Cause> {
        let cannot = |reason: String| Cause::Credentials(reason);
        let Some(file) = file.map(Path::to_owned) else {
            return Err(cannot(
                "a username is set in the configuration and its password_file is not".to_owned(),
            ));
        };
        let shown = file.display().to_string();
        let text = tokio::task::spawn_blocking(move || std::fs::read_to_string(file)).await;
        let text = text
            .map_err(std::io::Error::other)
            .flatten()
            .map(Zeroizing::new)
            .map_err(|error| cannot(format!("{shown}: {error}")))?;
        let password = text.lines().next().unwrap_or("");
        Ok(Self { username: username.to_owned(), password: Secret::new(password.to_owned()) })
    }

    /// Logs in with what the server offers.
    pub async fn log_in(&self, wire: &mut Wire, offered: &Extensions, limit: Duration) -> Result<(), Cause> {
        let reply = if offered.auth_plain {
            self.plain(wire, limit).await?
        } else if offered.auth_login {
            self.login(wire, limit).await?
        } else {
            return Err(Cause::Credentials("the server offers neither PLAIN nor LOGIN".to_owned()));
        };
        if reply.is_positive() { Ok(()) } else { Err(Cause::Answer(reply)) }
    }

    async fn plain(&self, wire: &mut Wire, limit: Duration) -> Result<Reply, Cause> {
        let message = Zeroizing::new(format!("\0{}\0{}", self.username, self.password.reveal()));
        let command = Zeroizing::new(format!("AUTH PLAIN {}", *base64(message.as_bytes())));
        wire.ask(&command, limit).await
    }

    async fn login(&self, wire: &mut Wire, limit: Duration) -> Result<Reply, Cause> {
        let mut reply = wire.ask("AUTH LOGIN", limit).await?;
        for answer in [self.username.as_str(), self.password.reveal()] {
            if reply.code != 334 {
                return Ok(reply);
            }
            reply = wire.ask(&base64(answer.as_bytes()), limit).await?;
        }
        Ok(reply)
    }
}

/// RFC 4648 4.
fn base64(octets: &[u8]) -> Zeroizing<String> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = Zeroizing::new(String::with_capacity(octets.len().div_ceil(3) * 4));
    for group in octets.chunks(3) {
        let bits =
            group.iter().fold(0, |bits, &octet| (bits << 8) | u32::from(octet)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let six = (bits >> (18 - 6 * place)) & 63;
            let symbol = ALPHABET.get(six as usize).map_or('=', |&symbol| char::from(symbol));
            text.push(if place <= group.len() { symbol } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_as_the_standard_shows() {
        for (plain, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
        ] {
            assert_eq!(*base64(plain.as_bytes()), encoded);
        }
        assert_eq!(*base64(&[0xff, 0xfe, 0xfd]), "//79");
    }

    #[tokio::test]
    async fn says_which_file_is_missing() {
        let missing = Credentials::read("zegel", Some(Path::new("/nowhere/password"))).await;
        assert!(missing.is_err_and(|error| error.to_string().contains("/nowhere/password")));
        assert!(Credentials::read("zegel", None).await.is_err());
    }
}
