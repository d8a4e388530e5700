//! Several organisations in one configuration: `[[organisation]]`. Each is given the common sections with its own over them, and
//! from there on is read and checked as if it were alone. What must not be said of two of them is checked here.

use std::collections::HashMap;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::Config;
use super::keys::{ORGANISATION, OWN};
use super::rules::Fault;
use super::table::insert;
use super::url::authority_of;
use crate::address::{ascii, is_same_domain};

/// Keys of an organisation that stand elsewhere for all, and where.
const ELSEWHERE: [(&str, &str); 7] = [
    ("hostname", "hostname"),
    ("public_url", "web__public_url"),
    ("default_language", "web__default_language"),
    ("tls_certificate", "web__tls_certificate"),
    ("tls_certificate", "smtp__tls_certificate"),
    ("tls_key", "web__tls_key"),
    ("tls_key", "smtp__tls_key"),
];

/// What an account at one server consists of: never used for another.
const OF_ONE_SERVER: &[&str] = &["tls", "username", "password_file", "inside"];

/// The table as each organisation has it. One, where there is none or one.
pub(super) fn split<'a>(table: &DeTable<'a>) -> Vec<DeTable<'a>> {
    let Some((key, value)) = table.get_key_value(ORGANISATION) else { return vec![table.clone()] };
    match value.get_ref() {
        DeValue::Array(list) if !list.is_empty() => list
            .iter()
            .map(|one| {
                let key = Spanned::new(one.span(), key.get_ref().clone());
                of_one(table, key, one.clone())
            })
            .collect(),
        DeValue::Array(_) => {
            let mut without = table.clone();
            without.remove(ORGANISATION);
            vec![without]
        }
        _ => vec![of_one(table, key.clone(), value.clone())],
    }
}

/// The common table with what this organisation has of its own in place.
fn of_one<'a>(
    common: &DeTable<'a>,
    key: Spanned<DeString<'a>>,
    mut value: Spanned<DeValue<'a>>,
) -> DeTable<'a> {
    let mut table = common.clone();
    if let DeValue::Table(own) = value.get_mut() {
        for section in OWN {
            if let Some((key, value)) = own.remove_entry(section) {
                if section == "relay" {
                    forget_server(&mut table, &value);
                }
                overlay(&mut table, key, value);
            }
        }
        for (name, place) in ELSEWHERE {
            if let Some((key, value)) = own.get_key_value(name) {
                // What is no section there has a fault of its own.
                let _ = insert(&mut table, place, value.clone(), &key.span());
            }
        }
        ELSEWHERE.iter().for_each(|(name, _)| drop(own.remove(*name)));
    }
    table.remove(ORGANISATION);
    table.insert(key, value);
    table
}

/// Puts a value over another: a section key by key, all else as a whole.
fn overlay<'a>(table: &mut DeTable<'a>, key: Spanned<DeString<'a>>, value: Spanned<DeValue<'a>>) {
    let name = key.get_ref().clone();
    match (table.get_mut(&*name).map(Spanned::get_mut), value.get_ref()) {
        (Some(DeValue::Table(common)), DeValue::Table(own)) => {
            own.iter().for_each(|(key, value)| overlay(common, key.clone(), value.clone()));
        }
        _ => {
            table.remove(&*name);
            table.insert(key, value);
        }
    }
}

/// Where an organisation names a server of its own, the account at the common one and the consent to do without TLS are not
/// for that.
fn forget_server(table: &mut DeTable<'_>, own: &Spanned<DeValue<'_>>) {
    let names_server = own.get_ref().as_table().is_some_and(|own| own.contains_key("smarthost"));
    if let (true, Some(DeValue::Table(common))) = (names_server, table.get_mut("relay").map(Spanned::get_mut))
    {
        OF_ONE_SERVER.iter().for_each(|name| drop(common.remove(*name)));
    }
}

