//! Persistence: snapshots, the append-only file and forks.

use super::super::Context;
use super::super::facts::Facts;
use super::super::report::Status;
use super::super::verdict::{Outcome, fail_if, outcome, warn_if, with_fix};

pub(super) fn saving(facts: &Facts, _: &Context) -> Outcome {
    let info = facts.info()?;
    let names = [
        "rdb_last_bgsave_status",
        "aof_last_write_status",
        "aof_last_bgrewrite_status",
    ];
    let mut failed = Vec::new();
    for name in names {
        if info.text(name)? != "ok" {
            failed.push(name);
        }
    }
    let seen = match failed.is_empty() {
        true => "ok".to_owned(),
        false => format!("{} is not ok", failed.join(", ")),
    };
    outcome(fail_if(!failed.is_empty()), seen)
}

pub(super) fn durability(facts: &Facts, context: &Context) -> Outcome {
    let info = facts.info()?;
    let is_on = info.number("aof_enabled")? > 0.0;
    if !context.uses.needs_persistence() {
        let seen = match is_on {
            true => "appendonly yes, which this use does not need",
            false => "appendonly no, which is fine for this use",
        };
        return outcome(Status::Ok, seen);
    }
    if !is_on {
        return outcome(
            Status::Warn,
            "appendonly no: a restart loses what is newer than the last snapshot",
        );
    }
    let fsync = facts.config()?.text("appendfsync")?;
    if fsync == "no" {
        return with_fix(
            Status::Warn,
            "appendfsync no: a power failure loses some 30 s",
            "CONFIG SET appendfsync everysec",
        );
    }
    let (_, delayed) = facts.counter("aof_delayed_fsync")?;
    let seen = match delayed > 0.0 {
        true => format!("appendfsync {fsync}, and {delayed:.0} syncs were late just now"),
        false => format!("appendfsync {fsync}"),
    };
    outcome(warn_if(delayed > 0.0), seen)
}

pub(super) fn fork(facts: &Facts, context: &Context) -> Outcome {
    let micros = facts.info()?.number("latest_fork_usec")?;
    let half = context.timeout.as_micros() as f64 / 2.0;
    outcome(
        warn_if(micros > half),
        format!("{:.1} ms", micros / 1_000.0),
    )
}
