//! Writes the journal. A task that brings a message while no other does writes it itself; messages that come together are
//! written by a thread, with one flush for all of them.
//!
//! A flush of a fast disk takes a fraction of a millisecond, little more than it costs to hand the work to a thread
//! and to be woken again. While flushes are slow, only the thread waits for them, and none of the runtime's threads does.

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

/// A batch is closed at so many bytes.
const BATCH: u64 = ROOM / 8;
/// A disk that flushes in less is quick.
const QUICK: Duration = Duration::from_millis(1);
/// After so many batches of one message in a row, messages come alone. With many sessions a batch of one occurs now and then;
/// a task that flushed then would keep its thread from all others.
const ALONE: u32 = 8;
/// The record of a delivery waits so long for a message to share a flush with: nobody waits for that record.
const COMPANY: Duration = Duration::from_millis(2);

enum Work {
    Keep(Box<Keep>),
    /// With the handles that keep the keys of those that are no longer in memory.
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

/// Hands records over to be written. Dropping it finishes what was asked and ends the thread.
pub(super) struct Writer {
    queue: Arc<WriteQueue>,
    thread: Option<JoinHandle<()>>,
    /// Held as long as anything may be written.
    _lock: File,
}

impl Writer {
    /// Starts the thread.
    pub fn start(files: Files, lock: File, live: Arc<Live>) -> Result<Self> {
        let queue = Arc::new(WriteQueue {
            live,
            pending: Mutex::default(),
            wanted: Condvar::new(),
            state: Mutex::new(WriterState { files, heuristic: FlushHeuristic::QUIET }),
        });
        let serving = Arc::clone(&queue);
        let thread = thread::Builder::new().name("journal".into()).spawn(move || serving.serve())?;
        Ok(Self { queue, thread: Some(thread), _lock: lock })
    }

    /// Appends a message; when it answers, the message can be claimed.
    pub async fn keep(&self, record: Vec<u8>, item: NewItem, place: OwnedSemaphorePermit) -> Result<()> {
        let answer = self.queue.put(Work::Keep(Box::new(Keep { record, item, place })));
        self.queue.write_or_notify();
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Appends that these messages need the journal no more.
    pub async fn done(&self, items: Vec<QueueId>, keys: Vec<KeyRef>) -> Result<()> {
        let mut answer = self.queue.put(Work::Done(items, keys));
        if let Ok(answer) = timeout(COMPANY, &mut answer).await {
            return answer.map_err(|_| StoreError::Closed)?;
        }
        self.queue.write_or_notify();
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the thread that writes the journal has panicked");
        }
    }
}

/// What the thread and the tasks that write share.
struct WriteQueue {
    live: Arc<Live>,
    pending: Mutex<Pending>,
    /// Wakes the thread.
    wanted: Condvar,
    state: Mutex<WriterState>,
}

/// Held while the journal is written.
struct WriterState {
    files: Files,
    heuristic: FlushHeuristic,
}

/// How messages have been coming lately, and how quick the disk is.
struct FlushHeuristic {
    /// Batches in a row that held one message at most.
    alone: u32,
    was_quick: bool,
}

impl FlushHeuristic {
    /// Before the first message.
    const QUIET: Self = Self { alone: ALONE, was_quick: true };

    fn note(&mut self, messages: usize, took: Duration) {
        self.alone = if messages <= 1 { self.alone.saturating_add(1) } else { 0 };
        self.was_quick = took < QUICK;
    }

    /// Whether the next task may write by itself.
    fn is_quiet(&self) -> bool {
        self.alone >= ALONE && self.was_quick
    }
}

/// What waits to be written.
#[derive(Default)]
struct Pending {
    commands: VecDeque<Command>,
    is_wanted: bool,
    is_closed: bool,
}

impl WriteQueue {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was handed over is done even when the caller no longer waits.
    fn put(&self, work: Work) -> oneshot::Receiver<Result<()>> {
        let (caller, answer) = oneshot::channel();
        self.pending().commands.push_back(Command { work, caller });
        answer
    }

    fn notify(&self) {
        self.pending().is_wanted = true;
        self.wanted.notify_one();
    }

    fn close(&self) {
        self.pending().is_closed = true;
        self.wanted.notify_one();
    }

    /// Sees to it that what is pending is written: here and now where that is fast and no other task brings anything.
    fn write_or_notify(&self) {
        match self.state.try_lock() {
            Ok(mut state) if state.heuristic.is_quiet() => {
                if self.write_batch(&mut state) {
                    self.notify();
                }
            }
            _ => self.notify(),
        }
    }

    /// What the thread does.
    fn serve(&self) {
        while self.wait() {
            // After a panic in the middle of a write nobody knows what is in the files: nothing more is promised.
            let Ok(mut state) = self.state.lock() else {
                self.pending().commands.clear();
                continue;
            };
            while self.write_batch(&mut state) {}
        }
    }

    /// Waits until there is work; false when all is done and no more will come.
    fn wait(&self) -> bool {
        let mut pending = self.pending();
        while !pending.is_wanted && !pending.is_closed {
            pending = self.wanted.wait(pending).unwrap_or_else(PoisonError::into_inner);
        }
        pending.is_wanted = false;
        !pending.is_closed || !pending.commands.is_empty()
    }

    /// Writes a batch and answers; tells whether there is more.
    fn write_batch(&self, WriterState { files, heuristic }: &mut WriterState) -> bool {
        let (mut batch, commands) = self.pending().take_batch();
        if commands.is_empty() {
            return false;
        }
        let begun = Instant::now();
        let appended = files.append(&mut batch);
        let messages = commands.iter().filter(|command| matches!(command.work, Work::Keep(_))).count();
        heuristic.note(messages, begun.elapsed());
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
        !self.pending().commands.is_empty()
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

impl Pending {
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
    fn one_message_alone_is_not_quiet_and_a_slow_disk_ends_it() {
        let mut heuristic = FlushHeuristic::QUIET;
        heuristic.note(2, Duration::ZERO);
        for _ in 1..ALONE {
            heuristic.note(1, Duration::ZERO);
            assert!(!heuristic.is_quiet());
        }
        heuristic.note(1, QUICK);
        assert!(!heuristic.is_quiet());
        heuristic.note(0, Duration::ZERO);
        assert!(heuristic.is_quiet());
    }
}
