//! Searches all logs and metrics of the process for one word.

use std::error::Error as _;
use std::fmt::{Debug, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use larder_store::Error;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};

/// The word that is searched.
const WORD: &str = "kanarie";

/// Returns whether the word is in a text, as it is or as the numbers of its bytes.
pub(super) fn has_it(said: &str) -> bool {
    let said = said.to_lowercase();
    let numbers = format!("{:?}", WORD.as_bytes());
    let hex: String = WORD.bytes().map(|byte| format!("{byte:02x}")).collect();
    let numbers = numbers.trim_matches(['[', ']']);
    [WORD, numbers, &hex].iter().any(|form| said.contains(form))
}

/// The lines in which the word was found.
#[derive(Clone, Default)]
pub(super) struct Capture(Arc<Captured>);

#[derive(Default)]
struct Captured {
    said: AtomicU64,
    caught: Mutex<Vec<String>>,
}

impl Capture {
    /// Returns the capture of the process, which checks every thread.
    pub(super) fn open() -> &'static Self {
        static CAPTURE: OnceLock<Capture> = OnceLock::new();
        CAPTURE.get_or_init(|| {
            let capture = Self::default();
            tracing::subscriber::set_global_default(capture.clone()).unwrap();
            metrics::set_global_recorder(capture.clone()).unwrap();
            capture
        })
    }

    /// Makes a capture for one test.
    pub(super) fn of_its_own() -> Self {
        Self::default()
    }

    pub(super) fn check(&self, said: &str) {
        self.0.said.fetch_add(1, Ordering::Relaxed);
        if has_it(said) {
            self.0.caught.lock().unwrap().push(said.to_owned());
        }
    }

    /// Checks everything that can be printed of an error.
    pub(super) fn check_error(&self, error: &Error) {
        let mut text = format!("{error} {error:?} {error:#?}");
        let mut source = error.source();
        while let Some(cause) = source {
            let _ = write!(text, " {cause} {cause:?} {cause:#?}");
            source = cause.source();
        }
        self.check(&text);
    }

    pub(super) fn caught(&self) -> usize {
        self.0.caught.lock().unwrap().len()
    }

    pub(super) fn caught_nothing(&self) {
        assert!(self.0.said.load(Ordering::Relaxed) > 0);
        let caught = self.0.caught.lock().unwrap().clone();
        assert!(caught.is_empty(), "{caught:#?}");
    }

    fn hear_metric(&self, key: &Key) {
        self.check(&format!("{key} {key:?}"));
    }
}

/// The fields of a text.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl Subscriber for Capture {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut text = Text(span.metadata().name().to_owned());
        span.record(&mut text);
        self.check(&text.0);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut text = Text(String::new());
        values.record(&mut text);
        self.check(&text.0);
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(event.metadata().target().to_owned());
        event.record(&mut text);
        self.check(&text.0);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

impl Recorder for Capture {
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.hear_metric(key);
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.hear_metric(key);
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.hear_metric(key);
        Histogram::noop()
    }

    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
}
