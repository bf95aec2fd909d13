use super::{Case, NOT_ALLOWED, NOT_FOUND, REFUSED};

/// Methods, and ways to write them.
pub(crate) const METHODS: &[Case] = &[
    Case::target("HEAD", "HEAD {film} HTTP/1.1"),
    Case::target("HEAD of an account", "HEAD /account HTTP/1.1"),
    Case::target("get", "get {film} HTTP/1.1").answers(NOT_ALLOWED),
    Case::target("Head", "Head {film} HTTP/1.1").answers(NOT_ALLOWED),
    Case::target("OPTIONS", "OPTIONS {film} HTTP/1.1").answers(NOT_ALLOWED),
    Case::target("OPTIONS of everything", "OPTIONS * HTTP/1.1").answers(NOT_FOUND),
    Case::target("TRACE", "TRACE {film} HTTP/1.1").answers(NOT_ALLOWED),
    Case::target("TRACK", "TRACK {film} HTTP/1.1").answers(NOT_ALLOWED),
    Case::target("DEBUG", "DEBUG {film} HTTP/1.1").answers(NOT_ALLOWED),
    Case::target("PURGE", "PURGE {film} HTTP/1.1").answers(NOT_ALLOWED),
    Case::target("PURGE, softly", "PURGE {film} HTTP/1.1").answers(NOT_ALLOWED),
    Case::target("BAN", "BAN / HTTP/1.1").answers(NOT_ALLOWED),
    Case::target("QUERY", "QUERY {film} HTTP/1.1").answers(NOT_ALLOWED),
    Case::target("PUT", "PUT {film} HTTP/1.1").answers(NOT_ALLOWED),
    Case::target("PATCH", "PATCH {film} HTTP/1.1").answers(NOT_ALLOWED),
    Case::target("DELETE", "DELETE {film} HTTP/1.1").answers(NOT_ALLOWED),
    Case::target("PROPFIND", "PROPFIND {film} HTTP/1.1").answers(NOT_ALLOWED),
    Case::target("CONNECT", "CONNECT {evil}:443 HTTP/1.1").answers(NOT_FOUND),
    Case::target("CONNECT to a path", "CONNECT {film} HTTP/1.1").answers(NOT_ALLOWED),
    Case::target("GET signs nobody out", "GET /sign-out HTTP/1.1").answers(NOT_ALLOWED),
    Case::target("HEAD signs nobody out", "HEAD /account/revoke-all HTTP/1.1").answers(NOT_ALLOWED),
    Case::target("a method of marks", "G!T {film} HTTP/1.1").answers(NOT_ALLOWED),
    Case::target("a method with a space before", " GET {film} HTTP/1.1").answers(REFUSED),
    Case::target("a method that is none", "{evil}{evil} {film} HTTP/1.1").answers(NOT_ALLOWED),
    Case::target("HTTP/1.0", "GET {film} HTTP/1.0").answers(&[200]),
    Case::new("HTTP/1.0 without a host", "")
        .line("GET {film} HTTP/1.0")
        .host("")
        .answers(&[200]),
    Case::new("HTTP/1.0 that stays", "Connection: keep-alive").line("GET {film} HTTP/1.0"),
    Case::target("HTTP/0.9", "GET {film}").answers(REFUSED),
    Case::target("HTTP/1.2", "GET {film} HTTP/1.2").answers(REFUSED),
    Case::target("HTTP/2 in words", "GET {film} HTTP/2.0").answers(REFUSED),
    Case::target("HTTP/2, its first line", "PRI * HTTP/2.0").answers(REFUSED),
    Case::target("a protocol of another name", "GET {film} {evil}/1.1").answers(REFUSED),
    Case::new(
        "an upgrade to a web socket",
        "Connection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ),
    Case::new(
        "an upgrade to HTTP/2",
        "Connection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAMAAABk",
    ),
    Case::new(
        "an upgrade to something",
        "Connection: upgrade\nUpgrade: {evil}",
    ),
    Case::new("gRPC", "Content-Type: application/grpc\nTE: trailers"),
    Case::target("an empty line first", "\nGET {film} HTTP/1.1"),
];
