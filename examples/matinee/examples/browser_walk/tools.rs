use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket};

use crate::Failure;

/// More time than any step takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// The DevTools protocol over one connection: commands with their answers, and the events in between.
pub(crate) struct Tools {
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
    last: u64,
    /// The page to which commands are sent.
    session: Option<String>,
    /// Events that have arrived, and that nobody has asked for yet.
    events: Vec<Value>,
}

impl Tools {
    pub(crate) fn connect(url: &str) -> Result<Self, Failure> {
        let (socket, _) = tungstenite::connect(url)?;
        if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
            stream.set_read_timeout(Some(PATIENCE))?;
        }
        Ok(Self {
            socket,
            last: 0,
            session: None,
            events: Vec::new(),
        })
    }

    /// Sends commands to this page from now on.
    pub(crate) fn attach(&mut self, session: &str) {
        self.session = Some(session.to_owned());
    }

    /// Sends a command, and waits for its answer.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Result<Value, Failure> {
        self.last += 1;
        let mut command = json!({ "id": self.last, "method": method, "params": params });
        if let Some(session) = &self.session {
            command["sessionId"] = json!(session);
        }
        self.socket.send(Message::text(command.to_string()))?;
        loop {
            let mut message = self.receive()?;
            if message["id"] != self.last {
                self.events.push(message);
            } else if message["error"].is_null() {
                return Ok(message["result"].take());
            } else {
                return Err(format!("{method}: {}", message["error"]).into());
            }
        }
    }

    /// Waits until this event has happened, and removes it.
    pub(crate) fn wait_for(&mut self, method: &str) -> Result<Value, Failure> {
        let since = Instant::now();
        loop {
            let is_it = |event: &Value| event["method"] == method;
            if let Some(at) = self.events.iter().position(is_it) {
                return Ok(self.events.remove(at));
            }
            if since.elapsed() > PATIENCE {
                return Err(format!("no {method}").into());
            }
            let event = self.receive()?;
            self.events.push(event);
        }
    }

    /// Returns all events since the last call.
    pub(crate) fn events(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.events)
    }

    fn receive(&mut self) -> Result<Value, Failure> {
        loop {
            if let Message::Text(text) = self.socket.read()? {
                return Ok(serde_json::from_str(&text)?);
            }
        }
    }
}
