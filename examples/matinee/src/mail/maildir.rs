use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task::spawn_blocking;

/// A maildir, as mail programs read it: a message is written in `tmp`, then moved to `new`.
///
/// So a reader never sees half a message, and a message that is delivered again under the same name exists
/// once, as long as nobody has moved it.
#[derive(Clone, Debug)]
pub(super) struct Maildir {
    path: Arc<Path>,
}

impl Maildir {
    /// Opens the directory, and creates what is missing.
    pub(super) async fn open(path: &Path) -> io::Result<Self> {
        let path: Arc<Path> = path.into();
        let made = path.clone();
        let make = move || {
            let mut parts = ["tmp", "new", "cur"].into_iter();
            parts.try_for_each(|part| fs::create_dir_all(made.join(part)))
        };
        spawn_blocking(make).await??;
        Ok(Self { path })
    }

    /// Writes a message to the disk under this name.
    pub(super) async fn deliver(&self, name: String, message: String) -> io::Result<()> {
        let path = self.path.clone();
        spawn_blocking(move || write(&path, &name, &message)).await?
    }
}

fn write(path: &Path, name: &str, message: &str) -> io::Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    // Another process, or another attempt, may be writing the same letter.
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let attempt = format!("{name}.{}.{number}", std::process::id());
    let draft: PathBuf = path.join("tmp").join(attempt);
    let written = File::create(&draft).and_then(|mut file| {
        file.write_all(message.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path.join("new").join(name))?;
        // The directory entry must be on the disk too, before the letter is recorded as sent.
        File::open(path.join("new"))?.sync_all()
    });
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written
}

#[cfg(test)]
mod tests {
    use larder_test::server::Sandbox;

    use super::*;

    #[tokio::test]
    async fn a_message_that_is_delivered_twice_is_there_once_and_whole() {
        let sandbox = Sandbox::new().unwrap();
        let path = sandbox.path().join("far/away/mail");
        let maildir = Maildir::open(&path).await.unwrap();
        for text in ["half", "Dear Ada"] {
            maildir
                .deliver("7".to_owned(), text.to_owned())
                .await
                .unwrap();
        }
        let names = |part| fs::read_dir(path.join(part)).unwrap().count();
        assert_eq!((names("new"), names("tmp")), (1, 0));
        assert_eq!(fs::read_to_string(path.join("new/7")).unwrap(), "Dear Ada");
    }

    #[tokio::test]
    async fn a_message_that_cannot_be_delivered_is_an_error_and_leaves_nothing() {
        let sandbox = Sandbox::new().unwrap();
        let path = sandbox.path().join("mail");
        let maildir = Maildir::open(&path).await.unwrap();
        fs::remove_dir(path.join("new")).unwrap();
        let failed = maildir.deliver("7".to_owned(), "Dear Ada".to_owned()).await;
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(fs::read_dir(path.join("tmp")).unwrap().count(), 0);
    }
}
