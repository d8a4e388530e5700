//! A bucket that has every trouble, and a real one.

use std::io::{ErrorKind, Read, Write};
use std::mem;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::write::PART;
use super::*;
#[cfg(feature = "system-tests")]
use crate::clock::{DAY, earlier, later};
use crate::store::conformance::blobs_conformance;
#[cfg(feature = "system-tests")]
use crate::store::postgresql::tests::place;
use crate::store::{Result, StoreError, all_names};

#[cfg(feature = "system-tests")]
#[path = "../../../tests/support/radosgw.rs"]
pub mod radosgw;
#[path = "../../../tests/support/s3.rs"]
mod s3;

use self::s3::{Double, Trouble};

/// A service that ignores conditions.
mod careless {
    use super::*;
    blobs_conformance!(fresh());

    fn fresh() -> (ObjectBlobs, (Gateway, Double)) {
        let double = Double::start();
        let gateway = Gateway::new(&double.endpoint(), "");
        (gateway.blobs(), (gateway, double))
    }
}

/// What a gateway knows, but for its database.
struct Gateway {
    runtime: Runtime,
    bucket: Bucket,
    intents: Arc<Noted>,
    clock: Clock,
    _dir: TempDir,
}

impl Gateway {
    fn new(endpoint: &str, prefix: &str) -> Self {
        Self::with_secret(endpoint, prefix, "geheim")
    }

    fn with_secret(endpoint: &str, prefix: &str, secret: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("credentials");
        std::fs::write(&file, format!("aws_access_key_id=zegel\naws_secret_access_key={secret}\n")).unwrap();
        let bucket = Bucket {
            name: "zegel".to_owned(),
            prefix: prefix.to_owned(),
            endpoint: Some(endpoint.to_owned()),
            region: "us-east-1".to_owned(),
            credentials_file: Some(file),
        };
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let clock = Clock::movable(Timestamp::now());
        Self { runtime, bucket, intents: Arc::default(), clock, _dir: dir }
    }

    /// A node whose bucket is known to be its own.
    fn blobs(&self) -> ObjectBlobs {
        let blobs = self.node();
        self.runtime.block_on(blobs.set_id(&FolderId::random())).unwrap();
        blobs
    }

    fn node(&self) -> ObjectBlobs {
        let intents: Arc<dyn BlobIntents> = Arc::clone(&self.intents) as _;
        ObjectBlobs::new(&self.bucket, intents, self.clock.clone(), self.runtime.handle().clone()).unwrap()
    }
}

/// Names that were written down.
#[derive(Default)]
struct Noted {
    names: Mutex<Vec<(BlobName, Timestamp)>>,
    is_away: AtomicBool,
}

#[async_trait]
impl BlobIntents for Noted {
    async fn intend(&self, names: Vec<BlobName>, now: Timestamp) -> Result<()> {
        if self.is_away.load(Ordering::Relaxed) {
            return Err(StoreError::Closed);
        }
        self.names.lock().unwrap().extend(names.into_iter().map(|name| (name, now)));
        Ok(())
    }
}

fn fresh() -> (Double, Gateway, ObjectBlobs) {
    let double = Double::start();
    let gateway = Gateway::new(&double.endpoint(), "gemeente");
    let blobs = gateway.blobs();
    (double, gateway, blobs)
}

