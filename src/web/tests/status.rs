//! The sender's pages: the facts, each action with two clicks, with a forged link, after the end; and what they do
//! to pages that a recipient has open. All with a clock that is moved by hand.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use super::{Answer, Sealed, Site};
use crate::address::Address;
use crate::cause::FailureCause;
use crate::config::PasswordMode;
use crate::diagnostic::{Diagnostic, Outcome, Stage};
use crate::envelope::Reported;
use crate::id::{FolderId, Link, TransferId};
use crate::store::{Attempt, DeliveryReport, Whose};
use crate::transfer::action::{self, Purpose};

const DAY: Duration = Duration::from_hours(24);

impl Site {
    /// The sender's token.
    pub(super) fn status_token(&self, sealed: &Sealed) -> String {
        action::token(&self.keys.action, Purpose::Status, &id(sealed)).reveal().to_owned()
    }

    pub(super) fn post(&self, path: &str, form: &str) -> Answer {
        match form {
            "" => self.send(&format!("POST {path}"), &[("Content-Length", "0")], ""),
            form => self.send(&format!("POST {path}"), &[], form),
        }
    }

    pub(super) fn status(&self, token: &str) -> Value {
        let answer = self.get(&format!("/s/{token}/status.json"));
        assert_eq!((answer.status, answer.field("content-type")), (200, "application/json"));
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// Kinds and recipients of what is queued.
    fn queue(&self) -> Vec<(String, String)> {
        let queue = self.runtime.block_on(self.store.queue()).unwrap();
        let entry = |entry: &crate::store::QueueEntry| {
            (entry.kind.to_string(), entry.recipients[0].address.to_string())
        };
        queue.iter().map(entry).collect()
    }

    /// The next hop takes everything that is queued, or refuses it.
    fn relay(&self, outcome: &Outcome) {
        let (store, now) = (self.store.clone(), self.now());
        self.runtime.block_on(async {
            for item in store.claim_due(&FolderId::random(), now, now, 10).await.unwrap() {
                let attempt = Attempt {
                    item: item.id,
                    claim: item.claim,
                    notifies: item.link.filter(|_| item.kind == crate::store::QueueItemKind::Notification),
                    now,
                    outcomes: vec![(1, outcome.clone())],
                    next_attempt: now,
                    problem: None,
                    sends_back: false,
                    reports: Vec::new(),
                    events: Vec::new(),
                    tracks: Vec::new(),
                };
                store.finish_attempt(attempt).await.unwrap();
            }
        });
    }
}

impl Site {
    /// A mail server reports this of the first notification; whether its link is closed now.
    fn reported(&self, sealed: &Sealed, own: bool, action: Reported) -> bool {
        let link = Link { transfer: id(sealed), recipient: 1 };
        let (time, cause, reason) =
            (self.now(), FailureCause::UnknownAddress, "5.1.1 <b>onbekend</b>".into());
        let report = DeliveryReport { own, action, time, cause, reason };
        self.runtime.block_on(self.store.note_delivery_report(link, report)).unwrap()
    }
}

fn id(sealed: &Sealed) -> TransferId {
    sealed.tokens[0][..10].parse().unwrap()
}

fn refused(words: &str) -> Outcome {
    Outcome::Failed(Diagnostic::remote(Stage::Recipient, 550, words))
}

#[test]
fn the_page_tells_what_happened_to_whom() {
    let site = Site::start();
    let sealed = site.seal();
    let token = site.status_token(&sealed);
    let path = format!("/s/{token}");
    assert!(site.get(&path).text().contains("Nog niet geopend"));

    let cookie = site.unlock(&sealed.tokens[0], &sealed.password);
    for _ in 0..2 {
        site.get_with(&format!("/t/{}/files/2", sealed.tokens[0]), &cookie);
        site.clock.advance(Duration::from_mins(20));
    }
    site.get_with(&format!("/t/{}/message.eml", sealed.tokens[0]), &cookie);
    let page = site.get(&path);
    assert_eq!((page.status, page.field("cache-control")), (200, "no-store"));
    assert_eq!(page.field("x-robots-tag"), "noindex, nofollow, noarchive");
    for text in [
        "piet@example.org",
        "els@example.org",
        "Bestand 2 van 4 gedownload",
        "2 keer, de laatste keer op maandag 23 november 2026 om 11:20",
        "Bericht gedownload",
        "23 december 2026",
    ] {
        assert!(page.text().contains(text), "{text} is missing in {}", page.text());
    }
    for secret in ["besluit.pdf", "Besluit", "KANARIE", &sealed.password, &sealed.tokens[0]] {
        assert!(!page.text().contains(secret), "{secret} is for recipients only");
    }
    let facts = site.status(&token);
    let piet = &facts["recipients"][0];
    assert_eq!((&piet["state"], &piet["address"]), (&"opened".into(), &"piet@example.org".into()));
    assert_eq!(piet["downloads"][0]["file"], 2);
    assert_eq!(piet["downloads"][0]["count"], 2);
    assert_eq!(piet["downloads"][1]["file"], Value::Null);
    assert_eq!(facts["recipients"][1]["state"], "waiting");
}

#[test]
fn the_zip_is_all_files_and_a_look_is_one() {
    let site = Site::start();
    let sealed = site.seal();
    let cookie = site.unlock(&sealed.tokens[1], &sealed.password);
    site.get_with(&format!("/t/{}/zip", sealed.tokens[1]), &cookie);
    let facts = site.status(&site.status_token(&sealed));
    let downloads = facts["recipients"][1]["downloads"].as_array().unwrap();
    assert_eq!(downloads.len(), 5, "four files and the message");
    assert_eq!(facts["recipients"][0]["downloads"], Value::Array(Vec::new()));
}

/// C15: what we did not make is what never was, and costs no look at the store.
#[test]
fn a_forged_link_is_one_that_never_was() {
    let site = Site::start();
    let sealed = site.seal();
    let token = site.status_token(&sealed);
    let unknown = action::token(&site.keys.action, Purpose::Status, &TransferId::random());
    let mut altered = token.clone().into_bytes();
    altered[20] = if altered[20] == b'7' { b'8' } else { b'7' };
    let altered = String::from_utf8(altered).unwrap();
    let missing = site.get(&format!("/s/{}", unknown.reveal()));
    assert_eq!(missing.status, 404);
    for forged in [altered.as_str(), &token[..35], "x", &sealed.tokens[0]] {
        for path in ["", "/recall", "/recall/1", "/extend", "/proof", "/proof.json", "/status.json"] {
            let answer = site.get(&format!("/s/{forged}{path}"));
            assert_eq!((answer.status, answer.text()), (404, missing.text()), "{forged}{path}");
        }
        for path in ["/recall", "/recall/1", "/resend", "/unlock/1"] {
            assert_eq!(site.post(&format!("/s/{forged}{path}"), "").status, 404, "{path}");
        }
    }
    for wrong in ["/destroy", "/recall/9", "/recall/x", "/unlock", "/recall/1/2"] {
        assert_eq!(site.get(&format!("/s/{token}{wrong}")).status, 404, "{wrong}");
    }
    assert_eq!(site.audited("recall"), 0);
}

/// H21 and H22: scanners follow every link, and other sites post forms.
#[test]
fn only_an_own_post_acts() {
    let site = Site::start();
    let sealed = site.seal();
    let token = site.status_token(&sealed);
    for path in ["", "/recall", "/recall/1", "/extend", "/resend", "/resend/2", "/unlock/1"] {
        if path != "/unlock/1" {
            assert_eq!(site.get(&format!("/s/{token}{path}")).status, 200, "{path}");
        }
        let foreign = [("Sec-Fetch-Site", "cross-site")];
        let answer = site.send(&format!("POST /s/{token}{path}"), &foreign, "days=9");
        assert!(matches!(answer.status, 403 | 405), "{path}: {}", answer.status);
    }
    assert!(site.queue().is_empty());
    assert_eq!(site.status(&token)["recipients"][0]["state"], "waiting");
    let page = site.post(&format!("/s/{token}/recall"), "lang=en&tell=yes");
    assert_eq!(page.status, 200, "a language button recalls nothing");
    assert!(page.text().contains("Yes, withdraw") && page.text().contains("checked"));
    assert_eq!(site.audited("recall"), 0);
}

#[test]
fn a_recall_of_one_leaves_the_others() {
    let site = Site::start();
    let sealed = site.seal();
    let token = site.status_token(&sealed);
    let cookie = site.open(&sealed.tokens[0], &sealed.password);
    assert_eq!(site.get(&format!("/s/{token}/proof")).status, 404, "nothing to prove");

    let ask = site.get(&format!("/s/{token}/recall/1"));
    assert!(ask.text().contains("piet@example.org") && ask.text().contains("Ja, intrekken"));
    let answer = site.post(&format!("/s/{token}/recall/1"), "");
    assert_eq!((answer.status, answer.field("location")), (303, format!("/s/{token}/proof").as_str()));

    // C25: what was open stops, what was not stays closed, and the other one goes on.
    let page = site.get_with(&format!("/t/{}/files", sealed.tokens[0]), &cookie);
    assert_eq!(page.status, 410);
    assert!(!page.text().contains("/ask"), "who was recalled is not offered to ask");
    assert_eq!(site.get_with(&format!("/t/{}/files/1", sealed.tokens[0]), &cookie).status, 410);
    let again = site.post(&format!("/t/{}", sealed.tokens[0]), &format!("password={}", sealed.password));
    assert_eq!(again.status, 410);
    site.unlock(&sealed.tokens[1], &sealed.password);

    let proof = site.get(&format!("/s/{token}/proof"));
    assert_eq!(proof.status, 200);
    for text in [
        "Ja, voor het eerst op maandag 23 november 2026 om 11:00",
        "jan@voorbeeld.nl",
        "Niet ingetrokken voor",
        "els@example.org",
        "Gelukt, was al geopend",
    ] {
        assert!(proof.text().contains(text), "{text} is missing in {}", proof.text());
    }
}

/// C25: what has not left by then does not leave any more, and nobody takes the part for the whole.
#[test]
fn a_recall_ends_a_download_that_is_running() {
    const SIZE: usize = 24 << 20;
    let site = Site::start();
    let large = vec![b'k'; SIZE];
    let sealed = site.seal_with(PasswordMode::None, |request| request.files[0].data = large.into());
    let token = site.status_token(&sealed);
    let cookie = site.unlock(&sealed.tokens[0], "");
    for path in ["files/1", "zip"] {
        let again = site.unlock(&sealed.tokens[1], "");
        let other = site.get_with(&format!("/t/{}/{path}", sealed.tokens[1]), &again);
        assert!(other.is_whole && other.body.len() >= SIZE, "{path}");
    }
    let mut running: Vec<TcpStream> = ["files/1", "zip"]
        .map(|path| {
            let mut stream = TcpStream::connect(site.address).unwrap();
            let host = "Host: veilig.voorbeeld.nl\r\nConnection: close";
            let request =
                format!("GET /t/{}/{path} HTTP/1.1\r\n{host}\r\nCookie: {cookie}\r\n\r\n", sealed.tokens[0]);
            stream.write_all(request.as_bytes()).unwrap();
            stream.read_exact(&mut vec![0; 1 << 20]).unwrap();
            stream
        })
        .into();
    assert_eq!(site.post(&format!("/s/{token}/recall/1"), "").status, 303);
    for stream in &mut running {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.len() < SIZE - (1 << 20), "{} octets more", rest.len());
    }
}

