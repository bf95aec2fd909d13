//! Server-sent events, as a browser reads them.

use std::io::{BufRead as _, BufReader};

use serde_json::Value;
use ureq::BodyReader;

/// An open stream of events.
pub(crate) struct Events(pub(super) BufReader<BodyReader<'static>>);

/// One event.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) data: Value,
}

impl Events {
    /// Waits for the next event. Returns `None` if the stream has ended.
    pub(crate) fn next(&mut self) -> Option<Event> {
        let (mut id, mut data) = (String::new(), String::new());
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            match line.trim_end().split_once(": ") {
                Some(("id", text)) => id = text.to_owned(),
                Some(("data", text)) => data.push_str(text),
                None if line.trim_end().is_empty() && !data.is_empty() => {
                    let data = serde_json::from_str(&data).unwrap();
                    return Some(Event { id, data });
                }
                _ => {}
            }
        }
    }
}
