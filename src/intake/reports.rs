//! Delivery reports that pass through: what they say of a notification is noted for its sender. Only one that names the
//! link's own address as failed closes the link (H45): the notification may have been sent on, and then others report
//! about copies of it.

use super::Intake;
use crate::address::Address;
use crate::clock::Timestamp;
use crate::envelope::Reported;
use crate::id::Link;
use crate::message::crlf::CrlfBytes;
use crate::message::report::{self, Report};
use crate::outbox::compose;
use crate::settings::Scope;
use crate::smtp::inbox::Refusal;
use crate::store::DeliveryReport;
use crate::transfer::link;

impl Intake {
    /// Notes what `message` reports, if it is a report, of the links that it quotes or that it was `returned` to. It goes
    /// on to whom it is for all the same; that it is noted first, and twice if the peer sends it again, harms nobody.
    pub(super) async fn note_report(
        &self,
        message: &CrlfBytes,
        scope: &Scope,
        returned: Vec<Link>,
    ) -> Result<(), Refusal> {
        let Some(report) = report::read(message, compose::RETURN_MARK) else { return Ok(()) };
        let quoted = report.marks.iter().filter_map(|mark| link::parse_return_mark(&self.keys.link, mark));
        let mut links: Vec<Link> = quoted.chain(returned).collect();
        links.sort_unstable_by_key(ToString::to_string);
        links.dedup();
        for link in links {
            let Some(transfer) = self.store.transfer(link.transfer.clone()).await? else { continue };
            // Nobody may close another organisation's link by a report that comes to their own people.
            if !scope.sees(transfer.organisation.as_ref()) {
                continue;
            }
            let mut recipients = transfer.recipients.iter();
            let Some(recipient) = recipients.find(|one| one.number == link.recipient) else { continue };
            for said in said_of(&report, &recipient.address, self.clock.now()) {
                self.store.note_delivery_report(link.clone(), said).await?;
            }
        }
        Ok(())
    }
}

/// What a report says of the mail to `address`, and of copies that went on to others: of each kind the first. Where it
/// says of the address itself both that the mail has arrived and that it has failed, it has arrived.
fn said_of(report: &Report, address: &Address, time: Timestamp) -> Vec<DeliveryReport> {
    let has_arrived = report.recipients.iter().any(|one| one.action.has_arrived() && one.is(address));
    let mut said: Vec<DeliveryReport> = Vec::new();
    for one in &report.recipients {
        let (own, action) = (one.is(address), one.action);
        let is_known = said.iter().any(|known| (known.own, known.action) == (own, action));
        let is_refuted = own && has_arrived && action == Reported::Failed;
        if !is_known && !is_refuted {
            said.push(DeliveryReport { own, action, time, cause: one.cause, reason: one.reason.clone() });
        }
    }
    said
}
