use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use argon2::password_hash;
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use self::hasher::Hasher;
use crate::errors::Problem;

mod hasher;

/// 19 MiB, two passes, one lane: the first choice of OWASP's Password Storage Cheat Sheet.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// The longest time that a sign-in waits for its check to begin.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a check may take once it has begun: about 20 ms if the machine is not busy.
const CHECK: Duration = Duration::from_secs(5);
/// The most sign-ins that may wait for each check that can run; with more, the last ones would time out.
const LINE: usize = 80;

/// Hashes and checks passwords, a few at a time: each one takes a core and 19 MiB of memory, which is
/// reused.
#[derive(Clone)]
pub(crate) struct Passwords {
    hasher: Hasher,
    /// The hash to check against if there is no account, so that the check takes just as long.
    nobody: Arc<str>,
    turns: Arc<Semaphore>,
    line: Arc<Semaphore>,
}

impl Passwords {
    pub(crate) fn new() -> Result<Self, password_hash::Error> {
        let cores = available_parallelism().map_or(1, NonZeroUsize::get);
        Self::with(cores, PASSES)
    }

    fn with(turns: usize, passes: u32) -> Result<Self, password_hash::Error> {
        let params = Params::new(MEMORY_KIB, passes, LANES, None)?;
        let hasher = Hasher::new(Argon2::new(Algorithm::Argon2id, Version::V0x13, params));
        let nobody = hasher.hash("nobody has this password")?;
        Ok(Self {
            hasher,
            nobody: nobody.into(),
            turns: Arc::new(Semaphore::new(turns)),
            line: Arc::new(Semaphore::new(turns * LINE)),
        })
    }

    /// Returns a new hash, as a PHC string. It takes a core about 20 ms.
    pub(crate) fn hash(&self, password: &str) -> Result<String, password_hash::Error> {
        self.hasher.hash(password)
    }

    /// Returns whether this is the password of the hash; false if the hash is malformed.
    pub(super) fn matches(&self, password: &str, hash: &str) -> bool {
        self.hasher.matches(password, hash).unwrap_or(false)
    }

    /// Returns whether this is the password of the hash. Without a hash it returns false, after an equally long check.
    ///
    /// It runs on a blocking thread, and continues even if the visitor disconnects.
    pub(crate) async fn verify(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, Problem> {
        let crowded =
            || Problem::unavailable("Many people are signing in at the moment. Please try again.");
        let _place = self.line.try_acquire().map_err(|_| crowded())?;
        let turn = timeout(PATIENCE, self.turns.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(crowded());
        };
        let this = self.clone();
        let check = move || {
            let is_right = this.matches(&password, hash.as_deref().unwrap_or(&this.nobody));
            drop(turn);
            is_right && hash.is_some()
        };
        match timeout(CHECK, spawn_blocking(check)).await {
            Ok(Ok(is_right)) => Ok(is_right),
            Ok(Err(_)) | Err(_) => Err(Problem::unavailable(
                "The password could not be checked. Please try again.",
            )),
        }
    }

    /// Lets no check begin until the permit is dropped.
    #[cfg(test)]
    pub(super) async fn take_every_turn(&self) -> tokio::sync::SemaphorePermit<'_> {
        let all = self.turns.available_permits() as u32;
        self.turns.acquire_many(all).await.unwrap()
    }

    /// Returns how many more sign-ins may wait for their check.
    #[cfg(test)]
    pub(super) fn places_left(&self) -> usize {
        self.line.available_permits()
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use tokio::time::Instant;

    use super::*;

    fn passwords(turns: usize) -> Passwords {
        Passwords::with(turns, PASSES).unwrap()
    }

    #[tokio::test]
    async fn a_password_is_right_for_its_own_hash_alone() {
        let passwords = passwords(1);
        let hash = passwords.hash("popcorn").unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert_ne!(hash, passwords.hash("popcorn").unwrap());
        let verify = async |password: &str, hash: Option<&str>| {
            let answer = passwords.verify(password.to_owned(), hash.map(str::to_owned));
            answer.await.unwrap()
        };
        assert!(verify("popcorn", Some(&hash)).await);
        assert!(!verify("Popcorn", Some(&hash)).await);
        assert!(!verify("popcorn", Some("popcorn")).await);
        // Checking it would take 4 TiB.
        let endless = hash.replace("m=19456", "m=4294967295");
        assert!(!verify("popcorn", Some(&endless)).await);
        assert!(!verify("popcorn", None).await);
        assert!(!verify("nobody has this password", None).await);
    }

    #[tokio::test]
    async fn a_hundred_checks_use_the_memory_of_those_that_run_at_once() {
        let passwords = Arc::new(Passwords::with(2, 1).unwrap());
        let checks: Vec<_> = (0..100)
            .map(|_| {
                let passwords = passwords.clone();
                tokio::spawn(async move { passwords.verify("popcorn".to_owned(), None).await })
            })
            .collect();
        for check in checks {
            // On a busy machine some time out.
            let _ = check.await.unwrap();
        }
        assert!((1..=2).contains(&passwords.hasher.blocks_kept()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_visitor_who_waits_too_long_is_told_to_try_again() {
        let passwords = passwords(1);
        let _taken = passwords.turns.acquire().await.unwrap();
        let started = Instant::now();
        let answer = passwords.verify("popcorn".to_owned(), None).await;
        assert_eq!(
            answer.unwrap_err().status(),
            StatusCode::SERVICE_UNAVAILABLE
        );
        assert_eq!(started.elapsed(), PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_refuses_at_once() {
        let passwords = passwords(1);
        let _all = passwords.line.acquire_many(LINE as u32).await.unwrap();
        let started = Instant::now();
        let answer = passwords.verify("popcorn".to_owned(), None).await;
        assert_eq!(
            answer.unwrap_err().status(),
            StatusCode::SERVICE_UNAVAILABLE
        );
        assert_eq!(started.elapsed(), Duration::ZERO);
    }

    #[tokio::test]
    async fn a_visitor_who_goes_away_leaves_the_turn_taken_until_the_work_is_done() {
        let slow = Passwords::with(1, 40).unwrap();
        let asked = slow.verify("popcorn".to_owned(), None);
        assert!(timeout(Duration::from_millis(1), asked).await.is_err());
        assert_eq!(
            (
                slow.turns.available_permits(),
                slow.line.available_permits()
            ),
            (0, LINE)
        );
        let _next = slow.turns.acquire().await.unwrap();
    }
}
