//! The log: JSON lines, or text for people. The command line sets it up once. The gateway logs to standard output, the
//! demo to standard error.
//!
//! Every line has `time`, `level` and `message`; a security event (`audit`) adds `action`, `object`,
//! `result`, `actor` and `origin`. Control characters are always escaped (H31).

use std::fmt::{self, Debug};
use std::io::{self, IsTerminal};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::{Context, Filter, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt as layer};

use crate::clock::Clock;

/// `--log`
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Logs to standard output: in `format` if that is given, else as text to a terminal and as JSON to anything else.
pub fn init(format: Option<Format>) {
    let is_terminal = io::stdout().is_terminal();
    let usual = if is_terminal { Format::Text } else { Format::Json };
    start(format.unwrap_or(usual), is_terminal, io::stdout);
}

/// Logs to standard error, as text unless `format` says otherwise: standard output is for what the command prints.
pub fn init_on_stderr(format: Option<Format>) {
    start(format.unwrap_or(Format::Text), io::stderr().is_terminal(), io::stderr);
}

fn start(format: Format, is_terminal: bool, sink: impl for<'a> MakeWriter<'a> + Send + Sync + 'static) {
    let lines = layer::layer().with_writer(sink);
    let lines = match format {
        Format::Json => lines.with_ansi(false).event_format(JsonLines).with_filter(OwnLines).boxed(),
        Format::Text => lines.with_ansi(is_terminal).with_target(false).with_filter(OwnLines).boxed(),
    };
    tracing_subscriber::registry().with(lines).init();
}

/// Lets our own lines through from INFO on, and those of libraries only when they are errors: a library may log
/// what must not be logged, such as an address or a subject.
struct OwnLines;

impl<S: Subscriber> Filter<S> for OwnLines {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        let own = metadata.target() == "audit" || metadata.target().starts_with("zegel");
        *metadata.level() <= if own { Level::INFO } else { Level::ERROR }
    }
}

/// One flat JSON object for each event.
struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields(Map::new());
        fields.insert("time", Clock::system().now().to_string());
        fields.insert("level", event.metadata().level().to_string());
        event.record(&mut fields);
        writeln!(writer, "{}", Value::Object(fields.0))
    }
}

struct Fields(Map<String, Value>);

impl Fields {
    fn insert(&mut self, name: &str, value: String) {
        self.0.insert(name.to_owned(), Value::String(value));
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.insert(field.name(), format!("{value:?}"));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field.name(), value.to_owned());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}
