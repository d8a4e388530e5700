use std::io::Read;

use super::*;
use crate::audit::Actor;
use crate::cause::FailureCause;
use crate::config::PasswordMode;
use crate::id::OrganisationId;
use crate::settings::Organisation;
use crate::settings::testing::{organisation, scope};
use crate::store::Bounce;
use crate::store::RateStore;
use crate::transfer::sealing::{SealRequest, Sealed, seal};
use crate::transfer::testing::{MemoryBlobs, MemoryStore, ORIGINAL, request, start};

const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));
const RULE: TryRule = TryRule { attempts: 5, lock: Duration::from_secs(900) };

/// One sealed transfer behind an [`Access`], and hands on everything around it.
struct Scene {
    access: Access,
    store: Arc<MemoryStore>,
    blobs: Arc<MemoryBlobs>,
    clock: Clock,
    tokens: Vec<String>,
    password: Option<Secret>,
    link: Link,
}

impl Scene {
    fn new(mode: PasswordMode) -> Self {
        let (store, blobs) = (Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()));
        let (keys, clock) = (Keys::derive(&[7; 32]), Clock::movable(start()));
        let Sealed { transfer, password, tokens } = seal(&*blobs, &keys.link, request(mode)).unwrap();
        let link = Link { transfer: transfer.id.clone(), recipient: 1 };
        store.insert(transfer);
        let tokens = tokens.iter().map(|token| token.reveal().to_owned()).collect();
        let access = Access::new(store.clone(), blobs.clone(), keys, clock.clone(), RULE);
        Self { access, store, blobs, clock, tokens, password, link }
    }

    async fn try_password(&self, password: &str) -> Result<Cookie, AccessError> {
        self.access.unlock(&scope(), &self.tokens[0], Some(Secret::new(password.into())), CLIENT).await
    }

    async fn open(&self) -> Cookie {
        self.access.unlock(&scope(), &self.tokens[0], self.password.clone(), CLIENT).await.unwrap()
    }

    async fn grant(&self) -> Grant {
        let cookie = self.open().await;
        self.access.resume(&scope(), &self.tokens[0], cookie.value()).await.unwrap()
    }

    fn blob(&self, part: usize) -> crate::id::BlobName {
        self.store.rows().transfers[&self.link.transfer].parts[part].blob.clone()
    }
}

fn read(grant: &Grant, part: u32) -> Vec<u8> {
    let mut plain = Vec::new();
    grant.open(part).unwrap().read_to_end(&mut plain).unwrap();
    plain
}

#[tokio::test]
async fn the_right_password_opens_everything() {
    let scene = Scene::new(PasswordMode::Generated);
    let look = scene.access.preview(&scope(), &scene.tokens[0]).await.unwrap();
    assert!(look.password && look.sender.unwrap().as_str() == "jan@voorbeeld.nl");

    let grant = scene.grant().await;
    assert_eq!(grant.link(), &scene.link);
    assert_eq!(grant.recipient().address.as_str(), "piet@example.org");
    let index = grant.read_index().await.unwrap();
    assert_eq!(index, grant.index().unwrap());
    assert_eq!(read(&grant, index.files[0].part), b"%PDF-1.7 KANARIE");
    assert_eq!(read(&grant, index.text.unwrap()), b"KANARIE");
    assert_eq!(read(&grant, index.message), ORIGINAL);
    assert!(matches!(grant.open(99).err(), Some(AccessError::Unknown)));
    assert_eq!(scene.store.audit(), ["open ok"]);
    assert!(scene.store.rows().recipient(&scene.link).opened.is_some());
}

#[tokio::test]
async fn without_a_password_the_link_is_enough() {
    let scene = Scene::new(PasswordMode::None);
    assert!(!scene.access.preview(&scope(), &scene.tokens[0]).await.unwrap().password);
    for _ in 0..10 {
        assert_eq!(read(&scene.grant().await, 2), b"\x89PNG");
    }
    // A password that nobody asked for does no harm.
    scene.try_password("whatever").await.unwrap();
}

#[tokio::test]
async fn a_password_may_be_typed_carelessly() {
    let scene = Scene::new(PasswordMode::Generated);
    let typed = scene.password.as_ref().unwrap().reveal().to_uppercase().replace('-', " ");
    scene.try_password(&typed).await.unwrap();
}

