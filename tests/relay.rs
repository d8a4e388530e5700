//! Worker and relay against a next hop that misbehaves in every way it can (H02 to H06, H35, C08, C10):
//! each recipient gets the mail exactly once, or the sender a report.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::PrivateKeyDer;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use zegel::address::{Address, ReversePath};
use zegel::audit::{Actor, Recorded};
use zegel::clock::{Clock, Timestamp};
use zegel::config;
use zegel::delivery::Timeouts;
use zegel::delivery::smarthost::{self, LargestMail, TlsClients};
use zegel::diagnostic::Outcome;
use zegel::envelope::{BodyType, Envelope, EnvelopeRecipient, MailParameters, Notify, RcptParameters, Ret};
use zegel::id::{FolderId, QueueId};
use zegel::message::crlf::CrlfBytes;
use zegel::metrics::Metrics;
use zegel::outbox::body::{self, store_body};
use zegel::queue::worker::{WakeHandle, Worker, WorkerParts};
use zegel::secret::{BodyKey, Keys};
use zegel::settings::{CurrentSettings, Settings};
use zegel::store::{BodyData, ByHand, NewItem, Problem, QueueItemKind, Ruling, Track};

use support::queue::{MemoryBlobs, MemoryQueue, State};
use support::smarthost::{Act, Script, Seen, Smarthost, Stage, USUAL, say};

const MESSAGE: &str = "Subject: hallo\r\n\r\n.een\r\n..twee\r\n.\r\nquit\r\n";
const PIET: &str = "piet@example.org";
const MIEN: &str = "mien@example.org";
const KEES: &str = "kees@example.org";

/// A worker with its queue.
struct Gateway {
    queue: Arc<MemoryQueue>,
    blobs: MemoryBlobs,
    wake: WakeHandle,
    largest: LargestMail,
    stop: CancellationToken,
    clock: Clock,
    running: JoinHandle<()>,
}

/// What differs from the defaults in `[relay]`.
fn settings(smarthost: &Smarthost, relay: &str) -> CurrentSettings {
    let next_hop = name(smarthost);
    let text = format!(
        "hostname = \"veilig.voorbeeld.nl\"\ndata_dir = \"/nowhere\"\n\
         [organisation]\nname = \"Gemeente Voorbeeld\"\ndomains = [\"voorbeeld.nl\"]\n\
         [smtp]\nlisten = [\"127.0.0.1:0\"]\n\
         [relay]\nsmarthost = \"{next_hop}\"\n{relay}\n\
         [web]\nlisten = [\"127.0.0.1:0\"]\npublic_url = \"https://veilig.voorbeeld.nl\"\n"
    );
    let config = config::parse(Path::new("zegel.toml"), &text, std::iter::empty()).unwrap();
    CurrentSettings::new(Settings::read(config).unwrap())
}

/// By name where there is one.
fn name(smarthost: &Smarthost) -> String {
    let address = smarthost.address();
    if address.ip().is_loopback() { format!("localhost:{}", address.port()) } else { address.to_string() }
}

fn key() -> BodyKey {
    static KEY: LazyLock<BodyKey> = LazyLock::new(|| Keys::derive(&[7; 32]).body);
    KEY.clone()
}

fn start() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

impl Gateway {
    fn run(smarthost: &Smarthost, relay: &str) -> Self {
        Self::run_with(smarthost, relay, TlsClients::system().unwrap())
    }

    fn run_with(smarthost: &Smarthost, relay: &str, tls: TlsClients) -> Self {
        let (queue, blobs, clock) = (MemoryQueue::new(), MemoryBlobs::default(), Clock::movable(start()));
        let short = Duration::from_millis(700);
        let timeouts = Timeouts {
            connect: short,
            greeting: short,
            command: short,
            data: short,
            block: short,
            done: short,
        };
        let next_hop = smarthost::Smarthost::new(tls, timeouts);
        let largest = next_hop.largest_mail();
        let worker = Worker::new(WorkerParts {
            owner: FolderId::random(),
            store: queue.clone(),
            blobs: Arc::new(blobs.clone()),
            key: key(),
            link_key: Keys::derive(&[7; 32]).link,
            action_key: Keys::derive(&[7; 32]).action,
            clock: clock.clone(),
            settings: settings(smarthost, relay),
            next_hop: Arc::new(next_hop),
            metrics: Metrics::default(),
        });
        let wake = worker.wake_handle();
        let stop = CancellationToken::new();
        let running = tokio::spawn(worker.run(stop.clone()));
        Self { queue, blobs, wake, largest, stop, clock, running }
    }

    fn send(&self, to: &[&str]) -> QueueId {
        self.send_item(to, MESSAGE, |_| {})
    }

    fn send_item(&self, to: &[&str], message: &str, change: impl FnOnce(&mut NewItem)) -> QueueId {
        let message = CrlfBytes::check(message.as_bytes().to_vec()).unwrap();
        let recipients = to.iter().map(|to| Address::parse(to).unwrap().into()).collect();
        let mut item = NewItem {
            id: QueueId::random(),
            kind: QueueItemKind::Message,
            organisation: None,
            envelope: Envelope {
                reverse_path: ReversePath::Address(Address::parse("jan@voorbeeld.nl").unwrap()),
                parameters: MailParameters::default(),
                recipients,
            },
            body: store_body(&key(), &self.blobs, &message).unwrap(),
            link: None,
            track: Track::default(),
            created: self.clock.now(),
        };
        change(&mut item);
        let id = item.id.clone();
        self.queue.add(item);
        self.wake.wake();
        id
    }

    /// Lets the next attempt be due.
    fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.wake.wake();
    }

    async fn empty(&self) -> State {
        self.queue.wait(|state| state.rows.is_empty()).await
    }

    async fn finished(&self, attempts: usize) -> State {
        self.queue.wait(|state| state.finished >= attempts).await
    }

    async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// The outcomes in order, each as `delivered`, `later ...` or `failed ...`.
fn outcomes(state: &State) -> Vec<String> {
    let word = |outcome: &Outcome| match outcome {
        Outcome::Delivered => "delivered".to_owned(),
        Outcome::Deferred(why) => format!("later {why}"),
        Outcome::Failed(why) => format!("failed {why}"),
    };
    state.outcomes.iter().map(|(_, number, outcome)| format!("{number} {}", word(outcome))).collect()
}

fn read_report(report: &NewItem) -> String {
    assert!(matches!(report.body.data, BodyData::Inline(_)), "a report rides in its row");
    let opener = body::open(&key(), &MemoryBlobs::default(), &report.body).unwrap();
    String::from_utf8(opener.collect::<Result<Vec<_>, _>>().unwrap().concat()).unwrap()
}

/// A certificate for "localhost", and a client that trusts it.
fn certificate() -> (Arc<ServerConfig>, TlsClients) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), TlsClients::with_verifier(Arc::new(client)).unwrap())
}

fn nothing_in_clear(seen: &Seen) {
    let clear = String::from_utf8_lossy(&seen.clear).to_uppercase();
    for word in ["MAIL", "RCPT", "AUTH", "DATA", "BDAT", "HALLO"] {
        assert!(!clear.contains(word), "{word} went in clear: {clear}");
    }
}

