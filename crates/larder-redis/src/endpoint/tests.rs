use ::redis::ConnectionAddr;

use larder_store::ErrorKind;

use super::*;

fn parsed(url: &str) -> Endpoint {
    Endpoint::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

fn located(url: &str) -> String {
    parsed(url).location
}

fn refused(url: &str) -> String {
    match Endpoint::parse(url) {
        Ok(_) => panic!("{url} should be refused"),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Invalid);
            error.to_string()
        }
    }
}

#[test]
fn a_location_is_the_url_without_its_user_and_parameters() {
    for (url, location) in [
        ("redis://localhost", "redis://localhost:6379"),
        ("redis://u:secret@h:1/3", "redis://h:1/3"),
        ("REDIS://Host", "redis://Host:6379"),
        ("Valkey+Cluster://a,b", "redis+cluster://a:6379,b:6379"),
        ("redis://h/0?protocol=resp2", "redis://h:6379"),
        ("valkey://:secret@[::1]:7", "redis://[::1]:7"),
        ("unix:///tmp/r.sock", "unix:///tmp/r.sock"),
        (
            "redis+unix:///r.sock?db=2&pass=secret",
            "unix:///r.sock?db=2",
        ),
        (
            "redis+cluster://u:secret@a:1,b,[::1]:3",
            "redis+cluster://a:1,b:6379,[::1]:3",
        ),
        (
            "valkey+sentinel://u:secret@a:1,b:2/main/4?sentinel_pass=secret",
            "redis+sentinel://a:1,b:2/main",
        ),
        (
            "redis+sentinel://u:secret@a,[::1],[::1]:1,b:6379/main",
            "redis+sentinel://a:26379,[::1]:26379,[::1]:1,b:6379/main",
        ),
    ] {
        assert_eq!(located(url), location);
    }
}

#[test]
fn every_host_of_a_cluster_has_the_same_user() {
    let cluster = parsed("redis+cluster://u:p%40ss@a:1,b:2");
    assert!(matches!(cluster.form, ServerKind::Cluster));
    let expected = [("a", 1), ("b", 2)];
    assert_eq!(cluster.infos.len(), expected.len());
    for (info, (host, port)) in cluster.infos.iter().zip(expected) {
        assert_eq!(*info.addr(), ConnectionAddr::Tcp(host.to_owned(), port));
        assert_eq!(info.redis_settings().username(), Some("u"));
        assert_eq!(info.redis_settings().password(), Some("p@ss"));
    }
}

#[test]
fn the_user_of_a_sentinel_is_not_the_user_of_the_master() {
    let url = "redis+sentinel://u:p@a,b/main/4?sentinel_user=watch&sentinel_pass=a%26b";
    let endpoint = parsed(url);
    let ServerKind::Sentinel { master, login } = endpoint.form else {
        panic!("no sentinels");
    };
    assert_eq!(master, "main");
    assert_eq!(
        (login.username(), login.password()),
        (Some("watch"), Some("a&b"))
    );
    let of_master = endpoint.infos[1].redis_settings();
    assert_eq!((of_master.username(), of_master.db()), (Some("u"), 4));
}

type LoginOf = fn(&Endpoint) -> RedisConnectionInfo;

/// Returns URLs of each form with this user and password, and their logins.
fn logins(user: &str, password: &str) -> Vec<(String, LoginOf)> {
    let first: LoginOf = |endpoint| endpoint.infos[0].redis_settings().clone();
    let sentinel: LoginOf = |endpoint| match &endpoint.form {
        ServerKind::Sentinel { login, .. } => login.clone(),
        _ => panic!("no sentinels"),
    };
    vec![
        (format!("redis://{user}:{password}@h"), first),
        (
            format!("valkey://{user}:{password}@[::1]:7/3?timeout_ms=5"),
            first,
        ),
        (format!("redis+cluster://{user}:{password}@a,b"), first),
        (
            format!("redis+sentinel://{user}:{password}@a,b/main/2"),
            first,
        ),
        (format!("unix:///s?user={user}&pass={password}"), first),
        (
            format!("redis+unix:///s?db=2&pass={password}&user={user}"),
            first,
        ),
        (
            format!("redis+sentinel://a/main?sentinel_user={user}&sentinel_pass={password}"),
            sentinel,
        ),
    ]
}