/// A transfer that was locked with this password, as it stands.
fn locked_with(password: Secret) -> Scene {
    let scene = Scene::new(PasswordMode::Generated);
    let keys = Keys::derive(&[7; 32]);
    let request = SealRequest { chosen: Some(password), ..request(PasswordMode::Generated) };
    let Sealed { transfer, password, tokens } = seal(&*scene.blobs, &keys.link, request).unwrap();
    let link = Link { transfer: transfer.id.clone(), recipient: 1 };
    scene.store.insert(transfer);
    let tokens = tokens.iter().map(|token| token.reveal().to_owned()).collect();
    Scene { tokens, password, link, ..scene }
}

/// RFC 8265 4.2: the same password in other code points opens, another one does not.
#[tokio::test]
async fn a_chosen_password_opens_however_it_is_encoded() {
    let decomposed = "Fr\u{fb}le\u{302}k\u{a0}op\u{2003}redens 3";
    let scene = locked_with(password::normalise(decomposed));
    for typed in [decomposed, "Fr\u{fb}l\u{ea}k op redens 3", " Fru\u{302}le\u{302}k op\u{200b} redens 3\n"] {
        scene.try_password(typed).await.unwrap();
    }
    for typed in ["fr\u{fb}l\u{ea}k op redens 3", "Frulek op redens 3", "Fr\u{fb}l\u{ea}kopredens3"] {
        assert!(matches!(scene.try_password(typed).await, Err(AccessError::WrongPassword)), "{typed}");
        scene.try_password(decomposed).await.unwrap();
    }
}

/// What was locked by an older release opens with what opened it then.
#[tokio::test]
async fn a_password_of_the_rule_before_still_opens() {
    for chosen in
        ["Fre\u{302}le\u{a0}fyts 12", "k7xp,3hmx 9fru 42km", "Code: 2345 6789 hmpr uxkf", "a\u{200d}bcdefgh"]
    {
        let scene = locked_with(password::normalise_as_before(chosen));
        scene.try_password(chosen).await.unwrap();
        let wrong = scene.try_password(&format!("{chosen}\u{e9}")).await;
        assert!(matches!(wrong, Err(AccessError::WrongPassword)));
        assert_eq!(scene.store.rows().recipient(&scene.link).tries, 1, "two readings are one try");
    }
}

#[tokio::test]
async fn what_nobody_sees_is_no_password_and_no_try() {
    let scene = Scene::new(PasswordMode::Generated);
    for typed in ["", " ", "\u{200b}", "\u{feff}\u{ad} "] {
        let tried = scene.try_password(typed).await;
        assert!(matches!(tried, Err(AccessError::WrongPassword)), "{typed:?}");
    }
    scene.open().await;
}

/// C15: unknown, malformed and forged tokens are alike, and none of them reaches the store.
#[tokio::test]
async fn a_forged_token_does_not_reach_the_store() {
    let scene = Scene::new(PasswordMode::Generated);
    let good = &scene.tokens[0];
    let flipped = if good.ends_with('7') { "8" } else { "7" };
    let forged = [&good[..good.len() - 1], flipped].concat();
    for token in ["", "x", &forged, &good.to_uppercase(), &format!("{good}0")] {
        assert!(matches!(scene.access.preview(&scope(), token).await, Err(AccessError::Unknown)), "{token}");
        let tried = scene.access.unlock(&scope(), token, scene.password.clone(), CLIENT).await;
        assert!(matches!(tried, Err(AccessError::Unknown)), "{token}");
        assert!(
            matches!(scene.access.resume(&scope(), token, "").await, Err(AccessError::Unknown)),
            "{token}"
        );
    }
    assert_eq!(scene.store.rows().calls, 0);

    scene.store.rows().transfers.clear();
    let forgotten = scene.access.preview(&scope(), good).await;
    assert!(matches!(forgotten, Err(AccessError::Expired { askable: false })), "genuine, and forgotten");
}

