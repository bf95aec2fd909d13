use larder::session::{DeviceId, InspectSession, SessionRecord, Sessions, UserRecord};
use larder::store::Timestamp;
use larder::store::program::Record;
use larder_ops::records::Remove;
use serde_json::{Value, json};

use super::time::{ago, until};
use super::{DONE, NOT_DONE};
use crate::args::Session;
use crate::error::{Error, Result};
use crate::output::Output;
use crate::scan::{id_of, records};
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
    let devices = Sessions::new(target.store.clone())?.devices(user).await?;
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
    output.table(&columns, rows.collect())?;
    Ok(DONE)
}

async fn list(target: &Target, limit: usize, output: &mut Output<'_, '_>) -> Result<u8> {
    let keys = records::<SessionRecord>(target, output, "", limit).await?;
    let steps: Vec<_> = keys
        .iter()
        .map(|key| (key.clone(), InspectSession))
        .collect();
    let programs = target.programs()?;
    let mut rows = Vec::new();
    for (steps, keys) in steps.chunks(100).zip(keys.chunks(100)) {
        for (shown, key) in programs.run_many(steps).await.into_iter().zip(keys) {
            let shown = shown?;
            let find = |name: &str| {
                let mut fields = shown.fields().iter();
                fields
                    .find(|(field, _)| field == name)
                    .map(|(_, value)| value.as_str())
            };
            let time = |name: &str, write: fn(Timestamp) -> String| {
                let micros = find(name).and_then(|micros| micros.parse().ok());
                micros.map_or(Value::Null, |micros| {
                    json!(write(Timestamp::from_micros(micros)))
                })
            };
            // It ended since it was listed.
            if shown.fields().is_empty() {
                continue;
            }
            rows.push(vec![
                json!(id_of(key)),
                json!(find("user")),
                time("created_us", ago),
                time("seen_us", ago),
                time("idle_deadline_us", until),
            ]);
        }
    }
    output.table(&["device", "user", "created", "last seen", "ends"], rows)?;
    Ok(DONE)
}

async fn revoke_one(
    target: &Target,
    user: &str,
    device: &str,
    output: &mut Output<'_, '_>,
) -> Result<u8> {
    let id: DeviceId = device.parse()?;
    let sessions = Sessions::new(target.store.clone())?;
    let devices = sessions.devices(user).await?;
    if !devices.iter().any(|listed| listed.id == id) {
        return Err(Error::usage("this user has no such session"));
    }
    if !output.confirm("This ends 1 session.")? {
        return Ok(NOT_DONE);
    }
    let is_gone = sessions.revoke(user, id).await?;
    output.done(u64::from(is_gone), "sessions ended")?;
    Ok(DONE)
}

async fn revoke_user(target: &Target, user: &str, output: &mut Output<'_, '_>) -> Result<u8> {
    let sessions = Sessions::new(target.store.clone())?;
    let count = sessions.devices(user).await?.len();
    if !output.confirm(&format!("This ends {count} sessions of the user."))? {
        return Ok(NOT_DONE);
    }
    sessions.revoke_all(user).await?;
    output.done(count as u64, "sessions ended")?;
    Ok(DONE)
}

async fn revoke_everything(target: &Target, output: &mut Output<'_, '_>) -> Result<u8> {
    let sessions = records::<SessionRecord>(target, output, "", usize::MAX).await?;
    let users = records::<UserRecord>(target, output, "", usize::MAX).await?;
    let what = format!(
        "This ends all {} sessions, of {} users: everybody must sign in again.",
        sessions.len(),
        users.len()
    );
    if !output.confirm(&what)? {
        return Ok(NOT_DONE);
    }
    // Without the record of its user no session is in force, so this order lets nobody stay signed in.
    remove::<UserRecord>(target, users, output).await?;
    let ended = remove::<SessionRecord>(target, sessions, output).await?;
    output.done(ended, "sessions ended")?;
    Ok(DONE)
}

/// Removes records, a hundred in a round trip, and returns how many there were.
pub(super) async fn remove<R: Record>(
    target: &Target,
    keys: Vec<larder::Key>,
    output: &mut Output<'_, '_>,
) -> Result<u64> {
    let programs = target.programs()?;
    let mut removed = 0;
    for keys in keys.chunks(100) {
        let steps: Vec<_> = keys
            .iter()
            .map(|key| (key.clone(), Remove::<R>::new()))
            .collect();
        for was_there in programs.run_many(&steps).await {
            removed += u64::from(was_there?);
        }
        output.progress(&format!("{removed} removed"));
    }
    output.end_progress();
    Ok(removed)
}
