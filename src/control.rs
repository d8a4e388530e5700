//! The socket in the data folder by which `zegel reload` has a running gateway read its configuration again, and hears
//! what came of it: SIGHUP cannot answer. `serve` listens, the command line asks. What must never happen: that anybody but
//! the gateway's own user and root is listened to.

use std::fs::{self, Permissions};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// The name of the socket in the data folder.
pub const SOCKET: &str = "control";
/// What is asked.
const RELOAD: &[u8] = b"reload\n";
/// What is answered when the new configuration is in force. Any other answer is the reason why it is not.
const DONE: &str = "done\n";
/// How long a client may take to ask, or to take its answer.
const CLIENT_TIME: Duration = Duration::from_secs(5);
/// How long the client waits for the gateway; within the time that systemd gives `ExecReload=`.
const GATEWAY_TIME: Duration = Duration::from_secs(80);
/// The most bytes of an answer.
const LONGEST_ANSWER: u64 = 64 << 10;

/// A client waits for the configuration to be read again.
pub struct ReloadRequest(oneshot::Sender<Result<(), String>>);

impl ReloadRequest {
    /// Says what came of it: `Err` is the reason why the configuration was refused.
    pub fn answer(self, end: Result<(), String>) {
        // A client that has gone is not interested.
        let _ = self.0.send(end);
    }
}

/// Requests that come in through the socket of a data folder.
pub struct Control {
    requests: mpsc::Receiver<ReloadRequest>,
    path: PathBuf,
}

impl Control {
    /// Listens in `folder`, in place of a gateway that has not removed its socket. Only the gateway that holds the folder may
    /// call this.
    pub fn listen(folder: &Path) -> io::Result<Self> {
        let path = folder.join(SOCKET);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        let (sender, requests) = mpsc::channel(1);
        tokio::spawn(accept(listener, sender));
        Ok(Self { requests, path })
    }

    /// The next request.
    pub async fn next(&mut self) -> ReloadRequest {
        match self.requests.recv().await {
            Some(request) => request,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "the control socket could not be removed");
        }
    }
}

/// One client after the other, until nobody takes requests any more.
async fn accept(listener: UnixListener, requests: mpsc::Sender<ReloadRequest>) {
    let uid = rustix::process::geteuid().as_raw();
    loop {
        let stream = tokio::select! {
            () = requests.closed() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "the control socket");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
            },
        };
        let is_ours = stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == uid);
        if is_ours && let Err(error) = converse(stream, &requests).await {
            tracing::debug!(%error, "a client of the control socket");
        }
    }
}

async fn converse(mut stream: UnixStream, requests: &mpsc::Sender<ReloadRequest>) -> io::Result<()> {
    let mut asked = [0; RELOAD.len()];
    timeout(CLIENT_TIME, stream.read_exact(&mut asked)).await??;
    if asked != RELOAD {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let (sender, end) = oneshot::channel();
    let is_taken = requests.send(ReloadRequest(sender)).await.is_ok();
    let answer = match end.await {
        Ok(Ok(())) if is_taken => DONE.to_owned(),
        Ok(Err(reason)) => reason,
        _ => "the gateway is stopping".to_owned(),
    };
    timeout(CLIENT_TIME, stream.write_all(answer.as_bytes())).await??;
    stream.shutdown().await
}

/// Why a gateway did not take its new configuration.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// Nobody listens.
    #[error("no gateway runs with this data folder: {}: {error}", path.display())]
    NotRunning {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It did not say.
    #[error("the gateway has not answered, its log may say more: {0}")]
    NoAnswer(io::Error),
    /// It goes on with the old one.
    #[error("the new configuration is refused, the old one stays: {0}")]
    Refused(String),
}

/// Asks the gateway of `folder` to read its configuration again, and waits until it has.
pub fn reload(folder: &Path) -> Result<(), ReloadError> {
    let path = folder.join(SOCKET);
    let stream = BlockingStream::connect(&path).map_err(|error| ReloadError::NotRunning { path, error })?;
    let answer = ask(stream).map_err(ReloadError::NoAnswer)?;
    match answer.as_str() {
        DONE => Ok(()),
        "" => Err(ReloadError::NoAnswer(io::ErrorKind::UnexpectedEof.into())),
        reason => Err(ReloadError::Refused(reason.trim_end().to_owned())),
    }
}

fn ask(mut stream: BlockingStream) -> io::Result<String> {
    stream.set_read_timeout(Some(GATEWAY_TIME))?;
    stream.set_write_timeout(Some(CLIENT_TIME))?;
    stream.write_all(RELOAD)?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.take(LONGEST_ANSWER).read_to_string(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn asked_of(folder: &Path) -> Result<(), ReloadError> {
        let folder = folder.to_owned();
        tokio::task::spawn_blocking(move || reload(&folder)).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_asks_hears_what_came_of_it() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(asked_of(folder.path()).await, Err(ReloadError::NotRunning { .. })));
        // What a gateway left behind that was killed.
        fs::write(folder.path().join(SOCKET), "").unwrap();
        let mut control = Control::listen(folder.path()).unwrap();
        let mode = fs::metadata(folder.path().join(SOCKET)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        let (end, ()) = tokio::join!(asked_of(folder.path()), async { control.next().await.answer(Ok(())) });
        end.unwrap();
        let (end, ()) = tokio::join!(asked_of(folder.path()), async {
            control.next().await.answer(Err("smtp.listen:\nneeds a restart".to_owned()));
        });
        assert!(
            matches!(end, Err(ReloadError::Refused(reason)) if reason == "smtp.listen:\nneeds a restart")
        );
        // The gateway goes before it has answered.
        let (end, ()) = tokio::join!(asked_of(folder.path()), async { drop(control.next().await) });
        assert!(matches!(end, Err(ReloadError::Refused(reason)) if reason == "the gateway is stopping"));
        drop(control);
        assert!(!folder.path().join(SOCKET).exists());
        assert!(matches!(asked_of(folder.path()).await, Err(ReloadError::NotRunning { .. })));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_asks_for_anything_else_is_not_answered_and_keeps_nobody_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let mut control = Control::listen(folder.path()).unwrap();
        for nonsense in [&b""[..], b"reload", b"restart\n", &[0xff; 4096]] {
            let mut stream = BlockingStream::connect(folder.path().join(SOCKET)).unwrap();
            let _ = stream.write_all(nonsense);
            let _ = stream.shutdown(Shutdown::Write);
            let mut answer = Vec::new();
            let _ = tokio::task::spawn_blocking(move || stream.read_to_end(&mut answer).map(|_| answer))
                .await
                .unwrap()
                .map(|answer| assert_eq!(answer, b""));
        }
        let (end, ()) = tokio::join!(asked_of(folder.path()), async { control.next().await.answer(Ok(())) });
        end.unwrap();
    }
}
