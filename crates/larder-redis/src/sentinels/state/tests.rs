use super::*;
use crate::agreement::ALL_AGREE;

fn at(port: u16) -> HostPort {
    HostPort {
        host: "h".to_owned(),
        port,
    }
}

fn says(port: u16, epoch: u64) -> SentinelReply {
    SentinelReply::Master {
        host_port: at(port),
        epoch,
    }
}

fn elected(state: &SentinelState) -> Option<u16> {
    state
        .follow()
        .borrow()
        .as_ref()
        .map(|host_port| host_port.port)
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_was_selected_is_tried_until_the_sentinels_agree_or_give_up() {
    let state = SentinelState::new("main".to_owned(), 2);
    state.record(0, says(1, 4));
    state.set_candidate(at(2));
    assert_eq!(elected(&state), Some(2));
    // The sentinels still report the old master, and the candidate is tried all the same.
    state.record(1, says(1, 4));
    assert_eq!(elected(&state), Some(2));
    state.record(1, says(3, 5));
    assert_eq!(elected(&state), Some(3));

    state.set_candidate(at(2));
    tokio::time::advance(CANDIDATE_TTL).await;
    state.record(0, says(3, 5));
    assert_eq!(elected(&state), Some(3));
}

#[test]
fn a_line_to_another_than_the_elected_ends() {
    let state = SentinelState::new("main".to_owned(), 1);
    let health = Arc::new(Health::new(Arc::default()));
    state.record(0, says(1, 4));
    state.close_on_failover(&health);
    state.record(0, says(1, 4));
    assert!(health.is_good());
    state.record(0, says(2, 5));
    assert!(!health.is_good());
}

fn failed() -> SentinelReply {
    SentinelReply::Failed(String::new())
}

#[test]
fn a_sentinel_that_fails_takes_back_nothing_that_was_heard() {
    let state = SentinelState::new("main".to_owned(), 2);
    state.record(0, says(1, 5));
    state.record(1, says(2, 4));
    for reply in [
        failed(),
        SentinelReply::NoSuchMaster,
        SentinelReply::Denied(""),
    ] {
        state.record(0, reply);
        state.record(1, says(2, 4));
        assert_eq!(elected(&state), Some(1));
    }
    // Even if it comes back with an older configuration than before.
    state.record(0, says(2, 0));
    state.record(1, failed());
    assert_eq!(elected(&state), Some(1));
    state.record(1, says(3, 6));
    assert_eq!(elected(&state), Some(3));
}

#[test]
fn of_two_addresses_under_one_epoch_the_first_counts_until_its_sentinel_names_another() {
    let state = SentinelState::new("main".to_owned(), 2);
    state.record(0, says(1, 0));
    state.record(1, says(2, 0));
    assert_eq!(elected(&state), Some(1));
    state.record(0, says(3, 0));
    assert_eq!(elected(&state), Some(3));
}

#[tokio::test(start_paused = true)]
async fn sentinels_that_were_all_set_up_anew_are_believed_when_they_agree_for_long() {
    let state = SentinelState::new("main".to_owned(), 2);
    state.record(0, says(1, 5));
    let all_say = |first: SentinelReply, second: SentinelReply| {
        state.record(0, first);
        state.record(1, second);
        elected(&state)
    };
    assert_eq!(all_say(says(2, 0), says(2, 1)), Some(1));
    tokio::time::advance(ALL_AGREE - Duration::from_millis(1)).await;
    assert_eq!(all_say(says(2, 0), says(2, 1)), Some(1));
    // A sentinel that is silent for a moment may know better.
    assert_eq!(all_say(failed(), says(2, 1)), Some(1));
    assert_eq!(all_say(says(2, 0), says(2, 1)), Some(1));
    tokio::time::advance(ALL_AGREE - Duration::from_millis(1)).await;
    assert_eq!(all_say(says(2, 0), says(3, 1)), Some(1));
    assert_eq!(all_say(says(2, 0), says(2, 1)), Some(1));
    tokio::time::advance(ALL_AGREE).await;
    assert_eq!(all_say(says(2, 0), says(2, 1)), Some(2));
    assert_eq!(all_say(says(2, 0), says(3, 2)), Some(3));
}

/// Each epoch has one master, which the sentinels guarantee. Whatever fails or is late, the epoch
/// in use never falls.
#[test]
fn no_sequence_of_answers_leads_back_to_a_master_that_was_replaced() {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..200 {
        let state = SentinelState::new("main".to_owned(), 3);
        let mut highest = None;
        for _ in 0..100 {
            let reply = match random.u8(0..5) {
                0 => failed(),
                1 => SentinelReply::NoSuchMaster,
                _ => {
                    let epoch = random.u16(0..20);
                    highest = highest.max(Some(epoch));
                    says(epoch + 1, epoch.into())
                }
            };
            state.record(random.usize(0..3), reply);
            assert_eq!(elected(&state), highest.map(|epoch| epoch + 1));
        }
    }
}
