//! Writes the journal: a message that comes alone is written by who brings it, messages that come together by a thread,
//! with one flush for all that have come meanwhile.
//!
//! A flush of a quick disk takes a fraction of a millisecond, little more than it costs to hand the work to a thread
//! and to be woken again. While flushes are slow only the thread waits for them, and no task's thread does.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::timeout;

use super::DONE;
use super::files::Files;
use super::live::Live;
use super::segment::{Batch, ROOM};
use crate::id::QueueId;
use crate::secret::keyring::KeyRef;
use crate::store::{NewItem, Result, StoreError};

/// A batch is closed at so many octets.
const BATCH: u64 = ROOM / 8;
/// A disk that flushes in less is quick.
const QUICK: Duration = Duration::from_millis(1);
/// After so many batches of one message in a row messages come alone. Among many sessions one now and then does too;
/// a task that then flushes keeps its thread from all others.
const ALONE: u32 = 8;
/// A delivery waits so long for a message to share a flush with: nobody waits for its end.
const COMPANY: Duration = Duration::from_millis(2);

enum Work {
    Keep(Box<Keep>),
    /// With what keeps the keys of those that are in memory no more.
    Done(Vec<QueueId>, Vec<KeyRef>),
}

struct Keep {
    record: Vec<u8>,
    item: NewItem,
    place: OwnedSemaphorePermit,
}

struct Command {
    work: Work,
    caller: oneshot::Sender<Result<()>>,
}

/// The way to the files. Dropping it finishes what was asked and ends the thread.
pub(super) struct Writer {
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
    /// Held as long as anything may be written.
    _lock: File,
}

impl Writer {
    /// Starts the thread.
    pub fn start(files: Files, lock: File, live: Arc<Live>) -> Result<Self> {
        let desk = Arc::new(Desk {
            live,
            tray: Mutex::default(),
            rung: Condvar::new(),
            pen: Mutex::new(Pen { files, pace: Pace::CALM }),
        });
        let serving = Arc::clone(&desk);
        let thread = thread::Builder::new().name("journal".into()).spawn(move || serving.serve())?;
        Ok(Self { desk, thread: Some(thread), _lock: lock })
    }

    /// Appends a message; when it answers, the message can be claimed.
    pub async fn keep(&self, record: Vec<u8>, item: NewItem, place: OwnedSemaphorePermit) -> Result<()> {
        let answer = self.desk.put(Work::Keep(Box::new(Keep { record, item, place })));
        self.desk.write_or_ring();
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Appends that these messages need the journal no more.
    pub async fn done(&self, items: Vec<QueueId>, keys: Vec<KeyRef>) -> Result<()> {
        let mut answer = self.desk.put(Work::Done(items, keys));
        if let Ok(answer) = timeout(COMPANY, &mut answer).await {
            return answer.map_err(|_| StoreError::Closed)?;
        }
        self.desk.write_or_ring();
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.desk.close();
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the thread that writes the journal has panicked");
        }
    }
}

/// What all who write have in common.
struct Desk {
    live: Arc<Live>,
    tray: Mutex<Tray>,
    /// The thread is wanted.
    rung: Condvar,
    pen: Mutex<Pen>,
}

/// Held by who writes.
struct Pen {
    files: Files,
    pace: Pace,
}

/// How messages have been coming lately, and how quick the disk is.
struct Pace {
    /// Batches in a row that held one message at most.
    alone: u32,
    was_quick: bool,
}

impl Pace {
    /// Nobody has come yet.
    const CALM: Self = Self { alone: ALONE, was_quick: true };

    fn note(&mut self, messages: usize, took: Duration) {
        self.alone = if messages <= 1 { self.alone.saturating_add(1) } else { 0 };
        self.was_quick = took < QUICK;
    }

    /// Whoever comes next need not wait for the thread.
    fn is_calm(&self) -> bool {
        self.alone >= ALONE && self.was_quick
    }
}

/// What waits to be written.
#[derive(Default)]
struct Tray {
    commands: VecDeque<Command>,
    is_rung: bool,
    is_closed: bool,
}

