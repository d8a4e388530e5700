//! Man pages: one for each command, from its own help, and `zegel.toml(5)`.

use anyhow::Result;
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};

use super::file::sentence;
use super::keys::{Key, KeyDefault, Section};

/// `zegel.1`, `zegel-queue.1`, `zegel-queue-list.1` …: file names with their text. Hidden commands have none.
pub fn of_commands(command: &Command) -> Result<Vec<(String, String)>> {
    let mut pages = Vec::new();
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        pages.extend(of_commands(below)?);
    }
    let man = Man::new(command.clone());
    let mut text = Vec::new();
    man.render(&mut text)?;
    let mut end = Roff::new();
    end.control("SH", ["EXIT STATUS"]);
    end.text([roman(
        "0: done. 1: it failed. 2: wrong usage or wrong configuration; standard error says why.",
    )]);
    end.control("SH", ["FILES"]);
    end.control("TP", []).text([bold("/etc/zegel/zegel.toml")]).text([roman("the configuration")]);
    end.control("TP", []).text([bold("/var/lib/zegel")]).text([roman("all that must not get lost")]);
    end.control("SH", ["SEE ALSO"]);
    end.text([
        bold("zegel"),
        roman("(1), "),
        bold("zegel.toml"),
        roman("(5), /usr/share/doc/zegel/operations.md"),
    ]);
    pages.push((man.get_filename(), String::from_utf8(text)? + &end.to_roff()));
    Ok(pages)
}

/// `zegel.toml(5)`
pub fn of_keys(sections: &[Section]) -> String {
    let mut page = Roff::new();
    page.control("TH", ["zegel.toml", "5", "", &format!("zegel {}", env!("CARGO_PKG_VERSION")), ""]);
    page.control("SH", ["NAME"]);
    page.text([roman("zegel.toml - the configuration of zegel, the gateway that seals confidential mail")]);
    page.control("SH", ["DESCRIPTION"]);
    for paragraph in [
        "One TOML file, /etc/zegel/zegel.toml unless `--config` names another. Paths in it are relative to its folder. Sizes are \
         `64KiB`, `50MiB`, `1GiB` or a number of bytes, durations `30s`, `5m`, `4h`, `5d`. An unknown key is an error.",
        "Every key can come from the environment instead: `ZEGEL_HOSTNAME`, `ZEGEL_SMTP__LISTEN`, \
         `ZEGEL_RELAY__INSIDE__TLS`; the value is TOML, or text.",
        "`zegel check` says what is missing or wrong. `systemctl reload zegel` has the gateway read the file again, without \
         dropping a connection; a file that is refused changes nothing, nor does one in which a key has changed that needs a \
         restart. Titles in quotation marks are chapters of /usr/share/doc/zegel/operations.md.",
    ] {
        page.control("PP", []).text(inline(paragraph));
    }
    for section in sections {
        let title =
            if section.name.is_empty() { "AT THE TOP".to_owned() } else { format!("[{}]", section.name) };
        page.control("SH", [title.as_str()]);
        if !section.meaning.is_empty() {
            page.text(inline(&sentence(&section.meaning)));
        }
        for key in &section.keys {
            page.control("TP", []).text(heading(key)).text(inline(&words(key)));
        }
    }
    page.control("SH", ["SEE ALSO"]);
    page.text([
        bold("zegel"),
        roman("(1), "),
        bold("zegel-check"),
        roman("(1), "),
        bold("zegel-reload"),
        roman("(1)"),
    ]);
    page.to_roff()
}

fn heading(key: &Key) -> Vec<Inline> {
    let default = match &key.default {
        KeyDefault::Value(value) => format!(" = {value}"),
        KeyDefault::Required => " (required)".to_owned(),
        KeyDefault::Words(_) => String::new(),
    };
    vec![bold(&key.name), roman(default)]
}

fn words(key: &Key) -> String {
    let default = match &key.default {
        KeyDefault::Words(words) => format!(" Default: {words}."),
        _ => String::new(),
    };
    let restart = if key.needs_restart { " A change needs a restart." } else { "" };
    format!("{}{default}{restart}", sentence(&key.meaning))
}

/// Code in bold.
fn inline(text: &str) -> Vec<Inline> {
    let pieces = text.split('`').enumerate();
    pieces.map(|(number, piece)| if number % 2 == 1 { bold(piece) } else { roman(piece) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::manual::keys;

    #[test]
    fn every_command_has_a_page_and_what_makes_them_has_none() {
        let mut command = crate::cli::command();
        command.build();
        let pages = of_commands(&command).unwrap();
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        for name in ["zegel.1", "zegel-check.1", "zegel-queue-retry.1", "zegel-reload.1", "zegel-health.1"] {
            assert!(names.contains(&name), "{names:?}");
        }
        assert!(!names.contains(&"zegel-manual.1"), "{names:?}");
        assert!(pages.iter().all(|(_, text)| text.contains("EXIT STATUS")));
    }

    #[test]
    fn every_key_is_on_the_page() {
        let sections = keys::sections();
        let page = of_keys(&sections);
        for section in &sections {
            for key in &section.keys {
                assert!(page.contains(&format!("\\fB{}\\fR", key.name)), "{}: {page}", key.name);
            }
        }
    }
}
