use std::time::{Duration, Instant};

use larder_store::{ExpireOutcome, Put, Ttl};

use super::Outcome;
use super::scene::{LONG, SHORT, Scene};

const MINUTE: Ttl = LONG;
const HOUR: Ttl = Ttl::from_secs(3600);

pub(super) async fn a_ttl_is_never_more_than_was_asked(at: Scene<'_>) -> Outcome {
    for millis in [1_000, 1_001, 59_999, 60_000, 86_400_000] {
        let asked = Ttl::from_millis(millis);
        let started = Instant::now();
        at.write(&Put::new(at.key("seat"), "ada", asked)).await?;
        let left = at.ttl(&at.key("seat")).await?.as_millis();
        // A server counts whole milliseconds: one may have begun before the put, and one before the read.
        let passed = match at.is_exact() {
            true => 0,
            false => started.elapsed().as_millis() as u64 + 2,
        };
        ensure!(
            left <= millis && left + passed >= millis,
            "ttl right after a put with {millis} ms: expected that or just less, got {left} ms"
        );
    }
    Ok(())
}

pub(super) async fn a_ttl_is_rounded_up_to_a_millisecond(at: Scene<'_>) -> Outcome {
    let key = at.key("seat");
    let asked = Ttl::from_millis(1500);
    at.write(&Put::new(key.clone(), "ada", asked)).await?;
    if !at.is_exact() {
        let left = at.ttl(&key).await?;
        ensure!(
            left <= asked,
            "ttl: expected {asked:?} or less, got {left:?}"
        );
        return Ok(());
    }
    for (micros, millis) in [(400, 1500), (599, 1500), (1, 1499), (1, 1499), (999, 1498)] {
        at.advance(Duration::from_micros(micros)).await;
        ensure_eq!(
            at.ttl(&key).await?.as_millis(),
            millis,
            "ttl {micros} us later, in ms"
        );
    }
    Ok(())
}

pub(super) async fn a_ttl_falls_as_time_passes(at: Scene<'_>) -> Outcome {
    let put = at.put("seat", "ada");
    at.write(&put).await?;
    at.advance(SHORT.into()).await;
    let left = Duration::from(at.ttl(put.key()).await?);
    let most = Duration::from(LONG) - Duration::from(SHORT) + at.slack();
    let least = match at.is_exact() {
        true => most,
        false => Duration::from(LONG) / 2,
    };
    ensure!(
        least <= left && left <= most,
        "ttl after {SHORT:?}: expected {most:?} or a little less, got {left:?}"
    );
    Ok(())
}

pub(super) async fn a_put_replaces_the_ttl(at: Scene<'_>) -> Outcome {
    let key = at.key("seat");
    for asked in [MINUTE, HOUR, MINUTE] {
        at.write(&Put::new(key.clone(), "ada", asked)).await?;
        is_about(&at, asked, "ttl after a put over a put").await?;
    }
    Ok(())
}

pub(super) async fn a_put_on_a_condition_sets_the_ttl(at: Scene<'_>) -> Outcome {
    let put = |asked| Put::new(at.key("seat"), "ada", asked);
    at.write(&put(MINUTE).if_absent()).await?;
    is_about(&at, MINUTE, "ttl after a put_if_absent").await?;
    at.write(&put(HOUR).if_present()).await?;
    is_about(&at, HOUR, "ttl after a put_if_present").await?;
    let last = put(HOUR);
    at.write(&last).await?;
    at.write(&put(MINUTE).if_version(last.version())).await?;
    is_about(&at, MINUTE, "ttl after a put_if_version").await?;
    at.write(&Put::new(at.key("row"), "f", SHORT).if_absent())
        .await?;
    at.outlive(SHORT).await;
    at.is_absent(&at.key("row"), "after the ttl of a put_if_absent")
        .await
}

pub(super) async fn expire_lengthens_a_ttl(at: Scene<'_>) -> Outcome {
    at.write(&Put::new(at.key("seat"), "ada", MINUTE)).await?;
    let answer = at.store.expire(&at.key("seat"), HOUR).await?;
    ensure_eq!(answer, ExpireOutcome::TtlSet, "expire of a present key");
    is_about(&at, HOUR, "ttl after a longer expire").await
}

pub(super) async fn expire_shortens_a_ttl(at: Scene<'_>) -> Outcome {
    at.write(&Put::new(at.key("seat"), "ada", HOUR)).await?;
    let answer = at.store.expire(&at.key("seat"), MINUTE).await?;
    ensure_eq!(answer, ExpireOutcome::TtlSet, "expire of a present key");
    is_about(&at, MINUTE, "ttl after a shorter expire").await?;
    let _ = at.store.expire(&at.key("seat"), SHORT).await?;
    at.outlive(SHORT).await;
    at.is_absent(&at.key("seat"), "after the shorter ttl").await
}

pub(super) async fn expire_keeps_the_value_and_its_version(at: Scene<'_>) -> Outcome {
    let put = at.put("seat", "ada");
    at.write(&put).await?;
    let _ = at.store.expire(put.key(), HOUR).await?;
    at.holds(&put, "after expire").await?;
    let next = at.put("seat", "bob").if_version(put.version());
    at.is_stored(&next, "put_if_version after expire").await?;
    Ok(())
}

pub(super) async fn expire_makes_no_key(at: Scene<'_>) -> Outcome {
    let key = at.key("nobody");
    ensure_eq!(
        at.store.expire(&key, LONG).await?,
        ExpireOutcome::NotFound,
        "expire of an absent key"
    );
    at.is_absent(&key, "after it").await?;
    let put = at.put("nobody", "ada").if_absent();
    at.is_stored(&put, "put_if_absent after it").await?;
    Ok(())
}

pub(super) async fn the_longest_ttl_is_accepted(at: Scene<'_>) -> Outcome {
    let put = Put::new(at.key("seat"), "ada", Ttl::MAX);
    at.write(&put).await?;
    at.holds(&put, "after a put for 100 years").await?;
    is_about(&at, Ttl::MAX, "ttl after a put for 100 years").await?;
    let _ = at.store.expire(put.key(), MINUTE).await?;
    let _ = at.store.expire(put.key(), Ttl::MAX).await?;
    is_about(&at, Ttl::MAX, "ttl after an expire for 100 years").await
}

/// Checks that `seat` has the TTL `asked` left, or up to half a minute less on a slow machine.
async fn is_about(at: &Scene<'_>, asked: Ttl, when: &str) -> Outcome {
    let left = at.ttl(&at.key("seat")).await?;
    ensure!(
        left <= asked && left.as_millis() + 30_000 > asked.as_millis(),
        "{when}: expected about {asked:?}, got {left:?}"
    );
    Ok(())
}
