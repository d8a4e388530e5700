//! Clients that never stop sending, to a gateway that comes and goes; and what of it must have arrived.
//! Every mail follows from a seed and its number, so that whatever arrives can be compared with what was sent.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};

use super::client::SmtpClient;
use super::gateway::PATIENCE;
use super::smarthost::Taken;

pub const STAFF: &str = "j.jansen@voorbeeld.nl";
const COLLEAGUE: &str = "collega@voorbeeld.nl";
pub const RESIDENTS: [&str; 3] = ["anna@example.org", "bob@example.net", "els@example.com"];
/// In every mail, and on disk never (C04).
pub const CANARY: &str = "kanarie-";

/// Random numbers that a seed repeats (splitmix64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }
}

/// What a run follows from; `TEST_SEED` repeats one.
pub fn seed(name: &str) -> u64 {
    let now = || std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
    let seed = std::env::var("TEST_SEED").map_or_else(|_| now(), |text| text.parse().unwrap());
    println!("{name}: TEST_SEED={seed}");
    seed
}

/// A mail as one of the clients sends it.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Its Message-ID, without angles.
    pub id: String,
    /// Residents get what is confidential sealed, colleagues get it as it is.
    pub confidential: bool,
    pub to: Vec<&'static str>,
    pub bytes: Vec<u8>,
    /// The gateway said 250.
    pub acknowledged: bool,
}

impl Mail {
    /// One in four is confidential; sizes on both sides of what rides in the database and what becomes a file.
    fn new(seed: u64, client: u64, number: u64) -> Self {
        let mut random = Random::new(seed ^ (client << 56) ^ (number << 24));
        let confidential = random.below(4) == 0;
        let mut to: Vec<&str> = RESIDENTS[..=random.below(3)].to_vec();
        if random.below(3) == 0 {
            to.push(COLLEAGUE);
        }
        let lines = [2, 20, 200, 1800, 4000][random.below(5)];
        Self::of(&format!("{seed:x}.{client}.{number}"), confidential, to, lines, &mut random)
    }

    /// A mail of so many lines.
    pub fn of(
        name: &str,
        confidential: bool,
        to: Vec<&'static str>,
        lines: usize,
        random: &mut Random,
    ) -> Self {
        let id = format!("{name}@voorbeeld.nl");
        let tag = if confidential { "[vertrouwelijk] " } else { "" };
        let mut text = format!(
            "From: {STAFF}\r\nSubject: {tag}{CANARY}onderwerp {name}\r\nMessage-ID: <{id}>\r\n\
             Content-Type: text/plain\r\n\r\n"
        );
        for line in 0..lines {
            let dot = if random.below(9) == 0 { "." } else { "" };
            text.push_str(&format!(
                "{dot}{CANARY}tekst {line} {:016x}{:016x}\r\n",
                random.below(usize::MAX),
                line
            ));
        }
        Self { id, confidential, to, bytes: text.into_bytes(), acknowledged: false }
    }

    /// What must leave the gateway for it.
    pub fn deliveries(&self) -> BTreeSet<Delivery> {
        let sealed = |to: &&str| self.confidential && *to != COLLEAGUE;
        let what = |to: &&str| if sealed(to) { What::Notification } else { What::Message };
        let mut all: BTreeSet<_> = self.to.iter().map(|to| Delivery::new(&self.id, what(to), to)).collect();
        if self.confidential {
            all.insert(Delivery::new(&self.id, What::Receipt, STAFF));
        }
        all
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    Message,
    Notification,
    Receipt,
}

/// What somebody got because of a mail.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Delivery {
    pub id: String,
    pub what: What,
    pub to: String,
}

impl Delivery {
    fn new(id: &str, what: What, to: &str) -> Self {
        Self { id: id.to_owned(), what, to: to.to_owned() }
    }
}

/// Where the clients find the gateway, while it is there.
#[derive(Default)]
struct Door {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    address: Option<SocketAddr>,
    over: bool,
    acknowledged: usize,
}

impl Door {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }

    /// Waits for an address; `None` when all is over.
    fn address(&self) -> Option<SocketAddr> {
        let state = self.state.lock().unwrap();
        let closed = |state: &mut State| state.address.is_none() && !state.over;
        let state = self.changed.wait_while(state, closed).unwrap();
        if state.over { None } else { state.address }
    }
}

/// Clients at work.
pub struct Load {
    door: Arc<Door>,
    clients: Vec<JoinHandle<Vec<Mail>>>,
}

