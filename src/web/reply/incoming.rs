//! The octets of an upload on their way in, one piece at a time: nothing here is ever held as a whole. A sender that
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

use super::Desk;
use crate::secret::Secret;
use crate::transfer::access::Access;

/// A sender that sends nothing for this long is gone.
const PATIENCE: Duration = Duration::from_secs(60);
/// What must come in each window of this length: far less than the slowest telephone sends.
const WINDOW: Duration = Duration::from_secs(60);
const WINDOW_OCTETS: usize = 8 * 1024;
/// How often the session is proved again: it stays alive so, and a recall stops the upload (C25).
const PROOF: Duration = Duration::from_secs(30);

/// What the body brings, until it ends, fails or brings more than `most`.
pub fn pieces(desk: &Desk, body: Body, most: u64) -> BoxStream<'static, io::Result<Bytes>> {
    let start = Instant::now();
    let upload = Upload {
        body: body.into_data_stream(),
        room: most,
        window: start,
        octets: 0,
        access: desk.parts.access.clone(),
        token: desk.token.clone(),
        cookie: desk.cookie.clone(),
        proved: start,
    };
    try_unfold(upload, |mut upload| async move {
        let piece = upload.next().await?;
        Ok(piece.map(|piece| (piece, upload)))
    })
    .boxed()
}

struct Upload {
    body: BodyDataStream,
    room: u64,
    window: Instant,
    octets: usize,
    access: Arc<Access>,
    token: String,
    cookie: Secret,
    proved: Instant,
}

impl Upload {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let body = self.body.by_ref().map_err(io::Error::other);
        tokio::pin!(body);
        let piece = timeout(PATIENCE, body.try_next()).await;
        let Some(piece) = piece.map_err(|_| too_slow())?? else { return Ok(None) };
        self.room = self.room.checked_sub(piece.len() as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        self.watch_speed(piece.len())?;
        self.prove_session().await?;
        Ok(Some(piece))
    }

    fn watch_speed(&mut self, octets: usize) -> io::Result<()> {
        self.octets += octets;
        if self.window.elapsed() >= WINDOW {
            if self.octets < WINDOW_OCTETS {
                return Err(too_slow());
            }
            (self.window, self.octets) = (Instant::now(), 0);
        }
        Ok(())
    }

    async fn prove_session(&mut self) -> io::Result<()> {
        if self.proved.elapsed() >= PROOF {
            self.access.resume(&self.token, self.cookie.reveal()).await.map_err(io::Error::other)?;
            self.proved = Instant::now();
        }
        Ok(())
    }
}

fn too_slow() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the sender sends nothing, or next to nothing")
}