/// Bytes that are different wherever one looks.
fn bytes(count: usize) -> Vec<u8> {
    (0..count as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn write(blobs: &ObjectBlobs, bytes: &[u8]) -> io::Result<BlobName> {
    let mut writer = blobs.create()?;
    writer.write_all(bytes)?;
    writer.commit()
}

fn read(blobs: &ObjectBlobs, name: &BlobName, from: u64) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    blobs.open_at(name, from)?.read_to_end(&mut all)?;
    Ok(all)
}

/// How many requests began so.
fn asked(double: &Double, request: &str) -> usize {
    double.requests().iter().filter(|line| line.starts_with(request)).count()
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(30), "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_small_blob_is_one_request_each_way() {
    let (double, _gateway, blobs) = fresh();
    let name = write(&blobs, &bytes(PART)).unwrap();
    let before = double.requests().len();
    assert!(read(&blobs, &name, 0).unwrap() == bytes(PART));
    assert_eq!(double.requests().len(), before + 1);
    assert_eq!(asked(&double, &format!("PUT /zegel/gemeente/blobs/{name}")), 1);
    assert_eq!(asked(&double, "POST"), 0, "no upload in parts");
}

#[test]
fn a_large_blob_goes_in_parts_and_comes_back_from_anywhere() {
    let (double, _gateway, blobs) = fresh();
    let content = bytes(2 * PART + 3);
    let name = write(&blobs, &content).unwrap();
    assert_eq!(asked(&double, "PUT /zegel/gemeente/blobs/"), 3);
    assert_eq!(double.uploads(), 0);
    for from in [0, 1, PART, 2 * PART + 2] {
        assert!(read(&blobs, &name, from as u64).unwrap() == content[from..], "from {from}");
    }
    assert_eq!(blobs.look(&name).unwrap().unwrap().size, content.len() as u64);
}

/// The library alone cannot send a part again (it is given up with its upload).
#[test]
fn a_part_that_fails_is_sent_again_by_itself() {
    let (double, _gateway, blobs) = fresh();
    let mut writer = blobs.create().unwrap();
    let content = bytes(2 * PART + 3);
    writer.write_all(&content[..PART + 1]).unwrap();
    double.trouble("PUT", Trouble::TornRequest(PART / 2));
    double.trouble("PUT", Trouble::LostAnswer);
    double.trouble("PUT", Trouble::Refused(500, "InternalError", None));
    writer.write_all(&content[PART + 1..]).unwrap();
    let name = writer.commit().unwrap();
    assert!(read(&blobs, &name, 0).unwrap() == content);
    for (part, times) in [(1, 1), (2, 4), (3, 1)] {
        let of_part =
            double.requests().iter().filter(|line| line.contains(&format!("partNumber={part}"))).count();
        assert_eq!(of_part, times, "part {part}");
    }
}

#[test]
fn an_answer_that_got_lost_is_no_failure() {
    let (double, _gateway, blobs) = fresh();
    let content = bytes(PART + 1);
    let mut writer = blobs.create().unwrap();
    writer.write_all(&content).unwrap();
    double.trouble("POST", Trouble::LostAnswer);
    let name = writer.commit().unwrap();
    assert!(read(&blobs, &name, 0).unwrap() == content);
    double.trouble("PUT", Trouble::LostAnswer);
    let name = write(&blobs, b"sealed").unwrap();
    assert_eq!(read(&blobs, &name, 0).unwrap(), b"sealed");
    double.trouble("DELETE", Trouble::LostAnswer);
    blobs.remove(&name).unwrap();
}

#[test]
fn a_service_that_asks_for_time_gets_it() {
    let (double, _gateway, blobs) = fresh();
    let begun = Instant::now();
    double.trouble("PUT", Trouble::Refused(503, "SlowDown", Some(1)));
    double.trouble("PUT", Trouble::TornRequest(2));
    let name = write(&blobs, b"sealed").unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    double.trouble("GET", Trouble::Refused(503, "SlowDown", None));
    assert_eq!(read(&blobs, &name, 0).unwrap(), b"sealed");
    double.trouble("DELETE", Trouble::Refused(503, "SlowDown", None));
    blobs.remove(&name).unwrap();
    double.trouble("GET", Trouble::Refused(503, "SlowDown", None));
    assert_eq!(all_names(&blobs).unwrap(), []);
}

#[test]
fn a_torn_answer_is_taken_up_where_it_broke() {
    let (double, _gateway, blobs) = fresh();
    let content = bytes(3_000_000);
    let name = write(&blobs, &content).unwrap();
    double.trouble("GET", Trouble::TornAnswer(1_000_000));
    double.trouble("GET", Trouble::TornAnswer(0));
    double.trouble("GET", Trouble::TornAnswer(500_000));
    assert!(read(&blobs, &name, 7).unwrap() == content[7..]);
    let gets =
        double.requests().into_iter().filter(|line| line.starts_with("GET /zegel/gemeente/blobs")).count();
    assert_eq!(gets, 4);
    let from = |line: &String| line.rsplit_once("bytes=")?.1.trim_end_matches('-').parse::<usize>().ok();
    let froms: Vec<usize> = double.requests().iter().filter_map(from).collect();
    assert_eq!(froms.first(), Some(&7));
    assert!(froms.is_sorted() && froms.last().is_some_and(|last| *last > 1_400_000), "{froms:?}");
}

#[test]
fn a_torn_blob_that_is_gone_is_an_error() {
    let (double, _gateway, blobs) = fresh();
    let name = write(&blobs, &bytes(3_000_000)).unwrap();
    double.trouble("GET", Trouble::Gone(1_000_000));
    let mut reader = blobs.open(&name).unwrap();
    let error = reader.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

#[test]
fn a_reader_whose_runtime_ends_does_not_come_to_the_end() {
    let (_double, gateway, blobs) = fresh();
    let name = write(&blobs, &bytes(6_000_000)).unwrap();
    let mut reader = blobs.open(&name).unwrap();
    reader.read_exact(&mut [0; 10]).unwrap();
    let Gateway { runtime, .. } = gateway;
    runtime.shutdown_timeout(Duration::from_secs(5));
    let error = reader.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{error}");
}

#[test]
fn wrong_credentials_are_told_once_and_not_shown() {
    let (double, _gateway, blobs) = fresh();
    let before = double.requests().len();
    double.trouble("PUT", Trouble::Refused(403, "SignatureDoesNotMatch", None));
    let error = write(&blobs, b"sealed").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    let text = error.to_string();
    assert!(
        text.starts_with("s3://zegel/gemeente/blobs/") && text.ends_with(": 403 SignatureDoesNotMatch"),
        "{text}"
    );
    assert_eq!(double.requests().len(), before + 1, "it is not tried again");
}

/// Whoever waits is told in bounded time, and all is well once it is back.
#[test]
fn a_service_that_is_away_is_told_and_comes_back() {
    let (double, gateway, blobs) = fresh();
    for _ in 0..3 {
        double.trouble("PUT", Trouble::Silence);
    }
    let begun = Instant::now();
    let error = write(&blobs, b"sealed").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let port = double.port;
    drop(double);
    let node = gateway.node();
    let begun = Instant::now();
    let error = write(&node, b"sealed").unwrap_err();
    assert!(error.to_string().contains("blobs/"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    let begun = Instant::now();
    for _ in 0..50 {
        assert!(write(&node, b"sealed").is_err());
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "nobody waits for it: {:?}", begun.elapsed());
    let double = Double::start_on(port);
    let begun = Instant::now();
    wait_for("it to be back", || write(&node, b"sealed").is_ok());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(double.objects().iter().filter(|name| name.contains("/blobs/")).count(), 1);
}

/// One small request at a time asks whether it is back, and what it asks for does not matter to a service that refuses.
#[test]
fn a_crowd_is_kept_from_a_service_that_is_away() {
    let (double, _gateway, blobs) = fresh();
    let line = s3::Line::to(double.port);
    let gateway = Gateway::new(&format!("http://127.0.0.1:{}", line.port), "gemeente");
    let node = gateway.node();
    let name = write(&node, b"sealed").unwrap();
    line.silence();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| assert!(write(&node, b"sealed").is_err()));
        }
    });
    assert!(begun.elapsed() < Duration::from_secs(11), "{:?}", begun.elapsed());
    let begun = Instant::now();
    assert!(read(&node, &name, 0).is_err() && node.look(&name).is_err() && node.remove(&name).is_err());
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    let before = double.requests().len();
    line.mend();
    let begun = Instant::now();
    wait_for("it to be back", || read(&node, &name, 0).is_ok());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let requests = double.requests().split_off(before);
    assert!(requests.len() <= 3, "{requests:#?}");
    assert_eq!(read(&blobs, &name, 0).unwrap(), b"sealed");
}

