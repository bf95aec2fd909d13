//! What is mutated, and by which tests.

/// A part of the code that decides something.
pub(super) struct Area {
    pub(super) name: &'static str,
    /// What it decides, for the page.
    pub(super) what: &'static str,
    pub(super) package: &'static str,
    /// The files, as `--file` of cargo-mutants takes them.
    pub(super) files: &'static [&'static str],
    /// The tests to run, cheapest first: later ones see only what the earlier ones did not catch.
    pub(super) tests: &'static [&'static [&'static str]],
}

/// Stands for the tests of each file's module in turn.
pub(super) const MODULE: &str = "{module}::";

/// The traces of other modules take most of the time.
const OWN: &[&str] = &["--lib", "--", MODULE];
const UNIT: &[&str] = &["--lib"];
const WHOLE: &[&str] = &["--test", "it"];
const BOTH: &[&str] = &["--lib", "--test", "it"];

/// All of them.
pub(super) const AREAS: &[Area] = &[
    Area {
        name: "limiter",
        what: "GCRA, quotas and windows; keys, networks and trusted proxies",
        package: "larder-rate-limit",
        files: &[
            "crates/larder-rate-limit/src/gcra/**",
            "crates/larder-rate-limit/src/key/**",
            "crates/larder-rate-limit/src/quota.rs",
            "crates/larder-rate-limit/src/window.rs",
        ],
        tests: &[OWN, WHOLE],
    },
    Area {
        name: "limiter-usage",
        what: "windows, logs, buckets and concurrency in one record",
        package: "larder-rate-limit",
        files: &[
            "crates/larder-rate-limit/src/usage/**",
            "crates/larder-rate-limit/src/program/**",
        ],
        tests: &[OWN, BOTH],
    },
    Area {
        name: "http",
        what: "the engine of RFC 9111",
        package: "larder-response-cache",
        files: &["crates/larder-response-cache/src/engine/**"],
        tests: &[OWN, BOTH],
    },
    Area {
        name: "envelopes",
        what: "the envelope that the layers share, and sealed values",
        package: "larder-layer",
        files: &[
            "crates/larder-layer/src/envelope.rs",
            "crates/larder-layer/src/sealing.rs",
        ],
        tests: &[OWN, UNIT],
    },
    Area {
        name: "cache-envelope",
        what: "the envelope of a cached value",
        package: "larder-cache",
        files: &["crates/larder-cache/src/envelope/**"],
        tests: &[OWN, BOTH],
    },
    Area {
        name: "response-records",
        what: "the record of a stored response",
        package: "larder-response-cache",
        files: &["crates/larder-response-cache/src/storage/record/**"],
        tests: &[OWN, BOTH],
    },
    Area {
        name: "keys",
        what: "the escaping and parsing of keys",
        package: "larder-store",
        files: &["crates/larder-store/src/key/**"],
        tests: &[OWN, UNIT],
    },
    Area {
        name: "tokens",
        what: "cookies, tokens and sealed sessions",
        package: "larder-session",
        files: &[
            "crates/larder-session/src/cookie/**",
            "crates/larder-session/src/token.rs",
            "crates/larder-session/src/session_key.rs",
            "crates/larder-session/src/sealing.rs",
        ],
        tests: &[OWN, BOTH],
    },
    Area {
        name: "leases",
        what: "leases and fences in process",
        package: "larder-moka",
        files: &["crates/larder-moka/src/leases/**"],
        tests: &[OWN, UNIT],
    },
    Area {
        name: "structures",
        what: "the programs and records of the structures",
        package: "larder-structures",
        files: &[
            "crates/larder-structures/src/buckets/programs.rs",
            "crates/larder-structures/src/counter/programs.rs",
            "crates/larder-structures/src/fenced/record.rs",
            "crates/larder-structures/src/leaderboard/record.rs",
            "crates/larder-structures/src/ledger/{programs,record}.rs",
            "crates/larder-structures/src/member_set/programs.rs",
            "crates/larder-structures/src/membership/programs.rs",
            "crates/larder-structures/src/ordered.rs",
            "crates/larder-structures/src/recent_list/programs.rs",
            "crates/larder-structures/src/record/programs.rs",
            "crates/larder-structures/src/unique_count/programs.rs",
        ],
        tests: &[OWN, BOTH],
    },
    Area {
        name: "queue",
        what: "the programs of the queue",
        package: "larder-queue",
        files: &["crates/larder-queue/src/record/**"],
        tests: &[UNIT, WHOLE],
    },
];
