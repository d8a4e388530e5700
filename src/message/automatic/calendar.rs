//! Replies to a meeting (RFC 5546 3.2.3) as far as it matters whether somebody has written something in them.

pub use crate::message::calendar::TYPE;
use crate::message::calendar::property;
use crate::message::walk::Leaf;

/// Properties in which there is a text, or a file.
const TEXTS: &[&str] = &["COMMENT", "DESCRIPTION", "X-ALT-DESC", "ATTACH"];

/// The words of a person who answers an invitation, which are in a parameter of their ATTENDEE.
const RESPONSE: &str = "X-RESPONSE-COMMENT";

/// Whether a part is a calendar.
pub fn is_one(leaf: &Leaf) -> bool {
    leaf.media_type == TYPE || leaf.media_type == "application/ics"
}

/// Whether it is a reply, and nothing is said in it: of the meeting only its name and its time.
pub fn is_bare_reply(calendar: &str) -> bool {
    let unfolded = calendar.replace("\r\n", "\n").replace("\n ", "").replace("\n\t", "");
    let mut is_reply = false;
    for line in unfolded.lines() {
        let (name, value) = property(line);
        match name.as_str() {
            "METHOD" if value.trim().eq_ignore_ascii_case("REPLY") => is_reply = true,
            "METHOD" => return false,
            _ if TEXTS.contains(&name.as_str()) && !is_blank(value) => return false,
            _ if line.to_ascii_uppercase().contains(RESPONSE) => return false,
            _ => {}
        }
    }
    is_reply
}

/// Nothing but blanks and line ends, as they are written there (RFC 5545 3.3.11).
fn is_blank(value: &str) -> bool {
    value.replace("\\n", "").replace("\\N", "").trim().is_empty()
}
