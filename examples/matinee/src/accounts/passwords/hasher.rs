use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::password_hash::{Error, Result, try_generate_salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};

/// Argon2 with memory that is reused.
///
/// Argon2 by itself allocates its memory for each hash. The allocator then keeps that memory for each thread
/// that has ever hashed, and tokio may run blocking work on a few hundred threads.
#[derive(Clone)]
pub(super) struct Hasher {
    argon2: Argon2<'static>,
    /// As many blocks of memory as hashes have ever run at once.
    idle: Arc<Mutex<Vec<Vec<Block>>>>,
}

impl Hasher {
    pub(super) fn new(argon2: Argon2<'static>) -> Self {
        let idle = Arc::default();
        Self { argon2, idle }
    }

    /// Returns a new hash, as a PHC string.
    pub(super) fn hash(&self, password: &str) -> Result<String> {
        let salt = Salt::new(&try_generate_salt().map_err(|_| Error::RngFailure)?)?;
        let output = self.compute(&self.argon2, password, &salt, Params::DEFAULT_OUTPUT_LEN)?;
        let hash = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(self.argon2.params())?,
            salt: Some(salt),
            hash: Some(output),
        };
        Ok(hash.to_string())
    }

    /// Returns whether this is the password of the hash.
    ///
    /// # Errors
    ///
    /// If the hash is malformed, or asks for more memory than a new one would.
    pub(super) fn matches(&self, password: &str, hash: &str) -> Result<bool> {
        let hash = PasswordHash::new(hash)?;
        let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else {
            return Ok(false);
        };
        let params = Params::try_from(&hash)?;
        if params.block_count() > self.argon2.params().block_count() {
            return Err(Error::ParamsInvalid);
        }
        let algorithm = Algorithm::try_from(hash.algorithm.as_str())?;
        let version = hash.version.map(Version::try_from).transpose()?;
        let argon2 = Argon2::new(algorithm, version.unwrap_or_default(), params);
        // Outputs are compared in constant time.
        Ok(self.compute(&argon2, password, salt, expected.len())? == *expected)
    }

    fn compute(
        &self,
        argon2: &Argon2<'_>,
        password: &str,
        salt: &Salt,
        length: usize,
    ) -> Result<Output> {
        let mut buffer = [0; Output::MAX_LENGTH];
        let out = buffer.get_mut(..length).ok_or(Error::OutputSize)?;
        self.with_memory(argon2.params().block_count(), |memory| {
            argon2.hash_password_into_with_memory(password.as_bytes(), salt, out, memory)
        })?;
        Ok(Output::new(out)?)
    }

    fn with_memory<T>(&self, blocks: usize, work: impl FnOnce(&mut [Block]) -> T) -> T {
        let mut memory = self.lock().pop().unwrap_or_default();
        if memory.len() < blocks {
            memory.resize(blocks, Block::new());
        }
        let done = work(&mut memory[..blocks]);
        // The memory that is reused must keep no trace of a password.
        memory[..blocks].fill(Block::new());
        self.lock().push(memory);
        done
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Vec<Block>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn blocks_kept(&self) -> usize {
        self.lock().len()
    }
}
