//! What the running gateway gives up before it takes in anything: writing outside its data folder, and executing
//! programs. Called by `serve`, once, before there is a second thread; the kernel keeps every later thread to it.
//!
//! It stands behind the systemd unit and does not need it: a gateway in a container, or started by hand, is kept
//! to the same. Reading is left alone, for a reload may name other files; so is connecting, to a scanner's socket as
//! well. What the kernel cannot do is said in the log and stops nothing: the unit asks for most of it as well.

use std::path::Path;

use landlock::{
    ABI, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, PathFdError, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus,
};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

/// Keeps this thread, and those that it starts, to `folder`.
pub fn enter(folder: &Path) {
    match keep_to(folder) {
        Ok(RulesetStatus::NotEnforced) => tracing::warn!("Landlock is off in this kernel"),
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "Landlock could not be used"),
    }
    if let Err(error) = forbid_programs() {
        tracing::warn!(%error, "seccomp could not be used");
    }
}

#[derive(Debug, thiserror::Error)]
enum LandlockError {
    #[error("{0}")]
    Rules(#[from] RulesetError),
    #[error("{0}")]
    Folder(#[from] PathFdError),
}

/// Nothing is written but below `folder`, and no file is executed (landlock(7)).
fn keep_to(folder: &Path) -> Result<RulesetStatus, LandlockError> {
    // Before its second version Landlock lets nothing move from one folder to another; then better none at all.
    let needed = AccessFs::from_write(ABI::V2);
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(needed | AccessFs::Execute)?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_write(ABI::V3))?;
    let beneath = PathBeneath::new(PathFd::new(folder)?, AccessFs::from_write(ABI::V3));
    Ok(rules.create()?.add_rule(beneath)?.restrict_self()?.ruleset)
}

/// A process that starts another program is killed: nothing of ours does, only an intruder would (H29). The unit cannot do
/// this, for systemd itself has to execute the gateway.
fn forbid_programs() -> Result<(), seccompiler::Error> {
    let forbidden = [libc::SYS_execve, libc::SYS_execveat].map(|call| (call, Vec::new()));
    let here = TargetArch::try_from(std::env::consts::ARCH)?;
    let filter = SeccompFilter::new(
        forbidden.into_iter().collect(),
        SeccompAction::Allow,
        SeccompAction::KillProcess,
        here,
    )?;
    seccompiler::apply_filter(&BpfProgram::try_from(filter)?)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::ErrorKind;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn nothing_is_written_outside_and_nothing_executed() {
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (ours, theirs) = (inside.path().to_owned(), outside.path().to_owned());
        fs::write(theirs.join("there"), "x").unwrap();
        // In a thread of its own: it is for ever.
        let confined = std::thread::spawn(move || {
            enter(&ours);
            fs::create_dir_all(ours.join("a/b")).unwrap();
            fs::write(ours.join("a/file"), "x").unwrap();
            fs::rename(ours.join("a/file"), ours.join("a/b/file")).unwrap();
            fs::remove_file(ours.join("a/b/file")).unwrap();

            assert_eq!(fs::read(theirs.join("there")).unwrap(), b"x", "reading is left alone");
            let refused = |result: std::io::Result<()>| result.unwrap_err().kind();
            assert_eq!(refused(fs::write(theirs.join("new"), "x")), ErrorKind::PermissionDenied);
            assert_eq!(refused(fs::write(theirs.join("there"), "y")), ErrorKind::PermissionDenied);
            assert_eq!(refused(fs::remove_file(theirs.join("there"))), ErrorKind::PermissionDenied);
            assert_eq!(refused(fs::create_dir(theirs.join("d"))), ErrorKind::PermissionDenied);

            Command::new("/bin/true").status().unwrap()
        });
        let status = confined.join().unwrap();
        assert_eq!(status.signal(), Some(libc::SIGSYS), "H29: {status}");
    }
}