#[test]
fn a_proof_says_that_it_was_never_opened() {
    let site = Site::start();
    let sealed = site.seal();
    let token = site.status_token(&sealed);
    site.clock.advance(Duration::from_secs(90));
    site.post(&format!("/s/{token}/recall"), "");
    let page = site.get(&format!("/s/{token}/proof"));
    assert!(page.text().contains("Nee, nooit geopend") && page.text().contains("Niets"));
    let json = site.get(&format!("/s/{token}/proof.json"));
    assert!(json.field("content-disposition").starts_with("attachment; filename=\"zegel-"));
    let proof: Value = serde_json::from_slice(&json.body).unwrap();
    assert_eq!(proof["recalled"][1]["address"], "els@example.org");
    assert_eq!(proof["recalled"][1]["opened_before"], false);
    assert_eq!(proof["recalled"][1]["recalled"], "2026-11-23T10:01:30Z");
    assert_eq!(proof["recalled"][1]["by"], "jan@voorbeeld.nl");
    assert_eq!(proof["transfer"]["parts"], 0, "the parts are given up");
    assert_eq!(proof["trail"][0]["action"], "recall");
    assert_eq!(proof["trail"][0]["result"], "ok, never opened");
}

/// Two clicks at once: one recall, one proof, one event each.
#[test]
fn a_second_click_recalls_nothing_and_shows_the_proof() {
    let site = Site::start();
    let sealed = site.seal();
    let token = site.status_token(&sealed);
    let path = format!("/s/{token}/recall");
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let clicks: Vec<_> = (0..2).map(|_| scope.spawn(|| site.post(&path, "tell=yes").status)).collect();
        clicks.into_iter().map(|click| click.join().unwrap()).collect()
    });
    assert_eq!(statuses, [303, 303]);
    assert_eq!(site.audited("recall"), 2, "one for each recipient");
    assert_eq!(site.get(&path).status, 409);
    assert_eq!(site.post(&format!("/s/{token}/extend"), "days=9").status, 409);
    assert_eq!(site.post(&format!("/s/{token}/resend"), "").status, 409);
    assert!(site.queue().is_empty());
}

