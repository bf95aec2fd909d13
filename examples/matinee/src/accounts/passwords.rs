use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{self, PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::errors::Problem;

/// 19 MiB, two passes, one lane: the first choice of OWASP's Password Storage Cheat Sheet.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// How long a sign-in waits for its turn, at most.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many wait for each turn, at most: more would lose their patience.
const LINE: usize = 80;

/// Hashes and checks passwords, a few at a time: each one takes a core and 19 MiB.
#[derive(Clone)]
pub(crate) struct Passwords {
    argon2: Argon2<'static>,
    /// What a password is checked against where there is no account, so that it takes as long.
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
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobody = argon2.hash_password(b"nobody has this password")?;
        Ok(Self {
            argon2,
            nobody: nobody.to_string().into(),
            turns: Arc::new(Semaphore::new(turns)),
            line: Arc::new(Semaphore::new(turns * LINE)),
        })
    }

    /// A new hash, as a PHC string. It takes a core for some twenty milliseconds.
    pub(crate) fn hash(&self, password: &str) -> Result<String, password_hash::Error> {
        let hash = self.argon2.hash_password(password.as_bytes())?;
        Ok(hash.to_string())
    }

    /// Whether this is the password of the hash, which nobody is if it cannot be read.
    pub(super) fn matches(&self, password: &str, hash: &str) -> bool {
        PasswordHash::new(hash).is_ok_and(|hash| {
            let verified = self.argon2.verify_password(password.as_bytes(), &hash);
            verified.is_ok()
        })
    }

    /// Whether this is the password of the hash; without a hash it never is, and takes as long.
    ///
    /// It runs on a thread where blocking does no harm, and goes on when the visitor goes away.
    pub(crate) async fn verify(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, Problem> {
        let crowded =
            || Problem::unavailable("Many people sign in at this moment. Please try again.");
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
        spawn_blocking(check)
            .await
            .map_err(|_| Problem::unavailable("The password could not be checked."))
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
        assert!(!verify("popcorn", None).await);
        assert!(!verify("nobody has this password", None).await);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_too_long_is_told_to_try_again() {
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
    async fn where_the_line_is_full_nobody_waits() {
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
