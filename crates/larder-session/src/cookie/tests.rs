use http::header;
use http::{HeaderMap, HeaderValue};

use super::*;
use crate::ErrorKind;
use crate::token::DeviceId;

fn build(cookie: SessionCookie) -> Result<Cookie> {
    cookie.build(&Lifetime::AAL2)
}

fn token() -> Token {
    Token::random(DeviceId::random(), None)
}

fn presented(fields: &[&str]) -> Presented {
    let mut headers = HeaderMap::new();
    for field in fields {
        headers.append(header::COOKIE, HeaderValue::from_str(field).unwrap());
    }
    Presented::of(&headers)
}

#[test]
fn it_is_set_and_removed_with_the_same_attributes() {
    let (cookie, token) = (build(SessionCookie::default()).unwrap(), token());
    let set = cookie.set(&token).unwrap();
    assert!(set.is_sensitive());
    assert_eq!(
        set.to_str().unwrap(),
        format!(
            "__Host-session={}; Path=/; HttpOnly; Secure; SameSite=Lax",
            token.encode()
        )
    );
    assert_eq!(
        cookie.remove().to_str().unwrap(),
        "__Host-session=; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=0; \
         Expires=Thu, 01 Jan 1970 00:00:00 GMT"
    );
}

#[test]
fn a_persistent_one_lives_as_long_as_the_session_may() {
    let cookie = build(SessionCookie::default().persistent()).unwrap();
    let set = cookie.set(&token()).unwrap();
    assert!(set.to_str().unwrap().ends_with("; Max-Age=43200"));
}

#[test]
fn what_browsers_would_refuse_is_refused_first() {
    let cookie = SessionCookie::default;
    for (wrong, why) in [
        (cookie().with_domain("example.org"), "has no domain"),
        (cookie().with_path("/app"), "has the path '/'"),
        (
            cookie().insecure_over_plain_http(),
            "'__Host-' cookie is Secure",
        ),
        (
            cookie().with_name("__HOST-x").with_path("/app"),
            "has the path '/'",
        ),
        (
            cookie().with_name("__Secure-x").insecure_over_plain_http(),
            "'__Secure-' cookie is Secure",
        ),
        (
            cookie()
                .with_name("x")
                .with_same_site(SameSite::None)
                .insecure_over_plain_http(),
            "SameSite=None is Secure",
        ),
        (cookie().with_name(""), "is a token"),
        (cookie().with_name("a b"), "is a token"),
        (cookie().with_name("a=b"), "is a token"),
        (cookie().with_name("x").with_path("app"), "begins with '/'"),
        (cookie().with_name("x").with_path("/;"), "begins with '/'"),
        (cookie().with_name("x").with_domain("a;b"), "a host name"),
        (cookie().with_name("x").with_domain(""), "a host name"),
    ] {
        let error = build(wrong).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(why), "{error}: {why}");
    }
    let shared = cookie().with_name("__Secure-x").with_domain("example.org");
    assert!(build(shared.with_path("/app")).is_ok());
    assert!(build(cookie().with_name("sid").insecure_over_plain_http()).is_ok());
}

#[test]
fn it_is_found_among_others_and_over_several_fields() {
    let token = token();
    let text = token.encode();
    for fields in [
        vec![format!("s={text}")],
        vec![format!("a=1; s={text}; b=2")],
        vec![format!("a=1;s={text};b")],
        vec!["a=1".to_owned(), format!("s={text}"), "s2=x".to_owned()],
    ] {
        let fields: Vec<_> = fields.iter().map(String::as_str).collect();
        assert!(presented(&fields).token("s") == Some(token), "{fields:?}");
    }
}

#[test]
fn what_is_there_twice_or_of_another_form_is_not_there() {
    let text = token().encode();
    for fields in [
        vec![format!("s={text}; s={text}")],
        vec![format!("s={text}"), format!("s={text}")],
        vec![format!("s={text}; s=")],
        vec![format!("s=\"{text}\"")],
        vec![format!("S={text}")],
        vec![format!("s={text}x")],
        vec![format!("s={}", "A".repeat(8000))],
        vec!["s".to_owned()],
        vec![],
    ] {
        let fields: Vec<_> = fields.iter().map(String::as_str).collect();
        assert!(presented(&fields).token("s").is_none());
    }
    assert!(presented(&["s=; s=x"]).has("s"));
    assert!(!presented(&["t=s"]).has("s"));
}
