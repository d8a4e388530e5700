//! Policy files that are refused, and rules that say something else than their author thinks.

use std::fs;
use std::path::Path;

use crate::Case;

const FILES: &[(&str, &str)] = &[("[web]", "[policy]\nfiles = [\"rules.toml\"]\n[web]")];
const SEAL: &str =
    "[[rule]]\nname = \"tagged\"\nwhen = { subject_tag = [\"vertrouwelijk\"] }\nthen = \"seal\"\n";

pub const CASES: &[Case] = &[
    Case { name: "policy-missing", edits: FILES, expected: ("error", "No such file"), ..CASE },
    Case {
        name: "policy-that-is-no-toml",
        edits: FILES,
        prepare: Some(|folder| rules(folder, "\n[[rule\n")),
        expected: ("error", "TOML parse error"),
        ..CASE
    },
    Case {
        name: "policy-with-several-faults",
        edits: FILES,
        prepare: Some(|folder| {
            rules(
                folder,
                "[[rule]]\nname = \"een\"\nwhen = { subject_tags = [\"x\"] }\nthen = \"seal\"\n\n[[rule]]\nname = \"twee\"\nthen = \"zeal\"\n\n[[rule]]\nthen = \"pass\"\n",
            )
        }),
        expected: ("error", "then: must be \"pass\", \"seal\" or \"reject\""),
        ..CASE
    },
    Case {
        name: "policy-with-a-name-twice",
        edits: FILES,
        prepare: Some(|folder| rules(folder, &format!("{SEAL}{SEAL}"))),
        expected: ("error", "another rule has this name"),
        ..CASE
    },
    Case {
        name: "policy-without-a-rule",
        edits: FILES,
        prepare: Some(|folder| rules(folder, "# later\n")),
        expected: ("warning", "hold no rule"),
        ..CASE
    },
    Case {
        name: "policy-that-never-seals",
        edits: FILES,
        prepare: Some(|folder| {
            rules(folder, "[[rule]]\nname = \"inside\"\nwhen = { internal = true }\nthen = \"pass\"\n")
        }),
        expected: ("warning", "nothing is ever sealed"),
        ..CASE
    },
    Case {
        name: "policy-behind-a-catch-all",
        edits: FILES,
        prepare: Some(|folder| rules(folder, &format!("[[rule]]\nname = \"all\"\nthen = \"pass\"\n{SEAL}"))),
        expected: ("warning", "matches every message"),
        ..CASE
    },
    Case {
        name: "policy-behind-a-wider-rule",
        edits: FILES,
        prepare: Some(|folder| {
            rules(
                folder,
                &format!(
                    "{SEAL}\n[[rule]]\nname = \"tagged-for-outside\"\nwhen = {{ subject_tag = \"vertrouwelijk\", internal = false }}\nthen = \"reject\"\n"
                ),
            )
        }),
        expected: ("warning", "has matched"),
        ..CASE
    },
    Case {
        name: "policy-with-a-regular-expression",
        edits: FILES,
        prepare: Some(|folder| {
            rules(
                folder,
                &format!(
                    "{SEAL}\n[[rule]]\nname = \"directors\"\nwhen = {{ sender = [\"^dir.*@voorbeeld\\\\.nl$\"] }}\nthen = \"seal\"\n"
                ),
            )
        }),
        expected: ("warning", "looks like a regular expression"),
        ..CASE
    },
    Case {
        name: "policy-for-strange-senders",
        edits: FILES,
        prepare: Some(|folder| {
            rules(
                folder,
                &format!(
                    "{SEAL}\n[[rule]]\nname = \"partner\"\nwhen = {{ sender = \"@partner.example\" }}\nthen = \"seal\"\n"
                ),
            )
        }),
        expected: ("warning", "mail from others is refused"),
        ..CASE
    },
    Case {
        name: "policy-for-outside-inside",
        edits: FILES,
        prepare: Some(|folder| {
            rules(
                folder,
                &format!(
                    "{SEAL}\n[[rule]]\nname = \"court\"\nwhen = {{ internal = true, recipient = \"@rechtspraak.example\" }}\nthen = \"pass\"\n"
                ),
            )
        }),
        expected: ("warning", "internal = true"),
        ..CASE
    },
    Case {
        name: "policy-for-messages-that-are-refused",
        edits: FILES,
        prepare: Some(|folder| {
            rules(
                folder,
                &format!(
                    "{SEAL}\n[[rule]]\nname = \"large\"\nwhen = {{ min_size = \"100MiB\" }}\nthen = \"seal\"\n"
                ),
            )
        }),
        expected: ("warning", "above smtp.max_message_size"),
        ..CASE
    },
];

const CASE: Case =
    Case { name: "", edits: &[], environment: &[], arguments: &[], prepare: None, expected: ("", "") };

fn rules(folder: &Path, text: &str) -> Vec<(String, String)> {
    fs::write(folder.join("rules.toml"), text).unwrap();
    Vec::new()
}
