//! Reads a field of recipients as people fill it: typed, or a list pasted from a mail program or a spreadsheet. Pure.
//! Whether somebody may be written to is asked here as well, and nowhere else (C12, C40).

use std::collections::HashSet;

use crate::address::Address;
use crate::config::ReplyRecipients;
use crate::settings::Organisation;
use crate::staff::Directory;
use crate::transfer::access::Grant;

/// Characters of what is no address that a message shows, and how many of them.
const SHOWN: usize = 60;
const MOST_FAULTS: usize = 20;

/// What was found in a field, in order, each address once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parsed {
    pub addresses: Vec<Address>,
    /// What is no address, cut where it is long; the first few.
    pub faults: Vec<String>,
    seen: HashSet<String>,
}

/// Reads addresses between commas, semicolons, line breaks and tabs; with or without names, `<` and `>`.
pub(super) fn parse(text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    // "Vries, Jan de <jan@…>" without quotes: what has no address belongs to the name of the next one.
    let mut before: Vec<&str> = Vec::new();
    for entry in entries(text) {
        if !entry.contains('@') {
            before.push(entry);
            continue;
        }
        if !entry.contains('<') {
            parsed.add_faults(&before);
        }
        before.clear();
        parsed.add(entry);
    }
    parsed.add_faults(&before);
    parsed
}

/// The pieces between separators; those within quotes and comments separate nothing.
fn entries(text: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    let mut after_backslash = false;
    let is_quote = |c: char| {
        let escapes = c == '\\' && !after_backslash;
        let is_escaped = std::mem::replace(&mut after_backslash, escapes);
        c == '"' && !is_escaped
    };
    let closes = text.chars().map(is_quote).filter(|quote| *quote).count() % 2 == 0;
    text.split(move |c: char| {
        let is_escaped = escaped;
        escaped = c == '\\' && quoted && !escaped;
        // A quote that nothing closes is just a letter, and so is one over a line's end.
        if c == '"' && closes && !is_escaped {
            quoted = !quoted;
        }
        quoted &= !matches!(c, '\n' | '\r');
        !quoted && matches!(c, ',' | ';' | '\n' | '\r' | '\t')
    })
    .map(str::trim)
    .filter(|entry| !entry.is_empty())
}

impl Parsed {
    fn add(&mut self, entry: &str) {
        if let Some((_, rest)) = entry.rsplit_once('<') {
            let (address, behind) = rest.split_once('>').unwrap_or((rest, ""));
            return match behind.contains('@') {
                true => self.add_faults(&[entry]),
                false => self.add_address(address),
            };
        }
        // Several in a row with blanks between, or a name and an address.
        if Address::parse(bare(entry)).is_ok() {
            return self.add_address(entry);
        }
        for word in entry.split_whitespace().filter(|word| word.contains('@')) {
            self.add_address(word);
        }
    }

    fn add_address(&mut self, text: &str) {
        match Address::parse(bare(text)) {
            Ok(address) => {
                if self.seen.insert(key(&address)) {
                    self.addresses.push(address);
                }
            }
            Err(_) => self.add_faults(&[text]),
        }
    }

    fn add_faults(&mut self, texts: &[&str]) {
        let room = MOST_FAULTS.saturating_sub(self.faults.len());
        let shown = |text: &&str| text.trim().chars().take(SHOWN).collect::<String>();
        self.faults.extend(texts.iter().take(room).map(shown));
    }
}

/// What two spellings of one mailbox have in common.
pub(super) fn key(address: &Address) -> String {
    address.mailbox()
}

/// Without what people and programs put around an address.
fn bare(text: &str) -> &str {
    let text = text.trim().trim_matches(['(', ')', '\'', '<', '>', '[', ']']).trim();
    let scheme = text.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("mailto:"));
    if scheme { text.get(7..).unwrap_or(text) } else { text }
}

/// The address in the form in which it is written to, if it is one of the organisation's.
pub(super) fn internal(address: &Address, domains: &[String]) -> Option<Address> {
    address.is_internal(domains).then(|| address.with_ascii_domain())
}

/// Whom the answer to the message of `grant` may reach; `people` are in the header of that message.
pub(super) fn allowed<'a>(
    organisation: &'a Organisation,
    grant: &Grant,
    people: &[Address],
) -> AllowedRecipients<'a> {
    let sender = grant.transfer().sender.iter();
    AllowedRecipients {
        domains: &organisation.domains,
        staff: Some(&organisation.staff).filter(|staff| !staff.is_empty()),
        thread: sender.chain(people).cloned().collect(),
        extent: organisation.reply.recipients,
    }
}