#[test]
fn a_password_is_the_same_in_every_form_of_url() {
    for (written, meant) in [
        ("a+b==", "a+b=="),
        ("%61%2Bb%3d", "a+b="),
        ("a b", "a b"),
        ("%25%23%2F%3F%40%3A%26", "%#/?@:&"),
        ("%2541", "%41"),
        ("p,w;!$'()*-._~[]", "p,w;!$'()*-._~[]"),
        ("gr%C3%BCn", "grün"),
        ("grün", "grün"),
        ("", ""),
    ] {
        for (url, login) in logins("%61lice", written) {
            let login = login(&parsed(&url));
            let login = (login.username(), login.password());
            assert_eq!(login, (Some("alice"), Some(meant)), "{url}");
        }
        let default = match meant {
            "" => Some("default"),
            _ => None,
        };
        for (url, login) in logins("", written) {
            let login = login(&parsed(&url));
            let login = (login.username(), login.password());
            assert_eq!(login, (default, Some(meant)), "{url}");
        }
    }
}

#[test]
fn each_character_stands_for_itself_in_every_form_or_is_listed_as_one_to_encode() {
    let page = include_str!("../../../../docs/running-redis.md");
    for sign in (' '..='~').filter(|sign| !sign.is_ascii_alphanumeric()) {
        let means_itself = |user: &str, password: &str| {
            logins(user, password).into_iter().all(|(url, login)| {
                Endpoint::parse(&url).is_ok_and(|endpoint| {
                    let login = login(&endpoint);
                    (login.username(), login.password()) == (Some(user), Some(password))
                })
            })
        };
        let part = format!("a{sign}b");
        if !means_itself(&part, "p") || !means_itself("u", &part) {
            let code = format!("%{:02X}", u32::from(sign));
            for text in [ONE, CLUSTER, SENTINEL, page] {
                assert!(text.contains(&code), "'{sign}' is {code}");
            }
        }
    }
}

#[test]
fn a_user_without_a_password_is_refused_in_every_form_and_never_the_default_user() {
    for (url, what) in [
        ("redis://alice@h", "write user:password@, or user:@"),
        ("redis://%61@h/3", "user:@"),
        ("valkey://alice@h", "user:@"),
        ("redis+cluster://alice@a,b", "user:@"),
        ("redis+sentinel://alice@a/main", "user:@"),
        ("unix:///s?user=alice", "has user but no pass: add pass=…"),
        ("redis+unix:///s?user=alice&db=1", "user but no pass"),
        (
            "redis+sentinel://:p@a/main?sentinel_user=alice",
            "sentinel_user but no sentinel_pass",
        ),
        ("redis+cluster://alice:p@a,alice:p@b", "more than one '@'"),
        ("redis://:p@ss@h", "more than one '@'"),
        ("unix://alice:p@/s", "no absolute path"),
        ("unix://s", "no absolute path"),
        ("redis://:50%@h", "a '%' itself is %25"),
        ("unix:///s?pass=%zz", "a '%' itself is %25"),
        ("redis://:%ff@h", "not UTF-8"),
        ("unix:///s?db=x", "database that is not a number"),
    ] {
        let text = refused(url);
        assert!(text.contains(what), "{url}: {text}");
        assert!(!text.contains("alice"), "{url}: {text}");
    }
    for url in ["redis://@h", "redis://h", "unix:///s", "unix:///s?user="] {
        let login = parsed(url).infos[0].redis_settings().clone();
        assert_eq!((login.username(), login.password()), (None, None), "{url}");
    }
}

#[test]
fn timeouts_are_milliseconds_of_which_there_are_some_and_not_too_many() {
    for url in [
        "redis://h",
        "unix:///s",
        "redis+cluster://a,b",
        "redis+sentinel://a,b/main",
    ] {
        let none = Timeouts {
            operation: None,
            connect: None,
        };
        assert_eq!(parsed(url).timeouts, none);
        let both = parsed(&format!("{url}?timeout_ms=250&connect_timeout_ms=60000"));
        assert_eq!(both.timeouts.operation, Some(Duration::from_millis(250)));
        assert_eq!(both.timeouts.connect, Some(Duration::from_secs(60)));
        assert!(!both.location.contains("timeout"));
        for value in ["", "0", "-1", "1.5", "60001", "1s", "99999999999999999999"] {
            let text = refused(&format!("{url}?timeout_ms={value}"));
            assert!(
                text.contains("timeout_ms that is not a whole number"),
                "{text}"
            );
        }
    }
}

