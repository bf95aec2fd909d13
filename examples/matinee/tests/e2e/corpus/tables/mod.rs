//! The cases, by the part of the request that they manipulate.

mod bodies;
mod fields;
mod hosts;
mod methods;
mod paths;
mod queries;
mod visitors;

use super::case::Case;

pub(crate) use self::bodies::BODIES;
pub(crate) use self::fields::FIELDS;
pub(crate) use self::hosts::HOSTS;
pub(crate) use self::methods::METHODS;
pub(crate) use self::paths::PATHS;
pub(crate) use self::queries::QUERIES;
pub(crate) use self::visitors::VISITORS;

/// Every table.
pub(crate) const TABLES: [&[Case]; 7] = [FIELDS, HOSTS, BODIES, PATHS, VISITORS, METHODS, QUERIES];

/// Refused by the HTTP parser, which then closes the connection: the rest might belong to this
/// request.
const REFUSED: &[u16] = &[400];
/// Refused by the app.
const BAD_REQUEST: &[u16] = &[400, 200];
const NOT_FOUND: &[u16] = &[404, 200];
const NOT_ALLOWED: &[u16] = &[405, 200];
const SENT_TO_SIGN_IN: &[u16] = &[303, 200];
