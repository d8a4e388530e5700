//! How the virus scanner is: asked when somebody looks, but not more often than it changes. One that hangs holds up nobody: a
//! balancer that waits in vain for `/readyz` would take the gateway out.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::config::Scanner;
use crate::reply::{ScannerStatus, scanner_status};

/// For so long an answer is believed.
const BELIEVED: Duration = Duration::from_secs(10);
/// So long a look waits for a new one; then what was known before must do.
const AT_ONCE: Duration = Duration::from_millis(250);

type Answer = Result<ScannerStatus, String>;

/// The last answer.
#[derive(Debug, Default)]
pub(super) struct ScannerWatch {
    last: Mutex<Option<(Instant, Scanner, Answer)>>,
    /// Held by the one that asks.
    asking: tokio::sync::Mutex<()>,
}

impl ScannerWatch {
    /// What it says; nothing where there is none, or before it has said anything.
    pub async fn look(self: &Arc<Self>, scanner: Option<&Scanner>) -> Option<Answer> {
        let scanner = scanner?;
        if let Some((asked, answer)) = self.known(scanner)
            && asked.elapsed() < BELIEVED
        {
            return Some(answer);
        }
        let (watch, of) = (Arc::clone(self), scanner.clone());
        // It goes on when nobody waits for it any more.
        let asked = tokio::spawn(async move { watch.ask(of).await });
        timeout(AT_ONCE, asked).await.ok();
        self.known(scanner).map(|(_, answer)| answer)
    }

    async fn ask(&self, scanner: Scanner) {
        let _alone = self.asking.lock().await;
        if self.known(&scanner).is_some_and(|(asked, _)| asked.elapsed() < BELIEVED) {
            return;
        }
        let answer = scanner_status(&scanner).await.map_err(|error| error.to_string());
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), scanner, answer));
    }

    fn known(&self, scanner: &Scanner) -> Option<(Instant, Answer)> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (asked, of, answer) = last.as_ref()?;
        (of == scanner).then(|| (*asked, answer.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_scanner_that_hangs_holds_up_nobody() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hangs = Scanner::Network(listener.local_addr().unwrap().to_string());
        let watch = Arc::<ScannerWatch>::default();
        let begun = Instant::now();
        assert_eq!(watch.look(Some(&hangs)).await, None);
        assert!(begun.elapsed() < Duration::from_secs(2), "it has two seconds to answer");
        assert_eq!(watch.look(None).await, None);
        let nowhere = Scanner::Socket("/nowhere/clamd.ctl".into());
        let away = Arc::<ScannerWatch>::default();
        assert!(away.look(Some(&nowhere)).await.unwrap().is_err());
    }
}