/// What cannot be true of two organisations at once. The fault is shown with the second of them, whose index it comes with.
pub(super) fn conflicts(all: &[Config]) -> Vec<(usize, Fault)> {
    let mut faults = Vec::new();
    let (mut by_domain, mut by_host) = (HashMap::new(), HashMap::new());
    for (index, config) in all.iter().enumerate() {
        let name = &config.organisation.name;
        for domain in &config.organisation.domains {
            let form = ascii(domain).unwrap_or_else(|| domain.clone());
            if let Some(first) = by_domain.insert(form, (index, name)).filter(|(first, _)| *first != index) {
                let reason = format!("organisation.domains: {domain} is of {:?} already", first.1);
                let remedy = "a sender is of one organisation: take the domain out of one of them";
                faults.push((index, Fault::new(&["organisation.domains"], reason, remedy)));
            }
        }
        let has_pages = |other: &Config| other.web.tls_certificate.is_some();
        if let (false, Some(other)) = (has_pages(config), all.iter().find(|other| has_pages(other))) {
            let reason = format!(
                "web.tls_certificate is missing: the pages of {name:?} would be shown with the certificate of {:?}",
                other.organisation.name
            );
            let remedy = "give this [[organisation]] tls_certificate and tls_key, or [web] those for all";
            faults.push((index, Fault::new(&["web.tls_certificate", "web.public_url"], reason, remedy)));
        }
        if let Some(first) = by_host.insert(authority_of(&config.web.public_url), name) {
            let reason = format!(
                "web.public_url: the pages of {first:?} are at {} already: one host cannot have two faces",
                config.web.public_url
            );
            let remedy = "give each [[organisation]] a public_url with a host of its own";
            faults.push((index, Fault::new(&["web.public_url"], reason, remedy)));
        }
    }
    for (index, config) in all.iter().enumerate() {
        for partner in &config.organisation.partners {
            let has = |other: &&Config| {
                other.organisation.domains.iter().any(|domain| is_same_domain(domain, partner))
            };
            if all.iter().enumerate().filter(|(other, _)| *other != index).all(|(_, other)| !has(&other)) {
                let reason =
                    format!("organisation.partners: no other organisation here has the domain {partner:?}");
                let remedy = "name a domain of another [[organisation]] of this gateway";
                faults.push((index, Fault::new(&["organisation.partners"], reason, remedy)));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use crate::config::{self, Config, ReplyDelivery};

    const COMMON: &str = r#"
        hostname = "veilig.voorbeeld.nl"
        data_dir = "data"
        [smtp]
        listen = ["127.0.0.1:2525"]
        [relay]
        smarthost = "smarthost:25"
        username = "zegel"
        password_file = "smarthost.password"
        tls = "off"
        retry = ["2m"]
        [web]
        listen = ["127.0.0.1:8080"]
        public_url = "https://veilig.voorbeeld.nl"
        [seal]
        expiry_days = 20
        grace_days = 3
        [[organisation]]
        name = "Gemeente Voorbeeld"
        domains = ["voorbeeld.nl"]
        partners = ["Zuiderveen.nl"]
        [[organisation]]
        name = "Gemeente Zuiderveen"
        domains = ["zuiderveen.nl", "zuid.nl"]
        hostname = "veilig.zuiderveen.nl"
        public_url = "https://veilig.zuiderveen.nl/"
        default_language = "fy"
        languages = ["fy", "nl"]
    "#;

    fn read(more: &str) -> Result<Config, String> {
        let none = std::iter::empty();
        config::parse(Path::new("/etc/zegel/zegel.toml"), &format!("{COMMON}{more}"), none)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn each_has_the_common_sections_with_its_own_over_them() {
        let more = r#"
            [organisation.seal]
            expiry_days = 7
            [organisation.reply]
            delivery = "transfer"
            [organisation.policy]
            files = ["zuid.toml"]
        "#;
        let config = read(more).unwrap();
        let [first, second] = config.organisations().collect::<Vec<_>>()[..] else { panic!("{config:?}") };
        assert_eq!((first.organisation.name.as_str(), first.seal.expiry_days), ("Gemeente Voorbeeld", 20));
        assert_eq!(first.organisation.partners, ["zuiderveen.nl"]);
        assert_eq!(second.organisation.domains, ["zuiderveen.nl", "zuid.nl"]);
        assert_eq!((second.seal.expiry_days, second.seal.grace_days), (7, 3));
        assert_eq!(
            (first.reply.delivery, second.reply.delivery),
            (ReplyDelivery::Mail, ReplyDelivery::Transfer)
        );
        assert_eq!(
            (first.hostname.as_str(), second.hostname.as_str()),
            ("veilig.voorbeeld.nl", "veilig.zuiderveen.nl")
        );
        assert_eq!(second.web.public_url, "https://veilig.zuiderveen.nl");
        assert_eq!((first.web.default_language.as_str(), second.web.default_language.as_str()), ("nl", "fy"));
        assert_eq!((first.organisation.languages.len(), second.organisation.languages.len()), (3, 2));
        assert_eq!(second.policy.files, [Path::new("/etc/zegel/zuid.toml")]);
        assert_eq!((first.relay.username.as_str(), second.relay.username.as_str()), ("zegel", "zegel"));
    }

    /// Whatever key a section is given, an organisation has it too, unless it is one of the gateway's.
    #[test]
    fn an_organisation_may_set_every_key_of_its_sections() {
        let keys = [
            "[organisation.seal]\nstaff_subject = false\nreturn_path = \"gateway\"",
            "[organisation.reply]\nenabled = false",
            "[organisation.relay.inside]\ntls = \"required\"",
        ];
        for own in keys {
            assert!(read(own).is_ok(), "{own}: {:?}", read(own));
        }
        assert!(!read(keys[0]).unwrap().others[0].seal.staff_subject);
        let own = |section: &str| config::keys::keys_of(&format!("organisation.{section}")).len();
        assert_eq!(own("seal") + 1, config::keys::keys_of("seal").len());
        assert_eq!(own("relay") + 4, config::keys::keys_of("relay").len());
        assert_eq!(own("reply"), config::keys::keys_of("reply").len());
    }

    #[test]
    fn an_account_is_never_used_at_another_server() {
        let config = read("[organisation.relay]\nsmarthost = \"zuid:25\"").unwrap();
        let relay = &config.others[0].relay;
        assert_eq!((relay.smarthost.as_str(), relay.username.as_str()), ("zuid:25", ""));
        assert_eq!((relay.password_file.as_deref(), relay.tls), (None, config::RelayTls::Opportunistic));
        assert_eq!(relay.retry, [Duration::from_secs(120)], "how long mail is tried is the gateway's");
        let own = "[organisation.relay]\nsmarthost = \"zuid:25\"\nusername = \"z\"\npassword_file = \"z\"";
        assert_eq!(read(own).unwrap().others[0].relay.username, "z");
    }

    #[test]
    fn a_single_one_may_be_written_in_either_way() {
        let single = COMMON.split("[[organisation]]").take(2).collect::<Vec<_>>().join("[organisation]");
        let single = single.replace(
            "partners = [\"Zuiderveen.nl\"]",
            "public_url = \"https://hier.nl\"\n[organisation.seal]\nexpiry_days = 5",
        );
        let none = std::iter::empty();
        let config = config::parse(Path::new("zegel.toml"), &single, none).unwrap();
        assert_eq!(
            (config.web.public_url.as_str(), config.seal.expiry_days, config.others.len()),
            ("https://hier.nl", 5, 0)
        );
    }

    #[test]
    fn the_environment_sets_a_key_of_one_by_its_number() {
        let parse = |name: &str| {
            let variables = [(name.to_owned(), "14 0599".to_owned())].into_iter();
            config::parse(Path::new("zegel.toml"), COMMON, variables)
        };
        let config = parse("ZEGEL_ORGANISATION__2__PHONE").unwrap();
        assert_eq!(
            (config.organisation.phone.as_str(), config.others[0].organisation.phone.as_str()),
            ("", "14 0599")
        );
        for name in
            ["ZEGEL_ORGANISATION__PHONE", "ZEGEL_ORGANISATION__3__PHONE", "ZEGEL_ORGANISATION__0__PHONE"]
        {
            let error = parse(name).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("organisation is not a section"), "{error}");
        }
    }

    #[test]
    fn a_fault_is_shown_in_the_organisation_that_has_it() {
        let line_of = |needle: &str, more: &str| {
            let text = format!("{COMMON}{more}");
            text.lines().position(|line| line.contains(needle)).unwrap() + 1
        };
        for (more, expected, needle) in [
            ("[organisation.seal]\nexpiry_days = 0", "seal.expiry_days must be", "expiry_days = 0"),
            (
                "[organisation.seal]\nexpiry_day = 7",
                "unknown key organisation.seal.expiry_day; did you mean organisation.seal.expiry_days?",
                "expiry_day = 7",
            ),
            (
                "[organisation.seal]\nmax_password_attempts = 7",
                "unknown key organisation.seal.max_password_attempts",
                "max_password_attempts",
            ),
            ("[organisation.relay]\nretry = []", "unknown key organisation.relay.retry", "retry = []"),
            ("[organisation.reply]\nenabled = 5", "reply.enabled", "enabled = 5"),
            ("phone = \"a\\nb\"", "organisation.phone must be one line", "phone ="),
            ("staf = \"x\"", "did you mean organisation.staff?", "staf ="),
            (
                "partners = [\"elders.nl\"]",
                "no other organisation here has the domain \"elders.nl\"",
                "[\"elders.nl\"]",
            ),
            (
                "[[organisation]]\nname = \"Derde\"\npublic_url = \"https://derde.nl\"",
                "organisation.domains is missing",
                "name = \"Derde\"",
            ),
        ] {
            let error = read(more).unwrap_err();
            assert!(error.contains(expected), "{more}: {error}");
            let line = line_of(needle, more);
            let near = [line, line - 1].map(|line| format!("line {line}:"));
            assert!(near.iter().any(|line| error.contains(line)), "{more}: {error}, not line {line}");
        }
    }

    #[test]
    fn two_cannot_have_one_domain_or_one_host() {
        for (more, expected) in [
            (
                "domains = [\"derde.nl\", \"ZUID.nl\"]\npublic_url = \"https://derde.nl\"",
                "zuid.nl is of \"Gemeente Zuiderveen\" already",
            ),
            (
                "domains = [\"derde.nl\"]",
                "the pages of \"Gemeente Voorbeeld\" are at https://veilig.voorbeeld.nl already",
            ),
            (
                "domains = [\"derde.nl\"]\npublic_url = \"https://VEILIG.zuiderveen.nl:443\"",
                "the pages of \"Gemeente Zuiderveen\"",
            ),
            (
                "domains = [\"derde.nl\"]\npublic_url = \"https://derde.nl\"\ntls_certificate = \"c\"\ntls_key = \"k\"",
                "the pages of \"Gemeente Voorbeeld\" would be shown with the certificate of \"Derde\"",
            ),
        ] {
            let error = read(&format!("[[organisation]]\nname = \"Derde\"\n{more}")).unwrap_err();
            assert!(error.contains(expected), "{more}: {error}");
        }
    }
}
