//! What the service answers, in our words.
//!
//! Whatever is not a success becomes a [`Refusal`]: the status and the code, and never the text of the answer, which may
//! quote what was signed. [`Fault`] says of each error whether it may pass.

use std::fmt;
use std::io::{Error, ErrorKind};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
    HttpService, ReqwestConnector,
};

/// So much of an answer is looked through for its code.
const LOOKED_THROUGH: usize = 16 * 1024;
/// The longest code that is believed to be one.
const LONGEST_CODE: usize = 64;
/// So much is told of what happened below HTTP.
const TOLD: usize = 200;

/// Makes clients whose errors say what the service answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Service(ReqwestConnector::default().connect(options)?)))
    }
}

#[derive(Debug)]
struct Service(HttpClient);

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let response = self.0.execute(request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(HttpError::new(HttpErrorKind::Unknown, Refusal::read(response).await))
    }
}

/// An answer that is not a success.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status}{}{code}", if code.is_empty() { "" } else { " " })]
pub(super) struct Refusal {
    /// Of HTTP.
    status: u16,
    /// S3's, as `SlowDown`; empty where there is none, as after HEAD.
    code: String,
    /// When it wants to be asked again.
    wait: Option<Duration>,
}

impl Refusal {
    async fn read(response: HttpResponse) -> Self {
        let status = response.status().as_u16();
        let wait = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let body = start_of(response.into_body()).await;
        Self {
            status,
            code: code_in(&body).unwrap_or_default().to_owned(),
            wait: wait.map(Duration::from_secs),
        }
    }

    fn kind(&self) -> Kind {
        match (self.status, self.code.as_str()) {
            (_, "NoSuchBucket") => Kind::Refused,
            (404, _) => Kind::Absent,
            (416, _) => Kind::Beyond,
            (507, _) | (_, "QuotaExceeded") => Kind::Full,
            // What was sent did not arrive as it was sent.
            (400, "RequestTimeout" | "IncompleteBody" | "BadDigest" | "XAmzContentSHA256Mismatch") => {
                Kind::Trouble
            }
            (408 | 409 | 425 | 429 | 500..=599, _) => Kind::Trouble,
            (401 | 403, _) => Kind::Denied,
            _ => Kind::Refused,
        }
    }
}

/// As much of the body as is looked through; of one that breaks off, what has come.
async fn start_of(body: HttpResponseBody) -> Vec<u8> {
    let mut start = Vec::new();
    let mut stream = body.bytes_stream();
    while start.len() < LOOKED_THROUGH
        && let Some(Ok(bytes)) = stream.next().await
    {
        let rest = LOOKED_THROUGH - start.len();
        start.extend_from_slice(bytes.get(..rest).unwrap_or(&bytes));
    }
    start
}

/// The code in an error of S3: `<Error><Code>SlowDown</Code>…`
fn code_in(body: &[u8]) -> Option<&str> {
    let text = |from: &[u8], what: &[u8]| memchr::memmem::find(from, what);
    let (_, rest) = body.split_at_checked(text(body, b"<Code>")? + b"<Code>".len())?;
    let (code, _) = rest.split_at_checked(text(rest, b"</Code>")?)?;
    let is_code = code.len() <= LONGEST_CODE && code.iter().all(u8::is_ascii_alphanumeric);
    std::str::from_utf8(code).ok().filter(|_| is_code)
}

/// Why a request came to nothing.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub kind: Kind,
    text: String,
    /// When the service wants to be asked again.
    pub wait: Option<Duration>,
}

/// What an error means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The object is not there; or nothing is, see [`super::remote::Remote::absent`].
    Absent,
    /// The object ends before the byte that was asked for.
    Beyond,
    /// The credentials are wrong, or may not do this.
    Denied,
    /// There is no room.
    Full,
    /// Anything else that will be the same the next time.
    Refused,
    /// The service is away, slow or in trouble: it may pass.
    Trouble,
    /// It did not answer in time: it may pass.
    Silent,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Fault {
    /// What came of a request.
    pub fn of(error: &object_store::Error) -> Self {
        let mut last: &(dyn std::error::Error + 'static) = error;
        let mut kind = Kind::Trouble;
        loop {
            if let Some(refusal) = last.downcast_ref::<Refusal>() {
                return Self { kind: refusal.kind(), text: refusal.to_string(), wait: refusal.wait };
            }
            if let Some(http) = last.downcast_ref::<HttpError>()
                && http.kind() == HttpErrorKind::Timeout
            {
                kind = Kind::Silent;
            }
            match last.source() {
                Some(source) => last = source,
                None => return Self { kind, text: harmless(&last.to_string()), wait: None },
            }
        }
    }

    /// No answer came in time.
    pub fn silent() -> Self {
        Self { kind: Kind::Silent, text: "no answer in time".to_owned(), wait: None }
    }

    /// An answer that is no answer.
    pub fn nonsense(text: &str) -> Self {
        Self { kind: Kind::Trouble, text: text.to_owned(), wait: None }
    }

    /// Whether the same request may do better a little later.
    pub fn may_pass(&self) -> bool {
        matches!(self.kind, Kind::Trouble | Kind::Silent)
    }

    /// As an error about this object.
    pub fn about(self, object: impl fmt::Display) -> Error {
        let kind = match self.kind {
            Kind::Absent => ErrorKind::NotFound,
            Kind::Denied => ErrorKind::PermissionDenied,
            Kind::Full => ErrorKind::StorageFull,
            Kind::Silent => ErrorKind::TimedOut,
            Kind::Beyond | Kind::Refused | Kind::Trouble => ErrorKind::Other,
        };
        Error::new(kind, format!("{object}: {}", self.text))
    }
}

/// What a library says of an error, but for what it quotes of an answer.
fn harmless(text: &str) -> String {
    match text.contains('<') {
        true => code_in(text.as_bytes()).unwrap_or("an answer that S3 does not give").to_owned(),
        false => text.chars().take(TOLD).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_found_and_nothing_else() {
        let error = b"<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>Reduce.</Message></Error>";
        assert_eq!(code_in(error), Some("SlowDown"));
        let long = format!("<Code>{}</Code>", "a".repeat(65));
        for none in
            ["", "<Code>", "<Code>Slow", "</Code><Code>", "<Code>a b</Code>", "<Code>\n</Code>", &long]
        {
            assert_eq!(code_in(none.as_bytes()), None, "{none}");
        }
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let kind = |status, code: &str| Refusal { status, code: code.to_owned(), wait: None }.kind();
        assert_eq!(kind(503, "SlowDown"), Kind::Trouble);
        assert_eq!(kind(500, ""), Kind::Trouble);
        assert_eq!(kind(400, "RequestTimeout"), Kind::Trouble);
        assert_eq!(kind(400, "InvalidArgument"), Kind::Refused);
        assert_eq!(kind(403, "SignatureDoesNotMatch"), Kind::Denied);
        assert_eq!(kind(403, "QuotaExceeded"), Kind::Full);
        assert_eq!(kind(404, "NoSuchKey"), Kind::Absent);
        assert_eq!(kind(404, "NoSuchBucket"), Kind::Refused);
        assert_eq!(kind(416, "InvalidRange"), Kind::Beyond);
    }

    #[test]
    fn an_answer_is_never_quoted() {
        assert_eq!(
            harmless("bad: <Error><Code>InternalError</Code><Key>geheim</Key></Error>"),
            "InternalError"
        );
        assert_eq!(harmless("bad: <html>geheim</html>"), "an answer that S3 does not give");
        assert_eq!(harmless("Connection refused (os error 111)"), "Connection refused (os error 111)");
    }
}
