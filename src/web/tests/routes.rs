//! Every route and every status of docs/reference.md.

use std::sync::Arc;
use std::time::Duration;

use super::Site;
use crate::config::{Branding, Format, PasswordMode, Picture, Theme};

#[test]
fn the_whole_way_of_a_recipient() {
    let site = Site::start();
    let sealed = site.seal();
    let token = &sealed.tokens[0];

    let typed = format!("/?transfer=+{}+", token.to_uppercase());
    let answer = site.get(&typed);
    assert_eq!((answer.status, answer.field("location")), (303, format!("/t/{token}").as_str()));

    let page = site.get(&format!("/t/{token}"));
    assert_eq!(page.status, 200);
    assert!(page.text().contains("23 december 2026") && page.text().contains("name=\"password\""));
    assert!(!page.text().contains("Besluit"), "nothing of the message before the password");

    let cookie = site.unlock(token, &sealed.password);
    let page = site.get_with(&format!("/t/{token}/files"), &cookie);
    assert_eq!(page.status, 200);
    assert!(page.text().contains("besluit.pdf") && page.text().contains("/files/4"));

    let answer = site.send(&format!("POST /t/{token}/finish"), &[("Cookie", &cookie)], "");
    assert_eq!((answer.status, answer.field("location")), (303, "/"));
    assert!(answer.field("set-cookie").contains("Max-Age=0"));
    let answer = site.get_with(&format!("/t/{token}/files"), &cookie);
    assert_eq!((answer.status, answer.field("location")), (303, format!("/t/{token}").as_str()));
    assert_eq!((site.audited("open"), site.audited("finish")), (1, 1));
}

#[test]
fn a_password_may_be_typed_as_it_was_heard() {
    let site = Site::start();
    let sealed = site.seal();
    let heard = sealed.password.to_uppercase().replace('-', "+");
    site.unlock(&sealed.tokens[0], &heard);
}

#[test]
fn a_transfer_without_password_opens_by_a_button() {
    let site = Site::start();
    let token = &site.seal_with(PasswordMode::None, |_| {}).tokens[0];
    let page = site.get(&format!("/t/{token}"));
    assert!(!page.text().contains("name=\"password\"") && page.text().contains("Openen"));
    let path = format!("POST /t/{token}");
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    assert_eq!(site.send(&path, &[("Content-Length", "0"), form], "").status, 303);
    assert_eq!(site.send(&path, &[("Content-Length", "0")], "").status, 303, "as curl -X POST does");
    assert_eq!(site.send(&path, &[("Content-Type", "text/xml")], "").status, 400);
}

#[test]
fn wrong_passwords_are_403_and_then_429() {
    let site = Site::start();
    let sealed = site.seal();
    let path = format!("POST /t/{}", sealed.tokens[0]);
    for _ in 0..3 {
        let answer = site.send(&path, &[], "password=verkeerd");
        assert_eq!(answer.status, 403);
        assert!(answer.text().contains("klopt niet") && !answer.text().contains("verkeerd\""));
    }
    let right = format!("password={}", sealed.password);
    let answer = site.send(&path, &[], &right);
    assert_eq!((answer.status, answer.field("retry-after")), (429, "900"));
    assert!(answer.text().contains("15 minuten"));
    site.clock.advance(Duration::from_secs(901));
    assert_eq!(site.send(&path, &[], &right).status, 303);
}

#[test]
fn no_password_at_all_is_no_try() {
    let site = Site::start();
    let sealed = site.seal();
    for _ in 0..5 {
        assert_eq!(site.send(&format!("POST /t/{}", sealed.tokens[0]), &[], "password=").status, 400);
    }
    site.unlock(&sealed.tokens[0], &sealed.password);
}

