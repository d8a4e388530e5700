//! The organisation's own look: a style sheet and a logo, read with the configuration and kept in memory, so that
//! no request meets a disk. A file that cannot be used refuses the whole configuration.

use std::path::Path;

use aws_lc_rs::digest;

use crate::id::base32;

/// Octets of either file: every new reader fetches both.
const MAX_SIZE: usize = 512 << 10;

/// What the pages wear over zegel's own look.
#[derive(Clone, Debug, Default)]
pub struct Branding {
    /// Rules behind those of `web/assets/theme.css`; whatever token it leaves out stays ours.
    pub theme: Option<String>,
    /// In place of zegel's logo.
    pub logo: Option<Logo>,
    /// Another one whenever a file changes, for the addresses under which browsers keep them; empty without files.
    pub version: String,
}

/// A picture that every browser shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logo {
    /// `image/svg+xml` or `image/png`
    pub media_type: &'static str,
    /// The file
    pub octets: Vec<u8>,
}

impl Branding {
    /// Reads the files that are set. The error names key, file and reason.
    pub fn load(theme: Option<&Path>, logo: Option<&Path>) -> Result<Self, String> {
        let theme = theme.map(|path| style_sheet(path).map_err(fault("organisation.theme", path)));
        let logo = logo.map(|path| picture(path).map_err(fault("organisation.logo", path)));
        let mut branding =
            Self { theme: theme.transpose()?, logo: logo.transpose()?, version: String::new() };
        branding.version = branding.fingerprint();
        Ok(branding)
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

fn fault(key: &str, path: &Path) -> impl FnOnce(String) -> String {
    move |reason| format!("{key}: {}: {reason}", path.display())
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
        let branding = Branding::load(Some(&css), Some(&svg)).unwrap();
        assert!(branding.theme.unwrap().contains("link-color"));
        assert_eq!(branding.logo.unwrap().media_type, "image/svg+xml");
        assert_eq!(Branding::load(None, Some(&png)).unwrap().logo.unwrap().media_type, "image/png");

        let large = file("large.css", &vec![b' '; MAX_SIZE + 1]);
        for (theme, logo, expected) in [
            (Some(&png), None, "organisation.theme: "),
            (Some(&large), None, "524289 octets"),
            (None, Some(&css), "SVG or a PNG"),
            (None, Some(&folder.path().join("none.png")), "none.png: No such file"),
        ] {
            let error = Branding::load(theme.map(|p| p.as_path()), logo.map(|p| p.as_path())).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
