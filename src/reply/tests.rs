//! Answers on a real store with real files, from a link to the mails in the queue; the clock is moved by hand.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use mail_parser::{MessageParser, MimeHeaders};
use tempfile::TempDir;

use super::*;
use crate::address::ReversePath;
use crate::config::{self, PasswordMode, Programs, ReplyDelivery, ReplyRecipients};
use crate::data_folder::Before;
use crate::id::{BlobName, FolderId, OrganisationId, QueueId, UploadId};
use crate::jobs::reminders::Reminders;
use crate::jobs::retention::Retention;
use crate::limits::TryRule;
use crate::locale::Language;
use crate::message::crlf::CrlfBytes;
use crate::message::header::Header;
use crate::outbox::body;
use crate::policy::{MessageContent, Policy, RuleInput};
use crate::secret::Secret;
use crate::sender::SenderService;
use crate::settings::testing::scope;
use crate::settings::{self, CurrentSettings, Organisation, Scope};
use crate::staff::Directory;
use crate::store::files::LocalBlobs;
use crate::store::sqlite::Sqlite;
use crate::store::{Acceptance, BlobFacts, BlobWriter, Item, QueueItemKind, Store, all_names};
use crate::transfer::access::Access;
use crate::transfer::sealing::{self, SealRequest};

const ORIGINAL: &[u8] = b"From: Jan de Vries <jan@voorbeeld.nl>\r\nTo: piet@example.org\r\n\
    Cc: Zaak 1 <zaak-1@voorbeeld.nl>\r\n\
    Message-ID: <origineel@voorbeeld.nl>\r\nReferences: <eerder@example.org>\r\n\
    Subject: [veilig] Besluit over uw aanvraag\r\n\r\nKANARIE\r\n";
/// Files, on a disk with as much room as a test says.
struct Disk {
    files: LocalBlobs,
    room: AtomicU64,
}

impl Blobs for Disk {
    fn create(&self) -> io::Result<Box<dyn BlobWriter>> {
        self.files.create()
    }
    fn open_at(&self, name: &BlobName, offset: u64) -> io::Result<Box<dyn io::Read + Send>> {
        self.files.open_at(name, offset)
    }
    fn remove(&self, name: &BlobName) -> io::Result<()> {
        self.files.remove(name)
    }
    fn room(&self) -> io::Result<Option<u64>> {
        Ok(Some(self.room.load(Ordering::Relaxed)))
    }
    fn names(&self, after: Option<&BlobName>, limit: usize) -> io::Result<Vec<BlobName>> {
        self.files.names(after, limit)
    }
    fn look(&self, name: &BlobName) -> io::Result<Option<BlobFacts>> {
        self.files.look(name)
    }
}

/// Answers with everything behind them, and one transfer to answer.
struct Desk {
    service: ReplyService,
    settings: CurrentSettings,
    access: Access,
    store: Arc<dyn Store>,
    blobs: Arc<Disk>,
    clock: Clock,
    dir: TempDir,
    token: String,
    grant: Grant,
    browser: Browser,
}

fn client() -> IpAddr {
    "192.0.2.1".parse().unwrap()
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

impl Desk {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::in_folder(dir).await
    }

    async fn in_folder(dir: TempDir) -> Self {
        let store: Arc<dyn Store> = Arc::new(Sqlite::open(&dir.path().join("zegel.db")).unwrap());
        let files = LocalBlobs::open(&dir.path().join("blobs")).unwrap();
        let blobs = Arc::new(Disk { files, room: AtomicU64::new(u64::MAX) });
        let keys = Keys::derive(&[7; 32]);
        let clock = Clock::movable("2026-11-23T10:00:00Z".parse().unwrap());
        let settings = CurrentSettings::new(settings::testing::settings(""));
        let service = ReplyService::new(ReplyParts {
            store: store.clone(),
            blobs: blobs.clone(),
            keys: keys.clone(),
            clock: clock.clone(),
            wake: WakeHandle::default(),
            largest: LargestMail::default(),
        });
        let rule = TryRule { attempts: 5, lock: Duration::from_secs(900) };
        let access = Access::new(store.clone(), blobs.clone(), keys.clone(), clock.clone(), rule);
        let token = seal(&*store, &*blobs, &keys, &clock).await;
        let grant = unlock(&access, &token).await;
        Self { service, settings, access, store, blobs, clock, dir, token, grant, browser: Browser::new() }
    }

    /// As for a request that begins now.
    fn replies(&self) -> Replies {
        let settings = self.settings.get();
        self.service.within(&Scope::new(settings.clone(), settings.operator().clone()))
    }

    /// Changes the settings, as SIGHUP does.
    fn configure(&self, change: impl FnOnce(&mut Organisation)) {
        self.settings.change(change);
    }

    /// Proves that this address is theirs.
    async fn verify_as(&self, name: &str, email: &str) {
        self.type_in(|typed| (typed.name, typed.email) = (name.into(), email.into())).await;
        let code = self.code(email).await;
        self.replies().verify(&self.grant, &self.browser, &code, client()).await.unwrap();
    }

    /// The answer to staff, sent with this text.
    async fn answer(&self, name: &str) -> Vec<u8> {
        let verified = self.replies().verified(&self.browser).await.unwrap().unwrap();
        let email = verified.address.to_string();
        let own = |typed: &mut Typed| {
            (typed.name, typed.email, typed.message) = (name.into(), email, "Hallo".into());
        };
        self.type_in(own).await;
        self.send().await.unwrap();
        let mails = self.mails().await;
        mails.into_iter().find(|(item, _)| item.kind == QueueItemKind::Reply).unwrap().1
    }

    /// Everything that waits in the queue, taken out of it: item and mail.
    async fn mails(&self) -> Vec<(Item, Vec<u8>)> {
        let now = self.clock.now();
        let items = self
            .store
            .claim_due(&FolderId::random(), now, crate::clock::days_later(now, 1), 100)
            .await
            .unwrap();
        let open = |item: &Item| {
            let chunks = body::open(&self.service.parts.keys.body, &*self.blobs, &item.body).unwrap();
            chunks.map(|chunk| chunk.unwrap()).collect::<Vec<_>>().concat()
        };
        items
            .into_iter()
            .map(|item| {
                let mail = open(&item);
                (item, mail)
            })
            .collect()
    }

    /// Asks for a code and reads it in the mail.
    async fn code(&self, to: &str) -> String {
        let language = Language::Nl;
        let asked =
            self.replies().request_code(&self.grant, &self.browser, address(to), client(), language).await;
        asked.unwrap();
        let mails = self.mails().await;
        let (item, mail) = mails.iter().find(|(item, _)| item.kind == QueueItemKind::Verification).unwrap();
        assert_eq!(item.recipients[0].recipient.address.as_str(), to);
        let message = MessageParser::default().parse(mail).unwrap();
        assert_eq!(message.header_raw("X-Zegel-Notice").unwrap().trim(), "verification");
        let text = message.body_text(0).unwrap().into_owned();
        let is_code = |line: &&str| line.len() == 8 && line.bytes().all(|c| c.is_ascii_digit());
        text.lines().map(str::trim).find(is_code).unwrap().to_owned()
    }

    async fn verify(&self) {
        let code = self.code("piet@example.org").await;
        self.replies().verify(&self.grant, &self.browser, &code, client()).await.unwrap();
    }

    async fn try_code(&self, code: &str) -> Result<Verified> {
        self.replies().verify(&self.grant, &self.browser, code, client()).await
    }

    async fn type_in(&self, change: impl FnOnce(&mut Typed)) {
        let mut typed = self.replies().draft(&self.grant, &self.browser).await.unwrap().typed;
        typed.name = "Piet Jansen".into();
        change(&mut typed);
        let kept = |_, _| Kept::of(typed.clone());
        self.replies().change(&self.grant, &self.browser, kept).await.unwrap();
    }

    async fn begin(&self, name: &str, length: Option<u64>) -> Result<UploadId> {
        let upload =
            NewUpload { name: name.into(), media_type: "application/pdf".into(), length, at_most: 0 };
        self.replies().create_upload(&self.grant, &self.browser, upload).await
    }

    async fn append(&self, id: &UploadId, offset: u64, octets: &[u8]) -> Result<u64> {
        let pieces = octets.chunks(100_000).map(|piece| Ok(Bytes::copy_from_slice(piece)));
        let pieces = stream::iter(pieces.collect::<Vec<_>>());
        self.replies().append(&self.grant, &self.browser, id, offset, pieces).await
    }

    async fn upload(&self, name: &str, octets: &[u8]) -> UploadId {
        let id = self.begin(name, Some(octets.len() as u64)).await.unwrap();
        assert_eq!(self.append(&id, 0, octets).await.unwrap(), octets.len() as u64);
        id
    }

    async fn send(&self) -> Result<SentReply> {
        self.replies().send(&self.grant, &self.browser, client()).await
    }

    async fn check(&self) -> Vec<String> {
        let faults = self.replies().check(&self.grant, &self.browser).await.unwrap();
        faults.iter().map(|fault| format!("{:?} {fault}", fault.field())).collect()
    }

    async fn sweep(&self) {
        let ReplyParts { keys, clock, wake, .. } = self.service.parts.as_ref().clone();
        let store = self.store.clone();
        let sender = SenderService::new(store.clone(), keys, clock.clone(), wake);
        let reminders = Reminders::new(store.clone(), sender);
        let (blobs, settings) = (self.blobs.clone(), self.settings.clone());
        let retention = Retention::new(store, blobs, clock, settings, reminders, Before::default());
        retention.turn().await.unwrap();
    }

    /// Whether any file of the data folder holds these bytes.
    fn is_on_disk(&self, octets: &[u8]) -> bool {
        fn holds(folder: &Path, octets: &[u8]) -> bool {
            std::fs::read_dir(folder).unwrap().any(|entry| {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => holds(&path, octets),
                    false => memchr::memmem::find(&std::fs::read(&path).unwrap(), octets).is_some(),
                }
            })
        }
        holds(self.dir.path(), octets)
    }
}

