//! Letters that cannot be sent for a long time.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use larder::moka::MokaStore;
use larder::queue::Settled;
use larder_test::server::Sandbox;
use tokio::time::{sleep, timeout};

use super::*;
use crate::clock::{DAY_MS, now_ms};
use crate::db::{self, NewBooking};
use crate::seats::Seat;

const HOUR_MS: i64 = 60 * 60 * 1000;

/// A post office, and one booking whose confirmation is in the outbox.
struct Office {
    mail: Mail,
    letters: PathBuf,
    _sandbox: Sandbox,
}

impl Office {
    async fn open() -> Self {
        let sandbox = Sandbox::new().unwrap();
        let (pool, showing) = db::open_with_ada().await;
        let booking = NewBooking {
            code: "ABCD",
            user: 1,
            showing,
            price_cents: 750,
            now_ms: now_ms() - DAY_MS,
        };
        let seats = BTreeSet::from([Seat { row: 1, number: 1 }]);
        db::book(&pool, &booking, &seats).await.unwrap();
        let config = Config {
            mail_dir: sandbox.path().join("mail"),
            ..Config::default()
        };
        let (store, outbox) = (Arc::new(MokaStore::new()), Outbox::default());
        let mail = Mail::open(&config, pool, store, outbox).await.unwrap();
        Self {
            mail,
            letters: config.mail_dir.join("new"),
            _sandbox: sandbox,
        }
    }

    async fn execute(&self, sql: &'static str) {
        sqlx::query(sql).execute(&self.mail.pool).await.unwrap();
    }

    async fn has_sent(&self, letters: usize) {
        while fs::read_dir(&self.letters).unwrap().count() < letters {
            sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn a_letter_is_sent_however_many_attempts_have_failed() {
    let office = Office::open().await;
    assert_eq!(office.mail.hand_over(now_ms()).await.unwrap(), 1);
    // Some hours, in which the directory of letters cannot be written.
    for _ in 0..1_500 {
        let deliveries = office.mail.queue.dequeue(1).await.unwrap();
        for delivery in &deliveries {
            let failed = office.mail.queue.nack(delivery.receipt(), Duration::ZERO);
            assert_eq!(failed.await.unwrap(), Settled::Accepted);
        }
    }
    let stop = CancellationToken::new();
    let sending = tokio::spawn(office.mail.clone().run(stop.clone()));
    let sent = timeout(Duration::from_secs(20), office.has_sent(1)).await;
    sent.expect("the letter is still to be sent");
    stop.cancel();
    sending.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_reminder_is_not_sent_once_the_showing_has_begun() {
    let office = Office::open().await;
    let soon = "UPDATE showings SET starts_at_ms = (unixepoch() + 3600) * 1000
                WHERE id = (SELECT showing_id FROM bookings)";
    office.execute(soon).await;
    let written = db::write_reminders(&office.mail.pool, now_ms(), 2 * HOUR_MS).await;
    assert_eq!(written.unwrap(), 1);
    let to_hand = || db::letters_to_hand(&office.mail.pool, now_ms(), now_ms(), 10);
    let letters = to_hand().await.unwrap();
    assert_eq!(letters.len(), 2);
    let letter = |at: usize| db::letter(&office.mail.pool, letters[at].id, now_ms());
    assert!(letter(1).await.unwrap().is_some());

    let begun = "UPDATE showings SET starts_at_ms = (unixepoch() - 60) * 1000
                 WHERE id = (SELECT showing_id FROM bookings)";
    office.execute(begun).await;
    assert!(letter(1).await.unwrap().is_none());
    // The confirmation is sent all the same, with the code to show at the door.
    assert!(letter(0).await.unwrap().is_some());
    assert_eq!(to_hand().await.unwrap().len(), 1);
    // The next search for reminders removes it, and nothing else.
    for deleted in [1, 0] {
        let late = db::delete_late_reminders(&office.mail.pool, now_ms()).await;
        assert_eq!(late.unwrap(), deleted);
    }
    let written = db::write_reminders(&office.mail.pool, now_ms(), 2 * HOUR_MS).await;
    assert_eq!(written.unwrap(), 0);
    assert!(letter(0).await.unwrap().is_some());
}