#[test]
fn unknown_malformed_and_foreign_tokens_are_alike() {
    let site = Site::start();
    let token = &site.seal().tokens[0];
    let mut forged = token.clone();
    forged.replace_range(38.., if token.ends_with('0') { "1" } else { "0" });
    let unknown = "0".repeat(39);
    let bodies: Vec<String> = [forged.as_str(), &unknown, "x", "%00", "..", "a%2fb"]
        .iter()
        .flat_map(|token| {
            let paths = ["", "/files", "/files/1", "/files/1/preview", "/zip", "/message.eml", "/reply"];
            paths.map(|rest| site.get(&format!("/t/{token}{rest}")))
        })
        .map(|answer| {
            assert_eq!(answer.status, 404);
            answer.text().to_owned()
        })
        .collect();
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    assert_eq!(site.send(&format!("POST /t/{unknown}"), &[], "password=x").status, 404);
}

#[test]
fn what_is_put_around_a_token_leads_to_its_page() {
    let site = Site::start();
    let sealed = site.seal();
    let token = &sealed.tokens[0];
    let status = site.status_token(&sealed);
    for tail in [
        ".",
        ",",
        ";",
        ":",
        ")",
        "%3E",
        "]",
        "%5D",
        "%7D",
        "'",
        "%22",
        "%E2%80%9D",
        "%E2%80%99",
        "%C2%BB",
        "/",
        "//",
        "%20",
        "%20/",
        "%C2%A0",
        "%E2%80%8B",
        "%EF%BB%BF",
        "%C2%AD",
        "=",
        "=20",
        "=0D=0A",
        "%0D%0A",
        "%3D",
        ").",
        "/%3E",
        "-",
        "*",
        "%20en%20verder",
        "?utm_source=mail&utm_medium=x",
        "/?fbclid=1",
        "./?UTM_source=x",
        "%",
        "%25",
        "%2520",
    ] {
        for (kind, token, pages) in
            [("t", token, ["", "/reply", "/message.eml"]), ("s", &status, ["", "/proof", "/recall"])]
        {
            for page in pages {
                let clean = format!("/{kind}/{token}{page}");
                let answer = site.get(&format!("{clean}{tail}"));
                let got = (answer.status, answer.field("location"));
                assert_eq!(got, (303, clean.as_str()), "{clean}{tail}");
            }
        }
    }
    for head in ["%3C", "%20", "(", "=20", "/", "%E2%80%8B", "%22"] {
        let answer = site.get(&format!("/t/{head}{token}"));
        assert_eq!(
            (answer.status, answer.field("location")),
            (303, format!("/t/{token}").as_str()),
            "{head}"
        );
    }
    for asked in [
        format!("/T/{}", token.to_uppercase()),
        format!("/t/{}", token.to_uppercase()),
        format!("//t/{token}"),
    ] {
        let answer = site.get(&asked);
        assert_eq!(
            (answer.status, answer.field("location")),
            (303, format!("/t/{token}").as_str()),
            "{asked}"
        );
    }
    for gap in ["=%0D%0A", "%20", "%E2%80%8B", "%0A%3E%20", "%250A"] {
        let answer = site.get(&format!("/t/{}{gap}{}/reply", &token[..20], &token[20..]));
        assert_eq!(
            (answer.status, answer.field("location")),
            (303, format!("/t/{token}/reply").as_str()),
            "{gap}"
        );
    }
    let answer = site.get(&format!("/t/{token}/files/2).)"));
    assert_eq!(answer.field("location"), format!("/t/{token}/files/2"));
    assert_eq!(site.send(&format!("HEAD /t/{token})"), &[], "").status, 303);
    assert_eq!(
        site.send(&format!("POST /t/{token})"), &[], "password=x").status,
        404,
        "a form of ours is clean"
    );
}

