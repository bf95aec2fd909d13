use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use larder::Key;
use larder::session::{DeviceId, EveryoneRecord, SessionRecord};
use larder::store::Timestamp;
use larder::store::program::{Inspection, Record};
use larder_ops::counted::Counted;
use larder_ops::records::{self, field, number_of};
use larder_ops::text::of;
use larder_ops::time::{ago, until};
use serde_json::{Value, json};

use super::{DONE, NOT_DONE};
use crate::args::Session;
use crate::error::{Error, Result};
use crate::output::{Output, Rest, escape};
use crate::scan::{self, each_page, id_of};
use crate::target::Target;

pub(super) async fn run(
    target: &Target,
    command: &Session,
    output: &mut Output<'_, '_>,
) -> Result<u8> {
    match command {
        Session::Ls {
            user: Some(user),
            limit,
        } => devices(target, user, *limit, output).await,
        Session::Ls { user: None, limit } => list(target, *limit, output).await,
        Session::Revoke { all: true, .. } => revoke_everything(target, output).await,
        Session::Revoke {
            user: Some(user),
            device: Some(device),
            ..
        } => revoke_one(target, user, device, output).await,
        Session::Revoke {
            user: Some(user), ..
        } => revoke_user(target, user, output).await,
        Session::Revoke { user: None, .. } => Err(Error::usage("name a --user, or --all")),
    }
}

async fn devices(
    target: &Target,
    user: &str,
    limit: usize,
    output: &mut Output<'_, '_>,
) -> Result<u8> {
    let devices = target.sessions()?.devices(user).await?;
    let rest = Rest {
        cut_at: (devices.len() > limit).then_some(limit),
        ..Rest::default()
    };
    let rows = devices.iter().take(limit).map(|device| {
        vec![
            json!(device.id.to_string()),
            json!(device.name),
            json!(ago(device.signed_in)),
            json!(ago(device.last_seen)),
            json!(until(device.expires)),
        ]
    });
    let columns = ["device", "name", "signed in", "last seen", "ends"];
    output.listing(&columns, rows.collect(), &rest)?;
    Ok(DONE)
}

async fn list(target: &Target, limit: usize, output: &mut Output<'_, '_>) -> Result<u8> {
    let (sessions, rest) = living(target, limit, output).await?;
    let rows = sessions.iter().map(|session| {
        let time = |name: &str, write: fn(Timestamp) -> String| {
            let micros = session.find(name).and_then(|micros| micros.parse().ok());
            micros.map_or(Value::Null, |micros| {
                json!(write(Timestamp::from_micros(micros)))
            })
        };
        vec![
            json!(id_of(&session.key)),
            json!(session.find("user")),
            time("created_us", ago),
            time("seen_us", ago),
            time("idle_deadline_us", until),
        ]
    });
    let columns = ["device", "user", "created", "last seen", "ends"];
    output.listing(&columns, rows.collect(), &rest)?;
    Ok(DONE)
}

/// A stored session.
struct Stored {
    key: Key,
    shown: Inspection,
}

impl Stored {
    fn find(&self, name: &str) -> Option<&str> {
        field(&self.shown, name)
    }

    /// Returns when its user signed in, in microseconds.
    fn signed_in(&self) -> Option<i64> {
        self.find("signed_in_us")?.parse().ok()
    }

    /// Returns whether it has not ended, if the sessions of all users ended at `ended`.
    ///
    /// Sessions of users that ended with all others stay for a while, and so does the reason of an end.
    fn is_living(&self, ended: i64) -> bool {
        self.find("created_us").is_some() && self.signed_in().is_none_or(|at| at > ended)
    }
}

/// Returns sessions of signed-in users and of visitors, and what a list of them omits.
async fn living(
    target: &Target,
    limit: usize,
    output: &mut Output<'_, '_>,
) -> Result<(Vec<Stored>, Rest)> {
    let found = scan::list::<SessionRecord>(target, output, limit).await?;
    let rest = found.rest();
    let sessions = found
        .readable
        .into_iter()
        .map(|(key, shown)| Stored { key, shown });
    let ended = all_ended(target).await?;
    let living = sessions.filter(|session| session.is_living(ended));
    Ok((living.collect(), rest))
}

/// Returns when the sessions of all users were last ended, in microseconds by the clock of the servers.
async fn all_ended(target: &Target) -> Result<i64> {
    let everyone = Key::new(EveryoneRecord::KIND, "all");
    Ok(number_of::<EveryoneRecord>(&*target.programs()?, &everyone, "ended_us").await?)
}

