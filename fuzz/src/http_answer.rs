//! What servers answer to `zegel check --online`: the head of a response, and the times in it and in a greeting.

use zegel::check::online::clock::{date_in, http_date};
use zegel::check::online::http::parse;

pub fn holds(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let _ = (http_date(&text), date_in(&text));
    let Some(answer) = parse(input) else { return };
    assert!(text.starts_with("HTTP/1."));
    assert!(text.ends_with(&answer.body), "the body is what is behind the head");
    for (name, value) in &answer.headers {
        assert!(!name.contains([':', '\n']) && !value.contains('\n'), "{name:?}: {value:?}");
    }
    let _ = answer.header("date").and_then(http_date);
}
