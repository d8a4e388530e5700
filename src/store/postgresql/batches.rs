//! Work of many callers that is done together: while one batch is on its way to the database, the next one gathers, so that
//! callers side by side share a round trip and a flush of the disk.
//!
//! A caller that gives up before its batch began has asked for nothing; afterwards the batch goes on without it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::store::{Result, StoreError};

/// The most that one batch carries.
const MOST_JOBS: usize = 256;
const MOST_OCTETS: usize = 4 << 20;

/// Jobs `J` that each give a `T`.
pub(super) struct Batches<J, T> {
    state: Mutex<State<J, T>>,
    at_once: usize,
}

struct State<J, T> {
    waiting: VecDeque<Job<J, T>>,
    running: usize,
}

struct Job<J, T> {
    what: J,
    octets: usize,
    answer: oneshot::Sender<Result<T>>,
}

impl<J: Send + 'static, T: Send + 'static> Batches<J, T> {
    /// So many batches may be on their way side by side.
    pub fn new(at_once: usize) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State { waiting: VecDeque::new(), running: 0 }), at_once })
    }

    /// Has a job done with others. `work` gives a result for each job, in their order.
    pub async fn run<W, F>(self: &Arc<Self>, what: J, octets: usize, work: W) -> Result<T>
    where
        W: Fn(Vec<J>) -> F + Send + 'static,
        F: Future<Output = Vec<Result<T>>> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        if self.add(Job { what, octets, answer }) {
            tokio::spawn(Arc::clone(self).work_off(work));
        }
        answered.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Whether somebody must begin to work.
    fn add(&self, job: Job<J, T>) -> bool {
        let mut state = self.state();
        state.waiting.push_back(job);
        let begins = state.running < self.at_once;
        state.running += usize::from(begins);
        begins
    }

    async fn work_off<W, F>(self: Arc<Self>, work: W)
    where
        W: Fn(Vec<J>) -> F + Send + 'static,
        F: Future<Output = Vec<Result<T>>> + Send + 'static,
    {
        let mut turn = Turn { batches: &self, ended: false };
        while let Some(batch) = turn.next() {
            let (jobs, answers): (Vec<_>, Vec<_>) =
                batch.into_iter().map(|job| (job.what, job.answer)).unzip();
            for (answer, result) in answers.into_iter().zip(work(jobs).await) {
                // A caller that has gone has nobody to tell.
                answer.send(result).ok();
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State<J, T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to work off batches; it ends even when the work breaks down.
struct Turn<'a, J: Send + 'static, T: Send + 'static> {
    batches: &'a Batches<J, T>,
    ended: bool,
}

impl<J: Send + 'static, T: Send + 'static> Turn<'_, J, T> {
    /// What has gathered. `None` ends the turn: whoever comes from then on begins a new one.
    fn next(&mut self) -> Option<Vec<Job<J, T>>> {
        let mut state = self.batches.state();
        let (mut batch, mut octets) = (Vec::new(), 0);
        while batch.len() < MOST_JOBS
            && let Some(job) =
                state.waiting.pop_front_if(|job| batch.is_empty() || octets + job.octets <= MOST_OCTETS)
        {
            if !job.answer.is_closed() {
                octets += job.octets;
                batch.push(job);
            }
        }
        if batch.is_empty() {
            state.running -= 1;
            self.ended = true;
            return None;
        }
        Some(batch)
    }
}

impl<J: Send + 'static, T: Send + 'static> Drop for Turn<'_, J, T> {
    fn drop(&mut self) {
        if !self.ended {
            self.batches.state().running -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use futures_util::poll;

    use super::*;

    #[tokio::test]
    async fn callers_side_by_side_share_a_batch_and_each_has_its_own_result() {
        let batches = Batches::new(1);
        let begun = Arc::new(AtomicUsize::new(0));
        let work = |number: usize| {
            let begun = Arc::clone(&begun);
            batches.run(number, 1, move |jobs: Vec<usize>| {
                begun.fetch_add(1, Ordering::Relaxed);
                async move {
                    tokio::task::yield_now().await;
                    let result = |job| if job == 7 { Err(StoreError::NearlyFull) } else { Ok(2 * job) };
                    jobs.into_iter().map(result).collect()
                }
            })
        };
        let results = join_all((0..100).map(work)).await;
        for (number, result) in results.into_iter().enumerate() {
            assert_eq!(result.ok(), (number != 7).then_some(2 * number));
        }
        assert!(begun.load(Ordering::Relaxed) <= 3, "{begun:?}");
    }

    #[tokio::test]
    async fn a_batch_that_breaks_down_holds_up_nobody() {
        let batches = Batches::<(), ()>::new(1);
        let broken = batches.run((), 1, |_| async { panic!("broken") });
        assert!(matches!(broken.await, Err(StoreError::Closed)));
        batches.run((), 1, |_| async { vec![Ok(())] }).await.unwrap();
    }

    #[tokio::test]
    async fn a_caller_that_gave_up_before_its_batch_began_has_asked_for_nothing() {
        let batches = Batches::<usize, usize>::new(1);
        let (begin, begun) = tokio::sync::watch::channel(false);
        let work = move |jobs: Vec<usize>| {
            let mut begun = begun.clone();
            async move {
                begun.wait_for(|begun| *begun).await.unwrap();
                let so_many = jobs.len();
                jobs.into_iter().map(|_| Ok(so_many)).collect()
            }
        };
        let mut first = pin!(batches.run(1, 1, work.clone()));
        assert!(poll!(&mut first).is_pending());
        tokio::task::yield_now().await;
        {
            let mut gave_up = pin!(batches.run(2, 1, work.clone()));
            assert!(poll!(&mut gave_up).is_pending());
        }
        let mut last = pin!(batches.run(3, MOST_OCTETS, work.clone()));
        assert!(poll!(&mut last).is_pending());
        let mut too_much = pin!(batches.run(4, 1, work));
        assert!(poll!(&mut too_much).is_pending());
        begin.send_replace(true);
        let (first, last, too_much) = tokio::join!(first, last, too_much);
        assert_eq!([first, last, too_much].map(Result::unwrap), [1, 1, 1], "each in a batch of its own");
    }
}