/// The same for what sends a mail: one goes out, and the other click is told so.
#[test]
fn two_clicks_at_once_send_one_mail() {
    let site = Site::start();
    let sealed = site.seal();
    let token = site.status_token(&sealed);
    let twice = |path: &str| {
        std::thread::scope(|scope| {
            let clicks: Vec<_> = (0..2).map(|_| scope.spawn(|| site.post(path, "").status)).collect();
            let mut statuses: Vec<u16> = clicks.into_iter().map(|click| click.join().unwrap()).collect();
            statuses.sort_unstable();
            statuses
        })
    };
    assert_eq!(twice(&format!("/s/{token}/resend/1")), [303, 429]);
    assert_eq!(site.queue(), [("notification".to_owned(), "piet@example.org".to_owned())]);
    site.clock.advance(31 * DAY);
    assert_eq!(twice(&format!("/t/{}/ask", sealed.tokens[1])), [200, 429]);
    assert_eq!(site.queue().len(), 2);
    assert_eq!((site.audited("resend"), site.audited("ask")), (1, 1));
}

#[test]
fn recipients_hear_of_a_recall_if_they_are_to_and_knew() {
    let site = Site::start();
    let sealed = site.seal();
    let token = site.status_token(&sealed);
    site.post(&format!("/s/{token}/resend/1"), "");
    site.relay(&Outcome::Delivered);
    assert_eq!(site.status(&token)["recipients"][0]["notified"], "2026-11-23T10:00:00Z");
    site.post(&format!("/s/{token}/recall"), "tell=yes");
    assert_eq!(site.queue(), [("recall".to_owned(), "piet@example.org".to_owned())]);
}

#[test]
fn a_notification_that_has_not_left_is_dropped_by_a_recall() {
    let site = Site::start();
    let sealed = site.seal();
    let token = site.status_token(&sealed);
    site.post(&format!("/s/{token}/resend"), "");
    assert_eq!(site.queue().len(), 2);
    site.post(&format!("/s/{token}/recall/2"), "tell=yes");
    assert_eq!(site.queue(), [("notification".to_owned(), "piet@example.org".to_owned())]);
}

