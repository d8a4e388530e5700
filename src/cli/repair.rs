//! `zegel repair`: an administrator says that something is lost for good, and that the gateway is to go on without it.
//! Works only while no gateway is at work; keeps an event of what was done.

use anyhow::{Result, bail};

use super::{ConfigArgs, Lost, operator};
use crate::audit::{Action, EventResult};
use crate::clock::Clock;
use crate::data_folder::DataFolder;
use crate::inventory::Inventory;
use crate::serve;
use crate::store::discard;

/// Goes on without `lost`.
pub fn run(lost: Lost, args: &ConfigArgs) -> Result<()> {
    let config = serve::load_config(&args.config)?;
    if config.store.shared().is_some() {
        bail!(
            "[store]: this repairs a data folder; what is lost of a database or a bucket comes back from its backup"
        );
    }
    let _alone = DataFolder::keep_gateways_out(&config.data_dir)?;
    match lost {
        Lost::Key => DataFolder::adopt_key(&config.data_dir)?,
        Lost::Blobs => DataFolder::adopt_blobs(&config.data_dir)?,
        Lost::Leftovers => {}
    }
    let folder = DataFolder::open_existing(&config.data_dir)?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let now = Clock::system().now();
        let store = folder.store.as_ref();
        let found = Inventory::take(store, folder.blobs.clone(), now).await?;
        let result = match lost {
            Lost::Key => EventResult::OtherMasterKey,
            Lost::Blobs => EventResult::OtherBlobs { missing: found.missing.len(), named: found.named },
            Lost::Leftovers => {
                let names = || found.unknown.iter().map(|(name, _)| name);
                discard(folder.blobs.as_ref(), names());
                for name in names() {
                    say!("{name} removed");
                }
                EventResult::LeftoversRemoved(found.unknown.len())
            }
        };
        store
            .append_audit(operator::actor().event(
                now,
                Action::Repair,
                lost.as_str().to_owned(),
                result.clone(),
            ))
            .await?;
        say!("{result}");
        Ok(())
    })
}
