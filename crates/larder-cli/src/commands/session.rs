use std::collections::BTreeSet;

use larder::Key;
use larder::session::{DeviceId, EveryoneRecord, SessionRecord};
use larder::store::Timestamp;
use larder::store::program::{Inspection, Record};
use larder_ops::counted::Counted;
use larder_ops::records::{field, number_of};
use larder_ops::text::of;
use larder_ops::time::{ago, until};
use serde_json::{Value, json};

use super::{DONE, NOT_DONE};
use crate::args::Session;
use crate::error::{Error, Result};
use crate::output::{Output, Rest, escape};
use crate::scan::{self, id_of, remove};
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
    // Sessions of users that ended with all others stay for a while, and so does the reason of an end.
    let ended = all_ended(target).await?;
    let living = sessions.filter(|session| {
        session.find("created_us").is_some() && session.signed_in().is_none_or(|at| at > ended)
    });
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
    // All sessions end in one step, which needs no count, so a failing count does not prevent it.
    let counted = living(target, usize::MAX, output).await;
    let counted = counted.map(|(mut sessions, _)| {
        sessions.retain(|session| session.find("user").is_some());
        sessions
    });
    let what = match &counted {
        Ok(sessions) => {
            let users: BTreeSet<_> = sessions.iter().filter_map(|it| it.find("user")).collect();
            format!(
                "This ends all {}, of {}: everybody must sign in again.",
                of(sessions.len() as u64, "session", "sessions"),
                of(users.len() as u64, "user", "users")
            )
        }
        Err(error) => format!(
            "This ends the sessions of all users, who must sign in again. They could not be counted: {}.",
            escape(&error.to_string())
        ),
    };
    if !output.confirm(&what)? {
        return Ok(NOT_DONE);
    }
    let Ok(sessions) = counted else {
        target.sessions()?.revoke_everyone().await?;
        match output.is_json() {
            true => output.json(&json!({ "done": Value::Null }))?,
            false => output.line("the sessions of all users ended, which were not counted")?,
        }
        return Ok(DONE);
    };
    let before = all_ended(target).await?;
    target.sessions()?.revoke_everyone().await?;
    // They have all ended; this only frees their space, so it may fail.
    let freed = free_ended(target, before, output).await;
    let ended = freed.unwrap_or(sessions.len() as u64);
    output.done(ended, "session ended", "sessions ended")?;
    Ok(DONE)
}

/// Removes the sessions of users that ended with all others since `before`, and returns how many there were.
async fn free_ended(target: &Target, before: i64, output: &mut Output<'_, '_>) -> Result<u64> {
    let ended = all_ended(target).await?;
    // Including those that were created while somebody read the question.
    let all = scan::list::<SessionRecord>(target, output, usize::MAX).await?;
    let all = all.readable.into_iter();
    let all = all.map(|(key, shown)| Stored { key, shown });
    let ended = all.filter(|it| it.signed_in().is_some_and(|at| before < at && at <= ended));
    let keys: Vec<_> = ended.map(|session| session.key).collect();
    remove::<SessionRecord>(target, &keys, output).await
}
