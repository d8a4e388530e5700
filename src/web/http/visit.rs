//! What every page needs to know about its reader and its organisation: [`Visit`], made once per request by the
//! outermost layer, handed to every handler, and the `visit` of every template.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{ACCEPT_LANGUAGE, HOST};
use axum::http::request::Parts as RequestParts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri};
use axum::middleware::Next;
use axum::response::Response;
use cookie::time::Duration;

use super::error::WebError;
use super::{client, cookies};
use crate::clock::Timestamp;
use crate::limits::Visitor;
use crate::locale::{self, Language};
use crate::sender::{Actions, SenderService};
use crate::settings::{CurrentSettings, Organisation, Scope, Settings};
use crate::web::assets;

/// The cookie that remembers a chosen language. No secret, nothing about a person.
const LANGUAGE_COOKIE: &str = "zegel-language";

/// One request's reader: where from, in which language, at whose pages.
#[derive(Clone)]
pub struct Visit {
    /// The language of the page.
    pub language: Language,
    /// The client's address, for limits and the audit trail.
    pub client: IpAddr,
    /// Those in force when the request came.
    pub settings: Arc<Settings>,
    /// Whose pages they are.
    pub organisation: Arc<Organisation>,
    /// The language was chosen by this request: to be remembered.
    chosen: bool,
}

impl Visit {
    /// Negotiates the language: `lang` in the query, cookie, Accept-Language, the configured default.
    pub fn new(uri: &Uri, headers: &HeaderMap, client: IpAddr, settings: Arc<Settings>) -> Self {
        // `admission` refuses a request that names no host, a foreign one, or several: its error page is the operator's.
        let organisation = settings.for_host(named_host(uri, headers)).unwrap_or(settings.operator()).clone();
        let offered =
            |tag: &str| tag.parse().ok().filter(|language| organisation.languages.contains(language));
        let chosen = uri
            .query()
            .and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("lang=")).and_then(offered));
        let remembered = || offered(cookies::read(headers, LANGUAGE_COOKIE)?);
        let accepted =
            || Language::negotiate(headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?, &organisation.languages);
        let language = chosen.or_else(remembered).or_else(accepted).unwrap_or(organisation.language);
        Self { language, client, settings, organisation, chosen: chosen.is_some() }
    }

    /// The same visit in a language that came with a form, if it is one of the menu.
    pub fn in_language(mut self, language: Language) -> Self {
        if self.organisation.languages.contains(&language) {
            (self.language, self.chosen) = (language, true);
        }
        self
    }

    /// Who it is, for limits and for what is shared.
    pub fn visitor(&self) -> Visitor {
        self.settings.visitor(&self.organisation, self.client)
    }

    /// What senders may do here, by the settings of this visit.
    pub fn actions(&self, sender: &SenderService) -> Actions {
        sender.within(&self.scope())
    }

    /// What this request may see.
    pub fn scope(&self) -> Scope {
        Scope::new(self.settings.clone(), self.organisation.clone())
    }

    /// The text under `key`.
    pub fn text(&self, key: &str) -> String {
        self.language.text(key)
    }

    /// The text under `key` that holds one value.
    pub fn with(&self, key: &str, name: &str, value: &str) -> String {
        self.language.format(key, &[(name, value)])
    }

    /// Name of the organisation.
    pub fn organisation(&self) -> &str {
        &self.organisation.name
    }

    /// Whether the organisation has a logo.
    pub fn has_logo(&self) -> bool {
        self.organisation.branding.logo.is_some()
    }

    /// Phone number of the organisation, where there is one.
    pub fn phone(&self) -> Option<&str> {
        shown(&self.organisation.phone)
    }

    /// The same for a `tel:` link (RFC 3966): digits and a leading plus.
    pub fn phone_link(&self) -> String {
        self.phone().unwrap_or("").chars().filter(|c| c.is_ascii_digit() || *c == '+').collect()
    }

    /// The public site of the organisation, where there is one.
    pub fn website(&self) -> Option<&str> {
        shown(&self.organisation.website)
    }

    /// The organisation's own words on the help page, paragraph by paragraph.
    pub fn own_help(&self) -> Vec<String> {
        let lines: Vec<&str> = self.organisation.help.lines().map(str::trim).collect();
        let paragraphs = lines.split(|line| line.is_empty()).map(|lines| lines.join(" "));
        paragraphs.filter(|paragraph| !paragraph.is_empty()).collect()
    }

    /// Its own privacy statement, where it has one.
    pub fn privacy_url(&self) -> Option<&str> {
        shown(&self.organisation.privacy_url)
    }

    /// Its own accessibility statement, where it has one.
    pub fn accessibility_url(&self) -> Option<&str> {
        shown(&self.organisation.accessibility_url)
    }

    /// Where to report abuse (RFC 2142 2).
    pub fn abuse(&self) -> String {
        format!("abuse@{}", self.organisation.domain())
    }

    /// The languages of the menu.
    pub fn languages(&self) -> impl Iterator<Item = Language> {
        self.organisation.languages.iter().copied()
    }

    /// For the footer.
    pub fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    /// What the addresses of style and script files carry, so that a browser takes new ones at once.
    pub fn assets(&self) -> String {
        [assets::version(), self.organisation.branding.version.as_str()].concat()
    }

    /// A date as the reader writes it.
    pub fn date(&self, time: &Timestamp) -> String {
        locale::long_date(self.language, &self.organisation.zone, *time)
    }

    /// The day until whose end something lasts.
    pub fn last_day(&self, time: &Timestamp) -> String {
        locale::last_day(self.language, &self.organisation.zone, *time)
    }

    /// A date with its time as the reader writes it.
    pub fn moment(&self, time: &Timestamp) -> String {
        locale::long_date_and_time(self.language, &self.organisation.zone, *time)
    }

    /// A moment to the second, for what has to be precise.
    pub fn exact(&self, time: &Timestamp) -> String {
        locale::exact_time(&self.organisation.zone, *time)
    }

    /// A size as the reader writes it: `812 B`, `3,4 MB`.
    pub fn size(&self, octets: &u64) -> String {
        locale::size(self.language, *octets)
    }

    /// Whether the pages are reached over HTTPS.
    pub fn is_secure(&self) -> bool {
        self.organisation.public_url.starts_with("https://")
    }

    /// Has the browser remember the language for a year, when this request chose it.
    pub fn remember(&self, response: &mut Response) {
        if self.chosen {
            let cookie = cookies::plain(LANGUAGE_COOKIE, self.language.as_str(), self.is_secure());
            cookies::set(response, cookie.max_age(Duration::days(365)));
        }
    }
}

fn shown(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// The outermost layer: finds out the client, the language and the organisation.
pub async fn introduce(
    State(settings): State<CurrentSettings>,
    mut request: Request,
    next: Next,
) -> Response {
    let settings = settings.get();
    let client = client::address(&request, &settings.web.trusted_proxies);
    let visit = Visit::new(request.uri(), request.headers(), client, settings);
    request.extensions_mut().insert(visit.clone());
    let mut response = next.run(request).await;
    visit.remember(&mut response);
    response
}

/// The host that a request is for.
pub(super) fn named_host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> &'a str {
    let field = || headers.get(HOST)?.to_str().ok();
    uri.authority().map(Authority::as_str).or_else(field).unwrap_or("")
}

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut RequestParts, _state: &S) -> Result<Self, WebError> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or(WebError::Trouble("a request came past its layers".into()))
    }
}