async fn revoke_one(
    target: &Target,
    user: &str,
    device: &str,
    output: &mut Output<'_, '_>,
) -> Result<u8> {
    let id: DeviceId = device.parse()?;
    let sessions = target.sessions()?;
    let devices = sessions.devices(user).await?;
    if !devices.iter().any(|listed| listed.id == id) {
        return Err(Error::usage("this user has no such session"));
    }
    if !output.confirm("This ends 1 session.")? {
        return Ok(NOT_DONE);
    }
    let is_gone = sessions.revoke(user, id).await?;
    ended(u64::from(is_gone), output)
}

async fn revoke_user(target: &Target, user: &str, output: &mut Output<'_, '_>) -> Result<u8> {
    let sessions = target.sessions()?;
    let count = async || -> Result<Counted> {
        let devices = sessions.devices(user).await?;
        Ok(Counted::of(devices.iter().map(|device| device.id)))
    };
    let counted = count().await?;
    let what = of(counted.len(), "session", "sessions");
    if !output.confirm(&format!("This ends {what} of the user."))? {
        return Ok(NOT_DONE);
    }
    let now = count().await?;
    if !counted.covers(&now) && !output.is_sure() {
        return output.changed("the user has signed in");
    }
    sessions.revoke_all(user).await?;
    ended(now.len(), output)
}

/// Reports how many sessions of a user ended.
fn ended(count: u64, output: &mut Output<'_, '_>) -> Result<u8> {
    output.done(count, "session ended", "sessions ended")?;
    Ok(if count > 0 { DONE } else { NOT_DONE })
}

async fn revoke_everything(target: &Target, output: &mut Output<'_, '_>) -> Result<u8> {
    // All sessions end in one step, which needs no count: a long or failing count does not delay or prevent it.
    let mut asked = None;
    if !output.is_sure() {
        let counted = count(target, output).await;
        output.end_progress();
        if !output.confirm(&question(&counted))? {
            return Ok(NOT_DONE);
        }
        asked = counted.ok().map(|counted| counted.sessions);
    }
    let before = all_ended(target).await;
    target.sessions()?.revoke_everyone().await?;
    // They have all ended; this only frees their space, so it may fail.
    let freed = match before {
        Ok(before) => free_ended(target, before, output).await.ok(),
        Err(_) => None,
    };
    output.end_progress();
    match freed.or(asked) {
        Some(ended) => output.done(ended, "session ended", "sessions ended")?,
        None => output.either(
            &json!({ "done": Value::Null }),
            "the sessions of all users ended, which were not counted",
        )?,
    }
    Ok(DONE)
}

/// The number of sessions of users, and of these users.
struct Count {
    sessions: u64,
    users: u64,
}

fn question(counted: &Result<Count>) -> String {
    match counted {
        Ok(counted) => format!(
            "This ends all {}, of {}: everybody must sign in again.",
            of(counted.sessions, "session", "sessions"),
            of(counted.users, "user", "users")
        ),
        Err(error) => format!(
            "This ends the sessions of all users, who must sign in again. They could not be counted: {}.",
            escape(&error.to_string())
        ),
    }
}

/// Counts the sessions of users that have not ended.
async fn count(target: &Target, output: &mut Output<'_, '_>) -> Result<Count> {
    let ended = all_ended(target).await?;
    // Hashes, since there may be millions: a session may be on two pages, and a user has several sessions.
    let hasher = RandomState::new();
    let (mut sessions, mut users) = (HashSet::new(), HashSet::new());
    each_page::<SessionRecord>(target, async |page| {
        for (key, shown) in page {
            let session = Stored { key, shown };
            if let Some(user) = session.find("user")
                && session.is_living(ended)
            {
                sessions.insert(hasher.hash_one(session.key.as_str()));
                users.insert(hasher.hash_one(user));
            }
        }
        output.progress(&format!("{} found", sessions.len()));
        Ok(())
    })
    .await?;
    Ok(Count {
        sessions: sessions.len() as u64,
        users: users.len() as u64,
    })
}

/// Removes the sessions of users that ended with all others since `before`, and returns how many there were.
async fn free_ended(target: &Target, before: i64, output: &mut Output<'_, '_>) -> Result<u64> {
    let ended = all_ended(target).await?;
    let programs = target.programs()?;
    let mut freed = 0;
    // Including those that were created while somebody read the question.
    each_page::<SessionRecord>(target, async |page| {
        let sessions = page.into_iter().map(|(key, shown)| Stored { key, shown });
        let ended =
            sessions.filter(|it| it.signed_in().is_some_and(|at| before < at && at <= ended));
        let keys: Vec<_> = ended.map(|session| session.key).collect();
        freed += records::remove::<SessionRecord>(&*programs, &keys, |_| {}).await?;
        output.progress(&format!("{freed} removed"));
        Ok(())
    })
    .await?;
    Ok(freed)
}
