use http::HeaderValue;
use proptest::prelude::*;

use super::*;

const OURS: &str = "10.0.0.0/8, fd00::/8";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn lines(name: HeaderName, lines: &[&[u8]]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(name.clone(), HeaderValue::from_bytes(line).unwrap());
    }
    headers
}

/// Returns the client by `X-Forwarded-For`, if `peer` sent these lines.
fn by_xff(peer: &str, sent: &[&str]) -> IpAddr {
    let sent: Vec<_> = sent.iter().map(|line| line.as_bytes()).collect();
    TrustedProxies::x_forwarded_for(OURS.parse().unwrap())
        .client_behind(ip(peer), &lines(X_FORWARDED_FOR, &sent))
}

/// Returns the client by `Forwarded`, if a declared proxy sent these lines.
fn by_forwarded(sent: &[&str]) -> IpAddr {
    let sent: Vec<_> = sent.iter().map(|line| line.as_bytes()).collect();
    TrustedProxies::forwarded(OURS.parse().unwrap())
        .client_behind(ip("10.0.0.1"), &lines(header::FORWARDED, &sent))
}

#[test]
fn a_peer_that_is_not_a_proxy_is_the_client_whatever_it_sends() {
    assert_eq!(by_xff("203.0.113.9", &["198.51.100.1"]), ip("203.0.113.9"));
}

