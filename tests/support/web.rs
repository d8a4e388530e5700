//! A reader without a browser: sends exactly what a test says, follows no redirect, keeps no cookie by itself.

use ureq::Agent;
use ureq::http::{HeaderMap, Request};

use super::gateway::PATIENCE;

/// Most bytes that are read of one answer.
const MOST: u64 = 64 << 20;

/// What came back.
pub struct Answer {
    pub status: u16,
    fields: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// A header field, or nothing.
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Every header field as text, for canary searches.
    pub fn head(&self) -> String {
        format!("{:?}", self.fields)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// `name=value` of every cookie that was set.
    pub fn cookies(&self) -> Vec<String> {
        let set = self.fields.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
        set.map(|cookie| cookie.split(';').next().unwrap().to_owned()).collect()
    }

    /// `name=value` of the cookie that was set, for the next request.
    pub fn cookie(&self) -> String {
        self.field("set-cookie").split(';').next().unwrap().to_owned()
    }
}

pub fn get(url: &str) -> Answer {
    send("GET", url, &[], None)
}

/// With a cookie.
pub fn get_as(url: &str, cookie: &str) -> Answer {
    send("GET", url, &[("Cookie", cookie)], None)
}

/// Sends a form.
pub fn post(url: &str, form: &str) -> Answer {
    send("POST", url, &[], Some(form))
}

/// Any request, over a connection of its own.
pub fn send(method: &str, url: &str, fields: &[(&str, &str)], form: Option<&str>) -> Answer {
    let form_type = ("Content-Type", "application/x-www-form-urlencoded");
    let fields: Vec<(&str, &str)> = fields.iter().copied().chain(form.map(|_| form_type)).collect();
    send_octets(method, url, &fields, form.map(str::as_bytes))
}

/// The same with any body.
pub fn send_octets(method: &str, url: &str, fields: &[(&str, &str)], body: Option<&[u8]>) -> Answer {
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_idle_connections(0)
        .timeout_global(Some(PATIENCE))
        .allow_non_standard_methods(true)
        .build()
        .into();
    let mut request = Request::builder().method(method).uri(url);
    // What browsers send; without it a download is refused where a browser is sent to the unlock page.
    if !fields.iter().any(|(name, _)| *name == "Accept") {
        request = request.header("Accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    }
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let sent = match body {
        Some(body) => agent.run(request.body(body).unwrap()),
        None => agent.run(request.body(()).unwrap()),
    };
    let mut response = sent.unwrap_or_else(|error| panic!("{method} {url}: {error}"));
    let body = response.body_mut().with_config().limit(MOST).read_to_vec().unwrap();
    Answer { status: response.status().as_u16(), fields: response.headers().clone(), body }
}