/// C16: five wrong passwords close the link, for longer every time.
#[tokio::test]
async fn wrong_passwords_lock_the_link() {
    let scene = Scene::new(PasswordMode::Generated);
    for _ in 0..5 {
        assert!(matches!(scene.try_password("wrong").await, Err(AccessError::WrongPassword)));
    }
    let Err(AccessError::Locked(until)) = scene.try_password("wrong").await else { panic!() };
    assert_eq!(until, start() + Duration::from_secs(900));
    let right = scene.access.unlock(&scope(), &scene.tokens[0], scene.password.clone(), CLIENT).await;
    assert!(matches!(right, Err(AccessError::Locked(_))), "even the right one");
    let other = scene.access.unlock(&scope(), &scene.tokens[1], scene.password.clone(), CLIENT).await;
    assert!(other.is_ok(), "another recipient's link stays open");

    let audit = scene.store.audit();
    assert_eq!(audit[..5], ["open wrong password"; 5]);
    assert_eq!(audit[5..], ["lock until 2026-11-23T10:15:00Z", "open ok"]);

    scene.clock.advance(Duration::from_secs(901));
    for _ in 0..5 {
        assert!(matches!(scene.try_password("wrong").await, Err(AccessError::WrongPassword)));
    }
    let Err(AccessError::Locked(until)) = scene.try_password("wrong").await else { panic!() };
    assert_eq!(until.duration_since(scene.clock.now()).as_secs(), 1800);
}

#[tokio::test]
async fn the_right_password_forgets_the_wrong_ones() {
    let scene = Scene::new(PasswordMode::Generated);
    for _ in 0..2 {
        for _ in 0..4 {
            assert!(matches!(scene.try_password("wrong").await, Err(AccessError::WrongPassword)));
        }
        scene.open().await;
    }
}

/// C16: tries at the same moment are no more than tries one after the other.
#[tokio::test(flavor = "multi_thread")]
async fn parallel_tries_are_counted_before_they_are_made() {
    let scene = Arc::new(Scene::new(PasswordMode::Generated));
    let tries: Vec<_> = (0..30)
        .map(|_| {
            let scene = scene.clone();
            tokio::spawn(async move { scene.try_password("wrong").await.unwrap_err() })
        })
        .collect();
    let mut wrong = 0;
    for one in tries {
        match one.await.unwrap() {
            AccessError::WrongPassword => wrong += 1,
            AccessError::Locked(_) | AccessError::Busy => {}
            other => panic!("{other}"),
        }
    }
    assert!(wrong <= 5, "{wrong} were tried");
}

#[tokio::test]
async fn a_missing_password_is_wrong_but_no_try() {
    let scene = Scene::new(PasswordMode::Generated);
    for password in [None, Some(String::new()), Some("  ".into())] {
        for _ in 0..10 {
            let password = password.clone().map(Secret::new);
            let tried = scene.access.unlock(&scope(), &scene.tokens[0], password, CLIENT).await;
            assert!(matches!(tried, Err(AccessError::WrongPassword)));
        }
    }
    assert_eq!(scene.store.rows().recipient(&scene.link).tries, 0);
}

/// C16: one client cannot go from link to link, nor from address to address within its own network.
#[tokio::test]
async fn one_client_has_a_limit_over_all_links() {
    let scene = Scene::new(PasswordMode::None);
    let scope = scope();
    let open =
        |client: &str| scene.access.unlock(&scope, &scene.tokens[0], None, client.parse::<IpAddr>().unwrap());
    for _ in 1..PER_CLIENT.burst {
        let bucket = "open 2001:db8:1:200::/56".to_owned();
        assert_eq!(scene.store.check_rate(bucket, PER_CLIENT, start()).await.unwrap(), None);
    }
    open("2001:db8:1:201::1").await.unwrap();
    let Err(AccessError::Locked(until)) = open("2001:db8:1:2ff:ffff::1").await else { panic!() };
    assert_eq!(until, start() + Duration::from_secs(6));
    open("2001:db8:1:301::1").await.unwrap();
    scene.clock.advance(Duration::from_secs(6));
    open("2001:db8:1:201::1").await.unwrap();
}

