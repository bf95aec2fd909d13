use crate::{
    Limits, Page, Table, bus_loss, cancel, conformance, consistency, events, faults, fuzz, http,
    leases, locks, model, mutants, queue, rate_limits, session_races, soak, structures,
    tag_removal, write_behind,
};

/// One long proof.
pub struct Proof {
    /// Its name for `./scripts/prove`.
    pub name: &'static str,
    /// A sentence about what it shows.
    pub about: &'static str,
    /// The page that its table stands on, without `.md`.
    pub page: &'static str,
    run: fn(&Limits) -> Table,
}

/// All of them.
pub const PROOFS: &[Proof] = &[
    Proof {
        name: "conformance",
        about: "every law holds on every store",
        page: "conformance",
        run: |_| conformance::prove(),
    },
    Proof {
        name: "valkey",
        about: "every law holds on Valkey too",
        page: "conformance",
        run: |_| conformance::prove_on_valkey(),
    },
    Proof {
        name: "model",
        about: "random sequences give the same values and errors on every store",
        page: "conformance",
        run: |_| model::prove(),
    },
    Proof {
        name: "cancel",
        about: "no caller gets the reply of another key, even if callers leave or replies are damaged",
        page: "faults",
        run: |_| cancel::prove(),
    },
    Proof {
        name: "faults",
        about: "what a steady load sees when servers and connections fail",
        page: "faults",
        run: |_| faults::prove(),
    },
    Proof {
        name: "leases",
        about: "fences rise, and no outdated fence commits, whatever fails meanwhile",
        page: "faults",
        run: |_| leases::prove(),
    },
    Proof {
        name: "consistency",
        about: "no process reads a value after its invalidation was acknowledged",
        page: "consistency",
        run: consistency::prove,
    },
    Proof {
        name: "bus-loss",
        about: "lost messages leave near copies stale for at most the near TTL",
        page: "consistency",
        run: bus_loss::prove,
    },
    Proof {
        name: "tags",
        about: "one write removes a million values of a tag, and so does the loss of its record",
        page: "consistency",
        run: tag_removal::prove,
    },
    Proof {
        name: "write-behind",
        about: "no acknowledged write is lost to kill -9, and each key keeps its order",
        page: "consistency",
        run: write_behind::prove,
    },
    Proof {
        name: "fuzz",
        about: "no bytes make what decodes them panic, fail or take much memory",
        page: "consistency",
        run: fuzz::prove,
    },
    Proof {
        name: "locks",
        about: "a lock has one holder, tokens rise, and no stale token writes",
        page: "faults",
        run: |_| locks::prove(),
    },
    Proof {
        name: "structures",
        about: "counters, ledgers and blobs stay right though their replies are cut",
        page: "structures",
        run: structures::prove,
    },
    Proof {
        name: "queue",
        about: "no acknowledged job is lost, and no stale ack is accepted, whoever is killed",
        page: "queue",
        run: queue::prove,
    },
    Proof {
        name: "limits",
        about: "exactly as many requests of several processes pass as a limit allows",
        page: "rate-limits",
        run: rate_limits::prove,
    },
    Proof {
        name: "sessions",
        about: "no race between two processes loses a write of a session or revives a dead one",
        page: "session-races",
        run: session_races::prove,
    },
    Proof {
        name: "events",
        about: "no acknowledged event is lost for any group, and no stale ack is accepted",
        page: "events",
        run: events::prove,
    },
    Proof {
        name: "http",
        about: "the public HTTP cache test suite, and a reason for each test that does not pass",
        page: "http-conformance",
        run: |_| http::prove(),
    },
    Proof {
        name: "soak",
        about: "Matinee holds at the end what it held at the beginning, whatever fails meanwhile",
        page: "faults",
        run: soak::prove,
    },
    Proof {
        name: "mutants",
        about: "a test fails wherever the code that decides is changed",
        page: "mutants",
        run: mutants::prove,
    },
];

impl Proof {
    /// Runs it.
    #[must_use]
    pub fn run(&self, limits: &Limits) -> Table {
        (self.run)(limits)
    }

    /// Returns the page of its table.
    #[must_use]
    pub fn page(&self) -> Page {
        Page::new(self.page, self.name)
    }
}
