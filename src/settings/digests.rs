//! What nodes that share a `[store]` must have alike: a keyed digest of each section, which is shown to the other nodes. It
//! tells nothing to whoever reads the database.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Organisation, Settings};
use crate::config::Reply;
use crate::secret::FolderKey;
use crate::store::nodes::SettingsDigests;

impl Settings {
    /// A digest for each section or key that all nodes must have alike. What a node may have for itself is in none of them:
    /// addresses, certificates, next hops, the scanner, limits of connections and memory.
    pub fn digests(&self, key: &FolderKey) -> SettingsDigests {
        let common = [
            ("organisations", self.organisations().map(|one| one.domain()).collect::<Vec<_>>().join(" ")),
            ("smtp.max_message_size, max_recipients or require_tls", {
                let smtp = &self.smtp;
                format!("{:?}", (smtp.max_message_size, smtp.max_recipients, smtp.require_tls))
            }),
            ("admin.audit_days", self.admin.audit_days.to_string()),
            ("admin.tracking_days", self.admin.tracking_days.to_string()),
        ];
        let common = common.into_iter().map(|(name, text)| (name.to_owned(), text));
        let own = self.organisations().flat_map(|one| {
            let place =
                if Arc::ptr_eq(one, self.operator()) { String::new() } else { format!("{}: ", one.domain()) };
            of_organisation(one).map(|(name, text)| (format!("{place}{name}"), text))
        });
        common.chain(own).map(|(name, text)| (name.clone(), key.digest(&name, &text))).collect()
    }
}

/// The sections of one organisation. Whoever gives it another field decides here whether nodes must have that alike.
fn of_organisation(one: &Organisation) -> [(&'static str, String); 8] {
    let Organisation {
        name,
        domains,
        internal_domains,
        phone,
        website,
        help,
        privacy_url,
        accessibility_url,
        languages,
        zone,
        branding,
        hostname,
        public_url,
        language,
        staff,
        policy,
        seal,
        reply,
        postmaster: _,
        relay: _,
    } = one;
    let shown = (phone, website, help, privacy_url, accessibility_url, languages);
    let reply = Reply { scanner: None, ..reply.clone() };
    let staff: BTreeMap<_, _> = staff.people().collect();
    [
        ("hostname", hostname.clone()),
        ("organisation", format!("{:?}", (name, domains, internal_domains, zone, shown))),
        ("organisation.staff", format!("{staff:?}")),
        ("organisation.theme or logo", branding.version.clone()),
        ("policy", format!("{policy:?}")),
        ("seal", format!("{seal:?}")),
        ("reply", format!("{reply:?} {}", one.reply.scanner.is_some())),
        ("web.public_url or default_language", format!("{public_url} {language:?}")),
    ]
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::secret::Keys;
    use crate::settings::CurrentSettings;
    use crate::settings::testing::settings;
    use crate::staff::Directory;

    fn differing(one: &Settings, other: &Settings) -> Vec<String> {
        let key = Keys::from_base64("BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=").unwrap().folder;
        let (one, other) = (one.digests(&key), other.digests(&key));
        assert_eq!(one.len(), other.len());
        one.into_iter().filter(|(name, digest)| other[name] != *digest).map(|(name, _)| name).collect()
    }

    #[test]
    fn only_what_differs_is_named() {
        let usual = settings("");
        assert_eq!(differing(&usual, &settings("")), [""; 0]);
        for (other, name) in [
            ("[seal]\nexpiry_days = 29", "seal"),
            ("[reply]\nscanner = \"127.0.0.1:3310\"", "reply"),
            ("[admin]\naudit_days = 400", "admin.audit_days"),
        ] {
            assert_eq!(differing(&usual, &settings(other)), [name]);
        }
        let scanner = |at: &str| settings(&format!("[reply]\nscanner = \"{at}\""));
        assert_eq!(differing(&scanner("127.0.0.1:3310"), &scanner("clamd.voorbeeld.nl:3310")), [""; 0]);
        assert_eq!(differing(&usual, &settings("[admin]\nlisten = []")), [""; 0], "a node's own");
    }

    #[test]
    fn files_count_by_what_is_in_them() {
        let folder = tempfile::tempdir().unwrap();
        let rule = "[[rule]]\nname = \"alles\"\nwhen = { internal = true }\nthen = \"seal\"\n";
        let staff = "email,name\na@voorbeeld.nl,A\nb@voorbeeld.nl,B\nc@voorbeeld.nl,C\nd@voorbeeld.nl,D\n";
        let of = |name: &str, rule: &str| {
            let path = folder.path().join(name);
            fs::write(&path, rule).unwrap();
            settings(&format!("[policy]\nfiles = [{path:?}]"))
        };
        assert_eq!(differing(&of("a.toml", rule), &of("b.toml", rule)), [""; 0]);
        assert_eq!(differing(&of("a.toml", rule), &of("b.toml", &rule.replace("alles", "iets"))), ["policy"]);
        let list = || {
            let settings = CurrentSettings::new(settings(""));
            settings.change(|organisation| organisation.staff = Directory::of(staff));
            Settings::clone(&settings.get())
        };
        assert_eq!(differing(&list(), &list()), [""; 0], "whatever the order in memory");
        assert_eq!(differing(&list(), &settings("")), ["organisation.staff"]);
    }
}
