//! What residents type is never lost, whatever becomes of their session, their windows and their connection: through the
//! real binary, without a browser. What needs a script is in `pages_kept.rs`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use support::resident::{RESIDENT, Resident, STAFF, Scene, attachments, form, multipart, noise, seal};
use support::smarthost::Taken;
use support::web::{Answer, send, send_octets};

const PARTNER: &str = "bob@example.net";
const TEXT: &str = "Beste Jan,\r\n\r\nkanarie-tekst met \"aanhalingen\" & <haken>.\r\n\r\nGroet";

fn scene(extra: &str) -> Scene {
    Scene::new(extra, &[RESIDENT, PARTNER])
}

impl Scene {
    fn execute(&self, change: &str) -> usize {
        self.database().execute(change, []).unwrap()
    }

    fn count(&self, query: &str) -> u32 {
        self.database().query_row(query, [], |row| row.get(0)).unwrap()
    }

    /// Everything that was ever kept of drafts that are there.
    fn kept(&self) -> u32 {
        self.count("SELECT count(*) + coalesce(sum(revision), 0) FROM drafts")
    }

    fn remembered(&self) -> u32 {
        self.count("SELECT count(*) FROM browsers")
    }

    /// Half an hour goes by in which nobody does anything.
    fn end_sessions(&self) {
        assert!(self.execute("UPDATE sessions SET used = 0") > 0);
    }

    fn answer(&self) -> Taken {
        let is_answer = |taken: &&Taken| String::from_utf8_lossy(&taken.message).contains("\nReply-To:");
        let seen = self.smarthost.wait(|seen| seen.taken.iter().any(|taken| is_answer(&taken)));
        seen.taken.iter().rfind(is_answer).unwrap().clone()
    }
}

/// The value of a hidden field.
fn hidden(page: &Answer, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let text = page.text();
    let (_, rest) = text.split_once(&start).unwrap_or_else(|| panic!("no {name} in {text}"));
    rest.split('"').next().unwrap().to_owned()
}

/// The text of a field that people write in, as a browser sends it back.
fn area(page: &Answer, id: &str) -> String {
    let text = page.text();
    let (_, rest) = text.split_once(&format!("<textarea id=\"{id}\"")).unwrap_or_else(|| panic!("{text}"));
    let inside = rest.split_once(">\n").unwrap().1.split("</textarea>").next().unwrap();
    let plain = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
    let read = plain.iter().fold(inside.to_owned(), |text, (escape, sign)| text.replace(escape, sign));
    read.replace("\r\n", "\n").replace('\n', "\r\n")
}

/// A window on the second screen.
struct Window {
    version: String,
    message: String,
}

impl Window {
    fn open(resident: &mut Resident) -> Self {
        let page = resident.get("/reply/message");
        assert_eq!(page.status, 200, "{}", page.text());
        Self { version: hidden(&page, "version"), message: area(&page, "message") }
    }

    fn press(
        &self,
        resident: &mut Resident,
        message: &str,
        files: &[(&str, &str, &[u8])],
        button: &str,
    ) -> Answer {
        let fields = [("version", self.version.as_str()), ("to", STAFF), ("message", message)];
        resident.multipart(&multipart(&fields, files, &[(button, "1")]))
    }
}

// ---- two windows

#[test]
fn the_photo_of_one_window_and_the_text_of_the_other_both_stay() {
    let scene = scene("");
    let mut anna = scene.verified();
    let (a, b) = (Window::open(&mut anna), Window::open(&mut anna));
    assert_eq!(a.press(&mut anna, TEXT, &[], "keep").status, 204);
    let photo = noise(20_000);
    let next = b.press(&mut anna, &b.message, &[("foto.jpg", "image/jpeg", &photo)], "next");
    assert_eq!((next.status, anna.tail(&next)), (303, "/reply/check"), "{}", next.text());
    assert_eq!(Window::open(&mut anna).message, TEXT);
    assert_eq!(anna.send("").status, 303);
    let mail = scene.answer();
    assert!(attachments(&mail) == [("foto.jpg".to_owned(), photo)]);
    assert!(String::from_utf8_lossy(&mail.message).contains("kanarie-tekst"));
}

