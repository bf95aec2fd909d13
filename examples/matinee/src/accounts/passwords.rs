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

/// Hashes and checks passwords, a few at a time: each one takes a core and 19 MiB.
#[derive(Clone)]
pub(crate) struct Passwords {
    argon2: Argon2<'static>,
    /// What a password is checked against where there is no account, so that it takes as long.
    nobody: Arc<str>,
    turns: Arc<Semaphore>,
}

impl Passwords {
    pub(crate) fn new() -> Result<Self, password_hash::Error> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobody = argon2.hash_password(b"nobody has this password")?;
        let turns = available_parallelism().map_or(1, NonZeroUsize::get);
        Ok(Self {
            argon2,
            nobody: nobody.to_string().into(),
            turns: Arc::new(Semaphore::new(turns)),
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
        let turn = timeout(PATIENCE, self.turns.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(Problem::unavailable(
                "Many people sign in at this moment. Please try again.",
            ));
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
