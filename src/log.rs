//! The log: JSON lines, or text for people. The command line sets it up once. The gateway logs to standard output, the
//! demo to standard error.
//!
//! Every line has `time`, `level` and `message`; a security event (`audit`) adds `action`, `object`,
//! `result`, `actor` and `origin`, and one about a mail `tracking`, the id in the 250 of the message that it comes of. Control
//! characters are always escaped (H31). Lines for the journal of systemd begin with their priority (sd-daemon(3)).

use std::fmt::{self, Debug};
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;

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
    start(format.unwrap_or(usual), is_terminal, is_journal(io::stdout().as_fd()), io::stdout);
}

/// Logs to standard error, as text unless `format` says otherwise: standard output is for what the command prints.
pub fn init_on_stderr(format: Option<Format>) {
    let is_journal = is_journal(io::stderr().as_fd());
    start(format.unwrap_or(Format::Text), io::stderr().is_terminal(), is_journal, io::stderr);
}

fn start(
    format: Format,
    is_terminal: bool,
    is_journal: bool,
    sink: impl for<'a> MakeWriter<'a> + Send + Sync + 'static,
) {
    let lines = layer::layer().with_writer(sink).with_ansi(is_terminal && format == Format::Text);
    let format = match format {
        Format::Json => Lines::Json,
        Format::Text => Lines::Text(layer::format().with_target(false)),
    };
    let lines = lines.event_format(Prioritised { lines: format, is_journal }).with_filter(OwnLines);
    tracing_subscriber::registry().with(lines).init();
}

/// Whether the journal of systemd reads this. The variable names its socket by device and inode: whoever sends the output of a
/// service elsewhere inherits the variable, and not the socket.
fn is_journal(output: BorrowedFd<'_>) -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let Ok(file) = output.try_clone_to_owned().and_then(|output| std::fs::File::from(output).metadata())
    else {
        return false;
    };
    stream == format!("{}:{}", file.dev(), file.ino())
}

/// Lines, each with its priority in front where the journal reads it.
struct Prioritised {
    lines: Lines,
    is_journal: bool,
}

enum Lines {
    Json,
    Text(layer::format::Format),
}

impl<S, N> FormatEvent<S, N> for Prioritised
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if self.is_journal {
            writer.write_str(priority(*event.metadata().level()))?;
        }
        match &self.lines {
            Lines::Json => JsonLines.format_event(context, writer, event),
            Lines::Text(text) => text.format_event(context, writer, event),
        }
    }
}

/// As syslog(3) numbers them.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        Level::DEBUG | Level::TRACE => "<7>",
    }
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
