/// An attack: what is sent, and what the sender gets.
///
/// In the texts `{host}` is the name of the app that the victims use, `{evil}` a name that only this
/// case knows, `{film}` the page of a film, `{cookie}` the cookie of the signed-in visitor, and
/// `{length}` the length of the body. A field ends at the end of its line; `{cr}` and `{lf}` are bare.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    line: &'static str,
    host: &'static str,
    fields: &'static str,
    cookie: &'static str,
    body: &'static str,
    /// How often the body is repeated, or the fields if there is no body.
    times: usize,
    pub(super) answers: &'static [u16],
}

/// The words that are inserted into a case.
#[derive(Debug)]
pub(crate) struct Words {
    pub(super) host: String,
    pub(super) evil: String,
    pub(super) film: &'static str,
    pub(super) cookie: String,
}

/// It is answered, and so is the next request on the same connection.
const WELL: &[u16] = &[200, 200];

impl Case {
    /// A signed-in visitor requests a film with these fields, and is answered.
    pub(super) const fn new(name: &'static str, fields: &'static str) -> Self {
        Self {
            name,
            line: "GET {film} HTTP/1.1",
            host: "Host: {host}",
            fields,
            cookie: "Cookie: {cookie}",
            body: "",
            times: 1,
            answers: WELL,
        }
    }

    /// The same for a different target.
    pub(super) const fn target(name: &'static str, line: &'static str) -> Self {
        Self::new(name, "").line(line)
    }

    pub(super) const fn line(mut self, line: &'static str) -> Self {
        self.line = line;
        self
    }

    /// Sets the whole field `Host`; if empty, it is left out.
    pub(super) const fn host(mut self, field: &'static str) -> Self {
        self.host = field;
        self
    }

    /// Sets the whole field `Cookie`; if empty, it is left out.
    pub(super) const fn cookie(mut self, field: &'static str) -> Self {
        self.cookie = field;
        self
    }

    pub(super) const fn body(mut self, body: &'static str) -> Self {
        self.body = body;
        self
    }

    /// Repeats the body this many times, or the fields if there is no body.
    pub(super) const fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// Sets the status of every answer on the connection, on which `/healthz` is requested next.
    pub(super) const fn answers(mut self, answers: &'static [u16]) -> Self {
        self.answers = answers;
        self
    }

    pub(super) fn is_head(&self) -> bool {
        self.line.starts_with("HEAD ")
    }

    /// Returns where a victim gets by following the attacker's link, if that is a path of the app.
    pub(super) fn link(&self, words: &Words) -> Option<String> {
        let target = self.line.split(' ').nth(1)?;
        let target = words.put_into(target);
        let is_plain = target.bytes().all(|byte| byte.is_ascii_graphic());
        (target.starts_with('/') && target.len() < 1_000 && is_plain).then_some(target)
    }

    /// Returns whether the link itself contains what only the attacker knows.
    pub(super) fn link_is_evil(&self) -> bool {
        self.line.contains("{evil}")
    }

    /// Returns the bytes on the wire, followed by the next request.
    pub(super) fn bytes(&self, words: &Words) -> Vec<u8> {
        let is_fat = !self.body.is_empty();
        let (fields, body) = if is_fat {
            (self.fields.to_owned(), self.body.repeat(self.times))
        } else {
            let said = vec![self.fields; self.times];
            (said.join("\n"), String::new())
        };
        let lines = [self.line, self.host, &fields, self.cookie];
        let lines = lines.iter().filter(|line| !line.is_empty());
        let mut text = String::new();
        for line in lines.flat_map(|line| line.split('\n')) {
            text.push_str(line);
            text.push_str("\r\n");
        }
        let body = words.put_into(&body.replace('\n', "\r\n"));
        text = text.replace("{length}", &body.len().to_string());
        text.push_str("\r\n");
        text.push_str(&body);
        text.push_str("GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        words.put_into(&text).into_bytes()
    }
}

impl Words {
    fn put_into(&self, text: &str) -> String {
        let words = [
            ("{host}", self.host.as_str()),
            ("{evil}", self.evil.as_str()),
            ("{film}", self.film),
            ("{cookie}", self.cookie.as_str()),
            ("{cr}", "\r"),
            ("{lf}", "\n"),
        ];
        words.iter().fold(text.to_owned(), |text, (name, word)| {
            text.replace(name, word)
        })
    }
}