/// C15: around a token that is none there is nothing to put right, and a link of one kind is none of the other.
#[test]
fn only_a_token_of_ours_leads_anywhere() {
    let site = Site::start();
    let sealed = site.seal();
    let (token, other) = (&sealed.tokens[0], &sealed.tokens[1]);
    let status = site.status_token(&sealed);
    let mut forged = token.clone();
    forged.replace_range(38.., if token.ends_with('0') { "1" } else { "0" });
    let plain = site.get("/t/x").text().to_owned();
    for asked in [
        format!("/t/{forged}."),
        format!("/t/{forged}/"),
        format!("/t/{}", forged.to_uppercase()),
        format!("/t/{status}."),
        format!("/t/{forged}?utm_source=x"),
        format!("/s/{token})"),
        format!("/help/{token}"),
        format!("/x/t/{token}"),
        format!("/t/{token}/nonsense"),
        format!("/t/{token}0"),
        format!("/t/0{token}/reply"),
        format!("/t/{}.", &token[..38]),
        "/t/".into(),
        "/t/%".into(),
        "/t//".into(),
    ] {
        let answer = site.get(&asked);
        assert_eq!((answer.status, answer.text()), (404, plain.as_str()), "{asked}");
    }
    let both = site.get(&format!("/t/{token}%20{other}"));
    assert_eq!(both.field("location"), format!("/t/{token}"), "the first of two");
    let away = site.get(&format!("/t/{token}//evil.example"));
    assert_eq!(away.field("location"), format!("/t/{token}"));
}

#[test]
fn the_start_page_finds_the_token_in_what_was_pasted() {
    let site = Site::start();
    let token = &site.seal().tokens[0];
    let link = format!("https%3A%2F%2Fveilig.voorbeeld.nl%2Ft%2F{token}");
    let (half, rest) = token.split_at(17);
    for pasted in [
        link.clone(),
        format!("{link}+voor+het+besluit.+Met+vriendelijke+groet"),
        format!(
            "https%3A%2F%2Feur03.safelinks.example%2F%3Furl%3D{}%26data%3D05%257C02",
            link.replace('%', "%25")
        ),
        format!(
            "https%3A%2F%2Furldefense.example%2Fv2%2Furl%3Fu%3Dhttps-3A__veilig.voorbeeld.nl_t_{token}%26d%3DDwM"
        ),
        format!("https%3A%2F%2Flinkprotect.example%2Furl%3Fa%3D{}%26c%3DE%2C1", link.replace('%', "%2525")),
        format!("%3E+https%3A%2F%2Fveilig.voorbeeld.nl%2Ft%2F{half}%0D%0A%3E+{rest}%0D%0AGroet"),
    ] {
        let answer = site.get(&format!("/?transfer={pasted}"));
        assert_eq!(
            (answer.status, answer.field("location")),
            (303, format!("/t/{token}").as_str()),
            "{pasted}"
        );
    }
    let unknown = site.get("/?transfer=https%3A%2F%2Fvoorbeeld.nl%2Ft%2Fabc");
    assert_eq!((unknown.status, unknown.field("location")), (303, "/t/abc"));
}

#[test]
fn an_expired_transfer_is_410_even_with_a_session() {
    let site = Site::start();
    let sealed = site.seal();
    let token = &sealed.tokens[0];
    site.clock.advance(Duration::from_secs(30 * 86_400 - 60));
    let cookie = site.unlock(token, &sealed.password);
    site.clock.advance(Duration::from_secs(120));
    for rest in ["", "/files", "/files/1", "/zip", "/message.eml", "/message"] {
        let answer = site.get_with(&format!("/t/{token}{rest}"), &cookie);
        assert_eq!(answer.status, 410, "{rest}");
        assert!(answer.text().contains("niet meer beschikbaar"));
    }
}

#[test]
fn pages_without_a_session_lead_to_the_unlock_page() {
    let site = Site::start();
    let token = &site.seal().tokens[0];
    let rests = ["files", "files/1", "files/1/view", "files/1/preview", "zip", "message", "message.eml"];
    for rest in rests {
        let answer = site.get(&format!("/t/{token}/{rest}"));
        assert_eq!(
            (answer.status, answer.field("location")),
            (303, format!("/t/{token}").as_str()),
            "{rest}"
        );
    }
}