/// A node that was stopped for longer than its lease: what it had claimed and not begun may be another's.
#[tokio::test]
async fn nothing_is_begun_that_may_be_anothers() {
    let smarthost = Smarthost::start(Script::usual());
    let gateway = Gateway::run(&smarthost, "");
    // It may claim, and does not hold what it has claimed: a lease has ended meanwhile.
    gateway.queue.hold_claims_for(Some(0));
    gateway.send(&["piet@example.org"]);
    let state = gateway.finished(1).await;
    assert!(state.outcomes.is_empty() && state.events.is_empty(), "{state:?}");
    assert_eq!((state.rows.len(), smarthost.seen_connections()), (1, 0));
    gateway.queue.hold_claims_for(None);
    gateway.wake.wake();
    gateway.empty().await;
    assert_eq!(smarthost.seen().taken.len(), 1);
}

#[tokio::test]
async fn passes_a_message_byte_for_byte() {
    let smarthost = Smarthost::start(Script::usual());
    let gateway = Gateway::run(&smarthost, "");
    gateway.send(&[PIET, MIEN]);
    let state = gateway.empty().await;
    assert_eq!(outcomes(&state), ["1 delivered", "2 delivered"]);
    let taken = smarthost.seen().taken;
    assert_eq!(taken.len(), 1, "one transaction for one envelope");
    assert_eq!(taken[0].addresses(), [PIET, MIEN]);
    assert_eq!(taken[0].message, MESSAGE.as_bytes());
    assert_eq!(taken[0].mail, format!("MAIL FROM:<jan@voorbeeld.nl> SIZE={}", MESSAGE.len()));
    assert!(smarthost.seen().pipelined > 0);
    let results: Vec<String> = state.events.iter().map(|event| event.result.to_string()).collect();
    assert_eq!(results, ["delivered", "delivered"]);
    gateway.stop().await;
}

#[tokio::test]
async fn large_messages_stream_through_either_way() {
    let line = format!(".{}\r\n", "x".repeat(70));
    let message = format!("Subject: groot\r\n\r\n{}", line.repeat(20_000));
    for script in [Script::usual(), Script::usual().and_offering("CHUNKING")] {
        let smarthost = Smarthost::start(script);
        let gateway = Gateway::run(&smarthost, "");
        gateway.send_item(&[PIET], &message, |item| assert!(matches!(item.body.data, BodyData::Blob(_))));
        gateway.empty().await;
        assert!(smarthost.seen().taken[0].message == message.as_bytes());
        gateway.stop().await;
    }
}

#[tokio::test]
async fn bdat_needs_no_stuffing_and_no_last_line_end() {
    let smarthost = Smarthost::start(Script::usual().and_offering("chunking"));
    let gateway = Gateway::run(&smarthost, "");
    gateway.send_item(&[PIET], ".open end", |_| {});
    gateway.empty().await;
    let seen = smarthost.seen();
    assert_eq!(seen.taken[0].message, b".open end");
    assert!(seen.taken[0].bdat);
    assert!(!seen.verbs(1).contains(&"DATA".to_owned()));
    gateway.stop().await;
}

#[tokio::test]
async fn waits_for_each_answer_where_pipelining_is_not_offered() {
    let smarthost = Smarthost::start(Script::offering(&["8BITMIME"]));
    let gateway = Gateway::run(&smarthost, "");
    gateway.send(&[PIET, MIEN]);
    gateway.empty().await;
    let seen = smarthost.seen();
    assert_eq!(seen.pipelined, 0);
    assert_eq!(seen.verbs(1), ["EHLO", "MAIL", "RCPT", "RCPT", "DATA"]);
    assert_eq!(seen.taken[0].message, MESSAGE.as_bytes());
    gateway.stop().await;
}

#[tokio::test]
async fn says_helo_to_a_server_of_old() {
    let smarthost = Smarthost::start(Script::usual().at(Stage::Ehlo, say("500 what?")));
    let gateway = Gateway::run(&smarthost, "");
    gateway.send(&[PIET]);
    gateway.empty().await;
    let seen = smarthost.seen();
    assert_eq!(seen.verbs(1), ["EHLO", "HELO", "MAIL", "RCPT", "DATA"]);
    assert_eq!(seen.taken[0].mail, "MAIL FROM:<jan@voorbeeld.nl>");
    gateway.stop().await;
}

#[tokio::test]
async fn parameters_travel_on() {
    let smarthost = Smarthost::start(Script::usual());
    let gateway = Gateway::run(&smarthost, "");
    let notify = Some(Notify { success: true, failure: true, delay: false });
    gateway.send_item(&[PIET], "Subject: \u{e9}\r\n\r\n", |item| {
        item.envelope.parameters = MailParameters {
            body: Some(BodyType::EightBitMime),
            smtputf8: true,
            size: Some(1),
            ret: Some(Ret::Full),
            envid: Some("QQ+3D1".into()),
        };
        item.envelope.recipients[0].parameters =
            RcptParameters { notify, orcpt: Some("rfc822;piet@example.org".into()) };
    });
    gateway.empty().await;
    let taken = &smarthost.seen().taken[0];
    assert_eq!(
        taken.mail,
        "MAIL FROM:<jan@voorbeeld.nl> SIZE=15 BODY=8BITMIME SMTPUTF8 RET=FULL ENVID=QQ+3D1"
    );
    assert_eq!(
        taken.recipients,
        ["RCPT TO:<piet@example.org> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;piet@example.org"]
    );
    gateway.stop().await;
}

#[tokio::test]
async fn what_the_next_hop_lacks_is_a_report_and_not_a_change() {
    let smarthost = Smarthost::start(Script::offering(&["PIPELINING", "SIZE 100"]));
    let gateway = Gateway::run(&smarthost, "");
    gateway.send_item(&[PIET], "Subject: x\r\n\r\n\u{e9}\r\n", |_| {});
    gateway.finished(1).await;
    gateway.send_item(&[PIET], &"x".repeat(101), |_| {});
    gateway.finished(2).await;
    gateway.send(&[PIET, "j\u{fc}n@example.org"]);
    let state = gateway.empty().await;
    let failed = outcomes(&state);
    assert!(failed[0].starts_with("1 failed 5.6.3 "), "{failed:?}");
    assert!(failed[1].starts_with("1 failed 5.3.4 "), "{failed:?}");
    assert_eq!(failed[2], "1 delivered");
    assert!(failed[3].starts_with("2 failed 5.6.7 "), "{failed:?}");
    assert_eq!(state.reports.len(), 3);
    assert!(read_report(&state.reports[0]).contains("\r\nStatus: 5.6.3\r\n"));
    assert_eq!(smarthost.seen().taken.len(), 1);
    gateway.stop().await;
}