impl Load {
    pub fn start(clients: u64, seed: u64) -> Self {
        let door = Arc::<Door>::default();
        let client = |client| {
            let door = Arc::clone(&door);
            thread::spawn(move || work(&door, seed, client))
        };
        Self { clients: (1..=clients).map(client).collect(), door }
    }

    /// The gateway is there, or gone.
    pub fn gateway_is(&self, address: Option<SocketAddr>) {
        self.door.change(|state| state.address = address);
    }

    /// Waits until `more` mails have been acknowledged since now.
    pub fn wait(&self, more: usize) {
        let state = self.door.state.lock().unwrap();
        let goal = state.acknowledged + more;
        let short = |state: &mut State| state.acknowledged < goal;
        let (state, waited) = self.door.changed.wait_timeout_while(state, PATIENCE, short).unwrap();
        assert!(!waited.timed_out(), "only {} of {goal} mails were acknowledged", state.acknowledged);
    }

    /// Everything that was sent, acknowledged or not.
    pub fn end(self) -> Vec<Mail> {
        self.door.change(|state| state.over = true);
        self.clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    }
}

fn work(door: &Door, seed: u64, client: u64) -> Vec<Mail> {
    let mut sent = Vec::new();
    while let Some(address) = door.address() {
        let Ok(mut connection) = SmtpClient::connect(address) else {
            thread::yield_now();
            continue;
        };
        loop {
            let mut mail = Mail::new(seed, client, sent.len() as u64);
            let reply = connection.send(STAFF, &mail.to, &mail.bytes);
            mail.acknowledged = reply.is_ok_and(|reply| reply.starts_with("250 "));
            let stays = mail.acknowledged;
            sent.push(mail);
            door.change(|state| state.acknowledged += usize::from(stays));
            if !stays || door.state.lock().unwrap().over {
                break;
            }
        }
    }
    sent
}

/// The connections of the smarthost on which each delivery arrived, in order. Fails on anything torn, changed
/// or unknown.
pub fn arrivals(sent: &[Mail], taken: &[Taken]) -> BTreeMap<Delivery, Vec<usize>> {
    let by_id: BTreeMap<&str, &Mail> = sent.iter().map(|mail| (mail.id.as_str(), mail)).collect();
    let mut arrivals = BTreeMap::<_, Vec<usize>>::new();
    for taken in taken {
        let Some((what, id)) = identify(taken) else { continue };
        let mail = by_id.get(id.as_str()).unwrap_or_else(|| panic!("nobody sent {id}"));
        match what {
            What::Message => assert!(taken.message.ends_with(&mail.bytes), "{id} arrived torn"),
            // The outermost boundary closes the mail.
            _ => assert!(taken.message.ends_with(b"--\r\n"), "a notice about {id} arrived torn"),
        }
        for to in taken.addresses() {
            let delivery = Delivery::new(&id, what, to);
            assert!(mail.deliveries().contains(&delivery), "nobody asked for {delivery:?}");
            arrivals.entry(delivery).or_default().push(taken.connection);
        }
    }
    arrivals
}

/// What arrived, and the Message-ID of the mail that it is about; `None` for what a reader of a transfer has caused.
fn identify(taken: &Taken) -> Option<(What, String)> {
    let end = memchr::memmem::find(&taken.message, b"\r\n\r\n").expect("a header that ends");
    let header = String::from_utf8(taken.message[..end].to_vec()).unwrap();
    let field = |name: &str| header.lines().find_map(|line| line.strip_prefix(name));
    let (what, id) = match field("X-Zegel-Notice: ") {
        None => (What::Message, field("Message-ID: ")),
        Some("notification") => (What::Notification, field("Message-ID: ")),
        Some("receipt") => (What::Receipt, field("In-Reply-To: ")),
        Some("download") => return None,
        Some(other) => panic!("a notice of kind {other}"),
    };
    let id = id.unwrap_or_else(|| panic!("no Message-ID in {header}"));
    Some((what, id.trim_matches(['<', '>']).to_owned()))
}

/// What was acknowledged has arrived in full (C01); what was not, in full or not at all.
pub fn assert_nothing_lost(sent: &[Mail], arrivals: &BTreeMap<Delivery, Vec<usize>>) {
    for mail in sent {
        let wanted = mail.deliveries();
        let missing: Vec<_> = wanted.iter().filter(|delivery| !arrivals.contains_key(delivery)).collect();
        let nothing = missing.len() == wanted.len() && !mail.acknowledged;
        assert!(missing.is_empty() || nothing, "acknowledged: {}, missing: {missing:#?}", mail.acknowledged);
    }
}
