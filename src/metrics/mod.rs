//! What the gateway counts for monitoring: counters and histograms that every part is given when it is made, and adds to as it
//! works. `web/admin` writes them out, with what it asks the store and the system for at that moment.
//!
//! Counting costs a few atomic additions; sets of labels are found under a lock that readers share, and that is written only
//! for a set that is new. What must never happen: a label with personal data in it, or one that strangers can choose.

pub mod exposition;
pub mod process;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::clock::Timestamp;
use crate::diagnostic::EnhancedCode;
use crate::id::OrganisationId;

/// Labels of one figure, each with its value.
pub type Labels<const N: usize> = [(&'static str, Cow<'static, str>); N];

type Counters<const N: usize> = Family<Labels<N>, Counter>;
type Histograms<const N: usize> = Family<Labels<N>, Histogram, Buckets>;

/// Where a rule or a route has no name.
pub const NONE: &str = "none";

/// Answers that people or programs wait for.
const WAITS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];
/// Mail on its way, up to days.
const DELIVERIES: &[f64] =
    &[0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0, 432_000.0];

/// All counters and histograms of a gateway. Cheap to clone; all clones count together.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    accepted: Counters<1>,
    decided: Counters<3>,
    refused: Counters<3>,
    data: Histogram,
    accept: Histogram,
    seal: Histogram,
    relayed: Counters<4>,
    delivery: Histograms<1>,
    notices: Counters<2>,
    unlocks: Counters<2>,
    unlock: Histogram,
    downloads: Counters<2>,
    requests: Counters<4>,
    request: Histograms<1>,
    reload_ok: Gauge,
    reload_time: Gauge,
}

/// Makes the histograms of a family.
#[derive(Clone, Copy, Debug)]
struct Buckets(&'static [f64]);

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

/// What was decided for a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// The message goes on as it is.
    Pass,
    /// It was sealed.
    Seal,
}

/// How an attempt to open a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlock {
    /// It is open.
    Opened,
    /// The password was wrong.
    WrongPassword,
    /// The link is closed for a while, or there were too many tries.
    Locked,
    /// There is no such link, or it has ended.
    Gone,
    /// It could not be tried.
    Trouble,
}

/// What was fetched from an opened transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Download {
    /// One file.
    File,
    /// All of them.
    Zip,
    /// The message as it was sent.
    Message,
}

/// What a figure says of one delivery to one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relayed {
    /// The kind of queue item.
    pub kind: &'static str,
    /// `delivered`, `deferred` or `failed`.
    pub outcome: &'static str,
    /// The reply code of the next hop.
    pub code: Option<u16>,
}

impl Default for Metrics {
    /// All at zero.
    fn default() -> Self {
        let mut registry = Registry::with_prefix("zegel");
        let histogram = |buckets| Buckets(buckets).new_metric();
        let histograms = |buckets| Family::new_with_constructor(Buckets(buckets));
        let mut inner = Inner {
            accepted: Family::default(),
            decided: Family::default(),
            refused: Family::default(),
            data: histogram(WAITS),
            accept: histogram(WAITS),
            seal: histogram(WAITS),
            relayed: Family::default(),
            delivery: histograms(DELIVERIES),
            notices: Family::default(),
            unlocks: Family::default(),
            unlock: histogram(WAITS),
            downloads: Family::default(),
            requests: Family::default(),
            request: histograms(WAITS),
            reload_ok: Gauge::default(),
            reload_time: Gauge::default(),
            registry: Registry::default(),
        };
        inner.reload_ok.set(1);
        inner.register_mail(&mut registry);
        inner.register_pages(&mut registry);
        inner.registry = registry;
        Self(Arc::new(inner))
    }
}

impl Inner {
    fn register_mail(&self, to: &mut Registry) {
        to.register("messages_accepted", "Messages that were answered with 250", self.accepted.clone());
        let help = "Recipients of messages that were accepted, by what was decided and the rule that did";
        to.register("recipients_decided", help, self.decided.clone());
        let help = "Responses that refused an SMTP client something, by reply code and enhanced status code";
        to.register("smtp_refused", help, self.refused.clone());
        let help = "From DATA or the first BDAT of a message to its 250";
        to.register_with_unit("smtp_data", help, Unit::Seconds, self.data.clone());
        let help = "From the end of a message to its 250";
        to.register_with_unit("smtp_accept", help, Unit::Seconds, self.accept.clone());
        let help = "Sealing a message and writing what goes out in its place";
        to.register_with_unit("seal", help, Unit::Seconds, self.seal.clone());
        let help = "Recipients of an attempt to deliver, by kind of mail, outcome, and class of the next hop's reply code";
        to.register("relayed", help, self.relayed.clone());
        let help =
            "From when a mail was accepted or written to when the next hop took it, for each recipient";
        to.register_with_unit("delivery", help, Unit::Seconds, self.delivery.clone());
        let help = "Mails that zegel wrote and began to deliver, by kind";
        to.register("notices", help, self.notices.clone());
    }

