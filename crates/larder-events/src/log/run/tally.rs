use super::Report;
use super::calls::Calls;
use super::settling::settle;
use crate::log::Group;
use crate::log::settle::{Held, What};

/// What becomes of an event.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    Retried,
    Dead,
    Undecodable,
}

/// An outcome of some events that was sent until the store answered, or for as long as it may be.
pub(super) struct Sent {
    pub(super) outcome: Outcome,
    /// The number of events.
    pub(super) many: usize,
    /// How many the store accepted. None if it never answered.
    accepted: Option<usize>,
}

impl Sent {
    /// Sends an outcome.
    pub(super) async fn send<T>(
        group: Group<T>,
        calls: Calls,
        what: What,
        held: Vec<Held>,
        outcome: Outcome,
    ) -> Self {
        let accepted = settle(&group, &calls, &what, &held).await;
        let many = held.len();
        Self {
            outcome,
            many,
            accepted,
        }
    }
}

/// Counts the outcomes of a consumer, for its report and the metrics.
pub(super) struct Tally {
    log: String,
    group: String,
    pub(super) report: Report,
    /// The number of events that are left to others: they were not handled, or the store did not answer.
    pub(super) left: usize,
}

impl Tally {
    pub(super) fn new<T>(group: &Group<T>) -> Self {
        Self {
            log: group.log.name.to_string(),
            group: group.name().to_owned(),
            report: Report::default(),
            left: 0,
        }
    }

    pub(super) fn count(&mut self, sent: &Sent) {
        let Some(accepted) = sent.accepted else {
            self.left += sent.many;
            self.measure("unknown", sent.many as u64);
            return;
        };
        let (stale, accepted) = ((sent.many - accepted) as u64, accepted as u64);
        let name = match sent.outcome {
            Outcome::Done => {
                self.report.done += accepted;
                "done"
            }
            Outcome::Retried => {
                self.report.retried += accepted;
                "retried"
            }
            Outcome::Dead => {
                self.report.dead += accepted;
                "dead"
            }
            Outcome::Undecodable => "undecodable",
        };
        self.report.stale += stale;
        self.measure(name, accepted);
        self.measure("stale", stale);
    }

    fn measure(&self, outcome: &'static str, many: u64) {
        let (log, group) = (self.log.clone(), self.group.clone());
        metrics::counter!("larder_log_deliveries_total", "log" => log, "group" => group, "outcome" => outcome)
            .increment(many);
    }
}
