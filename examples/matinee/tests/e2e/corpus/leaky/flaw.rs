use super::{Reply, Request};
use crate::corpus::stage::Harm;

/// What is wrong with a cache, or with what it stands in front of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// It keeps what says that nobody may.
    KeepsWhatIsPersonal,
    /// It keeps the cookie that slides a session on.
    KeepsSetCookie,
    /// Links are made of `X-Forwarded-Host`, which is in no key.
    BelievesForwardedHost,
    /// Links are made of `Host`, which is in no key.
    LeavesOutHost,
    /// A page greets by its cookie, and the cache does not look at `Vary`.
    LeavesOutVary,
    /// What was compressed for one is sent to all.
    LeavesOutEncoding,
    /// The query is in no key.
    LeavesOutQuery,
    /// What looks like a file is kept, and what is behind an account is the account.
    KeepsByExtension,
    /// A path is kept as it came, and forwarded without its dots.
    ResolvesDots,
    /// What answers a HEAD answers a GET.
    MixesMethods,
    /// `X-Original-URL` is what is asked for.
    ObeysOverrides,
    /// An error is kept.
    KeepsErrors,
    /// A part is kept as the whole.
    KeepsParts,
    /// A body of a GET counts, and is in no key.
    ReadsBodies,
    /// A field that it does not know is too much for it.
    FallsOver,
    /// It waits for what never comes.
    Stalls,
    /// A link with a method in it signs out.
    SignsOut,
}

/// Every flaw, the case that finds it, and the harm that it does there.
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
    /// What an answer is kept under; nothing: it is not kept.
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

    /// What the origin is asked for.
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

    /// What comes of the origin's answer.
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
