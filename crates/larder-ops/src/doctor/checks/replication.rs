//! Replication: the role of the server, and its replicas.

use super::super::Context;
use super::super::facts::Facts;
use super::super::report::Status;
use super::super::verdict::{Outcome, fail_if, outcome, warn_if};
use crate::fields::part;

pub(super) fn role(facts: &Facts, _: &Context) -> Outcome {
    let role = facts.info()?.text("role")?;
    outcome(fail_if(role != "master"), role)
}

pub(super) fn replicas(facts: &Facts, context: &Context) -> Outcome {
    let info = facts.info()?;
    if info.text("role")? != "master" {
        let link = info.text("master_link_status")?;
        return outcome(
            fail_if(link != "up"),
            format!("the link to the master is {link}"),
        );
    }
    let (mut status, mut slowest, mut online) = (Status::Ok, 0.0_f64, 0);
    let mut all = 0;
    for replica in info.numbered("slave") {
        all += 1;
        let lag = part(replica, "lag").and_then(|lag| lag.parse().ok());
        slowest = slowest.max(lag.unwrap_or(0.0));
        match part(replica, "state") {
            Some("online") => online += 1,
            _ => status = Status::Fail,
        }
    }
    if context.needs_replicas && online == 0 {
        return outcome(Status::Fail, "none is online, and each write waits for one");
    }
    let status = status.max(warn_if(slowest > 10.0));
    let seen = match all {
        0 => "none".to_owned(),
        all => format!("{online} of {all} online, {slowest:.0} s behind at most"),
    };
    outcome(status, seen)
}

pub(super) fn resyncs(facts: &Facts, _: &Context) -> Outcome {
    let failed = facts.info()?.number("sync_partial_err")?;
    let a_day = failed / (facts.hours()? / 24.0).max(1.0);
    let seen = format!("{failed:.0} since the server started");
    outcome(warn_if(a_day >= 1.0), seen)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ALL, info, is};
    use super::*;

    #[test]
    fn a_master_without_a_replica_that_writes_wait_for_is_a_failure() {
        let alone = info("connected_slaves:0\nslave0:state=offline");
        is("L027", &alone, &ALL, Status::Fail);
    }
}
