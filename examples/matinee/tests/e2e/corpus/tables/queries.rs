use super::Case;

/// Parts of a query that some caches leave out of their key, or sort.
pub(crate) const QUERIES: &[Case] = &[
    Case::target("another page", "GET /?page=2 HTTP/1.1"),
    Case::target("another page twice", "GET /?page=2&page=1 HTTP/1.1").answers(&[400, 200]),
    Case::target(
        "a page in another order",
        "GET /?page=2&genre=Drama HTTP/1.1",
    ),
    Case::target("a page that is none", "GET /?page={evil} HTTP/1.1").answers(&[400, 200]),
    Case::target(
        "a page behind a semicolon",
        "GET /?utm_content=x;page=2 HTTP/1.1",
    ),
    Case::target(
        "a page behind an encoded ampersand",
        "GET /?utm_content=x%26page=2 HTTP/1.1",
    ),
    Case::target("a page in brackets", "GET /?page[]=2 HTTP/1.1"),
    Case::target("a page by another name", "GET /?Page=2&PAGE=3 HTTP/1.1"),
    Case::target("a page, encoded", "GET /?%70age=2 HTTP/1.1"),
    Case::target("utm", "GET /films/7?utm_source={evil} HTTP/1.1"),
    Case::target(
        "utm on the catalogue",
        "GET /?utm_source={evil}&fbclid={evil} HTTP/1.1",
    ),
    Case::target(
        "a callback",
        "GET /films/7?callback={evil}&format=json HTTP/1.1",
    ),
    Case::target(
        "a search with markup",
        "GET /?q=%22%3E%3Cscript%3E{evil} HTTP/1.1",
    ),
    Case::target(
        "a search split in two",
        "GET /?q=a%0d%0aSet-Cookie:%20a={evil} HTTP/1.1",
    ),
    Case::target("a genre that is none", "GET /?genre={evil} HTTP/1.1"),
    Case::target(
        "a genre with markup",
        "GET /?genre=%22%3E%3Cscript%3E{evil} HTTP/1.1",
    ),
    Case::target("no text in a search", "GET /?q=%ff%fe HTTP/1.1"),
    Case::target("a nul in a search", "GET /?q=%00{evil} HTTP/1.1"),
    Case::target("an empty query", "GET /films/7? HTTP/1.1"),
    Case::target("two question marks", "GET /films/7??{evil} HTTP/1.1"),
    Case::target("a query of marks", "GET /?&&&=&;;#{evil} HTTP/1.1"),
    Case::target(
        "a method in the query",
        "GET /films/7?_method=POST&_method=DELETE HTTP/1.1",
    ),
    Case::target("a next in the query", "GET /sign-in?next=//{evil} HTTP/1.1"),
    Case::target(
        "a next split in two",
        "GET /sign-in?next=/%0d%0aSet-Cookie:%20a={evil} HTTP/1.1",
    ),
];