/// A flood at the pages of one organisation uses up its own limits, also from where the other's recipients come.
#[tokio::test]
async fn a_flood_at_one_organisation_takes_nothing_of_the_others() {
    let mut scene = Scene::new(PasswordMode::None);
    let at = |domain: &str| crate::limits::Visitor {
        organisation: Some(OrganisationId::of_domain(domain)),
        is_shared: true,
        ..CLIENT.into()
    };
    for _ in 0..PER_CLIENT.burst {
        let bucket = format!("open {}", at("noorderveen.nl").key());
        scene.store.check_rate(bucket, PER_CLIENT, start()).await.unwrap();
    }
    let flooded = scene.access.unlock(&scope(), &scene.tokens[0], None, at("noorderveen.nl")).await;
    assert!(matches!(flooded, Err(AccessError::Locked(_))));
    scene.access.unlock(&scope(), &scene.tokens[0], None, at("zuiderveen.nl")).await.unwrap();
    // Nor do those who wait for their turn.
    scene.access.queue = Duration::ZERO;
    let mut held = Vec::new();
    for number in 0..100 {
        let link = Link { transfer: crate::id::TransferId::random(), recipient: 1 };
        let by = crate::limits::Visitor { client: [10, 0, 0, number].into(), ..at("noorderveen.nl") };
        held.extend(scene.access.permits.acquire(&link, &by, Duration::ZERO).await);
    }
    if available_parallelism().unwrap().get() > 1 {
        scene.access.unlock(&scope(), &scene.tokens[1], None, at("zuiderveen.nl")).await.unwrap();
    }
}

#[tokio::test]
async fn a_locked_link_takes_nothing_from_the_common_limits() {
    let scene = Scene::new(PasswordMode::Generated);
    scene.store.rows().recipient(&scene.link).locked_until = Some(start() + Duration::from_mins(1));
    for _ in 0..100 {
        assert!(matches!(scene.try_password("wrong").await, Err(AccessError::Locked(_))));
    }
    assert!(scene.store.rows().buckets.is_empty());
}

/// Whoever waits too long for a turn is told so, and has not tried.
#[tokio::test]
async fn too_many_at_once_are_sent_away_uncounted() {
    let mut scene = Scene::new(PasswordMode::Generated);
    scene.access.queue = Duration::ZERO;
    let taken = scene.access.permits.acquire(&scene.link, &CLIENT.into(), Duration::ZERO).await;
    assert!(matches!(scene.try_password("wrong").await, Err(AccessError::Busy)));
    assert_eq!(scene.store.rows().recipient(&scene.link).tries, 0);
    drop(taken);
    let taken = crate::seal::keys::hold_every_turn();
    scene.access.rule.attempts = 1;
    assert!(matches!(scene.try_password("wrong").await, Err(AccessError::Busy)), "mails are being sealed");
    let recipient = scene.store.rows().recipient(&scene.link).clone();
    assert_eq!((recipient.tries, recipient.locked_until), (0, None));
    drop(taken);
    scene.access.queue = Duration::from_secs(600);
    assert!(matches!(scene.try_password("wrong").await, Err(AccessError::WrongPassword)));
}

/// H40: the runs of one link, and of one client, are one after the other; those of another need not wait for them.
#[tokio::test]
async fn one_link_does_not_take_every_turn() {
    let mut scene = Scene::new(PasswordMode::Generated);
    scene.access.queue = Duration::ZERO;
    let _its_own = scene.access.permits.acquire(&scene.link, &CLIENT.into(), Duration::ZERO).await.unwrap();
    assert!(matches!(scene.try_password("wrong").await, Err(AccessError::Busy)));
    let other = IpAddr::from([192, 0, 2, 8]);
    let again = scene.access.unlock(&scope(), &scene.tokens[0], scene.password.clone(), other).await;
    assert!(matches!(again, Err(AccessError::Busy)), "from whatever address");
    if available_parallelism().unwrap().get() > 1 {
        // Other tests derive keys as well.
        scene.access.queue = Duration::from_secs(600);
        scene.access.unlock(&scope(), &scene.tokens[1], scene.password.clone(), other).await.unwrap();
    }
}

/// H40: 3,000 openings of one link without a password, from as many addresses.
#[tokio::test]
async fn one_link_uses_up_its_own_share_only() {
    let scene = Scene::new(PasswordMode::None);
    // All but a few of them as the throttle sees them: each opening costs an Argon2 run.
    for _ in 10..PER_LINK.burst {
        assert!(scene.access.links.allows(&scene.link.to_string()));
    }
    let mut opened = 0;
    for number in 0..3000u32 {
        let client = IpAddr::from([10, 0, (number >> 8) as u8, number as u8]);
        match scene.access.unlock(&scope(), &scene.tokens[0], None, client).await {
            Ok(_) => opened += 1,
            Err(error) => assert!(matches!(error, AccessError::Locked(_)), "{error}"),
        }
    }
    assert!((10..30).contains(&opened), "{opened}");
    scene.access.unlock(&scope(), &scene.tokens[1], None, CLIENT).await.unwrap();
    let taken = scene.store.rows().buckets["open"].duration_since(start()).as_secs();
    let share = IN_ALL.interval.as_secs_f64() * f64::from(opened + 1);
    assert!(taken as f64 <= share, "the common bucket knows of {taken} seconds");
}

