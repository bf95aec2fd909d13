use super::{Case, NOT_FOUND, REFUSED};

/// Paths that one reader takes for a file or a film, and another for an account.
pub(crate) const PATHS: &[Case] = &[
    Case::target("an account", "GET /account HTTP/1.1"),
    Case::target("tickets", "GET /tickets HTTP/1.1"),
    Case::target("an account as a style sheet", "GET /account/x.css HTTP/1.1").answers(NOT_FOUND),
    Case::target("an account with a suffix", "GET /account.css HTTP/1.1").answers(NOT_FOUND),
    Case::target("tickets as a picture", "GET /tickets/poster.jpg HTTP/1.1").answers(NOT_FOUND),
    Case::target("an account with a parameter", "GET /account;.js HTTP/1.1").answers(NOT_FOUND),
    Case::target(
        "an account with a parameter and a slash",
        "GET /account;/x.css HTTP/1.1",
    )
    .answers(NOT_FOUND),
    Case::target(
        "an account with an encoded semicolon",
        "GET /account%3B.css HTTP/1.1",
    )
    .answers(NOT_FOUND),
    Case::target(
        "an account with an encoded slash",
        "GET /account%2f.css HTTP/1.1",
    )
    .answers(NOT_FOUND),
    Case::target(
        "an account with a slash encoded twice",
        "GET /account%252fx.css HTTP/1.1",
    )
    .answers(NOT_FOUND),
    Case::target(
        "an account with an encoded question mark",
        "GET /account%3fx.css HTTP/1.1",
    )
    .answers(NOT_FOUND),
    Case::target(
        "an account with an encoded fragment",
        "GET /account%23x.css HTTP/1.1",
    )
    .answers(NOT_FOUND),
    Case::target("an account with a fragment", "GET /account#x.css HTTP/1.1"),
    Case::target(
        "an account with an encoded nul",
        "GET /account%00.css HTTP/1.1",
    )
    .answers(NOT_FOUND),
    Case::target(
        "an account with an encoded line",
        "GET /account%0d%0ax.css HTTP/1.1",
    )
    .answers(NOT_FOUND),
    Case::target(
        "an account with an encoded line feed",
        "GET /account%0a.css HTTP/1.1",
    )
    .answers(NOT_FOUND),
    Case::target(
        "an account with an encoded space",
        "GET /account%20.css HTTP/1.1",
    )
    .answers(NOT_FOUND),
    Case::target(
        "an account with an encoded backslash",
        "GET /account%5cx.css HTTP/1.1",
    )
    .answers(NOT_FOUND),
    Case::target(
        "an account with a backslash",
        "GET /account\\x.css HTTP/1.1",
    )
    .answers(NOT_FOUND),
    Case::target("an account with a dollar", "GET /account$x.css HTTP/1.1").answers(NOT_FOUND),
    Case::target("an account with a tilde", "GET /account~x.css HTTP/1.1").answers(NOT_FOUND),
    Case::target("an account with a slash behind", "GET /account/ HTTP/1.1").answers(NOT_FOUND),
    Case::target(
        "an account with two slashes before",
        "GET //account HTTP/1.1",
    )
    .answers(NOT_FOUND),
    Case::target("an account with dots before", "GET /./account HTTP/1.1").answers(NOT_FOUND),
    Case::target("an account in upper case", "GET /ACCOUNT HTTP/1.1").answers(NOT_FOUND),
    Case::target("an account, encoded", "GET /%61ccount HTTP/1.1").answers(NOT_FOUND),
    Case::target("an account, encoded twice", "GET /%2561ccount HTTP/1.1").answers(NOT_FOUND),
    Case::target(
        "an account with a query like a file",
        "GET /account?x.css HTTP/1.1",
    ),
    Case::target(
        "an account above a film",
        "GET /films/1/../../account HTTP/1.1",
    )
    .answers(NOT_FOUND),
    Case::target(
        "an account above a film, encoded",
        "GET /films/1/%2e%2e/%2e%2e/account HTTP/1.1",
    )
    .answers(NOT_FOUND),
    Case::target(
        "an account above a film, all encoded",
        "GET /films/1%2f%2e%2e%2f..%2faccount HTTP/1.1",
    )
    .answers(NOT_FOUND),
    Case::target(
        "an account above the stylesheet",
        "GET /assets/..%2faccount HTTP/1.1",
    )
    .answers(NOT_FOUND),
    Case::target(
        "an account above what browsers keep",
        "GET /assets/../account HTTP/1.1",
    )
    .answers(NOT_FOUND),
    Case::target(
        "a film above an account",
        "GET /account/../films/7 HTTP/1.1",
    )
    .answers(NOT_FOUND),
    Case::target("a film above tickets", "GET /tickets/..%2ffilms/7 HTTP/1.1").answers(NOT_FOUND),
    Case::target(
        "a film above tickets, with a backslash",
        "GET /tickets/..\\films/7 HTTP/1.1",
    )
    .answers(NOT_FOUND),
    Case::target(
        "a film above tickets, with a parameter",
        "GET /tickets/..;/films/7 HTTP/1.1",
    )
    .answers(NOT_FOUND),
    Case::target("the root above the root", "GET /../../../ HTTP/1.1").answers(NOT_FOUND),
    Case::target(
        "a slash encoded too long",
        "GET /account%c0%afx.css HTTP/1.1",
    )
    .answers(NOT_FOUND),
    Case::target("no text", "GET /films/%ff%fe HTTP/1.1").answers(&[400, 200]),
    Case::target("half an escape", "GET /films/7%2 HTTP/1.1").answers(NOT_FOUND),
    Case::target("no escape", "GET /films/7%zz HTTP/1.1").answers(NOT_FOUND),
    Case::target("a film, encoded", "GET /films/%37 HTTP/1.1"),
    Case::target("a film with zeros before", "GET /films/007 HTTP/1.1"),
    Case::target("a film with a plus", "GET /films/+7 HTTP/1.1"),
    Case::target("a film with a space behind", "GET /films/7%20 HTTP/1.1").answers(NOT_FOUND),
    Case::target("a film of other digits", "GET /films/%D9%A7 HTTP/1.1").answers(NOT_FOUND),
    Case::target("a film with a suffix", "GET /films/7.json HTTP/1.1").answers(NOT_FOUND),
    Case::target("a film with a slash behind", "GET /films/7/ HTTP/1.1").answers(NOT_FOUND),
    Case::target("a film with two slashes", "GET /films//7 HTTP/1.1").answers(NOT_FOUND),
    Case::target("a film with a dot", "GET /films/./7 HTTP/1.1").answers(NOT_FOUND),
    Case::target(
        "a film with a parameter",
        "GET /films/7;jsessionid={evil} HTTP/1.1",
    )
    .answers(NOT_FOUND),
    Case::target("a film with bare letters", "GET /films/7\u{e9} HTTP/1.1").answers(NOT_FOUND),
    Case::target("a film with a nul", "GET /films/7\0 HTTP/1.1").answers(REFUSED),
    Case::target("a film with a tab", "GET /films/7\t HTTP/1.1").answers(REFUSED),
    Case::target("a film with a space", "GET /films/7 {evil} HTTP/1.1").answers(REFUSED),
    Case::target(
        "a film with markup",
        "GET /films/7\"><script>{evil}</script> HTTP/1.1",
    )
    .answers(REFUSED),
    Case::target(
        "a film's page split in two",
        "GET /films/7%0d%0aSet-Cookie:%20a={evil} HTTP/1.1",
    )
    .answers(NOT_FOUND),
    Case::target(
        "what only those who run the app see",
        "GET /admin;/films/7 HTTP/1.1",
    )
    .answers(NOT_FOUND),
    Case::target("nothing", "GET /{evil} HTTP/1.1").answers(NOT_FOUND),
    Case::target("no slash", "GET films/7 HTTP/1.1").answers(REFUSED),
    Case::target("no target", "GET  HTTP/1.1").answers(REFUSED),
    Case::target("a target of another kind", "GET * HTTP/1.1").answers(NOT_FOUND),
];
