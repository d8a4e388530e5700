//! `zegel repair`: an administrator says that something is lost for good, and that the gateway is to go on without it.
//! Works only while no gateway is at work; keeps an event of what was done.

use anyhow::Result;

use super::{ConfigArgs, LostArg, operator};
use crate::audit::{Action, EventResult};
use crate::clock::{Clock, Timestamp};
use crate::home::{Home, Lost};
use crate::inventory::Inventory;
use crate::serve;
use crate::store::discard;

/// Goes on without `lost`.
pub fn run(arg: LostArg, args: &ConfigArgs) -> Result<()> {
    let config = serve::load_config(&args.config)?;
    let lost = arg.into();
    let work = async |home: Home| {
        let now = Clock::system().now();
        let result = look(&home, lost, now).await?;
        let event = operator::actor().event(now, Action::Repair, arg.as_str().to_owned(), result.clone());
        home.store.append_audit(event).await?;
        say!("{result}");
        Ok(())
    };
    tokio::runtime::Runtime::new()?.block_on(Home::repair(&config.data_dir, &config.store, lost, work))
}

/// What is missing; what nobody knows goes.
async fn look(home: &Home, lost: Lost, now: Timestamp) -> Result<EventResult> {
    let (store, blobs) = (home.store.as_ref(), &home.blobs.mail);
    let found = Inventory::take(store, blobs.clone(), now).await?;
    Ok(match lost {
        Lost::Key => EventResult::OtherMasterKey,
        Lost::Blobs => EventResult::OtherBlobs { missing: found.missing.len(), named: found.named },
        Lost::Leftovers => {
            let names = || found.unknown.iter().map(|(name, _)| name);
            discard(blobs.as_ref(), names());
            for name in names() {
                say!("{name} removed");
            }
            EventResult::LeftoversRemoved(found.unknown.len())
        }
    })
}
