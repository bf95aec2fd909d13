use std::time::Duration;

use bytes::Bytes;
use larder_store::Put;

use super::scene::{Scene, cancel_after};
use super::{Outcome, Violation};

/// The maximum delay of an operation by one that was cancelled.
const HELD_UP: Duration = Duration::from_secs(10);

pub(super) async fn a_cancelled_put_is_whole_or_absent(at: Scene<'_>) -> Outcome {
    for polls in 1..=6_usize {
        let old = at.put(polls as u64, "old");
        let new = at.put(polls as u64, Bytes::from(vec![b'n'; 64 * 1024]));
        at.write(&old).await?;
        let _ = cancel_after(polls, at.store.put(&new)).await;
        let held = at.store.get(old.key()).await?;
        let held = held.ok_or_else(|| Violation::new("after a cancelled put: got a miss"))?;
        let is = |put: &Put| held.version == put.version() && held.value == put.value();
        ensure!(
            is(&old) || is(&new),
            "after a cancelled put: expected the old value or the new one whole, got neither"
        );
    }
    Ok(())
}

pub(super) async fn a_cancelled_call_leaves_no_answer_behind(at: Scene<'_>) -> Outcome {
    let puts: Vec<Put> = (0..8_u8).map(|id| at.put(id, vec![id; 1000])).collect();
    for put in &puts {
        at.write(put).await?;
    }
    for polls in 1..=6_usize {
        let _ = cancel_after(polls, at.store.get(puts[polls].key())).await;
        at.holds(&puts[0], "get after another get was cancelled")
            .await?;
        let keys = [puts[polls].key().clone(), puts[1].key().clone()];
        let _ = cancel_after(polls, at.store.get_many(&keys)).await;
        at.holds(&puts[7], "get after a get_many was cancelled")
            .await?;
    }
    Ok(())
}

pub(super) async fn a_cancelled_put_holds_up_nothing(at: Scene<'_>) -> Outcome {
    for polls in 1..=6_usize {
        let _ = cancel_after(polls, at.store.put(&at.put("seat", "cancelled"))).await;
        let next = at.put(polls as u64, "next");
        let written = async {
            at.write(&next).await?;
            at.holds(&next, "a put after another was cancelled").await
        };
        match tokio::time::timeout(HELD_UP, written).await {
            Ok(outcome) => outcome?,
            Err(_) => {
                return Err(Violation::new(
                    "a put after another was cancelled: no answer",
                ));
            }
        }
    }
    Ok(())
}