impl Desk {
    fn tray(&self) -> MutexGuard<'_, Tray> {
        self.tray.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was handed over is done even when the caller no longer waits.
    fn put(&self, work: Work) -> oneshot::Receiver<Result<()>> {
        let (caller, answer) = oneshot::channel();
        self.tray().commands.push_back(Command { work, caller });
        answer
    }

    fn ring(&self) {
        self.tray().is_rung = true;
        self.rung.notify_one();
    }

    fn close(&self) {
        self.tray().is_closed = true;
        self.rung.notify_one();
    }

    /// Sees to it that what is in the tray is written: here and now where that is quick and nobody else is about.
    fn write_or_ring(&self) {
        match self.pen.try_lock() {
            Ok(mut pen) if pen.pace.is_calm() => {
                if self.write_batch(&mut pen) {
                    self.ring();
                }
            }
            _ => self.ring(),
        }
    }

    /// The thread's life.
    fn serve(&self) {
        while self.wait() {
            // After a panic in the middle of a write nobody knows what is in the files: nothing more is promised.
            let Ok(mut pen) = self.pen.lock() else {
                self.tray().commands.clear();
                continue;
            };
            while self.write_batch(&mut pen) {}
        }
    }

    /// Waits until it is rung for; false when all is done and no more will come.
    fn wait(&self) -> bool {
        let mut tray = self.tray();
        while !tray.is_rung && !tray.is_closed {
            tray = self.rung.wait(tray).unwrap_or_else(PoisonError::into_inner);
        }
        tray.is_rung = false;
        !tray.is_closed || !tray.commands.is_empty()
    }

    /// Writes a batch and answers; tells whether there is more.
    fn write_batch(&self, Pen { files, pace }: &mut Pen) -> bool {
        let (mut batch, commands) = self.tray().take_batch();
        if commands.is_empty() {
            return false;
        }
        let begun = Instant::now();
        let appended = files.append(&mut batch);
        let messages = commands.iter().filter(|command| matches!(command.work, Work::Keep(_))).count();
        pace.note(messages, begun.elapsed());
        for Command { work, caller } in commands {
            let answer = match &appended {
                Ok(()) => {
                    self.apply(files, work);
                    Ok(())
                }
                Err(error) => {
                    work.keep_keys();
                    Err(StoreError::File(io::Error::new(error.kind(), error.to_string())))
                }
            };
            // The caller may have gone; what is on disk stays so.
            caller.send(answer).ok();
        }
        files.retire();
        !self.tray().commands.is_empty()
    }

    /// What was appended is so.
    fn apply(&self, files: &mut Files, work: Work) {
        match work {
            Work::Keep(keep) => {
                let Keep { item, place, .. } = *keep;
                files.holds(item.id.clone());
                self.live.add(item, place);
            }
            Work::Done(items, _) => {
                files.done(&items);
                self.live.close(&items);
            }
        }
    }
}

impl Tray {
    fn take_batch(&mut self) -> (Batch, Vec<Command>) {
        let (mut batch, mut commands) = (Batch::default(), Vec::new());
        while batch.len() < BATCH
            && let Some(command) = self.commands.pop_front()
        {
            command.work.add_to(&mut batch);
            commands.push(command);
        }
        (batch, commands)
    }
}

impl Work {
    fn add_to(&self, batch: &mut Batch) {
        match self {
            Self::Keep(keep) => batch.push(&[&keep.record]),
            Self::Done(items, _) => {
                items.iter().for_each(|item| batch.push(&[&[DONE], item.as_str().as_bytes()]));
            }
        }
    }

    /// After an error the next start may find the message, whether or not it was refused: then it is delivered once
    /// too often, and not unreadable.
    fn keep_keys(&self) {
        match self {
            Self::Keep(keep) => keep.item.body.key.iter().for_each(KeyRef::keep_until_restart),
            Self::Done(_, keys) => keys.iter().for_each(KeyRef::keep_until_restart),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_alone_makes_no_calm_and_a_slow_disk_ends_it() {
        let mut pace = Pace::CALM;
        pace.note(2, Duration::ZERO);
        for _ in 1..ALONE {
            pace.note(1, Duration::ZERO);
            assert!(!pace.is_calm());
        }
        pace.note(1, QUICK);
        assert!(!pace.is_calm());
        pace.note(0, Duration::ZERO);
        assert!(pace.is_calm());
    }
}