/// H44: a transfer of an older version may have two links for one mailbox; whoever means one means both.
#[test]
fn what_is_done_for_a_mailbox_is_done_with_all_its_links() {
    let site = Site::start();
    let sealed = site.seal_with(PasswordMode::Generated, |request| {
        let names = ["piet@example.org", "els@example.org", "Piet@EXAMPLE.org"];
        request.recipients = names.map(|name| Address::parse(name).unwrap()).into();
    });
    let token = site.status_token(&sealed);
    for link in [0, 2] {
        for _ in 0..3 {
            site.post(&format!("/t/{}", sealed.tokens[link]), "password=verkeerd");
        }
    }
    assert_eq!(site.post(&format!("/s/{token}/unlock/3"), "").status, 303);
    site.unlock(&sealed.tokens[0], &sealed.password);
    let cookie = site.unlock(&sealed.tokens[2], &sealed.password);
    assert_eq!(site.post(&format!("/s/{token}/resend/1"), "").status, 303);
    let told: Vec<String> = site.queue().into_iter().map(|(_, address)| address).collect();
    assert_eq!(told, ["piet@example.org", "Piet@EXAMPLE.org"]);

    assert_eq!(site.post(&format!("/s/{token}/recall/1"), "").status, 303);
    let page = |link: usize| site.get(&format!("/t/{}", sealed.tokens[link])).status;
    assert_eq!([page(0), page(1), page(2)], [410, 200, 410]);
    assert_eq!(site.get_with(&format!("/t/{}/files", sealed.tokens[2]), &cookie).status, 410);
    assert!(site.queue().is_empty(), "and no link is mailed any more");
    assert_eq!(site.audited("recall"), 2);
}

#[test]
fn a_new_date_counts_from_now() {
    let site = Site::start();
    let sealed = site.seal();
    let token = site.status_token(&sealed);
    let path = format!("/s/{token}/extend");
    for wrong in ["days=0", "days=366", "days=", "days=-1", "days=9x", "", "days=99999999999"] {
        let answer = site.post(&path, wrong);
        assert_eq!(answer.status, 400, "{wrong}");
        let first_and_last = "Kies een dag van dinsdag 24 november 2026 tot en met dinsdag 23 november 2027";
        assert!(answer.text().contains(first_and_last), "{wrong}: {}", answer.text());
    }
    site.clock.advance(10 * DAY);
    let answer = site.post(&path, "days=60");
    assert_eq!((answer.status, answer.field("location")), (303, format!("/s/{token}?done=extend").as_str()));
    assert!(site.get(answer.field("location")).text().contains("De einddatum is gewijzigd."));
    assert_eq!(site.status(&token)["expires"], "2027-02-01T22:59:59Z");
    for path in [format!("/s/{token}/extend"), format!("/t/{}", sealed.tokens[0])] {
        let page = site.get(&path);
        assert!(page.text().contains("eschikbaar tot en met maandag 1 februari 2027."), "{}", page.text());
    }
    site.clock.advance(40 * DAY);
    site.unlock(&sealed.tokens[0], &sealed.password);
    assert_eq!(site.audited("extend"), 1);
}

#[test]
fn recipients_hear_of_a_new_date_unless_the_sender_unticks_it() {
    let site = Site::start();
    let sealed = site.seal();
    let token = site.status_token(&sealed);
    let path = format!("/s/{token}/extend");
    assert!(site.get(&path).text().contains("name=\"tell\" value=\"yes\" checked>"));
    let wrong = site.post(&path, "until=2026-01-01");
    assert!(wrong.text().contains("name=\"tell\" value=\"yes\">"), "what was unticked stays so");
    assert_eq!(site.post(&path, "until=2026-12-02").status, 303);
    assert!(site.queue().is_empty());
    let told = site.post(&path, "until=2027-01-22&tell=yes");
    assert_eq!(told.field("location"), format!("/s/{token}?done=extend-told"));
    assert!(site.get(told.field("location")).text().contains("krijgen daarover een e-mail"));
    let mails = ["piet@example.org", "els@example.org"].map(|to| ("notification".to_owned(), to.to_owned()));
    assert_eq!(site.queue(), mails);
    assert_eq!(site.post(&path, "until=2027-01-23&tell=yes").status, 303);
    assert_eq!(site.queue(), mails, "not at every click");
    assert_eq!(site.status(&token)["expires"], "2027-01-23T22:59:59Z", "but the date is given");
    assert_eq!((site.audited("extend"), site.audited("resend")), (3, 2));
    assert_eq!(site.post(&format!("/s/{token}/recall/1"), "").status, 303);
    site.clock.advance(DAY);
    let before = site.queue().len();
    assert_eq!(site.post(&path, "until=2027-01-22&tell=yes").status, 303);
    assert_eq!(site.queue().len(), before + 1, "who cannot open it hears nothing");
}