/// A program would save the unlock page as the file, or call a file complete that has a page for its end.
#[test]
fn downloads_by_programs_are_refused_without_a_session() {
    let site = Site::start();
    let sealed = site.seal();
    let token = &sealed.tokens[0];
    let page = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let programs: [&[(&str, &str)]; 6] = [
        &[("Range", "bytes=5-")],
        &[("Range", "bytes=5-"), ("Accept", page)],
        &[("If-Range", "\"x\""), ("Accept", page)],
        &[("Accept", "*/*")],
        &[("Accept", "application/octet-stream"), ("Accept", "*/*")],
        &[("Accept", "image/avif,image/webp,*/*;q=0.8")],
    ];
    let get = |rest: &str, fields: &[(&str, &str)]| {
        ["GET", "HEAD"].map(|method| site.send(&format!("{method} /t/{token}/{rest}"), fields, ""))
    };
    for rest in ["files/1", "files/1/preview", "message.eml", "zip"] {
        for fields in programs {
            for answer in get(rest, fields) {
                assert_eq!((answer.status, answer.field("location")), (403, ""), "{rest} {fields:?}");
                assert_eq!(answer.field("cache-control"), "no-store");
            }
        }
        for answer in get(rest, &[("Accept", page)]) {
            assert_eq!(
                (answer.status, answer.field("location")),
                (303, format!("/t/{token}").as_str()),
                "{rest}"
            );
        }
    }
    for answer in get("files", &[("Accept", "*/*")]) {
        assert_eq!(answer.status, 303, "a page leads to the other");
    }
    let ended = site.unlock(token, &sealed.password);
    site.clock.advance(Duration::from_mins(31));
    let wget = [("Cookie", ended.as_str()), ("Range", "bytes=5-")];
    assert_eq!(get("files/1", &wget).map(|answer| answer.status), [403, 403]);
    site.clock.advance(Duration::from_secs(31 * 86_400));
    assert_eq!(get("files/1", &wget).map(|answer| answer.status), [410, 410]);
}

#[test]
fn a_session_ends_after_half_an_hour_of_silence() {
    let site = Site::start();
    let sealed = site.seal();
    let token = &sealed.tokens[0];
    let cookie = site.unlock(token, &sealed.password);
    for _ in 0..3 {
        site.clock.advance(Duration::from_mins(29));
        assert_eq!(site.get_with(&format!("/t/{token}/files"), &cookie).status, 200);
    }
    site.clock.advance(Duration::from_mins(31));
    assert_eq!(site.get_with(&format!("/t/{token}/files"), &cookie).status, 303);
}

#[test]
fn a_session_opens_only_its_own_link() {
    let site = Site::start();
    let (mine, other) = (site.seal(), site.seal());
    let cookie = site.unlock(&mine.tokens[0], &mine.password);
    let value = cookie.split_once('=').unwrap().1;
    for token in [&mine.tokens[1], &other.tokens[0]] {
        let name = format!("__Host-zegel-{}={value}", &token[..10]);
        for rest in ["files", "files/1", "files/2/preview", "zip", "message", "message.eml"] {
            assert_eq!(site.get_with(&format!("/t/{token}/{rest}"), &name).status, 303, "{rest}");
        }
    }
}

#[test]
fn get_is_inert() {
    let site = Site::start();
    let sealed = site.seal();
    let token = &sealed.tokens[0];
    for _ in 0..20 {
        assert_eq!(site.get(&format!("/t/{token}?password={}", sealed.password)).status, 200);
        assert_eq!(site.send(&format!("HEAD /t/{token}"), &[("Sec-Purpose", "prefetch")], "").status, 200);
    }
    assert_eq!(site.get(&format!("/t/{token}/finish")).status, 405);
    assert_eq!(site.audited("open") + site.audited("download") + site.audited("lock"), 0);
    site.unlock(token, &sealed.password);
}

