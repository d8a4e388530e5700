//! What is to be known of a URL in the configuration.

use super::Web;

/// Host and port of a URL in lower case; the scheme's own port is left out (RFC 9110 4.2.3).
pub fn authority_of(url: &str) -> String {
    let url = url.to_lowercase();
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", &url));
    let authority = rest.split('/').next().unwrap_or("");
    let default_port = if scheme == "https" { ":443" } else { ":80" };
    authority.strip_suffix(default_port).unwrap_or(authority).to_owned()
}

impl Web {
    /// The host of the pages in lower case, without a port; an IPv6 address without its brackets.
    pub fn host(&self) -> String {
        let authority = authority_of(&self.public_url);
        let host = match authority.strip_prefix('[') {
            Some(address) => address.split(']').next(),
            None => authority.split(':').next(),
        };
        host.unwrap_or("").to_owned()
    }
}
