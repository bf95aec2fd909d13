use super::{Reply, Request};
use crate::corpus::stage::Harm;

/// A flaw of a cache, or of the server behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// It stores responses that forbid storing.
    KeepsWhatIsPersonal,
    /// It stores the cookie that prolongs a session.
    KeepsSetCookie,
    /// Links are built from `X-Forwarded-Host`, which is not in the key.
    BelievesForwardedHost,
    /// Links are built from `Host`, which is not in the key.
    LeavesOutHost,
    /// A page greets the visitor by the cookie, and the cache ignores `Vary`.
    LeavesOutVary,
    /// A response that was compressed for one client is sent to all.
    LeavesOutEncoding,
    /// The query is not in the key.
    LeavesOutQuery,
    /// Paths that look like files are stored, and the path below an account leads to the account.
    KeepsByExtension,
    /// A path is stored as received, but forwarded without its dots.
    ResolvesDots,
    /// The response to a HEAD answers a GET.
    MixesMethods,
    /// `X-Original-URL` overrides the path.
    ObeysOverrides,
    /// An error is stored.
    KeepsErrors,
    /// A partial response is stored as a complete one.
    KeepsParts,
    /// The body of a GET matters, but is not in the key.
    ReadsBodies,
    /// It fails on an unknown field.
    FallsOver,
    /// It waits for something that never comes.
    Stalls,
    /// A link that names a method signs the visitor out.
    SignsOut,
}

/// Every flaw, the case that finds it, and the harm that it does in that case.
pub(crate) const FLAWS: [(Flaw, &str, Harm); 17] = [
    (Flaw::KeepsWhatIsPersonal, "an account", Harm::Leak),
    (Flaw::KeepsSetCookie, "signed in on a film", Harm::Cookie),
    (Flaw::BelievesForwardedHost, "x-forwarded-host", Harm::Echo),
    (Flaw::LeavesOutHost, "another host", Harm::Echo),
    (Flaw::LeavesOutVary, "signed in on a film", Harm::Leak),
    (
        Flaw::LeavesOutEncoding,
        "accept-encoding, gzip",
        Harm::Changed,
    ),
    (Flaw::LeavesOutQuery, "another page", Harm::Changed),
    (
        Flaw::KeepsByExtension,
        "an account as a style sheet",
        Harm::Leak,
    ),
    (Flaw::ResolvesDots, "an account above a film", Harm::Leak),
    (Flaw::MixesMethods, "HEAD", Harm::Changed),
    (
        Flaw::ObeysOverrides,
        "x-original-url to an account",
        Harm::Changed,
    ),
    (
        Flaw::KeepsErrors,
        "x-http-method-override to POST",
        Harm::Changed,
    ),
    (Flaw::KeepsParts, "range of a few bytes", Harm::Changed),
    (Flaw::ReadsBodies, "a fat GET", Harm::Echo),
    (Flaw::FallsOver, "max-forwards", Harm::Failure),
    (Flaw::Stalls, "a body is expected", Harm::Hang),
    (Flaw::SignsOut, "GET signs nobody out", Harm::SignedOut),
];

impl Flaw {
    /// Returns the key under which an answer is stored, or `None` if it is not stored.
    pub(super) fn key(self, request: &Request) -> Option<String> {
        let host = request.field("host").unwrap_or_default();
        let (path, target) = (path_of(&request.target), &request.target);
        let is_shared = matches!(path, "/" | "/films/7");
        let is_get = request.method == "GET";
        let key = match self {
            Self::LeavesOutHost => target.clone(),
            Self::LeavesOutQuery => format!("{host} {path}"),
            _ => format!("{host} {target}"),
        };
        let is_kept = match self {
            Self::KeepsWhatIsPersonal => is_get,
            Self::KeepsByExtension => is_get && (path.ends_with(".css") || path.ends_with(".js")),
            Self::ResolvesDots => is_get && path.starts_with("/films/"),
            Self::MixesMethods => is_shared && (is_get || request.method == "HEAD"),
            Self::FallsOver | Self::Stalls | Self::SignsOut => false,
            _ => is_shared && is_get,
        };
        is_kept.then_some(key)
    }

    pub(super) fn keeps(self, reply: &Reply) -> bool {
        match self {
            Self::KeepsErrors => reply.status >= 400,
            Self::KeepsParts => reply.status == 200 || reply.status == 206,
            _ => reply.status == 200,
        }
    }

    pub(super) fn stalls(self, request: &Request) -> bool {
        self == Self::Stalls && request.field("expect").is_some()
    }

    /// Changes the request that is sent to the origin.
    pub(super) fn before(self, request: &mut Request) {
        if self != Self::LeavesOutEncoding {
            request.fields.retain(|(name, _)| name != "accept-encoding");
        }
        match self {
            Self::KeepsByExtension => {
                for account in ["/account", "/tickets"] {
                    if request.target.starts_with(account) {
                        account.clone_into(&mut request.target);
                    }
                }
            }
            Self::ResolvesDots if request.target.ends_with("/account") => {
                "/account".clone_into(&mut request.target);
            }
            Self::ObeysOverrides => {
                if let Some(url) = request.field("x-original-url").map(str::to_owned) {
                    request.target = url;
                }
            }
            Self::SignsOut => {
                let is_asked = request.target.contains("sign-out")
                    || request.field("x-original-url") == Some("/sign-out");
                if is_asked {
                    "POST".clone_into(&mut request.method);
                    "/sign-out".clone_into(&mut request.target);
                }
            }
            _ => {}
        }
    }

    /// Changes the origin's answer.
    pub(super) fn after(self, request: &Request, reply: &mut Reply) {
        let field = |name| request.field(name).unwrap_or_default().to_owned();
        match self {
            Self::KeepsSetCookie if request.field("cookie").is_some() => {
                reply
                    .fields
                    .push(("set-cookie".to_owned(), field("cookie")));
            }
            Self::BelievesForwardedHost => say(reply, &field("x-forwarded-host")),
            Self::LeavesOutHost => say(reply, &field("host")),
            Self::LeavesOutVary => say(reply, &field("cookie")),
            Self::KeepsErrors if field("x-http-method-override") == "POST" => reply.status = 405,
            Self::KeepsParts if request.field("range").is_some() => {
                reply.status = 206;
                reply.body.truncate(10);
            }
            Self::ReadsBodies => say(reply, &String::from_utf8_lossy(&request.body)),
            Self::FallsOver if request.field("max-forwards").is_some() => reply.status = 502,
            _ => {}
        }
    }
}

fn say(reply: &mut Reply, text: &str) {
    reply.body.extend_from_slice(text.as_bytes());
}

fn path_of(target: &str) -> &str {
    target.split(['?', '#']).next().unwrap_or_default()
}
