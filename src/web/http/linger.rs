//! A request that is answered before all of it has come, because it is too large or not for us. Where the rest is left
//! unread, closing the connection resets it (RFC 9112 9.6), and a browser or a proxy that still sends loses the answer:
//! it tells of a network error. So the rest is read and thrown away, within bounds. Used by `server`.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::timeout;

/// What is thrown away at most, in bytes: a form or a piece of an upload that was already on its way.
const MOST: u64 = 16 << 20;
/// And for how long.
const PATIENCE: Duration = Duration::from_secs(10);

/// The body of a request, the rest of which is thrown away once nobody wants it.
pub struct Lingering {
    /// There until it is dropped.
    body: Option<Incoming>,
    /// Its client sends nothing before we ask for it (RFC 9110 10.1.1), and we have not.
    is_held_back: bool,
}

impl Lingering {
    /// Around the body of this request.
    pub fn new(request: hyper::Request<Incoming>) -> hyper::Request<Self> {
        let is_held_back = request.headers().contains_key(hyper::header::EXPECT);
        request.map(|body| Self { body: Some(body), is_held_back })
    }
}

impl Body for Lingering {
    type Data = bytes::Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<bytes::Bytes>, hyper::Error>>> {
        self.is_held_back = false;
        self.body.as_mut().map_or(Poll::Ready(None), |body| Pin::new(body).poll_frame(context))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        if let Some(body) = self.body.take()
            && !body.is_end_stream()
            && !self.is_held_back
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(timeout(PATIENCE, throw_away(body)));
        }
    }
}

/// Reads until its end, an error or [`MOST`].
async fn throw_away(mut body: Incoming) {
    let mut left = MOST;
    while let Some(Ok(frame)) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
    {
        let octets = frame.data_ref().map_or(0, bytes::Bytes::len) as u64;
        match left.checked_sub(octets) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}