/// What the leader does that is no leader any more.
#[test]
fn a_look_for_unfinished_uploads_stops_at_once() {
    let (double, _gateway, blobs) = fresh();
    for _ in 0..3 {
        double.trouble("GET /zegel/?", Trouble::Silence);
    }
    let (stop, before) = (CancellationToken::new(), "2026-11-30T16:00:01Z".parse().unwrap());
    let asked_before = asked(&double, "GET /zegel/?");
    std::thread::scope(|scope| {
        let look = scope.spawn(|| blobs.end_unfinished(before, &stop));
        wait_for("the question", || asked(&double, "GET /zegel/?") > asked_before);
        let begun = Instant::now();
        stop.cancel();
        assert_eq!(look.join().unwrap().unwrap_err().kind(), ErrorKind::Interrupted);
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    });
}

/// What the service says of a bucket that was emptied, or of another one in its place, is not that every blob is lost.
#[test]
fn nothing_is_lost_because_everything_is() {
    let (double, gateway, blobs) = fresh();
    let (gone, name) = (write(&blobs, b"gone").unwrap(), write(&blobs, b"sealed").unwrap());
    blobs.remove(&gone).unwrap();
    assert_eq!(blobs.look(&gone).unwrap(), None);
    double.empty();
    let error = blobs.look(&name).unwrap_err();
    assert!(error.to_string().contains("is this our bucket?"), "{error}");
    assert_ne!(read(&blobs, &name, 0).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(gateway.runtime.block_on(blobs.get("sheet")).is_err());
    double.trouble("GET", Trouble::Refused(404, "NoSuchBucket", None));
    assert_ne!(read(&blobs, &name, 0).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_name_is_written_down_before_its_blob_is_there() {
    let (double, gateway, blobs) = fresh();
    let name = write(&blobs, b"sealed").unwrap();
    assert!(gateway.intents.names.lock().unwrap().iter().any(|(noted, _)| *noted == name));
    gateway.intents.is_away.store(true, Ordering::Relaxed);
    let before = asked(&double, "PUT");
    let written = (0..1000).map_while(|_| write(&blobs, b"sealed").ok()).count();
    assert!(written < 100, "names are taken ahead, but not many");
    assert_eq!(asked(&double, "PUT"), before + written);
    assert!(blobs.create().is_err());
}

/// Where versions may not be removed, the object is gone all the same, and what may pass is asked again.
#[test]
fn a_service_that_forbids_the_removal_of_versions_holds_up_nothing() {
    let (double, gateway, blobs) = fresh();
    let asked_for_versions = || double.requests().iter().filter(|line| line.contains("versions")).count();
    let delete = || gateway.runtime.block_on(blobs.delete("sheet")).unwrap();
    delete();
    assert_eq!(asked_for_versions(), 0, "where none are kept, nothing is asked");
    double.keep_versions();
    double.trouble("GET /zegel", Trouble::Refused(403, "AccessDenied", None));
    delete();
    assert_eq!(asked_for_versions(), 1);
    double.trouble("GET /zegel", Trouble::Refused(503, "SlowDown", None));
    delete();
    assert_eq!(asked_for_versions(), 3);
    double.trouble("GET /zegel", Trouble::TornAnswer(3));
    delete();
    assert_eq!(asked_for_versions(), 5);
}

/// The double says that every upload began on 30 November 2026 at four.
#[test]
fn what_a_dead_node_has_begun_is_ended_a_day_later() {
    let (double, gateway, blobs) = fresh();
    let kept = write(&blobs, &bytes(PART + 1)).unwrap();
    let mut writer = blobs.create().unwrap();
    writer.write_all(&bytes(PART + 1)).unwrap();
    // As a process does that is killed.
    mem::forget(writer);
    let end = |before: &str| gateway.runtime.block_on(blobs.end_uploads(before.parse().unwrap()));
    assert_eq!(end("2026-11-30T16:00:00Z").unwrap(), 0);
    assert_eq!(double.uploads(), 1);
    double.trouble("DELETE", Trouble::Refused(403, "AccessDenied", None));
    assert!(end("2026-11-30T16:00:01Z").is_err());
    assert_eq!(double.uploads(), 1);
    let before = "2026-11-30T16:00:01Z".parse().unwrap();
    assert_eq!(blobs.end_unfinished(before, &CancellationToken::new()).unwrap(), 1);
    assert_eq!((double.uploads(), all_names(&blobs).unwrap()), (0, vec![kept]));
    let asked_before = asked(&double, "GET /zegel/?");
    assert_eq!(blobs.end_unfinished(before, &CancellationToken::new()).unwrap(), 0);
    assert_eq!(asked(&double, "GET /zegel/?"), asked_before, "once an hour");
}

#[test]
fn an_upload_that_is_given_up_is_ended() {
    let (double, _gateway, blobs) = fresh();
    let mut writer = blobs.create().unwrap();
    writer.write_all(&bytes(PART + 1)).unwrap();
    assert_eq!(double.uploads(), 1);
    drop(writer);
    wait_for("the upload is ended", || double.uploads() == 0);
    let mut writer = blobs.create().unwrap();
    writer.write_all(&bytes(PART)).unwrap();
    double.trouble("PUT", Trouble::Refused(403, "AccessDenied", None));
    assert!(writer.write_all(b"more").is_err());
    assert!(writer.write_all(b"more").is_err(), "a part is missing");
    assert!(writer.commit().is_err(), "a part is missing");
    wait_for("the upload is ended", || double.uploads() == 0);
    assert_eq!(all_names(&blobs).unwrap(), []);
}

#[test]
fn lists_are_whole_whatever_a_page_holds() {
    let (double, _gateway, blobs) = fresh();
    let mut names: Vec<BlobName> = (0..12).map(|_| write(&blobs, b"sealed").unwrap()).collect();
    names.sort();
    let pages = |limit: usize| {
        let mut found: Vec<BlobName> = Vec::new();
        while let page = blobs.names(found.last(), limit).unwrap()
            && !page.is_empty()
        {
            assert!(page.len() <= limit);
            found.extend(page);
        }
        found
    };
    assert_eq!(pages(5), names);
    double.ignore_start_after();
    assert_eq!(pages(5), names);
}

#[test]
fn a_bucket_says_whose_it_is() {
    let (double, gateway, blobs) = fresh();
    let ask = || gateway.runtime.block_on(blobs.id());
    let id = FolderId::random();
    gateway.runtime.block_on(blobs.set_id(&id)).unwrap();
    assert_eq!(ask().unwrap(), Some(id.clone()));
    assert_eq!(double.objects(), [format!("zegel/gemeente/folder-{id}")]);
    let other = Gateway::new(&double.endpoint(), "gemeente/folder");
    assert_eq!(other.runtime.block_on(other.node().id()).unwrap(), None);
    double.empty();
    assert_eq!(ask().unwrap(), None);
}

/// With an authority of one's own: the variables that OpenSSL knows name it.
#[test]
fn a_private_authority_is_believed_when_it_is_named() {
    let (double, gateway, _) = fresh();
    let dir = tempfile::tempdir().unwrap();
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let roots = dir.path().join("roots.pem");
    std::fs::write(&roots, certified.cert.pem()).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config =
        rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config =
        config.with_no_client_auth().with_single_cert(vec![certified.cert.der().clone()], key).unwrap();
    let port = gateway.runtime.block_on(tls_in_front_of(double.port, config));
    let endpoint = format!("https://localhost:{port}");
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--ignored", "--exact", "store::objects::tests::in_a_process_of_its_own"]);
    let run =
        |child: &mut std::process::Command| child.env("ZEGEL_TEST_ENDPOINT", &endpoint).output().unwrap();
    let named = run(child.env("SSL_CERT_FILE", &roots));
    let text = String::from_utf8_lossy(&named.stdout).into_owned();
    assert!(named.status.success() && text.contains("1 passed"), "{text}");
    let unknown = run(child.env_remove("SSL_CERT_FILE"));
    let text = [unknown.stdout, unknown.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(!unknown.status.success() && text.contains("UnknownIssuer"), "{text}");
}

async fn tls_in_front_of(target: u16, config: rustls::ServerConfig) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut client) = acceptor.accept(client).await else { return };
                let mut server = tokio::net::TcpStream::connect(("127.0.0.1", target)).await.unwrap();
                tokio::io::copy_bidirectional(&mut client, &mut server).await.ok();
            });
        }
    });
    port
}

