//! A browser's cookies, shared by all servers of an app, over plain HTTP too, as on localhost.

use std::collections::BTreeMap;
use std::sync::Mutex;

use ureq::http::HeaderMap;

/// Names and values.
#[derive(Debug, Default)]
pub(crate) struct Cookies(Mutex<BTreeMap<String, String>>);

impl Cookies {
    /// Returns the value of the field `Cookie`.
    pub(crate) fn header(&self) -> Option<String> {
        let kept = self.0.lock().unwrap();
        let pairs: Vec<_> = kept
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// Stores a cookie, as if an app or an attacker had set it.
    pub(crate) fn set(&self, name: &str, value: &str) {
        self.0
            .lock()
            .unwrap()
            .insert(name.to_owned(), value.to_owned());
    }

    /// Copies the cookies of another browser, as a thief would.
    pub(crate) fn copy(&self, other: &Self) {
        let stolen = other.0.lock().unwrap().clone();
        *self.0.lock().unwrap() = stolen;
    }

    /// Stores the cookies that an answer sets, and removes those that it removes.
    pub(super) fn keep(&self, headers: &HeaderMap) {
        for field in headers.get_all("set-cookie") {
            let field = field.to_str().unwrap();
            let (pair, attributes) = field.split_once(';').unwrap_or((field, ""));
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                self.0.lock().unwrap().remove(name);
            } else {
                self.set(name, value);
            }
        }
    }
}
