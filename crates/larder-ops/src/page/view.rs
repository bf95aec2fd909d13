/// A view of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    Overview,
    Caches,
    Limits,
    Sessions,
    Responses,
    Queues,
    Locks,
    Store,
    Doctor,
    Log,
    Drill,
}

impl View {
    pub(super) const ALL: [Self; 11] = [
        Self::Overview,
        Self::Caches,
        Self::Limits,
        Self::Sessions,
        Self::Responses,
        Self::Queues,
        Self::Locks,
        Self::Store,
        Self::Doctor,
        Self::Log,
        Self::Drill,
    ];

    /// Returns its path below the page, without a slash.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Overview => "",
            Self::Caches => "caches",
            Self::Limits => "limits",
            Self::Sessions => "sessions",
            Self::Responses => "responses",
            Self::Queues => "queues",
            Self::Locks => "locks",
            Self::Store => "store",
            Self::Doctor => "doctor",
            Self::Log => "log",
            Self::Drill => "drill",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Caches => "Caches",
            Self::Limits => "Limits",
            Self::Sessions => "Sessions",
            Self::Responses => "Response cache",
            Self::Queues => "Queues",
            Self::Locks => "Locks",
            Self::Store => "Store",
            Self::Doctor => "Doctor",
            Self::Log => "Action log",
            Self::Drill => "Drill",
        }
    }

    pub(super) fn lead(self) -> &'static str {
        match self {
            Self::Overview => "How the app and its store are doing right now.",
            Self::Caches => "What the typed caches answered, and what that saved.",
            Self::Limits => "Who is refused by which policy, the most refused first.",
            Self::Sessions => "Sign-ins, and the devices of a user.",
            Self::Responses => "How responses were answered, by the outcome in Cache-Status.",
            Self::Queues => "Jobs by state, and how long the oldest has been due.",
            Self::Locks => "Who holds what, and who waits in order.",
            Self::Store => "Whether the store answers, and how fast.",
            Self::Doctor => "What the doctor says about the servers.",
            Self::Log => "What operators did on this page. It names no session and no key.",
            Self::Drill => "A thousand visitors open a cold page at once.",
        }
    }
}
