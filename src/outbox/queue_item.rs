//! From a mail to an item of the queue: marked as ours, sealed, and in its envelope. Nothing else does any of these with
//! what zegel writes. The callers commit the item in the transaction of what it
//! tells of.

use super::attachment::Attachment;
use super::context::Context;
use super::notices::Notice;
use super::notices::reply::Reply;
use super::{NoticeError, body, origin};
use crate::id::QueueId;
use crate::message::crlf::CrlfBytes;
use crate::message::header::Header;
use crate::secret::{BodyKey, LinkKey};
use crate::store::{Blobs, Body, NewItem, StoreError, Track, message_id};

/// Makes queue items of mails.
#[derive(Clone, Copy)]
pub struct Outbox<'a> {
    /// Seals them.
    pub body_key: &'a BodyKey,
    /// Marks them as ours.
    pub link_key: &'a LinkKey,
    /// Where a large mail goes. Without this it is kept in its row, whatever its size.
    pub blobs: Option<&'a dyn Blobs>,
}

impl Outbox<'_> {
    /// The item of a mail. Blocking where there are blobs.
    pub fn item(&self, context: &Context<'_>, notice: &impl Notice) -> Result<NewItem, NoticeError> {
        let id = QueueId::random();
        let mail = origin::marked(self.link_key, context.organisation, &id, &notice.compose(context, &id)?);
        let body = match self.blobs {
            Some(blobs) => body::store_body(self.body_key, blobs, &mail)?,
            None => body::seal(self.body_key, &mail).map_err(StoreError::from)?,
        };
        let track = track(notice, &mail, mail.as_slice().len() as u64);
        Ok(new_item(id, context, notice, body, track))
    }

    /// The item of a reply with its files, which are read while they are sealed. Blocking.
    pub fn reply(
        &self,
        context: &Context<'_>,
        id: QueueId,
        reply: &Reply<'_>,
        files: Vec<Attachment>,
        blobs: &dyn Blobs,
    ) -> Result<NewItem, NoticeError> {
        let mut mail = reply.stream(context, &id, files)?;
        mail.start = origin::marked(self.link_key, context.organisation, &id, &mail.start);
        let traits = mail.traits();
        let track = track(reply, &mail.start, traits.size);
        let body = body::store_stream(self.body_key, blobs, traits, &mut mail.into_source())?;
        Ok(new_item(id, context, reply, body, track))
    }
}

/// What the mail is found by; `start` is its header at least.
fn track(notice: &impl Notice, start: &CrlfBytes, size: u64) -> Track {
    let message_id = Header::parse(start.as_slice()).message_id().and_then(|id| message_id(&id));
    Track { transfer: notice.transfer().cloned(), message_id, size, ..Track::default() }
}

fn new_item<N: Notice>(id: QueueId, context: &Context<'_>, notice: &N, body: Body, track: Track) -> NewItem {
    let (envelope, link) = (notice.envelope(), notice.link().cloned());
    let organisation = Some(context.organisation.id());
    NewItem { id, kind: N::KIND, organisation, envelope, body, link, track, created: context.now }
}