#[test]
fn an_invalid_url_is_refused_with_the_expected_form() {
    for (url, what) in [
        ("localhost:6379", "has no scheme"),
        ("http://localhost", "not one of Redis"),
        ("redis+tls://localhost", "not one of Redis"),
        ("redis://localhost/films", "database that is not a number"),
        ("redis://0.0.0.0", "every address"),
        ("redis://localhost?timeout=3", "there are timeout_ms"),
        ("redis://localhost?ca=/x", "unknown parameter"),
        ("redis://localhost?protocol=resp4", "protocol"),
        ("redis://h?protocol=resp2&protocol=resp3", "duplicate"),
        ("redis://localhost:port", "does not parse"),
        ("redis://localhost#insecure", "has a fragment"),
        ("redis+cluster://", "expected redis+cluster://"),
        ("redis+cluster://a,,b", "expected redis+cluster://"),
        ("redis+cluster://a/1", "no other than 0"),
        ("redis+sentinel://a,b", "name the master"),
        ("redis+sentinel://a,,b/main", "expected redis+sentinel://"),
        ("redis+sentinel://a/ma%20in", "name the master"),
        ("redis+sentinel://a/main/x", "database that is not a number"),
        ("redis+sentinel://a/main?user=x", "unknown parameter"),
    ] {
        let text = refused(url);
        assert!(text.contains(what), "{url}: {text}");
        assert!(text.contains("expected "), "{url}: {text}");
    }
    let many = vec!["h"; 65].join(",");
    assert!(refused(&format!("redis+cluster://{many}")).contains("64 hosts"));
}

#[test]
fn a_password_that_breaks_the_url_is_in_no_error() {
    for url in [
        "hunter2",
        "redis://:hunter2/x@localhost",
        "redis://:12#hunter2@localhost",
        "redis://user:12?hunter2@localhost",
        "hunter2://localhost",
        "redis://localhost/hunter2",
        "redis+cluster://:hunter2/x@a,b",
        "redis+cluster://a,b/hunter2",
        "redis+sentinel://:hunter2/x@a,b/main",
        "redis+sentinel://a/main?sentinel_password=hunter2",
    ] {
        let text = refused(url);
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[cfg(not(feature = "tls"))]
#[test]
fn tls_that_is_not_compiled_in_is_refused_with_the_feature_that_is_missing() {
    for url in ["rediss://h", "rediss+cluster://h", "valkeys://h"] {
        assert!(refused(url).contains("feature 'tls'"));
    }
}

#[cfg(feature = "tls")]
#[test]
fn a_key_in_place_of_the_path_of_its_file_is_not_repeated() {
    for text in [
        "-----BEGIN PRIVATE KEY-----%0AhunTer2/+=%0A-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\\nhunTer2",
        "hunTer2%0D%0Amore",
        "hunTer2\nmore",
    ] {
        for parameters in [
            format!("ca={text}"),
            format!("cert={text}&key=/dev/null"),
            format!("cert=/dev/null&key={text}"),
        ] {
            let text = refused(&format!("rediss://h?{parameters}"));
            assert!(text.contains("contents of a file"), "{text}");
            assert!(!text.contains("hunTer2"), "{text}");
        }
    }
}

#[cfg(feature = "tls")]
#[test]
fn a_file_that_cannot_be_used_is_named() {
    for (url, what) in [
        (
            "rediss://h?ca=/nowhere/ca.pem",
            "'ca' of the store URL names /nowhere/ca.pem",
        ),
        ("rediss://h?ca=/dev/null", "it contains no certificate"),
        ("rediss://h?cert=/dev/null", "one of 'cert' and 'key'"),
        (
            "rediss://h?cert=/dev/null&key=/dev/null",
            "'cert' of the store URL",
        ),
    ] {
        let text = refused(url);
        assert!(text.contains(what), "{url}: {text}");
    }
}
