use crate::{Page, Table, cancel, conformance, faults, leases, locks, model};

/// One long proof.
pub struct Proof {
    /// Its name for `./scripts/prove`.
    pub name: &'static str,
    /// A sentence about what it shows.
    pub about: &'static str,
    /// The page that its table stands on, without `.md`.
    pub page: &'static str,
    run: fn() -> Table,
}

/// All of them.
pub const PROOFS: &[Proof] = &[
    Proof {
        name: "conformance",
        about: "every law holds on every store",
        page: "conformance",
        run: conformance::prove,
    },
    Proof {
        name: "model",
        about: "random sequences give the same values and errors on every store",
        page: "conformance",
        run: model::prove,
    },
    Proof {
        name: "cancel",
        about: "no reply ever belongs to another key, whoever goes away and whatever is damaged",
        page: "faults",
        run: cancel::prove,
    },
    Proof {
        name: "faults",
        about: "what a steady load sees when servers and connections fail",
        page: "faults",
        run: faults::prove,
    },
    Proof {
        name: "leases",
        about: "fences rise, and nobody commits whose fence was passed, whatever fails meanwhile",
        page: "faults",
        run: leases::prove,
    },
    Proof {
        name: "locks",
        about: "a lock has one holder, tokens rise, and no stale token writes",
        page: "faults",
        run: locks::prove,
    },
];

impl Proof {
    /// Runs it.
    #[must_use]
    pub fn run(&self) -> Table {
        (self.run)()
    }

    /// Returns the page of its table.
    #[must_use]
    pub fn page(&self) -> Page {
        Page::new(self.page, self.name)
    }
}
