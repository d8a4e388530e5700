//! How a reader finds out whether mail and pages are genuine: who sent it, what it is called on the telephone, and what the
//! organisation says of itself. None of that opens anything, or tells more than the mail with the link.

use super::Site;
use crate::staff::Directory;

const STAFF: &str =
    "email,name,phone,department\njan@voorbeeld.nl,Jan <de> Vries,(0511) 54 81 00,Burgerzaken\n";

fn grouped(token: &str) -> String {
    format!("{}-{}", &token[..5], &token[5..10])
}

#[test]
fn before_the_password_a_reader_sees_who_sent_it_and_whom_to_call() {
    let site = Site::start();
    let sealed = site.seal();
    let token = &sealed.tokens[0];
    let unlisted = site.get(&format!("/t/{token}"));
    assert!(unlisted.text().contains("<bdi>jan@voorbeeld.nl</bdi>"), "the address, where no list has a name");
    assert!(unlisted.text().contains("bijvoorbeeld in een brief van ons"));
    site.settings.change(|organisation| {
        organisation.staff = Directory::of(STAFF);
        organisation.website = "https://www.voorbeeld.nl".into();
    });
    let page = site.get(&format!("/t/{token}"));
    for shown in [
        "Is dit echt?",
        "<bdi>Jan &#60;de&#62; Vries</bdi>",
        "<bdi>Burgerzaken</bdi>",
        "<a href=\"tel:140511\">14 0511</a>",
        "<a href=\"https://www.voorbeeld.nl\">https://www.voorbeeld.nl</a>",
        "maandag 23 november 2026 om 11:00",
        &format!("<code>{}</code>", grouped(token)),
        &format!("noem het kenmerk {}", grouped(token)),
        "DigiD",
    ] {
        assert!(page.text().contains(shown), "{shown}: {}", page.text());
    }
    for hidden in ["Besluit", "KANARIE", "besluit.pdf", "54 81 00", "piet@", "els@"] {
        assert!(!page.text().contains(hidden), "{hidden}");
    }
    let refused = site.send(&format!("POST /t/{token}"), &[], "password=verkeerd");
    assert!(refused.status == 403 && refused.text().contains("Is dit echt?"));
    for (language, words) in
        [("fy", ["Skaaimerk", "Is dit echt?"]), ("en", ["Reference", "Is this genuine?"])]
    {
        let page = site.get(&format!("/t/{token}?lang={language}"));
        assert!(words.iter().all(|word| page.text().contains(word)), "{language}");
    }
}

#[test]
fn a_reference_opens_nothing_and_says_that_the_link_is_needed() {
    let site = Site::start();
    let sealed = site.seal();
    let (id, reference) = (&sealed.tokens[0][..10], grouped(&sealed.tokens[0]));
    let unknown = "00000-00000";
    let mut answers = Vec::new();
    for typed in [
        id.to_owned(),
        reference.clone(),
        reference.to_uppercase(),
        format!("+{}+", reference.replace('-', "+")),
        format!("Kenmerk:+{reference}"),
        unknown.to_owned(),
    ] {
        let answer = site.get(&format!("/?transfer={typed}"));
        assert_eq!(answer.status, 400, "{typed}");
        assert!(answer.text().contains("Dit is het kenmerk"), "{typed}");
        answers.push(answer.text().replace(&typed.replace('+', " "), "…"));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "whether there is such a transfer or not");
    for path in [format!("/t/{id}"), format!("/t/{reference}"), format!("/s/{id}"), format!("/s/{reference}")]
    {
        assert_eq!(site.get(&path).status, 404, "{path}");
    }
    let right = format!("password={}", sealed.password);
    assert_eq!(site.send(&format!("POST /t/{id}"), &[], &right).status, 404);
    assert_eq!(site.get("/?transfer=").status, 400);
    assert_eq!(site.get(&format!("/?transfer={}", sealed.tokens[0])).status, 303);
}

#[test]
fn the_organisation_says_of_itself_what_it_likes() {
    let site = Site::start();
    let help = site.get("/help");
    assert!(!help.text().contains("Vragen aan"));
    for page in ["/privacy", "/accessibility"] {
        assert!(!site.get(page).text().contains("verklaring van"), "{page}");
    }
    site.settings.change(|organisation| {
        organisation.help = "Ons loket is open\nvan 9 tot 17 uur.\n\n<b>Tot</b> ziens.\r\n".into();
        organisation.privacy_url = "https://www.voorbeeld.nl/privacy?a=1&b=2".into();
        organisation.accessibility_url = "https://www.voorbeeld.nl/toegankelijk".into();
    });
    let help = site.get("/help?lang=en");
    assert!(help.text().contains(
        "<div lang=\"nl\"><p>Ons loket is open van 9 tot 17 uur.</p><p>&#60;b&#62;Tot&#60;/b&#62; ziens.</p></div>"
    ));
    assert!(help.text().contains("Questions for Gemeente &#60;Voorbeeld&#62;"));
    assert!(
        site.get("/privacy").text().contains("<a href=\"https://www.voorbeeld.nl/privacy?a=1&#38;b=2\">")
    );
    assert!(site.get("/accessibility").text().contains("<a href=\"https://www.voorbeeld.nl/toegankelijk\">"));
}
