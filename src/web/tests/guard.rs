//! What stands around every page: hosts, sites, methods, headers, cookies, and bad HTTP.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use super::Site;

#[test]
fn every_answer_carries_the_security_headers() {
    let site = Site::start();
    let sealed = site.seal();
    let token = &sealed.tokens[0];
    let cookie = site.unlock(token, &sealed.password);
    let rests =
        ["", "/files", "/files/1", "/files/1/view", "/files/1/preview", "/message", "/message.eml", "/zip"];
    let mut answers: Vec<_> =
        rests.iter().map(|rest| (*rest, site.get_with(&format!("/t/{token}{rest}"), &cookie))).collect();
    for path in ["/", "/help", "/nergens", "/t/x", "/assets/theme.css", "/.well-known/security.txt"] {
        answers.push((path, site.get(path)));
    }
    answers.push(("host", site.send("GET /", &[("Host", "evil.example")], "")));
    answers.push(("method", site.send("DELETE /", &[], "")));
    for (path, answer) in &answers {
        let policy = answer.field("content-security-policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors '"), "{path}: {policy}");
        assert_eq!(answer.field("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.field("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(answer.field("cross-origin-resource-policy"), "same-origin", "{path}");
        assert!(answer.field("permissions-policy").contains("camera=()"), "{path}");
        assert!(answer.field("strict-transport-security").starts_with("max-age=63072000"), "{path}");
        assert_eq!(answer.field("server"), "", "{path}");
    }
    for (path, answer) in &answers[..rests.len()] {
        assert_eq!(answer.field("cache-control"), "no-store", "{path}");
        assert!(answer.field("x-robots-tag").contains("noindex"), "{path}");
    }
    let start = site.get("/");
    let policy = start.field("content-security-policy");
    for rule in ["form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'", "script-src 'self'"] {
        assert!(policy.contains(rule), "{rule}");
    }
    assert_eq!(start.field("cross-origin-opener-policy"), "same-origin");
}

#[test]
fn pages_hold_nothing_inline_and_nothing_foreign() {
    let site = Site::start();
    let sealed = site.seal();
    let token = &sealed.tokens[0];
    let cookie = site.unlock(token, &sealed.password);
    for path in ["/", "/help", "/privacy", &format!("/t/{token}"), &format!("/t/{token}/files"), "/nergens"] {
        let answer = site.get_with(path, &cookie);
        let text = answer.text();
        for bad in [
            " style=",
            "<style",
            "onclick=",
            "onload=",
            "src=\"http",
            "src=\"//",
            "href=\"http://",
            "<script>",
        ] {
            assert!(!text.contains(bad), "{bad} in {path}");
        }
        let title = text.split("<title>").nth(1).unwrap().split("</title>").next().unwrap();
        assert!(!title.contains(token.as_str()) && !title.contains("Besluit"), "{title}");
    }
}

#[test]
fn another_host_gets_nothing() {
    let site = Site::start();
    for host in ["evil.example", "voorbeeld.nl", "veilig.voorbeeld.nl:8443"] {
        assert_eq!(site.send("GET /", &[("Host", host)], "").status, 421, "{host}");
    }
    assert_eq!(site.send("GET http://evil.example/", &[("Host", "evil.example")], "").status, 421);
    assert_eq!(site.send("GET /", &[("Host", "VEILIG.voorbeeld.nl:443")], "").status, 200);
}

/// C35
#[test]
fn a_request_names_one_host() {
    let site = Site::start();
    let (ours, evil) = ("veilig.voorbeeld.nl", "evil.example");
    assert_eq!(site.raw(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n").status, 400);
    for hosts in [[ours, ours], [ours, evil], [evil, ours]] {
        assert_eq!(site.send("GET /", &hosts.map(|host| ("Host", host)), "").status, 400, "{hosts:?}");
    }
    for (target, host) in [(evil, ours), (ours, evil)] {
        assert_eq!(
            site.send(&format!("GET http://{target}/"), &[("Host", host)], "").status,
            400,
            "{target}"
        );
    }
    assert_eq!(site.send(&format!("GET http://{ours}/"), &[("Host", ours)], "").status, 200);
    assert_eq!(site.send("GET /", &[("Host", "veilig.voorbeeld.nl, evil.example")], "").status, 400);
}

#[test]
fn a_form_from_another_site_is_refused_before_it_counts() {
    let site = Site::start();
    let sealed = site.seal();
    let path = format!("POST /t/{}", sealed.tokens[0]);
    let right = format!("password={}", sealed.password);
    for field in [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
        ("Origin", "https://evil.example"),
        ("Origin", "http://veilig.voorbeeld.nl"),
    ] {
        assert_eq!(site.send(&path, &[field], &right).status, 403, "{field:?}");
    }
    assert_eq!(site.audited("open"), 0);
    for field in
        [("Sec-Fetch-Site", "same-origin"), ("Origin", "null"), ("Origin", "https://veilig.voorbeeld.nl")]
    {
        assert_eq!(site.send(&path, &[field], &right).status, 303, "{field:?}");
    }
}

#[test]
fn the_cookie_is_bound_to_host_and_https() {
    let site = Site::start();
    let sealed = site.seal();
    let (token, form) = (&sealed.tokens[0], format!("password={}", sealed.password));
    let first = site.send(&format!("POST /t/{token}"), &[], &form);
    let cookie = first.field("set-cookie");
    assert!(cookie.starts_with(&format!("__Host-zegel-{}=", &token[..13])), "{cookie}");
    assert!(cookie.ends_with("; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=43200"), "{cookie}");
    assert!(!cookie.contains("Domain") && !cookie.contains(sealed.password.as_str()));
    let second = site.send(&format!("POST /t/{token}"), &[], &form);
    assert_ne!(second.field("set-cookie"), cookie, "a new one after every unlock");

    let public_url = format!("http://{}", site.address);
    site.settings.change(|organisation| organisation.public_url = public_url);
    let host = site.address.to_string();
    let plain = site.send(&format!("POST /t/{token}"), &[("Host", &host)], &form);
    assert!(plain.field("set-cookie").starts_with("zegel-") && !plain.field("set-cookie").contains("Secure"));
    assert_eq!(plain.field("strict-transport-security"), "");
}

#[test]
fn odd_methods_and_paths_are_404_or_405() {
    let site = Site::start();
    let token = &site.seal().tokens[0];
    let path = format!("/t/{token}");
    for (method, path, allow) in [
        ("DELETE", path.as_str(), "GET,HEAD,POST"),
        ("PUT", "/", "GET,HEAD"),
        ("TRACE", "/help", "GET,HEAD"),
        ("OPTIONS", "/help", "GET,HEAD"),
    ] {
        let answer = site.send(&format!("{method} {path}"), &[], "");
        assert_eq!((answer.status, answer.field("allow")), (405, allow), "{method} {path}");
        assert!(answer.text().contains("<h1>"));
    }
    for path in [
        "//",
        "//help",
        "/help/",
        "/help.",
        "/./help",
        "/%2e%2e/etc/passwd",
        "/help%00",
        "/assets/../help",
        "/.git/config",
    ] {
        assert_eq!(site.get(path).status, 404, "{path}");
    }
}

#[test]
fn bad_http_is_bounded() {
    let site = Site::start();
    let big = "x".repeat(100 * 1024);
    assert_eq!(site.send("GET /", &[("X-Big", &big)], "").status, 431);
    let many: Vec<(String, String)> = (0..200).map(|n| (format!("X-{n}"), "x".to_owned())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(site.send("GET /", &many, "").status, 431);
    let token = &site.seal().tokens[0];
    assert_eq!(site.send(&format!("POST /t/{token}"), &[], &format!("password={big}")).status, 413);
    assert_eq!(site.raw(b"GARBAGE\0\r\n\r\n").status, 400);
    let post = "POST / HTTP/1.1\r\nHost: veilig.voorbeeld.nl\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(site.raw(format!("{post}zz\r\n").as_bytes()).status, 400);
    assert_eq!(site.raw(format!("{post}5000\r\n{}", "x".repeat(0x5000)).as_bytes()).status, 413);
    assert_eq!(site.get("/").status, 200);
}

/// Whatever is refused before all of it has come: closed with the rest unread, the connection would be reset, and the
/// answer lost to whoever sends first and reads afterwards, as proxies do.
#[test]
fn whoever_still_sends_gets_the_answer() {
    let site = Site::start();
    let token = &site.seal().tokens[0];
    let body = "x".repeat(8 << 20);
    let link = format!("/t/{token}");
    for (request, field, status) in [
        (format!("POST {link}"), "Accept: */*", 413),
        ("POST /nowhere/at/all".to_owned(), "Accept: */*", 413),
        (format!("POST {link}"), "Sec-Fetch-Site: cross-site", 403),
        (format!("POST {link}"), "Host: elsewhere.example", 400),
        (format!("PATCH {link}/reply/files/x"), "Tus-Resumable: 1.0.0", 403),
        (format!("GET {link}"), "Accept: */*", 200),
    ] {
        let head = format!(
            "{request} HTTP/1.1\r\nHost: veilig.voorbeeld.nl\r\n{field}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let answer = site.raw(format!("{head}{body}").as_bytes());
        assert_eq!(answer.status, status, "{request}, {field}");
        assert_eq!(answer.field("content-length"), answer.text().len().to_string(), "all of it came");
    }
}

/// H36, RFC 9112 6.3: with two lengths it is the chunks that count, and nothing that is behind them on this connection.
#[test]
fn two_lengths_hide_no_second_request() {
    let site = Site::start();
    let hidden = "GET /help HTTP/1.1\r\nHost: veilig.voorbeeld.nl\r\n\r\n";
    let fields = ["Content-Length: 5", "Transfer-Encoding: chunked"];
    for fields in [fields, [fields[1], fields[0]]] {
        let request = format!(
            "POST /t/x HTTP/1.1\r\nHost: veilig.voorbeeld.nl\r\n{}\r\n\r\n0\r\n\r\n{hidden}",
            fields.join("\r\n")
        );
        let mut stream = std::net::TcpStream::connect(site.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        assert_eq!(memchr::memmem::find_iter(&said, b"HTTP/1.1 ").count(), 1, "{fields:?}");
    }
    for odd in ["Content-Length: 5\r\nContent-Length: 6", "Transfer-Encoding: gzip", "Content-Length: +5"] {
        let post = format!("POST /t/x HTTP/1.1\r\nHost: veilig.voorbeeld.nl\r\n{odd}\r\n\r\nhallo");
        assert_eq!(site.raw(post.as_bytes()).status, 400, "{odd}");
    }
}

/// H36: whoever is slow is let go, at whatever point. Each waits for its own end.
#[test]
fn slow_clients_are_let_go() {
    let site = Site::start();
    let head = "POST /t/x HTTP/1.1\r\nHost: veilig.voorbeeld.nl\r\nContent-Length: 1000\r\n";
    let keep = "GET /help HTTP/1.1\r\nHost: veilig.voorbeeld.nl\r\n\r\n";
    let (half, body) = (format!("{head}X-Half: "), format!("{head}\r\npassword="));
    std::thread::scope(|scope| {
        for (what, start, drips) in [
            ("nothing", "", false),
            ("half a header", half.as_str(), false),
            ("a header that drips", half.as_str(), true),
            ("half a body", body.as_str(), false),
            ("a body that drips", body.as_str(), true),
            ("nothing after an answer", keep, false),
        ] {
            let mut stream = std::net::TcpStream::connect(site.address).unwrap();
            scope.spawn(move || {
                stream.set_read_timeout(Some(Duration::from_secs(if drips { 1 } else { 40 }))).unwrap();
                stream.write_all(start.as_bytes()).unwrap();
                let begun = Instant::now();
                while !is_over(&mut stream) {
                    assert!(begun.elapsed() < Duration::from_secs(40), "{what} goes on and on");
                    assert!(drips, "{what}: nothing was heard");
                    let _ = stream.write_all(b"x");
                }
            });
        }
    });
    assert_eq!(site.get("/").status, 200);
}

/// Reads on; `false` when nothing has come for a while.
fn is_over(stream: &mut std::net::TcpStream) -> bool {
    let mut some = [0; 4096];
    loop {
        match stream.read(&mut some) {
            Ok(1..) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return false,
            Ok(0) | Err(_) => return true,
        }
    }
}

#[test]
fn idle_connections_do_not_keep_others_out() {
    let site = Site::start();
    let idle: Vec<_> = (0..300).map(|_| std::net::TcpStream::connect(site.address).unwrap()).collect();
    assert_eq!(site.get("/").status, 200);
    drop(idle);
}

#[test]
fn trouble_tells_a_number_and_no_cause() {
    let site = Site::start();
    let sealed = site.seal();
    let cookie = site.unlock(&sealed.tokens[0], &sealed.password);
    std::fs::rename(site.dir.path().join("blobs"), site.dir.path().join("away")).unwrap();
    let answer = site.get_with(&format!("/t/{}/files", sealed.tokens[0]), &cookie);
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains("Nummer van deze storing:"));
    assert!(!answer.text().contains("No such file") && !answer.text().contains("damaged"));
}
