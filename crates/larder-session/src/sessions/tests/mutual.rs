//! Devices that revoke one another at once.

use super::*;
use crate::SessionErrorKind;
use crate::user_record::{UserRecord, Withdraw};

async fn lives(sessions: &Sessions, token: &Token) -> bool {
    sessions.open(token).await.unwrap().session().is_some()
}

fn is_gone<T>(answer: crate::Result<T>) -> bool {
    answer.is_err_and(|error| error.kind() == SessionErrorKind::Gone)
}

/// The phone revokes the laptop, and its request is held before the session of the laptop ends.
#[tokio::test]
async fn of_two_devices_that_revoke_one_another_at_once_the_first_remains() {
    on_both(async |sessions| {
        for is_listed in [true, false] {
            let (phone, laptop) = (begin(&sessions).await, begin(&sessions).await);
            if !is_listed {
                let list = UserRecord::key("ada");
                let both = vec![phone.record, laptop.record];
                let withdraw = Withdraw { sessions: both };
                sessions.programs.run(&list, &withdraw).await.unwrap();
            }
            let mut held = sessions.clone();
            let gate = Staged::on(&mut held, "session-destroy", Stage::Wait);
            let first =
                tokio::spawn(
                    async move { request(&held, Some(&phone)).revoke(laptop.record).await },
                );
            gate.arrived.notified().await;
            let second = request(&sessions, Some(&laptop));
            assert!(is_gone(second.revoke(phone.record).await), "{is_listed}");
            for others in [true, false] {
                let second = request(&sessions, Some(&laptop));
                let answer = match others {
                    true => second.revoke_others().await,
                    false => second.revoke_all().await,
                };
                assert!(is_gone(answer), "{is_listed} {others}");
            }
            gate.open.notify_one();
            assert!(first.await.unwrap().unwrap());
            assert!(lives(&sessions, &phone).await && !lives(&sessions, &laptop).await);
            sessions.revoke_all("ada").await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_device_that_a_dead_session_meant_to_revoke_can_revoke_others() {
    on_both(async |sessions| {
        let [phone, laptop, tablet] = [(); 3].map(async |()| begin(&sessions).await);
        let (phone, laptop, tablet) = (phone.await, laptop.await, tablet.await);
        let late = request(&sessions, Some(&phone));
        late.user().await.unwrap();
        assert!(sessions.revoke("ada", phone.record).await.unwrap());
        assert!(is_gone(late.revoke(laptop.record).await));
        let session = request(&sessions, Some(&laptop));
        assert!(session.revoke(tablet.record).await.unwrap());
        assert!(lives(&sessions, &laptop).await && !lives(&sessions, &tablet).await);
    })
    .await;
}

#[tokio::test]
async fn of_too_many_marks_the_oldest_go_first() {
    on_both(async |sessions| {
        let (phone, laptop) = (begin(&sessions).await, begin(&sessions).await);
        let session = request(&sessions, Some(&phone));
        let mut held = sessions.clone();
        Staged::on(&mut held, "session-destroy", Stage::Fail);
        let failing = request(&held, Some(&phone));
        failing.revoke(laptop.record).await.unwrap_err();
        for _ in 0..31 {
            assert!(session.revoke(DeviceId::random()).await.unwrap());
        }
        let marked = request(&sessions, Some(&laptop));
        assert!(is_gone(marked.revoke(DeviceId::random()).await));
        session.revoke(DeviceId::random()).await.unwrap();
        let free = request(&sessions, Some(&laptop));
        assert!(free.revoke(phone.record).await.unwrap());
    })
    .await;
}

/// The request that ends the laptop fails after its mark, and the laptop goes on.
#[tokio::test]
async fn a_device_whose_revocation_failed_can_revoke_others_after_a_minute() {
    on_both_clocks(async |store, clock| {
        let sessions = process(store);
        let (phone, laptop) = (begin(&sessions).await, begin(&sessions).await);
        let mut failing = sessions.clone();
        Staged::on(&mut failing, "session-destroy", Stage::Fail);
        let failed = request(&failing, Some(&phone));
        failed.revoke(laptop.record).await.unwrap_err();
        // A sign-in in between keeps the mark.
        begin(&sessions).await;
        clock.advance_micros(59_999_999);
        let marked = request(&sessions, Some(&laptop));
        assert!(is_gone(marked.revoke(phone.record).await));
        clock.advance_micros(1);
        let free = request(&sessions, Some(&laptop));
        assert!(free.revoke(phone.record).await.unwrap());
    })
    .await;
}