/// For the test above: the variables count for a whole process.
#[test]
#[ignore = "run by a_private_authority_is_believed_when_it_is_named"]
fn in_a_process_of_its_own() {
    let gateway = Gateway::new(&std::env::var("ZEGEL_TEST_ENDPOINT").unwrap(), "gemeente");
    write(&gateway.node(), b"sealed").unwrap();
}

#[test]
fn keys_are_apart_from_blobs() {
    let (_double, gateway, blobs) = fresh();
    let name = write(&blobs, b"sealed").unwrap();
    gateway.runtime.block_on(async {
        assert_eq!(blobs.get("7-x").await.unwrap(), None);
        for (object, content) in [("7-y", "old"), ("7-x", "new"), ("8-x", "")] {
            blobs.put(object, content.into()).await.unwrap();
        }
        assert_eq!(blobs.get("7-x").await.unwrap().as_deref(), Some(&b"new"[..]));
        assert_eq!(blobs.get("8-x").await.unwrap().as_deref(), Some(&b""[..]));
        assert_eq!(blobs.list("").await.unwrap(), ["7-x", "7-y", "8-x"]);
        assert_eq!(blobs.list("7-").await.unwrap(), ["7-x", "7-y"]);
        blobs.delete("7-y").await.unwrap();
        blobs.delete("7-y").await.unwrap();
        assert_eq!(blobs.list("").await.unwrap(), ["7-x", "8-x"]);
        for wrong in ["", "../blobs", "a/b", ".", "a b", "é"] {
            assert_eq!(
                blobs.put(wrong, vec![]).await.unwrap_err().kind(),
                ErrorKind::InvalidInput,
                "{wrong}"
            );
        }
    });
    assert_eq!(all_names(&blobs).unwrap(), [name]);
}