async fn seal(store: &dyn Store, blobs: &dyn Blobs, keys: &Keys, clock: &Clock) -> String {
    let request = SealRequest {
        original: ORIGINAL.into(),
        subject: "Besluit over uw aanvraag".into(),
        from_name: None,
        from_address: None,
        co_authors: Vec::new(),
        agent: None,
        on_behalf_of: Vec::new(),
        message_id: None,
        date: None,
        text: None,
        html: None,
        files: Vec::new(),
        notes: Vec::new(),
        organisation: OrganisationId::of_domain("voorbeeld.nl"),
        sender: Some(address("jan@voorbeeld.nl")),
        automatic: false,
        language: None,
        download_notice: false,
        file_names: false,
        recipients: vec![address("piet@example.org"), address("els@example.org")],
        created: clock.now(),
        expires: crate::clock::days_later(clock.now(), 30),
        zone: crate::calendar::Zone::default(),
        password: PasswordMode::None,
        chosen: None,
        thread: Vec::new(),
        reply_to: Vec::new(),
        answers: Vec::new(),
    };
    let sealed = sealing::seal(blobs, &keys.link, request).unwrap();
    let acceptance = Acceptance { transfer: Some(sealed.transfer), ..Acceptance::new(QueueId::random()) };
    store.commit(acceptance).await.unwrap();
    sealed.tokens[0].reveal().to_owned()
}

async fn unlock(access: &Access, token: &str) -> Grant {
    let cookie = access.unlock(&scope(), token, None, client()).await.unwrap();
    access.resume(&scope(), token, cookie.value()).await.unwrap()
}

// ---- drafts

#[tokio::test]
async fn a_draft_begins_with_the_sender_and_stores_nothing() {
    let desk = Desk::new().await;
    let Draft { typed, uploads } = desk.replies().draft(&desk.grant, &desk.browser).await.unwrap();
    assert_eq!((typed.to.as_str(), typed.email.as_str()), ("jan@voorbeeld.nl", "piet@example.org"));
    assert!(typed.settings.confirm && uploads.is_empty());
    let author = desk.replies().author(&desk.grant, &desk.browser);
    assert_eq!(desk.store.draft(author).await.unwrap(), None);
}

/// C04, C17: nobody else sees it, and nobody reads it on disk.
#[tokio::test]
async fn what_was_typed_comes_back_in_this_browser_only() {
    let desk = Desk::new().await;
    desk.type_in(|typed| typed.message = "KANARIE-BERICHT".into()).await;
    desk.upload("KANARIE-NAAM.pdf", b"KANARIE-INHOUD").await;
    let draft = desk.replies().draft(&desk.grant, &desk.browser).await.unwrap();
    assert_eq!((draft.typed.message.as_str(), draft.typed.name.as_str()), ("KANARIE-BERICHT", "Piet Jansen"));
    assert_eq!((draft.uploads[0].name.as_str(), draft.uploads[0].offset), ("KANARIE-NAAM.pdf", 14));

    let other = Browser::new();
    let seen = desk.replies().draft(&desk.grant, &other).await.unwrap();
    assert!(seen.typed.message.is_empty() && seen.uploads.is_empty());
    let id = &draft.uploads[0].id;
    let foreign = desk.replies().upload(&desk.grant, &other, id).await;
    assert!(matches!(foreign, Err(ReplyError::UnknownUpload)), "{foreign:?}");
    let foreign = desk.replies().remove_upload(&desk.grant, &other, id).await;
    assert!(matches!(foreign, Err(ReplyError::UnknownUpload)));
    for canary in ["KANARIE", "Piet Jansen"] {
        assert!(!desk.is_on_disk(canary.as_bytes()), "{canary}");
    }
}

#[tokio::test]
async fn an_idle_draft_goes_after_a_day_with_its_blobs() {
    let desk = Desk::new().await;
    desk.type_in(|typed| typed.message = "Hallo".into()).await;
    desk.upload("a.pdf", b"octets").await;
    let before = all_names(&*desk.blobs).unwrap().len();
    desk.clock.advance(Duration::from_secs(24 * 3600 - 60));
    desk.sweep().await;
    assert_eq!(all_names(&*desk.blobs).unwrap().len(), before);
    desk.clock.advance(Duration::from_secs(120));
    desk.sweep().await;
    assert_eq!(all_names(&*desk.blobs).unwrap().len(), before - 1);
    assert_eq!(desk.store.draft(desk.replies().author(&desk.grant, &desk.browser)).await.unwrap(), None);
}

/// C25: with the transfer goes what was being written behind it.
#[tokio::test]
async fn expiry_ends_what_was_being_written() {
    let desk = Desk::new().await;
    desk.type_in(|typed| typed.message = "Hallo".into()).await;
    let id = desk.begin("a.pdf", Some(12)).await.unwrap();
    desk.append(&id, 0, b"octets").await.unwrap();
    desk.clock.advance(Duration::from_secs(31 * 86_400));
    let late = desk.append(&id, 6, b"octets").await;
    assert!(matches!(late, Err(ReplyError::Closed)), "{late:?}");
    desk.sweep().await;
    assert!(all_names(&*desk.blobs).unwrap().is_empty());
    let edit = MessageEdit { message: Some("te laat".into()), ..MessageEdit::default() };
    let kept = desk.replies().keep_message(&desk.grant, &desk.browser, &edit).await;
    assert!(kept.is_err());
}

