//! `zegel reload`: as SIGHUP, but it waits, and fails where the new configuration is refused. What is wrong with the
//! configuration itself is told without asking the gateway.

use anyhow::Result;

use super::ConfigArgs;
use crate::control::{self, ReloadError};
use crate::serve;
use crate::settings::{Misconfigured, Settings};

/// Checks the configuration, then has the gateway read it.
pub fn run(args: &ConfigArgs) -> Result<()> {
    let settings = Settings::read(serve::load_config(&args.config)?)?;
    match control::reload(&settings.data_dir) {
        Err(refused @ ReloadError::Refused(_)) => Err(Misconfigured(refused.to_string()).into()),
        end => Ok(end?),
    }
}