#[test]
fn many_large_writers_wait_for_each_other() {
    let (_double, gateway, blobs) = fresh();
    let blobs = Arc::new(blobs);
    let writers: Vec<_> = (0..3 * LARGE_AT_ONCE)
        .map(|_| {
            let blobs = Arc::clone(&blobs);
            gateway.runtime.spawn_blocking(move || write(&blobs, &bytes(2_000_000)).unwrap())
        })
        .collect();
    let written = gateway.runtime.block_on(futures_util::future::join_all(writers));
    assert_eq!(written.into_iter().flatten().count(), 3 * LARGE_AT_ONCE);
    assert_eq!(blobs.inner.large.available_permits(), LARGE_AT_ONCE);
}

/// A real service.
#[cfg(feature = "system-tests")]
mod real {
    use super::radosgw::{SECRET, shared};
    use super::s3::{Cut, Line};
    use super::*;

    blobs_conformance!(fresh());

    fn fresh() -> (ObjectBlobs, Gateway) {
        let gateway = Gateway::with_secret(&shared().endpoint(), BlobName::random().as_str(), SECRET);
        (gateway.blobs(), gateway)
    }

    #[test]
    fn a_blob_in_parts_comes_back() {
        let (blobs, _gateway) = fresh();
        let content = bytes(2 * PART + 3);
        let name = write(&blobs, &content).unwrap();
        for from in [0, PART - 1, 2 * PART + 3] {
            assert!(read(&blobs, &name, from as u64).unwrap() == content[from..], "from {from}");
        }
        blobs.remove(&name).unwrap();
        assert_eq!(blobs.look(&name).unwrap(), None);
    }

