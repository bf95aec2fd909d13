//! Why a test of the suite does not pass.

/// The reason why some tests do not pass.
pub(super) struct Reason {
    /// The tests: their ids, each with a `*` at its end if it stands for all that begin so.
    pub(super) tests: &'static [&'static str],
    /// The section that decides it.
    pub(super) section: &'static str,
    /// One sentence.
    pub(super) why: &'static str,
}

/// All of them. The first that names a test counts.
pub(super) const REASONS: &[Reason] = &[
    Reason {
        tests: &["age-parse-*"],
        section: "RFC 9111, 5.1",
        why: "The suite wants a malformed or repeated `Age` to make a response stale; since RFC 9111 a cache \
              takes the first member, and ignores one that is not a number of seconds.",
    },
    Reason {
        tests: &["stale-close-*"],
        section: "RFC 9111, 5.2.2.2",
        why: "The answer is the error that the section asks for, a 502 from the proxy; the suite takes every \
              response that does not come from its origin for a stored one.",
    },
    Reason {
        tests: &["headers-store-Transfer-Encoding"],
        section: "RFC 9112, 6.1",
        why: "The suite's origin names a transfer coding that does not exist, so the body cannot be read, and \
              the proxy answers 502.",
    },
    Reason {
        tests: &["304-etag-update-response-ETag"],
        section: "RFC 9111, 4.3.4",
        why: "The suite's 304 has another strong entity tag than the stored response, so it speaks of another \
              one and freshens nothing.",
    },
    Reason {
        tests: &[
            "headers-store-Set-Cookie",
            "304-etag-update-response-Set-Cookie",
            "other-set-cookie",
        ],
        section: "RFC 9111, 7.3",
        why: "The safe profile stores no response that sets a cookie.",
    },
    Reason {
        tests: &[
            "headers-store-Content-Range",
            "304-etag-update-response-Content-Range",
        ],
        section: "RFC 9110, 14.4",
        why: "The safe profile does not store a 200 with `Content-Range`, which has no meaning there.",
    },
    Reason {
        tests: &["surrogate-*"],
        section: "RFC 9213, 2",
        why: "`Surrogate-Control` is in no RFC; the cache has the targeted fields of RFC 9213 in its place.",
    },
    Reason {
        tests: &["partial-store-partial-*"],
        section: "RFC 9111, 3.3",
        why: "A cache may store incomplete responses; this one stores whole ones, and cuts ranges from them.",
    },
    Reason {
        tests: &["method-POST"],
        section: "RFC 9110, 9.3.3",
        why: "A cache may store responses to POST; this one does not.",
    },
    Reason {
        tests: &["vary-normalise-lang-*"],
        section: "RFC 9111, 4.1",
        why: "A cache may compare `Accept-Language` by its meaning; this one compares no quality values and no order.",
    },
    Reason {
        tests: &["conditional-lm-fresh-no-lm"],
        section: "RFC 9111, 4.3.2",
        why: "Without `Last-Modified` the stored `Date` counts, and it is later than the date that the suite asks \
              about, so the response is sent whole.",
    },
];

impl Reason {
    pub(super) fn covers(&self, id: &str) -> bool {
        self.tests.iter().any(|test| match test.strip_suffix('*') {
            Some(start) => id.starts_with(start),
            None => *test == id,
        })
    }
}
