//! The end of mail that has left: its key is destroyed, and the room that it took is given back. Used by `queue/forget`.

use async_trait::async_trait;

use super::Result;
use crate::secret::keyring::Destroyed;

/// Sees to it that mail that has left cannot be read any more.
#[async_trait]
pub trait BodyKeys: Send + Sync + 'static {
    /// Destroys the keys of bodies that are gone (C29).
    async fn destroy_keys(&self) -> Result<Destroyed>;
    /// Waits until so many keys of bodies are used that some should be destroyed, to be used anew.
    async fn keys_run_low(&self);
    /// Gives the room of the database's log back, if nothing was written since it was last asked to.
    async fn shrink_log(&self) -> Result<()>;
    /// Keys of short life that are gone although rows need them.
    async fn lost_keys(&self) -> Result<Vec<LostKeys>> {
        Ok(Vec::new())
    }
}

/// An object with keys that is not in the blob store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostKeys {
    /// Its name.
    pub object: String,
    /// How many mails in the queue cannot be read without it.
    pub mails: u64,
    /// How many links cannot be opened.
    pub links: u64,
}
