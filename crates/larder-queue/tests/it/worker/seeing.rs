//! What people see of a worker: spans and metrics.

use std::fmt::Debug;
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder_queue::Partitioned;
use larder_store::ManualClock;
use larder_test::{MetricNames, MetricValues};
use tokio_util::sync::CancellationToken;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};

use super::support::{Act, Probe, World, task, worker};

/// Keeps the fields of spans called `job`.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<String>>>);

impl Visit for Spans {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0
            .lock()
            .unwrap()
            .push(format!("{}={value:?}", field.name()));
    }
}

impl Subscriber for Spans {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        if span.metadata().name() == "job" {
            span.record(&mut self.clone());
        }
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn a_job_has_a_span_with_the_fields_of_messaging_and_the_trace_of_its_enqueuer() {
    let spans = Spans::default();
    let guard = larder_test::subscribe(spans.clone());
    let world = World::memory().await;
    let (queue, probe) = (world.queue(), Probe::new());
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let job = task(1, Act::Return).with_header("traceparent", trace);
    let id = job.id().clone();
    queue.enqueue(job).await.unwrap();
    worker(&queue, &probe).drain().await.unwrap();
    drop(guard);
    let fields = spans.0.lock().unwrap().clone();
    for field in [
        "messaging.system=\"larder\"".to_owned(),
        "messaging.operation.type=\"process\"".to_owned(),
        format!("messaging.destination.name={:?}", queue.name()),
        format!("messaging.message.id={id}"),
        "job.name=\"task\"".to_owned(),
        "job.attempt=1".to_owned(),
        format!("traceparent={trace:?}"),
    ] {
        assert!(fields.contains(&field), "{field} is not among {fields:?}");
    }
}

#[tokio::test]
async fn each_metric_is_described_with_its_unit_and_listed_in_the_readme() {
    let names = MetricNames::default();
    let world = World::memory().await;
    let guard = metrics::set_default_local_recorder(&names);
    let (queue, probe) = (world.queue(), Probe::new());
    queue.enqueue(task(1, Act::Return)).await.unwrap();
    worker(&queue, &probe).drain().await.unwrap();
    drop(guard);
    let listed = names.assert_listed("larder_queue_", include_str!("../../../README.md"));
    assert!(listed >= 10);
}

#[tokio::test]
async fn the_jobs_of_all_partitions_are_seen() {
    let gauges = MetricValues::default();
    let world = World::memory().await;
    let guard = gauges.record();
    let three = NonZeroU16::new(3).unwrap();
    let wide = Partitioned::new(world.store.clone(), "wide", three).unwrap();
    for number in 0..30 {
        let job = task(number, Act::Return).with_delay(Duration::from_secs(3_600));
        wide.enqueue(job).await.unwrap();
    }
    let stop = CancellationToken::new();
    let [first, others @ ..] = wide.queues() else {
        panic!("no partition")
    };
    let worker = others
        .iter()
        .fold(worker(first, &Probe::new()), |worker, queue| {
            worker.with_queue(queue.clone())
        });
    let stopping = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        stop.cancel();
    };
    let (report, ()) = tokio::join!(worker.run_until(stop.clone().cancelled_owned()), stopping);
    report.unwrap();
    drop(guard);
    let names = gauges.names();
    let scheduled = names.iter().filter(|name| name.contains("scheduled"));
    let sum: f64 = scheduled.map(|name| gauges.gauge(name)).sum();
    assert!((sum - 30.0).abs() < 0.5, "{gauges:?}");
}

#[tokio::test]
async fn the_counters_of_a_handler_are_there_before_its_first_job() {
    let counters = MetricValues::default();
    let world = World::memory().await;
    let guard = counters.record();
    let queue = world.queue();
    worker(&queue, &Probe::new()).drain().await.unwrap();
    drop(guard);
    for name in ["larder_queue_dead_total", "larder_queue_lost_leases_total"] {
        let name = format!("{name} {} task", queue.name());
        assert!(counters.names().contains(&name), "{name}: {counters:?}");
    }
}

#[tokio::test]
async fn a_job_that_ended_its_worker_for_the_last_time_is_seen_in_the_depth_alone() {
    let metrics = MetricValues::default();
    let clock = ManualClock::default();
    let world = World::memory_at(&clock).await;
    let guard = metrics.record();
    let queue = world.queue().with_max_attempts(1);
    queue.enqueue(task(1, Act::Return)).await.unwrap();
    // Its worker is killed: the job is never settled.
    assert_eq!(queue.dequeue(1).await.unwrap().len(), 1);
    clock.advance(Duration::from_secs(3_600));
    // The next worker buries it, and the one after that counts the dead as soon as it starts.
    let dead = format!("larder_queue_depth {} 0 dead", queue.name());
    for is_seen in [false, true] {
        let stop = CancellationToken::new();
        let working = worker(&queue, &Probe::new()).run_until(stop.clone().cancelled_owned());
        let seeing = async {
            larder_worlds::until("it is dead, and seen", || async {
                let is_dead = queue.counts().await.unwrap().dead == 1;
                is_dead && (!is_seen || metrics.gauge(&dead) > 0.5)
            })
            .await;
            stop.cancel();
        };
        let (report, ()) = tokio::join!(working, seeing);
        report.unwrap();
    }
    drop(guard);
    let counted = format!("larder_queue_dead_total {} task", queue.name());
    assert_eq!(metrics.count(&counted), 0);
}