#[test]
fn pages_that_explain_need_no_transfer() {
    let site = Site::start();
    for (path, text) in [
        ("/", "Link uit de e-mail"),
        ("/help", "Hoe het werkt"),
        ("/help", "<a href=\"mailto:abuse@voorbeeld.nl\">"),
        ("/privacy", "Privacy"),
        ("/accessibility", "WCAG 2.2"),
        ("/.well-known/security.txt", "Contact: mailto:security@voorbeeld.nl\nExpires: 2027-05-22T"),
        ("/robots.txt", "Disallow: /t/"),
        ("/assets/theme.css", "--utrecht"),
        ("/assets/zegel.svg", "<svg"),
        ("/assets/page.js", "print"),
        ("/favicon.ico", "<svg"),
    ] {
        let answer = site.get(path);
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.text().contains(text), "{path}");
    }
    assert!(site.get("/").text().contains("Gemeente &#60;Voorbeeld&#62;"));
    for path in ["/assets/x", "/healthz", "/metrics", "/readyz", "/t", "/t/"] {
        assert_eq!(site.get(path).status, 404, "{path}");
    }
    let token = &site.seal().tokens[0];
    let reply = site.get(&format!("/t/{token}/reply"));
    assert_eq!((reply.status, reply.field("location")), (303, format!("/t/{token}?next=reply").as_str()));
}

#[test]
fn the_language_changes_without_losing_what_was_typed() {
    let site = Site::start();
    assert!(
        site.send("GET /", &[("Accept-Language", "de, en;q=0.8, nl;q=0.5")], "")
            .text()
            .contains("<html lang=\"en\">")
    );
    let answer = site.get("/?transfer=abc+def&lang=fy");
    assert!(answer.text().contains("<html lang=\"fy\">") && answer.text().contains("value=\"abc def\""));
    let cookie = answer.field("set-cookie").to_owned();
    assert!(
        cookie.starts_with("zegel-language=fy; ") && cookie.ends_with("; Secure; Path=/; Max-Age=31536000"),
        "{cookie}"
    );
    assert!(site.get_with("/help", "x=1; zegel-language=fy").text().contains("<html lang=\"fy\">"));
    assert!(site.get("/nergens?lang=en").text().contains("This page does not exist"));

    let sealed = site.seal();
    let path = format!("POST /t/{}", sealed.tokens[0]);
    for _ in 0..5 {
        let answer = site.send(&path, &[], "password=half%22getypt&lang=en");
        assert_eq!(answer.status, 200, "no try");
        assert!(answer.text().contains("value=\"half&#34;getypt\"") && answer.text().contains("Password"));
        assert!(answer.field("set-cookie").starts_with("zegel-language=en"));
    }
    site.unlock(&sealed.tokens[0], &sealed.password);
}

#[test]
fn pages_wear_the_organisations_look() {
    let site = Site::start();
    let before = site.get("/").body;
    let branding = Arc::new(Branding {
        theme: Theme::of(":root { --utrecht-link-color: #00c; }").0,
        logo: Some(Picture { format: Format::Png { width: 1, height: 1 }, octets: b"\x89PNG"[..].into() }),
        version: "look".into(),
        ..Branding::default()
    });
    site.settings.change(|organisation| organisation.branding = branding);
    let theme = site.get("/assets/theme.css");
    let theme = theme.text();
    assert!(theme.starts_with("/* The look") && theme.contains("#00c; }"), "{theme}");
    let logo = site.get("/assets/logo");
    assert_eq!((logo.field("content-type"), logo.body.as_slice()), ("image/png", &b"\x89PNG"[..]));
    // A browser that keeps ours asks again.
    assert_ne!(site.get("/").body, before);
}

#[test]
fn a_page_has_one_primary_button_at_most() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/web/pages");
    let mut pages = 0;
    for page in std::fs::read_dir(folder).unwrap() {
        let path = page.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let buttons =
            text.match_indices("class=\"button").map(|(at, _)| text[at + 7..].split('"').next().unwrap());
        let primary = buttons.filter(|class| !class.contains("-quiet") && !class.contains("-subtle")).count();
        assert!(primary <= 1, "{}: {primary}", path.display());
        pages += 1;
    }
    assert!(pages > 20);
    // What is put into other pages has none.
    assert!(!std::fs::read_to_string(format!("{folder}/visit-end.html")).unwrap().contains("\"button\">"));
}
