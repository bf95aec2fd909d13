//! The page, through HTTP, on a store in process and on a real server.

mod actions;
mod alerts;
mod attempts;
mod between;
mod guard;
mod names;
mod partial;
mod servers;
mod trouble;
mod views;
mod world;