// ---- codes

/// C23: once, in this browser, and remembered for 30 days.
#[tokio::test]
async fn a_code_proves_an_address_once() {
    let desk = Desk::new().await;
    desk.type_in(|typed| typed.phone = "06 12345678".into()).await;
    let code = desk.code("piet@example.org").await;
    assert!(desk.replies().verified(&desk.browser).await.unwrap().is_none());
    let other = desk.replies().verify(&desk.grant, &Browser::new(), &code, client()).await;
    assert!(matches!(other, Err(ReplyError::NoCode)), "{other:?}");

    let verified = desk.try_code(&format!(" {} {} ", &code[..4], &code[4..])).await.unwrap();
    assert_eq!((verified.name.as_str(), verified.address.as_str()), ("Piet Jansen", "piet@example.org"));
    assert_eq!(desk.replies().verified(&desk.browser).await.unwrap(), Some(verified));
    assert!(matches!(desk.try_code(&code).await, Err(ReplyError::NoCode)));
    assert!(!desk.is_on_disk(code.as_bytes()) && !desk.is_on_disk(b"06 12345678"));
    let spelled = "PIET@example.org".to_owned();
    desk.type_in(|typed| (typed.email, typed.message) = (spelled, "Hallo".into())).await;
    assert_eq!(desk.check().await, [""; 0]);

    desk.clock.advance(Duration::from_secs(30 * 86_400));
    assert!(desk.replies().verified(&desk.browser).await.unwrap().is_none());
}

#[tokio::test]
async fn a_browser_can_be_forgotten() {
    let desk = Desk::new().await;
    desk.verify().await;
    desk.replies().forget(&desk.browser).await.unwrap();
    assert!(desk.replies().verified(&desk.browser).await.unwrap().is_none());
}

/// C23: five tries in all, however many codes there are.
#[tokio::test]
async fn a_new_code_adds_no_tries() {
    let desk = Desk::new().await;
    let wrong = |code: &str| if code == "00000000" { "00000001" } else { "00000000" }.to_owned();
    let first = desk.code("piet@example.org").await;
    for left in [4, 3] {
        let tried = desk.try_code(&wrong(&first)).await;
        assert!(matches!(tried, Err(ReplyError::WrongCode { left: found }) if found == left), "{tried:?}");
    }
    let second = desk.code("piet@example.org").await;
    if first != second {
        assert!(matches!(desk.try_code(&first).await, Err(ReplyError::WrongCode { left: 2 })));
    }
    assert!(matches!(desk.try_code(&wrong(&second)).await, Err(ReplyError::WrongCode { left: 1 })));
    assert!(matches!(desk.try_code(&wrong(&second)).await, Err(ReplyError::WrongCode { left: 0 })));
    assert!(matches!(desk.try_code(&second).await, Err(ReplyError::NoCode)), "the right one comes too late");
    let again = desk
        .replies()
        .request_code(&desk.grant, &desk.browser, address("piet@example.org"), client(), Language::Nl)
        .await;
    assert!(matches!(again, Err(ReplyError::TooManyCodes(_))), "{again:?}");
    desk.clock.advance(Duration::from_secs(3601));
    let third = desk.code("piet@example.org").await;
    assert!(desk.try_code(&third).await.is_ok());
}

#[tokio::test]
async fn a_code_lives_ten_minutes() {
    let desk = Desk::new().await;
    let code = desk.code("piet@example.org").await;
    desk.clock.advance(Duration::from_secs(600));
    assert!(matches!(desk.try_code(&code).await, Err(ReplyError::ExpiredCode)));
}

/// H18: five mails an hour to one address, whatever browser asks; ten through one link.
#[tokio::test]
async fn code_mails_are_counted() {
    let desk = Desk::new().await;
    let ask = async |to: String| {
        let browser = Browser::new();
        desk.replies().request_code(&desk.grant, &browser, address(&to), client(), Language::En).await
    };
    for _ in 0..5 {
        ask("piet@example.org".into()).await.unwrap();
    }
    let sixth = ask("\"Piet\"@EXAMPLE.org".into()).await;
    let until = desk.clock.now().saturating_add(Duration::from_hours(1)).unwrap();
    assert!(matches!(sixth, Err(ReplyError::TooManyCodes(found)) if found == until), "{sixth:?}");
    for number in 0..5 {
        ask(format!("a{number}@example.org")).await.unwrap();
    }
    assert!(matches!(ask("b@example.org".into()).await, Err(ReplyError::TooManyCodes(_))));
    desk.clock.advance(Duration::from_hours(1));
    ask("piet@example.org".into()).await.unwrap();
}

/// H42: sixty codes through three networks, each to another spelling.
#[tokio::test]
async fn spellings_and_networks_make_no_more_codes() {
    let desk = Desk::new().await;
    let mut sent = 0;
    for number in 0..60 {
        let spelled = match number % 3 {
            0 => format!("Piet.Jansen+{number}@gmail.com"),
            1 => format!("pietjansen+{number}.x@GMAIL.com"),
            _ => format!("p.ietjansen+{number}@googlemail.com"),
        };
        let client: IpAddr = format!("2001:db8:{}::{number}", number % 3).parse().unwrap();
        let browser = Browser::new();
        let replies = desk.replies();
        let asked = replies.request_code(&desk.grant, &browser, address(&spelled), client, Language::Nl);
        sent += u32::from(asked.await.is_ok());
    }
    assert_eq!(sent, 5);
    assert_eq!(desk.mails().await.len(), 5);
}

// ---- uploads

#[tokio::test]
async fn an_upload_goes_on_where_it_was() {
    let desk = Desk::new().await;
    let octets: Vec<u8> = (0..20_000_000u32).map(|at| (at / 7) as u8).collect();
    let id = desk.begin("film.mp4", Some(octets.len() as u64)).await.unwrap();
    let broken = stream::iter([
        Ok(Bytes::copy_from_slice(&octets[..9_000_000])),
        Err(io::Error::from(io::ErrorKind::ConnectionReset)),
    ]);
    let result = desk.replies().append(&desk.grant, &desk.browser, &id, 0, broken).await;
    assert!(matches!(result, Err(ReplyError::Broken { offset: 9_000_000, .. })), "{result:?}");
    let upload = desk.replies().upload(&desk.grant, &desk.browser, &id).await.unwrap();
    assert_eq!((upload.offset, upload.is_complete()), (9_000_000, false));

    let wrong = desk.append(&id, 5, b"x").await;
    assert!(matches!(wrong, Err(ReplyError::WrongOffset { offset: 9_000_000 })), "{wrong:?}");
    assert_eq!(desk.append(&id, 9_000_000, &octets[9_000_000..]).await.unwrap(), 20_000_000);
    let draft = desk.store.draft(desk.replies().author(&desk.grant, &desk.browser)).await.unwrap().unwrap();
    assert_eq!(draft.uploads[0].pieces.len(), 4, "8 + 1 MB, then 8 + 3 MB");
    let vault = Vault::of_draft(&desk.grant, &desk.browser);
    let hash = files::LateHash::default();
    let mut reader = files::FileReader::new(
        vault,
        desk.blobs.clone(),
        &draft.uploads[0],
        "groot.pdf".into(),
        hash.clone(),
    );
    let mut read = Vec::new();
    io::Read::read_to_end(&mut reader, &mut read).unwrap();
    assert!(read == octets && hash.get().unwrap() == files::sha256(&octets));
}

