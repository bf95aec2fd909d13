use metrics::Gauge;
use parking_lot::Mutex;

/// Gauges to which several users in a process each add their own part.
///
/// A user's part is taken away when it is dropped.
pub struct SharedGauges<const N: usize> {
    gauges: [Gauge; N],
    /// What this user has added.
    shown: Mutex<[f64; N]>,
}

impl<const N: usize> SharedGauges<N> {
    /// Makes a user of these gauges, which has added nothing yet.
    pub fn new(gauges: [Gauge; N]) -> Self {
        Self {
            gauges,
            shown: Mutex::new([0.0; N]),
        }
    }

    /// Shows the result of `part` as this user's part.
    ///
    /// It is called under a lock, so that the last part that was computed is the one that stays.
    pub fn show(&self, part: impl FnOnce() -> [f64; N]) {
        let mut shown = self.shown.lock();
        let part = part();
        for ((gauge, part), shown) in self.gauges.iter().zip(part).zip(*shown) {
            gauge.increment(part - shown);
        }
        *shown = part;
    }
}

impl<const N: usize> Drop for SharedGauges<N> {
    fn drop(&mut self) {
        self.show(|| [0.0; N]);
    }
}
