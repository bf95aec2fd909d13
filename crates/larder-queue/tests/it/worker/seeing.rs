//! What people see of a worker: spans and metrics.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
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
    // So that no other thread has the span judged as one that nobody wants.
    let _ = tracing::subscriber::set_global_default(Spans::default());
    let spans = Spans::default();
    let guard = tracing::subscriber::set_default(spans.clone());
    let world = World::memory().await;
    let (queue, probe) = (world.queue(), Probe::new());
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let job = task(1, Act::Return).header("traceparent", trace);
    let id = job.job_id().clone();
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

/// A recorder that keeps the names that were described and registered.
#[derive(Clone, Default)]
struct Names {
    described: Arc<Mutex<BTreeSet<String>>>,
    registered: Arc<Mutex<BTreeSet<String>>>,
}

impl Names {
    fn describe(&self, name: &KeyName, unit: Option<Unit>, text: &SharedString) {
        assert!(unit.is_some() && !text.is_empty(), "{name:?} has no unit");
        self.described
            .lock()
            .unwrap()
            .insert(name.as_str().to_owned());
    }

    fn register(&self, key: &Key) {
        self.registered
            .lock()
            .unwrap()
            .insert(key.name().to_owned());
    }
}

impl Recorder for Names {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe(&name, unit, &text);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe(&name, unit, &text);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe(&name, unit, &text);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.register(key);
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.register(key);
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.register(key);
        Histogram::noop()
    }
}

#[tokio::test]
async fn each_metric_is_described_with_its_unit_and_listed_in_the_readme() {
    let names = Names::default();
    let world = World::memory().await;
    let guard = metrics::set_default_local_recorder(&names);
    let (queue, probe) = (world.queue(), Probe::new());
    queue.enqueue(task(1, Act::Return)).await.unwrap();
    worker(&queue, &probe).drain().await.unwrap();
    drop(guard);
    let ours = |name: &&String| name.starts_with("larder_queue_");
    let (described, registered) = (
        names.described.lock().unwrap(),
        names.registered.lock().unwrap(),
    );
    let registered: Vec<_> = registered.iter().filter(ours).collect();
    let described: Vec<_> = described.iter().filter(ours).collect();
    assert_eq!(registered, described);
    assert!(registered.len() >= 10);
    let readme = include_str!("../../../README.md");
    for name in registered {
        let listed = readme.contains(&format!("`{name}`"));
        assert!(listed, "the README does not list {name}");
    }
}
