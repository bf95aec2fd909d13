use std::path::Path;
use std::time::{Duration, Instant};

use larder_test::server::{RedisServer, Sandbox};

use crate::Failure;
use crate::app::App;
use crate::chromium::Chromium;
use crate::incident::{BUSY, Incident};
use crate::walk::{ADA, ADMIN, VIEWS, Visit};

const PAGE: &str = "/admin/operations";
/// The links to its views.
const LINKS: &str = "nav[aria-label='Views'] a";
/// The message after a form has acted.
const DONE: &str = ".notice[role='status']";
/// While Redis is away.
const SOON: f64 = 1_000.0;

/// Looks at every view as an administrator, does each action once, and looks again while Redis is down. Returns
/// the number of steps.
pub(crate) fn walk(chromium: &Chromium, dir: &Path) -> Result<usize, Failure> {
    let sandbox = Sandbox::new()?;
    let redis = RedisServer::start()?;
    let app = App::open(&sandbox, &redis.url(), "600/minute")?;
    let incident = Incident::happen(&app.url, &redis.url(), traffic())?;
    let mut steps = 0;
    for view in VIEWS {
        let mut visit = Visit::begin(chromium, view, dir, format!("operations-{}", view.name))?;
        let taken = arrive(&mut visit, &app).and_then(|()| look_around(&mut visit));
        steps += visit.end(taken)?;
    }
    let wide = VIEWS[1];
    let mut visit = Visit::begin(chromium, wide, dir, "operations-acts")?;
    let taken = arrive(&mut visit, &app).and_then(|()| act(&mut visit, &app));
    steps += visit.end(taken)?;

    let mut visit = Visit::begin(chromium, wide, dir, "operations-refused")?;
    let taken = be_refused(&mut visit, &app);
    steps += visit.end(taken)?;

    for view in [VIEWS[0], wide] {
        let name = format!("operations-{}-without-redis", view.name);
        let mut visit = Visit::begin(chromium, view, dir, name)?;
        let taken = arrive(&mut visit, &app).and_then(|()| {
            redis.stop()?;
            let taken = look_without_redis(&mut visit, &app);
            redis.cont()?;
            taken
        });
        steps += visit.end(taken)?;
        wait_until_ready(&app)?;
    }
    drop(incident);
    Ok(steps)
}

