//! The figures as monitoring reads them: the Prometheus text format, or OpenMetrics for whom asks for it.

use prometheus_client::encoding::{prometheus_text, text as open_metrics};
use prometheus_client::registry::Registry;

/// How the figures are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The Prometheus text format, version 0.0.4.
    Prometheus,
    /// OpenMetrics, version 1.0.0.
    OpenMetrics,
}

impl Format {
    /// What a client asks for in its Accept field (RFC 9110 12.5.1); the order in it is that of its wishes.
    pub fn accepted(accept: &str) -> Self {
        let kinds = accept.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim());
        let known = kinds.filter_map(|kind| match kind.to_ascii_lowercase().as_str() {
            "application/openmetrics-text" => Some(Self::OpenMetrics),
            "text/plain" | "*/*" => Some(Self::Prometheus),
            _ => None,
        });
        known.into_iter().next().unwrap_or(Self::Prometheus)
    }

    /// Its media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// All of these, one after the other.
pub fn text(format: Format, registries: &[&Registry]) -> String {
    let mut text = String::new();
    let mut written = Ok(());
    for registry in registries {
        written = written.and_then(|()| match format {
            Format::Prometheus => prometheus_text::encode(&mut text, registry),
            Format::OpenMetrics => open_metrics::encode_registry(&mut text, registry),
        });
    }
    if format == Format::OpenMetrics {
        written = written.and_then(|()| open_metrics::encode_eof(&mut text));
    }
    debug_assert!(written.is_ok(), "writing to a String does not fail");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_the_format_that_it_asks_for() {
        let prometheus =
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
        for (accept, format) in [
            ("", Format::Prometheus),
            ("*/*", Format::Prometheus),
            ("text/html, */*", Format::Prometheus),
            ("text/plain;version=0.0.4, application/openmetrics-text", Format::Prometheus),
            (prometheus, Format::OpenMetrics),
            ("Application/OpenMetrics-Text", Format::OpenMetrics),
            ("application/openmetrics-text-2", Format::Prometheus),
            (";,;,", Format::Prometheus),
        ] {
            assert_eq!(Format::accepted(accept), format, "{accept}");
        }
    }
}
