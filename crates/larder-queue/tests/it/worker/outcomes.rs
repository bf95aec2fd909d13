//! What becomes of a job after its handler has returned.

use std::time::Duration;

use larder_queue::worker::{Attempt, Backoff, JobError, JobErrorKind, State, Worker};
use larder_queue::{NewJob, Queue, State as JobState};
use larder_store::ErrorKind;
use tower::timeout::TimeoutLayer;

use super::support::{Act, HOUR, Probe, Task, World, on_both_stores, task, worker};

async fn dead_reasons(queue: &Queue) -> Vec<String> {
    let page = queue.list(JobState::Dead, None).await.unwrap();
    let mut reasons: Vec<_> = page
        .jobs
        .iter()
        .map(|job| job.reason().to_owned())
        .collect();
    reasons.sort();
    reasons
}

on_both_stores! {
    async fn jobs_run_with_their_arguments_and_are_acknowledged(world: World) {
        let (queue, probe) = (world.queue(), Probe::new());
        for number in 0..40 {
            queue.enqueue(task(number, Act::Return)).await.unwrap();
        }
        let drained = worker(&queue, &probe).drain().await.unwrap();
        assert_eq!(drained.done, 40);
        let mut ran = probe.ran();
        ran.sort_unstable();
        assert_eq!(ran, (0..40).map(|number| (number, 1)).collect::<Vec<_>>());
        let counts = queue.counts().await.unwrap();
        assert_eq!((counts.waiting, counts.running, counts.done), (0, 0, 40));
    }

    async fn each_kind_of_failure_decides_what_becomes_of_the_job(world: World) {
        let (queue, probe) = (world.queue().with_max_attempts(2), Probe::new());
        let acts = [Act::Fail, Act::RetryNow, Act::Snooze, Act::Die, Act::Panic, Act::Return];
        for (number, act) in (0..).zip(acts) {
            queue.enqueue(task(number, act)).await.unwrap();
        }
        let drained = worker(&queue, &probe).drain().await.unwrap();
        let counts = (drained.done, drained.failed, drained.dead, drained.snoozed);
        // A job that is retried at once fails twice, and is dead.
        assert_eq!(counts, (1, 3, 2, 1));
        assert_eq!(drained.lost, 0);
        let counts = queue.counts().await.unwrap();
        assert_eq!((counts.scheduled, counts.dead, counts.waiting), (3, 2, 0));
        let reasons = dead_reasons(&queue).await;
        assert_eq!(reasons, ["there is no such user", "try again"]);
        let waiting = queue.list(JobState::Scheduled, None).await.unwrap().jobs;
        let attempts_of = |number| {
            let of = |job: &Task| job.number == number;
            waiting.iter().find(|job| of(&job.job().unwrap())).map(|job| job.attempts())
        };
        // A snooze is not an attempt; a panic is.
        assert_eq!([attempts_of(0), attempts_of(2), attempts_of(4)], [Some(1), Some(0), Some(1)]);
    }

    async fn a_payload_that_cannot_be_read_or_has_no_handler_backs_off_and_then_dies(world: World) {
        let (queue, probe) = (world.queue().with_max_attempts(3), Probe::new());
        queue.enqueue(NewJob::raw("task", &b"\xc1"[..])).await.unwrap();
        queue.enqueue(NewJob::raw("unheard-of", &b""[..])).await.unwrap();
        queue.enqueue(task(7, Act::Return)).await.unwrap();
        let worker = worker(&queue, &probe);
        let drained = worker.drain().await.unwrap();
        assert_eq!((drained.done, drained.failed, drained.dead), (1, 2, 0));
        // They wait for their next attempt, as a newer worker may know them.
        assert_eq!(queue.counts().await.unwrap().scheduled, 2);
        let queue = world.queue().with_max_attempts(3);
        queue.enqueue(NewJob::raw("task", &b"\xc1"[..])).await.unwrap();
        queue.enqueue(NewJob::raw("unheard-of", &b""[..])).await.unwrap();
        let eager = Worker::new(queue.clone()).on(super::support::handle).with_state(probe);
        let eager = eager.with_backoff(Backoff::constant(Duration::ZERO));
        let drained = eager.drain().await.unwrap();
        assert_eq!((drained.failed, drained.dead), (4, 2));
        let reasons = dead_reasons(&queue).await;
        assert_eq!(
            reasons[0],
            "no handler for jobs named 'unheard-of': add one with Worker::on"
        );
        assert!(reasons[1].starts_with("the payload cannot be read as "), "{reasons:?}");
    }

    async fn a_layer_wraps_all_handlers_and_its_errors_are_failures(world: World) {
        let (queue, probe) = (world.queue(), Probe::new());
        queue.enqueue(task(0, Act::Wait)).await.unwrap();
        queue.enqueue(task(1, Act::Die)).await.unwrap();
        let worker = worker(&queue, &probe);
        let worker = worker.layer(TimeoutLayer::new(Duration::from_millis(300)));
        let drained = worker.drain().await.unwrap();
        // What the handler says of its failure passes through the layer.
        assert_eq!((drained.failed, drained.dead), (1, 1));
        let late = queue.list(JobState::Scheduled, None).await.unwrap().jobs;
        assert_eq!(late[0].reason(), "request timed out");
    }
}

