//! The steps that every message, or every large one, goes through, each by itself: the session, the end of data, the
//! decision, sealing and opening. Run by `cargo bench --bench micro`; compare with a run before a change
//! (`-- --save-baseline before`, then `-- --baseline before`).
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement that fails must stop, and Criterion's macros write no comments"
)]

use std::hint::black_box;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use zegel::address::{Address, ReversePath};
use zegel::envelope::{Envelope, Peer};
use zegel::message::crlf::CrlfBytes;
use zegel::message::header::Header;
use zegel::policy::{MessageContent, Policy, RuleInput};
use zegel::proxy_protocol::HeaderSenders;
use zegel::seal::keys::TransferKey;
use zegel::seal::{read, write};
use zegel::smtp::SmtpSettings;
use zegel::smtp::data::DataDecoder;
use zegel::smtp::inbox::{Inbox, Refusal};
use zegel::smtp::peers::Allowed;
use zegel::smtp::session::{Common, Next, Session};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

criterion_group!(benches, session, data, classify, seal, open);
criterion_main!(benches);

/// A mail of about `size` bytes that passes; every tenth line starts with a dot.
fn mail(size: usize) -> Vec<u8> {
    let mut mail =
        b"From: Jan Jansen <j.jansen@voorbeeld.nl>\r\nTo: Anna <anna@example.org>\r\nCc: bob@example.net\r\n\
        Subject: Uw aanvraag van 12 november\r\nDate: Mon, 23 Nov 2026 10:00:00 +0100\r\n\
        Message-ID: <1@voorbeeld.nl>\r\nIn-Reply-To: <2@example.org>\r\nReferences: <2@example.org>\r\n\
        MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
            .to_vec();
    let mut line = 0;
    while mail.len() < size {
        let dot: &[u8] = if line % 10 == 9 { b"." } else { b"" };
        mail.extend_from_slice(dot);
        mail.extend_from_slice(b"Geachte mevrouw, hierbij ontvangt u de stukken waar u om vroeg.\r\n");
        line += 1;
    }
    mail
}

/// As it goes over the wire behind DATA (RFC 5321 4.5.2).
fn stuffed(mail: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(mail.len() + 100);
    for line in mail.split_inclusive(|&octet| octet == b'\n') {
        if line.starts_with(b".") {
            wire.push(b'.');
        }
        wire.extend_from_slice(line);
    }
    wire.extend_from_slice(b".\r\n");
    wire
}

/// Takes everything and keeps nothing.
struct Anything;

impl Inbox for Anything {
    type Kept = &'static str;
    type Snapshot = ();

    fn begin(&self, _: &ReversePath) -> Result<(), Refusal> {
        Ok(())
    }

    fn postmaster(&self, (): &()) -> Address {
        Address::parse("postmaster@voorbeeld.nl").unwrap()
    }

    async fn keep(&self, (): (), _: Peer, _: Envelope, _: CrlfBytes) -> Result<&'static str, Refusal> {
        Ok("kept")
    }
}

/// From the greeting to QUIT, with one mail of 1 KiB, each command when the one before is answered.
fn session(criterion: &mut Criterion) {
    let settings = Arc::new(SmtpSettings {
        hostname: "veilig.voorbeeld.nl".into(),
        allowed: Allowed::new(vec!["127.0.0.0/8".parse().unwrap()]),
        header_senders: HeaderSenders::default(),
        max_message_size: 50 << 20,
        max_recipients: 1000,
        max_connections: 1000,
        max_connections_per_client: 100,
        idle_timeout: Duration::from_secs(300),
        memory_budget: 512 << 20,
        memory_budget_per_client: None,
        tls: None,
        require_tls: false,
    });
    let inbox = Arc::new(Anything);
    let client = SocketAddr::from(([127, 0, 0, 1], 12_345));
    let wire = stuffed(&mail(KIB));
    let steps: [&[u8]; 6] = [
        b"EHLO mail.voorbeeld.nl\r\n",
        b"MAIL FROM:<j.jansen@voorbeeld.nl>\r\n",
        b"RCPT TO:<anna@example.org>\r\n",
        b"DATA\r\n",
        &wire,
        b"QUIT\r\n",
    ];
    criterion.bench_function("session/1 KiB", |bencher| {
        bencher.iter(|| {
            let common = Common::new(settings.memory_budget);
            let mut session = Session::new(inbox.clone(), settings.clone(), common, client);
            let mut out = Vec::new();
            session.greet(&mut out);
            for step in steps {
                let (used, next) = session.receive(step, &mut out);
                assert_eq!(used, step.len());
                if let Next::Keep(delivery) = next {
                    black_box(delivery.message);
                    session.kept(Ok("kept"), &mut out);
                }
            }
            assert!(out.ends_with(b"\r\n"));
            out
        });
    });
}

