//! The message of a queue item, for the next hop to read: decrypted ahead of the network, as often as it is asked for.
//! Made by `worker`.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::delivery::MessageBlocks;
use crate::message::traits::Traits;
use crate::outbox::body::{self, Opener};
use crate::secret::BodyKey;
use crate::store::{Blobs, Body, BodyData};

/// Blocks of a message that are decrypted ahead of the network.
const AHEAD: usize = 4;

/// A body that could be opened.
pub(super) struct QueuedMessage<'a> {
    source: BodySource<'a>,
    traits: Traits,
    /// What the traits were read from: the first to be read, so that a message is not decrypted twice.
    first: Mutex<Option<Opener>>,
}

/// Where the body is, and what opens it.
#[derive(Clone, Copy)]
pub(super) struct BodySource<'a> {
    pub key: &'a BodyKey,
    pub blobs: &'a Arc<dyn Blobs>,
    pub body: &'a Body,
}

impl BodySource<'_> {
    /// Reads as far as the traits.
    pub async fn open(self) -> io::Result<Opener> {
        if let BodyData::Inline(_) = &self.body.data {
            return body::open(self.key, &**self.blobs, self.body);
        }
        let (key, blobs, body) = (self.key.clone(), Arc::clone(self.blobs), self.body.clone());
        spawn_blocking(move || body::open(&key, &*blobs, &body)).await.map_err(io::Error::other)?
    }
}

impl<'a> QueuedMessage<'a> {
    /// Fails where the body is not there, or is damaged.
    pub async fn open(source: BodySource<'a>) -> io::Result<Self> {
        let opener = source.open().await?;
        Ok(Self { source, traits: opener.traits(), first: Mutex::new(Some(opener)) })
    }

    /// What the message is like.
    pub fn traits(&self) -> Traits {
        self.traits
    }

    /// The message from its start. A large one is decrypted in a thread that may wait, and that ends when nobody wants
    /// more; a small one at once, because all of it has room.
    pub fn blocks(&self) -> MessageBlocks {
        let (sender, receiver) = mpsc::channel(AHEAD);
        let BodySource { key, blobs, body } = self.source;
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        match body.data {
            BodyData::Inline(_) => {
                let opened = first.map_or_else(|| body::open(key, &**blobs, body), Ok);
                feed(opened, |block| sender.try_send(block).is_ok());
            }
            BodyData::Blob(_) => {
                let (key, blobs, body) = (key.clone(), Arc::clone(blobs), body.clone());
                spawn_blocking(move || {
                    let opened = first.map_or_else(|| body::open(&key, &*blobs, &body), Ok);
                    feed(opened, |block| sender.blocking_send(block).is_ok());
                });
            }
        }
        MessageBlocks::new(self.traits.size, receiver)
    }
}

/// Sends blocks until there are no more, or `send` says that nobody wants them.
fn feed(opened: io::Result<Opener>, send: impl Fn(io::Result<Vec<u8>>) -> bool) {
    match opened {
        Ok(mut opener) => while opener.next().is_some_and(&send) {},
        Err(error) => {
            send(Err(error));
        }
    }
}
