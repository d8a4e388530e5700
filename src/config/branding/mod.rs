//! The face of an organisation: style sheet, logo, icon. The files are read with the configuration and kept in memory, so
//! that no request reads a file. If one of them cannot be used, the whole configuration is refused.

mod colour;
mod picture;
mod sheet;
mod theme;

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;

use super::OrganisationSection;
use super::rules::Fault;
use crate::id::base32;

pub use colour::Colour;
pub use picture::{Format, Picture};
pub use theme::{Scheme, Theme};

/// The most bytes of a file: every new visitor fetches all of them.
const MAX_SIZE: u64 = 512 << 10;

/// How pages and mails of an organisation differ from zegel's own.
#[derive(Clone, Debug, Default)]
pub struct Branding {
    /// Its colours, and all that its style sheet says.
    pub theme: Theme,
    /// In the head of a page.
    pub logo: Option<Picture>,
    /// On top of a mail: a PNG.
    pub mail_logo: Option<Picture>,
    /// The icon of the tab.
    pub favicon: Option<Picture>,
    /// Changes whenever a file changes. It is part of the URLs, so that browsers fetch the new file. Empty without files.
    pub version: String,
}

impl Branding {
    /// Reads the files that are set. A fault names key, file and reason.
    pub fn load(organisation: &OrganisationSection) -> (Self, Vec<Fault>) {
        let mut files = Files::default();
        let OrganisationSection { theme, logo, mail_logo, favicon, .. } = organisation;
        let theme = files.theme(theme.as_deref());
        let logo = files.picture("organisation.logo", logo.as_ref(), Picture::logo);
        let mail_logo = files.picture("organisation.mail_logo", mail_logo.as_ref(), Picture::mail_logo);
        let favicon = files.picture("organisation.favicon", favicon.as_ref(), Picture::favicon);
        let mail_logo = mail_logo.or_else(|| logo.clone().filter(|logo| logo.mail_size().is_some()));
        (Self { theme, logo, mail_logo, favicon, version: files.version() }, files.faults)
    }
}

/// What was read, and what is wrong with it.
#[derive(Default)]
struct Files {
    digest: Option<digest::Context>,
    faults: Vec<Fault>,
}

impl Files {
    fn theme(&mut self, path: Option<&Path>) -> Theme {
        const KEY: &str = "organisation.theme";
        let Some(path) = path else { return Theme::default() };
        let text = self.read(KEY, path, |octets| {
            String::from_utf8(octets).map_err(|_| "a style sheet must be UTF-8 text".to_owned())
        });
        let (theme, wrong) = Theme::of(&text.unwrap_or_default());
        let faults = wrong.into_iter().map(|reason| {
            let remedy = "change the colours of the style sheet";
            Fault::new(&[KEY], format!("{KEY}: {}: {reason}", path.display()), remedy)
        });
        self.faults.extend(faults);
        theme
    }

    fn picture(
        &mut self,
        key: &'static str,
        path: Option<&PathBuf>,
        picture: fn(Vec<u8>) -> Result<Picture, String>,
    ) -> Option<Picture> {
        self.read(key, path?, picture)
    }

    fn read<T>(
        &mut self,
        key: &'static str,
        path: &Path,
        take: impl FnOnce(Vec<u8>) -> Result<T, String>,
    ) -> Option<T> {
        let octets = bounded(path).inspect(|octets| {
            let digest = self.digest.get_or_insert_with(|| digest::Context::new(&digest::SHA256));
            digest.update(key.as_bytes());
            digest.update(&octets.len().to_be_bytes());
            digest.update(octets);
        });
        let told = |reason: String| {
            let remedy = "name another file, or leave the key out";
            self.faults.push(Fault::new(&[key], format!("{key}: {}: {reason}", path.display()), remedy));
        };
        octets.and_then(take).map_err(told).ok()
    }

    /// Tells these files from all others.
    fn version(&self) -> String {
        self.digest.clone().map_or_else(String::new, |digest| base32(digest.finish().as_ref()))
    }
}

fn bounded(path: &Path) -> Result<Vec<u8>, String> {
    let trouble = |error: io::Error| error.to_string();
    let metadata = fs::metadata(path).map_err(trouble)?;
    if !metadata.is_file() {
        return Err("this is no file".into());
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(trouble)?;
    file.take(MAX_SIZE + 1).read_to_end(&mut bytes).map_err(trouble)?;
    match bytes.len() as u64 {
        0..=MAX_SIZE => Ok(bytes),
        _ => Err(format!("the file is larger than the {MAX_SIZE} bytes that are allowed")),
    }
}

#[cfg(test)]
mod tests {
    use super::picture::tests::png_of;
    use super::*;

    #[test]
    fn takes_what_browsers_show_and_names_every_fault() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, octets: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, octets).unwrap();
            Some(path)
        };
        let none = || toml::from_str::<OrganisationSection>("name = \"V\"\ndomains = []").unwrap();
        let css = file("theme.css", b":root { --utrecht-link-color: #00c; }");
        let svg = file("logo.svg", b"<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\"/>");
        let png = file("logo.png", &png_of(200, 50, 10));
        let load = |organisation: OrganisationSection| {
            let (branding, faults) = Branding::load(&organisation);
            assert_eq!(faults, []);
            branding
        };
        let usual = OrganisationSection { theme: css.clone(), logo: svg.clone(), ..none() };
        let branding = load(usual.clone());
        assert_eq!(branding.theme.light.accent.to_string(), "#0000cc");
        assert_eq!(branding.logo.as_ref().unwrap().format, Format::Svg);
        assert_eq!(branding.mail_logo, None, "an SVG is in no mail");
        let with_png = load(OrganisationSection { mail_logo: png.clone(), favicon: png.clone(), ..usual });
        assert_eq!(with_png.mail_logo.unwrap().mail_size(), Some((200, 50)));
        assert_ne!(with_png.version, branding.version);
        let alone = load(OrganisationSection { logo: png.clone(), ..none() });
        assert_eq!(alone.mail_logo, alone.logo, "a PNG is in mails as well");
        assert_eq!(load(none()).version, "");

        let large = file("large.css", &vec![b' '; (512 << 10) + 1]);
        let lost = Some(folder.path().join("none.png"));
        let pale = file("pale.css", b":root {\n --utrecht-page-footer-color: #0c3b52 }");
        for (organisation, expected) in [
            (OrganisationSection { theme: png.clone(), ..none() }, "organisation.theme: "),
            (OrganisationSection { theme: large, ..none() }, "larger than the 524288 bytes"),
            (OrganisationSection { theme: pale, ..none() }, "pale.css: line 2: in the light scheme"),
            (OrganisationSection { theme: Some(folder.path().into()), ..none() }, "no file"),
            (OrganisationSection { logo: css, ..none() }, "SVG or a PNG"),
            (OrganisationSection { mail_logo: svg, ..none() }, "organisation.mail_logo: "),
            (OrganisationSection { favicon: lost, ..none() }, "none.png: No such file"),
        ] {
            let (_, faults) = Branding::load(&organisation);
            assert!(faults.len() == 1 && faults[0].reason.contains(expected), "{faults:?}");
        }
    }
}
