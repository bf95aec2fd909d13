//! The page that a visitor returns to after signing in.

use larder::session::ReturnPath;
use url::form_urlencoded::Serializer;

const HOME: &str = "/account";

/// Returns the address that was asked for if it is on this site, otherwise the account page.
pub(crate) fn safe(asked: &str) -> String {
    match ReturnPath::parse(asked) {
        Some(path) if !is_sign_in_or_out(path.as_str()) => path.to_string(),
        _ => HOME.to_owned(),
    }
}

fn is_sign_in_or_out(asked: &str) -> bool {
    let path = asked.split('?').next();
    matches!(path, Some("/sign-in" | "/sign-out"))
}

/// The address of the sign-in form that leads back to `asked`.
pub(crate) fn sign_in_for(asked: &str) -> String {
    let mut query = Serializer::new(String::new());
    query.append_pair("next", asked);
    format!("/sign-in?{}", query.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_this_site_is_kept_and_any_other_leads_home() {
        for path in ["/", "/showings/7", "/tickets?page=2&q=a%20b"] {
            assert_eq!(safe(path), path);
        }
        for path in [
            "",
            "tickets",
            "//evil.example",
            "/\\evil.example",
            "/.//evil.example",
            "https://evil.example",
            "/a\r\nset-cookie: b=c",
            "/sign-in?next=/sign-in",
            "/sign-out",
        ] {
            assert_eq!(safe(path), HOME, "{path:?}");
        }
    }
}