/// Whom the answer to one message may reach.
pub(super) struct AllowedRecipients<'a> {
    /// The organisation's.
    pub domains: &'a [String],
    /// The staff list, where there is one.
    pub staff: Option<&'a Directory>,
    /// The sender of the message, and everybody of the organisation in its header.
    pub thread: Vec<Address>,
    /// How far it goes beyond the thread.
    pub extent: ReplyRecipients,
}

/// Why somebody is not in the circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Excluded {
    /// Not one of the organisation's addresses.
    Outside,
    /// One of them, but neither in the thread nor, where that would be enough, in the staff list.
    Stranger,
}

impl AllowedRecipients<'_> {
    /// The address in the form in which it is written to.
    pub fn admit(&self, address: &Address) -> Result<Address, Excluded> {
        let ours = internal(address, self.domains).ok_or(Excluded::Outside)?;
        let in_thread = || self.thread.iter().any(|other| key(other) == key(&ours));
        let is_staff = |staff: &Directory| staff.find(&ours).is_some();
        let is_known = match self.extent {
            ReplyRecipients::Organisation => self.staff.is_none_or(is_staff),
            ReplyRecipients::Thread => false,
        };
        if is_known || in_thread() { Ok(ours) } else { Err(Excluded::Stranger) }
    }
}