/// C37: trying again does not help, so the author is told which file to add again, and can.
#[tokio::test]
async fn an_upload_that_is_lost_is_taken_out_and_named() {
    let desk = Desk::new().await;
    desk.verify().await;
    desk.type_in(|typed| typed.message = "Hierbij.".into()).await;
    let octets = vec![b'x'; 9_000_000];
    for (piece, change) in [(0, None), (1, None), (0, Some(100)), (1, Some(100))] {
        desk.upload("blijft.pdf", b"%PDF-1.7").await;
        desk.upload("groot.pdf", &octets).await;
        let author = || desk.replies().author(&desk.grant, &desk.browser);
        let draft = desk.store.draft(author()).await.unwrap().unwrap();
        let upload = draft.uploads.iter().find(|upload| upload.pieces.len() == 2).unwrap();
        let name = &upload.pieces[piece].blob;
        match change {
            None => desk.blobs.remove(name).unwrap(),
            Some(at) => {
                let text = name.to_string();
                let path = desk.dir.path().join("blobs").join(&text[..2]).join(&text);
                let mut bytes = std::fs::read(&path).unwrap();
                bytes[at] ^= 1;
                std::fs::write(&path, bytes).unwrap();
            }
        }
        let sent = desk.send().await;
        assert!(matches!(&sent, Err(ReplyError::LostFile { name, .. }) if name == "groot.pdf"), "{sent:?}");
        let left = desk.replies().draft(&desk.grant, &desk.browser).await.unwrap().uploads;
        assert_eq!(left.iter().map(|upload| upload.name.as_str()).collect::<Vec<_>>(), ["blijft.pdf"]);
        desk.upload("groot.pdf", &octets).await;
        assert_eq!(desk.send().await.unwrap().files.len(), 2);
        desk.type_in(|typed| typed.message = "En nog een.".into()).await;
    }
}

