//! The people: an attacker's victim who is signed in, another signed-in visitor, and a stranger.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use super::case::{Case, Words};
use super::wire::{self, Reply, Trouble};
use crate::app::App;
use crate::seats;
use crate::visitor::{ADA, GRACE, Visitor};

/// The pages that are cached for everybody.
const SHARED: [&str; 2] = ["/", "/films/7"];
/// A text in the name and the address of the signed-in visitor, and nowhere else.
const CANARY: &str = "canary-4f1c";
/// Header fields that are about one request.
const OF_THE_REQUEST: [&str; 8] = [
    "age",
    "cache-status",
    "connection",
    "date",
    "ratelimit",
    "ratelimit-policy",
    "server-timing",
    "x-request-id",
];

/// What went wrong in a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Harm {
    /// Somebody saw what belongs to another visitor.
    Leak,
    /// Somebody received a cookie without having asked for it.
    Cookie,
    /// A page has changed.
    Changed,
    /// A page repeats what the attacker sent.
    Echo,
    /// 5xx.
    Failure,
    /// No answer.
    Hang,
    /// Somebody is signed out, or cannot see their own page.
    SignedOut,
    /// The attacker received other answers than the case declares.
    Answers,
}

/// A harm, and where it was seen.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) harm: Harm,
    pub(crate) told: String,
}

/// An app, its visitors, and its pages before the attacks.
pub(crate) struct Stage {
    /// The app's own servers.
    origins: Vec<SocketAddr>,
    /// The servers that everybody uses.
    servers: Vec<SocketAddr>,
    patience: Duration,
    ada: String,
    grace: String,
    canaries: Vec<String>,
    before: Vec<Reply>,
}

impl Stage {
    /// Signs two visitors in, one with a recognizable name, a ticket and two devices.
    pub(crate) fn set(app: &App) -> Self {
        app.execute(&format!(
            "UPDATE users SET name = '{CANARY} of Ada', email = '{CANARY}@matinee.example'
             WHERE email = '{}'",
            ADA.email
        ));
        let sign_in = |email: &str, password| {
            let visitor = Visitor::with_a_browser();
            let answer = visitor.try_sign_in(app.first(), email, password);
            assert_eq!(answer.status, 303, "{answer:?}");
            visitor
        };
        let email = format!("{CANARY}@matinee.example");
        let (ada, elsewhere) = (sign_in(&email, ADA.password), sign_in(&email, ADA.password));
        let grace = sign_in(GRACE.email, GRACE.password);
        let showing = seats::a_showing(app);
        for what in ["hold", "book"] {
            let answer = seats::ask(&ada, app.first(), &showing, what, &["A1"]);
            assert_eq!(answer.status, 303, "{answer:?}");
        }
        let account = ada.get(app.first(), "/account").body;
        let tickets = ada.get(app.first(), "/tickets").body;
        let between = |text: &str, mark: &str| {
            let (_, rest) = text.split_once(mark).unwrap();
            rest.split('"').next().unwrap().to_owned()
        };
        let mut canaries = vec![
            CANARY.to_owned(),
            between(&account, "name=\"device\" value=\""),
            between(&tickets, "id=\"ticket-"),
        ];
        for visitor in [&ada, &elsewhere] {
            let cookie = visitor.cookies().header().unwrap();
            let (_, value) = cookie.split_once('=').unwrap();
            canaries.extend(value.split('.').map(str::to_owned));
        }
        let cookie = |visitor: &Visitor| visitor.cookies().header().unwrap();
        let servers = app.servers().iter().map(|server| server.address());
        let origins: Vec<_> = servers.collect();
        let mut stage = Self {
            servers: origins.clone(),
            origins,
            patience: Duration::from_secs(8),
            ada: cookie(&ada),
            grace: cookie(&grace),
            canaries: canaries.iter().map(|it| it.to_lowercase()).collect(),
            before: Vec::new(),
        };
        let before = SHARED.map(|page| stage.ask(stage.servers[0], "before.example", page, ""));
        stage.before = before.into_iter().map(Result::unwrap).collect();
        assert!(stage.before.iter().all(|reply| reply.status == 200));
        stage
    }

    /// Sends everybody to this address instead, with this longest wait.
    pub(crate) fn behind(&mut self, address: SocketAddr, patience: Duration) {
        self.servers = vec![address];
        self.patience = patience;
    }

    pub(crate) fn canaries(&self) -> &[String] {
        &self.canaries
    }

    /// Plays one case: a signed-in visitor attacks, and then the others look at their pages.
    ///
    /// On a busy machine the store may miss its deadline, and then the app answers 503, as intended. So harms
    /// that this could cause count only if they happen again; a leak counts at once.
    pub(crate) fn play(&self, number: usize, case: &Case) -> Vec<Finding> {
        let may_pass = |it: &Finding| {
            let harms = [Harm::Answers, Harm::Failure, Harm::SignedOut];
            harms.contains(&it.harm)
        };
        let mut found = Vec::new();
        for time in 0..3 {
            let server = self.servers[number % self.servers.len()];
            found = self.play_once(server, &format!("{number}-{time}"), case);
            if found.is_empty() || !found.iter().all(may_pass) {
                break;
            }
        }
        found
    }