/// The recipients of an answer unless others are named: the Reply-To of the message, or else the sender of the transfer,
/// or else its author. None where none of them is inside: then the message itself came from outside.
pub(super) fn addressees<'a>(
    grant: &'a Grant,
    from: Option<&'a Address>,
    domains: &[String],
) -> Vec<&'a Address> {
    let transfer = grant.transfer();
    let is_ours = |address: &&Address| internal(address, domains).is_some();
    let wanted: Vec<&Address> = transfer.reply_to.iter().filter(is_ours).collect();
    match wanted.is_empty() {
        true => transfer.sender.iter().chain(from).find(is_ours).into_iter().collect(),
        false => wanted,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn addresses(text: &str) -> Vec<String> {
        let parsed = parse(text);
        assert!(parsed.faults.is_empty(), "{text:?}: {:?}", parsed.faults);
        parsed.addresses.into_iter().map(String::from).collect()
    }

    #[test]
    fn reads_what_people_paste() {
        for text in [
            "jan@voorbeeld.nl, piet@voorbeeld.nl",
            "jan@voorbeeld.nl;piet@voorbeeld.nl;",
            "jan@voorbeeld.nl\r\npiet@voorbeeld.nl\r\n",
            "jan@voorbeeld.nl piet@voorbeeld.nl",
            "Jan de Vries <jan@voorbeeld.nl>; Piet <piet@voorbeeld.nl>",
            "\"Vries, Jan de\" <jan@voorbeeld.nl>, <piet@voorbeeld.nl>",
            "Vries, Jan de <jan@voorbeeld.nl>; Smit, Piet <piet@voorbeeld.nl>",
            "Jan de Vries jan@voorbeeld.nl\tPiet piet@voorbeeld.nl",
            "mailto:jan@voorbeeld.nl, 'piet@voorbeeld.nl'",
            "jan@voorbeeld.nl, JAN@voorbeeld.nl, piet@voorbeeld.nl",
            "\"Jan \\\"de\\\" Vries\" <jan@voorbeeld.nl>, piet@voorbeeld.nl",
            "\"Jan \\\", de Vries\" <jan@voorbeeld.nl>, piet@voorbeeld.nl",
            "\"Vries, Jan \\\\\" <jan@voorbeeld.nl>, piet@voorbeeld.nl",
            "Jan \" Vries <jan@voorbeeld.nl>, piet@voorbeeld.nl",
        ] {
            assert_eq!(addresses(text), ["jan@voorbeeld.nl", "piet@voorbeeld.nl"], "{text:?}");
        }
        assert!(addresses(" ,; \r\n").is_empty());
        assert_eq!(addresses("\"jan, piet\"@voorbeeld.nl"), ["\"jan, piet\"@voorbeeld.nl"]);
    }

    #[test]
    fn says_what_is_no_address() {
        for (text, fault) in [
            ("jan", "jan"),
            ("jan, piet@voorbeeld.nl", "jan"),
            ("jan@@voorbeeld.nl", "jan@@voorbeeld.nl"),
            ("<jan@voorbeeld.nl> x@y", "<jan@voorbeeld.nl> x@y"),
            ("Jan <jan@voor beeld.nl>", "jan@voor beeld.nl"),
        ] {
            assert_eq!(parse(text).faults, [fault], "{text:?}");
        }
        assert_eq!(parse(&"x".repeat(1000)).faults[0].len(), SHOWN);
        assert_eq!(parse(&"x,".repeat(1000)).faults.len(), MOST_FAULTS);
    }

    /// C12: nothing but the organisation's own domains, however they are written.
    #[test]
    fn only_our_own_domains() {
        let domains = ["voorbeeld.nl".to_owned(), "bücher.nl".to_owned()];
        let of = |text: &str| internal(&Address::parse(text).unwrap(), &domains).map(String::from);
        assert_eq!(of("Jan@VOORBEELD.nl").unwrap(), "Jan@voorbeeld.nl");
        assert_eq!(of("jan+zaak@voorbeeld.nl").unwrap(), "jan+zaak@voorbeeld.nl");
        assert_eq!(of("jan@bücher.nl").unwrap(), "jan@xn--bcher-kva.nl");
        assert_eq!(of("jan@XN--BCHER-KVA.nl").unwrap(), "jan@xn--bcher-kva.nl");
        assert_eq!(of("jan@ｖｏｏｒｂｅｅｌｄ.nl").unwrap(), "jan@voorbeeld.nl");
        for outside in [
            "jan@example.org",
            "jan@[127.0.0.1]",
            "victim%example.org@voorbeeld.nl",
            "\"victim@example.org\"@voorbeeld.nl",
        ] {
            assert_eq!(of(outside), None, "{outside}");
        }
    }

    /// C40: where there is a staff list it says who works here; the thread is always open.
    #[test]
    fn only_the_thread_and_known_staff() {
        let domains = ["voorbeeld.nl".to_owned()];
        let staff = Directory::of("email\nels@voorbeeld.nl\n");
        let address = |text: &str| Address::parse(text).unwrap();
        let may = |text: &str, staff: Option<&Directory>, extent| {
            let thread = vec![address("Jan@voorbeeld.nl"), address("zaak-1@voorbeeld.nl")];
            AllowedRecipients { domains: &domains, staff, thread, extent }
                .admit(&address(text))
                .map(String::from)
        };
        use ReplyRecipients::{Organisation, Thread};
        for (text, staff, extent, expected) in [
            ("alle-medewerkers@voorbeeld.nl", None, Organisation, Ok("alle-medewerkers@voorbeeld.nl")),
            ("alle-medewerkers@voorbeeld.nl", Some(&staff), Organisation, Err(Excluded::Stranger)),
            ("ELS@Voorbeeld.NL", Some(&staff), Organisation, Ok("ELS@voorbeeld.nl")),
            ("\"els\"@voorbeeld.nl", Some(&staff), Organisation, Ok("\"els\"@voorbeeld.nl")),
            ("els+x@voorbeeld.nl", Some(&staff), Organisation, Err(Excluded::Stranger)),
            ("jan@voorbeeld.nl", Some(&staff), Organisation, Ok("jan@voorbeeld.nl")),
            ("zaak-1@voorbeeld.nl", Some(&staff), Thread, Ok("zaak-1@voorbeeld.nl")),
            ("els@voorbeeld.nl", Some(&staff), Thread, Err(Excluded::Stranger)),
            ("els@voorbeeld.nl", None, Thread, Err(Excluded::Stranger)),
            ("jan@example.org", None, Organisation, Err(Excluded::Outside)),
        ] {
            assert_eq!(may(text, staff, extent), expected.map(str::to_owned), "{text}");
        }
    }

    /// However long a list is, reading it is quick.
    #[test]
    fn an_endless_list_costs_no_time() {
        let start = std::time::Instant::now();
        let text: String = (0..50_000).map(|number| format!("a{number}@voorbeeld.nl,")).collect();
        assert_eq!(parse(&text).addresses.len(), 50_000);
        assert!(parse(&"\"<".repeat(200_000)).addresses.is_empty());
        assert!(start.elapsed().as_secs() < 10);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(?s).{0,300}") {
            let parsed = parse(&text);
            for address in &parsed.addresses {
                let again = parse(address.as_str());
                prop_assert_eq!(&again.addresses, &vec![address.clone()]);
            }
        }

        #[test]
        fn every_address_in_a_list_is_found(
            locals in proptest::collection::hash_set("[a-z]{1,8}", 1..20),
            separator in prop::sample::select(vec![",", ";", "\n", "\r\n", ", ", " ; ", "\t"]),
            named: bool,
        ) {
            let listed = |local: &String| match named {
                true => format!("Naam, {local} <{local}@voorbeeld.nl>"),
                false => format!("{local}@voorbeeld.nl"),
            };
            let text: Vec<String> = locals.iter().map(listed).collect();
            let parsed = parse(&text.join(separator));
            prop_assert!(parsed.faults.is_empty());
            prop_assert_eq!(parsed.addresses.len(), locals.len());
        }
    }
}
