//! Runs command lines, and captures what they write.

use std::ffi::OsString;
use std::io::{BufRead, Read};
use std::sync::Arc;
use std::time::Duration;

use larder::redis::RedisStore;
use larder::{Namespace, Prefixed, Store};
use larder_cli::Io;
use larder_test::server::RedisServer;
use serde_json::Value;

/// What a command line did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: u8,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Returns the JSON that was written by a command that succeeded.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Checks that the command succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// Checks the exit code, and that `text` is in the output.
    #[track_caller]
    pub(crate) fn prints(&self, code: u8, text: &str) {
        let found = (self.code, self.out.contains(text));
        assert_eq!(found, (code, true), "{text}: {self:?}");
    }

    /// Checks the exit code, and that `text` is in what is written to standard error.
    #[track_caller]
    pub(crate) fn complains(&self, code: u8, text: &str) {
        let found = (self.code, self.err.contains(text));
        assert_eq!(found, (code, true), "{text}: {self:?}");
    }
}

/// Runs a command on a store, with words that are already apart.
pub(crate) async fn run(url: &str, words: &[&str], input: &str) -> Ran {
    run_with(url, words, &mut input.as_bytes()).await
}

/// Runs a command on a store, whose questions a reader answers.
pub(crate) async fn run_with(url: &str, words: &[&str], input: &mut dyn BufRead) -> Ran {
    let words = words.iter().map(|word| OsString::from(*word));
    let timeouts = match url.contains('?') {
        true => String::new(),
        // Of a machine that is busy with other tests.
        false => "?timeout_ms=5000&connect_timeout_ms=5000".to_owned(),
    };
    let url = OsString::from(format!("{url}{timeouts}"));
    let args = [OsString::from("larder"), OsString::from("--url"), url];
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let io = Io {
        out: &mut out,
        err: &mut err,
        input,
        shows_progress: false,
        clears_screen: false,
    };
    let code = larder_cli::run(args.into_iter().chain(words), io).await;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran {
        code,
        out: text(out),
        err: text(err),
    }
}

/// Says yes to a question, and lets the app do something between the question and the answer.
pub(crate) struct Meanwhile<F> {
    url: String,
    app: Option<F>,
    answer: &'static [u8],
}

impl<F: AsyncFnOnce(Arc<dyn Store>) + Send + 'static> Meanwhile<F> {
    pub(crate) fn new(url: &str, app: F) -> Self {
        Self {
            url: url.to_owned(),
            app: Some(app),
            answer: b"y\n",
        }
    }
}

impl<F> Read for Meanwhile<F> {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Ok(0)
    }
}

impl<F: AsyncFnOnce(Arc<dyn Store>) + Send + 'static> BufRead for Meanwhile<F> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        if let Some(app) = self.app.take() {
            let url = self.url.clone();
            let act = move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                runtime
                    .unwrap()
                    .block_on(async { app(connect(&url).await).await });
            };
            std::thread::spawn(act).join().unwrap();
        }
        Ok(self.answer)
    }

    fn consume(&mut self, bytes: usize) {
        self.answer = &self.answer[bytes..];
    }
}

/// Runs a command line on a store, and answers no question.
pub(crate) async fn larder(url: &str, line: &str) -> Ran {
    let words: Vec<_> = line.split(' ').collect();
    run(url, &words, "").await
}

/// Starts a server, and connects an app to it.
pub(crate) async fn server() -> (RedisServer, Arc<dyn Store>) {
    let server = RedisServer::start().unwrap();
    let store = connect(&server.url()).await;
    (server, store)
}

pub(crate) async fn connect(url: &str) -> Arc<dyn Store> {
    let patient = RedisStore::builder(url).with_timeout(Duration::from_secs(5));
    let patient = patient.with_connect_timeout(Duration::from_secs(5));
    Arc::new(patient.connect().await.unwrap())
}

/// Puts an app's store into the namespace `prod:app`.
pub(crate) fn prefixed(store: &Arc<dyn Store>) -> Arc<dyn Store> {
    let namespace = Namespace::new("prod", "app").unwrap();
    Arc::new(Prefixed::new(namespace, store.clone()))
}