/// The days are those of the organisation's clock, and what is wrong is said beside the field.
#[test]
fn a_new_date_is_chosen_by_its_day() {
    let site = Site::start();
    let sealed = site.seal();
    let token = site.status_token(&sealed);
    let path = format!("/s/{token}/extend");
    let field = site.get(&path);
    let picker = "type=\"date\" class=\"short\" id=\"until\" name=\"until\" value=\"2026-12-23\" min=\"2026-11-24\" max=\"2027-11-23\"";
    assert!(field.text().contains(picker), "{}", field.text());
    // Half past midnight in the Netherlands, the day before in London.
    site.clock.advance(Duration::from_mins(13 * 60 - 30));
    assert!(site.get(&path).text().contains("min=\"2026-11-24\""), "23:30");
    site.clock.advance(Duration::from_hours(1));
    assert!(site.get(&path).text().contains("min=\"2026-11-25\""), "00:30");
    let before = site.status(&token)["expires"].clone();
    for wrong in [
        "2026-11-24",
        "2027-11-25",
        "0000-00-00",
        "9999-12-31",
        "-9999-01-01",
        "morgen",
        "",
        "<b>",
        "2027-02-30",
    ] {
        let answer = site.post(&path, &format!("until={wrong}&days=9"));
        assert_eq!(answer.status, 400, "{wrong}");
        let text = answer.text();
        assert!(text.contains("aria-describedby=\"until-hint until-error\" aria-invalid=\"true\""), "{text}");
        let beside = "id=\"until-error\">Kies een dag van woensdag 25 november 2026 tot en met woensdag 24 november 2027<";
        assert!(text.contains(beside) && !text.contains("<b>"), "{wrong}: {text}");
    }
    let typed = site.post(&path, "until=2027-11-31");
    assert!(typed.text().contains("value=\"2027-11-31\""), "what was typed is kept");
    assert_eq!(site.status(&token)["expires"], before);
    for (day, expires) in [
        ("2027-11-24", "2027-11-24T22:59:59Z"),
        ("2026-11-25", "2026-11-25T22:59:59Z"),
        ("1-4-2027", "2027-04-01T21:59:59Z"),
    ] {
        assert_eq!(site.post(&path, &format!("until={day}")).status, 303, "{day}");
        assert_eq!(site.status(&token)["expires"], expires);
    }
    assert!(
        site.get(&path).text().contains("value=\"2027-04-01\""),
        "nobody shortens it by pressing the button"
    );
    let page = site.post(&path, "until=2027-01-02&lang=en");
    assert!(page.text().contains("value=\"2027-01-02\"") && page.text().contains("New end date"));
    assert_eq!(site.audited("extend"), 3);
}

/// What is sent again does not hide when it went out first.
#[test]
fn the_first_and_the_last_mail_are_shown() {
    let site = Site::start();
    let sealed = site.seal();
    let token = site.status_token(&sealed);
    for hour in [0, 1, 3] {
        site.post(&format!("/s/{token}/resend/1"), "");
        site.relay(&Outcome::Delivered);
        let facts = site.status(&token)["recipients"][0].clone();
        assert_eq!(facts["first_notified"], "2026-11-23T10:00:00Z");
        assert_eq!(facts["notified"], format!("2026-11-23T1{hour}:00:00Z"));
        let both = site.get(&format!("/s/{token}")).text().contains("Voor het laatst");
        assert_eq!(both, hour > 0, "one mail has one time");
        site.clock.advance(Duration::from_hours(hour + 1));
    }
    site.post(&format!("/s/{token}/recall"), "");
    for path in ["", "/proof"] {
        let page = site.get(&format!("/s/{token}{path}"));
        for text in [
            "Voor het eerst: maandag 23 november 2026 om 11:00",
            "Voor het laatst: maandag 23 november 2026 om 14:00",
            "E-mail met de link: niet aan onze mailserver gegeven",
        ] {
            assert!(page.text().contains(text), "{path}: {text} is missing in {}", page.text());
        }
    }
}

/// Who has opened it is known before it is taken back.
#[test]
fn a_recall_shows_first_who_has_opened_it() {
    let site = Site::start();
    let sealed = site.seal();
    let token = site.status_token(&sealed);
    let page = site.get(&format!("/s/{token}/recall"));
    assert!(page.text().contains("Nog niemand heeft het bericht geopend."), "{}", page.text());
    let cookie = site.open(&sealed.tokens[0], &sealed.password);
    site.get_with(&format!("/t/{}/files/2", sealed.tokens[0]), &cookie);
    site.post(&format!("/s/{token}/resend/2"), "");
    site.relay(&Outcome::Failed(Diagnostic::remote(Stage::Recipient, 552, "5.2.2 full")));
    for (path, texts, no) in [
        (
            "/recall",
            &[
                "1 van de 2 ontvangers heeft het bericht geopend.",
                "piet@example.org",
                "maandag 23 november 2026 om 11:00, met het wachtwoord",
                "1 van 4 bestanden",
                "els@example.org",
                "E-mail niet aangekomen",
                "Dit kunt u niet ongedaan maken",
            ][..],
            "Nog niemand",
        ),
        (
            "/recall/1",
            &["piet@example.org", "Stand van maandag 23 november 2026 om 11:00."],
            "els@example.org",
        ),
        ("/resend/2", &["De mailbox van de ontvanger is vol.", "552 5.2.2 full"], "piet@example.org"),
    ] {
        let page = site.get(&format!("/s/{token}{path}"));
        for text in texts {
            assert!(page.text().contains(text), "{path}: {text} is missing in {}", page.text());
        }
        assert!(!page.text().contains(no), "{path}: {no}");
        assert_eq!(page.text().contains("button-danger"), path.starts_with("/recall"), "{path}");
    }
}