#[test]
fn of_two_texts_both_are_shown_and_somebody_chooses() {
    let scene = scene("");
    let mut anna = scene.verified();
    for (button, expected) in
        [("next", "tekst van B"), ("theirs", "tekst van A"), ("both", "tekst van A\r\n\r\ntekst van B")]
    {
        let (a, b) = (Window::open(&mut anna), Window::open(&mut anna));
        assert_eq!(a.press(&mut anna, "tekst van A", &[], "keep").status, 204);
        // Typing in B is not kept over what A has written, whoever presses the button.
        assert_eq!(b.press(&mut anna, "tekst van B", &[], "keep").status, 409);
        let page = b.press(&mut anna, "tekst van B", &[("foto.jpg", "image/jpeg", b"foto")], "next");
        assert_eq!(page.status, 409, "{}", page.text());
        assert_eq!(
            (area(&page, "message"), area(&page, "theirs")),
            ("tekst van B".into(), "tekst van A".into())
        );
        assert!(page.text().contains("id=\"message-error\"") && page.text().contains("foto.jpg"));
        let shown = Window { version: hidden(&page, "version"), message: area(&page, "message") };
        let chosen = shown.press(&mut anna, &shown.message, &[], button);
        assert_eq!(chosen.status, 303, "{}", chosen.text());
        let after = Window::open(&mut anna);
        assert_eq!(after.message, expected);
        // Somebody may also clear a field.
        assert_eq!(after.press(&mut anna, "", &[], "keep").status, 204);
    }
}

/// What one page keeps by itself is in nobody's way when its button is pressed.
#[test]
fn a_window_is_not_in_conflict_with_itself() {
    let scene = scene("");
    let mut anna = scene.verified();
    let window = Window::open(&mut anna);
    for text in ["a", "ab", "abc"] {
        assert_eq!(window.press(&mut anna, text, &[], "keep").status, 204);
    }
    let next = window.press(&mut anna, "abcd", &[], "next");
    assert_eq!(anna.tail(&next), "/reply/check", "{}", next.text());
}

#[test]
fn two_windows_of_the_check_page_lose_no_recipient() {
    let scene = scene("");
    let mut anna = scene.verified();
    anna.message(STAFF, "tekst", &[], "next");
    let versions: Vec<String> = (0..3).map(|_| hidden(&anna.get("/reply/check"), "version")).collect();
    let post = |anna: &mut Resident, version: &str, cc: &str| {
        anna.post("/reply/check", &form(&[("version", version), ("cc", cc), ("confirm", "1")]))
    };
    assert_eq!(post(&mut anna, &versions[0], "els@voorbeeld.nl").status, 303);
    // Nothing was changed here, so nothing is.
    assert_eq!(post(&mut anna, &versions[1], "").status, 303);
    assert_eq!(area(&anna.get("/reply/check"), "cc"), "els@voorbeeld.nl");
    let page = post(&mut anna, &versions[2], "piet@voorbeeld.nl");
    assert_eq!((page.status, area(&page, "cc")), (409, "piet@voorbeeld.nl".to_owned()));
    assert!(page.text().contains("staat hier nu: els@voorbeeld.nl"), "{}", page.text());
    assert_eq!(post(&mut anna, &hidden(&page, "version"), "piet@voorbeeld.nl").status, 303);
}

