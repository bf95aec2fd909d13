/// The email address of an account: trimmed and in lower case, so that each address has one form.
///
/// A lookup needs no other check: no account has a malformed address.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Email(String);

/// These end an address in the header of a letter, or quote it (RFC 5322, section 3.2.3, without the dot).
const SPECIALS: &str = "()<>[]:;@\\,\"";

impl Email {
    /// The longest address in SMTP (RFC 5321, section 4.5.3.1.3, without the brackets).
    const LONGEST: usize = 254;

    pub(crate) fn new(typed: &str) -> Self {
        Self(typed.trim().to_lowercase())
    }

    /// Parses the address of a new or changed account. Returns `None` if it is malformed.
    pub(crate) fn of_an_account(typed: &str) -> Option<Self> {
        let email = Self::new(typed);
        let (name, host) = email.0.split_once('@')?;
        let is_plain = |text: &str| !text.is_empty() && text.chars().all(is_allowed);
        let fits = email.0.len() <= Self::LONGEST && is_plain(name) && is_plain(host);
        fits.then_some(email)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_allowed(c: char) -> bool {
    // Invisible characters, and those that turn the direction of text, would make two addresses look alike.
    let is_invisible = matches!(
        c,
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    );
    !(c.is_whitespace() || c.is_control() || is_invisible || SPECIALS.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_an_account_is_one_address_that_people_can_read() {
        for (typed, email) in [
            (" Ada@Matinee.example ", "ada@matinee.example"),
            ("o'hara+films@a-b.example", "o'hara+films@a-b.example"),
            ("jürgen@bücher.example", "jürgen@bücher.example"),
        ] {
            assert_eq!(Email::of_an_account(typed).unwrap().as_str(), email);
        }
        for typed in [
            "",
            "ada",
            "@matinee.example",
            "ada@",
            "a b@c.example",
            "a@b@c.example",
            "a>,<b@c.example",
            "a,b@c.example",
            "\"a\"@c.example",
            "a@c.example\r\nBcc: b@c.example",
            "a@[192.0.2.1]",
            "ada\u{200b}@matinee.example",
            "ada@matinee.example\u{202e}",
        ] {
            assert!(Email::of_an_account(typed).is_none(), "{typed:?}");
        }
        let long = format!("a@{}", "b".repeat(Email::LONGEST));
        assert!(Email::of_an_account(&long).is_none());
    }
}