/// Taking the dots out and finding the end.
fn data(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("data");
    for size in [KIB, MIB] {
        let wire = stuffed(&mail(size));
        group.throughput(Throughput::Bytes(wire.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(size), &wire, |bencher, wire| {
            bencher.iter(|| {
                let mut message = Vec::with_capacity(wire.len());
                let end = DataDecoder::default().decode(wire, |octets| message.extend_from_slice(octets));
                assert_eq!(end, (wire.len(), true));
                message
            });
        });
    }
}

/// The decision of the shipped rules for one recipient: only the header is read.
fn classify(criterion: &mut Criterion) {
    let policy = Policy::shipped();
    let sender = ReversePath::Address(Address::parse("j.jansen@voorbeeld.nl").unwrap());
    let recipient = Address::parse("anna@example.org").unwrap();
    let mut group = criterion.benchmark_group("classify");
    for size in [KIB, 10 * KIB, MIB] {
        let message = CrlfBytes::check(mail(size)).unwrap();
        group.bench_with_input(BenchmarkId::from_parameter(size), &message, |bencher, message| {
            bencher.iter(|| {
                let header = Header::parse(message.as_slice());
                let content = MessageContent::new(&header, message);
                policy.decide(&RuleInput {
                    content: &content,
                    sender: &sender,
                    recipient: &recipient,
                    internal: false,
                    sealed_thread: false,
                })
            });
        });
    }
}

/// One part, in memory; without Argon2, which has a cost of its own for each recipient.
fn seal(criterion: &mut Criterion) {
    let key = TransferKey::random();
    let mut group = criterion.benchmark_group("seal");
    group.sample_size(20);
    for size in [10 * KIB, 10 * MIB] {
        let plain = mail(size);
        group.throughput(Throughput::Bytes(plain.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(size), &plain, |bencher, plain| {
            let room = || Vec::with_capacity(plain.len() + plain.len() / 100 + KIB);
            bencher.iter_batched_ref(
                room,
                |sealed| write::write(&key, sealed, "1-stukken.txt", &mut &plain[..]).unwrap(),
                BatchSize::LargeInput,
            );
        });
    }
}

/// The same part again, to its last byte.
fn open(criterion: &mut Criterion) {
    let key = TransferKey::random();
    let plain = mail(10 * MIB);
    let mut sealed = Vec::new();
    write::write(&key, &mut sealed, "1-stukken.txt", &mut &plain[..]).unwrap();
    let mut group = criterion.benchmark_group("open");
    group.sample_size(20).throughput(Throughput::Bytes(plain.len() as u64));
    group.bench_function(BenchmarkId::from_parameter(10 * MIB), |bencher| {
        let mut buffer = vec![0; 64 * KIB];
        bencher.iter(|| {
            let mut opened = read::read(&key, &sealed[..]).unwrap();
            let mut size = 0;
            loop {
                match opened.read(&mut buffer).unwrap() {
                    0 => break,
                    read => size += read,
                }
            }
            assert_eq!(size, plain.len());
        });
    });
}
