//! What `Debug` shows of jobs.

use std::time::Duration;

use larder_queue::{NewJob, Until, Verdict};
use larder_store::Ttl;

const SECRET: &str = "ada@example.org";

#[test]
fn a_job_that_is_to_be_enqueued_shows_neither_its_payload_nor_its_headers() {
    let job = NewJob::raw("mail", SECRET)
        .with_header("to", SECRET)
        .with_unique(SECRET, Until::Done)
        .with_group(SECRET);
    let shown = format!("{job:?}");
    assert!(!shown.contains(SECRET), "{shown}");
    assert!(shown.contains("\"mail\""), "{shown}");
    assert!(shown.contains(job.id().as_str()), "{shown}");
}

#[test]
fn a_verdict_shows_neither_its_reason_nor_its_progress() {
    let (delay, text) = (Duration::from_secs(7), || SECRET.to_owned());
    let nack = Verdict::Nack {
        delay,
        reason: text(),
    };
    let reject = Verdict::Reject { reason: text() };
    let progress = Verdict::Progress { text: text() };
    let extend = Verdict::Extend {
        lease: Ttl::from_secs(7),
    };
    for (verdict, expected) in [
        (Verdict::Ack, "Ack"),
        (nack, "Nack { delay: 7s, .. }"),
        (reject, "Reject { .. }"),
        (Verdict::Release { delay }, "Release { delay: 7s }"),
        (progress, "Progress { .. }"),
    ] {
        assert_eq!(format!("{verdict:?}"), expected);
    }
    assert!(format!("{extend:?}").starts_with("Extend { lease: "));
}
