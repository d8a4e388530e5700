//! The person at the command line, for the audit trail. A name in a record and no proof: everybody who may run these commands
//! may change the database as well.

use std::{env, fs};

use crate::audit::Initiator;

/// Environment variables that name the user who called a program that acts as another.
const CALLERS: [&str; 2] = ["SUDO_USER", "DOAS_USER"];

/// The administrator: who called `sudo`, else the user whose process this is.
pub fn actor() -> Initiator {
    let caller = CALLERS.iter().filter_map(|name| env::var(name).ok()).find(|name| is_name(name));
    Initiator::admin(&caller.unwrap_or_else(own_name))
}

/// From the system's list of users; `#1001` where the user is not in it.
fn own_name() -> String {
    let user = rustix::process::getuid().as_raw().to_string();
    let list = fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_of(&list, &user).map_or_else(|| format!("#{user}"), str::to_owned)
}

/// passwd(5): name, password, number, and more.
fn name_of<'a>(list: &'a str, user: &str) -> Option<&'a str> {
    let name = |line: &'a str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == user).then_some(name)
    };
    list.lines().find_map(name).filter(|name| is_name(name))
}

/// One word, as user names are: with a domain where a directory gives them out.
fn is_name(text: &str) -> bool {
    let fine = |c: char| c.is_alphanumeric() || "._-@\\+$".contains(c);
    !text.is_empty() && text.len() <= 64 && text.chars().all(fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_a_name_of_one_word() {
        let list =
            "root:x:0:0:root:/root:/bin/bash\nbroken\nj.jansen:x:1001:1001::/home:/bin/sh\n:x:7:7::/:/\n";
        assert_eq!(name_of(list, "0"), Some("root"));
        assert_eq!(name_of(list, "1001"), Some("j.jansen"));
        assert_eq!((name_of(list, "7"), name_of(list, "100")), (None, None));
        assert!(is_name("VOORBEELD\\jan") && is_name("jan@voorbeeld.nl"));
        assert!(!is_name("jan de vries") && !is_name("a\nb") && !is_name(""));
    }
}
