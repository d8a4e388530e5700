//! A transfer to look at and to download from: its mail goes in through SMTP, its link and password come out of the
//! notices at the smarthost.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::load::{FROM, TO};
use crate::peers::Zegel;
use crate::support::client::SmtpClient;
use crate::support::gateway::Site;
use crate::support::mail::{Notice, link_of, password_of};
use crate::support::smarthost::{Script, Smarthost};

/// A gateway with one transfer in it.
pub struct Transfer {
    pub zegel: Zegel,
    /// Its page, of the first recipient.
    pub link: String,
    /// The page of each recipient.
    pub links: Vec<String>,
    pub password: String,
    pub smarthost: Smarthost,
}

impl Transfer {
    /// Of this mail to one recipient; `settings` as for [`Zegel::start`].
    pub fn of(mail: &[u8], secure: Option<&Certificate>, settings: &[(&str, &str)]) -> Self {
        Self::to(&[TO], mail, secure, settings)
    }

    /// The same to so many recipients, each with a link of their own.
    pub fn to(
        recipients: &[&str],
        mail: &[u8],
        secure: Option<&Certificate>,
        settings: &[(&str, &str)],
    ) -> Self {
        let smarthost = Smarthost::start(Script::usual());
        let site = Arc::new(Site::new(smarthost.address(), ""));
        Self::at(smarthost, site, (recipients, mail), secure, settings)
    }

    /// The same among other organisations: what `ZEGEL_ORGANISATION` is, by the URL of the pages.
    pub fn among(mail: &[u8], organisations: fn(&str) -> String) -> Self {
        let smarthost = Smarthost::start(Script::usual());
        let site = Arc::new(Site::new(smarthost.address(), ""));
        let organisations = organisations(&site.public_url());
        Self::at(smarthost, site, (&[TO], mail), None, &[("ORGANISATION", &organisations)])
    }

    fn at(
        smarthost: Smarthost,
        site: Arc<Site>,
        (recipients, mail): (&[&str], &[u8]),
        secure: Option<&Certificate>,
        settings: &[(&str, &str)],
    ) -> Self {
        let (mut settings, mut url) = (settings.to_vec(), site.public_url());
        if let Some(certificate) = secure {
            url = url.replace("http:", "https:");
            settings.push(("WEB__TLS_CERTIFICATE", text(&certificate.chain)));
            settings.push(("WEB__TLS_KEY", text(&certificate.key)));
            settings.push(("WEB__PUBLIC_URL", &url));
        }
        let zegel = Zegel::at(site, &settings);
        let mut client = SmtpClient::connect(zegel.smtp).expect("a connection");
        let reply = client.send(FROM, recipients, mail).expect("a reply");
        assert!(reply.starts_with("250 "), "{reply}");
        let seen = smarthost.wait(|seen| seen.taken.len() == recipients.len() + 1);
        let notices: Vec<Notice> = seen.taken.iter().map(Notice::of).collect();
        let texts = |kind: &'static str| notices.iter().filter(move |notice| notice.kind == kind);
        let links: Vec<String> = texts("notification").map(|notice| link_of(&notice.text, &url)).collect();
        let password = password_of(&texts("receipt").next().expect("a receipt").text);
        Self { zegel, link: links.first().expect("a link").clone(), links, password, smarthost }
    }
}

/// A certificate that its own key has signed, in files.
pub struct Certificate {
    _folder: tempfile::TempDir,
    pub chain: PathBuf,
    pub key: PathBuf,
}

impl Certificate {
    pub fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        let (chain, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
        fs::write(&chain, made.cert.pem()).expect("a file");
        fs::write(&key, made.signing_key.serialize_pem()).expect("a file");
        Self { _folder: folder, chain, key }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}
