//! Another process keeps the write lock of the database.

use std::thread;
use std::time::{Duration, Instant};

use super::{a_showing, ask, insist, seat, signed_in};
use crate::plan::Plan;
use crate::visitor::{ADA, GRACE};

/// Longer than a booking may wait for the database.
const PATIENCE: Duration = Duration::from_secs(15);

#[test]
fn a_booking_that_cannot_be_written_in_time_is_not_written_later() {
    let app = Plan::memory().with("REQUEST_TIMEOUT", "1s").open();
    let (showing, server) = (a_showing(&app), app.first());
    let visitors = [(ADA, "C3"), (GRACE, "D5")];
    let visitors = visitors.map(|(account, seat)| (signed_in(server, account), seat));
    for (visitor, seat) in &visitors {
        let held = insist(|| ask(visitor, server, &showing, "hold", &[*seat]));
        assert_eq!(held.status, 303);
    }
    app.while_locked(|| {
        // The first waits for the lock, and the second for the first.
        for (visitor, seat) in &visitors {
            let booked = ask(visitor, server, &showing, "book", &[*seat]);
            assert_eq!(booked.status, 503);
        }
        let since = Instant::now();
        let given_up = || server.times_logged(&["/book", "the database failed"]);
        while given_up() < visitors.len() && since.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(given_up(), visitors.len(), "a booking still waits");
    });
    for (visitor, seat) in &visitors {
        assert_eq!(self::seat(visitor, server, &showing, seat), "held for you");
        let booked = insist(|| ask(visitor, server, &showing, "book", &[*seat]));
        assert_eq!(booked.status, 303);
    }
}
