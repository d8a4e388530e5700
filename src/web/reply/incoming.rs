//! The bytes of an upload on their way in, one piece at a time: nothing here is ever held as a whole. A sender that
//! has gone silent, or only drips, is let go (H36); a slow one may take as long as it needs, for the session
//! is used as long as something comes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::stream::{BoxStream, try_unfold};
use futures_util::{StreamExt, TryStreamExt};
use tokio::time::{Instant, timeout};

use super::context::ReplyContext;
use crate::secret::Secret;
use crate::settings::Scope;
use crate::transfer::access::Access;

/// A sender that sends nothing for this long is gone.
const PATIENCE: Duration = Duration::from_mins(1);
/// What must come in each window of this length: far less than the slowest telephone sends.
const WINDOW: Duration = Duration::from_mins(1);
const WINDOW_OCTETS: usize = 8 * 1024;
/// How often the session is proved again: it stays alive so, and a recall stops the upload (C25).
const PROOF: Duration = Duration::from_secs(30);

/// What the body brings, until it ends, fails or brings more than `most`.
pub fn pieces(reply: &ReplyContext, body: Body, most: u64) -> BoxStream<'static, io::Result<Bytes>> {
    let start = Instant::now();
    let upload = UploadBody {
        body: body.into_data_stream(),
        room: most,
        speed: Speed { since: start, octets: 0 },
        access: reply.state.access.clone(),
        scope: reply.visit.scope(),
        token: reply.token.clone(),
        cookie: reply.cookie.clone(),
        proved: start,
    };
    try_unfold(upload, |mut upload| async move {
        let piece = upload.next().await?;
        Ok(piece.map(|piece| (piece, upload)))
    })
    .boxed()
}

struct UploadBody {
    body: BodyDataStream,
    room: u64,
    speed: Speed,
    access: Arc<Access>,
    scope: Scope,
    token: String,
    cookie: Secret,
    proved: Instant,
}

impl UploadBody {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let body = self.body.by_ref().map_err(io::Error::other);
        tokio::pin!(body);
        let piece = timeout(PATIENCE, body.try_next()).await;
        let Some(piece) = piece.map_err(|_| too_slow())?? else { return Ok(None) };
        self.room = self.room.checked_sub(piece.len() as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        if !self.speed.is_enough(piece.len(), Instant::now()) {
            return Err(too_slow());
        }
        self.prove_session().await?;
        Ok(Some(piece))
    }

    async fn prove_session(&mut self) -> io::Result<()> {
        if self.proved.elapsed() >= PROOF {
            let proved = self.access.resume(&self.scope, &self.token, self.cookie.reveal()).await;
            proved.map_err(io::Error::other)?;
            self.proved = Instant::now();
        }
        Ok(())
    }
}

/// How much came since when.
struct Speed {
    since: Instant,
    octets: usize,
}

impl Speed {
    /// Counts what came; asks once in each window.
    fn is_enough(&mut self, octets: usize, now: Instant) -> bool {
        self.octets += octets;
        if now.duration_since(self.since) < WINDOW {
            return true;
        }
        let enough = self.octets >= WINDOW_OCTETS;
        *self = Self { since: now, octets: 0 };
        enough
    }
}

fn too_slow() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the sender sends nothing, or next to nothing")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// H36: slow is fine, dripping is not.
    #[test]
    fn a_sender_that_drips_is_let_go() {
        let start = Instant::now();
        let mut speed = Speed { since: start, octets: 0 };
        let mut slow =
            |octets: usize, seconds: u64| speed.is_enough(octets, start + Duration::from_secs(seconds));
        assert!(slow(1, 59), "the window is still open");
        assert!(slow(WINDOW_OCTETS - 1, 60), "just enough");
        assert!(slow(100, 90) && slow(100, 119));
        assert!(!slow(100, 120), "next to nothing in a minute");
    }
}
