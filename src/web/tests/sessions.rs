//! C15 and C17 for every route there is: a session is good for its own link and nothing else, and a token that we did
//! not make gets as far as its own proof and no further. The routes are read from the source, so that a new one is
//! asked as well.

use std::collections::HashMap;

use super::{Answer, Sealed, Site};

const ROUTES: [&str; 3] =
    [include_str!("../recipient/mod.rs"), include_str!("../reply/mod.rs"), include_str!("../sender/mod.rs")];
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"];

/// Every path below `start`, with numbers and words in it that lead somewhere.
fn paths(start: &str) -> Vec<String> {
    let routes = ROUTES.iter().flat_map(|source| source.split(".route(\"").skip(1));
    let paths = routes.map(|rest| rest.split('"').next().unwrap()).filter(|path| path.starts_with(start));
    paths
        .map(|path| path.replace("{number}", "1").replace("{id}", "1").replace("{action}", "recall"))
        .collect()
}

/// What can be told apart from outside.
fn told(answer: &Answer) -> (u16, String, String) {
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    (answer.status, answer.field("location").to_owned(), body)
}

#[test]
fn every_route_is_asked() {
    let paths = paths("/t/{token}");
    for known in ["/t/{token}", "/t/{token}/zip", "/t/{token}/reply/files/1", "/t/{token}/files/1/preview"] {
        assert!(paths.iter().any(|path| path == known), "{known} is not in {paths:?}");
    }
    assert!(paths.len() >= 20, "{paths:?}");
}

/// C17: with another link's session, whichever name its cookie is given, every path answers as without any.
#[test]
fn a_foreign_session_is_none_on_every_path() {
    let site = Site::start();
    let sealed = [site.seal(), site.seal()];
    let links: Vec<(&str, String)> = sealed
        .iter()
        .flat_map(|Sealed { tokens, password }| tokens.iter().map(move |token| (token.as_str(), password)))
        .map(|(token, password)| (token, site.unlock(token, password)))
        .collect();
    let ask = |method: &str, path: &str, cookie: &str| {
        let fields = [("Cookie", cookie)];
        told(&site.send(&format!("{method} {path}"), if cookie.is_empty() { &[] } else { &fields }, ""))
    };
    let mut own = HashMap::new();
    for (token, cookie) in &links {
        let name = cookie.split('=').next().unwrap();
        for path in paths("/t/{token}").iter().map(|path| path.replace("{token}", token)) {
            for method in METHODS {
                let without = ask(method, &path, "");
                for (_, foreign) in links.iter().filter(|(other, _)| other != token) {
                    let (_, value) = foreign.split_once('=').unwrap();
                    for cookie in [format!("{name}={value}"), format!("{foreign}; {name}={value}")] {
                        assert_eq!(ask(method, &path, &cookie), without, "{method} {path}");
                    }
                }
                own.insert((method, path.clone()), without);
            }
        }
    }
    let rows = |table: &str| site.count(&format!("SELECT count(*) FROM {table}"));
    assert_eq!(["drafts", "uploads", "codes", "replies", "downloads"].map(rows), [0; 5]);
    assert_eq!(site.audited("finish"), 0);
    // The own one is still there after all that, and opens.
    for (token, cookie) in &links {
        for inside in ["files", "files/1", "zip", "message.eml", "message", "reply"] {
            let path = format!("/t/{token}/{inside}");
            let answer = ask("GET", &path, cookie);
            assert_eq!(answer.0, 200, "{path}");
            assert_ne!(answer, own[&("GET", path)]);
        }
    }
}

/// C15, H20: whatever is wrong with a token, the store is not asked, so no answer depends on what is in it, nor does
/// the time it takes. Here the store could not even answer.
#[test]
fn a_token_that_is_not_ours_never_reaches_the_store() {
    let site = Site::start();
    let sealed = site.seal();
    let status = site.status_token(&sealed);
    site.database().execute_batch("ALTER TABLE transfers RENAME TO away").unwrap();
    for (start, genuine) in [("/t/{token}", &sealed.tokens[0]), ("/s/{token}", &status)] {
        assert_eq!(site.get(&start.replace("{token}", genuine)).status, 503, "the genuine one does reach it");
        let last = if genuine.ends_with('0') { "1" } else { "0" };
        let cut = &genuine[..genuine.len() - 1];
        let wrong =
            [format!("{cut}{last}"), cut.to_owned(), format!("{genuine}0"), "0".repeat(genuine.len())];
        for path in paths(start) {
            for method in ["GET", "POST"] {
                let ask = |token: &str| {
                    let line = format!("{method} {}", path.replace("{token}", token));
                    told(&site.send(&line, &[], "password=x"))
                };
                let first = ask("x");
                assert!(matches!(first.0, 404 | 405), "{method} {path}: {}", first.0);
                for token in &wrong {
                    assert_eq!(ask(token), first, "{method} {path} {token}");
                }
            }
        }
    }
}
