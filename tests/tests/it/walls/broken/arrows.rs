//! What a crate may stand on.

use super::{assert_caught, depend, published};

fn assert_dependency_caught(from: &str, to: &str, requirement: &str, expected: &[&str]) {
    assert_caught(expected, |workspace| {
        depend(workspace, from, to, requirement)
    });
}

#[test]
fn an_arrow_that_points_up_or_sideways_is_caught() {
    let up = "store stands at 1, and names all at 6";
    assert_dependency_caught("store", "all", "=1.0.0", &[up]);
    let sideways = "disk stands at 2, and names tape at 2";
    assert_dependency_caught("disk", "tape", "=1.0.0", &[sideways]);
}

#[test]
fn a_layer_that_names_a_backend_is_caught() {
    let breach = "limit is a layer, and names backend disk";
    assert_dependency_caught("limit", "disk", "=1.0.0", &[breach]);
}

#[test]
fn a_backend_that_names_a_layer_is_caught() {
    let height = "disk stands at 2, and names limit at 4";
    let role = "disk is a backend, and names layer limit";
    assert_dependency_caught("disk", "limit", "=1.0.0", &[height, role]);
}

#[test]
fn a_crate_that_ships_the_harness_is_caught() {
    assert_dependency_caught(
        "all",
        "laws",
        "=1.0.0",
        &["all ships laws, which is for tests"],
    );
}

#[test]
fn a_dependency_that_is_another_crates_to_name_is_caught() {
    for walled in ["redis", "bb8", "bb8-redis", "moka"] {
        let breach = format!("limit names {walled}, which is another crate's to name");
        assert_dependency_caught("limit", walled, "^1", &[&breach]);
    }
}

#[test]
fn a_sibling_that_may_be_of_another_version_is_caught() {
    let breach = "limit does not ask for store of exactly its version";
    for requirement in ["*", "^1.0.0", "=1.0.1"] {
        assert_dependency_caught("limit", "store", requirement, &[breach]);
    }
}

#[test]
fn a_published_crate_on_an_unpublished_one_is_caught() {
    let breach = "all stands on example, which has no place";
    assert_dependency_caught("all", "example", "=1.0.0", &[breach]);
}

#[test]
fn a_place_and_a_crate_that_do_not_match_are_caught() {
    assert_caught(&["tape has a place, and does not exist"], |workspace| {
        workspace.packages.retain(|package| package.name != "tape");
    });
    assert_caught(
        &["queue has no place: give it a height and a role"],
        |workspace| {
            workspace.packages.push(published("queue"));
        },
    );
}
