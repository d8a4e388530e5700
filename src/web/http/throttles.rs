//! How often the pages are asked: cheap limits in memory, by client and by link, in front of those that the store
//! counts (H40). Far above what people do, a town hall behind one address and a page with many pictures included.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::error::WebError;
use super::visit::Visit;
use crate::id::Link;
use crate::limits::{Rate, Visitor};
use crate::settings::Settings;
use crate::throttle::Throttle;

/// Requests of one client, style and pictures of our own aside.
const CLIENT: Rate = Rate { interval: Duration::from_millis(20), burst: 6000 };
/// Requests with one token.
const TOKEN: Rate = Rate { interval: Duration::from_millis(50), burst: 600 };
/// Passwords of one link, and of one client, whose strength is measured: the page asks while a person types.
const STRENGTH_OF_LINK: Rate = Rate { interval: Duration::from_millis(400), burst: 60 };
const STRENGTH_OF_CLIENT: Rate = Rate { interval: Duration::from_millis(50), burst: 600 };
/// No token of ours is longer.
const LONGEST: usize = 64;

/// The counts.
pub struct Throttles {
    clients: Throttle,
    tokens: Throttle,
    strength_of_link: Throttle,
    strength_of_client: Throttle,
}

impl Default for Throttles {
    fn default() -> Self {
        Self {
            clients: Throttle::new(CLIENT),
            tokens: Throttle::new(TOKEN),
            strength_of_link: Throttle::new(STRENGTH_OF_LINK),
            strength_of_client: Throttle::new(STRENGTH_OF_CLIENT),
        }
    }
}

impl Throttles {
    /// Counts a request. A reverse proxy that does not name the client is not counted as one.
    pub fn check(&self, by: &Visitor, path: &str, settings: &Settings) -> Result<(), WebError> {
        if settings.is_proxy(by.client) || path.starts_with("/assets/") {
            return Ok(());
        }
        let is_allowed =
            token(path).is_none_or(|token| self.tokens.allows(token)) && self.clients.allows(&by.key());
        if is_allowed { Ok(()) } else { Err(WebError::Busy) }
    }

    /// Counts a password whose strength is asked.
    pub fn check_strength(&self, link: &Link, by: &Visitor) -> Result<(), WebError> {
        let is_allowed =
            self.strength_of_link.allows(&link.to_string()) && self.strength_of_client.allows(&by.key());
        if is_allowed { Ok(()) } else { Err(WebError::Busy) }
    }
}

/// The layer that counts every request, and refuses those that are too many.
pub async fn admit(
    State(throttles): State<Arc<Throttles>>,
    visit: Visit,
    request: Request,
    next: Next,
) -> Result<Response, WebError> {
    throttles.check(&visit.visitor(), request.uri().path(), &visit.settings)?;
    Ok(next.run(request).await)
}

/// What the path holds in the place of a token. Nobody without the token can use up what it allows.
fn token(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("/t/").or_else(|| path.strip_prefix("/s/"))?;
    rest.split('/').next().filter(|token| token.len() <= LONGEST)
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::settings::testing;

    /// Read once: reading takes longer than a request is refused for.
    static SETTINGS: LazyLock<Settings> = LazyLock::new(|| {
        let mut settings = testing::settings("");
        settings.web.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
        settings
    });

    fn ip(text: &str) -> Visitor {
        text.parse::<std::net::IpAddr>().unwrap().into()
    }

    /// How many of these requests are allowed.
    fn allowed(throttles: &Throttles, client: &str, path: &str, times: usize) -> usize {
        (0..times).filter(|_| throttles.check(&ip(client), path, &SETTINGS).is_ok()).count()
    }

    #[test]
    fn a_token_is_not_used_up_for_others() {
        let throttles = Throttles::default();
        assert!(allowed(&throttles, "192.0.2.1", "/t/one/files", 2000) < 1000);
        assert_eq!(allowed(&throttles, "192.0.2.2", "/t/one", 1), 0, "from wherever");
        assert_eq!(allowed(&throttles, "192.0.2.1", "/t/other", 20), 20);
    }

    #[test]
    fn a_client_is_not_everybody() {
        let throttles = Throttles::default();
        assert!(allowed(&throttles, "2001:db8::1", "/help", 10_000) < 8000);
        assert_eq!(allowed(&throttles, "2001:db8:0:7::2", "/help", 1), 0, "its network is one");
        assert_eq!(allowed(&throttles, "192.0.2.2", "/help", 20), 20);
        assert_eq!(allowed(&throttles, "2001:db8::1", "/assets/page.css", 20), 20);
    }

    /// 200 people behind one address open a page with 20 pictures at the same moment.
    #[test]
    fn a_town_hall_is_not_too_many() {
        let throttles = Throttles::default();
        for person in 0..200 {
            assert_eq!(allowed(&throttles, "192.0.2.1", &format!("/t/{person}/files/1/preview"), 21), 21);
        }
    }

    #[test]
    fn a_proxy_that_tells_nothing_speaks_for_everybody() {
        let throttles = Throttles::default();
        for proxy in ["127.0.0.1", "10.0.0.7"] {
            assert_eq!(allowed(&throttles, proxy, "/t/one", 5000), 5000);
        }
    }

    #[test]
    fn whoever_types_is_told_the_strength() {
        let throttles = Throttles::default();
        let link = Link { transfer: crate::id::TransferId::random(), recipient: 1 };
        let told = (0..500).filter(|_| throttles.check_strength(&link, &ip("192.0.2.1")).is_ok()).count();
        assert!((60..100).contains(&told), "{told}");
    }
}
