use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use metrics::{CounterFn, GaugeFn, HistogramFn};

/// The number of samples that are kept: ten minutes of them.
pub(super) const SAMPLES: usize = 120;

/// One metric with its labels: its value, and its samples.
pub(crate) struct Series {
    value: Value,
    samples: Mutex<VecDeque<f64>>,
}

enum Value {
    Counter(AtomicU64),
    /// A number by its bits.
    Gauge(AtomicU64),
    /// The number of values, and the bits of their sum.
    Histogram(AtomicU64, AtomicU64),
}

impl Series {
    pub(super) fn counter() -> Self {
        Self::new(Value::Counter(AtomicU64::new(0)))
    }

    pub(super) fn gauge() -> Self {
        Self::new(Value::Gauge(AtomicU64::new(0)))
    }

    pub(super) fn histogram() -> Self {
        Self::new(Value::Histogram(AtomicU64::new(0), AtomicU64::new(0)))
    }

    fn new(value: Value) -> Self {
        Self {
            value,
            samples: Mutex::default(),
        }
    }

    /// Returns the value; for a histogram, the number of values.
    pub(super) fn value(&self) -> f64 {
        match &self.value {
            Value::Counter(count) | Value::Histogram(count, _) => {
                count.load(Ordering::Relaxed) as f64
            }
            Value::Gauge(bits) => f64::from_bits(bits.load(Ordering::Relaxed)),
        }
    }

    /// Returns the sum of the values of a histogram. 0 for others.
    pub(super) fn sum(&self) -> f64 {
        match &self.value {
            Value::Histogram(_, sum) => f64::from_bits(sum.load(Ordering::Relaxed)),
            _ => 0.0,
        }
    }

    pub(super) fn sample(&self) {
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        if samples.len() == SAMPLES {
            samples.pop_front();
        }
        samples.push_back(self.value());
    }

    /// Returns the values of a gauge up to now, or the rises of a counter between two samples.
    pub(super) fn history(&self) -> Vec<f64> {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        match self.value {
            Value::Gauge(_) => samples.iter().copied().chain([self.value()]).collect(),
            // The increase since the last sample covers less than a whole interval.
            _ => {
                let pairs = samples.iter().zip(samples.iter().skip(1));
                pairs
                    .map(|(before, after)| (after - before).max(0.0))
                    .collect()
            }
        }
    }
}

fn add(bits: &AtomicU64, by: f64) {
    // It never fails: the function always returns a value.
    let _ = bits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |bits| {
        Some((f64::from_bits(bits) + by).to_bits())
    });
}

impl CounterFn for Series {
    fn increment(&self, by: u64) {
        if let Value::Counter(count) = &self.value {
            count.fetch_add(by, Ordering::Relaxed);
        }
    }

    fn absolute(&self, value: u64) {
        if let Value::Counter(count) = &self.value {
            count.fetch_max(value, Ordering::Relaxed);
        }
    }
}

impl GaugeFn for Series {
    fn increment(&self, by: f64) {
        if let Value::Gauge(bits) = &self.value {
            add(bits, by);
        }
    }

    fn decrement(&self, by: f64) {
        GaugeFn::increment(self, -by);
    }

    fn set(&self, value: f64) {
        if let Value::Gauge(bits) = &self.value {
            bits.store(value.to_bits(), Ordering::Relaxed);
        }
    }
}

impl HistogramFn for Series {
    fn record(&self, value: f64) {
        if let Value::Histogram(count, sum) = &self.value {
            count.fetch_add(1, Ordering::Relaxed);
            add(sum, value);
        }
    }
}
