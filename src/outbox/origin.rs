//! The mark by which the gateway knows a notice of its own that comes back (H07). Put on every mail that zegel writes
//! itself, on its way into the queue; asked by `intake`. `X-Zegel-Notice` says only that some zegel wrote it: mail of
//! another organisation's must not be taken for a loop.

use crate::id::{self, QueueId};
use crate::message::crlf::CrlfBytes;
use crate::message::header::Header;
use crate::secret::{self, LinkKey};
use crate::settings::{Organisation, Scope};

/// The field that holds the mark.
const FIELD: &str = "X-Zegel-Origin";

/// Characters of the proof: 130 bits.
const PROOF: usize = 26;

/// Fields that are looked at, and characters of an id. We write one, of twelve.
const MAX_FIELDS: usize = 10;
const MAX_ID: usize = 40;

/// The mail with the mark of the queue item that it becomes.
pub fn marked(key: &LinkKey, organisation: &Organisation, id: &QueueId, mail: &CrlfBytes) -> CrlfBytes {
    let field = format!("{FIELD}: {}\r\n", mark(key, Some(organisation.domain()), id.as_str()));
    mail.clone().prepend(&CrlfBytes::normalised(field.as_bytes()))
}

/// Whether the mail with this header is a notice that this gateway wrote for the organisation of `scope`. One that it wrote for
/// another is to this one what any other mail is.
pub fn is_ours(key: &LinkKey, scope: &Scope, header: &Header) -> bool {
    header.all(FIELD).take(MAX_FIELDS).any(|field| {
        let value = field.value();
        let value = value.trim();
        let id = value.split('.').next().unwrap_or("");
        let is_mark = |key: &LinkKey, name| secret::equal(value.as_bytes(), mark(key, name, id).as_bytes());
        id.len() <= MAX_ID && key.each().iter().any(|key| scope.names().any(|name| is_mark(key, name)))
    })
}

/// Without a name: as it was before there could be several organisations.
fn mark(key: &LinkKey, organisation: Option<&str>, id: &str) -> String {
    let signed = organisation.map_or_else(|| format!("origin {id}"), |name| format!("origin {name} {id}"));
    let mut proof = id::base32(&key.sign(signed.as_bytes()));
    proof.truncate(PROOF);
    format!("{id}.{proof}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Keys;
    use crate::settings::testing::{organisation, scope};

    #[test]
    fn a_mark_proves_itself_to_who_made_it() {
        let (ours, theirs) = (Keys::derive(&[7; 32]).link, Keys::derive(&[8; 32]).link);
        let mail = CrlfBytes::normalised(b"X-Zegel-Notice: receipt\n\ntekst\n");
        let (own, id) = (scope(), QueueId::random());
        let marked = marked(&ours, own.organisation(), &id, &mail);
        assert!(marked.as_slice().ends_with(mail.as_slice()));
        let text = String::from_utf8(marked.into_vec()).unwrap();
        let is_ours = |key: &LinkKey, text: &str| super::is_ours(key, &own, &Header::parse(text.as_bytes()));
        assert!(is_ours(&ours, &text) && !is_ours(&theirs, &text));
        let old = format!("{FIELD}: {}\r\n", mark(&ours, None, id.as_str()));
        assert!(is_ours(&ours, &old), "from before there could be several organisations");
        let domains = vec!["zuiderveen.nl".to_owned()];
        let other = Organisation { domains, ..organisation() }.into();
        let other = Scope::new(own.settings().clone(), other);
        for text in [&text, &old] {
            assert!(!super::is_ours(&ours, &other, &Header::parse(text.as_bytes())), "another's");
        }
        assert!(
            is_ours(&ours, &format!("X-Zegel-Origin: x\r\n{}", text.replace(": ", ":\r\n\t"))),
            "another above it"
        );
        for other in [
            "X-Zegel-Notice: receipt\r\n",
            "X-Zegel-Origin: \r\n",
            "X-Zegel-Origin: .\r\n",
            &text.to_uppercase(),
        ] {
            assert!(!is_ours(&ours, other), "{other}");
        }
        for at in [17, 20, 31, 50] {
            let mut changed = text.clone();
            changed.replace_range(at..at + 1, if &text[at..at + 1] == "7" { "8" } else { "7" });
            assert!(!is_ours(&ours, &changed), "{changed}");
        }
    }
}