/// Taking back and opening at once: whatever comes first, nothing stays open, and the proof says what happened.
#[test]
fn of_a_recall_and_an_opening_the_proof_tells_the_truth() {
    for _ in 0..8 {
        let site = Site::start();
        let sealed = site.seal();
        let token = site.status_token(&sealed);
        let (opened, recalled) = std::thread::scope(|scope| {
            let opening = scope.spawn(|| {
                let path = format!("/t/{}", sealed.tokens[0]);
                let answer = site.post(&path, &format!("password={}", sealed.password));
                let cookie = answer.field("set-cookie").split(';').next().unwrap_or_default().to_owned();
                site.get_with(&format!("{path}/files"), &cookie).status == 200
            });
            let recall = scope.spawn(|| site.post(&format!("/s/{token}/recall/1"), "").status);
            (opening.join().unwrap(), recall.join().unwrap())
        });
        assert_eq!(recalled, 303);
        let proof = site.get(&format!("/s/{token}/proof.json"));
        let proof: Value = serde_json::from_slice(&proof.body).unwrap();
        if opened {
            assert_eq!(proof["recalled"][0]["opened_before"], true, "somebody has read it");
        }
        assert_eq!(site.get(&format!("/t/{}/files", sealed.tokens[0])).status, 410);
    }
}

#[test]
fn many_recipients_are_counted_and_folded() {
    let site = Site::start();
    let sealed = site.seal_with(PasswordMode::Generated, |request| {
        let address = |number| Address::parse(&format!("bewoner{number}@example.org")).unwrap();
        request.recipients = (0..50).map(address).collect();
    });
    let token = site.status_token(&sealed);
    site.open(&sealed.tokens[7], &sealed.password);
    for _ in 0..4 {
        site.post(&format!("/t/{}", sealed.tokens[9]), "password=verkeerd");
    }
    let page = site.get(&format!("/s/{token}"));
    for text in [
        "state-waiting\">Nog niet geopend</strong> 48",
        "state-opened\">Geopend</strong> 1",
        "state-locked\">Op slot</strong> 1",
    ] {
        assert!(page.text().contains(text), "{text} is missing");
    }
    assert_eq!(page.text().matches("<details class=\"card recipient\">").count(), 50);
    let page = site.get(&format!("/s/{token}/recall"));
    assert!(page.text().contains("1 van de 50 ontvangers heeft het bericht geopend."));
}

/// The sender's link ends with the transfer, ten years later as well: no facts, and nothing is done any more.
#[test]
fn the_link_ends_with_the_transfer() {
    for jump in [30 * DAY, 31 * DAY, 3650 * DAY] {
        let site = Site::start();
        let sealed = site.seal();
        let token = site.status_token(&sealed);
        site.clock.advance(jump - Duration::from_secs(1));
        if jump == 30 * DAY {
            assert_eq!(site.get(&format!("/s/{token}")).status, 200, "a second before");
        }
        site.clock.advance(Duration::from_secs(1));
        for (path, form) in
            [("recall", ""), ("recall/1", ""), ("extend", "days=9"), ("resend", ""), ("unlock/1", "")]
        {
            let answers = [
                site.post(&format!("/s/{token}/{path}"), form),
                site.get(&format!("/s/{token}/{path}")),
                site.get(&format!("/s/{token}")),
            ];
            for answer in answers {
                assert_eq!(answer.status, 410, "{path}");
                let text = answer.text();
                assert!(
                    text.contains("Dit bericht is verlopen") && text.contains("Verstuur het dan opnieuw")
                );
                assert!(
                    !text.contains("piet@example.org") && !text.contains("Opnieuw beschikbaar"),
                    "{text}"
                );
            }
        }
        assert_eq!(site.get(&format!("/s/{token}/status.json")).status, 410);
        assert_eq!(site.get(&format!("/s/{token}/proof")).status, 404, "nothing was recalled");
        assert!(site.queue().is_empty());
        site.runtime.block_on(site.store.expire(Whose::everybody(), site.now(), site.now())).unwrap();
        assert_eq!(site.post(&format!("/s/{token}/extend"), "days=9").status, 410);
        assert_eq!(site.get(&format!("/s/{token}")).status, 410);
    }
}

/// What a data-breach file needs outlives the link.
#[test]
fn the_proof_of_a_recall_outlives_the_date() {
    let site = Site::start();
    let sealed = site.seal();
    let token = site.status_token(&sealed);
    assert_eq!(site.post(&format!("/s/{token}/recall/1"), "").status, 303);
    site.clock.advance(31 * DAY);
    site.runtime.block_on(site.store.expire(Whose::everybody(), site.now(), site.now())).unwrap();
    let page = site.get(&format!("/s/{token}"));
    assert_eq!(page.status, 410);
    assert!(page.text().contains(&format!("href=\"/s/{token}/proof\"")), "{}", page.text());
    let proof = site.get(&format!("/s/{token}/proof"));
    assert_eq!(proof.status, 200);
    assert!(proof.text().contains("piet@example.org") && proof.text().contains("nooit geopend"));
    assert_eq!(site.get(&format!("/s/{token}/proof.json")).status, 200);
}