/// The answer has left; a window that was opened before shows it once more, and sends it no second time.
#[test]
fn what_was_sent_is_not_begun_again_by_another_window() {
    let scene = scene("");
    let mut anna = scene.verified();
    anna.message(STAFF, TEXT, &[], "add");
    let old = Window::open(&mut anna);
    assert_eq!(old.message, TEXT);
    assert_eq!(anna.send("").status, 303);
    let next = old.press(&mut anna, TEXT, &[], "next");
    assert_eq!(anna.tail(&next), "/reply/sent", "{}", next.text());
    // Nor by the window that has kept it itself.
    let window = Window::open(&mut anna);
    for message in ["twee", "de tweede"] {
        assert_eq!(window.press(&mut anna, message, &[], "keep").status, 204);
    }
    assert_eq!(anna.send("").status, 303);
    let next = window.press(&mut anna, "de tweede", &[], "next");
    assert_eq!(anna.tail(&next), "/reply/sent", "{}", next.text());
    // What is new in it is an answer of its own.
    let next = old.press(&mut anna, "en nog iets", &[], "next");
    assert_eq!(anna.tail(&next), "/reply/check", "{}", next.text());
}

/// The draft went after a day without a change; the page that somebody comes back to still has the text.
#[test]
fn a_text_outlives_its_draft() {
    let scene = scene("");
    let mut anna = scene.verified();
    anna.message(STAFF, TEXT, &[], "add");
    let window = Window::open(&mut anna);
    assert_eq!(scene.execute("DELETE FROM drafts"), 1);
    let next = window.press(&mut anna, TEXT, &[], "next");
    assert_eq!(anna.tail(&next), "/reply/check", "{}", next.text());
    assert_eq!(Window::open(&mut anna).message, TEXT);
}

#[test]
fn whichever_button_leaves_the_page_keeps_the_text() {
    let scene = scene("");
    let mut anna = scene.verified();
    let back = Window::open(&mut anna).press(&mut anna, TEXT, &[], "back");
    assert_eq!((back.status, anna.tail(&back)), (303, "/files"), "{}", back.text());
    assert_eq!(Window::open(&mut anna).message, TEXT);
    let mut eva = Resident::open(&scene.links[1], &scene.password);
    let who = form(&[("name", "Eva"), ("email", PARTNER), ("phone", "06 1"), ("back", "1")]);
    let back = eva.post("/reply", &who);
    assert_eq!((back.status, eva.tail(&back)), (303, "/files"), "{}", back.text());
    assert!(eva.get("/reply").text().contains("value=\"06 1\""));
}

// ---- the session ends

/// Gives the password on the page that carries what was typed.
fn resume(anna: &mut Resident, page: &Answer, password: &str) -> Answer {
    let screen = hidden(page, "screen");
    let text = page.text();
    let carried =
        text.split("type=\"hidden\" name=\"kept-").skip(1).map(|rest| rest.split('"').next().unwrap());
    let mut fields =
        vec![("screen".to_owned(), screen.clone()), ("password".to_owned(), password.to_owned())];
    for name in carried {
        let name = format!("kept-{name}");
        fields.push((name.clone(), hidden(page, &name).replace("&#38;", "&")));
    }
    if screen == "message" {
        fields.push(("kept-message".to_owned(), area(page, "message")));
    }
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let body = multipart(&fields, &[], &[]);
    post_multipart(anna, "/reply/resume", &body, &[])
}

fn post_multipart(anna: &mut Resident, rest: &str, body: &[u8], more: &[(&str, &str)]) -> Answer {
    let (url, cookie) = (format!("{}{rest}", anna.link), anna.cookie());
    let fields = [("Cookie", cookie.as_str()), ("Content-Type", "multipart/form-data; boundary=grens")];
    let answer = send_octets("POST", &url, &[&fields[..], more].concat(), Some(body));
    for cookie in answer.cookies() {
        let (name, value) = cookie.split_once('=').unwrap();
        anna.cookies.insert(name.to_owned(), value.to_owned());
    }
    answer
}

