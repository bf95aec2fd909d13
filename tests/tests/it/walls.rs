//! The walls between the crates, held against what `cargo metadata` says.
//!
//! A crate is a wall: it may name what stands below it, and nothing beside or above it. The table
//! of who stands where is in [`places`]; the rules are in [`rules`], and each is shown a workspace
//! that breaks it.

mod broken;
mod graph;
mod places;
mod rules;

use graph::Workspace;
use places::PLACES;

#[test]
fn every_crate_of_the_workspace_keeps_the_walls() {
    let workspace = Workspace::read();
    let breaches = rules::breaches(&workspace, PLACES);
    assert!(breaches.is_empty(), "\n{}\n", breaches.join("\n"));
}
