use super::{Case, REFUSED};

/// Fields that are not in the key, but that some origin, framework or proxy obeys.
pub(crate) const FIELDS: &[Case] = &[
    Case::new("x-forwarded-host", "X-Forwarded-Host: {evil}"),
    Case::new(
        "x-forwarded-host, twice",
        "X-Forwarded-Host: {host}\nX-Forwarded-Host: {evil}",
    ),
    Case::new(
        "x-forwarded-host, a list",
        "X-Forwarded-Host: {evil}, {host}",
    ),
    Case::new(
        "x-forwarded-host with a port",
        "X-Forwarded-Host: {host}:{evil}",
    ),
    Case::new(
        "x-forwarded-host with markup",
        "X-Forwarded-Host: \"><script>{evil}</script>",
    ),
    Case::new("x-forwarded-scheme", "X-Forwarded-Scheme: {evil}"),
    Case::new(
        "x-forwarded-scheme that redirects",
        "X-Forwarded-Scheme: http\nX-Forwarded-Host: {evil}",
    ),
    Case::new("x-forwarded-proto", "X-Forwarded-Proto: {evil}"),
    Case::new("x-forwarded-proto https", "X-Forwarded-Proto: https"),
    Case::new("x-forwarded-ssl", "X-Forwarded-Ssl: on"),
    Case::new("x-forwarded-port", "X-Forwarded-Port: 1337"),
    Case::new("x-forwarded-prefix", "X-Forwarded-Prefix: /{evil}"),
    Case::new("x-forwarded-path", "X-Forwarded-Path: /{evil}"),
    Case::new("x-forwarded-server", "X-Forwarded-Server: {evil}"),
    Case::new("x-forwarded-for", "X-Forwarded-For: {evil}"),
    Case::new(
        "x-forwarded-for, many",
        "X-Forwarded-For: 127.0.0.1, ::1, {evil}, unknown",
    ),
    Case::new("x-real-ip", "X-Real-IP: {evil}"),
    Case::new(
        "true-client-ip",
        "True-Client-IP: 127.0.0.1\nCF-Connecting-IP: {evil}",
    ),
    Case::new(
        "forwarded, a host",
        "Forwarded: for=192.0.2.1;host={evil};proto=https",
    ),
    Case::new("forwarded, malformed", "Forwarded: host=\"{evil};;;=,"),
    Case::new("x-host", "X-Host: {evil}"),
    Case::new("x-original-host", "X-Original-Host: {evil}"),
    Case::new("x-http-host-override", "X-HTTP-Host-Override: {evil}"),
    Case::new("x-original-url to an account", "X-Original-URL: /account"),
    Case::new("x-original-url to nowhere", "X-Original-URL: /{evil}"),
    Case::new("x-rewrite-url to an account", "X-Rewrite-URL: /account"),
    Case::new(
        "x-original-uri",
        "X-Original-URI: /account\nX-Forwarded-URI: /account",
    ),
    Case::new(
        "x-override-url",
        "X-Override-URL: /account\nX-Request-URI: /account",
    ),
    Case::new(
        "x-http-method-override to HEAD",
        "X-HTTP-Method-Override: HEAD",
    ),
    Case::new(
        "x-http-method-override to POST",
        "X-HTTP-Method-Override: POST",
    ),
    Case::new(
        "x-http-method",
        "X-HTTP-Method: DELETE\nX-Method-Override: PURGE",
    ),
    Case::new(
        "x-original-url signs out",
        "X-Original-URL: /sign-out\nX-HTTP-Method-Override: POST",
    ),
    Case::new("accept, json", "Accept: application/json"),
    Case::new("accept, a stream", "Accept: text/event-stream"),
    Case::new("accept, nonsense", "Accept: {evil}/{evil};q=2"),
    Case::new("accept-encoding, gzip", "Accept-Encoding: gzip"),
    Case::new("accept-encoding, brotli", "Accept-Encoding: br;q=1, *;q=0"),
    Case::new(
        "accept-encoding, nothing will do",
        "Accept-Encoding: identity;q=0",
    )
    .answers(&[406, 200]),
    Case::new(
        "accept-encoding, unknown",
        "Accept-Encoding: {evil}, zstd, deflate",
    ),
    Case::new("accept-language", "Accept-Language: {evil}, de;q=0.9"),
    Case::new("accept-charset", "Accept-Charset: utf-7, {evil}"),
    Case::new(
        "accept-datetime",
        "Accept-Datetime: Thu, 01 Jan 1970 00:00:00 GMT",
    ),
    Case::new("origin", "Origin: https://{evil}"),
    Case::new("origin null", "Origin: null"),
    Case::new(
        "a preflight's fields",
        "Access-Control-Request-Method: PUT\nAccess-Control-Request-Headers: {evil}\nOrigin: https://{evil}",
    ),
    Case::new("referer", "Referer: https://{evil}/"),
    Case::new("user-agent", "User-Agent: {evil}"),
    Case::new(
        "user-agent of a phone",
        "User-Agent: Mozilla/5.0 (iPhone) {evil}",
    ),
    Case::new(
        "client hints",
        "Sec-CH-UA: \"{evil}\"\nSec-CH-UA-Mobile: ?1\nSave-Data: on\nViewport-Width: 1",
    ),
    Case::new(
        "sec-fetch of a frame",
        "Sec-Fetch-Site: cross-site\nSec-Fetch-Mode: navigate\nSec-Fetch-Dest: iframe",
    ),
    Case::new("prefer-color-scheme", "Sec-CH-Prefers-Color-Scheme: {evil}"),
    Case::new("x-requested-with", "X-Requested-With: XMLHttpRequest"),
    Case::new("x-request-id", "X-Request-Id: {evil}"),
    Case::new("x-request-id that is none", "X-Request-Id: {evil} <script>"),
    Case::new(
        "traceparent",
        "traceparent: 00-{evil}-00-01\nbaggage: a={evil}",
    ),
    Case::new(
        "x-timer and debugging",
        "X-Debug: {evil}\nX-Cache-Debug: 1\nPragma: akamai-x-get-cache-key\nFastly-Debug: 1",
    ),
    Case::new("a cdn's loop", "CDN-Loop: {evil}\nVia: 1.1 {evil}"),
    Case::new("max-forwards", "Max-Forwards: 0"),
    Case::new(
        "x-middleware",
        "X-Middleware-Prefetch: 1\nX-Middleware-Subrequest: middleware\nRSC: 1\nNext-Router-Prefetch: 1",
    ),
    Case::new(
        "x-accel and sendfile",
        "X-Accel-Redirect: /account\nX-Sendfile: /etc/passwd\nX-Accel-Expires: 9999",
    ),
    Case::new(
        "surrogate fields",
        "Surrogate-Control: max-age=9999\nSurrogate-Capability: a=ESI/1.0\nCDN-Cache-Control: max-age=9999",
    ),
    Case::new(
        "what a response says: cache-tag",
        "Cache-Tag: {evil}\nSurrogate-Key: {evil}\nCache-Status: {evil}",
    ),
    Case::new(
        "what a response says: set-cookie",
        "Set-Cookie: matinee-session={evil}\nLocation: https://{evil}",
    ),
    Case::new("what a response says: vary", "Vary: X-Evil\nX-Evil: {evil}"),
    Case::new(
        "what a response says: age",
        "Age: 99999999\nExpires: 0\nETag: \"{evil}\"",
    ),
    Case::new("cache-control: no-store", "Cache-Control: no-store"),
    Case::new(
        "cache-control: no-cache",
        "Cache-Control: no-cache\nPragma: no-cache",
    ),
    Case::new("cache-control: max-age=0", "Cache-Control: max-age=0"),
    Case::new(
        "cache-control: only-if-cached",
        "Cache-Control: only-if-cached",
    )
    .answers(&[504, 200]),
    Case::new(
        "cache-control: max-stale",
        "Cache-Control: max-stale=999999, min-fresh=0",
    ),
    Case::new(
        "cache-control: as a response",
        "Cache-Control: public, s-maxage=99999, private=\"{evil}",
    ),
    Case::new(
        "cache-control: malformed",
        "Cache-Control: max-age=-1, max-age=9\"\"{evil}, ,,=;",
    ),
    Case::new("range of a few bytes", "Range: bytes=0-9"),
    Case::new("range of the end", "Range: bytes=-5"),
    Case::new("range of too much", "Range: bytes=99999999-"),
    Case::new(
        "ranges, many",
        "Range: bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7,8-8,9-9",
    ),
    Case::new("range, malformed", "Range: {evil}=1-0"),
    Case::new("if-range", "If-Range: \"{evil}\"\nRange: bytes=0-9"),
    // There is a page, so it is not modified (RFC 9110, 13.1.2).
    Case::new("if-none-match: anything", "If-None-Match: *").answers(&[304, 200]),
    Case::new(
        "if-none-match: an etag",
        "If-None-Match: \"{evil}\", W/\"x\"",
    ),
    Case::new("if-match: an etag", "If-Match: \"{evil}\""),
    Case::new(
        "if-modified-since",
        "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT",
    ),
    Case::new(
        "if-unmodified-since",
        "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT",
    ),
    Case::new("authorization", "Authorization: Basic {evil}"),
    Case::new(
        "authorization, bearer",
        "Authorization: Bearer {evil}\nProxy-Authorization: Basic {evil}",
    ),
    Case::new(
        "connection takes the cookie away",
        "Connection: Cookie, Authorization",
    ),
    Case::new(
        "connection takes the host away",
        "Connection: keep-alive, Host, X-Forwarded-For",
    ),
    Case::new("te", "TE: trailers, {evil}"),
    Case::new("a field that is no header", "X-\u{fc}: {evil}").answers(REFUSED),
    Case::new("a space before the colon", "X-Forwarded-Host : {evil}").answers(REFUSED),
    Case::new("a field that goes on", "X-Long: a\n {evil}").answers(REFUSED),
    Case::new("a bare carriage return", "X-Split: a{cr}Set-Cookie: {evil}").answers(REFUSED),
    Case::new("a bare line feed", "X-Split: a{lf}X-Forwarded-Host: {evil}"),
    Case::new("a nul in a field", "X-Nul: a\0{evil}").answers(REFUSED),
    Case::new(
        "a name with an underscore",
        "X_Forwarded_Host: {evil}\nX-Forwarded_Host: {evil}",
    ),
    Case::new("a field of latin-1", "X-Forwarded-Host: \u{e9}{evil}"),
    Case::new("an empty field", "X-Forwarded-Host:\nX-Original-URL:"),
    Case::new(
        "a long field",
        "X-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    )
    .times(90),
    Case::new("more fields than there may be", "X-Many: {evil}")
        .times(200)
        .answers(&[431]),
];