#[test]
fn a_text_comes_back_after_the_password() {
    let scene = scene("");
    let mut anna = scene.verified();
    let window = Window::open(&mut anna);
    let before = scene.kept();
    scene.end_sessions();
    let kept = window.press(&mut anna, TEXT, &[], "keep");
    assert_eq!((kept.status, kept.field("content-type")), (403, "text/plain; charset=utf-8"));
    assert!(kept.text().contains("uw bezoek is afgelopen"), "{}", kept.text());
    let page = window.press(&mut anna, TEXT, &[("foto.jpg", "image/jpeg", b"foto")], "next");
    assert_eq!(page.status, 403, "{}", page.text());
    assert_eq!(area(&page, "message"), TEXT);
    assert!(page.text().contains("Uw bezoek was afgelopen") && page.text().contains("opnieuw kiezen"));
    assert_eq!(scene.kept(), before, "nothing is stored for who has no session");

    for (wrong, words) in [("", "Vul het wachtwoord in"), ("fout", "Dit wachtwoord klopt niet")] {
        let again = resume(&mut anna, &page, wrong);
        assert!(again.text().contains(words), "{}", again.text());
        assert_eq!(area(&again, "message"), TEXT);
    }
    let back = resume(&mut anna, &page, &scene.password);
    assert_eq!((back.status, anna.tail(&back)), (303, "/reply/message"), "{}", back.text());
    assert_eq!(Window::open(&mut anna).message, TEXT);
}

/// Where the lock keeps somebody out for a while, the text waits on the page.
#[test]
fn a_text_stays_on_the_page_of_a_locked_link() {
    let scene = scene("");
    let mut anna = scene.verified();
    let window = Window::open(&mut anna);
    scene.end_sessions();
    let page = window.press(&mut anna, TEXT, &[], "next");
    let last = (0..6).map(|_| resume(&mut anna, &page, "fout")).last().unwrap();
    assert_eq!(last.status, 429, "{}", last.text());
    assert_eq!(area(&last, "message"), TEXT);
    assert_eq!(scene.execute("UPDATE transfers SET expires = 0"), 1);
    let gone = resume(&mut anna, &page, &scene.password);
    assert_eq!((gone.status, area(&gone, "message")), (410, TEXT.to_owned()));
}

/// Finish in another window forgets who answered; the text waits behind the code.
#[test]
fn a_text_survives_finish_in_another_window() {
    let scene = scene("");
    let mut anna = scene.verified();
    let window = Window::open(&mut anna);
    let before = anna.cookies.clone();
    assert_eq!(anna.post("/finish", "").status, 303);
    anna.cookies = before;
    let page = window.press(&mut anna, TEXT, &[], "next");
    let back = resume(&mut anna, &page, &scene.password);
    assert_eq!((back.status, anna.tail(&back)), (303, "/reply"), "{}", back.text());
    anna.prove(&scene.smarthost, "Anna", RESIDENT);
    assert_eq!(Window::open(&mut anna).message, TEXT);

    // The session is there, who answers is not known: the text is kept all the same.
    let window = Window::open(&mut anna);
    let cookie = anna.cookies.iter().find(|(name, _)| name.as_str() != "zegel-browser").unwrap();
    let cookie = (cookie.0.clone(), cookie.1.clone());
    anna.post("/finish", "");
    let mut second = Resident::open(&scene.links[0], &scene.password);
    second.cookies.extend(
        anna.cookies.iter().filter(|(name, _)| **name != cookie.0).map(|(n, v)| (n.clone(), v.clone())),
    );
    let next = window.press(&mut second, "nog meer", &[], "next");
    assert_eq!(second.tail(&next), "/reply", "{}", next.text());
    second.prove(&scene.smarthost, "Anna", RESIDENT);
    assert_eq!(Window::open(&mut second).message, "nog meer");
}