/// Within `seal.grace_days` the link is closed, but the sender can open it again, or end it.
#[test]
fn what_has_expired_can_be_renewed_within_the_days_of_grace() {
    let site = Site::start();
    site.settings.change(|organisation| organisation.seal.grace_days = 14);
    let (renewed, ended, late) = (site.seal(), site.seal(), site.seal());
    site.clock.advance(31 * DAY);
    let token = site.status_token(&renewed);
    assert_eq!(site.get(&format!("/t/{}", renewed.tokens[0])).status, 410);
    let page = site.get(&format!("/s/{token}"));
    assert_eq!(page.status, 410);
    assert!(page.text().contains("Opnieuw beschikbaar maken") && page.text().contains("6 januari 2027"));
    assert!(!page.text().contains("vernietigd. Wilt u"), "{}", page.text());
    assert_eq!(site.post(&format!("/s/{token}/resend"), "").status, 410);
    let ask = site.get(&format!("/s/{token}/extend"));
    assert!(ask.text().contains("verlopen op woensdag 23 december 2026 om 11:00"));
    assert_eq!(site.post(&format!("/s/{token}/extend"), "days=9").status, 303);
    assert_eq!(site.get(&format!("/s/{token}")).status, 200);
    site.unlock(&renewed.tokens[0], &renewed.password);

    let token = site.status_token(&ended);
    assert_eq!(site.post(&format!("/s/{token}/recall"), "").status, 303);
    assert_eq!(site.post(&format!("/s/{token}/extend"), "days=9").status, 410);
    assert_eq!(site.get(&format!("/s/{token}/proof")).status, 200);
    site.clock.advance(14 * DAY);
    let token = site.status_token(&late);
    assert_eq!(site.post(&format!("/s/{token}/extend"), "days=9").status, 410, "the grace is over");
    assert_eq!(site.post(&format!("/s/{token}/recall"), "").status, 410);
}

#[test]
fn a_notification_goes_again_but_not_at_every_click() {
    let site = Site::start();
    let sealed = site.seal();
    let token = site.status_token(&sealed);
    let path = format!("/s/{token}/resend/1");
    let answer = site.post(&path, "");
    assert_eq!((answer.status, answer.field("location")), (303, format!("/s/{token}?done=resend").as_str()));
    let second = site.post(&path, "");
    assert_eq!((second.status, second.field("retry-after")), (429, "600"));
    assert_eq!(site.queue(), [("notification".to_owned(), "piet@example.org".to_owned())]);
    assert_eq!(site.post(&format!("/s/{token}/resend"), "").status, 303, "the other one can have it");
    assert_eq!(site.queue().len(), 2);
    site.clock.advance(Duration::from_secs(600));
    assert_eq!(site.post(&path, "").status, 303);
    assert_eq!(site.audited("resend"), 3);
}

#[test]
fn a_bounced_link_is_closed_until_it_is_sent_again() {
    let site = Site::start();
    let sealed = site.seal();
    let token = site.status_token(&sealed);
    site.post(&format!("/s/{token}/resend/1"), "");
    site.relay(&refused("5.1.1 <b>onbekend</b>"));
    let page = site.get(&format!("/s/{token}"));
    assert!(page.text().contains("550 5.1.1 &#60;b&#62;onbekend"), "{}", page.text());
    assert!(page.text().contains("Dit e-mailadres bestaat niet."), "in plain words too: {}", page.text());
    assert!(site.get(&format!("/s/{token}?lang=en")).text().contains("This email address does not exist."));
    assert_eq!(site.status(&token)["recipients"][0]["bounced"]["cause"], "unknown-address");
    assert_eq!(site.status(&token)["recipients"][0]["state"], "bounced");
    assert_eq!(site.get(&format!("/t/{}", sealed.tokens[0])).status, 410);
    site.clock.advance(Duration::from_hours(1));
    assert_eq!(site.post(&format!("/s/{token}/resend/1"), "").status, 303);
    assert_eq!(site.get(&format!("/t/{}", sealed.tokens[0])).status, 200);
    let page = site.get(&format!("/s/{token}"));
    assert!(page.text().contains("Een eerdere e-mail met de link is niet bezorgd"), "{}", page.text());
    assert!(!site.reported(&sealed, true, Reported::Failed), "another one is on its way");
    site.relay(&Outcome::Delivered);
    assert!(site.reported(&sealed, true, Reported::Failed));
    assert_eq!(
        site.post(&format!("/s/{token}/recall/1"), "").status,
        303,
        "it can be taken back all the same"
    );
    let proof = site.get(&format!("/s/{token}/proof"));
    for text in ["E-mail niet aangekomen, de link is gesloten", "<details open>", "5.1.1 &#60;b&#62;onbekend"]
    {
        assert!(proof.text().contains(text), "{text} is missing in {}", proof.text());
    }
}