    #[test]
    fn a_line_that_breaks_tears_nothing() {
        let (_, gateway) = fresh();
        let line = Line::to(shared().port);
        let bucket =
            Bucket { endpoint: Some(format!("http://127.0.0.1:{}", line.port)), ..gateway.bucket.clone() };
        let gateway = Gateway { bucket, ..gateway };
        for cut in [Cut::Up(100), Cut::Up(1_000_000), Cut::Down(0), Cut::Down(20)] {
            line.cut(cut);
            let blobs = gateway.node();
            let content = bytes(3_000_000);
            let name = write(&blobs, &content).unwrap();
            line.cut(Cut::Down(1_000_000));
            // It has no connection yet.
            assert!(read(&gateway.node(), &name, 0).unwrap() == content, "{cut:?}");
            assert_eq!(line.left(), 0, "{cut:?}");
        }
        let names = all_names(&gateway.node()).unwrap();
        assert_eq!(names.len(), 4);
        for name in names {
            assert_eq!(gateway.node().look(&name).unwrap().unwrap().size, 3_000_000);
        }
    }

    #[test]
    fn wrong_credentials_are_refused() {
        let gateway = Gateway::with_secret(&shared().endpoint(), "x", "anders");
        let error = write(&gateway.node(), b"sealed").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert!(error.to_string().ends_with(": 403 SignatureDoesNotMatch"), "{error}");
        let error = gateway.node().look(&BlobName::random()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    }

    #[test]
    fn another_bucket_is_no_empty_one() {
        let (_, gateway) = fresh();
        let bucket = Bucket { name: "another".to_owned(), ..gateway.bucket.clone() };
        let gateway = Gateway { bucket, ..gateway };
        let blobs = gateway.node();
        assert!(write(&blobs, b"sealed").unwrap_err().to_string().ends_with("404 NoSuchBucket"));
        assert!(blobs.look(&BlobName::random()).is_err());
        assert!(all_names(&blobs).is_err());
    }

    /// C29 in a bucket that keeps versions.
    #[test]
    fn of_keys_every_version_goes() {
        let (_, gateway) = fresh();
        shared().bucket_with_versions("versions");
        let bucket = Bucket { name: "versions".to_owned(), ..gateway.bucket.clone() };
        let gateway = Gateway { bucket, ..gateway };
        let blobs = gateway.blobs();
        let there = || shared().request("GET", "/versions?versions=", "");
        gateway.runtime.block_on(async {
            for content in ["first", "second"] {
                blobs.put("sheet", content.into()).await.unwrap();
            }
            blobs.put("sheet-of-another", "kept".into()).await.unwrap();
            assert_eq!(there().matches("/keys/sheet<").count(), 2);
            blobs.delete("sheet").await.unwrap();
            assert_eq!(there().matches("/keys/sheet<").count(), 0, "{}", there());
            assert_eq!(blobs.get("sheet").await.unwrap(), None);
            assert_eq!(blobs.get("sheet-of-another").await.unwrap().as_deref(), Some(&b"kept"[..]));
            let advice = blobs.advice().await.join("\n");
            assert!(
                advice.contains("s3://versions/") && advice.contains("NoncurrentVersionExpiration"),
                "{advice}"
            );
        });
        shared().request(
            "PUT",
            "/versions?lifecycle=",
            "<LifecycleConfiguration><Rule><ID>zegel</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter>\
             <NoncurrentVersionExpiration><NoncurrentDays>7</NoncurrentDays></NoncurrentVersionExpiration></Rule>\
             </LifecycleConfiguration>",
        );
        assert_eq!(gateway.runtime.block_on(blobs.advice()), [""; 0]);
        let (blobs, gateway) = super::real::fresh();
        assert_eq!(gateway.runtime.block_on(blobs.advice()), [""; 0], "no versions, no advice");
    }

    #[test]
    fn what_a_dead_node_has_begun_is_ended() {
        let (blobs, gateway) = fresh();
        let kept = write(&blobs, b"kept").unwrap();
        let mut writer = blobs.create().unwrap();
        writer.write_all(&bytes(PART + 1)).unwrap();
        mem::forget(writer);
        let end = |before| gateway.runtime.block_on(blobs.end_uploads(before)).unwrap();
        let now = gateway.clock.now();
        assert_eq!(end(earlier(now, DAY)), 0);
        assert_eq!(end(later(now, DAY)), 1);
        assert_eq!(end(later(now, DAY)), 0);
        assert_eq!(all_names(&blobs).unwrap(), [kept]);
    }
}
