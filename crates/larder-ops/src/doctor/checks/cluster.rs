//! Clusters and sentinels.

use std::time::Duration;

use super::super::Context;
use super::super::facts::Facts;
use super::super::report::Status;
use super::super::verdict::{Outcome, outcome, warn_if, with_fix};
use crate::fields::Missing;

const SLOTS: f64 = 16_384.0;

/// The default of `down-after-milliseconds`, during which nothing works.
const TOO_PATIENT: Duration = Duration::from_secs(30);

pub(super) fn state(facts: &Facts, _: &Context) -> Outcome {
    let Some(cluster) = &facts.cluster else {
        return Ok(None);
    };
    let cluster = cluster.as_ref().map_err(Clone::clone)?;
    let state = cluster.text("cluster_state")?;
    let assigned = cluster.number("cluster_slots_assigned")?;
    let failing = cluster.number("cluster_slots_fail")?;
    let suspected = cluster.number("cluster_slots_pfail")?;
    let status = match state != "ok" || assigned < SLOTS || failing > 0.0 {
        true => Status::Fail,
        false => warn_if(suspected > 0.0),
    };
    let seen = format!(
        "{state}, {assigned:.0} slots assigned, {failing:.0} failing, {suspected:.0} suspected"
    );
    outcome(status, seen)
}

pub(super) fn settings(facts: &Facts, _: &Context) -> Outcome {
    if facts.cluster.is_none() {
        return Ok(None);
    }
    let config = facts.config()?;
    if config.text("cluster-require-full-coverage")? != "no" {
        let seen = "cluster-require-full-coverage yes: a lost shard stops all of them";
        return outcome(Status::Warn, seen);
    }
    let timeout = config.number("cluster-node-timeout")?;
    with_fix(
        warn_if(timeout > 5_000.0),
        format!("cluster-node-timeout {timeout:.0}"),
        "CONFIG SET cluster-node-timeout 2000",
    )
}

pub(super) fn sentinels(facts: &Facts, _: &Context) -> Outcome {
    let Some(sentinels) = &facts.sentinels else {
        return Ok(None);
    };
    let (mut patient, mut missing) = (None, None::<Missing>);
    let silent = sentinels.iter().filter(|sentinel| !sentinel.answers);
    let silent: Vec<_> = silent.map(|sentinel| &*sentinel.location).collect();
    for sentinel in sentinels.iter().filter(|sentinel| sentinel.answers) {
        match &sentinel.has_quorum {
            Ok(true) => {}
            Ok(false) => {
                let seen = format!("{} finds no quorum to fail over", sentinel.location);
                let fix = "start the sentinels that are down; SENTINEL CKQUORUM name";
                return with_fix(Status::Fail, seen, fix);
            }
            Err(reason) => missing = missing.or(Some(reason.clone())),
        }
        match &sentinel.down_after {
            Ok(time) => patient = patient.max(Some(*time)),
            Err(reason) => missing = missing.or(Some(reason.clone())),
        }
    }
    if !silent.is_empty() {
        let seen = format!("no answer like a sentinel's from {}", silent.join(", "));
        let fix =
            "start the sentinels that are down, and check the network and their user in the URL";
        // The other sentinels must be a majority to fail over.
        let status = match silent.len() * 2 >= sentinels.len() {
            true => Status::Fail,
            false => Status::Warn,
        };
        return with_fix(status, seen, fix);
    }
    if sentinels.len() < 3 {
        let seen = format!("the URL names {}", sentinels.len());
        let fix = "run three sentinels on three machines, and name all in the URL";
        return with_fix(Status::Warn, seen, fix);
    }
    match (missing, patient) {
        (Some(missing), _) => Err(missing),
        (None, Some(time)) => {
            let seen = format!(
                "{} with a quorum, down-after-milliseconds {}",
                sentinels.len(),
                time.as_millis()
            );
            outcome(warn_if(time >= TOO_PATIENT), seen)
        }
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::facts::Sentinel;
    use super::super::tests::{ALL, cluster, find, healthy, is, sentinel};
    use super::*;

    #[test]
    fn a_cluster_that_is_not_whole_is_a_failure() {
        for (lines, status) in [
            ("cluster_state:fail", Status::Fail),
            ("cluster_slots_assigned:16383", Status::Fail),
            ("cluster_slots_fail:1", Status::Fail),
            ("cluster_slots_pfail:1", Status::Warn),
        ] {
            is("L029", &cluster(lines), &ALL, status);
        }
        let mut single = healthy();
        single.cluster = None;
        for id in ["L029", "L030"] {
            assert!(find(id).judge(&single, &ALL).is_none());
        }
    }

    #[test]
    fn sentinels_are_judged_by_number_quorum_and_patience() {
        let of = |sentinels: Vec<Sentinel>| Facts {
            sentinels: Some(sentinels),
            ..healthy()
        };
        let patient = || Sentinel {
            down_after: Ok(Duration::from_secs(30)),
            ..sentinel(3)
        };
        let alone = || Sentinel {
            has_quorum: Ok(false),
            ..sentinel(3)
        };
        let denied = || Sentinel {
            has_quorum: Err(Missing::new("not permitted here")),
            ..sentinel(3)
        };
        let silent = || Sentinel {
            answers: false,
            has_quorum: Err(Missing::new("silent")),
            down_after: Err(Missing::new("silent")),
            ..sentinel(3)
        };
        let facts = of(vec![sentinel(1), silent(), sentinel(2)]);
        is("L031", &facts, &ALL, Status::Warn);
        let seen = find("L031").judge(&facts, &ALL).unwrap().seen;
        assert!(seen.contains("127.0.0.1:3"), "{seen}");
        for sentinels in [
            vec![silent(), silent(), silent()],
            vec![sentinel(1), silent(), silent()],
            vec![sentinel(1), silent()],
        ] {
            is("L031", &of(sentinels), &ALL, Status::Fail);
        }
        is("L031", &of(vec![silent(), alone()]), &ALL, Status::Fail);
        is(
            "L031",
            &of(vec![sentinel(1), sentinel(2)]),
            &ALL,
            Status::Warn,
        );
        is(
            "L031",
            &of(vec![sentinel(1), sentinel(2), patient()]),
            &ALL,
            Status::Warn,
        );
        is(
            "L031",
            &of(vec![sentinel(1), sentinel(2), alone()]),
            &ALL,
            Status::Fail,
        );
        is(
            "L031",
            &of(vec![sentinel(1), sentinel(2), denied()]),
            &ALL,
            Status::Unknown,
        );
    }
}