/// C17: a session opens its own link only, for as long as it is used.
#[tokio::test]
async fn a_session_belongs_to_one_link() {
    let scene = Scene::new(PasswordMode::Generated);
    let cookie = scene.open().await;
    let resume = |token: usize, cookie: &str| {
        let cookie = cookie.to_owned();
        let scene = &scene;
        async move { scene.access.resume(&scope(), &scene.tokens[token], &cookie).await }
    };
    assert!(matches!(resume(1, cookie.value()).await, Err(AccessError::NoSession)), "other recipient");
    assert!(matches!(resume(0, "").await, Err(AccessError::NoSession)));
    assert!(matches!(resume(0, &"0".repeat(52)).await, Err(AccessError::NoSession)));

    scene.clock.advance(Duration::from_mins(29));
    resume(0, cookie.value()).await.unwrap();
    scene.clock.advance(Duration::from_mins(29));
    resume(0, cookie.value()).await.unwrap();
    scene.clock.advance(Duration::from_mins(31));
    assert!(matches!(resume(0, cookie.value()).await, Err(AccessError::NoSession)), "idle");
}

#[tokio::test]
async fn a_session_ends_when_its_user_says_so() {
    let scene = Scene::new(PasswordMode::Generated);
    let (first, second) = (scene.open().await, scene.open().await);
    assert_ne!(first.value(), second.value());
    let grant = scene.access.resume(&scope(), &scene.tokens[0], first.value()).await.unwrap();
    scene.access.finish(grant, CLIENT).await.unwrap();
    let resumed = scene.access.resume(&scope(), &scene.tokens[0], first.value()).await;
    assert!(matches!(resumed, Err(AccessError::NoSession)));
    scene.access.resume(&scope(), &scene.tokens[0], second.value()).await.unwrap();
    assert_eq!(scene.store.audit().last().unwrap(), "finish ok");
}

/// C25: expiry and recall stop new openings and open pages alike.
#[tokio::test]
async fn what_is_gone_stays_closed() {
    for change in ["recall", "bounce", "date", "key"] {
        let scene = Scene::new(PasswordMode::Generated);
        let cookie = scene.open().await;
        match change {
            "recall" => scene.store.rows().recipient(&scene.link).recalled = Some(start()),
            "bounce" => {
                let bounce = Bounce { time: start(), cause: FailureCause::Other, reason: "550 5.1.1".into() };
                scene.store.rows().recipient(&scene.link).bounced = Some(bounce);
            }
            "date" => scene.store.rows().transfers.get_mut(&scene.link.transfer).unwrap().expires = start(),
            _ => scene.store.rows().recipient(&scene.link).key_packet = None,
        }
        let token = &scene.tokens[0];
        let closed = |error: AccessError| match change {
            "recall" | "bounce" => assert!(matches!(error, AccessError::Gone), "{change}"),
            _ => assert!(matches!(error, AccessError::Expired { askable: true }), "{change}"),
        };
        closed(scene.access.preview(&scope(), token).await.unwrap_err());
        closed(scene.access.resume(&scope(), token, cookie.value()).await.unwrap_err());
        closed(scene.access.unlock(&scope(), token, scene.password.clone(), CLIENT).await.unwrap_err());
        if change == "recall" {
            let other = scene.access.unlock(&scope(), &scene.tokens[1], scene.password.clone(), CLIENT).await;
            assert!(other.is_ok(), "a recall concerns one recipient");
        }
    }
}

