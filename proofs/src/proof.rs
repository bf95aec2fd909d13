use crate::Choice::{Area, Inputs, Rounds, Seconds};
use crate::{
    Choice, Limits, Page, Table, bus_loss, cancel, conformance, consistency, events, faults, fuzz,
    http, leases, locks, model, mutants, queue, rate_limits, session_races, soak, structures,
    tag_removal, valkey, write_behind,
};

/// One long proof.
pub struct Proof {
    /// Its name for `./scripts/prove`.
    pub name: &'static str,
    /// A sentence about what it shows.
    pub about: &'static str,
    /// The page that its table stands on, without `.md`.
    pub page: &'static str,
    /// What can be chosen about how far it goes.
    pub choices: &'static [Choice],
    run: fn(&Limits) -> Table,
}

/// All of them.
pub const PROOFS: &[Proof] = &[
    Proof {
        name: "conformance",
        about: "every law holds on every store",
        page: "conformance",
        choices: &[],
        run: |_| conformance::prove(),
    },
    Proof {
        name: "valkey",
        about: "every law and each proof on a server hold on Valkey too",
        page: "conformance",
        choices: &[],
        run: |_| valkey::prove(),
    },
    Proof {
        name: "model",
        about: "random sequences give the same values and errors on every store",
        page: "conformance",
        choices: &[],
        run: |_| model::prove(),
    },
    Proof {
        name: "cancel",
        about: "no caller gets the reply of another key, even if callers leave or replies are damaged",
        page: "faults",
        choices: &[],
        run: |_| cancel::prove(),
    },
    Proof {
        name: "faults",
        about: "what a steady load sees when servers and connections fail",
        page: "faults",
        choices: &[],
        run: |_| faults::prove(),
    },
    Proof {
        name: "leases",
        about: "fences rise, and no outdated fence commits, whatever fails meanwhile",
        page: "faults",
        choices: &[],
        run: |_| leases::prove(),
    },
    Proof {
        name: "consistency",
        about: "no process reads a value after its invalidation was acknowledged",
        page: "consistency",
        choices: &[Seconds],
        run: consistency::prove,
    },
    Proof {
        name: "bus-loss",
        about: "lost messages leave near copies stale for at most the near TTL",
        page: "consistency",
        choices: &[Seconds],
        run: bus_loss::prove,
    },
    Proof {
        name: "tags",
        about: "one write removes a million values of a tag, and so does the loss of its record",
        page: "consistency",
        choices: &[Inputs],
        run: tag_removal::prove,
    },
    Proof {
        name: "write-behind",
        about: "no acknowledged write is lost to kill -9, and each key keeps its order",
        page: "consistency",
        choices: &[Rounds, Seconds],
        run: write_behind::prove,
    },
    Proof {
        name: "fuzz",
        about: "no bytes make what decodes them panic, fail or take much memory",
        page: "consistency",
        choices: &[Inputs, Seconds],
        run: fuzz::prove,
    },
    Proof {
        name: "locks",
        about: "a lock has one holder, tokens rise, and no stale token writes",
        page: "faults",
        choices: &[],
        run: |_| locks::prove(),
    },
    Proof {
        name: "structures",
        about: "counters, ledgers and blobs stay right though their replies are cut",
        page: "structures",
        choices: &[Rounds],
        run: structures::prove,
    },
    Proof {
        name: "queue",
        about: "no acknowledged job is lost, and no stale ack is accepted, whoever is killed",
        page: "queue",
        choices: &[Rounds, Seconds],
        run: queue::prove,
    },
    Proof {
        name: "limits",
        about: "exactly as many requests of several processes pass as a limit allows",
        page: "rate-limits",
        choices: &[Inputs],
        run: rate_limits::prove,
    },
    Proof {
        name: "sessions",
        about: "no race between two instances loses a write of a session or revives a dead one",
        page: "session-races",
        choices: &[Rounds],
        run: session_races::prove,
    },
    Proof {
        name: "events",
        about: "no acknowledged event is lost for any group, and no stale ack is accepted",
        page: "events",
        choices: &[Rounds, Seconds],
        run: events::prove,
    },
    Proof {
        name: "http",
        about: "the public HTTP cache test suite, and a reason for each test that does not pass",
        page: "http-conformance",
        choices: &[],
        run: |_| http::prove(),
    },
    Proof {
        name: "soak",
        about: "Matinee holds at the end what it held at the beginning, whatever fails meanwhile",
        page: "faults",
        choices: &[Seconds],
        run: soak::prove,
    },
    Proof {
        name: "mutants",
        about: "a test fails wherever the code that decides is changed",
        page: "mutants",
        choices: &[Area],
        run: mutants::prove,
    },
];

impl Proof {
    /// Returns the proof with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        PROOFS.iter().find(|proof| proof.name == name)
    }

    /// Checks that it knows what was chosen, or it would go on as if nothing had been.
    ///
    /// # Errors
    /// What it does not know, and which proofs do.
    pub fn check(&self, limits: &Limits) -> Result<(), String> {
        let unknown = limits.chosen().find(|it| !self.choices.contains(it));
        let Some(choice) = unknown else {
            return Ok(());
        };
        let (name, choice_name) = (self.name, choice.name());
        let knows = proofs_with(choice).collect::<Vec<_>>().join(", ");
        Err(format!(
            "{choice_name} means nothing to {name}: it is for {knows}"
        ))
    }

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

/// Returns the names of the proofs about which this can be chosen.
pub fn proofs_with(choice: Choice) -> impl Iterator<Item = &'static str> {
    let proofs = PROOFS.iter().filter(move |it| it.choices.contains(&choice));
    proofs.map(|proof| proof.name)
}