#[tokio::test]
async fn a_refused_recipient_stops_no_other() {
    for extensions in [USUAL, &["8BITMIME"], &["PIPELINING", "CHUNKING"]] {
        let refusal = say("550-5.1.1 no such user\n550 5.1.1 really");
        let smarthost =
            Smarthost::start(Script::offering(extensions).when(Stage::Rcpt, MIEN, refusal, usize::MAX));
        let gateway = Gateway::run(&smarthost, "");
        gateway.send(&[PIET, MIEN, KEES]);
        let state = gateway.empty().await;
        let why = "2 failed 550 5.1.1 no such user 5.1.1 really (RCPT TO)";
        assert_eq!(outcomes(&state), ["1 delivered", why, "3 delivered"]);
        assert_eq!(smarthost.seen().taken[0].addresses(), [PIET, KEES]);

        assert_eq!(state.reports.len(), 1);
        let report = &state.reports[0];
        assert_eq!(report.envelope.reverse_path, ReversePath::Null);
        assert_eq!(report.envelope.recipients[0].address.as_str(), "jan@voorbeeld.nl");
        let text = read_report(report);
        assert!(
            text.contains("Final-Recipient: rfc822; mien@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n")
        );
        assert!(!text.contains(PIET) && text.contains("Subject: hallo") && !text.contains("..twee"));
        gateway.stop().await;
    }
}