#[test]
fn the_rightmost_address_that_is_not_a_proxy_is_the_client() {
    for (sent, client) in [
        (vec!["198.51.100.1"], "198.51.100.1"),
        (vec!["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
        (vec!["1.1.1.1, 198.51.100.1, 10.9.9.9"], "198.51.100.1"),
        (vec!["198.51.100.1:4711,  [fd00::1]:443"], "198.51.100.1"),
        (vec!["\"[2001:db8::1]:80\""], "2001:db8::1"),
        (vec!["::ffff:198.51.100.1, ::ffff:10.0.0.7"], "198.51.100.1"),
    ] {
        assert_eq!(by_xff("10.0.0.1", &sent), ip(client), "{sent:?}");
        assert_eq!(by_xff("::ffff:10.0.0.1", &sent), ip(client), "{sent:?}");
    }
}

#[test]
fn several_lines_are_one_and_the_last_is_nearest() {
    assert_eq!(
        by_xff("10.0.0.1", &["198.51.100.1", "10.0.0.2"]),
        ip("198.51.100.1")
    );
    assert_eq!(
        by_xff("10.0.0.1", &["1.1.1.1", "198.51.100.1"]),
        ip("198.51.100.1")
    );
}

#[test]
fn rubbish_ends_the_walk_at_the_last_good_address() {
    for (sent, client) in [
        ("198.51.100.1, unknown", "10.0.0.1"),
        ("198.51.100.1, _hidden, 10.0.0.2", "10.0.0.2"),
        ("198.51.100.1, \"10.0.0.2", "10.0.0.1"),
        ("", "10.0.0.1"),
        (", ,10.0.0.2,,", "10.0.0.2"),
    ] {
        assert_eq!(by_xff("10.0.0.1", &[sent]), ip(client), "{sent}");
    }
}

#[test]
fn ten_thousand_entries_are_not_all_walked() {
    let long = "10.0.0.3, ".repeat(10_000) + "10.0.0.2";
    assert_eq!(by_xff("10.0.0.1", &[&long]), ip("10.0.0.3"));
    let spoofed = format!(
        "198.51.100.1, {}",
        "10.0.0.3, ".repeat(TrustedProxies::MAX_HOPS)
    );
    assert_eq!(by_xff("10.0.0.1", &[&spoofed]), ip("10.0.0.3"));
}

#[test]
fn forwarded_is_read_as_its_rfc_writes_it() {
    for (sent, client) in [
        (vec!["for=198.51.100.1"], "198.51.100.1"),
        (
            vec!["For=\"[2001:db8:cafe::17]:4711\""],
            "2001:db8:cafe::17",
        ),
        (
            vec!["for=192.0.2.60;proto=http;by=203.0.113.43"],
            "192.0.2.60",
        ),
        (
            vec!["proto=http; by=_x;FOR=192.0.2.43, for=10.1.1.1"],
            "192.0.2.43",
        ),
        (
            vec!["for=1.1.1.1", "for=192.0.2.43;host=\"a,b;for=2.2.2.2\""],
            "192.0.2.43",
        ),
        (
            vec!["for=192.0.2.43;host=\"a\\\",for=2.2.2.2\""],
            "192.0.2.43",
        ),
        (
            vec!["for=192.0.2.43;host=\"a\\\\\", for=10.1.1.1"],
            "192.0.2.43",
        ),
        (vec!["for=\"192.0\\.2.43\""], "192.0.2.43"),
        // A separator at the very beginning counts too.
        (vec![",for=192.0.2.43"], "192.0.2.43"),
        (vec![";for=192.0.2.43"], "192.0.2.43"),
    ] {
        assert_eq!(by_forwarded(&sent), ip(client), "{sent:?}");
    }
}

#[test]
fn the_longest_quoted_node_is_read_and_a_longer_one_is_not() {
    for (length, client) in [(64, "192.0.2.43"), (65, "10.0.0.1")] {
        let node = format!("{:x<length$}", "192.0.2.43:_");
        for quoted in [node.replacen('x', "\\x", 1), node.replace('x', "\\x")] {
            let sent = format!("for=\"{quoted}\"");
            assert_eq!(by_forwarded(&[&sent]), ip(client), "{sent}");
        }
    }
}

#[test]
fn proxies_up_to_the_maximum_are_skipped() {
    let most = TrustedProxies::MAX_HOPS;
    for (hops, client) in [(most - 1, "198.51.100.1"), (most, "10.0.0.3")] {
        let sent = format!("198.51.100.1{}", ", 10.0.0.3".repeat(hops));
        assert_eq!(by_xff("10.0.0.1", &[&sent]), ip(client), "{hops}");
    }
}

#[test]
fn a_quote_left_open_by_the_client_swallows_nothing() {
    let sent = ["for=\"1.1.1.1, for=198.51.100.1"];
    assert_eq!(by_forwarded(&sent), ip("198.51.100.1"));
    let sent = ["x=\"\\, for=198.51.100.1;proto=https, for=10.2.2.2"];
    assert_eq!(by_forwarded(&sent), ip("198.51.100.1"));
}

#[test]
fn an_element_that_names_no_address_or_two_ends_the_walk() {
    for sent in [
        "for=198.51.100.1, for=unknown",
        "for=198.51.100.1, for=_secret",
        "for=198.51.100.1, proto=https",
        "for=198.51.100.1, for=2.2.2.2;for=3.3.3.3",
        "for=198.51.100.1, for=\"2.2.2.2",
        "for=198.51.100.1, for",
        "for=198.51.100.1, =",
    ] {
        assert_eq!(by_forwarded(&[sent]), ip("10.0.0.1"), "{sent}");
    }
}

#[test]
fn only_the_declared_header_is_read() {
    let mut headers = lines(header::FORWARDED, &[b"for=1.1.1.1"]);
    let xff = TrustedProxies::x_forwarded_for(OURS.parse().unwrap());
    assert_eq!(xff.client_behind(ip("10.0.0.1"), &headers), ip("10.0.0.1"));
    headers.append(X_FORWARDED_FOR, HeaderValue::from_static("2.2.2.2"));
    assert_eq!(xff.client_behind(ip("10.0.0.1"), &headers), ip("2.2.2.2"));
}

const CONNECTING: HeaderName = HeaderName::from_static("cf-connecting-ip");

#[test]
fn an_address_in_a_named_header_is_believed_from_a_declared_proxy_alone() {
    let proxies = TrustedProxies::header(OURS.parse().unwrap(), CONNECTING);
    for (peer, sent, client) in [
        ("10.0.0.1", &["198.51.100.1"][..], "198.51.100.1"),
        ("10.0.0.1", &[" 198.51.100.1:443 "], "198.51.100.1"),
        ("10.0.0.1", &["::ffff:198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", &["2001:db8::1"], "2001:db8::1"),
        ("10.0.0.1", &["[2001:db8::1]:9"], "2001:db8::1"),
        ("::ffff:10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
        ("192.0.2.9", &["198.51.100.1"], "192.0.2.9"),
        // If the header is not as a proxy writes it, the address is the proxy's own.
        ("10.0.0.1", &[], "10.0.0.1"),
        ("10.0.0.1", &[""], "10.0.0.1"),
        ("10.0.0.1", &["198.51.100.1", "198.51.100.2"], "10.0.0.1"),
        ("10.0.0.1", &["198.51.100.1", "198.51.100.1"], "10.0.0.1"),
        ("10.0.0.1", &["198.51.100.1, 198.51.100.2"], "10.0.0.1"),
        ("10.0.0.1", &["unknown"], "10.0.0.1"),
    ] {
        let sent: Vec<_> = sent.iter().map(|line| line.as_bytes()).collect();
        let mut headers = lines(CONNECTING, &sent);
        headers.append(X_FORWARDED_FOR, HeaderValue::from_static("203.0.113.1"));
        assert_eq!(
            proxies.client_behind(ip(peer), &headers),
            ip(client),
            "{peer} {sent:?}"
        );
    }
}

/// Header bytes of a hostile client, mainly characters that the parser treats specially.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"for=".to_vec()),
        Just(b"\"".to_vec()),
        Just(b"\\".to_vec()),
        Just(b",".to_vec()),
        Just(b";".to_vec()),
        Just(b"1.1.1.1".to_vec()),
        Just(b"10.0.0.2".to_vec()),
        Just(b"[fd00::1]:9".to_vec()),
        Just(b"unknown".to_vec()),
        prop::collection::vec(0x80_u8.., 0..4),
        prop::collection::vec(0x20_u8..0x7f, 0..8),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_a_client_sends_never_moves_it_past_the_proxy(
        own in prop::collection::vec(hostile(), 0..4),
        hops in 0_usize..4,
        apart: bool,
    ) {
        // The first proxy appends the client, the others append their own peer.
        let mut told = vec!["198.51.100.1".to_owned()];
        told.extend((0..hops).map(|hop| format!("10.3.0.{hop}")));
        for (name, prefix, proxies) in [
            (X_FORWARDED_FOR, "", TrustedProxies::x_forwarded_for(OURS.parse().unwrap())),
            (header::FORWARDED, "for=", TrustedProxies::forwarded(OURS.parse().unwrap())),
        ] {
            let told: Vec<_> = told.iter().map(|node| format!("{prefix}{node}")).collect();
            let told = told.join(", ").into_bytes();
            let mut sent = own.clone();
            match sent.last_mut() {
                Some(last) if !apart => {
                    last.extend_from_slice(b", ");
                    last.extend_from_slice(&told);
                }
                _ => sent.push(told),
            }
            let sent: Vec<_> = sent.iter().map(Vec::as_slice).collect();
            let client = proxies.client_behind(ip("10.0.0.1"), &lines(name, &sent));
            prop_assert_eq!(client, ip("198.51.100.1"));
        }
    }

    #[test]
    fn nothing_in_a_header_panics(sent in prop::collection::vec(hostile(), 0..4)) {
        let sent: Vec<_> = sent.iter().map(Vec::as_slice).collect();
        let nets: ProxyNets = "0.0.0.0/1, 128.0.0.0/1, ::/1, 8000::/1".parse().unwrap();
        TrustedProxies::x_forwarded_for(nets.clone())
            .client_behind(ip("10.0.0.1"), &lines(X_FORWARDED_FOR, &sent));
        TrustedProxies::header(nets.clone(), CONNECTING)
            .client_behind(ip("10.0.0.1"), &lines(CONNECTING, &sent));
        TrustedProxies::forwarded(nets)
            .client_behind(ip("10.0.0.1"), &lines(header::FORWARDED, &sent));
    }
}
