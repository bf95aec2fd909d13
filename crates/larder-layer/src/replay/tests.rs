use larder_store::Timestamp;
use tokio::time::Instant;

use super::*;
use crate::Pending;

/// Invalidations whose store works only from a moment on.
struct Work {
    pending: Pending<u32>,
    task: ReplayTask,
    works_from: Instant,
}

impl Work {
    fn waits(one: u32, works_in: Duration) -> Arc<Self> {
        let work = Self {
            pending: Pending::new(10),
            task: ReplayTask::default(),
            works_from: Instant::now() + works_in,
        };
        assert!(work.pending.add(&one, Timestamp::default()));
        Arc::new(work)
    }
}

impl Replay for Work {
    fn task(&self) -> &ReplayTask {
        &self.task
    }

    fn waiting(&self) -> usize {
        self.pending.len()
    }

    async fn try_some(&self) -> bool {
        let tried = self.pending.next();
        let answer = || match Instant::now() >= self.works_from {
            true => Ok(()),
            false => Err("the store does not answer"),
        };
        let results = tried.iter().map(|_| answer()).collect();
        let done = self.pending.sort_out(tried, results);
        self.pending.settle_all(&done);
        !done.is_empty()
    }
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_is_tried_until_it_succeeds_and_one_task_tries_all() {
    let (work, began) = (Work::waits(1, Duration::from_secs(1)), Instant::now());
    replay(&work);
    replay(&work);
    assert!(work.pending.add(&2, Timestamp::default()));
    while work.waiting() != 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // After pauses of 100, 200, 400 and 800 ms.
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(1500) && took < Duration::from_millis(1520));
    assert!(!*work.task.is_running.lock());
    assert_eq!(Arc::weak_count(&work), 0);
}

#[tokio::test(start_paused = true)]
async fn the_task_ends_when_nobody_needs_it_any_more() {
    let work = Work::waits(1, Duration::MAX / 1_000_000_000);
    replay(&work);
    let held = Arc::downgrade(&work);
    drop(work);
    tokio::time::sleep(LONGEST_PAUSE).await;
    assert_eq!(held.strong_count(), 0);
}

#[test]
fn another_runtime_goes_on_if_that_of_the_task_ends() {
    let runtime = || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time().start_paused(true).build().unwrap()
    };
    let first = runtime();
    let work = first.block_on(async {
        let work = Work::waits(1, Duration::ZERO);
        replay(&work);
        work
    });
    drop(first);
    assert_eq!(work.waiting(), 1);
    replay(&work);
    runtime().block_on(async {
        replay(&work);
        tokio::time::sleep(FIRST_PAUSE * 2).await;
    });
    assert_eq!(work.waiting(), 0);
}
