//! The organisation's own style sheet and logo. They are read with the configuration and kept in memory, so that no
//! request reads a file. If one of them cannot be used, the whole configuration is refused.

use std::path::Path;

use aws_lc_rs::digest;

use super::rules::Fault;
use crate::id::base32;

/// The most bytes of either file: every new visitor fetches both.
const MAX_SIZE: usize = 512 << 10;

/// How the pages of an organisation differ from zegel's own.
#[derive(Clone, Debug, Default)]
pub struct Branding {
    /// Style rules that follow those of `web/assets/theme.css`. A token that they do not set keeps zegel's value.
    pub theme: Option<String>,
    /// A logo that replaces zegel's.
    pub logo: Option<Logo>,
    /// Changes whenever a file changes. It is part of the URLs, so that browsers fetch the new file. Empty without files.
    pub version: String,
}

/// A picture in a format that every browser shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logo {
    /// `image/svg+xml` or `image/png`
    pub media_type: &'static str,
    /// The content of the file.
    pub octets: Vec<u8>,
}

impl Branding {
    /// Reads the files that are set. A fault names key, file and reason.
    pub fn load(theme: Option<&Path>, logo: Option<&Path>) -> (Self, Vec<Fault>) {
        let mut faults = Vec::new();
        let theme = read_or_tell(&mut faults, "organisation.theme", theme, style_sheet);
        let logo = read_or_tell(&mut faults, "organisation.logo", logo, picture);
        let mut branding = Self { theme, logo, version: String::new() };
        branding.version = branding.fingerprint();
        (branding, faults)
    }

    fn fingerprint(&self) -> String {
        let theme = self.theme.as_deref().unwrap_or_default().as_bytes();
        let logo = self.logo.as_ref().map_or(&[][..], |logo| &logo.octets);
        match (theme, logo) {
            ([], []) => String::new(),
            _ => base32(digest::digest(&digest::SHA256, &[theme, logo].concat()).as_ref()),
        }
    }
}

fn read_or_tell<T>(
    faults: &mut Vec<Fault>,
    key: &'static str,
    path: Option<&Path>,
    read: fn(&Path) -> Result<T, String>,
) -> Option<T> {
    let path = path?;
    let told = |reason: String| {
        let remedy = "name another file, or leave the key out";
        faults.push(Fault::new(&[key], format!("{key}: {}: {reason}", path.display()), remedy));
    };
    read(path).map_err(told).ok()
}

fn style_sheet(path: &Path) -> Result<String, String> {
    String::from_utf8(read(path)?).map_err(|_| "a style sheet must be UTF-8 text".to_owned())
}

fn picture(path: &Path) -> Result<Logo, String> {
    let octets = read(path)?;
    let is_svg = std::str::from_utf8(&octets).is_ok_and(|text| text.contains("<svg"));
    let media_type = match octets.starts_with(b"\x89PNG\r\n\x1a\n") {
        true => "image/png",
        false if is_svg => "image/svg+xml",
        false => return Err("a logo must be an SVG or a PNG picture".into()),
    };
    Ok(Logo { media_type, octets })
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let octets = std::fs::read(path).map_err(|error| error.to_string())?;
    match octets.len() {
        0..=MAX_SIZE => Ok(octets),
        size => Err(format!("{size} octets are more than the {MAX_SIZE} that are allowed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_browsers_show_and_names_every_fault() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, octets: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, octets).unwrap();
            path
        };
        let css = file("theme.css", b":root { --utrecht-link-color: #00c; }");
        let svg = file("logo.svg", b"<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\"/>");
        let png = file("logo.png", b"\x89PNG\r\n\x1a\n....");
        let (branding, faults) = Branding::load(Some(&css), Some(&svg));
        assert_eq!(faults, []);
        assert!(branding.theme.unwrap().contains("link-color"));
        assert_eq!(branding.logo.unwrap().media_type, "image/svg+xml");
        assert_eq!(Branding::load(None, Some(&png)).0.logo.unwrap().media_type, "image/png");

        let large = file("large.css", &vec![b' '; MAX_SIZE + 1]);
        for (theme, logo, expected) in [
            (Some(&png), None, "organisation.theme: "),
            (Some(&large), None, "524289 octets"),
            (None, Some(&css), "SVG or a PNG"),
            (None, Some(&folder.path().join("none.png")), "none.png: No such file"),
        ] {
            let (_, faults) = Branding::load(theme.map(|p| p.as_path()), logo.map(|p| p.as_path()));
            assert!(faults.len() == 1 && faults[0].reason.contains(expected), "{faults:?}");
        }
    }
}