/// M24: what is said is what is known, and by whom.
#[test]
fn delivered_is_what_a_report_says() {
    let site = Site::start();
    let sealed = site.seal();
    let token = site.status_token(&sealed);
    let path = format!("/s/{token}");
    assert!(site.get(&path).text().contains("nog niet aan onze mailserver gegeven"));
    site.post(&format!("{path}/resend/1"), "");
    site.relay(&Outcome::Delivered);
    let text = site.get(&path).text().to_owned();
    assert!(text.contains("E-mail met de link aan onze mailserver gegeven"), "{text}");
    assert!(
        !text.to_lowercase().contains("bezorgd") && !text.contains("afgeleverd"),
        "nobody said so: {text}"
    );
    for (action, words) in [
        (Reported::Delayed, "Nog niet bezorgd, volgens een mailserver onderweg"),
        (Reported::Relayed, "een mailserver die niet meldt of de e-mail is bezorgd"),
        (Reported::Expanded, "Doorgestuurd naar iedereen op een lijst"),
        (Reported::Delivered, "Bezorgd, volgens de mailserver van de ontvanger"),
    ] {
        assert!(!site.reported(&sealed, true, action));
        let text = site.get(&path).text().to_owned();
        assert!(text.contains(words), "{words} is missing in {text}");
        let facts = site.status(&token);
        assert_eq!(
            facts["recipients"][0]["reports"].as_array().unwrap().last().unwrap()["action"],
            action.as_str()
        );
        assert_eq!(facts["recipients"][0]["state"], "waiting");
        assert_eq!(site.get(&format!("/t/{}", sealed.tokens[0])).status, 200);
        site.clock.advance(Duration::from_mins(1));
    }
    assert!(site.get(&path).text().contains("<bdi>5.1.1 &#60;b&#62;onbekend&#60;/b&#62;</bdi>"));
    site.post(&format!("{path}/recall"), "");
    let proof = site.get(&format!("{path}/proof"));
    assert!(proof.text().contains("Bezorgd, volgens") && proof.text().contains("Melding van een mailserver"));
}

/// H45: a copy that somebody sent on is not the mail, and who has opened a link has had it.
#[test]
fn no_report_closes_what_is_open() {
    let site = Site::start();
    let sealed = site.seal();
    let token = site.status_token(&sealed);
    for _ in 0..50 {
        assert!(!site.reported(&sealed, false, Reported::Failed));
    }
    assert_eq!(site.get(&format!("/t/{}", sealed.tokens[0])).status, 200);
    assert!(site.get(&format!("/s/{token}")).text().contains("een doorgestuurde kopie niet is aangekomen"));
    assert_eq!(site.audited("report"), 1, "one event for each kind");

    let cookie = site.unlock(&sealed.tokens[0], &sealed.password);
    assert!(!site.reported(&sealed, true, Reported::Failed));
    site.post(&format!("/s/{token}/resend/1"), "");
    site.relay(&refused("5.1.1"));
    assert_eq!(site.get_with(&format!("/t/{}/files", sealed.tokens[0]), &cookie).status, 200);
    assert_eq!(site.status(&token)["recipients"][0]["state"], "opened");
    assert!(site.get(&format!("/s/{token}")).text().contains("De link was al geopend en blijft werken"));
    assert_eq!(site.audited("bounce"), 0);
}

#[test]
fn the_sender_takes_a_lock_off() {
    let site = Site::start();
    let sealed = site.seal();
    let token = site.status_token(&sealed);
    for _ in 0..3 {
        site.post(&format!("/t/{}", sealed.tokens[0]), "password=verkeerd");
    }
    assert_eq!(site.post(&format!("/t/{}", sealed.tokens[0]), "password=verkeerd").status, 429);
    assert!(site.get(&format!("/s/{token}")).text().contains("Weer openstellen"));
    for _ in 0..2 {
        let answer = site.post(&format!("/s/{token}/unlock/1"), "");
        assert_eq!(
            (answer.status, answer.field("location")),
            (303, format!("/s/{token}?done=unlock").as_str())
        );
    }
    site.unlock(&sealed.tokens[0], &sealed.password);
    assert_eq!(site.audited("unlock"), 1);
}

#[test]
fn an_expired_link_asks_its_sender_once_a_day() {
    let site = Site::start();
    let sealed = site.seal();
    let path = format!("/t/{}/ask", sealed.tokens[0]);
    assert_eq!(site.post(&path, "").status, 410, "it is not expired yet");
    site.clock.advance(31 * DAY);
    let page = site.get(&format!("/t/{}", sealed.tokens[0]));
    assert_eq!(page.status, 410);
    assert!(
        page.text().contains(&format!("action=\"{path}\""))
            && page.text().contains("De einddatum is voorbij.")
    );
    assert_eq!(site.get(&path).status, 405);
    assert_eq!(site.post(&path, "").status, 200);
    let second = site.post(&path, "");
    assert_eq!((second.status, second.field("retry-after")), (429, "86400"));
    assert_eq!(site.queue(), [("ask".to_owned(), "jan@voorbeeld.nl".to_owned())]);
    assert_eq!(site.post(&format!("/t/{}/ask", sealed.tokens[1]), "").status, 200, "another recipient");
    assert_eq!(site.post(&format!("/t/{}x/ask", sealed.tokens[1]), "").status, 404);
    site.clock.advance(DAY);
    assert_eq!(site.post(&path, "").status, 200);
    assert_eq!(site.queue().len(), 3);
    assert_eq!(site.audited("ask"), 3);
}

/// H09: a machine, or nobody, is not written to.
#[test]
fn who_sent_by_machine_is_not_asked() {
    let site = Site::start();
    for change in [true, false] {
        let sealed = site.seal_with(PasswordMode::None, |request| match change {
            true => request.automatic = true,
            false => request.sender = None,
        });
        site.clock.advance(31 * DAY);
        let page = site.get(&format!("/t/{}", sealed.tokens[0]));
        assert_eq!(page.status, 410);
        assert!(!page.text().contains("/ask"));
        assert_eq!(site.post(&format!("/t/{}/ask", sealed.tokens[0]), "").status, 410);
    }
    assert!(site.queue().is_empty());
}
