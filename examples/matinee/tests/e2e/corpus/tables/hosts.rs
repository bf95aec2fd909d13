use super::{BAD_REQUEST, Case, NOT_FOUND, REFUSED};

/// The host of a request: `Host`, and fields that replace it.
pub(crate) const HOSTS: &[Case] = &[
    Case::new("another host", "").host("Host: {evil}"),
    Case::new("no host", "").host("").answers(BAD_REQUEST),
    Case::new("an empty host", "")
        .host("Host:")
        .answers(BAD_REQUEST),
    Case::new("two hosts", "")
        .host("Host: {host}\nHost: {evil}")
        .answers(BAD_REQUEST),
    Case::new("two hosts, the other first", "")
        .host("Host: {evil}\nHost: {host}")
        .answers(BAD_REQUEST),
    Case::new("the same host twice", "")
        .host("Host: {host}\nHost: {host}")
        .answers(BAD_REQUEST),
    Case::new("a host that goes on", "")
        .host("Host: {host}\n {evil}")
        .answers(REFUSED),
    Case::new("a host in a list", "")
        .host("Host: {host}, {evil}")
        .answers(BAD_REQUEST),
    Case::new("a host in upper case", "").host("Host: {host}.EXAMPLE"),
    Case::new("a host with a dot behind", "").host("Host: {host}."),
    Case::new("a host with a port", "").host("Host: {host}:80"),
    Case::new("a host with a port that is none", "")
        .host("Host: {host}:{evil}")
        .answers(BAD_REQUEST),
    Case::new("a host with a user", "")
        .host("Host: {evil}@{host}")
        .answers(BAD_REQUEST),
    Case::new("a host with a path", "")
        .host("Host: {host}/{evil}")
        .answers(BAD_REQUEST),
    Case::new("a host with a query", "")
        .host("Host: {host}?{evil}")
        .answers(BAD_REQUEST),
    Case::new("a host with a fragment", "")
        .host("Host: {host}#{evil}")
        .answers(BAD_REQUEST),
    Case::new("a host with a space", "")
        .host("Host: {host} {evil}")
        .answers(BAD_REQUEST),
    Case::new("a host with a tab", "")
        .host("Host: {host}\t{evil}")
        .answers(BAD_REQUEST),
    Case::new("a host with markup", "")
        .host("Host: {host}\"><script>{evil}</script>")
        .answers(BAD_REQUEST),
    Case::new("a host of other letters", "")
        .host("Host: {host}\u{e9}{evil}")
        .answers(BAD_REQUEST),
    Case::new("a host that is an address", "").host("Host: 127.0.0.1"),
    Case::new("a host of IPv6", "")
        .host("Host: [::1]:{evil}")
        .answers(BAD_REQUEST),
    Case::new("a space before the host", "")
        .host(" Host: {evil}")
        .answers(REFUSED),
    Case::new("the field in upper case", "").host("HOST: {evil}"),
    Case::new("a whole URI", "").line("GET http://{host}/films/7 HTTP/1.1"),
    Case::new("a whole URI of another host", "").line("GET http://{evil}/films/7 HTTP/1.1"),
    Case::new("a whole URI, and no host", "")
        .line("GET http://{host}/films/7 HTTP/1.1")
        .host("")
        .answers(BAD_REQUEST),
    Case::new("a whole URI of another scheme", "").line("GET https://{host}/films/7 HTTP/1.1"),
    Case::new("a whole URI with a user", "").line("GET http://{evil}@{host}/films/7 HTTP/1.1"),
    Case::new("a whole URI of a file", "")
        .line("GET file:///films/7 HTTP/1.1")
        .answers(REFUSED),
    Case::new("a whole URI of an account", "").line("GET http://{host}/account HTTP/1.1"),
    Case::new("a path that begins like a host", "")
        .line("GET //{evil}/films/7 HTTP/1.1")
        .answers(NOT_FOUND),
    Case::new("an @ instead of a path", "")
        .line("GET @{evil}/films/7 HTTP/1.1")
        .answers(REFUSED),
    Case::new("a host alone as the target", "")
        .line("GET {evil} HTTP/1.1")
        .answers(NOT_FOUND),
];