/// The link of the other recipient, opened in the same browser, and a restart in between.
#[test]
fn a_text_survives_another_link_and_a_restart() {
    let mut scene = scene("");
    let mut anna = scene.verified();
    let window = Window::open(&mut anna);
    let other = Resident::open(&scene.links[1], &scene.password);
    anna.cookies.extend(other.cookies);
    let Scene { smarthost, site, gateway, links, password } = scene;
    gateway.kill();
    scene = Scene { gateway: site.start(), smarthost, site, links, password };
    let page = window.press(&mut anna, TEXT, &[], "next");
    if page.status == 403 {
        let back = resume(&mut anna, &page, &scene.password);
        assert_eq!(anna.tail(&back), "/reply/message", "{}", back.text());
    } else {
        assert_eq!(anna.tail(&page), "/reply/check", "{}", page.text());
    }
    assert_eq!(Window::open(&mut anna).message, TEXT);
    assert!(scene.gateway.log().iter().all(|line| !line.contains("kanarie")));
}

/// Whoever was on our pages just now hears why the password is asked again, also where no cookie is left to tell.
#[test]
fn the_password_page_says_why_it_is_there() {
    let scene = scene("");
    let mut anna = scene.verified();
    anna.post("/finish", "");
    anna.cookies.retain(|name, _| name == "zegel-browser");
    let cookie = anna.cookie();
    for screen in ["/files", "/reply", "/reply/message", "/reply/check", "/reply/sent"] {
        let url = format!("{}{screen}", scene.links[0]);
        let ask = |site: &str| {
            let answer = send("GET", &url, &[("Cookie", &cookie), ("Sec-Fetch-Site", site)], None);
            assert_eq!(answer.status, 303, "{screen}");
            let location = format!("{}{}", scene.site.public_url(), answer.field("location"));
            send("GET", &location, &[("Cookie", &cookie)], None).text()
        };
        assert!(ask("same-origin").contains("Uw vorige bezoek is afgelopen"), "{screen}");
        assert!(!ask("cross-site").contains("Uw vorige bezoek is afgelopen"), "{screen}: from a mail");
    }
}

/// Meanwhile another window has written something else.
#[test]
fn what_comes_back_is_compared_with_what_is_there() {
    let scene = scene("");
    let mut anna = scene.verified();
    let (a, b) = (Window::open(&mut anna), Window::open(&mut anna));
    assert_eq!(b.press(&mut anna, "tekst van B", &[], "keep").status, 204);
    scene.end_sessions();
    let page = a.press(&mut anna, TEXT, &[], "next");
    let back = resume(&mut anna, &page, &scene.password);
    assert_eq!(back.status, 409, "{}", back.text());
    assert_eq!((area(&back, "message"), area(&back, "theirs")), (TEXT.to_owned(), "tekst van B".to_owned()));
}

#[test]
fn the_other_screens_come_back_as_well() {
    let scene = scene("");
    let mut anna = Resident::open(&scene.links[0], &scene.password);
    scene.end_sessions();
    let page = anna.post("/reply", &form(&[("name", "Anna & co"), ("email", RESIDENT), ("phone", "06 1")]));
    assert_eq!(page.status, 403, "{}", page.text());
    let back = resume(&mut anna, &page, &scene.password);
    assert_eq!(anna.tail(&back), "/reply", "{}", back.text());
    let who = anna.get("/reply").text();
    assert!(who.contains("value=\"Anna &#38; co\"") && who.contains("value=\"06 1\""), "{who}");

    anna.prove(&scene.smarthost, "Anna", RESIDENT);
    anna.message(STAFF, "tekst", &[], "next");
    for rest in ["/reply/check", "/reply/sent"] {
        scene.end_sessions();
        let cc = format!("{}@voorbeeld.nl", rest.trim_start_matches("/reply/"));
        let page = anna.post(rest, &form(&[("cc", &cc), ("names", "1"), ("password_by", "generate")]));
        assert_eq!(page.status, 403, "{}", page.text());
        let back = resume(&mut anna, &page, &scene.password);
        assert_eq!(anna.tail(&back), "/reply/check", "{}", back.text());
        let check = anna.get("/reply/check");
        assert_eq!(area(&check, "cc"), cc);
        assert!(check.text().contains("name=\"names\" value=\"1\" checked"), "{}", check.text());
    }
    assert_eq!(scene.smarthost.seen().copies(STAFF), 1, "nothing was sent without the button");
}