/// C14: damage and exchange of what is stored end in an error.
#[tokio::test]
async fn damage_is_told_from_a_wrong_password() {
    let scene = Scene::new(PasswordMode::Generated);
    let grant = scene.grant().await;
    scene.blobs.change(&scene.blob(1), |bytes| bytes[60] ^= 1);
    assert!(matches!(grant.open(1).err(), Some(AccessError::Lost(LostPart { part: 1, .. }))));

    let (mut text, mut html) = (Vec::new(), Vec::new());
    scene.blobs.change(&scene.blob(3), |bytes| std::mem::swap(bytes, &mut text));
    scene.blobs.change(&scene.blob(4), |bytes| std::mem::swap(bytes, &mut html));
    scene.blobs.change(&scene.blob(3), |bytes| *bytes = html);
    assert!(grant.open(3).is_err(), "one part for another");
    assert!(
        matches!(grant.open(4).err(), Some(AccessError::Lost(LostPart { part: 4, .. }))),
        "cut to nothing"
    );

    scene.blobs.change(&scene.blob(0), |bytes| bytes.truncate(20));
    assert!(matches!(grant.read_index().await, Err(AccessError::Lost(LostPart { part: 0, .. }))));

    let scene = Scene::new(PasswordMode::None);
    scene.store.rows().recipient(&scene.link).key_packet.as_mut().unwrap()[80] ^= 1;
    let tried = scene.access.unlock(&scope(), &scene.tokens[0], None, CLIENT).await;
    assert!(matches!(tried, Err(AccessError::Damaged)), "a link cannot be wrong about its own secret");
}

/// H31: the audit trail names the link, never its secret or a password.
#[tokio::test]
async fn the_audit_trail_holds_no_secret() {
    let scene = Scene::new(PasswordMode::Generated);
    assert!(scene.try_password("WACHTWOORD-KANARIE").await.is_err());
    let cookie = scene.open().await;
    let rows = scene.store.rows();
    assert_eq!(rows.events.len(), 2);
    assert!(rows.events.iter().all(|event| event.object == scene.link.to_string()));
    assert!(
        rows.events
            .iter()
            .all(|event| event.origin.to_string() == "192.0.2.7" && event.actor == Actor::Recipient)
    );
    let written = format!("{:?}", rows.events);
    let password = scene.password.as_ref().unwrap().reveal();
    for secret in ["KANARIE", password, &scene.tokens[0][13..], cookie.value()] {
        assert!(!written.contains(secret));
    }
    assert!(!format!("{cookie:?}").contains(cookie.value()));
}

/// What is one organisation's is, on another's pages, as if it had never been: no look is counted, no try is made, and no session
/// is worth anything.
#[tokio::test]
async fn another_organisations_link_never_was() {
    let (scene, own) = (Scene::new(PasswordMode::Generated), scope());
    let other = Organisation { domains: vec!["zuiderveen.nl".into()], ..organisation() };
    let foreign = Scope::new(own.settings().clone(), Arc::new(other));
    let (token, cookie) = (&scene.tokens[0], scene.open().await);
    let before = scene.store.audit();
    assert!(matches!(scene.access.preview(&foreign, token).await, Err(AccessError::Unknown)));
    for password in [scene.password.clone(), None, Some(Secret::new("fout".into()))] {
        let tried = scene.access.unlock(&foreign, token, password, CLIENT).await;
        assert!(matches!(tried, Err(AccessError::Unknown)));
    }
    assert!(matches!(scene.access.resume(&foreign, token, cookie.value()).await, Err(AccessError::Unknown)));
    let look =
        async |scope: &Scope| scene.access.look_at_session(scope, token, cookie.value()).await.unwrap();
    assert_eq!((look(&own).await, look(&foreign).await), (HeldSession::Own, HeldSession::Ended));
    let find = async |scope: &Scope| {
        let text = format!("https://veilig.voorbeeld.nl/t/{token}).");
        scene.access.find_token(scope, &text, Around::Anything).await.unwrap().is_some()
    };
    assert!(find(&own).await && !find(&foreign).await);
    let tries = scene.store.rows().recipient(&scene.link).tries;
    assert_eq!((tries, scene.store.audit()), (0, before));
    // When it has expired, or was recalled, it is no more there than before.
    scene.clock.advance(Duration::from_hours(24 * 40));
    assert!(matches!(scene.access.preview(&own, token).await, Err(AccessError::Expired { .. })));
    assert!(matches!(scene.access.preview(&foreign, token).await, Err(AccessError::Unknown)));
}
