//! A page for operators: what this process and its store are doing, and help in an incident.
//!
//! [`OpsPage`] is a router that mounts in one line, behind a guard of the app. There is no way to mount it
//! without one:
//!
//! ```
//! use std::sync::Arc;
//!
//! use axum::Router;
//! use axum::http::{StatusCode, request::Parts};
//! use axum::response::{IntoResponse, Response};
//! use larder_ops::page::{OpsPage, Operator};
//! use larder_store::{Result, Store};
//!
//! /// In an app: the administrator of the session.
//! async fn administrators(request: Parts) -> std::result::Result<Operator, Response> {
//!     match request.extensions.get::<String>() {
//!         Some(name) => Ok(Operator::new(name)),
//!         None => Err(StatusCode::NOT_FOUND.into_response()),
//!     }
//! }
//!
//! fn routes(store: Arc<dyn Store>) -> Result<Router> {
//!     Ok(Router::new().nest("/ops", OpsPage::new(store).build(administrators)?))
//! }
//! ```
//!
//! Without a guard it does not compile:
//!
//! ```compile_fail,E0061
//! # use std::sync::Arc;
//! # use larder_ops::page::OpsPage;
//! # fn routes(store: Arc<dyn larder_store::Store>) -> larder_store::Result<axum::Router> {
//! let page: axum::Router = OpsPage::new(store).build()?;
//! # Ok(page)
//! # }
//! ```
//!
//! 1. Everything, including its style sheet, is behind the guard, and `no-store`.
//! 2. It is read-only unless [`allow_actions`](OpsPage::allow_actions) is called, and the [`Operator`] may
//!    act. Destructive actions first show a count and ask. Each action is logged.
//! 3. A form is accepted only from this site, and one that acts only with the token of its operator.
//! 4. Values, session ids and tokens are never shown; names are escaped.
//! 5. Every panel has a deadline of 700 ms, and all of them are read at once: if the server is down, the page
//!    still comes, and says so.
//! 6. Figures are those of this process. Queues, locks, sessions and findings are those of the store.

mod action_log;
mod actions;
mod background;
mod builder;
mod drill;
mod figures;
mod guard;
mod listing;
mod live;
mod model;
mod numbers;
mod patience;
mod render;
mod routes;
mod spark;
mod state;
mod tokens;
mod view;
mod views;

pub use builder::OpsPage;
pub use figures::{Figures, FiguresRecorder};
pub use guard::Operator;