/// Who has no genuine link gets nothing back; who has typed nothing is sent to the password as ever.
#[test]
fn strangers_get_nothing_back() {
    let scene = scene("");
    let mut anna = scene.verified();
    let window = Window::open(&mut anna);
    let before = scene.kept();
    scene.end_sessions();
    let nothing = window.press(&mut anna, "  ", &[], "next");
    assert_eq!((nothing.status, anna.tail(&nothing)), (303, "?next=reply"));
    let (start, last) = anna.link.split_at(anna.link.len() - 1);
    let link = format!("{start}{}", if last == "x" { "y" } else { "x" });
    let mut forged = Resident { link, cookies: anna.cookies.clone() };
    let answer = window.press(&mut forged, TEXT, &[], "next");
    assert_eq!(answer.status, 404);
    assert!(!answer.text().contains("kanarie"));
    let body = multipart(&[("screen", "message"), ("kept-message", TEXT)], &[], &[]);
    let answer = post_multipart(&mut forged, "/reply/resume", &body, &[]);
    assert!(answer.status == 404 && !answer.text().contains("kanarie"));
    let elsewhere = [("Sec-Fetch-Site", "cross-site")];
    let answer = post_multipart(&mut anna, "/reply/resume", &body, &elsewhere);
    assert!(answer.status == 403 && !answer.text().contains("kanarie"));
    // Fields of another screen are not carried into this one.
    let body = multipart(&[("screen", "who"), ("kept-message", TEXT), ("kept-to", "x")], &[], &[]);
    let answer = post_multipart(&mut anna, "/reply/resume", &body, &[]);
    assert!(answer.status == 400 && !answer.text().contains("kanarie"), "{}", answer.text());
    assert_eq!(scene.kept(), before);
}

// ---- a computer that others use

#[test]
fn finish_forgets_who_answered() {
    let scene = scene("");
    let mut anna = scene.verified();
    anna.message(STAFF, TEXT, &[("a.txt", "text/plain", b"bijlage")], "add");
    anna.post("/finish", "");
    assert_eq!(scene.remembered(), 0);
    let (others, password) = seal(&scene.smarthost, &scene.site, &scene.gateway, &[PARTNER]);
    let mut bob = Resident { link: others[0].clone(), cookies: anna.cookies.clone() };
    assert_eq!(bob.post("", &form(&[("password", &password)])).status, 303);
    let page = bob.get("/reply");
    assert_eq!(page.status, 200, "step 1, not step 2");
    assert!(!page.text().contains("Anna") && !page.text().contains(RESIDENT), "{}", page.text());
    // What Anna had not sent yet waits for her behind her own link.
    let mut anna = Resident { link: scene.links[0].clone(), cookies: anna.cookies };
    assert_eq!(anna.post("", &form(&[("password", &scene.password)])).status, 303);
    assert_eq!(anna.get("/reply/message").status, 303, "the code first");
    anna.prove(&scene.smarthost, "Anna", RESIDENT);
    let page = anna.get("/reply/message");
    assert!(page.text().contains("kanarie-tekst") && page.text().contains("a.txt"), "{}", page.text());
    // Without a session it is forgotten as well.
    scene.end_sessions();
    assert_eq!(anna.post("/finish", "").status, 303);
    assert_eq!(scene.remembered(), 0);
}

