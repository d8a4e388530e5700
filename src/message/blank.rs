//! Whether HTML shows anything: some programs send an HTML form with nothing in it beside a text that says everything. Used by
//! `shown` and `placing`. In doubt it does.

use super::html::without_tags;
use super::name::is_invisible;

/// Elements of which nobody sees what is in them.
const SILENT: &[&str] = &["head", "style", "script", "title", "template"];

/// Whether a reader sees neither text nor a picture that came with the message; one from elsewhere is never fetched.
pub fn is_blank(html: &str) -> bool {
    let lower = html.to_ascii_lowercase();
    let mut rest = lower.as_str();
    while let Some((text, tag)) = rest.split_once('<') {
        if has_text(text) || tag.strip_prefix("img").is_some_and(is_own_picture) {
            return false;
        }
        let is_silent = |name: &&&str| {
            tag.strip_prefix(**name)
                .is_some_and(|rest| rest.starts_with(|c: char| !c.is_ascii_alphanumeric()))
        };
        let end = match (tag.starts_with("!--"), SILENT.iter().find(is_silent)) {
            (true, _) => tag.find("-->").map(|end| end + 3),
            (_, Some(name)) => tag.find(&format!("</{name}")),
            _ => tag.find('>').map(|end| end + 1),
        };
        // What has no end is none of our business; nor is it looked for twice.
        let Some(after) = end.and_then(|end| tag.get(end..)) else { return false };
        rest = after;
    }
    !has_text(rest)
}

fn has_text(text: &str) -> bool {
    without_tags(text).chars().any(|c| !c.is_whitespace() && !is_invisible(c))
}

/// Whether what follows `<img` names a picture in the message.
fn is_own_picture(rest: &str) -> bool {
    let attributes = rest.split('>').next().unwrap_or("");
    let is_inside = ["cid:", "data:"].iter().any(|scheme| attributes.contains(scheme));
    is_inside || attributes.contains("src") && !attributes.contains("//")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_reader_sees_counts() {
        for html in [
            "",
            "\r\n",
            "<html><head><title>x</title><style>p{color:red}</style></head><body><p>&nbsp;&#8203;</p></body></html>",
            "<STYLE>p{}</STYLE><div><br></div>",
            "<style></style><!-- tekst -->",
            "<p>&zwnj;\u{feff}</p><script>alert(1)</script>",
            "<img src=\"https://example.org/pixel.gif\" alt=\"\">",
            "<img src='//example.org/pixel.gif'>",
        ] {
            assert!(is_blank(html), "{html}");
        }
        for html in [
            "tekst",
            "<p>a",
            "<header>a</header>",
            "<p>&euro;</p>",
            "<style>p{}</style>a",
            "<IMG SRC=\"cid:logo@x\">",
            "<img src=logo.png>",
            "<img src=\"data:image/png;base64,//8=\">",
            "<style>p{}",
            "<!-- open",
            "<p",
            "a &lt; b",
        ] {
            assert!(!is_blank(html), "{html}");
        }
    }
}
