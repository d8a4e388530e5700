//! Browsers that keep our cookies, that keep none, and that keep too many; and what is known of an opening before its
//! cookie has come back.

use std::time::Duration;

use super::{Answer, Site};
use crate::config::PasswordMode;

const COOKIES: &str = "Dan houdt uw browser onze cookie tegen";
const ENDED: &str = "Uw vorige bezoek is afgelopen";

/// The cookies of a browser, the oldest first, as it sends them.
#[derive(Default)]
struct Jar(Vec<(String, String)>);

impl Jar {
    fn keep(&mut self, answer: &Answer) {
        for field in answer.all("set-cookie") {
            let (name, value) = field.split(';').next().unwrap().split_once('=').unwrap();
            let is_over = field.contains("Max-Age=0");
            match self.0.iter_mut().find(|(known, _)| known == name) {
                _ if is_over => self.0.retain(|(known, _)| known != name),
                Some((_, known)) => *known = value.to_owned(),
                None => self.0.push((name.to_owned(), value.to_owned())),
            }
        }
    }

    fn field(&self) -> String {
        let pairs: Vec<String> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    fn get(&mut self, site: &Site, path: &str) -> Answer {
        let answer = site.get_with(path, &self.field());
        self.keep(&answer);
        answer
    }

    fn unlock(&mut self, site: &Site, token: &str, password: &str) {
        let form = format!("password={password}");
        let answer = site.send(&format!("POST /t/{token}"), &[("Cookie", &self.field())], &form);
        assert_eq!(answer.status, 303, "{}", answer.text());
        self.keep(&answer);
    }
}

#[test]
fn a_browser_without_cookies_is_told_so() {
    let site = Site::start();
    let sealed = site.seal();
    let [token, other] = [&sealed.tokens[0], &sealed.tokens[1]];
    let says = |token: &str| site.get(&format!("/t/{token}")).text().contains(COOKIES);
    assert!(!says(token), "nobody has opened it");
    for _ in 0..2 {
        site.unlock(token, &sealed.password);
        let back = site.get(&format!("/t/{token}/files"));
        assert_eq!((back.status, back.field("location")), (303, format!("/t/{token}").as_str()));
        assert!(says(token) && !says(other));
    }
    site.clock.advance(Duration::from_mins(3));
    assert!(!says(token), "somebody comes again another time");

    let cookie = site.open(token, &sealed.password);
    assert!(!says(token), "its cookie has come back");
    assert!(!site.get_with(&format!("/t/{token}"), &cookie).text().contains(COOKIES));
}

#[test]
fn a_browser_with_a_dead_session_is_told_so_once() {
    let site = Site::start();
    let sealed = site.seal();
    let (token, mut jar) = (&sealed.tokens[0], Jar::default());
    jar.unlock(&site, token, &sealed.password);
    assert!(!jar.get(&site, &format!("/t/{token}")).text().contains(ENDED));
    site.clock.advance(Duration::from_mins(31));
    let back = jar.get(&site, &format!("/t/{token}/files"));
    assert_eq!((back.status, back.field("location")), (303, format!("/t/{token}").as_str()));
    assert!(jar.get(&site, &format!("/t/{token}")).text().contains(ENDED));
    assert!(jar.0.is_empty(), "a dead cookie is taken away: {:?}", jar.0);
    assert!(!jar.get(&site, &format!("/t/{token}")).text().contains(ENDED));
}

#[test]
fn a_browser_that_opens_many_transfers_keeps_few_cookies() {
    let site = Site::start();
    let many: Vec<_> = (0..30).map(|_| site.seal_with(PasswordMode::None, |_| {})).collect();
    let mut jar =
        Jar(vec![("__Host-zegel-browser".into(), "x".into()), ("zegel-language".into(), "nl".into())]);
    for sealed in &many {
        jar.unlock(&site, &sealed.tokens[0], "");
    }
    assert_eq!(jar.0.len(), 2 + 20, "{:?}", jar.0);
    assert!(jar.field().len() < 2048, "{}", jar.field());
    assert!(
        jar.0[0].0 == "__Host-zegel-browser" && jar.0[1].0 == "zegel-language",
        "these are not taken away"
    );
    for (number, sealed) in many.iter().enumerate() {
        let page = jar.get(&site, &format!("/t/{}/files", sealed.tokens[0]));
        assert_eq!(page.status, if number < 10 { 303 } else { 200 }, "{number}");
    }

    site.clock.advance(Duration::from_mins(25));
    jar.get(&site, &format!("/t/{}/files", many[15].tokens[0]));
    site.clock.advance(Duration::from_mins(10));
    jar.unlock(&site, &many[0].tokens[0], "");
    let kept: Vec<&str> = jar.0.iter().map(|(name, _)| name.rsplit('-').next().unwrap()).collect();
    assert_eq!(
        kept,
        ["browser", "language", &many[15].tokens[0][..13], &many[0].tokens[0][..13]],
        "the dead ones go"
    );
    assert_eq!(jar.get(&site, &format!("/t/{}/files", many[15].tokens[0])).status, 200);
}

/// A pile that an older release left is worked off a few at a time: what takes them away must fit into a header too.
#[test]
fn a_pile_of_cookies_is_worked_off() {
    let site = Site::start();
    let sealed = site.seal_with(PasswordMode::None, |_| {});
    let dead = |number| (format!("__Host-zegel-{number:010}"), "0".repeat(52));
    let mut jar = Jar((0..105).map(dead).collect());
    for left in [86, 66, 46, 26, 6, 1] {
        jar.unlock(&site, &sealed.tokens[0], "");
        assert_eq!(jar.0.len(), left);
    }
}

/// What cannot be known is not said: the right password, or the button of a link without one, is no opening until
/// somebody comes back with the cookie.
#[test]
fn an_opening_is_one_when_its_cookie_has_come_back() {
    let site = Site::start();
    for (mode, opened, proved) in [
        (PasswordMode::Generated, "om 11:00, met het wachtwoord", "om 11:00, met het wachtwoord"),
        (
            PasswordMode::None,
            "om 11:00, met alleen de link. Wie dat was, is niet te zien",
            "met alleen de link. Wie dat was",
        ),
    ] {
        let sealed = site.seal_with(mode, |_| {});
        let (token, status) = (&sealed.tokens[0], site.status_token(&sealed));
        let page = |rest: &str| site.get(&format!("/s/{status}{rest}")).text().to_owned();
        let cookie = site.unlock(token, &sealed.password);
        site.get(&format!("/t/{token}/files"));
        assert!(site.status(&status)["recipients"][0]["opened"].is_null());
        assert!(page("").contains("Nog niet geopend") && !page("").contains("Voor het eerst geopend"));

        assert_eq!(site.get_with(&format!("/t/{token}/files"), &cookie).status, 200);
        assert_eq!(site.status(&status)["recipients"][0]["opened"], "2026-11-23T10:00:00Z");
        assert!(page("").contains(opened), "{}", page(""));
        assert_eq!(page("").contains("Link geopend"), mode == PasswordMode::None);
        site.post(&format!("/s/{status}/recall"), "");
        assert!(page("/proof").contains("Ja, voor het eerst op") && page("/proof").contains(proved));
        assert!(page("/proof").contains("iemand met de link"));
    }
}

#[test]
fn what_nobody_came_back_for_was_never_opened() {
    let site = Site::start();
    let sealed = site.seal_with(PasswordMode::None, |_| {});
    let status = site.status_token(&sealed);
    let cookie = site.unlock(&sealed.tokens[0], "");
    site.post(&format!("/s/{status}/recall"), "");
    assert_eq!(site.get_with(&format!("/t/{}/files", sealed.tokens[0]), &cookie).status, 410);
    assert!(site.get(&format!("/s/{status}/proof")).text().contains("Nee, nooit geopend"));
}