/// A client that goes away without a word loses nothing of what has come.
#[tokio::test]
async fn a_request_that_is_dropped_keeps_what_came() {
    let desk = Desk::new().await;
    let id = desk.begin("a.pdf", Some(10)).await.unwrap();
    let pieces = stream::iter([Ok(Bytes::from_static(b"octets"))]);
    let endless = futures_util::StreamExt::chain(pieces, stream::pending());
    let replies = desk.replies();
    let append = replies.append(&desk.grant, &desk.browser, &id, 0, endless);
    assert!(tokio::time::timeout(Duration::from_millis(300), append).await.is_err());
    for _ in 0..200 {
        if desk.replies().upload(&desk.grant, &desk.browser, &id).await.unwrap().offset == 6 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the octets are lost");
}

#[tokio::test]
async fn of_two_at_once_one_is_heard() {
    let desk = Desk::new().await;
    let id = desk.begin("a.pdf", Some(6)).await.unwrap();
    let both =
        futures_util::future::join(desk.append(&id, 0, b"octets"), desk.append(&id, 0, b"octets")).await;
    let (kept, refused): (Vec<_>, Vec<_>) = [both.0, both.1].into_iter().partition(Result::is_ok);
    assert_eq!((kept.len(), refused.len()), (1, 1));
    let is_late = matches!(refused[0], Err(ReplyError::UploadLocked | ReplyError::WrongOffset { offset: 6 }));
    assert!(is_late, "{refused:?}");
    assert_eq!(desk.replies().upload(&desk.grant, &desk.browser, &id).await.unwrap().offset, 6);
    let blobs = all_names(&*desk.blobs).unwrap().len();
    assert_eq!(blobs, 3, "two parts of the transfer and one piece");
}

/// H39: a second writer is told so at once, and nothing is written for it.
#[tokio::test]
async fn an_upload_that_is_written_is_locked() {
    let desk = Desk::new().await;
    let id = desk.begin("a.pdf", Some(12)).await.unwrap();
    let (octets, waiting) = tokio::sync::mpsc::channel(1);
    let stream =
        stream::unfold(waiting, async |mut waiting| waiting.recv().await.map(|piece| (piece, waiting)));
    let (replies, grant, browser) = (desk.replies(), desk.grant.clone(), desk.browser.clone());
    let first = tokio::spawn({
        let id = id.clone();
        async move { replies.append(&grant, &browser, &id, 0, Box::pin(stream)).await }
    });
    octets.send(Ok(Bytes::from_static(b"octets"))).await.unwrap();
    octets.reserve().await.unwrap();
    let second = desk.append(&id, 0, b"octets").await;
    assert!(matches!(second, Err(ReplyError::UploadLocked)), "{second:?}");
    // It broke: whoever comes next goes on where it was.
    octets.send(Err(io::ErrorKind::ConnectionReset.into())).await.unwrap();
    assert!(matches!(first.await.unwrap(), Err(ReplyError::Broken { offset: 6, .. })));
    assert_eq!(desk.append(&id, 6, b"-rest.").await.unwrap(), 12);
}

/// A request that began before a reload goes by the settings it began with, to its end.
#[tokio::test]
async fn a_request_keeps_its_settings() {
    let desk = Desk::new().await;
    let before = desk.replies();
    desk.configure(|organisation| organisation.reply.enabled = false);
    assert!(before.draft(&desk.grant, &desk.browser).await.is_ok());
    let after = desk.replies().draft(&desk.grant, &desk.browser).await;
    assert!(matches!(after, Err(ReplyError::Disabled)), "{after:?}");
}

/// H39: what is begun and does not count yet is counted against the link; without a length that is a piece.
#[tokio::test]
async fn begun_pieces_do_not_pass_the_limit_together() {
    let desk = Desk::new().await;
    desk.configure(|organisation| organisation.reply.max_size = config::ByteSize::mib(12));
    let begin = async |begun: u64| {
        let id = desk.begin("a", None).await.unwrap();
        let (replies, grant, browser) = (desk.replies(), desk.grant.clone(), desk.browser.clone());
        let (octets, waiting) = tokio::sync::mpsc::channel(1);
        let stream =
            stream::unfold(waiting, async |mut waiting| waiting.recv().await.map(|piece| (piece, waiting)));
        let task =
            tokio::spawn(async move { replies.append(&grant, &browser, &id, 0, Box::pin(stream)).await });
        octets.send(Ok(Bytes::from_static(b"octets"))).await.unwrap();
        while desk.service.writers.begun(desk.grant.link()) != begun << 20 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        (octets, task)
    };
    // Eight mebibytes are the first one's, four the second one's; nothing is left for a third.
    let (first, second) = (begin(8).await, begin(12).await);
    let id = desk.begin("a", None).await.unwrap();
    let third = desk.append(&id, 0, b"octets").await;
    assert!(matches!(third, Err(ReplyError::TooLarge { .. })), "{third:?}");
    let large = Bytes::from(vec![0; 5 << 20]);
    second.0.send(Ok(large)).await.unwrap();
    drop(second.0);
    let ended = second.1.await.unwrap();
    assert!(matches!(ended, Err(ReplyError::TooLarge { .. })), "{ended:?}");
    drop(first.0);
    assert_eq!(first.1.await.unwrap().unwrap(), 6);
    assert_eq!(desk.append(&id, 0, b"octets").await.unwrap(), 6, "there is room again");
}

#[tokio::test]
async fn no_more_comes_than_was_announced() {
    let desk = Desk::new().await;
    let id = desk.begin("a.pdf", Some(4)).await.unwrap();
    let more = desk.append(&id, 0, b"octets").await;
    assert!(matches!(more, Err(ReplyError::WrongLength)), "{more:?}");
    assert_eq!(desk.replies().upload(&desk.grant, &desk.browser, &id).await.unwrap().offset, 4);

    let id = desk.begin("b.pdf", None).await.unwrap();
    desk.append(&id, 0, b"octets").await.unwrap();
    let set = async |length| desk.replies().set_length(&desk.grant, &desk.browser, &id, length).await;
    assert!(matches!(set(5).await, Err(ReplyError::WrongLength)));
    set(6).await.unwrap();
    set(6).await.unwrap();
    assert!(matches!(set(7).await, Err(ReplyError::WrongLength)));
    assert!(desk.replies().upload(&desk.grant, &desk.browser, &id).await.unwrap().is_complete());
}

#[tokio::test]
async fn limits_are_told_before_an_octet_comes() {
    let desk = Desk::new().await;
    desk.configure(|organisation| organisation.reply.max_size = config::ByteSize::mib(1));
    let large = desk.begin("a", Some((1 << 20) + 1)).await;
    assert!(matches!(large, Err(ReplyError::TooLarge { max: 1_048_576 })), "{large:?}");
    desk.begin("a", Some(1 << 20)).await.unwrap();
    assert!(matches!(desk.begin("b", Some(1)).await, Err(ReplyError::TooLarge { .. })));
    for _ in 1..MAX_FILES {
        desk.begin("c", None).await.unwrap();
    }
    assert!(matches!(desk.begin("d", None).await, Err(ReplyError::TooManyFiles { max: MAX_FILES })));
}

/// H16: refused before it begins, and stopped before the disk is full.
#[tokio::test]
async fn a_short_disk_is_told_before_an_octet_comes() {
    const MIB: u64 = 1 << 20;
    let desk = Desk::new().await;
    desk.blobs.room.store(200 * MIB, Ordering::Relaxed);
    let large = desk.begin("a", Some(81 * MIB)).await;
    assert!(matches!(large, Err(ReplyError::DiskShort)), "{large:?}");
    let form = NewUpload { name: "a".into(), media_type: String::new(), length: None, at_most: 81 * MIB };
    let form = desk.replies().create_upload(&desk.grant, &desk.browser, form).await;
    assert!(matches!(form, Err(ReplyError::DiskShort)), "{form:?}");
    let id = desk.begin("a", Some(80 * MIB)).await.unwrap();
    desk.append(&id, 0, b"octets").await.unwrap();
    desk.blobs.room.store(7 * MIB, Ordering::Relaxed);
    let more = desk.append(&id, 6, b"octets").await;
    assert!(matches!(more, Err(ReplyError::DiskShort)), "{more:?}");
    assert_eq!(desk.replies().upload(&desk.grant, &desk.browser, &id).await.unwrap().offset, 6);
}

/// C20, M07: names are made safe, and that is said.
#[tokio::test]
async fn names_are_made_safe() {
    let desk = Desk::new().await;
    for (given, name, renamed) in [
        ("besluit.pdf", "besluit.pdf", false),
        ("../../etc/passwd", "passwd", true),
        ("C:\\Users\\Piet\\foto.jpg", "foto.jpg", true),
        ("foto\u{202e}fdp.jpg", "fotofdp.jpg", true),
    ] {
        let id = desk.begin(given, Some(0)).await.unwrap();
        let upload = desk.replies().upload(&desk.grant, &desk.browser, &id).await.unwrap();
        assert_eq!((upload.name.as_str(), upload.renamed), (name, renamed), "{given}");
    }
}

#[tokio::test]
async fn a_removed_file_leaves_nothing() {
    let desk = Desk::new().await;
    let before = all_names(&*desk.blobs).unwrap().len();
    let id = desk.upload("a.pdf", b"octets").await;
    desk.replies().remove_upload(&desk.grant, &desk.browser, &id).await.unwrap();
    desk.sweep().await;
    assert_eq!(all_names(&*desk.blobs).unwrap().len(), before);
    let again = desk.replies().remove_upload(&desk.grant, &desk.browser, &id).await;
    assert!(matches!(again, Err(ReplyError::UnknownUpload)));
}

// ---- sending

#[tokio::test]
async fn staff_get_an_ordinary_mail_in_the_thread() {
    let desk = Desk::new().await;
    desk.verify().await;
    let photo: Vec<u8> = (0..3_000_000u32).map(|at| (at * 7 / 3) as u8).collect();
    desk.upload("foto.jpg", &photo).await;
    desk.upload("foto.jpg", b"").await;
    desk.type_in(|typed| {
        typed.message = "Beste Jan,\r\n\r\nZie de bijlage. .\r\n.\r\n--=_zegel\u{e9}".into();
        typed.phone = "06 12345678".into();
        typed.cc = "Els <els@voorbeeld.nl>".into();
        typed.bcc = "archief@VOORBEELD.nl; jan@voorbeeld.nl".into();
    })
    .await;
    assert_eq!(desk.check().await, [""; 0]);
    let preview = desk.replies().preview(&desk.grant, &desk.browser).await.unwrap();
    let sent = desk.send().await.unwrap();
    assert_eq!(sent.files[0].sha256, files::sha256(&photo));
    assert_eq!((sent.files[1].name.as_str(), sent.files[1].size), ("foto (2).jpg", 0));
    assert_eq!(sent.recipients.len(), 3);

    let mails = desk.mails().await;
    let (item, mail) = mails.iter().find(|(item, _)| item.kind == QueueItemKind::Reply).unwrap();
    let to: Vec<&str> = item.recipients.iter().map(|one| one.recipient.address.as_str()).collect();
    assert_eq!(to, ["jan@voorbeeld.nl", "els@voorbeeld.nl", "archief@voorbeeld.nl"]);
    assert_eq!(item.reverse_path.to_string(), "<piet@example.org>", "for failure reports");
    let message = MessageParser::default().parse(mail).unwrap();
    let field = |name: &str| message.header_raw(name).unwrap_or_default().trim().to_owned();
    assert_eq!(
        field("From").replace("\r\n", ""),
        "\"piet@example.org - Piet Jansen (via Gemeente Voorbeeld)\" <noreply@veilig.voorbeeld.nl>"
    );
    assert_eq!(field("Reply-To"), "\"Piet Jansen\" <piet@example.org>");
    assert_eq!((field("To"), field("Cc")), ("<jan@voorbeeld.nl>".into(), "<els@voorbeeld.nl>".into()));
    assert_eq!(field("Subject"), "Re: [vertrouwelijk] Besluit over uw aanvraag");
    assert_eq!(
        (preview.subject.as_str(), field("Thread-Topic")),
        ("Re: Besluit over uw aanvraag", "Besluit over uw aanvraag".into())
    );
    assert_eq!(field("In-Reply-To"), "<origineel@voorbeeld.nl>");
    assert_eq!(field("References"), "<eerder@example.org>\r\n\t<origineel@voorbeeld.nl>");
    assert_eq!(field("X-Zegel-Notice"), "reply");
    assert!(!mail.windows(7).any(|at| at == b"archief"), "Bcc is in the envelope only");
    let text = message.body_text(0).unwrap();
    assert!(text.contains("Beste Jan,\r\n\r\nZie de bijlage. .\r\n.\r\n--=_zegel\u{e9}\r\n"), "{text}");
    assert!(text.contains("piet@example.org is gecontroleerd met een code"), "{text}");
    assert_eq!(preview.text.replace('\n', "\r\n").trim(), text.trim());
    assert_eq!(message.attachment_count(), 2);
    let first = message.attachment(0).unwrap();
    assert!(first.attachment_name() == Some("foto.jpg") && first.contents() == photo);
    assert_eq!(message.attachment(1).unwrap().contents(), b"");

    let hash = desk.service.parts.keys.thread.hash(&field("Message-ID"));
    assert!(desk.store.is_sealed_thread(vec![hash]).await.unwrap(), "an answer to it is sealed");

    let (item, mail) = mails.iter().find(|(item, _)| item.kind == QueueItemKind::Confirmation).unwrap();
    assert_eq!(item.reverse_path, crate::address::ReversePath::Null);
    let message = MessageParser::default().parse(mail).unwrap();
    assert_eq!(message.header_raw("X-Zegel-Notice").unwrap().trim(), "reply-confirmation");
    let text = message.body_text(0).unwrap();
    assert!(text.contains(&sent.files[0].sha256) && text.contains(&sent.message_sha256), "{text}");
    assert!(!text.contains("foto") && !text.contains("Beste Jan"), "{text}");
}

/// A double click sends once.
#[tokio::test]
async fn what_was_sent_is_sent_once() {
    let desk = Desk::new().await;
    desk.verify().await;
    desk.upload("a.pdf", b"octets").await;
    desk.type_in(|typed| typed.message = "Hallo".into()).await;
    let (one, two) = futures_util::future::join(desk.send(), desk.send()).await;
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!((one.at, &one.files), (two.at, &two.files));
    let third = desk.send().await.unwrap();
    assert_eq!((third.at, third.message.as_str()), (one.at, "Hallo"));
    let replies =
        desk.mails().await.into_iter().filter(|(item, _)| item.kind == QueueItemKind::Reply).count();
    assert_eq!(replies, 1);
    assert!(desk.replies().draft(&desk.grant, &desk.browser).await.unwrap().uploads.is_empty());
    desk.sweep().await;
    assert_eq!(all_names(&*desk.blobs).unwrap().len(), 2, "only the transfer's own parts are left");
    desk.clock.advance(Duration::from_hours(24));
    assert!(desk.replies().sent(&desk.grant, &desk.browser).await.unwrap().is_none());
}

#[tokio::test]
async fn what_is_too_large_for_the_mail_is_behind_a_link() {
    let desk = Desk::new().await;
    desk.configure(|organisation| organisation.reply.max_mail_size = Some(config::ByteSize::mib(1)));
    desk.verify().await;
    let film: Vec<u8> = (0..2_000_000u32).map(|at| (at / 3) as u8).collect();
    desk.upload("film.mp4", &film).await;
    desk.upload("brief.pdf", b"%PDF octets").await;
    desk.type_in(|typed| typed.message = "Zie de film".into()).await;
    desk.send().await.unwrap();
    let mails = desk.mails().await;
    let (_, mail) = mails.iter().find(|(item, _)| item.kind == QueueItemKind::Reply).unwrap();
    assert!(mail.len() < 1 << 20);
    let message = MessageParser::default().parse(mail).unwrap();
    assert_eq!(message.attachment_count(), 1);
    assert_eq!(message.attachment(0).unwrap().attachment_name(), Some("brief.pdf"));
    let text = message.body_text(0).unwrap();
    let link = text.lines().find_map(|line| line.strip_prefix("https://veilig.voorbeeld.nl/t/")).unwrap();
    let grant = unlock(&desk.access, link).await;
    let index = grant.read_index().await.unwrap();
    assert_eq!((index.files[0].name.as_str(), index.files[0].size), ("film.mp4", 2_000_000));
    let mut read = Vec::new();
    io::Read::read_to_end(&mut grant.open(1).unwrap(), &mut read).unwrap();
    assert!(read == film);
}

#[tokio::test]
async fn an_answer_may_be_a_transfer() {
    let desk = Desk::new().await;
    desk.configure(|organisation| organisation.reply.delivery = ReplyDelivery::Transfer);
    desk.verify().await;
    desk.upload("foto.jpg", b"JPEG octets").await;
    desk.type_in(|typed| {
        typed.message = "KANARIE-BERICHT".into();
        typed.settings.tell_downloads = true;
        typed.bcc = "els@voorbeeld.nl".into();
    })
    .await;
    let sent = desk.send().await.unwrap();
    let password = sent.password.unwrap();
    let again = desk.send().await.unwrap();
    assert_eq!(again.password.unwrap().reveal(), password.reveal(), "as long as the session lasts");
    assert!(!desk.is_on_disk(password.reveal().as_bytes()));
    let other = unlock(&desk.access, &desk.token).await;
    let later = desk.replies().sent(&other, &desk.browser).await.unwrap().unwrap();
    assert!(later.password.is_none() && later.sealed_password.is_some(), "and no longer");
    let mails = desk.mails().await;
    let notices: Vec<_> = mails.iter().filter(|(item, _)| item.kind == QueueItemKind::Reply).collect();
    assert_eq!(notices.len(), 2);
    for (item, mail) in notices {
        let message = MessageParser::default().parse(mail).unwrap();
        let text = message.body_text(0).unwrap();
        assert!(!text.contains("KANARIE") && !text.contains(password.reveal()) && !text.contains("els@"));
        let link = text.lines().find_map(|line| line.strip_prefix("https://veilig.voorbeeld.nl/t/")).unwrap();
        assert!(desk.access.unlock(&scope(), link, None, client()).await.is_err());
        let given = Secret::new(password.reveal().to_owned());
        let cookie = desk.access.unlock(&scope(), link, Some(given), client()).await.unwrap();
        let grant = desk.access.resume(&scope(), link, cookie.value()).await.unwrap();
        assert_eq!(grant.recipient().address, item.recipients[0].recipient.address);
        assert!(grant.transfer().download_notice && !grant.transfer().file_names);
        assert_eq!(grant.transfer().sender, Some(address("piet@example.org")), "hears of downloads");
        let index = grant.read_index().await.unwrap();
        let mut text = String::new();
        io::Read::read_to_string(&mut grant.open(index.text.unwrap()).unwrap(), &mut text).unwrap();
        assert_eq!((text.as_str(), index.files[0].name.as_str()), ("KANARIE-BERICHT", "foto.jpg"));
    }
}

#[tokio::test]
async fn a_chosen_password_opens_it_and_is_not_told_again() {
    let desk = Desk::new().await;
    desk.configure(|organisation| organisation.reply.delivery = ReplyDelivery::Transfer);
    desk.verify().await;
    desk.type_in(|typed| {
        typed.message = "Hallo".into();
        typed.settings.password = "welkom01".into();
    })
    .await;
    assert!(desk.check().await.iter().any(|fault| fault.contains("a weak password")));
    desk.type_in(|typed| typed.settings.password = "paarse olifant danst 7".into()).await;
    assert!(desk.send().await.unwrap().password.is_none());
    let mails = desk.mails().await;
    let (_, mail) = mails.iter().find(|(item, _)| item.kind == QueueItemKind::Reply).unwrap();
    let message = MessageParser::default().parse(mail).unwrap();
    let text = message.body_text(0).unwrap();
    let link = text.lines().find_map(|line| line.strip_prefix("https://veilig.voorbeeld.nl/t/")).unwrap();
    let chosen = Secret::new("paarse olifant danst 7".into());
    desk.access.unlock(&scope(), link, Some(chosen), client()).await.unwrap();
    assert!(!desk.is_on_disk(b"paarse olifant"));
}

/// A day lasts to its end, at whatever hour of another day it was chosen, and however it was typed.
#[tokio::test]
async fn a_chosen_day_lasts_to_its_end() {
    for (hours, typed, end) in [
        (17, "2026-12-01", "2026-12-01T23:59:59+01:00"),
        (17, "7", "2026-12-01T23:59:59+01:00"),
        (17, "", "2026-12-24T23:59:59+01:00"),
        (13, "1", "2026-11-25T23:59:59+01:00"),
    ] {
        let desk = Desk::new().await;
        desk.configure(|organisation| organisation.reply.delivery = ReplyDelivery::Transfer);
        desk.verify().await;
        // 11:00 in the Netherlands; 17 hours later it is 04:00 of the next day, 13 hours later its first minute.
        desk.clock.advance(Duration::from_hours(hours));
        desk.type_in(|typing| {
            typing.message = "Hallo".into();
            typing.settings.expiry_days = typed.into();
        })
        .await;
        desk.send().await.unwrap();
        let transfers = desk.store.transfers().await.unwrap();
        let mut answers = transfers.iter().filter(|one| one.id != desk.grant.link().transfer);
        let expires = answers.next().unwrap().expires;
        assert_eq!(expires, end.parse().unwrap(), "{typed:?} after {hours} hours");
    }
}

// ---- what is refused

/// Bad input: every fault has its field, and what was typed is kept.
#[tokio::test]
async fn every_fault_is_told_with_its_field() {
    let desk = Desk::new().await;
    assert_eq!(desk.check().await.len(), 3, "no name, not verified, nothing in it");
    desk.verify().await;
    type Change = fn(&mut Typed);
    let cases: &[(Change, &str)] = &[
        (
            |typed| typed.name = "Piet\r\nBcc: x@example.org".into(),
            "Some(Name) a line that cannot be used: Controls",
        ),
        (|typed| typed.name = "<b>Piet</b>".into(), "Some(Name) a line that cannot be used: Markup"),
        (
            |typed| typed.name = "Piet\u{202e}neslaJ".into(),
            "Some(Name) a line that cannot be used: Invisible",
        ),
        (|typed| typed.name = "x".repeat(101), "Some(Name) a line that cannot be used: TooLong"),
        (|typed| typed.phone = "06\n12".into(), "Some(Phone) a line that cannot be used: Controls"),
        (|typed| typed.email = "ander@example.org".into(), "Some(Email) no verified address"),
        (|typed| typed.email = " ".into(), "Some(Email) no verified address"),
        (|typed| typed.to = "iemand@example.org".into(), "Some(To) a recipient outside the organisation"),
        (|typed| typed.bcc = "jan@voorbeeld.nl, geen adres".into(), "Some(Bcc) not an address"),
        (
            |typed| typed.bcc = (0..10).map(|number| format!("a{number}@voorbeeld.nl,")).collect(),
            "Some(To) more than 10 recipients",
        ),
        (|typed| typed.to = " ".into(), "Some(To) no recipient"),
        (|typed| typed.message = " \r\n".into(), "Some(Message) neither a message nor a file"),
        (
            |typed| typed.message = "x".repeat(100_001),
            "Some(Message) a message of more than 100000 characters",
        ),
        (
            |typed| typed.settings.expiry_days = "366".into(),
            "Some(Expiry) not a number of days from 1 to 365",
        ),
        (
            |typed| typed.settings.expiry_days = "2026-11-23".into(),
            "Some(Expiry) not a number of days from 1 to 365",
        ),
    ];
    for (change, fault) in cases {
        desk.type_in(|typed| {
            typed.message = "Hallo".into();
            (typed.to, typed.bcc) = ("jan@voorbeeld.nl".into(), String::new());
            (typed.email, typed.phone) = ("piet@example.org".into(), String::new());
            typed.settings.expiry_days = "2026-12-24".into();
            change(typed);
        })
        .await;
        assert_eq!(desk.check().await, [*fault]);
        assert!(desk.send().await.is_err(), "{fault}");
    }
    assert!(desk.mails().await.iter().all(|(item, _)| item.kind == QueueItemKind::Verification));
}

/// C40: staff see first whose address was verified, and for whom the link was made where that is somebody else.
#[tokio::test]
async fn nobody_outside_can_pose_as_staff() {
    let desk = Desk::new().await;
    desk.configure(|organisation| {
        organisation.staff = Directory::of("email,name\njan@voorbeeld.nl,Jan de Vries\n")
    });
    desk.verify_as("burgemeester@voorbeeld.nl Sanne de Vries", "evil@example.net").await;
    for posing in ["burgemeester@voorbeeld.nl Sanne de Vries", "Jan de Vries", "Team Gemeente Voorbeeld"] {
        let mail = desk.answer(posing).await;
        let message = MessageParser::default().parse(&mail).unwrap();
        let field = |name: &str| message.header_raw(name).unwrap_or_default().trim().to_owned();
        assert_eq!(
            field("From").replace("\r\n", ""),
            "\"evil@example.net (via Gemeente Voorbeeld)\" <noreply@veilig.voorbeeld.nl>"
        );
        assert_eq!(field("Reply-To"), "<evil@example.net>");
        let text = message.body_text(0).unwrap();
        let banner = text.split("-----").next().unwrap();
        assert!(banner.contains("evil@example.net is gecontroleerd") && !banner.contains(posing), "{text}");
        assert!(banner.contains("de link was gemaakt voor piet@example.org"), "{text}");
        assert!(text.contains(&format!("noemt zich: {posing}.")), "{text}");
    }
    desk.configure(|organisation| organisation.reply.delivery = ReplyDelivery::Transfer);
    let mail = desk.answer("Jan de Vries").await;
    let message = MessageParser::default().parse(&mail).unwrap();
    assert_eq!(message.subject(), Some("[vertrouwelijk] Beveiligd antwoord van evil@example.net"));
    let text = message.body_text(0).unwrap();
    assert!(text.contains("evil@example.net heeft u een beveiligd antwoord gestuurd"), "{text}");
    assert!(text.contains("Opgegeven naam (niet gecontroleerd): Jan de Vries"), "{text}");

    let calm = Desk::new().await;
    calm.verify().await;
    let mail = calm.answer("Piet Jansen").await;
    let text = MessageParser::default().parse(&mail).unwrap().body_text(0).unwrap().into_owned();
    assert!(!text.contains("gemaakt voor") && !text.contains("noemt zich"), "{text}");
}

/// C40: who works here is known from the staff list, and who takes part from the message itself.
#[tokio::test]
async fn an_answer_reaches_only_the_thread_and_known_staff() {
    let desk = Desk::new().await;
    desk.verify().await;
    desk.type_in(|typed| typed.message = "Hallo".into()).await;
    let faults = async |to: &str| {
        desk.type_in(|typed| (typed.to, typed.cc) = ("jan@voorbeeld.nl".into(), to.into())).await;
        desk.check().await
    };
    let stranger = ["Some(Cc) a recipient who cannot be written to from here"];
    assert_eq!(faults("alle-medewerkers@voorbeeld.nl").await, [""; 0]);
    desk.configure(|organisation| organisation.staff = Directory::of("email\nels@voorbeeld.nl\n"));
    assert_eq!(faults("alle-medewerkers@voorbeeld.nl").await, stranger);
    assert_eq!(faults("els@voorbeeld.nl, zaak-1@voorbeeld.nl").await, [""; 0]);
    assert!(desk.send().await.is_ok());
    desk.type_in(|typed| typed.message = "Hallo".into()).await;
    desk.configure(|organisation| organisation.reply.recipients = ReplyRecipients::Thread);
    assert_eq!(faults("els@voorbeeld.nl").await, stranger);
    assert!(desk.send().await.is_err());
    assert_eq!(faults("zaak-1@voorbeeld.nl").await, [""; 0]);
}

/// C40: whatever it is called; what is in an archive is not looked into.
#[tokio::test]
async fn programs_are_refused_unless_somebody_wants_them() {
    let desk = Desk::new().await;
    let refused = |result: Result<UploadId>| matches!(result, Err(ReplyError::Program { .. }));
    for name in ["a.exe", "rekening.pdf.EXE", "brief.html", "\u{202e}fdp.exe", "a.exe . ", "a.svg"] {
        assert!(refused(desk.begin(name, Some(1)).await), "{name}");
    }
    let program = b"MZ\x90\0\x03\0";
    for name in ["foto.jpg", "brief", "brief.zip"] {
        let id = desk.upload(name, program).await;
        let looked = desk.replies().inspect_upload(&desk.grant, &desk.browser, &id, client()).await;
        assert!(matches!(&looked, Err(ReplyError::Program { name: found }) if found == name), "{looked:?}");
        let gone = desk.replies().upload(&desk.grant, &desk.browser, &id).await;
        assert!(matches!(gone, Err(ReplyError::UnknownUpload)), "{gone:?}");
    }
    // Whoever does not wait for that cannot send it either.
    desk.verify().await;
    desk.upload("brief.pdf", program).await;
    desk.type_in(|typed| typed.message = "Hallo".into()).await;
    let sent = desk.send().await;
    assert!(matches!(sent, Err(ReplyError::Program { .. })), "{sent:?}");

    desk.configure(|organisation| organisation.reply.file_types = vec!["html".into()]);
    desk.begin("brief.html", Some(1)).await.unwrap();
    assert!(matches!(desk.begin("a.exe", Some(1)).await, Err(ReplyError::BadType { .. })));
    desk.configure(|organisation| {
        (organisation.reply.file_types, organisation.reply.programs) = (Vec::new(), Programs::Accept)
    });
    desk.begin("a.exe", Some(1)).await.unwrap();
    let id = desk.upload("foto.jpg", program).await;
    desk.replies().inspect_upload(&desk.grant, &desk.browser, &id, client()).await.unwrap();
}

/// C40: what a browser declares is no way to have a file shown as something else than its name says.
#[tokio::test]
async fn a_declared_type_makes_nothing_active() {
    let desk = Desk::new().await;
    desk.verify().await;
    let upload =
        NewUpload { name: "brief.txt".into(), media_type: "text/html".into(), length: Some(6), at_most: 0 };
    let id = desk.replies().create_upload(&desk.grant, &desk.browser, upload).await.unwrap();
    desk.append(&id, 0, b"<html>").await.unwrap();
    let mail = desk.answer("Piet Jansen").await;
    let message = MessageParser::default().parse(&mail).unwrap();
    let declared = message.attachment(0).unwrap().content_type().unwrap();
    assert_eq!((declared.ctype(), declared.subtype()), ("application", Some("octet-stream")));
}

/// C40: whoever forwards an answer, without the fields that tie it to its thread, has it sealed.
#[tokio::test]
async fn a_forwarded_answer_is_sealed() {
    let desk = Desk::new().await;
    desk.verify().await;
    let forwarded = |mail: &[u8]| {
        let subject = MessageParser::default().parse(mail).unwrap().subject().unwrap().to_owned();
        let forward = format!("From: jan@voorbeeld.nl\r\nSubject: FW: {subject}\r\n\r\nZie onder.\r\n");
        let forward = CrlfBytes::check(forward.into_bytes()).unwrap();
        let header = Header::parse(forward.as_slice());
        let content = MessageContent::new(&header, &forward);
        let (sender, recipient) =
            (ReversePath::Address(address("jan@voorbeeld.nl")), address("x@example.org"));
        let facts = RuleInput {
            content: &content,
            sender: &sender,
            recipient: &recipient,
            internal: false,
            sealed_thread: false,
        };
        let settings = desk.settings.get();
        let policy = &settings.operator().policy;
        (policy.decide(&facts).verdict().as_str(), policy.clean_subject(&subject))
    };
    assert_eq!(forwarded(&desk.answer("Piet").await), ("seal", "Re: Besluit over uw aanvraag".into()));
    let own = "[[rule]]\nname = \"a\"\nwhen = { subject_tag = [\"x\"], sender = [\"a@voorbeeld.nl\"] }\nthen = \"seal\"\n\
        [[rule]]\nname = \"b\"\nwhen = { subject_tag = [\"geheim\"] }\nthen = \"seal\"\n";
    desk.configure(|organisation| organisation.policy = Policy::parse(Path::new("own.toml"), own).unwrap());
    let mail = desk.answer("Piet").await;
    assert_eq!(
        MessageParser::default().parse(&mail).unwrap().subject(),
        Some("Re: [geheim] Besluit over uw aanvraag")
    );
    assert_eq!(forwarded(&mail).0, "seal");
    desk.configure(|organisation| organisation.policy = Policy::parse(Path::new("own.toml"), "").unwrap());
    let mail = desk.answer("Piet").await;
    assert_eq!(
        MessageParser::default().parse(&mail).unwrap().subject(),
        Some("Re: Besluit over uw aanvraag")
    );
}

#[tokio::test]
async fn an_unfinished_file_is_not_sent() {
    let desk = Desk::new().await;
    desk.verify().await;
    desk.type_in(|typed| typed.message = "Hallo".into()).await;
    let id = desk.begin("half.pdf", Some(10)).await.unwrap();
    desk.append(&id, 0, b"half").await.unwrap();
    let sent = desk.send().await;
    assert!(matches!(&sent, Err(ReplyError::Unfinished { name }) if name == "half.pdf"), "{sent:?}");
}

/// H18
#[tokio::test]
async fn twenty_answers_a_day_are_enough() {
    let desk = Desk::new().await;
    desk.verify().await;
    for _ in 0..20 {
        desk.type_in(|typed| typed.message = "Hallo".into()).await;
        desk.send().await.unwrap();
    }
    desk.type_in(|typed| typed.message = "Nog een".into()).await;
    let more = desk.send().await;
    assert!(matches!(more, Err(ReplyError::TooManyReplies(_))), "{more:?}");
    assert_eq!(desk.replies().draft(&desk.grant, &desk.browser).await.unwrap().typed.message, "Nog een");
    desk.clock.advance(Duration::from_hours(24));
    desk.send().await.unwrap();
}

#[tokio::test]
async fn where_answers_are_off_nothing_works() {
    let desk = Desk::new().await;
    desk.configure(|organisation| organisation.reply.enabled = false);
    let draft = desk.replies().draft(&desk.grant, &desk.browser).await;
    assert!(matches!(draft, Err(ReplyError::Disabled)));
    assert!(matches!(desk.begin("a", None).await, Err(ReplyError::Disabled)));
    assert!(matches!(desk.send().await, Err(ReplyError::Disabled)));
}

/// What hashes a code is no secret of the process, so another gateway on the same store takes it as well.
#[tokio::test]
async fn a_code_survives_a_restart() {
    let desk = Desk::new().await;
    desk.type_in(|typed| (typed.name, typed.email) = ("Piet".into(), "piet@example.org".into())).await;
    let code = desk.code("piet@example.org").await;
    let Desk { dir, token, browser, .. } = desk;
    let again = Desk::in_folder(dir).await;
    let grant = unlock(&again.access, &token).await;
    let verified = again.replies().verify(&grant, &browser, &code, client()).await.unwrap();
    assert_eq!(verified.address, address("piet@example.org"));
}

/// What is durable is there for the next process.
#[tokio::test]
async fn a_draft_survives_a_restart() {
    let desk = Desk::new().await;
    desk.type_in(|typed| typed.message = "Hallo".into()).await;
    let id = desk.begin("a.pdf", Some(12)).await.unwrap();
    desk.append(&id, 0, b"octets").await.unwrap();
    let Desk { dir, token, browser, .. } = desk;
    let again = Desk::in_folder(dir).await;
    let grant = unlock(&again.access, &token).await;
    let draft = again.replies().draft(&grant, &browser).await.unwrap();
    assert_eq!((draft.typed.message.as_str(), draft.uploads[0].offset), ("Hallo", 6));
    let rest = stream::iter([Ok(Bytes::from_static(b"-rest."))]);
    assert_eq!(again.replies().append(&grant, &browser, &id, 6, rest).await.unwrap(), 12);
}
