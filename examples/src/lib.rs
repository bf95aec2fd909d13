//! Small programs that show one part of larder each. They are in `examples/`; this library is empty.
//!
//! - `session`, `rate_limit`, `response_cache`, `cache`: a layer each, under axum.
//! - `plain_hyper`, `tonic`: the layers without axum, and around a gRPC service.
//! - `caching_proxy`: a reverse proxy that keeps responses by RFC 9111.
