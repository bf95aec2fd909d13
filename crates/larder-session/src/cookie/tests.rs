use http::header;
use http::{HeaderMap, HeaderValue};

use super::*;
use crate::SessionErrorKind;
use crate::token::DeviceId;

fn token() -> Token {
    Token::random(DeviceId::random(), None)
}

fn sent(fields: &[&str]) -> RequestCookies {
    let mut headers = HeaderMap::new();
    for field in fields {
        headers.append(header::COOKIE, HeaderValue::from_str(field).unwrap());
    }
    RequestCookies::of(&headers)
}

#[test]
fn a_cookie_is_set_and_removed_with_the_same_attributes() {
    let (cookie, token) = (SessionCookie::default(), token());
    let set = cookie.set(&token, MaxAge::AsDeclared(1)).unwrap();
    assert!(set.is_sensitive());
    assert_eq!(
        set.to_str().unwrap(),
        format!(
            "__Host-session={}; Path=/; HttpOnly; Secure; SameSite=Lax",
            token.encode()
        )
    );
    assert_eq!(
        cookie.remove().unwrap().to_str().unwrap(),
        "__Host-session=; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=0; \
         Expires=Thu, 01 Jan 1970 00:00:00 GMT"
    );
    assert!(format!("{cookie:?}").contains("SameSite=Lax"), "{cookie:?}");
}

#[test]
fn a_cookie_that_outlives_the_browser_lives_as_long_as_the_session() {
    let one = |cookie: SessionCookie, max_age| {
        let set = cookie.set(&token(), max_age).unwrap();
        let text = set.to_str().unwrap().to_owned();
        text.split_once("; Max-Age=").map(|(_, age)| age.to_owned())
    };
    let (short, long) = (SessionCookie::default, || {
        let kept = SessionCookie::builder().with_expiry(CookieExpiry::WithTheSession);
        kept.build().unwrap()
    });
    let left = 43_199_000_001;
    assert_eq!(
        one(long(), MaxAge::AsDeclared(left)).as_deref(),
        Some("43200")
    );
    assert_eq!(one(short(), MaxAge::AsDeclared(left)), None);
    // The choice of a sign-in overrides the layer's cookie.
    assert_eq!(one(long(), MaxAge::None), None);
    assert_eq!(one(short(), MaxAge::Left(left)).as_deref(), Some("43200"));
}

/// Without what every cookie of these tests ends with.
fn removed(cookie: &SessionCookie) -> Vec<String> {
    let all = cookie.remove().into_iter().chain(cookie.remove_twins());
    let tail = "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
    let text = |set: HeaderValue| set.to_str().unwrap().strip_suffix(tail).unwrap().to_owned();
    all.map(text).collect()
}

#[test]
fn a_cookie_with_a_domain_can_remove_the_one_without() {
    assert_eq!(removed(&SessionCookie::default()).len(), 1);
    let shared = SessionCookie::builder()
        .with_name("sid")
        .with_domain("example.org")
        .with_path("/app");
    let tail = "Path=/app; HttpOnly; Secure; SameSite=Lax";
    assert_eq!(
        removed(&shared.build().unwrap()),
        [
            format!("sid=; Domain=example.org; {tail}"),
            format!("sid=; {tail}")
        ]
    );
}

#[test]
fn a_partitioned_cookie_is_removed_as_one_and_can_remove_those_from_before() {
    let framed = SessionCookie::builder()
        .with_same_site(SameSite::None)
        .partitioned();
    let cookie = framed.build().unwrap();
    let set = cookie.set(&token(), MaxAge::None).unwrap();
    let attributes = "Path=/; HttpOnly; Secure; SameSite=None";
    let tail = format!("; {attributes}; Partitioned");
    assert!(set.to_str().unwrap().ends_with(&tail), "{set:?}");
    let name = "__Host-session=; ";
    assert_eq!(
        removed(&cookie),
        [
            format!("{name}{attributes}; Partitioned"),
            format!("{name}{attributes}")
        ]
    );
    let shared = framed.with_name("sid").with_domain("example.org");
    let domain = "Domain=example.org; ";
    assert_eq!(
        removed(&shared.build().unwrap()),
        [
            format!("sid=; {domain}{attributes}; Partitioned"),
            format!("sid=; {domain}{attributes}"),
            format!("sid=; {attributes}; Partitioned"),
            format!("sid=; {attributes}"),
        ]
    );
}

