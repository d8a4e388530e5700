//! What is handed to the next hop: an envelope, and a message that comes in blocks. Made by `queue/worker`.

use std::io;

use tokio::sync::mpsc;

use crate::address::ReversePath;
use crate::config::Direction;
use crate::envelope::{EnvelopeRecipient, MailParameters};
use crate::message::traits::Traits;

/// One mail to the recipients of one destination.
#[derive(Clone, Copy)]
pub struct OutgoingMail<'a> {
    /// Where it goes.
    pub direction: Direction,
    /// The reverse path.
    pub reverse_path: &'a ReversePath,
    /// The parameters of MAIL as we got them.
    pub parameters: &'a MailParameters,
    /// The recipients that still wait.
    pub recipients: &'a [EnvelopeRecipient],
    /// What its bytes are like.
    pub traits: Traits,
    /// It says what nobody on the way may read: a connection that is exposed must not carry it (C30).
    pub secret: bool,
    /// Opens the message at its start. It can be opened again, for another try or another server.
    pub open: &'a (dyn Fn() -> MessageBlocks + Send + Sync),
}

/// The bytes of a message, in order, in blocks. An error, or an end before all bytes have come, means
/// that the message must not be completed.
pub struct MessageBlocks {
    blocks: mpsc::Receiver<io::Result<Vec<u8>>>,
    left: u64,
    may_go_on: Box<dyn Fn() -> bool + Send>,
}

impl MessageBlocks {
    /// A message of `size` bytes that comes through `blocks`.
    pub fn new(size: u64, blocks: mpsc::Receiver<io::Result<Vec<u8>>>) -> Self {
        Self { blocks, left: size, may_go_on: Box::new(|| true) }
    }

    /// The same for a message that must not be completed once `may_go_on` says no.
    pub fn as_long_as(self, may_go_on: impl Fn() -> bool + Send + 'static) -> Self {
        Self { may_go_on: Box::new(may_go_on), ..self }
    }

    /// The next block; `None` once all of `size` bytes were given.
    pub async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        if !(self.may_go_on)() {
            return Err(io::Error::other("this delivery may have become another's"));
        }
        let Some(block) = self.blocks.recv().await.transpose()? else {
            return if self.left == 0 { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        };
        self.left = self
            .left
            .checked_sub(block.len() as u64)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "more octets than announced"))?;
        Ok(Some(block))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[tokio::test]
    async fn what_may_be_anothers_is_not_completed() {
        let (sender, receiver) = mpsc::channel(1);
        let holds = Arc::new(AtomicBool::new(true));
        let asked = holds.clone();
        let mut blocks = MessageBlocks::new(3, receiver).as_long_as(move || asked.load(Ordering::Relaxed));
        sender.send(Ok(b"abc".to_vec())).await.unwrap();
        drop(sender);
        assert_eq!(blocks.next().await.unwrap().unwrap(), b"abc");
        holds.store(false, Ordering::Relaxed);
        assert!(blocks.next().await.is_err());
    }

    #[tokio::test]
    async fn an_early_end_is_an_error() {
        let (sender, receiver) = mpsc::channel(1);
        let mut blocks = MessageBlocks::new(5, receiver);
        sender.send(Ok(b"abc".to_vec())).await.unwrap();
        drop(sender);
        assert_eq!(blocks.next().await.unwrap().unwrap(), b"abc");
        assert!(blocks.next().await.is_err());
    }
}