    /// `name` is unique for this attempt, so that no earlier attempt interferes.
    fn play_once(&self, server: SocketAddr, name: &str, case: &Case) -> Vec<Finding> {
        let words = Words {
            host: format!("site-{name}.matinee.example"),
            evil: format!("evil-{name}-word"),
            film: SHARED[1],
            cookie: self.ada.clone(),
        };
        let mut findings = Findings {
            case: case.name,
            found: Vec::new(),
        };
        let tried = wire::exchange(server, &case.bytes(&words), case.is_head(), self.patience);
        match tried {
            Ok(replies) => {
                let answers: Vec<_> = replies.iter().map(|reply| reply.status).collect();
                if answers != case.answers {
                    let told = format!("{answers:?} instead of {:?}", case.answers);
                    findings.add(Harm::Answers, &told);
                }
                let is_failure = |it: &&u16| **it >= 500 && !case.answers.contains(*it);
                if answers.iter().any(|status| is_failure(&status)) {
                    findings.add(Harm::Failure, "to the attacker");
                }
            }
            Err(trouble) => findings.add_trouble(&trouble, Harm::Answers, "to the attacker"),
        }
        for server in &self.servers {
            self.look_around(*server, case, &words, &mut findings);
        }
        findings.found
    }

    fn look_around(&self, server: SocketAddr, case: &Case, words: &Words, findings: &mut Findings) {
        let link = case.link(words);
        for (who, cookie) in [("a stranger", None), ("Grace", Some(&self.grace))] {
            let cookie = cookie.map_or_else(String::new, |it| format!("Cookie: {it}\r\n"));
            let ask = |page: &str| self.ask(server, &words.host, page, &cookie);
            for (page, before) in SHARED.iter().zip(&self.before) {
                let place = format!("{who} at {page}");
                match ask(page) {
                    Ok(reply) => {
                        self.judge(&reply, &words.evil, &place, findings);
                        if let Some(told) = changed(&reply, before)
                            && self
                                .made_now(server, words, page)
                                .is_none_or(|now| changed(&reply, &now).is_some())
                        {
                            findings.add(Harm::Changed, &format!("{place}: {told}"));
                        }
                    }
                    Err(trouble) => findings.add_trouble(&trouble, Harm::Changed, &place),
                }
            }
            if let Some(link) = &link {
                let place = format!("{who} at {link}");
                let evil = if case.link_is_evil() {
                    "\0"
                } else {
                    &words.evil
                };
                match ask(link) {
                    Ok(reply) => self.judge(&reply, evil, &place, findings),
                    Err(trouble) => findings.add_trouble(&trouble, Harm::Changed, &place),
                }
            }
        }
        for (who, cookie, name) in [("Grace", &self.grace, "grace"), ("Ada", &self.ada, CANARY)] {
            let cookie = format!("Cookie: {cookie}\r\n");
            match self.ask(server, &words.host, "/account", &cookie) {
                Ok(reply) => {
                    if who == "Grace" {
                        self.judge(&reply, &words.evil, "Grace at /account", findings);
                    }
                    if reply.status != 200 || !reply.text().contains(name) {
                        findings.add(Harm::SignedOut, &format!("{who}: {}", reply.status));
                    }
                }
                Err(trouble) => findings.add_trouble(&trouble, Harm::Changed, "/account"),
            }
        }
    }

    /// Returns the page as the app makes it now, for a host that nobody has used before: a showing
    /// may have begun since the start, and then the page has changed for everybody.
    fn made_now(&self, server: SocketAddr, words: &Words, page: &str) -> Option<Reply> {
        let is_origin = self.origins.contains(&server);
        let origin = if is_origin { server } else { self.origins[0] };
        let host = format!("untouched-{}", words.host);
        self.ask(origin, &host, page, "").ok()
    }

    /// Checks for what only the signed-in visitor may see, and for what nobody may see.
    fn judge(&self, reply: &Reply, evil: &str, place: &str, findings: &mut Findings) {
        let text = reply.text();
        if self.canaries.iter().any(|canary| text.contains(canary)) {
            findings.add(Harm::Leak, place);
        }
        if reply.field("set-cookie").is_some() {
            findings.add(Harm::Cookie, place);
        }
        if text.contains(evil) {
            findings.add(Harm::Echo, place);
        }
        if reply.status >= 500 {
            findings.add(Harm::Failure, &format!("{place}: {}", reply.status));
        }
    }

    fn ask(
        &self,
        server: SocketAddr,
        host: &str,
        page: &str,
        fields: &str,
    ) -> Result<Reply, Trouble> {
        wire::ask(server, host, page, fields, self.patience)
    }
}

struct Findings {
    case: &'static str,
    found: Vec<Finding>,
}

impl Findings {
    fn add(&mut self, harm: Harm, told: &str) {
        let told = format!("{}: {harm:?}: {told}", self.case);
        self.found.push(Finding { harm, told });
    }

    fn add_trouble(&mut self, trouble: &Trouble, garbage: Harm, place: &str) {
        let harm = match trouble {
            Trouble::Hang => Harm::Hang,
            Trouble::Garbage(_) => garbage,
        };
        self.add(harm, &format!("{place}: {trouble:?}"));
    }
}

/// Returns how a page differs from another, except for fields about one request and about the load.
fn changed(now: &Reply, before: &Reply) -> Option<String> {
    let fields = |reply: &Reply| {
        let fields = reply.fields.iter().cloned();
        let lasting = fields.filter(|(name, _)| !OF_THE_REQUEST.contains(&name.as_str()));
        lasting.collect::<BTreeSet<_>>()
    };
    let (new, old) = (fields(now), fields(before));
    if now.status != before.status || new != old {
        let differ: Vec<_> = new.symmetric_difference(&old).collect();
        return Some(format!("{} {differ:?}", now.status));
    }
    (without_load(&now.body) != without_load(&before.body)).then(|| "another body".to_owned())
}

/// Returns the page without the line that says when its data was loaded.
fn without_load(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let Some((start, rest)) = text.split_once("<p class=\"freshness\">") else {
        return text.into_owned();
    };
    let (_, end) = rest.split_once("</p>").unwrap_or_default();
    format!("{start}{end}")
}