#[test]
fn a_cookie_that_browsers_would_refuse_is_an_error() {
    let cookie = SessionCookie::builder;
    for (wrong, why) in [
        (cookie().with_domain("example.org"), "cookie with a domain"),
        (cookie().with_path("/app"), "another path than '/'"),
        (
            cookie().insecure_over_plain_http(),
            "'__Host-' cookie that is not Secure",
        ),
        (
            cookie().with_name("__HOST-x").with_path("/app"),
            "another path than '/'",
        ),
        (
            cookie().with_name("__Secure-x").insecure_over_plain_http(),
            "'__Secure-' cookie that is not Secure",
        ),
        (
            cookie()
                .with_name("x")
                .with_same_site(SameSite::None)
                .insecure_over_plain_http(),
            "SameSite=None that is not Secure",
        ),
        (
            cookie().with_name("__http-x").insecure_over_plain_http(),
            "'__Http-' cookie that is not Secure",
        ),
        (
            cookie().partitioned(),
            "Partitioned cookie from a frame of another site unless it has SameSite=None",
        ),
        (
            cookie().with_same_site(SameSite::Strict).partitioned(),
            "SameSite=None",
        ),
        (
            cookie()
                .with_name("x")
                .partitioned()
                .insecure_over_plain_http(),
            "Partitioned cookie that is not Secure",
        ),
        (
            cookie()
                .with_name("x")
                .with_same_site(SameSite::None)
                .with_path("/app")
                .partitioned(),
            "Partitioned cookie needs the path '/'",
        ),
        (cookie().with_name(""), "not a token"),
        (cookie().with_name("s\u{e4}"), "not a token"),
        (cookie().with_name("a\tb"), "not a token"),
        (cookie().with_name("a b"), "not a token"),
        (cookie().with_name("a=b"), "not a token"),
        (cookie().with_name("x").with_path("app"), "begins with '/'"),
        (cookie().with_name("x").with_path("/;"), "begins with '/'"),
        (
            cookie().with_name("x").with_domain("a;b"),
            "not a host name",
        ),
        (
            cookie().with_name("x").with_path("/ "),
            "does not end with a space",
        ),
        (cookie().with_name("x").with_path("/\n"), "no control"),
        (cookie().with_name("x").with_path("/\u{e4}"), "no control"),
        (cookie().with_name("x").with_domain(""), "not a host name"),
        (cookie().with_name("x").with_domain("."), "not a host name"),
        (
            cookie().with_name("x").with_domain("a..b"),
            "not a host name",
        ),
        (
            cookie().with_name("x").with_domain("example.org."),
            "not a host name",
        ),
        (
            cookie().with_name("x").with_domain("example.org:80"),
            "not a host name",
        ),
        (
            cookie().with_name("x").with_domain("*.example.org"),
            "not a host name",
        ),
        (
            cookie().with_name("x").with_domain("a".repeat(64)),
            "not a host name",
        ),
        (
            cookie()
                .with_name("x")
                .with_domain(vec!["a"; 128].join(".")),
            "not a host name",
        ),
    ] {
        let error = wrong.build().unwrap_err();
        assert_eq!(error.kind(), SessionErrorKind::Invalid);
        assert!(error.to_string().contains(why), "{error}: {why}");
    }
    let shared = cookie().with_name("__Secure-x").with_domain("example.org");
    assert!(shared.with_path("/app").build().is_ok());
    assert!(
        cookie()
            .with_name("sid")
            .insecure_over_plain_http()
            .build()
            .is_ok()
    );
    assert!(
        cookie()
            .with_name("sid")
            .with_domain(".example.org")
            .build()
            .is_ok()
    );
}

#[test]
fn a_cookie_is_never_larger_than_what_browsers_keep() {
    let token = Token::random(DeviceId::random(), Some(crate::token::UserTag::of("ada")));
    let longest = 4096 - token.encode().len();
    let named = |length: usize| {
        SessionCookie::builder()
            .with_name("x".repeat(length))
            .build()
    };
    let set = named(longest).unwrap().set(&token, MaxAge::None).unwrap();
    let pair = set.to_str().unwrap().split(';').next().unwrap().len();
    assert_eq!(pair - "=".len(), 4096);
    let error = named(longest + 1).unwrap_err();
    assert_eq!(error.kind(), SessionErrorKind::Invalid);
    assert!(error.to_string().contains("4096 octets"), "{error}");

    let below = |length: usize| {
        let path = format!("/{}", "x".repeat(length - 1));
        SessionCookie::builder()
            .with_name("sid")
            .with_path(path)
            .build()
    };
    assert!(below(1024).is_ok());
    let error = below(1025).unwrap_err();
    assert!(error.to_string().contains("1024 octets"), "{error}");
}

#[test]
fn a_token_is_found_among_other_cookies_and_over_several_fields() {
    let token = token();
    let text = token.encode();
    for fields in [
        vec![format!("s={text}")],
        vec![format!("a=1; s={text}; b=2")],
        vec![format!("a=1;s={text};b")],
        vec!["a=1".to_owned(), format!("s={text}"), "s2=x".to_owned()],
    ] {
        let fields: Vec<_> = fields.iter().map(String::as_str).collect();
        assert!(sent(&fields).tokens("s")[..] == [token], "{fields:?}");
    }
}

#[test]
fn a_malformed_token_is_ignored() {
    let text = token().encode();
    for fields in [
        vec![format!("s=\"{text}\"")],
        vec![format!("S={text}")],
        vec![format!("s={text}x")],
        vec![format!("s={}", "A".repeat(8000))],
        vec!["s".to_owned()],
        vec!["s=; s=x".to_owned()],
        vec![],
    ] {
        let fields: Vec<_> = fields.iter().map(String::as_str).collect();
        assert!(sent(&fields).tokens("s").is_empty());
    }
    for there in ["s=; s=x", "a=1; s"] {
        assert!(sent(&[there]).has("s"), "{there}");
    }
    assert!(!sent(&["t=s"]).has("s"));
}

#[test]
fn repeated_tokens_count_once_and_their_number_is_bounded() {
    let all: Vec<_> = (0..100).map(|_| token()).collect();
    let pair = |token: &Token| format!("s={}", token.encode());
    let [one, other] = [pair(&all[0]), pair(&all[1])];
    for fields in [
        vec![format!("{one}; {other}")],
        vec![format!("{one}; s=; s=x; {one}; {other}; {one}")],
        vec![one, "s".to_owned(), other],
    ] {
        let fields: Vec<_> = fields.iter().map(String::as_str).collect();
        assert!(sent(&fields).tokens("s")[..] == all[..2], "{fields:?}");
    }
    let many: Vec<_> = all.iter().map(pair).collect();
    let found = sent(&[&many.join("; ")]).tokens("s");
    assert!(found[..] == all[..request::MAX_TOKENS]);
}
