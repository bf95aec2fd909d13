use std::fmt;

use super::ConfigError;
use crate::accounts::{DEMO_ACCOUNTS, Email};

/// The minimum for a password without a second factor (OWASP ASVS 4.0.3, 2.1.1).
const SHORTEST: usize = 12;

/// The administrator's account. `Debug` shows neither the email nor the password.
#[derive(Clone, PartialEq, Eq)]
pub struct AdminAccount {
    pub(crate) email: Email,
    pub(crate) password: String,
}

impl AdminAccount {
    /// Parses an email and a password that is not easily guessed.
    ///
    /// # Errors
    ///
    /// If one is missing, the email is malformed, or the password is short, equals the email, has few
    /// different characters, or is common or documented.
    pub fn parse(
        email: Option<String>,
        password: Option<String>,
    ) -> Result<Option<Self>, ConfigError> {
        let (email, password) = match (email, password) {
            (None, None) => return Ok(None),
            (Some(_), None) => return Err(bad("ADMIN_PASSWORD", "a password beside ADMIN_EMAIL")),
            (None, Some(_)) => return Err(bad("ADMIN_EMAIL", "an email beside ADMIN_PASSWORD")),
            (Some(email), Some(password)) => (email, password),
        };
        let email = Email::of_an_account(&email)
            .ok_or_else(|| bad("ADMIN_EMAIL", "the administrator's email"))?;
        if password.chars().count() < SHORTEST || is_guessed_at_once(&email, &password) {
            return Err(bad(
                "ADMIN_PASSWORD",
                "at least 12 characters, not a common password and not one from the documentation",
            ));
        }
        Ok(Some(Self { email, password }))
    }
}

fn is_guessed_at_once(email: &Email, password: &str) -> bool {
    let password = password.to_lowercase();
    let mut characters: Vec<char> = password.chars().collect();
    characters.sort_unstable();
    characters.dedup();
    let common = [
        "password",
        "passwort",
        "changeme",
        "change-me",
        "12345",
        "qwerty",
        "secret",
        "matinee",
    ];
    characters.len() < 5
        || password == email.as_str()
        || common.iter().any(|common| password.contains(common))
        || DEMO_ACCOUNTS.iter().any(|demo| password == demo.password)
}

fn bad(name: &'static str, expected: &'static str) -> ConfigError {
    ConfigError {
        name,
        // Neither should appear in a terminal that others see.
        value: "…".to_owned(),
        expected,
        fix: match name {
            "ADMIN_EMAIL" => "ADMIN_EMAIL=you@example.org",
            _ => "ADMIN_PASSWORD=\"$(openssl rand -base64 18)\"",
        },
    }
}

impl fmt::Debug for AdminAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminAccount(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(email: &str, password: &str) -> Result<Option<AdminAccount>, ConfigError> {
        let set = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        AdminAccount::parse(set(email), set(password))
    }

    #[test]
    fn an_admin_needs_an_email_and_a_password_that_nobody_guesses_at_once() {
        assert_eq!(parse("", "").unwrap(), None);
        let admin = parse(" Boss@Example.org ", "correct horse battery")
            .unwrap()
            .unwrap();
        assert_eq!(admin.email.as_str(), "boss@example.org");
        assert!(!format!("{admin:?}").contains("horse"));
    }

    #[test]
    fn a_default_a_short_and_a_common_password_are_refused_and_not_repeated() {
        for (email, password, name) in [
            ("", "correct horse battery", "ADMIN_EMAIL"),
            ("boss", "correct horse battery", "ADMIN_EMAIL"),
            ("b o@x", "correct horse battery", "ADMIN_EMAIL"),
            ("a>,<b@x", "correct horse battery", "ADMIN_EMAIL"),
            ("boss@example.org", "", "ADMIN_PASSWORD"),
            ("boss@example.org", "elevenchars", "ADMIN_PASSWORD"),
            ("boss@example.org", "lights-camera-admin", "ADMIN_PASSWORD"),
            ("boss@example.org", "Lights-Camera-Admin", "ADMIN_PASSWORD"),
            ("boss@example.org", "my-Password-is-long", "ADMIN_PASSWORD"),
            ("boss@example.org", "changeme-changeme", "ADMIN_PASSWORD"),
            ("boss@example.org", "abababababababab", "ADMIN_PASSWORD"),
            ("boss@example.org", "boss@example.org", "ADMIN_PASSWORD"),
        ] {
            let text = parse(email, password).unwrap_err().to_string();
            assert!(text.starts_with(name), "{text}");
            assert!(password.is_empty() || !text.contains(password), "{text}");
        }
    }
}
