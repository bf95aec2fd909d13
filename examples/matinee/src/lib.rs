//! A cinema's box office on axum, SQLite and larder, written to be read and copied.
//!
//! [`app`] builds the whole app from a [`Config`], and [`serve`] runs it until a future resolves; a
//! test does the same with a port of its own. Start reading in `app.rs`: it names every route and
//! every layer.

mod accounts;
mod admin;
mod app;
mod assets;
mod caching;
mod clock;
mod config;
mod csrf;
mod db;
mod errors;
mod figures;
mod films;
mod flash;
mod forms;
mod headers;
mod health;
mod hosts;
mod limits;
mod logs;
mod mail;
mod metrics;
mod operations;
mod pages;
mod seats;
mod serve;
mod sessions;
mod store;
mod to_the_end;

pub use app::{App, app};
pub use config::{AdminAccount, Config, ConfigError, LogFormat, Operations, PublicUrl, StoreUrl};
pub use errors::StartError;
pub use logs::start_logs;
pub use serve::{bind, serve, stop_signal};
