//! Tokens and identifiers: only what we made, spelled as we made it, is one (C15); what people type is put right in one
//! step, and what is found in a text is genuine.

use zegel::id::{self, QueueId, TransferId};
use zegel::secret::Keys;
use zegel::store::{message_id, taken_answer};
use zegel::transfer::pasted::{Around, reference, transfer_in};
use zegel::transfer::{action, link, password};

pub fn holds(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let keys = Keys::derive(&[7; 32]);
    if let Some((found, secret)) = link::parse(&keys.link, text) {
        assert_eq!(link::token(&keys.link, &found).reveal(), text);
        assert!(text.ends_with(secret.reveal()) && found.recipient != 0);
        assert_eq!(link::normalise(text), text);
        assert!(action::parse(&keys.action, action::Purpose::Status, text).is_none());
    }
    if let Some(transfer) = action::parse(&keys.action, action::Purpose::Status, text) {
        assert_eq!(action::token(&keys.action, action::Purpose::Status, &transfer).reveal(), text);
    }
    if let Some(found) = link::parse_return_mark(&keys.link, text) {
        assert_eq!(link::return_mark(&keys.link, &found), text.trim());
    }
    let typed = link::normalise(text);
    assert_eq!(link::normalise(&typed), typed);
    assert!(typed.len() <= link::LENGTH + 1 && typed.bytes().all(|c| c.is_ascii_alphanumeric()));
    for around in [Around::Marks, Around::Anything] {
        if let Some(found) = link::find(&keys.link, text, around) {
            assert!(link::parse(&keys.link, &found.token).is_some());
            let again = link::find(&keys.link, &found.token, around).expect("it was found before");
            assert!(again.token == found.token && again.rest.is_empty());
        }
    }
    let right = password::normalise(text);
    assert_eq!(password::normalise(right.reveal()).reveal(), right.reveal());
    if let Some(bytes) = id::from_base32(text) {
        assert_eq!(id::base32(&bytes), text);
    }
    if let Ok(transfer) = text.parse::<TransferId>() {
        assert!(transfer.as_str() == text && id::is_base32(text));
        assert_eq!(transfer_in(text), Some(transfer));
    }
    if let Some(id) = reference(text) {
        assert_eq!(reference(&id.grouped().to_uppercase()), Some(id), "it is read as it is said");
    }
    if let Some(found) = transfer_in(text) {
        assert_eq!(transfer_in(&format!("https://veilig.voorbeeld.nl/t/{found}")), Some(found));
    }
    if let Some(kept) = message_id(text) {
        assert!(!kept.contains(char::is_control) && kept.chars().count() <= 252);
        assert_eq!(message_id(&kept), Some(kept));
    }
    let answer = taken_answer(250, text);
    assert!(answer.starts_with("250") && !answer.contains(char::is_control) && !answer.contains("//"));
    assert!(text.parse::<QueueId>().is_err() || text.len() == QueueId::LENGTH);
}

/// Tokens as they stand in mails.
pub fn seeds() -> Vec<String> {
    let keys = Keys::derive(&[7; 32]);
    let transfer: TransferId = "abcdefgh01".parse().expect("it is one");
    let one = id::Link { transfer: transfer.clone(), recipient: 1 };
    let token = link::token(&keys.link, &one);
    vec![
        token.reveal().to_owned(),
        format!("https://veilig.voorbeeld.nl/t/{}/files?x=1", token.reveal()),
        action::token(&keys.action, action::Purpose::Status, &transfer).reveal().to_owned(),
        link::return_mark(&keys.link, &one),
        "ABCD efgh-O1".to_owned(),
        format!(
            "https://scan.example/?url=https%253A%252F%252Fveilig.voorbeeld.nl%252Ft%252F{}%2526x",
            token.reveal()
        ),
        format!(
            "\u{feff}> https://veilig.voorbeeld.nl/t/{}=\r\n> {}",
            &token.reveal()[..20],
            &token.reveal()[20..]
        ),
        "*K7XP\u{2011}3hmx\u{200b}-9fru-42km*, e\u{301}".to_owned(),
    ]
}