/// Waits until the app sees that Redis works again: until then nobody can sign in.
fn wait_until_ready(app: &App) -> Result<(), Failure> {
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    let agent: ureq::Agent = config.build().into();
    let since = Instant::now();
    let ready = format!("{}/readyz", app.url);
    let is_ready = || {
        let mut answer = agent.get(&ready).call()?;
        let told = answer.body_mut().read_to_string()?;
        Ok::<_, Failure>(told.contains("\"status\":\"ready\""))
    };
    while !is_ready()? {
        if since.elapsed() > Duration::from_secs(20) {
            return Err("the app is not ready".into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// How long visitors come before the walk: `WALK_TRAFFIC` in seconds, for charts with more to show.
fn traffic() -> Duration {
    let set = std::env::var("WALK_TRAFFIC").ok();
    Duration::from_secs(set.and_then(|seconds| seconds.parse().ok()).unwrap_or(6))
}

fn arrive(visit: &mut Visit<'_>, app: &App) -> Result<(), Failure> {
    visit.page.go(&format!("{}/admin", app.url))?;
    visit.sign_in(ADMIN, ADMIN.password)?;
    visit.page.expect(&["Films to edit"])?;
    visit.page.follow(&format!("a[href='{PAGE}']"))?;
    visit.page.expect(&["Overview"])
}

/// Looks at every view that the page links to.
fn look_around(visit: &mut Visit<'_>) -> Result<(), Failure> {
    let links =
        format!("[...document.querySelectorAll(\"{LINKS}\")].map(it => it.getAttribute('href'))");
    let links = visit.page.evaluate(&links)?;
    let links: Vec<_> = links
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|it| it.as_str())
        .collect();
    if links.len() < 10 {
        return Err(format!("not all views are linked: {links:?}").into());
    }
    for link in links {
        visit.page.follow(&format!("{LINKS}[href='{link}']"))?;
        let text = visit.page.text("main")?;
        if text.contains("did not answer") {
            return Err(format!("{link}: {text}").into());
        }
        let name = link.strip_prefix(PAGE).unwrap_or(link).trim_matches('/');
        visit.seen(if name.is_empty() { "overview" } else { name })?;
    }
    Ok(())
}

/// Does each action once.
fn act(visit: &mut Visit<'_>, app: &App) -> Result<(), Failure> {
    let url = format!("{}{PAGE}", app.url);
    let ada = Device::sign_in(app)?;
    visit.page.go(&format!("{url}/sessions"))?;
    visit.page.fill("input[name='user']", "1")?;
    visit.page.follow("form[action$='/sessions'] button")?;
    visit.page.expect(&["living session"])?;
    visit.seen("devices")?;
    do_it(visit, "revoke-device", "1 session has ended.", true)?;
    visit.page.fill("input[name='user']", "1")?;
    visit.page.follow("form[action$='/sessions'] button")?;
    do_it(visit, "revoke-user", "ended.", true)?;
    if ada.is_signed_in(app)? {
        return Err("Ada is still signed in".into());
    }

    let field = |action: &str, name: &str| {
        format!("form:has(input[value='{action}']) input[name='{name}']")
    };
    let subject = |action: &str| field(action, "subject");
    visit.page.go(&format!("{url}/limits"))?;
    visit
        .page
        .fill(&field("reset-limit", "policy"), "visitors")?;
    visit.page.fill(&subject("reset-limit"), BUSY)?;
    do_it(
        visit,
        "reset-limit",
        "1 visitor has the whole quota again.",
        true,
    )?;

    visit.page.go(&format!("{url}/responses"))?;
    visit
        .page
        .fill(&subject("purge-uri"), &format!("{}/films/1", app.url))?;
    do_it(visit, "purge-uri", "1 target was purged.", true)?;
    visit.page.fill(&subject("purge-tag"), "catalogue")?;
    do_it(visit, "purge-tag", "1 target was purged.", true)?;

    visit.page.go(&format!("{url}/queues"))?;
    do_it(visit, "pause-queue", "The queue is paused", false)?;
    visit.page.expect(&["paused"])?;
    do_it(visit, "resume-queue", "The queue is running again.", false)?;
    do_it(visit, "redrive-queue", "3 dead letters wait again.", true)?;

    visit.page.go(&format!("{url}/locks"))?;
    visit.page.expect(&["nightly-report"])?;
    do_it(visit, "break-lock", "1 holder has lost the lock.", true)?;

    visit.page.go(&format!("{url}/drill"))?;
    visit.page.follow("main form button")?;
    visit.seen("drill-is-done")?;

    let ada = Device::sign_in(app)?;
    visit.page.go(&format!("{url}/sessions"))?;
    submit(visit, "revoke-everyone", true)?;
    // The operator is among those who were signed out.
    visit.page.expect(&["Sign in"])?;
    visit.seen("revoke-everyone")?;
    if ada.is_signed_in(app)? {
        return Err("Ada is still signed in".into());
    }
    visit.sign_in(ADMIN, ADMIN.password)?;
    visit.page.go(&format!("{url}/log"))?;
    visit.page.expect(&[
        "reset-limit",
        "purge-tag",
        "redrive-queue",
        "break-lock",
        "revoke-everyone",
        "The projectionist",
    ])?;
    visit.seen("log")
}

/// Sends the form of an action, and reads the message about what was done.
fn do_it(visit: &mut Visit<'_>, action: &str, done: &str, is_asked: bool) -> Result<(), Failure> {
    submit(visit, action, is_asked)?;
    let told = visit.page.text(DONE)?;
    if !told.contains(done) {
        return Err(format!("{action}: {told}").into());
    }
    visit.seen(action)
}

/// Sends the form of an action, and answers its question if there is one.
fn submit(visit: &mut Visit<'_>, action: &str, is_asked: bool) -> Result<(), Failure> {
    let form = format!("form:has(input[value='{action}'])");
    visit.page.follow(&format!("{form} button"))?;
    if is_asked {
        visit.page.expect(&["Are you sure?"])?;
        visit.seen(&format!("{action}-asks"))?;
        visit
            .page
            .follow(&format!("{form}:has(input[name='sure']) button"))?;
    }
    Ok(())
}

/// Checks that a user without the role is refused, and a stranger is sent to the form.
fn be_refused(visit: &mut Visit<'_>, app: &App) -> Result<(), Failure> {
    visit.page.go(&format!("{}{PAGE}/queues", app.url))?;
    visit.page.expect(&["Sign in"])?;
    visit.sign_in(ADA, ADA.password)?;
    visit
        .page
        .expect(&["Only administrators may open this page."])?;
    visit.seen_as("ada", Some(403))
}

/// Checks that the page is shown within a second, and says that the store does not answer.
fn look_without_redis(visit: &mut Visit<'_>, app: &App) -> Result<(), Failure> {
    for path in ["", "/queues", "/sessions", "/store"] {
        visit.page.go(&format!("{}{PAGE}{path}", app.url))?;
        let took = "performance.getEntriesByType('navigation')[0].responseEnd";
        let took = visit.page.evaluate(took)?.as_f64().unwrap_or(f64::MAX);
        if took > SOON {
            return Err(format!("{path} took {took} ms").into());
        }
        let text = visit.page.text("main")?;
        let is_about_figures = path == "/sessions";
        if !is_about_figures && !text.contains("did not answer") {
            return Err(format!("{path} does not say that the store is away: {text}").into());
        }
        let name = path.trim_start_matches('/');
        visit.seen(if name.is_empty() { "overview" } else { name })?;
    }
    Ok(())
}

/// Ada's device at home, which is signed out.
struct Device(ureq::Agent, String);

impl Device {
    fn sign_in(app: &App) -> Result<Self, Failure> {
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let agent: ureq::Agent = config.max_redirects(0).build().into();
        let form = [("email", ADA.email), ("password", ADA.password)];
        let answer = agent.post(format!("{}/sign-in", app.url)).send_form(form)?;
        let cookie = answer
            .headers()
            .get("set-cookie")
            .ok_or("Ada is not signed in")?;
        let cookie = cookie.to_str()?.split(';').next().unwrap_or_default();
        Ok(Self(agent, cookie.to_owned()))
    }

    fn is_signed_in(&self, app: &App) -> Result<bool, Failure> {
        let request = self.0.get(format!("{}/account", app.url));
        Ok(request.header("cookie", &self.1).call()?.status() == 200)
    }
}