#[tokio::test]
async fn all_refused_leaves_the_connection_in_step() {
    for extensions in [USUAL, &[], &["PIPELINING", "CHUNKING"]] {
        let script = Script::offering(extensions).when(Stage::Rcpt, MIEN, say("550 5.1.1 no"), usize::MAX);
        // Some servers say 354 although they took nobody.
        let smarthost = Smarthost::start(script.when(Stage::Data, "empty", say("354 go on"), usize::MAX));
        let gateway = Gateway::run(&smarthost, "");
        gateway.send(&[MIEN]);
        gateway.empty().await;
        gateway.send(&[PIET]);
        gateway.empty().await;
        let seen = smarthost.seen();
        assert_eq!((seen.connections, seen.taken.len()), (1, 1));
        assert!(seen.verbs(1).contains(&"RSET".to_owned()));
        assert_eq!(seen.taken[0].addresses(), [PIET]);
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_recipient_put_off_is_tried_again_alone() {
    let script = Script::usual().when(Stage::Rcpt, MIEN, say("450 4.2.0 greylisted"), 1);
    let smarthost = Smarthost::start(script);
    let gateway = Gateway::run(&smarthost, "");
    gateway.send(&[PIET, MIEN]);
    let state = gateway.finished(1).await;
    assert_eq!(outcomes(&state), ["1 delivered", "2 later 450 4.2.0 greylisted (RCPT TO)"]);
    assert_eq!(state.rows[0].due, zegel::clock::later(start(), MINUTE));
    assert_eq!(state.events[1].result.to_string(), "later for 1: 450 4.2.0");
    gateway.pass(MINUTE);
    let state = gateway.empty().await;
    let seen = smarthost.seen();
    assert_eq!((seen.copies(PIET), seen.copies(MIEN)), (1, 1));
    assert!(state.reports.is_empty());
    gateway.stop().await;
}

/// RFC 5321 4.5.3.1.10: those that were too many for one transaction follow in the next, at once.
#[tokio::test]
async fn a_limit_on_recipients_only_makes_more_transactions() {
    let script = Script::usual().when(Stage::Rcpt, MIEN, say("452 4.5.3 too many recipients"), 1);
    let smarthost = Smarthost::start(script.when(Stage::Rcpt, KEES, say("552 too many recipients"), 2));
    let gateway = Gateway::run(&smarthost, "");
    gateway.send(&[PIET, MIEN, KEES]);
    gateway.empty().await;
    let taken = smarthost.seen().taken;
    let addresses: Vec<_> = taken.iter().map(|taken| taken.addresses()).collect();
    assert_eq!(addresses, [[PIET], [MIEN], [KEES]]);
    gateway.stop().await;
}

/// H06: whatever happens and wherever, the next attempt brings the mail, once.
#[tokio::test]
async fn trouble_at_any_stage_costs_one_attempt_and_no_copy() {
    let stages =
        [Stage::Connect, Stage::Ehlo, Stage::Mail, Stage::Rcpt, Stage::Data, Stage::Content, Stage::Dot];
    let acts = [Act::Close, Act::Hang, say("garbage"), Act::SayAndClose("421 4.3.2 going down".into())];
    let mut tests = JoinSet::new();
    for extensions in [USUAL, &["SIZE"], &["PIPELINING", "CHUNKING"]] {
        for (stage, act) in stages.iter().flat_map(|stage| acts.iter().map(move |act| (*stage, act))) {
            // BDAT knows no DATA, and a server that speaks amid a message is not one of the troubles here.
            let no_data = stage == Stage::Data && extensions.contains(&"CHUNKING");
            let amid = stage == Stage::Content && matches!(act, Act::Say(_));
            if !(no_data || amid) {
                tests.spawn(trouble_then_success(extensions, stage, act.clone()));
            }
        }
    }
    while let Some(ended) = tests.join_next().await {
        ended.unwrap();
    }
}

async fn trouble_then_success(extensions: &[&str], stage: Stage, act: Act) {
    let smarthost = Smarthost::start(Script::offering(extensions).once(stage, act.clone()));
    let gateway = Gateway::run(&smarthost, "");
    let large = format!("{MESSAGE}{}", "x\r\n".repeat(30_000));
    gateway.send_item(&[PIET, MIEN], &large, |_| {});
    let first = outcomes(&gateway.finished(1).await);
    assert!(first.iter().any(|outcome| outcome.contains("later")), "{stage:?} {act:?}: {first:?}");
    gateway.pass(MINUTE);
    gateway.empty().await;
    let seen = smarthost.seen();
    assert_eq!((seen.copies(PIET), seen.copies(MIEN)), (1, 1), "{stage:?} {act:?} {:?}", seen.commands);
    assert!(seen.taken.iter().all(|taken| taken.message == large.as_bytes()));
    gateway.stop().await;
}

#[tokio::test]
async fn an_answer_lost_after_the_final_dot_makes_one_duplicate_at_most() {
    for extensions in [USUAL, &["CHUNKING"]] {
        let smarthost = Smarthost::start(Script::offering(extensions).once(Stage::Dot, Act::TakeAndClose));
        let gateway = Gateway::run(&smarthost, "");
        gateway.send(&[PIET]);
        let state = gateway.finished(1).await;
        assert_eq!(outcomes(&state), ["1 later 4.4.2 the connection was closed (end of message)"]);
        gateway.pass(MINUTE);
        gateway.empty().await;
        assert_eq!(smarthost.seen().copies(PIET), 2);
        gateway.stop().await;
    }
}

#[tokio::test]
async fn refusals_of_the_whole_mail_are_reported_and_those_of_us_are_not() {
    for (stage, answer, expected) in [
        (Stage::Mail, "553 5.1.8 sender", "failed"),
        (Stage::Data, "554 5.7.1 no", "failed"),
        (Stage::Dot, "554 5.6.0 no", "failed"),
        (Stage::Connect, "554 5.3.2 no service", "later"),
        (Stage::Mail, "530 5.7.0 authenticate", "later"),
        (Stage::Dot, "452 4.3.1 full", "later"),
    ] {
        let smarthost = Smarthost::start(Script::usual().at(stage, say(answer)));
        let gateway = Gateway::run(&smarthost, "");
        gateway.send(&[PIET]);
        let state = gateway.finished(1).await;
        assert_eq!(state.reports.len(), usize::from(expected == "failed"), "{answer}");
        let outcome = &outcomes(&state)[0];
        assert!(outcome.starts_with(&format!("1 {expected} {answer}")), "{outcome}");
        gateway.stop().await;
    }
}

/// A server that takes nothing from us is mended by an administrator: until then mail waits, and no sender is told that
/// an address is wrong (C38).
#[tokio::test]
async fn refusals_of_us_are_waited_out() {
    for (stage, answer) in [
        (Stage::Connect, "554 5.7.1 no service for you"),
        (Stage::Ehlo, "550 5.7.1 who are you?"),
        (Stage::Mail, "550 5.7.1 <jan@voorbeeld.nl>: Sender address rejected: Access denied"),
        (Stage::Mail, "550 relaying denied"),
        (Stage::Rcpt, "554 5.7.1 <x@example.org>: Relay access denied"),
        (Stage::Rcpt, "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain"),
        (Stage::Rcpt, "550 relay not permitted"),
        (Stage::Rcpt, "550 5.7.1 Access denied"),
        (Stage::Dot, "550 5.7.64 TenantAttribution; Relay Access Denied"),
    ] {
        for extensions in [USUAL, &["8BITMIME"]] {
            let script = Script::offering(extensions).at(stage, say(answer));
            let smarthost = Smarthost::start(script.at(Stage::Helo, say(answer)));
            let gateway = Gateway::run(&smarthost, "");
            gateway.send(&[PIET, MIEN]);
            let state = gateway.finished(1).await;
            let expected = |outcome: &String| outcome.contains(&format!("later {answer}"));
            assert!(outcomes(&state).iter().all(expected), "{answer}: {:?}", outcomes(&state));
            assert!(state.rows.len() == 1 && state.reports.is_empty(), "{answer}");
            assert_eq!(state.rows[0].problem, Some(Problem::Refused), "{answer}");
            smarthost.change(Script::offering(extensions));
            gateway.pass(MINUTE);
            gateway.empty().await;
            assert_eq!((smarthost.seen().copies(PIET), smarthost.seen().copies(MIEN)), (1, 1));
            gateway.stop().await;
        }
    }
}

/// Who relays for one recipient relays for us; and a sender's own address is the sender's to hear of.
#[tokio::test]
async fn a_refusal_that_is_not_of_us_is_reported_at_once() {
    let denied = "550 5.7.1 relaying denied";
    let smarthost = Smarthost::start(Script::usual().when(Stage::Rcpt, MIEN, say(denied), usize::MAX));
    let gateway = Gateway::run(&smarthost, "");
    gateway.send(&[PIET, MIEN]);
    let state = gateway.empty().await;
    assert_eq!(outcomes(&state), ["1 delivered", &format!("2 failed {denied} (RCPT TO)")]);
    assert_eq!(state.reports.len(), 1);

    smarthost.change(Script::usual().at(Stage::Mail, say("553 5.1.8 sender")));
    gateway.send(&[PIET]);
    assert_eq!(gateway.empty().await.reports.len(), 2);
    gateway.send_item(&[PIET], MESSAGE, |item| item.envelope.reverse_path = ReversePath::Null);
    let state = gateway.finished(3).await;
    assert!(outcomes(&state).last().unwrap().contains("later 553"), "nobody has no address to be wrong");
    gateway.stop().await;
}

#[tokio::test]
async fn with_soft_bounce_nothing_is_refused_for_good() {
    let script = Script::offering(&["PIPELINING", "SIZE 100"]);
    let script = script.when(Stage::Rcpt, MIEN, say("550 5.1.1 no such user"), usize::MAX);
    let smarthost = Smarthost::start(script);
    let gateway = Gateway::run(&smarthost, "soft_bounce = true\ngive_up_after = \"6m\"");
    gateway.send(&[PIET, MIEN]);
    gateway.send_item(&[PIET], &"x".repeat(101), |_| {});
    let state = gateway.finished(2).await;
    assert!(state.rows.len() == 2 && state.reports.is_empty(), "{:?}", outcomes(&state));
    for attempts in [4, 6] {
        gateway.pass(5 * MINUTE);
        gateway.finished(attempts).await;
    }
    let state = gateway.empty().await;
    assert_eq!(state.reports.len(), 2, "in the end senders are told");
    assert!(read_report(&state.reports[0]).contains("4.4.7"));
    gateway.stop().await;
}

#[tokio::test]
async fn gives_up_after_five_days_and_tells_the_sender_once() {
    let smarthost = Smarthost::start(Script::usual().at(Stage::Rcpt, say("451 4.7.1 later")));
    let gateway = Gateway::run(&smarthost, "");
    gateway.send(&[PIET]);
    let mut attempts = 1;
    let state = loop {
        let state = gateway.finished(attempts).await;
        let Some(row) = state.rows.first() else { break state };
        let wait = row.due.duration_since(gateway.clock.now()).unsigned_abs();
        gateway.pass(wait);
        attempts += 1;
    };
    assert!((30..50).contains(&attempts), "{attempts}");
    assert_eq!(gateway.clock.now().duration_since(start()).as_hours(), 120);
    assert_eq!(state.reports.len(), 1);
    assert!(read_report(&state.reports[0]).contains("Status: 4.4.7\r\n"));
    gateway.stop().await;
}

#[tokio::test]
async fn nobody_hears_of_mail_from_nobody() {
    let smarthost = Smarthost::start(Script::usual().at(Stage::Rcpt, say("550 5.1.1 no")));
    let gateway = Gateway::run(&smarthost, "");
    gateway.send_item(&[PIET], MESSAGE, |item| item.envelope.reverse_path = ReversePath::Null);
    gateway.send_item(&[PIET], MESSAGE, |item| {
        let never = RcptParameters { notify: Some(Notify::default()), orcpt: None };
        let address = Address::parse(PIET).unwrap();
        item.envelope.recipients = vec![EnvelopeRecipient { address, parameters: never }];
    });
    let state = gateway.finished(2).await;
    assert!(state.rows.is_empty());
    // No report, but somebody who looks after mail is told; who asked not to be told is not.
    let [notice] = state.reports.as_slice() else { panic!("one notice: {:?}", state.reports) };
    assert_eq!(
        (notice.kind, &notice.envelope.reverse_path),
        (QueueItemKind::Undelivered, &ReversePath::Null)
    );
    assert_eq!(notice.envelope.recipients[0].address.as_str(), "postmaster@voorbeeld.nl");
    let text = read_report(notice);
    assert!(text.contains(PIET) && text.contains("550 5.1.1 no (RCPT TO)"), "{text}");
    assert!(!text.contains("hallo") && !text.contains("message/delivery-status"), "{text}");
    gateway.stop().await;
}

/// Everything that zegel itself writes and that has no sender to tell.
const FROM_NOBODY: [QueueItemKind; 7] = [
    QueueItemKind::Receipt,
    QueueItemKind::Report,
    QueueItemKind::Recall,
    QueueItemKind::Ask,
    QueueItemKind::Unopened,
    QueueItemKind::Download,
    QueueItemKind::Confirmation,
];

fn from_nobody(kind: QueueItemKind) -> impl Fn(&mut NewItem) {
    move |item| {
        item.kind = kind;
        item.envelope.reverse_path = ReversePath::Null;
    }
}

/// C38: it is kept, the postmaster is told, and it goes when somebody has mended what was wrong.
#[tokio::test]
async fn what_zegel_wrote_and_cannot_deliver_is_frozen() {
    for (stage, answer) in [(Stage::Rcpt, "550 5.1.1 no"), (Stage::Dot, "554 5.6.0 I read: hallo")] {
        let smarthost = Smarthost::start(Script::usual().at(stage, say(answer)));
        let gateway = Gateway::run(&smarthost, "");
        for (n, kind) in FROM_NOBODY.into_iter().enumerate() {
            let id = gateway.send_item(&[PIET], MESSAGE, from_nobody(kind));
            let state = gateway.finished(n + 1).await;
            let row = state.rows.iter().find(|row| row.item.id == id).unwrap();
            assert_eq!((row.problem, row.waiting.len()), (Some(Problem::Frozen), 1), "{kind:?}");
            let code = answer.split_at(9).0;
            assert!(
                state.events.iter().any(|event| event.result.to_string() == format!("frozen for 1: {code}"))
            );
            let notice = state.reports.last().unwrap();
            assert_eq!((state.reports.len(), notice.kind), (n + 1, QueueItemKind::Undelivered), "{kind:?}");
            let text = read_report(notice);
            assert!(text.contains(&format!("zegel queue retry {id}")) && text.contains(code), "{text}");
            assert!(!text.contains("hallo"), "a server may quote the mail: {text}");
        }
        smarthost.change(Script::usual());
        gateway.pass(365 * 24 * 60 * MINUTE);
        gateway.send(&[MIEN]);
        gateway.queue.wait(|state| state.rows.len() == FROM_NOBODY.len()).await;
        assert_eq!(smarthost.seen().copies(PIET), 0, "it goes when somebody says so");
        gateway.queue.retry_all(gateway.clock.now());
        gateway.wake.wake();
        gateway.empty().await;
        assert_eq!(smarthost.seen().copies(PIET), FROM_NOBODY.len());
        gateway.stop().await;
    }
}

/// C38: there is no end of notices otherwise. And a code is of no use when somebody looks.
#[tokio::test]
async fn a_notice_that_fails_is_frozen_and_makes_no_other() {
    let smarthost = Smarthost::start(Script::usual().at(Stage::Rcpt, say("550 5.1.1 no")));
    let gateway = Gateway::run(&smarthost, "");
    gateway.send_item(&["postmaster@voorbeeld.nl"], MESSAGE, from_nobody(QueueItemKind::Undelivered));
    let state = gateway.finished(1).await;
    assert_eq!((state.rows[0].problem, state.reports.len()), (Some(Problem::Frozen), 0));
    gateway.send_item(&[PIET], MESSAGE, from_nobody(QueueItemKind::Verification));
    let state = gateway.finished(2).await;
    assert_eq!((state.rows.len(), state.reports.len()), (1, 1));
    gateway.stop().await;
}

/// C38: five days of a smarthost that does not know us.
#[tokio::test]
async fn what_is_given_up_and_has_no_sender_is_frozen() {
    let smarthost = Smarthost::start(Script::usual().at(Stage::Rcpt, say("550 5.7.1 relaying denied")));
    let gateway = Gateway::run(&smarthost, "give_up_after = \"6m\"");
    gateway.send_item(&[PIET], MESSAGE, from_nobody(QueueItemKind::Receipt));
    gateway.send(&[MIEN]);
    let state = gateway.finished(2).await;
    assert!(state.rows.iter().all(|row| row.problem == Some(Problem::Refused)));
    for attempts in [4, 6] {
        gateway.pass(5 * MINUTE);
        gateway.finished(attempts).await;
    }
    let state = gateway.queue.wait(|state| state.rows.len() == 1).await;
    assert_eq!(state.rows[0].problem, Some(Problem::Frozen));
    let kinds: Vec<QueueItemKind> = state.reports.iter().map(|report| report.kind).collect();
    assert!(
        kinds.len() == 2
            && kinds.contains(&QueueItemKind::Report)
            && kinds.contains(&QueueItemKind::Undelivered)
    );
    assert!(state.reports.iter().all(|report| read_report(report).contains("4.4.7 given up")));
    gateway.stop().await;
}

/// H08: when an answer fails at once its verified author hears of it, without a word of what is in it. What fails behind
/// the smarthost is reported inside, and never to an address outside.
#[tokio::test]
async fn an_answer_from_outside_does_not_vanish() {
    let smarthost = Smarthost::start(Script::usual().when(Stage::Rcpt, MIEN, say("550 5.1.1 no"), 1));
    let gateway = Gateway::run(&smarthost, "[reply]\nbounces = \"beheer@voorbeeld.nl\"\n");
    gateway.send_item(&[PIET, MIEN], MESSAGE, |item| {
        item.kind = QueueItemKind::Reply;
        item.envelope.reverse_path = ReversePath::Address(Address::parse(KEES).unwrap());
    });
    let state = gateway.empty().await;
    let mail = &smarthost.seen().taken[0].mail;
    assert!(mail.starts_with("MAIL FROM:<beheer@voorbeeld.nl>"), "{mail}");
    assert_eq!(state.reports.len(), 1);
    assert_eq!(state.reports[0].envelope.recipients[0].address.as_str(), KEES);
    let report = read_report(&state.reports[0]);
    assert!(report.contains(MIEN) && !report.contains("hallo"), "{report}");
    gateway.stop().await;
}

/// Who writes mail that may be too large asks what the next hop has said.
#[tokio::test]
async fn the_largest_mail_is_what_the_next_hop_last_said() {
    for (extensions, expected) in [(&["SIZE 12345"][..], Some(12345)), (&["SIZE"], None), (&[], None)] {
        let smarthost = Smarthost::start(Script::offering(extensions));
        let gateway = Gateway::run(&smarthost, "");
        assert_eq!(gateway.largest.octets(&name(&smarthost)), None, "not asked yet");
        gateway.send(&[PIET]);
        gateway.empty().await;
        assert_eq!(gateway.largest.octets(&name(&smarthost)), expected, "{extensions:?}");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn connections_are_used_again_and_a_dead_one_costs_nothing() {
    let smarthost = Smarthost::start(Script::usual());
    let gateway = Gateway::run(&smarthost, "max_connections = 1");
    for _ in 0..3 {
        gateway.send(&[PIET]);
        gateway.empty().await;
    }
    let seen = smarthost.seen();
    assert_eq!(seen.connections, 1);
    assert!(!seen.verbs(1).contains(&"RSET".to_owned()), "nothing to reset");

    // Closed, hung up at MAIL, or told to go away on a connection that worked before: a fresh one at once.
    for act in [Act::Close, Act::SayAndClose("421 4.4.2 idle too long".into())] {
        smarthost.change(Script::usual().once(Stage::Mail, act));
        let before = smarthost.seen().taken.len();
        gateway.send(&[PIET]);
        let state = gateway.empty().await;
        assert!(outcomes(&state).iter().all(|outcome| outcome == "1 delivered"));
        assert_eq!(smarthost.seen().taken.len(), before + 1);
    }
    assert_eq!(smarthost.seen().connections, 3);
    gateway.stop().await;
    let seen = smarthost.wait(|seen| seen.closed == seen.connections);
    assert_eq!(seen.verbs(3).last().map(String::as_str), Some("QUIT"));
}

#[tokio::test]
async fn a_server_that_talks_out_of_turn_is_left() {
    // A second answer behind the one for this mail would be taken for that of the next.
    let smarthost =
        Smarthost::start(Script::usual().once(Stage::Dot, say("250 2.0.0 ok\n250 2.0.0 and one more")));
    let gateway = Gateway::run(&smarthost, "");
    gateway.send(&[PIET]);
    gateway.empty().await;
    smarthost.change(Script::usual().at(Stage::Rcpt, say("550 5.1.1 no")));
    gateway.send(&[MIEN]);
    let state = gateway.empty().await;
    assert_eq!(outcomes(&state), ["1 delivered", "1 failed 550 5.1.1 no (RCPT TO)"]);
    assert_eq!(smarthost.seen().connections, 2);
    gateway.stop().await;
}

#[tokio::test]
async fn required_tls_is_used_and_checked() {
    let (server, clients) = certificate();
    for (script, tls) in [
        (Script::usual().and_offering("STARTTLS").with_tls(server.clone()), "required"),
        (Script::usual().with_implicit_tls(server.clone()), "implicit"),
    ] {
        let smarthost = Smarthost::start(script);
        let gateway = Gateway::run_with(&smarthost, &format!("tls = \"{tls}\""), clients.clone());
        gateway.send(&[PIET]);
        gateway.empty().await;
        let seen = smarthost.seen();
        assert!(seen.taken[0].encrypted);
        assert_eq!(seen.taken[0].message, MESSAGE.as_bytes());
        nothing_in_clear(&seen);
        gateway.stop().await;
    }
}

/// C10: stripped, refused, injected, or with a certificate that nobody vouches for.
#[tokio::test]
async fn required_tls_that_cannot_be_had_sends_nothing() {
    let (server, clients) = certificate();
    let (_, strangers) = certificate();
    let offering = || Script::usual().and_offering("STARTTLS").with_tls(server.clone());
    for (what, script, clients, reason) in [
        ("stripped", Script::usual(), &clients, "does not offer STARTTLS"),
        ("no EHLO", offering().at(Stage::Ehlo, say("502 no")), &clients, "does not offer STARTTLS"),
        ("refused", offering().at(Stage::StartTls, say("454 4.7.0 not now")), &clients, "454 4.7.0 not now"),
        ("injected", offering().injecting("250 AUTH PLAIN"), &clients, "plain text behind"),
        ("untrusted", offering(), &strangers, "no encryption"),
    ] {
        let smarthost = Smarthost::start(script);
        let gateway = Gateway::run_with(&smarthost, "tls = \"required\"", clients.clone());
        gateway.send(&[PIET]);
        let state = gateway.finished(1).await;
        let outcome = &outcomes(&state)[0];
        assert!(outcome.starts_with("1 later") && outcome.contains(reason), "{what}: {outcome}");
        assert_eq!(state.rows.len(), 1, "the queue holds it");
        nothing_in_clear(&smarthost.seen());
        gateway.stop().await;
    }
}

#[tokio::test]
async fn opportunistic_tls_takes_what_it_can_get() {
    let (server, _) = certificate();
    let offering = || Script::usual().and_offering("STARTTLS").with_tls(server.clone());
    for (what, script, encrypted) in [
        ("offered", offering(), true),
        ("not offered", Script::usual(), false),
        ("refused", offering().at(Stage::StartTls, say("454 4.7.0 not now")), false),
        ("broken", offering().once(Stage::StartTls, Act::SayAndClose("220 2.0.0 go".into())), false),
    ] {
        let smarthost = Smarthost::start(script);
        let gateway = Gateway::run(&smarthost, "");
        gateway.send(&[PIET]);
        gateway.empty().await;
        assert_eq!(smarthost.seen().taken[0].encrypted, encrypted, "{what}");
        gateway.stop().await;
    }
    // Words in the server's mouth are an attack, whatever the mode.
    let smarthost = Smarthost::start(offering().injecting("250 evil"));
    let gateway = Gateway::run(&smarthost, "");
    gateway.send(&[PIET]);
    let state = gateway.finished(1).await;
    assert!(outcomes(&state)[0].contains("plain text behind"));
    gateway.stop().await;
}

#[tokio::test]
async fn logs_in_under_tls_only() {
    let (server, clients) = certificate();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "geheim wachtwoord\nnot this line\n").unwrap();
    let login = format!("username = \"zegel\"\npassword_file = \"{}\"", file.display());
    for mechanism in ["AUTH PLAIN LOGIN", "AUTH LOGIN"] {
        let script = Script::usual().and_offering("STARTTLS").and_offering(mechanism);
        let script = script.with_tls(server.clone()).with_credentials("zegel", "geheim wachtwoord");
        let smarthost = Smarthost::start(script);
        let gateway = Gateway::run_with(&smarthost, &format!("tls = \"required\"\n{login}"), clients.clone());
        gateway.send(&[PIET]);
        gateway.empty().await;
        nothing_in_clear(&smarthost.seen());
        gateway.stop().await;
    }
    let in_clear =
        || Script::usual().and_offering("AUTH PLAIN").with_credentials("zegel", "geheim wachtwoord");
    for (tls, script, expected) in [
        ("opportunistic", in_clear(), "the connection is not encrypted"),
        ("off", in_clear(), "delivered"),
        ("off", Script::usual(), "neither PLAIN nor LOGIN"),
        ("off", in_clear().with_credentials("zegel", "anders"), "535 5.7.8 wrong"),
    ] {
        let smarthost = Smarthost::start(script);
        let gateway = Gateway::run(&smarthost, &format!("tls = \"{tls}\"\n{login}"));
        gateway.send(&[PIET]);
        let outcome = outcomes(&gateway.finished(1).await)[0].clone();
        assert!(outcome.contains(expected), "{tls}: {outcome}");
        assert!(!outcome.contains("geheim"));
        gateway.stop().await;
    }
}

/// All that must not be read on the way.
const SECRET: [QueueItemKind; 9] = [
    QueueItemKind::Notification,
    QueueItemKind::Receipt,
    QueueItemKind::Ask,
    QueueItemKind::Reminder,
    QueueItemKind::Unopened,
    QueueItemKind::Download,
    QueueItemKind::Reply,
    QueueItemKind::Confirmation,
    QueueItemKind::Verification,
];

/// C30: not offered, stripped, refused or broken, it waits; and ordinary mail goes meanwhile, as it always did.
#[tokio::test]
async fn secret_mail_waits_until_there_is_tls() {
    let (server, _) = certificate();
    let offering = || Script::usual().and_offering("STARTTLS").with_tls(server.clone());
    for (what, script, reason) in [
        ("not offered", Script::usual(), "the server does not offer STARTTLS"),
        ("no EHLO", offering().at(Stage::Ehlo, say("502 no")), "the server does not offer STARTTLS"),
        ("refused", offering().at(Stage::StartTls, say("454 4.7.0 not now")), "454 4.7.0 not now"),
        ("broken", offering().at(Stage::StartTls, Act::SayAndClose("220 2.0.0 go".into())), "TLS failed"),
    ] {
        let smarthost = Smarthost::start_exposed(script);
        let gateway = Gateway::run(&smarthost, "");
        for (n, kind) in SECRET.into_iter().enumerate() {
            gateway.send_item(&[MIEN], MESSAGE, |item| item.kind = kind);
            let state = gateway.finished(2 * n + 1).await;
            let outcome = outcomes(&state).pop().unwrap();
            let where_to = format!("1 later 4.7.5 this mail needs TLS and {} gives none", name(&smarthost));
            assert_eq!(state.rows[0].problem, Some(Problem::NeedsTls));
            assert!(outcome.starts_with(&where_to) && outcome.contains(reason), "{what} {kind:?}: {outcome}");
            // It leaves a connection that is open and exposed.
            gateway.send(&[PIET]);
            gateway.finished(2 * n + 2).await;
        }
        let seen = smarthost.seen();
        assert_eq!((seen.copies(PIET), seen.copies(MIEN)), (SECRET.len(), 0), "{what}");
        assert!(!seen.commands.iter().any(|(_, line)| line.contains(MIEN)), "{what}: {:?}", seen.commands);

        smarthost.change(offering());
        gateway.pass(MINUTE);
        gateway.empty().await;
        let taken = smarthost.seen().taken;
        let secret: Vec<_> = taken.iter().filter(|taken| taken.addresses() == [MIEN]).collect();
        assert!(secret.len() == SECRET.len() && secret.iter().all(|taken| taken.encrypted), "{what}");
        gateway.stop().await;
    }
}

/// C30: what does not leave the machine, and where `tls = "off"` was written.
#[tokio::test]
async fn secret_mail_goes_in_clear_on_loopback_and_where_tls_is_off() {
    for (smarthost, relay) in [
        (Smarthost::start(Script::usual()), ""),
        (Smarthost::start_exposed(Script::usual()), "tls = \"off\""),
    ] {
        let gateway = Gateway::run(&smarthost, relay);
        for kind in SECRET {
            gateway.send_item(&[MIEN], MESSAGE, |item| item.kind = kind);
        }
        gateway.empty().await;
        assert_eq!(smarthost.seen().copies(MIEN), SECRET.len());
        gateway.stop().await;
    }
}

/// What zegel writes to people inside has a way of its own, and neither way's connections serve the other.
#[tokio::test]
async fn mail_to_people_inside_goes_its_own_way() {
    const JAN: &str = "jan@voorbeeld.nl";
    let (outside, inside) = (Smarthost::start(Script::usual()), Smarthost::start(Script::usual()));
    let gateway = Gateway::run(&outside, &format!("[relay.inside]\nsmarthost = \"{}\"", inside.address()));
    let kinds = SECRET.into_iter().chain([QueueItemKind::Report, QueueItemKind::Recall]);
    for kind in kinds.clone() {
        for to in [JAN, PIET] {
            gateway.send_item(&[to], MESSAGE, |item| item.kind = kind);
            gateway.empty().await;
        }
    }
    gateway.send(&[JAN]);
    let state = gateway.empty().await;
    let count = kinds.count();
    let (out, into) = (outside.seen(), inside.seen());
    assert_eq!((out.copies(PIET), into.copies(JAN)), (count, count));
    assert_eq!((out.copies(JAN), into.copies(PIET)), (1, 0), "a message that passes goes the usual way");
    assert_eq!((out.connections, into.connections), (1, 1));
    assert_eq!(state.events[0].origin.to_string(), inside.address().to_string());
    gateway.stop().await;
}

/// A login is for the server that it was given for.
#[tokio::test]
async fn no_server_gets_the_login_of_another() {
    let (server, clients) = certificate();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "geheim\n").unwrap();
    let script =
        || Script::usual().and_offering("STARTTLS").and_offering("AUTH PLAIN").with_tls(server.clone());
    let outside = Smarthost::start(script().with_credentials("zegel", "geheim"));
    let inside = Smarthost::start(script());
    let relay = format!(
        "tls = \"required\"\nusername = \"zegel\"\npassword_file = \"{}\"\n\
         [relay.inside]\nsmarthost = \"{}\"",
        file.display(),
        name(&inside)
    );
    let gateway = Gateway::run_with(&outside, &relay, clients);
    gateway.send_item(&["jan@voorbeeld.nl"], MESSAGE, |item| item.kind = QueueItemKind::Receipt);
    gateway.send(&[PIET]);
    gateway.empty().await;
    assert!(outside.seen().verbs(1).contains(&"AUTH".to_owned()));
    assert!(!inside.seen().verbs(1).contains(&"AUTH".to_owned()));
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_cannot_be_recorded_is_not_delivered_again() {
    let smarthost = Smarthost::start(Script::usual());
    let gateway = Gateway::run(&smarthost, "");
    gateway.queue.break_finish(2);
    gateway.send(&[PIET]);
    smarthost.wait(|seen| seen.taken.len() == 1);
    // Long after every claim has run out.
    gateway.pass(Duration::from_secs(86_400));
    gateway.empty().await;
    assert_eq!(smarthost.seen().copies(PIET), 1);
    gateway.stop().await;
}

/// A crash doubles every delivery whose outcome is not recorded: there are two for each connection at most (H02).
#[tokio::test(flavor = "multi_thread")]
async fn few_outcomes_wait_to_be_recorded() {
    let smarthost = Smarthost::start(Script::usual());
    let gateway = Gateway::run(&smarthost, "max_connections = 2");
    let often = 1000;
    gateway.queue.break_finish(often);
    for _ in 0..10 {
        gateway.send(&[PIET]);
    }
    smarthost.wait(|seen| seen.taken.len() == 4);
    // Each is tried again a second later: time enough for a fifth delivery.
    gateway.queue.wait(|state| state.broken <= often - 12).await;
    assert_eq!(smarthost.seen().taken.len(), 4);
    gateway.queue.break_finish(0);
    gateway.empty().await;
    assert_eq!(smarthost.seen().copies(PIET), 10);
    gateway.stop().await;
}

#[tokio::test]
async fn a_damaged_body_is_held_and_never_sent() {
    let smarthost = Smarthost::start(Script::usual());
    let gateway = Gateway::run(&smarthost, "");
    let large = "x\r\n".repeat(100_000);
    gateway.send_item(&[PIET], &large, |item| {
        let message = CrlfBytes::check(large.as_bytes().to_vec()).unwrap();
        item.body = body::seal(&key(), &message).unwrap();
        let BodyData::Inline(sealed) = &mut item.body.data else { panic!("in its row") };
        *sealed.last_mut().unwrap() ^= 1;
    });
    let state = gateway.finished(1).await;
    let outcome = &outcomes(&state)[0];
    assert!(outcome.starts_with("1 later 4.3.0 the queued message cannot be read"), "{outcome}");
    assert!(smarthost.seen().taken.is_empty(), "not even the part that is whole");
    gateway.stop().await;
}

#[tokio::test]
async fn one_slow_delivery_does_not_hold_up_the_others() {
    let smarthost = Smarthost::start(Script::usual().when(Stage::Rcpt, "traag", Act::Hang, usize::MAX));
    let gateway = Gateway::run(&smarthost, "max_connections = 2");
    gateway.send(&["traag@example.org"]);
    for n in 0..50 {
        gateway.send(&[format!("r{n}@example.org").as_str()]);
    }
    let state = gateway.queue.wait(|state| state.rows.len() == 1).await;
    assert!(state.rows[0].waiting[0].recipient.address.as_str().starts_with("traag"));
    assert_eq!(smarthost.seen().taken.len(), 50);
    gateway.stop().await;
}

#[tokio::test]
async fn stopping_finishes_what_is_in_flight() {
    let smarthost = Smarthost::start(Script::usual());
    let gateway = Gateway::run(&smarthost, "max_connections = 4");
    for n in 0..100 {
        gateway.send(&[format!("r{n}@example.org").as_str()]);
    }
    gateway.finished(1).await;
    let queue = gateway.queue.clone();
    gateway.stop().await;
    let (state, seen) = (queue.state(), smarthost.seen());
    assert_eq!(seen.taken.len(), state.outcomes.len(), "what was delivered is recorded");
    assert_eq!(state.rows.len() + state.outcomes.len(), 100);
}

#[tokio::test]
async fn a_clock_that_was_set_back_does_not_strand_the_queue() {
    let smarthost = Smarthost::start(Script::usual());
    let gateway = Gateway::run(&smarthost, "");
    gateway.send_item(&[PIET], MESSAGE, |item| {
        item.created = zegel::clock::days_later(start(), 3650);
    });
    gateway.empty().await;
    assert_eq!(smarthost.seen().copies(PIET), 1);
    gateway.stop().await;
}

fn ruling(reason: Option<&str>) -> Ruling {
    let by = Recorded::Known(Actor::Admin("beheer".to_owned()));
    Ruling { since: start(), by, reason: reason.map(str::to_owned) }
}

/// A claim may be older than the decision, or be a node's that knows nothing of it.
#[tokio::test]
async fn what_is_held_is_given_back_and_not_begun() {
    let smarthost = Smarthost::start(Script::usual());
    let gateway = Gateway::run(&smarthost, "");
    smarthost.change(Script::usual().when(Stage::Rcpt, PIET, say("450 4.2.0 later"), 1));
    let id = gateway.send(&[PIET]);
    gateway.finished(1).await;
    gateway.queue.decide(&id, ByHand { hold: Some(ruling(None)), ..ByHand::default() });
    gateway.pass(10 * MINUTE);
    let state = gateway.queue.wait(|state| state.rows[0].problem == Some(Problem::Frozen)).await;
    assert_eq!((state.finished, state.outcomes.len(), state.events.len()), (2, 1, 1), "{state:?}");
    assert_eq!(smarthost.seen().taken.len(), 0);
    gateway.queue.decide(&id, ByHand::default());
    gateway.queue.retry_all(gateway.clock.now());
    gateway.wake.wake();
    gateway.empty().await;
    assert_eq!(smarthost.seen().copies(PIET), 1);
    gateway.stop().await;
}

/// A week in which it was held is no week in which it was tried.
#[tokio::test]
async fn what_was_held_is_not_given_up_for_its_age() {
    let smarthost = Smarthost::start(Script::usual().at(Stage::Rcpt, say("450 4.2.0 later")));
    let gateway =
        Gateway::run(&smarthost, "retry = [\"1m\", \"1m\", \"1m\", \"1m\", \"1m\"]\ngive_up_after = \"6m\"");
    let (id, other) = (gateway.send(&[PIET]), gateway.send(&[MIEN]));
    gateway.finished(2).await;
    gateway.queue.decide(&id, ByHand { held_for: 7 * 24 * 60 * MINUTE, ..ByHand::default() });
    for attempts in [4, 6, 8] {
        gateway.pass(2 * MINUTE);
        gateway.finished(attempts).await;
    }
    let state = gateway.queue.wait(|state| state.rows.len() == 1).await;
    assert_eq!(state.rows[0].item.id, id);
    let failed = |(item, _, outcome): &&(QueueId, u32, Outcome)| {
        *item == other && matches!(outcome, Outcome::Failed(_))
    };
    assert_eq!(state.outcomes.iter().filter(failed).count(), 1);
    gateway.stop().await;
}

/// RFC 3464: with the administrator's reason, to the sender; nothing of it reaches a recipient, and `soft_bounce` is not meant.
#[tokio::test]
async fn what_is_sent_back_is_reported_with_the_reason() {
    let smarthost = Smarthost::start(Script::usual().at(Stage::Rcpt, say("450 4.2.0 later")));
    let gateway = Gateway::run(&smarthost, "soft_bounce = true");
    let id = gateway.send(&[PIET, MIEN]);
    gateway.finished(1).await;
    let reason = "te groot voor hen, \u{e9}n dubbel";
    gateway.queue.decide(&id, ByHand { bounce: Some(ruling(Some(reason))), ..ByHand::default() });
    gateway.pass(10 * MINUTE);
    let state = gateway.empty().await;
    assert_eq!(smarthost.seen().taken.len(), 0);
    assert_eq!(state.reports.len(), 1);
    let report = &state.reports[0];
    assert_eq!(report.envelope.reverse_path, ReversePath::Null);
    assert_eq!(report.envelope.recipients[0].address.as_str(), "jan@voorbeeld.nl");
    let text = read_report(report);
    for line in [
        "Final-Recipient: rfc822; piet@example.org\r\n",
        "Final-Recipient: rfc822; mien@example.org\r\n",
        "Action: failed\r\n",
        "Status: 5.7.1\r\n",
        "Diagnostic-Code: x-zegel; 5.7.1 sent back by the administrator: te groot voor hen, ?n dubbel\r\n",
    ] {
        assert!(text.contains(line), "{line:?} in\n{text}");
    }
    assert!(!text.contains("Remote-MTA"), "no server has refused it: {text}");
    assert_eq!(
        &outcomes(&state)[2..],
        ["1", "2"].map(|n| format!("{n} failed 5.7.1 sent back by the administrator: {reason}"))
    );
    gateway.stop().await;
}

/// C38: what zegel wrote is not kept any longer, for somebody has decided so; and somebody else hears of it.
#[tokio::test]
async fn what_is_sent_back_and_has_no_sender_is_told_to_the_postmaster() {
    let smarthost = Smarthost::start(Script::usual().at(Stage::Rcpt, say("550 5.1.1 no")));
    let gateway = Gateway::run(&smarthost, "");
    for (n, kind) in FROM_NOBODY.into_iter().chain([QueueItemKind::Message]).enumerate() {
        smarthost.change(Script::usual().at(Stage::Rcpt, say("450 4.2.0 later")));
        let id = gateway.send_item(&[PIET], MESSAGE, from_nobody(kind));
        gateway.finished(2 * n + 1).await;
        gateway.queue.decide(&id, ByHand { bounce: Some(ruling(Some("dubbel"))), ..ByHand::default() });
        gateway.pass(10 * MINUTE);
        let state = gateway.empty().await;
        let notice = state.reports.last().unwrap();
        assert_eq!((state.reports.len(), notice.kind), (n + 1, QueueItemKind::Undelivered), "{kind:?}");
        let text = read_report(notice);
        assert!(text.contains("5.7.1 sent back by the administrator: dubbel"), "{text}");
        assert!(!text.contains("zegel queue retry"), "it is gone: {text}");
    }
    assert_eq!(smarthost.seen().taken.len(), 0);
    gateway.stop().await;
}
