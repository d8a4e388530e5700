//! A logo or an icon: refused with a reason, or of a format that its first bytes show; in a mail never larger than the
//! room that there is.

use zegel::config::{Format, Picture};

pub fn holds(input: &[u8]) {
    for read in [Picture::logo, Picture::favicon, Picture::mail_logo] {
        match read(input.to_vec()) {
            Ok(picture) => {
                assert_eq!(picture.octets, input);
                assert_eq!(matches!(picture.format, Format::Png { .. }), input.starts_with(b"\x89PNG"));
                if let Some((width, height)) = picture.mail_size() {
                    assert!((1..=260).contains(&width) && (1..=56).contains(&height), "{width} by {height}");
                }
            }
            Err(reason) => assert!(crate::is_one_line(&reason)),
        }
    }
}
