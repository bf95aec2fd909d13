use super::{Case, NOT_ALLOWED, REFUSED};

/// Bodies where none belongs, and requests whose end two readers see in different places.
pub(crate) const BODIES: &[Case] = &[
    Case::new("a fat GET", "Content-Length: {length}").body("{evil}"),
    Case::new(
        "a fat GET of a form",
        "Content-Type: application/x-www-form-urlencoded\nContent-Length: {length}",
    )
    .body("page=2"),
    Case::new(
        "a fat GET of JSON",
        "Content-Type: application/json\nContent-Length: {length}",
    )
    .body("{\"page\":2}"),
    Case::new("a fat GET in chunks", "Transfer-Encoding: chunked").body("6\npage=2\n0\n\n"),
    Case::new("a fat GET, nothing in it", "Content-Length: 0"),
    Case::new("a fat GET, no chunk in it", "Transfer-Encoding: chunked").body("0\n\n"),
    Case::new(
        "a fat GET that changes its method",
        "Content-Type: application/x-www-form-urlencoded\nContent-Length: {length}",
    )
    .body("_method=POST"),
    Case::new("a fat HEAD", "Content-Length: {length}")
        .line("HEAD {film} HTTP/1.1")
        .body("page=2"),
    Case::new("a fat GET too large", "Content-Length: {length}")
        .body("x")
        .times(70_000)
        .answers(&[413]),
    Case::new(
        "a length and chunks",
        "Content-Length: 4\nTransfer-Encoding: chunked",
    )
    .body("0\n\n")
    .answers(&[200]),
    Case::new(
        "chunks and a length",
        "Transfer-Encoding: chunked\nContent-Length: 4",
    )
    .body("0\n\n")
    .answers(&[200]),
    Case::new("two lengths", "Content-Length: 0\nContent-Length: 5")
        .body("page=")
        .times(1)
        .answers(REFUSED),
    Case::new("two lengths in one field", "Content-Length: 6, 7")
        .body("page=2")
        .answers(REFUSED),
    Case::new("a length below zero", "Content-Length: -1").answers(REFUSED),
    Case::new("a length with a plus", "Content-Length: +0").answers(REFUSED),
    Case::new("a length in hexadecimal", "Content-Length: 0x0").answers(REFUSED),
    Case::new(
        "a length without end",
        "Content-Length: 99999999999999999999999",
    )
    .answers(REFUSED),
    Case::new("a length after a space", "Content-Length : 5")
        .body("page=")
        .answers(REFUSED),
    Case::new("chunks after a space", "Transfer-Encoding : chunked")
        .body("0\n\n")
        .answers(REFUSED),
    Case::new("chunks after a tab", "Transfer-Encoding:\tchunked").body("0\n\n"),
    Case::new("chunks in other letters", "Transfer-Encoding: CHUNKED").body("0\n\n"),
    Case::new(
        "chunks, twice",
        "Transfer-Encoding: chunked\nTransfer-Encoding: chunked",
    )
    .body("0\n\n"),
    Case::new(
        "chunks, and something else",
        "Transfer-Encoding: chunked\nTransfer-Encoding: {evil}",
    )
    .body("0\n\n")
    .answers(REFUSED),
    Case::new("something like chunks", "Transfer-Encoding: xchunked")
        .body("0\n\n")
        .answers(REFUSED),
    Case::new("identity", "Transfer-Encoding: identity").answers(REFUSED),
    Case::new("a chunk's size in doubt", "Transfer-Encoding: chunked")
        .body("0x1\na\n0\n\n")
        .answers(REFUSED),
    Case::new("a chunk's size too large", "Transfer-Encoding: chunked")
        .body("ffffffffffffffff1\na\n0\n\n")
        .answers(REFUSED),
    Case::new("a chunk with an extension", "Transfer-Encoding: chunked")
        .body("1;{evil}=\"a\"\na\n0\n\n"),
    Case::new(
        "a chunk that is longer than it says",
        "Transfer-Encoding: chunked",
    )
    .body("1\naaa\n0\n\n")
    .answers(REFUSED),
    Case::new("trailers", "Transfer-Encoding: chunked\nTrailer: Host")
        .body("0\nHost: {evil}\nX-Forwarded-Host: {evil}\n\n"),
    Case::new("a request within a body", "Content-Length: 0")
        .body("GET /account HTTP/1.1\nHost: {host}\nCookie: {cookie}\n\n")
        .answers(&[200, 200, 200]),
    Case::new("a request behind chunks", "Transfer-Encoding: chunked")
        .body("0\n\nGET /films/42 HTTP/1.1\nHost: {host}\nX-Forwarded-Host: {evil}\n\n")
        .answers(&[200, 200, 200]),
    Case::new(
        "a request in the place of a body",
        "Content-Length: {length}",
    )
    .body("GET /account HTTP/1.1\nHost: {host}\nCookie: {cookie}\n\n"),
    Case::new("a body in HTTP/1.0", "Transfer-Encoding: chunked")
        .line("GET {film} HTTP/1.0")
        .body("0\n\n")
        .answers(REFUSED),
    Case::new("a body is expected", "Expect: 100-continue"),
    Case::new(
        "a body is expected, and comes",
        "Expect: 100-continue\nContent-Length: {length}",
    )
    .body("page=2"),
    Case::new("something else is expected", "Expect: {evil}"),
    Case::new(
        "a form to a film",
        "Content-Type: application/x-www-form-urlencoded\nContent-Length: {length}",
    )
    .body("title={evil}")
    .line("POST {film} HTTP/1.1")
    .answers(NOT_ALLOWED),
];