    fn register_pages(&self, to: &mut Registry) {
        let help = "Attempts to open a transfer, by result";
        to.register("unlocks", help, self.unlocks.clone());
        let help = "Checking a password, the wait for its turn included";
        to.register_with_unit("unlock", help, Unit::Seconds, self.unlock.clone());
        let help = "What was fetched from opened transfers: files, ZIP archives, messages";
        to.register("downloads", help, self.downloads.clone());
        let help = "Requests to the pages, by method, route and status";
        to.register("http_requests", help, self.requests.clone());
        let help = "From a request to the head of its response, by route";
        to.register_with_unit("http_request", help, Unit::Seconds, self.request.clone());
        let help = "Whether the configuration was taken when it was last read";
        to.register("config_last_reload_successful", help, self.reload_ok.clone());
        let help = "When the configuration was last taken";
        to.register_with_unit(
            "config_last_reload_success_timestamp",
            help,
            Unit::Seconds,
            self.reload_time.clone(),
        );
    }
}

/// The label that says whose something is: an organisation of the configuration, by its first domain. Empty where that is not known,
/// or nobody's any more.
pub fn of(organisation: Option<&OrganisationId>) -> (&'static str, Cow<'static, str>) {
    let name = organisation.map_or(Cow::Borrowed(""), |one| Cow::Owned(one.as_str().to_owned()));
    ("organisation", name)
}

impl Metrics {
    /// A message was kept: whose it is, what was decided for each of its recipients, and by which rule.
    pub fn accepted<'a>(
        &self,
        organisation: Option<&OrganisationId>,
        recipients: impl Iterator<Item = (Decided, Option<&'a str>)>,
    ) {
        self.0.accepted.get_or_create(&[of(organisation)]).inc();
        for (decided, rule) in recipients {
            let decision = match decided {
                Decided::Pass => "pass",
                Decided::Seal => "seal",
            };
            let rule = rule.map_or(Cow::Borrowed(NONE), |rule| Cow::Owned(rule.to_owned()));
            let labels = [("decision", decision.into()), ("rule", rule), of(organisation)];
            self.0.decided.get_or_create(&labels).inc();
        }
    }

    /// An SMTP client was refused something with these codes; for its sender's organisation, once that is known.
    pub fn refused(
        &self,
        organisation: Option<&OrganisationId>,
        code: Option<u16>,
        status: Option<EnhancedCode>,
    ) {
        let word = |word: Option<String>| word.map_or(Cow::Borrowed(NONE), Cow::Owned);
        let labels = [
            ("code", word(code.map(|code| code.to_string()))),
            ("status", word(status.map(|status| status.to_string()))),
            of(organisation),
        ];
        self.0.refused.get_or_create(&labels).inc();
    }

    /// A message was answered with 250, so long after its DATA, and after its end.
    pub fn kept(&self, since_data: Duration, since_end: Duration) {
        self.0.data.observe(since_data.as_secs_f64());
        self.0.accept.observe(since_end.as_secs_f64());
    }

    /// A message was sealed.
    pub fn sealed(&self, took: Duration) {
        self.0.seal.observe(took.as_secs_f64());
    }

    /// An attempt has ended for a recipient.
    pub fn relayed(&self, organisation: Option<&OrganisationId>, relayed: Relayed) {
        let Relayed { kind, outcome, code } = relayed;
        let class = match code.map(|code| code / 100) {
            Some(2) => "2xx",
            Some(4) => "4xx",
            Some(5) => "5xx",
            Some(_) => "other",
            None => NONE,
        };
        let labels =
            [("kind", kind.into()), ("outcome", outcome.into()), ("code", class.into()), of(organisation)];
        self.0.relayed.get_or_create(&labels).inc();
    }

    /// A mail has reached a recipient, so long after it was accepted.
    pub fn delivered(&self, kind: &'static str, age: Duration) {
        self.0.delivery.get_or_create(&[("kind", kind.into())]).observe(age.as_secs_f64());
    }

    /// The first attempt at a mail that zegel wrote.
    pub fn notice(&self, organisation: Option<&OrganisationId>, kind: &'static str) {
        self.0.notices.get_or_create(&[("kind", kind.into()), of(organisation)]).inc();
    }

    /// Somebody tried to open a transfer.
    pub fn unlock(&self, organisation: Option<&OrganisationId>, result: Unlock, took: Duration) {
        let word = match result {
            Unlock::Opened => "opened",
            Unlock::WrongPassword => "wrong_password",
            Unlock::Locked => "locked",
            Unlock::Gone => "gone",
            Unlock::Trouble => "trouble",
        };
        self.0.unlocks.get_or_create(&[("result", word.into()), of(organisation)]).inc();
        self.0.unlock.observe(took.as_secs_f64());
    }

