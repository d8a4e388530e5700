//! While a backup is made, no node removes a blob that it gives up, nor destroys a key of short life: what the rows of the backup
//! name is still there when it is copied. A session of the backup holds locks that nodes look at before; it ends with the
//! backup, however that ends.
//!
//! What a node had found out before the locks were taken, it still does: that was over before the backup read its rows.

use deadpool_postgres::{ClientWrapper, Object};

use super::Postgres;
use super::change::database;
use super::columns::get;
use super::lent::Connection;
use super::locks::Lock;
use crate::store::Result;

/// A backup whose machine is gone is not waited for; one that copies blobs for hours says nothing meanwhile.
const SESSION: &str = "
    SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; SET statement_timeout = 0;
    SELECT set_config('idle_session_timeout', '0', FALSE) FROM pg_settings WHERE name = 'idle_session_timeout'";

/// The session. Nodes do as usual once it is dropped.
pub struct Kept(ClientWrapper);

impl Postgres {
    /// From now on everything stays. It is an error while another backup is made.
    pub async fn keep_all(&self) -> Result<Kept> {
        let session = Object::take(self.aside.get().await?);
        session.batch_execute(SESSION).await?;
        for lock in [Lock::KeepBlobs, Lock::KeepKeys] {
            if !session.query_one(&lock.of_session(), &[]).await?.try_get::<_, bool>(0)? {
                return Err(database("another backup is just being made"));
            }
        }
        Ok(Kept(session))
    }
}

impl Kept {
    /// Keys were copied: they may be destroyed again.
    pub async fn release_keys(&self) -> Result<()> {
        self.0.query_one(&Lock::KeepKeys.give_back(), &[]).await?;
        Ok(())
    }

    /// Everything has stayed until now. It is an error where the session was lost: nobody knows what went since.
    pub async fn end(self) -> Result<()> {
        self.0.batch_execute("SELECT 1").await?;
        Ok(())
    }
}

/// Whether a backup needs what this lock stands for.
pub(super) async fn is_kept(db: &Connection, lock: Lock) -> Result<bool> {
    get(&db.one(&lock.look(), &[]).await?, "is_held")
}