#[tokio::test]
async fn a_job_runs_inline_without_a_queue() {
    let world = World::memory().await;
    let (queue, probe) = (world.queue(), Probe::new());
    let worker = worker(&queue, &probe);
    worker.run_inline(task(5, Act::Return)).await.unwrap();
    let error = worker.run_inline(task(6, Act::Snooze)).await.unwrap_err();
    assert_eq!(error.kind(), JobErrorKind::Snooze(HOUR));
    let error = worker
        .run_inline(NewJob::raw("unheard-of", ""))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "no handler for jobs named 'unheard-of': add one with Worker::on"
    );
    assert_eq!(probe.ran(), [(5, 1), (6, 1)]);
    assert_eq!(queue.counts().await.unwrap(), Default::default());
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_due_when_the_backoff_says_and_counts_its_attempts() {
    let world = World::paused();
    let (queue, probe) = (world.queue().with_max_attempts(3), Probe::new());
    queue.enqueue(task(1, Act::Fail)).await.unwrap();
    let worker = worker(&queue, &probe);
    assert_eq!(worker.drain().await.unwrap().failed, 1);
    tokio::time::advance(HOUR - Duration::from_millis(1)).await;
    assert_eq!(worker.drain().await.unwrap().failed, 0);
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(worker.drain().await.unwrap().failed, 1);
    tokio::time::advance(HOUR).await;
    assert_eq!(worker.drain().await.unwrap().dead, 1);
    assert_eq!(probe.ran(), [(1, 1), (1, 2), (1, 3)]);
    assert_eq!(dead_reasons(&queue).await, ["the mail server is away"]);
}

/// Takes no state, and fails by an error of its own.
async fn odd(task: Task, Attempt(attempt): Attempt) -> Result<(), Odd> {
    match task.number % 2 {
        0 => Ok(()),
        _ => Err(Odd(attempt)),
    }
}

struct Odd(u32);

impl From<Odd> for JobError {
    fn from(Odd(attempt): Odd) -> Self {
        Self::dead(format!("odd at attempt {attempt}"))
    }
}

#[tokio::test]
async fn an_error_of_ones_own_says_what_becomes_of_the_job() {
    let world = World::memory().await;
    let queue = world.queue();
    for number in 0..3 {
        queue.enqueue(task(number, Act::Return)).await.unwrap();
    }
    let drained = Worker::new(queue.clone()).on(odd).drain().await.unwrap();
    assert_eq!((drained.done, drained.dead), (2, 1));
    assert_eq!(dead_reasons(&queue).await, ["odd at attempt 1"]);
}

#[tokio::test]
async fn handlers_may_have_different_states() {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Other;
    impl larder_queue::Job for Other {
        const NAME: &'static str = "other";
    }
    async fn other(_: Other, State(by): State<u32>, State(again): State<u32>) {
        assert_eq!((by, again), (7, 7));
    }
    let world = World::memory().await;
    let (queue, probe) = (world.queue(), Probe::new());
    queue.enqueue(&Other).await.unwrap();
    queue.enqueue(task(1, Act::Return)).await.unwrap();
    let worker = Worker::new(queue).on(other).with_state(7_u32);
    let worker = worker.on(super::support::handle).with_state(probe);
    assert_eq!(worker.drain().await.unwrap().done, 2);
}

#[tokio::test(start_paused = true)]
async fn a_worker_with_two_handlers_for_a_job_runs_none() {
    let worker = Worker::<()>::new(World::paused().queue()).on(odd).on(odd);
    let inline = worker.run_inline(task(1, Act::Return)).await.unwrap_err();
    assert_eq!(inline.kind(), JobErrorKind::Dead);
    for error in [
        worker.drain().await.unwrap_err(),
        worker.run_until(std::future::pending()).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let text = "jobs named 'task' have two handlers: register one with Worker::on";
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[derive(Debug)]
struct Awkward;

impl std::fmt::Display for Awkward {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("a bug in an error")
    }
}

impl std::error::Error for Awkward {}

#[tokio::test(start_paused = true)]
async fn a_job_whose_error_panics_when_it_is_shown_is_tried_again() {
    let queue = World::paused().queue();
    queue.enqueue(task(1, Act::Return)).await.unwrap();
    let fail = async |_: Task| Err::<(), _>(Awkward);
    let worker = Worker::new(queue.clone()).on(fail);
    let drained = worker.drain().await.unwrap();
    assert_eq!(drained.failed, 1);
    // Its lease is not renewed for ever.
    let counts = queue.counts().await.unwrap();
    assert_eq!((counts.running, counts.scheduled), (0, 1));
}