    /// Something was fetched.
    pub fn download(&self, organisation: Option<&OrganisationId>, what: Download) {
        let word = match what {
            Download::File => "file",
            Download::Zip => "zip",
            Download::Message => "message",
        };
        self.0.downloads.get_or_create(&[("what", word.into()), of(organisation)]).inc();
    }

    /// A request was answered, at the pages of an organisation. The route is the template, never the path.
    pub fn request(
        &self,
        organisation: Option<&OrganisationId>,
        (method, route, status): (&'static str, &str, u16),
        took: Duration,
    ) {
        let route = || Cow::Owned(route.to_owned());
        let status = status.to_string().into();
        let labels = [("method", method.into()), ("route", route()), ("status", status), of(organisation)];
        self.0.requests.get_or_create(&labels).inc();
        self.0.request.get_or_create(&[("route", route())]).observe(took.as_secs_f64());
    }

    /// The configuration was read, and taken or refused.
    pub fn reloaded(&self, is_taken: bool, now: Timestamp) {
        self.0.reload_ok.set(is_taken.into());
        if is_taken {
            self.0.reload_time.set(now.as_second());
        }
    }

    /// Whether the configuration was refused when it was last read.
    pub fn is_reload_refused(&self) -> bool {
        self.0.reload_ok.get() == 0
    }

    /// For what writes them out.
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }
}

#[cfg(test)]
mod tests {
    use super::exposition::{Format, text};
    use super::*;

    #[test]
    fn what_is_counted_is_written_in_both_formats() {
        let metrics = Metrics::default();
        let organisation = OrganisationId::of_domain("voorbeeld.nl");
        let one = Some(&organisation);
        let rules = [(Decided::Seal, Some("tagged")), (Decided::Pass, None), (Decided::Pass, None)];
        metrics.accepted(one, rules.into_iter());
        metrics.refused(one, Some(550), Some(EnhancedCode::new(5, 7, 1)));
        metrics.refused(None, None, None);
        metrics.kept(Duration::from_millis(40), Duration::from_millis(4));
        metrics.relayed(one, Relayed { kind: "message", outcome: "deferred", code: Some(451) });
        metrics.unlock(one, Unlock::WrongPassword, Duration::from_millis(30));
        metrics.request(one, ("GET", "/t/{token}", 200), Duration::from_millis(3));
        metrics.reloaded(true, Timestamp::from_second(100).unwrap());
        metrics.reloaded(false, Timestamp::from_second(200).unwrap());
        let own = text(Format::Prometheus, &[metrics.registry()]);
        for line in [
            "zegel_messages_accepted_total{organisation=\"voorbeeld.nl\"} 1",
            "zegel_recipients_decided_total{decision=\"seal\",rule=\"tagged\",organisation=\"voorbeeld.nl\"} 1",
            "zegel_recipients_decided_total{decision=\"pass\",rule=\"none\",organisation=\"voorbeeld.nl\"} 2",
            "zegel_smtp_refused_total{code=\"550\",status=\"5.7.1\",organisation=\"voorbeeld.nl\"} 1",
            "zegel_smtp_refused_total{code=\"none\",status=\"none\",organisation=\"\"} 1",
            "zegel_smtp_accept_seconds_bucket{le=\"0.005\"} 1",
            "zegel_smtp_data_seconds_count 1",
            "zegel_relayed_total{kind=\"message\",outcome=\"deferred\",code=\"4xx\",organisation=\"voorbeeld.nl\"} 1",
            "zegel_unlocks_total{result=\"wrong_password\",organisation=\"voorbeeld.nl\"} 1",
            "zegel_http_requests_total{method=\"GET\",route=\"/t/{token}\",status=\"200\",organisation=\"voorbeeld.nl\"} 1",
            "zegel_config_last_reload_successful 0",
            "zegel_config_last_reload_success_timestamp_seconds 100",
        ] {
            assert!(own.lines().any(|found| found == line), "{line} is not in\n{own}");
        }
        let open = text(Format::OpenMetrics, &[metrics.registry()]);
        assert!(
            open.contains("# UNIT zegel_smtp_data_seconds seconds\n") && open.ends_with("# EOF\n"),
            "{open}"
        );
    }

    /// A label is text of an administrator (a rule), so it may hold anything.
    #[test]
    fn a_label_cannot_end_its_line() {
        let metrics = Metrics::default();
        metrics.accepted(None, [(Decided::Seal, Some("a\"b\\c\nd"))].into_iter());
        let own = text(Format::Prometheus, &[metrics.registry()]);
        assert!(own.contains("rule=\"a\\\"b\\\\c\\nd\",organisation=\"\"} 1\n"), "{own}");
    }
}