/// She has closed the window without pressing Finish.
#[test]
fn who_is_remembered_answers_for_nobody_else() {
    let scene = scene("");
    let anna = scene.verified();
    let (others, password) = seal(&scene.smarthost, &scene.site, &scene.gateway, &[PARTNER]);
    let mut bob = Resident { link: others[0].clone(), cookies: anna.cookies.clone() };
    assert_eq!(bob.post("", &form(&[("password", &password)])).status, 303);
    for screen in ["/reply", "/reply/message", "/reply/code", "/reply/check", "/reply/preview", "/reply/sent"]
    {
        let page = bob.get(screen);
        assert!(!page.text().contains("Anna") && !page.text().contains(RESIDENT), "{}", page.text());
        assert!(
            screen == "/reply" || page.status == 303 || screen == "/reply/code",
            "{screen}: {}",
            page.status
        );
    }
    assert_eq!(bob.tus("POST", "", &[("Upload-Length", "1")], Some(b"")).status, 403);
    let blank = bob.post("/reply", &form(&[("name", "Bob"), ("email", " "), ("phone", "")]));
    assert_eq!(blank.status, 400, "no address is nobody's: {}", blank.text());
    let own = bob.post("/reply", &form(&[("name", "Bob"), ("email", PARTNER), ("phone", "")]));
    assert_eq!(bob.tail(&own), "/reply/code", "{}", own.text());
    // Whoever names the address that was proved here needs no second code.
    let hers = bob.post("/reply", &form(&[("name", "Anna"), ("email", RESIDENT), ("phone", "")]));
    assert_eq!(bob.tail(&hers), "/reply/message", "{}", hers.text());
}

/// "Is that not you?" keeps what was typed until somebody has said which of the two it is.
#[test]
fn another_address_keeps_the_text_and_another_person_does_not_see_it() {
    let scene = scene("");
    let mut anna = scene.verified();
    let asked =
        Window::open(&mut anna).press(&mut anna, TEXT, &[("a.txt", "text/plain", b"bijlage")], "other");
    assert_eq!(asked.status, 200, "{}", asked.text());
    assert!(asked.text().contains("name=\"who\" value=\"same\""), "{}", asked.text());
    let left = anna.post("/reply/other", "who=same");
    assert_eq!(anna.tail(&left), "/reply", "{}", left.text());
    assert!(!anna.get("/reply").text().contains(&format!("value=\"{RESIDENT}\"")), "the field is empty");
    anna.prove(&scene.smarthost, "Anna", "anna.werk@example.com");
    let page = anna.get("/reply/message");
    assert!(
        page.text().contains("a.txt") && page.text().contains("anna.werk@example.com"),
        "{}",
        page.text()
    );
    assert_eq!(area(&page, "message"), TEXT);

    let left = anna.post("/reply/other", "who=other");
    assert_eq!(anna.tail(&left), "/reply", "{}", left.text());
    anna.prove(&scene.smarthost, "Eva", "eva@example.com");
    assert_eq!(Window::open(&mut anna).message, "");
    // Where nothing was written, nobody is asked.
    let left = Window::open(&mut anna).press(&mut anna, "", &[], "other");
    assert_eq!((left.status, anna.tail(&left)), (303, "/reply"), "{}", left.text());
}

// ---- files without a script

/// "Choose the same file again": what had come of it before is not in the way for ever.
#[test]
fn a_file_that_is_chosen_again_takes_the_place_of_what_had_come() {
    let scene = scene("");
    let mut anna = scene.verified();
    let file = noise(5_000);
    let id = anna.begin("foto.jpg", file.len());
    assert_eq!(anna.piece(&id, 0, &file[..1000]).status, 204);
    anna.begin("foto.jpg", 7);
    let refused = anna.message(STAFF, "tekst", &[], "next");
    assert!(refused.text().contains("foto.jpg is nog niet helemaal binnen"), "{}", refused.text());
    let again = anna.message(STAFF, "tekst", &[("foto.jpg", "image/jpeg", &file)], "next");
    assert!(
        again.text().contains("foto.jpg is nog niet helemaal binnen"),
        "of another length: {}",
        again.text()
    );
    assert_eq!(again.text().matches("data-name=\"foto.jpg\"").count(), 2);
}
