//! Memory: limits, eviction and scripts.

use super::super::Context;
use super::super::facts::Facts;
use super::super::report::Status;
use super::super::verdict::{Outcome, above, bytes, fail_if, outcome, warn_if, with_fix};

const MIB: f64 = 1024.0 * 1024.0;

/// The number of reads after which a hit ratio is meaningful.
const ENOUGH_READS: f64 = 1_000.0;

pub(super) fn policy(facts: &Facts, context: &Context) -> Outcome {
    let policy = facts.info()?.text("maxmemory_policy")?;
    let needs_noeviction = context.uses.needs_noeviction();
    let (status, seen) = match policy {
        // Leases and limits have the shortest TTLs.
        "volatile-ttl" => (Status::Fail, "volatile-ttl, which evicts leases first"),
        "noeviction" if !needs_noeviction => {
            let seen = "noeviction, under which a full cache refuses new values";
            (Status::Warn, seen)
        }
        policy => (fail_if(needs_noeviction && policy != "noeviction"), policy),
    };
    match needs_noeviction {
        true => outcome(status, seen),
        false => with_fix(status, seen, "CONFIG SET maxmemory-policy allkeys-lru"),
    }
}

pub(super) fn limit(facts: &Facts, _: &Context) -> Outcome {
    let most = facts.info()?.number("maxmemory")?;
    match most > 0.0 {
        true => outcome(Status::Ok, bytes(most)),
        false => outcome(
            Status::Warn,
            "no limit: the server grows until the machine kills it",
        ),
    }
}

pub(super) fn full(facts: &Facts, _: &Context) -> Outcome {
    let info = facts.info()?;
    let (used, most) = (info.number("used_memory")?, info.number("maxmemory")?);
    if most == 0.0 {
        return outcome(Status::Ok, format!("{} used, without a limit", bytes(used)));
    }
    let share = used / most;
    let seen = format!("{:.0} % of {}", share * 100.0, bytes(most));
    outcome(above(share, 0.75, 0.9), seen)
}

pub(super) fn over(facts: &Facts, _: &Context) -> Outcome {
    let millis = facts.info()?.number("current_eviction_exceeded_time")?;
    outcome(fail_if(millis > 0.0), format!("over it for {millis:.0} ms"))
}

pub(super) fn evicted(facts: &Facts, context: &Context) -> Outcome {
    let (total, now) = facts.counter("evicted_keys")?;
    let seen = format!("{total:.0} since the server started, {now:.0} just now");
    let status = match context.uses.needs_noeviction() {
        false => Status::Ok,
        true if now > 0.0 => Status::Fail,
        true => warn_if(total > 0.0),
    };
    outcome(status, seen)
}

pub(super) fn refused(facts: &Facts, _: &Context) -> Outcome {
    let (total, now) = facts.errors("OOM")?;
    let status = match now > 0.0 {
        true => Status::Fail,
        false => warn_if(total > 0.0),
    };
    let seen = format!("{total:.0} since the server started, {now:.0} just now");
    outcome(status, seen)
}

pub(super) fn fragmentation(facts: &Facts, _: &Context) -> Outcome {
    let info = facts.info()?;
    let ratio = info.number("mem_fragmentation_ratio")?;
    let more = info.number("mem_fragmentation_bytes")?;
    if info.number("used_memory_peak")? < 5.0 * MIB {
        return outcome(Status::Ok, "too little is used to judge");
    }
    let seen = format!(
        "a ratio of {ratio:.2}, {} more than used",
        bytes(more.max(0.0))
    );
    if more < -10.0 * MIB && ratio < 1.0 {
        let seen = format!("a ratio of {ratio:.2}: the machine swaps");
        return outcome(Status::Warn, seen);
    }
    outcome(warn_if(ratio > 1.4 && more > 10.0 * MIB), seen)
}

pub(super) fn peak(facts: &Facts, _: &Context) -> Outcome {
    let info = facts.info()?;
    let (peak, most) = (info.number("used_memory_peak")?, info.number("maxmemory")?);
    if most == 0.0 {
        return outcome(Status::Ok, format!("{}, without a limit", bytes(peak)));
    }
    let share = peak / most;
    let seen = format!("{:.0} % of {}", share * 100.0, bytes(most));
    outcome(warn_if(share > 0.9), seen)
}

pub(super) fn scripts(facts: &Facts, _: &Context) -> Outcome {
    let scripts = facts.info()?.number("number_of_cached_scripts")?;
    outcome(warn_if(scripts > 1_000.0), format!("{scripts:.0} scripts"))
}

pub(super) fn evicted_scripts(facts: &Facts, _: &Context) -> Outcome {
    // Servers before 7.4 evict none.
    if facts.info()?.find("evicted_scripts").is_none() {
        return Ok(None);
    }
    let (total, now) = facts.counter("evicted_scripts")?;
    let seen = format!("{total:.0} since the server started, {now:.0} just now");
    outcome(warn_if(now > 0.0), seen)
}

pub(super) fn expiry(facts: &Facts, _: &Context) -> Outcome {
    let stale = facts.info()?.number("expired_stale_perc")?;
    outcome(
        warn_if(stale > 10.0),
        format!("about {stale:.0} % have expired"),
    )
}

pub(super) fn hits(facts: &Facts, context: &Context) -> Outcome {
    // The reads of sessions and limits hide those of a cache.
    if context.uses.needs_noeviction() {
        return Ok(None);
    }
    let info = facts.info()?;
    let hits = info.number("keyspace_hits")?;
    let reads = hits + info.number("keyspace_misses")?;
    if reads < ENOUGH_READS {
        return outcome(Status::Ok, format!("{reads:.0} reads, too few to judge"));
    }
    let ratio = hits / reads;
    let seen = format!("{:.0} % of {reads:.0} reads", ratio * 100.0);
    outcome(warn_if(ratio < 0.5), seen)
}
