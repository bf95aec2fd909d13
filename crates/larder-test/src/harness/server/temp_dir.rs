//! A private directory in the system's temporary directory.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// A new directory that only this user may enter. It is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    pub(super) fn create() -> io::Result<Self> {
        loop {
            // Short, because the path of a Unix socket has at most about 100 bytes.
            let name = format!("larder-{:08x}", fastrand::u32(..));
            let path = std::env::temp_dir().join(name);
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The reaper removes it too, so it may be gone. A test could do nothing about another error.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
