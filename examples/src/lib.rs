//! One small program for each part of larder. They are in `examples/`; this library is empty.
//!
//! - `caching_proxy`: a reverse proxy that keeps responses by RFC 9111.
