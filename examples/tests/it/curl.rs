//! The subset of `curl` and of a shell that the transcripts use.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use ureq::Agent;
use ureq::http::Response;

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(15);

/// A shell that runs `curl` and keeps its cookie jars.
pub(crate) struct Shell {
    agent: Agent,
    jars: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Default)]
struct Options {
    url: String,
    data: Option<String>,
    reads: Option<String>,
    writes: Option<String>,
    with_head: bool,
}

impl Shell {
    pub(crate) fn new() -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .max_redirects(0);
        Self {
            agent: config.build().into(),
            jars: BTreeMap::new(),
        }
    }

    /// Runs a command against `address` instead of the address on the page, and returns what it prints.
    pub(crate) fn run(&mut self, command: &str, address: SocketAddr) -> String {
        let (curl, grep) = match command.split_once(" | ") {
            Some((curl, grep)) => (curl, Some(grep)),
            None => (command, None),
        };
        let printed = self.curl(&Options::of(&words(curl)), address);
        match grep {
            Some(grep) => filter(&printed, &words(grep)),
            None => printed,
        }
    }

    fn curl(&mut self, options: &Options, address: SocketAddr) -> String {
        let path = options.url.strip_prefix("http://127.0.0.1:3000").unwrap();
        let url = format!("http://{address}{path}");
        let cookies = options.reads.as_ref().and_then(|jar| self.jars.get(jar));
        let cookies = cookies.cloned().unwrap_or_default();
        let field: Vec<_> = cookies.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let field = field.join("; ");
        let response = match &options.data {
            Some(data) => {
                let request = self.agent.post(&url).header("cookie", field);
                request
                    .content_type("application/x-www-form-urlencoded")
                    .send(data)
            }
            None => self.agent.get(&url).header("cookie", field).call(),
        };
        let mut response = response.unwrap_or_else(|error| panic!("no answer to {url}: {error}"));
        if let Some(jar) = &options.writes {
            let kept = kept(cookies, &response);
            self.jars.insert(jar.clone(), kept);
        }
        let mut printed = String::new();
        if options.with_head {
            writeln!(printed, "{:?} {}", response.version(), response.status()).unwrap();
            for (name, value) in response.headers() {
                writeln!(printed, "{name}: {}", value.to_str().unwrap()).unwrap();
            }
        }
        printed + &response.body_mut().read_to_string().unwrap()
    }
}

impl Options {
    fn of(words: &[String]) -> Self {
        let mut options = Self::default();
        let mut words = words.iter().cloned();
        assert_eq!(words.next().as_deref(), Some("curl"));
        while let Some(word) = words.next() {
            match word.as_str() {
                "-s" => {}
                "-si" => options.with_head = true,
                "-b" => options.reads = words.next(),
                "-c" => options.writes = words.next(),
                "-d" => options.data = words.next(),
                _ if options.url.is_empty() => options.url = word,
                _ => panic!("'{word}' is more of curl than is known here"),
            }
        }
        options
    }
}

/// The jar after a response.
fn kept<B>(mut jar: BTreeMap<String, String>, response: &Response<B>) -> BTreeMap<String, String> {
    for field in response.headers().get_all("set-cookie") {
        let (pair, attributes) = field.to_str().unwrap().split_once(';').unwrap();
        let (name, value) = pair.split_once('=').unwrap();
        if attributes.contains("Max-Age=0") {
            jar.remove(name);
        } else {
            jar.insert(name.to_owned(), value.to_owned());
        }
    }
    jar
}

/// Keeps the lines that contain one of the words; `-i` ignores case.
fn filter(printed: &str, grep: &[String]) -> String {
    let [options @ .., pattern] = grep else {
        panic!("grep without a pattern");
    };
    let fold = |text: &str| match options.iter().any(|it| it.contains('i')) {
        true => text.to_lowercase(),
        false => text.to_owned(),
    };
    let patterns: Vec<_> = pattern.split('|').map(fold).collect();
    let is_found = |line: &&str| patterns.iter().any(|it| fold(line).contains(it.as_str()));
    let found: Vec<_> = printed.lines().filter(is_found).collect();
    found.join("\n")
}

/// The words of a command; quotes hold spaces and nothing.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, part) in command.split('\'').enumerate() {
        match at % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}
